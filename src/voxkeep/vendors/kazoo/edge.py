"""The edge of both of Kazoo's faces: whatever a request meets is told in its envelope, and nothing else gets out."""

import logging
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from voxkeep.vendors.kazoo import errors
from voxkeep.vendors.kazoo.request import Request
from voxkeep.web.errors import HttpError
from voxkeep.web.routes import guarded

NO_REQUEST: Scope = {"type": "http", "raw_path": b"", "query_string": b"", "method": "GET", "headers": []}

_log = logging.getLogger(__name__)


async def answered(request: Request, work: Callable[[Request], Awaitable[None]]) -> None:
    """Run `work` on a request, and refuse what it raises. What fails once it began to send is raised on."""
    send = request.send

    async def answer(_: Scope, __: Receive, watched: Send) -> None:
        # through the guard, which must know what has begun
        request.send = watched
        try:
            await work(request)
        except ClientDisconnect:
            _log.info("a client left within its body: nothing of it is kept")

    async def refuse(send: Send, error: HttpError) -> None:
        request.send = send
        await request.refuse(errors.of_http(error))

    await guarded(answer, refuse, request.scope, request.receive, send)


async def refused(send: Send, error: HttpError) -> None:
    """Send an error of the guards in front, which know no request."""

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    await Request(NO_REQUEST, receive, send, "").refuse(errors.of_http(error))
