import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.access.rate import in_order, wait_ms, with_accepted
from voxkeep.settings import Xima

RULE = Xima()
GAPS = st.one_of(
    st.integers(0, 12_000),
    st.sampled_from([0, 1, 2_949, 2_950, 2_951, 3_000, 3_333, 9_999, 10_000, 10_001]),
)


def allowed(accepted: list[int], now: int) -> bool:
    """Reference D8, word for word, over everything that was ever accepted."""
    if not accepted:
        return True
    long_enough_ago = now - accepted[-1] >= 3_000 - 50
    recent = [at for at in accepted if now - at < 10_000]
    return long_enough_ago or len(recent) < 3


@given(st.lists(GAPS, max_size=60))
def test_any_sequence_of_requests_is_accepted_exactly_as_the_rule_says(gaps: list[int]) -> None:
    now, ever, remembered = 0, list[int](), tuple[int, ...]()
    for gap in gaps:
        now += gap
        wait = wait_ms(RULE, remembered, now)
        assert (wait == 0) == allowed(ever, now)
        if wait == 0:
            ever.append(now)
            remembered = with_accepted(RULE, remembered, now)


@given(st.lists(GAPS, max_size=30))
def test_a_refused_request_is_told_the_first_moment_at_which_it_would_be_accepted(gaps: list[int]) -> None:
    now, ever = 0, list[int]()
    for gap in gaps:
        now += gap
        wait = wait_ms(RULE, ever, now)
        if wait == 0:
            ever.append(now)
        else:
            assert allowed(ever, now + wait)
            assert not allowed(ever, now + wait - 1)


@given(st.integers(1, 8), st.lists(GAPS, max_size=40))
def test_no_more_is_remembered_than_the_window_holds(requests: int, gaps: list[int]) -> None:
    rule = Xima(audio_window_requests=requests)
    now, remembered = 0, tuple[int, ...]()
    for gap in gaps:
        now += gap
        remembered = with_accepted(rule, remembered, now)
        assert len(remembered) <= requests
        assert remembered[-1] == now


@pytest.mark.parametrize(
    ("accepted", "now", "wait"),
    [
        ((), 0, 0),
        ((0, 1), 2, 0),  # the third of a burst
        ((0, 1, 2), 3, 2_949),  # the fourth waits for the spacing
        ((0, 1, 2), 2_951, 1),
        ((0, 1, 2), 2_952, 0),  # 3 s less the grace
        ((0, 9_000, 9_500), 9_999, 1),  # the window rolls before the spacing is over
        ((0, 9_000, 9_500), 10_000, 0),
    ],
)
def test_the_edges_of_the_rule(accepted: tuple[int, ...], now: int, wait: int) -> None:
    assert wait_ms(RULE, accepted, now) == wait


def test_without_a_spacing_nothing_is_ever_refused() -> None:
    assert wait_ms(Xima(audio_spacing_ms=0), (5, 5, 5), 5) == 0


def test_times_ahead_of_the_clock_count_as_now() -> None:
    assert in_order((10, 90_000, 95_000), 50) == (10, 50, 50)
    assert wait_ms(RULE, in_order((90_000, 91_000, 92_000), 50), 50) == 2_950
