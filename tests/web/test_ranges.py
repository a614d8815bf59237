import itertools
import re
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.web.ranges import (
    MAX_RANGES,
    MERGE_GAP_BYTES,
    Span,
    UnsatisfiableError,
    coalesce,
    if_range_holds,
    none_match_hits,
    parse_range,
)

TAG = b'"abc"'


def test_a_closed_range_gives_its_bytes() -> None:
    assert parse_range(b"bytes=0-9", 100) == [Span(0, 10)]


def test_an_open_range_runs_to_the_end() -> None:
    assert parse_range(b"bytes=90-", 100) == [Span(90, 100)]


def test_a_suffix_gives_the_last_bytes() -> None:
    assert parse_range(b"bytes=-10", 100) == [Span(90, 100)]


def test_a_suffix_longer_than_the_body_gives_all_of_it() -> None:
    assert parse_range(b"bytes=-1000", 100) == [Span(0, 100)]


def test_a_range_past_the_end_is_clipped() -> None:
    assert parse_range(b"bytes=90-1000", 100) == [Span(90, 100)]


def test_a_single_byte_can_be_asked_for() -> None:
    assert parse_range(b"bytes=99-99", 100) == [Span(99, 100)]


def test_a_range_behind_the_end_is_unsatisfiable() -> None:
    with pytest.raises(UnsatisfiableError):
        parse_range(b"bytes=100-", 100)


def test_an_empty_suffix_is_unsatisfiable() -> None:
    with pytest.raises(UnsatisfiableError):
        parse_range(b"bytes=-0", 100)


def test_unsatisfiable_ranges_beside_a_good_one_are_dropped() -> None:
    assert parse_range(b"bytes=500-600, 5-6, -0", 100) == [Span(5, 7)]


def test_a_suffix_of_an_empty_body_is_the_whole_body() -> None:
    assert parse_range(b"bytes=-5", 0) is None


@pytest.mark.parametrize("value", [b"bytes=0-", b"bytes=0-0", b"bytes=-0"])
def test_an_empty_body_has_no_first_byte(value: bytes) -> None:
    with pytest.raises(UnsatisfiableError):
        parse_range(value, 0)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"bytes",
        b"bytes=",
        b"bytes=,",
        b"bytes=-",
        b"bytes=5",
        b"bytes=9-5",
        b"bytes=0-4,9-5",
        b"bytes=a-b",
        b"bytes=0x1-2",
        b"bytes=+1-2",
        b"bytes=1 - 2",
        b"bytes=1-2-3",
        b"bytes==1-2",
        b"bytes=\xb2-3",
        b"bytes=0-1;2-3",
    ],
)
def test_a_malformed_range_is_ignored(value: bytes) -> None:
    assert parse_range(value, 100) is None


@pytest.mark.parametrize("value", [b"seconds=0-5", b"items=0-5", b"byte=0-5", b"none=0-5"])
def test_an_unknown_unit_is_ignored(value: bytes) -> None:
    assert parse_range(value, 100) is None


def test_the_unit_may_be_written_in_any_case() -> None:
    assert parse_range(b"Bytes=1-2", 100) == [Span(1, 3)]


def test_spaces_and_empty_elements_in_the_set_are_allowed() -> None:
    assert parse_range(b"bytes= ,0-1 ,\t, 500-600,", 1000) == [Span(0, 2), Span(500, 601)]


def test_overlapping_ranges_are_joined() -> None:
    assert parse_range(b"bytes=0-50,40-99,99-120", 1000) == [Span(0, 121)]


def test_ranges_nearer_than_a_part_header_are_joined() -> None:
    assert parse_range(b"bytes=0-9,89-99", 1000) == [Span(0, 100)]
    assert parse_range(b"bytes=0-9,90-99", 1000) == [Span(0, 10), Span(90, 100)]


def test_ranges_out_of_order_come_ascending() -> None:
    assert parse_range(b"bytes=-10,0-9", 1000) == [Span(0, 10), Span(990, 1000)]


def test_too_many_ranges_are_ignored() -> None:
    assert parse_range(b"bytes=" + b",".join([b"0-0"] * MAX_RANGES), 100) == [Span(0, 1)]
    assert parse_range(b"bytes=" + b",".join([b"0-0"] * (MAX_RANGES + 1)), 100) is None


def test_a_position_of_thousands_of_digits_is_only_far_away() -> None:
    assert parse_range(b"bytes=10-" + b"9" * 6000, 100) == [Span(10, 100)]
    assert parse_range(b"bytes=" + b"0" * 6000 + b"10-11", 100) == [Span(10, 12)]
    with pytest.raises(UnsatisfiableError):
        parse_range(b"bytes=" + b"9" * 6000 + b"-", 100)


