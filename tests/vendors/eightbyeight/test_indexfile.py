"""The index of a day is read line by line, and what it does not say is not made up."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vendors.eightbyeight.vendor import INDEX_COLUMNS, NOON, index, line, name_at

from voxkeep.archive.model import WrapUpCode
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.vendors.eightbyeight import indexfile
from voxkeep.vendors.eightbyeight.indexfile import Line, bare, lines, recording, time_in, wrap_up
from voxkeep.vendors.eightbyeight.render import cell
from voxkeep.vendors.eightbyeight.shapes import Bad
from voxkeep.vendors.eightbyeight.wire import OUTBOUND_CHANNEL, shown_of

FOLDER = "S20231114"
TENANT = TenantId(1)
START = NOON // 1_000 * 1_000


def one(**changes: str) -> Line:
    (found,) = lines(index(line(NOON, 1, **changes)).decode(), FOLDER)
    assert isinstance(found, Line)
    return found


def test_a_line_says_what_the_api_would() -> None:
    found = one()
    file = found.file
    assert (file.filename, found.started_at, found.duration_known) == (name_at(NOON), START, True)
    assert (file.agentID, file.phoneNumber, file.channel, file.caseID) == ("bill", "4155551234", "8005557780", 7)
    assert (file.queueID, file.queueName, file.transactionID, file.duration) == ("102", "phoneq1", 1, 1)
    assert recording(found, TENANT).wrap_up_codes == (WrapUpCode("Gauffre", "Gauffre 1"),)
    kept = recording(found, TENANT)
    assert (kept.direction, kept.caller_number, kept.dialled_number, kept.skill) == (
        "inbound", "4155551234", "8005557780", "phoneq1",
    )  # fmt: skip


def test_a_whole_index_is_its_lines_by_name_what_is_odd_and_what_stopped_it() -> None:
    body = index(line(), line(AGENT_NAME="second"), line(FILENAME="x.wav"), line(NOON + 5_000, 2))
    read = indexfile.read(body, FOLDER)
    assert (list(read.lines), len(read.bad), read.is_utf8, read.broken) == (
        [name_at(NOON), name_at(NOON + 5_000, 2)], 1, True, "",
    )  # fmt: skip
    assert read.lines[name_at(NOON)].file.agentID == "bill"
    broken = indexfile.read(body + b"x" * 200_000, FOLDER)
    assert (broken.lines, "not CSV" in broken.broken) == (read.lines, True)
    assert not indexfile.read(index(line(AGENT_NAME="J\xf6rg")).decode().encode("latin-1"), FOLDER).is_utf8


def test_of_an_outbound_call_the_customer_is_the_called_one() -> None:
    found = one(CALL_TYPE="Outbound", CUSTOMER_NUMBER="", CALLED_NUMBER="4155559999", PHONE_CHANNEL="")
    kept = recording(found, TENANT)
    assert found.file.channel == OUTBOUND_CHANNEL
    assert (kept.direction, kept.dialled_number, kept.receiving_party) == ("outbound", "4155559999", "4155559999")


def test_an_outbound_call_with_a_number_for_its_channel_is_outbound_and_shows_the_number() -> None:
    kept = recording(one(CALL_TYPE="OUTBOUND", CALLED_NUMBER="4155559999", PHONE_CHANNEL="5027780"), TENANT)
    assert (kept.direction, kept.dialled_number) == ("outbound", "4155559999")
    assert shown_of(kept, str).channel == "5027780"


def test_a_direct_call_without_a_channel_is_one() -> None:
    kept = recording(one(CALL_TYPE="Direct Agent Access", PHONE_CHANNEL="", QUEUE="", QUEUE_NAME=""), TENANT)
    assert (kept.direction, kept.skill, shown_of(kept, str).channel) == ("inbound", "", "#virtual_daa#")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2023-11-14 22:13:25", START + 5_000),
        ("2023-11-14T22:13:25.5", START + 5_500),
        ("14/11/2023 10:13 PM", START),
        ("2023-99-14 22:13:25", START),
        ("2299-01-01 00:00:00", START),
        ("", START),
    ],
)
def test_a_start_that_is_not_understood_is_the_names(text: str, at: int) -> None:
    assert one(START_TIME_UTC=text).started_at == at


@pytest.mark.parametrize(
    ("text", "seconds", "known"),
    [
        ("27", 27, True),
        (" 27.9 ", 27, True),
        ("0:01:05", 65, True),
        ("", 0, False),
        ("long", 0, False),
        ("-3", 0, False),
    ],
)
def test_a_duration_that_is_not_understood_is_the_audios(text: str, seconds: int, *, known: bool) -> None:
    found = one(DURATION=text)
    assert (found.file.duration, found.duration_known) == (seconds, known)


def test_columns_may_be_fewer_more_and_in_another_order() -> None:
    (found,) = lines("novel, filename \r\nx,R202311142213200001.wav\r\n", FOLDER)
    assert isinstance(found, Line)
    assert (found.file.filename, found.file.agentID, found.duration_known) == (name_at(NOON), "", False)


@pytest.mark.parametrize("changes", [{"DIRECTORY": "/S20231114/"}, {"DIRECTORY": ""}, {"FILENAME": name_at(NOON)}])
def test_the_folder_may_stand_in_several_places(changes: dict[str, str]) -> None:
    assert one(**changes).file.filename == name_at(NOON)


@pytest.mark.parametrize("changes", [{"FILENAME": ""}, {"FILENAME": "../x.wav"}, {"DIRECTORY": "S20231114/.."}])
def test_a_line_that_names_no_recording_is_told(changes: dict[str, str]) -> None:
    (found,) = lines(index(line(NOON, 1, **changes)).decode(), FOLDER)
    assert isinstance(found, Bad)
    assert "name no recording" in found.reason


@pytest.mark.parametrize("text", ["", "<html>", "a,b\n1,2\n", '"a'])
def test_what_has_no_column_of_names_is_no_index(text: str) -> None:
    with pytest.raises(indexfile.Unusable):
        list(lines(text, FOLDER))


def test_an_index_that_breaks_off_is_told_after_what_could_be_read() -> None:
    found = lines(index(line()).decode() + "x" * (csv.field_size_limit() + 1), FOLDER)
    assert isinstance(next(found), Line)
    with pytest.raises(indexfile.Unusable, match="not CSV"):
        next(found)


def test_letters_that_are_not_utf8_are_read_all_the_same() -> None:
    assert indexfile.decoded("\ufeffFILENAME\r\nü".encode()) == ("FILENAME\r\nü", True)
    assert indexfile.decoded("ü".encode("latin-1")) == ("ü", False)


def test_a_file_of_which_only_the_name_is_known_claims_nothing_else() -> None:
    kept = bare(name_at(NOON), EpochMs(NOON), TENANT)
    shown = shown_of(kept, lambda _: "")
    assert {name: getattr(shown, name) for name in shown.__struct_fields__[:-1] if getattr(shown, name)} == {
        "filename": name_at(NOON)
    }


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("S20071220/R2007122003163601000.wav", 1_198_120_596_000),
        ("S20071220/R20071320031636.wav", None),
        ("S20071220/R19691231235959.wav", None),
        ("S20071220/R22000101000000.wav", None),
        ("R20071220031636.wav", None),
        ("", None),
    ],
)
def test_the_time_in_a_name_is_utc(name: str, at: int | None) -> None:
    assert time_in(name) == at


texts = st.text(max_size=8)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
def test_wrap_up_codes_come_out_of_their_cell_as_they_went_in(pairs: list[tuple[str, str]]) -> None:
    codes = wrap_up(cell(pairs)).transactionCodes
    assert codes is not None
    assert [(each.listName, each.name) for each in codes.transactionCode] == pairs


@given(texts.filter(lambda text: text and "=" not in text))
def test_any_other_cell_is_kept_as_it_is(text: str) -> None:
    codes = wrap_up(text).transactionCodes
    assert codes is not None
    assert [(each.listName, each.name) for each in codes.transactionCode] == [("", text)]
    assert wrap_up("").transactionCodes is None


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(INDEX_COLUMNS, texts)), max_size=4))
def test_any_index_is_read_or_told(rows: list[dict[str, str]]) -> None:
    for found in lines(index(*rows).decode(), FOLDER):
        if isinstance(found, Line):
            recording(found, TENANT)


@given(st.text(max_size=80))
def test_any_text_is_read_or_is_no_index(text: str) -> None:
    try:
        list(lines(io.StringIO(text).read(), FOLDER))
    except indexfile.Unusable:
        return
