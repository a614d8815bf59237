"""Sending a list whose rows are still being read, as one JSON array. Knows nothing of rows, only of encoded chunks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive, Send

from voxkeep.web.disconnects import DisconnectWatch
from voxkeep.web.headers import Headers

_JSON = (b"content-type", b"application/json")


async def send_json_array(
    send: Send,
    chunks: AsyncIterator[bytes],
    headers: Headers = (),
    *,
    receive: Receive | None = None,
    name: str | None = None,
) -> bool:
    """Send `chunks`, each an encoded JSON array of any number of items, as one array; 200.

    With `name` (a plain ASCII word) the array is the one field of an object. The status line goes out with the first
    chunk: what fails before it can still be answered with a proper error. What fails later is raised on, and the
    server aborts the connection, so that half a list never parses. With `receive` a client that leaves ends the scan
    early. Gives whether the list was sent whole. One message per non-empty chunk.
    """
    opening, closing = (b"[", b"]") if name is None else (b'{"%b":[' % name.encode("ascii"), b"]}")
    started = False
    async with DisconnectWatch(receive) as watch, _closing(chunks):
        async for chunk in chunks:
            if len(chunk) == len(b"[]"):
                continue
            if watch.gone:
                return False
            if not started:
                await _start(send, headers)
            body = b"".join((b"," if started else opening, memoryview(chunk)[1:-1]))
            started = True
            await send({"type": "http.response.body", "body": body, "more_body": True})
        if not started:
            await _start(send, headers)
            closing = opening + closing
        await send({"type": "http.response.body", "body": closing, "more_body": False})
        return not watch.gone


async def _start(send: Send, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [_JSON, *headers]})


@asynccontextmanager
async def _closing(chunks: AsyncIterator[bytes]) -> AsyncIterator[None]:
    """End the scan at once however the list ends; a generator left alone would hold its cursor until collected."""
    try:
        yield
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()
