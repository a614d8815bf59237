"""uvicorn's HTTP connection with a limit to what a request's head may take. Knows no application.

The parser keeps a URL and headers in memory until they are whole, for anybody, before any token is seen: measured, a
header of 150 MB grew the server by as much. What comes between two deliveries (head, part of a body) is counted, so
the headers behind a chunked body are bounded as well.
"""

import asyncio
from http import HTTPStatus
from typing import Any, Final

import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

MAX_HEAD_BYTES: Final = 65_536
"""A head of up to so many bytes passes; a longer one is refused at the latest one piece later."""

PIECE_BYTES: Final = 16_384
LINGER_BYTES: Final = 1 << 20
LINGER_SECONDS: Final = 2.0

_MESSAGES: Final = {
    414: f"The URL takes most of the {MAX_HEAD_BYTES} bytes that a request's head may have",
    431: f"The request's head is longer than {MAX_HEAD_BYTES} bytes",
}


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection, closed with 414 or 431 once a head grows past `MAX_HEAD_BYTES`."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.url = b""
        self._held_bytes = 0
        self._refused = False
        self._discarded_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Feed the parser, a large read in pieces, so that a head cannot become whole before it is measured."""
        if self._refused:
            self._discard(len(data))
        elif len(data) <= PIECE_BYTES:
            self._feed(data)
        else:
            self._feed_pieces(memoryview(data))

    def on_headers_complete(self) -> None:
        """Begin to answer; what is counted next belongs to the body or another request."""
        self._held_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, which uvicorn bounds by its flow control."""
        self._held_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request, the headers behind a chunked body included."""
        self._held_bytes = 0
        super().on_message_complete()

    def _feed(self, data: bytes) -> None:
        self._held_bytes += len(data)
        super().data_received(data)
        if self._held_bytes >= MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse()

    def _feed_pieces(self, data: memoryview) -> None:
        for start in range(0, len(data), PIECE_BYTES):
            if self._refused or self.transport.is_closing():
                return
            self._feed(bytes(data[start : start + PIECE_BYTES]))

    def _refuse(self) -> None:
        """Answer and close; only close when an earlier request's answer is still on its way."""
        self._refused = True
        status = 414 if len(self.url) > MAX_HEAD_BYTES // 2 else 431
        self.logger.warning("Refused with %d: the request's head is too long", status)
        if not getattr(self.cycle, "response_complete", True):  # uvicorn's cycle is None before the first request
            self.transport.close()
            return
        self._unset_keepalive_if_required()
        self._forget_head()
        self.transport.write(_answer(status))
        self._linger()

    def _forget_head(self) -> None:
        self.url = b""
        self.headers = []
        self.parser = None  # type: ignore[assignment]  # as uvicorn does when a connection is lost

    def _linger(self) -> None:
        """Close the sending side only, for a while: a client still sending would lose the answer to a reset."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.timeout_keep_alive_task = self.loop.call_later(LINGER_SECONDS, self.timeout_keep_alive_handler)
        else:  # TLS: closing throws away what still comes, but waits half a minute for a client that stays
            self.transport.close()
            self.timeout_keep_alive_task = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _discard(self, size_bytes: int) -> None:
        self._discarded_bytes += size_bytes
        if self._discarded_bytes > LINGER_BYTES:
            self._unset_keepalive_if_required()
            self.transport.abort()


def _answer(status: int) -> bytes:
    body = msgspec.json.encode({"status": status, "error": HTTPStatus(status).phrase, "message": _MESSAGES[status]})
    head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return STATUS_LINE[status] + head.encode("ascii") + body
