"""Pushes against the running server: durable, once each, read back as they came."""

import asyncio
import json
import shutil
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.harness import World, until
from tests.vendors.kazoo.conftest import Ground, Opener
from tests.vendors.kazoo.customers import Customer, customer, data, refused
from tests.vendors.kazoo.pusher import (
    CALL,
    ENDPOINT,
    INTERACTION,
    OTHER,
    OWNER,
    RECORDING,
    SECOND,
    Pusher,
    document,
    pusher,
    recorded,
    told,
    url,
    without,
)
from tests.vendors.kazoo.test_multipart import BOUNDARY, END, part
from tests.vendors.kazoo.vendor import NOON, key_at, seconds, wav
from tests.vendors.kazoo.vendor import document as collected

from voxkeep.access import Outcome, TenantLimits
from voxkeep.archive.alarms import RENDITION_FAILED
from voxkeep.archive.model import State
from voxkeep.audio.health import Health
from voxkeep.audio.probe import probe
from voxkeep.settings import Kazoo, Settings
from voxkeep.vault import VaultFull
from voxkeep.vendors.kazoo.pushpath import FIELDS
from voxkeep.vendors.kazoo.wire import VENDOR

MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


@pytest.fixture
async def cluster(acme: Customer) -> Pusher:
    return await pusher(acme)


def parts(shown: dict[str, Any] | bytes, audio: bytes) -> bytes:
    """A body as `send_multipart` makes it."""
    raw = shown if isinstance(shown, bytes) else json.dumps(shown).encode()
    return part(raw, "application/json", RECORDING) + part(audio, "audio/mpeg", "x.mp3") + END


# What is kept


async def test_a_push_of_a_callflow_becomes_a_recording_that_the_api_shows(cluster: Pusher) -> None:
    account = cluster.customer.account.id
    answer = await cluster.put(url(recorded(), told(account_id=account)))
    recording = await cluster.kept(answer)
    assert (recording.vendor, recording.vendor_key, recording.state) == (VENDOR, RECORDING, State.KEPT)
    assert (recording.call_key, recording.started_at, recording.duration_ms) == (CALL, NOON, 1_000)
    shown = data(await cluster.customer.ask("GET", f"recordings/{RECORDING}"))
    assert shown == document(recording)
    assert (shown["id"], shown["call_id"], shown["start"], shown["owner_id"]) == (RECORDING, CALL, seconds(NOON), OWNER)
    assert shown["custom_channel_vars"] == {
        "Account-ID": account,
        "Owner-ID": OWNER,
        "Call-Interaction-ID": INTERACTION,
        "Media-Recording-ID": RECORDING,
    }
    heard = await cluster.customer.ask("GET", f"recordings/{RECORDING}", Accept="audio/mpeg")
    assert (heard.body, heard.headers["content-type"]) == (SECOND, "audio/mpeg")


@pytest.mark.parametrize("fields", [without(*ENDPOINT), without("owner_id", "recording_id", "start"), {}])
async def test_an_endpoints_push_has_two_dots_and_lacks_the_rest(cluster: Pusher, fields: dict[str, str]) -> None:
    recording = await cluster.kept(await cluster.put(url(recorded("..mp3"), fields), method="POST"))
    assert recording.call_key == CALL
    assert abs(recording.duration_ms - 1_000) < 100
    shown = data(await cluster.customer.ask("GET", f"recordings/{recording.vendor_key}"))
    assert shown["name"] == f"call_recording_{CALL}.mp3"
    assert "owner_id" not in shown
    assert shown["custom_channel_vars"]["Media-Recording-ID"] == recording.vendor_key
    again = await cluster.put(url(recorded("..mp3"), fields), method="POST")
    assert data(again)["id"] == recording.vendor_key


async def test_the_newest_kazoos_order_of_fields_makes_no_difference(cluster: Pusher) -> None:
    fields = told()
    order = [
        "from", "to", "caller_id_name", "caller_id_number", "call_id", "cdr_id", "interaction_id", "account_id",
        "duration_ms", "owner_id", "start", "recording_id",
    ]  # fmt: skip
    newest = {name: fields[name] for name in order} | {"conference_recording": "true", "conference_id": "c1"}
    shown = document(await cluster.kept(await cluster.put(url(recorded("..mp3"), newest))))
    assert (shown["start"], shown["conference_recording"], shown["conference_id"]) == (seconds(NOON), "true", "c1")


