"""Events over HTTP: durable and once each, bad lines named beside good ones, whatever the body is."""

import asyncio
import contextlib
import http.client
import json
import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.activity.making import NEAR, agent_events, call_events, of_agent, second, told
from tests.native.reporting import CALL, EVENTS, EVER, calls, keys, lines, receipt, report
from tests.server.harness import EVERYTHING, Answer, World, connected, refused, request_bytes, until

from voxkeep.activity import Activity, AgentKind, BadLine, Batch, CallKind, Event, parse
from voxkeep.activity.lines import line_of
from voxkeep.archive.model import Tenant
from voxkeep.database import Transaction
from voxkeep.native import events as events_module
from voxkeep.native.events import MOST_BYTES, MOST_LINES, MOST_TOLD, pieces
from voxkeep.server.background import background

ANY_EVENTS = st.lists(st.one_of(call_events(NEAR), agent_events(NEAR)), max_size=12, unique_by=lambda event: event.id)

# What is taken


async def test_events_are_there_once_they_are_answered_and_after_a_restart(
    world: World, acme: Tenant, token: str
) -> None:
    assert await receipt(world, token, lines(CALL)) == {"taken": 7, "known": 0, "late": 0, "bad": [], "untold": 0}
    (call,) = await calls(world, acme)
    assert (call.began_at, call.ended_at, call.events) == (second(0), second(120), tuple(CALL))
    await world.restart()
    assert await calls(world, acme) == [call]


async def test_events_of_agents_come_the_same_way(world: World, acme: Tenant, token: str) -> None:
    assert (await receipt(world, token, lines([of_agent(0, AgentKind.READY)])))["taken"] == 1
    spans = [spans async for spans in Activity(world.archive).agent_spans(acme.id, EVER)]
    assert [[(span.agent.key, span.kind) for span in each] for each in spans] == [[("201", AgentKind.READY)]]


async def test_what_comes_again_is_known_and_changes_nothing(world: World, acme: Tenant, token: str) -> None:
    await receipt(world, token, lines(CALL[:4]))
    before = await calls(world, acme)
    other = told(99, CallKind.BUSY, id=CALL[0].id)
    again = await receipt(world, token, lines([other, *CALL[:4], CALL[0]]))
    assert (again["taken"], again["known"]) == (0, 6)
    assert await calls(world, acme) == before
    rest = await receipt(world, token, lines(CALL))
    assert (rest["taken"], rest["known"]) == (3, 4)


async def test_what_is_over_an_hour_late_is_taken_and_counted(world: World, acme: Tenant, token: str) -> None:
    newest, late = told(7200, CallKind.RINGING, call="new"), told(0, CallKind.RINGING, call="old")
    found = await receipt(world, token, lines([newest, late]))
    assert (found["taken"], found["late"]) == (2, 1)
    assert sorted(await keys(world, acme)) == ["new", "old"]


async def test_a_bad_line_is_named_and_its_neighbours_are_kept(world: World, acme: Tenant, token: str) -> None:
    good = [line_of(event) for event in CALL[:3]]
    bad = [
        b'{"kind": "singing", "id": "1", "at": 0, "call": "c"}',
        b'{"kind": "ringing", "id": "1", "at": 0, "call": "c", "colour": "red"}',
        b'{"kind": "ringing", "at": 0, "call": "c"}',
        b"nonsense",
        b"\xff\xfe",
    ]
    body = b"\r\n".join([good[0], bad[0], b"", bad[1], good[1], bad[2], bad[3], bad[4], good[2], b""])
    found = await receipt(world, token, body)
    assert (found["taken"], found["known"], found["untold"]) == (3, 0, 0)
    assert [(each["line"], each["field"]) for each in found["bad"]] == [
        (2, "kind"), (4, "colour"), (6, "id"), (7, ""), (8, ""),
    ]  # fmt: skip
    assert found["bad"][0]["reason"] == "no kind of event is called 'singing'"
    (call,) = await calls(world, acme)
    assert call.events == tuple(CALL[:3])


async def test_a_thousand_bad_lines_are_named_and_the_rest_is_counted(world: World, acme: Tenant, token: str) -> None:
    body = b"\n".join([b"x"] * (MOST_TOLD + 7) + [lines(CALL)])
    found = await receipt(world, token, body)
    assert [each["line"] for each in found["bad"]] == list(range(1, MOST_TOLD + 1))
    assert (found["untold"], found["taken"]) == (7, 7)
    assert await keys(world, acme) == ["c"]


async def test_a_made_up_field_is_told_back_in_part_alone(world: World, token: str) -> None:
    field = "x" * 50_000
    body = json.dumps({"kind": "ringing", "id": "1", "at": 0, "call": "c", field: 1}).encode()
    (bad,) = (await receipt(world, token, b"\n".join([lines(CALL), body])))["bad"]
    assert bad == {"line": 8, "field": "x" * 80 + "...", "reason": "there is no such field"}
    assert len(refused(await report(world, token, body), 400)) < 200


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/x-www-form-urlencoded", "text/plain"])
async def test_any_content_type_will_do(world: World, token: str, content_type: str) -> None:
    answer = await report(world, token, lines(CALL), Content_Type=content_type)
    assert (answer.status, answer.json["taken"]) == (200, 7)


