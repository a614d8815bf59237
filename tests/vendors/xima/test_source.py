import io
import json
from collections.abc import AsyncIterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from aiohttp import web
from tests.vendors.xima.vendor import CALLS, LIST, NOON, TOKEN, Vendor, call, cut, record, stalled, status, tone

from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.audio.errors import BrokenOgg
from voxkeep.collect import errors
from voxkeep.collect.source import Connection, Deleted, Listed, Pending, Ready, Window
from voxkeep.vendors.xima import client
from voxkeep.vendors.xima.source import XimaSource, host_label

WINDOW = Window(EpochMs(NOON), EpochMs(NOON + 60_000))


class Slots:
    taken = 0

    async def __call__(self) -> None:
        self.taken += 1


def source_of(vendor: Vendor, *, url: str = "", slots: Slots | None = None, **changes: Any) -> XimaSource:
    given_ = {"secret": TOKEN, "tenant_name": "acme", "timeout_seconds": 5.0, **changes}
    return XimaSource(Connection(url=url or vendor.url, tenant=TenantId(1), slot=slots or Slots(), **given_))


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor(record("k-1"), record("k-2", NOON + 5_000)) as started:
        yield started


@pytest.fixture
async def source(vendor: Vendor) -> AsyncIterator[XimaSource]:
    made = source_of(vendor)
    yield made
    await made.close()


async def listed_of(source: XimaSource, key: str = "k-1") -> Listed:
    return next(each for each in (await source.listing(WINDOW)).listed if each.key == key)


async def audio_of(source: XimaSource, listed: Listed) -> bytes:
    async with source.fetch(listed) as download:
        body = b"".join([block async for block in download.blocks])
        assert download.length in {None, len(body)}
        return body


async def test_a_window_is_asked_for_in_utc_with_ms_and_offset_both_ends_included(
    source: XimaSource, vendor: Vendor
) -> None:
    window = Window(EpochMs(NOON + 123), EpochMs(NOON + 5_000))
    assert [each.key for each in (await source.listing(window)).listed] == ["k-2"]
    assert vendor.windows == [(NOON + 123, NOON + 5_000)]


async def test_a_record_becomes_what_will_be_kept(source: XimaSource) -> None:
    listed = await listed_of(source)
    assert listed.recording.vendor_key == "k-1"
    assert (listed.recording.started_at, listed.recording.tenant) == (NOON, TenantId(1))
    assert listed.recording.source_tenant == listed.place == "acme-ns"
    assert (listed.expected_duration_ms, listed.expected_bytes) == (1_000, len(tone(1_000)))


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("SAVED", Ready()),
        ("PENDING", Pending()),
        ("PENDING_DELETE_SPACE", Ready(urgent=True)),
        ("PENDING_DELETE_TIME", Ready(urgent=True)),
        ("DELETED_USER", Deleted("DELETED_USER")),
        ("DELETED_SPACE", Deleted("DELETED_SPACE")),
        ("DELETED_TIME", Deleted("DELETED_TIME")),
        ("DELETED_UNKNOWN", Deleted("DELETED_UNKNOWN")),
        ("saved", Ready()),
        ("a word nobody knows", Ready()),
    ],
)
async def test_a_status_says_what_to_do(source: XimaSource, vendor: Vendor, word: str, meaning: object) -> None:
    vendor.recordings[0]["status"] = word
    assert (await listed_of(source)).status == meaning


async def test_call_info_is_joined_by_the_calls_key_and_by_its_recordings(source: XimaSource, vendor: Vendor) -> None:
    one, two = vendor.recordings
    vendor.calls = [call(one["callKey"]), call("another key", two)]
    first, second = (await source.listing(WINDOW)).listed
    assert first.call is not None
    assert (first.call.key, first.call.location, first.call_known) == (one["callKey"], "Reno, NV", True)
    assert second.call is not None
    assert second.call.key == "another key"


async def test_two_recordings_share_one_call(source: XimaSource, vendor: Vendor) -> None:
    vendor.recordings = [record("a", callKey="c"), record("b", callKey="c")]
    vendor.calls = [call("c", *vendor.recordings)]
    first, second = (await source.listing(WINDOW)).listed
    assert first.call == second.call
    assert first.recording.call_key == second.recording.call_key == "c"


