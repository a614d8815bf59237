"""Lists as CSV, for spreadsheets (reference 1.2, "CSV"; RFC 4180).

Names inside of objects are joined by `_`; columns stand in the order in which they are first seen. Since only the last
document may bring a column, a list is read twice: once for its `Columns`, once to `write` it part by part. Values are
given as they are, also those that a spreadsheet might take for a formula: what was recorded is not changed.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from voxkeep.vendors.kazoo.accept import MEDIA_RANGE, WEIGHT

CSV_TYPES = frozenset({"text/csv", "text/comma-separated-values", "application/octet-stream"})
JSON_TYPES = frozenset({"application/json", "application/x-json"})
WILDCARDS = frozenset({"*/*", "application/*"})
"""Ranges that JSON is in: it is what a list is where nothing else is said."""
UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f"\\/]')
"""What no file name may hold: controls, quotes, and what parts a path."""
LONGEST_NAME = 200
MOST_LEVELS = 32
"""Levels of objects in objects that become columns; what is deeper is given as JSON."""


# What is asked for


def wants_csv(accept_param: str | None, accept_header: bytes | None) -> bool:
    """Tell whether a list is asked for as CSV; the parameter counts before the header if it can be read."""
    if accept_param == "csv":
        return True
    weights = _weights(accept_param or "")
    if not weights:
        weights = _weights((accept_header or b"").decode("latin-1"))
    of_csv = max((weight for media_type, weight in weights if media_type in CSV_TYPES), default=0.0)
    of_json = max((weight for media_type, weight in weights if media_type in JSON_TYPES), default=0.0)
    of_any = max((weight for media_type, weight in weights if media_type in WILDCARDS), default=0.0)
    # of equal weights JSON counts before CSV, and what is named before what is not
    return of_csv > of_json and of_csv >= of_any


def _weights(value: str) -> list[tuple[str, float]]:
    """Return the media ranges of an Accept header in lower case, each with its weight."""
    found = []
    for match in filter(None, map(MEDIA_RANGE.fullmatch, value.split(","))):
        weight = WEIGHT.search(match[2] or "")
        found.append((match[1].lower(), float(weight[1]) if weight else 1.0))
    return found


def disposition(x_file_name: bytes | None, file_name: str | None, now: int) -> bytes:
    """Return the header Content-Disposition, under the name that a client wishes, else one with the time (s)."""
    name = _safe(_decoded(x_file_name or b"")) or _safe(file_name or "")
    if not name:
        name = f"{datetime.fromtimestamp(now, UTC):recordings-%Y%m%d-%H%M%S}.csv"
    header = f'attachment; filename="{name.encode("ascii", "replace").decode().replace("?", "_")}"'
    if not name.isascii():
        header += f"; filename*=UTF-8''{quote(name, safe='', errors='replace')}"
    return header.encode("ascii")


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _safe(name: str) -> str:
    """Return a name fit for a file and for a header; empty where nothing of it is left."""
    safe = UNSAFE.sub("_", name)[:LONGEST_NAME].strip()
    return safe if safe.strip("._ ") else ""


# What is sent


def flat(document: Mapping[str, Any]) -> dict[str, str]:
    """Return a document's columns. Of two that come to the same name the first counts; an empty object has none."""
    columns: dict[str, str] = {}
    for name, value in _cells(document, "", MOST_LEVELS):
        columns.setdefault(name, value)
    return columns


def _cells(inner: Mapping[str, Any], prefix: str, levels: int) -> Iterator[tuple[str, str]]:
    for name, value in inner.items():
        if isinstance(value, Mapping) and levels:
            yield from _cells(value, f"{prefix}{name}_", levels - 1)
        else:
            yield prefix + name, _cell(value)


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


class Columns:
    """The columns of a list, in the order in which they are first seen."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    @property
    def names(self) -> list[str]:
        """Return the names, which make up the first row."""
        return list(self._names)

    def add(self, document: Mapping[str, Any]) -> None:
        """Take in the columns of one more document."""
        self._names.update(dict.fromkeys(flat(document)))


def write(documents: Iterable[Mapping[str, Any]], columns: Columns, *, header: bool) -> bytes:
    """Return documents as rows, the first of a list after its header. What is no column of the list is left out."""
    names = columns.names
    if not names:
        return b""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if header:
        writer.writerow(names)
    for document in documents:
        row = flat(document)
        writer.writerow([row.get(name, "") for name in names])
    return text.getvalue().encode("utf-8", "replace")
