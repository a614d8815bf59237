"""The dates of 8x8's queries, against tables of the seed's forms and against a slow model of the grammar.

The model knows no regular expression and no `whenever`: it lists every shape that a time can have, and finds a clock's
time by looking at what the clock shows, quarter of an hour by quarter of an hour.
"""

import zoneinfo
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import product
from urllib.parse import parse_qsl, quote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from voxkeep.vendors.eightbyeight.dates import LATEST, Interval, around, interval, iso_utc, moment, zone_of
from voxkeep.web.errors import BadRequestError

Asked = tuple[str, str, int]  # a `d`, the zone it is read in, and now
ZONES = ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia")
DAY = 86_400
HOUR = 3600
NOON = int(datetime(2024, 5, 15, 12, tzinfo=UTC).timestamp())


def at(text: str) -> int:
    """The second that a fully written time names, as the standard library reads it."""
    return int(datetime.fromisoformat(text).timestamp())


def shown(found: Interval) -> tuple[str, str]:
    return iso_utc(found.first), iso_utc(found.end)


def hours(found: Interval) -> float:
    return (found.end - found.first) / HOUR


# The slow model


def ahead(zone: str, second: int) -> int:
    offset = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)).astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


@cache
def wall(zone: str, naive: datetime) -> int:
    """The first moment at which the zone's clock shows a time; a skipped time lies as far behind the skip's begin."""
    local = int(naive.replace(tzinfo=UTC).timestamp())
    seen = [(second, ahead(zone, second)) for second in range(local - 26 * HOUR, local + 26 * HOUR, 900)]
    named = [local - offset for offset in {offset for _, offset in seen} if ahead(zone, local - offset) == offset]
    if named:
        return min(named)
    before = [offset for second, offset in seen if second + offset < local]
    return local - before[-1]


DATES = ("9999-99-99", "99999999")
CLOCKS = ("99:99", "99:99:99", "9999", "999999", "99:99:99.", "999999.")
OFFSETS = ("", "Z", "z", *map("".join, product(("", " "), "+- ", ("99:99", "9999", "99"))))
SHAPES = dict.fromkeys(DATES, ("", "")) | {
    f"{day}{mark}{clock}{offset}": (clock, offset)
    for day, mark, clock, offset in product(DATES, "Tt ", CLOCKS, OFFSETS)
}
"""Every way to write a time, with its clock and its offset: each digit is a 9, a fraction is its point alone."""


def without_fraction(text: str) -> tuple[str, bool]:
    """`text` without the digits that follow its only point, and whether there is a point without any."""
    head, point, tail = text.partition(".")
    rest = tail.lstrip("0123456789")
    return head + point + rest, bool(point) and rest == tail


def model_value(text: str, zone: str, now: int) -> tuple[datetime, int | None, bool] | None:
    """A value's clock time, its seconds ahead of UTC, and whether it is a date alone; None for what is no value."""
    text = text.strip()
    if text.startswith("today"):
        days = text.removeprefix("today").removeprefix("-").removesuffix("d") or "0"
        if text not in ("today", f"today-{days}d") or not (days.isascii() and days.isdecimal()):
            return None
        today = datetime.fromtimestamp(now, ZoneInfo(zone)).date()
        then = today.toordinal() - int(days)
        return (datetime.combine(date.fromordinal(then), datetime.min.time()), None, True) if then > 0 else None
    text, pointless = without_fraction(text)
    shape = "".join("9" if "0" <= letter <= "9" else letter for letter in text)
    if pointless or shape not in SHAPES:
        return None
    clock, offset = SHAPES[shape]
    digits = "".join(letter for letter in text if letter.isdigit())
    time, zoned = digits[8 : 8 + clock.count("9")].ljust(6, "0"), digits[8 + clock.count("9") :].ljust(4, "0")
    try:
        naive = datetime.strptime(digits[:8] + time, "%Y%m%d%H%M%S")  # noqa: DTZ007 -- a wall clock's
    except ValueError:
        return None
    if time[4:] > "59" or zoned[:2] > "23" or zoned[2:] > "59":  # strptime knows leap seconds
        return None
    sign = -1 if "-" in offset else 1
    return naive, sign * (int(zoned[:2]) * HOUR + int(zoned[2:]) * 60) if offset else None, not clock