@pytest.mark.parametrize("target", ["?file={}", "in.php?file={}", "in.php?save={}", "in.php?customer=7&recording={}"])
async def test_a_url_with_a_query_takes_pushes_and_reads_them_back(cluster: Pusher, target: str) -> None:
    named = target.format(recorded())
    answer = await cluster.put(f"{named}&{url('', told())[1:]}")
    assert (await cluster.kept(answer)).vendor_key == RECORDING
    assert (await cluster.get(f"{named}&from=anybody")).body == SECOND


async def test_folders_before_the_name_are_the_customers_own(cluster: Pusher) -> None:
    await cluster.kept(await cluster.put(url(f"any/thing/{recorded()}", told())))
    assert (await cluster.get(f"any/thing/{recorded()}")).status == 200
    assert (await cluster.get(recorded())).status == 404


async def test_a_storage_plans_push_has_its_ids_in_the_path(cluster: Pusher) -> None:
    account = cluster.customer.account.id
    for path, method in ((f"{account}/{OWNER}/{RECORDING}/x.mp3", "PUT"), (f"{account}/{key_at()}/y.mp3", "POST")):
        shown = document(await cluster.kept(await cluster.put(path, method=method)))
        assert shown["id"] in path
        assert shown["custom_channel_vars"]["Account-ID"] == account
        assert (shown.get("owner_id", ""), shown["name"]) == (OWNER if OWNER in path else "", path[-5:])
        assert (await cluster.get(path)).body == SECOND


@pytest.mark.parametrize("encode", [bytes, b64encode], ids=["plain", "base64"])
async def test_parts_bring_the_whole_document_which_is_shown_unaltered(cluster: Pusher, encode: Any) -> None:
    shown = collected(number=7, types=None)
    path = f"{cluster.customer.account.id}/{OWNER}/{RECORDING}/x.mp3"
    answer = await cluster.put(path, parts(shown, encode(SECOND)), Content_Type=MULTIPART)
    await cluster.kept(answer)
    assert data(await cluster.customer.ask("GET", f"recordings/{RECORDING}")) == shown
    assert (await cluster.get(path)).body == SECOND
    assert len(cluster.files()) == 1


async def test_a_document_that_cannot_be_read_costs_no_recording(cluster: Pusher) -> None:
    path = f"{cluster.customer.account.id}/{RECORDING}/x.mp3"
    await cluster.kept(await cluster.put(path, parts(b"{broken", SECOND), Content_Type=MULTIPART))
    rows = await cluster.world.archive.database.read("SELECT document FROM kazoo_pushes")
    assert rows == [("{broken",)]


async def test_audio_of_any_size_streams_through(cluster: Pusher) -> None:
    long = wav(200_000)
    assert len(long) > 3 << 20
    answer = await cluster.put(url(recorded(".wav"), told(duration_ms="200000")), long, Content_Type="audio/x-wav")
    recording = await cluster.kept(answer)
    assert recording.audio is not None
    assert (recording.audio.container, recording.audio.samples) == ("wav", 8_000 * 200)
    assert (await cluster.get(recorded(".wav"))).body == long


