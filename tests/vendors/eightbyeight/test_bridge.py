"""The bridge: threads get answers, and whatever goes wrong in the loop, they get an OSError and never wait for ever."""

import asyncio
import errno
import time
from collections.abc import AsyncIterator

import pytest

from voxkeep.archive.errors import AudioMissing
from voxkeep.database import DatabaseError, DatabaseFull
from voxkeep.vault import VaultError, VaultFull
from voxkeep.vendors.eightbyeight.bridge import Bridge


@pytest.fixture
async def bridge() -> Bridge:
    return Bridge(asyncio.get_running_loop())


async def answer(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def test_a_thread_gets_its_answer(bridge: Bridge) -> None:
    answers = await asyncio.gather(*(asyncio.to_thread(bridge, answer(number)) for number in range(50)))
    assert answers == list(range(50))


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (DatabaseError("x"), errno.EIO),
        (VaultError("x"), errno.EIO),
        (AudioMissing("x"), errno.EIO),
        (DatabaseFull("x"), errno.ENOSPC),
        (VaultFull("x"), errno.ENOSPC),
        (FileNotFoundError(errno.ENOENT, "x"), errno.ENOENT),
    ],
)
async def test_what_the_archive_cannot_do_is_an_oserror(bridge: Bridge, error: Exception, number: int) -> None:
    async def failing() -> None:
        raise error

    with pytest.raises(OSError, match=r".") as caught:
        await asyncio.to_thread(bridge, failing())
    assert caught.value.errno == number


async def test_a_fault_in_the_code_stays_one(bridge: Bridge) -> None:
    async def faulty() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(bridge, faulty())


async def test_no_answer_is_waited_for_for_ever() -> None:
    ended = asyncio.Event()

    async def silent() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(OSError, match=r".") as caught:
        await asyncio.to_thread(Bridge(asyncio.get_running_loop(), 0.05), silent())
    assert caught.value.errno == errno.ETIMEDOUT
    await asyncio.wait_for(ended.wait(), 10)


async def test_closing_tells_who_waits_and_who_comes(bridge: Bridge) -> None:
    begun = asyncio.Event()

    async def silent() -> None:
        begun.set()
        await asyncio.Event().wait()

    waiting = asyncio.create_task(asyncio.to_thread(bridge, silent()))
    await begun.wait()
    before = time.monotonic()
    bridge.close()
    for asked in (waiting, asyncio.to_thread(bridge, answer(1))):
        with pytest.raises(OSError, match=r".") as caught:
            await asked
        assert caught.value.errno == errno.ESHUTDOWN
    assert time.monotonic() - before < 10
    await asyncio.to_thread(bridge.soon, pytest.fail)


async def test_an_asynchronous_iterator_is_followed_to_its_end(bridge: Bridge) -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(5):
            yield number

    assert await asyncio.to_thread(lambda: list(bridge.each(numbers()))) == [0, 1, 2, 3, 4]


async def test_what_nobody_waits_for_is_done_soon(bridge: Bridge) -> None:
    done = asyncio.Event()
    await asyncio.to_thread(bridge.soon, done.set)
    await asyncio.wait_for(done.wait(), 10)
