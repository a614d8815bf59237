"""A tenant of 8x8's on 127.0.0.1 for the collector's tests: its API, and an implicit FTPS server over a folder.

Faults are what no real server would do on demand; everything else is answered as seed 003 and its reference say.
"""

import base64
import csv
import io
import threading
import time
import warnings
import wave
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.server.tls import Certificate
from tests.vendors.xima.vendor import Handler, cut, stalled, status

with warnings.catch_warnings():
    # it rests on the standard library's asyncore, whose import tells that it will go
    warnings.simplefilter("ignore", DeprecationWarning)
    from pyftpdlib.authorizers import DummyAuthorizer  # type: ignore[import-untyped] # pyftpdlib has no types
    from pyftpdlib.handlers import TLS_DTPHandler, TLS_FTPHandler  # type: ignore[import-untyped] # the same
    from pyftpdlib.servers import FTPServer  # type: ignore[import-untyped] # the same

__all__ = [
    "TLS_DTPHandler", "Tree", "Vendor", "chat", "cut", "ftps_server", "index", "line", "message", "name_at", "row",
    "stalled", "status", "tone",
]  # fmt: skip

ACCOUNT, TOKEN, PASSWORD = "acme", "ac12343934687a839cf", "sftp-password-of-acme"
FILES, CHATS = "files", "transcripts"
NOON = 1_700_000_000_000
"""2023-11-14T22:13:20Z"""
Record = dict[str, Any]


@lru_cache
def tone(duration_ms: int, hertz: int = 440) -> bytes:
    """WAV of a tone."""
    samples = (12_000 * np.sin(2 * np.pi * hertz * np.arange(duration_ms * 8) / 8_000)).astype("<i2")
    made = io.BytesIO()
    with wave.open(made, "wb") as wav:
        wav.setparams((1, 2, 8_000, 0, "NONE", "not compressed"))
        wav.writeframes(samples.tobytes())
    return made.getvalue()


def iso(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, UTC).isoformat()


