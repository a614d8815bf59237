"""Lists of recordings: every document of the window once, in order, page by page or all at once, as JSON and as CSV."""

import asyncio
import csv
import io
import json
from itertools import chain
from typing import Any

import pytest
from tests.server.harness import CLIP, START, World, request_bytes, restricted, until
from tests.vendors.kazoo.conftest import Opener
from tests.vendors.kazoo.customers import AROUND, Customer, customer, data, documents, refused, text

from voxkeep.archive.model import Recording, State
from voxkeep.archive.units import now_ms
from voxkeep.settings import Archive, Kazoo, Settings
from voxkeep.vendors.kazoo import listing, wire
from voxkeep.vendors.kazoo.gregorian import gregorian

SECOND = 1_000
MONTH_S = 31 * 86_400 + 3_600


async def kept(world: World, owner: Customer, count: int, **fields: Any) -> list[str]:
    """Keep recordings a minute apart, and return their call ids, the oldest first."""
    for number in range(count):
        at = START + number * 60 * SECOND
        await world.keep(owner.tenant, at, state=State.KEPT, call_key=f"call-{number}", **fields)
    return [f"call-{number}" for number in range(count)]


def calls(shown: list[dict[str, Any]]) -> list[str]:
    return [each["call_id"] for each in shown]


async def walked(owner: Customer, query: str) -> list[list[str]]:
    """Follow the pages of a list as clients do, and return the calls on each."""
    pages, key = list[list[str]](), ""
    while True:
        answer = await owner.ask("GET", f"recordings?{AROUND}&{query}{f'&start_key={text(key)}' if key else ''}")
        pages.append(calls(data(answer)))
        document = answer.json
        assert document["page_size"] == len(pages[-1])
        assert document["start_key"] == (key or document["start_key"])
        key = document.get("next_start_key", "")
        if not key:
            return pages


# Order, pages


async def test_the_newest_comes_first_unless_asked_otherwise(world: World, acme: Customer) -> None:
    made = await kept(world, acme, 5)
    assert calls(await documents(acme)) == made[::-1]
    assert calls(await documents(acme, "ascending=true")) == made
    assert calls(await documents(acme, "descending=false")) == made
    assert calls(await documents(acme, "ascending=yes")) == made[::-1]


async def test_a_page_has_50_unless_asked_otherwise(world: World, acme: Customer) -> None:
    made = await kept(world, acme, 53)
    assert [len(page) for page in await walked(acme, "")] == [50, 3]
    assert await walked(acme, "page_size=53") == [made[::-1]]
    assert await walked(acme, "page_size=60") == [made[::-1]]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 6, 7])
@pytest.mark.parametrize("order", ["ascending=true", "ascending=false"])
async def test_pages_hold_every_document_once_also_those_that_end_together(
    world: World, acme: Customer, size: int, order: str
) -> None:
    made = await kept(world, acme, 3)
    for number in range(3):
        await world.keep(acme.tenant, START, state=State.KEPT, call_key=f"same-{number}")
    pages = await walked(acme, f"{order}&page_size={size}")
    assert sorted(chain.from_iterable(pages)) == sorted([*made, *(f"same-{number}" for number in range(3))])
    assert all(len(page) == size for page in pages[:-1])
    assert 1 <= len(pages[-1]) <= size


async def test_a_page_asked_for_again_is_the_same_page(world: World, acme: Customer) -> None:
    await kept(world, acme, 6)
    first = await acme.ask("GET", f"recordings?{AROUND}&page_size=2")
    key = first.json["next_start_key"]
    again = [await acme.ask("GET", f"recordings?{AROUND}&page_size=2&start_key={text(key)}") for _ in range(2)]
    by_bookmark = await acme.ask("GET", f"recordings?{AROUND}&page_size=2&bookmark={text(key)}")
    assert data(again[0]) == data(again[1]) == data(by_bookmark)
    # the first page's own key leads to the first page
    start = first.json["start_key"]
    assert data(await acme.ask("GET", f"recordings?{AROUND}&page_size=2&start_key={text(start)}")) == data(first)


