"""One report in which every kind of value occurs, and what each form is to show of it, written out by hand."""

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from voxkeep.activity.report import Column, Figure, Form, Kind, Row, Section, Table, Value, render
from voxkeep.archive.units import EpochMs

ZONE = "Europe/Berlin"
BEGIN, END = EpochMs(1_729_980_000_000), EpochMs(1_730_070_000_000)

COLUMNS = (
    Column("agent", "Agent", Kind.TEXT, "Who took the calls."),
    Column("number", "External Number", Kind.TEXT),
    Column("calls", "Total Calls", Kind.COUNT, "Calls with a ringing event."),
    Column("talking", "Talking Duration", Kind.DURATION),
    Column("start", "Start Time", Kind.MOMENT),
    Column("answered", "Answered Percent", Kind.PERCENT),
    Column("flag", "Is Answered", Kind.FLAG),
)
ROWS: tuple[Row, ...] = (
    ("Иван Ωmega(1001)", "+49301234", 0, 0, 1_729_990_799_999, 0.0, False),
    ("=SUM(A1:A9)", "1002", 7, 90_061_999, 1_729_990_800_250, 100 / 3, True),
    ('Smith, "Jo" & <b>', "*72", 12_345, 59_999, 1_709_283_600_000, 100.0, True),
)
SHOWN = [
    ["Иван Ωmega(1001)", "+49301234", "0", "0:00:00", "2024-10-27T02:59:59.999+02:00", "0.0%", "no"],
    ["=SUM(A1:A9)", "1002", "7", "25:01:01", "2024-10-27T02:00:00.250+01:00", "33.3%", "yes"],
    ['Smith, "Jo" & <b>', "*72", "12345", "0:00:59", "2024-03-01T10:00:00.000+01:00", "100.0%", "yes"],
]
TITLES = [column.title for column in COLUMNS]
SUMMARY = (
    Figure("All Calls", Kind.COUNT, 12_352, "Over all agents."),
    Figure("All Talking", Kind.DURATION, 90_121_998),
)
SECTIONS = (
    Section("Agent one", COLUMNS[:3], [("a", "1", 1), ("b", "2", 2)], (Figure("Sum", Kind.COUNT, 3),)),
    Section("Agent two", COLUMNS[:3], [("c", "3", 3)]),
)


def sample(rows: Iterable[Row] = ROWS, **changes: Any) -> Table:
    given: dict[str, Any] = {"columns": COLUMNS, "rows": rows, "summary": SUMMARY, "zone": ZONE} | changes
    return Table("Agent Call Summary", begin=BEGIN, end=END, **given)


def made(table: Table, form: Form) -> bytes:
    return b"".join(render(table, form))


def texts_table(texts: Iterable[Value], title: str = "Texts") -> Table:
    """A report of one column of texts."""
    return Table(title, (Column("text", "Text", Kind.TEXT),), [(text,) for text in texts])


VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: st.text(max_size=20),
    Kind.COUNT: st.integers(-(10**6), 10**15),
    Kind.DURATION: st.integers(0, 10**12),
    Kind.MOMENT: st.integers(0, 7_258_118_399_999),
    Kind.PERCENT: st.floats(0, 100),
    Kind.FLAG: st.booleans(),
}


@st.composite
def tables(draw: st.DrawFn, kinds: Iterable[Kind] = tuple(Kind)) -> Table:
    """Any report of any columns, without sections."""
    chosen = draw(st.lists(st.sampled_from(list(kinds)), max_size=6))
    columns = tuple(Column(str(number), f"Column {number}", kind) for number, kind in enumerate(chosen))
    row = st.tuples(*[st.none() | VALUES[kind] for kind in chosen])
    rows = draw(st.lists(row, max_size=6)) if chosen else []
    zone = draw(st.sampled_from(["UTC", ZONE, "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia"]))
    return Table("Any", columns, rows, zone=zone)
