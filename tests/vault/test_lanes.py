"""What lanes promise: everyone gets their own outcome, and what waits together is done together."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from voxkeep.vault.lanes import MOST, Lane


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


class Work:
    """Doubles numbers, refuses odd ones, and remembers its batches; stands still while `gate` is down."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.side_by_side = self.most_side_by_side = 0

    def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.side_by_side += 1
        self.most_side_by_side = max(self.most_side_by_side, self.side_by_side)
        self.gate.wait(10)
        self.side_by_side -= 1
        return [ValueError(item) if item % 2 else 2 * item for item in items]


async def until_begun(work: Work, batches: int) -> None:
    while len(work.batches) < batches:  # noqa: ASYNC110 -- counted in the threads
        await asyncio.sleep(0.001)


async def test_everyone_gets_their_own_outcome(pool: ThreadPoolExecutor) -> None:
    lane = Lane(pool, Work())
    outcomes = await asyncio.gather(*(lane.run(item) for item in range(100)), return_exceptions=True)
    assert outcomes[::2] == [2 * item for item in range(0, 100, 2)]
    assert [(type(each), each.args) for each in outcomes[1::2] if isinstance(each, ValueError)] == [
        (ValueError, (item,)) for item in range(1, 100, 2)
    ]


async def test_what_is_asked_in_one_turn_of_the_loop_is_one_batch(pool: ThreadPoolExecutor) -> None:
    work = Work()
    lane = Lane(pool, work)
    await asyncio.gather(*(lane.run(2 * item) for item in range(10)))
    assert work.batches == [[2 * item for item in range(10)]]


async def test_what_comes_while_a_batch_is_under_way_is_the_next_one(pool: ThreadPoolExecutor) -> None:
    work = Work()
    work.gate.clear()
    lane = Lane(pool, work)
    first = asyncio.create_task(lane.run(0))
    await until_begun(work, 1)
    rest = [asyncio.create_task(lane.run(item)) for item in (2, 4, 6)]
    await asyncio.sleep(0.01)
    assert len(work.batches) == 1
    work.gate.set()
    assert await asyncio.gather(first, *rest) == [0, 4, 8, 12]
    assert work.batches == [[0], [2, 4, 6]]


async def test_a_batch_has_a_most(pool: ThreadPoolExecutor) -> None:
    work = Work()
    lane = Lane(pool, work)
    await asyncio.gather(*(lane.run(2 * item) for item in range(MOST + 1)))
    assert [len(batch) for batch in work.batches] == [MOST, 1]


async def test_no_more_batches_run_side_by_side_than_may(pool: ThreadPoolExecutor) -> None:
    work = Work()
    lane = Lane(pool, work, at_once=2)
    work.gate.clear()
    tasks = []
    for item in range(4):
        tasks.append(asyncio.create_task(lane.run(2 * item)))
        await asyncio.sleep(0.01)
    assert work.batches == [[0], [2]]
    work.gate.set()
    await asyncio.gather(*tasks)
    assert work.most_side_by_side == 2


async def test_one_who_is_cancelled_leaves_when_their_item_is_done(pool: ThreadPoolExecutor) -> None:
    work = Work()
    work.gate.clear()
    lane = Lane(pool, work)
    task = asyncio.create_task(lane.run(1))
    await until_begun(work, 1)
    task.cancel()
    await asyncio.sleep(0.01)
    assert not task.done()
    work.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_work_that_fails_as_a_whole_is_told_to_all_and_the_lane_goes_on(pool: ThreadPoolExecutor) -> None:
    def broken(items: Sequence[int]) -> list[int | Exception]:
        if 0 in items:
            raise MemoryError
        return list(items)

    lane = Lane(pool, broken)
    outcomes = await asyncio.gather(lane.run(0), lane.run(1), return_exceptions=True)
    assert [type(each) for each in outcomes] == [MemoryError, MemoryError]
    assert await lane.run(5) == 5
