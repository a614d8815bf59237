"""Figures that one can check by eye: a few calls, written out by hand, on 20 November 2025 in Denver.

Every `answered_call` is 120 s long: queue 15 s, offer 5 s, and 35 + 40 s of talk around 20 s of hold.
"""

from typing import Any

import pytest
from tests.activity.making import ANNA, BERT, SALES, answered_call, of_agent, second, told

from voxkeep.activity import Activity, AgentKind, CallEvent, CallKind, Direction, Event, Who
from voxkeep.activity.report import Table
from voxkeep.activity.reports import REPORTS, Asked, Options, Reader, SkillName, Slot
from voxkeep.archive import Archive
from voxkeep.archive.model import AGENT, CUSTOMER, Message, Transcript
from voxkeep.archive.units import DAY_MS, HOUR_MS, DurationMs, EpochMs, TenantId, TranscriptId, uuid7

S = 1000
IDLER = Who(name="Idler", extension="299")
SUPPORT = SkillName("102", "CC Support")
OUT: dict[str, Any] = {"direction": Direction.OUTBOUND, "agent": ANNA, "party": "+1720"}

ANSWERED = answered_call("a", party="+1303")
MISSED_THEN_ANSWERED = [
    told(3600, CallKind.QUEUE, call="b", party="+1303", **SALES),
    told(3610, CallKind.QUEUE_OFFER, call="b", agent=ANNA, **SALES),
    told(3622, CallKind.QUEUE_OFFER, call="b", agent=BERT, **SALES),
    told(3626, CallKind.TALKING, call="b", agent=BERT, **SALES),
    told(3656, CallKind.CALLING_DROP, call="b"),
]
GIVEN_UP = [
    told(4000, CallKind.AUTO_ATTENDANT, call="c", party="+1720", caller_name="Ana"),
    told(4005, CallKind.QUEUE, call="c", **SALES),
    told(4065, CallKind.CALLING_DROP, call="c"),
]
DIALLED = [
    told(5000, CallKind.DIALLING, call="d", account_code="A7", **OUT),
    told(5010, CallKind.TALKING, call="d", **OUT),
    told(5070, CallKind.RECEIVING_DROP, call="d"),
]
EVENTS: list[CallEvent] = [*ANSWERED, *MISSED_THEN_ANSWERED, *GIVEN_UP, *DIALLED]


@pytest.fixture
async def filled(activity: Activity, acme: TenantId) -> TenantId:
    await activity.take(acme, EVENTS)
    return acme


def asked(tenant: TenantId, **given: Any) -> Asked:
    begin = second(0) - 2 * HOUR_MS
    return Asked(
        **{"tenant": tenant, "begin": begin, "end": EpochMs(begin + DAY_MS), "zone": "America/Denver", **given}
    )


def figures(table: Table) -> dict[str, object]:
    return {figure.title: figure.value for figure in table.summary}


async def test_agent_call_summary(reader: Reader, filled: TenantId) -> None:
    table = await REPORTS["agent-call-summary"].run(reader, asked(filled, agents=(ANNA, BERT, IDLER)))
    assert list(table.rows) == [
        # Anna: a (120 s), b (56 s, missed), d (70 s, outbound); offered 5 and 12 s; talked 35, 40 and 60 s
        ("Anna(201)", 3, 246 * S, 17 * S, 8.5 * S, 135 * S, 45.0 * S, 60 * S, 1, 50.0),
        ("Bert(202)", 1, 56 * S, 4 * S, 4.0 * S, 30 * S, 30.0 * S, 30 * S, 1, 100.0),
        ("Idler(299)", 0, 0, 0, None, 0, None, 0, 0, None),
    ]
    assert figures(table)["Total Calls"] == 4
    assert figures(table)["Avg Answered Call Percentage"] == 200 / 3


async def test_agent_call_summary_by_skill(reader: Reader, filled: TenantId) -> None:
    table = await REPORTS["agent-call-summary-by-skill"].run(reader, asked(filled))
    assert [(part.title, list(part.rows)) for part in table.sections] == [
        ("Anna(201)", [("CC Sales", 2, 1, 1)]),
        ("Bert(202)", [("CC Sales", 1, 1, 0)]),
    ]
    assert figures(table) == {"Total Presented": 3, "Total Answered": 2, "Total Missed": 1}


