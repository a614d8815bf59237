from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voxkeep.archive.query import TimeRange
from voxkeep.archive.units import LATEST
from voxkeep.vendors.xima.queries import check_format, time_range
from voxkeep.vendors.xima.times import parse
from voxkeep.web.errors import BadRequestError

ZONES = ("UTC", "America/Denver", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns")
MOMENTS = st.datetimes(datetime(1970, 1, 3), datetime(2199, 12, 29))  # noqa: DTZ001 -- a wall clock's time
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59)


def ms(moment: datetime) -> int:
    """The slow model: exact whole milliseconds since 1970, rounded down."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def written(offset_minutes: int, colon: str) -> str:
    hours, minutes = divmod(abs(offset_minutes), 60)
    return f"{'-' if offset_minutes < 0 else '+'}{hours:02}{colon}{minutes:02}"


@given(
    moment=MOMENTS,
    offset=OFFSETS,
    letter=st.sampled_from("Tt "),
    digits=st.integers(0, 6),
    point=st.sampled_from(".,"),
    extended=st.booleans(),
    zone_colon=st.sampled_from([":", ""]),
    stray=st.sampled_from(["", " ", "  ", "\t"]),
)
def test_a_time_with_an_offset_is_what_the_standard_library_says(
    moment: datetime,
    offset: int,
    letter: str,
    digits: int,
    point: str,
    extended: bool,  # noqa: FBT001 -- generated
    zone_colon: str,
    stray: str,
) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 10 ** (6 - digits) * 10 ** (6 - digits))
    date, clock = ("%Y-%m-%d", "%H:%M:%S") if extended else ("%Y%m%d", "%H%M%S")
    fraction = f"{point}{f'{moment.microsecond:06}'[:digits]}" if digits else ""
    text = f"{moment.strftime(date)}{letter}{moment.strftime(clock)}{fraction}{written(offset, zone_colon)}"
    expected = ms(moment.replace(tzinfo=timezone(timedelta(minutes=offset))))
    assert parse(stray + text + stray, "startTime", None) == expected
    # a client that does not escape its plus sends a space
    assert parse(text.replace("+", " "), "startTime", None) == expected
    assert parse(text, "startTime", "Asia/Kolkata") == expected


@given(moment=MOMENTS, mark=st.sampled_from("Zz"))
def test_z_is_utc_and_seconds_may_be_left_out(moment: datetime, mark: str) -> None:
    minute = moment.replace(second=0, microsecond=0, tzinfo=UTC)
    assert parse(f"{minute:%Y-%m-%dT%H:%M}{mark}", "startTime", None) == ms(minute)
    assert parse(f"{minute:%Y%m%d %H%M}{mark}", "startTime", None) == ms(minute)


def both(local: datetime) -> list[int]:
    """The moments that a wall clock's time can mean; two where the clocks change."""
    return sorted(ms(local.replace(fold=fold).astimezone(UTC)) for fold in (0, 1))


