"""A vendor on 127.0.0.1 for the collector's tests: real HTTP, real Ogg/Opus, and faults when they are scripted.

Faults are what no real server would do on demand; everything else is answered as seed 000 says.
"""

import asyncio
import io
import time
import wave
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, Self

import numpy as np
from aiohttp import web
from aiohttp.test_utils import TestServer

from voxkeep.audio.render import Form, render

Handler = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
Record = dict[str, Any]

TOKEN = "s3cret-token-of-acme"
LIST, CALLS = "recordings", "call-recording-info"
NOON = 1_700_000_000_000


@lru_cache
def tone(duration_ms: int, hertz: int = 440) -> bytes:
    """Ogg/Opus of a tone."""
    count = duration_ms * 8
    samples = (12_000 * np.sin(2 * np.pi * hertz * np.arange(count) / 8_000)).astype("<i2")
    made = io.BytesIO()
    with wave.open(made, "wb") as wav:
        wav.setparams((1, 2, 8_000, 0, "NONE", "not compressed"))
        wav.writeframes(samples.tobytes())
    target = io.BytesIO()
    render(made.getvalue(), Form.OPUS, target)
    return target.getvalue()


def record(key: str, start: int = NOON, duration: int = 1_000, **changes: Any) -> Record:
    return {
        "recordingKey": key,
        "callKey": f"call-of-{key}-{start - 500}-{start + duration + 500}",
        "startTime": start,
        "duration": duration,
        "size": len(tone(duration)),
        "eventId": 99_181,
        "recordingSystemId": 0,
        "status": "SAVED",
        "callingParty": "18885553794",
        "receivingParty": "Spencer Porter(253)",
        "tenantName": "acme-ns",
        "tagData": "Default",
        "callDirection": "INBOUND",
        "skill": "CC Sales",
        "agent": "Spencer Porter(253)",
        **changes,
    }


def some(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [record(f"k-{number:02}", NOON + number * 60_000, **changes) for number in range(count)]


def call(key: str, *recordings: Record, **changes: Any) -> Record:
    return {
        "callId": "853be5cc-f498-5D47-a552-a0b38e6841fc",
        "shortId": 31_875,
        "callKey": key,
        "startTime": NOON - 500,
        "endTime": NOON + 5_000,
        "direction": "INBOUND",
        "recordings": list(recordings),
        "tenantName": "acme-ns",
        "callerId": "WIRELESS CALLER",
        "dialedPartyNumber": "7035559310",
        "accountCodes": [],
        "totalHoldDuration": 0,
        "location": "Reno, NV",
        "dropEventType": "DROP",
        **changes,
    }


def status(code: int, body: bytes = b"", content_type: str = "application/json", **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=code, body=body, content_type=content_type, headers=named)

    return answer


def cut(body: bytes) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(body)), "Content-Type": "audio/ogg"})
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        assert request.transport is not None
        request.transport.close()
        return response

    return answer


def stalled(seconds: float) -> Handler:
    async def answer(_: web.Request) -> None:
        await asyncio.sleep(seconds)

    return answer


class Vendor:
    """One tenant of Xima."""

    def __init__(self, *recordings: Record) -> None:
        self.recordings: list[Any] = list(recordings)
        self.calls: list[Record] = []
        self.audio: dict[str, bytes] = {}
        self.token = TOKEN
        self.names = {"acme-ns"}
        self.shape: Callable[[list[Record]], object] = lambda rows: rows
        self.faults: dict[str, deque[Handler]] = defaultdict(deque)
        """By recording key, LIST or CALLS: what is answered next, each once."""
        self.always: dict[str, Handler] = {}
        self.before: Handler | None = None
        self.asked: list[tuple[float, str]] = []
        """Moment (monotonic) and what was asked for."""
        self.windows: list[tuple[int, int]] = []
        self.served: Counter[str] = Counter()
        """Audio that went out whole, by key."""
        app = web.Application()
        app.router.add_get("/rest/api/v2/recordings", self._list)
        app.router.add_get("/rest/api/v2/call-recording-info", self._calls)
        app.router.add_get("/rest/api/v2/recordings/{tenant}/{key}/audio", self._audio)
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
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"status": 401, "message": "no"}, status=401)
        if self.faults[what]:
            return await self.faults[what].popleft()(request)
        return await self.always[what](request) if what in self.always else None

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if (scripted := await self._scripted(request, LIST)) is not None:
            return scripted
        first, last = (_moment(request.query[name]) for name in ("startTime", "endTime"))
        self.windows.append((first, last))
        rows = [
            row
            for row in self.recordings
            if not isinstance(row, dict) or first <= int(row.get("startTime", first)) <= last
        ]
        return web.json_response(self.shape(rows))

    async def _calls(self, request: web.Request) -> web.StreamResponse:
        scripted = await self._scripted(request, CALLS)
        return web.json_response(self.shape(self.calls)) if scripted is None else scripted

    async def _audio(self, request: web.Request) -> web.StreamResponse:
        key = request.match_info["key"]
        if (scripted := await self._scripted(request, key)) is not None:
            return scripted
        known = {row["recordingKey"]: row for row in self.recordings if isinstance(row, dict)}
        if request.match_info["tenant"] not in self.names or key not in known:
            return web.json_response({"status": 404}, status=404)
        body = self.audio.get(key) or tone(known[key]["duration"])
        response = web.StreamResponse(headers={"Content-Length": str(len(body)), "Content-Type": "audio/ogg"})
        await response.prepare(request)
        await response.write(body)
        await response.write_eof()
        self.served[key] += 1
        return response


def _moment(text: str) -> int:
    assert text[-6:] == "+00:00"
    assert text[-10] == "."
    return round(datetime.fromisoformat(text).timestamp() * 1000)
