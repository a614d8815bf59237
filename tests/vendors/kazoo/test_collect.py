"""Whole runs against a cluster: what ends as what, in which run, and what a later run makes good."""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.vendors.kazoo.vendor import (
    ACCOUNT,
    LIST,
    LOGIN,
    NAME,
    NOON,
    PASSWORD,
    USER,
    Vendor,
    document,
    key_at,
    mp3,
    refusal,
    status,
)

from voxkeep.access import MIGRATIONS as ACCESS
from voxkeep.archive import Archive, NewAudio
from voxkeep.archive.alarms import PUSH_UNJOINED
from voxkeep.archive.model import Recording, State, Tenant
from voxkeep.archive.units import DAY_MS, HOUR_MS, EpochMs, TenantId, now_ms
from voxkeep.audio.probe import probe
from voxkeep.collect import MIGRATIONS, Order, SourceConfig, SourceReport, Sources, collect
from voxkeep.collect.store import Ledger
from voxkeep.settings import Collect, Settings
from voxkeep.vendors.kazoo.items import MONTHS_END, NEVER, NOT_YET
from voxkeep.vendors.kazoo.source import KazooSource
from voxkeep.vendors.kazoo.wire import call_of, recording_of

MINUTE_MS = 60_000
QUICK = Collect(pace_seconds=0.0, refused_wait_seconds=0.002, longest_wait_seconds=1, timeout_seconds=5, overlap_days=0)
KEY = key_at(NOON, 1)
SPAN = (NOON - HOUR_MS, NOON + HOUR_MS)


class Rig:
    """A source of one cluster, collected into one archive."""

    def __init__(self, archive: Archive, vendor: Vendor, tenant: TenantId) -> None:
        self.archive = archive
        self.vendor = vendor
        self.tenant = tenant

    async def run(self, since: int | None = None, until: int | None = None) -> SourceReport:
        (config,) = await Sources(self.archive.database).named(["acme"])
        order = Order(
            config=config,
            factory=KazooSource,
            secret=lambda: PASSWORD,
            since=None if since is None else EpochMs(since),
            until=None if until is None else EpochMs(until),
        )
        report = (await collect(self.archive, [order])).sources[0]
        counts = (report.new, report.held, report.pending, report.gone, report.failed, report.rejected)
        assert report.listed == sum(counts)
        return report

    async def held(self, key: str) -> Recording | None:
        return await self.archive.by_key(self.tenant, "kazoo", key)

    async def bytes_of(self, key: str) -> bytes:
        recording = await self.held(key)
        assert recording is not None
        reader = await self.archive.open(recording)
        try:
            return await reader.pread(0, reader.size)
        finally:
            reader.close()


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor() as started:
        yield started


@pytest.fixture
async def rig(tmp_path: Path, vendor: Vendor) -> AsyncIterator[Rig]:
    archive = await Archive.at(tmp_path / "home", Settings(collect=QUICK), [ACCESS, MIGRATIONS])
    tenant = await archive.tenants.add(Tenant(id=TenantId(0), name="acme"))
    config = SourceConfig(
        name="acme",
        vendor="kazoo",
        url=vendor.url,
        tenant=tenant.id,
        options={"username": USER, "account_name": NAME},
    )
    await Sources(archive.database).add(config)
    yield Rig(archive, vendor, tenant.id)
    await archive.close()


def missing(report: SourceReport) -> dict[str, tuple[str, str]]:
    return {each.key: (each.state.value, each.reason) for each in report.missing}


async def test_a_run_keeps_bytes_and_documents_and_the_next_brings_nothing(rig: Rig, vendor: Vendor) -> None:
    vendor.put(*(document(NOON + n * MINUTE_MS, n) for n in range(5)))
    vendor.audio[key_at(NOON, 0)] = mp3(1_000) + b"trailing bytes of a tag"
    first, second = await rig.run(*SPAN), await rig.run(*SPAN)
    assert (first.exit, first.new, first.held, second.new, second.held, second.bytes) == (0, 5, 0, 0, 5, 0)
    assert vendor.count(LOGIN) == 1
    for shown in vendor.documents[ACCOUNT]:
        recording = await rig.held(shown["id"])
        assert recording is not None
        assert {**recording.extra["kazoo"]["document"], "_read_only": shown["_read_only"]} == shown
        assert await rig.bytes_of(shown["id"]) == vendor.audio.get(shown["id"], mp3(1_000))
    assert sum(vendor.served.values()) == 5


async def test_media_that_arrives_later_is_brought_by_a_later_run(rig: Rig, vendor: Vendor) -> None:
    start = now_ms() - HOUR_MS
    vendor.put(document(start, 1, []), document(start, 2, []))
    first = await rig.run()
    assert missing(first) == {key_at(start, n): ("pending", NOT_YET) for n in (1, 2)}
    assert (first.exit, vendor.served.total()) == (0, 0)
    vendor.documents[ACCOUNT][0] = document(start, 1)
    second = await rig.run()
    assert (second.new, second.pending) == (1, 1)


