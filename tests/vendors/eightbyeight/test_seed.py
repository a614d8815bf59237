"""Every example of the vendor's page (seed 003), its misprints repaired, against the real command and its demo."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from tests.server.harness import DemoProcess, ask_at, demo_process
from tests.vendors.eightbyeight.harness import (
    BASE,
    CSV,
    JSON,
    XML,
    Record,
    asked_at,
    records,
    refusal,
    xml_of,
)

FILES_SAMPLE = """\
<?xml version='1.0' encoding='UTF-8' ?> <recordings> <file> <startDate>2007-12-19T19:16:36-08:00</startDate>
<agentID>bill</agentID> <phoneNumber>bill</phoneNumber> <channel>5027780</channel> <caseID>0</caseID>
<duration>27</duration> <filename>S20071220/R2007122003163601000.wav</filename>
<queueID>fernandez~~queue~~phone~~102</queueID> <queueName>phoneq1</queueName> <accountNumber>0</accountNumber>
<transactionID>1</transactionID> <extVar1>0</extVar1> <extVar2>0</extVar2> <outDialCode /> <wrapUpCode>
<transactionCodes> <transactionCode> <listName>Gauffre</listName> <name>Gauffre 1</name> </transactionCode>
</transactionCodes> </wrapUpCode> </file> </recordings>"""
TRANSCRIPT_FIELDS = """\
<startDate>2007-12-19T19:16:36-08:00</startDate> <agentID>bill</agentID> <agentName>Bill,Jackson</agentName>
<contactID>guest_at_dev6chatrec@vm05dev187.dev.whitepj.net/CtlGuest191gafdDQNAStnY7DaKuDKwPwd5jYsoh</contactID>
<contactName>Jeff Waugh</contactName> <queueID>104</queueID> <queueName>chat_recording_2</queueName>
<channelID>103</channelID> <channelName>chatrec_channel</channelName> <caseID>24482</caseID>
<targetIP>10.191.210.31</targetIP> <transactionID>11</transactionID>
<interactionGUID>int-14a0febe466-bLfK0EF6BKKvFMZmhhFdW14v0-chat-03-tenant</interactionGUID>
<transcriptType>A2C</transcriptType> <duration>54</duration> <metaDatas> <metaData> <fieldName>Color</fieldName>
<fieldValue>Blue</fieldValue> </metaData> <metaData> <fieldName>Fruit</fieldName> <fieldValue>Cherry</fieldValue>
</metaData> </metaDatas>"""
TRANSCRIPTS_SAMPLE = f"<recordings> <transcript> {TRANSCRIPT_FIELDS} </transcript> </recordings>"
MESSAGES_SAMPLE = f"""\
<transcript> {TRANSCRIPT_FIELDS} <messages> <message> <messageTime>2007-12-19T19:16:36-08:00</messageTime>
<messageFrom>C</messageFrom> <originalLanguage>en</originalLanguage> <originalMessage>Hi How r u</originalMessage>
<translatedLanguage/> <translatedMessage/> </message> </messages> </transcript>"""
DENVER = ZoneInfo("America/Denver")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProcess]:
    """A demo of our own: some of the examples remove what they name."""
    with demo_process(tmp_path_factory.mktemp("seed") / "home", "--recordings", "120") as running:
        yield running


def curl(demo: DemoProcess, target: str, *options: str) -> tuple[int, str, str]:
    """Run curl as the page says, `-u tenant:token`, and return status, content type and body."""
    eight = demo.document["8x8"]
    told = [f'user = "{eight["tenant"]}:{eight["token"]}"', f'url = "{demo.document["url"]}{BASE}{target}"']
    command = ["curl", "-q", "-sS", "--config", "-", "-w", "\n%{http_code} %{content_type}", *options]
    done = subprocess.run(command, input="\n".join(told), capture_output=True, text=True, timeout=30, check=True)
    body, _, last = done.stdout.rpartition("\n")
    status, _, kind = last.partition(" ")
    return int(status), kind, body


def everything(demo: DemoProcess, resource: str = "files", **variables: str) -> list[Record]:
    """Page through a list as the page says, until a page is short."""
    found: list[Record] = []
    while True:
        page = records(asked_at(demo, f"{resource}.json?{urlencode({**variables, 'n': len(found) + 1})}"))
        found += page
        if len(page) < 50:
            return found


def shape(element: ET.Element) -> list[object]:
    """Return the names of an element's parts in order, of a repeated one once."""
    parts = [[child.tag, shape(child)] if len(child) else child.tag for child in element]
    return [part for number, part in enumerate(parts) if part not in parts[:number]]


def started(record: Record) -> datetime:
    return datetime.fromisoformat(record.fields["startDate"])


