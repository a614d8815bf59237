from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.web.lists import PIECE_BYTES, send_json_array, send_pieces

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send
    from tests.web.conftest import Recorder, Server


async def chunked(*chunks: list[Any]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield msgspec.json.encode(chunk)


class Failing:
    """Gives one chunk and then fails; a plain iterator without `aclose`."""

    def __init__(self, *chunks: bytes) -> None:
        self.left = list(chunks)

    def __aiter__(self) -> Failing:
        return self

    async def __anext__(self) -> bytes:
        if not self.left:
            raise RuntimeError("the scan broke")
        return self.left.pop(0)


async def test_chunks_become_one_array(recorder: Recorder) -> None:
    assert await send_json_array(recorder, chunked([1, {"a": [2]}], ["]["], [None]))
    assert recorder.status == 200
    assert recorder.headers == {b"content-type": b"application/json"}
    assert recorder.body == b'[1,{"a":[2]},"][",null]'


async def test_no_chunks_are_an_empty_array(recorder: Recorder) -> None:
    assert await send_json_array(recorder, chunked())
    assert recorder.body == b"[]"
    assert len(recorder.messages) == 2


async def test_empty_chunks_leave_no_comma(recorder: Recorder) -> None:
    await send_json_array(recorder, chunked([], [1], [], [2], []))
    assert recorder.body == b"[1,2]"


async def test_a_named_list_is_the_one_field_of_an_object(recorder: Recorder) -> None:
    await send_json_array(recorder, chunked([1], [2]), name="recordings")
    assert recorder.body == b'{"recordings":[1,2]}'


async def test_an_empty_named_list_parses(recorder: Recorder) -> None:
    await send_json_array(recorder, chunked([]), name="recordings")
    assert json.loads(recorder.body) == {"recordings": []}


async def test_every_chunk_is_one_message(recorder: Recorder) -> None:
    await send_json_array(recorder, chunked([1], [2], [3]), [(b"x-a", b"b")])
    assert [message["body"] for message in recorder.messages[1:]] == [b"[1", b",2", b",3", b"]"]
    assert [message["more_body"] for message in recorder.messages[1:]] == [True, True, True, False]
    assert recorder.headers[b"x-a"] == b"b"


async def test_an_error_before_the_first_chunk_leaves_the_status_open(recorder: Recorder) -> None:
    with pytest.raises(RuntimeError, match="the scan broke"):
        await send_json_array(recorder, Failing())
    assert recorder.messages == []


async def test_an_error_in_mid_list_never_ends_the_list(recorder: Recorder) -> None:
    with pytest.raises(RuntimeError, match="the scan broke"):
        await send_json_array(recorder, Failing(b"[1]", b"[2]"))
    assert recorder.body == b"[1,2"
    assert recorder.messages[-1]["more_body"] is True


async def test_a_client_that_leaves_ends_the_scan(recorder: Recorder) -> None:
    left = asyncio.Event()
    closed = []

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def scan() -> AsyncIterator[bytes]:
        try:
            for number in range(100):
                if number == 3:
                    left.set()
                await asyncio.sleep(0)
                yield b"[%d]" % number
        finally:
            closed.append(True)

    assert not await send_json_array(recorder, scan(), receive=receive)
    assert closed == [True]
    assert len(recorder.messages) < 10
    assert recorder.messages[-1]["more_body"] is True


async def test_the_scan_is_ended_when_sending_fails() -> None:
    closed = []

    async def scan() -> AsyncIterator[bytes]:
        try:
            yield b"[1]"
            yield b"[2]"
        finally:
            closed.append(True)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await send_json_array(send, scan())
    assert closed == [True]


def test_the_first_bytes_arrive_while_the_scan_runs(server: Server) -> None:
    import threading  # noqa: PLC0415 - this test alone meets the scan's thread

    more = threading.Event()

    async def scan() -> AsyncIterator[bytes]:
        yield b"[1,2]"
        await asyncio.to_thread(more.wait, 20)
        yield b"[3]"

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await send_json_array(send, scan(), receive=receive)

    server.app = app
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert response.read(4) == b"[1,2"
    more.set()
    assert response.read() == b",3]"
    connection.close()
    server.wait()


def test_half_a_list_over_http_is_an_aborted_connection(server: Server) -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await send_json_array(send, Failing(b"[1]"), receive=receive)

    server.app = app
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/")
    response = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()


ITEMS = st.lists(st.lists(st.none() | st.integers(-(2**53), 2**53) | st.text() | st.lists(st.booleans())))


@given(ITEMS, st.none() | st.just("items"))
def test_any_chunks_parse_to_their_items(chunks: list[list[Any]], name: str | None) -> None:
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    asyncio.run(send_json_array(send, chunked(*chunks), name=name))
    parsed = msgspec.json.decode(b"".join(sent))
    assert (parsed if name is None else parsed[name]) == [item for chunk in chunks for item in chunk]


# A document piece by piece


async def pieces(*texts: bytes) -> AsyncIterator[bytes]:
    for text in texts:
        yield text


HEADERS = [(b"content-type", b"application/xml"), (b"x-a", b"b")]
LONG = b"x" * PIECE_BYTES


async def test_a_short_document_is_one_message_with_its_length(recorder: Recorder) -> None:
    assert await send_pieces(recorder, pieces(b"<a>", b"", b"</a>"), HEADERS)
    assert recorder.status == 200
    assert recorder.headers == dict(HEADERS) | {b"content-length": b"7"}
    assert [message["body"] for message in recorder.messages[1:]] == [b"<a></a>"]


async def test_a_document_of_no_pieces_is_an_empty_body(recorder: Recorder) -> None:
    assert await send_pieces(recorder, pieces(), HEADERS)
    assert (recorder.headers[b"content-length"], recorder.body) == (b"0", b"")


async def test_a_long_document_is_sent_as_it_comes(recorder: Recorder) -> None:
    assert await send_pieces(recorder, pieces(b"a", LONG, b"b", b"c"), HEADERS)
    assert recorder.headers == dict(HEADERS)
    assert [len(message["body"]) for message in recorder.messages[1:]] == [PIECE_BYTES + 1, 1, 1, 0]
    assert [message["more_body"] for message in recorder.messages[1:]] == [True, True, True, False]
    assert recorder.body == b"a" + LONG + b"bc"


async def test_headers_are_asked_for_when_a_short_document_is_whole(recorder: Recorder) -> None:
    told: list[bytes] = []

    async def telling() -> AsyncIterator[bytes]:
        told.append(b"begun")
        yield b"a"
        told.append(b"ended")

    assert await send_pieces(recorder, telling(), ((b"x-told", each) for each in told))
    assert [value for name, value in recorder.messages[0]["headers"] if name == b"x-told"] == [b"begun", b"ended"]


async def test_an_error_before_much_of_a_document_leaves_the_status_open(recorder: Recorder) -> None:
    with pytest.raises(RuntimeError, match="the scan broke"):
        await send_pieces(recorder, Failing(b"<a>", b"<b>"), HEADERS)
    assert recorder.messages == []


async def test_an_error_in_mid_document_never_ends_it(recorder: Recorder) -> None:
    with pytest.raises(RuntimeError, match="the scan broke"):
        await send_pieces(recorder, Failing(LONG, b"<b>"), HEADERS)
    assert recorder.messages[-1]["more_body"] is True


async def test_a_client_that_leaves_ends_a_document(recorder: Recorder) -> None:
    left, closed = asyncio.Event(), []

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def reading() -> AsyncIterator[bytes]:
        try:
            yield LONG
            left.set()
            for _ in range(100):
                await asyncio.sleep(0)
                yield b"x"
        finally:
            closed.append(True)

    assert not await send_pieces(recorder, reading(), HEADERS, receive=receive)
    assert closed == [True]
    assert len(recorder.messages) < 10


async def test_reading_is_ended_when_sending_a_document_fails() -> None:
    closed = []

    async def reading() -> AsyncIterator[bytes]:
        try:
            yield LONG
            yield LONG
        finally:
            closed.append(True)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await send_pieces(send, reading(), HEADERS)
    assert closed == [True]


@given(st.lists(st.binary(max_size=10) | st.just(LONG), max_size=6))
def test_any_pieces_are_sent_whole(texts: list[bytes]) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    assert asyncio.run(send_pieces(send, pieces(*texts), HEADERS))
    assert b"".join(message.get("body", b"") for message in sent) == b"".join(texts)
    assert sent[-1]["more_body"] is False
