"""Pushes from Kazoo clusters: `PUT|POST /ingest/kazoo/{secret}/...`, GET of the same path (reference 3.4, 8.4, 8.5).

The secret in the URL is all that a cluster can bring along; it is an account's. A push is answered once its bytes, its
row and the trail's entry are durable: a cluster believes any 2xx, and asks for its media here from then on.
"""

import logging
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from voxkeep.access import Access, Action, AuditEntry, Outcome
from voxkeep.access.http import switched_on
from voxkeep.archive import Archive, NewAudio
from voxkeep.archive.errors import AudioMissing
from voxkeep.archive.model import Tenant
from voxkeep.archive.rows import extra_text
from voxkeep.archive.units import EpochMs, now_ms
from voxkeep.audio.health import Health
from voxkeep.database import DatabaseFull
from voxkeep.vault import LengthMismatch, Staged, VaultFull
from voxkeep.vendors.kazoo import errors
from voxkeep.vendors.kazoo.accounts import Account, Accounts
from voxkeep.vendors.kazoo.edge import answered, refused
from voxkeep.vendors.kazoo.errors import Invalid
from voxkeep.vendors.kazoo.ids import HEX
from voxkeep.vendors.kazoo.media import NO_SNIFF, disposition
from voxkeep.vendors.kazoo.multipart import BadBody, Multipart, blocks, decoded_text
from voxkeep.vendors.kazoo.pushbody import Body, Came, Receiver, length_of
from voxkeep.vendors.kazoo.pushdocument import Told, document_of, fields_of, kept_query, posted
from voxkeep.vendors.kazoo.pushes import Contended, Done, Push, Pushes
from voxkeep.vendors.kazoo.pushpath import PREFIX, BadPath, Pairs, Place, pairs_of, place_of, secret_of
from voxkeep.vendors.kazoo.request import Request
from voxkeep.vendors.kazoo.wire import media_type_of, name_of, own_of, shown_id
from voxkeep.web.audio import deliver, plan
from voxkeep.web.errors import BodyTooLargeError, HttpError, UnavailableError
from voxkeep.web.headers import header, host_of
from voxkeep.web.routes import remote_of

ACTIONS = {"PUT": Action.PUSH, "POST": Action.PUSH, "GET": Action.LISTEN, "HEAD": Action.LISTEN}
REFUSALS = frozenset({401, 403, 404})
"""Statuses that leave a row in the audit trail."""
CREATED, OK = 201, 200
PROBE_BYTES = 1 << 16
HIDDEN = f"{PREFIX}.../"
"""What the trail has in the place of a secret."""
TEXT = "text/plain"
AGAIN_SECONDS = 5

_log = logging.getLogger(__name__)


class Visit(NamedTuple):
    """A request whose secret is known: what it is about, and for which tenant."""

    request: Request
    account: Account
    place: Place
    pairs: Pairs
    tenant: Tenant

    def entry(self, action: Action, subject: str, detail: str) -> AuditEntry:
        """Return the entry of the trail that this was done."""
        user = pusher(self.account)
        return AuditEntry(now_ms(), user, self.tenant.id, action, subject, Outcome.DONE, detail, self.request.remote)


