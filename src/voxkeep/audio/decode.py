"""Decoding as a stream of blocks, so that memory stays flat whatever the length.

Imports PyAV and numpy: import it late.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO, NamedTuple, TypeAlias

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container.input import InputContainer
from numpy.typing import NDArray

from voxkeep.audio import ogg, sniff
from voxkeep.audio.errors import BrokenOgg, UnreadableAudio
from voxkeep.audio.probe import AudioFacts

Block: TypeAlias = NDArray[np.int16]
"""Samples of shape (channels, n), full scale +-32768."""

BLOCK_SAMPLES = 65_536
_OPUS_DECODED_RATE = 48_000
_SANE_RATES = range(1_000, 768_001)
_SANE_CHANNELS = range(1, 9)
_NOTHING = AudioFacts(container="none", codec="none", channels=1, sample_rate=8_000, samples=0)
# Measured on an hour of WAV: FFmpeg's own 2 kB packets cost twice the time, and 256 kB ones six times (page faults).
_DEMUXER_OPTIONS = {"wav": {"max_size": "16384"}}


class _Coded(NamedTuple):
    """Where the packets come from, and what decodes them."""

    demuxer: InputContainer
    decoder: AudioCodecContext


class Track:
    """The one audio stream of a file, to be read once from its start to its end.

    `channels` and `sample_rate` are the facts'; `decoded_rate` in Hz is what `blocks` give when no other rate is asked.
    """

    def __init__(self, head: AudioFacts, coded: _Coded | None = None) -> None:
        self._head = head
        self._coded = coded
        self._decoded_samples = 0
        self.channels = head.channels
        self.sample_rate = head.sample_rate
        self.decoded_rate = _OPUS_DECODED_RATE if head.codec == "opus" else head.sample_rate

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
        rate = sample_rate or self.decoded_rate
        layout = _layout(channels or self.channels)
        written = 0
        for frame in _converted(self._frames(), layout, rate):
            # A resampler lags behind its input until it is flushed, and may then give a sample too many or too few.
            block: Block = frame.to_ndarray()[:, : self._samples_at(rate) - written]  # type: ignore[assignment]  # s16p
            written += block.shape[1]
            yield block
        if missing := self._samples_at(rate) - written:
            yield np.zeros((channels or self.channels, missing), np.int16)

    def _samples_at(self, rate: int) -> int:
        return round(Fraction(self._decoded_samples * rate, self.decoded_rate))

    def _frames(self) -> Iterator[AudioFrame]:
        """Decode packet by packet; a damaged packet is left out, so that the rest of the call is still heard."""
        damaged = False
        for frame in self._decode():
            if frame is None:
                damaged = True
                continue
            self._decoded_samples += round(frame.samples * self.decoded_rate / frame.sample_rate)
            yield frame
        if not self._decoded_samples and (damaged or self._head.container == "mp3"):
            raise UnreadableAudio(f"none of the {self._head.container} file's audio can be decoded")

    def _decode(self) -> Iterator[AudioFrame | None]:
        if self._coded is None:
            return
        packets = self._coded.demuxer.demux(audio=0)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                frames = self._coded.decoder.decode(packet if packet.size else None)
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
            yield Track(_NOTHING)
            return
        container = sniff.container_of(head)
        if container is None:
            raise UnreadableAudio("not a WAV, MP3, Ogg or FLAC file")
        try:
            demuxer = av.open(
                file, "r", format=container, options=_DEMUXER_OPTIONS.get(container), metadata_errors="replace"
            )
        except av.error.EOFError:
            yield _header_only(container, head, file)
            return
        except (av.FFmpegError, ValueError) as error:
            raise UnreadableAudio(f"a damaged {container} file: {_told(error)}") from error
        with demuxer:
            yield _tracked(container, demuxer)


def _told(error: Exception) -> str:
    """FFmpeg's own words, without the number and the file's name that stand around them."""
    return getattr(error, "strerror", None) or "what its header says makes no sense"


def _header_only(container: str, head: bytes, file: BinaryIO) -> Track:
    """Describe a file that ends before its audio; not one whose header FFmpeg passed over because it is damaged."""
    header = sniff.header_of(container, head)
    if container == "ogg":
        file.seek(0)
        try:
            ogg.check_first_page(file)
        except BrokenOgg as error:
            raise UnreadableAudio(error.reason) from error
    if header is None:
        raise UnreadableAudio(f"a {container} file without a whole header")
    return Track(_checked(container, header.codec, header.channels, header.sample_rate))


def _tracked(container: str, demuxer: InputContainer) -> Track:
    if not demuxer.streams.audio:
        raise UnreadableAudio(f"a {container} file without an audio stream")
    context = demuxer.streams.audio[0].codec_context
    if context is None:
        raise UnreadableAudio(f"a {container} file of an unknown codec")
    codec = context.codec.canonical_name
    if codec != "opus":
        head = _checked(container, codec, context.channels, context.sample_rate)
        return Track(head, _Coded(demuxer, context))
    opus_head = context.extradata or b""
    input_rate = int.from_bytes(opus_head[12:16], "little")  # RFC 7845, 5.1
    head = _checked(container, codec, context.channels, input_rate)
    return Track(head, _Coded(demuxer, _libopus(context)))


def _libopus(context: AudioCodecContext) -> AudioCodecContext:
    """Replace FFmpeg's own Opus decoder by the reference one.

    FFmpeg's is half a millisecond late, and loses that from the end of a file of a single packet.
    """
    decoder = av.CodecContext.create("libopus", "r")
    decoder.extradata = context.extradata
    decoder.layout = context.layout
    return decoder


def _checked(container: str, codec: str, channels: int, rate: int) -> AudioFacts:
    if codec == "opus" and rate not in _SANE_RATES:
        rate = _OPUS_DECODED_RATE  # RFC 7845, 5.1: 0 is unspecified, and the field is only a hint
    if rate not in _SANE_RATES or channels not in _SANE_CHANNELS:
        raise UnreadableAudio(f"a {container} file of {channels} channels at {rate} Hz")
    return AudioFacts(container, codec, channels, rate, samples=0)


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
        raise UnreadableAudio(f"audio that cannot be converted: {_told(error)}") from error