async def test_media_that_never_arrives_is_told_as_missing(rig: Rig, vendor: Vendor) -> None:
    start = now_ms() - 5 * HOUR_MS
    vendor.put(document(start, 1, []))
    assert missing(await rig.run()) == {key_at(start): ("gone", NEVER)}


async def test_an_older_cluster_tells_by_a_404_that_media_has_not_arrived(rig: Rig, vendor: Vendor) -> None:
    young, old = now_ms() - HOUR_MS, now_ms() - 9 * HOUR_MS
    vendor.put(document(young, 1, None), document(old, 2, None), document(old, 3, None))
    for key in (key_at(young, 1), key_at(old, 2)):
        vendor.always[key] = _no_media(key)
    report = await rig.run()
    assert report.new == 1
    assert missing(report) == {
        key_at(young, 1): ("pending", NOT_YET),
        key_at(old, 2): ("gone", "listed, but its audio is not there (404)"),
    }


def _no_media(key: str) -> Any:
    refused = refusal(404, "bad_identifier", {"details": key, "message": "bad identifier"})

    async def answer(request: Any) -> Any:
        return await refused(request) if request.headers["Accept"] == "audio/mpeg" else None

    return answer


async def test_a_recording_under_no_id_ends_as_gone_with_the_reason(rig: Rig, vendor: Vendor) -> None:
    month = round(datetime(2023, 12, 1, tzinfo=UTC).timestamp() * 1000)
    key = key_at(month - MINUTE_MS)
    vendor.put(document(month - MINUTE_MS, 1, duration=120, duration_ms=120_000))
    vendor.unfindable.add(key)
    report = await rig.run(month - HOUR_MS, month + HOUR_MS)
    assert missing(report) == {key: ("gone", MONTHS_END)}
    assert report.exit == 0


async def test_an_empty_answer_in_place_of_audio_is_a_failure_that_the_next_run_makes_good(
    rig: Rig, vendor: Vendor
) -> None:
    vendor.put(document(NOON, 1))
    vendor.always[KEY] = status(200, b"", "audio/mpeg")
    first = await rig.run(*SPAN)
    assert (first.exit, first.failed, await rig.held(KEY)) == (1, 1, None)
    assert vendor.count(KEY) == 2
    del vendor.always[KEY]
    assert (await rig.run(*SPAN)).new == 1
    assert await rig.bytes_of(KEY) == mp3(1_000)


async def test_a_recording_across_the_end_of_a_run_is_brought_once(rig: Rig, vendor: Vendor) -> None:
    start, end = NOON, NOON + 2 * HOUR_MS
    vendor.put(document(start, 1, duration=7_200, duration_ms=7_200_000))
    vendor.audio[KEY] = mp3(1_000)
    # it is not as long as it says; the same bytes in a later run are believed
    first = await rig.run(start - HOUR_MS, start + HOUR_MS)
    assert (first.listed, first.failed) == (1, 1)
    second = await rig.run(end - MINUTE_MS, end + HOUR_MS)
    assert (second.listed, second.new) == (1, 1)


async def test_a_recording_that_is_open_is_not_given_up_while_only_its_start_has_been_covered(
    rig: Rig, vendor: Vendor
) -> None:
    """A day around a recording must have been listed before it counts as not listed."""
    ledger = Ledger(rig.archive.database, "acme")
    start = NOON
    vendor.put(document(start, 1, duration=10_000, duration_ms=10_000_000))
    vendor.always[KEY] = status(500)
    assert (await rig.run(start - HOUR_MS, start + HOUR_MS)).failed == 1
    # neither its start nor its end lies in this run, nor a day around either
    after = await rig.run(start - 3 * DAY_MS, start - MINUTE_MS)
    assert (after.gone, await ledger.counts()) == (0, {"failed": 1})
    # deleted at the cluster: a run over days around it finds that out
    vendor.documents[ACCOUNT].clear()
    gone = await rig.run(start - 2 * DAY_MS, start + 2 * DAY_MS)
    assert missing(gone) == {KEY: ("gone", "no longer listed by the vendor")}


async def test_what_ends_after_a_run_is_found_by_the_next_without_any_overlap(rig: Rig, vendor: Vendor) -> None:
    begun = now_ms() - 2 * HOUR_MS
    assert (await rig.run()).listed == 0
    # it began before the last run, and was written after it
    vendor.put(document(begun, 1))
    vendor.created[key_at(begun)] = now_ms()
    assert (await rig.run()).new == 1