@given(moment=MOMENTS, zone=st.sampled_from(ZONES))
def test_a_time_without_a_zone_is_the_tenants(moment: datetime, zone: str) -> None:
    local = moment.replace(tzinfo=ZoneInfo(zone), microsecond=moment.microsecond // 1000 * 1000)
    for text, model in (
        (moment.isoformat(timespec="milliseconds"), local),
        (f"{moment:%Y-%m-%d}", local.replace(hour=0, minute=0, second=0, microsecond=0)),
    ):
        assert [parse(text, "startTime", zone, starts=True), parse(text, "endTime", zone)] == both(model)


CHANGES = [
    # clocks go from 02:00 to 03:00: 02:30 does not exist and is taken as 01:30 and as 03:30
    ("2024-03-10T02:30:00", "America/Denver", "2024-03-10T08:30:00Z", "2024-03-10T09:30:00Z"),
    ("2024-03-10T01:59:59", "America/Denver", "2024-03-10T08:59:59Z", "2024-03-10T08:59:59Z"),
    ("2024-03-10T03:00:00", "America/Denver", "2024-03-10T09:00:00Z", "2024-03-10T09:00:00Z"),
    # clocks go from 02:00 back to 01:00: 01:30 comes twice
    ("2024-11-03T01:30:00", "America/Denver", "2024-11-03T07:30:00Z", "2024-11-03T08:30:00Z"),
    ("2024-11-03T02:00:00", "America/Denver", "2024-11-03T09:00:00Z", "2024-11-03T09:00:00Z"),
    ("2024-10-27T02:30:00", "Europe/Berlin", "2024-10-27T00:30:00Z", "2024-10-27T01:30:00Z"),
    # half an hour of summer time
    ("2024-10-06T02:15:00", "Australia/Lord_Howe", "2024-10-05T15:15:00Z", "2024-10-05T15:45:00Z"),
    # midnight itself does not exist
    ("2024-09-08", "America/Santiago", "2024-09-08T03:00:00Z", "2024-09-08T04:00:00Z"),
]


@pytest.mark.parametrize(("text", "zone", "earlier", "later"), CHANGES)
def test_a_time_that_a_change_of_the_clocks_makes_two_of_is_taken_so_that_nothing_is_left_out(
    text: str, zone: str, earlier: str, later: str
) -> None:
    assert parse(text, "startTime", zone, starts=True) == ms(datetime.fromisoformat(earlier))
    assert parse(text, "endTime", zone) == ms(datetime.fromisoformat(later))


@given(moment=MOMENTS, nanos=st.integers(0, 999_999_999))
def test_parts_of_a_millisecond_round_inwards(moment: datetime, nanos: int) -> None:
    second = ms(moment.replace(microsecond=0, tzinfo=UTC))
    text = f"{moment:%Y-%m-%dT%H:%M:%S}.{nanos:09}Z"
    assert parse(text, "startTime", None, starts=True) == second - -nanos // 1_000_000
    assert parse(text, "endTime", None) == second + nanos // 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "today",
        "1707770449131",
        "2022-9-11",
        "2022-09-11T",
        "2022-09-11T23",
        "2022-0911",
        "202209-11",
        "2022-09-11T23:5959",
        "2022-09-11T2359:59",
        "2022-09-11T23:59:59.",
        "2022-09-11T23:59:59.1234567890",
        "2022-09-11T23:59:59+",
        "2022-09-11T23:59:59+6",
        "2022-09-11T23:59:59+06:0",
        "2022-09-11T23:59:59++06:00",
        "2022-09-11T23:59:59 UTC",
        "2022-09-11T23:59:59[Europe/Berlin]",
        "2022-09-11Z",
        "\u0662\u0660\u0662\u0662-\u0660\u0669-\u0661\u0661",  # digits, but not ours
        "2022\u201309\u201311",
        "2022-W36-7",
        "-2022-09-11",
        "+2022-09-11",
        "2022-09-11T23:59:59Z\x00",
        "2022-09-11\n2022-09-12",
    ],
)
def test_a_malformed_time_is_400_and_names_the_parameter(text: str) -> None:
    with pytest.raises(BadRequestError, match="endTime") as caught:
        parse(text, "endTime", "UTC")
    assert caught.value.parameter == "endTime"
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "text",
    [
        "2022-02-29",
        "2022-13-01",
        "2022-00-10",
        "2022-01-32",
        "0000-01-01",
        "2022-09-11T24:00:00Z",
        "2022-09-11T23:60:00Z",
        "2022-09-11T23:59:60Z",
        "2022-09-11T23:59:59+24:00",
        "2022-09-11T23:59:59+05:60",
        "2022-09-11T23:59:59-99:99",
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "America/Denver", None])
def test_a_time_that_does_not_exist_is_400_and_names_the_parameter(text: str, zone: str | None) -> None:
    with pytest.raises(BadRequestError, match="startTime"):
        parse(text, "startTime", zone)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("1970-01-01T00:00:00Z", True),
        ("1969-12-31T23:59:59.999Z", False),
        ("1970-01-01T00:00:00+00:01", False),
        ("2199-12-31T23:59:59.999Z", True),
        ("2200-01-01T00:00:00Z", False),
        ("2199-12-31T23:59:59.999-00:01", False),
        ("0001-01-01T00:00:00+23:59", False),
        ("9999-12-31T23:59:59-23:59", False),
        ("9999-12-31", False),
        ("0001-01-01", False),
    ],
)
def test_times_outside_1970_to_2199_are_absurd(text: str, fits: bool) -> None:  # noqa: FBT001 -- a table's column
    if fits:
        assert 0 <= parse(text, "startTime", "UTC") < LATEST
    else:
        with pytest.raises(BadRequestError, match="startTime"):
            parse(text, "startTime", "Pacific/Kiritimati")


def test_a_time_rounded_up_may_not_leave_the_range_either() -> None:
    with pytest.raises(BadRequestError, match="2199"):
        parse("2199-12-31T23:59:59.9999Z", "startTime", None, starts=True)


@given(text=st.text() | st.text("0123456789-+:TZ., "), zone=st.sampled_from([None, *ZONES]), starts=st.booleans())
@example(text="2022-09-11T00:00:00.000-06:00", zone=None, starts=True)
@example(text="9999-12-31T23:59:59", zone="Pacific/Kiritimati", starts=False)
@example(text="0001-01-01T00:00:00", zone="Asia/Kolkata", starts=False)
def test_any_text_is_a_moment_or_a_bad_request(text: str, zone: str | None, starts: bool) -> None:  # noqa: FBT001
    try:
        moment = parse(text, "startTime", zone, starts=starts)
    except BadRequestError as error:
        assert error.parameter == "startTime"  # noqa: PT017 -- both ends are right, nothing else is
    else:
        assert 0 <= moment < LATEST


DIGITS = {"Y": st.integers(0, 9999), "n": st.integers(0, 99)}


