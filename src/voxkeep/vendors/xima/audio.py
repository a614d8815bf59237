"""The audio of one recording: Ogg/Opus, one at a time, under the rate and egress limits (seeds 000 and 002)."""

from voxkeep.access import Access, Action, AuditEntry, Charge, EgressSpent, Granted, Outcome, Permission
from voxkeep.archive import Archive
from voxkeep.archive.errors import AudioMissing, AudioNotReady
from voxkeep.archive.model import Recording, State, Tenant
from voxkeep.archive.names import safe
from voxkeep.archive.tenants import names_of
from voxkeep.archive.units import now_ms, recording_of_key
from voxkeep.audio.render import FORMS, Form
from voxkeep.vault import Reader
from voxkeep.vendors.xima import wire
from voxkeep.vendors.xima.queries import check_format
from voxkeep.vendors.xima.request import NO_RECORDING, NOT_ALLOWED, Recorded, Request
from voxkeep.web.audio import Plan, deliver, plan
from voxkeep.web.errors import ForbiddenError, HttpError, NotFoundError, TooManyRequestsError

BANDWIDTH_LIMIT_EXCEEDED = 509
"""Xima's status for a spent egress cap (seed 000); HTTP's own registry does not know it."""
TOO_OFTEN = "Audio of this tenant is requested too often: 3 in 10 seconds, or one every 3 seconds, are allowed"
SPENT = "The rolling egress allotment of this tenant is spent"


class AudioRoute:
    """Answers recordings/{tenant}/{key}/audio."""

    def __init__(self, archive: Archive, access: Access) -> None:
        self._archive = archive
        self._access = access

    async def answer(self, request: Request) -> None:
        """Send the audio, its head, a part of it, or the refusal that is due."""
        tenant, recording = await self._find(request)
        check_format(request.scope["query_string"])
        try:
            reader = await self._archive.open(recording, Form.OPUS)
        except (AudioMissing, AudioNotReady):
            raise NotFoundError(NO_RECORDING) from None
        try:
            await self._send(request, tenant, wire.key_of(recording), reader)
        finally:
            reader.close()

    async def _send(self, request: Request, tenant: Tenant, key: str, reader: Reader) -> None:
        answer = plan(
            request.scope["method"],
            request.scope["headers"],
            size=reader.size,
            etag=reader.etag,
            media_type=FORMS[Form.OPUS].media_type,
            extra_headers=[(b"content-disposition", b'attachment; filename="%b.ogg"' % safe(key).encode())],
        )
        if not answer.takes_slot:
            self._access.audit.note(_listened(request, tenant, key, answer))
            await deliver(request.scope, request.receive, request.send, answer, reader)
            return
        charge = await self._admitted(request, tenant, key, answer.length_bytes)
        sent = 0
        try:
            sent = await deliver(request.scope, request.receive, request.send, answer, reader)
        finally:
            if sent < answer.length_bytes:
                await self._access.gate.give_back(charge, answer.length_bytes - sent)

    async def _admitted(self, request: Request, tenant: Tenant, key: str, length_bytes: int) -> Charge:
        """Take a slot and charge the bytes, durably. Raises Recorded with 429 or 509."""
        verdict = await self._access.gate.admit(request.principal, tenant, key, length_bytes, request.remote)
        if isinstance(verdict, Granted):
            return verdict.charge
        if isinstance(verdict, EgressSpent):
            headers = [(b"retry-after", b"%d" % verdict.retry_after_seconds)]
            raise Recorded(HttpError(BANDWIDTH_LIMIT_EXCEEDED, SPENT, headers))
        raise Recorded(TooManyRequestsError(TOO_OFTEN, verdict.retry_after_seconds))

    async def _find(self, request: Request) -> tuple[Tenant, Recording]:
        """Return the recording that the path names; the tenant goes by its name, host label or host (reference D7)."""
        *_, asked, key, _ = request.segments
        asked = asked.lower()
        for tenant in sorted(request.tenants, key=lambda each: asked not in names_of(each)):
            named = asked in names_of(tenant)
            may_listen = request.principal.may(tenant.id, Permission.RECORDINGS_LISTEN)
            if named and not may_listen:
                raise ForbiddenError(NOT_ALLOWED)
            recording = await self._lookup(tenant, key)
            # a collected recording shows its vendor's own name of the tenant, so that name leads to it too
            if recording is None or not (named or (asked and recording.source_tenant.lower() == asked)):
                continue
            if recording.state not in (State.KEPT, State.PENDING):
                continue
            visibility = request.principal.grants[tenant.id].visibility
            if not may_listen or not visibility.allows(recording.agent_names, recording.skill):
                raise ForbiddenError(NOT_ALLOWED)
            return tenant, recording
        raise NotFoundError(NO_RECORDING)

    async def _lookup(self, tenant: Tenant, key: str) -> Recording | None:
        """Find by the vendor's own key first, then by the key that an id shows."""
        recording = await self._archive.by_key(tenant.id, wire.VENDOR, key)
        if recording is None and (identity := recording_of_key(key)) is not None:
            recording = await self._archive.by_id(tenant.id, identity)
            if recording is not None and wire.key_of(recording) != key:
                return None
        return recording


def _listened(request: Request, tenant: Tenant, key: str, answer: Plan) -> AuditEntry:
    user, detail = request.principal.name, f"{request.scope['method']} {answer.status}"
    return AuditEntry(now_ms(), user, tenant.id, Action.LISTEN, key, Outcome.DONE, detail, request.remote)
