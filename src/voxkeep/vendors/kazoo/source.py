"""A Kazoo cluster as a source of recordings: one account's documents and media, for the collector (reference 7).

Descendant accounts are sources of their own; this one tells of those that nobody has set up.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import BinaryIO, TypeVar

from voxkeep.archive.model import Message, Transcript
from voxkeep.archive.units import EpochMs, now_ms
from voxkeep.audio.errors import UnreadableAudio
from voxkeep.audio.sniff import HEAD_BYTES, container_of
from voxkeep.collect.errors import BadAnswer, Gone, TooMuch, VendorFailure
from voxkeep.collect.source import (
    CheckReport,
    Connection,
    Download,
    Listed,
    Listing,
    Pending,
    Ready,
    Window,
)
from voxkeep.vendors.kazoo import shapes, windows
from voxkeep.vendors.kazoo.client import Client, recording_path, recordings_path
from voxkeep.vendors.kazoo.items import (
    MEDIA_LATE_MS,
    NOT_YET,
    Found,
    clock_notes,
    is_about_range,
    listed_as,
    read_only,
    unfindable,
)
from voxkeep.vendors.kazoo.options import options_of
from voxkeep.vendors.kazoo.windows import LONGEST_SPAN_MS, MINUTE_MS, SHORTEST_SPAN_MS, Span
from voxkeep.vendors.kazoo.wire import BadDocument, recording_of

T = TypeVar("T")

PAGE_ROWS = 200
"""Full documents are about 1.5 KB each; Kazoo has no upper bound."""
MOST_ROWS = 20_000
"""A window with more is asked for in halves."""
USUAL = ("mp3", "wav")
NOTHING_THERE = (
    "no recording in the last 28 days: if calls are recorded, the cluster does not keep them "
    "(its setting media.store_recordings is off unless switched on), or sends them elsewhere"
)
NOT_STARTED = (
    "the cluster has no list of recordings: its module cb_recordings is not started (it is not by default), "
    "or no Kazoo API is at this address"
)
IDENTIFIER = "identifier"
"""What the message of a 404 holds that is about the account and not about the list."""


class _StandsStill(TooMuch):
    """The pages of a list do not come to its end."""


class KazooSource:
    """See `voxkeep.collect.source.Source`."""

    def __init__(self, connection: Connection) -> None:
        self._options = options_of(connection.options)
        self._tenant = connection.tenant
        self._client = Client(connection, self._options)
        self._longest_ms = LONGEST_SPAN_MS
        """How wide a span this cluster takes, as far as is known."""
        self._told_descendants = False

    async def close(self) -> None:
        """See `Source.close`."""
        await self._client.close()

    async def check(self) -> CheckReport:
        """See `Source.check`: logs in, asks for the newest recording, and for the accounts below."""
        login = await self._client.login()
        account = await self._account()
        own = "" if account == login.account else f", asked for account {account}"
        lines = [f"logged in to account {login.account} ({self._client.clean(login.name)}){own}"]
        now = now_ms()
        newest = windows.spans(Window(EpochMs(now - LONGEST_SPAN_MS), now), now)[0]
        try:
            page = await self._page(recordings_path(account), {**newest.query, "page_size": "1"})
        except Gone as error:
            return CheckReport(ok=False, lines=[*lines, error.reason])
        except BadAnswer as error:
            if not is_about_range(error):
                raise
            lines.append("recordings can be listed, in spans of less than 28 days")
        else:
            lines.append("recordings can be listed" if page.count else NOTHING_THERE)
            lines += clock_notes(page.clock, now)
        return CheckReport(ok=True, lines=lines + await self._unknown_descendants())

    # Lists

    async def listing(self, window: Window) -> Listing:
        """See `Source.listing`, and `windows` for what is asked."""
        account, now = await self._account(), now_ms()
        found = Found(self._tenant, self._client.blotted, now)
        for span in windows.spans(window, now):
            await self._span(account, span, found)
        notes = sorted(found.notes)
        if not self._told_descendants:
            notes += await self._unknown_descendants()
            self._told_descendants = True
        return Listing(list(found.listed.values()), list(found.rejected.values()), notes)

    async def again(self, listed: Listed) -> Listed | None:
        """See `Source.again`: asks for the document alone, which tells nothing of its media.

        Asked for when the media was not there: what is young may still arrive.
        """
        account = await self._account()
        path = recording_path(account, listed.key)
        try:
            body = await self._client.json(path, {})
        except Gone:
            return unfindable(listed)
        try:
            document = await asyncio.to_thread(shapes.item, body)
            recording = recording_of({**document, **read_only(listed.recording)}, self._tenant)
        except (shapes.Unreadable, BadDocument) as error:
            raise self._unreadable(error, path, body) from error
        if recording.vendor_key != listed.key:
            raise self._unreadable(ValueError("another recording"), path, body)
        young = now_ms() - recording.ended_at < MEDIA_LATE_MS
        return listed_as(recording, Pending(NOT_YET) if young else Ready())

    async def _span(self, account: str, span: Span, found: Found) -> None:
        """Find what a span lists, in pieces that the cluster takes. Raises VendorFailure."""
        pieces = [span]
        while pieces:
            piece = pieces.pop()
            if piece.length_ms > self._longest_ms:
                pieces += reversed(windows.cut(piece, self._longest_ms))
                continue
            try:
                await self._pages(account, piece, found)
            except _StandsStill:
                if piece.length_ms <= MINUTE_MS:
                    raise
                pieces += reversed(windows.cut(piece, windows.half(piece.length_ms)))
            except BadAnswer as error:
                if not is_about_range(error):
                    raise
                if piece.length_ms <= SHORTEST_SPAN_MS:
                    raise TooMuch("the cluster refuses a span of a day", request=error.request) from error
                self._longest_ms = max(windows.half(piece.length_ms), SHORTEST_SPAN_MS)
                pieces.append(piece)

    async def _pages(self, account: str, span: Span, found: Found) -> None:
        """Find what all pages of a span list.

        The last page has no key for a next one, or repeats its own (reference 7.2). A cluster that gives the same rows
        again and promises more would hide the rest: what needs no second page is asked for then.
        """
        path = recordings_path(account)
        query = {**span.query, "ascending": "true", "page_size": str(PAGE_ROWS)}
        key, before = "", frozenset[object]()
        sent = set[str]()
        while True:
            page = await self._page(path, query | ({"start_key": key} if key else {}))
            await asyncio.to_thread(found.add, page, span)
            rows = frozenset[object]([*page.documents, *(each.raw for each in page.bad)])
            nothing_new = rows <= before
            is_short = page.count < PAGE_ROWS and not (rows and nothing_new)
            if not page.next_key or (page.next_key == key and is_short):
                return
            sent.add(key)
            if nothing_new or page.next_key in sent:
                raise _StandsStill("a page brings nothing new, and promises more", request=f"GET {path}")
            if len(found) > MOST_ROWS:
                raise TooMuch(f"more than {MOST_ROWS:,} rows in one window", request=f"GET {path}")
            key, before = page.next_key, rows

    async def _page(self, path: str, query: Mapping[str, str]) -> shapes.Page:
        try:
            body = await self._client.json(path, query)
        except Gone as error:
            told = error.reason if IDENTIFIER in error.reason else f"{NOT_STARTED} ({error.reason})"
            raise Gone(told, request=error.request) from error
        return await self._read(shapes.page, path, body)

    async def _read(self, read: Callable[[bytes], T], path: str, body: bytes) -> T:
        try:
            return await asyncio.to_thread(read, body)
        except shapes.Unreadable as error:
            raise self._unreadable(error, path, body) from error

    def _unreadable(self, error: Exception, path: str, body: bytes) -> BadAnswer:
        return BadAnswer(f"not what was asked for: {error}", request=f"GET {path}", raw=self._client.blotted(body))

    # Accounts

    async def _account(self) -> str:
        return self._options.account_id or (await self._client.login()).account

    async def descendants(self) -> list[shapes.Below]:
        """Return all accounts below the one that is collected, in order of name. Raises VendorFailure."""
        path = f"/v2/accounts/{await self._account()}/descendants"
        found: dict[str, shapes.Below] = {}
        query = {"paginate": "false"}
        while True:
            below = await self._read(shapes.accounts, path, await self._client.json(path, query))
            fresh = {each.id: each for each in below.accounts if each.id not in found}
            found |= fresh
            # asked for unpaged; whoever pages all the same is followed
            if not below.next_key or not fresh:
                return sorted(found.values(), key=lambda each: (each.name, each.id))
            query = {"start_key": below.next_key}

    async def _unknown_descendants(self) -> list[str]:
        """Return what is to be told of accounts below that no source was set up for; never worth failing for."""
        try:
            below = await self.descendants()
        except VendorFailure as error:
            return [f"accounts below this one cannot be listed: {error.reason}"]
        return [
            f"not collected: the account below, {each.id} ({self._client.clean(each.name)}); "
            "'voxkeep collect descendants' adds it"
            for each in below
            if each.id not in self._options.descendants
        ]

    # Audio

    @asynccontextmanager
    async def fetch(self, listed: Listed) -> AsyncIterator[Download]:
        """See `Source.fetch`."""
        async with self._client.media(recording_path(await self._account(), listed.key)) as download:
            yield download

    async def transcript(self, listed: Listed) -> tuple[Transcript, list[Message]]:
        """See `Source.transcript`: Kazoo keeps no chats, and none is ever listed."""
        raise Gone("Kazoo has no chat transcripts", request=listed.key)

    def verify(self, file: BinaryIO, listed: Listed) -> str:
        """See `Source.verify`: MP3 and WAV are what Kazoo records; another kind is accepted and told."""
        del listed
        head = file.read(HEAD_BYTES)
        file.seek(0)
        if not head:
            raise UnreadableAudio("no bytes at all")
        container = container_of(head)
        return "" if container in USUAL else f"the audio is {container or 'of an unknown kind'}, not MP3 or WAV"
