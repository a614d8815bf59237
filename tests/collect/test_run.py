"""What a run promises: nothing lost, nothing twice, nothing silent."""

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace
from tests.collect.conftest import Rig
from tests.vendors.xima.vendor import (
    CALLS,
    LIST,
    NOON,
    TOKEN,
    Vendor,
    call,
    cut,
    record,
    some,
    status,
    tone,
)

from voxkeep.archive.model import Recording, State, Tenant
from voxkeep.archive.units import HOUR_MS, DurationMs, EpochMs, RecordingId, TenantId, uuid7
from voxkeep.audio.health import Health
from voxkeep.collect import SourceConfig, collect
from voxkeep.collect.errors import SourceUnusable
from voxkeep.collect.lock import source_lock
from voxkeep.collect.store import Ledger, Runs
from voxkeep.database import DatabaseError, DatabaseFull, Transaction
from voxkeep.vault import VaultError, VaultFull

KEY = "91a1e1e8-08p8-427b-bd04-da43c2a1db7d-1707770449131"


async def test_everything_listed_is_kept_as_it_came(rig: Rig) -> None:
    rig.vendor.recordings = [record(KEY), record("k-2", NOON + 5_000, 2_500)]
    report = await rig.run()
    assert (report.exit, report.listed, report.new, report.missing) == (0, 2, 2, [])
    assert report.bytes == len(tone(1_000)) + len(tone(2_500))
    assert await rig.bytes_of(KEY) == tone(1_000)
    kept = await rig.held(KEY)
    assert kept is not None
    assert kept.audio is not None
    assert (kept.state, kept.started_at, kept.agent) == (State.KEPT, NOON, "Spencer Porter(253)")
    assert (kept.opus_bytes, kept.audio.health) == (len(tone(1_000)), 0)
    assert report.notes == {}


async def test_the_second_run_downloads_nothing(rig: Rig) -> None:
    rig.vendor.recordings = some(3)
    await rig.run()
    report = await rig.run()
    assert (report.exit, report.new, report.held, report.bytes) == (0, 0, 3, 0)
    assert set(rig.vendor.served.values()) == {1}


@pytest.mark.parametrize(
    "shape",
    [
        lambda rows: {"recordings": rows, "calls": rows} if rows else {},
        lambda rows: {"data": {"items": rows}},
        lambda rows: {str(number): row for number, row in enumerate(rows)},
        lambda rows: rows[0] if len(rows) == 1 else rows or None,
    ],
)
async def test_a_list_is_collected_in_every_shape(rig: Rig, shape: Any) -> None:
    rig.vendor.recordings, rig.vendor.shape = some(2), shape
    rig.settings(window_hours=1)
    assert (await rig.run(since=NOON, until=NOON + HOUR_MS)).new == 2


async def test_nothing_listed_is_clean(rig: Rig) -> None:
    report = await rig.run()
    assert (report.exit, report.listed, report.not_listed) == (0, 0, [])
    assert rig.vendor.count(CALLS) == 0


async def test_pending_is_retried_in_the_next_run_and_clean(rig: Rig) -> None:
    rig.vendor.recordings = [record(KEY, status="PENDING")]
    report = await rig.run()
    assert (report.exit, report.pending, report.missing[0].key) == (0, 1, KEY)
    assert report.oldest_unfetched == "2023-11-14T22:13:20.000Z"
    assert rig.vendor.count(KEY) == 0
    rig.vendor.recordings[0]["status"] = "SAVED"
    report = await rig.run()
    assert (report.exit, report.new, report.oldest_unfetched) == (0, 1, "")


async def test_deleted_recordings_are_told_as_gone_and_never_asked_for(rig: Rig) -> None:
    words = ["DELETED_USER", "DELETED_SPACE", "DELETED_TIME", "DELETED_UNKNOWN"]
    rig.vendor.recordings = [record(word, status=word) for word in words]
    report = await rig.run()
    assert (report.exit, report.gone) == (0, 4)
    assert report.reasons == dict.fromkeys(words, 1)
    assert not set(words) & {what for _, what in rig.vendor.asked}


