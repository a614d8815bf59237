"""Writing the forms, bit-exactly. Imports PyAV and numpy: import it late.

FFmpeg's muxers put random serial numbers and their version into files unless told `bitexact`; with it, rendering twice
gives the same bytes, so that a form's hash can be its ETag. WAV is written by the standard library: FFmpeg widens its
header for more than two channels or for high rates, and the promised size needs exactly 44 bytes.
"""

from __future__ import annotations

import wave
from collections.abc import Iterator
from fractions import Fraction
from types import MappingProxyType
from typing import BinaryIO, Literal, NamedTuple

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container.output import OutputContainer

from voxkeep.audio import decode
from voxkeep.audio.errors import UnrenderableAudio
from voxkeep.audio.render import OPUS_SAMPLE_RATE, WAV_HEADER_BYTES, WAV_SAMPLE_BYTES, Form
from voxkeep.audio.sniff import Source

_WAV_MAX_BYTES = 2**32 - 1
_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_MP3_BITS_PER_SAMPLE = 3  # 24 kbit/s for telephone mono, 288 kbit/s at most, which LAME rounds to a rate it has


class _Coding(NamedTuple):
    """What an encoder is told."""

    container: str
    codec: Literal["libopus", "libmp3lame"]
    sample_format: str
    sample_rate: int
    channels: int
    bits_per_second: int
    options: MappingProxyType[str, str]


_OPUS = _Coding(
    container="ogg",
    codec="libopus",
    sample_format="s16",
    sample_rate=OPUS_SAMPLE_RATE,
    channels=1,
    bits_per_second=8_000,
    # 60 ms packets: nobody waits for a recording's packets, and a third as many are smaller and faster to decode.
    options=MappingProxyType({"application": "voip", "vbr": "on", "compression_level": "10", "frame_duration": "60"}),
)


def write(source: Source, form: Form, target: BinaryIO) -> None:
    """Write the source in the form; see `render.render`."""
    with decode.track(source) as track:
        match form:
            case Form.WAV:
                _write_wav(track, target)
            case Form.OPUS:
                _write_coded(track, _OPUS, target)
            case Form.MP3:
                _write_coded(track, _mp3(track), target)


def _write_wav(track: decode.Track, target: BinaryIO) -> None:
    size_bytes = WAV_HEADER_BYTES
    with wave.open(target, "wb") as wav:
        wav.setparams((track.channels, WAV_SAMPLE_BYTES, track.sample_rate, 0, "NONE", "not compressed"))
        for block in track.blocks(sample_rate=track.sample_rate):
            size_bytes += block.nbytes
            if size_bytes > _WAV_MAX_BYTES:
                raise UnrenderableAudio("longer than the 4 GiB that a WAV file can hold")
            wav.writeframesraw(block.T.tobytes())


def _mp3(track: decode.Track) -> _Coding:
    channels = min(track.channels, 2)
    rate = next((rate for rate in _MP3_RATES if rate >= track.sample_rate), _MP3_RATES[-1])
    return _Coding(
        container="mp3",
        codec="libmp3lame",
        sample_format="s16p",
        sample_rate=rate,
        channels=channels,
        bits_per_second=_MP3_BITS_PER_SAMPLE * rate * channels,
        options=MappingProxyType({}),
    )


def _write_coded(track: decode.Track, coding: _Coding, target: BinaryIO) -> None:
    blocks = track.blocks(channels=coding.channels, sample_rate=coding.sample_rate)
    with av.open(target, "w", format=coding.container, options={"fflags": "+bitexact"}) as muxer:
        stream = _add_stream(muxer, coding)
        for frame in _frames(blocks, coding):
            muxer.mux(stream.encode(frame))
        muxer.mux(stream.encode(None))


def _add_stream(muxer: OutputContainer, coding: _Coding) -> AudioStream:
    return muxer.add_stream(
        coding.codec,
        rate=coding.sample_rate,
        options={"flags": "+bitexact", **coding.options},
        layout="mono" if coding.channels == 1 else "stereo",
        format=coding.sample_format,
        bit_rate=coding.bits_per_second,
    )


def _frames(blocks: Iterator[decode.Block], coding: _Coding) -> Iterator[AudioFrame]:
    """Stamp every block with its position: without it the encoder's delay would be counted as audio."""
    position = 0
    for block in _at_least_one_sample(blocks, coding.channels):
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(block), coding.sample_format, "mono" if coding.channels == 1 else "stereo"
        )
        frame.sample_rate = coding.sample_rate
        frame.time_base = Fraction(1, coding.sample_rate)
        frame.pts = position
        position += block.shape[1]
        yield frame


def _at_least_one_sample(blocks: Iterator[decode.Block], channels: int) -> Iterator[decode.Block]:
    empty = True
    for block in blocks:
        if block.shape[1]:
            empty = False
            yield block
    if empty:
        yield np.zeros((channels, 1), np.int16)
