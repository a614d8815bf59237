"""A real server around a real archive, in the test's own loop or as the real command, and a client that sends exactly
what it is given."""

import asyncio
import contextlib
import http.client
import io
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import uvicorn
from starlette.types import ASGIApp

from voxkeep.access import Access, AuditEntry, Grant, TenantLimits
from voxkeep.activity import Activity, Running
from voxkeep.archive import Archive, NewAudio
from voxkeep.archive.model import Call, Recording, State, Tenant
from voxkeep.archive.query import Visibility
from voxkeep.archive.units import DurationMs, EpochMs, RecordingId, TenantId, now_ms, uuid7
from voxkeep.audio.probe import AudioFacts
from voxkeep.audio.render import Form
from voxkeep.cli.common import ROOMS
from voxkeep.demo.clips import Clip, clips, content
from voxkeep.server.app import App
from voxkeep.server.serve import DIALECTS
from voxkeep.settings import Settings

START = EpochMs(1_707_770_449_131)
CLIP = min(clips(), key=lambda clip: clip.duration_ms)
NO_LIMITS = TenantLimits(enabled=False)
EVERYTHING = "startTime=1970-01-01&endTime=2199-12-31"
V2 = "/rest/api/v2"


class Answer(NamedTuple):
    """An answer, with its headers by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


class _Replay:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def parsed(data: bytes, method: str = "GET") -> Answer:
    """Read the bytes of an answer. Raises http.client.IncompleteRead when it was cut off."""
    response = http.client.HTTPResponse(_Replay(data), method=method)  # type: ignore[arg-type] # all it asks of a socket
    response.begin()
    body = response.read()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def request_bytes(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def connected(port: int, tls: ssl.SSLContext | None = None) -> socket.socket:
    """Connect to a server on loopback."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=20)
    if tls is None:
        return plain
    try:
        return tls.wrap_socket(plain, server_hostname="localhost")
    except OSError:
        plain.close()
        raise


