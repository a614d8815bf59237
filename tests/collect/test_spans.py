"""What a run promises of the spans it lists: none is left out in silence, and the watermark never passes one."""

from datetime import datetime
from typing import Any

import pytest
from tests.collect.conftest import Rig
from tests.vendors.xima.vendor import (
    LIST,
    NOON,
    record,
    some,
    status,
)

from voxkeep.archive.units import DAY_MS, HOUR_MS, now_ms


async def test_windows_that_fail_are_cut_until_they_are_answered(rig: Rig) -> None:
    rig.vendor.recordings = some(8)

    async def only_short(request: Any) -> Any:
        first, last = (request.query[name] for name in ("startTime", "endTime"))
        long = _minutes(last) - _minutes(first) > 200
        return await status(500)(request) if long else None

    rig.vendor.always[LIST] = only_short
    report = await rig.run(since=NOON - DAY_MS, until=NOON + DAY_MS)
    assert (report.exit, report.new, report.not_listed) == (0, 8, [])


def _minutes(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() / 60


async def test_a_span_that_cannot_be_listed_is_told_and_holds_the_watermark(rig: Rig) -> None:
    poisoned = now_ms() - 29 * DAY_MS

    async def poison(request: Any) -> Any:
        first, last = (_minutes(request.query[name]) * 60_000 for name in ("startTime", "endTime"))
        return await status(500)(request) if first <= poisoned <= last else None

    rig.vendor.always[LIST] = poison
    rig.settings(attempts=1)
    rig.vendor.recordings = [record("before", poisoned - HOUR_MS), record("after", poisoned + HOUR_MS)]
    report = await rig.run_unbounded()
    assert (report.exit, report.new, len(report.not_listed)) == (1, 2, 1)
    assert report.not_listed[0].reason.startswith("HTTP 500")
    watermark = await rig.watermark()
    assert watermark is not None
    assert poisoned - HOUR_MS <= watermark <= poisoned
    rig.vendor.always.clear()
    assert (await rig.run_unbounded()).exit == 0
    assert await rig.watermark() == pytest.approx(now_ms(), abs=60_000)


async def test_a_backfill_of_long_ago_leaves_the_watermark_alone(rig: Rig) -> None:
    rig.vendor.recordings = some(1)
    assert (await rig.run()).new == 1
    assert await rig.watermark() is None


async def test_a_vendor_that_lists_nothing_is_not_asked_for_every_minute(rig: Rig) -> None:
    rig.vendor.always[LIST] = status(503)
    rig.settings(attempts=2)
    report = await rig.run(since=NOON - 30 * DAY_MS)
    assert (report.exit, rig.vendor.count(LIST)) == (1, 6)
    assert len(report.not_listed) <= 2
    assert report.not_listed[-1].last == report.until


async def test_a_later_run_starts_before_the_watermark(rig: Rig) -> None:
    now = now_ms()
    rig.vendor.recordings = [record("today", now - HOUR_MS)]
    assert (await rig.run_unbounded()).new == 1
    assert rig.vendor.windows[0][0] == pytest.approx(now - 30 * DAY_MS, abs=60_000)
    rig.vendor.windows.clear()
    report = await rig.run_unbounded()
    assert (report.held, report.exit) == (1, 0)
    assert rig.vendor.windows[0][0] == pytest.approx(now - 5 * DAY_MS, abs=60_000)


async def test_a_later_run_goes_back_to_the_oldest_that_is_open(rig: Rig) -> None:
    now = now_ms()
    rig.vendor.recordings = [record("old", now - 20 * DAY_MS)]
    rig.vendor.always["old"] = status(400)
    assert (await rig.run_unbounded()).failed == 1
    del rig.vendor.always["old"]
    assert (await rig.run_unbounded()).new == 1


async def test_an_open_recording_that_is_listed_no_more_is_told_as_gone(rig: Rig) -> None:
    rig.vendor.recordings = [record("old", now_ms() - 10 * DAY_MS, status="PENDING")]
    assert (await rig.run_unbounded()).pending == 1
    rig.vendor.recordings.clear()
    report = await rig.run_unbounded()
    assert (report.gone, report.reasons) == (1, {"no longer listed by the vendor": 1})
    assert (await rig.run_unbounded()).listed == 0


async def test_a_backfill_does_not_hide_what_lies_before_it(rig: Rig) -> None:
    now = now_ms()
    rig.vendor.recordings = [record("older", now - 9 * DAY_MS), record("newer", now - DAY_MS)]
    assert (await rig.run(since=now - 2 * DAY_MS, until=now)).new == 1
    assert (await rig.run_unbounded()).new == 1
    assert rig.vendor.served == {"older": 1, "newer": 1}


async def test_a_recording_at_the_border_of_two_windows_is_counted_once(rig: Rig) -> None:
    rig.vendor.recordings = [record("border", NOON + HOUR_MS)]
    rig.settings(window_hours=1)
    report = await rig.run(since=NOON, until=NOON + 2 * HOUR_MS)
    assert (report.listed, report.new) == (1, 1)
    assert rig.vendor.windows[:2] == [(NOON, NOON + HOUR_MS), (NOON + HOUR_MS, NOON + 2 * HOUR_MS)]


async def test_a_vendor_that_takes_only_short_spans_is_asked_for_those(rig: Rig) -> None:
    rig.vendor.recordings = some(3)

    async def only_short(request: Any) -> Any:
        long = _minutes(request.query["endTime"]) - _minutes(request.query["startTime"]) > 100
        return await status(400)(request) if long else None

    rig.vendor.always[LIST] = only_short
    report = await rig.run()
    assert (report.exit, report.new, report.not_listed) == (0, 3, [])
