"""8x8's words for recordings <-> our model, both ways (seed 003, "Files"; design section 2, the vocabulary table).

A file has 15 fields. What the model cannot give back as it came is kept under `extra["8x8"]`, so that the vendor's own
fields always win in its dialect. Times are shown in whole seconds with an offset, durations in whole seconds, rounded
down.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from voxkeep.archive.model import Call, Recording, WrapUpCode
from voxkeep.archive.query import AnyOf, Term
from voxkeep.archive.rows import extra_of, extra_text, list_text, wrap_up_codes_of
from voxkeep.archive.units import CallId, DurationMs, EpochMs, RecordingId, TenantId, uuid7
from voxkeep.database import Row

VENDOR = "8x8"
OUTBOUND_CHANNEL, OUTBOUND_QUEUE = "#virtual_outbound#", "QUEUE_OUTBOUND"
DIRECT_CHANNEL, DIRECT_QUEUE = "#virtual_daa#", "QUEUE_DIRECT_AGENT_ACCESS"
NONE = "0"
"""How caseID, accountNumber and extVar* say that there is none."""
NO_CALL = frozenset({"", NONE})
NUMBER = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)
"""A text that is a number and survives as one in every JSON reader."""
SHOWN_DATE_LENGTH = len("2007-12-19T19:16:36-08:00")


class TransactionCode(Struct, frozen=True):
    """A wrap-up code, and the list it is of."""

    listName: str  # noqa: N815 -- the vendor's spelling, here and below
    name: str


class TransactionCodes(Struct, frozen=True):
    """Wrap-up codes; always a list."""

    transactionCode: tuple[TransactionCode, ...]  # noqa: N815


class WrapUp(Struct, frozen=True, omit_defaults=True):
    """The wrap-up codes of a call, with nothing inside when there are none."""

    transactionCodes: TransactionCodes | None = None  # noqa: N815


NO_WRAP_UP = WrapUp()


class File(Struct):
    """A recording as 8x8 tells it, fields in the seed's order; empty texts are `""`."""

    startDate: str  # noqa: N815
    agentID: str  # noqa: N815
    phoneNumber: str  # noqa: N815
    channel: str
    caseID: int | str  # noqa: N815
    duration: int
    filename: str
    queueID: str  # noqa: N815
    queueName: str  # noqa: N815
    accountNumber: str  # noqa: N815
    transactionID: int | str  # noqa: N815
    extVar1: str  # noqa: N815
    extVar2: str  # noqa: N815
    outDialCode: str  # noqa: N815
    wrapUpCode: WrapUp = NO_WRAP_UP  # noqa: N815


Shown = Callable[[int], str]
"""Renders a moment in ms as the dialect shows it."""

COLUMNS = (
    "vendor", "file_name", "call_key", "duration_ms", "direction", "caller_number", "dialled_number", "agent_login",
    "agent_extension", "skill", "skill_id", "case_id", "account_number", "variable_1", "variable_2", "out_dial_code",
    "wrap_up_codes", "extra",
)  # fmt: skip
"""What is asked of `Archive.page`; its rows begin with started_at and id."""


