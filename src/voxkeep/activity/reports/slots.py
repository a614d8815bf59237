"""Rows by time: hours of the day, weekdays and days by the clock of a zone."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta

from voxkeep.activity.report import Column, Kind
from voxkeep.activity.report.values import local
from voxkeep.activity.reports.asked import Asked, Options, Slot
from voxkeep.archive.units import EpochMs

KEY = "slot"
HOURS = tuple(f"{hour:02}:00" for hour in range(24))
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LABELS: Mapping[Slot, Callable[[datetime], str]] = {
    Slot.HOUR_OF_DAY: lambda at: HOURS[at.hour],
    Slot.WEEKDAY: lambda at: WEEKDAYS[at.weekday()],
    Slot.DAY: lambda at: at.date().isoformat(),
}
COLUMNS: Mapping[Slot, Column] = {
    Slot.HOUR_OF_DAY: Column(
        KEY, "Hour of Day", Kind.TEXT, "The hour of the clock in which calls began, of all days together."
    ),
    Slot.WEEKDAY: Column(KEY, "Weekday", Kind.TEXT, "The day of the week on which calls began."),
    Slot.DAY: Column(KEY, "Day", Kind.TEXT, "The day on which calls began."),
}
_DAY = timedelta(days=1)


def column(options: Options) -> Column:
    """Return the column of rows by time."""
    return COLUMNS[options.slot]


def label(asked: Asked) -> Callable[[EpochMs], str]:
    """Return what tells the row of a moment."""
    zone, of_clock = asked.zoned, LABELS[asked.options.slot]
    return lambda at: of_clock(local(at, zone))


def labels(asked: Asked) -> Iterator[str]:
    """Yield all rows of a time, in order."""
    if asked.options.slot is Slot.DAY:
        return (day.isoformat() for day in _days(asked))
    return iter(HOURS if asked.options.slot is Slot.HOUR_OF_DAY else WEEKDAYS)


def _days(asked: Asked) -> Iterator[date]:
    if asked.begin == asked.end:
        return
    zone = asked.zoned
    day, last = local(asked.begin, zone).date(), local(asked.times.last, zone).date()
    while day <= last:
        # a zone that moved over the date line left a day out: there was no noon
        noon = datetime.combine(day, time(12), zone)
        if local(int(noon.timestamp()) * 1000, zone).date() == day:
            yield day
        day += _DAY
