"""What an audio file is: container, codec, channels, rate, and its exact length by decoding it."""

import msgspec

from voxkeep.audio.sniff import Source


class AudioFacts(msgspec.Struct, frozen=True):
    """The facts of one audio file.

    `container` is wav, ogg, flac or mp3; `codec` FFmpeg's name of it (pcm_s16le, pcm_mulaw, opus ...). `sample_rate`
    is in Hz; for Opus, which always decodes at 48 kHz, it is the input rate its header names. `samples` counts
    decoded samples per channel at `sample_rate`, encoder delay and padding subtracted where the file states them.

    A file of no bytes has no format. It is described as container and codec `none`, mono at 8 kHz with no samples,
    so that every form of it can still be made.
    """

    container: str
    codec: str
    channels: int
    sample_rate: int
    samples: int

    @property
    def duration_ms(self) -> int:
        """The length in milliseconds, rounded to the nearest."""
        return round(self.samples * 1000 / self.sample_rate)


def probe(source: Source) -> AudioFacts:
    """Decode the whole source, keeping none of it, and tell its facts.

    Empty and header-only files are readable: zero samples. Raises `UnreadableAudio` for everything that is not WAV,
    Ogg, FLAC or MP3 and for audio of which nothing can be decoded.
    """
    from voxkeep.audio import decode  # noqa: PLC0415 - heavy: an idle server never decodes

    with decode.track(source) as track:
        track.exhaust()
        return track.facts()
