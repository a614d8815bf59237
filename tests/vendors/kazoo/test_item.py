"""One recording: its document, its audio in whatever way it is asked for, its removal, notes on it."""

import hashlib
import io
import json
import wave
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.harness import CLIP, START, WAV, Answer, World, restricted
from tests.vendors.kazoo.customers import Customer, customer, data, documents, refused

from voxkeep.archive import NewAudio
from voxkeep.archive.model import Recording, State
from voxkeep.archive.units import EpochMs, now_ms
from voxkeep.audio.probe import probe
from voxkeep.demo.clips import content
from voxkeep.vendors.kazoo import wire
from voxkeep.vendors.kazoo.gregorian import gregorian
from voxkeep.vendors.kazoo.media import disposition
from voxkeep.vendors.kazoo.recordings import merge_patch

KAZOO_ID = "202402-3f1c00000000000000000000000000aa"
DOCUMENT: dict[str, Any] = {
    "id": KAZOO_ID,
    "call_id": "leg@host",
    "start": gregorian(START),
    "duration": CLIP.duration_ms // 1000,
    "duration_ms": CLIP.duration_ms,
    "name": "0123456789abcdef0123456789abcdef.wav",
    "content_type": "audio/x-wav",
    "origin": "callflow : Sales",
    "custom_channel_vars": {"Media-Recording-ID": KAZOO_ID, "Ecallmgr-Node": "ecallmgr@a.test"},
}
ODD = "202402-custom name"


async def collected(world: World, owner: Customer, **changes: Any) -> Recording:
    """Keep a recording that a cluster made, with a WAV for audio."""
    recording = wire.recording_of(DOCUMENT | changes, owner.tenant.id)
    staged = await world.archive.stage(owner.tenant.id, EpochMs(START), recording.vendor_key, WAV)
    kept = await world.archive.keep(recording, NewAudio(staged, CLIP.facts), call=wire.call_of(recording))
    return kept.recording


async def own(world: World, owner: Customer, **fields: Any) -> str:
    """Keep a recording of our own with a WAV for audio, and return the id under which it is shown."""
    return wire.shown_id(await world.keep(owner.tenant, audio="bare", **fields))


# The document


async def test_a_document_is_shown_as_a_list_has_it_but_for_what_is_read_only(world: World, acme: Customer) -> None:
    identity = await own(world, acme)
    (listed,) = await documents(acme)
    answer = await acme.ask("GET", f"recordings/{identity}")
    shown = data(answer)
    assert listed.pop("_read_only") == {"content_types": ["audio/mpeg"]}
    assert shown == listed
    assert answer.headers["etag"] == f'"{answer.json["revision"]}"'
    assert answer.json["revision"].startswith("1-")
    again = await acme.ask("GET", f"recordings/{identity}", If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")


async def test_what_a_cluster_made_is_shown_as_it_came(world: World, acme: Customer) -> None:
    await collected(world, acme)
    assert data(await acme.ask("GET", f"recordings/{KAZOO_ID}")) == DOCUMENT
    (listed,) = await documents(acme)
    assert listed == DOCUMENT | {"_read_only": {"content_types": ["audio/x-wav"]}}


async def test_an_id_leads_to_its_recording_whatever_month_it_names(world: World, acme: Customer) -> None:
    identity = await own(world, acme)
    assert data(await acme.ask("GET", f"recordings/199901{identity[6:]}"))["id"] == identity


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
@pytest.mark.parametrize("accept", ["application/json", "audio/mpeg"])
async def test_ids_that_lead_nowhere_are_told_in_kazoos_three_ways(
    world: World, acme: Customer, globex: Customer, verb: str, accept: str
) -> None:
    for malformed in ("x", "2024-02-1", "a" * 32):
        answer = await acme.ask(verb, f"recordings/{malformed}", Accept=accept)
        assert refused(answer, 404, "bad identifier") == [malformed]
    theirs = await own(world, globex)
    for unknown in ("202402-" + "a" * 32, ODD.replace(" ", "_"), theirs):
        answer = await acme.ask(verb, f"recordings/{unknown}", Accept=accept)
        assert refused(answer, 404, "bad_identifier") == {"cause": unknown, "message": "bad identifier"}


async def test_a_document_whose_media_has_not_come_says_so_when_it_is_asked_for(world: World, acme: Customer) -> None:
    identity = wire.shown_id(await world.keep(acme.tenant))
    assert data(await acme.ask("GET", f"recordings/{identity}"))["id"] == identity
    answer = await acme.ask("GET", f"recordings/{identity}", Accept="audio/mpeg")
    assert refused(answer, 404, "bad_identifier") == {"details": identity, "message": "bad identifier"}


async def test_the_same_recording_stands_under_any_user_of_the_account(world: World, acme: Customer) -> None:
    user = await acme.user("ann")
    identity = await own(world, acme)
    assert data(await acme.ask("GET", f"users/{user.id}/recordings/{identity}"))["id"] == identity


async def test_a_restricted_reader_may_not_read_hear_or_remove_what_that_reader_may_not_see(world: World) -> None:
    reader = await customer(world, "small", grant=restricted(["Ann Lee"]))
    identity = await own(world, reader, agent_name="Bob Roy")
    for verb, accept in (("GET", "*/*"), ("GET", "audio/mpeg"), ("DELETE", "*/*")):
        assert refused(await reader.ask(verb, f"recordings/{identity}", Accept=accept), 403, "forbidden")


# The audio


def is_mp3(answer: Answer) -> bool:
    return probe(io.BytesIO(answer.body)).container == "mp3"


@pytest.mark.parametrize("accept", ["audio/mpeg", "audio/mp3", "audio/*", "audio/ogg", "text/plain, audio/mpeg;q=0.5"])
async def test_a_recording_of_others_is_heard_as_mp3(world: World, acme: Customer, accept: str) -> None:
    identity = await own(world, acme)
    answer = await acme.ask("GET", f"recordings/{identity}", Accept=accept)
    assert (answer.status, answer.headers["content-type"]) == (200, "audio/mpeg")
    assert is_mp3(answer)
    name = data(await acme.ask("GET", f"recordings/{identity}"))["name"]
    assert answer.headers["content-disposition"] == f"attachment; filename={name}"


@pytest.mark.parametrize("accept", ["audio/wav", "audio/x-wav"])
async def test_or_as_wav_where_that_is_asked_for(world: World, acme: Customer, accept: str) -> None:
    identity = await own(world, acme)
    answer = await acme.ask("GET", f"recordings/{identity}", Accept=accept)
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "audio/wav", WAV)
    ogg = wire.shown_id(await world.keep(acme.tenant, START + 9, audio="ogg"))
    with wave.open(io.BytesIO((await acme.ask("GET", f"recordings/{ogg}", Accept=accept)).body)) as opened:
        assert opened.getnframes() == CLIP.facts.samples


