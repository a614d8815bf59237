"""Noticing that a client has left while a long body is on its way.

uvicorn drops what is sent to a closed connection without a word, so a long sender has to listen to `receive`. One task
per long body; a body of one message does without.
"""

import asyncio
from types import TracebackType
from typing import Self

from starlette.types import Receive


class DisconnectWatch:
    """Context in which `gone` turns true once the client has left. Reads `receive`: nobody else may read it meanwhile.

    With `receive` None nothing is watched and `gone` stays false.
    """

    def __init__(self, receive: Receive | None) -> None:
        self.gone = False
        self._receive = receive
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._receive is not None:
            self._task = asyncio.create_task(self._listen(self._receive))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone = True
