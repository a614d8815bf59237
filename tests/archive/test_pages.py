"""Pages: from any place on, every matching row once and in order; no question on an index walks the tenant."""

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from voxkeep.archive import Archive, Kept
from voxkeep.archive.model import Recording, State, Tenant, Transcript, display_name
from voxkeep.archive.pages import rows_after
from voxkeep.archive.query import ALL, START, AnyOf, Position, Question, Scope, Term, TimeRange, Visibility
from voxkeep.archive.transcripts import KeptTranscript
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.database import Database, Row, Transaction, Value
from voxkeep.database.interface import Shape
from voxkeep.database.sqlite import SqliteDatabase

Keep = Callable[..., Awaitable[Kept]]
KeepChat = Callable[..., Awaitable[KeptTranscript]]
Make = Callable[..., Recording]
MakeChat = Callable[..., Transcript]

TABLE = """CREATE TABLE things (
    tenant INTEGER, started_at INTEGER, id BLOB, ended_at INTEGER, state INTEGER, case_id TEXT, skill TEXT,
    agent TEXT, agent_extension TEXT, agent_login TEXT, extra TEXT, PRIMARY KEY (tenant, started_at, id)
) WITHOUT ROWID;
CREATE INDEX things_ended ON things (tenant, ended_at, id)"""
A_MOMENT = EpochMs(1_763_647_391_250)


class Thing(NamedTuple):
    """A row, and a slow model of what a question says about it."""

    tenant: int
    started_at: int
    id: bytes
    ended_at: int
    state: int
    case_id: str
    skill: str
    name: str
    extension: str
    login: str
    extra: str | None

    def row(self) -> tuple[Value, ...]:
        return (*self[:7], display_name(self.name, self.extension), self.extension, self.login, self.extra)

    def fulfils(self, condition: AnyOf) -> bool:
        odd = condition.or_odd and self.extra is not None
        return odd or any(term.low <= getattr(self, term.column) <= term.high for term in condition.terms)

    @property
    def names(self) -> frozenset[str]:
        named = {display_name(self.name, self.extension), self.name, self.extension, self.login}
        return frozenset(named) - {""}

    def answers(self, question: Question) -> bool:
        starts, ends, visibility = question.started, question.ended, question.scope.visibility
        return (
            self.tenant == question.scope.tenant
            and (starts is None or starts.first <= self.started_at <= starts.last)
            and (ends is None or ends.first <= self.ended_at <= ends.last)
            and all(self.fulfils(each) for each in question.conditions)
            and visibility.allows(self.names, self.skill)
        )


moments = st.integers(0, 4)
ids = st.binary(min_size=1, max_size=2)
names = st.sampled_from(["", "Ann", "Bob", "7"])
skills = st.sampled_from(["", "sales", "support"])
cases = st.text("ab", max_size=2)
things = st.builds(
    Thing,
    tenant=st.integers(1, 2),
    started_at=moments,
    id=ids,
    ended_at=moments,
    state=st.integers(0, 2),
    case_id=cases,
    skill=skills,
    name=names,
    extension=names,
    login=names,
    extra=st.sampled_from([None, "{}"]),
)
ranges = st.tuples(moments, moments).map(lambda ends: TimeRange(*map(EpochMs, sorted(ends)))) | st.builds(
    TimeRange, moments, moments
)
terms = (
    st.builds(Term.equal, st.just("case_id"), cases)
    | st.builds(Term, st.just("case_id"), cases, cases)
    | st.builds(Term, st.sampled_from(["state", "ended_at"]), moments, moments)
)
conditions = st.builds(AnyOf, st.lists(terms, min_size=1, max_size=3).map(tuple), st.booleans())
visibilities = st.just(ALL) | st.builds(
    Visibility, st.frozensets(st.sampled_from(["", "Ann", "7", "Ann(7)"]), max_size=2), st.frozensets(skills)
)
questions = st.builds(
    Question,
    st.builds(Scope, st.integers(1, 2), visibilities),
    st.none() | ranges,
    st.none() | ranges,
    st.just(()) | st.lists(conditions, max_size=2).map(tuple),
)
positions = st.just(START) | st.builds(Position, moments, ids)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    made = SqliteDatabase(tmp_path / "pages.db")
    await made.define(TABLE)
    yield made
    await made.close()


