import pytest

from voxkeep.collect.errors import BadAnswer, ComeBackLater, Faltering, Gone, QuotaSpent, Refused, TooFast
from voxkeep.collect.patience import Patience
from voxkeep.settings import Collect

DEFAULTS = Patience(Collect())
QUICK = Collect(refused_wait_seconds=0.0, attempts=3)


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (TooFast("x"), True),
        (TooFast("x", wait_seconds=2), 10.0),
        (TooFast("x", wait_seconds=60), 60),
        (TooFast("x", wait_seconds=301), False),
        (ComeBackLater("x", wait_seconds=2), 2),
        (ComeBackLater("x", wait_seconds=300), 300),
        (Faltering("x"), True),
        (BadAnswer("x"), True),
        (BadAnswer("x", passing=False), False),
        (Refused("x"), False),
        (QuotaSpent("x"), False),
        (Gone("x"), False),
        (ValueError("x"), False),
    ],
)
def test_a_failure_says_whether_and_when_to_ask_again(error: Exception, wait: float) -> None:
    found = DEFAULTS.wait(error)
    assert found == wait
    assert isinstance(found, bool) == isinstance(wait, bool)


async def test_a_wait_without_a_word_of_the_vendors_is_at_least_ten_seconds_and_grows() -> None:
    waits = []
    async for attempt in DEFAULTS.attempts():
        waits.append(attempt.next_wait)
        with attempt:
            break
    assert waits == [10.0]
    again = DEFAULTS.attempts()
    assert (await anext(again)).num == 1


async def test_a_question_is_put_as_often_as_the_settings_say() -> None:
    asked = 0

    async def question() -> int:
        nonlocal asked
        asked += 1
        raise TooFast("again")

    with pytest.raises(TooFast):
        await Patience(QUICK).ask(question)
    assert asked == 3


async def test_the_first_answer_is_taken() -> None:
    answers = iter([Faltering("no"), BadAnswer("no"), None])

    async def question() -> str:
        error = next(answers)
        if error is not None:
            raise error
        return "yes"

    assert await Patience(QUICK).ask(question) == "yes"


def test_a_wait_is_long_when_no_run_makes_it() -> None:
    assert DEFAULTS.is_long(TooFast("x", wait_seconds=301))
    assert not DEFAULTS.is_long(TooFast("x", wait_seconds=300))
    assert not DEFAULTS.is_long(TooFast("x"))
    assert not DEFAULTS.is_long(Gone("x"))