async def test_a_wrong_password_is_told_once_and_ends_the_run(rig: Rig, vendor: Vendor) -> None:
    vendor.always[LOGIN] = refusal(401, "invalid_credentials", {"message": "invalid credentials"})
    report = await rig.run(*SPAN)
    assert (report.exit, report.refused, vendor.count(LOGIN)) == (3, True, 1)
    assert "the login is not accepted" in report.stopped


async def test_a_refusal_for_speed_is_waited_out(rig: Rig, vendor: Vendor) -> None:
    vendor.put(document(NOON, 1))
    slow = refusal(429, "too_many_requests", {"message": "too many requests"})
    for what in (LOGIN, LIST, KEY):
        vendor.faults[what].append(slow)
    report = await rig.run(*SPAN)
    assert (report.exit, report.new) == (0, 1)


async def test_a_cluster_without_its_recordings_module_is_told_in_words(rig: Rig, vendor: Vendor) -> None:
    vendor.always[LIST] = refusal(404, "not_found", {"message": "not found"})
    report = await rig.run(*SPAN)
    assert report.exit == 1
    assert "cb_recordings is not started" in report.not_listed[0].reason


async def test_a_document_that_cannot_be_read_is_in_the_quarantine_once(rig: Rig, vendor: Vendor) -> None:
    vendor.put(document(NOON, 1, start="yesterday"), document(NOON, 2))
    first, second = await rig.run(*SPAN), await rig.run(*SPAN)
    assert (first.new, first.rejected, second.rejected, second.quarantined) == (1, 1, 1, [])
    (name,) = first.quarantined
    assert KEY.encode() in (rig.archive.home / "quarantine" / name).read_bytes()


async def test_no_token_and_no_password_is_kept_anywhere(rig: Rig, vendor: Vendor) -> None:
    vendor.put(document(NOON, 1), document(NOON, 2))
    for key in (KEY, key_at(NOON, 2)):
        vendor.always[key] = _echoing
    await rig.run(*SPAN)
    await rig.archive.close()
    stored = b"".join(path.read_bytes() for path in rig.archive.home.rglob("*") if path.is_file())
    assert b"text in place of audio" in stored
    assert b"***" in stored
    for secret in (PASSWORD, *vendor.issued):
        assert secret.encode() not in stored


async def _echoing(request: Any) -> Any:
    body = b'{"data": {}, "auth_token": "%s"}' % request.headers["X-Auth-Token"].encode()
    return await status(200, body)(request)


# What was pushed before


async def pushed(rig: Rig, told: dict[str, Any], audio: bytes) -> Recording:
    """Keep what a push alone makes: a few fields of its document, and the audio."""
    recording = recording_of(told, rig.tenant)
    own = recording.extra["kazoo"]
    recording = replace(recording, extra={"kazoo": {**own, "pushed": True}})
    staged = await rig.archive.stage(rig.tenant, recording.started_at, recording.vendor_key, audio)
    kept = await rig.archive.keep(recording, NewAudio(staged, probe(io.BytesIO(audio))), call=call_of(recording))
    return kept.recording


def some_of(shown: dict[str, Any], **changes: Any) -> dict[str, Any]:
    names = ("id", "call_id", "interaction_id", "start", "duration_ms")
    return {name: shown[name] for name in names if name in shown} | changes


async def test_a_pushed_recording_gets_its_whole_document_and_is_not_fetched(rig: Rig, vendor: Vendor) -> None:
    shown = document(NOON, 1)
    vendor.put(shown)
    before = await pushed(rig, some_of(shown), mp3(1_000))
    report = await rig.run(*SPAN)
    assert (report.new, report.held, vendor.served.total()) == (0, 1, 0)
    recording = await rig.held(KEY)
    assert recording is not None
    assert (recording.id, recording.audio, recording.file_name) == (before.id, before.audio, before.file_name)
    assert {**recording.extra["kazoo"]["document"], "_read_only": shown["_read_only"]} == shown
    # from then on it is like any other
    changes = await rig.archive.changes.latest()
    assert (await rig.run(*SPAN)).held == 1
    assert await rig.archive.changes.latest() == changes


async def test_notes_on_a_pushed_recording_outlast_its_document(rig: Rig, vendor: Vendor) -> None:
    shown = document(NOON, 1)
    vendor.put(shown)
    await pushed(rig, some_of(shown, user_metadata={"case": "17"}), mp3(1_000))
    await rig.run(*SPAN)
    recording = await rig.held(KEY)
    assert recording is not None
    assert recording.extra["kazoo"]["document"]["user_metadata"] == {"case": "17"}


