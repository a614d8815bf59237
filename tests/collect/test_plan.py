import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.archive.units import DAY_MS, HOUR_MS, EpochMs
from voxkeep.collect import plan
from voxkeep.collect.source import Window
from voxkeep.settings import Collect

NOW = EpochMs(1_700_000_000_000)
SETTINGS = Collect()


def ms(value: float) -> EpochMs:
    return EpochMs(round(value))


def test_a_first_run_goes_back_the_days_of_the_setting() -> None:
    assert plan.start(None, None, NOW, SETTINGS) == NOW - 30 * DAY_MS
    assert plan.start(None, ms(5), NOW, Collect(first_run_days=2)) == NOW - 2 * DAY_MS


@pytest.mark.parametrize(
    ("oldest_days", "begin_days"), [(None, 5), (1, 5), (4, 5), (4.5, 5.5), (12, 13), (29, 30), (400, 30)]
)
def test_a_later_run_overlaps_or_goes_back_to_the_oldest_open_but_not_for_ever(
    oldest_days: float | None, begin_days: float
) -> None:
    oldest = None if oldest_days is None else ms(NOW - oldest_days * DAY_MS)
    assert plan.start(NOW, oldest, NOW, SETTINGS) == NOW - begin_days * DAY_MS


def test_an_overlap_longer_than_the_first_run_is_followed() -> None:
    assert plan.start(NOW, None, NOW, Collect(first_run_days=1, overlap_days=9)) == NOW - 9 * DAY_MS


def given_out(windows: plan.Windows) -> list[Window]:
    return list(iter(windows.next, None))


def test_windows_abut_and_cover_the_span() -> None:
    span = Window(NOW, ms(NOW + 2.5 * DAY_MS))
    windows = given_out(plan.Windows(span, SETTINGS))
    assert windows == [
        Window(NOW, ms(NOW + DAY_MS)),
        Window(ms(NOW + DAY_MS), ms(NOW + 2 * DAY_MS)),
        Window(ms(NOW + 2 * DAY_MS), span.last),
    ]


def test_a_span_of_one_moment_is_one_window() -> None:
    windows = plan.Windows(Window(NOW, NOW), SETTINGS)
    assert windows.rest() == Window(NOW, NOW)
    assert given_out(windows) == [Window(NOW, NOW)]
    assert windows.rest() is None


def lengths(records: int, count: int) -> list[float]:
    windows = plan.Windows(Window(NOW, ms(NOW + 400 * DAY_MS)), SETTINGS)
    found = []
    for _ in range(count):
        window = windows.next()
        assert window is not None
        found.append((window.last - window.first) / HOUR_MS)
        windows.listed(records)
    return found


def test_windows_grow_where_little_is_found_and_shrink_where_much_is() -> None:
    assert lengths(0, 5) == [24, 48, 96, 120, 120]
    assert lengths(3_000, 3) == [24, 24, 24]
    assert lengths(5_001, 3) == [24, 12, 6]
    assert lengths(10**9, 12)[-1] == pytest.approx(plan.SHORTEST_MS / HOUR_MS)


def test_a_window_is_cut_in_halves_that_come_next() -> None:
    windows = plan.Windows(Window(NOW, ms(NOW + 10 * DAY_MS)), SETTINGS)
    first = windows.next()
    assert first is not None
    windows.halve(first)
    assert windows.rest() == Window(NOW, ms(NOW + 10 * DAY_MS))
    middle = ms(NOW + 12 * HOUR_MS)
    assert windows.next() == Window(NOW, middle)
    assert windows.next() == Window(middle, ms(NOW + DAY_MS))
    assert windows.next() == Window(ms(NOW + DAY_MS), ms(NOW + 36 * HOUR_MS))


def test_a_window_of_minutes_is_not_cut() -> None:
    windows = plan.Windows(Window(NOW, NOW), SETTINGS)
    assert not windows.can_halve(Window(NOW, ms(NOW + plan.SHORTEST_MS)))
    assert windows.can_halve(Window(NOW, ms(NOW + plan.SHORTEST_MS + 1)))


@given(
    st.integers(0, 60 * DAY_MS),
    st.lists(st.one_of(st.just("halve"), st.integers(0, 20_000)), max_size=60),
    st.integers(1, 200),
)
def test_whatever_happens_every_moment_is_in_a_window_and_they_come_in_order(
    length: int, events: list[str | int], hours: int
) -> None:
    span = Window(NOW, EpochMs(NOW + length))
    windows = plan.Windows(span, Collect(window_hours=hours))
    happening, at, given_ = iter(events), span.first, 0
    while (window := windows.next()) is not None:
        given_ += 1
        assert given_ < 20_000
        assert window.first == at <= window.last <= span.last
        event = next(happening, 0)
        if event == "halve" and windows.can_halve(window):
            windows.halve(window)
            continue
        windows.listed(0 if event == "halve" else int(event))
        at = window.last
    assert at == span.last
