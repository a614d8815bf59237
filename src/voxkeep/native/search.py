"""Search by words over chat messages: newest first, over all tenants of the token, a page at a time."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from voxkeep.access import Access, Action, AuditEntry, Outcome, Permission
from voxkeep.archive import Archive
from voxkeep.archive.query import Scope as Part
from voxkeep.archive.search import Hit, NoWords
from voxkeep.archive.units import EpochMs, TenantId, now_ms
from voxkeep.native.queries import QUESTION, TENANT, Asked, asked_of, cursor, parameters
from voxkeep.native.request import Request
from voxkeep.web.errors import BadRequestError, send_json

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FoundMessage(Struct, rename={"sender": "from"}):
    """A message as the contract shows it, in its order."""

    tenant: str
    transcript: str
    at: str
    sender: str
    language: str
    text: str
    translatedLanguage: str  # noqa: N815 -- as the contract spells it
    translatedText: str  # noqa: N815
    agent: str
    contact: str


class Page(Struct):
    """An answer: some messages, and the cursor of the next ones, None when there are none."""

    hits: list[FoundMessage]
    next: str | None


class SearchRoute:
    """Answers /search."""

    def __init__(self, archive: Archive, access: Access) -> None:
        self._archive = archive
        self._access = access

    async def answer(self, request: Request) -> None:
        """Send a page of the messages with the words asked for; the trail tells of it first."""
        given = parameters(request.scope["query_string"])
        tenants = request.named(given.get(TENANT))
        parts = request.parts(tenants, Permission.TRANSCRIPTS_READ)
        asked = asked_of(given)
        hits, following = await self._found(parts, asked)
        await self._record(request, parts, asked.question, hits)
        names = {tenant.id: tenant.name for tenant in tenants}
        page = Page([_shown(hit, names) for hit in hits], following)
        await send_json(request.send, 200, msgspec.json.encode(page))

    async def _found(self, parts: Sequence[Part], asked: Asked) -> tuple[list[Hit], str | None]:
        """Return a page's messages, and the cursor of the next: one more is looked for, to know whether it is there."""
        try:
            hits = await self._archive.search(parts, asked.question, asked.times, asked.before, asked.limit + 1)
        except NoWords as error:
            raise BadRequestError(f"{QUESTION}: {error}", QUESTION) from None
        page = hits[: asked.limit]
        return page, cursor(page[-1].number) if len(hits) > len(page) else None

    async def _record(self, request: Request, parts: Sequence[Part], question: str, hits: Sequence[Hit]) -> None:
        """Tell the trail, durably, of every tenant that was searched."""
        counts = Counter(hit.tenant for hit in hits)
        user, remote, at = request.principal.name, request.remote, now_ms()
        entries = (
            AuditEntry(at, user, each, Action.SEARCH, question, Outcome.DONE, f"{counts[each]} messages", remote)
            for each in (part.tenant for part in parts)
        )
        await asyncio.gather(*(self._access.audit.record(entry) for entry in entries))


def _shown(hit: Hit, names: Mapping[TenantId, str]) -> FoundMessage:
    message = hit.message
    return FoundMessage(
        names[hit.tenant],
        hit.transcript,
        iso(message.at),
        message.sender,
        message.language,
        message.text,
        message.translated_language,
        message.translated_text,
        hit.agent,
        hit.contact,
    )


def iso(at: EpochMs) -> str:
    """Return a moment as ISO 8601 in UTC, to the millisecond."""
    text = (EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