async def test_skill_call_summary(reader: Reader, filled: TenantId) -> None:
    skills = (SkillName("101", "CC Sales"), SUPPORT)
    options = Options(service_level_ms=DurationMs(25_000))
    table = await REPORTS["skill-call-summary"].run(reader, asked(filled, skills=skills, options=options))
    # answered after 20 s and 26 s of queue and ringing, of which one within 25 s
    assert list(table.rows) == [
        ("CC Sales", 3, 2, 0, 241 * S, 241 * S / 3, 0, 0, 0, 23.0 * S, 50.0),
        ("CC Support", 0, 0, 0, 0, None, 0, 0, 0, None, None),
    ]


async def test_call_performance(reader: Reader, filled: TenantId) -> None:
    table = await REPORTS["call-performance"].run(reader, asked(filled))
    rows = {row[0]: row[1:9] for row in table.rows}
    # presented, answered, missed, percent, within 15 s, 30 s, 60 s, after: T0 is 07:03 in Denver
    assert rows["07:00"] == (1, 1, 0, 100.0, 0, 1, 1, 0)
    assert rows["08:00"] == (2, 1, 0, 50.0, 0, 1, 1, 0)
    assert rows["09:00"] == (0, 0, 0, None, 0, 0, 0, 0)
    assert len(rows) == 24


async def test_call_volume(reader: Reader, filled: TenantId) -> None:
    table = await REPORTS["call-volume"].run(reader, asked(filled, options=Options(slot=Slot.DAY)))
    assert list(table.rows) == [
        ("2025-11-20", 4, 3, 1, 0, 0, 2, 1, 311 * S, 77.75 * S, 165 * S, 41.25 * S, 60 * S),
        ("2025-11-21", 0, 0, 0, 0, 0, 0, 0, 0, None, 0, None, 0),
    ]


async def test_agent_call_volume(reader: Reader, activity: Activity, acme: TenantId) -> None:
    asked_back = [
        told(0, CallKind.QUEUE, **SALES),
        told(5, CallKind.TALKING, agent=ANNA, **SALES),
        told(9, CallKind.CALLBACK_SCHEDULED, **SALES),
        told(10, CallKind.CALLING_DROP),
        told(600, CallKind.CALLBACK_ATTEMPT, agent=ANNA, **SALES),
        told(610, CallKind.CALLBACK_ACCEPTED, agent=ANNA, **SALES),
        told(611, CallKind.TALKING, agent=ANNA, **SALES),
        told(661, CallKind.CALLING_DROP),
    ]
    await activity.take(acme, [*answered_call("a"), *asked_back])
    table = await REPORTS["agent-call-volume"].run(reader, asked(acme))
    assert list(table.rows)[7] == ("07:00", 2, 2, 1, 129 * S, 129 * S, 50 * S, 129 * S / 4, 50 * S)
    table = await REPORTS["call-performance"].run(reader, asked(acme))
    assert list(table.rows)[7][-5:-1] == (1, 1, 0, 100.0)


async def test_skill_call_volume(reader: Reader, filled: TenantId) -> None:
    table = await REPORTS["skill-call-volume"].run(reader, asked(filled))
    assert list(table.rows)[8] == ("08:00", 2, 2, 1, 0, 1, 30 * S, 30.0 * S, 30 * S)


async def test_call_details(reader: Reader, filled: TenantId) -> None:
    table = await REPORTS["call-details"].run(reader, asked(filled))
    rows = list(table.rows)
    assert rows[0] == (
        "Inbound", 120 * S, second(0), second(120), "+1303", "Anna(201)", 75 * S, True, None, "a",
    )  # fmt: skip
    assert rows[3] == (
        "Outbound", 70 * S, second(5000), second(5070), "+1720", "Anna(201)", 60 * S, True, "A7", "d",
    )  # fmt: skip
    assert figures(table) == {
        "Total Calls": 4,
        "Total Call Duration": 311 * S,
        "Total Talking Duration": 165 * S,
        "Answered Calls": 3,
    }
    of_bert = await REPORTS["call-details"].run(reader, asked(filled, agents=(BERT,)))
    assert [row[-1] for row in of_bert.rows] == ["b"]
    assert of_bert.subtitle == "Agents: Bert(202)"


