"""What a run promises of chats, and of audio that alone knows its length."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.collect.conftest import QUICK
from tests.server.tls import certificate
from tests.vendors.eightbyeight.vendor import (
    CHATS,
    FILES,
    NOON,
    PASSWORD,
    TOKEN,
    Tree,
    Vendor,
    chat,
    ftps_server,
    index,
    message,
    name_at,
    row,
    status,
    tone,
)

from voxkeep.archive import Archive
from voxkeep.archive.model import State, Tenant, Transcript
from voxkeep.archive.units import DAY_MS, HOUR_MS, DurationMs, EpochMs, TenantId, TranscriptId, uuid7
from voxkeep.collect import Order, SourceConfig, SourceReport, Sources, collect
from voxkeep.collect.errors import Gone
from voxkeep.collect.source import Connection, Listed, Ready
from voxkeep.collect.store import Ledger
from voxkeep.database import DatabaseError
from voxkeep.vendors.eightbyeight import reconcile
from voxkeep.vendors.eightbyeight.source import EightByEightSource
from voxkeep.vendors.xima.source import XimaSource


class Rig:
    """One 8x8 tenant, collected into one archive."""

    def __init__(self, archive: Archive, vendor: Vendor, tenant: TenantId) -> None:
        self.archive = archive
        self.vendor = vendor
        self.tenant = tenant
        self.sources = Sources(archive.database)

    async def run_somehow(self, since: int = NOON - HOUR_MS, until: int | None = NOON + 2 * HOUR_MS) -> SourceReport:
        (config,) = await self.sources.named(["nightly"])
        order = Order(
            config=config,
            factory=EightByEightSource,
            secret=lambda: TOKEN,
            other_secret=lambda: PASSWORD,
            since=EpochMs(since),
            until=None if until is None else EpochMs(until),
        )
        return (await collect(self.archive, [order])).sources[0]

    async def watermark(self) -> int | None:
        (config,) = await self.sources.named(["nightly"])
        return config.watermark

    async def run(self) -> SourceReport:
        report = await self.run_somehow()
        assert report.listed == (
            report.new + report.held + report.pending + report.gone + report.failed + report.rejected
        )
        return report

    async def texts(self, guid: str) -> list[str]:
        kept = await self.archive.transcript(self.tenant, guid)
        assert kept is not None
        return [each.text async for some in self.archive.messages(kept) for each in some]


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor() as started:
        started.chats = [chat(f"g-{number}", NOON + number * 60_000) for number in range(3)]
        yield started


@pytest.fixture
async def rig(archive: Archive, vendor: Vendor) -> Rig:
    archive.settings = replace(archive.settings, collect=QUICK)
    tenant = await archive.tenants.add(Tenant(id=TenantId(0), name="acme"))
    made = Rig(archive, vendor, tenant.id)
    config = SourceConfig(
        name="nightly", vendor="8x8", url=vendor.url, tenant=tenant.id, options={"audio": "http"}, pace_seconds=0.0
    )
    await made.sources.add(config)
    return made


async def test_every_chat_is_kept_with_its_messages_and_beside_recordings(rig: Rig) -> None:
    rig.vendor.files = [row()]
    rig.vendor.messages["g-1"] = [message(), message(NOON + 5_000, originalMessage="Bye")]
    report = await rig.run()
    assert (report.exit, report.listed, report.new, report.bytes) == (0, 4, 4, len(tone(1_000)))
    assert await rig.texts("g-1") == ["Hi How r u", "Bye"]
    kept = await rig.archive.transcript(rig.tenant, "g-0")
    assert kept is not None
    assert (kept.vendor, kept.contact_name, kept.message_count) == ("8x8", "Jeff Waugh", 1)
    assert report.notes == {}


async def test_the_second_run_downloads_nothing(rig: Rig) -> None:
    rig.vendor.files = [row()]
    await rig.run()
    report = await rig.run()
    assert (report.exit, report.new, report.held, report.bytes) == (0, 0, 4, 0)
    assert set(rig.vendor.served.values()) == {1}


async def test_a_removed_chat_is_held_and_never_fetched_again(rig: Rig) -> None:
    await rig.run()
    kept = await rig.archive.transcript(rig.tenant, "g-1")
    assert kept is not None
    await rig.archive.remove_transcript(rig.tenant, kept.id, hard=True)
    assert (await rig.run()).held == 3
    assert rig.vendor.served["g-1"] == 1
    again = await rig.archive.transcript(rig.tenant, "g-1")
    assert again is not None
    assert again.state is State.REMOVED


async def test_a_chat_that_is_not_there_is_gone_with_its_reason(rig: Rig) -> None:
    rig.vendor.always["g-1"] = status(404)
    report = await rig.run()
    assert (report.exit, report.new, report.gone) == (0, 2, 1)
    assert (report.missing[0].key, report.missing[0].reason) == (
        "transcript g-1", "listed, but it is not there (404)",
    )  # fmt: skip
    assert rig.vendor.count("g-1") == 1


@pytest.mark.parametrize("fault", [status(500), status(503), status(429), status(200, b"<html>", "text/html")])
async def test_a_passing_fault_is_asked_again_in_the_same_run(rig: Rig, fault: Any) -> None:
    rig.vendor.faults["g-1"].append(fault)
    report = await rig.run()
    assert (report.exit, report.new) == (0, 3)


async def test_a_lasting_fault_fails_one_chat_with_its_reason_and_no_other(rig: Rig) -> None:
    rig.vendor.always["g-1"] = status(200, b'{"transcript": {"startDate": "noon"}}')
    report = await rig.run()
    assert (report.exit, report.new, report.failed) == (1, 2, 1)
    assert (report.missing[0].key, report.missing[0].start) == ("transcript g-1", "2023-11-14T22:14:20.000Z")
    assert report.missing[0].reason.startswith("not what was asked for")
    (path,) = (rig.archive.home / "quarantine").glob("*")
    assert json.loads(path.read_bytes().split(b"\n", 1)[0])["key"] == "transcript g-1"
    del rig.vendor.always["g-1"]
    report = await rig.run()
    assert (report.exit, report.new, report.held) == (0, 1, 2)


async def test_a_refusal_at_a_chat_stops_the_tenant(rig: Rig) -> None:
    rig.vendor.always["g-1"] = status(401)
    report = await rig.run()
    assert (report.exit, report.new, report.failed) == (3, 1, 2)
    assert rig.vendor.count("g-2") == 0


async def test_a_chat_and_a_file_of_one_key_are_two(rig: Rig) -> None:
    rig.vendor.files = [row()]
    rig.vendor.chats = [chat(name_at(NOON))]
    report = await rig.run()
    assert (report.exit, report.new) == (0, 2)
    assert await Ledger(rig.archive.database, "nightly").counts() == {"held": 2}
    assert (await rig.run()).held == 2


async def test_another_vendors_chat_of_the_same_key_is_not_ours(rig: Rig) -> None:
    at = EpochMs(NOON)
    other = Transcript(
        tenant=rig.tenant, id=TranscriptId(uuid7(at)), started_at=at, duration_ms=DurationMs(0), vendor="import",
        vendor_key="g-0",
    )  # fmt: skip
    await rig.archive.keep_transcript(other, [])
    assert (await rig.run()).new == 3


async def test_the_ledger_tells_how_often_and_why_a_chat_failed(rig: Rig) -> None:
    rig.vendor.always["g-1"] = status(400)
    assert (await rig.run()).failed == 1
    rows = await rig.archive.database.read(
        "SELECT state, last_error FROM collect_items WHERE vendor_key LIKE 'transc%1'"
    )
    assert rows == [("failed", "HTTP 400")]


async def test_whichever_write_fails_the_next_run_holds_every_chat(rig: Rig) -> None:
    """The n-th durable write fails, for n = 1, 2, 3 ... until a run needs no n-th."""
    write = rig.archive.database.write
    number, failed = 0, True
    while failed:
        number += 1
        rig.vendor.chats = [chat(f"{number}-{each}", NOON + each * 1_000) for each in range(2)]
        left, failed = number, False

        async def fail(work: Any) -> Any:
            nonlocal left, failed
            left -= 1
            if left == 0:
                failed = True
                raise DatabaseError("I/O error")
            return await write(work)

        rig.archive.database.write = fail  # type: ignore[method-assign] # the fault
        report = await rig.run_somehow()
        assert (report.exit == 0) is not failed
        rig.archive.database.write = write  # type: ignore[method-assign] # the fault ends
        assert (await rig.run()).exit == 0
        for each in range(2):
            assert await rig.texts(f"{number}-{each}") == ["Hi How r u"]
    assert number > 8


async def test_a_token_renewed_between_lists_and_chats_refuses_and_the_next_run_goes_on(rig: Rig) -> None:
    async def renew(_: object) -> None:
        rig.vendor.token = "another"

    rig.vendor.faults[CHATS].append(renew)
    report = await rig.run()
    assert (report.exit, report.new) == (3, 0)
    rig.vendor.token = TOKEN
    assert (await rig.run()).new == 3
    assert rig.vendor.count(FILES) > 1


async def test_a_tenant_that_never_had_chats_is_collected_without_them_and_that_is_told(rig: Rig) -> None:
    rig.vendor.files = [row()]
    rig.vendor.always[CHATS] = status(404)
    for new in (1, 0):
        report = await rig.run()
        assert (report.exit, report.new, report.chats_not_listed) == (0, new, "")
        assert list(report.notes) == ["without chat transcripts: HTTP 404: not found"]


@pytest.mark.parametrize("code", [403, 404])
async def test_where_there_were_chats_a_run_without_their_list_is_incomplete_and_gives_none_up(
    rig: Rig, code: int
) -> None:
    rig.vendor.always["g-1"] = status(400)
    assert (await rig.run()).failed == 1
    rig.vendor.files = [row()]
    rig.vendor.always[CHATS] = status(code)
    # wide enough for what is not listed to be given up
    span = {"since": NOON - 3 * DAY_MS, "until": NOON + 3 * DAY_MS}
    report = await rig.run_somehow(**span)
    assert (report.exit, report.new, report.gone, report.refused) == (1, 1, 0, False)
    assert f"HTTP {code}" in report.chats_not_listed
    rig.vendor.always.clear()
    report = await rig.run_somehow(**span)
    assert (report.exit, report.new, report.held, report.chats_not_listed) == (0, 1, 3, "")


async def test_who_may_not_list_chats_is_told_so_from_the_first_run_on(rig: Rig) -> None:
    rig.vendor.files = [row()]
    rig.vendor.always[CHATS] = status(403)
    report = await rig.run()
    assert (report.exit, report.new, "HTTP 403" in report.chats_not_listed) == (1, 1, True)


async def test_the_watermark_stays_before_chats_that_were_not_listed(rig: Rig) -> None:
    rig.vendor.always[CHATS] = status(403)
    await rig.run_somehow(NOON - DAY_MS, None)
    assert await rig.watermark() is None
    rig.vendor.always.clear()
    report = await rig.run_somehow(NOON - DAY_MS, None)
    assert (report.new, await rig.watermark() is None) == (3, False)


async def test_a_chat_under_way_is_kept_once_it_is_over_with_all_its_messages(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = NOON + 10 * 60_000
    monkeypatch.setattr(reconcile, "now_ms", lambda: EpochMs(now))
    rig.vendor.files = [row()]
    report = await rig.run()
    assert (report.exit, report.new, report.pending) == (0, 0, 4)
    assert report.reasons == {"so new that 8x8 may still add to it": 4}
    rig.vendor.messages["g-1"] = [message(), message(NOON + 5_000, originalMessage="Bye")]
    rig.vendor.files = [row(caseID=77)]
    now += 2 * HOUR_MS
    report = await rig.run()
    assert (report.exit, report.new, report.pending) == (0, 4, 0)
    assert await rig.texts("g-1") == ["Hi How r u", "Bye"]
    kept = await rig.archive.by_key(rig.tenant, "8x8", name_at(NOON))
    assert kept is not None
    assert "77" in repr(kept)


async def test_a_vendor_without_chats_says_so() -> None:
    async def slot() -> None:
        return None

    source = XimaSource(Connection("https://a.test", TOKEN, TenantId(1), "acme", slot, 1.0))
    at = EpochMs(NOON)
    chat_of_another = Transcript(
        tenant=TenantId(1), id=TranscriptId(uuid7(at)), started_at=at, duration_ms=DurationMs(0), vendor_key="g"
    )
    with pytest.raises(Gone, match="no chat transcripts"):
        await source.transcript(Listed(item=chat_of_another, status=Ready()))
    await source.close()


@asynccontextmanager
async def rig_with_tree(archive: Archive, vendor: Vendor, folder: Path) -> AsyncIterator[tuple[Rig, Tree]]:
    archive.settings = replace(archive.settings, collect=QUICK)
    tenant = await archive.tenants.add(Tenant(id=TenantId(0), name="acme"))
    rig = Rig(archive, vendor, tenant.id)
    pair = certificate(folder)
    with ftps_server(folder / "tree", pair) as tree:
        options = {"audio": "ftps", "ftps_host": "localhost", "ftps_port": str(tree.port), "ftps_ca": str(pair.cert)}
        config = SourceConfig(
            name="nightly", vendor="8x8", url=vendor.url, tenant=tenant.id, options=options, pace_seconds=0.0
        )
        await rig.sources.add(config)
        yield rig, tree


async def test_a_row_that_cannot_be_read_is_not_missing_where_the_tree_has_its_recording(
    archive: Archive, vendor: Vendor, tmp_path: Path
) -> None:
    vendor.chats, vendor.files = [], [row(duration="long")]
    async with rig_with_tree(archive, vendor, tmp_path) as (rig, tree):
        tree.put(name_at(NOON), tone(1_000))
        tree.put_index("S20231114", index())
        first, second = await rig.run(), await rig.run()
    assert (first.exit, first.listed, first.new, first.rejected, len(first.quarantined)) == (0, 1, 1, 0, 1)
    assert any("could not be understood" in note for note in first.notes)
    assert (second.exit, second.held, second.rejected, second.quarantined) == (0, 1, 0, [])
    assert await Ledger(archive.database, "nightly").between(EpochMs(NOON - 1_000), EpochMs(NOON + 1_000)) != {}


async def test_what_lies_in_the_tree_alone_is_kept_as_long_as_its_audio(
    archive: Archive, vendor: Vendor, tmp_path: Path
) -> None:
    async with rig_with_tree(archive, vendor, tmp_path) as (rig, tree):
        vendor.chats, vendor.files = [], [row(), row(NOON + 9_000, 9)]
        name = name_at(NOON + 5_000, 2)
        tree.put(name_at(NOON), tone(1_000))
        tree.put(name, tone(2_345))
        report = await rig.run()
        second = await rig.run()
    assert (report.exit, report.listed, report.new, report.gone) == (0, 3, 2, 1)
    assert report.missing[0].reason == "listed, but its audio is not there (550)"
    assert "S20231114: 1 recording with a wav file that neither the API nor the index lists" in report.notes
    kept = await archive.by_key(rig.tenant, "8x8", name)
    assert kept is not None
    assert kept.audio is not None
    assert (kept.duration_ms, kept.ended_at, kept.audio.health) == (2_345, NOON + 5_000 + 2_345, 0)
    assert (second.new, second.held) == (0, 2)
