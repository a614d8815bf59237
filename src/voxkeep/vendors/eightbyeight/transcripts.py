"""Chat transcripts: their list, one with its messages, the removal of those (seed 003, "Chat Transcripts")."""

from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial

from voxkeep.access import Access, Action, Permission
from voxkeep.access.audit import append
from voxkeep.archive import Archive
from voxkeep.archive.errors import RemovalRefused, UnknownTranscript
from voxkeep.archive.model import State, Transcript
from voxkeep.archive.units import now_ms
from voxkeep.vendors.eightbyeight import chats
from voxkeep.vendors.eightbyeight.pages import Pager, Query
from voxkeep.vendors.eightbyeight.queries import ZONE, Wanted, ignored_header, variables, wanted, zone_in
from voxkeep.vendors.eightbyeight.render import CHAT, DEFAULT_FORMAT, FORMATS, TranscriptWriter
from voxkeep.vendors.eightbyeight.request import Request, dropped_header
from voxkeep.vendors.eightbyeight.wire import Shown, shown_in
from voxkeep.web.errors import ConflictError, NotFoundError
from voxkeep.web.headers import Header
from voxkeep.web.lists import send_pieces

NO_TRANSCRIPT = "There is no such transcript"
FORMATS_OF_ONE = ("xml", "json")
"""Seed 003: one transcript does not come as CSV."""


class TranscriptRoutes:
    """Answers the routes about chats."""

    def __init__(self, archive: Archive, access: Access, pager: Pager) -> None:
        self._archive = archive
        self._access = access
        self._pager = pager

    async def page(self, request: Request) -> None:
        """GET /transcripts: a page of the chats that fit."""
        scope = request.visible(Permission.TRANSCRIPTS_READ)
        asked = wanted(request.query, chats.CHAT_TERMS, request.tenant.zone, now_ms() // 1000)
        self._access.audit.note(request.entry(Action.LIST_TRANSCRIPTS, request.query.decode("ascii", "replace")))
        shown = shown_in(asked.zone)
        query: Query[chats.Chat] = Query(
            self._archive.page_transcripts,
            asked.question(scope, chats.CHAT_TERMS),
            chats.COLUMNS,
            lambda rows: chats.chats_of(rows, shown),
            (lambda chat: _accepts(asked, chat)) if asked.fields or any(asked.metadata) else None,
            ("transcripts", request.principal.user_id, tuple(sorted(asked.fields.items())), asked.metadata),
        )
        form = FORMATS[request.form]
        found = await self._pager.page(query, asked.n)
        document = form.write(found, CHAT)
        headers = [*asked.headers(), *request.told_dropped(document.dropped)]
        await request.answer(200, form.media_type, document.body, headers)

    async def read(self, request: Request) -> None:
        """GET of one transcript: its fields and messages; one dummy message where they were removed."""
        request.visible(Permission.TRANSCRIPTS_READ)
        given = variables(request.query)
        shown = shown_in(zone_in(given, request.tenant.zone))
        transcript, form = await self._find(request, Permission.TRANSCRIPTS_READ)
        if transcript is None:
            raise NotFoundError(NO_TRANSCRIPT)
        await self._access.audit.record(request.entry(Action.READ_TRANSCRIPT, transcript.vendor_key))
        writer = TranscriptWriter(form, chats.chat_of(transcript, shown))
        headers = _headers(form, [name for name in given if name != ZONE], writer)
        await send_pieces(request.send, self._pieces(transcript, writer, shown), headers, receive=request.receive)
        request.log_dropped(writer.escaper.dropped)

    async def _pieces(self, transcript: Transcript, writer: TranscriptWriter, shown: Shown) -> AsyncIterator[bytes]:
        yield writer.opening()
        if transcript.state is State.REMOVED:
            yield writer.messages([chats.dummy_message(transcript.started_at, shown)])
        async for messages in self._archive.messages(transcript):
            yield writer.messages([chats.message_of(each, shown) for each in messages])
        yield writer.closing()

    async def delete(self, request: Request) -> None:
        """DELETE of a transcript: its messages go, it stands; 204 when there is none (seed 003)."""
        transcript, _ = await self._find(request, Permission.TRANSCRIPTS_REMOVE)
        if transcript is None:
            await request.answer(204)
            return
        try:
            entry = request.entry(Action.REMOVE_TRANSCRIPT, transcript.vendor_key)
            await self._archive.remove_transcript(transcript.tenant, transcript.id, also=partial(append, entry=entry))
        except UnknownTranscript:
            raise NotFoundError(NO_TRANSCRIPT) from None
        except RemovalRefused as error:
            raise ConflictError(str(error)) from None
        await request.answer(200)

    async def _find(self, request: Request, permission: Permission) -> tuple[Transcript | None, str]:
        """Return the chat that the path names, and the format that its suffix asks for.

        A GUID may end like a suffix: what is named exactly comes first. Raises ForbiddenError.
        """
        request.visible(permission)
        (name,) = request.parts
        for guid, form in ((name, DEFAULT_FORMAT), *_without_suffix(name)):
            transcript = await self._archive.transcript(request.tenant.id, guid)
            if transcript is not None:
                request.check_visible(permission, transcript.agent_names, transcript.skill)
                return transcript, form
        return None, DEFAULT_FORMAT


def _without_suffix(name: str) -> Iterator[tuple[str, str]]:
    for form in FORMATS_OF_ONE:
        if name.endswith(f".{form}"):
            yield name.removesuffix(f".{form}"), form


def _headers(form: str, ignored: Sequence[str], writer: TranscriptWriter) -> Iterator[Header]:
    """Yield the headers, asked for when they are sent: what a short document cannot hold is counted by then."""
    yield (b"content-type", FORMATS[form].media_type)
    yield from ignored_header(ignored)
    yield from dropped_header(writer.escaper.dropped)


def _accepts(asked: Wanted, chat: chats.Chat) -> bool:
    name, value = asked.metadata
    fields = chat.metaDatas.metaData or ()
    return asked.accepts(chat) and (
        not any(asked.metadata) or any(name in each.fieldName and value in each.fieldValue for each in fields)
    )