async def test_a_document_that_goes_while_one_pages_takes_none_with_it(world: World, acme: Customer) -> None:
    await kept(world, acme, 6)
    first = await acme.ask("GET", f"recordings?{AROUND}&page_size=2")
    (next_one,) = await documents(acme, "filter_call_id=call-3")
    assert (await acme.ask("DELETE", f"recordings/{next_one['id']}")).status == 200
    key = text(first.json["next_start_key"])
    assert calls(data(await acme.ask("GET", f"recordings?{AROUND}&page_size=3&start_key={key}"))) == [
        "call-2", "call-1", "call-0",
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["x", "%00", "g2gCbQ", "null", "%F0%9F%98%80"])
async def test_a_start_key_that_is_none_of_ours_is_as_good_as_none(world: World, acme: Customer, key: str) -> None:
    made = await kept(world, acme, 2)
    if key == "%00":
        assert (await acme.ask("GET", f"recordings?{AROUND}&start_key={key}")).status == 400
        return
    assert calls(await documents(acme, f"start_key={key}")) == made[::-1]


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ("0", "page size must be at least 1"),
        ("-1", "page size must be at least 1"),
        ("x", "invalid page size"),
        ("1.5", "invalid page size"),
    ],
)
async def test_a_page_of_nothing_is_a_faulty_request(acme: Customer, size: str, told: str) -> None:
    answer = await acme.ask("GET", f"recordings?page_size={size}")
    assert refused(answer, 404, "faulty_request") == {"message": told}


async def test_without_paging_all_of_the_window_comes_and_no_keys(world: World, acme: Customer) -> None:
    made = await kept(world, acme, 60)
    answer = await acme.ask("GET", f"recordings?{AROUND}&paginate=false&page_size=5")
    assert calls(data(answer)) == made[::-1]
    assert not {"page_size", "start_key", "next_start_key"} & set(answer.json)


@pytest.mark.parametrize("query", ["is_chunked=true", "is_chunked=true&chunk_size=20", "page_size=5000"])
async def test_a_streamed_list_is_the_same_list(world: World, acme: Customer, query: str) -> None:
    made = await kept(world, acme, 20)
    whole = await acme.ask("GET", f"recordings?{AROUND}&{query}")
    assert calls(data(whole)) == (made[::-1] if "page_size" in query else made[::-1][:50])
    assert whole.json["page_size"] == 20
    assert await walked(acme, "is_chunked=true&page_size=6") == [made[::-1][at : at + 6] for at in range(0, 20, 6)]


