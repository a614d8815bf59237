"""The collector's own rows: its sources, the ledger of what each has listed, its runs."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec
from msgspec import Struct

from voxkeep.archive.units import EpochMs, TenantId, now_ms
from voxkeep.collect.errors import SourceExists, UnknownSource
from voxkeep.collect.source import CHAT, Window
from voxkeep.database import Database, Row, Transaction, Value


class SourceConfig(Struct, frozen=True, kw_only=True):
    """A source as it was set up. The secret itself is never here, only where it is found."""

    name: str
    vendor: str
    url: str
    tenant: TenantId
    """The archive's tenant the recordings are kept for."""
    secret_env: str | None = None
    secret_file: str | None = None
    pace_seconds: float | None = None
    """None for the setting's."""
    zone: str = "UTC"
    """IANA zone of times given without an offset."""
    added_at: EpochMs = EpochMs(0)
    watermark: EpochMs | None = None
    """Everything up to here has been listed."""
    last_sent_at: EpochMs | None = None
    options: Mapping[str, str] = {}
    """What else the vendor's source needs to know; see its room."""
    second_secret_env: str | None = None
    """Where the second secret is found, for a second way to the vendor."""
    second_secret_file: str | None = None


COLUMNS = ", ".join(SourceConfig.__struct_fields__)


class Sources:
    """The sources of an archive."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[SourceConfig]:
        """Return all sources, in order of name."""
        rows = await self._database.read(f"SELECT {COLUMNS} FROM collect_sources ORDER BY name")  # noqa: S608 -- ours
        return [_config(row) for row in rows]

    async def named(self, names: Sequence[str]) -> list[SourceConfig]:
        """Return the sources so named, all when none is. Raises UnknownSource."""
        found = {source.name: source for source in await self.all()}
        for name in names:
            if name not in found:
                raise UnknownSource(f"no source is called {name!r}")
        return [found[name] for name in dict.fromkeys(names)] if names else list(found.values())

    async def add(self, source: SourceConfig) -> None:
        """Keep a new source. Raises SourceExists."""
        values = _values(source)
        places = ", ".join(f"${number}" for number in range(1, len(values) + 1))

        async def work(transaction: Transaction) -> None:
            rows = await transaction.rows(
                f"INSERT INTO collect_sources ({COLUMNS}) VALUES ({places}) "  # noqa: S608 -- ours
                "ON CONFLICT DO NOTHING RETURNING name",
                *values,
            )
            if not rows:
                raise SourceExists(f"a source is called {source.name!r} already")

        await self._database.write(work)

    async def remove(self, name: str) -> None:
        """Forget a source, its ledger and its runs; what it collected stays. Raises UnknownSource."""

        async def work(transaction: Transaction) -> None:
            rows = await transaction.rows("DELETE FROM collect_sources WHERE name = $1 RETURNING name", name)
            if not rows:
                raise UnknownSource(f"no source is called {name!r}")
            await transaction.execute("DELETE FROM collect_items WHERE source = $1", name)
            await transaction.execute("DELETE FROM collect_runs WHERE source = $1", name)

        await self._database.write(work)

    async def sent(self, name: str, at: EpochMs) -> None:
        """Remember when the last request went out."""
        await self._set(name, "last_sent_at", at)

    async def listed_to(self, name: str, watermark: EpochMs) -> None:
        """Remember up to where everything has been listed."""
        await self._set(name, "watermark", watermark)

    async def set_options(self, name: str, options: Mapping[str, str]) -> None:
        """Keep what the vendor's source needs to know, in place of what was kept."""
        await self._set(name, "options", msgspec.json.encode(options).decode())

    async def _set(self, name: str, column: str, value: Value) -> None:
        sql = f"UPDATE collect_sources SET {column} = $2 WHERE name = $1"  # noqa: S608 -- one of those above
        await self._database.write(lambda transaction: transaction.execute(sql, name, value))


def _config(row: Row) -> SourceConfig:
    values = dict(zip(SourceConfig.__struct_fields__, row, strict=True))
    return SourceConfig(**values | {"options": msgspec.json.decode(values["options"], type=dict[str, str])})


def _values(source: SourceConfig) -> tuple[Value, ...]:
    values = {name: getattr(source, name) for name in SourceConfig.__struct_fields__}
    return tuple((values | {"options": msgspec.json.encode(source.options).decode()}).values())


class ItemState(StrEnum):
    """Where a listed recording stands with the collector."""

    DISCOVERED = "discovered"
    """Its turn has not come yet."""
    PENDING = "pending"
    FAILED = "failed"
    HELD = "held"
    GONE = "gone"
    REJECTED = "rejected"


OPEN = (ItemState.DISCOVERED, ItemState.PENDING, ItemState.FAILED)
"""States that a later run goes back for."""


class Item(Struct, frozen=True, kw_only=True):
    """What the ledger says of a listed recording."""

    key: str
    started_at: EpochMs
    state: ItemState
    reason: str = ""
    """Why it is not held; kept while it is open."""
    evidence: str = ""
    """SHA-256 of the last answer that was not believed."""
    call_known: bool = False
    tried: bool = False
    """Whether its audio was asked for just now."""


UPSERT = """
INSERT INTO collect_items (
    source, vendor_key, started_at, state, attempts, last_error, evidence, call_known, first_seen, last_seen
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
ON CONFLICT (source, vendor_key) DO UPDATE SET
    started_at = CASE excluded.state WHEN 'rejected' THEN collect_items.started_at ELSE excluded.started_at END,
    state = excluded.state, attempts = collect_items.attempts + excluded.attempts,
    last_error = excluded.last_error, evidence = excluded.evidence, call_known = excluded.call_known,
    last_seen = excluded.last_seen
"""
"""A record that was rejected tells no start: one that was known stays."""
OPEN_STATES = "state IN ('discovered', 'pending', 'failed')"
IS_CHAT = f"vendor_key LIKE '{CHAT}%'"


