"""8x8 as a source of recordings and chats: its lists, its messages, its audio, for the collector (seed 003).

What to fetch is what `/files` and `/transcripts` list; where audio comes over FTPS, also what lies there and is not
listed (`reconcile`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Container, Sequence
from contextlib import asynccontextmanager
from typing import BinaryIO, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from voxkeep.archive.model import Message, Transcript
from voxkeep.archive.units import EpochMs, now_ms
from voxkeep.audio.errors import UnreadableAudio
from voxkeep.audio.sniff import HEAD_BYTES, container_of
from voxkeep.collect.errors import BadAnswer, Forbidden, Gone, SourceUnusable, TooMuch
from voxkeep.collect.source import (
    CHAT,
    CheckReport,
    Connection,
    Download,
    Listed,
    Listing,
    NoChats,
    Rejected,
    Window,
)
from voxkeep.vendors.eightbyeight import shapes
from voxkeep.vendors.eightbyeight.chats import Chat, kept_message, transcript_of
from voxkeep.vendors.eightbyeight.client import CHATS, FILES, Client, chat_path, file_path
from voxkeep.vendors.eightbyeight.ftps import Ftps, Server
from voxkeep.vendors.eightbyeight.options import FTPS, HTTP, Options, options_of
from voxkeep.vendors.eightbyeight.reconcile import IN_TREE, MAY_BE_CHANGED, Tree, listed_as, status_of
from voxkeep.vendors.eightbyeight.shapes import Dated
from voxkeep.vendors.eightbyeight.wire import File, recording_of

S = TypeVar("S", bound=Struct)

PAGE_ROWS = 50
"""Seed 003, "Pagination"; a shorter page is the last."""
MOST_BEGINNINGS = 4
"""A list that changes while it is paged is paged from its beginning again, so often in all."""
MOST_ROWS = 20_000
"""A window with more is asked for in halves."""
CHECK_MS = 60_000
Row = str | bytes
"""What tells a row from others: its key, or what stands there where it cannot be read."""


class _Rows(Generic[S]):
    """The rows of a list, each once."""

    def __init__(self, key: Callable[[S], str]) -> None:
        self._key = key
        self._good: dict[str, Dated[S]] = {}
        self._bad: dict[bytes, shapes.Bad] = {}

    def __len__(self) -> int:
        return len(self._good) + len(self._bad)

    @property
    def read(self) -> shapes.Read[S]:
        return shapes.Read(list(self._good.values()), list(self._bad.values()))

    def add(self, page: shapes.Read[S]) -> set[Row]:
        """Add the rows of a page, and return them; of a row that came before, the newer state counts."""
        good = {self._key(each.record): each for each in page.good}
        bad = {each.raw: each for each in page.bad}
        self._good.update(good)
        self._bad.update(bad)
        return {*good, *bad}

    def last_of(self, page: shapes.Read[S]) -> set[Row]:
        """Return the last row of each kind: one of them is the page's last."""
        good = {self._key(each.record) for each in page.good[-1:]}
        return {*good, *(each.raw for each in page.bad[-1:])}


