"""The audio of a recording: Kazoo's own as it came, any other as MP3, or WAV where that is asked for."""

import re
from urllib.parse import quote

from voxkeep.access import Access, Action
from voxkeep.archive import Archive
from voxkeep.archive.errors import AudioMissing, AudioNotReady
from voxkeep.archive.model import Recording
from voxkeep.archive.rows import extra_text
from voxkeep.audio.errors import AudioError
from voxkeep.audio.render import FORMS, Form
from voxkeep.vault import Reader
from voxkeep.vendors.kazoo import errors
from voxkeep.vendors.kazoo.accept import Want
from voxkeep.vendors.kazoo.request import Request
from voxkeep.vendors.kazoo.wire import VENDOR, media_type_of, name_of, own_of, shown_id
from voxkeep.web.audio import deliver, plan

PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$&+.^_`|~@-]+", re.ASCII)
"""A file name that needs no quotes; Kazoo never quotes."""
NO_SNIFF = (b"x-content-type-options", b"nosniff")
"""A browser takes audio for what its type says, and runs nothing in it."""
FORM_OF = {Want.MEDIA: Form.MP3, Want.WAV: Form.WAV}


class Media:
    """Answers requests for audio."""

    def __init__(self, archive: Archive, access: Access) -> None:
        self._archive = archive
        self._access = access

    async def send(self, request: Request, recording: Recording, want: Want) -> None:
        """Send the audio, or the part of it that Range asks for. Raises KazooError."""
        reader, media_type, name = await self._open(recording, want)
        try:
            kind = "inline" if request.param("inline") == "true" else "attachment"
            answer = plan(
                "GET",
                request.scope["headers"],
                size=reader.size,
                etag=reader.etag,
                media_type=media_type,
                extra_headers=[(b"content-disposition", disposition(kind, name)), NO_SNIFF, *request.headers()],
            )
            entry = request.entry(Action.LISTEN, shown_id(recording), f"GET {answer.status}")
            if answer.takes_slot:
                await self._access.audit.record(entry)
            else:
                self._access.audit.note(entry)
            await deliver(request.scope, request.receive, request.send, answer, reader)
        finally:
            reader.close()

    async def _open(self, recording: Recording, want: Want) -> tuple[Reader, str, str]:
        """Return the audio, its type and its file name."""
        identity = shown_id(recording)
        try:
            if recording.vendor == VENDOR:
                own = own_of(extra_text(recording.extra))
                container = None if recording.audio is None else recording.audio.container
                reader = await self._archive.open(recording)
                return reader, media_type_of(own, container), name_of(own) or identity
            form = FORM_OF[want]
            reader = await self._archive.open_made(recording, form)
            return reader, FORMS[form].media_type, f"{recording.id.hex}{FORMS[form].extension}"
        except AudioNotReady:
            raise errors.no_media(identity) from None
        except (AudioMissing, AudioError):
            # each has raised its alarm: an operator must look, the client cannot have it
            raise errors.no_media(identity) from None


def disposition(kind: str, name: str) -> bytes:
    """Return Content-Disposition as Kazoo has it, without quotes; a name that needs them is quoted properly."""
    if PLAIN_NAME.fullmatch(name):
        return f"{kind}; filename={name}".encode()
    plain = re.sub(r'[^\x20-\x7e]|["\\]', "_", name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}".encode()
