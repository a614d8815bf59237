"""Decoding as a stream of blocks, so that memory stays flat whatever the length.

Imports PyAV and numpy: import it late.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import TypeAlias

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container.input import InputContainer
from numpy.typing import NDArray

from voxkeep.audio import sniff
from voxkeep.audio.errors import UnreadableAudio
from voxkeep.audio.probe import AudioFacts

Block: TypeAlias = NDArray[np.int16]
"""Samples of shape (channels, n), full scale +-32768."""

BLOCK_SAMPLES = 65_536
_OPUS_DECODED_RATE = 48_000
_SANE_RATES = range(1_000, 768_001)
_SANE_CHANNELS = range(1, 9)
_NOTHING = AudioFacts(container="none", codec="none", channels=1, sample_rate=8_000, samples=0)
# Large packets: with FFmpeg's own size (an eighth of a second) an hour of WAV costs 28,000 turns of Python.
_DEMUXER_OPTIONS = {"wav": {"max_size": str(4 * BLOCK_SAMPLES)}}


class Track:
    """The one audio stream of a file, to be read once from its start to its end."""

    def __init__(self, head: AudioFacts, decoded_rate: int, demuxer: InputContainer | None = None) -> None:
        self._head = head
        self._demuxer = demuxer
        self._decoded_rate = decoded_rate
        self._decoded_samples = 0
        self.channels = head.channels
        self.sample_rate = head.sample_rate

    def facts(self) -> AudioFacts:
        """Tell the facts; right only once the track has been read to its end."""
        head = self._head
        samples = self._samples_at(head.sample_rate)
        return AudioFacts(head.container, head.codec, head.channels, head.sample_rate, samples)

    def exhaust(self) -> None:
        """Read to the end for the sake of `facts`."""
        for _ in self._frames():
            pass

    def blocks(self, *, channels: int | None = None, sample_rate: int | None = None) -> Iterator[Block]:
        """Yield the samples, mixed and resampled when asked; as many in all as the duration times the rate, rounded.

        Without a rate the samples come as the codec decodes them (Opus: 48 kHz), which costs least.
        """
        rate = sample_rate or self._decoded_rate
        layout = _layout(channels or self.channels)
        written = 0
        for frame in _converted(self._frames(), layout, rate):
            # A resampler lags behind its input until it is flushed, and may then give a sample too many or too few.
            block: Block = frame.to_ndarray()[:, : self._samples_at(rate) - written]  # type: ignore[assignment]  # s16p
            written += block.shape[1]
            yield block
        if missing := self._samples_at(rate) - written:
            yield np.zeros((channels or self.channels, missing), np.int16)

    @property
    def decoded_rate(self) -> int:
        """The rate in Hz at which `blocks` come when no other is asked."""
        return self._decoded_rate

    def _samples_at(self, rate: int) -> int:
        return round(Fraction(self._decoded_samples * rate, self._decoded_rate))

    def _frames(self) -> Iterator[AudioFrame]:
        """Decode packet by packet; a damaged packet is left out, so that the rest of the call is still heard."""
        damaged = False
        for frame in self._decode():
            if frame is None:
                damaged = True
                continue
            self._decoded_samples += round(frame.samples * self._decoded_rate / frame.sample_rate)
            frame.pts = None
            yield frame
        if not self._decoded_samples and (damaged or self._head.container == "mp3"):
            raise UnreadableAudio(f"none of the {self._head.container} file's audio can be decoded")

    def _decode(self) -> Iterator[AudioFrame | None]:
        if self._demuxer is None:
            return
        packets = self._demuxer.demux(audio=0)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                frames = packet.decode()
            except av.error.EOFError:
                return
            except av.FFmpegError:
                yield None
                continue
            yield from frames


@contextlib.contextmanager
def track(source: sniff.Source) -> Iterator[Track]:
    """Open the audio stream of a source. Raises `UnreadableAudio`."""
    with sniff.opened(source) as file:
        head = file.read(sniff.HEAD_BYTES)
        file.seek(0)
        if not head:
            yield Track(_NOTHING, _NOTHING.sample_rate)
            return
        container = sniff.container_of(head)
        if container is None:
            raise UnreadableAudio("not a WAV, MP3, Ogg or FLAC file")
        try:
            demuxer = av.open(
                file, "r", format=container, options=_DEMUXER_OPTIONS.get(container), metadata_errors="replace"
            )
        except av.error.EOFError:
            yield _header_only(container, head)
            return
        except (av.FFmpegError, ValueError) as error:
            raise UnreadableAudio(f"a damaged {container} file: {error}") from error
        with demuxer:
            yield _tracked(container, demuxer)


def _header_only(container: str, head: bytes) -> Track:
    header = sniff.header_of(container, head)
    if header is None:
        raise UnreadableAudio(f"a {container} file without a whole header")
    return _checked(container, header.codec, header.channels, header.sample_rate)


def _tracked(container: str, demuxer: InputContainer) -> Track:
    if not demuxer.streams.audio:
        raise UnreadableAudio(f"a {container} file without an audio stream")
    stream: AudioStream = demuxer.streams.audio[0]
    context = stream.codec_context
    if context is None:
        raise UnreadableAudio(f"a {container} file of an unknown codec")
    codec = context.codec.canonical_name
    rate = _opus_input_rate(context.extradata) if codec == "opus" else context.sample_rate
    return _checked(container, codec, context.channels, rate, demuxer)


def _checked(container: str, codec: str, channels: int, rate: int, demuxer: InputContainer | None = None) -> Track:
    if codec == "opus" and rate not in _SANE_RATES:
        rate = _OPUS_DECODED_RATE  # RFC 7845, 5.1: 0 is unspecified, and the field is only a hint
    if rate not in _SANE_RATES or channels not in _SANE_CHANNELS:
        raise UnreadableAudio(f"a {container} file of {channels} channels at {rate} Hz")
    decoded_rate = _OPUS_DECODED_RATE if codec == "opus" else rate
    return Track(AudioFacts(container, codec, channels, rate, 0), decoded_rate, demuxer)


def _opus_input_rate(opus_head: bytes | None) -> int:
    """The rate before encoding, from the identification header (RFC 7845, 5.1); 0 when it is not stated."""
    return int.from_bytes((opus_head or b"")[12:16], "little")


def _layout(channels: int) -> str:
    return {1: "mono", 2: "stereo"}.get(channels, f"{channels}c")


def _converted(frames: Iterator[AudioFrame], layout: str, rate: int) -> Iterator[AudioFrame]:
    """Bring every frame to planar 16 bit, the layout and the rate, gathered into large blocks.

    A stream may change its shape midway (a chained Ogg, joined MP3s), and a resampler takes only one shape.
    """
    resampler: AudioResampler | None = None
    shape = None
    for frame in frames:
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if now != shape:
            if resampler is not None:
                yield from resampler.resample(None)
            resampler, shape = AudioResampler("s16p", layout, rate, BLOCK_SAMPLES), now
        yield from _resampled(resampler, frame)
    if resampler is not None:
        yield from _resampled(resampler, None)


def _resampled(resampler: AudioResampler | None, frame: AudioFrame | None) -> list[AudioFrame]:
    if resampler is None:
        return []
    try:
        return resampler.resample(frame)
    except (av.FFmpegError, ValueError) as error:
        raise UnreadableAudio(f"audio that cannot be converted: {error}") from error
