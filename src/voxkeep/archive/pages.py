"""Pages: the rows that answer a question, from any place on, in the order of the table's key (started_at, id).

Each read is short and begins after a position, so a page costs the same at any depth. Unlike `streams` it is ordered
by id within one start, and takes conditions on columns.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from voxkeep.archive.query import AnyOf, Ends, Position, Question, Term
from voxkeep.archive.visibility import condition
from voxkeep.database import Database, Row, Value

T = TypeVar("T")


class _Statement:
    """A WHERE being put together; every value becomes a parameter."""

    def __init__(self) -> None:
        self.values: list[Value] = []

    def place(self, value: Value) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def term(self, term: Term) -> str:
        if term.low == term.high:
            return f"{term.column} = {self.place(term.low)}"
        return f"{term.column} BETWEEN {self.place(term.low)} AND {self.place(term.high)}"

    def any_of(self, condition: AnyOf) -> str:
        terms = [self.term(term) for term in condition.terms]
        return f"({' OR '.join([*terms, 'extra IS NOT NULL'] if condition.or_odd else terms)})"


def _where(table: str, question: Question, after: Position) -> tuple[str, list[Value]]:
    made = _Statement()
    tenant = made.place(question.scope.tenant)
    start = (after.started_at, after.id)
    if question.started is not None and question.started.first > after.started_at:
        # nothing that started before is asked for: the scan begins right there
        start = (question.started.first, b"")
    texts = [f"tenant = {tenant}", f"(started_at, id) > ({made.place(start[0])}, {made.place(start[1])})"]
    if question.started is not None:
        texts.append(f"started_at <= {made.place(question.started.last)}")
    if question.ended is not None:
        ended = made.term(Term("ended_at", question.ended.first, question.ended.last))
        # by the index on ends, then by whole keys: of ids alone the planner would rather walk the whole tenant
        within = f"SELECT started_at, id FROM {table} WHERE tenant = {tenant} AND {ended}"  # noqa: S608 -- ours
        texts.append(f"(started_at, id) IN ({within})")
    texts += [made.any_of(each) for each in question.conditions]
    seen, names = condition(question.scope.visibility, first_place=len(made.values) + 1)
    made.values.extend(names)
    return f"{' AND '.join(texts)} {seen}", made.values


async def rows_after(
    database: Database,
    table: str,
    question: Question,
    after: Position,
    limit: int,
    columns: Sequence[str],
    shape: Callable[[list[Row]], T],
) -> T:
    """Return what `shape` makes of the next `limit` rows of (started_at, id, *columns); it runs off the event loop."""
    where, values = _where(table, question, after)
    sql = (
        f"SELECT {', '.join(('started_at', 'id', *columns))} FROM {table} WHERE {where} "  # noqa: S608 -- our own
        f"ORDER BY started_at, id LIMIT ${len(values) + 1}"
    )
    return await database.read_shaped(shape, sql, *values, limit)


async def rows_by_end(
    database: Database,
    question: Question,
    ends: Ends,
    limit: int,
    columns: Sequence[str],
    shape: Callable[[list[Row]], T],
) -> T:
    """Return what `shape` makes of the next `limit` rows of (ended_at, id, started_at, *columns); off the event loop.

    `question` gives the scope and the conditions; its times are not looked at.
    """
    ended, mark, ascending = ends
    first, last = ended.first, ended.last
    if mark is not None:
        # the scan begins at the mark: of the row values below alone SQLite would walk there from the span's end
        first, last = (max(first, mark.ended_at), last) if ascending else (first, min(last, mark.ended_at))
    made = _Statement()
    texts = [f"tenant = {made.place(question.scope.tenant)}", made.term(Term("ended_at", first, last))]
    if mark is not None:
        sign = (">" if ascending else "<") + ("=" if mark.included else "")
        texts.append(f"(ended_at, id) {sign} ({made.place(mark.ended_at)}, {made.place(mark.id)})")
    texts += [made.any_of(each) for each in question.conditions]
    seen, names = condition(question.scope.visibility, first_place=len(made.values) + 1)
    made.values.extend(names)
    order = "ended_at, id" if ascending else "ended_at DESC, id DESC"
    sql = (
        f"SELECT {', '.join(('ended_at', 'id', 'started_at', *columns))} FROM recordings "  # noqa: S608 -- our own
        f"WHERE {' AND '.join(texts)} {seen} ORDER BY {order} LIMIT ${len(made.values) + 1}"
    )
    return await database.read_shaped(shape, sql, *made.values, limit)
