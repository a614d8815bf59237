"""Waits between tries: longer each time, never under 5 s nor over an hour, and as long as the receiver asks."""

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.deliver.patience import retry_after, wait_seconds

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@given(attempts=st.integers(1, 10_000), asked=st.floats(0, 1e12), seed=st.integers())
def test_a_wait_is_from_5_seconds_to_an_hour_and_no_shorter_than_asked(attempts: int, asked: float, seed: int) -> None:
    wait = wait_seconds(attempts, asked, random.Random(seed).uniform)  # noqa: S311 -- no secret
    assert 5 <= wait <= 3600
    assert wait >= min(asked, 3600)


def test_waits_double_up_to_an_hour() -> None:
    longest = [wait_seconds(attempts, 0, lambda _, most: most) for attempts in range(1, 13)]
    assert longest == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600]
    assert [wait_seconds(attempts, 0, lambda least, _: least) for attempts in (1, 2, 12)] == [5, 10, 1800]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0),
        ("0", 0),
        (" 120 ", 120),
        ("9" * 400, 3600),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("٣", 0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        ("Sun, 01 Mar 2026 12:00:30", 30),
    ],
)
def test_retry_after_is_read_in_both_forms(text: str, seconds: float) -> None:
    assert retry_after(text, NOW) == seconds


@given(text=st.text(max_size=40) | st.text("0123456789 :,GMTJanSu+-", max_size=40))
def test_any_retry_after_is_a_number_of_seconds(text: str) -> None:
    assert retry_after(text, NOW) >= 0