@pytest.mark.parametrize(
    "fault",
    [status(403), status(404), status(400), status(200, b"<html>"), status(200, b'"x"'), status(302, Location="/x")],
)
async def test_call_info_is_done_without_where_it_is_not_to_be_had(
    source: XimaSource, vendor: Vendor, fault: Any
) -> None:
    vendor.always[CALLS] = fault
    listing = await source.listing(WINDOW)
    assert [each.call_known for each in listing.listed] == [False, False]
    assert listing.listed[0].call is not None  # what the record's own callKey tells
    assert listing.notes[0].startswith("without call info")


async def test_refused_call_info_is_not_asked_for_again(source: XimaSource, vendor: Vendor) -> None:
    vendor.always[CALLS] = status(403)
    for _ in range(3):
        assert (await source.listing(WINDOW)).notes
    assert vendor.count(CALLS) == 1


async def test_call_info_that_is_late_is_waited_for_once_then_done_without(source: XimaSource, vendor: Vendor) -> None:
    vendor.always[CALLS] = status(503)
    with pytest.raises(errors.ComeBackLater):
        await source.listing(WINDOW)
    assert (await source.listing(WINDOW)).notes == ["without call info: HTTP 503: unavailable"]


async def test_a_token_refreshed_between_the_two_lists_is_a_refusal(source: XimaSource, vendor: Vendor) -> None:
    vendor.faults[CALLS].append(status(401))
    with pytest.raises(errors.Refused):
        await source.listing(WINDOW)


async def test_an_odd_call_is_told_beside_the_recordings(source: XimaSource, vendor: Vendor) -> None:
    vendor.calls = [call("c", startTime=None)]
    listing = await source.listing(WINDOW)
    assert len(listing.listed) == 2
    assert [(each.key, each.beside) for each in listing.rejected] == [("c", True)]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (status(401), errors.Refused),
        (status(403), errors.Forbidden),
        (status(404), errors.Gone),
        (status(429), errors.TooFast),
        (status(500), errors.Faltering),
        (status(502, b"<html>"), errors.Faltering),
        (status(503), errors.ComeBackLater),
        (status(509), errors.QuotaSpent),
        (status(400), errors.TooMuch),
        (status(422), errors.TooMuch),
        (status(418), errors.BadAnswer),
        (status(301, Location="http://elsewhere.test/"), errors.BadAnswer),
        (status(200, b"<html>", "text/html"), errors.BadAnswer),
        (status(200, b'{"status": 500, "error": "x"}'), errors.BadAnswer),
        (cut(b"[" + b" " * 100_000 + b"]"), errors.BadAnswer),
        (stalled(2.0), errors.Faltering),
    ],
)
async def test_a_failed_list_is_told_by_its_kind(vendor: Vendor, fault: Any, kind: type[Exception]) -> None:
    vendor.faults[LIST].append(fault)
    source = source_of(vendor, timeout_seconds=0.3)
    with pytest.raises(kind) as caught:
        await source.listing(WINDOW)
    assert type(caught.value) is kind
    assert "GET /rest/api/v2/recordings" in str(caught.value)
    await source.close()


async def test_no_connection_means_come_back_later(vendor: Vendor) -> None:
    source = source_of(vendor)
    await vendor.server.close()
    with pytest.raises(errors.ComeBackLater) as caught:
        await source.listing(WINDOW)
    assert not isinstance(caught.value, errors.Faltering)
    await source.close()


@pytest.mark.parametrize("code", [429, 500, 503])
async def test_the_wait_that_a_vendor_asks_for_is_passed_on(source: XimaSource, vendor: Vendor, code: int) -> None:
    vendor.faults[LIST].append(status(code, Retry_After="17"))
    with pytest.raises(errors.ComeBackLater) as caught:
        await source.listing(WINDOW)
    assert caught.value.wait_seconds == 17