class EightByEightSource:
    """See `voxkeep.collect.source.Source`."""

    def __init__(self, connection: Connection) -> None:
        options = options_of(connection.options)
        account = options.account or connection.tenant_name
        self._tenant = connection.tenant
        self._ftps = _ftps(connection, options, account)
        self._tree = None if self._ftps is None else Tree(self._ftps, connection.tenant)
        self._client = Client(connection, account)
        self._no_chats: NoChats | None = None

    async def close(self) -> None:
        """See `Source.close`."""
        await self._client.close()
        if self._ftps is not None:
            await self._ftps.close()

    async def check(self) -> CheckReport:
        """See `Source.check`: one page of the last minute, and a login where audio comes over FTPS."""
        now = now_ms()
        page = await self._page(FILES, Window(EpochMs(now - CHECK_MS), now), 1, shapes.files)
        lines = [f"recordings can be listed: {page.count} in the last minute"]
        if self._ftps is None:
            return CheckReport(ok=True, lines=[*lines, "audio is asked for over HTTP, which 8x8 does not document"])
        await self._ftps.log_in()
        return CheckReport(ok=True, lines=[*lines, "the FTPS server lets us in"])

    # Lists

    async def listing(self, window: Window) -> Listing:
        """See `Source.listing`."""
        files = await self._pages(FILES, window, shapes.files, _name_of)
        chats = await self._chats(window)
        listed = [self._recording(each) for each in files.good] + [self._transcript(each) for each in chats.good]
        known = {each.key for each in listed}
        unread, rejected = _rejected(files.bad, "", known), _rejected(chats.bad, CHAT, known)
        if self._tree is None:
            return Listing(listed, unread + rejected, no_chats=self._no_chats)
        rest = await self._tree.beyond(window, {each.record.filename: each.at for each in files.good})
        # what the folder supplies is not missing, however its row is broken
        unread = [
            replace(each, beside=each.beside or await self._tree.supplied(each.key, window, rest)) for each in unread
        ]
        return Listing(listed + rest.listed, unread + rejected + rest.rejected, rest.notes, self._no_chats)

    async def again(self, listed: Listed) -> Listed | None:
        """See `Source.again`."""
        files = await self._pages(FILES, Window(listed.started_at, listed.started_at), shapes.files, _name_of)
        for each in files.good:
            if each.record.filename == listed.key:
                return self._recording(each)
        if listed.place == IN_TREE and self._tree is not None and await self._tree.holds(listed.key):
            return listed
        return None

    async def _chats(self, window: Window) -> shapes.Read[Chat]:
        if self._no_chats is None:
            try:
                return await self._pages(CHATS, window, shapes.chats, _guid_of)
            except (Forbidden, Gone) as error:
                self._no_chats = NoChats(error.reason, refused=isinstance(error, Forbidden))
        return shapes.Read([], [])

    async def _pages(
        self,
        path: str,
        window: Window,
        read: Callable[[bytes], shapes.Read[S]],
        key: Callable[[S], str],
    ) -> shapes.Read[S]:
        """Return all pages of a list as one, what came twice once.

        A row that vanishes meanwhile moves those behind it forward, over the edge of a page (reference 5): then the
        list is paged from its beginning again, and what was found stays found.
        """
        found = _Rows(key)
        for _ in range(MOST_BEGINNINGS):
            if await self._paged(path, window, read, found):
                return found.read
        raise TooMuch("rows vanish while the list is paged", request=f"GET {path}")

    async def _paged(self, path: str, window: Window, read: Callable[[bytes], shapes.Read[S]], found: _Rows[S]) -> bool:
        """Add the pages of a list to what was found; False when a row may have been jumped over.

        Each page begins with the last row of the one before, which proves that nothing has moved.
        """
        first, last = 1, set[Row]()
        seen = set[Row]()
        while True:
            page = await self._page(path, window, first, read)
            rows = found.add(page)
            if last and last.isdisjoint(rows):
                return False
            if page.count < PAGE_ROWS:
                return True
            if seen.issuperset(rows):
                raise BadAnswer("a full page brings nothing new: the offset is ignored", request=f"GET {path}")
            if len(found) > MOST_ROWS:
                raise TooMuch(f"more than {MOST_ROWS:,} rows in one window", request=f"GET {path}")
            seen.update(rows)
            first, last = first + page.count - 1, found.last_of(page)

    async def _page(
        self, path: str, window: Window, first: int, read: Callable[[bytes], shapes.Read[S]]
    ) -> shapes.Read[S]:
        body = await self._client.page(path, window, first)
        try:
            return await asyncio.to_thread(read, body)
        except shapes.Unreadable as error:
            raise self._unreadable(error, path, body) from error

    def _unreadable(self, error: shapes.Unreadable, path: str, body: bytes) -> BadAnswer:
        return BadAnswer(f"not what was asked for: {error}", request=f"GET {path}", raw=self._client.blotted(body))

    def _recording(self, each: Dated[File]) -> Listed:
        recording = recording_of(each.record, each.at, self._tenant)
        return listed_as(recording, status=status_of(recording, MAY_BE_CHANGED))

    def _transcript(self, each: Dated[Chat]) -> Listed:
        transcript = transcript_of(each.record, each.at, self._tenant)
        return Listed(item=transcript, status=status_of(transcript, MAY_BE_CHANGED))

    # Chats and audio

    async def transcript(self, listed: Listed) -> tuple[Transcript, list[Message]]:
        """See `Source.transcript`."""
        guid = listed.item.vendor_key
        body = await self._client.chat(guid)
        try:
            chat, messages = await asyncio.to_thread(shapes.chat, body, guid)
        except shapes.Unreadable as error:
            raise self._unreadable(error, chat_path(guid), body) from error
        transcript = transcript_of(chat.record, chat.at, self._tenant)
        return transcript, [kept_message(each.record, each.at) for each in messages]

    @asynccontextmanager
    async def fetch(self, listed: Listed) -> AsyncIterator[Download]:
        """See `Source.fetch`."""
        if self._ftps is None:
            asked = self._client.audio(file_path(listed.key), {"Accept": "audio/*"})
        else:
            asked = self._ftps.fetch(listed.key)
        async with asked as download:
            yield download

    def verify(self, file: BinaryIO, listed: Listed) -> str:
        """See `Source.verify`: a WAV file is expected; another kind is accepted and told."""
        del listed
        head = file.read(HEAD_BYTES)
        file.seek(0)
        if not head:
            raise UnreadableAudio("no bytes at all")
        return "" if container_of(head) == "wav" else "the audio is not WAV"


def _rejected(bad: Sequence[shapes.Bad], prefix: str, known: Container[str]) -> list[Rejected]:
    """Return rows that cannot be read; what another row lists is not missing for them."""
    keys = [prefix + each.key if each.key else "" for each in bad]
    return [Rejected(each.raw, each.reason, key, key in known) for each, key in zip(bad, keys, strict=True)]


def _name_of(file: File) -> str:
    return file.filename


def _guid_of(chat: Chat) -> str:
    return chat.interactionGUID


def _ftps(connection: Connection, options: Options, account: str) -> Ftps | None:
    if options.audio == HTTP:
        return None
    if options.audio != FTPS or not options.ftps_host:
        raise SourceUnusable("an 8x8 source says how audio is fetched: ftps, with a host, or http")
    server = Server(
        host=options.ftps_host,
        port=options.ftps_port,
        user=account,
        password=connection.other_secret,
        timeout_seconds=connection.timeout_seconds,
        authority=options.ftps_ca,
    )
    return Ftps(server, connection.slot)
