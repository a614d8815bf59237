"""What kind of file this is, told by its first bytes and never by its name.

The kind chosen here is the only demuxer that will see the file: left to guess, FFmpeg also opens playlists, and those
may point at other files.
"""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec

Source: TypeAlias = BinaryIO | bytes | Path

HEAD_BYTES = 512
_OGG_PAGE_HEADER_BYTES = 27
_MPEG_LAYER_III = 0b01
_MPEG_RESERVED_RATE = 0b11
_MPEG_UNUSABLE_BITRATES = (0b0000, 0b1111)


class Header(msgspec.Struct, frozen=True):
    """What a container's first bytes say before any audio: codec, channels, rate in Hz (0 when not stated)."""

    codec: str
    channels: int
    sample_rate: int


@contextlib.contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """Open the source as a binary file at its first byte; a file given by the caller stays open afterwards."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    elif isinstance(source, bytes):
        yield io.BytesIO(source)
    else:
        source.seek(0)
        yield source


def container_of(head: bytes) -> str | None:
    """Name the container (`wav`, `ogg`, `flac`, `mp3`) that starts with these bytes, None when it is none of them."""
    return next((name for name, matches in _SIGNATURES if matches(head)), None)


def header_of(container: str, head: bytes) -> Header | None:
    """Read the stream header of a file too short to decode; None when even that is not whole."""
    reader = _HEADERS.get(container)
    try:
        return reader(head) if reader else None
    except (struct.error, IndexError):
        return None


def _is_wav(head: bytes) -> bool:
    return head[:4] in {b"RIFF", b"RIFX", b"RF64"} and head[8:12] == b"WAVE"


def _is_mp3(head: bytes) -> bool:
    return head[:3] == b"ID3" or _is_mpeg_layer_iii_frame(head)


def _is_mpeg_layer_iii_frame(head: bytes) -> bool:
    """Check the sync word and the fields that have reserved values (ISO 11172-3, 2.4.2.3)."""
    return (
        len(head) >= 4  # noqa: PLR2004 - an MPEG audio frame header is four bytes
        and head[0] == 0xFF  # noqa: PLR2004 - sync word, upper eight bits
        and head[1] >> 5 == 0b111  # noqa: PLR2004 - sync word, lower three bits
        and head[1] >> 3 & 0b11 != 0b01
        and head[1] >> 1 & 0b11 == _MPEG_LAYER_III
        and head[2] >> 4 not in _MPEG_UNUSABLE_BITRATES
        and head[2] >> 2 & 0b11 != _MPEG_RESERVED_RATE
    )


def _ogg_header(head: bytes) -> Header | None:
    packet = head[_OGG_PAGE_HEADER_BYTES + head[26] :]
    if packet.startswith(b"OpusHead"):
        channels, _pre_skip, sample_rate = struct.unpack_from("<BHI", packet, 9)
        return Header("opus", channels, sample_rate)
    if packet.startswith(b"\x01vorbis"):
        channels, sample_rate = struct.unpack_from("<BI", packet, 11)
        return Header("vorbis", channels, sample_rate)
    return None


def _flac_header(head: bytes) -> Header | None:
    """STREAMINFO: 20 bits of sample rate, then 3 bits of channels less one (RFC 9639, 8.2)."""
    (bits,) = struct.unpack_from(">I", head, 18)
    return Header("flac", (bits >> 9 & 0b111) + 1, bits >> 12)


_SIGNATURES: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("wav", _is_wav),
    ("ogg", lambda head: head[:4] == b"OggS"),
    ("flac", lambda head: head[:4] == b"fLaC"),
    ("mp3", _is_mp3),
)
_HEADERS: dict[str, Callable[[bytes], Header | None]] = {"ogg": _ogg_header, "flac": _flac_header}
