"""The audio request limit, as arithmetic on the times of accepted requests (reference D8; seeds 000 and 002).

A request is accepted when the last accepted one is far enough back, or when fewer than so many were accepted in the
rolling window; it is refused only when both fail, and a refusal does not count. Knows no database and no clock.
"""

from collections.abc import Sequence

from voxkeep.settings import Xima


def in_order(accepted: Sequence[int], now: int) -> tuple[int, ...]:
    """Return the accepted times with those that lie ahead of a clock set back taken as now."""
    return tuple(min(at, now) for at in accepted)


def wait_ms(rule: Xima, accepted: Sequence[int], now: int) -> int:
    """Return how long until a request would be accepted, 0 for one that is accepted now.

    `accepted` are times up to now, in order, at least the last `audio_window_requests` of them where there were.
    """
    if len(accepted) < rule.audio_window_requests:
        return 0
    spaced = accepted[-1] + rule.audio_spacing_ms - rule.audio_spacing_grace_ms
    rolled = accepted[-rule.audio_window_requests] + rule.audio_window_ms
    return max(0, min(spaced, rolled) - now)


def with_accepted(rule: Xima, accepted: Sequence[int], now: int) -> tuple[int, ...]:
    """Return what is to be remembered once a request is accepted now."""
    return (*accepted, now)[-rule.audio_window_requests :]
