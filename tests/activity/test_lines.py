import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.activity.making import T0, agent_events, call_events

from voxkeep.activity import AgentEvent, BadEvent, CallEvent, CallKind, Event, Who
from voxkeep.activity.events import stored
from voxkeep.activity.lines import LONGEST_LINE, MOST_LINES, BadLine, line_of, parse

GOOD = b'{"id":"1","at":1763647391250,"kind":"talking","call":"c"}'
EVENT = CallEvent(id="1", at=T0, kind=CallKind.TALKING, call="c")
EVENTS = st.one_of(call_events(), agent_events())


def bad(line: bytes) -> BadLine:
    """Return what is told of a line that stands between two good ones."""
    batch = parse(b"\n".join([GOOD, line, GOOD]))
    assert batch.events == [EVENT, EVENT]
    (told,) = batch.bad
    assert told.line == 2
    return told


def with_fields(**fields: object) -> bytes:
    return json.dumps({**json.loads(GOOD), **fields}).encode()


@given(st.binary())
def test_no_bytes_whatever_make_parsing_fail(body: bytes) -> None:
    batch = parse(body)
    lines = [line for line in body.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    assert len(batch.events) + len(batch.bad) == len(lines)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from([*CallEvent.__struct_fields__, "reason", "unheard_of"]),
)
def test_whatever_a_field_holds_its_neighbours_are_kept_and_the_field_is_named(value: object, name: str) -> None:
    batch = parse(b"\n".join([GOOD, with_fields(**{name: value}), GOOD]))
    assert batch.events[0] == batch.events[-1] == EVENT
    assert len(batch.events) + len(batch.bad) == 3
    if batch.bad:
        assert batch.bad[0].field.split(".")[0].split("[")[0] in {name, "call", "agent"}
        assert batch.bad[0].reason


@given(st.lists(EVENTS, max_size=5))
def test_any_event_is_read_back_from_its_line(events: list[Event]) -> None:
    batch = parse(b"\n".join(map(line_of, events)))
    assert batch.bad == []
    assert batch.events == events
    for event in batch.events:
        stored(event)


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        (1763647391250, 1763647391250),
        ("2025-11-20T14:03:11.250Z", 1763647391250),
        ("2025-11-20T07:03:11.25-07:00", 1763647391250),
        ("2025-11-20 14:03:11.250999+00:00", 1763647391250),
        ("1970-01-01T00:00:00Z", 0),
        ("2199-12-31T23:59:59.999Z", 7_258_118_399_999),
    ],
)
def test_times_are_epoch_ms_or_iso_8601_with_an_offset(written: int | str, ms: int) -> None:
    batch = parse(with_fields(at=written))
    assert batch.bad == []
    assert batch.events[0].at == ms


@pytest.mark.parametrize(
    "written",
    ["2025-11-20T14:03:11.250", "2025-11-20", "", "now", -1, 7_258_118_400_000, 2**80, 1.5, True, None,
     "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "2025-02-30T00:00:00Z"],
)  # fmt: skip
def test_any_other_time_is_refused_by_name(written: object) -> None:
    assert bad(with_fields(at=written)).field == "at"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"unheard_of": 1}, "unheard_of"),
        ({"agent": {"name": "Anna", "shoe": 42}}, "agent.shoe"),
        ({"agent": {}}, "agent"),
        ({"agent": {"name": 5}}, "agent.name"),
        ({"id": ""}, "id"),
        ({"id": "x" * 101}, "id"),
        ({"call": "x" * 201}, "call"),
        ({"party": "x" * 201}, "party"),
        ({"party": "a\u0000b"}, "party"),
        ({"id": "a\n"}, "id"),
        ({"direction": "sideways"}, "direction"),
        ({"reason": "lunch"}, "reason"),
        ({"seq": -1}, "seq"),
        ({"kind": "dancing"}, "kind"),
        ({"kind": 7}, "kind"),
        ({"kind": "ready"}, "call"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_with_the_field(fields: dict[str, object], named: str) -> None:
    assert bad(with_fields(**fields)).field == named


@pytest.mark.parametrize("name", ["id", "at", "kind", "call"])
def test_a_field_that_is_missing_is_named(name: str) -> None:
    fields = {key: value for key, value in json.loads(GOOD).items() if key != name}
    assert bad(json.dumps(fields).encode()) == BadLine(2, name, "this field is required")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"kind": "skill_login"}, "skill"),
        ({"kind": "ready", "skill": "CC Sales"}, "skill"),
        ({"kind": "acw", "skill_id": "101"}, "skill_id"),
        ({"kind": "ready", "reason": "lunch"}, "reason"),
        ({"kind": "dnd", "agent": {}}, "agent"),
        ({"kind": "dnd", "agent": None}, "agent"),
        ({"kind": "dnd", "leg": "a"}, "leg"),
    ],
)
def test_an_agents_event_has_what_its_kind_needs_and_nothing_else(fields: dict[str, object], named: str) -> None:
    line = {"id": "1", "at": T0, "agent": {"extension": "201"}, **fields}
    assert bad(json.dumps(line).encode()).field == named


@pytest.mark.parametrize(
    "line",
    [b"{", b"[]", b"7", b'"text"', b"null", GOOD + b" x", b"\xff", b'{"kind":"talking","id":"\xff"}',
     b'{"id":"\\ud800","kind":"talking"}', b"[" * 60_000, b'{"kind":' + b"[" * 60_000],
)  # fmt: skip
def test_a_line_that_is_no_object_is_told_as_a_whole(line: bytes) -> None:
    told = bad(line)
    assert told.field in {"", "kind"}
    assert 0 < len(told.reason) < 300


def test_a_line_of_64_kib_is_read_and_a_longer_one_refused() -> None:
    whole = GOOD + b" " * (LONGEST_LINE - len(GOOD))
    assert parse(whole).events == [EVENT]
    assert bad(b" " + whole) == BadLine(2, "", f"longer than {LONGEST_LINE} bytes")
    assert bad(b" " * 200_000 + GOOD) == BadLine(2, "", f"longer than {LONGEST_LINE} bytes")


def test_empty_lines_carriage_returns_and_a_byte_order_mark_do_not_matter() -> None:
    batch = parse(b"\xef\xbb\xbf" + GOOD + b"\r\n\r\n  \n" + GOOD + b"\n{\r\n")
    assert batch.events == [EVENT, EVENT]
    assert [told.line for told in batch.bad] == [5]


def test_a_body_of_too_many_lines_tells_where_reading_stopped() -> None:
    batch = parse(b"\n" * MOST_LINES + GOOD + b"\n" + GOOD)
    assert batch.events == []
    assert [told.line for told in batch.bad] == [MOST_LINES + 1]


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (CallEvent(id="", at=T0, kind=CallKind.HOLD, call="c"), "id"),
        (CallEvent(id="1", at=T0, kind=CallKind.HOLD, call="c", party="\ud800"), ""),
        (CallEvent(id="1", at=T0, kind=CallKind.HOLD, call="c", agent=Who()), "agent"),
        (CallEvent(id="1", at=-1, kind=CallKind.HOLD, call="c"), "at"),  # type: ignore[arg-type]
        (CallEvent(id="1", at=T0, kind="ready", call="c"), "kind"),  # type: ignore[arg-type]
        (AgentEvent(id="1", at=T0, kind="ready", agent=None), "agent"),  # type: ignore[arg-type]
    ],
)
def test_an_event_made_in_python_is_checked_as_a_line_is(event: Event, field: str) -> None:
    with pytest.raises(BadEvent) as refused:
        stored(event)
    assert refused.value.field == field
