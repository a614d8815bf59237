"""The clips that ship with the package: short two-party telephone calls, each in its two forms."""

from functools import lru_cache
from importlib.resources import files

import msgspec
from msgspec import Struct

from voxkeep.audio.probe import AudioFacts

SAMPLE_RATE = 8_000
WAV_HEADER_BYTES, WAV_SAMPLE_BYTES = 44, 2


class Line(Struct, frozen=True):
    """A spoken line of a clip."""

    speaker: str
    text: str


class FormFile(Struct, frozen=True):
    """One form of a clip."""

    file: str
    bytes: int
    sha256: str


class Clip(Struct, frozen=True):
    """A clip: PCM 16-bit mono 8 kHz WAV as the original, and its Ogg/Opus form."""

    name: str
    topic: str
    duration_ms: int
    wav: FormFile
    ogg: FormFile
    transcript: tuple[Line, ...]

    @property
    def facts(self) -> AudioFacts:
        """The facts of the original, as `voxkeep.audio.probe` finds them."""
        samples = (self.wav.bytes - WAV_HEADER_BYTES) // WAV_SAMPLE_BYTES
        return AudioFacts("wav", "pcm_s16le", 1, SAMPLE_RATE, samples)


@lru_cache
def clips() -> tuple[Clip, ...]:
    """Return the clips, in the order of their names."""
    return msgspec.json.decode(content("clips.json"), type=tuple[Clip, ...])


@lru_cache(maxsize=64)
def content(name: str) -> bytes:
    """Return the bytes of a file among the clips."""
    return (files("voxkeep.demo") / "clips" / name).read_bytes()
