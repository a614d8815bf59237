"""Recordings: their list, the audio of one, its removal (seed 003, "Files")."""

import re
from functools import partial

from voxkeep.access import Access, Action, Permission
from voxkeep.access.audit import append
from voxkeep.archive import Archive
from voxkeep.archive.errors import AudioMissing, AudioNotReady, RemovalRefused, UnknownRecording
from voxkeep.archive.model import Recording, State
from voxkeep.archive.query import AnyOf, Question, Term
from voxkeep.archive.renditions import facts_of
from voxkeep.archive.units import now_ms
from voxkeep.audio.errors import AudioError
from voxkeep.audio.render import FORMS, Form, wav_size_bytes
from voxkeep.vault import Reader
from voxkeep.vendors.eightbyeight import wire
from voxkeep.vendors.eightbyeight.pages import Pager, Query
from voxkeep.vendors.eightbyeight.queries import Wanted, wanted
from voxkeep.vendors.eightbyeight.render import FILE, FORMATS
from voxkeep.vendors.eightbyeight.request import Request
from voxkeep.web.audio import deliver, plan
from voxkeep.web.errors import ConflictError, NotFoundError
from voxkeep.web.headers import Header

NO_FILE = "There is no such file"
FOLDER, NAME = re.compile(r"S\d{8}", re.ASCII), re.compile(r"(R\d+)(?:\.wav)?", re.ASCII)
KEPT = AnyOf((Term.equal("state", int(State.KEPT)),))
"""A recording is a file once its audio is there, until it is removed."""


class Files:
    """Answers the routes about recordings."""

    def __init__(self, archive: Archive, access: Access, pager: Pager) -> None:
        self._archive = archive
        self._access = access
        self._pager = pager

    async def page(self, request: Request) -> None:
        """GET /files: a page of the recordings that fit."""
        scope = request.visible(Permission.RECORDINGS_LIST)
        asked = wanted(request.query, wire.TERMS, request.tenant.zone, now_ms() // 1000)
        self._access.audit.note(request.entry(Action.LIST, request.query.decode("ascii", "replace")))
        form = FORMATS[request.form]
        document = form.write(await self._found(request, asked, asked.question(scope, wire.TERMS)), FILE)
        headers = [*asked.headers(), *request.told_dropped(document.dropped)]
        await request.answer(200, form.media_type, document.body, headers)

    async def _found(self, request: Request, asked: Wanted, question: Question) -> list[wire.File]:
        if any(asked.metadata):
            return []  # recordings carry none (reference 6)
        shown = wire.shown_in(asked.zone)
        query = Query(
            self._archive.page,
            question._replace(conditions=(KEPT, *question.conditions)),
            wire.COLUMNS,
            lambda rows: wire.files_of(rows, shown),
            asked.accepts if asked.fields else None,
            ("files", request.principal.user_id, tuple(sorted(asked.fields.items()))),
        )
        return await self._pager.page(query, asked.n)

    async def audio(self, request: Request) -> None:
        """GET, HEAD of a file: its audio as WAV, made first where it is kept in another form."""
        recording = await self._find(request, Permission.RECORDINGS_LISTEN)
        attachment = b'attachment; filename="%b"' % recording.file_name.rpartition("/")[2].encode()
        disposition = (b"content-disposition", attachment)
        if request.scope["method"] == "HEAD" and not await self._archive.has(recording, Form.WAV):
            await self._size_alone(request, recording, disposition)
            return
        reader = await self._open(recording)
        try:
            answer = plan(
                request.scope["method"],
                request.scope["headers"],
                size=reader.size,
                etag=reader.etag,
                media_type=FORMS[Form.WAV].media_type,
                extra_headers=[disposition],
            )
            entry = request.entry(Action.LISTEN, recording.file_name, f"{request.scope['method']} {answer.status}")
            if answer.takes_slot:
                await self._access.audit.record(entry)
            else:
                self._access.audit.note(entry)
            await deliver(request.scope, request.receive, request.send, answer, reader)
        finally:
            reader.close()

    async def _size_alone(self, request: Request, recording: Recording, disposition: Header) -> None:
        """Answer a HEAD for WAV that was never asked for: its size is known, and nothing is made for it."""
        try:
            recording = await self._archive.examined(recording)
            (await self._archive.open(recording)).close()
        except AudioMissing:
            raise NotFoundError(NO_FILE) from None
        self._access.audit.note(request.entry(Action.LISTEN, recording.file_name, "HEAD 200"))
        headers = [
            (b"content-type", FORMS[Form.WAV].media_type.encode()),
            (b"content-length", b"%d" % wav_size_bytes(facts_of(recording))),
            (b"accept-ranges", b"bytes"),
            disposition,
        ]
        await request.send({"type": "http.response.start", "status": 200, "headers": headers})
        await request.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _open(self, recording: Recording) -> Reader:
        try:
            return await self._archive.open_made(recording, Form.WAV)
        except (AudioMissing, AudioNotReady, AudioError):
            # each has raised its alarm: an operator must look, the client cannot have it
            raise NotFoundError(NO_FILE) from None

    async def delete(self, request: Request) -> None:
        """DELETE of a file: removed, to be freed after the grace."""
        recording = await self._find(request, Permission.RECORDINGS_REMOVE)
        try:
            entry = request.entry(Action.REMOVE, recording.file_name)
            await self._archive.remove(recording.tenant, recording.id, also=partial(append, entry=entry))
        except UnknownRecording:
            raise NotFoundError(NO_FILE) from None
        except RemovalRefused as error:
            raise ConflictError(str(error)) from None
        await request.answer(200)

    async def _find(self, request: Request, permission: Permission) -> Recording:
        """Return the recording that the path names, with `.wav` or without. Raises NotFoundError, ForbiddenError."""
        request.visible(permission)
        folder, name = request.parts
        match = NAME.fullmatch(name)
        if FOLDER.fullmatch(folder) is None or match is None:
            raise NotFoundError(NO_FILE)
        recording = await self._archive.by_file_name(request.tenant.id, f"{folder}/{match[1]}.wav")
        if recording is None or recording.state is not State.KEPT:
            raise NotFoundError(NO_FILE)
        request.check_visible(permission, recording.agent_names, recording.skill)
        return recording
