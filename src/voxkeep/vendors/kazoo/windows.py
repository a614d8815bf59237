"""A window of the collector as the spans of creation that a cluster is asked for (reference 1.2, 7.1, 7.3).

The collector's windows are about when recordings were made; Kazoo lists by creation, which is when a document was
written: at the end of its recording. Two questions make them meet:

- what was created in the window, whatever it says of its start: so each document is listed by the window that its
  creation lies in, and a watermark over windows leaves none behind, however long its recording was;
- what was created up to the longest recording later, of which is taken what began in the window: so a run that is told
  where to end has all that began before.

What straddles an end is thus listed by all windows it touches, one after the other, and the collector, which knows the
keys of the window before, counts it once.
"""

from typing import NamedTuple

from voxkeep.archive.units import DAY_MS, EpochMs
from voxkeep.collect.source import Window
from voxkeep.vendors.kazoo.gregorian import gregorian

SECOND_MS = 1_000
MINUTE_MS = 60_000
LATE_MS = 10 * MINUTE_MS
"""A document may be written so much after its recording ended, or by a clock that goes so much slower."""
LONGEST_RECORDING_MS = 3 * 60 * MINUTE_MS
"""10,800 s: `media.max_recording_time_limit` (reference 3.1)."""
LONGEST_SPAN_MS = 28 * DAY_MS
"""A cluster takes 31 days and an hour unless told otherwise (reference 0.6)."""
SHORTEST_SPAN_MS = DAY_MS


class Span(NamedTuple):
    """What is asked for with one pair of bounds."""

    first: int
    last: int
    """Whole seconds in ms since 1970, both within."""
    begun_by: EpochMs | None
    """Only what began until then is wanted; None for everything."""

    @property
    def length_ms(self) -> int:
        """How long it is."""
        return self.last - self.first

    @property
    def query(self) -> dict[str, str]:
        """The span as parameters."""
        return {"created_from": str(gregorian(self.first)), "created_to": str(gregorian(self.last))}


def spans(window: Window, now: EpochMs) -> list[Span]:
    """Return what is to be asked for a window; nothing is asked for beyond `now`.

    A cluster whose clock is behind reads a bound in its future as it stands, and has nothing there.
    """
    later = min(window.last + LONGEST_RECORDING_MS + LATE_MS, now)
    first = (window.first - LATE_MS) // SECOND_MS * SECOND_MS
    last, later = (-(-each // SECOND_MS) * SECOND_MS for each in (window.last, later))
    return [Span(first, last, None)] + ([Span(last, later, window.last)] if later - last > SECOND_MS else [])


def cut(span: Span, longest_ms: int) -> list[Span]:
    """Return a span in pieces of at most `longest_ms` (whole seconds), oldest first; they share their ends."""
    firsts = range(span.first, max(span.last, span.first + 1), longest_ms)
    return [Span(first, min(first + longest_ms, span.last), span.begun_by) for first in firsts]


def half(length_ms: int) -> int:
    """Return half of a length, in whole seconds; two of them are not less."""
    return -(-length_ms // (2 * SECOND_MS)) * SECOND_MS
