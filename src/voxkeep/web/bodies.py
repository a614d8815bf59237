"""Reading a request's body whole, up to a limit. Knows nothing of what the bytes mean."""

import asyncio

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from voxkeep.web.errors import BodyTooLargeError, HttpError

SILENT_SECONDS = 30.0
"""So long may pass without a byte of a body: a connection that brings none holds a place among those worked on."""


async def received(receive: Receive) -> Message:
    """Return the next message of a request. Raises HttpError (408) when none comes for SILENT_SECONDS."""
    try:
        async with asyncio.timeout(SILENT_SECONDS):
            return await receive()
    except TimeoutError:
        raise HttpError(408, "The body did not come in time", [(b"connection", b"close")]) from None


async def read_body(receive: Receive, limit_bytes: int) -> bytes:
    """Read the request's body.

    Raises BodyTooLargeError (413) as soon as more than `limit_bytes` have come, without keeping them, HttpError (408)
    when it stops coming, and starlette's ClientDisconnect when the client leaves before the end.
    """
    parts: list[bytes] = []
    total = 0
    while True:
        message = await received(receive)
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        total += len(part)
        if total > limit_bytes:
            raise BodyTooLargeError(limit_bytes)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)
