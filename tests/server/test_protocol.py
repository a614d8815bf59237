"""The limit to a request's head, asked of a real server over real sockets."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from tests.server.harness import World, connected, exchange, parsed, refused
from tests.server.tls import Certificate, certificate

from voxkeep.server.protocol import LINGER_BYTES, MAX_HEAD_BYTES, PIECE_BYTES, BoundedHttpProtocol
from voxkeep.server.serve import serve
from voxkeep.server.tls import tls_context
from voxkeep.settings import Server as ServerSettings
from voxkeep.web.errors import send_json
from voxkeep.web.zerocopy import ZeroCopy, offered, send_span

END = b"Connection: close\r\n\r\n"


class Bounded:
    """A real uvicorn with the protocol on 127.0.0.1 in a thread; it tells what it got, or sends `file`."""

    def __init__(self, file: Path, tls: Certificate | None = None) -> None:
        self.asked = 0
        self.zero_copied = 0
        self._file = file
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            ZeroCopy(self._answer),
            interface="asgi3",
            loop="uvloop",
            http=BoundedHttpProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
        )
        config.load()
        if tls is not None:
            config.ssl = tls_context(ServerSettings(tls_cert=str(tls.cert), tls_key=str(tls.key)))
        self._server = uvicorn.Server(config)
        self._loop_factory = config.get_loop_factory()
        self._thread = threading.Thread(target=self._run)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        if scope["path"] == "/file":
            await self._send_file(scope, send)
            return
        if scope["path"] == "/slow":
            await asyncio.sleep(0.2)
        told = {"path": len(scope["path"]), "headers": len(scope["headers"]), "body": size}
        await send_json(send, 200, json.dumps(told).encode())

    async def _send_file(self, scope: Scope, send: Send) -> None:
        if not offered(scope):
            await send_json(send, 200, self._file.read_bytes())
            return
        size = self._file.stat().st_size
        descriptor = os.open(self._file, os.O_RDONLY)
        try:
            await send_span(send, 200, [(b"content-length", b"%d" % size)], descriptor, 0, size)
        finally:
            os.close(descriptor)
        self.zero_copied += 1

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self._loop_factory) as runner:
            runner.run(self._server.serve(sockets=[self._socket]))

    @property
    def connections(self) -> int:
        return len(self._server.server_state.connections)

    @contextlib.contextmanager
    def running(self) -> Iterator["Bounded"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._server.should_exit = True
            self._thread.join(20)
            self._socket.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bounded]:
    file = tmp_path_factory.mktemp("protocol") / "file"
    file.write_bytes(bytes(range(256)) * 1_000)
    with Bounded(file).running() as running:
        yield running


def told(port: int, data: bytes) -> dict[str, int]:
    answer = parsed(exchange(port, data))
    assert answer.status == 200, answer
    document: dict[str, int] = answer.json
    return document


def message_of(data: bytes, status: int) -> str:
    answer = parsed(data)
    assert answer.headers["connection"] == "close"
    return refused(answer, status)


def head_of(size: int, headers: int = 1) -> bytes:
    """Make a request's head of exactly so many bytes, most of them in so many headers."""
    start = b"GET /x HTTP/1.1\r\nHost: localhost\r\n"
    left = size - len(start) - len(END)
    names = [b"X-%d: " % number for number in range(headers)]
    left -= sum(len(name) + 2 for name in names)
    sizes = [left // headers + (number < left % headers) for number in range(headers)]
    lines = [name + b"a" * length + b"\r\n" for name, length in zip(names, sizes, strict=True)]
    head = start + b"".join(lines) + END
    assert len(head) == size
    return head


def resident_bytes() -> int:
    """Return this process's memory, what OpenSSL holds included."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def flood(connection: socket.socket, size: int) -> None:
    for _ in range(size // 10_000):
        connection.sendall(b"a" * 10_000)


# Refused


@pytest.mark.parametrize("headers", [1, 50, 2_000])
@pytest.mark.parametrize("size", [100_000, 150_000, 400_000])
def test_a_head_over_the_limit_is_refused_and_the_connection_closed(server: Bounded, size: int, headers: int) -> None:
    before = server.asked
    assert str(MAX_HEAD_BYTES) in message_of(exchange(server.port, head_of(size, headers)), 431)
    assert server.asked == before


def test_a_head_just_past_limit_and_piece_is_refused(server: Bounded) -> None:
    message_of(exchange(server.port, head_of(MAX_HEAD_BYTES + PIECE_BYTES + 1)), 431)


def test_a_long_header_name_is_refused(server: Bounded) -> None:
    message_of(exchange(server.port, b"GET / HTTP/1.1\r\n" + b"a" * 150_000 + b": 1\r\n\r\n"), 431)


@pytest.mark.parametrize("size", [100_000, 300_000])
def test_a_url_over_the_limit_is_refused_and_the_connection_closed(server: Bounded, size: int) -> None:
    for target in (b"/" + b"a" * size, b"/?" + b"a" * size):
        data = exchange(server.port, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert "URL" in message_of(data, 414)


def test_a_head_that_comes_slowly_is_refused_too(server: Bounded) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = head_of(150_000)
        for start in range(0, MAX_HEAD_BYTES, 1_000):
            connection.sendall(head[start : start + 1_000])
        message_of(b"".join(iter(lambda: connection.recv(65_536), b"")), 431)


def test_what_follows_a_refusal_is_thrown_away_and_then_the_connection_reset(server: Bounded) -> None:
    tracemalloc.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nX-Long: ")
            with pytest.raises(ConnectionError):
                flood(connection, 20_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * LINGER_BYTES


def test_headers_behind_a_chunked_body_are_counted(server: Bounded) -> None:
    start = b"POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n" + END + b"2\r\nok\r\n0\r\n"
    assert told(server.port, start + b"X-After: 1\r\n\r\n")["body"] == 2
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(start)
        with contextlib.suppress(ConnectionError):
            for number in range(100_000):
                connection.sendall(b"X-%d: %s\r\n" % (number, b"a" * 1_000))
            pytest.fail("100 MB were taken")


def test_a_long_head_behind_a_request_still_being_answered_only_closes(server: Bounded) -> None:
    first = b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with contextlib.suppress(ConnectionError):
        assert exchange(server.port, first + b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 200_000) == b""


# Not refused


@pytest.mark.parametrize("headers", [1, 50, 2_000])
@pytest.mark.parametrize("size", [1_000, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 60_000, MAX_HEAD_BYTES])
def test_a_head_within_the_limit_reaches_the_application(server: Bounded, size: int, headers: int) -> None:
    if size > 20 * headers:
        assert told(server.port, head_of(size, headers)) == {"path": 2, "headers": headers + 2, "body": 0}


def test_a_url_within_the_limit_reaches_the_application(server: Bounded) -> None:
    data = b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: localhost\r\n" + END
    assert told(server.port, data)["path"] == 60_001


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_head_cut_anywhere_on_its_way_is_the_same(server: Bounded, data: st.DataObject) -> None:
    head = head_of(data.draw(st.integers(200, MAX_HEAD_BYTES)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(head)), max_size=4)))
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start, stop in zip([0, *cuts], [*cuts, len(head)], strict=True):
            connection.sendall(head[start:stop])
        assert parsed(b"".join(iter(lambda: connection.recv(65_536), b""))).status == 200


def test_a_long_body_is_not_counted(server: Bounded) -> None:
    head = b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % 20_000_000 + END
    assert told(server.port, head + bytes(20_000_000))["body"] == 20_000_000


def test_a_long_chunked_body_is_not_counted(server: Bounded) -> None:
    head = b"POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n" + END
    for size, count in ((100_000, 20), (1, 50_000)):
        chunks = (b"%x\r\n" % size + bytes(size) + b"\r\n") * count
        assert told(server.port, head + chunks + b"0\r\n\r\n")["body"] == size * count


@pytest.mark.parametrize("size", [200, 30_000, 60_000])
def test_requests_after_each_other_on_one_connection_are_counted_apart(server: Bounded, size: int) -> None:
    request = head_of(size).replace(b"Connection: close", b"X-Open: withal...")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        for _ in range(10):
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65_536)
            assert parsed(answer).status == 200
        connection.sendall(head_of(150_000))
        message_of(b"".join(iter(lambda: connection.recv(65_536), b"")), 431)


@pytest.mark.parametrize("size", [200, 5_000, 30_000])
def test_pipelined_requests_are_counted_apart(server: Bounded, size: int) -> None:
    head = head_of(size)
    open_head = head.replace(b"Connection: close", b"X-Open: withal...")
    answers = exchange(server.port, open_head * 30 + head)
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 31
    assert answers.count(b"HTTP/1.1") == 31


def test_pipelined_bodies_and_heads_are_counted_apart(server: Bounded) -> None:
    body = b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\n" + bytes(90_000)
    answers = exchange(server.port, body * 5 + head_of(60_000))
    assert answers.count(b'"body": 90000') == 5
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 6


def test_a_file_still_goes_from_the_kernel_to_the_socket(server: Bounded) -> None:
    before = server.zero_copied
    answer = parsed(exchange(server.port, b"GET /file HTTP/1.1\r\nHost: localhost\r\n" + END))
    assert answer.body == bytes(range(256)) * 1_000
    assert server.zero_copied == before + 1


def test_what_is_not_http_is_refused_as_before(server: Bounded) -> None:
    answer = parsed(exchange(server.port, b"\x16\x03\x01" + bytes(100_000)))
    assert answer.status == 400


# Over TLS


class Encrypted(NamedTuple):
    """The server behind TLS, and a client's context."""

    server: Bounded
    tls: ssl.SSLContext

    def asked(self, data: bytes) -> bytes:
        return exchange(self.server.port, data, self.tls)


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    folder = tmp_path_factory.mktemp("encrypted")
    file, made = folder / "file", certificate(folder)
    file.write_bytes(bytes(range(256)) * 1_000)
    with Bounded(file, made).running() as running:
        yield Encrypted(running, made.client)


@pytest.mark.parametrize("headers", [1, 50])
@pytest.mark.parametrize("size", [1_000, PIECE_BYTES, 60_000, MAX_HEAD_BYTES])
def test_over_tls_a_head_within_the_limit_is_answered(encrypted: Encrypted, size: int, headers: int) -> None:
    answer = parsed(encrypted.asked(head_of(size, headers)))
    assert (answer.status, answer.json["headers"]) == (200, headers + 2)


@pytest.mark.parametrize("size", [100_000, 400_000, 3_000_000])
def test_over_tls_a_head_over_the_limit_is_refused(encrypted: Encrypted, size: int) -> None:
    before = encrypted.server.asked
    message_of(encrypted.asked(head_of(size)), 431)
    message_of(encrypted.asked(b"GET /" + b"a" * size + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"), 414)
    assert encrypted.server.asked == before


def test_over_tls_a_refused_client_that_stays_is_cut_off(encrypted: Encrypted) -> None:
    with connected(encrypted.server.port, encrypted.tls) as connection:
        connection.sendall(head_of(100_000))
        message_of(b"".join(iter(lambda: connection.recv(65_536), b"")), 431)
        give_up = time.monotonic() + 20
        while encrypted.server.connections:
            assert time.monotonic() < give_up
            time.sleep(0.02)


def test_over_tls_what_follows_a_refusal_is_thrown_away(encrypted: Encrypted) -> None:
    before = resident_bytes()
    with connected(encrypted.server.port, encrypted.tls) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX-Long: ")
        with contextlib.suppress(OSError):
            flood(connection, 100_000_000)
        assert resident_bytes() - before < 20_000_000


def test_over_tls_a_long_body_is_not_counted(encrypted: Encrypted) -> None:
    head = b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % 20_000_000 + END
    assert parsed(encrypted.asked(head + bytes(20_000_000))).json["body"] == 20_000_000


def test_over_tls_a_file_goes_the_ordinary_way(encrypted: Encrypted) -> None:
    answer = parsed(encrypted.asked(b"GET /file HTTP/1.1\r\nHost: localhost\r\n" + END))
    assert answer.body == bytes(range(256)) * 1_000
    assert encrypted.server.zero_copied == 0


# The whole server


async def test_the_server_has_the_limit_before_its_guards(world: World) -> None:
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(world.archive, world.access, ServerSettings(port=0), url.set_result))
    port = int((await url).rpartition(":")[2])
    try:
        long, longer = (b"GET /" + b"a" * size + b" HTTP/1.1\r\nHost: h\r\n" + END for size in (60_000, 100_000))
        guarded = parsed(await asyncio.to_thread(exchange, port, long))
        assert "longer than 8192 bytes" in guarded.json["message"]
        assert guarded.status == 400
        message_of(await asyncio.to_thread(exchange, port, longer), 414)
        message_of(await asyncio.to_thread(exchange, port, head_of(150_000)), 431)
    finally:
        signal.raise_signal(signal.SIGTERM)
        await serving
