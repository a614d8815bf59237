"""A real archive with recordings in it, and a real receiver on loopback that answers as it is told."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from tests.archive.conftest import keep_in, tone

from voxkeep.archive import Archive
from voxkeep.archive.model import Recording, Tenant
from voxkeep.archive.units import DurationMs, EpochMs, RecordingId, TenantId, now_ms, uuid7
from voxkeep.deliver import MIGRATIONS, Deliveries, Delivery, Guard, Target
from voxkeep.settings import Deliver, Settings

START = EpochMs(1_763_647_391_250)
WAV = tone(0.2)
TO_LOOPBACK = Deliver(allow_private_targets=True)


class Request(NamedTuple):
    """What a receiver was sent."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Receiver:
    """A server that takes anything: with 201, unless it was told how to answer what is sent to a path."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: defaultdict[str, list[web.Response | Answer]] = defaultdict(list)
        """Path -> the answers to come, the last of which stays."""
        self.port = 0
        self.open = 0
        self.most_open = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def says(self, path: str, status: int, times: int = 1, **headers: str) -> None:
        """Answer what is sent to a path; `_` in a header's name stands for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] += [lambda _: _response(status, named)] * times

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            answers = self.answers[request.path]
            answer = (answers.pop(0) if len(answers) > 1 else answers[0]) if answers else None
            if getattr(answer, "early", False):
                return await answer(request)  # type: ignore[misc, operator] # early ones are functions
            body = await request.read()
            self.requests.append(Request(request.method, request.raw_path, dict(request.headers), body))
            return web.Response(status=201) if answer is None else await answer(request)  # type: ignore[operator]
        finally:
            self.open -= 1

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.requests]


async def _response(status: int, headers: Mapping[str, str]) -> web.Response:
    return web.Response(status=status, headers=headers)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{anything:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    opened = await Archive.at(tmp_path / "home", Settings(), [MIGRATIONS])
    yield opened
    await opened.close()


@pytest.fixture
async def acme(archive: Archive) -> Tenant:
    return await archive.tenants.add(Tenant(id=TenantId(0), name="acme"))


class Desk:
    """Keeps recordings, orders deliveries of them, and turns the clock."""

    def __init__(self, archive: Archive, tenant: Tenant) -> None:
        self.archive = archive
        self.tenant = tenant
        self.now: int = now_ms()
        self.count = 0
        self.deliveries = self.with_rule(TO_LOOPBACK)

    def with_rule(self, rule: Deliver, guard: Guard | None = None, archive: Archive | None = None) -> Deliveries:
        # the least of what chance may give, so that a wait is known
        return Deliveries(
            archive or self.archive, rule, guard=guard, clock=lambda: self.now, between=lambda least, _: least
        )

    async def keep(self, audio: bytes | None = WAV) -> Recording:
        self.count += 1
        recording = Recording(
            tenant=self.tenant.id,
            id=RecordingId(uuid7(START)),
            started_at=START,
            duration_ms=DurationMs(200),
            vendor="import",
            vendor_key=f"call {self.count}",
        )
        return (await keep_in(self.archive, recording, audio)).recording

    async def order(self, url: str, recording: Recording | None = None, **fields: Any) -> Delivery:
        target = Target(**{"url": url, "media_type": "audio/x-wav", **fields})
        return (await self.deliveries.order(recording or await self.keep(), target)).delivery

    async def sent(self, url: str, deliveries: Deliveries | None = None, **fields: Any) -> Delivery:
        """Order a delivery of a new recording, make one try, and return what became of it."""
        ordered = await self.order(url, **fields)
        assert await (deliveries or self.deliveries).send_next()
        return await self.deliveries.one(ordered.id)

    async def alarmed(self) -> set[str]:
        return {alarm.subject for alarm in await self.archive.alarms.all()}


@pytest.fixture
async def desk(archive: Archive, acme: Tenant) -> Desk:
    return Desk(archive, acme)


def early(answer: Answer) -> Answer:
    """Have an answer given before the body is read."""
    answer.early = True  # type: ignore[attr-defined] # the receiver looks for it
    return answer


async def silence(_: web.Request) -> web.Response:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError
