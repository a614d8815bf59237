"""What this archive serves as 8x8 and another one collects as from 8x8 is served there byte by byte the same."""

import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace
from tests.server.harness import START, World
from tests.server.tls import certificate
from tests.vendors.eightbyeight.harness import asked, keep_chat

from voxkeep.access import MIGRATIONS as ACCESS
from voxkeep.archive import Archive
from voxkeep.archive.model import Tenant, WrapUpCode
from voxkeep.archive.units import HOUR_MS, EpochMs, TenantId
from voxkeep.collect import MIGRATIONS as COLLECT
from voxkeep.collect import Order, SourceConfig, SourceReport, Sources, collect
from voxkeep.settings import Collect, EightByEight, Settings
from voxkeep.vendors.eightbyeight.source import EightByEightSource

with warnings.catch_warnings():
    # pyftpdlib rests on the standard library's asyncore, whose import tells that it will go
    warnings.simplefilter("ignore", DeprecationWarning)
    from voxkeep.vendors.eightbyeight.ftpserver import FtpsServer

ZONE = "America/Los_Angeles"
QUICK = Settings(collect=Collect(refused_wait_seconds=0.01, timeout_seconds=20))
PLAIN = {
    "case_id": "24482",
    "account_number": "00417",
    "variable_1": "a,b",
    "variable_2": "x=1|y",
    "out_dial_code": "9",
}
KINDS: tuple[dict[str, Any], ...] = (
    {"direction": "inbound", "skill": "phoneq1", "skill_id": "t~~queue~~phone~~102", "caller_number": "+4155551234",
     "dialled_number": "8005557780", "agent_login": "bill", "agent_name": "Bill", **PLAIN},
    {"direction": "outbound", "dialled_number": "0041445551234", "agent_extension": "253", "agent_name": "Jane"},
    {"direction": "inbound", "caller_number": "4155551234", "call_key": "007"},
    {"wrap_up_codes": (WrapUpCode("Gauffre", "Gauffre 1"), WrapUpCode("", "ü|=\\")), "skill": "QUEUE_OUTBOUND"},
    {"vendor": "8x8", "extra": {"8x8": {"channel": "#odd#", "queueID": "", "accountNumber": ""}}, "call_key": "0"},
)  # fmt: skip


class Served(NamedTuple):
    world: World
    tenant: Tenant
    token: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.world.port}"

    async def get(self, target: str) -> bytes:
        answer = await asked(self.world, target, self.token, tenant=self.tenant.name)
        assert answer.status == 200, answer
        return answer.body

    async def everything(self, guids: list[str]) -> list[bytes]:
        pages = [f"files.{form}?n={first}" for form in ("json", "xml", "csv") for first in (1, 51, 101)]
        pages += [f"transcripts.{form}" for form in ("json", "xml", "csv")]
        return [await self.get(target) for target in [*pages, *(f"transcripts/{guid}.json" for guid in guids)]]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """Give an archive with 105 recordings of every kind, and chats."""
    world = await World(tmp_path / "theirs", Settings()).open()
    tenant = await world.tenant("acme-ns", zone=ZONE)
    for number in range(105):
        at, kind = START + number * 7_000, KINDS[number % len(KINDS)]
        await world.keep(tenant, at, audio="ogg" if number % 3 else "bare", vendor_key=f"key-{number}", **kind)
    metadata = [("Color", "Blue"), ("Fruit", ""), ("Color", "<&>")]
    await keep_chat(world, tenant, "g-1", START, ("Hi How r u", "", "\u2028 ü"), metadata=metadata, kind="A2C")
    await keep_chat(world, tenant, "g-2", START + 60_000, (), case_id="", contact_id="a/b", call_key="11")
    yield Served(world, tenant, await world.token(tenant))
    await world.close()


@asynccontextmanager
async def collected(home: Path, served: Served, options: dict[str, str], password: str = "") -> AsyncIterator[Archive]:
    """Collect everything twice into an archive of its own; the second run must not fetch anything."""
    archive = await Archive.at(home, QUICK, [ACCESS, COLLECT])
    try:
        tenant = await archive.tenants.add(Tenant(id=TenantId(0), name="ours", zone=ZONE))
        config = SourceConfig(
            name="nightly", vendor="8x8", url=served.url, tenant=tenant.id, options=options, pace_seconds=0.0
        )
        await Sources(archive.database).add(config)
        order = Order(
            config=config,
            factory=EightByEightSource,
            secret=lambda: served.token,
            other_secret=lambda: password,
            since=EpochMs(START - HOUR_MS),
            until=EpochMs(START + HOUR_MS),
        )
        first, second = await run(archive, order), await run(archive, order)
        assert (first.exit, first.new, first.missing, first.notes) == (0, 107, [], {}), first
        assert (second.exit, second.new, second.held) == (0, 0, 107)
        yield archive
    finally:
        await archive.close()


async def run(archive: Archive, order: Order) -> SourceReport:
    return (await collect(archive, [order])).sources[0]


async def test_over_http_every_field_of_every_record_comes_back(served: Served, tmp_path: Path) -> None:
    options = {"audio": "http", "account": "acme-ns"}
    async with collected(tmp_path / "ours", served, options) as archive:
        tenant = await archive.tenants.named("ours")
    ours = await World(tmp_path / "ours", Settings()).open()
    try:
        again = Served(ours, tenant, await ours.token(tenant))
        guids = ["g-1", "g-2"]
        assert await again.everything(guids) == await served.everything(guids)
        row = (await served.get("files.csv")).decode().splitlines()[1]
        name = next(cell for cell in row.split(",") if cell.endswith(".wav"))
        assert await again.get(f"files/{name}") == await served.get(f"files/{name}")
    finally:
        await ours.close()


async def test_over_ftps_the_same_comes_and_the_tree_agrees_with_the_api(served: Served, tmp_path: Path) -> None:
    pair = certificate(tmp_path)
    settings = replace(Settings().server, tls_cert=str(pair.cert), tls_key=str(pair.key))
    server = FtpsServer(served.world.archive, served.world.access, settings, EightByEight(ftps_port=0))
    password = await served.world.access.passwords.issue(served.tenant)
    port = server.start()
    options = {
        "audio": "ftps", "account": "acme-ns", "ftps_host": "localhost", "ftps_port": str(port),
        "ftps_ca": str(pair.cert),
    }  # fmt: skip
    try:
        async with collected(tmp_path / "ours", served, options, password) as archive:
            tenant = await archive.tenants.named("ours")
    finally:
        await server.stop()
    ours = await World(tmp_path / "ours", Settings()).open()
    try:
        again = Served(ours, tenant, await ours.token(tenant))
        assert await again.everything(["g-1", "g-2"]) == await served.everything(["g-1", "g-2"])
    finally:
        await ours.close()
