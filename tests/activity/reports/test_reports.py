"""What all reports have in common: they are found, describe themselves, take what they say, and render."""

import pkgutil
from pathlib import Path
from typing import Any

import pytest
from tests.activity.making import ANNA, answered_call, of_agent, second
from tests.activity.reports.naive import NAIVE

from voxkeep.activity import Activity, AgentKind, Who
from voxkeep.activity import reports as package
from voxkeep.activity.report import Form, render
from voxkeep.activity.reports import MODULES, REPORTS, Asked, BadAsked, Options, Parameter, Reader, SkillName, Slot
from voxkeep.archive.units import EpochMs, TenantId

WANTED = {
    "Agent Call Summary", "Agent Call Summary by Skill", "Agent Call Volume", "Call Performance", "Call Details",
    "Abandoned Calls", "Agent Calls", "External Number Summary", "Skill Call Summary", "Skill Call Volume",
    "Call Volume", "Missed Call Summary", "Agent Reason Code Trace", "Agent Feature Trace", "Agent Chat Summary",
    "Cradle to Grave",
}  # fmt: skip


def asked(**given: Any) -> Asked:
    return Asked(**{"tenant": TenantId(1), "begin": second(-60), "end": second(600), **given})


def test_all_standard_reports_are_there_and_every_module_with_one_is_in_the_table() -> None:
    assert {report.title for report in REPORTS.values()} == WANTED
    assert set(NAIVE) == set(REPORTS)
    found = {
        info.name
        for info in pkgutil.iter_modules(package.__path__)
        if "\nREPORT = " in (Path(package.__path__[0]) / f"{info.name}.py").read_text()
    }
    assert found == set(MODULES)


@pytest.mark.parametrize("report", REPORTS.values(), ids=str)
def test_a_report_tells_in_words_what_it_and_each_column_are(report: package.Report) -> None:
    assert report.about.endswith(".")
    for column in report.columns():
        assert column.definition.endswith("."), column
    assert Parameter.TIMEFRAME in report.parameters


@pytest.mark.parametrize("name", sorted(REPORTS))
async def test_a_table_has_the_columns_that_its_report_tells_of_and_every_form_can_be_made(
    reader: Reader, activity: Activity, acme: TenantId, name: str
) -> None:
    await activity.take(acme, [*answered_call(), of_agent(1, AgentKind.DND, reason="Lunch")])
    report = REPORTS[name]
    options = Options(slot=Slot.DAY if Parameter.SLOT in report.parameters else Slot.HOUR_OF_DAY)
    table = await report.run(reader, asked(tenant=acme, options=options))
    for section in table.sections if report.sectioned else [table]:
        assert section.columns == report.columns(options)
        assert all(figure.definition.endswith(".") for figure in section.summary)
    assert (table.title, table.begin, table.end, table.zone) == (report.title, second(-60), second(600), "UTC")
    for form in Form:
        assert b"".join(render(table, form))


async def test_the_words_of_a_step_are_those_of_the_options(reader: Reader, acme: TenantId) -> None:
    report = REPORTS["call-performance"]
    table = await report.run(reader, asked(tenant=acme, options=Options(answered_within_ms=(1500, 20_000))))  # type: ignore[arg-type]
    titles = [column.title for column in table.columns]
    assert "Calls Answered within 1.5 s" in titles
    assert "Calls Answered after 20 s" in titles
    assert {len(row) for row in table.rows} == {len(titles)}


@pytest.mark.parametrize(
    ("name", "given", "field"),
    [
        ("call-volume", {"agents": (ANNA,)}, "agents"),
        ("agent-chat-summary", {"skills": (SkillName("1"),)}, "skills"),
        ("call-details", {"options": Options(slot=Slot.DAY)}, "slot"),
    ],
)
async def test_a_choice_that_a_report_does_not_take_is_refused_by_name(
    reader: Reader, name: str, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadAsked) as refused:
        await REPORTS[name].run(reader, asked(**given))
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"begin": EpochMs(2), "end": EpochMs(1)}, "end"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"zone": "../etc"}, "zone"),
        ({"zone": ""}, "zone"),
        ({"agents": (Who(),)}, "agents"),
        ({"agents": (ANNA, Who(extension="201"))}, "agents"),
        ({"skills": (SkillName("1"), SkillName("1", "x"))}, "skills"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_by_name(given: dict[str, Any], field: str) -> None:
    with pytest.raises(BadAsked) as refused:
        asked(**given)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"service_level_ms": 0}, "service_level_ms"),
        ({"answered_within_ms": ()}, "answered_within_ms"),
        ({"answered_within_ms": (0, 1)}, "answered_within_ms"),
        ({"answered_within_ms": (2, 1)}, "answered_within_ms"),
        ({"answered_within_ms": (1, 1)}, "answered_within_ms"),
        ({"answered_within_ms": tuple(range(1, 12))}, "answered_within_ms"),
        ({"directions": frozenset()}, "directions"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(given: dict[str, Any], field: str) -> None:
    with pytest.raises(BadAsked) as refused:
        Options(**given)
    assert refused.value.field == field


async def test_an_empty_time_has_nothing_in_it(reader: Reader, activity: Activity, acme: TenantId) -> None:
    await activity.take(acme, answered_call())
    for name in ("call-details", "agent-call-summary"):
        table = await REPORTS[name].run(reader, asked(tenant=acme, begin=second(0), end=second(0)))
        assert list(table.rows) == []
    days = await REPORTS["call-volume"].run(
        reader, asked(tenant=acme, begin=second(0), end=second(0), options=Options(slot=Slot.DAY))
    )
    assert list(days.rows) == []
