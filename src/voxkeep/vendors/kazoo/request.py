"""A request in the Kazoo dialect, and the answers to it (reference 1.1, 1.3).

Whatever Kazoo reads from the query it also reads from the body's top level: `verb`, `auth_token`, `accept`.
"""

import re
import secrets
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

import msgspec
from msgspec import UNSET, Raw, UnsetType
from starlette.types import Receive, Scope, Send

from voxkeep.access import Action, AuditEntry, Outcome, Permission
from voxkeep.archive.query import Scope as Part
from voxkeep.archive.units import now_ms
from voxkeep.vendors.kazoo import errors
from voxkeep.vendors.kazoo.accounts import Account, Caller
from voxkeep.vendors.kazoo.envelope import Told, encoded, enveloped
from voxkeep.web.bodies import read_body
from voxkeep.web.errors import BodyTooLargeError, send_json
from voxkeep.web.headers import Header, Headers, header
from voxkeep.web.routes import remote_of

JSON = (b"content-type", b"application/json")
"""Bare: Kazoo's own JavaScript client compares it with exactly this before it reads an error (reference 0.15)."""
JAVASCRIPT = (b"content-type", b"application/javascript")
VERBS = frozenset({"GET", "PUT", "POST", "PATCH", "DELETE"})
REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
CALLBACK = re.compile(r"[A-Za-z_$][\w$.]{0,127}", re.ASCII)
LONGEST_WORD = 4_096
"""Bytes of a parameter at a body's top level; longer ones are none."""
_envelope = msgspec.json.Decoder(dict[str, Raw])
CORS: Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, PUT, POST, PATCH, DELETE, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"content-type, authorization, x-auth-token, x-request-id, x-file-name, x-pretty-print, accept, range",
    ),
    (b"access-control-expose-headers", b"content-type, x-auth-token, x-request-id, location, etag"),
    (b"access-control-max-age", b"86400"),
)
CORS_ASKS = frozenset({b"origin", b"access-control-request-method", b"access-control-request-headers"})


