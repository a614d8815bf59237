"""Recordings: their lists, the document or the audio of one, its removal, notes on it (reference 1.1)."""

import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

import msgspec
from msgspec import Raw

from voxkeep.access import Access, Action, Permission
from voxkeep.access.audit import append
from voxkeep.archive import Archive
from voxkeep.archive.errors import RemovalRefused, UnknownRecording
from voxkeep.archive.model import Recording, State
from voxkeep.archive.query import AnyOf, Question, Term
from voxkeep.archive.units import now_ms
from voxkeep.vendors.kazoo import csvform, errors, queries, wire
from voxkeep.vendors.kazoo.accept import Want, wanted
from voxkeep.vendors.kazoo.accounts import Accounts, User
from voxkeep.vendors.kazoo.envelope import closing, encoded, revision_of
from voxkeep.vendors.kazoo.errors import Invalid
from voxkeep.vendors.kazoo.ids import is_recording_id, uuid_of
from voxkeep.vendors.kazoo.listing import SHOWN, WHOLE_ROWS, Asked, Listing, Page, Streamed
from voxkeep.vendors.kazoo.media import Media
from voxkeep.vendors.kazoo.request import Request
from voxkeep.vendors.kazoo.wire import METADATA, NOTED_AT, VENDOR, Document, View
from voxkeep.web.disconnects import DisconnectWatch
from voxkeep.web.headers import header
from voxkeep.web.lists import send_pieces
from voxkeep.web.ranges import none_match_hits

LARGEST_METADATA_BYTES = 65_536


