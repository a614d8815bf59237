"""The forms a recording can be served in, and how one is made. The same original always gives the same bytes."""

import enum
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

from voxkeep.audio.probe import AudioFacts
from voxkeep.audio.sniff import Source

WAV_HEADER_BYTES = 44
WAV_SAMPLE_BYTES = 2
OPUS_SAMPLE_RATE = 8_000


class Form(enum.StrEnum):
    """A form audio is served in."""

    OPUS = "opus"  # Ogg/Opus, mono, 8 kHz, about 8 kbit/s: the Xima dialect's
    WAV = "wav"  # PCM 16 bit at the original's rate and channels
    MP3 = "mp3"  # at the original's rate, or the nearest MP3 has, mono or stereo


class FormDescription(NamedTuple):
    """How a form is named to others."""

    media_type: str
    extension: str


FORMS = MappingProxyType(
    {
        Form.OPUS: FormDescription("audio/ogg", ".ogg"),
        Form.WAV: FormDescription("audio/wav", ".wav"),
        Form.MP3: FormDescription("audio/mpeg", ".mp3"),
    }
)


def is_form(facts: AudioFacts, form: Form) -> bool:
    """Tell whether an original is in the form already, and so is served as it is."""
    match form:
        case Form.OPUS:
            wanted = ("ogg", "opus", 1, OPUS_SAMPLE_RATE)
            return (facts.container, facts.codec, facts.channels, facts.sample_rate) == wanted
        case Form.WAV:
            return (facts.container, facts.codec) == ("wav", "pcm_s16le")
        case Form.MP3:
            return (facts.container, facts.codec) == ("mp3", "mp3")


def wav_size_bytes(facts: AudioFacts) -> int:
    """Tell the size of the WAV that `render` would write, without making it.

    An original that is a WAV already (`is_form`) is served as it is, and has its own size.
    """
    return WAV_HEADER_BYTES + facts.samples * facts.channels * WAV_SAMPLE_BYTES


def render(source: Source, form: Form, target: BinaryIO) -> None:
    """Write the source in another form, block by block, to a writable and seekable target standing at its start.

    Raises `UnreadableAudio`, and `UnrenderableAudio` for a WAV past 4 GiB. Audio of no samples becomes a WAV of 44
    bytes, and an Opus or MP3 file of one silent sample, because neither can be closed properly without any.
    """
    from voxkeep.audio import encode  # noqa: PLC0415 - heavy: an idle server never encodes

    encode.write(source, form, target)
