from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from voxkeep.web.bodies import read_body
from voxkeep.web.errors import BodyTooLargeError


class Inbox:
    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)

    async def __call__(self) -> dict[str, Any]:
        return self.messages.pop(0)


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_in_parts_is_joined() -> None:
    assert await read_body(Inbox(part(b"ab", more=True), part(b"cd", more=False)), 4) == b"abcd"


async def test_a_missing_body_is_empty() -> None:
    assert await read_body(Inbox({"type": "http.request"}), 0) == b""


async def test_a_body_over_the_limit_is_refused_before_its_end() -> None:
    inbox = Inbox(part(b"abc", more=True), part(b"de", more=True), part(b"never read", more=False))
    with pytest.raises(BodyTooLargeError) as caught:
        await read_body(inbox, 4)
    assert caught.value.status == 413
    assert caught.value.limit_bytes == 4
    assert len(inbox.messages) == 1


async def test_a_client_that_leaves_ends_the_reading() -> None:
    with pytest.raises(ClientDisconnect):
        await read_body(Inbox(part(b"a", more=True), {"type": "http.disconnect"}), 10)
