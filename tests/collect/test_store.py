import json
from pathlib import Path

import pytest

from voxkeep.archive import Archive
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.collect import MIGRATIONS
from voxkeep.collect.errors import SourceBusy, SourceExists, UnknownSource
from voxkeep.collect.lock import source_lock
from voxkeep.collect.quarantine import LARGEST_BYTES, Quarantine
from voxkeep.collect.store import Item, ItemState, Ledger, Runs, SourceConfig, Sources
from voxkeep.database import Migrations, Transaction, migrate
from voxkeep.database.sqlite import SqliteDatabase

ACME = SourceConfig(
    name="acme",
    vendor="xima",
    url="https://acme.xima.cloud",
    tenant=TenantId(1),
    secret_env="ACME_TOKEN",
    pace_seconds=4.5,
    zone="America/Denver",
)


def item(key: str, start: int, state: ItemState = ItemState.FAILED, reason: str = "") -> Item:
    return Item(key=key, started_at=EpochMs(start), state=state, reason=reason)


async def test_a_source_is_kept_as_it_was_set_up_and_found_by_name(archive: Archive) -> None:
    sources = Sources(archive.database)
    other = SourceConfig(name="other", vendor="xima", url="https://o.test", tenant=TenantId(2), secret_file="/x")
    await sources.add(other)
    await sources.add(ACME)
    assert await sources.all() == [ACME, other]
    assert await sources.named(["other", "other"]) == [other]
    assert await sources.named([]) == [ACME, other]


async def test_a_vendors_options_and_its_second_secret_are_kept(archive: Archive) -> None:
    sources = Sources(archive.database)
    own = SourceConfig(
        name="eight",
        vendor="8x8",
        url="https://vcc-na2.8x8.com",
        tenant=TenantId(1),
        options={"audio": "ftps", "ftps_host": "ü"},
        second_secret_env="PW",
        second_secret_file="/pw",
    )
    await sources.add(own)
    assert await sources.all() == [own]


async def test_a_source_of_an_older_archive_has_no_options(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "old.db", readers=1, group_commit=1, busy_timeout_ms=1_000)
    await migrate(database, [Migrations("collect", MIGRATIONS.steps[:1])])

    async def add(transaction: Transaction) -> None:
        await transaction.execute(
            "INSERT INTO collect_sources (name, vendor, url, tenant, zone, added_at) VALUES ($1, $2, $3, $4, $5, $6)",
            "old", "xima", "https://o.test", 1, "UTC", 0,
        )  # fmt: skip

    await database.write(add)
    await migrate(database, [MIGRATIONS])
    (found,) = await Sources(database).all()
    assert (found.name, found.options, found.second_secret_env, found.second_secret_file) == ("old", {}, None, None)
    await database.close()


async def test_a_name_is_taken_once_and_an_unknown_one_is_told(archive: Archive) -> None:
    sources = Sources(archive.database)
    await sources.add(ACME)
    with pytest.raises(SourceExists, match="acme"):
        await sources.add(ACME)
    with pytest.raises(UnknownSource, match="nobody"):
        await sources.named(["acme", "nobody"])
    with pytest.raises(UnknownSource):
        await sources.remove("nobody")


async def test_a_removed_source_takes_its_ledger_and_runs_along_and_no_others(archive: Archive) -> None:
    sources = Sources(archive.database)
    await sources.add(ACME)
    for name in ("acme", "other"):
        await Ledger(archive.database, name).note([item("k", 5)])
        await Runs(archive.database, name).begin(EpochMs(1))
    await sources.remove("acme")
    assert await sources.all() == []
    assert await Ledger(archive.database, "acme").counts() == {}
    assert await Runs(archive.database, "acme").last() is None
    assert await Ledger(archive.database, "other").counts() == {"failed": 1}


async def test_moments_of_a_source_are_remembered(archive: Archive) -> None:
    sources = Sources(archive.database)
    await sources.add(ACME)
    await sources.sent("acme", EpochMs(7))
    await sources.listed_to("acme", EpochMs(9))
    (found,) = await sources.all()
    assert (found.last_sent_at, found.watermark) == (7, 9)


