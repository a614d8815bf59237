"""8x8 as a source of recordings and chats: its lists, its messages, its audio, for the collector (seed 003).

What to fetch is what `/files` and `/transcripts` list; where audio comes over FTPS, also what lies there and is not
listed (`reconcile`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import BinaryIO, TypeVar

from msgspec import Struct

from voxkeep.archive.model import Message, Transcript
from voxkeep.archive.units import EpochMs, now_ms
from voxkeep.audio.errors import UnreadableAudio
from voxkeep.audio.sniff import HEAD_BYTES, container_of
from voxkeep.collect.errors import BadAnswer, Gone, SourceUnusable, TooMuch
from voxkeep.collect.source import CheckReport, Connection, Download, Listed, Listing, Ready, Rejected, Window
from voxkeep.vendors.eightbyeight import shapes
from voxkeep.vendors.eightbyeight.chats import Chat, kept_message, transcript_of
from voxkeep.vendors.eightbyeight.client import CHATS, FILES, Client, chat_path, file_path
from voxkeep.vendors.eightbyeight.ftps import Ftps, Server
from voxkeep.vendors.eightbyeight.options import FTPS, HTTP, Options, options_of
from voxkeep.vendors.eightbyeight.reconcile import IN_TREE, Tree, listed_as
from voxkeep.vendors.eightbyeight.shapes import Dated
from voxkeep.vendors.eightbyeight.wire import File, recording_of

S = TypeVar("S", bound=Struct)

PAGE_ROWS = 50
"""Seed 003, "Pagination"; a shorter page is the last."""
MOST_ROWS = 20_000
"""A window with more is asked for in halves."""
CHECK_MS = 60_000


class EightByEightSource:
    """See `voxkeep.collect.source.Source`."""

    def __init__(self, connection: Connection) -> None:
        options = options_of(connection.options)
        account = options.account or connection.tenant_name
        self._tenant = connection.tenant
        self._ftps = _ftps(connection, options, account)
        self._tree = None if self._ftps is None else Tree(self._ftps, connection.tenant)
        self._client = Client(connection, account)

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
        chats, notes = await self._chats(window)
        rejected = [Rejected(bad.raw, bad.reason, bad.key) for bad in files.bad]
        rejected += [Rejected(bad.raw, bad.reason, f"transcript {bad.key}" if bad.key else "") for bad in chats.bad]
        listed = [self._recording(each) for each in files.good] + [self._transcript(each) for each in chats.good]
        if self._tree is None:
            return Listing(listed, rejected, notes)
        rest = await self._tree.beyond(window, {each.record.filename: each.at for each in files.good})
        return Listing(listed + rest.listed, rejected + rest.rejected, notes + rest.notes)

    async def again(self, listed: Listed) -> Listed | None:
        """See `Source.again`."""
        files = await self._pages(FILES, Window(listed.started_at, listed.started_at), shapes.files, _name_of)
        for each in files.good:
            if each.record.filename == listed.key:
                return self._recording(each)
        if listed.place == IN_TREE and self._tree is not None and await self._tree.holds(listed.key):
            return listed
        return None

    async def _chats(self, window: Window) -> tuple[shapes.Read[Chat], list[str]]:
        try:
            return await self._pages(CHATS, window, shapes.chats, _guid_of), []
        except Gone as error:
            return shapes.Read([], []), [f"without chat transcripts: {error.reason}"]

    async def _pages(
        self,
        path: str,
        window: Window,
        read: Callable[[bytes], shapes.Read[S]],
        key: Callable[[S], str],
    ) -> shapes.Read[S]:
        """Return all pages of a list as one, what came twice once: pages overlap where rows come and go meanwhile."""
        good: dict[str, Dated[S]] = {}
        bad: dict[bytes, shapes.Bad] = {}
        first = 1
        while True:
            page = await self._page(path, window, first, read)
            before = len(good) + len(bad)
            for each in page.good:
                good.setdefault(key(each.record), each)
            bad.update({each.raw: each for each in page.bad})
            if page.count < PAGE_ROWS:
                return shapes.Read(list(good.values()), list(bad.values()))
            if len(good) + len(bad) == before:
                raise BadAnswer("a full page brings nothing new: the offset is ignored", request=f"GET {path}")
            if before > MOST_ROWS:
                raise TooMuch(f"more than {MOST_ROWS:,} rows in one window", request=f"GET {path}")
            first += page.count

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
        return listed_as(recording_of(each.record, each.at, self._tenant))

    def _transcript(self, each: Dated[Chat]) -> Listed:
        return Listed(item=transcript_of(each.record, each.at, self._tenant), status=Ready())

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
