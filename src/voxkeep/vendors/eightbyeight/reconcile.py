"""Reconciling what the API lists with what lies on the FTPS server: nothing that is in either is left out.

The days' folders hold wav files and an index that do not always agree with each other, nor with the API (reference 3).
What the API does not list is taken from the index, what neither lists from the name of the wav file alone. What is so
new that the API may list it late is left for the next run, so that it comes with all that is known of it.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from voxkeep.archive.model import Recording, Transcript
from voxkeep.archive.units import DAY_MS, HOUR_MS, EpochMs, TenantId, now_ms
from voxkeep.collect.errors import Gone
from voxkeep.collect.source import Listed, Listing, Pending, Ready, Rejected, Window
from voxkeep.vendors.eightbyeight import indexfile
from voxkeep.vendors.eightbyeight.ftps import Ftps
from voxkeep.vendors.eightbyeight.wire import call_of

LATE_MS = HOUR_MS
"""What the API tells of a call may come so late (reference 10)."""
MAY_BE_CHANGED = "so new that 8x8 may still add to it"
MAY_BE_LISTED = "on the FTPS server, and so new that the API may still list it"
SLACK_MS = 1_500
"""Durations are told in whole seconds, rounded down."""
IN_TREE = "tree"
"""`Listed.place` of what the API does not list."""
DAYS_REMEMBERED = 2


class Day(Struct, frozen=True):
    """What lies in a day's folder."""

    wavs: frozenset[str]
    """With the folder before each: as the API names them."""
    lines: Mapping[str, indexfile.Line]
    """What the index says, by name; nothing when there is none, or none that can be used."""
    starts: Mapping[str, EpochMs]
    """When each of both began, by name."""
    read_at: EpochMs

    def within(self, window: Window, names: Iterable[str]) -> list[str]:
        """Return those of the names that began in a window."""
        return [name for name in names if _within(window, self.starts[name])]


class Tree:
    """The folders of one tenant."""

    def __init__(self, ftps: Ftps, tenant: TenantId) -> None:
        self._ftps = ftps
        self._tenant = tenant
        self._days: dict[str, Day] = {}

    async def beyond(self, window: Window, known: Mapping[str, EpochMs]) -> Listing:
        """Return what lies in the folders and started in a window, but is not known (names and starts of the API's).

        Raises VendorFailure.
        """
        found = Listing([], [], [])
        for folder in folders_of(window):
            day = await self._day(folder, window, found)
            here = {name for name, at in known.items() if name.startswith(f"{folder}/") and _within(window, at)}
            lines = dict.fromkeys(day.within(window, day.lines))
            extra = [name for name in lines if name not in known]
            bare = set(day.within(window, day.wavs)) - known.keys() - lines.keys()
            found.listed.extend(self._of_line(day.lines[name]) for name in extra)
            found.listed.extend(self._of_name(name, folder) for name in sorted(bare))
            counts = (len(extra), len(bare), len((here | lines.keys()) - day.wavs))
            found.notes.extend(_note(folder, *pair) for pair in zip(counts, NOTES, strict=True) if pair[0])
        return found

    async def supplied(self, name: str, window: Window, found: Listing) -> bool:
        """Tell whether a name lies in its day's folder or index, and so is listed in the window that it began in.

        What reading the folder brings up is told in `found`. Raises VendorFailure.
        """
        folder = name.partition("/")[0]
        if indexfile.time_in(name) is None or not _is_day(folder):
            return False
        return name in (await self._day(folder, window, found)).starts

    def _of_line(self, line: indexfile.Line) -> Listed:
        recording = indexfile.recording(line, self._tenant)
        status = status_of(recording, MAY_BE_LISTED)
        return listed_as(recording, known=line.duration_known, status=status, place=IN_TREE)

    def _of_name(self, name: str, folder: str) -> Listed:
        at = indexfile.time_in(name) or _time_of(name, folder)
        recording = indexfile.bare(name, at, self._tenant)
        return listed_as(recording, known=False, status=status_of(recording, MAY_BE_LISTED), place=IN_TREE)

    async def holds(self, name: str) -> bool:
        """Tell whether a file is there. Raises VendorFailure."""
        return name in await self._wavs(name.partition("/")[0], [])

    async def _day(self, folder: str, window: Window, found: Listing) -> Day:
        """Read a folder, unless what was read holds all that started in the window."""
        day = self._days.get(folder)
        if day is None or day.read_at <= window.last:
            read_at = now_ms()
            wavs = await self._wavs(folder, found.rejected)
            lines = await self._lines(folder, found) if wavs else {}
            starts = await asyncio.to_thread(_starts, {*wavs, *lines}, folder)
            day = Day(wavs, lines, starts, read_at)
            self._days.pop(folder, None)
            self._days[folder] = day
            for old in list(self._days)[:-DAYS_REMEMBERED]:
                del self._days[old]
        return day

    async def _wavs(self, folder: str, rejected: list[Rejected]) -> frozenset[str]:
        try:
            names = await self._ftps.names(folder)
        except Gone:
            return frozenset()  # a day without recordings has no folder
        wavs = {f"{folder}/{name}" for name in names if name.lower().endswith(".wav")}
        odd = {name for name in wavs if indexfile.time_in(name) is None}
        rejected += [
            Rejected(name.encode(), "a wav file whose name is none of a recording", name, beside=True)
            for name in sorted(odd)
        ]
        return frozenset(wavs - odd)

    async def _lines(self, folder: str, found: Listing) -> Mapping[str, indexfile.Line]:
        """Return the lines of a day's index, and tell of what is wrong with it."""
        path = f"{folder}/I{folder[1:]}_version2.csv"
        try:
            body = await self._ftps.whole("RETR", path)
        except Gone:
            found.notes.append(f"{folder}: there is no index file")
            return {}
        index = await asyncio.to_thread(indexfile.read, body, folder)
        if not index.is_utf8:
            found.notes.append(f"{folder}: the index file is not UTF-8, and was read as Latin-1")
        if index.broken:
            found.rejected.append(Rejected(body, f"{path}: {index.broken}", path, beside=True))
        found.rejected.extend(Rejected(each.raw, f"{path}: {each.reason}", each.key, beside=True) for each in index.bad)
        return index.lines