async def test_one_pushed_without_an_id_becomes_the_document_of_its_call_with_the_same_bytes(
    rig: Rig, vendor: Vendor
) -> None:
    shown = document(NOON, 1)
    vendor.put(shown)
    before = await pushed(rig, some_of(shown, id="202311-of-the-push"), mp3(1_000))
    report = await rig.run(*SPAN)
    assert (report.new, report.held) == (0, 1)
    recording = await rig.held(KEY)
    assert recording is not None
    assert recording.id == before.id
    assert await rig.bytes_of(KEY) == mp3(1_000)
    assert await rig.held("202311-of-the-push") is None
    assert (await rig.run(*SPAN)).held == 1


async def test_other_bytes_of_the_call_stay_a_recording_of_their_own(rig: Rig, vendor: Vendor) -> None:
    shown = document(NOON, 1)
    vendor.put(shown)
    await pushed(rig, some_of(shown, id="202311-of-the-push"), mp3(1_100))
    assert (await rig.run(*SPAN)).new == 1
    assert await rig.bytes_of("202311-of-the-push") == mp3(1_100)
    assert await rig.bytes_of(KEY) == mp3(1_000)


async def test_what_is_awaited_is_kept_and_a_push_of_its_call_joins_it(rig: Rig, vendor: Vendor) -> None:
    start = now_ms() - HOUR_MS
    vendor.put(document(start, 1, []))
    assert (await rig.run()).pending == 1
    waiting = await rig.held(key_at(start, 1))
    assert waiting is not None
    assert (waiting.state, waiting.audio) == (State.PENDING, None)
    noted = await rig.archive.annotate(waiting.tenant, waiting.id, _noted)
    vendor.documents[ACCOUNT][0] = document(start, 1)
    report = await rig.run()
    assert (report.new, report.held) == (1, 0)
    kept = await rig.held(key_at(start, 1))
    assert kept is not None
    assert (kept.id, kept.state) == (noted.id, State.KEPT)
    assert kept.extra["kazoo"]["document"]["user_metadata"] == {"case": "17"}
    assert kept.extra["kazoo"]["content_types"] == ["audio/mpeg"]


def _noted(extra: dict[str, Any]) -> dict[str, Any]:
    own = extra["kazoo"]
    return {**extra, "kazoo": {**own, "document": {**own["document"], "user_metadata": {"case": "17"}}}}


async def test_one_that_cannot_be_renewed_stops_nobody_else(rig: Rig, vendor: Vendor) -> None:
    vendor.put(*(document(NOON + n * MINUTE_MS, n) for n in range(1, 4)))
    first = vendor.documents[ACCOUNT][0]
    # started on another day by what the push told, so that its object is to be renamed, and is not there
    held = await pushed(rig, some_of(first, start=first["start"] - 86_400), mp3(1_000))
    assert held.audio is not None
    (rig.archive.home / "vault" / held.audio.name).unlink()
    report = await rig.run(NOON - 2 * DAY_MS, NOON + HOUR_MS)
    assert (report.new, report.failed, report.exit) == (2, 1, 1)
    assert "could not be kept" in missing(report)[first["id"]][1]


async def test_notes_that_are_no_object_are_the_clusters_own(rig: Rig, vendor: Vendor) -> None:
    shown = document(NOON, 1, user_metadata="text")
    vendor.put(shown)
    await pushed(rig, some_of(shown, user_metadata="pushed"), mp3(1_000))
    assert (await rig.run(*SPAN)).held == 1
    recording = await rig.held(KEY)
    assert recording is not None
    assert recording.extra["kazoo"]["document"]["user_metadata"] == "text"


async def test_what_was_pushed_and_removed_is_not_brought_back(rig: Rig, vendor: Vendor) -> None:
    shown = document(NOON, 1)
    vendor.put(shown)
    before = await pushed(rig, some_of(shown, id="202311-of-the-push"), mp3(1_000))
    await rig.archive.remove(before.tenant, before.id)
    report = await rig.run(*SPAN)
    assert (report.new, report.held) == (0, 1)
    assert await rig.held(KEY) is None
    removed = await rig.archive.by_id(before.tenant, before.id)
    assert removed is not None
    assert removed.state is State.REMOVED


async def test_an_alarm_about_a_push_ends_with_its_document(rig: Rig, vendor: Vendor) -> None:
    shown = document(NOON, 1)
    vendor.put(shown)
    before = await pushed(rig, some_of(shown, id="202311-of-the-push"), mp3(1_000))
    await rig.archive.alarms.sound(PUSH_UNJOINED, before.tenant, str(before.id), key=before.vendor_key)
    await rig.run(*SPAN)
    assert await rig.archive.alarms.all() == []


async def test_what_was_collected_is_never_renewed(rig: Rig, vendor: Vendor) -> None:
    vendor.put(document(NOON, 1))
    await rig.run(*SPAN)
    vendor.documents[ACCOUNT][0] = document(NOON, 1, caller_id_name="SOMEBODY ELSE")
    changes = await rig.archive.changes.latest()
    assert (await rig.run(*SPAN)).held == 1
    assert await rig.archive.changes.latest() == changes
