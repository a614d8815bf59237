"""Answering a request for audio: first a plan (status, headers, bytes), then its delivery.

The two are apart because rate limits, the egress ledger and the audit stand between them: they must know the exact
length before the first byte and how much of it went out after the last. Knows no vendor, no vault and no permission.

Follows RFC 9110: If-None-Match before Range, Range for GET only, If-Range by strong comparison. One piece of up to
`SINGLE_MESSAGE_BYTES` goes out as one message (or by the server's zero copy, see `zerocopy`), a longer one in chunks of
`reading.CHUNK_BYTES`, so memory does not grow with the size of a file.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from email.utils import formatdate
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from voxkeep.web import zerocopy
from voxkeep.web.disconnects import DisconnectWatch
from voxkeep.web.headers import Header, Headers, pick
from voxkeep.web.ranges import Span, UnsatisfiableError, if_range_holds, none_match_hits, parse_range
from voxkeep.web.reading import CHUNK_BYTES, AudioBody, is_cached, read_exactly

SINGLE_MESSAGE_BYTES: Final = 1024 * 1024

_CONDITIONS: Final = frozenset({b"range", b"if-range", b"if-none-match"})
_ACCEPT_RANGES: Final = (b"accept-ranges", b"bytes")


class Part(msgspec.Struct, frozen=True, gc=False):
    """One piece of the body, and the framing bytes that go before it in a multipart answer."""

    span: Span
    preamble: bytes = b""


class Plan(msgspec.Struct, frozen=True):
    """An answer before its first byte. `length_bytes` counts body bytes on the wire, multipart framing included."""

    status: int
    headers: list[Header]
    parts: tuple[Part, ...] = ()
    trailer: bytes = b""
    length_bytes: int = 0

    @property
    def takes_slot(self) -> bool:
        """Whether a rate limit counts this answer: 200 and 206 to a GET do; HEAD, 304 and 416 do not."""
        return bool(self.parts)


def plan(
    method: str,
    request_headers: Headers,
    *,
    size: int,
    etag: str,
    media_type: str,
    extra_headers: Sequence[Header] = (),
    last_modified_s: int | None = None,
) -> Plan:
    """Decide how to answer GET or HEAD for a body of `size` bytes.

    `etag` is unquoted; `extra_headers` go on every 200, 206 and 304; `last_modified_s` (epoch seconds) becomes
    Last-Modified and is what a date in If-Range must equal.
    """
    tag = b'"%b"' % etag.encode("ascii")
    common = [(b"etag", tag), *extra_headers]
    if last_modified_s is not None:
        common.append((b"last-modified", formatdate(last_modified_s, usegmt=True).encode("ascii")))
    asked = pick(request_headers, _CONDITIONS)
    if b"if-none-match" in asked and none_match_hits(asked[b"if-none-match"], tag):
        return Plan(304, common)
    common.append(_ACCEPT_RANGES)
    if method == "GET" and b"range" in asked and _range_counts(asked, tag, last_modified_s):
        try:
            spans = parse_range(asked[b"range"], size)
        except UnsatisfiableError:
            headers = [(b"content-range", b"bytes */%d" % size), _ACCEPT_RANGES, (b"content-length", b"0")]
            return Plan(416, headers)
        if spans is not None:
            return _partial(spans, size, media_type, common)
    common += ((b"content-type", media_type.encode("latin-1")), (b"content-length", b"%d" % size))
    if method == "HEAD":
        return Plan(200, common)
    return Plan(200, common, (Part(Span(0, size)),), length_bytes=size)


def _range_counts(asked: dict[bytes, bytes], tag: bytes, last_modified_s: int | None) -> bool:
    return b"if-range" not in asked or if_range_holds(asked[b"if-range"], tag, last_modified_s)


def _partial(spans: list[Span], size: int, media_type: str, common: list[Header]) -> Plan:
    content_type = media_type.encode("latin-1")
    if len(spans) > 1:
        return _multipart(spans, size, content_type, common)
    span = spans[0]
    length = span.stop - span.start
    common += (
        (b"content-type", content_type),
        (b"content-range", _content_range(span, size)),
        (b"content-length", b"%d" % length),
    )
    return Plan(206, common, (Part(span),), length_bytes=length)


def _multipart(spans: list[Span], size: int, content_type: bytes, common: list[Header]) -> Plan:
    # Random, so that no audio can have been made to contain it.
    boundary = secrets.token_hex(16).encode("ascii")
    frame = b"\r\n--%b\r\nContent-Type: %b\r\nContent-Range: %b\r\n\r\n"
    parts = tuple(Part(span, frame % (boundary, content_type, _content_range(span, size))) for span in spans)
    trailer = b"\r\n--%b--\r\n" % boundary
    length = len(trailer) + sum(len(part.preamble) + part.span.stop - part.span.start for part in parts)
    common += (
        (b"content-type", b"multipart/byteranges; boundary=" + boundary),
        (b"content-length", b"%d" % length),
    )
    return Plan(206, common, parts, trailer, length)


def _content_range(span: Span, size: int) -> bytes:
    return b"bytes %d-%d/%d" % (span.start, span.stop - 1, size)


async def send_audio(
    scope: Scope,
    receive: Receive,
    send: Send,
    body: AudioBody,
    *,
    media_type: str,
    extra_headers: Sequence[Header] = (),
    last_modified_s: int | None = None,
) -> int:
    """Plan and deliver in one step, where nothing stands between them. Gives what `deliver` gives."""
    answer = plan(
        scope["method"],
        scope["headers"],
        size=body.size,
        etag=body.etag,
        media_type=media_type,
        extra_headers=extra_headers,
        last_modified_s=last_modified_s,
    )
    return await deliver(scope, receive, send, answer, body)


async def deliver(scope: Scope, receive: Receive, send: Send, answer: Plan, body: AudioBody) -> int:
    """Send a planned answer. Gives the body bytes handed to the server, at most `answer.length_bytes`.

    Fewer mean that the client left. A body of one message to a client that has just left may count whole: the server
    does not tell. Raises TruncatedBodyError, or what reading raised, when the body ends or fails early; if that is
    seen before the status line, nothing was sent, and else the server aborts the connection.
    """
    if answer.length_bytes == 0:
        await _start(send, answer)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return 0
    if answer.length_bytes > SINGLE_MESSAGE_BYTES or answer.trailer:
        return await _deliver_long(receive, send, answer, body)
    return await _deliver_short(scope, send, answer, body)


async def _start(send: Send, answer: Plan) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})


async def _deliver_short(scope: Scope, send: Send, answer: Plan, body: AudioBody) -> int:
    """One span of moderate length, in one message."""
    start, stop = answer.parts[0].span
    descriptor = body.fileno()
    if descriptor is not None and zerocopy.offered(scope) and is_cached(descriptor, start, stop):
        return await zerocopy.send_span(send, answer.status, answer.headers, descriptor, start, stop)
    data = await read_exactly(body, start, stop - start)
    await _start(send, answer)
    await send({"type": "http.response.body", "body": data, "more_body": False})
    return len(data)


async def _deliver_long(receive: Receive, send: Send, answer: Plan, body: AudioBody) -> int:
    sent = 0
    async with DisconnectWatch(receive) as watch:
        async for chunk in _chunks(answer, body):
            if sent == 0:
                await _start(send, answer)
            left = answer.length_bytes - sent - len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})
            if left:
                # Cached reads and writes that fit never give up the loop by themselves: without this a fast client
                # would starve the others, and news of a lost connection would come after the last chunk.
                await asyncio.sleep(0)
                if watch.gone:
                    return sent
            sent += len(chunk)
    return sent


async def _chunks(answer: Plan, body: AudioBody) -> AsyncIterator[bytes | bytearray]:
    for part in answer.parts:
        if part.preamble:
            yield part.preamble
        start, stop = part.span
        for offset in range(start, stop, CHUNK_BYTES):
            yield await read_exactly(body, offset, min(CHUNK_BYTES, stop - offset))
    if answer.trailer:
        yield answer.trailer
