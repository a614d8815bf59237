"""Start keys: where a page of a list begins, as a text that clients pass back untouched (reference 1.2, 1.3).

Laid out as Kazoo's are, so that they look alike (`g2...`): base64url without padding of an Erlang term, which is here
a binary of 28 bytes: the end of the recording in ms (8), its id (16), a CRC-32 of both (4). The CRC guards against
accidents, such as a key of another server; whoever makes one up only chooses where in their own list they begin.
"""

import binascii
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

HEAD = b"\x83m\x00\x00\x00\x1c"
"""Erlang's external term format: version 131, a binary of 28 bytes."""
LETTERS = 46
"""Length of every start key."""
_PLACE = struct.Struct("!q16s")
_CHECK = struct.Struct("!I")


class Position(NamedTuple):
    """The first row of a page, in the order of (ended_at, id)."""

    ended_at: int
    """Ms since 1970; 64 bits."""
    id: bytes
    """16 bytes."""


def encode(position: Position) -> str:
    """Return the start key of a page that begins with this row."""
    place = _PLACE.pack(*position)
    return urlsafe_b64encode(HEAD + place + _CHECK.pack(binascii.crc32(place))).rstrip(b"=").decode()


def decode(text: str) -> Position | None:
    """Return the row that a start key stands for, None for any other text."""
    if len(text) != LETTERS:
        return None
    try:
        raw = urlsafe_b64decode(text + "==")
    except ValueError:
        return None
    if len(raw) != len(HEAD) + _PLACE.size + _CHECK.size:
        return None
    position = Position(*_PLACE.unpack_from(raw, len(HEAD)))
    # Python's decoder overlooks letters that are none, and spare bits: only what we would write ourselves is a key
    return position if encode(position) == text else None