@pytest.mark.parametrize("accept", ["audio/mpeg", "audio/mp3", "audio/*", "audio/wav", "audio/ogg"])
async def test_what_a_cluster_made_is_heard_as_it_came_whatever_audio_is_asked_for(
    world: World, acme: Customer, accept: str
) -> None:
    await collected(world, acme)
    answer = await acme.ask("GET", f"recordings/{KAZOO_ID}", Accept=accept)
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "audio/x-wav", WAV)
    assert answer.headers["content-disposition"] == f"attachment; filename={DOCUMENT['name']}"


async def test_a_player_needs_nothing_but_an_address(world: World, acme: Customer) -> None:
    identity = await own(world, acme)
    path = f"/v2/accounts/{acme.account.id}/recordings/{identity}"
    query = f"accept=audio/mpeg&auth_token={acme.token}"
    answer = await world.ask("GET", f"{path}?{query}&inline=true")
    assert (answer.status, answer.headers["content-type"]) == (200, "audio/mpeg")
    assert answer.headers["content-disposition"].startswith("inline; filename=")
    # only the very word means inline
    other = await world.ask("GET", f"{path}?{query}&inline=1")
    assert other.headers["content-disposition"].startswith("attachment; filename=")
    part = await world.ask("GET", f"{path}?{query}", Range="bytes=10-19")
    assert (part.status, part.body) == (206, answer.body[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(answer.body)}"
    assert part.headers["accept-ranges"] == "bytes"
    assert part.headers["etag"] == answer.headers["etag"] == f'"{hashlib.sha256(answer.body).hexdigest()}"'


@pytest.mark.parametrize(
    ("asked", "status", "span"),
    [
        ("bytes=5-", 206, (5, None)),
        ("bytes=-7", 206, (-7, None)),
        ("bytes=0-99999999", 206, (0, None)),
        ("bytes=99999999-", 416, (0, 0)),
        ("bytes=x-", 200, (0, None)),
        ("lines=1-2", 200, (0, None)),
    ],
)
async def test_ranges_are_served_more_generously_than_kazoo_does(
    world: World, acme: Customer, asked: str, status: int, span: tuple[int, int | None]
) -> None:
    await collected(world, acme)
    answer = await acme.ask("GET", f"recordings/{KAZOO_ID}", Accept="audio/mpeg", Range=asked)
    assert (answer.status, answer.body) == (status, WAV[slice(*span)])


async def test_nothing_that_there_is_means_an_empty_406(world: World, acme: Customer) -> None:
    identity = await own(world, acme)
    answer = await acme.ask("GET", f"recordings/{identity}", Accept="text/html")
    assert (answer.status, answer.body) == (406, b"")


async def test_audio_that_is_gone_from_the_disk_is_missing_and_alarmed(world: World, acme: Customer) -> None:
    recording = await collected(world, acme)
    assert recording.audio is not None
    (world.home / "vault" / recording.audio.name).unlink()
    answer = await acme.ask("GET", f"recordings/{KAZOO_ID}", Accept="audio/mpeg")
    assert refused(answer, 404, "bad_identifier") == {"details": KAZOO_ID, "message": "bad identifier"}
    assert len(await world.archive.alarms.all()) == 1


async def test_listens_are_in_the_trail_before_their_first_byte(world: World, acme: Customer) -> None:
    identity = await own(world, acme)
    await acme.ask("GET", f"recordings/{identity}", Accept="audio/mpeg")
    entries = [entry for entry in await world.audited() if entry.action == "recording.listen"]
    assert [(entry.subject, entry.detail, entry.tenant) for entry in entries] == [(identity, "GET 200", acme.tenant.id)]


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("abc.mp3", b"attachment; filename=abc.mp3"),
        ("a b.mp3", b"attachment; filename=\"a b.mp3\"; filename*=UTF-8''a%20b.mp3"),
        ('a"b.mp3', b"attachment; filename=\"a_b.mp3\"; filename*=UTF-8''a%22b.mp3"),
        ("é.mp3", b"attachment; filename=\"_.mp3\"; filename*=UTF-8''%C3%A9.mp3"),
        ("a\r\nb", b"attachment; filename=\"a__b\"; filename*=UTF-8''a%0D%0Ab"),
    ],
)
def test_odd_file_names_are_quoted(name: str, header: bytes) -> None:
    assert disposition("attachment", name) == header