async def test_a_long_list_comes_chunk_by_chunk_and_whole(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await opened(Settings(archive=Archive(chunk_rows=3), kazoo=Kazoo(rate_limits=False)))
    monkeypatch.setattr(listing, "WHOLE_ROWS", 2)
    owner = await customer(world, "small-chunks")
    made = await kept(world, owner, 11)
    assert calls(await documents(owner, f"{AROUND}&paginate=false")) == made[::-1]
    assert await walked(owner, "page_size=4") == [made[::-1][:4], made[::-1][4:8], made[::-1][8:]]
    assert await walked(owner, "page_size=11") == [made[::-1]]
    assert await walked(owner, "page_size=4&filter_call_id=call-1") == [["call-1"]]
    assert await walked(owner, "page_size=1&filter_not_call_id=call-1") == [
        [call] for call in made[::-1] if call != "call-1"
    ]


# Windows


async def test_a_window_holds_what_was_created_in_it_both_seconds_included(world: World, acme: Customer) -> None:
    made = await kept(world, acme, 3)
    ends = [gregorian(START + number * 60 * SECOND + CLIP.duration_ms) for number in range(3)]
    assert calls(await documents(acme, f"created_from={ends[0]}&created_to={ends[1]}")) == made[1::-1]
    assert calls(await documents(acme, f"created_from={ends[0] + 1}&created_to={ends[1] - 1}")) == []
    assert calls(await documents(acme, f"created_from={ends[2]}&created_to={ends[2]}")) == made[2:]


async def test_the_window_is_the_last_31_days_and_an_hour_unless_given(world: World, acme: Customer) -> None:
    now = now_ms()
    for call, age_s in (("new", 60), ("month", MONTH_S - 60), ("old", MONTH_S + 60)):
        await world.keep(acme.tenant, now - age_s * SECOND, duration_ms=0, state=State.KEPT, call_key=call)
    assert calls(data(await acme.ask("GET", "recordings"))) == ["new", "month"]
    # what is no number is as good as none
    assert calls(data(await acme.ask("GET", "recordings?created_from=x&created_to=0"))) == ["new", "month"]


@pytest.mark.parametrize(
    ("since", "to", "cause"), [(100, 100 + MONTH_S + 1, 100 + MONTH_S + 1), (200, 100, 200), (1, 10**30, 10**18)]
)
async def test_a_window_too_wide_or_upside_down_is_told_with_its_cause(
    acme: Customer, since: int, to: int, cause: int
) -> None:
    answer = await acme.ask("GET", f"recordings?created_from={since}&created_to={to}")
    told = refused(answer, 400, "validation error")
    assert told["created_from"]["date_range"]["cause"] == cause
    assert told["created_from"]["date_range"]["message"]


# Filters, fields


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("filter_call_id=call-1", ["call-1"]),
        ("filter_not_call_id=call-1", ["call-2", "call-0"]),
        ('filter_call_id=["call-0","call-2"]', ["call-2", "call-0"]),
        ("filter_custom_channel_vars.Queue-ID=101", ["call-2", "call-1", "call-0"]),
        ("filter_custom_channel_vars.Queue-ID=102", []),
        ("filter_direction=outbound&filter_call_id=call-2", ["call-2"]),
        ("has_key=owner_id", []),
        ("key_missing=owner_id", ["call-2", "call-1", "call-0"]),
        ("has_value=from", ["call-2", "call-1", "call-0"]),
        ("filter_pvt_type=call_recording", ["call-2", "call-1", "call-0"]),
        ("filter_duration=6", []),
        ('filter_any_call_id=["call-0"]', ["call-0"]),
        ('filter_none_call_id=["call-0"]', ["call-2", "call-1"]),
        ("_=1700000000000&unknown=1", ["call-2", "call-1", "call-0"]),
    ],
)
async def test_filters_look_at_any_key_of_the_document(
    world: World, acme: Customer, query: str, found: list[str]
) -> None:
    await kept(world, acme, 3, skill="Sales", skill_id="101", direction="inbound")
    assert calls(await documents(acme, query.replace('"', "%22"))) == found


async def test_a_filtered_list_is_read_on_until_its_page_is_full(world: World, acme: Customer) -> None:
    for number in range(12):
        at = START + number * 60 * SECOND
        await world.keep(acme.tenant, at, state=State.KEPT, call_key=f"call-{number}", skill="s" if number % 3 else "t")
    pages = await walked(acme, "page_size=2&filter_custom_channel_vars.Queue-ID=t")
    assert pages == [["call-9", "call-6"], ["call-3", "call-0"]]


async def test_only_the_fields_asked_for_are_shown_and_the_id(world: World, acme: Customer) -> None:
    await kept(world, acme, 1)
    fields = text('["name","custom_channel_vars.Account-ID","nothing"]')
    (shown,) = await documents(acme, f"fields={fields}")
    assert set(shown) == {"id", "name", "custom_channel_vars"}
    assert shown["custom_channel_vars"] == {"Account-ID": acme.account.id}
    assert refused(await acme.ask("GET", "recordings?fields=x"), 400, "validation error")["fields"]