def model(value: str, size: int) -> set[int] | str:
    """Say which bytes are asked for, byte by byte and straight from the RFC's words; joining adds small gaps later."""
    whole = re.fullmatch(r"bytes=(.*)", value)
    items = [item.strip(" \t") for item in whole[1].split(",")] if whole else []
    items = [item for item in items if item]
    if not items or len(items) > MAX_RANGES:
        return "ignored"
    wanted: set[int] = set()
    suffix = False
    for item in items:
        if re.fullmatch(r"[0-9]+-[0-9]*", item):
            first, _, last = item.partition("-")
            if last and int(last) < int(first):
                return "ignored"
            wanted |= {at for at in range(size) if at >= int(first) and (not last or at <= int(last))}
        elif re.fullmatch(r"-[0-9]+", item):
            wanted |= {at for at in range(size) if at >= size - int(item[1:])}
            suffix = suffix or int(item[1:]) > 0
        else:
            return "ignored"
    if not wanted:
        return "ignored" if suffix and size == 0 else "unsatisfiable"
    return wanted


SPEC = st.one_of(
    st.tuples(st.integers(0, 500), st.integers(0, 500)).map(lambda pair: f"{pair[0]}-{pair[1]}"),
    st.integers(0, 500).map(lambda first: f"{first}-"),
    st.integers(0, 500).map(lambda last: f"-{last}"),
    st.sampled_from(["", "-", "x", "1-2-3", " 3-4", "5 -6"]),
)


@given(st.lists(SPEC, max_size=6), st.integers(0, 400))
def test_the_spans_are_the_bytes_the_rfc_names(specs: list[str], size: int) -> None:
    value = "bytes=" + ",".join(specs)
    expected = model(value, size)
    try:
        spans = parse_range(value.encode(), size)
    except UnsatisfiableError:
        assert expected == "unsatisfiable"
        return
    if spans is None:
        assert expected == "ignored"
        return
    assert isinstance(expected, set)
    given_bytes = {at for span in spans for at in range(span.start, span.stop)}
    assert expected <= given_bytes
    assert max(given_bytes) == max(expected)
    assert min(given_bytes) == min(expected)
    ordered = sorted(expected)
    gaps = {at for a, b in itertools.pairwise(ordered) if b - a <= MERGE_GAP_BYTES for at in range(a, b)}
    assert given_bytes <= expected | gaps


@given(st.binary(max_size=60), st.integers(0, 1000))
def test_any_header_value_gives_spans_inside_the_body_or_nothing(value: bytes, size: int) -> None:
    try:
        spans = parse_range(b"bytes=" + value, size)
    except UnsatisfiableError:
        return
    assert spans is None or all(0 <= start < stop <= size for start, stop in spans)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 500)), min_size=1))
def test_joined_spans_stand_apart_and_cover_the_same(pairs: list[tuple[int, int]]) -> None:
    spans = [Span(start, start + length) for start, length in pairs]
    merged = coalesce(spans)
    assert all(b.start - a.stop >= MERGE_GAP_BYTES for a, b in itertools.pairwise(merged))
    assert all(any(m.start <= s.start and s.stop <= m.stop for m in merged) for s in spans)


def test_if_range_holds_for_the_same_strong_tag_only() -> None:
    assert if_range_holds(TAG, TAG, None)
    assert not if_range_holds(b'"abd"', TAG, None)
    assert not if_range_holds(b'W/"abc"', TAG, None)
    assert not if_range_holds(b"abc", TAG, None)


def test_if_range_holds_for_exactly_our_last_modified() -> None:
    date = formatdate(1_700_000_000, usegmt=True).encode()
    assert if_range_holds(date, TAG, 1_700_000_000)
    assert not if_range_holds(date, TAG, 1_700_000_001)


def test_an_if_range_date_never_holds_without_last_modified() -> None:
    assert not if_range_holds(formatdate(1_700_000_000, usegmt=True).encode(), TAG, None)


@pytest.mark.parametrize(
    "value", [b"", b"yesterday", b"\xff\xfe", b"Tue, 99 Foo 2023 99:99:99 GMT", b"Tue, 14 Nov 2023"]
)
def test_an_unreadable_if_range_never_holds(value: bytes) -> None:
    assert not if_range_holds(value, TAG, 1_700_000_000)


@given(st.binary(max_size=40))
def test_any_if_range_is_answered(value: bytes) -> None:
    assert if_range_holds(value, TAG, 0) in {True, False}


def test_if_none_match_compares_weakly_over_lists_and_star() -> None:
    assert none_match_hits(TAG, TAG)
    assert none_match_hits(b'W/"abc"', TAG)
    assert none_match_hits(b'"x", W/"abc" ,"y"', TAG)
    assert none_match_hits(b" * ", TAG)
    assert not none_match_hits(b'"x","abcd"', TAG)
    assert not none_match_hits(b"abc", TAG)
    assert not none_match_hits(b"", TAG)
