"""Events of calls and agents come in: lines of JSON, kept once each by their id, the bad ones named.

A batch may be sent again whenever no answer came. It is taken piece by piece, so that neither its reading nor its
keeping holds up other requests: of one that failed, some events may be kept already.
"""

import asyncio
import logging
from collections.abc import Iterator

import msgspec
from msgspec import Struct
from starlette.requests import ClientDisconnect

from voxkeep.access import Access, Action, AuditEntry, Outcome, Permission
from voxkeep.activity import Activity, BadLine, parse
from voxkeep.activity.lines import LONGEST_TOLD
from voxkeep.archive import Archive
from voxkeep.archive.model import Tenant
from voxkeep.archive.query import ALL
from voxkeep.archive.units import now_ms
from voxkeep.database import DatabaseFull
from voxkeep.native.queries import TENANT, parameters
from voxkeep.native.request import NOT_ALLOWED, Request
from voxkeep.web.bodies import read_body
from voxkeep.web.errors import (
    BadRequestError,
    BodyTooLargeError,
    ForbiddenError,
    HttpError,
    UnavailableError,
    send_json,
)
from voxkeep.web.headers import header

MOST_BYTES = 16 << 20
MOST_LINES = 100_000
"""Of one batch."""
MOST_TOLD = 1_000
"""Bad lines that an answer names."""
PIECE_BYTES = 256 << 10
"""Some 1,300 events: read in about 8 ms, and kept in one transaction."""
NO_SPACE = "There is no space left for this"
PLAIN = "The body is taken as it is, without a Content-Encoding"

_log = logging.getLogger(__name__)


class Receipt(Struct):
    """An answer: what became of a batch's lines, empty ones excepted. Each is in one of `taken`, `known`, and the bad.

    `late` ones are among the taken; `untold` is how many lines more are bad than `bad` names.
    """

    taken: int
    known: int
    late: int
    bad: list[BadLine]
    untold: int


class EventsRoute:
    """Answers /events."""

    def __init__(self, archive: Archive, access: Access, activity: Activity) -> None:
        self._activity = activity
        self._access = access
        self._retry_after_s = archive.settings.server.retry_after_seconds

    async def answer(self, request: Request) -> None:
        """Keep the events in the body and send the receipt; events and the trail's entry are durable by then."""
        tenant = _tenant(request)
        try:
            body = await _body(request)
        except ClientDisconnect:
            _log.info("a batch of events broke off: nothing of it is kept")
            return
        try:
            receipt = await self._taken(tenant, body)
            await self._record(request, tenant, receipt)
        except DatabaseFull as error:
            _log.error("no space is left: %s", error)
            raise UnavailableError(NO_SPACE, self._retry_after_s) from None
        await send_json(request.send, 200, msgspec.json.encode(receipt))

    async def _taken(self, tenant: Tenant, body: bytes) -> Receipt:
        """Keep what can be read of a body. Raises BadRequestError where nothing can."""
        receipt = Receipt(0, 0, 0, [], 0)
        for before, piece in pieces(body):
            # off the event loop: a piece of nothing but tiny bad lines takes many times as long
            batch = await asyncio.to_thread(parse, piece)
            taken = await self._activity.take(tenant.id, batch.events)
            receipt.taken += taken.new
            receipt.known += taken.known
            receipt.late += taken.late
            told = batch.bad[: MOST_TOLD - len(receipt.bad)]
            receipt.bad += [BadLine(before + bad.line, _short(bad.field), bad.reason) for bad in told]
            receipt.untold += len(batch.bad) - len(told)
        if not receipt.taken + receipt.known:
            raise BadRequestError(_nothing(receipt))
        return receipt

    async def _record(self, request: Request, tenant: Tenant, receipt: Receipt) -> None:
        bad = len(receipt.bad) + receipt.untold
        detail = f"{receipt.taken} taken, {receipt.known} known, {bad} bad"
        user, path = request.principal.name, request.scope["path"]
        await self._access.audit.record(
            AuditEntry(now_ms(), user, tenant.id, Action.EVENTS, path, Outcome.DONE, detail, request.remote)
        )


def _tenant(request: Request) -> Tenant:
    """Return the tenant whose events come. Raises NotFoundError, ForbiddenError, BadRequestError, in this order."""
    name = parameters(request.scope["query_string"]).get(TENANT)
    tenants = request.named(name)
    parts = request.parts(tenants, Permission.EVENTS_WRITE)
    if all(part.visibility != ALL for part in parts):
        # events tell of any agent and skill
        raise ForbiddenError(NOT_ALLOWED)
    if len(tenants) > 1:
        # not even where the permission leaves one: another grant later on would make it two
        raise BadRequestError(f"{TENANT} is required: the token reaches several", TENANT)
    return tenants[0]


async def _body(request: Request) -> bytes:
    """Return the body. Raises HttpError when it is too large, or not as it is; ClientDisconnect."""
    coding = header(request.scope, b"content-encoding")
    if coding is not None and coding.strip().lower() != b"identity":
        raise HttpError(415, PLAIN, [(b"accept-encoding", b"identity")])
    length = header(request.scope, b"content-length") or b""
    if length.isdigit() and int(length) > MOST_BYTES:
        raise BodyTooLargeError(MOST_BYTES)
    body = await read_body(request.receive, MOST_BYTES)
    if body.count(b"\n") + (not body.endswith(b"\n")) > MOST_LINES:
        raise HttpError(413, f"The request body has more than {MOST_LINES} lines")
    return body


def pieces(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the parts of a body, cut before ends of lines, each with the number of those that come before it.

    All but the first begin with the end of the line before: read as lines on their own, they count on rightly.
    """
    begin = before = 0
    while begin < len(body):
        end = body.find(b"\n", begin + PIECE_BYTES)
        end = len(body) if end < 0 else end
        piece = body[begin:end]
        yield before, piece
        before += piece.count(b"\n")
        begin = end


def _nothing(receipt: Receipt) -> str:
    """Return why there was nothing to take."""
    if not receipt.bad:
        return "The body holds no event"
    first = receipt.bad[0]
    where = f"line {first.line}: {first.field}".removesuffix(": ")
    others = len(receipt.bad) + receipt.untold - 1
    return f"No event could be read; {where}: {first.reason}" + (f" ({others} more are bad)" if others else "")


def _short(text: str) -> str:
    """Return the name of a field, which a client made up, cut to what is told back."""
    return text if len(text) <= LONGEST_TOLD else f"{text[:LONGEST_TOLD]}..."