NOTES = (
    "the index names {} that the API does not list",
    "{} with a wav file that neither the API nor the index lists",
    "{} without the wav file that the API or the index names",
)


def _note(folder: str, count: int, text: str) -> str:
    return f"{folder}: {text.format(f'{count:,} recording' if count == 1 else f'{count:,} recordings')}"


def status_of(recording: Recording | Transcript, reason: str) -> Ready | Pending:
    """Return Pending, with a reason, for what ended within the last hour, or seems to begin or end in the next.

    An end that lies further ahead is none: its duration cannot be right.
    """
    now = now_ms()
    ended_at = recording.started_at + recording.duration_ms
    is_new = recording.started_at > now - LATE_MS or abs(ended_at - now) < LATE_MS
    return Pending(reason) if is_new else Ready()


def _within(window: Window, at: EpochMs) -> bool:
    return window.first <= at <= window.last


def _starts(names: Iterable[str], folder: str) -> dict[str, EpochMs]:
    return {name: _time_of(name, folder) for name in names}


def _time_of(name: str, folder: str) -> EpochMs:
    """Return when a file of a folder started: what its name says, or the day's first moment where that is elsewhere.

    Else a file in a wrong folder would belong to a window that never looks there.
    """
    midnight = _midnight(folder)
    at = indexfile.time_in(name)
    return at if at is not None and 0 <= at - midnight < DAY_MS else midnight


def _is_day(folder: str) -> bool:
    try:
        _midnight(folder)
    except ValueError:
        return False
    return True


def _midnight(folder: str) -> EpochMs:
    return EpochMs(int(datetime.strptime(folder, "S%Y%m%d").replace(tzinfo=UTC).timestamp()) * 1000)


def folders_of(window: Window) -> Iterator[str]:
    """Yield the folders of the UTC days that a window touches."""
    for day in range(window.first // DAY_MS, window.last // DAY_MS + 1):
        yield f"S{datetime.fromtimestamp(day * DAY_MS / 1000, UTC):%Y%m%d}"


def listed_as(
    recording: Recording, *, known: bool = True, status: Ready | Pending | None = None, place: str = ""
) -> Listed:
    """Return a recording as listed; `known` tells whether its duration is."""
    return Listed(
        item=recording,
        status=status or Ready(),
        call=call_of(recording),
        expected_duration_ms=recording.duration_ms or None,
        duration_slack_ms=SLACK_MS,
        duration_known=known,
        place=place,
    )
