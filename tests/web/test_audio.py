from __future__ import annotations

import asyncio
import email
import email.policy
import http.client
import os
import random
import socket
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from voxkeep.web import reading
from voxkeep.web.audio import SINGLE_MESSAGE_BYTES, Plan, deliver, plan, send_audio
from voxkeep.web.errors import TruncatedBodyError
from voxkeep.web.reading import CHUNK_BYTES, AudioBody
from voxkeep.web.zerocopy import ZeroCopy

if TYPE_CHECKING:
    from tests.web.conftest import Recorder, Server

TAG = '"' + "ab" * 32 + '"'
SMALL = random.Random(1).randbytes(100_000)  # noqa: S311 - sample bytes
LARGE = random.Random(2).randbytes(SINGLE_MESSAGE_BYTES + 2 * CHUNK_BYTES + 12_345)  # noqa: S311 - sample bytes


class FileBody:
    """A body in a real file, as a local vault's reader gives it."""

    def __init__(self, path: Path, etag: str = "ab" * 32) -> None:
        self._file = path.open("rb", buffering=0)
        self.size = path.stat().st_size
        self.etag = etag

    def fileno(self) -> int | None:
        return self._file.fileno()

    async def pread(self, offset: int, length: int) -> bytes:
        raise AssertionError((offset, length), "a body with a descriptor is read by it")

    def close(self) -> None:
        self._file.close()


class MemoryBody:
    """A body without a descriptor, as one in a bucket."""

    def __init__(self, data: bytes, etag: str = "ab" * 32) -> None:
        self.data = data
        self.size = len(data)
        self.etag = etag

    def fileno(self) -> int | None:
        return None

    async def pread(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]


class Answer:
    def __init__(self, response: http.client.HTTPResponse, body: bytes) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = body


