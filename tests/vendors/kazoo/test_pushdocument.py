"""Documents of pushed recordings."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.vendors.kazoo.vendor import NOON, document, key_at, seconds

from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.vendors.kazoo.pushdocument import Told, document_of, fields_of, kept_query, media_type, posted
from voxkeep.vendors.kazoo.pushpath import FIELDS, Place
from voxkeep.vendors.kazoo.wire import recording_of

PLACE = Place("call_recording_abc.mp3", "call_recording_abc.mp3", "mp3", "abc")
RECEIVED = EpochMs(NOON + 60_500)
KEY = key_at()


def told(place: Place = PLACE, document: dict[str, Any] | None = None, **fields: str) -> Told:
    return Told(place, {name: value for name, value in fields.items() if value}, document or {}, RECEIVED)


def test_a_query_becomes_the_document_and_only_what_it_tells() -> None:
    fields: dict[str, Any] = {
        "from": "1@a.test", "to": "2@a.test", "caller_id_name": "Ünal", "caller_id_number": "1", "call_id": "abc",
        "cdr_id": "202311-abc", "interaction_id": "63867219200-1", "owner_id": "b" * 32, "account_id": "a" * 32,
        "start": str(seconds(NOON)), "duration_ms": "61234", "recording_id": KEY,
    }  # fmt: skip
    assert document_of(told(**fields), KEY, 61_200, "mp3") == {
        "id": KEY,
        "call_id": "abc",
        "cdr_id": "202311-abc",
        "interaction_id": "63867219200-1",
        "caller_id_name": "Ünal",
        "caller_id_number": "1",
        "from": "1@a.test",
        "to": "2@a.test",
        "origin": "no origin",
        "owner_id": "b" * 32,
        "name": "call_recording_abc.mp3",
        "media_type": "mp3",
        "content_type": "audio/mpeg",
        "media_source": "recorded",
        "custom_channel_vars": {
            "Account-ID": "a" * 32,
            "Owner-ID": "b" * 32,
            "Call-Interaction-ID": "63867219200-1",
            "Media-Recording-ID": KEY,
        },
        "start": seconds(NOON),
        "duration": 61,
        "duration_ms": 61_234,
    }


def test_what_is_missing_stays_out_and_times_come_from_the_audio() -> None:
    place = Place("call_recording_abc..mp3", "call_recording_abc..mp3", "mp3", "abc")
    assert document_of(told(place), KEY, 1_500, "mp3") == {
        "id": KEY,
        "from": "",
        "to": "",
        "origin": "no origin",
        "call_id": "abc",
        "name": "call_recording_abc.mp3",
        "media_type": "mp3",
        "content_type": "audio/mpeg",
        "media_source": "recorded",
        "custom_channel_vars": {"Media-Recording-ID": KEY},
        "start": seconds(RECEIVED - 1_500),
        "duration": 1,
        "duration_ms": 1_500,
    }


@pytest.mark.parametrize("start", ["", "soon", "-5", "1", "63867219200.5", "9" * 18, "99999999999999999999", "١٢"])
def test_a_start_that_cannot_be_is_reckoned_from_the_end(start: str) -> None:
    assert told(start=start, duration_ms="2000").started_at() == (RECEIVED - 2_000) // 1000 * 1000


@pytest.mark.parametrize("duration", ["", "long", "-1", "1e3", "9" * 18])
def test_a_duration_that_cannot_be_is_the_audios(duration: str) -> None:
    shown = document_of(told(duration_ms=duration), KEY, 1_999, "mp3")
    assert (shown["duration"], shown["duration_ms"]) == (1, 1_999)


def test_a_documents_own_words_are_shown_unaltered() -> None:
    whole = document(types=None)
    place = Place("x", "x.mp3", "mp3", account="a" * 32, recording=KEY)
    assert document_of(told(place, whole), KEY, 777, "mp3") == whole
    del whole["duration_ms"]
    assert document_of(told(place, whole), KEY, 777, "mp3") == whole


def test_a_document_without_usable_times_gets_them() -> None:
    shown = document_of(told(document={"start": "x", "duration": None, "origin": "kept"}), KEY, 2_100, "mp3")
    assert shown == {
        "id": KEY,
        "origin": "kept",
        "start": seconds(RECEIVED - 2_100),
        "duration": 2,
        "duration_ms": 2_100,
    }


@pytest.mark.parametrize("identity", ["", "x", "202313-" + "a" * 32, "2023-1", "202311-" + "x" * 300])
def test_an_id_that_none_can_have_is_passed_over(identity: str) -> None:
    assert told(recording_id=identity).recording == ""


def test_the_id_in_the_path_comes_before_the_querys_and_that_before_the_documents() -> None:
    one, two, three = (key_at(number=number) for number in (1, 2, 3))
    place = Place("x", "x.mp3", recording=one)
    assert told(place, {"id": three}, recording_id=two).recording == one
    assert told(PLACE, {"id": three}, recording_id=two).recording == two
    assert told(PLACE, {"id": three}).recording == three


@pytest.mark.parametrize(
    ("header", "extension", "container", "kind"),
    [
        (b"audio/mpeg", "wav", "wav", "audio/mpeg"),
        (b"Audio/X-WAV; rate=8000", "mp3", "mp3", "audio/x-wav"),
        (b"application/octet-stream", "wav", "mp3", "audio/x-wav"),
        (b"text/html", "", "mp3", "audio/mpeg"),
        (b"", "mp4", "unknown", "audio/mp4"),
        (b"audio/<script>", "xyz", "unknown", "application/octet-stream"),
    ],
)
def test_only_a_type_of_audio_is_believed(header: bytes, extension: str, container: str, kind: str) -> None:
    assert media_type(header, extension, container) == kind


def test_the_first_value_that_is_not_empty_counts_and_all_are_kept_but_secrets() -> None:
    pairs = [
        ("from", ""),
        ("from", "a"),
        ("from", "b"),
        ("start", "soon"),
        ("api_token", "s3cret-invented"),
        ("x", "1"),
    ]
    assert fields_of(pairs)["from"] == "a"
    assert json.loads(kept_query(pairs)) == [
        ["from", ""], ["from", "a"], ["from", "b"], ["start", "soon"], ["api_token", "***"], ["x", "1"],
    ]  # fmt: skip


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"3", b'{"a":NaN}', b"\xff", b"[" * 100_000])
def test_a_document_that_cannot_be_read_is_none(raw: bytes) -> None:
    assert posted(raw) == {}


numbers = st.integers().map(str) | st.floats().map(str) | st.text()
fields = st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text() | numbers)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
documents = st.dictionaries(
    st.sampled_from(["id", "start", "duration", "duration_ms", "custom_channel_vars", "from", "call_id"]),
    values | st.dictionaries(st.text(), values) | st.lists(values),
)


@example({"duration_ms": "5"}, {"duration": -1}, 7, "mp3")
@example({"start": "63867219200"}, {"start": 1, "duration_ms": 10**12}, 7, "mp3")
@given(fields, documents, st.integers(0, 10**8), st.sampled_from(["mp3", "unknown", "none"]))
def test_whatever_is_told_makes_a_recording(
    query: dict[str, str], document: dict[str, Any], audio_ms: int, container: str
) -> None:
    made = Told(PLACE, fields_of([*query.items()]), document, RECEIVED)
    shown = document_of(made, made.recording or KEY, audio_ms, container)
    recording = recording_of(shown, TenantId(1))
    assert recording.vendor_key == (made.recording or KEY)
    assert recording.started_at == made.started_at(audio_ms)
    assert json.loads(json.dumps(shown)) == shown
