"""The ASGI application: guards in front, the dialects behind, health beside them.

The guards know no vendor: a refusal is sent in the shape of the dialect whose path was asked for.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Protocol

import msgspec
from starlette.types import Receive, Scope, Send

from voxkeep.archive import Archive
from voxkeep.server.https import HttpsGuard
from voxkeep.settings import Server
from voxkeep.web.errors import BadRequestError, HttpError, NotFoundError, UnavailableError, send_json
from voxkeep.web.paths import refuse


class Dialect(Protocol):
    """A vendor's API, mounted under its path."""

    prefix: str
    any_text: bool
    """Whether texts in its targets may be in any encoding: it reads them leniently itself."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request whose path begins with `prefix`."""
        ...

    async def refuse(self, send: Send, error: HttpError) -> None:
        """Send an error in the dialect's shape."""
        ...


class PlainErrors:
    """How paths of no dialect are refused."""

    async def refuse(self, send: Send, error: HttpError) -> None:
        """Send an error as a small JSON object."""
        phrase = HTTPStatus(error.status).phrase
        body = msgspec.json.encode({"status": error.status, "error": phrase, "message": error.message})
        await send_json(send, error.status, body, error.headers)


class App:
    """See the module; `dialects` are tried in order."""

    def __init__(self, archive: Archive, dialects: Sequence[Dialect], settings: Server) -> None:
        self._archive = archive
        self._dialects = dialects
        self._settings = settings
        self._https = HttpsGuard(settings)
        self._plain = PlainErrors()
        self._own = {"/healthz": self._health, "/readyz": self._readiness}
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"not served: {scope['type']}")
        own = self._own.get(scope["path"])
        if own is not None:
            await own(send)
            return
        dialect = self._dialect(scope["path"])
        try:
            self._guard(scope, any_text=dialect is not None and dialect.any_text)
        except HttpError as error:
            await (dialect or self._plain).refuse(send, error)
            return
        if dialect is None:
            await self._plain.refuse(send, NotFoundError("There is no such resource"))
            return
        self._in_flight += 1
        try:
            await dialect(scope, receive, send)
        finally:
            self._in_flight -= 1

    def _dialect(self, path: str) -> Dialect | None:
        for dialect in self._dialects:
            if path.startswith(dialect.prefix):
                return dialect
        return None

    def _guard(self, scope: Scope, *, any_text: bool) -> None:
        self._https.check(scope)
        reason = refuse(scope["raw_path"], scope["query_string"], any_text=any_text)
        if reason is not None:
            raise BadRequestError(reason)
        if self._settings.maintenance:
            raise UnavailableError("The service is down for maintenance", self._settings.retry_after_seconds)
        if self._in_flight >= self._settings.max_in_flight:
            raise UnavailableError("The service is overloaded", self._settings.retry_after_seconds)

    async def _health(self, send: Send) -> None:
        await send_json(send, 200, b'{"status":"ok"}')

    async def _readiness(self, send: Send) -> None:
        """Tell whether requests are taken, and how many alarms an operator should look at."""
        alarms = await self._archive.alarms.all()
        ready = not self._settings.maintenance
        document = {"status": "ready" if ready else "maintenance", "alarms": len(alarms)}
        await send_json(send, 200 if ready else 503, msgspec.json.encode(document))