class Face:
    """A running server that sends one body, one way, and remembers what the sender said it sent."""

    def __init__(self, server: Server, wrap: Callable[[ASGIApp], ASGIApp], open_body: Callable[[bytes], Any]) -> None:
        self.server = server
        self.wrap = wrap
        self.open_body = open_body
        self.sent: list[int] = []
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)

    def holds(self, data: bytes, **described: Any) -> Any:
        body = self.open_body(data)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            self.sent.append(await send_audio(scope, receive, send, body, media_type="audio/ogg", **described))

        self.server.app = self.wrap(app)
        return body

    def ask(self, method: str = "GET", **headers: str) -> Answer:
        self.connection.request(method, "/", headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = self.connection.getresponse()
        answer = Answer(response, response.read())
        self.server.wait()
        return answer


def unwrapped(app: ASGIApp) -> ASGIApp:
    return app


@pytest.fixture(params=["zero copy", "file", "no descriptor"])
def face(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[Face]:
    opened: list[FileBody] = []

    def open_file(data: bytes) -> FileBody:
        path = tmp_path / f"{len(opened)}.ogg"
        path.write_bytes(data)
        opened.append(FileBody(path))
        return opened[-1]

    if request.param == "no descriptor":
        made = Face(server, unwrapped, MemoryBody)
    else:
        made = Face(server, ZeroCopy if request.param == "zero copy" else unwrapped, open_file)
    yield made
    made.connection.close()
    for body in opened:
        body.close()
    assert server.raised == []


def test_a_get_gives_the_whole_body(face: Face) -> None:
    face.holds(SMALL)
    answer = face.ask()
    assert answer.status == 200
    assert answer.body == SMALL
    assert answer.headers["Content-Length"] == "100000"
    assert answer.headers["Content-Type"] == "audio/ogg"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["ETag"] == TAG
    assert face.sent == [100_000]


def test_a_large_body_arrives_byte_for_byte(face: Face) -> None:
    face.holds(LARGE)
    answer = face.ask()
    assert answer.body == LARGE
    assert face.sent == [len(LARGE)]


@pytest.mark.parametrize("size", [1, CHUNK_BYTES, SINGLE_MESSAGE_BYTES, SINGLE_MESSAGE_BYTES + 1, 6 * CHUNK_BYTES])
def test_every_size_at_the_edges_arrives_whole(face: Face, size: int) -> None:
    data = (LARGE + LARGE)[:size]
    face.holds(data)
    assert face.ask().body == data
    assert face.sent == [size]


def test_an_empty_body_is_an_empty_200(face: Face) -> None:
    face.holds(b"")
    answer = face.ask()
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "0")
    assert face.sent == [0]


def test_one_connection_serves_many_requests(face: Face) -> None:
    face.holds(LARGE)
    for start in (0, 77, 500_000, len(LARGE) - 1):
        assert face.ask(Range=f"bytes={start}-").body == LARGE[start:]
    assert face.ask("HEAD").body == b""
    assert face.ask().body == LARGE


def test_head_gives_the_headers_of_get_and_no_body(face: Face) -> None:
    face.holds(SMALL)
    get, head = face.ask(), face.ask("HEAD")
    assert head.status == 200
    assert head.body == b""
    assert [pair for pair in head.headers.items() if pair[0] != "date"] == [
        pair for pair in get.headers.items() if pair[0] != "date"
    ]
    assert face.sent == [100_000, 0]


def test_head_ignores_a_range(face: Face) -> None:
    face.holds(SMALL)
    answer = face.ask("HEAD", Range="bytes=0-9")
    assert (answer.status, answer.headers["Content-Length"]) == (200, "100000")


def test_a_single_range_is_a_206(face: Face) -> None:
    face.holds(SMALL)
    answer = face.ask(Range="bytes=100-199")
    assert answer.status == 206
    assert answer.body == SMALL[100:200]
    assert answer.headers["Content-Range"] == "bytes 100-199/100000"
    assert answer.headers["Content-Length"] == "100"
    assert answer.headers["ETag"] == TAG
    assert face.sent == [100]


def test_a_suffix_range_gives_the_end(face: Face) -> None:
    face.holds(SMALL)
    answer = face.ask(Range="bytes=-500")
    assert (answer.status, answer.body) == (206, SMALL[-500:])
    assert answer.headers["Content-Range"] == "bytes 99500-99999/100000"


def test_an_open_range_gives_the_rest(face: Face) -> None:
    face.holds(LARGE)
    answer = face.ask(Range="bytes=1000-")
    assert (answer.status, answer.body) == (206, LARGE[1000:])


def test_an_unsatisfiable_range_is_a_416_naming_the_size(face: Face) -> None:
    face.holds(SMALL)
    answer = face.ask(Range="bytes=100000-")
    assert (answer.status, answer.body) == (416, b"")
    assert answer.headers["Content-Range"] == "bytes */100000"
    assert answer.headers["Content-Length"] == "0"
    assert face.sent == [0]


def test_a_malformed_range_gives_the_whole_body(face: Face) -> None:
    face.holds(SMALL)
    answer = face.ask(Range="bytes=9-5")
    assert (answer.status, answer.body) == (200, SMALL)


def parsed_parts(answer: Answer) -> list[Message]:
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.body, policy=email.policy.HTTP)
    assert message.is_multipart()
    assert not message.defects
    parts = message.get_payload()
    assert isinstance(parts, list)
    return [part for part in parts if isinstance(part, Message)]


def test_several_ranges_are_a_multipart_that_the_email_module_reads(face: Face) -> None:
    text = b"".join(b"%06d " % number for number in range(20_000))
    face.holds(text)
    answer = face.ask(Range="bytes=1000-1099,0-49,-60")
    assert answer.status == 206
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert face.sent == [len(answer.body)]
    parts = parsed_parts(answer)
    assert [part["Content-Range"] for part in parts] == [
        "bytes 0-49/140000",
        "bytes 1000-1099/140000",
        "bytes 139940-139999/140000",
    ]
    assert [part.get_content_type() for part in parts] == ["audio/ogg"] * 3
    assert [part.get_payload(decode=True) for part in parts] == [text[:50], text[1000:1100], text[-60:]]


def test_binary_multipart_holds_each_range_byte_for_byte(face: Face) -> None:
    face.holds(LARGE)
    wanted = [(0, 600_000), (700_000, 1_300_000)]
    answer = face.ask(Range="bytes=" + ",".join(f"{start}-{stop - 1}" for start, stop in wanted))
    rest = answer.body
    for start, stop in wanted:
        head, _, rest = rest.partition(b"\r\n\r\n")
        assert b"bytes %d-%d/%d" % (start, stop - 1, len(LARGE)) in head
        assert rest[: stop - start] == LARGE[start:stop]
        rest = rest[stop - start :]
    boundary = answer.headers["Content-Type"].partition("boundary=")[2]
    assert rest == f"\r\n--{boundary}--\r\n".encode()