def model_second(value: tuple[datetime, int | None, bool], zone: str) -> int | None:
    """The second that a value names, if it lies anywhere near the years that make sense."""
    naive, offset, _ = value
    if not 1969 <= naive.year <= 2200:
        return None
    return wall(zone, naive) if offset is None else int(naive.replace(tzinfo=UTC).timestamp()) - offset


def model(text: str, zone: str, now: int) -> Interval | None:
    """What a `d` names, or None for what is 400."""
    values = [value for part in text.split(",") if (value := model_value(part, zone, now))]
    if len(values) != text.count(",") + 1 or len(values) > 2:
        return None
    first, last = values[0], values[-1]
    begin = model_second(first, zone)
    if begin is None or not 0 <= begin < LATEST:
        return None
    if len(values) == 1 or (first[2] and last[2] and first[0] == last[0]):
        last = (first[0] + timedelta(days=1), first[1], first[2])
    end = model_second(last, zone)
    return Interval(begin, end) if end is not None and begin <= end <= LATEST else None


def names(error: BadRequestError, parameter: str) -> None:
    """Check that an error says in one line which variable is wrong."""
    assert (error.status, error.parameter) == (400, parameter)
    assert error.message.startswith(f"{parameter} ")
    assert "\n" not in error.message


def refused(parameter: str, ask: Callable[..., object], *what: object) -> str:
    """Return the reason for which `ask` refuses `what`, checked to name `parameter`."""
    with pytest.raises(BadRequestError) as caught:
        ask(*what)
    names(caught.value, parameter)
    return caught.value.message


def ours(text: str, zone: str, now: int) -> Interval | None:
    try:
        return interval(text, zone, now)
    except BadRequestError as error:
        names(error, "d")
        return None


# What is generated: values in every notation, near changes of the clocks and far from them