class Ledger:
    """What one source has listed, and what became of each."""

    def __init__(self, database: Database, source: str) -> None:
        self._database = database
        self._source = source

    async def between(self, first: EpochMs, last: EpochMs) -> dict[str, Item]:
        """Return the items that started from `first` to `last`, by key."""
        rows = await self._database.read(
            "SELECT vendor_key, started_at, state, last_error, evidence, call_known FROM collect_items "
            "WHERE source = $1 AND started_at BETWEEN $2 AND $3",
            self._source,
            first,
            last,
        )
        return {row[0]: _item(row) for row in rows}

    async def note(self, items: Iterable[Item]) -> None:
        """Write down what is known of some items now."""
        now = now_ms()
        rows = [
            (
                self._source,
                item.key,
                item.started_at,
                item.state,
                int(item.tried),
                item.reason,
                item.evidence,
                int(item.call_known),
                now,
            )
            for item in items
        ]
        if rows:
            await self._database.write(lambda transaction: transaction.execute_many(UPSERT, rows))

    async def rejected(self, key: str) -> str:
        """Return the evidence of a record that was rejected under `key` before, or ""."""
        rows = await self._database.read(
            "SELECT evidence FROM collect_items WHERE source = $1 AND vendor_key = $2 AND state = 'rejected'",
            self._source,
            key,
        )
        return rows[0][0] if rows else ""

    async def has_chats(self) -> bool:
        """Tell whether this source has ever listed a chat."""
        sql = f"SELECT 1 FROM collect_items WHERE source = $1 AND {IS_CHAT} LIMIT 1"  # noqa: S608 -- ours
        return bool(await self._database.read(sql, self._source))

    async def unlisted(
        self, first: EpochMs, last: EpochMs, since: EpochMs, reason: str, *, but_chats: bool = False
    ) -> list[tuple[str, EpochMs]]:
        """Turn the open items of a span that were not listed since `since` into gone ones; returns key and start.

        `but_chats` leaves chats as they are.
        """
        which = f"{OPEN_STATES} AND NOT {IS_CHAT}" if but_chats else OPEN_STATES

        async def work(transaction: Transaction) -> list[Row]:
            return await transaction.rows(
                "UPDATE collect_items SET state = 'gone', last_error = $5 WHERE source = $1 "  # noqa: S608 -- ours
                f"AND started_at BETWEEN $2 AND $3 AND last_seen < $4 AND {which} "
                "RETURNING vendor_key, started_at",
                self._source,
                first,
                last,
                since,
                reason,
            )

        return [(key, EpochMs(started_at)) for key, started_at in await self._database.write(work)]

    async def oldest_open(self, not_before: EpochMs | None = None) -> EpochMs | None:
        """Return the start of the oldest item that is still open, looking no further back than `not_before`."""
        rows = await self._database.read(
            f"SELECT MIN(started_at) FROM collect_items WHERE source = $1 AND started_at >= $2 AND {OPEN_STATES}",  # noqa: S608 -- ours
            self._source,
            not_before or 0,
        )
        oldest: EpochMs | None = rows[0][0]
        return oldest

    async def counts(self) -> dict[str, int]:
        """Return how many items stand in each state."""
        rows = await self._database.read(
            "SELECT state, COUNT(*) FROM collect_items WHERE source = $1 GROUP BY state ORDER BY state", self._source
        )
        return dict(rows)


def _item(row: Row) -> Item:
    key, started_at, state, reason, evidence, call_known = row
    return Item(
        key=key,
        started_at=EpochMs(started_at),
        state=ItemState(state),
        reason=reason,
        evidence=evidence,
        call_known=bool(call_known),
    )


class LastRun(Struct, frozen=True):
    """A run as it was written down; one without an end was killed, or is under way."""

    started_at: EpochMs
    ended_at: EpochMs | None
    exit_code: int | None


class Runs:
    """The runs of one source."""

    def __init__(self, database: Database, source: str) -> None:
        self._database = database
        self._source = source

    async def begin(self, at: EpochMs) -> int:
        """Write down that a run begins, and return its number."""

        async def work(transaction: Transaction) -> int:
            rows = await transaction.rows(
                "INSERT INTO collect_runs (id, source, started_at) "
                "SELECT COALESCE(MAX(id), 0) + 1, CAST($1 AS TEXT), CAST($2 AS BIGINT) FROM collect_runs RETURNING id",
                self._source,
                at,
            )
            number: int = rows[0][0]
            return number

        return await self._database.write(work)

    async def end(self, number: int, at: EpochMs, exit_code: int, report: object) -> None:
        """Write down how a run ended."""
        text = msgspec.json.encode(report).decode()
        sql = "UPDATE collect_runs SET ended_at = $2, exit_code = $3, report = $4 WHERE id = $1"
        await self._database.write(lambda transaction: transaction.execute(sql, number, at, exit_code, text))

    async def last(self) -> LastRun | None:
        """Return the last run, if there was any."""
        rows = await self._database.read(
            "SELECT started_at, ended_at, exit_code FROM collect_runs WHERE source = $1 ORDER BY id DESC LIMIT 1",
            self._source,
        )
        return LastRun(*rows[0]) if rows else None


def span_of(items: Iterable[EpochMs]) -> Window:
    """Return the shortest window around some moments (at least one)."""
    moments = sorted(items)
    return Window(moments[0], moments[-1])