async def test_a_body_without_a_length_is_taken_too(world: World, token: str) -> None:
    body = lines(CALL)
    headers = {"Host": "x", "Connection": "close", "Authorization": f"Bearer {token}", "Transfer-Encoding": "chunked"}
    chunks = [body[at : at + 100] for at in range(0, len(body), 100)]
    coded = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
    answer = await world._exchange("POST", request_bytes("POST", EVENTS, headers) + coded)
    assert answer.json["taken"] == 7


# Any bytes


@settings(max_examples=40)
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"\xef\xbb\xbf", b"{}", b"[" * 5000]))))
@example([b"\xef\xbb\xbf"])
async def test_any_bytes_are_answered_and_every_line_is_accounted_for(
    world: World, token: str, pieces_of: list[bytes]
) -> None:
    body = b"\n".join(pieces_of)
    answer = await report(world, token, body)
    read = parse(body)
    if answer.status == 400:
        assert refused(answer, 400)
        assert not read.events
    else:
        assert answer.status == 200
        assert answer.json["taken"] + answer.json["known"] == len(read.events)
        assert len(answer.json["bad"]) == len(read.bad)


@settings(max_examples=40)
@given(ANY_EVENTS.filter(bool), st.lists(st.tuples(st.integers(0, 12), st.binary(max_size=30)), max_size=8), st.data())
async def test_good_lines_are_kept_whatever_stands_between_them(
    world: World, events: list[Event], between: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    tenant, token = await fresh(world)
    lined = [line_of(event) for event in events]
    for place, junk in between:
        lined.insert(place, b"#" + junk.replace(b"\n", b""))
    sent = data.draw(st.sampled_from([b"\n", b"\r\n"])).join(lined)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(events_module, "PIECE_BYTES", data.draw(st.integers(1, 300)))
        found = await receipt(world, token, sent)
    assert (found["taken"], found["known"]) == (len(events), 0)
    assert [each["line"] for each in found["bad"]] == [
        number for number, line in enumerate(lined, start=1) if line.startswith(b"#")
    ]
    activity = Activity(world.archive)
    for key in {event.call for event in events if not hasattr(event, "reason")}:
        call = await activity.call(tenant.id, key)
        assert call is not None
        assert {each.id for each in call.events} == {each.id for each in events if getattr(each, "call", None) == key}


async def fresh(world: World) -> tuple[Tenant, str]:
    """Return one more tenant, and the token of its own service user."""
    name = f"tenant-{len((await world.access.known()).by_id)}"
    tenant = await world.tenant(name)
    return tenant, await world.token(tenant, name=name)


@given(st.lists(st.sampled_from([b"\n", b"\r\n", b"a", b"bb", b"\xef\xbb\xbf", b" "])).map(b"".join), st.integers(1, 9))
def test_pieces_read_on_their_own_are_the_lines_of_the_whole(body: bytes, size: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(events_module, "PIECE_BYTES", size)
        cut = list(pieces(body))
    assert b"".join(piece for _, piece in cut) == body
    bad = [BadLine(before + each.line, each.field, each.reason) for before, piece in cut for each in parse(piece).bad]
    assert bad == parse(body).bad


# Nothing to take, and too much


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body holds no event"),
        (b"\r\n \n\n", "The body holds no event"),
        (b"\xef\xbb\xbf", "The body holds no event"),
        (b'\n{"kind": "singing"}', "No event could be read; line 2: kind: no kind of event is called 'singing'"),
        (b"x\ny\nz", "No event could be read; line 1: JSON is malformed"),
    ],
)
async def test_400_when_nothing_can_be_read_at_all(world: World, token: str, body: bytes, message: str) -> None:
    found = refused(await report(world, token, body), 400)
    assert found.startswith(message)
    assert found.endswith(" (2 more are bad)") == (body.count(b"\n") == 2 and b"x" in body)


async def test_413_for_more_bytes_whether_they_are_announced_or_not(world: World, acme: Tenant, token: str) -> None:
    most = lines(CALL)
    most += b"\n" + b" " * (MOST_BYTES - len(most) - 1)
    # of a line that is too long the rest is not read: spaces are no event, and too many of them are a bad line
    found = await receipt(world, token, most)
    assert (found["taken"], [bad["line"] for bad in found["bad"]]) == (7, [8])
    message = f"The request body is larger than {MOST_BYTES} bytes"
    again = b"\n".join([line_of(told(0, CallKind.RINGING, call="d")), most])
    for body in (again, iter([again])):
        assert refused(await asyncio.to_thread(as_clients_do, world.port, token, body), 413) == message
    assert await keys(world, acme) == ["c"]