def changes(zone: str) -> list[int]:
    """The first seconds of every other offset, 1970 to 2037, found by looking."""
    days = range(0, at("2037-12-31T00:00:00Z"), 7 * DAY)
    found = []
    for day in days:
        low, high = day, day + 7 * DAY
        if ahead(zone, low) == ahead(zone, high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if ahead(zone, middle) == ahead(zone, low) else (low, middle)
        found.append(high)
    return found


CHANGES = {zone: changes(zone) for zone in ZONES}


@st.composite
def clocks(draw: st.DrawFn, zone: str) -> datetime:
    """A wall clock's time: mostly within three days of a change of the zone's clocks, down to its very second."""
    if draw(st.integers(0, 3)) == 0:
        return draw(st.datetimes(datetime(1969, 12, 30), datetime(2200, 1, 3)))  # noqa: DTZ001 -- a wall clock's
    change = draw(st.sampled_from(CHANGES[zone])) + draw(st.sampled_from([0, -1, 1]) | st.integers(-3 * DAY, 3 * DAY))
    shift = draw(st.sampled_from([ahead(zone, change - 1), ahead(zone, change)]))
    return datetime(1970, 1, 1) + timedelta(seconds=change + shift)  # noqa: DTZ001 -- a wall clock's


OFFSET = st.builds(
    lambda form, *parts: form.format(*parts),
    st.sampled_from(["", "Z", "z", "{}{}{:02}:{:02}", "{}{}{:02}{:02}", "{}{}{:02}"]),
    *(st.sampled_from(["", " "]), st.sampled_from("+- "), st.integers(0, 23), st.integers(0, 59)),
)


@st.composite
def values(draw: st.DrawFn, zone: str) -> str:
    """One value of the grammar, in any of its notations."""
    if draw(st.integers(0, 7)) == 0:
        return draw(st.sampled_from(["today", "today-1d", "today-7d", "today-007d", f"today-{draw(st.integers(0))}d"]))
    naive = draw(clocks(zone))
    text = draw(st.sampled_from([f"{naive:%Y-%m-%d}", f"{naive:%Y%m%d}"]))
    if draw(st.booleans()):
        clock = draw(st.sampled_from(["%H:%M", "%H:%M:%S", "%H%M", "%H%M%S"]))
        text += draw(st.sampled_from("Tt ")) + naive.strftime(clock)
        if clock.endswith("S"):
            text += draw(st.just("") | st.text("0123456789", min_size=1).map(".{}".format))
        text += draw(OFFSET)
    return draw(st.sampled_from(["", " ", "\t"])) + text + draw(st.sampled_from(["", "  "]))


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    """A `d` of the grammar, a zone, and now."""
    zone = draw(st.sampled_from(ZONES))
    now = draw(st.sampled_from(CHANGES[zone])) + draw(st.integers(-9 * DAY, 9 * DAY))
    text = draw(values(zone))
    if draw(st.booleans()):
        text += "," + draw(st.just(text) | values(zone))
    return text, zone, now


@settings(max_examples=400, deadline=None)
@given(asked())
def test_every_interval_agrees_with_the_slow_model_across_changes_of_the_clocks(what: Asked) -> None:
    assert ours(*what) == model(*what)


@settings(max_examples=300, deadline=None)
@given(asked(), st.data())
def test_one_letter_more_or_less_is_taken_and_refused_as_the_model_does(what: Asked, data: st.DataObject) -> None:
    text, zone, now = what
    where = data.draw(st.integers(0, len(text)))
    letter = data.draw(st.sampled_from(["", *"0123456789-+:.,TtZz dayo\u0663\u2212\u00b2"]))
    for near in (text[:where] + letter + text[where + 1 :], text[:where] + letter + text[where:], text[:where]):
        assert ours(near, zone, now) == model(near, zone, now), near


@given(st.lists(st.integers(0, 99), min_size=9, max_size=9), st.sampled_from(ZONES))
@example([20, 7, 8, 5, 24, 0, 0, 0, 0], "Europe/Berlin")
def test_any_numbers_in_the_right_places_agree_with_the_slow_model(numbers: list[int], zone: str) -> None:
    century, year, month, day, hour, minute, second, ahead_h, ahead_m = (f"{number:02}" for number in numbers)
    written = f"{century}{year}-{month}-{day}"
    for text in (written, f"{written}T{hour}:{minute}:{second}", f"{written} {hour}{minute} {ahead_h}{ahead_m}"):
        assert ours(text, zone, NOON) == model(text, zone, NOON), text


@given(asked(), st.sampled_from(["start-date", "finish-date"]))
def test_a_single_date_is_the_first_second_of_what_d_makes_of_it(what: Asked, name: str) -> None:
    text, zone, now = what
    value = model_value(text, zone, now) if "," not in text else None
    expected = model_second(value, zone) if value else None
    if expected is None or not 0 <= expected < LATEST:
        refused(name, moment, text, name, zone, now)
    else:
        assert moment(text, name, zone, now) == expected


@given(st.sampled_from(ZONES), st.data())
def test_days_lie_side_by_side_without_a_gap_or_an_overlap(zone: str, data: st.DataObject) -> None:
    day = data.draw(clocks(zone)).date()
    assume(date(1970, 1, 2) <= day <= date(2199, 12, 29))
    today, tomorrow = (interval(f"{each}", zone, NOON) for each in (day, day + timedelta(days=1)))
    assert today.end == tomorrow.first
    assert interval(f"{day},{day + timedelta(days=2)}", zone, NOON) == Interval(today.first, tomorrow.end)


# Any text at all

LETTERS = st.text("0123456789-+:TZtz., today", max_size=40)
NAMES = ("start-date", "finish-date")


@given(text=st.text() | LETTERS | st.binary(max_size=60).map(lambda raw: raw.decode("utf-8", "replace")))
@example("today-" + "9" * 5000 + "d")
@example("9999-12-31T23:59:59." + "9" * 5000)
@example("," * 5000)
def test_any_text_is_an_interval_or_a_bad_request_that_names_the_variable(text: str) -> None:
    for zone in (*ZONES, "Pacific/Kiritimati"):
        found = ours(text, zone, NOON)
        assert found is None or 0 <= found.first <= found.end <= LATEST
        for name in NAMES:
            try:
                assert 0 <= moment(text, name, zone, NOON) < LATEST
            except BadRequestError as error:
                names(error, name)


@given(query=st.binary(max_size=60))
def test_any_bytes_as_a_query_are_an_interval_or_a_bad_request(query: bytes) -> None:
    for raw in (query, quote(query).encode()):
        for _, text in parse_qsl((b"d=" + raw).decode("utf-8", "replace"), keep_blank_values=True):
            ours(text, "Europe/Berlin", NOON)


# The seed's own examples


@pytest.mark.parametrize(
    ("query", "zone", "expected"),
    [
        ("d=2007-08-05", "America/New_York", ("2007-08-05T04:00:00Z", "2007-08-06T04:00:00Z")),
        ("d=2007-08-05,2007-08-07", "America/Los_Angeles", ("2007-08-05T07:00:00Z", "2007-08-07T07:00:00Z")),
        ("d=2007-08-05%2013:15Z,2007-08-07%2014:30Z", "Asia/Tokyo", ("2007-08-05T13:15:00Z", "2007-08-07T14:30:00Z")),
        ("d=20070805T1315Z,20070807T1430Z", "Asia/Tokyo", ("2007-08-05T13:15:00Z", "2007-08-07T14:30:00Z")),
        ("d=today-1d,today", "America/Denver", ("2024-05-14T06:00:00Z", "2024-05-15T06:00:00Z")),
        ("d=today-7d", "America/Denver", ("2024-05-08T06:00:00Z", "2024-05-09T06:00:00Z")),
        ("d=2008-02-14T10:12:13-08:00", "UTC", ("2008-02-14T18:12:13Z", "2008-02-15T18:12:13Z")),
    ],
)
def test_the_seeds_examples_are_understood(query: str, zone: str, expected: tuple[str, str]) -> None:
    assert shown(interval(dict(parse_qsl(query))["d"], zone, NOON)) == expected


def test_the_post_call_screen_pop_finds_what_ended_within_five_seconds_both_ways() -> None:
    query = "agentID=bill&channel=8005557780&phoneNumber=4155551234&finish-date=2007-12-19 19:16:58Z"
    found = around(moment(dict(parse_qsl(query))["finish-date"], "finish-date", "America/Los_Angeles", NOON))
    assert shown(found) == ("2007-12-19T19:16:53Z", "2007-12-19T19:17:04Z")


def test_a_start_date_without_a_time_is_midnight_give_or_take_and_not_the_whole_day() -> None:
    found = around(moment("2007-12-19", "start-date", "America/Los_Angeles", NOON))
    assert shown(found) == ("2007-12-19T07:59:55Z", "2007-12-19T08:00:06Z")


# Forms

FORMS = {
    "2007-08-05T00:00:00+02:00": ("2007-08-05", "20070805", "  2007-08-05\t", "2007-08-05T00:00", "20070805 000000.0"),
    "2007-08-05T13:15:00+02:00": ("2007-08-05 13:15", "2007-08-05T13:15", "20070805T1315", "20070805 1315"),
    "2007-08-05T13:15:01+02:00": ("20070805T13:15:01", "2007-08-05T131501", "2007-08-05t13:15:01", "20070805t131501"),
    "2007-08-05T13:15:16+02:00": ("2007-08-05 13:15:16", "20070805 131516", "2007-08-05T13:15:16.9"),
    "2007-08-05T13:15:00+00:00": ("2007-08-05 13:15Z", "2007-08-05 13:15z", "20070805T1315Z", "20070805T1315-00"),
    "2007-08-05T13:15:16+00:00": ("2007-08-05T13:15:16Z", "2007-08-05T13:15:16.999999999999Z", "20070805T131516-0000"),
    "2007-08-05T13:15:16-08:00": ("2007-08-05T13:15:16-08:00", "2007-08-05T13:15:16-0800", "2007-08-05T13:15:16-08"),
    "2007-08-05T13:15:17-08:00": ("20070805T131517.5-08:00", "2007-08-05 13:15:17 -08:00"),
    # a raw plus arrives as a space
    "2007-08-05T13:15:16+05:30": ("2007-08-05T13:15:16+05:30", "2007-08-05T13:15:16 05:30", "20070805 131516 +0530"),
    "2007-08-05T13:15:00+05:30": ("2007-08-05T13:15 05:30", "2007-08-05 13:15 0530", "20070805T1315+0530"),
    "2007-08-05T13:15:00+05:00": ("20070805 1315 05", "2007-08-05 13:15+05"),
    "2007-08-05T13:15:16+23:59": ("2007-08-05T13:15:16+23:59", "2007-08-05T13:15:16  2359"),
    "2024-05-15T00:00:00+02:00": ("today", "today-0d", " today "),
    "2024-05-14T00:00:00+02:00": ("today-1d", "today-0001d", f"today-{'0' * 5000}1d"),
    "2024-03-30T00:00:00+01:00": ("today-46d",),
}


@pytest.mark.parametrize(("text", "expected"), [(text, when) for when, texts in FORMS.items() for text in texts])
def test_every_form_is_read_as_a_start_and_alone_lasts_a_day(text: str, expected: str) -> None:
    assert moment(text, "start-date", "Europe/Berlin", NOON) == at(expected)
    assert interval(text, "Europe/Berlin", NOON) == Interval(at(expected), at(expected) + DAY)
    assert interval(f" {text} , {text} ", "Europe/Berlin", NOON).first == at(expected)


@given(asked())
def test_a_plus_and_a_space_may_be_escaped_or_not(what: Asked) -> None:
    text, zone, now = what
    for query in (quote(text), text.replace(" ", "%20"), text.replace(" ", "+")):
        assert ours(dict(parse_qsl(f"d={query}"))["d"], zone, now) == ours(text, zone, now)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # a date alone at the right is its midnight, and left out
        ("2007-08-05 , 2007-08-07", ("2007-08-04T22:00:00Z", "2007-08-06T22:00:00Z")),
        # the same date at both ends is that day, however it is written
        ("2007-08-05,2007-08-05", ("2007-08-04T22:00:00Z", "2007-08-05T22:00:00Z")),
        ("20070805,2007-08-05", ("2007-08-04T22:00:00Z", "2007-08-05T22:00:00Z")),
        ("today,today", ("2024-05-14T22:00:00Z", "2024-05-15T22:00:00Z")),
        ("today,20240515", ("2024-05-14T22:00:00Z", "2024-05-15T22:00:00Z")),
        # the same moment with a time at either end is nothing
        ("2007-08-05T13:15Z,2007-08-05T13:15Z", ("2007-08-05T13:15:00Z", "2007-08-05T13:15:00Z")),
        ("2007-08-05,2007-08-05T00:00", ("2007-08-04T22:00:00Z", "2007-08-04T22:00:00Z")),
        ("2007-08-05T13:15+02:00,2007-08-05T11:15Z", ("2007-08-05T11:15:00Z", "2007-08-05T11:15:00Z")),
        ("2007-08-05T13:15:00.1Z,2007-08-05T13:15:00.9Z", ("2007-08-05T13:15:00Z", "2007-08-05T13:15:00Z")),
        # forms may differ from end to end, and an offset counts for its own end only
        ("2007-08-05,20070807T1430Z", ("2007-08-04T22:00:00Z", "2007-08-07T14:30:00Z")),
        ("2007-08-05T12:00-08:00,2007-08-06T12:00", ("2007-08-05T20:00:00Z", "2007-08-06T10:00:00Z")),
    ],
)
def test_a_range_begins_with_its_first_end_and_leaves_out_its_second(text: str, expected: tuple[str, str]) -> None:
    assert shown(interval(text, "Europe/Berlin", NOON)) == expected


