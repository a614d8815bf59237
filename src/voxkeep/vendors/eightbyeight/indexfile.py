"""Reading the index file of a day, `I<yyyymmdd>_version2.csv` beside the wav files (reference 3).

A line for each recording; only the names of its columns are certain. What a cell holds is taken as the API's fields
are, and where the index does not say a thing in a form that is understood, the file's name or the audio itself says it.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from voxkeep.archive.model import Recording
from voxkeep.archive.units import LATEST, EpochMs, TenantId
from voxkeep.vendors.eightbyeight.shapes import FILE_NAME, Bad
from voxkeep.vendors.eightbyeight.wire import (
    DIRECT_CHANNEL,
    NO_WRAP_UP,
    OUTBOUND_CHANNEL,
    File,
    TransactionCode,
    TransactionCodes,
    WrapUp,
    differences,
    number_or_text,
    recording_of,
    shown_of,
)

OUTBOUND, DIRECT = "outbound", "direct agent access"
CHANNELS = {OUTBOUND: OUTBOUND_CHANNEL, DIRECT: DIRECT_CHANNEL}
"""CALL TYPE in small letters -> the channel that says the same in the API."""
PLAIN = {
    "agentID": "AGENT NAME", "channel": "PHONE CHANNEL", "queueID": "QUEUE", "queueName": "QUEUE NAME",
    "accountNumber": "ACCOUNT NUMBER", "extVar1": "EXT VAR1", "extVar2": "EXT VAR2", "outDialCode": "OUT DIAL CODE",
}  # fmt: skip
"""Field of the API -> column of the index."""
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?", re.ASCII)
SECONDS = re.compile(r"\d{1,9}(?=(?:\.\d*)?\Z)", re.ASCII)
CLOCK = re.compile(r"(\d{1,4}):([0-5]\d):([0-5]\d)", re.ASCII)
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
LETTER = re.compile(r"\\.|.", re.DOTALL)
"""One letter of a cell, with the backslash that may stand before it."""
PAIR = 2


class Unusable(Exception):
    """The file is no index."""


class Line(Struct, frozen=True):
    """What the index says of one recording."""

    file: File
    started_at: EpochMs
    duration_known: bool
    outbound: bool


class Index(Struct, frozen=True):
    """What an index says, as far as it can be read."""

    lines: dict[str, Line]
    """By the file's name; the first of those that share one."""
    bad: list[Bad]
    is_utf8: bool = True
    broken: str = ""
    """Why it cannot be read, or not to its end."""


def read(body: bytes, folder: str) -> Index:
    """Read a whole index; a large one takes seconds."""
    text, is_utf8 = decoded(body)
    found: dict[str, Line] = {}
    bad: list[Bad] = []
    try:
        for line in lines(text, folder):
            if isinstance(line, Bad):
                bad.append(line)
            else:
                found.setdefault(line.file.filename, line)
    except Unusable as error:
        return Index(found, bad, is_utf8, str(error))
    return Index(found, bad, is_utf8)


def decoded(body: bytes) -> tuple[str, bool]:
    """Return an index as text, and whether it was UTF-8: nothing says so, and in Latin-1 every byte is a letter."""
    try:
        return body.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        return body.decode("latin-1"), False


def lines(text: str, folder: str) -> Iterator[Line | Bad]:
    """Yield what an index says, line by line. Raises Unusable, also in the middle."""
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        columns = [name.strip().upper() for name in next(rows, [])]
        if "FILENAME" not in columns:
            raise Unusable("the index has no column FILENAME")
        for row in rows:
            if any(row):
                yield _line(dict(zip(columns, row, strict=False)), row, folder)
    except csv.Error as error:
        raise Unusable(f"not CSV: {error}") from error