async def test_a_recording_held_here_stays_held_when_the_vendor_deletes_it(rig: Rig) -> None:
    rig.vendor.recordings = [record(KEY)]
    await rig.run()
    rig.vendor.recordings[0]["status"] = "DELETED_TIME"
    report = await rig.run()
    assert (report.held, report.gone) == (1, 0)


async def test_a_tombstone_is_held_and_never_fetched_again(rig: Rig) -> None:
    rig.vendor.recordings = [record(KEY)]
    await rig.run()
    kept = await rig.held(KEY)
    assert kept is not None
    await rig.archive.remove(rig.tenant, kept.id, hard=True)
    assert (await rig.run()).held == 1
    assert rig.vendor.served[KEY] == 1


async def test_a_row_that_waits_for_its_audio_gets_it(rig: Rig) -> None:
    pending = Recording(
        tenant=rig.tenant,
        id=RecordingId(uuid7(EpochMs(NOON))),
        started_at=EpochMs(NOON),
        duration_ms=DurationMs(1_000),
        vendor="xima",
        vendor_key=KEY,
        state=State.PENDING,
    )
    await rig.archive.keep(pending)
    rig.vendor.recordings = [record(KEY)]
    assert (await rig.run()).new == 1
    kept = await rig.held(KEY)
    assert kept is not None
    assert (kept.state, kept.id) == (State.KEPT, pending.id)


async def test_what_is_about_to_be_deleted_comes_first_then_the_oldest(rig: Rig) -> None:
    rig.vendor.recordings = [
        record("late", NOON + 9_000),
        record("early", NOON),
        record("urgent", NOON + 5_000, status="PENDING_DELETE_TIME"),
    ]
    await rig.run()
    assert [what for _, what in rig.vendor.asked if what not in {LIST, CALLS}] == ["urgent", "early", "late"]


async def test_call_info_comes_with_the_recording_and_two_recordings_share_a_call(rig: Rig) -> None:
    rig.vendor.recordings = [record("a", callKey="c"), record("b", NOON + 1_000, callKey="c")]
    rig.vendor.calls = [call("c", *rig.vendor.recordings)]
    await rig.run()
    first, second = await rig.held("a"), await rig.held("b")
    assert first is not None
    assert second is not None
    assert first.call == second.call is not None
    rows = await rig.archive.database.read("SELECT location, number FROM calls")
    assert rows == [("Reno, NV", 31_875)]


async def test_call_info_that_was_missing_is_added_by_a_later_run(rig: Rig) -> None:
    rig.vendor.recordings = [record("a", callKey=f"c-{NOON}-{NOON + 9_000}")]
    rig.vendor.faults[CALLS].append(status(403))
    report = await rig.run()
    assert report.exit == 0
    assert next(iter(report.notes)).startswith("without call info: HTTP 403")
    rig.vendor.calls = [call(f"c-{NOON}-{NOON + 9_000}")]
    assert (await rig.run()).held == 1
    assert await rig.archive.database.read("SELECT location FROM calls") == [("Reno, NV",)]


@pytest.mark.parametrize(
    "fault",
    [
        status(429),
        status(429, Retry_After="0"),
        status(503),
        status(503, Retry_After="Mon, 12 Feb 2024 20:01:30 GMT"),
        status(500),
        cut(tone(1_000)),
        status(200, b'{"error": "come again"}'),
        status(200, b"<html></html>", "text/html"),
        status(200, tone(1_000)[:900], "audio/ogg"),
    ],
)
async def test_a_passing_fault_is_asked_again_in_the_same_run(rig: Rig, fault: Any) -> None:
    rig.vendor.recordings = some(2)
    rig.vendor.faults["k-00"].append(fault)
    report = await rig.run()
    assert (report.exit, report.new, report.failed) == (0, 2, 0)
    assert await rig.bytes_of("k-00") == tone(1_000)
    assert rig.quarantine() == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (status(500), "HTTP 500"),
        (cut(tone(1_000)), "the audio was cut short"),
        (status(200, b'{"error": "no"}'), "text in place of audio"),
        (status(200, b"<html></html>", "text/html"), "text in place of audio"),
        (status(200, tone(1_000)[:900], "audio/ogg"), "not whole audio: page "),
        (status(200, b"", "audio/ogg"), "not whole audio: no bytes at all"),
        (status(200, b"RIFF and no more", "audio/ogg"), "not whole audio:"),
        (status(400), "HTTP 400"),
    ],
)
async def test_a_lasting_fault_fails_one_recording_with_its_reason_and_no_other(
    rig: Rig, fault: Any, reason: str
) -> None:
    rig.vendor.recordings = some(3)
    rig.vendor.always["k-01"] = fault
    report = await rig.run()
    assert (report.exit, report.new, report.failed) == (1, 2, 1)
    assert (report.missing[0].key, report.missing[0].state) == ("k-01", "failed")
    assert report.missing[0].reason.startswith(reason)
    assert await rig.held("k-01") is None
    assert list(rig.archive.home.rglob("*.part")) == []
    del rig.vendor.always["k-01"]
    report = await rig.run()
    assert (report.exit, report.new, report.held) == (0, 1, 2)


