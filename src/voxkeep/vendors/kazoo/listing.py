"""Lists of recordings: pages, and whole windows that are sent while they are read (reference 1.2, 1.3).

Ordered by creation, which is the end of a recording, then by id. A page is one read; a filtered one reads on until it
is full. Each chunk is a short read of its own, so a list costs no memory however long it is.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple

from msgspec import Raw, Struct

from voxkeep.archive import Archive
from voxkeep.archive.model import State
from voxkeep.archive.query import AnyOf, Ends, Mark, Question, Term
from voxkeep.archive.units import EpochMs
from voxkeep.database import Row
from voxkeep.vendors.kazoo import startkey, wire
from voxkeep.vendors.kazoo.envelope import REVISION_DIGITS
from voxkeep.vendors.kazoo.queries import Wanted
from voxkeep.vendors.kazoo.wire import COLUMNS, Document, View

SHOWN = AnyOf((Term("state", State.KEPT, State.PENDING), Term("state", State.LOST_TO_SPACE, State.LOST)))
"""All but what was removed: Kazoo lists documents without media, too."""
WHOLE_ROWS = 1_000
"""Pages of so many rows are answered in one piece, with an ETag; longer ones are streamed."""


class Asked(Struct, frozen=True):
    """A list: what of it is wanted, of which recordings, as whose documents."""

    wanted: Wanted
    question: Question
    view: View
    accepts: Callable[[dict[str, Any]], bool] | None = None
    """A condition of the route's own on documents, beside the filters."""

    @property
    def plain(self) -> bool:
        """Whether documents go out as they are, so that nobody need look into them."""
        return not self.wanted.filters and self.wanted.fields is None and self.accepts is None


class Part(NamedTuple):
    """Documents that follow each other, and where each stands."""

    documents: Sequence[Document | Raw | dict[str, Any]]
    marks: Sequence[Mark]
    last: Mark | None
    """Of the last row that was looked at; None when nothing follows."""


class Page(NamedTuple):
    """A page: its documents, the place of its first, and of the first behind it."""

    documents: Sequence[Document | Raw | dict[str, Any]]
    start_key: str
    next_start_key: str


class Listing:
    """Reads lists from the archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def page(self, asked: Asked, size: int, gone: Callable[[], bool] = lambda: False) -> Page | None:
        """Return up to `size` documents, and where the next page begins; None once the client is `gone`."""
        documents = list[Document | Raw | dict[str, Any]]()
        marks = list[Mark]()
        mark = first_mark(asked)
        while len(documents) <= size:
            if gone():
                return None
            wanting = size + 1 - len(documents)
            rows = wanting if asked.plain else max(wanting, self._archive.settings.archive.chunk_rows)
            part = await self._read(asked, mark, rows)
            documents += part.documents
            marks += part.marks
            if part.last is None:
                break
            mark = part.last
        following = _key(marks[size]) if len(documents) > size else ""
        start = _key(marks[0]) if marks else ""
        return Page(documents[:size], start, following)

    async def chunks(self, asked: Asked, most: int | None = None) -> AsyncIterator[Part]:
        """Yield the documents of a list part by part, up to `most` of them and one more."""
        mark, left = first_mark(asked), most
        while left is None or left >= 0:
            part = await self._read(asked, mark, self._archive.settings.archive.chunk_rows)
            if left is not None:
                part = Part(part.documents[: left + 1], part.marks[: left + 1], part.last)
                left -= len(part.documents)
            yield part
            if part.last is None:
                return
            mark = part.last

    async def _read(self, asked: Asked, mark: Mark | None, limit: int) -> Part:
        def shaped(rows: list[Row]) -> Part:
            marks = [Mark(EpochMs(row[0]), row[1]) for row in rows]
            last = marks[-1] if len(rows) == limit else None
            if asked.plain:
                return Part([wire.document(row, asked.view, item=True) for row in rows], marks, last)
            return _sifted(asked, rows, marks, last)

        ends = Ends(asked.wanted.created, mark, asked.wanted.ascending)
        return await self._archive.page_by_end(asked.question, ends, limit, COLUMNS, shaped)


def first_mark(asked: Asked) -> Mark | None:
    """Return where a list begins: with the row of its start key, or at the end of its window. Only pages have keys."""
    start = asked.wanted.start
    if start is None or asked.wanted.page_size is None:
        return None
    return Mark(EpochMs(start.ended_at), start.id, included=True)


def _key(mark: Mark) -> str:
    return startkey.encode(startkey.Position(mark.ended_at, mark.id))


def _sifted(asked: Asked, rows: Sequence[Row], marks: Sequence[Mark], last: Mark | None) -> Part:
    """Return the documents that are asked for, as plain data."""
    found, places = list[dict[str, Any]](), list[Mark]()
    for row, mark in zip(rows, marks, strict=True):
        document = wire.plain(wire.document(row, asked.view, item=True))
        whole = document | wire.private(row, asked.view.account)
        if not asked.wanted.filters.accepts(whole) or (asked.accepts is not None and not asked.accepts(document)):
            continue
        found.append(_sparse(document, asked.wanted.fields))
        places.append(mark)
    return Part(found, places, last)


def _sparse(document: dict[str, Any], fields: Sequence[str] | None) -> dict[str, Any]:
    """Return what is asked for of a document, and its id; a dotted name asks for what is inside an object."""
    if fields is None:
        return document
    sparse: dict[str, Any] = {"id": document["id"]}
    for name in fields:
        path = [name] if name in document else name.split(".")
        inside: Any = document
        for step in path:
            inside = inside.get(step) if isinstance(inside, dict) else None
        if inside is not None:
            _put(sparse, path, inside)
    return sparse


def _put(sparse: dict[str, Any], path: Sequence[str], value: object) -> None:
    *way, last = path
    for step in way:
        # an object that is there whole already is left so
        sparse[step] = dict(sparse.get(step, {}))
        sparse = sparse[step]
    sparse[last] = value


class Streamed:
    """A list on its way out: its pieces, and what its envelope tells at the end."""

    def __init__(self, listing: Listing, asked: Asked, most: int | None) -> None:
        self._parts = listing.chunks(asked, most)
        self._most = most
        self._digest = hashlib.sha256()
        self.count = 0
        self.start_key = ""
        self.next_start_key = ""

    async def pieces(self, told: Callable[["Streamed"], bytes]) -> AsyncIterator[bytes]:
        """Yield the envelope with its data first; `told` gives what comes after, once all is known."""
        yield b'{"data":['
        try:
            async for part in self._parts:
                piece = self._piece(part)
                if piece:
                    yield piece
        finally:
            await self._parts.aclose()  # type: ignore[attr-defined] # it is a generator
        yield b"]" + told(self)

    def _piece(self, part: Part) -> bytes:
        documents, marks = part.documents, part.marks
        if self._most is not None and self.count + len(documents) > self._most:
            inside = self._most - self.count
            self.next_start_key = _key(marks[inside])
            documents, marks = documents[:inside], marks[:inside]
        if not documents:
            return b""
        if not self.count:
            self.start_key = _key(marks[0])
        encoded = wire.encoded(documents)[1:-1]
        piece = encoded if not self.count else b"," + encoded
        self.count += len(documents)
        self._digest.update(piece)
        return piece

    @property
    def revision(self) -> str:
        """What changes when the data does."""
        return self._digest.hexdigest()[:REVISION_DIGITS]
