"""What reports read: the calls, agents' spans and chats of a tenant and a time, with the folder that rows wait in."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

from voxkeep.activity.activity import Activity
from voxkeep.activity.agents import AgentSpan
from voxkeep.activity.calls import LiveCall
from voxkeep.activity.reports.asked import Asked
from voxkeep.activity.reports.spool import Spool
from voxkeep.archive import Archive
from voxkeep.archive.model import AGENT, State, Transcript
from voxkeep.archive.query import START, Position, Question, Scope
from voxkeep.archive.transcripts import COLUMNS, transcript_of
from voxkeep.archive.units import EpochMs
from voxkeep.database import Row

CHATS_AT_ONCE = 200


class Chat(NamedTuple):
    """A chat, and when an agent first wrote; None where none did."""

    transcript: Transcript
    answered_at: EpochMs | None


class Reader:
    """Reads for reports. `folder` takes the rows that wait to be rendered; by default the system's temporary one."""

    def __init__(self, activity: Activity, archive: Archive, folder: Path | None = None) -> None:
        self._activity = activity
        self._archive = archive
        self._folder = folder

    def spool(self) -> Spool:
        """Return a file for rows."""
        return Spool(self._folder)

    async def each_call(self, asked: Asked, take: Callable[[LiveCall], None]) -> None:
        """Have `take`, off the event loop, take each call in order of begin."""

        def work(calls: list[LiveCall]) -> None:
            for call in calls:
                take(call)

        async for _ in self._activity.shaped_calls(asked.tenant, asked.times, work):
            pass

    async def agent_spans(self, asked: Asked) -> AsyncIterator[list[AgentSpan]]:
        """Yield, agent by agent, the spans of the chosen agents that began in the time."""
        chosen = {who.key for who in asked.agents}
        async for spans in self._activity.agent_spans(asked.tenant, asked.times):
            begun = [each for each in spans if asked.begin <= each.begin < asked.end]
            if begun and (not chosen or begun[0].agent.key in chosen):
                yield begun

    async def chats(self, asked: Asked) -> AsyncIterator[list[Chat]]:
        """Yield the chats that began in the time, in order of begin; removed ones are left out."""
        question, after, rows = Question(Scope(asked.tenant), started=asked.times), START, CHATS_AT_ONCE
        while rows == CHATS_AT_ONCE:
            page = await self._archive.page_transcripts(question, after, CHATS_AT_ONCE, COLUMNS, _transcripts)
            held = [each for each in page if each.state is not State.REMOVED]
            answers = await asyncio.gather(*map(self._answered_at, held))
            yield [Chat(*each) for each in zip(held, answers, strict=True)]
            rows = len(page)
            after = Position(page[-1].started_at, page[-1].id.bytes) if page else after

    async def _answered_at(self, transcript: Transcript) -> EpochMs | None:
        async for messages in self._archive.messages(transcript):
            first = next((message.at for message in messages if message.sender == AGENT), None)
            if first is not None:
                return first
        return None


def _transcripts(rows: list[Row]) -> list[Transcript]:
    # the page's own columns come first
    return [transcript_of(row[2:]) for row in rows]