async def test_a_list_too_long_for_one_answer_asks_for_less(
    source: XimaSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LARGEST_LIST_BYTES", 300)
    with pytest.raises(errors.TooMuch):
        await source.listing(WINDOW)


async def test_a_partial_list_asks_for_less(source: XimaSource, vendor: Vendor) -> None:
    vendor.shape = lambda rows: {"content": rows, "last": False}
    with pytest.raises(errors.TooMuch):
        await source.listing(WINDOW)


async def test_audio_is_asked_for_under_the_records_own_tenant_name(source: XimaSource, vendor: Vendor) -> None:
    vendor.names = {"other-ns"}
    vendor.recordings[0]["tenantName"] = "other-ns"
    assert await audio_of(source, await listed_of(source)) == tone(1_000)
    assert vendor.count("k-1") == 1


async def test_the_host_label_is_tried_once_and_what_worked_is_remembered(vendor: Vendor) -> None:
    vendor.names = {"localhost"}
    source = source_of(vendor, url=vendor.url.replace("127.0.0.1", "localhost"))
    assert await audio_of(source, await listed_of(source)) == tone(1_000)
    assert vendor.count("k-1") == 2
    assert await audio_of(source, await listed_of(source, "k-2")) == tone(1_000)
    assert vendor.count("k-2") == 1
    await source.close()


async def test_a_proven_tenant_name_is_not_doubted_for_one_missing_file(vendor: Vendor) -> None:
    source = source_of(vendor, url=vendor.url.replace("127.0.0.1", "localhost"))
    await audio_of(source, await listed_of(source))
    missing = await listed_of(source, "k-2")
    vendor.faults["k-2"].append(status(404))
    with pytest.raises(errors.Gone):
        await audio_of(source, missing)
    assert vendor.count("k-2") == 1
    await source.close()


async def test_a_record_without_a_tenant_under_an_address_without_a_name_is_told(
    source: XimaSource, vendor: Vendor
) -> None:
    vendor.recordings[0]["tenantName"] = ""
    with pytest.raises(errors.BadAnswer, match="names no tenant"):
        await audio_of(source, await listed_of(source))


async def test_a_key_is_any_text(source: XimaSource, vendor: Vendor) -> None:
    key = "91a1e1e8-08p8/ü?#%2e 1"
    vendor.recordings = [record(key)]
    assert await audio_of(source, await listed_of(source, key)) == tone(1_000)
    assert vendor.served[key] == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (status(200, b'{"error": "expired"}'), "text in place of audio"),
        (status(200, b"<!doctype html>", "text/html"), "text in place of audio"),
        (status(200, b'  {"error": "x"}', "audio/ogg"), "text in place of audio"),
        (cut(b"OggS" + bytes(400_000)), "the audio was cut short"),
        (status(400), "HTTP 400"),
    ],
)
async def test_what_is_not_audio_is_a_bad_answer_with_its_beginning(
    source: XimaSource, vendor: Vendor, fault: Any, reason: str
) -> None:
    listed = await listed_of(source)
    vendor.faults["k-1"].append(fault)
    with pytest.raises(errors.BadAnswer, match=reason) as caught:
        await audio_of(source, listed)
    assert caught.value.request == "GET /rest/api/v2/recordings/acme-ns/k-1/audio"
    assert caught.value.raw or reason == "HTTP 400"


@pytest.mark.parametrize("content_type", ["application/ogg", "audio/opus", "application/octet-stream"])
async def test_audio_comes_under_several_types(source: XimaSource, vendor: Vendor, content_type: str) -> None:
    listed = await listed_of(source)
    vendor.faults["k-1"].append(status(200, tone(1_000), content_type))
    assert await audio_of(source, listed) == tone(1_000)


async def test_silence_in_the_middle_of_audio_is_faltering(vendor: Vendor) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "audio/ogg"})
        await response.prepare(request)
        await response.write(tone(1_000)[:500])
        await stalled(2.0)(request)
        return response

    source = source_of(vendor, timeout_seconds=0.2)
    listed = await listed_of(source)
    vendor.faults["k-1"].append(half)
    with pytest.raises(errors.Faltering):
        await audio_of(source, listed)
    await source.close()


async def test_every_request_takes_a_slot(vendor: Vendor) -> None:
    slots = Slots()
    source = source_of(vendor, slots=slots)
    await audio_of(source, await listed_of(source))
    await source.again(await listed_of(source))
    assert slots.taken == len(vendor.asked) == 6
    await source.close()


