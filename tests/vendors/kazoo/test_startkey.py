"""Start keys: they stand for one row, survive the way to a client and back, and nothing else is one."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.vendors.kazoo.startkey import LETTERS, Position, decode, encode

POSITIONS = st.builds(Position, st.integers(-(2**63), 2**63 - 1), st.binary(min_size=16, max_size=16))
KEY = encode(Position(1_700_000_000_123, bytes(range(16))))


@given(POSITIONS)
def test_a_key_stands_for_the_row_it_was_made_of(position: Position) -> None:
    assert decode(encode(position)) == position


@given(POSITIONS)
def test_a_key_goes_into_a_url_as_it_is_and_begins_as_kazoos_do(position: Position) -> None:
    assert re.fullmatch(r"g2[A-Za-z0-9_-]+", encode(position))


def test_a_key_is_a_term_that_erlang_reads() -> None:
    raw = base64.urlsafe_b64decode(KEY + "==")
    assert raw[:2] == b"\x83m"  # version 131, a binary
    assert int.from_bytes(raw[2:6]) == len(raw[6:])


@given(POSITIONS, POSITIONS)
def test_two_rows_have_two_keys(one: Position, other: Position) -> None:
    assert (encode(one) == encode(other)) == (one == other)


@given(st.text() | st.text(min_size=LETTERS, max_size=LETTERS) | st.characters().map(lambda letter: letter * LETTERS))
def test_no_other_text_is_a_key(text: str) -> None:
    assert decode(text) is None


@given(st.binary() | st.binary(min_size=34, max_size=34))
def test_no_other_bytes_are_a_key(raw: bytes) -> None:
    assert decode(base64.urlsafe_b64encode(raw).rstrip(b"=").decode()) is None


@given(st.integers(0, LETTERS - 1), st.sampled_from("AZaz09-_+/=. \n\u0663\ud800"))
def test_a_key_with_a_letter_changed_is_none(place: int, letter: str) -> None:
    changed = KEY[:place] + letter + KEY[place + 1 :]
    assert decode(changed) == (decode(KEY) if changed == KEY else None)


@pytest.mark.parametrize("changed", [KEY[:-1], KEY + "=", KEY + "==", f" {KEY}", f"{KEY}\n", KEY.lower(), KEY * 2, ""])
def test_a_key_that_lost_or_gained_something_is_none(changed: str) -> None:
    assert decode(KEY) is not None
    assert decode(changed) is None
