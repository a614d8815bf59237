"""Reconciling what the API lists with what lies on the FTPS server: nothing that is in either is left out.

The days' folders hold wav files and an index that do not always agree with each other, nor with the API (reference 3).
What the API does not list is taken from the index, what neither lists from the name of the wav file alone. What is so
new that the API may list it late is left for the next run, so that it comes with all that is known of it.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from msgspec import Struct

from voxkeep.archive.model import Recording
from voxkeep.archive.units import DAY_MS, HOUR_MS, EpochMs, TenantId, now_ms
from voxkeep.collect.errors import Gone
from voxkeep.collect.source import Listed, Listing, Pending, Ready, Rejected, Window
from voxkeep.vendors.eightbyeight import indexfile
from voxkeep.vendors.eightbyeight.ftps import Ftps
from voxkeep.vendors.eightbyeight.shapes import Bad
from voxkeep.vendors.eightbyeight.wire import call_of

LATE_MS = HOUR_MS
"""What the API tells of a call may come so late (reference 10)."""
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
    index: str
    """"" when there is none, or none that can be used."""
    read_at: EpochMs


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
            wavs = {name for name in day.wavs if _within(window, _time_of(name, folder))}
            lines = _lines_within(window, day.index, folder)
            extra = {name: line for name, line in lines.items() if name not in known}
            bare = wavs - known.keys() - lines.keys()
            found.listed.extend(self._of_line(line) for line in extra.values())
            found.listed.extend(self._of_name(name, folder) for name in sorted(bare))
            counts = (len(extra), len(bare), len((here | lines.keys()) - day.wavs))
            found.notes.extend(_note(folder, *pair) for pair in zip(counts, NOTES, strict=True) if pair[0])
        return found

    def _of_line(self, line: indexfile.Line) -> Listed:
        recording = indexfile.recording(line, self._tenant)
        return listed_as(recording, known=line.duration_known, status=_status(line.started_at), place=IN_TREE)

    def _of_name(self, name: str, folder: str) -> Listed:
        at = indexfile.time_in(name) or _time_of(name, folder)
        recording = indexfile.bare(name, at, self._tenant)
        return listed_as(recording, known=False, status=_status(at), place=IN_TREE)

    async def holds(self, name: str) -> bool:
        """Tell whether a file is there. Raises VendorFailure."""
        return name in await self._wavs(name.partition("/")[0], [])

    async def _day(self, folder: str, window: Window, found: Listing) -> Day:
        """Read a folder, unless what was read holds all that started in the window."""
        day = self._days.get(folder)
        if day is None or day.read_at <= window.last:
            read_at = now_ms()
            wavs = await self._wavs(folder, found.rejected)
            index = await self._index(folder, found) if wavs else ""
            day = Day(wavs, index, read_at)
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

    async def _index(self, folder: str, found: Listing) -> str:
        """Return the text of a day's index, and tell of what is wrong with it."""
        path = f"{folder}/I{folder[1:]}_version2.csv"
        try:
            body = await self._ftps.whole("RETR", path)
        except Gone:
            found.notes.append(f"{folder}: there is no index file")
            return ""
        text, is_utf8 = indexfile.decoded(body)
        if not is_utf8:
            found.notes.append(f"{folder}: the index file is not UTF-8, and was read as Latin-1")
        bad: list[Bad] = []
        try:
            bad.extend(line for line in indexfile.lines(text, folder) if isinstance(line, Bad))
        except indexfile.Unusable as error:
            found.rejected.append(Rejected(body, f"{path}: {error}", path, beside=True))
        found.rejected.extend(Rejected(each.raw, f"{path}: {each.reason}", each.key, beside=True) for each in bad)
        return text


NOTES = (
    "the index names {} that the API does not list",
    "{} with a wav file that neither the API nor the index lists",
    "{} without the wav file that the API or the index names",
)


def _note(folder: str, count: int, text: str) -> str:
    return f"{folder}: {text.format(f'{count:,} recording' if count == 1 else f'{count:,} recordings')}"


def _lines_within(window: Window, index: str, folder: str) -> dict[str, indexfile.Line]:
    """Return the lines of an index for what started in a window, by file name; what was read before it broke off."""
    found: dict[str, indexfile.Line] = {}
    with suppress(indexfile.Unusable):
        for line in indexfile.lines(index, folder) if index else ():
            if isinstance(line, indexfile.Line) and _within(window, _time_of(line.file.filename, folder)):
                found.setdefault(line.file.filename, line)
    return found


def _status(started_at: EpochMs) -> Ready | Pending:
    return Pending(MAY_BE_LISTED) if started_at > now_ms() - LATE_MS else Ready()


def _within(window: Window, at: EpochMs) -> bool:
    return window.first <= at <= window.last


def _time_of(name: str, folder: str) -> EpochMs:
    """Return when a file of a folder started: what its name says, or the day's first moment where that is elsewhere.

    Else a file in a wrong folder would belong to a window that never looks there.
    """
    midnight = EpochMs(int(datetime.strptime(folder, "S%Y%m%d").replace(tzinfo=UTC).timestamp()) * 1000)
    at = indexfile.time_in(name)
    return at if at is not None and 0 <= at - midnight < DAY_MS else midnight


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