class KazooIngest:
    """The ASGI application under which clusters put their recordings."""

    prefix = PREFIX
    any_text = True

    def __init__(self, archive: Archive, access: Access) -> None:
        self._archive = archive
        self._access = access
        self._accounts = Accounts(archive.database)
        self._pushes = Pushes(archive)
        self._receiver = Receiver(archive)
        self._limit = archive.settings.kazoo.push_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request. What fails once the answer began is raised, so that the connection is aborted."""
        await answered(Request(scope, receive, send, PREFIX), self._answer)

    async def refuse(self, send: Send, error: HttpError) -> None:
        """Send an error in the dialect's shape."""
        await refused(send, error)

    async def _answer(self, request: Request) -> None:
        account: Account | None = None
        try:
            account = await self._accounts.account_of_push_secret(secret_of(request.scope["raw_path"]))
            if account is None:
                raise errors.invalid_credentials()
            visit = await self._visit(request, account)
            await self._act(visit)
        except HttpError as error:
            if error.status in REFUSALS:
                await self._record(request, account, error)
            raise

    async def _visit(self, request: Request, account: Account) -> Visit:
        """Find out what a request is about. Raises HttpError."""
        action = ACTIONS.get(request.method)
        if action is None:
            raise errors.invalid_method()
        pairs = pairs_of(request.scope["query_string"])
        request.query = dict(pairs)
        try:
            place = place_of(request.scope["raw_path"], pairs)
        except BadPath as error:
            raise errors.validation([Invalid("path", "invalid", f"The path cannot be: {error}")]) from None
        named = place.account
        if action is Action.PUSH:
            # what a cluster adds to a path that it reads back from says nothing, nor does what no account is called
            told = fields_of(pairs).get("account_id", "")
            told = told if HEX.fullmatch(told) else ""
            if named and told and named != told:
                raise errors.validation([Invalid("account_id", "invalid", "The path names another account", named)])
            named = named or told
        tenant = await self._tenant(request, account, [named] if named else [])
        return Visit(request, account, place, pairs, tenant)

    async def _tenant(self, request: Request, account: Account, named: list[str]) -> Tenant:
        """Return whose a recording is: the account's, or that of the one below that is named. Raises HttpError."""
        tree = await self._accounts.tree()
        below = {each.id: each for each in tree.descendants(account.id)}
        meant = account
        for identity in named:
            if identity != account.id:
                if identity not in below:
                    raise errors.forbidden()
                meant = below[identity]
        known = await self._access.known()
        asked = known.under_host(host_of(request.scope))
        if asked is not None and asked.id not in {account.tenant, *(each.tenant for each in below.values())}:
            raise errors.not_found()
        (tenant,) = await switched_on(self._access, [known.by_id[meant.tenant]], "forbidden")
        return tenant

    async def _act(self, visit: Visit) -> None:
        pushed = visit.request.method in ("PUT", "POST")
        try:
            if visit.place.is_probe:
                await (self._put_probe(visit) if pushed else self._get_probe(visit))
            else:
                await (self._push(visit) if pushed else self._send(visit))
        except BodyTooLargeError:
            raise self._too_large() from None
        except (BadBody, LengthMismatch) as error:
            raise errors.validation([Invalid("body", "invalid", f"The body cannot be: {error}")]) from None
        except Contended:
            raise UnavailableError("Another writer came between: push it again", AGAIN_SECONDS) from None
        except (VaultFull, DatabaseFull) as error:
            _log.error("no space is left: %s", error)
            wait_s = self._archive.settings.server.retry_after_seconds
            raise UnavailableError("There is no space left for this", wait_s) from None

    async def _record(self, request: Request, account: Account | None, error: HttpError) -> None:
        """Write a refusal to the trail, without the secret that came, good or bad."""
        action = ACTIONS.get(request.method, Action.AUTHENTICATE)
        user, tenant = ("", None) if account is None else (pusher(account), account.tenant)
        subject = HIDDEN + "/".join(request.segments[1:])
        detail = f"{error.status} {error.message}"
        remote = remote_of(request.scope)
        await self._access.audit.record(
            AuditEntry(now_ms(), user, tenant, action, subject, Outcome.REFUSED, detail, remote)
        )

    # Recordings

    async def _push(self, visit: Visit) -> None:
        received_at = EpochMs(self._access.clock())
        told = Told(visit.place, fields_of(visit.pairs), {}, received_at)
        length = length_of(visit.request.scope)
        if length is not None and length > self._limit:
            raise self._too_large()
        body = Body(
            blocks(visit.request.receive, self._limit), header(visit.request.scope, b"content-type") or b"", length
        )
        came = await self._receiver.take(body, visit.tenant.id, told.started_at(), visit.place, told.duration_ms)
        if came is None:
            raise errors.validation([Invalid("body", "required", "A recording of no bytes cannot be kept")])
        try:
            push = self._made(visit, came, received_at)
            detail = f"{came.staged.size} bytes for {visit.tenant.name}, {visit.place.file_name}"
            done = await self._pushes.keep(push, visit.entry(Action.PUSH, "", detail))
        except BaseException:
            # also when the client leaves: nothing half-done stays
            await came.staged.discard()
            raise
        await self._acknowledge(visit, done, came.staged)

    def _made(self, visit: Visit, came: Came, received_at: EpochMs) -> Push:
        looked = came.found
        document = posted(came.document)
        told = Told(visit.place, fields_of(visit.pairs), document, received_at, came.content_type)
        unreadable = Health.UNREADABLE in looked.health
        audio_ms = (told.duration_ms or 0) if unreadable else looked.facts.duration_ms
        altered = came.document and document != document_of(told, told.recording, audio_ms, looked.facts.container)
        return Push(
            account=visit.account,
            tenant=visit.tenant.id,
            told=told,
            audio=NewAudio(came.staged, looked.facts, int(looked.health)),
            audio_ms=audio_ms,
            query=kept_query(visit.pairs),
            document=came.document.decode("utf-8", "replace") if altered else "",
        )

    async def _acknowledge(self, visit: Visit, done: Done, staged: Staged) -> None:
        if not done.new:
            self._access.audit.note(visit.entry(Action.PUSH, done.recording.vendor_key, "held already"))
        data = {"id": shown_id(done.recording), "size": staged.size, "sha256": staged.sha256}
        await visit.request.reply(data, status=CREATED if done.new else OK)

    def _too_large(self) -> errors.KazooError:
        text = f"Files must not be more than {self._limit} bytes"
        return errors.validation([Invalid("file", "maxSize", text, target=self._limit)], 413)

    # Reading back

    async def _send(self, visit: Visit) -> None:
        """Send the newest recording of a path as it came. Raises HttpError."""
        request = visit.request
        recording = await self._pushes.newest(visit.account, visit.place.path)
        if recording is None:
            raise errors.bad_identifier(visit.place.file_name)
        own = own_of(extra_text(recording.extra))
        container = None if recording.audio is None else recording.audio.container
        try:
            reader = await self._archive.open(recording)
        except AudioMissing:
            raise errors.no_media(shown_id(recording)) from None
        try:
            name = name_of(own) or visit.place.file_name
            answer = plan(
                request.method,
                request.scope["headers"],
                size=reader.size,
                etag=reader.etag,
                media_type=media_type_of(own, container),
                extra_headers=[(b"content-disposition", disposition("attachment", name)), NO_SNIFF, *request.headers()],
            )
            entry = visit.entry(Action.LISTEN, shown_id(recording), f"{request.method} {answer.status}")
            if answer.takes_slot:
                await self._access.audit.record(entry)
            else:
                self._access.audit.note(entry)
            await deliver(request.scope, request.receive, request.send, answer, reader)
        finally:
            reader.close()

    # The file by which a storage plan is tried

    async def _put_probe(self, visit: Visit) -> None:
        scope, place = visit.request.scope, visit.place
        content_type = header(scope, b"content-type") or TEXT.encode()
        body = blocks(visit.request.receive, PROBE_BYTES)
        if content_type.lower().startswith(b"multipart/"):
            parts = Multipart(content_type)
            whole = decoded_text(b"".join([block async for block in parts.attachment(body)]))
        else:
            whole = b"".join([block async for block in body])
        at = EpochMs(self._access.clock())
        await self._pushes.keep_probe(visit.account, place.path, TEXT, whole, at)
        self._access.audit.note(visit.entry(Action.PUSH, place.file_name, "the trial of a storage plan"))
        await visit.request.reply({"id": place.file_name, "size": len(whole)}, status=CREATED)

    async def _get_probe(self, visit: Visit) -> None:
        found = await self._pushes.probe(visit.account, visit.place.path)
        if found is None:
            raise errors.bad_identifier(visit.place.file_name)
        media_type, body = found
        request = visit.request
        sent = b"" if request.method == "HEAD" else body
        headers = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body)), *request.headers()]
        await request.send({"type": "http.response.start", "status": OK, "headers": headers})
        await request.send({"type": "http.response.body", "body": sent, "more_body": False})


def pusher(account: Account) -> str:
    """Return how the trail calls who pushes with an account's secret."""
    return f"kazoo-push:{account.realm}"
