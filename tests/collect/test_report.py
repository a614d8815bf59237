import msgspec
import pytest
from rich.console import Console

from voxkeep.archive.units import EpochMs
from voxkeep.collect.report import Ending, RunReport, SourceReport, iso, lines, table
from voxkeep.collect.source import Window

NOON = EpochMs(1_700_000_000_000)


def report() -> SourceReport:
    return SourceReport(source="acme", tenant="acme-ns", vendor="xima")


def test_what_is_held_is_counted_and_what_is_missing_is_told_with_its_reason() -> None:
    made = report()
    made.ended("a", NOON, Ending.NEW)
    made.ended("b", NOON, Ending.HELD)
    made.ended("c", NOON, Ending.FAILED, "HTTP 500")
    made.ended("d", None, Ending.REJECTED, "startTime is missing")
    assert (made.new, made.held, made.failed, made.rejected) == (1, 1, 1, 1)
    assert [(each.key, each.start, each.reason) for each in made.missing] == [
        ("c", "2023-11-14T22:13:20.000Z", "HTTP 500"),
        ("d", "", "startTime is missing"),
    ]
    assert made.reasons == {"HTTP 500": 1, "startTime is missing": 1}


@pytest.mark.parametrize(
    ("endings", "changes", "code"),
    [
        ([], {}, 0),
        ([Ending.NEW, Ending.HELD, Ending.PENDING, Ending.GONE], {}, 0),
        ([Ending.FAILED], {}, 1),
        ([Ending.REJECTED], {}, 1),
        ([], {"stopped": "no space"}, 1),
        ([], {"chats_not_listed": "HTTP 403"}, 1),
        ([], {"stopped": "no secret", "unusable": True}, 2),
        ([Ending.FAILED], {"stopped": "HTTP 401", "refused": True}, 3),
    ],
)
def test_the_exit_code_follows_from_what_happened(endings: list[Ending], changes: dict[str, object], code: int) -> None:
    made = report()
    for ending in endings:
        made.ended("k", NOON, ending, "why")
    for name, value in changes.items():
        setattr(made, name, value)
    made.settle()
    assert made.exit == code


def test_a_span_that_is_not_listed_is_incomplete_and_neighbours_are_joined() -> None:
    made = report()
    one, two, three = EpochMs(1_000), EpochMs(2_000), EpochMs(3_000)
    made.not_listed_span(Window(one, two), "HTTP 500")
    made.not_listed_span(Window(two, three), "HTTP 500")
    made.not_listed_span(Window(three, three), "HTTP 503")
    made.settle()
    assert made.exit == 1
    assert [(each.first, each.last, each.reason) for each in made.not_listed] == [
        (iso(one), iso(three), "HTTP 500"),
        (iso(three), iso(three), "HTTP 503"),
    ]


@pytest.mark.parametrize(("codes", "worst"), [([], 0), ([0, 0], 0), ([0, 2], 2), ([2, 1], 1), ([1, 3, 2], 3)])
def test_the_worst_source_decides_the_runs_exit_code(codes: list[int], worst: int) -> None:
    reports = []
    for code in codes:
        made = report()
        made.exit = code
        reports.append(made)
    assert RunReport.of(reports).exit == worst


def test_a_person_sees_counts_and_reasons() -> None:
    made = report()
    made.listed, made.seconds = 1_234, 61.5
    made.ended("a", NOON, Ending.FAILED, "HTTP 500")
    made.ended("b", NOON, Ending.FAILED, "HTTP 500")
    made.not_listed_span(Window(NOON, NOON), "no answer in time")
    made.note("odd")
    made.chats_not_listed = "HTTP 404"
    made.stopped = "no space is left"
    made.quarantined.append("acme-1.rejected")
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table(RunReport.of([made])))
    assert "1,234" in captured.get()
    told = lines(made)
    assert told[0] == "acme: stopped: no space is left"
    assert "acme: 2 failed: HTTP 500" in told
    assert "acme: chats were not listed: HTTP 404" in told
    assert told[-1] == "acme: kept for inspection: quarantine/acme-1.rejected"


def test_many_lines_are_cut_and_that_is_told() -> None:
    made = report()
    made.quarantined = [f"acme-{number}.rejected" for number in range(500)]
    assert len(lines(made)) == 21
    assert lines(made)[-1] == "acme: 480 lines more with --json"


def test_a_report_is_one_json_document() -> None:
    document = msgspec.json.decode(msgspec.json.encode(RunReport.of([report()])))
    assert document["exit"] == 0
    assert document["sources"][0]["source"] == "acme"