def test_a_known_etag_is_a_304_without_body(face: Face) -> None:
    face.holds(SMALL)
    for tags in (TAG, f"W/{TAG}", f'"other", {TAG}', "*"):
        answer = face.ask(If_None_Match=tags, Range="bytes=0-9")
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", TAG)
        assert "Content-Length" not in answer.headers
    assert face.sent == [0] * 4


def test_an_unknown_etag_gives_the_body(face: Face) -> None:
    face.holds(SMALL)
    assert face.ask(If_None_Match='"other"').status == 200


def test_a_range_counts_only_while_if_range_holds(face: Face) -> None:
    face.holds(SMALL)
    assert face.ask(Range="bytes=0-9", If_Range=TAG).body == SMALL[:10]
    assert face.ask(Range="bytes=0-9", If_Range='"old"').body == SMALL
    assert face.ask(Range="bytes=0-9", If_Range=f"W/{TAG}").body == SMALL
    assert face.ask(Range="bytes=0-9", If_Range="Tue, 14 Nov 2023 22:13:20 GMT").body == SMALL


def test_an_if_range_date_is_compared_to_last_modified(face: Face) -> None:
    face.holds(SMALL, last_modified_s=1_700_000_000)
    answer = face.ask(Range="bytes=0-9", If_Range="Tue, 14 Nov 2023 22:13:20 GMT")
    assert (answer.status, answer.body) == (206, SMALL[:10])
    assert answer.headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert face.ask(Range="bytes=0-9", If_Range="Tue, 14 Nov 2023 22:13:21 GMT").status == 200


def test_extra_headers_go_with_the_body(face: Face) -> None:
    face.holds(SMALL, extra_headers=[(b"cache-control", b"private")])
    assert face.ask().headers["Cache-Control"] == "private"
    assert face.ask(If_None_Match="*").headers["Cache-Control"] == "private"


def test_http_1_0_closes_after_the_body(face: Face) -> None:
    face.holds(SMALL)
    with socket.create_connection(("127.0.0.1", face.server.port), 20) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        stream = connection.makefile("rb").read()
    head, _, body = stream.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert body == SMALL


def test_pipelined_requests_are_answered_in_order(face: Face) -> None:
    face.holds(LARGE)
    with socket.create_connection(("127.0.0.1", face.server.port), 20) as connection:
        for start in (0, 5, 900_000):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=%d-\r\n\r\n" % start)
        stream = connection.makefile("rb")
        for start in (0, 5, 900_000):
            head = b"".join(iter(stream.readline, b"\r\n"))
            assert b"bytes %d-" % start in head
            assert stream.read(len(LARGE) - start) == LARGE[start:]


def test_a_slow_reader_gets_every_byte(face: Face) -> None:
    face.holds(LARGE[:SINGLE_MESSAGE_BYTES])
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", face.server.port))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        stream = b"".join(iter(lambda: connection.recv(30_000), b""))
    assert stream.partition(b"\r\n\r\n")[2] == LARGE[:SINGLE_MESSAGE_BYTES]


def test_a_client_that_leaves_in_mid_body_is_not_counted_whole(face: Face) -> None:
    data = LARGE * 16
    face.holds(data)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.connect(("127.0.0.1", face.server.port))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert len(connection.recv(10_000)) > 0
    face.server.wait()
    assert 0 < face.sent[0] < len(data)


