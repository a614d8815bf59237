import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send


class Server:
    """A real uvicorn on 127.0.0.1 in a thread; `app` may be replaced between requests."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self.raised: list[BaseException] = []
        self.done = threading.Semaphore(0)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            self.bare,
            interface="asgi3",
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run)

    async def bare(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        try:
            await self.app(scope, receive, send)
        except BaseException as error:
            self.raised.append(error)
            raise
        finally:
            self.done.release()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self._server.config.get_loop_factory()) as runner:
            runner.run(self._server.serve(sockets=[self._socket]))

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._server.should_exit = True
            self._thread.join(20)
            self._socket.close()

    def wait(self) -> None:
        assert self.done.acquire(timeout=20), "the application did not end"


@pytest.fixture(scope="session")
def _server() -> Iterator[Server]:
    server = Server()
    with server.running():
        yield server


@pytest.fixture
def server(_server: Server) -> Server:
    _server.raised.clear()
    _server.done = threading.Semaphore(0)
    return _server


class Recorder:
    """An ASGI `send` that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    async def __call__(self, message: Any) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.messages[1:])


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