@given(
    numbers=st.tuples(DIGITS["Y"], *[DIGITS["n"]] * 7),
    sign=st.sampled_from("+- "),
    zone=st.sampled_from([None, *ZONES]),
    offset=st.booleans(),
)
def test_any_numbers_in_the_right_places_are_a_moment_or_a_bad_request(
    numbers: tuple[int, ...],
    sign: str,
    zone: str | None,
    offset: bool,  # noqa: FBT001 -- generated
) -> None:
    year, month, day, hour, minute, second, hours, minutes = numbers
    text = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    text += f"{sign}{hours:02}:{minutes:02}" if offset else ""
    try:
        expected: int | None = ms(datetime.fromisoformat(text.replace(" ", "+") if offset else f"{text}+00:00"))
    except (ValueError, OverflowError):
        expected = None
    certain = offset or zone == "UTC"
    if expected is None or (certain and not 0 <= expected < LATEST):
        with pytest.raises(BadRequestError):
            parse(text, "startTime", zone)
    elif certain:
        assert parse(text, "startTime", zone) == expected


# The query as a whole


def asked(**texts: str) -> bytes:
    return "&".join(f"{name}={quote(text)}" for name, text in texts.items()).encode()


def test_both_ends_are_read_and_may_be_equal() -> None:
    same = "2024-02-12T20:40:49.131Z"
    assert time_range(asked(startTime=same, endTime=same), {"UTC"}) == TimeRange(
        ms(datetime.fromisoformat(same)),  # type: ignore[arg-type] # the model's plain number
        ms(datetime.fromisoformat(same)),  # type: ignore[arg-type] # the model's plain number
    )


def test_the_vendors_own_printed_example_is_understood() -> None:
    query = b"startTime=2022-09-11T00:00:00.000-06:00 &endTime=2022-09-11T23:59:59.000-06:00"
    found = time_range(query, {"UTC"})
    assert (found.last - found.first) == 86_399_000


def test_an_unescaped_plus_is_understood() -> None:
    escaped = b"startTime=2024-02-12T20:40:49%2B05:30&endTime=2024-02-13T20:40:49%2B0530"
    assert time_range(escaped.replace(b"%2B", b"+"), {"UTC"}) == time_range(escaped, {"UTC"})


@pytest.mark.parametrize(
    ("query", "parameter", "word"),
    [
        (b"", "startTime", "required"),
        (b"endTime=2024-01-01", "startTime", "required"),
        (b"startTime=2024-01-01", "endTime", "required"),
        (b"startTime=&endTime=2024-01-01", "startTime", "required"),
        (b"startTime=%20&endTime=2024-01-01", "startTime", "required"),
        (b"starttime=2024-01-01&endTime=2024-01-01", "startTime", "required"),
        (b"startTime=2024-01-01&startTime=2024-01-02&endTime=2024-01-03", "startTime", "more than once"),
        (b"startTime=2024-01-01&endTime=2024-01-03&endTime=2024-01-03", "endTime", "more than once"),
        (b"startTime=2024-01-02&endTime=2024-01-01", "endTime", "before startTime"),
        (b"startTime=2024-01-01T00:00:00.0001Z&endTime=2024-01-01T00:00:00Z", "endTime", "before startTime"),
        (b"startTime=2024-01-01&endTime=tomorrow", "endTime", "ISO 8601"),
        (b"startTime=2024-01-01&endTime=3024-01-01", "endTime", "2199"),
        (b"startTime=%FF%FE&endTime=2024-01-01", "startTime", "ISO 8601"),
    ],
)
def test_a_query_that_is_wrong_is_400_and_names_the_parameter(query: bytes, parameter: str, word: str) -> None:
    with pytest.raises(BadRequestError, match=word) as caught:
        time_range(query, {"UTC"})
    assert caught.value.parameter == parameter
    assert parameter in caught.value.message


def test_times_without_a_zone_need_one_when_tenants_lie_in_several() -> None:
    with pytest.raises(BadRequestError, match="startTime needs a zone"):
        time_range(b"startTime=2024-01-01&endTime=2024-01-02", {"UTC", "Europe/Berlin"})
    found = time_range(b"startTime=2024-01-01T00:00Z&endTime=2024-01-02T00:00Z", {"UTC", "Europe/Berlin"})
    assert found.last - found.first == 86_400_000


@given(query=st.binary(max_size=80) | st.text("startTimeend=&%+;-:0129TZ", max_size=60).map(str.encode))
def test_any_query_is_a_range_or_a_bad_request(query: bytes) -> None:
    for prefix in (b"", b"startTime=", b"startTime=2024-01-01&endTime="):
        try:
            found = time_range(prefix + query, {"UTC"})
        except BadRequestError as error:
            assert error.parameter in ("startTime", "endTime")  # noqa: PT017 -- both ends are right, nothing else is
        else:
            assert found.first <= found.last


@pytest.mark.parametrize("query", [b"", b"format=ogg", b"format=OGG", b"format=opus", b"formats=wav", b"other"])
def test_audio_as_ogg_may_be_asked_for_by_name(query: bytes) -> None:
    check_format(query)


@pytest.mark.parametrize("query", [b"format=wav", b"format=spx", b"format=", b"format=ogg&format=mp3", b"format=%00"])
def test_any_other_format_is_400(query: bytes) -> None:
    with pytest.raises(BadRequestError, match="format") as caught:
        check_format(query)
    assert caught.value.parameter == "format"
