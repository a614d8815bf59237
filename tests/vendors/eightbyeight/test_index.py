"""The index of a folder: the vendor's columns, the API's values, made once for each state of the archive."""

import asyncio
import csv
import io
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.server.harness import START, World

from voxkeep.archive.catalog import own_call
from voxkeep.archive.folders import state_of
from voxkeep.archive.model import Recording, Tenant, WrapUpCode
from voxkeep.archive.query import START as FROM_THE_START
from voxkeep.archive.query import Question, Scope
from voxkeep.archive.rows import list_text
from voxkeep.archive.units import DurationMs, EpochMs, RecordingId, uuid7
from voxkeep.database import Row
from voxkeep.vendors.eightbyeight import index as module
from voxkeep.vendors.eightbyeight import wire
from voxkeep.vendors.eightbyeight.bridge import Bridge
from voxkeep.vendors.eightbyeight.index import CELLS, COLUMNS, Indexes, header, index_name, part_of
from voxkeep.vendors.eightbyeight.render import cell, file_pairs

REFERENCE = (
    "CALL TYPE, START TIME, STOP TIME, AGENT NAME, CUSTOMER NUMBER, PHONE CHANNEL, CALLED NUMBER, CASEID, DURATION, "
    "FILENAME, DIRECTORY, ACCOUNT NUMBER, START TIME UTC, STOP TIME UTC, QUEUE, QUEUE NAME, TRANS ID, EXT VAR1, "
    "EXT VAR2, OUT DIAL CODE, WRAP UP CODE"
)
FOLDER = "S20240212"
BLANK = {
    "vendor": "import", "direction": "inbound", "duration_ms": 0, "wrap_up_codes": None, "extra": None, "kept_at": 0,
}  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def row(started_at: int = START, name: str = f"{FOLDER}/R1.wav", **fields: Any) -> Row:
    values = {**dict.fromkeys(COLUMNS, ""), **BLANK, "file_name": name, **fields}
    return (name, started_at, b"id", *(values[column] for column in COLUMNS))


def read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))


def lines(*rows: Row, zone: str = "UTC") -> list[dict[str, str]]:
    return read(header() + part_of(rows, zone).text)


def test_the_columns_are_the_reference_s_in_its_order() -> None:
    assert header().decode() == REFERENCE.replace(", ", ",") + "\r\n"


def test_an_index_is_named_after_its_folder() -> None:
    assert index_name("S20071220") == "I20071220_version2.csv"


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"direction": "outbound"}, ("Outbound", "", "dialled", "#virtual_outbound#", "QUEUE_OUTBOUND")),
        ({"skill": "Sales", "skill_id": "101"}, ("Inbound", "caller", "", "dialled", "101")),
        ({}, ("Direct Agent Access", "caller", "", "#virtual_daa#", "QUEUE_DIRECT_AGENT_ACCESS")),
    ],
)
def test_the_customer_s_number_stands_where_the_type_of_the_call_says(
    fields: dict[str, Any], wanted: tuple[str, ...]
) -> None:
    (line,) = lines(row(caller_number="caller", dialled_number="dialled", **fields))
    columns = ("CALL TYPE", "CUSTOMER NUMBER", "CALLED NUMBER", "PHONE CHANNEL", "QUEUE")
    assert tuple(line[column] for column in columns) == wanted


@pytest.mark.parametrize(
    ("utc", "zone", "local"),
    [
        ("2007-12-20T03:16:36", "America/Los_Angeles", ("2007-12-19 19:16:36", "2007-12-19 19:17:03")),
        ("2024-03-10T09:59:59", "America/Los_Angeles", ("2024-03-10 01:59:59", "2024-03-10 03:00:26")),
        ("2024-11-03T08:59:59", "America/Los_Angeles", ("2024-11-03 01:59:59", "2024-11-03 01:00:26")),
        ("1970-01-01T00:00:00", "Asia/Kolkata", ("1970-01-01 05:30:00", "1970-01-01 05:30:27")),
    ],
)
def test_times_are_shown_in_the_tenant_s_zone_and_in_utc(utc: str, zone: str, local: tuple[str, str]) -> None:
    started = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    (line,) = lines(row(int(started.timestamp()) * 1000 + 999, duration_ms=27_999), zone=zone)
    assert (line["START TIME"], line["STOP TIME"]) == local
    assert line["START TIME UTC"] == utc.replace("T", " ")
    assert line["STOP TIME UTC"] == f"{datetime.fromtimestamp(started.timestamp() + 27, UTC):%Y-%m-%d %H:%M:%S}"
    assert line["DURATION"] == "27"


