r"""8x8's documents: records as XML, JSON and CSV (seed 003, "Responses"; reference 2).

XML is the default. JSON keeps the nesting of the XML, and lists are always arrays. CSV has a line for every record,
nested parts as one cell of pairs: `list=name` or `field=value`, joined by `|`, with backslashes before `\`, `=`, `|`.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from voxkeep.vendors.eightbyeight.chats import NO_METADATA, Chat, ChatMessage
from voxkeep.vendors.eightbyeight.wire import NO_WRAP_UP, File
from voxkeep.web.xml import Escaper

DECLARATION = "<?xml version='1.0' encoding='UTF-8' ?>"
PAIR_SPECIALS = str.maketrans({"\\": "\\\\", "=": "\\=", "|": "\\|"})

Pairs = Sequence[tuple[str, str]]


class Kind(NamedTuple):
    """A kind of record: its element, its plain fields in order, its nested field, and the pairs in that."""

    element: str
    plain: tuple[str, ...]
    nested: str
    group: str
    item: str
    names: tuple[str, str]
    pairs: Callable[[Struct], Pairs]
    nothing: Struct
    """What stands in the nested field where there are no pairs."""


def file_pairs(file: Struct) -> Pairs:
    """Return the wrap-up codes of a file: list and name."""
    assert isinstance(file, File)  # noqa: S101 -- the table below goes by kind
    codes = file.wrapUpCode.transactionCodes
    return [] if codes is None else [(each.listName, each.name) for each in codes.transactionCode]


def chat_pairs(chat: Struct) -> Pairs:
    """Return the metadata of a transcript: field and value."""
    assert isinstance(chat, Chat)  # noqa: S101 -- the table below goes by kind
    return [(each.fieldName, each.fieldValue) for each in chat.metaDatas.metaData or ()]


FILE = Kind(
    "file", File.__struct_fields__[:-1], "wrapUpCode", "transactionCodes", "transactionCode", ("listName", "name"),
    file_pairs, NO_WRAP_UP,
)  # fmt: skip
CHAT = Kind(
    "transcript", Chat.__struct_fields__[:-1], "metaDatas", "", "metaData", ("fieldName", "fieldValue"), chat_pairs,
    NO_METADATA,
)  # fmt: skip


class Document(NamedTuple):
    """A finished document, and how many characters it could not hold."""

    body: bytes
    dropped: int = 0


class _Template(NamedTuple):
    """An element around elements of texts, by the names of those."""

    whole: str
    names: tuple[str, ...]

    def fill(self, rows: Sequence[Sequence[str]], escaper: Escaper, nested: Sequence[str] | None = None) -> list[str]:
        """Return each row as an element; one without text is written as the seed does: `<outDialCode/>`.

        `nested` is what follows the texts of each row, as XML.
        """
        if not escaper.is_plain(rows):
            rows = [[escaper.text(text) for text in row] for row in rows]
        whole, some_empty = self.whole, []
        for name, column in zip(self.names, zip(*rows, strict=True), strict=False):
            if not any(column):
                whole = whole.replace(f"<{name}>%s</{name}>", f"<{name}/>%s")
            elif "" in column:
                some_empty.append(name)
        made = [whole % (*row, more) for row, more in zip(rows, nested or [""] * len(rows), strict=True)]
        for name in some_empty:
            made = [row.replace(f"<{name}></{name}>", f"<{name}/>") for row in made]
        return made


def _template(element: str, names: Sequence[str]) -> _Template:
    whole = "".join(f"<{name}>%s</{name}>" for name in names)
    return _Template(_element(element, f"{whole}%s"), tuple(names))


def _element(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>" if name else content


_ROWS = {kind.element: _template(kind.element, kind.plain) for kind in (FILE, CHAT)}
_FIELDS = _template("", CHAT.plain)
_PAIRS = {kind.element: _template(kind.item, kind.names) for kind in (FILE, CHAT)}
_MESSAGE = _template("message", ChatMessage.__struct_fields__)


def _filled(template: _Template, records: Sequence[Struct], kind: Kind, escaper: Escaper) -> list[str]:
    """Return records in a template, their nested fields last."""
    texts, nested, empty = [], [], f"<{kind.nested}/>"
    for record in records:
        *plain, last = astuple(record)
        texts.append(list(map(str, plain)))
        nested.append(empty if last is kind.nothing else _nested_xml(kind.pairs(record), kind, escaper))
    return template.fill(texts, escaper, nested)


def _nested_xml(pairs: Pairs, kind: Kind, escaper: Escaper) -> str:
    if not pairs:
        return f"<{kind.nested}/>"
    return _element(kind.nested, _element(kind.group, "".join(_PAIRS[kind.element].fill(pairs, escaper))))


def xml_list(records: Iterable[Struct], kind: Kind) -> Document:
    """Return a list as XML."""
    escaper = Escaper()
    rows = "".join(_filled(_ROWS[kind.element], list(records), kind, escaper))
    return Document(f"{DECLARATION}{_element('recordings', rows)}".encode(), escaper.dropped)


_encoder = msgspec.json.Encoder()


def json_list(records: Iterable[Struct], kind: Kind) -> Document:
    """Return a list as JSON, always with an array."""
    rows = _encoder.encode(list(records))
    return Document(b'{"recordings":{"%b":%b}}' % (kind.element.encode(), rows))


def csv_list(records: Iterable[Struct], kind: Kind) -> Document:
    """Return a list as CSV (RFC 4180), its header always there."""
    rows = ([*map(str, astuple(record)[:-1]), cell(kind.pairs(record))] for record in records)
    return Document("".join([_csv_line(row) for row in ([*kind.plain, kind.nested], *rows)]).encode())


def _csv_line(texts: Sequence[str]) -> str:
    """Return a line; most need no quotes, which one look tells (the csv module takes four times as long)."""
    line = ",".join(texts)
    if line.isprintable() and '"' not in line and line.count(",") == len(texts) - 1:
        return f"{line}\r\n"
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(texts)
    return text.getvalue()


def cell(pairs: Pairs) -> str:
    """Return pairs as one cell of CSV."""
    return "|".join(f"{name.translate(PAIR_SPECIALS)}={value.translate(PAIR_SPECIALS)}" for name, value in pairs)


class Format(NamedTuple):
    """How a list is written."""

    media_type: bytes
    write: Callable[[Iterable[Struct], Kind], Document]


FORMATS: Mapping[str, Format] = {
    "xml": Format(b"application/xml; charset=UTF-8", xml_list),
    "json": Format(b"application/json", json_list),
    "csv": Format(b"text/csv; charset=UTF-8; header=present", csv_list),
}
"""By the suffix of the address; without one it is XML (seed 003)."""
DEFAULT_FORMAT = "xml"


# One transcript with its messages, written piece by piece: there may be many


class TranscriptWriter:
    """Writes one transcript: `opening`, then messages as often as there are more, then `closing`."""

    def __init__(self, form: str, chat: Chat) -> None:
        self.escaper = Escaper()
        self._json = form == "json"
        self._chat = chat
        self._first = True

    def opening(self) -> bytes:
        """Return what stands before the messages."""
        if self._json:
            return b'{"transcript":%b,"messages":{"message":[' % _encoder.encode(self._chat)[:-1]
        (fields,) = _filled(_FIELDS, [self._chat], CHAT, self.escaper)
        return f"{DECLARATION}<transcript>{fields}<messages>".encode()

    def messages(self, messages: Sequence[ChatMessage]) -> bytes:
        """Return some more messages."""
        if not messages:
            return b""
        if self._json:
            text = _encoder.encode(messages)[1:-1]
            joined, self._first = (text if self._first else b"," + text), False
            return joined
        return "".join(_MESSAGE.fill([astuple(each) for each in messages], self.escaper)).encode()

    def closing(self) -> bytes:
        """Return what stands behind the messages."""
        return b"]}}}" if self._json else b"</messages></transcript>"
