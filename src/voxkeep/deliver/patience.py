"""How long a delivery waits before it is tried again."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_SECONDS = 5.0
LONGEST_SECONDS = 3_600.0
MOST_DOUBLINGS = 20

Between = Callable[[float, float], float]
"""Gives a number between two, by chance."""


def wait_seconds(attempts: int, asked_seconds: float, between: Between = random.uniform) -> float:
    """Return the wait after so many failed tries: 5 s at first, then twice as long each time, up to an hour.

    A chance part keeps deliveries that failed together from coming back together. What the receiver asked for is
    waited for if it is longer, up to an hour, too.
    """
    longest = min(FIRST_SECONDS * 2 ** min(attempts, MOST_DOUBLINGS), LONGEST_SECONDS)
    return max(between(longest / 2, longest), min(asked_seconds, LONGEST_SECONDS))


def retry_after(text: str, now: datetime | None = None) -> float:
    """Return the seconds that a Retry-After asks for, in either of its forms; 0 when it says nothing sensible."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max((moment - (now or datetime.now(UTC))).total_seconds(), 0.0)
    except (ValueError, OverflowError):
        return 0.0
