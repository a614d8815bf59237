import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.archive.units import (
    RANDOM_BITS,
    EpochMs,
    call_key,
    now_ms,
    recording_key,
    recording_of_key,
    uuid7,
    uuid7_time,
)

moments = st.integers(0, 2**48 - 1).map(EpochMs)
random_bits = st.integers(0, 2**RANDOM_BITS - 1)


@given(at=moments, bits=random_bits)
def test_a_uuid7_tells_its_time_and_is_well_formed(at: EpochMs, bits: int) -> None:
    made = uuid7(at, bits)
    assert uuid7_time(made) == at
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert uuid7(at, bits) == made


@given(at=moments, one=random_bits, other=random_bits)
def test_different_random_bits_make_different_ids(at: EpochMs, one: int, other: int) -> None:
    assert (uuid7(at, one) == uuid7(at, other)) == (one == other)


@given(one=moments, other=moments, bits=random_bits)
def test_ids_sort_by_their_time(one: EpochMs, other: EpochMs, bits: int) -> None:
    if one < other:
        assert uuid7(one).bytes < uuid7(other, bits).bytes


def test_ids_of_one_moment_are_different() -> None:
    assert len({uuid7(EpochMs(5)) for _ in range(1000)}) == 1000


@pytest.mark.parametrize("at", [-1, 2**48])
def test_a_time_that_no_uuid7_holds_is_refused(at: int) -> None:
    with pytest.raises(ValueError, match="int is out of range"):
        uuid7(EpochMs(at))


@given(at=moments, bits=random_bits)
def test_a_key_leads_back_to_its_recording(at: EpochMs, bits: int) -> None:
    made = uuid7(at, bits)
    assert recording_key(made) == f"{made}-{at}"
    assert recording_of_key(recording_key(made)) == made


@given(key=st.text(max_size=60))
def test_any_other_text_leads_to_no_recording(key: str) -> None:
    assert recording_of_key(key) is None


@given(at=moments, end=st.sampled_from(["0", " ", "-", "\n", "x"]))
def test_a_key_with_something_more_or_less_leads_to_no_recording(at: EpochMs, end: str) -> None:
    key = recording_key(uuid7(at))
    assert recording_of_key(key + end) is None
    assert recording_of_key(key[:-1]) is None
    assert recording_of_key(f"{{{key}}}") is None
    assert recording_of_key(f"urn:uuid:{key}") is None


def test_a_calls_key_tells_its_start_and_end() -> None:
    made = uuid7(EpochMs(1000))
    assert call_key(made, EpochMs(1000), EpochMs(2500)) == f"{made}-1000-2500"


def test_now_is_in_milliseconds_since_1970() -> None:
    before = int(time.time() * 1000)
    assert before <= now_ms() <= int(time.time() * 1000) + 1
