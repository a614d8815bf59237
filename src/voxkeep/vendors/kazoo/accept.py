"""What a GET of a recording asks for: its document or its media (reference 1.4).

`?accept=` beats the header, since a player sets no headers. Of equal weights the one written last wins, as in Kazoo.
More generous than Kazoo: any `audio/...` asks for media, where Kazoo knows only `audio/mpeg` and `audio/mp3`.
"""

import enum
import re
from collections.abc import Iterator

MEDIA_RANGE = re.compile(r"\s*([A-Za-z0-9!#$&^_.+*-]+/[A-Za-z0-9!#$&^_.+*-]+)\s*(;[^,]*)?", re.ASCII)
WEIGHT = re.compile(r";\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*(?:;|$)", re.ASCII)
DOCUMENTS = frozenset({"application/json", "application/x-json", "*/*", "application/*"})
WAVS = frozenset({"audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"})


class Want(enum.Enum):
    """What is asked for."""

    DOCUMENT = 0
    MEDIA = 1
    """Audio of any kind: as MP3, unless the recording is Kazoo's own."""
    WAV = 2
    """Audio as WAV, unless the recording is Kazoo's own."""
    NOTHING = 3
    """Nothing that there is: 406."""


def wanted(parameter: str | None, header: bytes | None) -> Want:
    """Return what the parameter `accept` asks for, if it can be read and means anything here, else the header."""
    if parameter is not None:
        asked = _first(parameter)
        if asked is not Want.NOTHING:
            return asked
    if header is None or not header.strip():
        return Want.DOCUMENT
    return _first(header.decode("latin-1"))


def _first(value: str) -> Want:
    for media_type in by_preference(value):
        if media_type in DOCUMENTS:
            return Want.DOCUMENT
        if media_type.startswith("audio/"):
            return Want.WAV if media_type in WAVS else Want.MEDIA
    return Want.NOTHING


def by_preference(value: str) -> Iterator[str]:
    """Yield the media ranges of an Accept header in lower case, the most wanted first; refused ones are left out."""
    weighed = list[tuple[float, int, str]]()
    for place, part in enumerate(value.split(",")):
        match = MEDIA_RANGE.fullmatch(part)
        if match is None:
            continue
        stated = WEIGHT.search(match[2] or "")
        weighed.append((float(stated[1]) if stated else 1.0, place, match[1].lower()))
    for weight, _, media_type in sorted(weighed, reverse=True):
        if weight > 0:
            yield media_type
