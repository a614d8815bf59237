"""8x8 as a source: every page, every row once, every file that is anywhere, and nothing silently left out."""

import io
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.tls import Certificate, certificate
from tests.vendors.eightbyeight.vendor import (
    CHATS,
    FILES,
    NOON,
    PASSWORD,
    TOKEN,
    Tree,
    Vendor,
    chat,
    cut,
    ftps_server,
    index,
    iso,
    line,
    message,
    name_at,
    row,
    stalled,
    status,
    tone,
)

from voxkeep.archive.model import Transcript
from voxkeep.archive.units import DAY_MS, HOUR_MS, LATEST, EpochMs, TenantId, now_ms
from voxkeep.audio.errors import UnreadableAudio
from voxkeep.collect import errors
from voxkeep.collect.source import Connection, Listed, Listing, Pending, Ready, Window
from voxkeep.vendors.eightbyeight import client, indexfile, source
from voxkeep.vendors.eightbyeight.source import EightByEightSource

MINUTE_MS = 60_000
WINDOW = Window(EpochMs(NOON), EpochMs(NOON + HOUR_MS))
NAME = name_at(NOON)
FOLDER = NAME.partition("/")[0]


class Slots:
    taken = 0

    async def __call__(self) -> None:
        self.taken += 1


def source_of(vendor: Vendor, slots: Slots | None = None, **changes: Any) -> EightByEightSource:
    given_ = {
        "secret": TOKEN, "tenant_name": "acme", "timeout_seconds": 5.0, "options": {"audio": "http"}, **changes,
    }  # fmt: skip
    connection = Connection(tenant=TenantId(1), slot=slots or Slots(), **{"url": vendor.url, **given_})
    return EightByEightSource(connection)


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor(row(), row(NOON + 60_000, 2)) as started:
        yield started


@pytest.fixture
async def http(vendor: Vendor) -> AsyncIterator[EightByEightSource]:
    made = source_of(vendor)
    yield made
    await made.close()


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tree(tmp_path: Path, pair: Certificate) -> Iterator[Tree]:
    with ftps_server(tmp_path / "tree", pair) as running:
        yield running


def ftps_options(tree: Tree, pair: Certificate) -> dict[str, str]:
    return {"audio": "ftps", "ftps_host": "localhost", "ftps_port": str(tree.port), "ftps_ca": str(pair.cert)}


@pytest.fixture
async def ftps(vendor: Vendor, tree: Tree, pair: Certificate) -> AsyncIterator[EightByEightSource]:
    made = source_of(vendor, options=ftps_options(tree, pair), other_secret=PASSWORD)
    yield made
    await made.close()


def keys(listing: Listing) -> list[str]:
    return [each.key for each in listing.listed]


def of(listing: Listing, key: str) -> Listed:
    (found,) = [each for each in listing.listed if each.key == key]
    return found


async def passing(_: object) -> None:
    return None


async def audio_of(made: EightByEightSource, listed: Listed) -> bytes:
    async with made.fetch(listed) as download:
        body = b"".join([block async for block in download.blocks])
        assert download.length in {None, len(body)}
        return body


# Lists


async def test_a_file_becomes_what_will_be_kept(http: EightByEightSource) -> None:
    listed = of(await http.listing(WINDOW), NAME)
    recording = listed.recording
    assert (recording.vendor, recording.vendor_key, recording.file_name) == ("8x8", NAME, NAME)
    assert (recording.started_at, recording.duration_ms, recording.tenant) == (NOON, 1_000, TenantId(1))
    assert (listed.status, listed.expected_duration_ms, listed.duration_slack_ms) == (Ready(), 1_000, 1_500)
    assert (listed.call is not None, listed.call_known, listed.duration_known) == (True, False, True)


async def test_a_duration_of_nothing_is_never_doubted(http: EightByEightSource, vendor: Vendor) -> None:
    vendor.files = [row(duration=0)]
    assert of(await http.listing(WINDOW), NAME).expected_duration_ms is None


