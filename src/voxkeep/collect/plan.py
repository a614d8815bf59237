"""Which windows a run lists: where it begins, how long each is, which is cut in halves.

Windows abut and include both ends, so that whatever a vendor takes its bounds for, nothing falls between two of them
(reference D22); what is listed twice is recognised by its key.
"""

from voxkeep.archive.units import DAY_MS, HOUR_MS, EpochMs
from voxkeep.collect.source import Window
from voxkeep.settings import Collect

SHORTEST_MS = 5 * 60_000
LONGEST_MS = 5 * DAY_MS
MARGIN_MS = DAY_MS
"""So much around a recording has to be listed before it counts as not listed: a vendor may list by the start of the
call, or late."""
FEW_SHARE = 4
"""Fewer than a quarter of a window's records are few: the next window is twice as long."""


def default_start(now: EpochMs, settings: Collect) -> EpochMs:
    """Return where a first run begins."""
    return EpochMs(now - settings.first_run_days * DAY_MS)


def earliest(watermark: EpochMs, settings: Collect) -> EpochMs:
    """Return the furthest that a later run goes back, for recordings that are still open."""
    return EpochMs(watermark - max(settings.first_run_days, settings.overlap_days) * DAY_MS)


def start(watermark: EpochMs | None, oldest_open: EpochMs | None, now: EpochMs, settings: Collect) -> EpochMs:
    """Return where a run begins that was not told: some days before the watermark, or at the oldest still open."""
    if watermark is None:
        return default_start(now, settings)
    begin = watermark - settings.overlap_days * DAY_MS
    if oldest_open is not None:
        begin = min(begin, oldest_open - MARGIN_MS)
    return EpochMs(max(begin, earliest(watermark, settings)))


class Windows:
    """The windows of one span, oldest first."""

    def __init__(self, span: Window, settings: Collect) -> None:
        self._span = span
        self._records = settings.window_records
        self._length = min(settings.window_hours * HOUR_MS, LONGEST_MS)
        self._halves: list[Window] = []
        self._at = span.first
        self._begun = False

    def next(self) -> Window | None:
        """Return the next window, None after the last."""
        if self._halves:
            return self._halves.pop()
        if self._begun and self._at >= self._span.last:
            return None
        self._begun = True
        window = Window(self._at, EpochMs(min(self._at + self._length, self._span.last)))
        self._at = window.last
        return window

    def rest(self) -> Window | None:
        """Return what has not been given out yet, as one window; None when there is nothing."""
        if self._halves:
            return Window(self._halves[-1].first, self._span.last)
        if self._begun and self._at >= self._span.last:
            return None
        return Window(self._at, self._span.last)

    def listed(self, records: int) -> None:
        """Learn from how many records a window had."""
        if records > self._records:
            self._length = max(self._length // 2, SHORTEST_MS)
        elif records < self._records // FEW_SHARE:
            self._length = min(self._length * 2, LONGEST_MS)

    def can_halve(self, window: Window) -> bool:
        """Tell whether a window is long enough to be cut."""
        return window.last - window.first > SHORTEST_MS

    def halve(self, window: Window) -> None:
        """Give `window` out again in two halves, and make the following ones shorter."""
        middle = EpochMs((window.first + window.last) // 2)
        self._halves += [Window(middle, window.last), Window(window.first, middle)]
        self._length = max(self._length // 2, SHORTEST_MS)