async def fill(database: Database, rows: Sequence[Thing]) -> None:
    places = ", ".join(f"${number}" for number in range(1, 12))

    async def work(transaction: Transaction) -> None:
        await transaction.execute("DELETE FROM things")
        await transaction.execute_many(f"INSERT INTO things VALUES ({places})", [each.row() for each in rows])  # noqa: S608 -- places

    await database.write(work)


async def walked(database: Database, question: Question, position: Position, limit: int) -> list[tuple[int, bytes]]:
    """Return the keys of all rows after a place, read page by page."""
    found: list[tuple[int, bytes]] = []
    while True:
        page: list[Row] = await rows_after(database, "things", question, position, limit, ["case_id"], list)
        assert len(page) <= limit
        assert all(row[:2] > position for row in page)
        found += [row[:2] for row in page]
        if len(page) < limit:
            return found
        position = Position(*page[-1][:2])


def unique(rows: Sequence[Thing]) -> list[Thing]:
    """Drop all but one of the rows that share a tenant and an id, as no two of a table do."""
    return list({(each.tenant, each.id): each for each in rows}.values())


@given(rows=st.lists(things, max_size=40).map(unique), question=questions, after=positions, limit=st.integers(1, 7))
async def test_page_by_page_every_row_that_answers_is_read_once_and_in_order(
    database: SqliteDatabase, rows: list[Thing], question: Question, after: Position, limit: int
) -> None:
    await fill(database, rows)
    expected = sorted(
        (each.started_at, each.id) for each in rows if each.answers(question) and (each.started_at, each.id) > after
    )
    assert await walked(database, question, after, limit) == expected


@given(question=questions, limit=st.integers(1, 3))
async def test_a_question_about_nothing_has_an_empty_first_page(
    database: SqliteDatabase, question: Question, limit: int
) -> None:
    assert await walked(database, question, START, limit) == []


@given(question=questions)
def test_equal_questions_are_one_key(question: Question) -> None:
    again = Question(*question)
    assert again == question
    assert hash(again) == hash(question)


HOSTILE = ("'", '"; DROP TABLE things; --', "$1", "?1", "\0", "%", "é")


async def test_values_are_never_part_of_the_statement(database: SqliteDatabase) -> None:
    rows = [
        Thing(1, number, bytes([number + 1]), 0, 0, text, text, text, "", text, None)
        for number, text in enumerate(HOSTILE)
    ]
    await fill(database, rows)
    for number, text in enumerate(HOSTILE):
        only = frozenset({text})
        of_case = Question(Scope(TenantId(1)), conditions=(AnyOf((Term.equal("case_id", text),)),))
        for question in (of_case, Question(Scope(TenantId(1), Visibility(only, only)))):
            assert await walked(database, question, START, 2) == [(number, bytes([number + 1]))]


async def test_a_page_is_shaped_off_the_event_loop(database: SqliteDatabase) -> None:
    def shape(_rows: list[Row]) -> int:
        return threading.get_ident()

    question = Question(Scope(TenantId(1)))
    assert await rows_after(database, "things", question, START, 5, [], shape) != threading.get_ident()


# In the archive


async def test_the_archive_pages_recordings_and_chats(
    archive: Archive,
    acme: Tenant,
    globex: Tenant,
    recording_of: Make,
    keep: Keep,
    chat_of: MakeChat,
    keep_chat: KeepChat,
) -> None:
    starts = [EpochMs(A_MOMENT + number % 3) for number in range(8)]
    recordings = [(await keep(recording_of(f"k{n}", started_at=at))).recording for n, at in enumerate(starts)]
    chats = [(await keep_chat(chat_of(f"c{n}", started_at=at))).transcript for n, at in enumerate(starts)]
    await keep(recording_of("theirs", tenant=globex.id))
    await keep_chat(chat_of("theirs", tenant=globex.id))
    question = Question(Scope(acme.id))
    both: list[tuple[Any, Sequence[Recording | Transcript]]] = [
        (archive.page, recordings),
        (archive.page_transcripts, chats),
    ]
    for page, kept in both:
        keys, position = list[str](), START
        while rows := await page(question, position, 3, ["vendor_key"], list):
            keys += [row[2] for row in rows]
            position = Position(*rows[-1][:2])
        assert keys == [each.vendor_key for each in sorted(kept, key=lambda each: (each.started_at, each.id.bytes))]