class Recordings:
    """Answers the routes about recordings."""

    def __init__(self, archive: Archive, access: Access, accounts: Accounts) -> None:
        self._archive = archive
        self._access = access
        self._accounts = accounts
        self._listing = Listing(archive)
        self._media = Media(archive, access)

    # Lists

    async def list(self, request: Request) -> None:
        """GET the recordings of an account."""
        await self._send_list(request, None)

    async def list_of_user(self, request: Request) -> None:
        """GET the recordings of one user of an account."""
        account = request.in_account
        user = (await self._accounts.users(account.id)).by_id.get(request.segments[3])
        if user is None:
            raise errors.bad_identifier(request.segments[3])
        await self._send_list(request, user)

    async def _send_list(self, request: Request, owner: User | None) -> None:
        scope = request.visible(Permission.RECORDINGS_LIST)
        asked_for = queries.wanted(request.query, int(time.time()), self._archive.settings.kazoo)
        conditions = (SHOWN,) if owner is None else (SHOWN, _of(owner))
        asked = Asked(
            asked_for,
            Question(scope, conditions=conditions),
            await self._view(request),
            None if owner is None else partial(_is_owned, owner.id),
        )
        self._access.audit.note(request.entry(Action.LIST, request.told_query))
        size = asked_for.page_size
        if csvform.wants_csv(request.query.get("accept"), header(request.scope, b"accept")):
            await self._send_csv(request, asked)
        elif size is None or size > WHOLE_ROWS or asked_for.chunked:
            await self._stream(request, asked)
        else:
            await self._send_page(request, asked, size)

    async def _view(self, request: Request) -> View:
        account = request.in_account
        return View(account, await self._accounts.users(account.id))

    async def _send_page(self, request: Request, asked: Asked, size: int) -> None:
        # one read needs no watch; a filtered page may look through all of its window
        async with DisconnectWatch(None if asked.plain else request.receive) as watch:
            page = await self._listing.page(asked, size, lambda: watch.gone)
        if page is not None:
            await self._reply_page(request, page)

    async def _reply_page(self, request: Request, page: Page) -> None:
        data = wire.encoded(page.documents)
        told = request.told()
        told.page_size = len(page.documents)
        headers = []
        if page.documents:
            told.start_key = page.start_key
            # a page is another one, too, when one has come behind it
            told.revision = revision_of(data + page.next_start_key.encode())
            etag = b'"%b"' % told.revision.encode()
            headers.append((b"etag", b"W/" + etag))
            if _is_known(request, etag):
                await request.not_modified(headers)
                return
        if page.next_start_key:
            told.next_start_key = page.next_start_key
        await request.reply_encoded(data, told, headers=headers)

    async def _stream(self, request: Request, asked: Asked) -> None:
        """Send a list of any length while it is read; what tells of it comes at its end."""
        paged = asked.wanted.page_size is not None
        streamed = Streamed(self._listing, asked, asked.wanted.page_size)

        def told(list_: Streamed) -> bytes:
            tail = request.told()
            if list_.count:
                tail.revision = list_.revision
            if paged:
                tail.page_size = list_.count
                if list_.start_key:
                    tail.start_key = list_.start_key
                if list_.next_start_key:
                    tail.next_start_key = list_.next_start_key
            return closing(tail)

        kind, (before, after) = request.wrapping()

        async def wrapped() -> AsyncIterator[bytes]:
            if before:
                yield before
            async for piece in streamed.pieces(told):
                yield piece
            if after:
                yield after

        await send_pieces(request.send, wrapped(), [kind, *request.headers()], receive=request.receive)

    async def _send_csv(self, request: Request, asked: Asked) -> None:
        """Send a list as CSV. The columns are all that any document has, so the list is read twice."""
        name = csvform.disposition(
            header(request.scope, b"x-file-name"), request.query.get("file_name"), int(time.time())
        )
        headers = [(b"content-type", b"text/csv"), (b"content-disposition", name), *request.headers()]
        columns = csvform.Columns()
        async with DisconnectWatch(request.receive) as watch:
            async for part in self._listing.chunks(asked, _but_one(asked)):
                if watch.gone:
                    return
                for each in part.documents:
                    columns.add(_plain(each))

        async def pieces() -> AsyncIterator[bytes]:
            first = True
            async for part in self._listing.chunks(asked, _but_one(asked)):
                documents = [_plain(each) for each in part.documents]
                yield csvform.write(documents, columns, header=first) if documents else b""
                first = first and not documents

        await send_pieces(request.send, pieces(), headers, receive=request.receive)

    # One

    async def show(self, request: Request) -> None:
        """GET one: its document, or its media."""
        want = wanted(request.param("accept"), header(request.scope, b"accept"))
        if want is Want.NOTHING:
            await request.not_acceptable()
            return
        if want is not Want.DOCUMENT:
            recording = await self._find(request, Permission.RECORDINGS_LISTEN)
            await self._media.send(request, recording, want)
            return
        recording = await self._find(request, Permission.RECORDINGS_LIST)
        self._access.audit.note(request.entry(Action.LIST, request.segments[-1]))
        await self._send(request, recording)

    async def _send(self, request: Request, recording: Recording, **read_only: object) -> None:
        document = wire.document_of(recording, await self._view(request))
        revision = f"1-{revision_of(encoded(document))}"
        etag = b'"%b"' % revision.encode()
        if request.method == "GET" and _is_known(request, etag):
            await request.not_modified([(b"etag", etag)])
            return
        if read_only:
            document["_read_only"] = read_only
        await request.reply(document, revision=revision, headers=[(b"etag", etag)])

    async def delete(self, request: Request) -> None:
        """DELETE one: softly, unless `should_soft_delete=false`. What was delivered elsewhere stays there."""
        recording = await self._find(request, Permission.RECORDINGS_REMOVE)
        hard = request.is_false("should_soft_delete")
        entry = request.entry(Action.REMOVE, request.segments[-1], "hard" if hard else "")
        try:
            await self._archive.remove(recording.tenant, recording.id, hard=hard, also=partial(append, entry=entry))
        except UnknownRecording:
            raise errors.bad_identifier(request.segments[-1]) from None
        except RemovalRefused as error:
            raise errors.conflict(str(error)) from None
        await self._send(request, recording, deleted=True)

    async def patch(self, request: Request) -> None:
        """PATCH one: notes in `user_metadata`, the only thing that may be changed."""
        data = request.data
        others = [name for name in data if name != METADATA]
        if others:
            raise errors.validation([Invalid(name, "forbidden", "Field may not be changed") for name in others])
        notes = data.get(METADATA, {})
        if not isinstance(notes, dict):
            raise errors.validation([Invalid(METADATA, "type", "Value did not match type(s): object", "object")])
        if wire.is_deep({METADATA: notes}):
            raise _too_deep()
        recording = await self._find(request, Permission.RECORDINGS_ANNOTATE)
        entry = request.entry(Action.ANNOTATE, request.segments[-1])
        try:
            recording = await self._archive.annotate(
                recording.tenant,
                recording.id,
                lambda extra: _annotated(extra, notes, own=recording.vendor == VENDOR),
                also=partial(append, entry=entry),
            )
        except UnknownRecording:
            raise errors.bad_identifier(request.segments[-1]) from None
        await self._send(request, recording)

    async def _find(self, request: Request, permission: Permission) -> Recording:
        """Return the recording that the path names. Raises KazooError."""
        scope = request.visible(permission)
        identity = request.segments[-1]
        recording = await self._archive.by_key(scope.tenant, VENDOR, identity)
        if recording is None:
            if not is_recording_id(identity):
                raise errors.malformed_id(identity)
            ours = uuid_of(identity)
            recording = None if ours is None else await self._archive.by_id(scope.tenant, ours)
            if recording is not None and recording.vendor == VENDOR:
                recording = None  # it is shown under Kazoo's own id alone
        if recording is None or recording.state is State.REMOVED:
            raise errors.bad_identifier(identity)
        if not scope.visibility.allows(recording.agent_names, recording.skill):
            raise errors.forbidden()
        return recording


