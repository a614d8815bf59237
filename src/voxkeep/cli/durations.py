"""Durations as people write them on the command line: `90d`, `24h`, `30m`, `45s`, `1d12h`."""

import re
from collections.abc import Mapping

from voxkeep.archive.units import DurationMs
from voxkeep.cli.common import USAGE, Failure

FORM = re.compile(r"(\d{1,9}[dhms])+", re.ASCII)
PART = re.compile(r"(\d+)([dhms])", re.ASCII)
UNITS_MS: Mapping[str, int] = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000}
LONGEST_MS = 100 * 366 * UNITS_MS["d"]


def duration_ms(text: str) -> DurationMs:
    """Return the length that `text` gives. Raises Failure for what is none, or longer than a century."""
    if FORM.fullmatch(text) is None:
        raise Failure(f"{text!r} is no duration: write 90d, 24h, 30m, 45s or 1d12h", USAGE)
    total = sum(int(number) * UNITS_MS[unit] for number, unit in PART.findall(text))
    if total > LONGEST_MS:
        raise Failure(f"{text!r} is longer than a century", USAGE)
    return DurationMs(total)