# Clocks that change


def rows(table: dict[str, dict[str, float]]) -> list[tuple[str, str, float]]:
    return [(zone, *row) for zone, lengths in table.items() for row in lengths.items()]


DAYS: dict[str, dict[str, float]] = {
    "America/New_York": {"2024-03-09": 24, "2024-03-10": 23, "2024-11-03": 25},
    "Europe/Berlin": {"2024-03-31": 23, "2024-10-27": 25, "2024-10-28": 24},
    "Australia/Lord_Howe": {"2024-10-06": 23.5, "2024-04-07": 24.5},
    "America/Sao_Paulo": {"2018-11-04": 23, "2018-02-17": 25},
    "Pacific/Apia": {"2011-12-29": 24, "2011-12-30": 0, "2011-12-31": 24},
}


@pytest.mark.parametrize(("zone", "day", "expected"), rows(DAYS))
def test_a_day_is_calendar_arithmetic_in_the_zone(zone: str, day: str, expected: float) -> None:
    assert hours(interval(day, zone, NOON)) == expected
    assert interval(f"{day},{day}", zone, NOON) == interval(day, zone, NOON)
    after = date.fromisoformat(day) + timedelta(days=1)
    assert interval(f"{day},{after}", zone, NOON) == interval(day, zone, NOON)


