"""What all forms promise alike."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.activity.report.sample import ROWS, SECTIONS, made, sample

from voxkeep.activity.report import FORMS, Form, Row, Section, Table

MAGIC = {
    Form.JSON: b'{"title":', Form.CSV: b"Agent,", Form.HTML: b"<!DOCTYPE html>",
    Form.XLS: b"\xd0\xcf\x11\xe0", Form.XLSX: b"PK", Form.PDF: b"%PDF-1.",
}  # fmt: skip


@pytest.mark.parametrize("form", Form)
def test_a_form_is_what_it_says(form: Form) -> None:
    assert made(sample(), form).startswith(MAGIC[form])
    assert FORMS[form].media_type


@pytest.mark.parametrize("form", Form)
def test_rows_and_sections_may_come_one_by_one(form: Form) -> None:
    def sections() -> Iterator[Section]:
        for section in SECTIONS:
            yield Section(section.title, section.columns, iter(list(section.rows)), section.summary)

    whole = sample(list(ROWS), sections=SECTIONS)
    if form is not Form.XLSX:  # which tells when it was made
        assert made(sample(iter(ROWS), sections=sections()), form) == made(whole, form)
    assert made(sample(iter(ROWS), sections=sections()), form)


@pytest.mark.parametrize("form", Form)
def test_an_unknown_zone_is_refused(form: Form) -> None:
    with pytest.raises(ValueError, match="no such time zone: 'Mars'"):
        made(Table("T", zone="Mars"), form)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("row", [("a",), (*ROWS[0], 1)])
def test_a_row_that_does_not_fit_is_refused(form: Form, row: Row) -> None:
    with pytest.raises(ValueError, match="zip"):
        made(sample([row]), form)


def test_heavy_libraries_wait_until_they_are_needed() -> None:
    heavy = ["reportlab", "xlsxwriter", "xlwt", "jinja2", "fontpkg"]
    code = f"import sys, voxkeep.activity.report; print([name for name in {heavy} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert told.stdout == "[]\n"
