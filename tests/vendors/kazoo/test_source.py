"""A Kazoo cluster as a source: every page, every document once, whatever straddles a window, nothing silently left."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.vendors.kazoo import vendor as cluster
from tests.vendors.kazoo.vendor import (
    ACCOUNT,
    API_KEY,
    BELOW,
    CHILD,
    LIST,
    LOGIN,
    NOON,
    PASSWORD,
    USER,
    Vendor,
    cut,
    cut_after,
    document,
    key_at,
    mp3,
    refusal,
    seconds,
    stalled,
    status,
    wav,
)

from voxkeep.archive.units import DAY_MS, HOUR_MS, EpochMs, TenantId, now_ms
from voxkeep.audio.errors import UnreadableAudio
from voxkeep.collect import errors
from voxkeep.collect.source import Connection, Deleted, Listed, Listing, Pending, Ready, Window
from voxkeep.vendors.kazoo import source
from voxkeep.vendors.kazoo.items import MONTHS_END, NEVER, NOT_YET
from voxkeep.vendors.kazoo.source import KazooSource

MINUTE_MS = 60_000
WINDOW = Window(EpochMs(NOON), EpochMs(NOON + HOUR_MS))
KEY = key_at(NOON, 1)
TAG = {"ETag": f'"1-{KEY}"'}
BY_NAME = {"username": USER, "account_name": cluster.NAME}


class Slots:
    taken = 0

    async def __call__(self) -> None:
        self.taken += 1


def source_of(vendor: Vendor, slots: Slots | None = None, **changes: Any) -> KazooSource:
    given_ = {"secret": PASSWORD, "timeout_seconds": 5.0, "options": BY_NAME, "url": vendor.url, **changes}
    return KazooSource(Connection(tenant=TenantId(1), tenant_name="acme", slot=slots or Slots(), **given_))


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor(document(NOON, 1), document(NOON + MINUTE_MS, 2)) as started:
        yield started


@pytest.fixture
async def made(vendor: Vendor) -> AsyncIterator[KazooSource]:
    opened = source_of(vendor)
    yield opened
    await opened.close()


def keys(listing: Listing) -> list[str]:
    return [each.key for each in listing.listed]


def of(listing: Listing, key: str) -> Listed:
    (found,) = [each for each in listing.listed if each.key == key]
    return found


async def audio_of(made: KazooSource, listed: Listed) -> bytes:
    async with made.fetch(listed) as download:
        body = b"".join([block async for block in download.blocks])
        assert download.length in {None, len(body)}
        return body


# Logging in


@pytest.mark.parametrize(
    ("options", "secret"),
    [
        (BY_NAME, PASSWORD),
        ({"username": USER.upper(), "realm": cluster.REALM}, PASSWORD),
        ({}, API_KEY),
    ],
)
async def test_we_log_in_once_and_keep_the_token(vendor: Vendor, options: dict[str, str], secret: str) -> None:
    slots = Slots()
    made = source_of(vendor, slots, options=options, secret=secret)
    listing = await made.listing(WINDOW)
    await audio_of(made, listing.listed[0])
    assert (vendor.count(LOGIN), vendor.asked[0][1]) == (1, LOGIN)
    assert slots.taken == len(vendor.asked)
    await made.close()


async def test_all_that_ask_at_once_share_one_login_and_so_do_sources_with_the_same(vendor: Vendor) -> None:
    pair = [source_of(vendor), source_of(vendor, url=f"{vendor.url}/v2/", options={**BY_NAME, "account_id": CHILD})]
    await asyncio.gather(*(each.listing(WINDOW) for each in pair for _ in range(3)))
    assert vendor.count(LOGIN) == 1
    vendor.expire()
    await asyncio.gather(*(each.listing(WINDOW) for each in pair for _ in range(3)))
    assert vendor.count(LOGIN) == 2
    for each in pair:
        await each.close()


async def test_another_password_is_another_login(vendor: Vendor) -> None:
    first, second = source_of(vendor), source_of(vendor, secret="wrong-password")
    await first.listing(WINDOW)
    with pytest.raises(errors.Refused):
        await second.listing(WINDOW)
    await first.close()
    await second.close()


async def test_an_expired_token_is_renewed_in_the_middle_of_a_list_and_before_audio(
    made: KazooSource, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PAGE_ROWS", 1)

    async def expire(_: object) -> None:
        vendor.expire()

    vendor.faults[LIST].append(expire)
    listing = await made.listing(WINDOW)
    assert (len(listing.listed), vendor.count(LOGIN)) == (2, 2)
    vendor.expire()
    assert await audio_of(made, listing.listed[0]) == mp3(1_000)
    assert vendor.count(LOGIN) == 3


@pytest.mark.parametrize("what", [LIST, KEY])
async def test_a_token_that_is_refused_a_second_time_ends_the_matter(
    made: KazooSource, vendor: Vendor, what: str
) -> None:
    listed = of(await made.listing(WINDOW), KEY)
    vendor.always[what] = refusal(401, "invalid credentials", {})
    before = vendor.count(LOGIN)
    with pytest.raises(errors.Refused) as caught:
        await (made.listing(WINDOW) if what == LIST else audio_of(made, listed))
    assert type(caught.value) is errors.Refused
    assert vendor.count(LOGIN) == before + 1


@pytest.mark.parametrize(
    ("options", "secret"),
    [
        (BY_NAME, "another-password"),
        ({**BY_NAME, "account_name": "elsewhere"}, PASSWORD),
        ({}, "0" * 64),
    ],
)
async def test_a_login_that_is_not_accepted_is_refused_and_says_so(
    vendor: Vendor, options: dict[str, str], secret: str
) -> None:
    made = source_of(vendor, options=options, secret=secret)
    with pytest.raises(errors.Refused, match="the login is not accepted"):
        await made.listing(WINDOW)
    assert vendor.count(LOGIN) == 1
    await made.close()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (refusal(400, "validation error", {"api_key": {"minLength": {"message": "too short"}}}), errors.Refused),
        (refusal(423, "locked", {}), errors.Refused),
        (refusal(429, "too_many_requests", {"message": "too many requests"}), errors.TooFast),
        (status(500), errors.Faltering),
        (status(418), errors.BadAnswer),
        (status(201, b'{"data": {}}'), errors.BadAnswer),
        (status(201, b'{"data": {"account_id": "x"}, "auth_token": "t"}'), errors.BadAnswer),
        (status(201, b"<html>"), errors.BadAnswer),
        (status(301, Location="http://elsewhere.test/"), errors.BadAnswer),
    ],
)
async def test_a_failed_login_is_told_by_its_kind_and_tried_by_the_next_question(
    made: KazooSource, vendor: Vendor, fault: Any, kind: type[Exception]
) -> None:
    vendor.faults[LOGIN].append(fault)
    with pytest.raises(kind) as caught:
        await made.listing(WINDOW)
    assert type(caught.value) is kind
    assert "PUT /v2/user_auth" in str(caught.value)
    assert len((await made.listing(WINDOW)).listed) == 2


@pytest.mark.parametrize(
    ("options", "secret"),
    [(BY_NAME, ""), (BY_NAME, "two\nlines"), ({}, ""), ({}, "a" * 63), ({}, "g" * 64), ({}, PASSWORD)],
)
async def test_a_secret_that_can_be_none_makes_no_source(vendor: Vendor, options: dict[str, str], secret: str) -> None:
    with pytest.raises(errors.SourceUnusable) as caught:
        source_of(vendor, options=options, secret=secret)
    assert not secret or secret not in str(caught.value)


@pytest.mark.parametrize("path", ["", "/", "/v2", "/v2/", "/v1"])
async def test_an_address_may_end_in_the_apis_path(vendor: Vendor, path: str) -> None:
    made = source_of(vendor, url=f"{vendor.url}{path}")
    assert (await made.check()).ok
    await made.close()


# Lists


async def test_a_document_becomes_what_will_be_kept(made: KazooSource) -> None:
    listed = of(await made.listing(WINDOW), KEY)
    recording = listed.recording
    assert (recording.vendor, recording.vendor_key, recording.tenant) == ("kazoo", KEY, TenantId(1))
    assert (recording.started_at, recording.duration_ms) == (NOON, 1_000)
    assert (listed.status, listed.expected_duration_ms, listed.duration_slack_ms) == (Ready(), 1_000, 1_000)
    assert (listed.call is not None, listed.call_known, listed.duration_known) == (True, False, True)


async def test_all_pages_are_followed_with_both_bounds_and_the_key_as_it_came(
    made: KazooSource, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PAGE_ROWS", 3)
    vendor.documents[ACCOUNT] = [document(NOON + n // 2 * 1_000, n) for n in range(10)]
    listing = await made.listing(WINDOW)
    assert keys(listing) == [each["id"] for each in vendor.documents[ACCOUNT]]
    of_window = [each for each in vendor.queries if each["created_from"] == str(seconds(NOON - 10 * MINUTE_MS))]
    assert [each.get("start_key", "")[-5:] for each in of_window] == ["", "+/&=%", "+/&=%", "+/&=%"]
    assert {each["created_to"] for each in of_window} == {str(seconds(NOON + HOUR_MS))}
    assert {(each["ascending"], each["page_size"]) for each in vendor.queries} == {("true", "3")}


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 7])
@pytest.mark.parametrize("quirk", ["none", "raw keys", "the last page repeats its key", "pages of two at most"])
async def test_no_document_is_lost_or_doubled_however_pages_fall(
    made: KazooSource, vendor: Vendor, monkeypatch: pytest.MonkeyPatch, count: int, quirk: str
) -> None:
    monkeypatch.setattr(source, "PAGE_ROWS", 3)
    vendor.documents[ACCOUNT] = [document(NOON, n) for n in range(count)]
    vendor.raw_keys = quirk == "raw keys"
    vendor.repeats_last_key = quirk == "the last page repeats its key" and bool(count % 3)
    vendor.most_rows = 2 if quirk == "pages of two at most" else 100
    assert keys(await made.listing(WINDOW)) == [each["id"] for each in vendor.documents[ACCOUNT]]


async def test_what_is_written_while_pages_are_read_shifts_none(
    made: KazooSource, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PAGE_ROWS", 3)
    there = [document(NOON + n * 1_000, n) for n in range(9)]
    vendor.documents[ACCOUNT] = list(there)

    async def write(_: object) -> None:
        vendor.put(document(NOON + 30_000 + len(vendor.documents[ACCOUNT]) * 1_000, len(vendor.documents[ACCOUNT])))

    vendor.faults[LIST].extend([write, write, write])
    listed = keys(await made.listing(WINDOW))
    assert listed[:9] == [each["id"] for each in there]
    assert len(listed) == len(set(listed)) == 12


async def test_a_cluster_that_ignores_the_key_is_asked_for_single_pages(
    made: KazooSource, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PAGE_ROWS", 3)
    vendor.documents[ACCOUNT] = [document(NOON + n * 5 * MINUTE_MS, n) for n in range(12)]
    vendor.ignores_key = True
    listing = await made.listing(WINDOW)
    assert set(keys(listing)) == {each["id"] for each in vendor.documents[ACCOUNT]}
    vendor.documents[ACCOUNT] = [document(NOON, n) for n in range(12)]
    before = len(vendor.queries)
    with pytest.raises(errors.TooMuch, match="nothing new"):
        await made.listing(WINDOW)
    assert len(vendor.queries) < before + 20


async def test_pages_that_go_in_a_circle_are_left(made: KazooSource, vendor: Vendor) -> None:
    def page(number: int, following: str) -> Any:
        rows = [document(NOON + number * 1_000, number)]
        return status(200, json.dumps({"data": rows, "next_start_key": following}).encode())

    circle = itertools.cycle([page(1, "one"), page(2, "two"), page(3, "three")])

    async def next_page(request: Any) -> Any:
        return await next(circle)(request)

    vendor.always[LIST] = next_page
    with pytest.raises(errors.TooMuch):
        await made.listing(WINDOW)
    assert vendor.count(LIST) < 50


async def test_a_window_with_too_many_documents_asks_for_less(
    made: KazooSource, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PAGE_ROWS", 3)
    monkeypatch.setattr(source, "MOST_ROWS", 5)
    vendor.documents[ACCOUNT] = [document(NOON, n) for n in range(20)]
    with pytest.raises(errors.TooMuch, match="more than 5 rows"):
        await made.listing(WINDOW)


async def test_a_document_that_cannot_be_understood_is_told_and_the_others_are_listed(
    made: KazooSource, vendor: Vendor
) -> None:
    climbing = document(NOON, 3, id="../../secrets")
    broken = document(NOON, 4, start="yesterday")
    vendor.put(climbing, broken)
    vendor.documents[ACCOUNT].append(7)
    listing = await made.listing(WINDOW)
    assert len(listing.listed) == 2
    assert {(each.key, each.beside) for each in listing.rejected} == {
        ("../../secrets", False), (broken["id"], False), ("", False),
    }  # fmt: skip
    (told,) = [each for each in listing.rejected if each.key == broken["id"]]
    assert json.loads(told.raw) == broken
    assert "start" in told.reason


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (refusal(403, "forbidden", {"message": "forbidden"}), errors.Forbidden),
        (refusal(429, "too_many_requests", {"message": "too many requests"}), errors.TooFast),
        (refusal(416, "range not satisfiable", {}), errors.BadAnswer),
        (refusal(503, "datastore_unreachable", {"message": "timeout"}), errors.ComeBackLater),
        (status(500), errors.Faltering),
        (status(301, Location="http://elsewhere.test/"), errors.BadAnswer),
        (status(200, b"<html>"), errors.BadAnswer),
        (status(200, b'{"data": {"id": "x"}}'), errors.BadAnswer),
        (status(204), errors.BadAnswer),
        (cut(b"[" + b" " * 100_000 + b"]"), errors.BadAnswer),
        (stalled(2.0), errors.Faltering),
    ],
)
async def test_a_failed_list_is_told_by_its_kind(vendor: Vendor, fault: Any, kind: type[Exception]) -> None:
    vendor.faults[LIST].append(fault)
    made = source_of(vendor, timeout_seconds=0.3)
    with pytest.raises(kind) as caught:
        await made.listing(WINDOW)
    assert type(caught.value) is kind
    assert f"GET /v2/accounts/{ACCOUNT}/recordings" in str(caught.value)
    await made.close()


async def test_a_refusal_for_speed_names_no_time_and_the_run_waits_by_itself(made: KazooSource, vendor: Vendor) -> None:
    vendor.faults[LIST].append(refusal(429, "too_many_requests", {"message": "too many requests"}))
    with pytest.raises(errors.TooFast) as caught:
        await made.listing(WINDOW)
    assert caught.value.wait_seconds is None


# Windows: creation is the end of a recording


def long_one(start: int, duration: int, number: int = 1) -> dict[str, Any]:
    return document(start, number, duration=duration // 1_000, duration_ms=duration)


@pytest.mark.parametrize(
    ("start", "duration", "listed"),
    [
        (NOON + MINUTE_MS, MINUTE_MS, True),
        # it ends, and so is written, after the window
        (NOON + 59 * MINUTE_MS, 5 * MINUTE_MS, True),
        (NOON + HOUR_MS, 3 * HOUR_MS, True),
        # it began before the window, and was written in it
        (NOON - 30 * MINUTE_MS, 31 * MINUTE_MS, True),
        (NOON - 9 * DAY_MS, 9 * DAY_MS + MINUTE_MS, True),
        (NOON - 2 * HOUR_MS, HOUR_MS, False),
        (NOON + HOUR_MS + 1_000, MINUTE_MS, False),
    ],
)
async def test_a_window_lists_what_began_or_was_written_in_it(
    made: KazooSource,
    vendor: Vendor,
    start: int,
    duration: int,
    listed: bool,  # noqa: FBT001 -- a case
) -> None:
    vendor.documents[ACCOUNT] = [long_one(start, duration)]
    assert bool(keys(await made.listing(WINDOW))) is listed


async def test_a_document_written_in_the_window_is_listed_whatever_it_says_of_its_start(
    made: KazooSource, vendor: Vendor
) -> None:
    for number, start in enumerate((NOON - 400 * DAY_MS, NOON + 2 * HOUR_MS, NOON + 400 * DAY_MS), start=1):
        vendor.documents[ACCOUNT].append(document(start, 10 + number))
        vendor.created[key_at(start, 10 + number)] = NOON + MINUTE_MS
    assert len((await made.listing(WINDOW)).listed) == 5


async def test_a_document_written_late_or_by_a_slow_clock_is_found_by_the_next_window(
    made: KazooSource, vendor: Vendor
) -> None:
    vendor.created[KEY] = NOON - 9 * MINUTE_MS
    assert KEY in keys(await made.listing(WINDOW))


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 12 * 60), st.integers(0, 180)), min_size=1, max_size=12),
    st.integers(5, 400),
)
async def test_windows_one_after_the_other_list_everything_and_each_document_without_a_gap(
    calls: list[tuple[int, int]], length: int
) -> None:
    """What touches several windows is in all of them, one after the other: the key of the window before tells it."""
    documents = [
        long_one(NOON + begin * MINUTE_MS, lasting * MINUTE_MS, number)
        for number, (begin, lasting) in enumerate(calls, start=1)
    ]
    async with Vendor(*documents) as vendor:
        made = source_of(vendor)
        ends = range(0, 13 * 60 + 180 + length, length)
        found = [
            set(
                keys(
                    await made.listing(Window(EpochMs(NOON + a * MINUTE_MS), EpochMs(NOON + (a + length) * MINUTE_MS)))
                )
            )
            for a in ends
        ]
        await made.close()
    for each in documents:
        places = [place for place, listed in enumerate(found) if each["id"] in listed]
        assert places == list(range(places[0], places[-1] + 1))


async def test_nothing_is_asked_for_beyond_now(made: KazooSource, vendor: Vendor) -> None:
    now = now_ms()
    await made.listing(Window(EpochMs(now - HOUR_MS), now))
    await made.listing(Window(EpochMs(now - 2 * HOUR_MS), EpochMs(now - HOUR_MS)))
    assert len(vendor.queries) == 3
    assert all(int(each["created_to"]) <= seconds(now_ms()) + 1 for each in vendor.queries)


async def test_a_wide_window_is_asked_for_in_spans_of_28_days(made: KazooSource, vendor: Vendor) -> None:
    vendor.documents[ACCOUNT] = [document(NOON + n * 7 * DAY_MS, n) for n in range(13)]
    listing = await made.listing(Window(EpochMs(NOON), EpochMs(NOON + 84 * DAY_MS)))
    assert keys(listing) == [each["id"] for each in vendor.documents[ACCOUNT]]
    widths = [int(each["created_to"]) - int(each["created_from"]) for each in vendor.queries]
    assert max(widths) == 28 * 86_400


@pytest.mark.parametrize("days", [1, 2, 5, 20])
async def test_a_lowered_limit_is_found_by_halving_and_remembered(made: KazooSource, vendor: Vendor, days: int) -> None:
    vendor.longest_seconds = days * 86_400
    vendor.documents[ACCOUNT] = [document(NOON + n * DAY_MS // 2, n) for n in range(40)]
    window = Window(EpochMs(NOON), EpochMs(NOON + 20 * DAY_MS))
    assert keys(await made.listing(window)) == [each["id"] for each in vendor.documents[ACCOUNT]]
    refused = len(
        [each for each in vendor.queries if int(each["created_to"]) - int(each["created_from"]) > days * 86_400]
    )
    assert refused <= 6
    before = len(vendor.queries)
    await made.listing(window)
    assert all(int(each["created_to"]) - int(each["created_from"]) <= days * 86_400 for each in vendor.queries[before:])


async def test_a_limit_of_less_than_a_day_asks_for_a_smaller_window(made: KazooSource, vendor: Vendor) -> None:
    vendor.longest_seconds = 3_600
    with pytest.raises(errors.TooMuch, match="a span of a day"):
        await made.listing(Window(EpochMs(NOON), EpochMs(NOON + 5 * DAY_MS)))


async def test_another_400_is_no_matter_of_windows(made: KazooSource, vendor: Vendor) -> None:
    vendor.faults[LIST].append(refusal(400, "validation error", {"account": {"expired": {"message": "gone"}}}))
    with pytest.raises(errors.BadAnswer, match="HTTP 400: validation error"):
        await made.listing(WINDOW)
    assert vendor.count(LIST) == 1


async def test_a_clock_behind_ours_is_told(made: KazooSource, vendor: Vendor) -> None:
    vendor.clock = lambda: now_ms() - HOUR_MS
    assert "clock is behind ours" in (await made.listing(WINDOW)).notes[0]
    assert any("clock is behind ours" in line for line in (await made.check()).lines)


# Media that is not there


@pytest.mark.parametrize(
    ("ended_ago", "types", "expected"),
    [
        (MINUTE_MS, [], Pending(NOT_YET)),
        (3 * HOUR_MS + 59 * MINUTE_MS, [], Pending(NOT_YET)),
        (4 * HOUR_MS + MINUTE_MS, [], Deleted(NEVER)),
        (MINUTE_MS, ["audio/mpeg"], Ready()),
        (MINUTE_MS, None, Ready()),
        (5 * HOUR_MS, None, Ready()),
        (-MINUTE_MS, ["audio/mpeg"], Ready()),
        (-HOUR_MS, ["audio/mpeg"], Pending("dated in the future")),
        # no recording lasts until the day after tomorrow
        (-2 * DAY_MS, ["audio/mpeg"], Ready()),
    ],
)
async def test_media_that_has_not_arrived_is_waited_for_four_hours(
    made: KazooSource, vendor: Vendor, ended_ago: int, types: list[str] | None, expected: Ready | Pending | Deleted
) -> None:
    start = now_ms() - ended_ago - 1_000
    vendor.documents[ACCOUNT] = [document(start, 1, types)]
    vendor.created[key_at(start)] = now_ms() - MINUTE_MS
    listing = await made.listing(Window(EpochMs(now_ms() - DAY_MS), now_ms()))
    assert of(listing, key_at(start)).status == expected


@pytest.mark.parametrize(("ended_ago", "expected"), [(MINUTE_MS, Pending(NOT_YET)), (5 * HOUR_MS, Ready())])
async def test_a_document_whose_media_was_not_there_is_looked_at_again(
    made: KazooSource, vendor: Vendor, ended_ago: int, expected: Ready | Pending
) -> None:
    start = now_ms() - ended_ago - 1_000
    vendor.documents[ACCOUNT] = [document(start, 1, None)]
    listed = of(await made.listing(Window(EpochMs(now_ms() - DAY_MS), now_ms())), key_at(start))
    vendor.documents[ACCOUNT] = [document(start, 1, [])]
    with pytest.raises(errors.Gone):
        await audio_of(made, listed)
    again = await made.again(listed)
    assert again is not None
    assert (again.status, again.key) == (expected, listed.key)


async def test_what_is_looked_at_again_keeps_what_the_list_told_of_its_media(made: KazooSource, vendor: Vendor) -> None:
    vendor.documents[ACCOUNT] = [document(NOON, 1, ["audio/x-wav"])]
    listed = of(await made.listing(WINDOW), KEY)
    again = await made.again(listed)
    assert again is not None
    assert again.recording.extra == listed.recording.extra


async def test_a_document_that_was_deleted_since_is_listed_no_more(made: KazooSource, vendor: Vendor) -> None:
    listed = of(await made.listing(WINDOW), KEY)
    del vendor.documents[ACCOUNT][0]
    with pytest.raises(errors.Gone):
        await audio_of(made, listed)
    assert await made.again(listed) is None


async def test_a_recording_across_the_end_of_a_month_is_listed_and_under_no_id(
    made: KazooSource, vendor: Vendor
) -> None:
    month = round(datetime(2023, 12, 1, tzinfo=UTC).timestamp() * 1000)
    vendor.documents[ACCOUNT] = [long_one(month - MINUTE_MS, 2 * MINUTE_MS)]
    key = key_at(month - MINUTE_MS)
    vendor.unfindable.add(key)
    listed = of(await made.listing(Window(EpochMs(month - HOUR_MS), EpochMs(month))), key)
    with pytest.raises(errors.Gone):
        await audio_of(made, listed)
    again = await made.again(listed)
    assert again is not None
    assert again.status == Deleted(MONTHS_END)


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"data": []}', b'{"data": {"id": "202311-other", "start": 63867219200, "duration": 1}}']
)
async def test_another_answer_in_place_of_a_document_is_a_bad_one(
    made: KazooSource, vendor: Vendor, body: bytes
) -> None:
    listed = of(await made.listing(WINDOW), KEY)
    vendor.faults[KEY].append(status(200, body))
    with pytest.raises(errors.BadAnswer):
        await made.again(listed)


# Audio


@pytest.mark.parametrize(("media_type", "body"), [("audio/mpeg", mp3(1_000)), ("audio/x-wav", wav(1_000))])
async def test_audio_of_every_kind_is_asked_for_as_mpeg(
    made: KazooSource, vendor: Vendor, media_type: str, body: bytes
) -> None:
    vendor.documents[ACCOUNT] = [document(NOON, 1, [media_type], content_type=media_type)]
    vendor.audio[KEY] = body
    listed = of(await made.listing(WINDOW), KEY)
    assert await audio_of(made, listed) == body
    assert vendor.accepts == {"audio/mpeg"}
    assert made.verify(BytesIO(body), listed) == ""


async def test_another_kind_is_told_and_no_bytes_are_no_audio(made: KazooSource) -> None:
    listed = of(await made.listing(WINDOW), KEY)
    assert made.verify(BytesIO(b"OggS" + bytes(60)), listed) == "the audio is ogg, not MP3 or WAV"
    assert made.verify(BytesIO(b"\x00" * 60), listed) == "the audio is of an unknown kind, not MP3 or WAV"
    with pytest.raises(UnreadableAudio):
        made.verify(BytesIO(b""), listed)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (refusal(404, "bad_identifier", {"details": KEY, "message": "bad identifier"}), errors.Gone),
        (refusal(500, "datastore_fault", {"cause": "x", "message": "unknown failure"}), errors.Faltering),
        (refusal(429, "too_many_requests", {"message": "too many requests"}), errors.TooFast),
        (status(406), errors.BadAnswer),
        (status(200, b'{"data": {}}'), errors.BadAnswer),
        (status(200, b'{"data": {}}', "audio/mpeg"), errors.BadAnswer),
        (status(200, b"<html>", "text/html"), errors.BadAnswer),
    ],
)
async def test_audio_that_cannot_be_had_is_told_by_its_kind(
    made: KazooSource, vendor: Vendor, fault: Any, kind: type[Exception]
) -> None:
    listed = of(await made.listing(WINDOW), KEY)
    vendor.faults[KEY].append(fault)
    with pytest.raises(kind) as caught:
        await audio_of(made, listed)
    assert type(caught.value) is kind


async def test_a_stream_that_breaks_off_is_taken_up_where_it_broke(made: KazooSource, vendor: Vendor) -> None:
    body = mp3(60_000)
    vendor.audio[KEY] = body
    listed = of(await made.listing(WINDOW), KEY)
    vendor.faults[KEY].append(cut_after(100_000, body, TAG))
    assert len(body) > 150_000
    assert await audio_of(made, listed) == body
    (asked,) = vendor.ranges_asked
    assert asked == "bytes=100000-"


async def test_a_stream_may_break_off_several_times_as_long_as_it_gets_further(
    made: KazooSource, vendor: Vendor
) -> None:
    body = mp3(60_000)
    vendor.audio[KEY] = body
    listed = of(await made.listing(WINDOW), KEY)

    def rest(start: int, count: int) -> Any:
        async def answer(request: Any) -> Any:
            assert request.headers["Range"] == f"bytes={start}-"
            assert request.headers["If-Range"] == f'"1-{KEY}"'
            told = f"bytes {start}-{len(body) - 1}/{len(body)}"
            handler = cut_after(count, body[start:], {**TAG, "Content-Range": told}, code=206)
            return await handler(request)

        return answer

    vendor.faults[KEY].extend([cut_after(50_000, body, TAG), rest(50_000, 30_000), rest(80_000, 40_000)])
    assert await audio_of(made, listed) == body
    assert vendor.ranges_asked == ["bytes=120000-"]


@pytest.mark.parametrize(
    "fault",
    [
        status(200, b"\xff\xfb" * 400, "audio/mpeg"),
        status(500),
        refusal(404, "bad_identifier", {}),
        status(206, b"rest", "audio/mpeg", Content_Range="bytes 4-7/8", ETag=f'"1-{KEY}"'),
        status(206, b"rest", "audio/mpeg", ETag=f'"1-{KEY}"'),
    ],
)
async def test_a_stream_whose_rest_is_not_to_be_had_is_asked_for_from_its_beginning(
    made: KazooSource, vendor: Vendor, fault: Any
) -> None:
    body = mp3(60_000)
    vendor.audio[KEY] = body
    listed = of(await made.listing(WINDOW), KEY)
    vendor.faults[KEY].extend([cut_after(100_000, body, TAG), fault])
    with pytest.raises(errors.BadAnswer, match="cut short") as caught:
        await audio_of(made, listed)
    assert caught.value.passing
    assert await audio_of(made, listed) == body


async def test_the_rest_of_other_bytes_is_not_put_behind_these(made: KazooSource, vendor: Vendor) -> None:
    body = mp3(60_000)
    vendor.audio[KEY] = body
    listed = of(await made.listing(WINDOW), KEY)
    for tag in ('"1-before"', f'W/"1-{KEY}"', ""):
        vendor.faults[KEY].append(cut_after(100_000, body, {"ETag": tag} if tag else {}))
        with pytest.raises(errors.BadAnswer, match="cut short"):
            await audio_of(made, listed)


async def test_there_are_no_chats(made: KazooSource) -> None:
    with pytest.raises(errors.Gone):
        await made.transcript(of(await made.listing(WINDOW), KEY))


# What a person is told


async def test_a_check_logs_in_and_asks_for_one_document(made: KazooSource, vendor: Vendor) -> None:
    vendor.documents[ACCOUNT] = [document(now_ms() - DAY_MS, 1)]
    report = await made.check()
    assert report.ok
    assert report.lines == [f"logged in to account {ACCOUNT} (Acme Inc.)", "recordings can be listed"]
    assert [each["page_size"] for each in vendor.queries] == ["1"]


async def test_a_check_of_a_cluster_without_its_recordings_module_says_so(made: KazooSource, vendor: Vendor) -> None:
    for message in ("not_found", "faulty_request"):
        vendor.always[LIST] = refusal(404, message, {"message": "not found"})
        report = await made.check()
        assert not report.ok
        assert "cb_recordings is not started" in report.lines[-1]
        with pytest.raises(errors.Gone, match="cb_recordings is not started"):
            await made.listing(WINDOW)


async def test_a_check_of_an_empty_list_says_why_that_may_be(made: KazooSource, vendor: Vendor) -> None:
    vendor.documents[ACCOUNT] = []
    report = await made.check()
    assert (report.ok, "store_recordings" in report.lines[1]) == (True, True)


async def test_a_check_bears_a_lowered_limit_and_raises_other_failures(made: KazooSource, vendor: Vendor) -> None:
    vendor.longest_seconds = 3_600
    assert (await made.check()).ok
    vendor.always[LIST] = refusal(400, "validation error", {})
    with pytest.raises(errors.BadAnswer):
        await made.check()


async def test_accounts_below_that_nobody_collects_are_told_by_every_run_and_check(vendor: Vendor) -> None:
    vendor.below = [{"id": CHILD, "name": "Child & Sons", "tree": [ACCOUNT]}]
    blind, seeing = source_of(vendor), source_of(vendor, options={**BY_NAME, "descendants": CHILD})
    listings = [await blind.listing(WINDOW), await blind.listing(WINDOW)]
    assert [len(each.notes) for each in listings] == [1, 0]
    assert CHILD in listings[0].notes[0]
    assert "Child & Sons" in (await blind.check()).lines[-1]
    assert (await seeing.listing(WINDOW)).notes == []
    assert CHILD not in "".join((await seeing.check()).lines)
    await blind.close()
    await seeing.close()


async def test_accounts_below_are_followed_over_pages_all_the_same(made: KazooSource, vendor: Vendor) -> None:
    ids = [f"{number:032x}" for number in range(5)]

    def page(part: list[str], **told: str) -> Any:
        return status(200, json.dumps({"data": [{"id": each, "name": each} for each in part], **told}).encode())

    vendor.faults[BELOW].extend([page(ids[:2], next_start_key="a"), page(ids[2:4], next_start_key="b"), page(ids[3:])])
    assert [each.id for each in await made.descendants()] == ids
    vendor.faults[BELOW].extend([page(ids, next_start_key="a"), page(ids, next_start_key="a")])
    assert len(await made.descendants()) == 5


@pytest.mark.parametrize("fault", [refusal(403, "forbidden", {}), status(404), status(500), status(200, b"<")])
async def test_accounts_below_that_cannot_be_listed_are_told_and_stop_nothing(
    made: KazooSource, vendor: Vendor, fault: Any
) -> None:
    vendor.always[BELOW] = fault
    listing = await made.listing(WINDOW)
    assert (len(listing.listed), len(listing.notes)) == (2, 1)
    assert "cannot be listed" in listing.notes[0]
    assert (await made.check()).ok


async def test_an_account_below_is_collected_by_its_id(vendor: Vendor) -> None:
    vendor.put(document(NOON, 7), account=CHILD)
    made = source_of(vendor, options={**BY_NAME, "account_id": CHILD})
    listing = await made.listing(WINDOW)
    assert keys(listing) == [key_at(NOON, 7)]
    assert await audio_of(made, listing.listed[0]) == mp3(1_000)
    assert (await made.check()).lines[0].endswith(f"asked for account {CHILD}")
    await made.close()


async def test_no_secret_is_in_any_error_or_in_any_answer_that_is_put_away(made: KazooSource, vendor: Vendor) -> None:
    listed = of(await made.listing(WINDOW), KEY)
    secrets = [PASSWORD, cluster.CREDENTIALS, *vendor.issued]
    echo = json.dumps({"message": " ".join(secrets), "data": secrets, "auth_token": secrets[-1]}).encode()
    told: list[bytes] = []
    for code in (500, 400, 418, 200):
        for what, ask in ((LIST, made.listing(WINDOW)), (KEY, audio_of(made, listed)), (KEY, made.again(listed))):
            vendor.faults[what].append(status(code, echo))
            if (code, what) == (200, LIST):
                rejected = (await ask).rejected  # type: ignore[union-attr] # a list with three bad documents
                told += [each.raw for each in rejected] + [each.reason.encode() for each in rejected]
                continue
            with pytest.raises(errors.VendorFailure) as caught:
                await ask
            told += [str(caught.value).encode(), getattr(caught.value, "raw", b"")]
    vendor.faults[LOGIN].append(status(500, echo))
    vendor.expire()
    with pytest.raises(errors.Faltering) as failed:
        await made.listing(WINDOW)
    told.append(str(failed.value).encode())
    assert not [each for each in told for secret in secrets if secret.encode() in each]
    assert b"***" in b"".join(told)