@pytest.mark.parametrize(
    ("now", "zone", "yesterday", "expected"),
    [
        ("2024-03-11T00:30:00-04:00", "America/New_York", "2024-03-10", 23),
        ("2024-11-04T23:30:00-05:00", "America/New_York", "2024-11-03", 25),
        ("2024-10-07T12:00:00+11:00", "Australia/Lord_Howe", "2024-10-06", 23.5),
        ("2011-12-31T12:00:00+14:00", "Pacific/Apia", "2011-12-30", 0),
        ("2012-01-01T00:00:00+14:00", "Pacific/Apia", "2011-12-31", 24),
    ],
)
def test_days_before_today_are_the_calendars(now: str, zone: str, yesterday: str, expected: float) -> None:
    for text in ("today-1d", "today-1d,today", "today-1d,today-1d", f"today-1d,{yesterday}"):
        assert interval(text, zone, at(now)) == interval(yesterday, zone, NOON)
        assert hours(interval(text, zone, at(now))) == expected


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        ("America/New_York", "2024-03-10T01:59:59", "2024-03-10T06:59:59Z"),
        ("America/New_York", "2024-03-10T02:30", "2024-03-10T07:30:00Z"),
        ("America/New_York", "2024-03-10T03:00", "2024-03-10T07:00:00Z"),
        ("America/New_York", "2024-11-03T01:30", "2024-11-03T05:30:00Z"),
        ("Europe/Berlin", "2024-03-31 02:30", "2024-03-31T01:30:00Z"),
        ("Europe/Berlin", "2024-10-27 02:30", "2024-10-27T00:30:00Z"),
        ("Australia/Lord_Howe", "2024-10-06T02:15", "2024-10-05T15:45:00Z"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"),
        ("America/Sao_Paulo", "2018-11-04T00:30", "2018-11-04T03:30:00Z"),
        ("America/Sao_Paulo", "2018-02-17T23:30", "2018-02-18T01:30:00Z"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T22:00:00Z"),
    ],
)
def test_a_skipped_time_moves_forward_and_the_first_of_two_is_taken(zone: str, text: str, expected: str) -> None:
    assert iso_utc(moment(text, "start-date", zone, NOON)) == expected
    assert iso_utc(interval(text, zone, NOON).first) == expected


