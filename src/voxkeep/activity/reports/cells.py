"""The columns that reports have in common: title, measure, and in words what they count.

"The row's" agent, skill or number is whom a row stands for; in a row by time, whoever is chosen for the report.
"""

from voxkeep.activity.events import Direction
from voxkeep.activity.reports import measures as m
from voxkeep.activity.reports.asked import Options
from voxkeep.activity.reports.tally import Cell, Fold
from voxkeep.archive.units import DurationMs

CALLS = Cell("calls", "Total Calls", Fold.COUNT, m.calls, "Calls with any event of the row's.")
CALL_DURATION = Cell(
    "call_duration",
    "Total Call Duration",
    Fold.TOTAL,
    m.duration,
    "Of these calls, from the start of the first event to the end of the last.",
)
AVG_CALL_DURATION = Cell(
    "avg_call_duration", "Avg Call Duration", Fold.AVERAGE, m.duration, "Total Call Duration by Total Calls."
)
MAX_CALL_DURATION = Cell("max_call_duration", "Max Call Duration", Fold.LARGEST, m.duration, "The longest call.")
OFFER_DURATION = Cell(
    "queue_offer_duration",
    "Total Queue Offer Duration",
    Fold.TOTAL,
    m.offering,
    "Time that the queue rang the row's agent.",
)
AVG_OFFER_DURATION = Cell(
    "avg_queue_offer_duration", "Avg Queue Offer Duration", Fold.AVERAGE, m.offering, "By the number of Queue Offers."
)
TALKING = Cell(
    "talking_duration", "Total Talking Duration", Fold.TOTAL, m.talking, "All Talking events of the row's together."
)
AVG_TALKING = Cell(
    "avg_talking_duration", "Avg Talking Duration", Fold.AVERAGE, m.talking, "By the number of Talking events."
)
MAX_TALKING = Cell(
    "max_talking_duration", "Max Talking Duration", Fold.LARGEST, m.talking, "The longest Talking event."
)
INBOUND_TALKING = Cell(
    "inbound_talking_duration",
    "Inbound Talking Duration",
    Fold.TOTAL,
    m.inbound_talking,
    "Talking events of the row's in inbound calls, those that were called back among them.",
)
CALLBACK_TALKING = Cell(
    "callback_talking_duration",
    "Callback Talking Duration",
    Fold.TOTAL,
    m.callback_talking,
    "Talking events of the row's since the call was called back.",
)
PRESENTED = Cell(
    "presented",
    "Total Presented",
    Fold.COUNT,
    m.presentations,
    "Calls (inbound, unless set otherwise) that rang the agent; of a skill or of all, that rang or queued.",
)
ANSWERED = Cell(
    "answered",
    "Total Answered",
    Fold.COUNT,
    m.answers,
    "Calls (inbound, unless set otherwise) with a Talking event of the row's.",
)
ANSWERED_PERCENT = Cell(
    "answered_percent",
    "Answered Calls Percent",
    Fold.PERCENT,
    m.answered_share,
    "Calls answered, in percent of those presented or answered.",
)
MISSED = Cell(
    "missed",
    "Total Missed",
    Fold.COUNT,
    m.misses,
    "Calls (inbound, unless set otherwise) that rang, without a Talking event of the row's.",
)
MISSED_PERCENT = Cell(
    "missed_percent",
    "Missed Calls Percent",
    Fold.PERCENT,
    m.missed_share,
    "Calls missed, in percent of those presented or answered.",
)
MISSED_RINGING = Cell(
    "missed_ringing_duration", "Total Ringing Duration", Fold.TOTAL, m.missed_ringing, "Time that missed calls rang."
)
AVG_MISSED_RINGING = Cell(
    "avg_missed_ringing_duration",
    "Avg Ringing Duration",
    Fold.AVERAGE,
    m.missed_ringing,
    "Total Ringing Duration by the number of ringing events.",
)
MAX_MISSED_RINGING = Cell(
    "max_missed_ringing_duration",
    "Max Ringing Duration",
    Fold.LARGEST,
    m.missed_ringing,
    "The longest ringing event of a missed call.",
)
ABANDONED = Cell(
    "abandoned",
    "Abandoned Calls",
    Fold.COUNT,
    m.abandonments,
    "Calls (inbound, unless set otherwise) whose last event before the drop is neither Talking nor Voicemail.",
)
AVG_SPEED = Cell(
    "avg_speed_of_answer",
    "Avg Speed of Answer",
    Fold.AVERAGE,
    m.speed,
    "Ringing and queue before the first Talking event, of the calls that were answered.",
)
CALLBACKS = Cell(
    "callback_calls",
    "Callback Calls",
    Fold.COUNT,
    m.callback_calls,
    "Calls that the row's called back, or talked in after they were.",
)
SCHEDULED = Cell(
    "callbacks_scheduled", "Callbacks Scheduled", Fold.COUNT, m.scheduled, "Calls in which a callback was scheduled."
)
ACCEPTED = Cell(
    "callbacks_accepted", "Callbacks Accepted", Fold.COUNT, m.accepted, "Calls in which a callback was accepted."
)
GIVEN_UP = Cell(
    "callbacks_cancelled",
    "Callbacks Cancelled/Aborted",
    Fold.COUNT,
    m.given_up,
    "Calls in which a callback was cancelled or aborted.",
)
ACCEPTED_PERCENT = Cell(
    "accepted_callback_percent",
    "Accepted Callback Percent",
    Fold.PERCENT,
    m.accepted_share,
    "Callbacks accepted, in percent of those scheduled or accepted.",
)
SERVICE_LEVEL = Cell(
    "service_level",
    "Service Level",
    Fold.PERCENT,
    m.service_level,
    "Calls answered within the threshold (10 s unless set otherwise), in percent of those answered; or, by setting, of "
    "those presented, or answered or abandoned.",
)
DIRECTIONS = {
    direction: Cell(
        f"{direction}_calls",
        f"{direction.capitalize()} Calls",
        Fold.COUNT,
        m.counting(m.goes(direction)),
        f"Of these calls, the {direction} ones.",
    )
    for direction in Direction
}


def within(options: Options) -> tuple[Cell, ...]:
    """Return the cells of calls answered within each step, and after the last."""
    steps = options.answered_within_ms
    return (*map(_within, steps), _after(steps[-1]))


def _within(step: DurationMs) -> Cell:
    shown = f"{step / 1000:g} s"
    return Cell(
        f"answered_within_{step}_ms",
        f"Calls Answered within {shown}",
        Fold.COUNT,
        m.counting(m.is_within(step)),
        f"Calls answered with a speed of answer below {shown}, those of shorter steps among them.",
    )


def _after(step: DurationMs) -> Cell:
    shown = f"{step / 1000:g} s"
    return Cell(
        f"answered_after_{step}_ms",
        f"Calls Answered after {shown}",
        Fold.COUNT,
        m.after(step),
        f"Calls answered with a speed of answer of {shown} or more.",
    )