async def test_the_ledger_keeps_what_was_last_known_and_when_it_was_first_seen(archive: Archive) -> None:
    ledger = Ledger(archive.database, "acme")
    await ledger.note([item("a", 10, ItemState.DISCOVERED), item("b", 20)])
    await ledger.note([Item(key="a", started_at=EpochMs(11), state=ItemState.HELD, evidence="e", call_known=True)])
    found = await ledger.between(EpochMs(0), EpochMs(15))
    assert found == {"a": Item(key="a", started_at=EpochMs(11), state=ItemState.HELD, evidence="e", call_known=True)}
    rows = await archive.database.read("SELECT COUNT(*) FROM collect_items WHERE first_seen <= last_seen")
    assert rows == [(2,)]
    await ledger.note([])


@pytest.mark.parametrize(
    ("state", "is_open"),
    [
        (ItemState.DISCOVERED, True),
        (ItemState.PENDING, True),
        (ItemState.FAILED, True),
        (ItemState.HELD, False),
        (ItemState.GONE, False),
        (ItemState.REJECTED, False),
    ],
)
async def test_the_oldest_open_item_is_one_that_a_later_run_can_still_get(
    archive: Archive,
    state: ItemState,
    is_open: bool,  # noqa: FBT001
) -> None:
    ledger = Ledger(archive.database, "acme")
    await ledger.note([item("a", 10, state)])
    assert await ledger.oldest_open() == (10 if is_open else None)
    assert await ledger.oldest_open(EpochMs(11)) is None
    assert await Ledger(archive.database, "other").oldest_open() is None


async def test_only_open_items_that_were_not_seen_become_gone(archive: Archive) -> None:
    ledger = Ledger(archive.database, "acme")
    await ledger.note([item("open", 10), item("held", 10, ItemState.HELD), item("outside", 99)])
    assert await ledger.unlisted(EpochMs(5), EpochMs(50), EpochMs(0), "why") == []
    later = EpochMs(2**50)
    assert await ledger.unlisted(EpochMs(5), EpochMs(50), later, "why") == [("open", 10)]
    assert await ledger.counts() == {"failed": 1, "gone": 1, "held": 1}


async def test_chats_can_be_left_as_they_are(archive: Archive) -> None:
    ledger = Ledger(archive.database, "acme")
    await ledger.note([item("open", 10)])
    assert not await ledger.has_chats()
    await ledger.note([item("transcript g", 10)])
    assert await ledger.has_chats()
    assert not await Ledger(archive.database, "other").has_chats()
    span = EpochMs(5), EpochMs(50), EpochMs(2**50)
    assert await ledger.unlisted(*span, "why", but_chats=True) == [("open", 10)]
    assert await ledger.unlisted(*span, "why") == [("transcript g", 10)]


async def test_a_rejected_record_takes_no_known_start_away(archive: Archive) -> None:
    ledger = Ledger(archive.database, "acme")
    await ledger.note([item("k", 10)])
    await ledger.note([item("k", 0, ItemState.REJECTED), item("new", 0, ItemState.REJECTED)])
    found = await ledger.between(EpochMs(10), EpochMs(10))
    assert [(each.key, each.state) for each in found.values()] == [("k", ItemState.REJECTED)]
    await ledger.note([item("k", 11, ItemState.HELD), item("new", 12, ItemState.HELD)])
    assert set(await ledger.between(EpochMs(11), EpochMs(12))) == {"k", "new"}


async def test_a_run_without_an_end_was_killed(archive: Archive) -> None:
    runs = Runs(archive.database, "acme")
    first = await runs.begin(EpochMs(1))
    await runs.end(first, EpochMs(2), 0, {"new": 3})
    await runs.begin(EpochMs(3))
    last = await runs.last()
    assert last is not None
    assert (last.started_at, last.ended_at, last.exit_code) == (3, None, None)


def test_a_source_is_locked_once_at_a_time(tmp_path: Path) -> None:
    with (
        source_lock(tmp_path, "acme"),
        source_lock(tmp_path, "other"),
        pytest.raises(SourceBusy, match="acme"),
        source_lock(tmp_path, "acme"),
    ):
        pass
    with source_lock(tmp_path, "acme"):
        pass


async def test_the_quarantine_keeps_the_first_mebibyte_and_the_facts(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, "acme")
    raw = b"\n\x00" + bytes(LARGEST_BYTES)
    names = [await quarantine.put(raw, {"reason": "x"}), await Quarantine(tmp_path, "acme").put(b"", {})]
    assert len(set(names)) == 2
    path = tmp_path / "quarantine" / names[0]
    head, kept = path.read_bytes().split(b"\n", 1)
    assert json.loads(head) == {"reason": "x", "bytes": len(raw)}
    assert kept == raw[:LARGEST_BYTES]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