def exchange(port: int, data: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """Send bytes, over TLS with a client's context, and return all that comes back until the server closes."""
    with connected(port, tls) as connection:
        connection.sendall(data)
        parts = []
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def ask_at(port: int, method: str, target: str, token: str | None = None, **headers: str) -> Answer:
    """Ask a server on loopback; `_` in a header's name stands for `-`."""
    sent = {"Host": "localhost", "Connection": "close"}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return parsed(exchange(port, request_bytes(method, target, sent)), method)


def refused(answer: Answer, status: int) -> str:
    """Check an answer to be a refusal in the one shape of errors, and return its message."""
    assert answer.status == status, answer
    document = answer.json
    phrase = {509: "Bandwidth Limit Exceeded"}.get(status) or http.HTTPStatus(status).phrase
    assert list(document) == ["status", "error", "message"]
    assert (document["status"], document["error"]) == (status, phrase)
    message = document["message"]
    assert isinstance(message, str)
    assert message
    assert "Traceback" not in message
    return message


class World:
    """An archive and its server. `restart` closes and opens both, as after a crash or an update."""

    archive: Archive
    access: Access
    app: App
    port: int

    running: Running

    def __init__(
        self, home: Path, settings: Settings, runs: Callable[[Archive], Running] = lambda it: Running(Activity(it))
    ) -> None:
        self.home = home
        self.settings = settings
        self.runs = runs
        """Makes what of activity runs in the server."""
        self.now: int | None = None
        """The moment that limits and tokens take for now; None is the real one."""

    def _clock(self) -> int:
        return now_ms() if self.now is None else self.now

    async def open(self) -> Self:
        self.archive = await Archive.at(self.home, self.settings, ROOMS)
        self.access = Access(self.archive.database, self.settings, self.archive.tenants, clock=self._clock)
        self.running = self.runs(self.archive)
        dialects = [made(self.archive, self.access, self.running) for made in DIALECTS]
        self.app = App(self.archive, dialects, self.settings.server)
        self._server, self.port = await _listening(self.app)
        self.access.start()
        return self

    async def close(self) -> None:
        await _stop(self._server)
        await self.access.stop()
        await self.archive.close()

    async def restart(self, settings: Settings | None = None) -> None:
        await self.close()
        self.settings = settings or self.settings
        await self.open()

    async def tenant(
        self, name: str, host: str = "", zone: str = "UTC", agents: int = 0, limits: TenantLimits | None = NO_LIMITS
    ) -> Tenant:
        new = Tenant(id=TenantId(0), name=name, host=host, zone=zone, licensed_agents=agents)
        return await self.access.add_tenant(new, limits)

    async def token(self, *tenants: Tenant, name: str = "bi", grant: Grant | None = None) -> str:
        """Return the token of a new service user with the same grant in all of `tenants`."""
        grants = {tenant.id: grant or Grant() for tenant in tenants}
        return await self.access.directory.add_with_token(name, grants)

    async def ask(self, method: str, target: str, token: str | None = None, **headers: str) -> Answer:
        """Ask the server; `_` in a header's name stands for `-`."""
        sent = {"Host": "localhost", "Connection": "close"}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._exchange(method, request_bytes(method, target, sent))

    async def send(self, method: str, target: str, body: bytes, **headers: str) -> Answer:
        """Send a body; `_` in a header's name stands for `-`."""
        sent = {"Host": "localhost", "Connection": "close", "Content-Length": str(len(body))}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._exchange(method, request_bytes(method, target, sent) + body)

    async def _exchange(self, method: str, request: bytes) -> Answer:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            return parsed(await reader.read(), method)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def get(self, target: str, token: str | None = None, **headers: str) -> Answer:
        """GET below the dialect's path."""
        return await self.ask("GET", f"{V2}/{target}", token, **headers)

    async def listed(self, token: str, query: str = EVERYTHING) -> list[dict[str, Any]]:
        """Return the recordings listed."""
        answer = await self.get(f"recordings?{query}", token)
        assert answer.status == 200, answer
        records: list[dict[str, Any]] = answer.json
        return records

    async def keep(
        self, tenant: Tenant, started_at: int = START, *, audio: str = "", call: Call | None = None, **fields: Any
    ) -> Recording:
        """Keep a recording: without audio, with an `ogg` original, with a `wav` and its Opus form, or a `bare` wav."""
        at = EpochMs(started_at)
        recording = Recording(
            **{
                "tenant": tenant.id,
                "id": RecordingId(uuid7(at)),
                "started_at": at,
                "duration_ms": DurationMs(CLIP.duration_ms),
                "state": State.KEPT if audio else State.PENDING,
                **fields,
            }
        )
        if not audio:
            return (await self.archive.keep(recording, call=call)).recording
        original, facts = (content(CLIP.ogg.file), opus_facts(CLIP)) if audio == "ogg" else (WAV, CLIP.facts)
        staged = await self.archive.stage(tenant.id, at, str(recording.id), original)
        opus = [(Form.OPUS, content(CLIP.ogg.file))] if audio == "wav" else []
        kept = await self.archive.keep(recording, NewAudio(staged, facts), call=call, renditions=opus)
        return kept.recording

    async def audited(self) -> list[AuditEntry]:
        """Return the audit trail of what was asked over HTTP; what is noted is written first."""
        await self.access.audit.flush()
        entries = await self.access.audit.read(EpochMs(0))
        return [entry for entry in entries if entry.remote]


WAV = content(CLIP.wav.file)


def opus_facts(clip: Clip) -> AudioFacts:
    return AudioFacts("ogg", "opus", 1, clip.facts.sample_rate, clip.facts.samples)


def restricted(agents: Sequence[str] = (), skills: Sequence[str] = ()) -> Grant:
    """Return a grant of everything in which only some agents' and skills' recordings are seen."""
    return Grant(visibility=Visibility(frozenset(agents), frozenset(skills)))


async def _listening(app: ASGIApp) -> tuple[uvicorn.Server, int]:
    config = uvicorn.Config(
        app,
        interface="asgi3",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    listener = socket.create_server(("127.0.0.1", 0))
    await server.startup(sockets=[listener])
    return server, listener.getsockname()[1]


async def _stop(server: uvicorn.Server) -> None:
    """Stop as `shutdown` does, without its tenth of a second of patience: every client here has closed."""
    for listening in server.servers:
        listening.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()

    async def idle() -> bool:
        return not server.server_state.connections and not server.server_state.tasks

    await until(idle)


async def until(fulfilled: Callable[[], Awaitable[object]]) -> None:
    """Wait for something that nobody tells of."""
    async with asyncio.timeout(30):
        while not await fulfilled():  # noqa: ASYNC110 -- it is in a database, a file or another room's hands
            await asyncio.sleep(0.002)


class DemoProcess(NamedTuple):
    """`voxkeep demo` as a process of its own, and the document that it printed."""

    process: subprocess.Popen[str]
    document: dict[str, Any]
    home: Path
    log: Path

    @property
    def port(self) -> int:
        return int(self.document["url"].rpartition(":")[2])

    def token(self, tenant: str) -> str:
        """Return the token of a sample tenant."""
        tokens: dict[str, str] = {each["name"]: each["token"] for each in self.document["xima"]["tenants"]}
        return tokens[tenant]

    @property
    def window(self) -> str:
        """The query for everything in the demo."""
        xima = self.document["xima"]
        return f"startTime={xima['start']}&endTime={xima['end']}".replace("+", "%2B")

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Signal the process and return its exit code, and what else it wrote on stdout."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=30)
        return self.process.returncode, rest


@contextlib.contextmanager
def demo_process(home: Path, *options: str) -> Iterator[DemoProcess]:
    """Run `voxkeep demo` on a free port and wait until it tells that it serves."""
    command = [sys.executable, "-m", "voxkeep", "demo", "--json", "--port", "0", "--data", str(home), *options]
    log = home.with_name(f"{home.name}.log")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VOXKEEP_")}
    with log.open("w") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()
        yield DemoProcess(process, json.loads(line), home, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
