"""Agent Chat Summary: a row for each agent, of the archive's transcripts.

A chat of which the messages were removed does not tell any more whether it was answered, and is left out.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct

from voxkeep.activity.events import Who
from voxkeep.activity.report import Chart, ChartKind, Column, Figure, Kind, Value
from voxkeep.activity.reports.asked import Asked, Options
from voxkeep.activity.reports.grouping import AGENT, by_name
from voxkeep.activity.reports.reading import Chat, Reader
from voxkeep.activity.reports.report import AGENTS, TIMEFRAME, Content, Report
from voxkeep.activity.reports.tally import FOLDS, Fold, Sum


class ChatSums(Struct):
    """An agent's chats: how long they were, and how soon the agent wrote in those that were answered."""

    chats: Sum
    answers: Sum

    @classmethod
    def none(cls) -> "ChatSums":
        """Return the sums of nothing."""
        return cls(Sum(), Sum())

    def add(self, chat: Chat) -> None:
        """Add a chat."""
        self.chats.one(chat.transcript.duration_ms)
        if chat.answered_at is not None:
            # a clock of the vendor's may tell an answer before the beginning
            self.answers.one(max(0, chat.answered_at - chat.transcript.started_at))

    def merge(self, other: "ChatSums") -> None:
        """Add other sums."""
        for mine, its in ((self.chats, other.chats), (self.answers, other.answers)):
            mine.merge(its.count, its.total, its.largest)


COLUMNS: Mapping[Column, Callable[[ChatSums], Value]] = {
    Column("chats", "Total Chat Count", Kind.COUNT, "The agent's chats that began in the timeframe."): (
        lambda sums: sums.chats.count
    ),
    Column("answered", "Total Answered Chat Count", Kind.COUNT, "Those in which an agent wrote."): (
        lambda sums: sums.answers.count
    ),
    Column("duration", "Total Chat Duration", Kind.DURATION, "From the beginning of each chat to its end."): (
        lambda sums: sums.chats.total
    ),
    Column("avg_duration", "Avg Chat Duration", Kind.DURATION, "By the number of chats."): (
        lambda sums: FOLDS[Fold.AVERAGE](sums.chats)
    ),
    Column(
        "avg_speed_of_answer",
        "Avg Chat Speed of Answer",
        Kind.DURATION,
        "From the beginning of a chat to the first message of an agent, of those that were answered.",
    ): lambda sums: FOLDS[Fold.AVERAGE](sums.answers),
}


def _values(sums: ChatSums) -> tuple[Value, ...]:
    return tuple(value(sums) for value in COLUMNS.values())


def _columns(_: Options) -> tuple[Column, ...]:
    return (AGENT, *COLUMNS)


async def _compute(reader: Reader, asked: Asked) -> Content:
    shown = {who.key: who.shown for who in asked.agents}
    sums = {key: ChatSums.none() for key in shown}
    async for chats in reader.chats(asked):
        for chat in chats:
            it = chat.transcript
            who = Who(it.agent_name, it.agent_extension, it.agent_login)
            if who.key and (not asked.agents or who.key in shown):
                shown.setdefault(who.key, who.shown)
                sums.setdefault(who.key, ChatSums.none()).add(chat)
    whole = ChatSums.none()
    for each in sums.values():
        whole.merge(each)
    order = shown.items() if asked.agents else by_name(shown)
    rows = [(name, *_values(sums[key])) for key, name in order]
    figures = zip(COLUMNS, _values(whole), strict=True)
    return Content(
        rows, tuple(Figure(column.title, column.kind, value, column.definition) for column, value in figures)
    )


REPORT = Report(
    name="agent-chat-summary",
    title="Agent Chat Summary",
    about="Chats of each agent; those without an agent, and removed ones, are left out.",
    parameters=TIMEFRAME | AGENTS,
    columns_by=_columns,
    compute=_compute,
    chart=Chart(ChartKind.BAR, AGENT.key, ("chats", "answered")),
)
