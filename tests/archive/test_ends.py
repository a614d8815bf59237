"""Recordings by their end: all of a span once, in either order, from any of them on, never by walking the tenant."""

from collections.abc import Awaitable, Callable, Sequence

import pytest

from voxkeep.archive import Archive, Kept
from voxkeep.archive.model import Recording, State, Tenant
from voxkeep.archive.query import AnyOf, Ends, Mark, Question, Scope, Term, TimeRange, Visibility
from voxkeep.archive.units import DurationMs, EpochMs
from voxkeep.database import Row

Keep = Callable[..., Awaitable[Kept]]
Make = Callable[..., Recording]
FIRST = EpochMs(1_763_647_391_250)
LENGTHS = (9_000, 1_000, 5_000, 5_000, 5_000, 2_000)
SPAN = TimeRange(EpochMs(FIRST + 2_000), EpochMs(FIRST + 9_000))
"""Leaves out the one that ends first."""


def raw(rows: list[Row]) -> list[Row]:
    return rows


@pytest.fixture
async def ends(keep: Keep, recording_of: Make, globex: Tenant) -> list[tuple[int, bytes]]:
    """Keep recordings that end at other times than in the order of their starts; return the places of SPAN's."""
    made = [
        (await keep(recording_of(str(n), started_at=EpochMs(FIRST), duration_ms=DurationMs(length)))).recording
        for n, length in enumerate(LENGTHS)
    ]
    await keep(recording_of("theirs", tenant=globex.id, started_at=FIRST, duration_ms=DurationMs(5_000)))
    return sorted((each.ended_at, each.id.bytes) for each in made if SPAN.first <= each.ended_at <= SPAN.last)


async def asked(
    archive: Archive,
    tenant: Tenant,
    mark: Mark | None = None,
    *,
    ascending: bool = True,
    limit: int = 100,
    conditions: Sequence[AnyOf] = (),
    visibility: Visibility | None = None,
) -> list[Row]:
    scope = Scope(tenant.id) if visibility is None else Scope(tenant.id, visibility)
    question = Question(scope, conditions=tuple(conditions))
    return await archive.page_by_end(question, Ends(SPAN, mark, ascending), limit, ["vendor_key"], raw)


@pytest.mark.parametrize("ascending", [True, False])
async def test_rows_come_in_order_of_end_and_id_and_only_those_of_the_span(
    archive: Archive, acme: Tenant, ends: list[tuple[int, bytes]], *, ascending: bool
) -> None:
    found = [row[:2] for row in await asked(archive, acme, ascending=ascending)]
    assert found == (ends if ascending else ends[::-1])


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("included", [True, False])
@pytest.mark.parametrize("size", [1, 2, 3])
async def test_from_any_row_on_the_rest_follows_once_each(
    archive: Archive, acme: Tenant, ends: list[tuple[int, bytes]], *, ascending: bool, included: bool, size: int
) -> None:
    order = ends if ascending else ends[::-1]
    for place, (ended_at, identity) in enumerate(order):
        mark = Mark(EpochMs(ended_at), identity, included)
        begin = place if included else place + 1
        found = [row[:2] for row in await asked(archive, acme, mark, ascending=ascending, limit=size)]
        assert found == order[begin : begin + size]


async def test_conditions_and_what_may_be_seen_narrow_the_rows(
    archive: Archive, acme: Tenant, keep: Keep, recording_of: Make, ends: list[tuple[int, bytes]]
) -> None:
    special = recording_of("special", started_at=FIRST, duration_ms=DurationMs(6_000), agent_name="Ann")
    await keep(special)
    seen = await asked(archive, acme, visibility=Visibility(frozenset({"Ann"})))
    assert [row[3] for row in seen] == ["special"]
    await archive.remove(acme.id, special.id)
    kept = AnyOf((Term.equal("state", int(State.KEPT)), Term.equal("state", int(State.PENDING))))
    assert [row[:2] for row in await asked(archive, acme, conditions=[kept])] == ends
    assert len(await asked(archive, acme)) == len(ends) + 1


async def test_the_index_of_ends_leads_to_the_rows_in_both_orders(
    archive: Archive, acme: Tenant, ends: list[tuple[int, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for = list[tuple[str, tuple[int | bytes, ...]]]()
    read = archive.database.read_shaped

    async def watched(shape: Callable[[list[Row]], list[Row]], sql: str, *values: int | bytes) -> list[Row]:
        asked_for.append((sql, values))
        return await read(shape, sql, *values)

    monkeypatch.setattr(archive.database, "read_shaped", watched)
    mark = Mark(EpochMs(ends[0][0]), ends[0][1])
    for ascending in (True, False):
        await asked(archive, acme, mark, ascending=ascending)
        await asked(archive, acme, ascending=ascending)
    monkeypatch.undo()
    assert len(asked_for) == 4
    # the scan begins at the mark, however deep that lies: its time bounds the range of the index
    assert asked_for[0][1][1] == mark.ended_at
    assert asked_for[2][1][2] == mark.ended_at
    for sql, values in asked_for:
        plan = " ".join(str(row[3]) for row in await archive.database.read(f"EXPLAIN QUERY PLAN {sql}", *values))
        assert "recordings_ended" in plan
        assert "TEMP B-TREE" not in plan