async def test_a_chat_becomes_what_will_be_kept_under_a_key_that_no_file_has(
    http: EightByEightSource, vendor: Vendor
) -> None:
    vendor.chats = [chat("g-1")]
    listed = of(await http.listing(WINDOW), "transcript g-1")
    assert isinstance(listed.item, Transcript)
    assert (listed.item.vendor_key, listed.started_at, listed.item.kind) == ("g-1", NOON, "A2C")
    with pytest.raises(TypeError):
        _ = listed.recording


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 98, 99, 100, 120])
async def test_pages_are_asked_for_until_one_is_short(http: EightByEightSource, vendor: Vendor, count: int) -> None:
    vendor.files = [row(NOON + n * 1_000, n) for n in range(count)]
    vendor.chats = [chat(f"g-{n}", NOON + n * 1_000) for n in range(count)]
    listing = await http.listing(WINDOW)
    assert len(listing.listed) == len(set(keys(listing))) == 2 * count
    for what in (FILES, CHATS):
        asked = [offset for each, _, offset in vendor.pages if each == what]
        assert asked == [1 + 49 * n for n in range(1 + max(count - 1, 0) // 49)]


@pytest.mark.parametrize("count", [49, 50, 51, 120, 199])
async def test_a_server_that_repeats_rows_between_pages_loses_and_doubles_none(
    http: EightByEightSource, vendor: Vendor, count: int
) -> None:
    vendor.files = [row(NOON + n * 1_000, n) for n in range(count)]
    vendor.repeats = 1
    listing = await http.listing(WINDOW)
    assert keys(listing) == [each["filename"] for each in vendor.files]


@pytest.mark.parametrize("gone", [0, 20, 49, 50, 119])
async def test_a_row_that_vanishes_between_two_pages_takes_no_other_along(
    http: EightByEightSource, vendor: Vendor, gone: int
) -> None:
    vendor.files = [row(NOON + n * 1_000, n) for n in range(120)]
    vendor.chats = [chat(f"g-{n}", NOON + n * 1_000) for n in range(120)]
    expected = [each["filename"] for each in vendor.files] + [f"transcript g-{n}" for n in range(120)]

    async def remove(_: object) -> None:
        del vendor.files[gone]

    async def remove_chat(_: object) -> None:
        del vendor.chats[gone]

    vendor.faults[FILES].extend([passing, remove])
    vendor.faults[CHATS].extend([passing, passing, remove_chat])
    listed = keys(await http.listing(WINDOW))
    assert len(listed) == len(set(listed))
    # of what is gone, only what lies behind the page asked for may be missing
    assert set(expected) - set(listed) <= {expected[gone], expected[120 + gone]}


@given(st.integers(1, 160), st.lists(st.lists(st.integers(0, 159), max_size=3), max_size=8))
async def test_whatever_vanishes_while_paging_every_row_that_stays_is_listed(
    count: int, removals: list[list[int]]
) -> None:
    async with Vendor(*(row(NOON + n * 1_000, n) for n in range(count))) as vendor:

        def removing(places: list[int]) -> Any:
            async def remove(_: object) -> None:
                for place in places:
                    del vendor.files[place : place + 1]

            return remove

        vendor.faults[FILES].extend(removing(places) for places in removals)
        made = source_of(vendor)
        try:
            listed = keys(await made.listing(WINDOW))
        except errors.TooMuch:
            # told as not listed, and asked for in halves
            assert sum(map(bool, removals)) >= source.MOST_BEGINNINGS
        else:
            assert {each["filename"] for each in vendor.files} <= set(listed)
            assert len(listed) == len(set(listed))
        await made.close()


async def test_a_list_that_never_stands_still_is_asked_for_in_halves(http: EightByEightSource, vendor: Vendor) -> None:
    vendor.files = [row(NOON + n * 1_000, n) for n in range(120)]

    async def remove(_: object) -> None:
        del vendor.files[0]

    vendor.always[FILES] = remove
    with pytest.raises(errors.TooMuch, match="rows vanish"):
        await http.listing(WINDOW)
    assert [offset for _, _, offset in vendor.pages] == [1, 50] * source.MOST_BEGINNINGS


async def test_a_page_may_end_with_a_row_that_cannot_be_read(http: EightByEightSource, vendor: Vendor) -> None:
    vendor.files = [row(NOON + n * 1_000, n) for n in range(120)]
    vendor.files[49] = row(NOON + 49_000, 49, duration="long")
    listing = await http.listing(WINDOW)
    assert (len(listing.listed), len(listing.rejected), len(vendor.pages)) == (119, 1, 4)


async def test_rows_that_come_twice_are_taken_once(http: EightByEightSource, vendor: Vendor) -> None:
    vendor.files = [row(NOON + n * 1_000, n) for n in range(49)]
    vendor.files += [vendor.files[48], row(NOON + 50_000, 50)]
    vendor.chats = [chat("g"), chat("g")]
    assert len((await http.listing(WINDOW)).listed) == 50 + 1


async def test_a_server_that_ignores_the_offset_is_told_and_not_asked_for_ever(
    http: EightByEightSource, vendor: Vendor
) -> None:
    vendor.files = [row(NOON + n * 1_000, n) for n in range(60)]
    vendor.ignores_offset = True
    with pytest.raises(errors.BadAnswer, match="brings nothing new"):
        await http.listing(WINDOW)
    assert len(vendor.pages) == 2


async def test_a_window_with_too_many_rows_asks_for_less(
    http: EightByEightSource, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MOST_ROWS", 100)
    vendor.files = [row(NOON + n * 1_000, n) for n in range(300)]
    with pytest.raises(errors.TooMuch):
        await http.listing(WINDOW)


async def test_windows_overlap_by_ten_seconds_and_are_asked_for_in_minutes_of_utc(
    http: EightByEightSource, vendor: Vendor
) -> None:
    await http.listing(Window(EpochMs(1_186_319_700_000), EpochMs(1_186_496_999_000)))
    assert {window for _, window, _ in vendor.pages} == {"20070805T1314Z,20070807T1431Z"}


@given(st.integers(0, LATEST - 1), st.integers(0, 5 * DAY_MS))
def test_any_window_is_asked_for_whole(first: int, length: int) -> None:
    window = Window(EpochMs(first), EpochMs(min(first + length, LATEST - 120_000)))
    begin, end = client.dates(window).split(",")
    assert len(begin) == len(end) == len("20070805T1315Z")
    start = max(window.first - 10_000, 0)
    assert begin <= iso(start).replace("-", "").replace(":", "")[:13] + "Z"
    assert end >= iso(window.last).replace("-", "").replace(":", "")[:13] + "Z"


@pytest.mark.parametrize(
    "shape",
    [
        lambda element, rows: {"recordings": {element: rows[0] if len(rows) == 1 else rows}},
        lambda element, rows: {"recordings": {element: rows} if rows else ""},
        lambda element, rows: [{element: each} for each in rows],
    ],
)
async def test_a_list_is_read_in_every_form(http: EightByEightSource, vendor: Vendor, shape: Any) -> None:
    vendor.shape = shape
    vendor.chats = [chat("g")]
    assert keys(await http.listing(WINDOW)) == [NAME, name_at(NOON + 60_000, 2), "transcript g"]


async def test_a_record_that_cannot_be_understood_is_told_once_and_the_others_are_listed(
    http: EightByEightSource, vendor: Vendor
) -> None:
    climbing = row(filename="S20231114/../R202311142213200001.wav")
    vendor.files += [climbing, {**climbing}, 7]
    vendor.chats = [chat("g", duration="long")]
    listing = await http.listing(WINDOW)
    assert len(listing.listed) == 2
    assert [each.key for each in listing.rejected] == [climbing["filename"], "", "transcript g"]
    assert json.loads(listing.rejected[0].raw) == climbing
    assert not any(each.beside for each in listing.rejected)


@pytest.mark.parametrize(("code", "refused"), [(404, False), (403, True)])
async def test_where_chats_cannot_be_listed_files_are_and_chats_are_not_asked_for_again(
    http: EightByEightSource,
    vendor: Vendor,
    code: int,
    refused: bool,  # noqa: FBT001 -- a case
) -> None:
    vendor.always[CHATS] = status(code)
    for _ in range(2):
        listing = await http.listing(WINDOW)
        assert (len(listing.listed), listing.notes) == (2, [])
        assert listing.no_chats is not None
        assert listing.no_chats.refused is refused
        assert f"HTTP {code}" in listing.no_chats.reason
    assert vendor.count(CHATS) == 1


@pytest.mark.parametrize("what", [FILES, CHATS])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (status(400), errors.BadAnswer),
        (status(401), errors.Refused),
        (status(429), errors.TooFast),
        (status(500), errors.Faltering),
        (status(503, Retry_After="7"), errors.ComeBackLater),
        (status(301, Location="http://elsewhere.test/"), errors.BadAnswer),
        (status(200, b"<recordings/>", "application/xml"), errors.BadAnswer),
        (status(200, b'{"status": 500, "error": "x"}'), errors.BadAnswer),
        (cut(b"[" + b" " * 100_000 + b"]"), errors.BadAnswer),
        (stalled(2.0), errors.Faltering),
    ],
)
async def test_a_failed_list_is_told_by_its_kind(vendor: Vendor, what: str, fault: Any, kind: type[Exception]) -> None:
    vendor.faults[what].append(fault)
    made = source_of(vendor, timeout_seconds=0.3)
    with pytest.raises(kind) as caught:
        await made.listing(WINDOW)
    assert type(caught.value) is kind
    assert f"GET /api/recordings/{what}.json" in str(caught.value)
    await made.close()


async def test_a_row_that_comes_a_second_time_and_broken_takes_nothing_away(
    http: EightByEightSource, vendor: Vendor
) -> None:
    vendor.files.append(row(duration="long"))
    vendor.chats = [chat("g"), chat("g", duration="long")]
    listing = await http.listing(WINDOW)
    assert keys(listing) == [NAME, name_at(NOON + 60_000, 2), "transcript g"]
    assert [(each.key, each.beside) for each in listing.rejected] == [(NAME, True), ("transcript g", True)]


async def test_who_may_not_list_files_is_refused(http: EightByEightSource, vendor: Vendor) -> None:
    vendor.faults[FILES].append(status(403))
    with pytest.raises(errors.Forbidden):
        await http.listing(WINDOW)


@pytest.mark.parametrize(
    ("began_ago", "seconds", "is_new"),
    [
        (30 * MINUTE_MS, 1, True),
        (3 * HOUR_MS, 2 * 3_600 + 900, True),
        (3 * HOUR_MS, 3 * 3_600 + 60, True),
        (2 * HOUR_MS, 600, False),
        # no call lasts until next year
        (3 * HOUR_MS, 31_536_000, False),
    ],
)
async def test_what_ended_within_the_last_hour_is_left_for_the_next_run(
    http: EightByEightSource,
    vendor: Vendor,
    began_ago: int,
    seconds: int,
    is_new: bool,  # noqa: FBT001 -- a case
) -> None:
    at = now_ms() - began_ago
    vendor.files, vendor.chats = [row(at, duration=seconds)], [chat("g", at, duration=seconds)]
    listing = await http.listing(Window(EpochMs(at - MINUTE_MS), now_ms()))
    expected = Pending("so new that 8x8 may still add to it") if is_new else Ready()
    assert [each.status for each in listing.listed] == [expected] * 2


async def test_a_token_that_was_renewed_is_told_for_what_it_is(http: EightByEightSource, vendor: Vendor) -> None:
    vendor.token = "another"
    with pytest.raises(errors.Refused, match="a newer token was made"):
        await http.listing(WINDOW)


async def test_we_sign_in_as_the_account_or_else_as_our_own_tenant(vendor: Vendor) -> None:
    made = source_of(vendor, tenant_name="ours", options={"audio": "http", "account": "acme"})
    assert len((await made.listing(WINDOW)).listed) == 2
    await made.close()


async def test_the_token_is_in_no_error_and_in_no_quarantined_answer(http: EightByEightSource, vendor: Vendor) -> None:
    echo = json.dumps({"message": f"{TOKEN} YWNtZTphYzEyMzQzOTM0Njg3YTgzOWNm"}).encode()
    for fault in (status(500, echo), status(401, echo), status(418, echo), status(200, echo)):
        vendor.faults[FILES].append(fault)
        with pytest.raises(errors.VendorFailure) as caught:
            await http.listing(WINDOW)
        told = str(caught.value).encode() + getattr(caught.value, "raw", b"")
        assert TOKEN.encode() not in told
        assert b"YWNtZTphYzEyMzQzOTM0Njg3YTgzOWNm" not in told


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": ""},
        {"secret": "two words"},
        {"tenant_name": "a:b"},
        {"options": {}},
        {"options": {"audio": "smb"}},
        {"options": {"audio": "ftps"}, "other_secret": "p"},
        {"options": {"audio": "ftps", "ftps_host": "h"}},
        {"options": {"audio": "ftps", "ftps_host": "h", "ftps_ca": "/nowhere"}, "other_secret": "p"},
    ],
)
async def test_a_source_that_cannot_be_asked_is_unusable(vendor: Vendor, changes: dict[str, Any]) -> None:
    with pytest.raises(errors.SourceUnusable):
        source_of(vendor, **changes)


