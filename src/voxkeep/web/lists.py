"""Sending what is still being read: a list as one JSON array, a document piece by piece. Knows only encoded bytes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.types import Receive, Send

from voxkeep.web.disconnects import DisconnectWatch
from voxkeep.web.errors import send_json
from voxkeep.web.headers import Headers

EMPTY = b"[]"
PIECE_BYTES = 120 * 1024
"""The server copies every message; what it needs for one of this size it has at hand, a larger one is mapped anew."""
_JSON = (b"content-type", b"application/json")


def _never() -> bool:
    return False


async def send_json_array(
    send: Send,
    chunks: AsyncIterator[bytes | bytearray],
    headers: Headers = (),
    *,
    receive: Receive | None = None,
    name: str | None = None,
    ended: Callable[[], bool] = _never,
) -> bool:
    """Send `chunks`, each an encoded JSON array of any number of items, as one array; 200.

    A chunk that is a bytearray is used up. With `name` (a plain ASCII word) the array is the one field of an object.
    The status line goes out with the first chunk: what fails before it can still be answered with a proper error. What
    fails later is raised on, and the server aborts the connection, so that half a list never parses. With `receive` a
    client that leaves ends the scan early. `ended` may tell that nothing follows the chunk given last: a list of one
    chunk is then one message with its length. Gives whether the list was sent whole.
    """
    opening, closing = (b"[", b"]") if name is None else (b'{"%b":[' % name.encode("ascii"), b"]}")
    async with _closing(chunks):
        first, whole = await _first(chunks, ended)
        if whole:
            await send_json(send, 200, b"".join((opening, memoryview(first)[1:-1], closing)), headers)
            return True
        async with DisconnectWatch(receive) as watch:
            await send({"type": "http.response.start", "status": 200, "headers": [_JSON, *headers]})
            await _send_part(send, opening, first)
            async for chunk in chunks:
                if watch.gone:
                    return False
                if len(chunk) > len(EMPTY):
                    await _send_part(send, b",", chunk)
            await send({"type": "http.response.body", "body": closing, "more_body": False})
            return not watch.gone


async def send_pieces(
    send: Send, pieces: AsyncIterator[bytes], headers: Headers = (), *, receive: Receive | None = None
) -> bool:
    """Send `pieces` as one document; 200. Gives whether it was sent whole.

    A short one is one message with its length. For the rest, what `send_json_array` says of failures and of clients
    that leave holds.
    """
    async with _closing(pieces):
        first, whole = await _beginning(pieces)
        if whole:
            await send_json(send, 200, first, headers)
            return True
        async with DisconnectWatch(receive) as watch:
            await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async for piece in pieces:
                if watch.gone:
                    return False
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return not watch.gone


async def _beginning(pieces: AsyncIterator[bytes]) -> tuple[bytes, bool]:
    """Return as many pieces as make up one message, and whether they are all."""
    begun = bytearray()
    async for piece in pieces:
        begun += piece
        if len(begun) >= PIECE_BYTES:
            return bytes(begun), False
    return bytes(begun), True


async def _first(chunks: AsyncIterator[bytes | bytearray], ended: Callable[[], bool]) -> tuple[bytes | bytearray, bool]:
    """Return the first chunk with anything in it, and whether it is known to be all."""
    while not ended():
        chunk = await anext(chunks, None)
        if chunk is None:
            break
        if len(chunk) > len(EMPTY):
            return chunk, ended()
    return EMPTY, True


async def _send_part(send: Send, before: bytes, chunk: bytes | bytearray) -> None:
    """Send a chunk with `before` in place of its opening bracket, and without its closing one, in a few pieces."""
    whole = chunk if isinstance(chunk, bytearray) else bytearray(chunk)
    whole[:1] = before
    inside = memoryview(whole)[:-1]
    for start in range(0, len(inside), PIECE_BYTES):
        await send({"type": "http.response.body", "body": inside[start : start + PIECE_BYTES], "more_body": True})


@asynccontextmanager
async def _closing(chunks: AsyncIterator[bytes | bytearray]) -> AsyncIterator[None]:
    """End the scan at once however the list ends; a generator left alone would hold its cursor until collected."""
    try:
        yield
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()
