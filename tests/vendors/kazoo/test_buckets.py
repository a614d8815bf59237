"""The rate limit: a bucket for each address and account, emptied by whoever is refused."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.settings import Kazoo
from voxkeep.vendors.kazoo.buckets import Buckets
from voxkeep.vendors.kazoo.errors import KazooError

HERE, THERE = "192.0.2.1", "192.0.2.2"
ONE, OTHER = "1" * 32, "2" * 32
RULES = Kazoo()


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def buckets(clock: Clock, most: int = 100, **rules: bool) -> Buckets:
    return Buckets(Kazoo(**rules), clock=clock, most=most)


def is_refused(take: Callable[[], None]) -> bool:
    try:
        take()
    except KazooError as error:
        return error.status == 429
    return False


def test_a_refusal_is_kazoos_and_names_no_time_to_wait() -> None:
    limits = buckets(Clock())
    with pytest.raises(KazooError) as caught:
        limits.take(HERE, ONE, 101)
    error = caught.value
    assert (error.status, error.message) == (429, "too_many_requests")
    assert error.data == {"message": "too many requests"}
    assert error.headers == []


def test_a_hundred_requests_come_at_once_and_ten_more_each_second() -> None:
    clock = Clock()
    limits = buckets(clock)
    for _ in range(100):
        limits.take(HERE, ONE, 1)
    assert is_refused(lambda: limits.take(HERE, ONE, 1))
    clock.now += 1
    for _ in range(10):
        limits.take(HERE, ONE, 1)
    assert is_refused(lambda: limits.take(HERE, ONE, 1))


def test_the_third_quick_login_is_refused_and_empties_the_bucket() -> None:
    clock = Clock()
    limits = buckets(clock)
    limits.login(HERE)
    limits.login(HERE)
    assert is_refused(lambda: limits.login(HERE))
    # 30 were left: they are gone, and a login needs as long as 35 take to come
    clock.now += 3.4
    assert is_refused(lambda: limits.login(HERE))
    clock.now += 3.5
    limits.login(HERE)


def test_addresses_and_accounts_have_buckets_of_their_own() -> None:
    limits = buckets(Clock())
    limits.take(HERE, ONE, 100)
    assert is_refused(lambda: limits.take(HERE, ONE, 1))
    limits.take(HERE, OTHER, 100)
    limits.take(THERE, ONE, 100)
    limits.login(HERE)


@given(st.lists(st.text(), min_size=2, max_size=5))
def test_what_is_no_account_gives_nobody_another_bucket(paths: list[str]) -> None:
    limits = buckets(Clock())
    limits.take(HERE, paths[0], 100)
    assert all(is_refused(lambda path=path: limits.take(HERE, path, 1)) for path in paths)  # type: ignore[misc] # bound at once
    assert len(limits) == 1


def test_a_full_bucket_holds_no_more_however_long_nobody_came() -> None:
    clock = Clock()
    limits = buckets(clock)
    limits.take(HERE, ONE, 50)
    clock.now += 86_400
    limits.take(HERE, ONE, 100)
    assert is_refused(lambda: limits.take(HERE, ONE, 1))


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 120)), max_size=60))
def test_nobody_gets_more_than_the_bucket_and_its_refill(attempts: list[tuple[float, int]]) -> None:
    clock = Clock()
    limits, begun, taken = buckets(clock), clock.now, 0
    for wait, cost in attempts:
        clock.now += wait
        if not is_refused(lambda cost=cost: limits.take(HERE, ONE, cost)):  # type: ignore[misc] # bound at once
            taken += cost
        assert taken <= RULES.bucket_tokens + RULES.bucket_refill * (clock.now - begun) + 1e-6


def test_a_setting_switches_the_limit_off() -> None:
    limits = buckets(Clock(), rate_limits=False)
    for _ in range(1_000):
        limits.login(HERE)
    assert len(limits) == 0


def test_few_buckets_are_held_however_many_addresses_come() -> None:
    clock = Clock()
    limits = buckets(clock, most=10)
    for number in range(1_000):
        limits.take(f"198.51.100.{number}", "", 1)
    assert len(limits) == 10
    # the one used last is still known
    assert is_refused(lambda: limits.take("198.51.100.999", "", 100))


def test_full_buckets_are_forgotten_before_any_that_says_something() -> None:
    clock = Clock()
    limits = buckets(clock, most=10)
    for number in range(9):
        limits.take(f"198.51.100.{number}", "", 100)
    clock.now += 11
    limits.take(HERE, "", 100)
    limits.take(THERE, "", 1)
    assert len(limits) == 2
    assert is_refused(lambda: limits.take(HERE, "", 1))