# Users


async def test_a_users_list_holds_that_users_recordings(world: World, acme: Customer) -> None:
    bill = await acme.user("bill", agent_login="bill")
    ann = await acme.user("ann", agent_extension="7")
    eve = await acme.user("eve", agent_name="Eve Stone")
    await world.keep(acme.tenant, START, state=State.KEPT, call_key="bill", agent_login="bill", agent_extension="7")
    await world.keep(acme.tenant, START + 1, state=State.KEPT, call_key="ann", agent_login="other", agent_extension="7")
    await world.keep(
        acme.tenant, START + 2, state=State.KEPT, call_key="eve", agent_name="Eve Stone", agent_extension="9"
    )
    await world.keep(acme.tenant, START + 3, state=State.KEPT, call_key="nobody", agent_name="Eve Stones")
    theirs = wire.recording_of(
        {"id": "202402-x", "start": gregorian(START), "duration_ms": 1, "call_id": "kazoo", "owner_id": ann.id},
        acme.tenant.id,
    )
    await world.archive.keep(theirs)
    for user, found in ((bill, ["bill"]), (ann, ["ann", "kazoo"]), (eve, ["eve"])):
        shown = data(await acme.ask("GET", f"users/{user.id}/recordings?{AROUND}"))
        assert calls(shown) == found
        assert {each["owner_id"] for each in shown} == {user.id}


@pytest.mark.parametrize("user", ["f" * 32, "x", "call-0"])
async def test_a_user_nobody_is_has_no_list(acme: Customer, user: str) -> None:
    told = refused(await acme.ask("GET", f"users/{user}/recordings"), 404, "bad_identifier")
    assert told == {"cause": user, "message": "bad identifier"}


# What is listed


async def test_a_document_without_media_is_listed_until_it_is_removed(world: World, acme: Customer) -> None:
    for number, state in enumerate(State):
        at = START + number * SECOND
        recording: Recording = await world.keep(acme.tenant, at, state=State.KEPT, call_key=state.name)
        if state is State.REMOVED:
            await world.archive.remove(acme.tenant.id, recording.id)
        elif state is not State.KEPT:
            await world.archive.database.write(_put(recording, state))
    shown = {each["call_id"]: each["_read_only"]["content_types"] for each in await documents(acme)}
    assert shown == {
        "KEPT": ["audio/mpeg"], "PENDING": [], "LOST_TO_SPACE": [], "LOST_TO_AGE": [], "LOST": [],
    }  # fmt: skip


def _put(recording: Recording, state: State) -> Any:
    async def work(transaction: Any) -> None:
        sql = "UPDATE recordings SET state = $3 WHERE tenant = $1 AND id = $2"
        await transaction.execute(sql, recording.tenant, recording.id.bytes, int(state))

    return work


async def test_a_restricted_reader_lists_what_that_reader_may_see(world: World) -> None:
    reader = await customer(world, "small", grant=restricted(["Ann Lee"]))
    await world.keep(reader.tenant, state=State.KEPT, call_key="hers", agent_name="Ann Lee")
    await world.keep(reader.tenant, state=State.KEPT, call_key="his", agent_name="Bob Roy")
    assert calls(await documents(reader)) == ["hers"]


async def test_an_empty_list_is_a_list(acme: Customer) -> None:
    answer = await acme.ask("GET", f"recordings?{AROUND}")
    assert data(answer) == []
    assert answer.json["page_size"] == 0
    assert not {"revision", "start_key", "next_start_key"} & set(answer.json)


# Revisions


async def test_a_list_that_has_not_changed_is_not_sent_again(world: World, acme: Customer) -> None:
    await kept(world, acme, 2)
    first = await acme.ask("GET", f"recordings?{AROUND}")
    etag = first.headers["etag"]
    assert etag == f'W/"{first.json["revision"]}"'
    again = await acme.ask("GET", f"recordings?{AROUND}", If_None_Match=etag)
    assert (again.status, again.body) == (304, b"")
    await world.keep(acme.tenant, START + 5, state=State.KEPT)
    assert (await acme.ask("GET", f"recordings?{AROUND}", If_None_Match=etag)).status == 200