DAYS_FROM_A_TIME: dict[str, dict[str, float]] = {
    "America/New_York": {"2024-03-09T12:00": 23, "2024-03-10T12:00": 24, "2024-11-02T12:00": 25},
    "America/Denver": {"2024-03-09T12:00-05:00": 24, "2024-03-09T17:00Z": 24, "2024-11-02T12:00-04": 24},
    "Pacific/Apia": {"2011-12-29T12:00": 24, "2011-12-30T12:00": 0, "2011-12-30T12:00Z": 24},
    # a skipped time ends at the time that was asked for, not at the one it moved to
    "Europe/Berlin": {"2024-03-31T02:30": 23, "2024-03-30T02:30": 24},
}


@pytest.mark.parametrize(("zone", "text", "expected"), rows(DAYS_FROM_A_TIME))
def test_a_time_alone_lasts_to_its_like_next_day_or_24_hours(zone: str, text: str, expected: float) -> None:
    assert hours(interval(text, zone, NOON)) == expected


def test_today_is_the_day_that_the_zone_has_now() -> None:
    late = at("2024-05-15T23:30:00Z")
    assert shown(interval("today", "Europe/Berlin", late)) == ("2024-05-15T22:00:00Z", "2024-05-16T22:00:00Z")
    assert shown(interval("today", "America/Denver", late)) == ("2024-05-15T06:00:00Z", "2024-05-16T06:00:00Z")
    midnight = at("2024-03-31T00:00:00+01:00")
    assert interval("today", "Europe/Berlin", midnight - 1).end == midnight
    assert interval("today", "Europe/Berlin", midnight).first == midnight


# What is refused