async def test_abandoned_calls(reader: Reader, activity: Activity, filled: TenantId) -> None:
    on_hold = [*answered_call("e", 6000)[:5], told(6200, CallKind.CALLING_DROP, call="e")]
    await activity.take(filled, on_hold)
    table = await REPORTS["abandoned-calls"].run(reader, asked(filled))
    assert list(table.rows) == [
        (second(4000), "+1720", "Ana", None, "CC Sales", "Queue", 65 * S, 65 * S, False, "c"),
        (second(6000), None, None, "Anna(201)", "CC Sales", "Hold", 165 * S, 200 * S, True, "e"),
    ]
    assert figures(table) == {
        "Abandoned Calls": 2,
        "Answered Calls": 1,
        "Total Call Duration": 265 * S,
        "Avg Call Duration": 132.5 * S,
    }


async def test_agent_calls(reader: Reader, filled: TenantId) -> None:
    table = await REPORTS["agent-calls"].run(reader, asked(filled, agents=(IDLER, ANNA)))
    idler, anna = table.sections
    assert (idler.title, list(idler.rows)) == ("Idler(299)", [])
    assert [row[4:] for row in anna.rows] == [
        (120 * S, 75 * S, True, "a"), (56 * S, 0, False, "b"), (70 * S, 60 * S, True, "d"),
    ]  # fmt: skip
    assert {figure.title: figure.value for figure in anna.summary} == {
        "Total Calls": 3,
        "Answered Calls": 2,
        "Total Talking Duration": 135 * S,
        "Avg Talking Duration": 45.0 * S,
    }


async def test_external_number_summary(reader: Reader, filled: TenantId) -> None:
    table = await REPORTS["external-number-summary"].run(reader, asked(filled))
    assert list(table.rows) == [
        ("+1303", 2, 176 * S, 88.0 * S, 120 * S, 105 * S, 35.0 * S),
        ("+1720", 2, 135 * S, 67.5 * S, 70 * S, 60 * S, 60.0 * S),
    ]


async def test_missed_call_summary(reader: Reader, filled: TenantId) -> None:
    table = await REPORTS["missed-call-summary"].run(reader, asked(filled))
    assert list(table.rows) == [
        ("Anna(201)", 2, 1, 50.0, 12 * S, 12.0 * S, 12 * S),
        ("Bert(202)", 1, 0, 0.0, 0, None, 0),
    ]


TOLD: list[Event] = [
    of_agent(-10, AgentKind.READY),
    of_agent(0, AgentKind.SKILL_LOGIN, **SALES),
    of_agent(100, AgentKind.DND, reason="Lunch"),
    of_agent(160, AgentKind.ACW),
    of_agent(190, AgentKind.DND, reason="Meeting"),
    of_agent(210, AgentKind.READY),
    of_agent(300, AgentKind.LOGOUT),
    of_agent(400, AgentKind.DND, BERT),
]


async def test_agent_reason_code_trace(reader: Reader, activity: Activity, acme: TenantId) -> None:
    await activity.take(acme, TOLD)
    table = await REPORTS["agent-reason-code-trace"].run(reader, asked(acme))
    anna, bert = table.sections
    assert list(anna.rows) == [
        ("DND", "DND", second(100), second(160), 60 * S, "Lunch"),
        ("DND", "DND", second(190), second(210), 20 * S, "Meeting"),
    ]
    assert list(bert.rows) == [("DND", "DND", second(400), None, None, None)]
    assert figures(table) == {
        "Feature Events": 3,
        "Total Duration": 80 * S,
        "Max Duration": 60 * S,
        "Avg Duration": 40.0 * S,
    }


async def test_agent_feature_trace(reader: Reader, activity: Activity, acme: TenantId) -> None:
    await activity.take(acme, TOLD)
    table = await REPORTS["agent-feature-trace"].run(reader, asked(acme, begin=second(0), end=second(210)))
    (anna,) = table.sections
    assert [row[:3] for row in anna.rows] == [
        ("CC Sales", "Skill Login", True),
        ("DND", "DND", False),
        ("ACW", "ACW", False),
        ("DND", "DND", True),
    ]
    assert figures(table) == {"Feature Events": 4, "Total Duration": (300 + 60 + 30 + 20) * S}


