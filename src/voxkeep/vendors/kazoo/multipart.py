"""The body of a push: as it comes, in parts (a storage plan's `send_multipart`), or in base64.

kz_att_http of Kazoo 4.3 and 5: the first part is the public document as JSON, the second the attachment, which
`base64_encode_data` turns into base64 under the audio's own content type, so that only the bytes tell. A body without
parts is looked at in the same way.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import AsyncIterator
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from voxkeep.audio.sniff import HEAD_BYTES, container_of
from voxkeep.web.bodies import received
from voxkeep.web.errors import BodyTooLargeError

MOST_DOCUMENT_BYTES = 1 << 16
ENCODED_BLOCK_BYTES = 1 << 20
"""A multiple of four: base64 is undone block by block."""
BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
MP4_BRAND = slice(4, 8)


class BadBody(ValueError):
    """Parts that cannot be; the text tells why."""


async def blocks(receive: Receive, limit_bytes: int) -> AsyncIterator[bytes]:
    """Yield a request's body as it comes. Raises BodyTooLargeError past the limit, ClientDisconnect."""
    total = 0
    while True:
        message = await received(receive)
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        block: bytes = message.get("body", b"")
        total += len(block)
        if total > limit_bytes:
            raise BodyTooLargeError(limit_bytes)
        if block:
            yield block
        if not message.get("more_body", False):
            return


class Multipart:
    """Takes a body in parts: `attachment` yields that part's bytes, the rest is told by the fields once it ended."""

    def __init__(self, content_type: bytes) -> None:
        """`content_type` is the request's, which tells the boundary. Raises BadBody."""
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        if not boundary:
            raise BadBody("its content type names no boundary")
        self.document = b""
        """The part in JSON."""
        self.content_type = b""
        """The attachment's."""
        self._attachments = 0
        self._in_attachment = False
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._came: list[bytes] = []
        self._whole = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._on_name,
                    "on_header_value": self._on_value,
                    "on_header_end": self._on_header,
                    "on_headers_finished": self._on_headers,
                    "on_part_data": self._on_data,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise BadBody(str(error)) from None

    async def attachment(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the attachment's bytes while the body comes. Raises BadBody, and what `body` raises."""
        async for block in body:
            try:
                self._parser.write(block)
            except FormParserError:
                raise BadBody("its parts are not as its boundary says") from None
            if self._came:
                yield b"".join(self._came)
                self._came.clear()
        if not self._whole:
            raise BadBody("its last part does not end")

    def _begin(self) -> None:
        self._headers = {}

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _on_headers(self) -> None:
        kind = self._headers.get(b"content-type", b"")
        self._in_attachment = not kind.lower().startswith(b"application/json")
        if not self._in_attachment:
            if self.document:
                raise BadBody("it has more than one document")
            return
        self._attachments += 1
        if self._attachments > 1:
            raise BadBody("it has more than one attachment")
        self.content_type = kind

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_attachment:
            self._came.append(data[start:end])
            return
        self.document += data[start:end]
        if len(self.document) > MOST_DOCUMENT_BYTES:
            raise BadBody(f"its document is larger than {MOST_DOCUMENT_BYTES} bytes")

    def _on_end(self) -> None:
        self._whole = True


def is_encoded(file: BinaryIO) -> bool:
    """Tell whether a file is base64 of audio, throughout. Leaves it at its beginning; blocks, for a thread."""
    try:
        return _is_encoded(file)
    finally:
        file.seek(0)


def _is_encoded(file: BinaryIO) -> bool:
    block = file.read(HEAD_BYTES)
    if BASE64.fullmatch(block) is None or not _is_audio(b64decode(block[: len(block) // 4 * 4])):
        return False
    size = 0
    while block:
        size += len(block)
        ended = block
        block = file.read(ENCODED_BLOCK_BYTES)
        # the padding ends it
        if BASE64.fullmatch(block) is None or (block and ended.endswith(b"=")):
            return False
    return size % 4 == 0


def _is_audio(head: bytes) -> bool:
    return container_of(head) is not None or head[MP4_BRAND] == b"ftyp"


def decoded(block: bytes) -> bytes:
    """Return what a block of base64 stands for; its length is a multiple of four."""
    return b64decode(block)


def decoded_text(body: bytes) -> bytes:
    """Return what a small body is base64 of, if that is printable text; else the body itself."""
    try:
        plain = b64decode(body, validate=True)
        return plain if plain.decode().isprintable() and plain else body
    except (Base64Error, UnicodeDecodeError):
        return body