async def test_a_bad_answer_is_quarantined_once_raw_and_for_its_owner_only(rig: Rig) -> None:
    rig.vendor.recordings = some(1)
    rig.vendor.always["k-00"] = status(200, b'{"error": "no"}')
    report = await rig.run()
    (path,) = rig.quarantine()
    assert report.quarantined == [path.name]
    assert path.name.startswith("acme-")
    assert path.suffix == ".rejected"
    assert path.stat().st_mode & 0o777 == 0o600
    head, raw = path.read_bytes().split(b"\n", 1)
    facts = json.loads(head)
    assert raw == b'{"error": "no"}'
    assert facts["request"] == "GET /rest/api/v2/recordings/acme-ns/k-00/audio"
    assert (facts["status"], facts["content_type"], facts["bytes"]) == (200, "application/json", 15)
    await rig.run()
    assert rig.quarantine() == [path]


async def test_the_same_wrong_bytes_are_not_downloaded_over_and_over(rig: Rig) -> None:
    rig.vendor.recordings = some(1)
    rig.vendor.always["k-00"] = status(200, tone(1_000)[:900], "audio/ogg")
    rig.settings(attempts=4)
    await rig.run()
    assert rig.vendor.count("k-00") == 2


async def test_a_record_that_cannot_be_understood_is_told_and_quarantined_once(rig: Rig) -> None:
    damaged = record("damaged") | {"duration": []}
    rig.vendor.recordings = [damaged, 7, *some(1)]  # and what is no record at all
    report = await rig.run(since=NOON, until=NOON + HOUR_MS)
    assert (report.exit, report.listed, report.new, report.rejected) == (1, 3, 1, 2)
    assert {json.loads(path.read_bytes().split(b"\n", 1)[1]) == 7 for path in rig.quarantine()} == {True, False}
    assert "damaged" in {missing.key for missing in report.missing}
    assert (await rig.run(since=NOON, until=NOON + HOUR_MS)).rejected == 2
    assert len(rig.quarantine()) == 2


async def test_an_odd_call_is_quarantined_and_noted_but_nothing_is_missing(rig: Rig) -> None:
    rig.vendor.recordings = some(1)
    rig.vendor.calls = [call("c", startTime=None)]
    report = await rig.run()
    assert (report.exit, report.new, report.rejected, len(rig.quarantine())) == (0, 1, 0, 1)
    assert next(iter(report.notes)).startswith("a record beside the recordings")


async def test_short_but_whole_audio_fails_first_and_is_kept_flagged_when_it_comes_again(rig: Rig) -> None:
    rig.vendor.recordings = [record(KEY, duration=2_000)]
    rig.vendor.audio[KEY] = tone(1_000)
    report = await rig.run()
    assert (report.exit, report.failed) == (1, 1)
    assert report.missing[0].reason == "audio shorter than its metadata says"
    assert rig.vendor.count(KEY) == 1
    report = await rig.run()
    assert (report.exit, report.new) == (0, 1)
    kept = await rig.held(KEY)
    assert kept is not None
    assert kept.audio is not None
    assert Health.SHORT in Health(kept.audio.health)


async def test_short_audio_that_the_vendor_has_finished_meanwhile_is_kept_sound(rig: Rig) -> None:
    rig.vendor.recordings = [record(KEY, duration=2_000)]
    rig.vendor.audio[KEY] = tone(1_000)
    await rig.run()
    rig.vendor.audio[KEY] = tone(2_000)
    await rig.run()
    kept = await rig.held(KEY)
    assert kept is not None
    assert kept.audio is not None
    assert kept.audio.health == 0


