"""Reports as pages, read back with lxml."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree, html
from tests.activity.report.sample import (
    BEGIN,
    COLUMNS,
    ROWS,
    SECTIONS,
    SHOWN,
    TITLES,
    made,
    sample,
    tables,
    texts_table,
)

from voxkeep.activity.report import Chart, ChartKind, Column, Form, Kind, Row, Table, render
from voxkeep.activity.report.chart import MOST_POINTS
from voxkeep.activity.report.values import printable, shown, zone_of

CHART = Chart(ChartKind.BAR, "agent", ("calls",))


def page(table: Table) -> html.HtmlElement:
    return html.document_fromstring(made(table, Form.HTML))


def texts(elements: list[html.HtmlElement]) -> list[str]:
    return [element.text_content() for element in elements]


def cells(body: html.HtmlElement) -> list[list[str]]:
    return [texts(row.findall("td")) for row in body.iter("tr") if row.findall("td")]


def test_every_cell_comes_back() -> None:
    read = page(sample())
    assert texts(read.findall(".//th")) == TITLES
    assert cells(read) == SHOWN


@given(tables())
def test_any_table_comes_back_cell_by_cell(table: Table) -> None:
    zone = zone_of(table)
    kinds = [column.kind for column in table.columns]
    expected = [[shown(kind, value, zone) for kind, value in zip(kinds, row, strict=True)] for row in table.rows]
    assert cells(page(table)) == expected


@given(st.lists(st.text(st.characters()) | st.text(st.sampled_from("<>&\"'/!-\x00\r\n\t ]")), max_size=4))
def test_any_text_is_only_text(given_texts: list[str]) -> None:
    read = page(texts_table(given_texts, "".join(given_texts)))
    assert cells(read) == [[printable(text)] for text in given_texts]
    assert texts(read.findall(".//h1")) == [printable("".join(given_texts))]
    assert {element.tag for element in read.iter()} <= {
        "html", "head", "meta", "title", "style", "body", "h1", "table", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip


def test_the_page_needs_nothing_from_elsewhere() -> None:
    attack = "</td><script>alert(1)</script><img src=x onerror=alert(1)>"
    body = made(sample([(attack, *ROWS[0][1:])], chart=CHART, subtitle=attack, sections=SECTIONS), Form.HTML).decode()
    read = html.document_fromstring(body)
    for tag in ("script", "img", "link", "iframe", "object", "a", "image", "use"):
        assert not list(read.iter(tag)), tag
    names = {str(name) for element in read.iter() for name in element.attrib}
    assert not {name for name in names if name.startswith("on") or name in {"src", "href", "style"}}
    assert not re.search(r"url\(|@import|https?:", body)


def test_figures_and_meanings_stand_beside_the_table() -> None:
    read = page(sample())
    assert texts(read.findall(".//dl[@class='summary']/div/dt")) == ["All Calls", "All Talking"]
    assert texts(read.findall(".//dl[@class='summary']/div/dd")) == ["12352", "25:02:01"]
    assert texts(read.findall(".//dl[@class='legend']/div/dt")) == ["Agent", "Total Calls", "All Calls"]
    assert read.findall(".//th")[0].get("title") == "Who took the calls."
    assert "2024-10-27T00:00:00.000+02:00 to 2024-10-28T00:00:00.000+01:00 (Europe/Berlin)" in read.text_content()


def test_each_section_has_its_heading_figures_and_rows() -> None:
    read = page(sample([], sections=iter(SECTIONS)))
    assert texts(read.findall(".//h2"))[:2] == ["Agent one", "Agent two"]
    assert [cells(body) for body in read.findall(".//tbody")] == [
        [],
        [["a", "1", "1"], ["b", "2", "2"]],
        [["c", "3", "3"]],
    ]
    assert "Sum" in texts(read.findall(".//dl[@class='summary']/div/dt"))


def test_a_report_of_nothing_is_still_a_page() -> None:
    read = page(Table("Nothing"))
    assert texts(read.findall(".//h1")) == ["Nothing"]
    assert not read.findall(".//table")


@pytest.mark.parametrize("kind", ChartKind)
def test_a_chart_is_drawn_of_the_rows_and_takes_none_away(kind: ChartKind) -> None:
    table = sample(iter(ROWS), chart=Chart(kind, "agent", ("calls",)))
    read = page(table)
    assert len(read.findall(".//figure/svg//title")) == (2 if kind is ChartKind.BAR else 0)
    assert len(read.findall(".//figure/svg//polyline")) == (1 if kind is ChartKind.LINE else 0)
    assert cells(read) == SHOWN


def test_a_chart_of_too_many_rows_tells_that_it_stops() -> None:
    rows: list[Row] = [(f"a{number}", "1", number + 1, 1, BEGIN, 1.0, True) for number in range(MOST_POINTS + 10)]
    read = page(sample(iter(rows), chart=CHART))
    assert len(read.findall(".//figure/svg//title")) == MOST_POINTS
    assert f"The first {MOST_POINTS} rows are drawn." in read.text_content()
    assert len(cells(read)) == len(rows)


def test_a_chart_of_no_rows_is_left_out() -> None:
    assert not page(sample([], chart=CHART)).findall(".//figure")


def test_a_chart_is_well_formed_svg() -> None:
    body = made(sample(chart=CHART), Form.HTML).decode()
    svg = body[body.index("<svg") : body.index("</svg>") + 6]
    assert etree.fromstring(svg).get("viewBox") == "0 0 720.0 220.0"


def test_a_long_page_comes_in_pieces_while_its_rows_are_read() -> None:
    taken = 0

    def rows() -> Iterator[Row]:
        nonlocal taken
        for number in range(20_000):
            taken = number
            yield (f"row {number}",)

    pieces = render(Table("Long", (Column("a", "A", Kind.TEXT),), rows()), Form.HTML)
    next(pieces)
    assert taken < 2_000
    assert b"row 19999" in b"".join(pieces)


def test_columns_are_told_by_their_kind() -> None:
    classes = [cell.get("class") for cell in page(sample()).findall(".//tbody/tr")[0].findall("td")]
    assert classes == ["t", "t", "n", "n", "m", "n", "f"]
    assert len(classes) == len(COLUMNS)
