"""What an audio file's first bytes say of it, without decoding any: for what must be kept at once and examined soon.

Only WAV and MP3, which is what switches record; of anything else, and of what is unusual, nothing is said here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import BinaryIO

from voxkeep.audio.probe import AudioFacts
from voxkeep.audio.sniff import HEAD_BYTES, container_of
from voxkeep.audio.stated import first_frame, stated_samples

_WAV_CODECS: Mapping[tuple[int, int], str] = {
    (1, 8): "pcm_u8", (1, 16): "pcm_s16le", (1, 24): "pcm_s24le", (1, 32): "pcm_s32le",
    (3, 32): "pcm_f32le", (6, 8): "pcm_alaw", (7, 8): "pcm_mulaw",
}  # fmt: skip
"""(format tag, bits a sample) -> FFmpeg's name of the codec."""
_STREAMED_SIZE = 0x7FFF_F000
"""Sizes from here on are what a writer to a pipe leaves in a header: the data goes on to the end of the file."""
_MOST_CHUNKS = 64
_MOST_CHANNELS = 8
_SANE_RATES = range(1_000, 768_001)
_MPEG_RATES: Mapping[int, tuple[int, int, int]] = {
    0b11: (44_100, 48_000, 32_000),
    0b10: (22_050, 24_000, 16_000),
    0b00: (11_025, 12_000, 8_000),
}
"""Version bits of a frame header -> sample rates by the frame's rate bits (ISO 11172-3, ISO 13818-3, MPEG 2.5)."""
_MONO = 0b11


def outline(file: BinaryIO, told_ms: int | None) -> AudioFacts | None:
    """Return what a file is by its header, None where that does not say all.

    Where the file does not state its length, the one that it was told to have (`told_ms`) counts.
    """
    file.seek(0)
    reader = _READERS.get(container_of(file.read(HEAD_BYTES)) or "")
    try:
        return reader(file, told_ms) if reader else None
    except (struct.error, IndexError):
        return None


def _wav(file: BinaryIO, _told_ms: int | None) -> AudioFacts | None:
    file.seek(0)
    if file.read(4) != b"RIFF":
        return None
    file.seek(12)
    fmt: bytes | None = None
    for _ in range(_MOST_CHUNKS):
        name, size = struct.unpack("<4sI", file.read(8))
        start = file.tell()
        if name == b"fmt ":
            fmt = file.read(16)
        elif name == b"data":
            held = file.seek(0, 2) - start
            return None if fmt is None else _pcm(fmt, held if size >= _STREAMED_SIZE else min(size, held))
        file.seek(start + size + size % 2)
    return None


def _pcm(fmt: bytes, data_bytes: int) -> AudioFacts | None:
    tag, channels, rate, _, align, bits = struct.unpack("<HHIIHH", fmt)
    codec = _WAV_CODECS.get((tag, bits))
    if codec is None or not 1 <= channels <= _MOST_CHANNELS or rate not in _SANE_RATES or align != channels * bits // 8:
        return None
    return AudioFacts("wav", codec, channels, rate, data_bytes // align)


def _mp3(file: BinaryIO, told_ms: int | None) -> AudioFacts | None:
    file.seek(first_frame(file))
    head = file.read(4)
    rates = _MPEG_RATES.get(head[1] >> 3 & 0b11)
    number = head[2] >> 2 & 0b11
    if container_of(head) != "mp3" or rates is None or number >= len(rates):
        return None
    facts = AudioFacts("mp3", "mp3", 1 if head[3] >> 6 == _MONO else 2, rates[number], 0)
    samples = stated_samples(file, facts)
    if samples is None and told_ms is not None:
        samples = told_ms * facts.sample_rate // 1000
    if samples is None or samples < 0:
        return None
    return AudioFacts(facts.container, facts.codec, facts.channels, facts.sample_rate, samples)


_READERS: Mapping[str, Callable[[BinaryIO, int | None], AudioFacts | None]] = {"wav": _wav, "mp3": _mp3}
