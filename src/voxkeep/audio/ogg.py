"""Whether an Ogg/Opus file is whole: a walk over its pages (RFC 3533, RFC 7845), without decoding any audio.

The collector asks this of every download: a page cut short, lost or altered on the way is found by lengths, sequence
numbers and checksums, and a download that stopped between two pages by the missing end-of-stream flag.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import msgspec

from voxkeep.audio.errors import BrokenOgg
from voxkeep.audio.sniff import Source, opened

GRANULES_PER_SECOND = 48_000
_HEADER = struct.Struct("<4sBBqIIIB")
_OPUS_HEAD = struct.Struct("<8sBBHIhB")
_CRC_OFFSET = 22
_FIRST, _LAST = 0x02, 0x04
_NO_PACKET_ENDS = -1
_MAX_PAGE_BYTES = _HEADER.size + 255 + 255 * 255
_MAX_CANDIDATES = 64
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class OggFacts(msgspec.Struct, frozen=True):
    """What the pages say.

    `input_rate` is in Hz, before encoding; `pre_skip` and `granule`, the last page's, are in samples at 48 kHz.
    """

    serial: int
    channels: int
    pre_skip: int
    input_rate: int
    granule: int
    pages: int
    packets: int
    size_bytes: int

    @property
    def duration_ms(self) -> int:
        """The playing time in milliseconds, rounded, pre-skip subtracted (RFC 7845, 4.2)."""
        return round(max(self.granule - self.pre_skip, 0) * 1000 / GRANULES_PER_SECOND)


class _Page(NamedTuple):
    flags: int
    granule: int
    serial: int
    sequence: int
    lacing: bytes
    body: bytes

    @property
    def size_bytes(self) -> int:
        return _HEADER.size + len(self.lacing) + len(self.body)

    @property
    def packets_ended(self) -> int:
        return sum(1 for length in self.lacing if length < 255)  # noqa: PLR2004 - 255 means "goes on"


def verify_ogg_opus(source: Source) -> OggFacts:
    """Walk the whole file, one page in memory at a time. Raises `BrokenOgg` unless it is one whole Ogg/Opus stream."""
    with opened(source) as file:
        pages = _pages(file)
        first = next(pages, None)
        if first is None:
            raise BrokenOgg("no bytes at all")
        channels, pre_skip, input_rate = _opus_head(first)
        last, count, packets, granule = first, 1, first.packets_ended, 0
        for page in pages:
            _check_follows(last, page, count)
            if count == 1 and not page.body.startswith(b"OpusTags"):
                raise BrokenOgg("no OpusTags after OpusHead")
            if page.granule != _NO_PACKET_ENDS:
                granule = _risen(granule, page, count)
            last, count, packets = page, count + 1, packets + page.packets_ended
        if not last.flags & _LAST:
            raise BrokenOgg(f"ends after page {count - 1} without the end-of-stream flag")
        return OggFacts(
            serial=first.serial,
            channels=channels,
            pre_skip=pre_skip,
            input_rate=input_rate,
            granule=granule,
            pages=count,
            packets=packets,
            size_bytes=file.tell(),
        )


def check_first_page(file: BinaryIO) -> None:
    """Read one page from where the file stands. Raises `BrokenOgg` unless it is whole and undamaged."""
    _page(file, file.read(_HEADER.size), 0)


def is_cut(file: BinaryIO) -> bool:
    """Tell whether the file stops before its last stream does: within a page, or without the end-of-stream flag.

    Looks at the last pages only, whatever their codec. Bytes behind the end that are no page do no harm.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - 2 * _MAX_PAGE_BYTES))
    tail = file.read()
    at = len(tail)
    for _ in range(_MAX_CANDIDATES):  # a page's body may hold the capture pattern too, but not often
        at = tail.rfind(b"OggS", 0, at)
        if at < 0:
            break
        if (page := _whole_page(tail, at)) is not None:
            rest = tail[at + page.size_bytes :]
            return not page.flags & _LAST or (bool(rest) and rest.startswith(b"OggS"[: len(rest)]))
    return True


def _whole_page(data: bytes, at: int) -> _Page | None:
    file = io.BytesIO(data)
    file.seek(at)
    try:
        return _page(file, file.read(_HEADER.size), 0)
    except BrokenOgg:
        return None


def crc32_ogg(data: bytes) -> int:
    """Ogg's checksum: polynomial 0x04c11db7, most significant bit first, starting from 0, no final inversion.

    zlib computes the same polynomial least significant bit first, so bytes and result are mirrored; its two
    inversions are undone.
    """
    mirrored = zlib.crc32(data.translate(_MIRRORED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")


def _pages(file: BinaryIO) -> Iterator[_Page]:
    number = 0
    while header := file.read(_HEADER.size):
        yield _page(file, header, number)
        number += 1


def _page(file: BinaryIO, header: bytes, number: int) -> _Page:
    if not header.startswith(b"OggS"[: len(header)]):
        raise BrokenOgg("not an Ogg file" if number == 0 else f"something else than a page after page {number - 1}")
    if len(header) < _HEADER.size:
        raise BrokenOgg(f"page {number} is cut short")
    _magic, version, flags, granule, serial, sequence, crc, segments = _HEADER.unpack(header)
    if version:
        raise BrokenOgg(f"page {number} has the unknown version {version}")
    lacing = file.read(segments)
    body = file.read(sum(lacing))
    if len(lacing) < segments or len(body) < sum(lacing):
        raise BrokenOgg(f"page {number} is cut short")
    if crc32_ogg(header[:_CRC_OFFSET] + bytes(4) + header[_CRC_OFFSET + 4 :] + lacing + body) != crc:
        raise BrokenOgg(f"page {number} is damaged: its checksum does not match")
    return _Page(flags, granule, serial, sequence, lacing, body)


def _opus_head(page: _Page) -> tuple[int, int, int]:
    """Read channels, pre-skip and input rate from the identification header (RFC 7845, 5.1)."""
    if not page.body.startswith(b"OpusHead") or len(page.body) < _OPUS_HEAD.size:
        raise BrokenOgg("an Ogg file, but its first page holds no OpusHead")
    if not page.flags & _FIRST:
        raise BrokenOgg("the first page does not begin the stream")
    _magic, version, channels, pre_skip, input_rate, _gain, _mapping = _OPUS_HEAD.unpack_from(page.body)
    if version >> 4 or not channels:
        raise BrokenOgg(f"an OpusHead of version {version} with {channels} channels")
    return channels, pre_skip, input_rate


def _check_follows(last: _Page, page: _Page, number: int) -> None:
    if last.flags & _LAST:
        raise BrokenOgg(f"the stream ends with page {number - 1}, the file does not")
    if page.serial != last.serial or page.flags & _FIRST:
        raise BrokenOgg(f"page {number} begins another stream")
    if page.sequence != (last.sequence + 1) % 2**32:
        raise BrokenOgg(f"page {number} carries sequence number {page.sequence} after {last.sequence}")


def _risen(granule: int, page: _Page, number: int) -> int:
    if page.granule < granule:
        raise BrokenOgg(f"page {number} goes back in time")
    return page.granule