async def test_a_page_that_gets_a_next_one_is_another_page(world: World, acme: Customer) -> None:
    await kept(world, acme, 2)
    first = await acme.ask("GET", f"recordings?{AROUND}&ascending=true&page_size=2")
    assert "next_start_key" not in first.json
    await world.keep(acme.tenant, START + 3_600_000, state=State.KEPT)
    again = await acme.ask(
        "GET", f"recordings?{AROUND}&ascending=true&page_size=2", If_None_Match=first.headers["etag"]
    )
    assert again.status == 200
    assert "next_start_key" in again.json


@pytest.mark.parametrize("query", ["paginate=false", "is_chunked=true", "page_size=2000"])
async def test_jsonp_wraps_a_streamed_list_too(world: World, acme: Customer, query: str) -> None:
    await kept(world, acme, 2)
    answer = await acme.ask("GET", f"recordings?{AROUND}&{query}&jsonp=got")
    assert answer.headers["content-type"] == "application/javascript"
    assert answer.body.startswith(b"got(")
    assert answer.body.endswith(b");")
    assert len(json.loads(answer.body[4:-2])["data"]) == 2


async def test_a_filtered_list_is_not_read_on_once_its_client_has_left(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await opened(Settings(archive=Archive(chunk_rows=1), kazoo=Kazoo(rate_limits=False)))
    owner = await customer(world, "patient")
    await kept(world, owner, 30)
    read, reads = world.archive.page_by_end, list[None]()

    async def slow(*asked: Any) -> Any:
        reads.append(None)
        await asyncio.sleep(0.02)
        return await read(*asked)

    async def begun() -> bool:
        return len(reads) > 1

    monkeypatch.setattr(world.archive, "page_by_end", slow)
    for accept in ("application/json", "text/csv"):
        reads.clear()
        target = f"/v2/accounts/{owner.account.id}/recordings?{AROUND}&filter_call_id=none&page_size=1"
        sent = {"Host": "x", "X-Auth-Token": owner.token, "Accept": accept}
        _, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(request_bytes("GET", target, sent))
        await until(begun)
        writer.close()
        await asyncio.sleep(0.2)
        ended = len(reads)
        await asyncio.sleep(0.2)
        assert len(reads) == ended < 25


# CSV


@pytest.mark.parametrize("asked", [{"Accept": "text/csv"}, {"Accept": "application/octet-stream"}, {}])
@pytest.mark.parametrize("query", ["", "paginate=false&", "page_size=2&"])
async def test_a_list_as_csv_has_the_same_documents(
    world: World, acme: Customer, asked: dict[str, str], query: str
) -> None:
    await kept(world, acme, 3, skill="Sales")
    parameter = "" if asked else "&accept=csv"
    answer = await acme.ask("GET", f"recordings?{query}{AROUND}{parameter}", **asked)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/csv")
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    shown = await documents(acme, f"{query}{AROUND}")
    assert [row["id"] for row in rows] == [each["id"] for each in shown]
    assert [row["custom_channel_vars_Queue-ID"] for row in rows] == ["Sales"] * len(shown)
    assert [int(row["duration_ms"]) for row in rows] == [each["duration_ms"] for each in shown]
    assert [json.loads(row["_read_only_content_types"]) for row in rows] == [["audio/mpeg"]] * len(shown)


async def test_an_empty_list_as_csv_has_an_empty_body(acme: Customer) -> None:
    answer = await acme.ask("GET", f"recordings?{AROUND}", Accept="text/csv", X_File_Name="mine.csv")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-disposition"] == 'attachment; filename="mine.csv"'
