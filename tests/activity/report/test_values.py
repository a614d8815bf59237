"""How values read."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.activity.report.sample import ZONE

from voxkeep.activity.report import Kind, Table
from voxkeep.activity.report.values import READ, duration, harmless, moment, plain, printable, shown, zone_of

UTC, BERLIN = ZoneInfo("UTC"), ZoneInfo(ZONE)
MOMENTS = st.integers(0, 7_258_118_399_999)
ZONES = st.sampled_from(["UTC", ZONE, "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "America/Sao_Paulo"])


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "0:00:00"), (999, "0:00:00"), (1000, "0:00:01"), (59_999.9, "0:00:59"), (3_600_000, "1:00:00"),
     (86_400_000, "24:00:00"), (360_000_000_000, "100000:00:00"), (-500, "0:00:00"), (-61_000, "-0:01:01")],
)  # fmt: skip
def test_a_duration_reads_as_hours_minutes_seconds(ms: float, text: str) -> None:
    assert duration(ms) == text


@given(st.integers(0, 10**13))
def test_a_duration_read_back_is_its_whole_seconds(ms: int) -> None:
    hours, minutes, seconds = map(int, duration(ms).split(":"))
    assert timedelta(hours=hours, minutes=minutes, seconds=seconds) == timedelta(seconds=ms // 1000)
    assert minutes < 60
    assert seconds < 60


@given(MOMENTS, ZONES)
def test_a_moment_read_back_is_the_same_millisecond_in_any_zone(at: int, zone: str) -> None:
    read = datetime.fromisoformat(moment(at, ZoneInfo(zone)))
    assert (read - datetime.fromisoformat("1970-01-01T00:00:00+00:00")) // timedelta(milliseconds=1) == at
    assert read.replace(tzinfo=None) == read.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def test_the_hour_that_comes_twice_is_told_apart_by_its_offset() -> None:
    first, second = moment(1_729_987_200_000, BERLIN), moment(1_729_990_800_000, BERLIN)
    assert (first, second) == ("2024-10-27T02:00:00.000+02:00", "2024-10-27T02:00:00.000+01:00")


def test_a_flag_reads_as_a_word_and_a_percent_with_one_decimal() -> None:
    assert shown(Kind.FLAG, True, UTC) == "yes"
    assert shown(Kind.FLAG, False, UTC) == "no"
    assert shown(Kind.PERCENT, 66.66, UTC) == "66.7%"


@pytest.mark.parametrize("kind", Kind)
def test_nothing_reads_as_nothing(kind: Kind) -> None:
    assert shown(kind, None, UTC) == ""
    assert plain(kind, None, UTC) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_percent_reads_as_nothing(value: float) -> None:
    assert shown(Kind.PERCENT, value, UTC) == ""
    assert plain(Kind.PERCENT, value, UTC) is None


def test_a_count_that_is_no_whole_number_is_refused() -> None:
    with pytest.raises(ValueError, match="format code"):
        READ[Kind.COUNT](2.5, UTC)


def test_an_unknown_zone_is_refused_by_name() -> None:
    for zone in ("Mars/Olympus", "", "../etc/passwd", "/etc/localtime"):
        with pytest.raises(ValueError, match="no such time zone"):
            zone_of(Table("T", zone=zone))


@given(st.text(st.characters()))
def test_printable_text_holds_nothing_that_xml_forbids(text: str) -> None:
    kept = printable(text)
    for letter in kept:
        code = ord(letter)
        assert letter in "\t\n" or code >= 0x20
        assert not 0x7F <= code <= 0x9F
        assert not 0xD800 <= code <= 0xDFFF
        assert code & 0xFFFE != 0xFFFE
    assert printable(kept) == kept


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd|x", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1"]
)
def test_a_formula_is_guarded(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["+49 30 1234", "-12", "+1 (555) 010-9999", "plain", "", "5=5", "1001", "O'Neil"])
def test_numbers_and_plain_texts_are_left_alone(text: str) -> None:
    assert harmless(text) == text


@given(st.text(st.sampled_from("'=+-@1a\t ")))
def test_a_guarded_text_can_be_told_and_taken_back(text: str) -> None:
    guarded = harmless(text)
    rest = guarded[1:]
    back = rest if guarded.startswith("'") and harmless(rest) != rest else guarded
    assert back == text