@lru_cache(maxsize=1_024)
def shown_in(zone: str) -> Shown:
    """Return how moments are shown in a zone: whole seconds, and an offset of whole minutes."""
    info = ZoneInfo(zone)

    def shown(at_ms: int) -> str:
        text = datetime.fromtimestamp(at_ms // 1000, info).isoformat()
        if len(text) == SHOWN_DATE_LENGTH:
            return text
        # a local mean time of the last century: its offset has seconds, which this form has no place for
        return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat()

    return shown


def number_or_text(text: str) -> int | str:
    """Return a text as a number when it is one (reference 2.2)."""
    return int(text) if NUMBER.fullmatch(text) else text


# Serving: rows -> 8x8's records


def files_of(rows: Sequence[Row], shown: Shown) -> list[File]:
    """Return rows of `Archive.page` with COLUMNS as 8x8's files."""
    return [_file(row, shown) for row in rows]


def _file(row: Row, shown: Shown) -> File:
    (started_at, _, vendor, file_name, call_key, duration, direction, caller, dialled, login, extension, skill,
     skill_id, case, account, variable_1, variable_2, out_dial, codes, extra) = row  # fmt: skip
    if direction == "outbound":
        phone, channel, queue_id, queue = dialled, OUTBOUND_CHANNEL, OUTBOUND_QUEUE, OUTBOUND_QUEUE
    elif skill:
        phone, channel, queue_id, queue = caller, dialled, skill_id, skill
    else:
        phone, channel, queue_id, queue = caller, DIRECT_CHANNEL, DIRECT_QUEUE, DIRECT_QUEUE
    none = "" if vendor == VENDOR else NONE
    made = File(
        shown(started_at), login or extension, phone, channel, number_or_text(case or none), duration // 1000,
        file_name, queue_id, queue, account or none, number_or_text(call_key), variable_1 or none, variable_2 or none,
        out_dial, NO_WRAP_UP if codes is None else wrap_up_of(wrap_up_codes_of(codes)),
    )  # fmt: skip
    if extra is not None:
        overlay(made, extra)
    return made


def overlay(made: Struct, extra: str) -> None:
    """Put back what the vendor's own record said where the model cannot say it."""
    own = extra_of(extra).get(VENDOR)
    for name, text in own.items() if isinstance(own, dict) else ():
        # only what `differences` writes: a text for a field there is
        if isinstance(text, str) and name in made.__struct_fields__:
            setattr(made, name, number_or_text(text) if name in NUMBERS else text)


NUMBERS = frozenset({"caseID", "transactionID"})
"""Fields that are numbers in JSON where they can be."""


def wrap_up_of(codes: Sequence[WrapUpCode]) -> WrapUp:
    """Return wrap-up codes as 8x8 nests them."""
    if not codes:
        return NO_WRAP_UP
    return WrapUp(TransactionCodes(tuple(TransactionCode(each.list_name, each.name) for each in codes)))


# What a query variable asks for, as far as the model can tell: the exact comparison is on what is shown


def _any(*columns: str) -> Callable[[str], tuple[Term, ...]]:
    return lambda value: tuple(Term.equal(column, value) for column in columns)


def _or_none(column: str) -> Callable[[str], tuple[Term, ...]]:
    return lambda value: (Term.equal(column, value), *([Term.equal(column, "")] if value == NONE else []))


def _queue(column: str, outbound: str, direct: str) -> Callable[[str], tuple[Term, ...]]:
    special = {outbound: Term.equal("direction", "outbound"), direct: Term.equal("skill", "")}
    return lambda value: (Term.equal(column, value), *([special[value]] if value in special else []))


def _seconds(value: str) -> tuple[Term, ...]:
    seconds = int(value) if NUMBER.fullmatch(value) else -1
    return (Term("duration_ms", seconds * 1000, seconds * 1000 + 999),)


TERMS: Mapping[str, Callable[[str], tuple[Term, ...]]] = {
    "agentID": _any("agent_login", "agent_extension"),
    "phoneNumber": _any("caller_number", "dialled_number"),
    "channel": _queue("dialled_number", OUTBOUND_CHANNEL, DIRECT_CHANNEL),
    "caseID": _or_none("case_id"),
    "duration": _seconds,
    "filename": _any("file_name"),
    "queueID": _queue("skill_id", OUTBOUND_QUEUE, DIRECT_QUEUE),
    "queueName": _queue("skill", OUTBOUND_QUEUE, DIRECT_QUEUE),
    "accountNumber": _or_none("account_number"),
    "transactionID": _any("call_key"),
    "extVar1": _or_none("variable_1"),
    "extVar2": _or_none("variable_2"),
    "outDialCode": _any("out_dial_code"),
}
"""Query variable -> the columns of our own that a file showing this value has."""
FROM_ITS_CALL = ("transactionID", "channel", "phoneNumber")
"""Fields that are kept aside where they are empty: what a recording does not say itself is filled in from its call."""
EXACT = frozenset({"filename", "duration", "interactionGUID"})
"""Fields that are never kept aside: what the columns say is what is shown."""


def narrowing(wanted: Mapping[str, str], terms: Mapping[str, Callable[[str], tuple[Term, ...]]]) -> tuple[AnyOf, ...]:
    """Return conditions that every row showing the wanted values fulfils; others may fulfil them, too."""
    return tuple(AnyOf(terms[name](value), or_odd=name not in EXACT) for name, value in wanted.items())


# Collecting: 8x8's records -> our model


def recording_of(file: File, started_at: EpochMs, tenant: TenantId) -> Recording:
    """Return the recording that 8x8 tells of, still without audio, to be kept for a tenant of ours."""
    outbound = file.channel == OUTBOUND_CHANNEL
    queued = not outbound and file.channel != DIRECT_CHANNEL
    wrap_up = file.wrapUpCode.transactionCodes
    recording = Recording(
        tenant=tenant,
        id=RecordingId(uuid7(started_at)),
        started_at=started_at,
        duration_ms=DurationMs(file.duration * 1000),
        vendor=VENDOR,
        vendor_key=file.filename,
        file_name=file.filename,
        call_key=str(file.transactionID),
        direction="outbound" if outbound else "inbound",
        calling_party=file.agentID if outbound else file.phoneNumber,
        receiving_party=file.phoneNumber if outbound else file.agentID,
        caller_number="" if outbound else file.phoneNumber,
        dialled_number=file.phoneNumber if outbound else file.channel if queued else "",
        agent_name=file.agentID,
        agent_login=file.agentID,
        skill=file.queueName if queued else "",
        skill_id=file.queueID if queued else "",
        case_id=str(file.caseID),
        account_number=file.accountNumber,
        variable_1=file.extVar1,
        variable_2=file.extVar2,
        out_dial_code=file.outDialCode,
        wrap_up_codes=tuple(WrapUpCode(each.listName, each.name) for each in wrap_up.transactionCode)
        if wrap_up is not None
        else (),
    )
    return replace(recording, extra=differences(file, shown_of(recording, lambda _: file.startDate)))


def shown_of(recording: Recording, shown: Shown) -> File:
    """Return a recording as this dialect shows it."""
    special = {
        "wrap_up_codes": list_text(recording.wrap_up_codes),
        "extra": extra_text(recording.extra),
    }
    values = (special[name] if name in special else getattr(recording, name) for name in COLUMNS)
    return _file((recording.started_at, recording.id.bytes, *values), shown)


def differences(own: Struct, shown: Struct) -> dict[str, Any]:
    """Return, under our name for the vendor, the texts of its own record that we would not show as they came."""
    differing = {
        name: str(getattr(own, name))
        for name in own.__struct_fields__
        if isinstance(getattr(own, name), str | int) and getattr(own, name) != getattr(shown, name)
    }
    differing |= {name: "" for name in FROM_ITS_CALL if getattr(own, name, NONE) == ""}
    return {VENDOR: differing} if differing else {}


def call_of(recording: Recording) -> Call | None:
    """Return what a recording tells of its call: the transaction, which several recordings may share."""
    if recording.call_key in NO_CALL:
        return None
    return Call(
        tenant=recording.tenant,
        id=CallId(uuid7(recording.started_at)),
        started_at=recording.started_at,
        ended_at=recording.ended_at,
        vendor=VENDOR,
        vendor_key=recording.call_key,
        key=recording.call_key,
        reference=recording.call_key,
        direction=recording.direction,
        dialled_number=recording.dialled_number,
    )
