"""Reports of one row for each call: what calls are listed, and each column with the value it takes."""

from collections.abc import Callable

from msgspec import Struct

from voxkeep.activity import definitions as d
from voxkeep.activity.calls import LiveCall
from voxkeep.activity.report import Column, Kind, Value
from voxkeep.activity.reports import cells as c
from voxkeep.activity.reports.asked import Asked, Options
from voxkeep.activity.reports.chosen import EVERYBODY, Chosen, Whoses
from voxkeep.activity.reports.reading import Reader
from voxkeep.activity.reports.report import Content
from voxkeep.activity.reports.tally import Cell, Sums

Listed = Callable[[LiveCall, Chosen, Options], bool]
"""Tells whether a call is listed."""


class Field(Struct, frozen=True):
    """A column of a list: its value is of the whole call, or of those parts of it that the list is about."""

    column: Column
    value: Callable[[LiveCall, Whoses], Value]


def agent_of(call: LiveCall) -> str | None:
    """Return the first agent as displayed."""
    who = d.initial_agent(call)
    return None if who is None else who.shown


START = Field(Column("start", "Start Time", Kind.MOMENT, "When the first event began."), lambda call, _: call.began_at)
END = Field(
    Column("end", "End Time", Kind.MOMENT, "When the last event ended; nothing while the call lasts."),
    lambda call, _: call.ended_at,
)
DIRECTION = Field(
    Column("direction", "Call Direction", Kind.TEXT, "Inbound, outbound, internal or intersite."),
    lambda call, _: call.direction.capitalize(),
)
DURATION = Field(
    Column(
        "call_duration", "Call Duration", Kind.DURATION, "From the start of the first event to the end of the last."
    ),
    lambda call, _: d.call_duration(call),
)
NUMBER = Field(
    Column("external_number", "External Number", Kind.TEXT, "The number outside."), lambda call, _: call.party or None
)
NAME = Field(
    Column("caller_name", "Caller Name", Kind.TEXT, "The caller's name, where it is known."),
    lambda call, _: call.caller_name or None,
)
AGENT = Field(
    Column("initial_agent", "Initial Agent", Kind.TEXT, "The first agent whom the call came to."),
    lambda call, _: agent_of(call),
)
TALKING = Field(
    Column("talking_duration", "Total Talking Duration", Kind.DURATION, "All Talking events of the call together."),
    lambda call, whoses: sum(d.total(call, d.TALKING, whose).total_ms for whose in whoses),
)
IS_ANSWERED = Field(
    Column("is_answered", "Is Answered", Kind.FLAG, "Whether there is a Talking event, whichever way the call went."),
    lambda call, whoses: any(d.answered(call, whose, d.EVERY_WAY) for whose in whoses),
)
ACCOUNT_CODE = Field(
    Column("account_code", "Account Code", Kind.TEXT, "The account codes given to the call, in order."),
    lambda call, _: ", ".join(call.account_codes) or None,
)
WAIT = Field(
    Column("wait", "Caller Wait", Kind.DURATION, "All event time but Talking, Voicemail and Dialling."),
    lambda call, _: d.caller_wait(call),
)
KEY = Field(Column("call", "Call", Kind.TEXT, "The call's key."), lambda call, _: call.key)
CALLS = c.CALLS.titled("Total Calls", "Calls listed.")
CALL_DURATION = c.CALL_DURATION.titled("Total Call Duration", "Of the calls listed.")
ALL_TALKING = c.TALKING.titled("Total Talking Duration", "Of the calls listed.")


class CallList(Struct, frozen=True, kw_only=True):
    """How such a report is computed: whole calls, in order of begin, rows waiting where they need no memory."""

    fields: tuple[Field, ...]
    figures: tuple[Cell, ...]
    listed: Listed

    def columns(self, _: Options) -> tuple[Column, ...]:
        """Return the columns."""
        return tuple(field.column for field in self.fields)

    async def compute(self, reader: Reader, asked: Asked) -> Content:
        """Compute rows and figures."""
        chosen, rows, sums = Chosen(asked), reader.spool().strand(), Sums(self.figures, asked.options)

        def take(call: LiveCall) -> None:
            if self.listed(call, chosen, asked.options):
                rows.add(tuple(field.value(call, EVERYBODY) for field in self.fields))
                sums.add(call, EVERYBODY)

        await reader.each_call(asked, take)
        return Content(rows, sums.figures(self.figures))
