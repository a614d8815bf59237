"""Reading a request's body whole, up to a limit. Knows nothing of what the bytes mean."""

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from voxkeep.web.errors import BodyTooLargeError


async def read_body(receive: Receive, limit_bytes: int) -> bytes:
    """Read the request's body.

    Raises BodyTooLargeError (413) as soon as more than `limit_bytes` have come, without keeping them, and
    starlette's ClientDisconnect when the client leaves before the end.
    """
    parts: list[bytes] = []
    total = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        total += len(part)
        if total > limit_bytes:
            raise BodyTooLargeError(limit_bytes)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)
