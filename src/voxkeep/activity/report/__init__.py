"""Reports as tables, and the forms they are given in: JSON, CSV, HTML, XLS, XLSX and PDF.

Knows nothing of how a report is computed, of vendors, or of HTTP. What a form needs is imported when it is asked for.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from importlib import import_module
from typing import NamedTuple

from voxkeep.activity.report.table import Chart, ChartKind, Column, Figure, Kind, Row, Section, Table, Value

__all__ = [
    "FORMS", "Chart", "ChartKind", "Column", "Figure", "Form", "FormOf", "Kind", "Row", "Section", "Table", "Value",
    "render",
]  # fmt: skip


class Form(StrEnum):
    """What a report can be given as."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"
    XLS = "xls"
    XLSX = "xlsx"
    PDF = "pdf"


class FormOf(NamedTuple):
    """How a form is told of: its media type, and the module whose `chunks` makes it. A form's name is its extension."""

    media_type: str
    module: str


FORMS: Mapping[Form, FormOf] = {
    Form.JSON: FormOf("application/json", "jsonrows"),
    Form.CSV: FormOf("text/csv; charset=utf-8", "csvfile"),
    Form.HTML: FormOf("text/html; charset=utf-8", "html"),
    Form.XLS: FormOf("application/vnd.ms-excel", "xls"),
    Form.XLSX: FormOf("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    Form.PDF: FormOf("application/pdf", "pdf"),
}


def render(table: Table, form: Form) -> Iterator[bytes]:
    """Yield a report in a form. JSON, CSV and HTML are made as they are read; the others come whole.

    Raises ValueError, before or in mid-stream, for a table that contradicts itself: an unknown zone, or a row that does
    not fit its columns.
    """
    made: Iterator[bytes] = import_module(f"{__name__}.{FORMS[form].module}").chunks(table)
    return made