# Chats and audio over HTTP


async def test_a_chat_comes_with_its_messages_in_their_order(http: EightByEightSource, vendor: Vendor) -> None:
    guid = "int/14a0 ü?#-chat"
    vendor.chats = [chat(guid)]
    vendor.messages[guid] = [message(), message(NOON + 5_000, messageFrom="A", translatedMessage="Hallo")]
    transcript, messages = await http.transcript(of(await http.listing(WINDOW), f"transcript {guid}"))
    assert (transcript.vendor_key, transcript.metadata[0].value) == (guid, "Blue")
    assert [(each.at, each.sender, each.text, each.translated_text) for each in messages] == [
        (NOON, "customer", "Hi How r u", ""),
        (NOON + 5_000, "agent", "Hi How r u", "Hallo"),
    ]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (status(404), errors.Gone),
        (status(200, b"{}"), errors.BadAnswer),
        (status(200, json.dumps({"transcript": chat("another")}).encode()), errors.BadAnswer),
        (status(200, b"<transcript/>", "application/xml"), errors.BadAnswer),
    ],
)
async def test_a_chat_that_does_not_come_is_told_by_its_kind(
    http: EightByEightSource, vendor: Vendor, fault: Any, kind: type[Exception]
) -> None:
    vendor.chats = [chat("g")]
    listed = of(await http.listing(WINDOW), "transcript g")
    vendor.faults["g"].append(fault)
    with pytest.raises(kind):
        await http.transcript(listed)


