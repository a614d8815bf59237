"""A report as one HTML page, to read and to print: no scripts, nothing from elsewhere.

The page is made as it is read, so that its length is bounded by the reader's patience only.
"""

from collections.abc import Iterator
from functools import cache
from itertools import chain, islice
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from voxkeep.activity.report import chart
from voxkeep.activity.report.table import MEASURES, Figure, Row, Section, Table, definitions, noted
from voxkeep.activity.report.values import READ, printable, readers, shown, timeframe, zone_of

TEMPLATE = "report.html.j2"
CHUNK_LETTERS = 32_768


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["printable"] = printable
    return environment.get_template(TEMPLATE)


class _Shown:
    """What the template asks of a report while it goes through it, once, from top to bottom."""

    def __init__(self, table: Table) -> None:
        self._zone = zone_of(table)
        self._seen: list[Section] = [table]
        self._sections = table.sections
        self.table = table
        self.timeframe = timeframe(table, self._zone)
        self.width, self.height = chart.WIDTH, chart.HEIGHT
        self.left, self.right = chart.LEFT, chart.WIDTH - chart.RIGHT
        self.drawing, self.more_points, self._rows = _drawn(table, self._zone)

    def sections(self) -> Iterator[Section]:
        return chain([self.table], noted(self._sections, self._seen))

    def rows(self, section: Section) -> Iterator[list[str]]:
        rows = self._rows if section is self.table else section.rows
        return map(readers(section.columns, self._zone, READ), rows)

    def classes(self, section: Section) -> list[str]:
        return ["n" if column.kind in MEASURES else column.kind.value[0] for column in section.columns]

    def figure(self, figure: Figure) -> str:
        return shown(figure.kind, figure.value, self._zone)

    def definitions(self) -> list[tuple[str, str]]:
        return definitions(self._seen)


def _drawn(table: Table, zone: ZoneInfo) -> tuple[chart.Drawing | None, bool, Iterator[Row]]:
    """Return the chart, if there is one, whether it leaves rows out, and all the rows."""
    rows = iter(table.rows)
    if table.chart is None:
        return None, False, rows
    first = list(islice(rows, chart.MOST_POINTS + 1))
    drawing = chart.draw(table.chart, table.columns, first, zone) if first else None
    return drawing, len(first) > chart.MOST_POINTS, chain(first, rows)


def chunks(table: Table) -> Iterator[bytes]:
    """Yield a report's page, some 32 KB at a time."""
    waiting: list[str] = []
    letters = 0
    for text in _template().generate(report=_Shown(table)):
        waiting.append(text)
        letters += len(text)
        if letters >= CHUNK_LETTERS:
            yield "".join(waiting).encode()
            waiting.clear()
            letters = 0
    yield "".join(waiting).encode()