async def test_cradle_to_grave(reader: Reader, filled: TenantId) -> None:
    table = await REPORTS["cradle-to-grave"].run(reader, asked(filled))
    *_, third, fourth = table.sections
    assert (third.title, third.subtitle) == ("2025-11-20 08:09:51-07:00 Inbound +1720", "c")
    assert list(third.rows) == [
        ("Auto Attendant", second(4000), 5 * S, "+1720", None, "Ana", None, None),
        ("Queue", second(4005), 60 * S, "+1720", None, "Ana", None, "CC Sales"),
        ("Calling Drop", second(4065), 0, "+1720", None, "Ana", None, None),
    ]
    assert [row[3:5] for row in fourth.rows] == [("Anna(201)", "+1720")] * 3


async def test_agent_chat_summary(reader: Reader, kept: Archive, acme: TenantId) -> None:
    def chat(at: float, seconds: int, agent: Who = ANNA) -> Transcript:
        return Transcript(
            tenant=acme,
            id=TranscriptId(uuid7(second(at))),
            started_at=second(at),
            duration_ms=DurationMs(seconds * S),
            agent_name=agent.name,
            agent_extension=agent.extension,
        )

    def wrote(at: float, sender: str) -> Message:
        return Message(at=second(at), sender=sender, text="Hi")

    removed = chat(500, 999)
    await kept.keep_transcript(chat(0, 60), [wrote(0, CUSTOMER), wrote(8, AGENT), wrote(9, AGENT)])
    await kept.keep_transcript(chat(100, 30), [wrote(100, CUSTOMER)])
    await kept.keep_transcript(chat(200, 90), [wrote(204, AGENT)])
    await kept.keep_transcript(chat(300, 90, Who()), [wrote(300, CUSTOMER)])
    await kept.keep_transcript(removed, [wrote(500, AGENT)])
    await kept.remove_transcript(acme, removed.id, hard=True)

    table = await REPORTS["agent-chat-summary"].run(reader, asked(acme, agents=(ANNA, IDLER)))
    assert list(table.rows) == [
        ("Anna(201)", 3, 2, 180 * S, 60.0 * S, 6.0 * S),
        ("Idler(299)", 0, 0, 0, None, None),
    ]


async def test_what_lasts_counts_for_nothing_until_it_ends(reader: Reader, activity: Activity, acme: TenantId) -> None:
    await activity.take(acme, answered_call()[:4])
    details = await REPORTS["call-details"].run(reader, asked(acme))
    assert next(iter(details.rows))[1:4] == (25 * S, second(0), None)
    assert figures(details)["Total Talking Duration"] == 0


async def test_an_hour_that_the_clocks_repeat_is_one_row_and_a_skipped_one_is_empty(
    reader: Reader, activity: Activity, acme: TenantId
) -> None:
    midnight = 1_729_980_000_000  # 2024-10-27T00:00+02:00 in Berlin, a day of 25 hours
    twice = [EpochMs(midnight + minutes * 60_000) for minutes in (120, 150, 180, 239, 240)]
    await activity.take(acme, [CallEvent(id=str(at), at=at, kind=CallKind.RINGING, call=str(at)) for at in twice])
    whole_day = Asked(tenant=acme, begin=EpochMs(midnight), end=EpochMs(midnight + 25 * HOUR_MS), zone="Europe/Berlin")
    table = await REPORTS["call-volume"].run(reader, whole_day)
    assert {row[0]: row[1] for row in table.rows if row[1]} == {"02:00": 4, "03:00": 1}
    assert figures(table)["Total Calls"] == 5


async def test_neighbouring_timeframes_add_up_also_for_calls_across_midnight(
    reader: Reader, activity: Activity, acme: TenantId
) -> None:
    midnight = second(60)  # in the middle of the talk
    await activity.take(acme, answered_call())
    before = await REPORTS["call-details"].run(reader, asked(acme, begin=second(-60), end=midnight))
    after = await REPORTS["call-details"].run(reader, asked(acme, begin=midnight, end=second(600)))
    assert figures(before)["Total Call Duration"] == 120 * S
    assert list(after.rows) == []


async def test_tenants_never_see_each_others_activity(
    reader: Reader, activity: Activity, filled: TenantId, new_tenant: Any
) -> None:
    other = await new_tenant()
    await activity.take(filled, TOLD)
    for report in REPORTS.values():
        table = await report.run(reader, asked(other))
        assert not list(table.sections)
        assert not any(value for row in table.rows for value in row[1:])
