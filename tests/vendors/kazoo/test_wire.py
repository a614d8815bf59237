"""Kazoo's documents and our model: what Kazoo made is shown as it came, what others made is told in Kazoo's words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from voxkeep.archive.model import Recording, State
from voxkeep.archive.units import CallId, DurationMs, EpochMs, RecordingId, TenantId, uuid7
from voxkeep.vendors.kazoo import wire
from voxkeep.vendors.kazoo.accounts import Account, User, Users
from voxkeep.vendors.kazoo.gregorian import gregorian
from voxkeep.vendors.kazoo.wire import BadDocument, View

TENANT = TenantId(7)
START = EpochMs(1_707_770_449_131)
ACCOUNT = Account(id="a" * 32, tenant=TENANT, name="acme", realm="acme.sip.test")
USER = User(id="b" * 32, account=ACCOUNT.id, username="spencer", agent_login="spencer", agent_extension="251")
VIEW = View(ACCOUNT, Users({USER.id: USER}, {"spencer": USER}, {"251": USER}, {}))
DOCUMENT: dict[str, Any] = {
    "id": "202402-3f1c00000000000000000000000000aa",
    "call_id": "b9b2a6d0-4c0e@10.1.2.3",
    "cdr_id": "202402-b9b2a6d0-4c0e@10.1.2.3",
    "interaction_id": "63874989649-1f2e3d4c",
    "caller_id_name": "HOLLOWAY J",
    "caller_id_number": "+17025550123",
    "callee_id_name": "Spencer Porter",
    "callee_id_number": "251",
    "from": "+17025550123@acme.sip.test",
    "to": "18015550101@acme.sip.test",
    "request": "18015550101@acme.sip.test",
    "direction": "outbound",
    "origin": "inbound from offnet to endpoint",
    "start": 63874989649,
    "duration": 61,
    "duration_ms": 61_250,
    "name": "0123456789abcdef0123456789abcdef.mp3",
    "content_type": "audio/mpeg",
    "media_type": ".mp3",
    "custom_channel_vars": {"Account-ID": "c" * 32, "Owner-ID": "d" * 32, "Queue-ID": "e" * 32, "Ecallmgr-Node": "n@h"},
    "owner_id": "d" * 32,
    "url": "https://user:letmein@store.test/calls",
}


def kept(document: dict[str, Any], state: State = State.KEPT) -> Recording:
    recording = wire.recording_of(document, TENANT)
    return replace(recording, state=state, call=CallId(recording.id))


def own(**fields: Any) -> Recording:
    identity = RecordingId(uuid7(START))
    return Recording(
        **{
            "tenant": TENANT,
            "id": identity,
            "call": identity,
            "started_at": START,
            "duration_ms": DurationMs(61_250),
            "call_key": "call-1",
            **fields,
        }
    )


def items(recording: Recording) -> dict[str, Any]:
    return wire.plain(wire.document(wire.row_of(recording), VIEW, item=True))


# Kazoo's own documents


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted({*DOCUMENT, "user_metadata", "conference_id"} - {"id", "start", "duration_ms", "duration"})


@given(
    st.dictionaries(st.sampled_from(FIELDS) | st.text(), JSON, max_size=10),
    st.lists(st.sampled_from(["audio/mpeg", "audio/x-wav", "video/mp4"]), unique=True, max_size=2),
)
def test_any_document_of_kazoos_is_shown_again_field_by_field(odd: dict[str, Any], types: list[str]) -> None:
    plain = {"id": "202402-x", "start": 63874989649, "duration_ms": 5, "duration": 0}
    odd.pop("_read_only", None)
    document = odd | plain
    recording = kept(document | {"_read_only": {"content_types": types}})
    assert wire.document_of(recording, VIEW) == document
    shown = items(recording)
    listed = shown.pop("_read_only")
    assert shown == document
    if types:
        assert listed == {"content_types": sorted(types)}
    else:
        assert len(listed["content_types"]) == 1


def test_a_document_whose_media_has_not_come_tells_no_types() -> None:
    assert items(kept(DOCUMENT, State.PENDING))["_read_only"] == {"content_types": []}


def test_a_document_becomes_a_recording_in_our_words() -> None:
    recording = wire.recording_of(DOCUMENT, TENANT)
    assert (recording.vendor, recording.vendor_key) == ("kazoo", DOCUMENT["id"])
    assert recording.call_key == DOCUMENT["call_id"]
    assert gregorian(recording.started_at) == DOCUMENT["start"]
    assert recording.started_at % 1000 == 0
    assert recording.duration_ms == 61_250
    assert (recording.direction, recording.caller_number) == ("inbound", "+17025550123")
    assert (recording.agent_name, recording.agent_extension) == ("Spencer Porter", "251")
    assert (recording.calling_party, recording.receiving_party) == ("+17025550123", "Spencer Porter(251)")
    assert (recording.dialled_number, recording.skill_id) == ("18015550101", "e" * 32)


@pytest.mark.parametrize(
    ("fields", "direction"),
    [
        ({"origin": "outbound to offnet from endpoint", "direction": "inbound"}, "outbound"),
        ({"origin": "inbound from onnet to endpoint", "direction": "inbound"}, "inbound"),
        ({"origin": "callflow : Sales", "direction": "outbound"}, "inbound"),
        # a phone that places a call is inbound for the switch
        ({"origin": "callflow : Sales", "direction": "inbound", "owner_id": "d" * 32}, "outbound"),
        (
            {"origin": "no origin", "direction": "inbound", "custom_channel_vars": {"Authorizing-Type": "device"}},
            "outbound",
        ),
        (
            {"origin": "no origin", "direction": "inbound", "custom_channel_vars": {"Authorizing-Type": "resource"}},
            "inbound",
        ),
        ({}, "inbound"),
    ],
)
def test_the_users_view_of_the_direction_is_kept(fields: dict[str, Any], direction: str) -> None:
    document = {"id": "202402-x", "start": 63874989649, "duration_ms": 5} | fields
    assert wire.recording_of(document, TENANT).direction == direction


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"start": "63874989649"}, "start"),
        ({"start": None}, "start"),
        ({"start": True}, "start"),
        ({"start": 5}, "start"),
        ({"start": 10**30}, "start"),
        ({"start": 1e300}, "start"),
        ({"duration_ms": -1}, "duration_ms"),
        ({"duration_ms": 10**15}, "duration_ms"),
        ({"duration_ms": "x", "duration": None}, "duration_ms"),
    ],
)
def test_a_document_that_tells_no_recording_is_refused_by_field(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(BadDocument, match=f"^{field}: "):
        wire.recording_of(DOCUMENT | changed, TENANT)


@pytest.mark.parametrize(
    ("fields", "duration"),
    [({"duration": 61}, 61_000), ({"duration": 61, "duration_ms": 61_250}, 61_250), ({"duration_ms": 7.0}, 7)],
)
def test_the_exact_duration_wins_over_whole_seconds(fields: dict[str, Any], duration: int) -> None:
    document = {"id": "202402-x", "start": 63874989649} | fields
    assert wire.recording_of(document, TENANT).duration_ms == duration


def test_two_legs_of_an_interaction_are_one_call() -> None:
    one, other = (
        wire.call_of(wire.recording_of(DOCUMENT | {"id": f"202402-{leg}", "call_id": leg}, TENANT)) for leg in "ab"
    )
    assert one is not None
    assert other is not None
    assert (one.vendor, one.vendor_key) == (other.vendor, other.vendor_key) == ("kazoo", DOCUMENT["interaction_id"])


def test_a_document_without_a_call_names_none() -> None:
    assert wire.call_of(wire.recording_of({"id": "202402-x", "start": 63874989649, "duration_ms": 5}, TENANT)) is None


# Recordings of others


def test_what_others_recorded_presents_itself_as_mp3() -> None:
    shown = items(own())
    assert shown["name"].endswith(".mp3")
    assert (shown["content_type"], shown["media_type"]) == ("audio/mpeg", "mp3")
    assert shown["_read_only"] == {"content_types": ["audio/mpeg"]}
    assert items(own(state=State.LOST_TO_AGE))["_read_only"] == {"content_types": []}


def test_origin_from_and_to_are_always_texts_and_unknown_values_are_left_out() -> None:
    shown = wire.document_of(own(), VIEW)
    assert all(
        isinstance(shown[name], str) and shown[name] for name in ("origin", "from", "to", "request", "direction")
    )
    assert "owner_id" not in shown
    assert "Owner-ID" not in shown["custom_channel_vars"]
    assert None not in shown.values()
    assert shown["custom_channel_vars"]["Media-Recording-ID"] == shown["id"]
    assert shown["custom_channel_vars"]["Account-ID"] == ACCOUNT.id


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_notes_on_what_others_recorded_are_shown(notes: dict[str, Any]) -> None:
    assert wire.document_of(own(extra={"kazoo": {"user_metadata": notes}}), VIEW)["user_metadata"] == notes


@pytest.mark.parametrize("value", [5, {}, "x", None, [], {"id": "other"}])
def test_a_document_beside_a_recording_of_others_is_none_of_kazoos(value: object) -> None:
    recording = own(extra={"kazoo": {"document": value}})
    assert items(recording)["id"] == wire.shown_id(recording)


@pytest.mark.parametrize(
    "extra", [{"8x8": {"caseID": "1"}}, {"kazoo": 7}, {"kazoo": {"content_types": "x"}}, {"kazoo": {}}]
)
def test_what_other_rooms_keep_beside_a_recording_disturbs_nothing(extra: dict[str, Any]) -> None:
    plain = own()
    assert wire.document_of(replace(plain, extra=extra), VIEW) == wire.document_of(plain, VIEW)