def ended(record: Record) -> datetime:
    return started(record) + timedelta(seconds=int(record.fields["duration"]))


# Test using a browser, test using curl


def test_a_browser_is_asked_for_name_and_token_and_then_sees_xml(demo: DemoProcess) -> None:
    answer = ask_at(demo.port, "GET", f"{BASE}/files/", Accept="text/html,*/*;q=0.8")
    refusal(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Basic realm=")
    shown = asked_at(demo, "files/", Accept="text/html,*/*;q=0.8")
    assert (shown.status, shown.headers["content-type"]) == (200, XML)
    assert len(records(shown)) == 50


def test_curl_gets_a_csv(demo: DemoProcess) -> None:
    status, kind, body = curl(demo, "/files.csv")
    assert (status, kind) == (200, CSV)
    assert body.splitlines()[0].split(",") == [*everything(demo)[0].fields, "wrapUpCode"]


def test_a_browser_s_empty_and_wrong_answers_are_asked_for_again(demo: DemoProcess) -> None:
    eight = demo.document["8x8"]
    for user in ("", ":", eight["tenant"], f"{eight['tenant']}:", f"other:{eight['token']}", f"{eight['tenant']}:x"):
        command = ["curl", "-q", "-sS", "--config", "-", "-o", "/dev/null", "-w", "%{http_code}"]
        told = f'user = "{user or ":"}"\nurl = "{demo.document["url"]}{BASE}/files"'
        done = subprocess.run(command, input=told, capture_output=True, text=True, timeout=30, check=True)
        assert done.stdout == "401"


# Files


def test_the_list_of_files_has_the_fields_of_the_sample_in_their_order(demo: DemoProcess) -> None:
    status, kind, body = curl(demo, "/files")
    assert (status, kind) == (200, XML)
    sample = ET.fromstring(FILES_SAMPLE)  # noqa: S314 -- the sample above
    shown = xml_of(body.encode())
    assert shown.tag == sample.tag
    assert {child.tag for child in shown} == {"file"}
    with_codes = [file for file in shown if len(file[-1])]
    assert with_codes
    for file in shown:
        assert [child.tag for child in file] == [child.tag for child in sample[0]]
        assert file in with_codes or (file[-1].text, list(file[-1])) == (None, [])
    assert all(shape(file) == shape(sample[0]) for file in with_codes)


def test_the_post_call_screen_pop_finds_exactly_that_recording(demo: DemoProcess) -> None:
    files = everything(demo)
    for file in files[::7]:
        pop = {name: file.fields[name] for name in ("agentID", "channel", "phoneNumber")}
        for seconds in (-5, 0, 5):
            finish = f"{(ended(file) + timedelta(seconds=seconds)).astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
            query = urlencode({**pop, "finish-date": finish}, quote_via=quote)
            assert records(asked_at(demo, f"files?{query}")) == [file]
        for seconds in (-6, 6):
            finish = f"{(ended(file) + timedelta(seconds=seconds)).astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
            assert file not in records(asked_at(demo, f"files?{urlencode({**pop, 'finish-date': finish})}"))


def test_the_screen_pop_of_the_page_is_understood(demo: DemoProcess) -> None:
    pop = "agentID=bill&channel=8005557780&phoneNumber=4155551234&finish-date=2007-12-19%2019:16:58Z"
    status, kind, body = curl(demo, f"/files?{pop}")
    assert (status, kind, list(xml_of(body.encode()))) == (200, XML, [])


def test_files_are_of_every_call_type_of_the_table(demo: DemoProcess) -> None:
    kinds = {"#virtual_outbound#": "QUEUE_OUTBOUND", "#virtual_daa#": "QUEUE_DIRECT_AGENT_ACCESS"}
    seen = set()
    for file in everything(demo):
        channel, queue_id, queue = (file.fields[name] for name in ("channel", "queueID", "queueName"))
        seen.add(channel if channel in kinds else "inbound")
        if channel in kinds:
            assert queue_id == queue == kinds[channel]
        else:
            assert channel.isdecimal()
            assert queue.startswith("CC ")
            assert queue_id.isdecimal()
        assert file.fields["phoneNumber"]
    assert seen == {*kinds, "inbound"}


@pytest.mark.parametrize("suffix", ["", ".wav"])
def test_a_file_is_deleted_by_its_path_of_18_digits_with_or_without_wav(demo: DemoProcess, suffix: str) -> None:
    file = everything(demo)[3]
    path = file.key.removesuffix(".wav")
    assert len(path.partition("/R")[2]) == 18
    assert curl(demo, f"/files/{path}{suffix}", "-X", "DELETE")[0] == 200
    assert file not in everything(demo)
    assert curl(demo, f"/files/{path}{suffix}", "-X", "DELETE")[0] == 404
    assert curl(demo, f"/files/{path}.wav")[0] == 404


def test_a_file_is_fetched_by_its_path_and_get_never_deletes(demo: DemoProcess) -> None:
    file = everything(demo)[5]
    for _ in range(2):
        answer = asked_at(demo, f"files/{file.key}")
        assert (answer.status, answer.headers["content-type"], answer.body[:4]) == (200, "audio/wav", b"RIFF")


# Chat transcripts


def test_the_list_of_transcripts_has_the_fields_of_the_sample_in_their_order(demo: DemoProcess) -> None:
    status, kind, body = curl(demo, "/transcripts")
    assert (status, kind) == (200, XML)
    sample = ET.fromstring(TRANSCRIPTS_SAMPLE)  # noqa: S314 -- the sample above
    shown = xml_of(body.encode())
    assert shown.tag == sample.tag
    assert len(shown) >= 20
    for chat in shown:
        assert [child.tag for child in chat] == [child.tag for child in sample[0]]
    with_metadata = [chat for chat in shown if len(chat[-1])]
    assert with_metadata
    assert all(shape(chat) == shape(sample[0]) for chat in with_metadata)


def test_one_transcript_has_the_fields_of_the_sample_and_its_messages(demo: DemoProcess) -> None:
    sample = ET.fromstring(MESSAGES_SAMPLE)  # noqa: S314 -- the sample above
    chats = everything(demo, "transcripts")
    chat = next(each for each in chats if each.pairs)
    status, kind, body = curl(demo, f"/transcripts/{chat.key}")
    assert (status, kind) == (200, XML)
    shown = xml_of(body.encode())
    assert shown.tag == sample.tag
    assert shape(shown) == shape(sample)
    assert asked_at(demo, f"transcripts/{chat.key}.json").headers["content-type"] == JSON
    assert asked_at(demo, f"transcripts/{chat.key}.csv").status == 404


def test_removed_messages_leave_the_interaction_with_a_dummy_message(demo: DemoProcess) -> None:
    chat = next(each for each in everything(demo, "transcripts") if each.pairs)
    before = xml_of(curl(demo, f"/transcripts/{chat.key}")[2].encode())
    assert len(before[-1]) > 1
    for _ in range(2):
        assert curl(demo, f"/transcripts/{chat.key}", "-X", "DELETE")[0] == 200
        after = xml_of(curl(demo, f"/transcripts/{chat.key}")[2].encode())
        assert list(map(ET.tostring, after[:-1])) == list(map(ET.tostring, before[:-1]))
        (dummy,) = after[-1]
        assert [child.tag for child in dummy] == [child.tag for child in before[-1][0]]
        assert dummy.findtext("originalMessage") == ""
    assert chat in everything(demo, "transcripts")
    assert curl(demo, "/transcripts/int-unknown", "-X", "DELETE")[0] == 204
    assert curl(demo, "/transcripts/int-unknown")[0] == 404


# Dates

EXAMPLES = [
    ("d=2007-08-05&tz=America/New_York", "2007-08-05T04:00:00Z/2007-08-06T04:00:00Z"),
    ("d=2007-08-05,2007-08-07", "2007-08-05T06:00:00Z/2007-08-07T06:00:00Z"),
    ("d=2007-08-05%2013:15Z,2007-08-07%2014:30Z", "2007-08-05T13:15:00Z/2007-08-07T14:30:00Z"),
    ("d=20070805T1315Z,20070807T1430Z", "2007-08-05T13:15:00Z/2007-08-07T14:30:00Z"),
]


@pytest.mark.parametrize(("query", "interval"), EXAMPLES)
def test_the_dates_of_the_page_are_understood(demo: DemoProcess, query: str, interval: str) -> None:
    assert curl(demo, f"/files?{query}")[:2] == (200, XML)
    assert asked_at(demo, f"files?{query}").headers["x-voxkeep-interval"] == interval


def test_the_same_forms_find_the_demo_s_own_recordings(demo: DemoProcess) -> None:
    files = everything(demo)
    last = max(map(started, files)).astimezone(DENVER).date()
    first = last - timedelta(days=1)
    by_day = [file for file in files if started(file).date() in (first, last)]
    assert by_day
    assert everything(demo, d=f"{first},{last + timedelta(days=1)}") == by_day
    one = [file for file in files if started(file).date() == last]
    assert everything(demo, d=str(last)) == everything(demo, d=f"{last},{last}") == one
    assert everything(demo, d=str(last), tz="America/Denver") == one
    utc = [file for file in files if started(file).astimezone(UTC).date() == last]
    assert [file.key for file in everything(demo, d=str(last), tz="UTC")] == [file.key for file in utc]
    times = [file for file in files if f"{last}T08:15" <= file.fields["startDate"] < f"{last}T14:30"]
    assert everything(demo, d=f"{last} 08:15,{last} 14:30") == times
    compact = ",".join(f"{datetime.combine(last, at, DENVER).astimezone(UTC):%Y%m%dT%H%MZ}" for at in _clock(8, 14))
    hours = [file for file in files if f"{last}T08:00" <= file.fields["startDate"] < f"{last}T14:00"]
    assert everything(demo, d=compact) == hours


def _clock(*hours: int) -> list[time]:
    return [time(hour) for hour in hours]


@pytest.mark.parametrize("query", ["d=today-1d,today&tz=America/Denver", "d=today-1d,today"])
def test_yesterday_s_recordings_are_those_of_the_day_before_in_the_zone(demo: DemoProcess, query: str) -> None:
    yesterday = datetime.now(DENVER).date() - timedelta(days=1)
    found = records(asked_at(demo, f"files?{query}"))
    assert found == [file for file in everything(demo) if started(file).date() == yesterday][:50]


def test_the_last_seven_days_are_everything_there_is(demo: DemoProcess) -> None:
    assert everything(demo, d="today-7d,today-0d", tz="UTC") == everything(demo, tz="UTC")


def test_dates_in_answers_are_whole_seconds_with_an_offset(demo: DemoProcess) -> None:
    for file in everything(demo):
        moment = started(file)
        assert file.fields["startDate"] == moment.isoformat(timespec="seconds")
        assert moment.utcoffset() == moment.astimezone(DENVER).utcoffset()


def test_start_date_finds_what_started_within_five_seconds(demo: DemoProcess) -> None:
    file = everything(demo)[10]
    for seconds, found in ((-6, False), (-5, True), (0, True), (5, True), (6, False)):
        at = (started(file) + timedelta(seconds=seconds)).isoformat()
        assert (file in everything(demo, **{"start-date": at})) is found
        # of both only the start counts
        assert (file in everything(demo, **{"start-date": at, "finish-date": "2007-08-05"})) is found


def test_start_date_without_a_time_is_midnight(demo: DemoProcess) -> None:
    day = f"{started(everything(demo)[10]):%Y-%m-%d}"
    assert everything(demo, **{"start-date": day}) == everything(demo, **{"start-date": f"{day} 00:00:00"})


# Pagination, query variables


def test_the_third_page_starts_with_the_101st_record(demo: DemoProcess) -> None:
    whole = everything(demo)
    assert len(whole) > 110
    assert records(asked_at(demo, "files?n=101")) == whole[100:]
    assert len(records(asked_at(demo, "files"))) == 50


def test_a_channel_finds_its_recordings_and_names_are_case_sensitive(demo: DemoProcess) -> None:
    whole = everything(demo)
    for channel in {file.fields["channel"] for file in whole}:
        wanted = [file for file in whole if file.fields["channel"] == channel]
        assert everything(demo, channel=channel) == wanted
    assert everything(demo, Channel="8005551234") == whole
    assert curl(demo, "/files?channel=8005551234")[0] == 200


def test_a_fragment_of_a_metadata_field_s_name_finds_it_in_its_case(demo: DemoProcess) -> None:
    chats = everything(demo, "transcripts")
    name = "Number of alphabets in your native language"
    wanted = [chat for chat in chats if name in dict(chat.pairs)]
    assert 0 < len(wanted) < len(chats)
    assert everything(demo, "transcripts", metaData_fieldName="alphabets in") == wanted
    assert everything(demo, "transcripts", metaData_fieldName="Alphabets In") == []
    blue = [chat for chat in chats if ("Color", "Blue") in chat.pairs]
    assert everything(demo, "transcripts", metaData_fieldName="Color", metaData_fieldValue="Blue") == blue


# Responses


def test_each_resource_comes_as_xml_json_and_csv_and_by_default_as_xml(demo: DemoProcess) -> None:
    for resource in ("files", "transcripts"):
        found = [asked_at(demo, f"{resource}{suffix}") for suffix in ("", ".xml", ".json", ".csv")]
        assert [answer.headers["content-type"] for answer in found] == [XML, XML, JSON, CSV]
        assert [records(answer) for answer in found] == [records(found[0])] * 4


@pytest.mark.parametrize(
    ("target", "status"), [("files", 200), ("files?n=x", 400), ("files.pdf", 404), ("files/S20071220/R1.wav", 404)]
)
def test_the_response_codes_are_those_of_the_table(demo: DemoProcess, target: str, status: int) -> None:
    assert curl(demo, f"/{target}")[0] == status