def test_a_file_s_name_and_folder_stand_apart() -> None:
    (line,) = lines(row(name="S20071220/R2007122003163601000.wav"))
    assert (line["FILENAME"], line["DIRECTORY"]) == ("R2007122003163601000.wav", "S20071220")


def test_what_cannot_be_fetched_is_not_in_the_index() -> None:
    assert lines(row(name=f"{FOLDER}/X.wav"), row(name="S1/R1.wav"), row(name=f"{FOLDER}/R1.wav.exe")) == []


def test_an_agent_without_a_name_is_told_by_login() -> None:
    named = row(agent="Ann Li(253)", agent_extension="253", agent_login="ann")
    assert [line["AGENT NAME"] for line in lines(named, row(agent_login="bob"))] == ["Ann Li", "bob"]


@given(
    texts=st.fixed_dictionaries(
        {name: TEXTS for name in COLUMNS if name not in {*BLANK, "file_name", "agent", "agent_extension"}}
    ),
    codes=st.lists(st.builds(WrapUpCode, TEXTS, TEXTS), max_size=3),
    zone=st.sampled_from(["UTC", "America/Denver", "Australia/Lord_Howe", "Europe/Dublin"]),
    started_at=st.integers(0, 7_000_000_000_000),
    duration_ms=st.integers(0, 10**9),
    direction=st.sampled_from(["inbound", "outbound", "internal"]),
)
def test_any_recording_is_one_line_that_reads_back_as_the_api_shows_it(
    texts: dict[str, str],
    codes: list[WrapUpCode],
    zone: str,
    started_at: int,
    duration_ms: int,
    direction: str,
) -> None:
    made = row(started_at, **texts, duration_ms=duration_ms, direction=direction, wrap_up_codes=list_text(codes))
    (file,) = wire.files_of([made[1:-2]], wire.shown_in(zone))
    (line,) = lines(made, zone=zone)
    assert line == {
        **line,
        "AGENT NAME": file.agentID,
        "PHONE CHANNEL": file.channel,
        "CASEID": str(file.caseID),
        "DURATION": str(file.duration),
        "ACCOUNT NUMBER": file.accountNumber,
        "QUEUE": file.queueID,
        "QUEUE NAME": file.queueName,
        "TRANS ID": str(file.transactionID),
        "EXT VAR1": file.extVar1,
        "EXT VAR2": file.extVar2,
        "OUT DIAL CODE": file.outDialCode,
        "WRAP UP CODE": cell(file_pairs(file)),
    }
    assert line["CUSTOMER NUMBER"] + line["CALLED NUMBER"] == file.phoneNumber
    assert datetime.fromisoformat(line["START TIME"]) == datetime.fromisoformat(file.startDate).replace(tzinfo=None)
    local = datetime.fromisoformat(line["STOP TIME UTC"]).replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    assert line["STOP TIME"] == local.strftime("%Y-%m-%d %H:%M:%S")


# Made from an archive


@pytest.fixture
async def indexes(world: World) -> Indexes:
    return Indexes(world.archive, Bridge(asyncio.get_running_loop()))


@pytest.fixture
async def kept(world: World, acme: Tenant) -> list[Recording]:
    return [
        await world.keep(acme, START + number * 1000, audio="bare", skill="Sales", agent_login=f"agent{number}")
        for number in range(3)
    ]


async def text(indexes: Indexes, tenant: Tenant, folder: str = FOLDER) -> bytes:
    index = await asyncio.to_thread(indexes.of, tenant, folder)
    return index.pread(0, index.size + 1)


async def test_an_index_tells_what_the_api_tells(
    indexes: Indexes, world: World, acme: Tenant, kept: list[Recording]
) -> None:
    def shape(rows: list[Row]) -> list[wire.File]:
        return wire.files_of(rows, wire.shown_in(acme.zone))

    files = await world.archive.page(Question(Scope(acme.id)), FROM_THE_START, 50, wire.COLUMNS, shape)
    found = read(await text(indexes, acme))
    assert [f"{each['DIRECTORY']}/{each['FILENAME']}" for each in found] == [each.filename for each in files]
    assert [each["AGENT NAME"] for each in found] == [each.agentID for each in files]
    assert len(found) == len(kept)
    assert list(found[0]) == list(CELLS)


async def test_the_header_is_there_when_nothing_else_is(indexes: Indexes, acme: Tenant) -> None:
    assert await text(indexes, acme) == header()