@given(st.text(min_size=1).filter(lambda name: not any(0xD800 <= ord(letter) < 0xE000 for letter in name)))
def test_no_file_name_breaks_a_header(name: str) -> None:
    header = disposition("inline", name)
    assert header.isascii()
    assert not set(header) & set(b"\r\n\x00")


# Removal


@pytest.mark.parametrize(
    ("query", "grace_days"), [("", 30), ("?should_soft_delete=true", 30), ("?should_soft_delete=false", 0)]
)
async def test_a_removed_recording_is_shown_once_more_and_never_again(
    world: World, acme: Customer, query: str, grace_days: int
) -> None:
    recording = await collected(world, acme)
    body = b'{"data":{}}'
    answer = await acme.send("DELETE", f"recordings/{KAZOO_ID}{query}", body, Content_Type="application/json")
    shown = data(answer)
    assert shown.pop("_read_only") == {"deleted": True}
    assert shown == DOCUMENT
    for verb in ("GET", "DELETE"):
        refused(await acme.ask(verb, f"recordings/{KAZOO_ID}"), 404, "bad_identifier")
    assert await documents(acme) == []
    assert recording.audio is not None
    assert (world.home / "vault" / recording.audio.name).exists() == bool(grace_days)
    entries = [
        entry for entry in await world.audited() if entry.action == "recording.remove" and entry.outcome == "done"
    ]
    assert [entry.subject for entry in entries] == [KAZOO_ID]