async def test_audio_comes_over_http_where_that_was_chosen(http: EightByEightSource, vendor: Vendor) -> None:
    assert await audio_of(http, of(await http.listing(WINDOW), NAME)) == tone(1_000)
    assert vendor.served == {NAME: 1}


@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        (status(200, b'{"error": "expired"}'), errors.BadAnswer, "text in place of audio"),
        (status(200, b"<?xml?>", "application/xml"), errors.BadAnswer, "text in place of audio"),
        (status(200, b"  <html>", "audio/x-wav"), errors.BadAnswer, "text in place of audio"),
        (cut(b"RIFF" + bytes(400_000)), errors.BadAnswer, "the audio was cut short"),
        (status(404), errors.Gone, "HTTP 404"),
    ],
)
async def test_what_is_not_audio_is_told_by_its_kind(
    http: EightByEightSource, vendor: Vendor, fault: Any, kind: type[Exception], reason: str
) -> None:
    listed = of(await http.listing(WINDOW), NAME)
    vendor.faults[NAME].append(fault)
    with pytest.raises(kind, match=reason) as caught:
        await audio_of(http, listed)
    assert f"GET /api/recordings/files/{NAME}" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "told"), [(tone(1_000), ""), (b"OggS" + bytes(40), "the audio is not WAV"), (b"x", "the audio is not WAV")]
)
async def test_wav_is_expected_and_another_container_is_told(http: EightByEightSource, body: bytes, told: str) -> None:
    file = io.BytesIO(body)
    listed = of(await http.listing(WINDOW), NAME)
    assert http.verify(file, listed) == told
    assert file.tell() == 0
    with pytest.raises(UnreadableAudio):
        http.verify(io.BytesIO(), listed)