async def test_its_size_and_time_are_those_of_what_is_in_it(
    indexes: Indexes, acme: Tenant, kept: list[Recording]
) -> None:
    index = await asyncio.to_thread(indexes.of, acme, FOLDER)
    assert len(await text(indexes, acme)) == index.size
    assert index.modified == max(each.kept_at for each in kept) // 1000
    assert index.pread(index.size, 10) == b""


@pytest.mark.usefixtures("kept")
async def test_many_who_ask_at_once_have_one_made(
    indexes: Indexes, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = counted(monkeypatch)
    found = await asyncio.gather(*(asyncio.to_thread(indexes.of, acme, FOLDER) for _ in range(20)))
    assert len(set(map(id, found))) == 1
    assert len(made) == 1


def counted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    made: list[object] = []
    shape: Callable[..., object] = module.part_of

    def counting(rows: list[Row], zone: str) -> object:
        made.append(rows)
        return shape(rows, zone)

    monkeypatch.setattr(module, "part_of", counting)
    return made


async def test_a_change_in_the_folder_has_it_made_anew_and_readers_keep_theirs(
    indexes: Indexes, world: World, acme: Tenant, kept: list[Recording]
) -> None:
    old = await asyncio.to_thread(indexes.of, acme, FOLDER)
    whole = old.pread(0, old.size)
    await world.archive.remove(acme.id, kept[1].id)
    new = await asyncio.to_thread(indexes.of, acme, FOLDER)
    assert [each["AGENT NAME"] for each in read(new.pread(0, new.size))] == ["agent0", "agent2"]
    assert old.pread(0, old.size) == whole


async def test_what_another_tenant_or_another_day_gets_has_nothing_made_anew(
    indexes: Indexes, world: World, acme: Tenant, other: Tenant, kept: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await asyncio.to_thread(indexes.of, acme, FOLDER)
    made = counted(monkeypatch)
    await world.keep(other, EpochMs(START), audio="bare")
    await world.keep(acme, START + 86_400_000, audio="bare")
    assert await asyncio.to_thread(indexes.of, acme, FOLDER) is first
    assert made == []
    await world.keep(acme, START + 60_000, audio="bare")
    assert len(read(await text(indexes, acme))) == len(kept) + 1
    assert len(made) == 1


async def test_a_number_that_a_later_leg_tells_on_another_day_is_in_the_index(
    indexes: Indexes, world: World, acme: Tenant
) -> None:
    at = EpochMs(START)
    call = own_call(Recording(tenant=acme.id, id=RecordingId(uuid7(at)), started_at=at, duration_ms=DurationMs(1000)))
    await world.keep(acme, START, audio="bare", call=call, skill="Sales")
    state = await state_of(world.archive.database, acme.id, FOLDER)
    (before,) = read(await text(indexes, acme))
    told = replace(call, dialled_number="8005550100")
    await world.keep(acme, START + 86_400_000, audio="bare", call=told, skill="Sales")
    assert await state_of(world.archive.database, acme.id, FOLDER) == state._replace(dialled=1)
    (after,) = read(await text(indexes, acme))
    assert (before["PHONE CHANNEL"], after["PHONE CHANNEL"]) == ("", "8005550100")


async def test_a_removal_and_a_coming_at_once_do_not_hide_each_other(
    indexes: Indexes, world: World, acme: Tenant, kept: list[Recording]
) -> None:
    await text(indexes, acme)
    await world.archive.remove(acme.id, kept[0].id)
    added = await world.keep(acme, START + 60_000, audio="bare")
    names = [each["FILENAME"] for each in read(await text(indexes, acme))]
    assert names == [each.file_name[10:] for each in (*kept[1:], added)]


async def test_only_the_last_few_are_held_and_no_file_is_left_open(
    indexes: Indexes, world: World, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HELD", 2)
    for day in range(6):
        await world.keep(acme, START + day * 86_400_000, audio="bare")
    folders = await world.archive.folders(acme.id)
    await asyncio.to_thread(indexes.of, acme, folders[0])
    before = open_files()
    for folder in folders * 3:
        assert len(read(await text(indexes, acme, folder))) == 1
    assert open_files() <= before + 1
    assert not [path for path in world.home.rglob("*") if path.name.startswith("tmp")]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- names are enough


async def test_each_tenant_has_its_own(
    indexes: Indexes, world: World, acme: Tenant, other: Tenant, kept: list[Recording]
) -> None:
    theirs = await world.keep(other, EpochMs(START), audio="bare")
    assert [each["FILENAME"] for each in read(await text(indexes, other))] == [theirs.file_name[10:]]
    assert len(read(await text(indexes, acme))) == len(kept)
