"""Reports as PDF, read back with poppler's pdftotext, which CI must have."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.activity.report.sample import COLUMNS, SECTIONS, SHOWN, made, sample, tables, texts_table

from voxkeep.activity.report import Column, Form, Kind, Table
from voxkeep.activity.report.paper import EPSILON, ROOM, SIZE, alphabet, shares, wrap

PDFTOTEXT = shutil.which("pdftotext")
pytestmark = pytest.mark.skipif(PDFTOTEXT is None, reason="needs pdftotext (poppler-utils)")
FEW = settings(max_examples=25)
LETTERS = "abcXYZ 0123ΔΩλжЖйяäßñŁ=+@'\"(),.;<>&/\\"


def pages(table: Table, *options: str) -> list[str]:
    assert PDFTOTEXT is not None
    told = subprocess.run(
        [PDFTOTEXT, "-enc", "UTF-8", *options, "-", "-"],
        input=made(table, Form.PDF), capture_output=True, check=True,
    )  # fmt: skip
    assert told.stderr == b""
    return told.stdout.decode().split("\f")[:-1]


def lines(table: Table) -> list[list[str]]:
    """Return the words of each line, all pages after another."""
    return [line.split() for page in pages(table, "-layout") for line in page.splitlines() if line.strip()]


def test_every_cell_comes_back() -> None:
    told = lines(sample())
    for row in SHOWN:
        assert " ".join(row).split() in told


def test_what_the_report_is_stands_above_and_what_it_means_below() -> None:
    text = "\n".join(" ".join(line) for line in lines(sample(subtitle="Nightly")))
    parts = [
        "Agent Call Summary",
        "Nightly",
        "2024-10-27T00:00:00.000+02:00 to 2024-10-28T00:00:00.000+01:00 (Europe/Berlin)",
        "All Calls: 12352 All Talking: 25:02:01",
        "Иван Ωmega(1001)",
        "What the columns and figures mean",
        "Agent: Who took the calls.",
        "Page 1 of 1",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_titles_stand_on_every_page_and_pages_are_counted() -> None:
    columns = (Column("n", "Number of it", Kind.COUNT), Column("t", "Said", Kind.TEXT))
    told = pages(Table("Long", columns, ((number, f"row{number}") for number in range(500))), "-layout")
    assert len(told) > 5
    for number, page in enumerate(told, 1):
        words = [" ".join(line.split()) for line in page.splitlines()]
        assert "Number of it Said" in words
        assert f"Long Page {number} of {len(told)}" in words
    rows = [line.split() for page in told for line in page.splitlines() if "row" in line]
    assert rows == [[str(number), f"row{number}"] for number in range(500)]


def test_each_section_has_its_heading() -> None:
    told = [" ".join(line) for line in lines(Table("Agent Calls", sections=iter(SECTIONS)))]
    wanted = ["Agent one", "Sum: 3", "a 1 1", "b 2 2", "Agent two", "c 3 3"]
    assert [line for line in told if line in wanted] == wanted


@FEW
@given(st.lists(st.text(st.sampled_from(LETTERS), max_size=400), max_size=3))
def test_texts_of_any_length_lose_no_letter(texts: list[str]) -> None:
    told = "".join("".join(pages(texts_table(texts, "T"), "-raw")).split())
    assert "".join("".join(texts).split()) in told


def test_a_row_that_is_higher_than_a_page_goes_on_on_the_next() -> None:
    words = [f"word{number}" for number in range(5_000)]
    columns = tuple(Column(str(number), f"C{number}", Kind.TEXT) for number in range(3))
    told = pages(Table("High", columns, [("a", " ".join(words), "b"), ("c", "d", "e")]), "-raw")
    assert len(told) > 5
    read = [word for page in told for word in page.split() if word.startswith("word")]
    assert read == words
    assert told[-1].count("c d e") == 1


def test_a_word_that_is_wider_than_its_column_is_broken() -> None:
    told = "".join("".join(pages(texts_table(["Q" * 3_000], "T"), "-raw")).split())
    assert told.count("Q") == 3_000


def test_what_the_font_has_not_is_shown_as_a_sign_and_told_of() -> None:
    told = " ".join(" ".join(line) for line in lines(texts_table(["א日x", "fine"], "T")))
    assert "\ufffd\ufffdx" in told
    assert "\ufffd stands for characters that cannot be shown here: U+05D0, U+65E5." in told
    assert "stands for" not in " ".join(" ".join(line) for line in lines(texts_table(["fine"], "T")))


@FEW
@given(tables())
def test_any_table_can_be_read(table: Table) -> None:
    assert pages(table)[0]


@FEW
@given(st.lists(st.text(st.characters()), max_size=3), st.text(st.characters()))
def test_any_text_and_title_can_be_read(texts: list[str], title: str) -> None:
    assert pages(texts_table(texts, title))


def test_more_columns_than_the_page_has_room_for_are_still_all_there() -> None:
    columns = tuple(Column(str(number), f"Title {number}", Kind.TEXT, "") for number in range(120))
    told = "".join("".join(pages(Table("Wide", columns, [tuple("Q" for _ in columns)]), "-raw")).split())
    assert told.count("Q") == 120


def test_the_same_report_is_the_same_bytes_from_any_thread() -> None:
    one = made(sample(sections=SECTIONS), Form.PDF)
    with ThreadPoolExecutor(8) as threads:
        made_there = list(threads.map(lambda _: made(sample(sections=SECTIONS), Form.PDF), range(24)))
    assert set(made_there) == {one}


def test_a_report_of_nothing_is_still_a_page() -> None:
    assert "Nothing" in pages(Table("Nothing"))[0]
    assert "Total Calls" in pages(Table("Nothing", COLUMNS), "-layout")[0]


def test_the_font_comes_with_the_program(tmp_path: Path) -> None:
    (tmp_path / "one.pdf").write_bytes(made(sample(), Form.PDF))
    pdffonts = shutil.which("pdffonts")
    assert pdffonts is not None
    told = subprocess.run([pdffonts, str(tmp_path / "one.pdf")], capture_output=True, check=True, text=True).stdout
    fonts = [line.split() for line in told.splitlines()[2:]]
    assert fonts
    assert all("NotoSans" in font[0] and "yes" in font for font in fonts)


@given(st.text(st.sampled_from(LETTERS + "\n")), st.floats(5, 300))
def test_wrapped_lines_fit_and_keep_every_letter(text: str, width: float) -> None:
    made_lines = wrap(text, width)
    assert "".join("".join(made_lines).split()) == "".join(text.split())
    for line in made_lines:
        assert len(line) <= 1 or alphabet().width(line, SIZE) <= width + EPSILON + 1e-6


@given(st.lists(st.floats(0, 2_000), max_size=30))
def test_columns_share_the_room_fairly(wanted: list[float]) -> None:
    widths = shares(wanted, ROOM)
    assert sum(widths) <= ROOM + 1e-6
    if sum(wanted) <= ROOM:
        assert widths == pytest.approx(wanted)
    else:
        assert sum(widths) == pytest.approx(ROOM)
        cut = [given_ for given_, want in zip(widths, wanted, strict=True) if given_ < want - 1e-6]
        assert not cut or max(widths) <= min(cut) + 1e-6
