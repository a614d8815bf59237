import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.cli.common import USAGE, Failure
from voxkeep.cli.durations import UNITS_MS, duration_ms

PARTS = st.lists(st.tuples(st.integers(0, 5_000), st.sampled_from("dhms")), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("text", "length_ms"),
    [
        ("90d", 7_776_000_000),
        ("24h", 86_400_000),
        ("30m", 1_800_000),
        ("45s", 45_000),
        ("1d12h", 129_600_000),
        ("0s", 0),
    ],
)
def test_a_duration_is_numbers_with_units(text: str, length_ms: int) -> None:
    assert duration_ms(text) == length_ms


@given(PARTS)
def test_the_parts_of_a_duration_add_up(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert duration_ms(text) == sum(number * UNITS_MS[unit] for number, unit in parts)


@pytest.mark.parametrize(
    "text", ["", "90", "d", "90 d", "-1d", "1.5h", "90D", "1w", "٣d", "1d\n", "9999999999d", "99999d"]
)
def test_what_is_no_duration_is_refused_as_wrong_usage(text: str) -> None:
    with pytest.raises(Failure) as refused:
        duration_ms(text)
    assert refused.value.code == USAGE
    assert repr(text) in str(refused.value)


@given(st.text(max_size=30))
def test_any_text_is_a_duration_or_a_failure(text: str) -> None:
    try:
        length_ms = duration_ms(text)
    except Failure:
        return
    assert length_ms >= 0
