"""Query variables: what they ask for, against a slow model; what is wrong is 400, what is unknown is told."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.harness import START, DemoProcess, World, ask_at
from tests.vendors.eightbyeight.conftest import Ground
from tests.vendors.eightbyeight.harness import (
    BASE,
    CHAT_FIELDS,
    FILE_FIELDS,
    Pairs,
    Record,
    asked,
    asked_at,
    basic,
    keep_chat,
    listed,
    records,
    refusal,
)

from voxkeep.archive.model import Recording, State, Tenant, Transcript, WrapUpCode
from voxkeep.archive.units import EpochMs
from voxkeep.vendors.eightbyeight import wire

SUFFIXES = ["", ".xml", ".json", ".csv"]
LISTS = ["files", "transcripts"]
S = START // 1000
DATED = ["d", "start-date", "finish-date"]
RESERVED = [*DATED, "n", "tz", "metaData_fieldName", "metaData_fieldValue"]


def utc(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y%m%dT%H%M%SZ}"


# What cannot be understood

BAD_DATES = [
    "", " ", "x", "2007-13-01", "2007-02-30", "20070805T2500Z", "2007-08-05T13", "2007-08-05 13:15+25:00", "now",
    "today-1w", "today+1d", "Today", "1969-12-31T23:59:59Z", "2200-01-01", "0", "2007-08-05;2007-08-06", "1e3",
    "\u0662\u0660\u0660\u0667-08-05",
]  # fmt: skip
BAD_ZONES = ["", "Mars", "america/denver", "../etc/passwd", "/UTC", "localtime", "UTC!"]
BAD = (
    [(name, value) for name in DATED for value in BAD_DATES]
    + [("d", value) for value in (",", "2007-08-05,", ",2007-08-05", "2007-08-07,2007-08-05", "today,today,today")]
    + [(name, "2007-08-05,2007-08-07") for name in ("start-date", "finish-date")]
    + [("tz", value) for value in BAD_ZONES]
    + [("n", value) for value in ("", "x", "-1", "1.5", "0x1", " 1", "\u0661", "1" * 16, "1,51")]
)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_what_cannot_be_understood_is_400_and_the_reason_names_the_variable(
    demo: DemoProcess, name: str, value: str
) -> None:
    for target in ("files", "files.csv", "transcripts.json"):
        message = refusal(asked_at(demo, f"{target}?{urlencode({name: value})}"), 400)
        assert message.startswith(name)


def test_a_value_is_not_repeated_in_the_refusal(demo: DemoProcess) -> None:
    for name in RESERVED:
        answer = asked_at(demo, f"files?{name}=%3Cscript%3E%0d%0aX-Injected:1")
        assert b"script" not in answer.body
        assert "x-injected" not in answer.headers


async def test_a_zone_is_checked_for_one_transcript_too(world: World, acme: Tenant, token: str) -> None:
    await keep_chat(world, acme, "int-1")
    assert refusal(await asked(world, "transcripts/int-1?tz=Mars", token), 400).startswith("tz")


@settings(max_examples=150)
@given(
    resource=st.sampled_from(["files", "files.json", "files.csv", "transcripts", "transcripts.json"]),
    given=st.lists(
        st.tuples(
            st.sampled_from([*RESERVED, *FILE_FIELDS, *CHAT_FIELDS, "x", ""]),
            st.binary(max_size=20)
            | st.text(max_size=10).map(str.encode)
            | st.from_regex(r"(today(-[0-9]{0,6}d)?|[0-9 :TZ+,-]{1,26})", fullmatch=True).map(str.encode),
        ),
        max_size=3,
    ),
)
def test_any_bytes_as_any_variable_are_understood_or_400(
    demo: DemoProcess, resource: str, given: list[tuple[str, bytes]]
) -> None:
    query = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in given)
    answer = asked_at(demo, f"{resource}?{query}")
    if answer.status == 200:
        records(answer)
    else:
        refusal(answer, 400)


@settings(max_examples=100)
@given(query=st.binary(max_size=40).map(lambda text: bytes(c for c in text if 0x20 < c < 0x7F and c != 0x23)))
def test_any_bytes_as_the_query_are_understood_or_400(demo: DemoProcess, query: bytes) -> None:
    answer = asked_at(demo, f"files.csv?{query.decode()}")
    if answer.status == 200:
        records(answer)
    else:
        refusal(answer, 400)


# What is unknown


def ignored(answer: Any) -> list[str]:
    return [unquote(name) for name in answer.headers["x-voxkeep-ignored"].split(", ")]


async def test_unknown_names_are_ignored_and_told(world: World, acme: Tenant, token: str) -> None:
    await world.keep(acme, state=State.KEPT, agent_login="bill")
    await keep_chat(world, acme, "int-1", agent_login="bill")
    query = "AgentID=ann&limit=50&startDate=2007&Start-Date=x&wrapUpCode=&metaDatas=1"
    for target in ("files", "files.csv", "transcripts.json", "transcripts/int-1"):
        answer = await asked(world, f"{target}?{query}", token)
        assert answer.status == 200
        assert b"bill" in answer.body
        assert ignored(answer) == ["AgentID", "limit", "startDate", "Start-Date", "wrapUpCode", "metaDatas"]


async def test_a_field_of_the_other_resource_is_unknown(world: World, acme: Tenant, token: str) -> None:
    await world.keep(acme, state=State.KEPT)
    assert ignored(await asked(world, "files?contactID=1&channel=", token)) == ["contactID"]
    assert ignored(await asked(world, "transcripts?phoneNumber=1&channelID=2", token)) == ["phoneNumber"]


async def test_what_means_nothing_for_one_transcript_is_told(world: World, acme: Tenant, token: str) -> None:
    await keep_chat(world, acme, "int-1")
    answer = await asked(world, "transcripts/int-1?tz=UTC&d=2007-08-05&n=x&agentID=bill", token)
    assert answer.status == 200
    assert ignored(answer) == ["d", "n", "agentID"]


async def test_names_that_are_told_cannot_break_out_of_their_header(world: World, token: str) -> None:
    name = "a, b\r\nSet-Cookie: c=d\u2028\u00fc"
    answer = await asked(world, f"files?{quote(name)}=1&x=2", token)
    assert "set-cookie" not in answer.headers
    assert ignored(answer) == [name, "x"]
    assert answer.headers["x-voxkeep-ignored"].isascii()


async def test_very_many_unknown_names_are_told_in_part(world: World, token: str) -> None:
    answer = await asked(world, "files?" + "&".join(f"name{number}=1" for number in range(500)), token)
    assert answer.status == 200
    assert len(answer.headers["x-voxkeep-ignored"]) == 1_000


async def test_nothing_is_told_where_all_is_understood(world: World, token: str) -> None:
    answer = await asked(world, "files?agentID=bill&n=1&tz=UTC&metaData_fieldName=", token)
    assert not [name for name in answer.headers if name.startswith("x-voxkeep")]


async def test_the_interval_that_d_resolved_to_is_told_in_utc(world: World, token: str) -> None:
    for query, told in (
        ("d=2007-08-05", "2007-08-05T07:00:00Z/2007-08-06T07:00:00Z"),
        ("d=2007-08-05&tz=America/New_York", "2007-08-05T04:00:00Z/2007-08-06T04:00:00Z"),
        ("d=2007-11-04", "2007-11-04T07:00:00Z/2007-11-05T08:00:00Z"),
        ("d=20070805T1315Z,20070807T1430Z", "2007-08-05T13:15:00Z/2007-08-07T14:30:00Z"),
    ):
        for resource in LISTS:
            assert (await asked(world, f"{resource}?{query}", token)).headers["x-voxkeep-interval"] == told
    assert "x-voxkeep-interval" not in (await asked(world, "files?start-date=2007-08-05", token)).headers


# What a value asks for


@pytest.fixture
async def three(world: World, acme: Tenant) -> None:
    for number, (login, caller) in enumerate([("bill", "4155551234"), ("Bill", "4155551234"), ("bill", "")]):
        await world.keep(
            acme, START + number, state=State.KEPT, agent_login=login, caller_number=caller, dialled_number="800",
            skill="phoneq1", skill_id=f"a~~b~~{number}", call_key=str(number),
        )  # fmt: skip
        await keep_chat(world, acme, f"int-{number}", START + number, agent_login=login, contact_name=caller)


MATCHES = [
    ("files.json", "agentID=bill", ["0", "2"]),
    ("files.json", "agentID=BILL", []),
    ("files.json", "agentID=bil", []),
    ("files.json", "agentID=bill,Bill", []),
    ("files.json", "agentID=bill&phoneNumber=4155551234", ["0"]),
    ("files.json", "phoneNumber=4155551234&agentID=Bill&channel=800&queueName=phoneq1", ["1"]),
    ("files.json", "agentID=Bill&agentID=bill", ["0", "2"]),
    ("files.json", "agentID=bill&agentID=Bill", ["1"]),
    ("files.json", "phoneNumber=", ["2"]),
    ("files.json", "agentID", []),
    ("files.json", "queueID=a~~b~~1", ["1"]),
    ("files.json", "transactionID=2", ["2"]),
    ("files.json", "transactionID=02", []),
    ("files.json", "caseID=0", ["0", "1", "2"]),
    ("files.json", "caseID=", []),
    ("files.json", "n=x&n=2", ["1", "2"]),
    ("transcripts.json", "agentID=bill&contactName=", ["int-2"]),
    ("transcripts.json", "interactionGUID=int-1", ["int-1"]),
    ("transcripts.json", "interactionGUID=INT-1", []),
]


@pytest.mark.usefixtures("three")
async def test_a_value_is_matched_whole_and_with_its_case_and_all_must_fit_and_the_last_of_two_counts(
    world: World, token: str
) -> None:
    for target, query, found in MATCHES:
        shown = records(await asked(world, f"{target}?{query}", token))
        name = "transactionID" if target.startswith("files") else "interactionGUID"
        assert [record.fields[name] for record in shown] == found, query


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(("target", "fields"), [("files.json", FILE_FIELDS), ("transcripts.json", CHAT_FIELDS)])
async def test_every_plain_field_but_the_date_can_be_asked_for(
    world: World, token: str, target: str, fields: Sequence[str]
) -> None:
    everything = await listed(world, token, target)
    for field, wanted in product(fields[1:], everything):
        value = wanted.fields[field]
        fitting = [record for record in everything if record.fields[field] == value]
        assert await listed(world, token, target, **{field: value}) == fitting


async def test_a_number_sign_that_was_not_escaped_finds_nothing_rather_than_everything(
    world: World, acme: Tenant, token: str
) -> None:
    await world.keep(acme, state=State.KEPT, direction="outbound", dialled_number="+14155551234")
    assert len(await listed(world, token, channel="#virtual_outbound#")) == 1
    assert await listed(world, token, channel="") == []
    assert len(await listed(world, token, phoneNumber="+14155551234")) == 1
    assert records(await asked(world, "files.json?phoneNumber=+14155551234", token)) == []


# Metadata


NAME, VALUE = "metaData_fieldName", "metaData_fieldValue"
OF_METADATA: list[tuple[dict[str, str], list[str]]] = [
    ({NAME: "alphabets in"}, ["int-1"]),
    ({NAME: "Alphabets in"}, []),
    ({NAME: "o"}, ["int-1", "int-2"]),
    ({VALUE: "lu"}, ["int-2"]),
    ({NAME: "Color", VALUE: "Blue"}, ["int-2"]),
    ({NAME: "Color", VALUE: "Cherry"}, []),
    ({NAME: "", VALUE: ""}, ["int-1", "int-2", "int-3"]),
    ({NAME: "", VALUE: "Cherry"}, ["int-2"]),
    ({NAME: "%"}, []),
    ({NAME: "_"}, []),
    ({NAME: "o", "agentID": "ann"}, ["int-2"]),
]


async def test_metadata_is_found_by_parts_of_the_same_pair(world: World, acme: Tenant, token: str) -> None:
    await keep_chat(world, acme, "int-1", metadata=[("Number of alphabets in your native language", "26")])
    fields = [("Color", "Blue"), ("Fruit", "Cherry")]
    await keep_chat(world, acme, "int-2", START + 1, agent_login="ann", metadata=fields)
    await keep_chat(world, acme, "int-3", START + 2)
    for variables, guids in OF_METADATA:
        found = await listed(world, token, "transcripts.json", **variables)
        assert [record.key for record in found] == guids, variables


async def test_recordings_have_no_metadata_so_that_asking_for_any_finds_none(
    world: World, acme: Tenant, token: str
) -> None:
    await world.keep(acme, state=State.KEPT)
    assert await listed(world, token, **{NAME: "a"}) == []
    assert await listed(world, token, **{VALUE: "a"}) == []
    assert len(await listed(world, token, **{NAME: "", VALUE: ""})) == 1


# Dates, by the seconds that are shown


async def test_of_start_and_finish_only_the_start_counts_even_beside_nonsense(
    world: World, acme: Tenant, token: str
) -> None:
    await world.keep(acme, state=State.KEPT)
    for finish in ("1999-01-01", "nonsense", "", "2007-08-05,2007-08-07"):
        assert len(await listed(world, token, **{"finish-date": finish, "start-date": utc(S)})) == 1
    assert await listed(world, token, **{"start-date": "1999-01-01", "finish-date": utc(S)}) == []


def boundary_recordings() -> list[tuple[int, int]]:
    """Starts around a second by whole seconds and their edges, with durations that carry and that do not."""
    starts = [(S + second) * 1000 + part for second in (-7, -6, -5, 0, 5, 6, 7) for part in (0, 1, 999)]
    return [(start, duration) for start in starts for duration in (0, 1, 999, 1_000, 1_999)]


@pytest.mark.parametrize("resource", LISTS)
async def test_dates_are_compared_by_the_whole_seconds_that_are_shown(
    world: World, acme: Tenant, token: str, resource: str
) -> None:
    made = boundary_recordings()

    async def keep(number: int, start: int, duration: int) -> None:
        if resource == "files":
            await world.keep(acme, start, state=State.KEPT, duration_ms=duration, call_key=str(number))
        else:
            await keep_chat(world, acme, f"int-{number}", start, duration_ms=duration, call_key=str(number))

    await asyncio.gather(*(keep(number, *each) for number, each in enumerate(made)))
    for second in range(S - 13, S + 14):
        started = {n for n, (start, _) in enumerate(made) if abs(start // 1000 - second) <= 5}
        finished = {n for n, (start, long) in enumerate(made) if abs(start // 1000 + long // 1000 - second) <= 5}
        within = {n for n, (start, _) in enumerate(made) if second <= start // 1000 < second + 3}
        assert await numbers(world, token, resource, **{"start-date": utc(second)}) == started
        assert await numbers(world, token, resource, **{"finish-date": utc(second)}) == finished
        assert await numbers(world, token, resource, d=f"{utc(second)},{utc(second + 3)}") == within
        both = {"d": f"{utc(second)},{utc(second + 3)}", "finish-date": utc(second)}
        assert await numbers(world, token, resource, **both) == within & finished


async def numbers(world: World, token: str, resource: str, **variables: str) -> set[int]:
    found: list[int] = []
    while True:
        page = await listed(world, token, f"{resource}.json", n=len(found) + 1, **variables)
        found += [int(record.fields["transactionID"]) for record in page]
        if len(page) < 50:
            assert len(found) == len(set(found))
            return set(found)


# The slow model: random archives, random questions, every format

WORDS = [
    "",
    "0",
    "7",
    "007",
    "bill",
    "Bill",
    "4155551234",
    "+1",
    "a,b",
    'say "x"',
    "a=b|c\\d",
    "<&>",
    "\u00fc\u4e2d\U0001f44d",
    " ",
    "x\ny",
]
words = st.sampled_from(WORDS)
starts = st.integers(-8, 8).flatmap(
    lambda second: st.sampled_from([0, 1, 999]).map(lambda part: EpochMs((S + second) * 1000 + part))
)
durations = st.sampled_from([0, 999, 1_000, 3_999, 8_000])
pairs = st.lists(st.tuples(words, words), max_size=2)
PLAIN = ["caller_number", "dialled_number", "agent_login", "agent_extension", "case_id", "account_number", "variable_1",
         "variable_2", "out_dial_code", "call_key"]  # fmt: skip
ours = st.fixed_dictionaries(
    {
        "duration_ms": durations,
        "direction": st.sampled_from(["inbound", "inbound", "outbound", "internal"]),
        "skill": st.sampled_from(["", "phoneq1", "Phoneq1"]),
        "skill_id": words,
        "state": st.sampled_from([State.KEPT] * 5 + [State.PENDING, State.REMOVED, State.LOST]),
        "wrap_up_codes": pairs.map(lambda found: tuple(WrapUpCode(*each) for each in found)),
        **dict.fromkeys(PLAIN, words),
    }
)
theirs = st.fixed_dictionaries(
    {name: words for name in FILE_FIELDS if name not in ("startDate", "duration", "filename", "channel")}
    | {"channel": st.sampled_from(["", "8005557780", "#virtual_outbound#", "#virtual_daa#"])}
)
CHAT_PLAIN = (
    "agent_name", "agent_extension", "agent_login", "contact_id", "contact_name", "skill", "skill_id", "channel_id",
    "channel_name", "case_id", "target_address", "kind", "call_key",
)  # fmt: skip
chat_fields = st.fixed_dictionaries({"duration_ms": durations, "metadata": pairs, **dict.fromkeys(CHAT_PLAIN, words)})


class Kept(NamedTuple):
    """What the model knows of a record: where it stands, when it was, and what is shown of it."""

    place: tuple[int, bytes]
    start: int
    finish: int
    fields: dict[str, str]
    pairs: Pairs


class Question(NamedTuple):
    """A question as a client sends it, in order."""

    resource: str
    suffix: str
    variables: list[tuple[str, str]]


def told(recording: Recording) -> dict[str, str]:
    """The seed's table of call types, and what is said of the fields, once more."""
    phone, channel, queue_id, queue = recording.caller_number, "#virtual_daa#", *["QUEUE_DIRECT_AGENT_ACCESS"] * 2
    if recording.direction == "outbound":
        phone, channel, queue_id, queue = recording.dialled_number, "#virtual_outbound#", *["QUEUE_OUTBOUND"] * 2
    elif recording.skill:
        channel, queue_id, queue = recording.dialled_number, recording.skill_id, recording.skill
    return {
        "agentID": recording.agent_login or recording.agent_extension,
        "phoneNumber": phone,
        "channel": channel,
        "caseID": recording.case_id or "0",
        "duration": str(recording.duration_ms // 1000),
        "filename": recording.file_name,
        "queueID": queue_id,
        "queueName": queue,
        "accountNumber": recording.account_number or "0",
        "transactionID": recording.call_key,
        "extVar1": recording.variable_1 or "0",
        "extVar2": recording.variable_2 or "0",
        "outDialCode": recording.out_dial_code,
    }


def told_chat(chat: Transcript) -> dict[str, str]:
    return {
        "agentID": chat.agent_login or chat.agent_extension,
        "agentName": chat.agent_name,
        "contactID": chat.contact_id,
        "contactName": chat.contact_name,
        "queueID": chat.skill_id,
        "queueName": chat.skill,
        "channelID": chat.channel_id,
        "channelName": chat.channel_name,
        "caseID": chat.case_id or "0",
        "targetIP": chat.target_address,
        "transactionID": chat.call_key,
        "interactionGUID": chat.vendor_key,
        "transcriptType": chat.kind,
        "duration": str(chat.duration_ms // 1000),
    }


async def keep_ours(world: World, tenant: Tenant, start: EpochMs, fields: dict[str, Any]) -> Kept | None:
    kept = await world.keep(tenant, start, **fields)
    codes = [(each.list_name, each.name) for each in kept.wrap_up_codes]
    shown = known(kept.started_at, kept.duration_ms, kept.id.bytes, told(kept), codes)
    return shown if kept.state is State.KEPT else None


async def keep_theirs(world: World, tenant: Tenant, number: int, start: EpochMs, fields: dict[str, str]) -> Kept:
    second = start // 1000 * 1000
    file = wire.File(
        startDate="2024-02-12T20:40:49+00:00",
        duration=3,
        filename=f"S20240212/R20240212204049{number:04d}.wav",
        **fields | {name: wire.number_or_text(fields[name]) for name in ("caseID", "transactionID")},  # type: ignore[arg-type] # texts
        wrapUpCode=wire.wrap_up_of([WrapUpCode("Gauffre", "Gauffre 1")]),
    )
    recording = wire.recording_of(file, EpochMs(second), tenant.id)
    kept = (await world.archive.keep(recording, call=wire.call_of(recording))).recording
    shown = {name: str(getattr(file, name)) for name in FILE_FIELDS[1:]}
    return known(second, 3_000, kept.id.bytes, shown, [("Gauffre", "Gauffre 1")])


async def keep_talk(world: World, tenant: Tenant, number: int, start: EpochMs, fields: dict[str, Any]) -> Kept:
    chat = await keep_chat(world, tenant, f"int-{number}", start, ("hello",), **fields)
    found = [(each.name, each.value) for each in chat.metadata]
    return known(chat.started_at, chat.duration_ms, chat.id.bytes, told_chat(chat), found)


def known(start: int, duration: int, identity: bytes, fields: dict[str, str], found: Pairs) -> Kept:
    return Kept((start, identity), start // 1000, start // 1000 + duration // 1000, fields, found)


def fits(kept: Kept, given: Mapping[str, str], names: Sequence[str], resource: str) -> bool:
    """Tell whether a record answers a question, in the plainest way."""
    for name, value in given.items():
        if name in names[1:] and kept.fields[name] != value:
            return False
    if "d" in given:
        first, end = (int(datetime.strptime(each, "%Y%m%dT%H%M%S%z").timestamp()) for each in given["d"].split(","))
        if not first <= kept.start < end:
            return False
    for name, second in (("start-date", kept.start), ("finish-date", kept.finish)):
        if name in given and not (name == "finish-date" and "start-date" in given):
            asked_for = datetime.strptime(given[name], "%Y%m%dT%H%M%S%z").timestamp()
            if abs(second - asked_for) > 5:
                return False
    part, value = given.get("metaData_fieldName", ""), given.get("metaData_fieldValue", "")
    if not part and not value:
        return True
    return resource == "transcripts" and any(part in name and value in text for name, text in kept.pairs)


def answered(everything: Sequence[Kept], question: Question) -> list[Record]:
    """The page that a question is answered with, by the model."""
    given = dict(question.variables)  # the last of two wins
    names = FILE_FIELDS if question.resource == "files" else CHAT_FIELDS
    fitting = [each for each in sorted(everything) if fits(each, given, names, question.resource)]
    zone = ZoneInfo(given.get("tz", "UTC"))
    first = max(int(given.get("n", "1")), 1)
    return [
        Record({"startDate": datetime.fromtimestamp(each.start, zone).isoformat()} | each.fields, each.pairs)
        for each in fitting[first - 1 : first + 49]
    ]


def questions(resource: str, everything: Sequence[Kept]) -> st.SearchStrategy[Question]:
    """Questions about what is there, mostly."""
    names = (FILE_FIELDS if resource == "files" else CHAT_FIELDS)[1:]
    there = [(name, value) for each in everything for name, value in each.fields.items()] or [("agentID", "")]
    seconds = st.integers(S - 15, S + 20)
    variable = st.one_of(
        st.sampled_from(there),
        st.sampled_from(there),
        st.tuples(st.sampled_from(names), words),
        st.tuples(st.sampled_from(["start-date", "finish-date"]), seconds.map(utc)),
        st.tuples(seconds, st.integers(0, 20)).map(lambda each: ("d", f"{utc(each[0])},{utc(sum(each))}")),
        st.tuples(
            st.sampled_from(["metaData_fieldName", "metaData_fieldValue"]), st.sampled_from(["", "i", "B", "=b", "7"])
        ),
        st.tuples(st.just("n"), st.sampled_from(["0", "1", "2", "3", "10", "51", "999999999999999"])),
        st.tuples(st.just("tz"), st.sampled_from(["UTC", "America/Denver", "Asia/Kathmandu"])),
        st.tuples(st.sampled_from(["limit", "AgentID", "startDate"]), words),
    )
    return st.builds(Question, st.just(resource), st.sampled_from(SUFFIXES), st.lists(variable, max_size=3))


@settings(max_examples=60)
@given(
    own=st.lists(st.tuples(starts, ours), max_size=12),
    foreign=st.lists(st.tuples(starts, theirs), max_size=6),
    talks=st.lists(st.tuples(starts, chat_fields), max_size=8),
    data=st.data(),
)
def test_any_question_to_any_archive_is_answered_as_by_the_slow_model(
    ground: Ground, own: list[Any], foreign: list[Any], talks: list[Any], data: st.DataObject
) -> None:
    tenant, token = ground.tenant()
    world = ground.world

    async def fill() -> dict[str, list[Kept]]:
        # one after the other: which record is whose must not depend on chance
        files = [await keep_ours(world, tenant, *each) for each in own]
        files += [await keep_theirs(world, tenant, number, *each) for number, each in enumerate(foreign)]
        told = [await keep_talk(world, tenant, number, *each) for number, each in enumerate(talks)]
        return {"files": [each for each in files if each is not None], "transcripts": told}

    everything = ground.run(fill())
    for resource in LISTS:
        for question in data.draw(st.lists(questions(resource, everything[resource]), min_size=4, max_size=8)):
            target = f"{BASE}/{resource}{question.suffix}?{urlencode(question.variables)}"
            answer = ask_at(world.port, "GET", target, Authorization=basic(token, tenant.name))
            expected = answered(everything[resource], question)
            assert records(answer) == expected, question
