"""Kazoo's clock: seconds since the year 0 of the Gregorian calendar (reference 0.3)."""

from voxkeep.archive.units import EpochMs

OFFSET_SECONDS = 62_167_219_200
"""1970-01-01T00:00Z in Gregorian seconds."""


def gregorian(at: int) -> int:
    """Return a moment in ms since 1970 as Gregorian seconds, rounded down."""
    return at // 1000 + OFFSET_SECONDS


def epoch_ms(seconds: int) -> EpochMs:
    """Return Gregorian seconds as a moment in ms since 1970."""
    return EpochMs((seconds - OFFSET_SECONDS) * 1000)