async def test_every_request_takes_a_slot(vendor: Vendor) -> None:
    slots = Slots()
    made = source_of(vendor, slots)
    vendor.chats = [chat("g")]
    listing = await made.listing(WINDOW)
    await audio_of(made, of(listing, NAME))
    await made.transcript(of(listing, "transcript g"))
    await made.again(of(listing, NAME))
    assert slots.taken == len(vendor.asked) == 5
    await made.close()


async def test_a_recording_is_looked_up_again(http: EightByEightSource, vendor: Vendor) -> None:
    listed = of(await http.listing(WINDOW), NAME)
    again = await http.again(listed)
    assert again is not None
    assert again.key == NAME
    vendor.files.clear()
    assert await http.again(listed) is None


async def test_check_lists_one_minute_and_says_that_http_is_not_documented(
    http: EightByEightSource, vendor: Vendor
) -> None:
    report = await http.check()
    assert report.ok
    assert report.lines == [
        "recordings can be listed: 0 in the last minute",
        "audio is asked for over HTTP, which 8x8 does not document",
    ]
    assert len(vendor.asked) == 1


# Audio over FTPS, and what only lies there


async def test_audio_comes_over_ftps_where_that_was_chosen(
    ftps: EightByEightSource, vendor: Vendor, tree: Tree
) -> None:
    tree.put(NAME, tone(1_000, 660))
    assert await audio_of(ftps, of(await ftps.listing(WINDOW), NAME)) == tone(1_000, 660)
    assert vendor.count(NAME) == 0