@pytest.mark.parametrize(
    ("listed", "actual", "kept"),
    [(1_200, 1_000, True), (1_201, 1_000, False), (1_000, 1_200, True), (1_000, 1_201, False), (20_400, 20_000, True)],
)
async def test_a_duration_may_differ_by_2_percent_or_200_ms(rig: Rig, listed: int, actual: int, kept: bool) -> None:  # noqa: FBT001
    rig.vendor.recordings = [record(KEY, duration=listed)]
    rig.vendor.audio[KEY] = tone(actual)
    assert (await rig.run()).new == int(kept)


async def test_a_size_that_differs_is_only_told(rig: Rig) -> None:
    rig.vendor.recordings = [record(KEY, size=5)]
    report = await rig.run()
    assert (report.exit, report.new, report.notes) == (0, 1, {"the audio's size is not the listed one": 1})


async def test_a_recording_deleted_between_list_and_fetch_is_gone_with_the_vendors_word(rig: Rig) -> None:
    rig.vendor.recordings = some(2)

    async def delete(_: object) -> Any:
        rig.vendor.recordings[0]["status"] = "DELETED_TIME"
        return await status(404)(None)  # type: ignore[arg-type] # it looks at no request

    rig.vendor.faults["k-00"].append(delete)
    report = await rig.run()
    assert (report.exit, report.new, report.gone, report.reasons) == (0, 1, 1, {"DELETED_TIME": 1})


async def test_audio_that_is_not_there_is_looked_up_and_asked_for_once_more(rig: Rig) -> None:
    rig.vendor.recordings = some(1)
    rig.vendor.faults["k-00"].append(status(404))
    assert (await rig.run()).new == 1
    rig.vendor.recordings.append(record("k-01", NOON + 60_000))
    rig.vendor.always["k-01"] = status(404)
    report = await rig.run()
    assert (report.exit, report.gone, rig.vendor.count("k-01")) == (0, 1, 2)
    assert report.missing[0].reason == "listed, but its audio is not there (404)"


@pytest.mark.parametrize("change", ["vanish", "pending"])
async def test_what_the_second_look_says_is_believed(rig: Rig, change: str) -> None:
    rig.vendor.recordings = some(1)

    async def alter(_: object) -> Any:
        if change == "vanish":
            rig.vendor.recordings.clear()
        else:
            rig.vendor.recordings[0]["status"] = "PENDING"
        return await status(404)(None)  # type: ignore[arg-type] # it looks at no request

    rig.vendor.faults["k-00"].append(alter)
    report = await rig.run()
    assert (report.gone, report.pending) == ((1, 0) if change == "vanish" else (0, 1))


@pytest.mark.parametrize("code", [401, 403])
async def test_a_refusal_stops_the_tenant_and_exits_3(rig: Rig, code: int) -> None:
    rig.vendor.recordings = some(4)
    rig.vendor.always["k-01"] = status(code)
    report = await rig.run()
    assert (report.exit, report.new, report.failed) == (3, 1, 3)
    assert report.stopped.startswith(f"refused by the vendor: HTTP {code}")
    assert rig.vendor.count("k-01") == 1
    assert rig.vendor.count("k-02") == 0


async def test_a_token_refreshed_in_mid_run_stops_it_and_the_next_run_goes_on(rig: Rig) -> None:
    rig.vendor.recordings = some(3)

    async def refresh(_: object) -> None:
        rig.vendor.token = "another"

    rig.vendor.faults["k-00"].append(refresh)
    report = await rig.run()
    assert (report.exit, report.new, report.failed) == (3, 1, 2)
    rig.vendor.token = TOKEN
    report = await rig.run()
    assert (report.exit, report.new, report.held) == (0, 2, 1)
    assert set(rig.vendor.served.values()) == {1}


async def test_a_refused_list_exits_3_at_once(rig: Rig) -> None:
    rig.vendor.token = "another"
    report = await rig.run()
    assert (report.exit, rig.vendor.count(LIST)) == (3, 1)
    assert report.not_listed
    assert await rig.watermark() is None


