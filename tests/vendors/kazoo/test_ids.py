"""Recording ids: a month and 32 hex digits, which lead back to the recording whatever month they name."""

import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.archive.units import EpochMs, uuid7
from voxkeep.vendors.kazoo.gregorian import OFFSET_SECONDS, epoch_ms, gregorian
from voxkeep.vendors.kazoo.ids import is_recording_id, recording_id, uuid_of

MOMENTS = st.integers(0, 7_258_118_399_999)


@given(MOMENTS)
def test_an_id_names_the_month_of_the_start_in_utc_and_leads_back(at: int) -> None:
    identity = uuid7(EpochMs(at))
    shown = recording_id(identity.bytes)
    assert shown == f"{datetime.fromtimestamp(at // 1000, UTC):%Y%m}-{identity.hex}"
    assert is_recording_id(shown)
    assert uuid_of(shown) == identity


@given(MOMENTS, st.integers(1970, 2199), st.integers(1, 12))
def test_the_month_of_an_id_is_never_trusted(at: int, year: int, month: int) -> None:
    identity = uuid7(EpochMs(at))
    assert uuid_of(f"{year:04}{month:02}-{identity.hex}") == identity


@pytest.mark.parametrize(
    "text",
    ["", "x", "202402", "202402-", "202400-" + "a" * 32, "202413-" + "a" * 32, "2024-02-aaaa", "a" * 32, "٢٠٢٤٠٢-a"],
)
def test_what_is_not_of_that_form_is_no_id(text: str) -> None:
    assert not is_recording_id(text)
    assert uuid_of(text) is None


@pytest.mark.parametrize("rest", ["A" * 32, "g" * 32, "a" * 31, "a" * 33, "custom", "a\nb"])
def test_a_cluster_may_have_ids_of_its_own_choice_behind_the_month(rest: str) -> None:
    assert is_recording_id(f"202402-{rest}")
    assert uuid_of(f"202402-{rest}") is None


@given(st.text())
def test_any_text_is_an_id_or_none(text: str) -> None:
    found = uuid_of(text)
    assert found is None or (is_recording_id(text) and isinstance(found, uuid.UUID))


def test_gregorian_seconds_count_from_the_year_0() -> None:
    assert gregorian(0) == OFFSET_SECONDS == 62_167_219_200
    moment = datetime(2024, 3, 12, 10, 11, 12, tzinfo=UTC)
    assert gregorian(int(moment.timestamp() * 1000) + 999) == 63_877_457_472


@given(MOMENTS)
def test_gregorian_seconds_lead_back_to_the_second(at: int) -> None:
    assert epoch_ms(gregorian(at)) == at // 1000 * 1000
