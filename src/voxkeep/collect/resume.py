"""A stream that broke off, asked for from there on: only where the vendor proves that the rest is of the same bytes."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import NamedTuple

import aiohttp

from voxkeep.collect.errors import BadAnswer, VendorFailure

PARTIAL = 206
Ask = Callable[[Mapping[str, str]], AbstractAsyncContextManager[aiohttp.ClientResponse]]
"""Asks for a stream again with some more headers; gives only what is a part of it. Raises VendorFailure."""


class CutShort(BadAnswer):
    """A stream that broke off."""


class Broken(NamedTuple):
    """What has to be known of a stream to ask for its rest."""

    ask: Ask
    etag: str
    length: int
    """Bytes of the whole."""

    @classmethod
    def of(cls, response: aiohttp.ClientResponse, length: int | None, ask: Ask) -> "Broken | None":
        """Return what is to be known of an answer; None where its rest cannot be asked for."""
        etag = strong_etag(response)
        return cls(ask, etag, length) if etag and length is not None else None


def strong_etag(response: aiohttp.ClientResponse) -> str:
    """Return an answer's tag, "" where it has none that tells one byte from another."""
    etag: str = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else ""


async def resumed(
    stack: AsyncExitStack,
    blocks: AsyncIterator[bytes],
    broken: Broken,
    read: Callable[[aiohttp.ClientResponse, int], AsyncIterator[bytes]],
    left: int,
) -> AsyncIterator[bytes]:
    """Yield the blocks of a stream, and its rest up to `left` times when it breaks off; each time something must come.

    `read` gives the blocks of an answer, told how many bytes came before. Raises CutShort, or what `read` raises.
    """
    received = 0
    while True:
        before = received
        try:
            async for block in blocks:
                received += len(block)
                yield block
        except CutShort:
            response = await _rest(stack, broken, received) if left and received > before else None
            if response is None:
                raise
            blocks, left = read(response, received), left - 1
        else:
            return


async def _rest(stack: AsyncExitStack, broken: Broken, at: int) -> aiohttp.ClientResponse | None:
    """Return the answer with all behind the first `at` bytes; None where the vendor does not give just these."""
    try:
        response = await stack.enter_async_context(
            broken.ask(
                {"Range": f"bytes={at}-", "If-Range": broken.etag}
            )  # whoever ignores If-Range is found out below
        )
    except VendorFailure:
        # whatever it is, the question for the whole meets it again, and says so
        return None
    wanted = f"bytes {at}-{broken.length - 1}/{broken.length}"
    is_rest = response.headers.get("Content-Range") == wanted and strong_etag(response) == broken.etag
    return response if is_rest else None