async def test_the_egress_cap_stops_audio_but_not_lists(rig: Rig) -> None:
    rig.vendor.recordings = [*some(3), *(record(f"later-{n}", NOON + 5 * HOUR_MS + n) for n in range(2))]
    rig.vendor.always["k-01"] = status(509)
    rig.settings(window_hours=1, window_records=1)
    report = await rig.run(since=NOON, until=NOON + 6 * HOUR_MS)
    assert (report.exit, report.new, report.failed, report.listed) == (1, 1, 4, 5)
    assert list(report.reasons)[1].startswith("egress cap: HTTP 509")
    assert report.not_listed == []
    assert rig.vendor.count("later-0") == 0
    del rig.vendor.always["k-01"]
    assert (await rig.run(until=NOON + 6 * HOUR_MS)).new == 4


async def test_a_vendor_that_is_down_is_left_in_peace(rig: Rig) -> None:
    rig.vendor.recordings = some(9)
    rig.settings(attempts=2)
    for row in rig.vendor.recordings:
        rig.vendor.always[row["recordingKey"]] = status(503)
    report = await rig.run()
    assert (report.exit, report.failed) == (1, 9)
    assert sum(rig.vendor.count(row["recordingKey"]) for row in rig.vendor.recordings) == 6
    assert report.stopped


async def test_a_wait_longer_than_a_run_leaves_the_rest_for_the_next(rig: Rig) -> None:
    rig.vendor.recordings = some(3)
    rig.vendor.faults["k-00"].append(status(429, Retry_After="3600"))
    report = await rig.run()
    assert (report.exit, report.new, report.failed) == (1, 0, 3)
    assert rig.vendor.count("k-00") == 1
    assert (await rig.run()).new == 3


async def test_a_full_disk_stops_with_a_clear_error_and_loses_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.vendor.recordings = some(3)
    stage = rig.archive.stage

    async def full(*arguments: Any, **named: Any) -> Any:
        if arguments[2] == "k-01":
            raise VaultFull("no space is left for audio")
        return await stage(*arguments, **named)

    monkeypatch.setattr(rig.archive, "stage", full)
    report = await rig.run()
    assert (report.exit, report.new, report.failed) == (1, 1, 2)
    assert report.stopped == "no space is left for audio"
    monkeypatch.undo()
    assert (await rig.run()).new == 2


