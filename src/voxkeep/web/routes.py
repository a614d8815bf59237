"""What every HTTP face does before and around its own work: the route of a path, the edge that no failure gets past.

Knows no vendor: a dialect gives its routes, and how it shows an error. Nor who may ask: it only reads the header.
"""

import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Generic, NamedTuple, Protocol, TypeVar
from urllib.parse import unquote

import msgspec
from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voxkeep.web.errors import HttpError, MethodNotAllowedError, NotFoundError, send_json
from voxkeep.web.headers import header

T = TypeVar("T")

PHRASES: Mapping[int, str] = {status.value: status.phrase for status in HTTPStatus}

_log = logging.getLogger(__name__)


class ErrorBody(Struct):
    """The one shape of errors, where a dialect's own vendor has no other."""

    status: int
    error: str
    message: str


class Refuse(Protocol):
    """How a dialect sends an error."""

    async def __call__(self, send: Send, error: HttpError) -> None:
        """Send an error in the dialect's shape."""
        ...


class Route(NamedTuple, Generic[T]):
    """A route: its path's segments after the prefix (None: any), its methods, its name in the trail, who answers."""

    path: tuple[str | None, ...]
    methods: tuple[str, ...]
    action: str
    answer: T

    def takes(self, segments: list[str]) -> bool:
        """Tell whether a path is this route's."""
        return len(self.path) == len(segments) and all(
            wanted in (None, got) for wanted, got in zip(self.path, segments, strict=True)
        )


def route_of(routes: Iterable[Route[T]], scope: Scope, prefix: str) -> tuple[Route[T], list[str]]:
    """Return the route that takes a request, and the segments of its path after `prefix`, each decoded.

    Raises NotFoundError where no route takes the path, MethodNotAllowedError where one does, by other methods.
    """
    raw: bytes = scope["raw_path"]
    segments = [unquote(segment) for segment in raw.decode("utf-8", "replace").removeprefix(prefix).split("/")]
    for route in routes:
        if route.takes(segments):
            if scope["method"] not in route.methods:
                raise MethodNotAllowedError(route.methods, "This method is not supported here")
            return route, segments
    raise NotFoundError("There is no such resource")


async def guarded(answer: ASGIApp, refuse: Refuse, scope: Scope, receive: Receive, send: Send) -> None:
    """Run `answer`, and refuse what it raises. What fails once it began to send is raised on: the server aborts."""
    started = False

    async def watched(message: Message) -> None:
        nonlocal started
        started = True
        await send(message)

    try:
        await answer(scope, receive, watched)
    except HttpError as error:
        await refuse(send, error)
    except Exception:  # the edge: the client gets the dialect's own 500, the operator the trace
        _log.exception("a request failed")
        if started:
            raise
        await refuse(send, HttpError(500, "An unexpected error occurred"))


async def send_error(send: Send, error: HttpError, phrases: Mapping[int, str] = PHRASES) -> None:
    """Send an error in the one shape; `phrases` has the words of every status, also of one that HTTP does not know."""
    body = ErrorBody(error.status, phrases[error.status], error.message)
    await send_json(send, error.status, msgspec.json.encode(body), error.headers)


def bearer_token(scope: Scope) -> str | None:
    """Return the token that came in the Authorization header by the scheme Bearer, in any case; None without one."""
    scheme, _, token = (header(scope, b"authorization") or b"").decode("latin-1").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def remote_of(scope: Scope) -> str:
    """Return the client's address, or nothing when the server does not know it."""
    client = scope.get("client")
    return client[0] if client else ""