def _is_known(request: Request, etag: bytes) -> bool:
    asked = header(request.scope, b"if-none-match")
    return asked is not None and none_match_hits(asked, etag)


def _of(owner: User) -> AnyOf:
    """Return the condition that narrows rows to a user's, as far as columns tell."""
    names = (("agent_login", owner.agent_login), ("agent_extension", owner.agent_extension))
    terms = [Term.equal(column, value) for column, value in names if value]
    if owner.agent_name:
        # as displayed: the name alone, or with any extension in brackets
        terms.append(Term("agent", owner.agent_name, f"{owner.agent_name})"))
    return AnyOf(tuple(terms), or_odd=True)


def _is_owned(owner: str, document: Mapping[str, Any]) -> bool:
    return document.get("owner_id") == owner


def _but_one(asked: Asked) -> int | None:
    """Return how many documents a list takes at most, less the one that tells where the next page begins."""
    return None if asked.wanted.page_size is None else asked.wanted.page_size - 1


def _plain(document: Document | Raw | dict[str, Any]) -> dict[str, Any]:
    return document if isinstance(document, dict) else wire.plain(document)


def _annotated(extra: dict[str, Any], notes: Mapping[str, Any], *, own: bool) -> dict[str, Any]:
    """Return `extra` with notes merged into what is there (RFC 7396: null takes away)."""
    kept = extra.get(VENDOR)
    kept = dict(kept) if isinstance(kept, dict) else {}
    place = dict(kept["document"]) if own else kept
    before = place.get(METADATA)
    merged = merge_patch(before if isinstance(before, dict) else {}, notes)
    if merged == before or (not merged and before is None):
        return extra
    if wire.is_deep({METADATA: merged}):
        raise _too_deep()
    if len(msgspec.json.encode(merged)) > LARGEST_METADATA_BYTES:
        text = f"No more than {LARGEST_METADATA_BYTES} bytes may be noted"
        raise errors.validation([Invalid(METADATA, "maxSize", text, LARGEST_METADATA_BYTES)])
    place[METADATA] = merged
    noted = {**kept, "document": place} if own else place
    return {**extra, VENDOR: {**noted, NOTED_AT: now_ms()}}


def _too_deep() -> errors.KazooError:
    text = f"No more than {wire.MOST_LEVELS} levels may be nested"
    return errors.validation([Invalid(METADATA, "maxDepth", text, wire.MOST_LEVELS)])


def merge_patch(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return `target` changed by a JSON merge patch (RFC 7396)."""
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            inner = merged.get(name)
            merged[name] = merge_patch(inner if isinstance(inner, dict) else {}, value)
        else:
            merged[name] = value
    return merged