async def test_a_recording_is_looked_up_again(source: XimaSource, vendor: Vendor) -> None:
    listed = await listed_of(source)
    vendor.recordings[0]["status"] = "DELETED_TIME"
    now = await source.again(listed)
    assert now is not None
    assert now.status == Deleted("DELETED_TIME")
    vendor.recordings.clear()
    assert await source.again(listed) is None


async def test_check_lists_one_minute_and_tells_of_call_info(source: XimaSource, vendor: Vendor) -> None:
    report = await source.check()
    assert report.ok
    assert report.lines == ["recordings can be listed: 0 in the last minute", "call info can be listed"]
    ((first, last),) = vendor.windows
    assert last - first == 60_000


async def test_the_token_is_in_no_error_and_in_no_quarantined_answer(source: XimaSource, vendor: Vendor) -> None:
    listed = await listed_of(source)
    echo = json.dumps({"message": f"no such token: {TOKEN}"}).encode()
    for fault in (status(500, echo), status(401, echo), status(418, echo), status(200, echo)):
        vendor.faults["k-1"].append(fault)
        with pytest.raises(errors.VendorFailure) as caught:
            await audio_of(source, listed)
        assert TOKEN not in repr(caught.value) + str(caught.value)
        assert TOKEN.encode() not in getattr(caught.value, "raw", b"")
    vendor.faults[LIST].append(status(200, echo))
    with pytest.raises(errors.BadAnswer) as unreadable:
        await source.listing(WINDOW)
    assert TOKEN.encode() not in unreadable.value.raw
    connection = Connection("https://a.test", TOKEN, TenantId(1), "acme", Slots(), 1.0)
    assert TOKEN not in repr(connection)


async def test_a_redirect_does_not_carry_the_token_elsewhere(source: XimaSource, vendor: Vendor) -> None:
    listed = await listed_of(source)
    async with Vendor() as other:
        vendor.faults["k-1"].append(status(307, Location=f"{other.url}/rest/api/v2/recordings/acme-ns/k-1/audio"))
        with pytest.raises(errors.BadAnswer, match="redirect"):
            await audio_of(source, listed)
        assert other.asked == []


@pytest.mark.parametrize("secret", ["", "two words", "line\nbreak", "käse"])
async def test_a_secret_that_cannot_be_a_token_is_unusable(vendor: Vendor, secret: str) -> None:
    with pytest.raises(errors.SourceUnusable):
        source_of(vendor, secret=secret)


def stereo() -> bytes:
    target = io.BytesIO()
    frame = av.AudioFrame.from_ndarray(np.zeros((2, 48_000), np.int16), "s16p", "stereo")
    frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
    with av.open(target, "w", format="ogg") as muxer:
        stream: Any = muxer.add_stream("libopus", rate=48_000, layout="stereo")
        muxer.mux(stream.encode(frame))
        muxer.mux(stream.encode(None))
    return target.getvalue()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (tone(1_000), ""),
        (stereo(), "the audio is Opus with 2 channels of 48000 Hz"),
        (b"RIFF" + bytes(40), "the audio is not Ogg/Opus"),
        (b"OggS" + bytes(40), "the audio is not Ogg/Opus"),
    ],
)
async def test_whole_audio_of_another_kind_is_accepted_and_told(source: XimaSource, body: bytes, told: str) -> None:
    file = io.BytesIO(body)
    assert source.verify(file, await listed_of(source)) == told
    assert file.tell() == 0


@pytest.mark.parametrize("body", [b"", tone(1_000)[:-1], tone(1_000)[:700], tone(1_000) + b"x"])
async def test_opus_that_is_not_whole_is_broken(source: XimaSource, body: bytes) -> None:
    listed = await listed_of(source)
    with pytest.raises(BrokenOgg):
        source.verify(io.BytesIO(body), listed)


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("https://acmecorporate.xima.cloud", "acmecorporate"),
        ("http://127.0.0.1:8400", ""),
        ("http://[::1]:1", ""),
        ("http://localhost:1", "localhost"),
    ],
)
def test_the_host_label_names_a_tenant_unless_it_is_an_address(url: str, label: str) -> None:
    assert host_label(url) == label