async def test_a_full_database_stops_with_a_clear_error(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.vendor.recordings = some(2)

    async def full(*_: Any, **__: Any) -> Any:
        raise DatabaseFull("no space is left for the database")

    monkeypatch.setattr(rig.archive, "keep", full)
    report = await rig.run()
    assert (report.exit, report.stopped) == (1, "no space is left for the database")
    assert list(rig.archive.home.rglob("*.part")) == []


async def test_a_file_that_cannot_be_written_fails_alone(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.vendor.recordings = some(3)
    stage = rig.archive.stage

    async def broken(*arguments: Any, **named: Any) -> Any:
        if arguments[2] == "k-01":
            raise VaultError("Input/output error")
        return await stage(*arguments, **named)

    monkeypatch.setattr(rig.archive, "stage", broken)
    report = await rig.run()
    assert (report.exit, report.new, report.missing[0].reason) == (1, 2, "could not be kept: Input/output error")


async def test_a_second_run_on_the_same_source_says_so(rig: Rig) -> None:
    rig.vendor.recordings = some(1)
    with source_lock(rig.archive.home, "acme"):
        report = await rig.run()
    assert (report.exit, report.new, rig.vendor.asked) == (1, 0, [])
    assert report.stopped == "another run is collecting from 'acme'"


async def test_sources_run_side_by_side_and_one_that_fails_stops_no_other(rig: Rig) -> None:
    other = await rig.archive.tenants.add(Tenant(id=TenantId(0), name="other"))
    async with Vendor(*some(2)) as second:
        await rig.sources.add(SourceConfig(name="other", vendor="xima", url=second.url, tenant=other.id))
        met = asyncio.Event()

        async def meet(_: object) -> None:
            met.set()

        async def wait(_: object) -> None:
            await asyncio.wait_for(met.wait(), 10)

        rig.vendor.recordings = some(1)
        rig.vendor.faults[LIST].append(wait)
        second.faults["k-01"].append(meet)
        rig.vendor.always["k-00"] = status(401)
        orders = [await rig.order("acme"), await rig.order("other")]
        report = await collect(rig.archive, orders)
    assert [(each.source, each.exit, each.new) for each in report.sources] == [("acme", 3, 0), ("other", 0, 2)]
    assert report.exit == 3
    assert await rig.held("k-00") is None


async def test_a_source_without_its_secret_is_told(rig: Rig) -> None:
    def none() -> str:
        raise SourceUnusable("the environment variable X is not set")

    report = await collect(rig.archive, [replace(await rig.order(), secret=none)])
    assert (report.exit, report.sources[0].stopped) == (2, "the environment variable X is not set")


async def test_the_pace_is_kept_over_lists_audio_and_runs(rig: Rig) -> None:
    rig.vendor.recordings = some(2)
    rig.settings(pace_seconds=0.05)
    await rig.run(until=NOON + HOUR_MS, since=NOON)
    await rig.run(until=NOON + HOUR_MS, since=NOON)
    moments = [moment for moment, _ in rig.vendor.asked]
    assert len(moments) == 6
    # the sender keeps 50 ms; a loaded machine may deliver two requests a little closer together
    assert moments[-1] - moments[0] > 0.9 * 0.05 * 5


async def test_a_runs_report_is_written_down(rig: Rig) -> None:
    rig.vendor.recordings = some(1, status="PENDING")
    await rig.run()
    last = await Runs(rig.archive.database, "acme").last()
    assert last is not None
    assert last.exit_code == 0
    assert last.ended_at is not None
    rows = await rig.archive.database.read("SELECT report FROM collect_runs")
    assert json.loads(rows[0][0])["pending"] == 1
    assert TOKEN not in rows[0][0]


async def test_the_ledger_tells_how_often_and_why_a_recording_failed(rig: Rig) -> None:
    rig.vendor.recordings = some(1)
    rig.vendor.always["k-00"] = status(400)
    await rig.run()
    await rig.run()
    rows = await rig.archive.database.read("SELECT state, attempts, last_error FROM collect_items")
    assert rows == [("failed", 2, "HTTP 400")]
    assert await Ledger(rig.archive.database, "acme").counts() == {"failed": 1}


async def test_half_files_of_a_killed_run_are_swept(rig: Rig) -> None:
    rig.vendor.recordings = some(1)
    await rig.run()
    folder = next(rig.archive.home.rglob("k-00.ogg")).parent
    abandoned = folder / ".k-07.0123abcd.part"
    abandoned.write_bytes(b"half")
    await rig.run()
    assert not abandoned.exists()


async def test_the_archive_alone_decides_what_is_held(rig: Rig) -> None:
    rig.vendor.recordings = some(3)
    await rig.run()

    async def forget(transaction: Transaction) -> None:
        await transaction.execute("DELETE FROM collect_items")

    await rig.archive.database.write(forget)
    assert (await rig.run()).held == 3
    assert set(rig.vendor.served.values()) == {1}


async def test_whichever_write_fails_the_next_run_holds_everything_whole(rig: Rig) -> None:
    """The n-th durable write fails, for n = 1, 2, 3 ... until a run needs no n-th."""
    write = rig.archive.database.write
    rig.vendor.always[CALLS] = status(403)
    number, failed = 0, True
    while failed:
        number += 1
        rig.vendor.recordings = [record(f"{number}-{each}", NOON + each) for each in range(2)]
        left, failed = number, False

        async def fail(work: Any) -> Any:
            nonlocal left, failed
            left -= 1
            if left == 0:
                failed = True
                raise DatabaseError("I/O error")
            return await write(work)

        rig.archive.database.write = fail  # type: ignore[method-assign] # the fault
        report = (await collect(rig.archive, [await rig.order()])).sources[0]
        assert (report.exit == 0) is not failed
        rig.archive.database.write = write  # type: ignore[method-assign] # the fault ends
        assert (await rig.run()).exit == 0
        for each in range(2):
            assert await rig.bytes_of(f"{number}-{each}") == tone(1_000)
        assert list(rig.archive.home.rglob("*.part")) == []
    assert number > 10
    rows = await rig.archive.database.read("SELECT COUNT(*) FROM recordings")
    assert rows == [(len(list((rig.archive.home / "vault").rglob("*.ogg"))),)]
