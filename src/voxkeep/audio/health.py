"""What is wrong with a readable recording: a bitset that a row can hold and a person can read."""

import enum

import msgspec

from voxkeep.audio import stated
from voxkeep.audio.probe import AudioFacts
from voxkeep.audio.sniff import Source, opened

SHORT_SHARE = 0.02
SHORT_MS = 200


class Health(enum.IntFlag):
    """Zero is healthy; the values are stored, so they never change.

    EMPTY: no samples at all; with HEADER_ONLY the file at least has bytes, without it not even those.
    SILENT: no sample of any channel above -60 dBFS. ONE_WAY: stereo of which exactly one channel is silent.
    CLIPPED: more than a thousandth of one channel's samples stand in flat tops, that is, in runs of three or more equal
    samples within 2 % of full scale (G.711 can go no higher). SHORT: shorter than the metadata or the
    file itself says, by more than 2 % and by more than 200 ms; or an Ogg file that does not come to its end.
    UNEXAMINED: kept before it was looked into; until it is, soon, its facts are what its header says.
    UNREADABLE: kept as it came, though it is no audio that can be decoded here; its facts are what was told of it.
    """

    EMPTY = 1
    HEADER_ONLY = 2
    SILENT = 4
    ONE_WAY = 8
    CLIPPED = 16
    SHORT = 32
    UNREADABLE = 64
    UNEXAMINED = 128

    def words(self) -> tuple[str, ...]:
        """Tell the flags as words: `()` when healthy, `("one_way", "short")`."""
        return tuple(flag.name.lower() for flag in Health if flag in self and flag.name)


class Examination(msgspec.Struct, frozen=True):
    """What an audio file is, and what is wrong with it."""

    facts: AudioFacts
    health: Health


def examine(source: Source, expected_duration_ms: int | None = None) -> Examination:
    """Decode the whole source once, in blocks, and tell its facts and health. Raises `UnreadableAudio`.

    `expected_duration_ms` is what the recording's metadata says; None when it says nothing.
    """
    from voxkeep.audio import decode, levels  # noqa: PLC0415 - heavy: an idle server never decodes

    with decode.track(source) as track:
        meter = levels.LevelMeter(track.channels)
        for block in track.blocks():
            meter.add(block)
        facts = track.facts()
    health = _emptiness(facts) if not facts.samples else _signal_health(meter.silent(), meter.clipped())
    if (expected_duration_ms is not None and is_short(facts.duration_ms, expected_duration_ms)) or _is_cut(
        source, facts
    ):
        health |= Health.SHORT
    return Examination(facts, health)


def is_short(actual_ms: int, expected_ms: int) -> bool:
    """Tell whether the difference is more than rounding and more than a cut-off tail's worth."""
    return expected_ms - actual_ms > max(SHORT_SHARE * expected_ms, SHORT_MS)


def _is_cut(source: Source, facts: AudioFacts) -> bool:
    with opened(source) as file:
        samples = stated.stated_samples(file, facts)
        if samples is not None and is_short(facts.duration_ms, samples * 1000 // facts.sample_rate):
            return True
        return stated.is_cut(file, facts.container)


def _emptiness(facts: AudioFacts) -> Health:
    return Health.EMPTY if facts.container == "none" else Health.EMPTY | Health.HEADER_ONLY


def _signal_health(silent: list[bool], clipped: list[bool]) -> Health:
    health = Health(0)
    if all(silent):
        health |= Health.SILENT
    elif len(silent) == 2 and any(silent):  # noqa: PLR2004 - the two ways of a call
        health |= Health.ONE_WAY
    if any(clipped):
        health |= Health.CLIPPED
    return health