MALFORMED = (
    *("", " ", "1186285200", "2007", "2007-08", "2007-8-5", "07-08-05", "2007/08/05", "2007-0805", "200708-05"),
    *("2007-W32-7", "2007-217", "-2007-08-05", "+2007-08-05", "12007-08-05", "2007-08-05Z", "2007-08-05+02:00"),
    *("2007-08-05T", "2007-08-05T13", "2007-08-05  13:15", "2007-08-05_13:15", "2007-08-05T1:15"),
    *("2007-08-05T13:1516", "2007-08-05T1315:16", "2007-08-05T13:15.5", "2007-08-05T13:15:16."),
    *("2007-08-05T13:15ZZ", "2007-08-05T13:15 Z", "2007-08-05T13:15 UTC", "2007-08-05T13:15[Europe/Berlin]"),
    *("2007-08-05T13:15+", "2007-08-05T13:15+2", "2007-08-05T13:15+02:0", "2007-08-05T13:15+02:"),
    *("2007-08-05T13:15+02:00:00", "2007-08-05T13:15++02:00", "2007-08-05T13:15+24:00", "2007-08-05T13:15+02:60"),
    # digits and signs, but not ours; what is no separator
    *("\u0662\u0660\u0660\u0667-\u0660\u0668-\u0660\u0665", "2007\u201308\u201305", "2007-08-05T13:15\u221208"),
    *("2007-08-05\x00", "2007-08-05\n2007-08-06", "2007-08-05;2007-08-06", "2007-08-05/2007-08-06"),
)
NOT_THERE = (
    *("2007-02-29", "2007-13-01", "2007-00-05", "2007-08-32", "20070832", "0000-01-01", "20070805T2460"),
    *("2007-08-05T24:00", "2007-08-05T24:00:00Z", "2007-08-05T23:60", "2007-08-05T23:59:60", "2007-08-05T23:59:60Z"),
)
NO_CONSTANTS = (
    *("yesterday", "now", "Today", "TODAY", "today-", "today-d", "today-1", "today-1D", "today-1h", "today-1w"),
    *("today-1m", "today+1d", "today 1d", "today--1d", "today-1.5d", "today -1d", "today-\u0661d", "today-1dd"),
    *("today 13:00", "todayT13:00", "today-1dT13:00", "today-1d-1d"),
)


@pytest.mark.parametrize("text", [*MALFORMED, *NO_CONSTANTS, *NOT_THERE])
def test_what_is_no_date_is_400_in_one_line_that_names_the_variable(text: str) -> None:
    for wrong in (text, f"{text},2007-08-07", f"2007-08-05,{text}", f"{text},{text}"):
        refused("d", interval, wrong, "Europe/Berlin", NOON)
    for name in NAMES:
        refused(name, moment, text, name, "Europe/Berlin", NOON)


NO_RANGES = {
    "not a date": (",", "2007-08-05,", ",2007-08-05", "2007-08-05 13:15Z,", " , "),
    "one date, or two": ("2007-08-05,2007-08-06,2007-08-07", "2007-08-05,2007-08-06,", ",,", "2007-08-05T13:15:16,5,"),
    "before it begins": (
        *("2007-08-06,2007-08-05", "today,today-1d", "2007-08-05T13:15:01Z,2007-08-05T13:15:00Z"),
        *("2007-08-05T13:15Z,2007-08-05T13:15+01:00", "2007-08-05T13:15,2007-08-05"),
    ),
}


@pytest.mark.parametrize(("word", "text"), [(word, text) for word, texts in NO_RANGES.items() for text in texts])
def test_a_range_that_is_open_or_backwards_or_has_three_ends_is_400(word: str, text: str) -> None:
    assert word in refused("d", interval, text, "Europe/Berlin", NOON)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["2007-08-05,2007-08-06", "2007-08-05,", ",", "today,today"])
def test_a_range_as_a_start_or_finish_is_400(text: str, name: str) -> None:
    assert "is one date" in refused(name, moment, text, name, "Europe/Berlin", NOON)