def _line(cells: Mapping[str, str], row: list[str], folder: str) -> Line | Bad:
    name = f"{cells.get('DIRECTORY', '').strip('/') or folder}/{cells.get('FILENAME', '').rpartition('/')[2]}"
    named_at = time_in(name)
    if named_at is None:
        return Bad(",".join(row).encode(), "FILENAME and DIRECTORY name no recording", name)
    seconds = _seconds(cells.get("DURATION", ""))
    started_at = _moment(cells.get("START TIME UTC", ""))
    file = _file(cells, name, seconds or 0)
    return Line(file, named_at if started_at is None else started_at, seconds is not None, _type(cells) == OUTBOUND)


def _type(cells: Mapping[str, str]) -> str:
    return cells.get("CALL TYPE", "").strip().lower()


def _file(cells: Mapping[str, str], name: str, seconds: int) -> File:
    customer = "CALLED NUMBER" if _type(cells) == OUTBOUND else "CUSTOMER NUMBER"
    texts = {field: cells.get(column, "") for field, column in PLAIN.items()}
    texts["channel"] = texts["channel"] or CHANNELS.get(_type(cells), "")
    return replace(
        _named(name),
        phoneNumber=cells.get(customer, ""),
        caseID=number_or_text(cells.get("CASEID", "")),
        transactionID=number_or_text(cells.get("TRANS ID", "")),
        duration=seconds,
        wrapUpCode=wrap_up(cells.get("WRAP UP CODE", "")),
        **texts,
    )


def _named(name: str) -> File:
    """Return a file of which only the name is known."""
    return File("", "", "", "", "", 0, name, "", "", "", "", "", "", "")


def wrap_up(cell: str) -> WrapUp:
    """Return the codes of a cell: pairs `list=name` joined by `|`, backslashes before either; else one bare name."""
    if not cell:
        return NO_WRAP_UP
    pairs = [_parts(part, "=") for part in _parts(cell, "|")]
    if any(len(pair) != PAIR for pair in pairs):
        return WrapUp(TransactionCodes((TransactionCode("", cell),)))
    return WrapUp(TransactionCodes(tuple(TransactionCode(*map(_plain, pair)) for pair in pairs)))


def _parts(text: str, mark: str) -> list[str]:
    parts = [""]
    for letter in LETTER.findall(text):
        if letter == mark:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _plain(text: str) -> str:
    return ESCAPED.sub(r"\1", text)


def recording(line: Line, tenant: TenantId) -> Recording:
    """Return the recording that a line tells of.

    The index names an outbound call as such and may show a number as its channel, where the API has only the channel
    to say it with.
    """
    if not line.outbound or line.file.channel == OUTBOUND_CHANNEL:
        return recording_of(line.file, line.started_at, tenant)
    made = recording_of(replace(line.file, channel=OUTBOUND_CHANNEL), line.started_at, tenant)
    return replace(made, extra=differences(line.file, shown_of(made, lambda _: "")))


def bare(name: str, started_at: EpochMs, tenant: TenantId) -> Recording:
    """Return a recording of which only its file's name is known."""
    return recording_of(_named(name), started_at, tenant)


def time_in(name: str) -> EpochMs | None:
    """Return the moment in a file's name, which is in UTC (reference 0); None when it is no name, or no moment."""
    match = FILE_NAME.fullmatch(name)
    if match is None:
        return None
    try:
        found = int(datetime.strptime(match["time"], "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return None
    return EpochMs(found) if 0 <= found < LATEST else None


def _moment(text: str) -> EpochMs | None:
    text = text.strip()
    if TIME.fullmatch(text) is None:
        return None
    try:
        found = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return None
    return EpochMs(found) if 0 <= found < LATEST else None


def _seconds(text: str) -> int | None:
    """Return a duration in seconds, from a number of them or from a clock; None when it is neither."""
    text = text.strip()
    if (match := SECONDS.match(text)) is not None:
        return int(match[0])
    if (match := CLOCK.fullmatch(text)) is not None:
        hours, minutes, seconds = map(int, match.groups())
        return hours * 3600 + minutes * 60 + seconds
    return None