async def test_what_was_pushed_is_examined_right_after_its_answer(cluster: Pusher) -> None:
    bodies = {"whole": SECOND, "cut": SECOND[: len(SECOND) // 2], "broken": SECOND[:4] + b"\0" * 900}
    kept = []
    for number, (call, body) in enumerate(bodies.items()):
        target = url(recorded(call=call), told(call_id=call, recording_id=key_at(number=number)))
        kept.append(await cluster.kept(await cluster.put(target, body)))
    # whose header says nothing is looked into at once
    at_once = [Health.UNEXAMINED, Health.UNEXAMINED, Health.UNREADABLE]
    assert [each.audio and each.audio.health for each in kept] == at_once
    await cluster.world.archive.renditions.make_due()
    found = {}
    for each in kept:
        examined = await cluster.world.archive.by_id(each.tenant, each.id)
        assert examined is not None
        assert examined.audio is not None
        found[examined.call_key] = examined.audio
    assert not any(Health.UNEXAMINED in Health(audio.health) for audio in found.values())
    assert Health.SHORT in Health(found["cut"].health)
    assert Health.SHORT not in Health(found["whole"].health)
    assert Health(found["broken"].health) == Health.UNREADABLE
    assert found["whole"].samples == probe(SECOND).samples


async def test_audio_that_cannot_be_read_is_kept_as_it_came_and_an_alarm_tells(cluster: Pusher) -> None:
    video = b"\0\0\0\x18ftypisom" + bytes(2_000)
    for number, (extension, body) in enumerate(((".mp4", video), (".mp3", b"not audio at all"))):
        path = recorded(extension)
        fields = told(recording_id=key_at(number=number), duration_ms="5000")
        recording = await cluster.kept(await cluster.put(url(path, fields), body, Content_Type="application/x-any"))
        assert recording.audio is not None
        assert (recording.audio.container, recording.duration_ms) == (extension[1:], 5_000)
        assert Health.UNREADABLE in Health(recording.audio.health)
        answer = await cluster.get(path)
        assert (answer.body, answer.headers["content-type"].partition("/")[0]) == (body, "audio")
    await cluster.world.archive.renditions.make_due()
    assert [alarm.kind for alarm in await cluster.world.archive.alarms.all()] == [RENDITION_FAILED] * 2


async def test_names_of_any_language_come_through(cluster: Pusher) -> None:
    call = "Grüße, 東京/1@x"
    fields = told(call_id=call, caller_id_name="Zoë & Łukasz = 100 %", interaction_id="")
    shown = document(await cluster.kept(await cluster.put(url(recorded(call=call), fields))))
    assert (shown["call_id"], shown["caller_id_name"]) == (call, "Zoë & Łukasz = 100 %")
    assert "interaction_id" not in shown


@pytest.mark.parametrize(
    ("query", "name"),
    [("caller_id_name=Andr%E9", "André"), ("caller_id_name=A%00B", "AB"), ("caller_id_name=Z%C3%BCrich", "Zürich")],
)
async def test_a_name_in_whatever_encoding_costs_no_recording(cluster: Pusher, query: str, name: str) -> None:
    answer = await cluster.put(f"call_recording_l%E91.mp3?{query}&duration_ms=1000&call_id=l1")
    recording = await cluster.kept(answer)
    assert document(recording)["caller_id_name"] == name
    assert (await cluster.get("call_recording_l%E91.mp3")).body == SECOND


@pytest.mark.parametrize("identity", ["202611-..%2F..", "202611-a%0Ab", "202611-a%20b", "202600-abc", "x"])
async def test_an_id_that_no_client_could_ask_for_again_is_none(cluster: Pusher, identity: str) -> None:
    recording = await cluster.kept(await cluster.put(f"{recorded()}?recording_id={identity}&duration_ms=1000"))
    assert data(await cluster.customer.ask("GET", f"recordings/{recording.vendor_key}"))["id"] == recording.vendor_key


@pytest.mark.parametrize("levels", [40, 900, 5_000])
async def test_a_document_that_is_nested_too_deep_is_passed_over_and_the_audio_kept(
    cluster: Pusher, levels: int
) -> None:
    deep = b'{"call_id":"deep","x":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"
    body = part(deep, "application/json", "d") + part(SECOND, "audio/mpeg", "a") + END
    recording = await cluster.kept(
        await cluster.put(recorded(), body, Content_Type=f"multipart/form-data; boundary={BOUNDARY}")
    )
    assert data(await cluster.customer.ask("GET", f"recordings/{recording.vendor_key}"))["id"] == recording.vendor_key
    assert (await cluster.get(recorded())).body == SECOND


async def test_a_document_shows_no_private_keys_and_decides_no_type_that_a_browser_would_run(cluster: Pusher) -> None:
    posted = {"call_id": "x", "content_type": "text/html", "name": "evil.html", "_id": "1", "pvt_secret": "2"}
    parts = part(json.dumps(posted).encode(), "application/json", "d") + part(b"<script>", "text/html", "a") + END
    recording = await cluster.kept(
        await cluster.put(recorded(), parts, Content_Type=f"multipart/form-data; boundary={BOUNDARY}")
    )
    shown = data(await cluster.customer.ask("GET", f"recordings/{recording.vendor_key}"))
    assert not {"_id", "pvt_secret"} & set(shown)
    heard = await cluster.customer.ask("GET", f"recordings/{recording.vendor_key}?accept=audio/mpeg&inline=true")
    # by what its name says
    assert (heard.status, heard.headers["content-type"]) == (200, "audio/mpeg")
    assert heard.headers["x-content-type-options"] == "nosniff"


async def test_a_path_and_a_query_that_name_different_accounts_are_refused(cluster: Pusher, world: World) -> None:
    one, other = [await customer(world, name, parent=cluster.customer.account) for name in ("one", "other")]
    path = f"{one.account.id}/{OWNER}/{RECORDING}/x.mp3?account_id={other.account.id}"
    assert "account_id" in refused(await cluster.put(path), 400, "validation error")
    assert await cluster.everything() == 0


# Once each


async def test_the_same_push_again_is_the_same_recording(cluster: Pusher) -> None:
    for number, fields in enumerate((told(), told(recording_id=""), without(*ENDPOINT))):
        path = url(f"{number}/{recorded()}", {**fields, "call_id": f"call-{number}"})
        first = data(await cluster.put(path), 201)
        assert data(await cluster.put(path), 200) == first
        # a retry through another verb, later, with other facts, is still the same
        assert data(await cluster.put(path.replace("HOLLOWAY", "H"), method="POST"), 200) == first


async def test_a_retry_after_the_months_end_finds_its_first(cluster: Pusher) -> None:
    path = url(recorded(), without(*ENDPOINT))
    cluster.world.now = 1_701_388_799_000
    first = data(await cluster.put(path), 201)["id"]
    assert first.startswith("202311-")
    cluster.world.now += 60_000
    assert data(await cluster.put(path), 200)["id"] == first
    other = data(await cluster.put(url(f"other/{recorded()}", without(*ENDPOINT, call_id="another"))), 201)["id"]
    assert other.startswith("202312-")


@pytest.mark.parametrize("fields", [told(), without(*ENDPOINT)], ids=["with an id", "without"])
async def test_ten_pushes_at_once_are_one_recording(cluster: Pusher, fields: dict[str, str]) -> None:
    answers = await asyncio.gather(*(cluster.put(url(recorded(), fields)) for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [200] * 9 + [201]
    assert len({answer.json["data"]["id"] for answer in answers}) == 1
    assert await cluster.everything() == 1
    assert len(await cluster.rows()) == 1
    assert len(cluster.files()) == 1


@pytest.mark.parametrize("fields", [told(), without("recording_id")], ids=["with an id", "without"])
async def test_other_bytes_are_another_recording_and_the_path_gives_the_newest(
    cluster: Pusher, fields: dict[str, str]
) -> None:
    path = url(recorded(), fields)
    cluster.world.now = NOON + 10_000
    one = await cluster.kept(await cluster.put(path))
    cluster.world.now += 1_000
    two = await cluster.kept(await cluster.put(path, OTHER))
    assert one.vendor_key != two.vendor_key
    assert two.vendor_key.startswith("202311-")
    assert (await cluster.get(recorded())).body == OTHER
    assert data(await cluster.put(path), 200)["id"] == one.vendor_key
    assert data(await cluster.put(path, OTHER), 200)["id"] == two.vendor_key
    assert [flag for flag, _ in await cluster.rows()] == ["", ""]


# Reading back


async def test_the_path_is_read_back_in_parts_too(cluster: Pusher) -> None:
    await cluster.put(url(recorded(), told()))
    whole = await cluster.get(f"{recorded()}?from=x&recording_id=y&account_id={'f' * 32}")
    assert (whole.status, whole.body, whole.headers["content-type"]) == (200, SECOND, "audio/mpeg")
    some = await cluster.get(recorded(), Range="bytes=100-199")
    assert (some.status, some.body) == (206, SECOND[100:200])
    assert some.headers["content-range"] == f"bytes 100-199/{len(SECOND)}"
    head = await cluster.get(recorded(), method="HEAD")
    assert (head.status, head.headers["content-length"], head.body) == (200, str(len(SECOND)), b"")
    assert (await cluster.get(recorded(), If_None_Match=whole.headers["etag"])).status == 304


async def test_what_is_unknown_or_removed_is_read_back_no_more(cluster: Pusher) -> None:
    name = f"call_recording_{CALL}.mp3"
    unknown = refused(await cluster.get(recorded()), 404, "bad_identifier")
    assert unknown == {"cause": name, "message": "bad identifier"}
    recording = await cluster.kept(await cluster.put(url(recorded(), told())))
    await cluster.world.archive.remove(recording.tenant, recording.id)
    refused(await cluster.get(recorded()), 404, "bad_identifier")
    # what was removed does not come back by a retry
    assert data(await cluster.put(url(recorded(), told())), 200)["id"] == RECORDING
    refused(await cluster.get(recorded()), 404, "bad_identifier")


@pytest.mark.parametrize("kind", ["text/plain", MULTIPART])
@pytest.mark.parametrize("encode", [bytes, b64encode], ids=["plain", "base64"])
async def test_a_storage_plan_is_tried_with_a_file_that_is_no_recording(
    cluster: Pusher, kind: str, encode: Any
) -> None:
    text = b"some random content: 0123456789abcdef"
    path = f"{cluster.customer.account.id}/{'e' * 32}/0123_test_credentials_file.txt"
    # without parts nothing is encoded
    sent = text if kind == "text/plain" else parts(b"{}", encode(text))
    refused(await cluster.get(path), 404, "bad_identifier")
    assert data(await cluster.put(path, sent, Content_Type=kind), 201)["size"] == len(text)
    answer = await cluster.get(path)
    assert (answer.status, answer.body) == (200, text)
    assert (await cluster.get(path, method="HEAD")).headers["content-length"] == str(len(text))
    assert data(await cluster.put(path, b"again"), 201)["size"] == 5
    assert await cluster.everything() == 0
    refused(await cluster.put(path, bytes(65_537)), 413, "validation error")


# Who may


@pytest.mark.parametrize("secret", ["vk_push_invented-and-nobodys", "x", "%ff", "", "vk_push_" + "a" * 3_000])
async def test_an_unknown_secret_is_refused_before_the_body_is_read(cluster: Pusher, secret: str) -> None:
    lines = f"PUT /ingest/kazoo/{secret}/{recorded()} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", cluster.world.port)
    writer.write(lines.encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    writer.close()
    assert b" 401 " in head
    (entry,) = await cluster.world.audited()
    assert (entry.action, entry.outcome, entry.user) == ("recording.push", Outcome.REFUSED, "")
    assert secret not in f"{entry.subject}{entry.detail}" or not secret.strip("x")
    assert entry.detail == "401 invalid_credentials"


async def test_a_secret_is_dead_once_another_is_issued(cluster: Pusher) -> None:
    await cluster.kept(await cluster.put(url(recorded(), told())))
    other = await pusher(cluster.customer)
    refused(await cluster.get(recorded()), 401, "invalid_credentials")
    assert (await other.get(recorded())).body == SECOND


async def test_accounts_never_see_each_others_pushes(cluster: Pusher, globex: Customer) -> None:
    await cluster.kept(await cluster.put(url(recorded(), told())))
    stranger = await pusher(globex)
    refused(await stranger.get(recorded()), 404, "bad_identifier")
    mine, account = stranger.customer.account.id, cluster.customer.account.id
    for path in (
        url(recorded(), told(account_id=account)),
        f"{account}/{OWNER}/{RECORDING}/x.mp3",
        f"{account}/{RECORDING}/x",
    ):
        assert refused(await stranger.put(path), 403, "forbidden") == {"message": "forbidden"}
    refused(await stranger.get(f"{account}/{RECORDING}/x.mp3"), 403, "forbidden")
    # what no account is called says nothing
    await stranger.kept(await stranger.put(url(recorded(call="odd"), told(account_id="nobodys", recording_id=""))))
    theirs = await stranger.kept(await stranger.put(url(recorded(), told(account_id=mine))))
    assert theirs.tenant == globex.tenant.id
    assert await cluster.everything() == 3


async def test_what_is_pushed_for_an_account_below_is_that_ones(cluster: Pusher, world: World) -> None:
    child = await customer(world, "acme-east", parent=cluster.customer.account)
    answer = await cluster.put(url(recorded(), told(account_id=child.account.id)))
    recording = await cluster.kept(answer, customer=child)
    assert data(await child.ask("GET", f"recordings/{RECORDING}"))["id"] == recording.vendor_key
    assert (await cluster.get(recorded())).body == SECOND
    refused(
        await (await pusher(child)).put(url(recorded(), told(account_id=cluster.customer.account.id))), 403, "forbidden"
    )


async def test_a_tenant_whose_api_is_switched_off_takes_no_pushes(cluster: Pusher) -> None:
    tenant = cluster.customer.tenant
    await cluster.world.access.change_tenant(tenant, TenantLimits(enabled=False, api_enabled=False))
    refused(await cluster.put(url(recorded(), told())), 403, "forbidden")
    assert await cluster.everything() == 0


async def test_another_tenants_host_takes_no_pushes(cluster: Pusher, world: World) -> None:
    await world.tenant("globex", host="globex.xima.test")
    refused(await cluster.put(url(recorded(), told()), Host="globex.xima.test"), 404, "not_found")


async def test_the_trail_tells_of_pushes_and_never_the_secret(cluster: Pusher) -> None:
    await cluster.put(url(recorded(), told()))
    await cluster.put(url(recorded(), told()))
    await cluster.get(recorded())
    await cluster.get("unknown.mp3")
    entries = await cluster.world.audited()
    assert [(entry.action, entry.outcome) for entry in entries] == [
        ("recording.push", "done"),
        ("recording.push", "done"),
        ("recording.listen", "done"),
        ("recording.listen", "refused"),
    ]
    assert {entry.user for entry in entries} == {"kazoo-push:acme.sip.test"}
    assert {entry.tenant for entry in entries} == {cluster.customer.tenant.id}
    assert [entry.subject for entry in entries] == [*[RECORDING] * 3, "/ingest/kazoo/.../unknown.mp3"]
    assert cluster.secret not in str(entries)


async def test_the_customers_own_secrets_in_a_url_are_not_kept(cluster: Pusher) -> None:
    await cluster.put(f"in.php?api_token=s3cret-invented&recording={recorded()}&{url('', told())[1:]}")
    dump = "\n".join(str(row) for row in await cluster.rows())
    assert "HOLLOWAY" in dump
    assert "s3cret-invented" not in dump


# What cannot be


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_refused(cluster: Pusher, method: str) -> None:
    refused(await cluster.put(recorded(), method=method), 405, "invalid_method")


@pytest.mark.parametrize(
    "path",
    ["a/../b.mp3", "a/%2e%2e/b.mp3", "a/%252e%252e/b.mp3", "a%5c..%5cb.mp3", "a%0ab.mp3", "in?file=a/../b.mp3", ""],
)
async def test_a_path_that_climbs_or_cannot_be_is_refused(cluster: Pusher, path: str) -> None:
    answer = await cluster.put(path)
    assert answer.status == 400
    assert answer.json["status"] == "error"
    assert cluster.files() == []


async def test_a_recording_of_no_bytes_is_refused(cluster: Pusher) -> None:
    told_of = refused(await cluster.put(url(recorded(), told()), b""), 400, "validation error")
    assert list(told_of) == ["body"]
    refused(await cluster.put(recorded(), parts({}, b""), Content_Type=MULTIPART), 400, "validation error")
    assert (cluster.files(), await cluster.everything()) == ([], 0)


@pytest.mark.parametrize("kind", ["multipart/form-data", MULTIPART + "x", MULTIPART])
async def test_parts_that_cannot_be_are_refused(cluster: Pusher, kind: str) -> None:
    body = parts({}, SECOND)[:-4]
    assert list(refused(await cluster.put(recorded(), body, Content_Type=kind), 400, "validation error")) == ["body"]
    assert (cluster.files(), await cluster.everything()) == ([], 0)


async def test_a_push_past_the_limit_is_refused_however_it_comes(opened: Opener) -> None:
    world = await opened(Settings(kazoo=Kazoo(rate_limits=False, push_bytes=1_000)))
    cluster = await pusher(await customer(world, "acme"))
    told_of = refused(await cluster.put(url(recorded(), told())), 413, "validation error")
    assert told_of["file"]["maxSize"]["target"] == 1_000
    chunks = b"".join(b"%x\r\n%b\r\n" % (400, bytes(400)) for _ in range(3)) + b"0\r\n\r\n"
    head = f"PUT /ingest/kazoo/{cluster.secret}/{recorded()} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(head.encode() + chunks)
    assert b" 413 " in await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert (cluster.files(), await cluster.everything()) == ([], 0)
    await cluster.kept(await cluster.put(url(recorded(), told()), SECOND[:1_000]))


@pytest.mark.parametrize("sent", [0, 1_000, 2_500_000])
async def test_a_push_that_breaks_off_leaves_nothing(
    cluster: Pusher, sent: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "voxkeep.vendors.kazoo.edge")
    head = f"PUT /ingest/kazoo/{cluster.secret}/{recorded()} HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", cluster.world.port)
    writer.write(head.encode() + bytes(sent))
    await writer.drain()
    writer.close()

    async def told_off() -> bool:
        return "left within its body" in caplog.text

    await until(told_off)
    assert (cluster.files(), await cluster.everything(), await cluster.rows()) == ([], 0, [])
    assert cluster.secret not in caplog.text


async def test_a_full_disk_is_told_and_leaves_nothing(cluster: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object, **__: object) -> None:
        raise VaultFull("no space is left for audio")

    with monkeypatch.context() as patch:
        patch.setattr(cluster.world.archive._originals, "stage", full)
        answer = await cluster.put(url(recorded(), told()))
    refused(answer, 503, "datastore_unreachable")
    assert answer.headers["retry-after"]
    assert (cluster.files(), await cluster.rows()) == ([], [])
    await cluster.kept(await cluster.put(url(recorded(), told())))


async def test_a_push_whose_row_was_lost_is_found_by_its_retry(cluster: Pusher) -> None:
    for fields in (told(), without("recording_id", call_id="two")):
        path = url(recorded(call=fields["call_id"]), fields)
        first = data(await cluster.put(path), 201)
        # as after a kill between the recording and the row of its push

        async def forget(transaction: Any) -> None:
            await transaction.execute("DELETE FROM kazoo_pushes")

        await cluster.world.archive.database.write(forget)
        assert data(await cluster.put(path), 201) == first
        assert len(await cluster.rows()) == 1
    assert await cluster.everything() == 2


async def test_curl_pushes_a_file_and_fetches_it_again(cluster: Pusher, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not here")
    file, back = tmp_path / "sent.mp3", tmp_path / "back.mp3"
    file.write_bytes(SECOND)
    target = f"http://127.0.0.1:{cluster.world.port}/ingest/kazoo/{cluster.secret}/{url(recorded('..mp3'), told())}"

    async def run(*arguments: str) -> str:
        command = (curl, "-sS", "-w", "%{http_code}", *arguments, target)
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return out.decode()

    assert (await run("-T", str(file), "-H", "content-type: audio/mpeg"))[-3:] == "201"
    assert await run("-o", str(back)) == "200"
    assert back.read_bytes() == SECOND


# Whatever comes


@pytest.fixture(scope="module")
def anybody(ground: Ground) -> Pusher:
    return ground.run(pusher(ground.customer))


anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
names = st.sampled_from([*sorted(FIELDS - {"account_id"}), "file", "recording", ""]) | anything
queries = st.lists(st.tuples(names, anything | st.integers().map(str)), max_size=8)
paths = st.lists(anything | st.just(f"call_recording_{CALL}..mp3") | st.just(RECORDING), min_size=1, max_size=4)
bodies = st.binary(max_size=60) | st.just(SECOND)


@settings(max_examples=60)
@given(paths, queries, bodies, st.sampled_from(["PUT", "POST"]))
def test_whatever_is_pushed_is_kept_or_refused_and_never_an_error_of_ours(
    ground: Ground, anybody: Pusher, segments: list[str], pairs: list[tuple[str, str]], body: bytes, method: str
) -> None:
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    target = "/".join(quote(each, safe="") for each in segments)
    answer = ground.run(anybody.put(f"{target}?{query}", body, method=method))
    assert answer.status in (200, 201, 400), answer
    if answer.status == 400:
        assert answer.json["status"] == "error"
        return
    kept = ground.run(anybody.get(f"{target}?{query}"))
    assert kept.status == 200
    assert answer.json["data"]["size"] == len(body)
    assert ground.run(anybody.put(f"{target}?{query}", body, method=method)).json["data"] == answer.json["data"]