def as_clients_do(port: int, token: str, body: bytes | Iterator[bytes]) -> Answer:
    """Send a body, in chunks if it is an iterator, and then look for the answer."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("POST", EVENTS, body, {"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


async def test_a_client_that_asks_before_it_sends_too_much_is_spared_the_sending(world: World, token: str) -> None:
    headers = {"Host": "x", "Connection": "close", "Authorization": f"Bearer {token}", "Expect": "100-continue"}
    request = request_bytes("POST", EVENTS, headers | {"Content-Length": str(MOST_BYTES + 1)})
    async with asyncio.timeout(20):
        refused(await world._exchange("POST", request), 413)


async def test_413_for_more_lines_and_nothing_of_them_is_kept(world: World, acme: Tenant, token: str) -> None:
    whole = b"\n" * (MOST_LINES - len(CALL)) + lines(CALL)
    message = f"The request body has more than {MOST_LINES} lines"
    assert refused(await report(world, token, b"\n" + whole), 413) == message
    assert await keys(world, acme) == []
    assert (await receipt(world, token, whole + b"\n"))["taken"] == 7


async def test_415_for_a_coded_body(world: World, acme: Tenant, token: str) -> None:
    answer = await report(world, token, lines(CALL), Content_Encoding="gzip")
    assert "Content-Encoding" in refused(answer, 415)
    assert answer.headers["accept-encoding"] == "identity"
    assert await keys(world, acme) == []
    assert (await report(world, token, lines(CALL), Content_Encoding="Identity")).status == 200


async def test_of_a_batch_that_breaks_off_nothing_is_kept(
    world: World, acme: Tenant, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = lines(CALL)
    headers = {"Host": "x", "Authorization": f"Bearer {token}", "Content-Length": str(len(body) + 1)}
    caplog.set_level(logging.INFO)
    with connected(world.port) as connection:
        connection.sendall(request_bytes("POST", EVENTS, headers) + body)
        await asyncio.sleep(0.05)

    async def noticed() -> bool:
        return "broke off" in caplog.text

    await until(noticed)
    assert "Traceback" not in caplog.text
    assert await keys(world, acme) == []
    assert await world.audited() == []


async def test_503_when_the_disk_is_full_and_the_batch_may_come_again(world: World, acme: Tenant, token: str) -> None:
    body = lines([told(at, CallKind.HOLD, call=f"c{at}", party="1" * 200) for at in range(3000)])

    async def pages(limit: int) -> None:
        async def work(transaction: Transaction) -> None:
            await transaction.rows(f"PRAGMA max_page_count = {limit}")

        await world.archive.database.write(work)

    await pages(1)  # as many as there are
    answer = await report(world, token, body)
    refused(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    await pages(2**30)
    found = await receipt(world, token, body)
    assert found["taken"] + found["known"] == len(await keys(world, acme)) == 3000


async def test_other_requests_are_answered_while_a_batch_is_read(
    world: World, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()

    def read_once_another_is_answered(piece: bytes) -> Batch:
        assert answered.wait(20)
        return parse(piece)

    monkeypatch.setattr(events_module, "parse", read_once_another_is_answered)
    batch = asyncio.create_task(report(world, token, lines(CALL)))
    for _ in range(20):
        assert (await world.ask("GET", "/healthz")).status == 200
    assert not batch.done()
    answered.set()
    assert (await batch).json["taken"] == 7


# A real client


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
async def test_curl_sends_a_file_as_it_is_also_one_that_it_asks_about_first(
    world: World, acme: Tenant, token: str, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    events = [told(at, CallKind.HOLD, call=f"c{at}", party="1" * 150) for at in range(5000)]
    file.write_bytes(lines(events) + b"\n")
    assert file.stat().st_size > 1 << 20  # from there on it sends Expect: 100-continue
    command = ["curl", "-sS", "--data-binary", f"@{file}", "-H", f"Authorization: Bearer {token}"]
    process = await asyncio.create_subprocess_exec(
        *command, f"http://127.0.0.1:{world.port}{EVENTS}", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert json.loads(output) == {"taken": 5000, "known": 0, "late": 0, "bad": [], "untold": 0}
    assert len(await keys(world, acme)) == 5000


async def test_a_call_that_is_over_stands_in_the_call_list_soon(world: World, token: str) -> None:
    await receipt(world, token, lines(CALL))

    async def listed() -> bool:
        answer = await world.get(f"call-recording-info?{EVERYTHING}", token)
        return [call["callKey"] for call in answer.json] == [CALL[0].call]

    assert not await listed()
    async with background(world.archive, world.running.activity):
        await until(listed)
    (call,) = (await world.get(f"call-recording-info?{EVERYTHING}", token)).json
    assert (call["startTime"], call["endTime"]) == (second(0), second(120))
