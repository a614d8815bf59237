"""Parameters: times, limits, cursors, and that each is given once."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.archive.units import LATEST
from voxkeep.native.queries import LARGEST_NUMBER, MOST, asked_of, cursor, moment, parameters
from voxkeep.native.search import iso
from voxkeep.web.errors import BadRequestError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 -- zone given
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def microseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


@given(TIMES, OFFSETS)
def test_a_moment_is_the_same_in_any_offset_and_rounds_inwards(at: datetime, offset: timezone) -> None:
    text = at.astimezone(offset).isoformat()
    micros = microseconds(at)
    assert moment(text, "to") == micros // 1000
    assert moment(text, "from", starts=True) == -(-micros // 1000)


@given(TIMES, OFFSETS)
def test_a_raw_plus_that_arrived_as_a_space_is_a_plus(at: datetime, offset: timezone) -> None:
    text = at.astimezone(offset).isoformat()
    assert moment(text.replace("+", " "), "to") == moment(text, "to")


@given(st.integers(0, LATEST - 1))
def test_milliseconds_are_a_moment(at: int) -> None:
    assert moment(str(at), "from") == at


@given(TIMES)
def test_a_moment_that_is_shown_is_understood(at: datetime) -> None:
    millis = microseconds(at) // 1000
    shown = iso(moment(str(millis), "from"))
    assert moment(shown, "from", starts=True) == millis
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", shown)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "yesterday", "2024-02-12", "2024-02-12T10:00:00", "2024-02-30T10:00:00Z", "2024-02-12T25:00:00Z",
        "12.5", "1e9", "٣", "-1x", "2024-02-12T10:00:00 America/Denver", "9" * 19, "2024-02-12T10:00:00Z; DROP",
    ],
)  # fmt: skip
def test_what_is_no_moment_is_400_naming_the_parameter(text: str) -> None:
    with pytest.raises(BadRequestError, match=r"^from is neither") as raised:
        moment(text, "from")
    assert raised.value.parameter == "from"


@pytest.mark.parametrize("text", ["2200-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", str(LATEST), "9" * 18])
def test_moments_outside_1970_to_2199_are_absurd(text: str) -> None:
    with pytest.raises(BadRequestError, match=r"^to lies outside the years"):
        moment(text, "to")


def refusal_of(work: Callable[[], object]) -> BadRequestError | None:
    try:
        work()
    except BadRequestError as error:
        return error
    return None


@given(st.text())
def test_any_text_is_a_moment_or_400(text: str) -> None:
    error = refusal_of(lambda: moment(text, "from"))
    if error is None:
        assert 0 <= moment(text, "from") < LATEST
    else:
        assert error.parameter == "from"


@given(st.integers(0, LARGEST_NUMBER))
def test_a_cursor_leads_back_to_its_number_and_does_not_show_it(number: int) -> None:
    text = cursor(number)
    assert asked_of({"q": "x", "before": text}).before == number
    assert re.fullmatch(r"[A-Za-z0-9_-]{11}", text)


@given(st.text(st.sampled_from("ABCgw89_-=/+ é"), max_size=13) | st.text() | st.binary(min_size=8).map(repr))
def test_any_text_is_a_cursor_of_ours_or_400(text: str) -> None:
    asked = {"q": "x", "before": text}
    error = refusal_of(lambda: asked_of(asked))
    if error is None:
        before = asked_of(asked).before
        assert before is not None
        assert cursor(before) == text
    else:
        assert (error.parameter, error.message) == ("before", "before is not the next of a page")


@pytest.mark.parametrize("text", ["", "0", "AAAAAAAAAA", "AAAAAAAAAAA=", "AAAAAAAAAAB", "gAAAAAAAAAA", "_" * 11])
def test_what_next_never_says_is_no_cursor(text: str) -> None:
    with pytest.raises(BadRequestError, match=r"^before is not the next of a page$"):
        asked_of({"q": "x", "before": text})


@pytest.mark.parametrize(("text", "limit"), [("1", 1), ("50", 50), ("500", MOST), ("007", 7)])
def test_a_limit_is_a_number_up_to_500(text: str, limit: int) -> None:
    assert asked_of({"q": "x", "limit": text}).limit == limit


@pytest.mark.parametrize("text", ["0", "501", "-1", "", "ten", "5.0", "+5", " 5", "٣", "9" * 400])
def test_any_other_limit_is_400(text: str) -> None:
    with pytest.raises(BadRequestError, match="limit is a number from 1 to 500"):
        asked_of({"q": "x", "limit": text})


def test_without_more_a_question_asks_for_50_of_all_times() -> None:
    asked = asked_of({"q": " word "})
    assert (asked.question, asked.times, asked.limit, asked.before) == (" word ", None, 50, None)


@pytest.mark.parametrize("given_", [{}, {"q": ""}, {"q": "  "}])
def test_a_question_is_required(given_: dict[str, str]) -> None:
    with pytest.raises(BadRequestError, match="q is required"):
        asked_of(given_)


def test_a_span_that_ends_before_it_begins_is_400() -> None:
    with pytest.raises(BadRequestError, match="to lies before from") as raised:
        asked_of({"q": "x", "from": "2", "to": "1"})
    assert raised.value.parameter == "to"


@pytest.mark.parametrize("name", ["q", "tenant", "from", "to", "limit", "before"])
def test_a_parameter_of_ours_is_given_once(name: str) -> None:
    with pytest.raises(BadRequestError, match=f"{name} is given more than once"):
        parameters(f"{name}=1&other=2&{name}=1".encode())


def test_names_are_case_sensitive_and_unknown_ones_are_let_be() -> None:
    assert parameters(b"q=a+b%2B&Q=c&x=1&x=2&flag&=") == {"q": "a b+", "Q": "c", "x": "2", "flag": "", "": ""}
