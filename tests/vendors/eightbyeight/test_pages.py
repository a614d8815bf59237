"""Paging by `n`: fifty a page, the same cost at any depth, and a reader that loses and repeats nothing."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.harness import START, World
from tests.vendors.eightbyeight.conftest import Ground
from tests.vendors.eightbyeight.harness import asked, basic, keep_chat, listed, records

from voxkeep.archive.model import State, Tenant
from voxkeep.archive.query import START as BEGINNING
from voxkeep.archive.query import Position, Question, Scope
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.database import Row
from voxkeep.vendors.eightbyeight.pages import PAGE_ROWS, PLACES, QUERIES, REMEMBERED_S, WALK_ROWS, Pager, Places, Query

T = TypeVar("T")


async def filled(world: World, tenant: Tenant, count: int, first: int = 0, **fields: Any) -> list[str]:
    """Keep recordings a second apart, and return their file names in order."""
    kept = await asyncio.gather(
        *(
            world.keep(tenant, START + 1_000 * number, state=State.KEPT, call_key=str(number), **fields)
            for number in range(first, first + count)
        )
    )
    return [recording.file_name for recording in kept]


async def page(world: World, token: str, n: int, **variables: str) -> list[str]:
    return [record.key for record in await listed(world, token, n=n, **variables)]


async def remove(world: World, tenant: Tenant, names: Sequence[str]) -> None:
    for name in names:
        recording = await world.archive.by_file_name(tenant.id, name)
        assert recording is not None
        await world.archive.remove(tenant.id, recording.id)


# What a client sees


async def test_a_page_has_fifty_and_n_counts_from_one(world: World, acme: Tenant, token: str) -> None:
    names = await filled(world, acme, 120)
    assert await page(world, token, 1) == names[:50]
    assert [record.key for record in await listed(world, token)] == names[:50]
    assert await page(world, token, 0) == names[:50]
    assert await page(world, token, 51) == names[50:100]
    assert await page(world, token, 101) == names[100:]
    assert await page(world, token, 7) == names[6:56]
    assert await page(world, token, 120) == names[119:]
    for n in (121, 151, 5_001, 10**15 - 1):
        assert await page(world, token, n) == []


async def test_transcripts_are_paged_alike(world: World, acme: Tenant, token: str) -> None:
    await asyncio.gather(*(keep_chat(world, acme, f"int-{n:03}", START + n) for n in range(60)))
    for first, last in ((1, 50), (51, 60), (61, 60)):
        answer = await asked(world, f"transcripts.csv?n={first}", token)
        assert [record.key for record in records(answer)] == [f"int-{n:03}" for n in range(first - 1, last)]


async def test_a_page_is_of_what_fits(world: World, acme: Tenant, token: str) -> None:
    await filled(world, acme, 30, agent_login="ann")
    names = await filled(world, acme, 70, first=30, agent_login="bill")
    await filled(world, acme, 30, first=100, agent_login="ann")
    assert await page(world, token, 1, agentID="bill") == names[:50]
    assert await page(world, token, 51, agentID="bill") == names[50:]
    assert await page(world, token, 60, agentID="bill") == names[59:]
    assert await page(world, token, 71, agentID="bill") == []


async def test_the_same_place_is_found_in_any_format_and_zone(world: World, acme: Tenant, token: str) -> None:
    names = await filled(world, acme, 60)
    for target in ("files", "files.csv", "files.json?tz=Asia/Kathmandu&x=1"):
        separator = "&" if "?" in target else "?"
        shown = records(await asked(world, f"{target}{separator}n=51", token))
        assert [record.key for record in shown] == names[50:]


# A reader in sequence, while the archive changes


async def test_what_is_removed_between_two_pages_loses_and_repeats_nothing(
    world: World, acme: Tenant, token: str
) -> None:
    names = await filled(world, acme, 130)
    assert await page(world, token, 1) == names[:50]
    await remove(world, acme, names[:50:2])
    assert await page(world, token, 51) == names[50:100]
    await remove(world, acme, [*names[50:100], names[120]])
    assert await page(world, token, 101) == [*names[100:120], *names[121:]]


async def test_what_arrives_late_between_two_pages_loses_and_repeats_nothing(
    world: World, acme: Tenant, token: str
) -> None:
    names = await filled(world, acme, 100)
    assert await page(world, token, 1) == names[:50]
    early = await filled(world, acme, 20, first=-20)
    between = (await world.keep(acme, START + 1_000 * 70 + 1, state=State.KEPT)).file_name
    assert await page(world, token, 51) == [*names[50:71], between, *names[71:99]]
    assert await page(world, token, 101) == names[99:]
    # whoever begins anew sees all
    assert await page(world, token, 1) == [*early, *names[:30]]


async def test_who_removes_each_page_and_asks_for_the_first_again_gets_all(
    world: World, acme: Tenant, token: str
) -> None:
    names = await filled(world, acme, 120)
    found: list[str] = []
    while got := await page(world, token, 1):
        found += got
        await remove(world, acme, got)
    assert found == names


async def test_what_comes_late_is_found_by_who_asked_in_vain_before(world: World, acme: Tenant, token: str) -> None:
    # a screen pop asks until its recording is there, and others were kept meanwhile
    await filled(world, acme, 3, first=10, agent_login="ann")
    for _ in range(3):
        assert await page(world, token, 1, agentID="bill") == []
    late = await filled(world, acme, 1, agent_login="bill")
    assert await page(world, token, 1, agentID="bill") == late


async def test_one_reader_does_not_move_anothers_place(world: World, acme: Tenant, token: str) -> None:
    second = await world.token(acme, name="second")
    names = await filled(world, acme, 130)
    assert await page(world, token, 1) == names[:50]
    await remove(world, acme, names[:10])
    assert await page(world, second, 1) == names[10:60]
    assert await page(world, token, 51) == names[50:100]
    assert await page(world, second, 51) == names[60:110]


@settings(max_examples=25)
@given(data=st.data())
def test_a_reader_in_sequence_sees_once_whatever_was_there_all_the_time(ground: Ground, data: st.DataObject) -> None:
    tenant, token = ground.tenant()
    world = ground.world
    names = ground.run(filled(world, tenant, 110))
    staying = set(names)
    seen: list[str] = []

    async def next_page() -> list[str]:
        answer = await world.ask(
            "GET", f"/api/recordings/files.json?n={len(seen) + 1}", Authorization=basic(token, tenant.name)
        )
        return [record.key for record in records(answer)]

    while True:
        got = ground.run(next_page())
        seen += got
        if len(got) < PAGE_ROWS:
            break
        going = data.draw(st.lists(st.sampled_from(sorted(staying)), max_size=6, unique=True))
        ground.run(remove(world, tenant, going))
        staying -= set(going)
        ground.run(filled(world, tenant, data.draw(st.integers(0, 3)), first=data.draw(st.integers(-50, 50))))
    assert len(seen) == len(set(seen))
    assert staying <= set(seen)


# What it costs: rows read, counted


class Table:
    """So many rows; what is read of them is counted."""

    def __init__(self, count: int) -> None:
        self.rows: list[tuple[int, bytes, int]] = [(number, b"id", number) for number in range(count)]
        self.read = 0
        self.limits: list[int] = []

    async def page(
        self, question: Question, after: Position, limit: int, columns: Sequence[str], shape: Callable[[list[Row]], T]
    ) -> T:
        assert question.scope.tenant == 1
        self.limits.append(limit)
        rows = [row if columns else row[:2] for row in self.rows if row[:2] > after][:limit]
        self.read += len(rows)
        return shape(rows)

    def query(self, accepts: Callable[[int], bool] | None = None, key: str = "") -> Query[int]:
        question = Question(Scope(TenantId(1)))
        return Query(self.page, question, ("number",), lambda rows: [row[2] for row in rows], accepts, key)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def reads(pager: Pager, table: Table, n: int, accepts: Callable[[int], bool] | None = None) -> int:
    """Return how many rows a page costs, having checked what is on it."""
    before = table.read
    fitting = [number for number in range(len(table.rows)) if accepts is None or accepts(number)]
    assert await pager.page(table.query(accepts), n) == fitting[n - 1 : n + 49]
    return table.read - before


async def test_every_page_in_sequence_reads_as_many_rows_as_the_first() -> None:
    pager, table = Pager(), Table(20_000)
    assert [await reads(pager, table, n) for n in range(1, 20_000, 50)] == [50] * 400


async def test_every_page_in_sequence_of_a_filter_costs_about_the_same() -> None:
    pager, table = Pager(), Table(20_000)
    costs = [await reads(pager, table, n, lambda number: number % 4 == 0) for n in range(1, 4_951, 50)]
    assert max(costs) <= 2 * costs[0]


async def test_a_jump_walks_once_and_the_place_is_remembered() -> None:
    pager, table = Pager(), Table(20_000)
    assert await reads(pager, table, 15_001) == 15_050
    assert await reads(pager, table, 15_051) == 50
    assert await reads(pager, table, 15_001) == 50
    assert await reads(pager, table, 15_101) == 50
    # from the nearest place before
    assert await reads(pager, table, 15_201) == 100
    # and the first page is never taken from memory
    assert await reads(pager, table, 1) == 50


async def test_a_jump_past_the_end_walks_once() -> None:
    pager, table = Pager(), Table(12_000)
    assert await reads(pager, table, 10**15) == 12_000
    assert await reads(pager, table, 10**15) == 0


async def test_a_walk_goes_in_pieces_so_that_no_read_is_long() -> None:
    pager, table = Pager(), Table(20_000)
    await pager.page(table.query(), 15_001)
    assert max(table.limits) == WALK_ROWS


async def test_a_place_is_forgotten_after_a_while() -> None:
    clock = Clock()
    pager, table = Pager(clock), Table(1_000)
    await reads(pager, table, 901)
    clock.now = REMEMBERED_S - 1
    assert await reads(pager, table, 951) == 50
    clock.now = 2 * REMEMBERED_S
    assert await reads(pager, table, 951) == 1_000


async def test_only_so_many_questions_are_remembered() -> None:
    pager, table = Pager(), Table(200)
    for number in range(QUERIES + 1):
        await pager.page(table.query(key=str(number)), 101)
    assert len(pager._queries) == QUERIES
    before = table.read
    await pager.page(table.query(key="0"), 151)
    assert table.read - before == 200


@given(puts=st.lists(st.integers(0, 500), max_size=3 * PLACES), count=st.integers(0, 600))
def test_the_nearest_place_before_is_found_and_the_oldest_makes_room(puts: list[int], count: int) -> None:
    places = Places()
    for number in puts:
        places.put(number, Position(EpochMs(number), b"id"), now=0)
    latest = list(dict.fromkeys(number for number in reversed(puts) if number))[:PLACES]
    expected = max((number for number in latest if number <= count), default=0)
    position = Position(EpochMs(expected), b"id") if expected else BEGINNING
    assert places.before(count, now=REMEMBERED_S - 1) == (expected, position)
    assert places.before(count, now=REMEMBERED_S) == (0, BEGINNING)


@settings(max_examples=200)
@given(
    size=st.integers(0, 400),
    asked_for=st.lists(st.tuples(st.integers(0, 450), st.sampled_from([None, 1, 2, 7])), max_size=12),
)
def test_pages_in_any_order_are_those_of_a_slice(size: int, asked_for: list[tuple[int, int | None]]) -> None:
    async def work() -> None:
        pager, table = Pager(), Table(size)
        for n, step in asked_for:
            fitting = list(range(0, size, step or 1))
            accepts = None if step is None else (lambda number, step=step: number % step == 0)
            found = await pager.page(table.query(accepts, key=str(step)), n)
            assert found == fitting[max(n, 1) - 1 : max(n, 1) + 49]

    asyncio.run(work())


@pytest.mark.parametrize("kind", ["removed", "pending"])
async def test_what_is_no_file_takes_no_number(world: World, acme: Tenant, token: str, kind: str) -> None:
    state = State.REMOVED if kind == "removed" else State.PENDING
    await asyncio.gather(*(world.keep(acme, START - 1 - number, state=state) for number in range(55)))
    names = await filled(world, acme, 55)
    assert await page(world, token, 51) == names[50:]


async def test_rows_are_read_only_for_the_page_from_a_real_archive(
    world: World, acme: Tenant, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(world, acme, 200)
    limits: list[tuple[int, bool]] = []
    inner = world.archive.page

    async def watched(question: Question, after: Position, limit: int, columns: Any, shape: Any) -> Any:
        limits.append((limit, after == BEGINNING))
        return await inner(question, after, limit, columns, shape)

    monkeypatch.setattr(world.archive, "page", watched)
    for n in (1, 51, 101, 151):
        await page(world, token, n)
    assert limits == [(50, True), (50, False), (50, False), (50, False)]