FIT = {
    "UTC": ("1970-01-01", "2199-12-31", "2199-12-31,2200-01-01", "today-19858d"),
    "Asia/Tokyo": ("1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z,2200-01-01T00:00:00Z", "2199-12-31,2200-01-01"),
    "America/Denver": ("1970-01-01", "1969-12-31T17:00"),
}
ABSURD = {
    "UTC": (
        *("1969-12-31T23:59:59Z", "1969-12-31T23:59:59.9Z", "1970-01-01T00:00:00+00:01", "0001-01-01T00:00:00+23:59"),
        *("2199-12-31T00:00:01Z", "2199-12-31,2200-01-01T00:00:01Z", "2200-01-01T00:00Z,2200-01-01T00:00Z"),
        *("2007-08-05,9999-12-31", "9999-12-31T23:59:59-23:59", "today-19859d", "today-99999d"),
    ),
    "Asia/Tokyo": ("0001-01-01", "1970-01-01"),
    "America/Denver": ("2199-12-31", "2199-12-31,2200-01-01", "9999-12-31", "9999-12-31T23:59", "1969-12-31T16:59:59"),
    "Pacific/Kiritimati": ("2200-01-01",),
}


@pytest.mark.parametrize(("zone", "text"), [(zone, text) for zone, texts in ABSURD.items() for text in texts])
def test_times_outside_1970_to_2199_are_absurd(zone: str, text: str) -> None:
    assert refused("d", interval, text, zone, NOON) == "d reaches outside the years 1970 to 2199"
    for just in FIT.get(zone, ()):
        assert 0 <= interval(just, zone, NOON).first <= interval(just, zone, NOON).end <= LATEST


@pytest.mark.parametrize("text", ["2200-01-01T00:00Z", "1969-12-31T23:59:59Z", "2200-01-01", "today-20000d"])
def test_a_single_date_outside_them_is_absurd_too(text: str) -> None:
    assert moment("2199-12-31T23:59:59Z", "finish-date", "UTC", NOON) == LATEST - 1
    assert moment("2200-01-01", "finish-date", "Pacific/Kiritimati", NOON) == LATEST - 14 * HOUR
    assert moment("1970-01-01", "finish-date", "UTC", NOON) == 0
    assert "reaches outside" in refused("finish-date", moment, text, "finish-date", "UTC", NOON)


# Zones


def test_every_name_of_the_tz_database_is_a_zone_that_dates_are_read_in() -> None:
    zones = zoneinfo.available_timezones() - {"localtime"}
    assert len(zones) > 400
    for name in zones:
        assert zone_of(name) == name
        expected = datetime(2007, 8, 5, tzinfo=ZoneInfo(name)).timestamp()
        assert moment("2007-08-05", "start-date", zone_of(name), NOON) == expected


NO_ZONES = (
    *("", " ", ".", "..", "/", "localtime", "posixrules", "tzdata.zi", "zone.tab", "posix/UTC", "right/UTC"),
    *("utc", "america/new_york", "AMERICA/NEW_YORK", "America", "America/", "New_York", "EDT", "PST"),
    *("America/New_York/", "/America/New_York", "America//New_York", "America/./New_York", "America\\New_York"),
    *("America/../America/New_York", "../zoneinfo/UTC", "../../etc/passwd", "/usr/share/zoneinfo/UTC"),
    *(" America/New_York", "America/New_York ", "America/New_York\x00", "America/New_York\n", "America/New York"),
    *("America/New_York,Europe/Berlin", "GMT+2", "UTC+02:00", "+02:00", "EST5EDT,M3.2.0,M11.1.0", ":UTC"),
    *("\ud800", "A" * 10_000),
)


@pytest.mark.parametrize("text", NO_ZONES)
def test_a_zone_is_exactly_a_name_of_the_tz_database_or_400(text: str) -> None:
    refused("tz", zone_of, text)
    refused("zone", zone_of, text, "zone")


@settings(deadline=None)  # the names are looked for once
@given(text=st.text() | st.binary(max_size=40).map(lambda raw: raw.decode("utf-8", "replace")))
def test_any_text_is_a_zone_or_a_bad_request(text: str) -> None:
    try:
        assert ZoneInfo(zone_of(text)).key == text
    except BadRequestError as error:
        names(error, "tz")


# Shown


@given(st.integers(0, LATEST))
def test_a_moment_is_shown_in_utc_to_the_second_and_read_back_the_same(second: int) -> None:
    text = iso_utc(second)
    assert text == f"{datetime(1970, 1, 1) + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S}Z"  # noqa: DTZ001 -- in UTC
    if second < LATEST:
        assert moment(text, "start-date", "Asia/Kolkata", NOON) == second
        assert interval(f"{text},{iso_utc(second + 1)}", "Asia/Kolkata", NOON) == Interval(second, second + 1)