async def test_check_logs_in_where_audio_comes_over_ftps(
    vendor: Vendor, tree: Tree, pair: Certificate, ftps: EightByEightSource
) -> None:
    assert (await ftps.check()).lines[1] == "the FTPS server lets us in"
    wrong = source_of(vendor, options=ftps_options(tree, pair), other_secret="wrong")
    with pytest.raises(errors.Refused):
        await wrong.check()
    await wrong.close()


async def test_where_everything_agrees_nothing_is_said(ftps: EightByEightSource, vendor: Vendor, tree: Tree) -> None:
    for each in vendor.files:
        tree.put(each["filename"], tone(1_000))
    tree.put_index(FOLDER, index(line(), line(NOON + 60_000, 2)))
    listing = await ftps.listing(WINDOW)
    assert (len(listing.listed), listing.notes, listing.rejected) == (2, [], [])


async def test_nothing_that_is_in_the_api_the_index_or_the_folder_is_left_out(
    ftps: EightByEightSource, vendor: Vendor, tree: Tree
) -> None:
    api, indexed, bare = NAME, name_at(NOON + 5_000, 3), name_at(NOON + 6_000, 4)
    vendor.files = [row()]
    for name in (api, indexed, bare):
        tree.put(name, tone(1_000))
    tree.put_index(FOLDER, index(line(), line(NOON + 5_000, 3, AGENT_NAME="jane"), line(NOON + 7_000, 5)))
    listing = await ftps.listing(WINDOW)
    assert keys(listing) == [api, indexed, name_at(NOON + 7_000, 5), bare]
    assert of(listing, indexed).recording.agent_name == "jane"
    assert (of(listing, indexed).duration_known, of(listing, indexed).expected_duration_ms) == (True, 1_000)
    assert (of(listing, bare).duration_known, of(listing, bare).started_at) == (False, NOON + 6_000)
    assert all(each.status == Ready() for each in listing.listed)
    assert listing.notes == [
        f"{FOLDER}: the index names 2 recordings that the API does not list",
        f"{FOLDER}: 1 recording with a wav file that neither the API nor the index lists",
        f"{FOLDER}: 1 recording without the wav file that the API or the index names",
    ]


async def test_what_lies_outside_the_window_belongs_to_another(ftps: EightByEightSource, tree: Tree) -> None:
    for at in (NOON - 5_000, NOON + HOUR_MS + 5_000):
        tree.put(name_at(at, 7), tone(1_000))
    tree.put_index(FOLDER, index(line(NOON - 5_000, 8), line(NOON + HOUR_MS + 5_000, 8)))
    listing = await ftps.listing(WINDOW)
    assert len(listing.listed) == 2
    assert listing.notes == [f"{FOLDER}: 2 recordings without the wav file that the API or the index names"]


async def test_every_day_that_a_window_touches_is_looked_at(ftps: EightByEightSource, tree: Tree) -> None:
    for day in range(3):
        tree.put(name_at(NOON + day * DAY_MS, 7), tone(1_000))
    listing = await ftps.listing(Window(EpochMs(NOON), EpochMs(NOON + 2 * DAY_MS)))
    assert len(listing.listed) == 5
    assert tree.count("NLST") == 3