@pytest.mark.parametrize("size", [SINGLE_MESSAGE_BYTES // 2, 3 * SINGLE_MESSAGE_BYTES])
def test_a_body_that_is_short_from_the_start_is_never_begun(face: Face, size: int, recorder: Recorder) -> None:
    body = face.holds(bytes(10))
    body.size = size
    answer = planned(body)
    with pytest.raises(TruncatedBodyError):
        asyncio.run(delivered(recorder, answer, body))
    assert recorder.messages == []


def planned(body: AudioBody) -> Plan:
    return plan("GET", [], size=body.size, etag=body.etag, media_type="audio/ogg")


async def delivered(recorder: Recorder, answer: Plan, body: AudioBody) -> int:
    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    return await deliver({"type": "http", "headers": []}, receive, recorder, answer, body)


@pytest.mark.parametrize("wrap", [unwrapped, ZeroCopy], ids=["file", "zero copy"])
def test_a_file_cut_short_in_mid_body_aborts_the_connection(
    server: Server, tmp_path: Path, wrap: Callable[[ASGIApp], ASGIApp]
) -> None:
    path = tmp_path / "cut.ogg"
    path.write_bytes(LARGE * 8)
    body = FileBody(path)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def cutting(message: Any) -> None:
            await send(message)
            if message.get("body"):
                os.truncate(path, 2 * CHUNK_BYTES)

        await send_audio(scope, receive, cutting, body, media_type="audio/ogg")

    server.app = wrap(app)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/")
    with pytest.raises(http.client.IncompleteRead) as caught:
        connection.getresponse().read()
    server.wait()
    assert caught.value.partial == LARGE[: len(caught.value.partial)]
    assert [type(error) for error in server.raised] == [TruncatedBodyError]
    connection.close()
    body.close()


def test_a_file_cut_short_behind_zero_copy_aborts_the_connection(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "cut.ogg"
    path.write_bytes(SMALL)
    body = FileBody(path)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def cutting(message: Any) -> None:
            if message["type"] == "http.response.start":
                os.truncate(path, 1000)
            await send(message)

        await send_audio(scope, receive, cutting, body, media_type="audio/ogg")

    server.app = ZeroCopy(app)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/")
    with pytest.raises(http.client.IncompleteRead) as caught:
        connection.getresponse().read()
    assert caught.value.partial == SMALL[:1000]
    server.wait()
    assert [type(error) for error in server.raised] == [TruncatedBodyError]
    connection.close()
    body.close()


def test_a_file_that_is_not_in_the_page_cache_is_read_in_a_thread(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_arguments: Any) -> int:
        raise BlockingIOError

    face.holds(LARGE)
    monkeypatch.setattr(os, "preadv", missing)
    assert face.ask().body == LARGE
    assert face.ask(Range="bytes=5-99999").body == LARGE[5:100_000]


def test_a_system_without_nowait_reads_in_a_thread(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_NOWAIT", None)
    face.holds(LARGE)
    assert face.ask().body == LARGE
    assert face.ask(Range="bytes=5-99999").body == LARGE[5:100_000]


def test_a_body_partly_in_the_page_cache_is_read_whole(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    def partly(descriptor: int, buffers: list[bytearray], offset: int, flags: int = 0) -> int:
        assert flags
        buffers[0][: len(buffers[0]) // 2] = os.pread(descriptor, len(buffers[0]) // 2, offset)
        return max(1, len(buffers[0]) // 2)

    face.holds(LARGE)
    monkeypatch.setattr(os, "preadv", partly)
    assert face.ask().body == LARGE


@pytest.mark.parametrize("fault", [BlockingIOError(11, "no room"), OSError(22, "not a file it can read")])
def test_what_sendfile_cannot_do_goes_the_ordinary_way(
    face: Face, monkeypatch: pytest.MonkeyPatch, fault: OSError
) -> None:
    def failing(*_arguments: Any) -> int:
        raise fault

    monkeypatch.setattr(os, "sendfile", failing)
    face.holds(SMALL)
    assert face.ask().body == SMALL
    assert face.ask().body == SMALL


def test_what_is_planned_is_known_before_the_first_byte() -> None:
    def of(method: str, *headers: tuple[bytes, bytes]) -> Plan:
        return plan(method, headers, size=1000, etag="a", media_type="audio/ogg")

    single, several = (b"range", b"bytes=0-9"), (b"range", b"bytes=0-9,500-509")
    known, behind = (b"if-none-match", b'"a"'), (b"range", b"bytes=1000-")
    seen = [
        (answer.status, answer.takes_slot, answer.length_bytes)
        for answer in (
            of("GET"),
            of("GET", single),
            of("HEAD"),
            of("HEAD", single),
            of("GET", known),
            of("GET", behind),
        )
    ]
    assert seen == [
        (200, True, 1000),
        (206, True, 10),
        (200, False, 0),
        (200, False, 0),
        (304, False, 0),
        (416, False, 0),
    ]
    multipart = of("GET", several)
    assert (multipart.status, multipart.takes_slot) == (206, True)
    assert dict(multipart.headers)[b"content-length"] == b"%d" % multipart.length_bytes


def test_two_range_headers_are_ignored() -> None:
    twice = [(b"range", b"bytes=0-9"), (b"range", b"bytes=20-29")]
    assert plan("GET", twice, size=1000, etag="a", media_type="audio/ogg").status == 200


def test_each_multipart_has_a_boundary_of_its_own() -> None:
    headers = [(b"range", b"bytes=0-9,500-509")]
    answers = [plan("GET", headers, size=1000, etag="a", media_type="audio/ogg") for _ in range(2)]
    assert answers[0].trailer != answers[1].trailer