async def test_a_refused_removal_is_a_conflict(world: World, acme: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def held(_: Recording) -> str:
        return "a legal hold"

    monkeypatch.setattr(world.archive, "may_remove", held)
    identity = await own(world, acme)
    answer = await acme.ask("DELETE", f"recordings/{identity}")
    assert refused(answer, 409, "datastore_conflict") == {"message": "a legal hold"}
    assert data(await acme.ask("GET", f"recordings/{identity}"))["id"] == identity


# Notes


async def patch(owner: Customer, identity: str, document: object) -> Answer:
    return await owner.send("PATCH", f"recordings/{identity}", json.dumps(document).encode())


@pytest.mark.parametrize("kazoos", [True, False])
async def test_notes_are_merged_shown_and_kept(world: World, acme: Customer, *, kazoos: bool) -> None:
    identity = wire.shown_id(await collected(world, acme)) if kazoos else await own(world, acme)
    before = data(await acme.ask("GET", f"recordings/{identity}"))
    first = await patch(acme, identity, {"data": {"user_metadata": {"case": "17", "by": {"name": "Ann", "desk": 4}}}})
    assert data(first) == before | {"user_metadata": {"case": "17", "by": {"name": "Ann", "desk": 4}}}
    second = await patch(acme, identity, {"data": {"user_metadata": {"case": None, "by": {"desk": None}, "ok": True}}})
    after = before | {"user_metadata": {"by": {"name": "Ann"}, "ok": True}}
    assert data(second) == data(await acme.ask("GET", f"recordings/{identity}")) == after
    assert second.headers["etag"] != first.headers["etag"]
    (listed,) = await documents(acme, "filter_user_metadata.by.name=Ann")
    assert listed["id"] == identity


@pytest.mark.parametrize(
    "empty", [{"data": {}}, {"data": {"user_metadata": {}}}, {"data": {"user_metadata": {"x": None}}}]
)
async def test_nothing_to_note_is_a_success_that_changes_nothing(
    world: World, acme: Customer, empty: dict[str, Any]
) -> None:
    identity = await own(world, acme)
    changes = await world.archive.changes.latest()
    assert "user_metadata" not in data(await patch(acme, identity, empty))
    assert await world.archive.changes.latest() == changes


async def test_nothing_else_may_be_changed_and_every_field_is_named(world: World, acme: Customer) -> None:
    identity = await own(world, acme)
    wrong = {"data": {"name": "x", "start": 5, "user_metadata": {"a": 1}}}
    told = refused(await patch(acme, identity, wrong), 400, "validation error")
    assert {field: list(rules) for field, rules in told.items()} == {"name": ["forbidden"], "start": ["forbidden"]}
    assert "user_metadata" not in data(await acme.ask("GET", f"recordings/{identity}"))
    for metadata in ("x", [1], 5, None):
        told = refused(await patch(acme, identity, {"data": {"user_metadata": metadata}}), 400, "validation error")
        assert list(told["user_metadata"]) == ["type"]
    large = {"data": {"user_metadata": {"a": "x" * 70_000}}}
    assert "user_metadata" in refused(await patch(acme, identity, large), 400, "validation error")


@pytest.mark.parametrize("levels", [40, 960, 1_500, 100_000])
async def test_notes_nested_too_deep_are_refused_and_nothing_is_hurt(world: World, acme: Customer, levels: int) -> None:
    identity = await own(world, acme)
    body = b'{"data":{"user_metadata":{"a":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}}}"
    answer = await acme.send("PATCH", f"recordings/{identity}", body)
    assert set(refused(answer, 400, "validation error")) <= {"user_metadata", "json"}
    assert data(await acme.ask("GET", f"recordings/{identity}"))["id"] == identity
    assert [each["id"] for each in await documents(acme, "has_key=id")] == [identity]


@pytest.mark.parametrize("types", [["text/html"], ["audio/日"], ["audio/mpeg\r\nX-Evil: 1"], ["image/svg+xml"], []])
@pytest.mark.parametrize("stated", ["text/html", "audio/x y", 7, None])
async def test_a_document_decides_no_type_that_a_browser_would_run(
    world: World, acme: Customer, types: list[str], stated: object
) -> None:
    await collected(world, acme, content_type=stated, _read_only={"content_types": types})
    answer = await acme.ask("GET", f"recordings/{KAZOO_ID}?inline=true", Accept="audio/mpeg")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "audio/x-wav", WAV)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "x-evil" not in answer.headers


async def test_a_note_is_when_a_document_was_changed(world: World, acme: Customer) -> None:
    identity = await own(world, acme)
    since = gregorian(now_ms()) - 60
    assert await documents(acme, f"modified_from={since}") == []
    await patch(acme, identity, {"data": {"user_metadata": {"a": 1}}})
    assert [each["id"] for each in await documents(acme, f"modified_from={since}")] == [identity]


async def test_notes_on_what_is_not_there_are_refused(world: World, acme: Customer) -> None:
    notes = {"data": {"user_metadata": {"a": 1}}}
    refused(await patch(acme, "202402-" + "a" * 32, notes), 404, "bad_identifier")
    identity = await own(world, acme)
    assert (await acme.ask("DELETE", f"recordings/{identity}")).status == 200
    refused(await patch(acme, identity, notes), 404, "bad_identifier")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3),
)
OBJECTS = st.dictionaries(st.text(max_size=2), JSON, max_size=4)


@given(OBJECTS, OBJECTS)
def test_a_patch_leaves_what_it_does_not_name_and_takes_away_what_it_names_null(
    target: dict[str, Any], changes: dict[str, Any]
) -> None:
    merged = merge_patch(target, changes)
    for name in target.keys() - changes.keys():
        assert merged[name] == target[name]
    for name, value in changes.items():
        if value is None:
            assert name not in merged
        elif not isinstance(value, dict):
            assert merged[name] == value
    assert merge_patch(merged, changes) == merged


async def test_content_of_the_clip_is_what_is_served(world: World, acme: Customer) -> None:
    identity = wire.shown_id(await world.keep(acme.tenant, audio="ogg", state=State.KEPT))
    answer = await acme.ask("GET", f"recordings/{identity}", Accept="audio/mpeg")
    facts = probe(io.BytesIO(answer.body))
    assert abs(facts.duration_ms - CLIP.duration_ms) < 100
    assert answer.body != content(CLIP.ogg.file)