async def test_a_folder_is_read_once_for_the_windows_of_its_day(ftps: EightByEightSource, tree: Tree) -> None:
    tree.put(NAME, tone(1_000))
    for part in range(3):
        await ftps.listing(Window(EpochMs(NOON + part * 60_000), EpochMs(NOON + (part + 1) * 60_000)))
    assert tree.count("NLST") == 1


async def test_an_index_is_parsed_once_for_the_windows_of_its_day_and_by_a_thread_of_its_own(
    ftps: EightByEightSource, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, threads = indexfile.read, list[int]()

    def counted(body: bytes, folder: str) -> indexfile.Index:
        threads.append(threading.get_ident())
        return read(body, folder)

    monkeypatch.setattr(indexfile, "read", counted)
    tree.put(NAME, tone(1_000))
    tree.put_index(FOLDER, index(*(line(NOON + part * 60_000, 7) for part in range(3))))
    found: list[str] = []
    for part in range(3):
        window = Window(EpochMs(NOON + part * 60_000 - 1_000), EpochMs(NOON + part * 60_000 + 1_000))
        found += [key for key in keys(await ftps.listing(window)) if key.endswith("7.wav")]
    assert found == [name_at(NOON + part * 60_000, 7) for part in range(3)]
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


@pytest.mark.parametrize("where", ["wav", "index"])
async def test_a_broken_row_is_told_beside_where_the_tree_has_the_recording(
    ftps: EightByEightSource, vendor: Vendor, tree: Tree, where: str
) -> None:
    vendor.files = [row(duration="long"), row(NOON + 5_000, 2, duration="long")]
    tree.put(NAME if where == "wav" else name_at(NOON, 9), tone(1_000))
    tree.put_index(FOLDER, index(*([line()] if where == "index" else [])))
    listing = await ftps.listing(WINDOW)
    assert NAME in keys(listing)
    assert [(each.key, each.beside) for each in listing.rejected] == [
        (NAME, True), (name_at(NOON + 5_000, 2), False),
    ]  # fmt: skip


async def test_a_broken_row_of_the_window_before_is_told_beside_too(
    ftps: EightByEightSource, vendor: Vendor, tree: Tree
) -> None:
    midnight = (NOON // DAY_MS + 1) * DAY_MS
    name = name_at(midnight - 1_000)
    vendor.files = [row(midnight - 1_000, duration="long")]
    tree.put(name, tone(1_000))
    listing = await ftps.listing(Window(EpochMs(midnight), EpochMs(midnight + HOUR_MS)))
    assert keys(listing) == []
    assert [(each.key, each.beside) for each in listing.rejected] == [(name, True)]


@pytest.mark.parametrize("key", ["S20231399/R202311142213200001.wav", "S20231114/../R202311142213200001.wav", ""])
async def test_a_broken_row_that_names_no_file_is_missing(
    ftps: EightByEightSource, vendor: Vendor, tree: Tree, key: str
) -> None:
    vendor.files = [row(filename=key, duration="long")]
    tree.put(NAME, tone(1_000))
    (told, *_) = (await ftps.listing(WINDOW)).rejected
    assert not told.beside


async def test_a_day_without_a_folder_is_empty(ftps: EightByEightSource, vendor: Vendor) -> None:
    vendor.files.clear()
    listing = await ftps.listing(WINDOW)
    assert (listing.listed, listing.notes, listing.rejected) == ([], [], [])


async def test_a_missing_index_is_told_and_the_wav_files_come(ftps: EightByEightSource, tree: Tree) -> None:
    tree.put(name_at(NOON, 7), tone(1_000))
    listing = await ftps.listing(WINDOW)
    assert f"{FOLDER}: there is no index file" in listing.notes
    assert name_at(NOON, 7) in keys(listing)


@pytest.mark.parametrize("broken", [b"<html>", b"\xff\xfe\x00", index(line()) + b"x" * 200_000])
async def test_a_broken_index_is_kept_for_inspection_and_the_wav_files_come(
    ftps: EightByEightSource, tree: Tree, broken: bytes
) -> None:
    tree.put(name_at(NOON, 7), tone(1_000))
    tree.put_index(FOLDER, broken)
    listing = await ftps.listing(WINDOW)
    (told,) = listing.rejected
    assert (told.beside, told.raw, told.key) == (True, broken, f"{FOLDER}/I20231114_version2.csv")
    assert name_at(NOON, 7) in keys(listing)


async def test_a_line_that_names_no_recording_is_told_beside(ftps: EightByEightSource, tree: Tree) -> None:
    tree.put(NAME, tone(1_000))
    tree.put_index(FOLDER, index(line(), line(FILENAME="../../x.wav")))
    (told,) = (await ftps.listing(WINDOW)).rejected
    assert told.beside


async def test_a_wav_file_with_an_impossible_name_is_told_beside(ftps: EightByEightSource, tree: Tree) -> None:
    tree.put(f"{FOLDER}/music.wav", tone(1_000))
    tree.put(f"{FOLDER}/notes.txt", b"x")
    (told,) = (await ftps.listing(WINDOW)).rejected
    assert (told.key, told.beside) == (f"{FOLDER}/music.wav", True)


async def test_a_file_in_the_wrong_folder_is_found_with_its_folders_first_moment(
    ftps: EightByEightSource, tree: Tree
) -> None:
    odd = f"{FOLDER}/{name_at(NOON - 9 * DAY_MS).partition('/')[2]}"
    tree.put(odd, tone(1_000))
    midnight = NOON // DAY_MS * DAY_MS
    listing = await ftps.listing(Window(EpochMs(midnight), EpochMs(midnight + 60_000)))
    assert of(listing, odd).started_at == NOON - 9 * DAY_MS


async def test_what_the_api_may_still_list_is_left_for_the_next_run(ftps: EightByEightSource, tree: Tree) -> None:
    now = now_ms()
    name = name_at(now - 60_000)
    tree.put(name, tone(1_000))
    listing = await ftps.listing(Window(EpochMs(now - HOUR_MS), now))
    assert of(listing, name).status == Pending("on the FTPS server, and so new that the API may still list it")


async def test_a_missing_wav_file_is_gone_and_is_looked_up_where_it_was_listed(
    ftps: EightByEightSource, vendor: Vendor, tree: Tree
) -> None:
    vendor.files = [row()]
    tree.put(name_at(NOON, 7), tone(1_000))
    listing = await ftps.listing(WINDOW)
    with pytest.raises(errors.Gone) as caught:
        await audio_of(ftps, of(listing, NAME))
    assert caught.value.code == 550
    lone = of(listing, name_at(NOON, 7))
    assert await ftps.again(of(listing, NAME)) is not None
    assert await ftps.again(lone) == lone
    (tree.root / lone.key).unlink()
    assert await ftps.again(lone) is None


async def test_every_question_over_ftps_takes_a_slot(vendor: Vendor, tree: Tree, pair: Certificate) -> None:
    slots = Slots()
    made = source_of(vendor, slots, options=ftps_options(tree, pair), other_secret=PASSWORD)
    tree.put(NAME, tone(1_000))
    await audio_of(made, of(await made.listing(WINDOW), NAME))
    asked = [command for command, _ in tree.commands if command in {"PASS", "NLST", "SIZE", "RETR"}]
    assert asked == ["PASS", "NLST", "SIZE", "SIZE", "RETR"]
    # an index that is not there is asked for, too: its SIZE says so already
    assert slots.taken == len(vendor.asked) + tree.count("PASS") + tree.count("NLST") + tree.count("SIZE")
    await made.close()


async def test_a_server_that_is_down_fails_the_window(vendor: Vendor, tree: Tree, pair: Certificate) -> None:
    made = source_of(vendor, options={**ftps_options(tree, pair), "ftps_port": "1"}, other_secret=PASSWORD)
    with pytest.raises(errors.ComeBackLater):
        await made.listing(WINDOW)
    await made.close()


@pytest.mark.parametrize("path", ["", "/", "/api/recordings", "/api/recordings/"])
async def test_an_address_pasted_from_the_vendors_guide_is_understood(vendor: Vendor, path: str) -> None:
    source = source_of(vendor, url=f"{vendor.url}{path}")
    try:
        assert (await source.check()).ok
    finally:
        await source.close()