async def test_what_was_removed_is_left_out_by_its_state(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep
) -> None:
    kept = [(await keep(recording_of(f"k{number}"))).recording for number in range(3)]
    await archive.remove(acme.id, kept[1].id)
    question = Question(Scope(acme.id), conditions=(AnyOf((Term.equal("state", int(State.KEPT)),)),))
    assert {row[2] for row in await archive.page(question, START, 9, ["vendor_key"], list)} == {"k0", "k2"}


class Explaining:
    """A database that tells how each read is done, in place of its rows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.plans: list[str] = []

    async def read_shaped(self, shape: Shape[Any], sql: str, *values: Value) -> Any:
        self.plans += [row[3] for row in await self._database.read(f"EXPLAIN QUERY PLAN {sql}", *values)]
        return shape([])


RESTRICTED = Visibility(frozenset({"Ann", "7"}), frozenset({"sales"}))
CONDITIONS = (
    AnyOf((Term.equal("state", 0),)),
    AnyOf((Term.equal("agent_login", "a"), Term("duration_ms", 0, 9)), True),
)
TIMES = TimeRange(EpochMs(A_MOMENT), EpochMs(A_MOMENT + 5_000))


async def plan(archive: Archive, table: str, question: Question) -> list[str]:
    explaining: Any = Explaining(archive.database)
    await rows_after(explaining, table, question, Position(A_MOMENT, b"id"), 50, ["vendor_key"], list)
    return [line for line in explaining.plans if line.startswith(("SEARCH", "SCAN"))]


@pytest.mark.parametrize("conditions", [(), CONDITIONS], ids=["plain", "narrowed"])
@pytest.mark.parametrize("visibility", [ALL, RESTRICTED], ids=["all", "restricted"])
@pytest.mark.parametrize("started", [None, TIMES], ids=["ever", "started"])
@pytest.mark.parametrize("table", ["recordings", "transcripts"])
async def test_a_question_about_ends_reads_only_what_ended_then(
    archive: Archive, table: str, started: TimeRange | None, visibility: Visibility, conditions: tuple[AnyOf, ...]
) -> None:
    for ended in (TIMES, replace(TIMES, last=TIMES.first)):
        question = Question(Scope(TenantId(1), visibility), started, ended, conditions)
        outer, inner = await plan(archive, table, question)
        assert outer == f"SEARCH {table} USING PRIMARY KEY (tenant=? AND started_at=? AND id=?)"
        assert inner.startswith(f"SEARCH {table} USING COVERING INDEX {table}_ended (tenant=? AND ended_at")


@pytest.mark.parametrize("visibility", [ALL, RESTRICTED], ids=["all", "restricted"])
@pytest.mark.parametrize("conditions", [(), CONDITIONS[:1]], ids=["plain", "narrowed"])
async def test_a_question_about_a_file_name_reads_one_row(
    archive: Archive, visibility: Visibility, conditions: tuple[AnyOf, ...]
) -> None:
    named = AnyOf((Term.equal("file_name", "S20251120/R202511201403119999.wav"),))
    (line,) = await plan(
        archive, "recordings", Question(Scope(TenantId(1), visibility), conditions=(*conditions, named))
    )
    assert line == "SEARCH recordings USING INDEX recordings_file_name (tenant=? AND file_name=?)"


@pytest.mark.parametrize("table", ["recordings", "transcripts"])
async def test_a_page_begins_at_its_place_and_is_not_sorted(archive: Archive, table: str) -> None:
    for question in (Question(Scope(TenantId(1))), Question(Scope(TenantId(1), RESTRICTED), TIMES)):
        explaining: Any = Explaining(archive.database)
        await rows_after(explaining, table, question, Position(A_MOMENT, b"id"), 50, ["vendor_key"], list)
        (line,) = explaining.plans
        assert line.startswith(f"SEARCH {table} USING PRIMARY KEY (tenant=? AND (started_at,id)>(?,?)")