class Request:
    """One request. What is read later (who asks, the body) is set by the API as it goes."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, prefix: str) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        raw: bytes = scope["raw_path"]
        self.segments = [unquote(part) for part in raw.decode("utf-8", "replace").removeprefix(prefix).split("/")]
        if len(self.segments) > 1 and not self.segments[-1]:
            self.segments.pop()
        self.method: str = scope["method"]
        self.body: Mapping[str, Any] = {}
        """What stands beside `data` in the body's envelope; empty where none came."""
        self._data: Raw | UnsetType = UNSET
        self.request_id = _request_id(scope)
        self.token: str | UnsetType = UNSET
        """The token that came, to be echoed once it is known to be good."""
        self.caller: Caller | None = None
        self.account: Account | None = None
        """The account in the path."""

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The parameters of the query, read when first asked for: a push reads its own, with repeats."""
        return dict(parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True))

    @property
    def remote(self) -> str:
        """The client's address."""
        return remote_of(self.scope)

    def param(self, name: str) -> str | None:
        """Return a parameter of the query, else of the body's top level; None for neither, or no text."""
        value = self.query.get(name, self.body.get(name))
        return value if isinstance(value, str) else None

    def is_false(self, name: str) -> bool:
        """Tell whether a parameter is exactly `false`."""
        return self.query.get(name, self.body.get(name)) in ("false", False)

    def is_true(self, name: str) -> bool:
        """Tell whether a parameter is exactly `true`, the only word that Kazoo takes for it (reference 1.2)."""
        return self.query.get(name, self.body.get(name)) in ("true", True)

    async def read(self) -> None:
        """Read the body, if any, and the verb that stands in it or in the query. Raises KazooError."""
        if header(self.scope, b"content-length") not in (None, b"0") or header(self.scope, b"transfer-encoding"):
            try:
                raw = await read_body(self.receive, errors.MOST_BODY_BYTES)
            except BodyTooLargeError:
                raise errors.too_large() from None
            if raw.strip():
                self.body, self._data = _envelope_of(raw)
        verb = (self.param("verb") or "").upper()
        if self.method == "POST" and verb in VERBS:
            self.method = verb

    @property
    def data(self) -> Mapping[str, Any]:
        """The body's `data`. Raises KazooError where there is none, or no object."""
        if self._data is UNSET:
            raise errors.missing_data()
        try:
            data = msgspec.json.decode(self._data)
        except RecursionError as error:
            raise errors.unparsable_json(str(error)) from None
        if not isinstance(data, dict):
            raise errors.validation([errors.Invalid("data", "type", "Value did not match type(s): object", "object")])
        return data

    @property
    def told_query(self) -> str:
        """The query as the trail may have it: without a token, however it was written."""
        if "auth_token" not in self.query:
            return str(self.scope["query_string"].decode("ascii", "replace"))
        return urlencode({name: value for name, value in self.query.items() if name != "auth_token"}, errors="replace")

    def entry(self, action: Action, subject: str, detail: str = "") -> AuditEntry:
        """Return the entry of the audit trail that this was done."""
        user = "" if self.caller is None else self.caller.principal.name
        tenant = None if self.account is None else self.account.tenant
        return AuditEntry(now_ms(), user, tenant, action, subject, Outcome.DONE, detail, self.remote)

    @property
    def in_account(self) -> Account:
        """The account in the path. Only asked for on routes that have one."""
        if self.account is None:
            raise RuntimeError(f"no account in {self.segments}")
        return self.account

    def visible(self, permission: Permission) -> Part:
        """Return what may be seen of the account in the path with a permission. Raises KazooError."""
        tenant = self.in_account.tenant
        if self.caller is None or not self.caller.principal.may(tenant, permission):
            raise errors.forbidden()
        return Part(tenant, self.caller.principal.grants[tenant].visibility)

    # Answers

    def headers(self) -> list[Header]:
        """Return the headers of every answer."""
        common: list[Header] = [(b"x-request-id", self.request_id.encode())]
        if any(name in CORS_ASKS for name, _ in self.scope["headers"]):
            common.extend(CORS)
        return common

    def told(self) -> Told:
        """Return what the envelope of every answer tells."""
        return Told(auth_token=self.token, request_id=self.request_id)

    def wrapping(self) -> tuple[Header, tuple[bytes, bytes]]:
        """Return the type of an envelope, and what stands before and after it: a call, where `jsonp` names one."""
        callback = self.query.get("jsonp")
        if callback is None or not CALLBACK.fullmatch(callback):
            return JSON, (b"", b"")
        return JAVASCRIPT, (callback.encode() + b"(", b");")

    async def reply(self, data: object, *, status: int = 200, revision: str = "", headers: Headers = ()) -> None:
        """Answer with plain data in its envelope."""
        told = self.told()
        if revision:
            told.revision = revision
        await self.reply_encoded(encoded(data), told, status=status, headers=headers)

    async def reply_encoded(self, data: bytes, told: Told, *, status: int = 200, headers: Headers = ()) -> None:
        """Answer with encoded data in its envelope."""
        body = enveloped(data, told)
        if self.is_true("pretty_print") or header(self.scope, b"x-pretty-print") == b"true":
            body = msgspec.json.format(body, indent=2)
        kind, (before, after) = self.wrapping()
        body = b"".join((before, body, after))
        await send_json(self.send, status, body, [kind, *self.headers(), *headers])

    async def not_modified(self, headers: Headers) -> None:
        """Answer 304: the client has it."""
        await self._bare(304, headers)

    async def not_acceptable(self) -> None:
        """Answer 406 with an empty body, as Kazoo's HTTP layer does (reference 1.4)."""
        await self._bare(406, [(b"content-length", b"0")])

    async def preflight(self) -> None:
        """Answer OPTIONS: who may ask from where."""
        await self._bare(200, [(b"content-length", b"0")])

    async def _bare(self, status: int, headers: Headers) -> None:
        await self.send({"type": "http.response.start", "status": status, "headers": [*self.headers(), *headers]})
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def refuse(self, error: errors.KazooError) -> None:
        """Answer with an error."""
        told = self.told()
        told.error, told.message = str(error.status), error.message
        await self.reply_encoded(encoded(error.data), told, status=error.status, headers=error.headers)


def _request_id(scope: Scope) -> str:
    given = header(scope, b"x-request-id")
    return given.decode() if given is not None and REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


def _envelope_of(raw: bytes) -> tuple[dict[str, Any], Raw | UnsetType]:
    """Return what is small at a body's top level, and its `data`, which only who needs it reads. Raises KazooError."""
    try:
        body = _envelope.decode(raw)
        small = {name: msgspec.json.decode(value) for name, value in body.items() if len(bytes(value)) <= LONGEST_WORD}
    except msgspec.ValidationError:
        raise errors.missing_data() from None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise errors.unparsable_json(str(error)) from None
    small.pop("data", None)
    return small, body.get("data", UNSET)
