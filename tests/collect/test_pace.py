import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from voxkeep.archive.units import EpochMs
from voxkeep.collect.pace import Clock, Pace

START = EpochMs(1_700_000_000_000)


class Time:
    """A clock that only sleeping moves; the wall clock may be set beside it."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.remembered: list[EpochMs] = []

    def wall(self) -> EpochMs:
        return EpochMs(START + round((self.seconds - 1_000) * 1000))

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    async def remember(self, at: EpochMs) -> None:
        self.remembered.append(at)

    def pace(self, seconds: float, last_sent_at: int | None = None) -> Pace:
        last = None if last_sent_at is None else EpochMs(last_sent_at)
        return Pace(seconds, last, self.remember, Clock(lambda: self.seconds, self.wall, self.sleep))


async def sent(time: Time, pace: Pace, count: int) -> list[float]:
    moments = []
    for _ in range(count):
        await pace.slot()
        moments.append(round(time.seconds - 1_000, 6))
    return moments


async def test_the_first_slot_is_at_once_and_the_others_at_the_pace() -> None:
    time = Time()
    assert await sent(time, time.pace(3.4), 3) == [0.0, 3.4, 6.8]


async def test_the_pace_counts_from_send_to_send_whatever_the_answer_took() -> None:
    time = Time()
    pace = time.pace(3.0)
    await pace.slot()
    time.seconds += 2.0
    await pace.slot()
    assert time.seconds == 1_003.0
    time.seconds += 60.0
    await pace.slot()
    assert time.seconds == 1_063.0
    await pace.slot()
    assert time.seconds == 1_066.0


async def test_every_send_is_remembered_before_it_goes_out() -> None:
    time = Time()
    await sent(time, time.pace(3.4), 2)
    assert time.remembered == [START, START + 3_400]


async def test_a_restart_at_once_keeps_the_pace() -> None:
    time = Time()
    assert await sent(time, time.pace(3.4, START - 1_000), 2) == [2.4, 5.8]


async def test_a_restart_much_later_waits_for_nothing() -> None:
    time = Time()
    assert await sent(time, time.pace(3.4, START - 60_000), 1) == [0.0]


async def test_a_wall_clock_that_was_set_back_costs_one_slot_at_most() -> None:
    time = Time()
    assert await sent(time, time.pace(3.4, START + 86_400_000), 1) == [3.4]


async def test_many_who_want_a_slot_share_the_pace() -> None:
    time = Time()
    pace = time.pace(3.0)
    await asyncio.gather(*(pace.slot() for _ in range(4)))
    assert time.remembered == [START, START + 3_000, START + 6_000, START + 9_000]


@given(st.lists(st.floats(0, 20), max_size=20), st.floats(0.01, 10))
async def test_two_sends_are_never_closer_than_the_pace(answers: list[float], seconds: float) -> None:
    time = Time()
    pace, moments = time.pace(seconds), []
    for answer in answers:
        await pace.slot()
        moments.append(time.seconds)
        time.seconds += answer
    assert all(later - earlier >= seconds * 0.999_999 for earlier, later in pairwise(moments))
