"""What an audio file says of its own length, so that a cut one is told from a whole one without any metadata.

Reads headers only, and of an Ogg file its last pages. It never decodes, and what it cannot read it takes for unsaid.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import BinaryIO

from voxkeep.audio import ogg
from voxkeep.audio.probe import AudioFacts

_MAX_CHUNKS = 1024
# What writers to a pipe leave in a header: FFmpeg 0xffffffff, arecord about 0x80000000, SoX 0x7ffff000 and a bit.
_STREAMED_SIZE = 0x7FFF_F000
_MAX_ID3_TAGS = 8
_MPEG_1 = 0b11
_MONO = 0b11
_HAS_FRAMES = 1
# The fields between the frame count and the encoder's own: bytes, table of contents, quality (Xing's flags 2, 4, 8).
_XING_FIELDS = ((2, 4), (4, 100), (8, 4))
_LAME_DELAYS_OFFSET = 21


def is_cut(file: BinaryIO, container: str) -> bool:
    """Tell whether the container says that more must follow, whatever its length; only Ogg can."""
    return container == "ogg" and ogg.is_cut(file)


def stated_samples(file: BinaryIO, facts: AudioFacts) -> int | None:
    """Tell how many samples per channel the file claims, at the facts' rate; None when it does not say."""
    reader = _READERS.get(facts.container)
    try:
        return reader(file, facts) if reader else None
    except struct.error:  # the header itself is cut
        return None


def _wav_samples(file: BinaryIO, facts: AudioFacts) -> int | None:
    """Scale what is held by the bytes that are missing, which needs no trust in the header's other fields."""
    file.seek(0)
    riff = file.read(12)
    order = ">" if riff[:4] == b"RIFX" else "<"
    byte_rate, long_size = 0, 0
    for _ in range(_MAX_CHUNKS):
        name, size = struct.unpack(f"{order}4sI", file.read(8))
        start = file.tell()
        if name == b"fmt ":
            (byte_rate,) = struct.unpack_from(f"{order}I", file.read(16), 8)
        elif name == b"ds64":  # EBU Tech 3306: the size of the RIFF, then that of the data
            (long_size,) = struct.unpack_from("<Q", file.read(16), 8)
        elif name == b"data":
            stated = long_size if riff[:4] == b"RF64" else size if size < _STREAMED_SIZE else 0
            held = file.seek(0, 2) - start
            return _scaled(facts, held, stated, byte_rate)
        file.seek(start + size + size % 2)
    return None


def _scaled(facts: AudioFacts, held_bytes: int, stated_bytes: int, byte_rate: int) -> int | None:
    if held_bytes >= stated_bytes:  # or nothing is stated
        return None
    if facts.samples and held_bytes:
        return facts.samples * stated_bytes // held_bytes
    return stated_bytes * facts.sample_rate // byte_rate if byte_rate else None


def _flac_samples(file: BinaryIO, _facts: AudioFacts) -> int | None:
    """STREAMINFO's last 36 bits before the checksum; 0 is unknown (RFC 9639, 8.2)."""
    file.seek(18)
    (bits,) = struct.unpack(">Q", file.read(8))
    return bits & (1 << 36) - 1 or None


def _mp3_samples(file: BinaryIO, _facts: AudioFacts) -> int | None:
    """The frame count of a Xing, Info or VBRI header, less the encoder's delay and padding, as it is decoded."""
    file.seek(first_frame(file))
    frame = file.read(512)
    version, mode = frame[1:2], frame[3:4]
    if not mode or frame[0] != 0xFF:  # noqa: PLR2004 - sync word
        return None
    is_mpeg_1, is_mono = version[0] >> 3 & 0b11 == _MPEG_1, mode[0] >> 6 == _MONO
    frame_samples = 1152 if is_mpeg_1 else 576
    if frame[36:40] == b"VBRI":
        (frames,) = struct.unpack_from(">I", frame, 50)
        return frames * frame_samples or None
    at = 4 + _side_info_bytes(is_mpeg_1=is_mpeg_1, is_mono=is_mono)
    if frame[at : at + 4] not in {b"Xing", b"Info"}:
        return None
    frames, delays = _xing_counts(frame, at + 4)
    return frames * frame_samples - delays if frames else None


def first_frame(file: BinaryIO) -> int:
    """Give the offset behind the ID3v2 tags."""
    at = 0
    for _ in range(_MAX_ID3_TAGS):
        file.seek(at)
        tag = file.read(10)
        if tag[:3] != b"ID3" or len(tag) < 10:  # noqa: PLR2004 - ID3v2's header
            break
        size = sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
        at += 10 + size + (10 if tag[5] & 0x10 else 0)
    return at


def _side_info_bytes(*, is_mpeg_1: bool, is_mono: bool) -> int:
    """ISO 11172-3, 2.4.1.7 and ISO 13818-3, 2.4.1.7; the Xing header stands where a frame's audio would begin."""
    return (17 if is_mono else 32) if is_mpeg_1 else (9 if is_mono else 17)


def _xing_counts(frame: bytes, at: int) -> tuple[int, int]:
    """Read the frame count (0: unknown) and the samples of delay and padding behind it (none: 0)."""
    (flags,) = struct.unpack_from(">I", frame, at)
    if not flags & _HAS_FRAMES:
        return 0, 0
    (frames,) = struct.unpack_from(">I", frame, at + 4)
    lame = at + 8 + sum(size for flag, size in _XING_FIELDS if flags & flag)
    (delays,) = struct.unpack_from(">I", frame, lame + _LAME_DELAYS_OFFSET - 1)
    return frames, (delays >> 12 & 0xFFF) + (delays & 0xFFF)


_READERS: dict[str, Callable[[BinaryIO, AudioFacts], int | None]] = {
    "wav": _wav_samples,
    "flac": _flac_samples,
    "mp3": _mp3_samples,
}