def name_at(at: int, number: int = 1) -> str:
    second = datetime.fromtimestamp(at // 1000, UTC)
    return f"S{second:%Y%m%d}/R{second:%Y%m%d%H%M%S}{number:04d}.wav"


def row(at: int = NOON, number: int = 1, **changes: Any) -> Record:
    return {
        "startDate": iso(at),
        "agentID": "bill",
        "phoneNumber": "4155551234",
        "channel": "8005557780",
        "caseID": 0,
        "duration": 1,
        "filename": name_at(at, number),
        "queueID": "fernandez~~queue~~phone~~102",
        "queueName": "phoneq1",
        "accountNumber": "0",
        "transactionID": 1,
        "extVar1": "0",
        "extVar2": "0",
        "outDialCode": "",
        "wrapUpCode": {"transactionCodes": {"transactionCode": [{"listName": "Gauffre", "name": "Gauffre 1"}]}},
        **changes,
    }


def message(at: int = NOON, **changes: Any) -> Record:
    return {
        "messageTime": iso(at),
        "messageFrom": "C",
        "originalLanguage": "en",
        "originalMessage": "Hi How r u",
        "translatedLanguage": "",
        "translatedMessage": "",
        **changes,
    }


def chat(guid: str = "int-14a0febe466-bLfK0EF6-chat-03-tenant", at: int = NOON, **changes: Any) -> Record:
    return {
        "startDate": iso(at),
        "agentID": "bill",
        "agentName": "Bill,Jackson",
        "contactID": "guest_at_dev6chatrec@vm05dev187/CtlGuest191",
        "contactName": "Jeff Waugh",
        "queueID": "104",
        "queueName": "chat_recording_2",
        "channelID": "103",
        "channelName": "chatrec_channel",
        "caseID": 24482,
        "targetIP": "10.191.210.31",
        "transactionID": 11,
        "interactionGUID": guid,
        "transcriptType": "A2C",
        "duration": 54,
        "metaDatas": {"metaData": [{"fieldName": "Color", "fieldValue": "Blue"}]},
        **changes,
    }


class Vendor:
    """One tenant of 8x8's, over HTTP."""

    def __init__(self, *files: Record) -> None:
        self.files: list[Any] = list(files)
        self.chats: list[Any] = []
        self.messages: dict[str, list[Record]] = {}
        self.audio: dict[str, bytes] = {}
        self.token = TOKEN
        self.shape: Callable[[str, list[Any]], object] = lambda element, rows: {"recordings": {element: rows}}
        self.repeats = 0
        """So many rows of a page come again on the next one."""
        self.ignores_offset = False
        self.faults: dict[str, deque[Handler]] = defaultdict(deque)
        """By file name, GUID, FILES or CHATS: what is answered next, each once."""
        self.always: dict[str, Handler] = {}
        self.asked: list[tuple[float, str]] = []
        self.pages: list[tuple[str, str, int]] = []
        """List, window and offset of each page."""
        self.served: Counter[str] = Counter()
        app = web.Application()
        app.router.add_get("/api/recordings/files.json", self._files)
        app.router.add_get("/api/recordings/transcripts.json", self._chats)
        app.router.add_get("/api/recordings/transcripts/{guid}.json", self._chat)
        app.router.add_get("/api/recordings/files/{folder}/{name}", self._audio)
        self.server = TestServer(app)

    async def __aenter__(self) -> Self:
        await self.server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()

    @property
    def url(self) -> str:
        return str(self.server.make_url("/")).rstrip("/")

    def count(self, what: str) -> int:
        return sum(1 for _, asked in self.asked if asked == what)

    async def _scripted(self, request: web.Request, what: str) -> web.StreamResponse | None:
        self.asked.append((time.monotonic(), what))
        basic = base64.b64encode(f"{ACCOUNT}:{self.token}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {basic}":
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="8x8"'})
        if self.faults[what]:
            return await self.faults[what].popleft()(request)
        return await self.always[what](request) if what in self.always else None

    def _page(self, request: web.Request, what: str, rows: list[Any]) -> list[Any]:
        window, offset = request.query["d"], int(request.query["n"])
        self.pages.append((what, window, offset))
        first, end = (datetime.strptime(each, "%Y%m%dT%H%MZ").replace(tzinfo=UTC) for each in window.split(","))
        listed = [
            each
            for each in rows
            if not isinstance(each, dict)
            or "startDate" not in each
            or first <= datetime.fromisoformat(each["startDate"]) < end
        ]
        begin = 0 if self.ignores_offset else max(offset - 1 - self.repeats, 0)
        return listed[begin : begin + 50]

    async def _files(self, request: web.Request) -> web.StreamResponse:
        scripted = await self._scripted(request, FILES)
        return scripted or web.json_response(self.shape("file", self._page(request, FILES, self.files)))

    async def _chats(self, request: web.Request) -> web.StreamResponse:
        scripted = await self._scripted(request, CHATS)
        return scripted or web.json_response(self.shape("transcript", self._page(request, CHATS, self.chats)))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        guid = request.match_info["guid"]
        if (scripted := await self._scripted(request, guid)) is not None:
            return scripted
        for each in self.chats:
            if each["interactionGUID"] == guid:
                self.served[guid] += 1
                return web.json_response(
                    {"transcript": {**each, "messages": {"message": self.messages.get(guid, [message()])}}}
                )
        return web.Response(status=404)

    async def _audio(self, request: web.Request) -> web.StreamResponse:
        name = f"{request.match_info['folder']}/{request.match_info['name']}"
        if (scripted := await self._scripted(request, name)) is not None:
            return scripted
        known = {each["filename"]: each for each in self.files if isinstance(each, dict)}
        if name not in known:
            return web.Response(status=404)
        self.served[name] += 1
        body = self.audio.get(name) or tone(int(known[name]["duration"]) * 1_000)
        return web.Response(body=body, content_type="audio/x-wav")


# The tree


INDEX_COLUMNS = (
    "CALL TYPE", "START TIME", "STOP TIME", "AGENT NAME", "CUSTOMER NUMBER", "PHONE CHANNEL", "CALLED NUMBER",
    "CASEID", "DURATION", "FILENAME", "DIRECTORY", "ACCOUNT NUMBER", "START TIME UTC", "STOP TIME UTC", "QUEUE",
    "QUEUE NAME", "TRANS ID", "EXT VAR1", "EXT VAR2", "OUT DIAL CODE", "WRAP UP CODE",
)  # fmt: skip


def line(at: int = NOON, number: int = 1, **changes: str) -> dict[str, str]:
    """One line of an index; spaces in the names of columns are written as underscores."""
    folder, name = name_at(at, number).split("/")
    cells = {
        "CALL TYPE": "Inbound", "AGENT NAME": "bill", "CUSTOMER NUMBER": "4155551234", "PHONE CHANNEL": "8005557780",
        "CASEID": "7", "DURATION": "1", "FILENAME": name, "DIRECTORY": folder, "ACCOUNT NUMBER": "0",
        "START TIME UTC": iso(at)[:19].replace("T", " "), "QUEUE": "102", "QUEUE NAME": "phoneq1", "TRANS ID": "1",
        "WRAP UP CODE": "Gauffre=Gauffre 1",
    }  # fmt: skip
    return cells | {name.replace("_", " "): value for name, value in changes.items()}


def index(*lines: Mapping[str, str]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, INDEX_COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode()


class Tree(NamedTuple):
    """A running FTPS server: its folder on disk, its port, and what it was asked."""

    root: Path
    port: int
    commands: list[tuple[str, str]]
    control: Any
    """Its handler class: settings are changed on it."""
    server: Any

    def put(self, name: str, body: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)

    def put_index(self, folder: str, body: bytes) -> None:
        self.put(f"{folder}/I{folder[1:]}_version2.csv", body)

    def count(self, command: str) -> int:
        return sum(1 for each, _ in self.commands if each == command)

    def hang_up(self) -> None:
        """Close every connection, as a server does that restarts."""
        self.server.ioloop.call_later(0, lambda: [each.close() for each in _connections(self.server)])
        deadline = time.monotonic() + 5
        while _connections(self.server) and time.monotonic() < deadline:
            time.sleep(0.01)


def _connections(server: Any) -> list[Any]:
    return [each for each in list(server.ioloop.socket_map.values()) if isinstance(each, TLS_FTPHandler)]


@contextmanager
def ftps_server(root: Path, certificate: Certificate) -> Iterator[Tree]:
    """Serve a folder over implicit TLS."""
    asked: list[tuple[str, str]] = []

    class Control(TLS_FTPHandler):  # type: ignore[misc] # pyftpdlib has no types
        certfile = str(certificate.cert)
        keyfile = str(certificate.key)
        tls_data_required = True
        authorizer = DummyAuthorizer()
        dtp_handler = type("Data", (TLS_DTPHandler,), {})
        auth_failed_timeout = 0.0
        says: dict[str, deque[str]] = defaultdict(deque)  # noqa: RUF012 -- one class for each server
        """By command: what is answered next instead."""

        def handle(self) -> None:
            self.secure_connection(self.ssl_context)

        def handle_ssl_established(self) -> None:
            super().handle()

        def pre_process_command(self, text: str, cmd: str, arg: str) -> None:
            asked.append((cmd, "" if cmd == "PASS" else arg))
            if self.says[cmd]:
                self.respond(self.says[cmd].popleft())
                return
            super().pre_process_command(text, cmd, arg)

    root.mkdir(exist_ok=True)
    Control.authorizer.add_user(ACCOUNT, PASSWORD, str(root), perm="elr")
    server = FTPServer(("127.0.0.1", 0), Control)
    running = True

    def serve() -> None:
        while running:
            server.serve_forever(timeout=0.02, blocking=False, handle_exit=False)
        server.close_all()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Tree(root, server.socket.getsockname()[1], asked, Control, server)
    finally:
        running = False
        thread.join()
