"""The audio route: the bytes, parts of them, the limits before them, and what happens when they are not there."""

import email
import email.policy
import io
from pathlib import Path
from typing import Any

import pytest
from tests.server.harness import CLIP, START, V2, DemoProcess, World, ask_at, refused

from voxkeep.access import TenantLimits
from voxkeep.archive import alarms
from voxkeep.archive.model import Recording, Tenant
from voxkeep.audio.ogg import verify_ogg_opus
from voxkeep.demo.clips import content
from voxkeep.vendors.xima import wire
from voxkeep.web import reading

OPUS = content(CLIP.ogg.file)
SIZE = len(OPUS)
NOW = 1_790_000_000_000
TAG = f'"{CLIP.ogg.sha256}"'


@pytest.fixture
async def acme(world: World) -> Tenant:
    return await world.tenant("acme-ns", "acme.xima.test")


@pytest.fixture
async def token(world: World, acme: Tenant) -> str:
    return await world.token(acme)


@pytest.fixture
async def recording(world: World, acme: Tenant) -> Recording:
    return await world.keep(acme, audio="wav")


@pytest.fixture
def audio(recording: Recording) -> str:
    return path_of(recording)


def path_of(recording: Recording) -> str:
    return f"recordings/acme-ns/{wire.key_of(recording)}/audio"


# The bytes


async def test_the_audio_is_the_opus_form_of_just_the_listed_size(
    world: World, token: str, recording: Recording, audio: str
) -> None:
    answer = await world.get(audio, token)
    assert (answer.status, answer.body) == (200, OPUS)
    assert answer.headers == {
        "etag": TAG,
        "content-disposition": f'attachment; filename="{wire.key_of(recording)}.ogg"',
        "accept-ranges": "bytes",
        "content-type": "audio/ogg",
        "content-length": str(SIZE),
        "connection": "close",
    }
    (record,) = await world.listed(token)
    assert (record["size"], record["status"]) == (SIZE, "SAVED")


async def test_an_original_that_is_opus_already_is_served_as_it_came(world: World, acme: Tenant, token: str) -> None:
    recording = await world.keep(acme, audio="ogg")
    assert (await world.get(path_of(recording), token)).body == OPUS
    assert not list((world.home / "renditions").rglob("*.ogg"))


async def test_a_file_name_is_safe_on_any_disk(world: World, acme: Tenant, token: str) -> None:
    await world.keep(acme, audio="ogg", vendor="xima", vendor_key='a"b/..c\r\nX: y')
    answer = await world.get("recordings/acme-ns/a%22b%2F..c%0D%0AX:%20y/audio", token)
    refused(answer, 400)  # control characters
    await world.keep(acme, START + 1, audio="ogg", vendor="xima", vendor_key='a"b/c;\u00fc')
    answer = await world.get("recordings/acme-ns/a%22b%2Fc;%C3%BC/audio", token)
    name = answer.headers["content-disposition"].removeprefix('attachment; filename="').removesuffix('"')
    assert name.endswith(".ogg")
    assert not set(name) & set('"/\\; \u00fc')


def test_everything_the_demo_lists_as_saved_is_whole_mono_opus_of_its_size_and_length(demo: DemoProcess) -> None:
    for tenant, count in (("acme-ns", 12), ("globex-ns", 1)):
        token = demo.token(tenant)
        records = ask_at(demo.port, "GET", f"{V2}/recordings?{demo.window}", token).json
        saved = [record for record in records if record["status"] == "SAVED"]
        assert len(saved) == count
        for record in saved[:3]:
            answer = ask_at(demo.port, "GET", f"{V2}/recordings/{tenant}/{record['recordingKey']}/audio", token)
            facts = verify_ogg_opus(io.BytesIO(answer.body))
            assert (facts.channels, facts.input_rate) == (1, 8_000)
            assert facts.size_bytes == record["size"] == int(answer.headers["content-length"])
            assert abs(facts.duration_ms - record["duration"]) <= 1


# HEAD and parts


async def test_head_tells_what_get_would_and_sends_nothing(world: World, token: str, audio: str) -> None:
    got, head = await world.get(audio, token), await world.ask("HEAD", f"{V2}/{audio}", token)
    assert (head.status, head.headers, head.body) == (200, got.headers, b"")
    missing = await world.ask("HEAD", f"{V2}/recordings/acme-ns/none/audio", token)
    assert (missing.status, missing.body) == (404, b"")


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=100-", 100, SIZE),
        ("bytes=-500", SIZE - 500, SIZE),
        (f"bytes=0-{SIZE * 2}", 0, SIZE),
        (f"bytes=-{SIZE * 2}", 0, SIZE),
    ],
)
async def test_a_part_is_206_with_its_place(
    world: World, token: str, audio: str, asked: str, start: int, stop: int
) -> None:
    answer = await world.get(audio, token, Range=asked)
    assert (answer.status, answer.body) == (206, OPUS[start:stop])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer.headers["content-length"] == str(stop - start)
    assert (answer.headers["content-type"], answer.headers["etag"]) == ("audio/ogg", TAG)


async def test_several_parts_are_one_multipart_answer(world: World, token: str, audio: str) -> None:
    answer = await world.get(audio, token, Range="bytes=0-9,1000-1099,-7")
    assert answer.status == 206
    assert int(answer.headers["content-length"]) == len(answer.body)
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.body, policy=email.policy.HTTP)
    parts = [part for part in message.iter_parts() if part.get_content_type() == "audio/ogg"]
    assert [part["content-range"] for part in parts] == [
        f"bytes 0-9/{SIZE}",
        f"bytes 1000-1099/{SIZE}",
        f"bytes {SIZE - 7}-{SIZE - 1}/{SIZE}",
    ]
    assert OPUS[1000:1100] in answer.body


@pytest.mark.parametrize("asked", ["bytes=x", "bytes=5-1", "seconds=1-2", "bytes=", "bytes 0-1", "0-1", "bytes=--1"])
async def test_a_range_that_is_none_is_ignored(world: World, token: str, audio: str, asked: str) -> None:
    answer = await world.get(audio, token, Range=asked)
    assert (answer.status, answer.body) == (200, OPUS)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=99999999999999999999-", "bytes=-0"])
async def test_a_range_behind_the_end_is_416(world: World, token: str, audio: str, asked: str) -> None:
    answer = await world.get(audio, token, Range=asked)
    assert (answer.status, answer.body) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


async def test_if_range_guards_a_part(world: World, token: str, audio: str) -> None:
    held = await world.get(audio, token, Range="bytes=0-9", If_Range=TAG)
    assert (held.status, held.body) == (206, OPUS[:10])
    for other in ('"' + "0" * 64 + '"', f"W/{TAG}", "Mon, 23 Nov 2026 16:00:00 GMT", "nonsense"):
        assert (await world.get(audio, token, Range="bytes=0-9", If_Range=other)).status == 200


@pytest.mark.parametrize("asked", [TAG, f"W/{TAG}", f'"x", {TAG}', "*"])
async def test_bytes_that_the_client_holds_are_304(world: World, token: str, audio: str, asked: str) -> None:
    answer = await world.get(audio, token, If_None_Match=asked)
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", TAG)


# The limits


async def limited(world: World, acme: Tenant, limits: TenantLimits | None = None) -> None:
    """Switch the limits on, and stop the clock: nothing here depends on how fast a request is."""
    world.now = NOW
    await world.access.gate.set_limits(acme.id, limits or TenantLimits(), by="test")


async def test_the_fourth_request_at_once_is_429_and_says_when_to_come_back(
    world: World, acme: Tenant, token: str, audio: str
) -> None:
    await limited(world, acme)
    answers = [
        await world.get(audio, token, Range=asked) for asked in ("bytes=0-9", "bytes=0-1,100-300", "none", "none")
    ]
    assert [answer.status for answer in answers] == [206, 206, 200, 429]
    assert answers[3].headers["retry-after"] == "3"
    assert "3 in 10 seconds" in refused(answers[3], 429)


async def test_what_sends_no_audio_takes_no_slot(world: World, acme: Tenant, token: str, audio: str) -> None:
    await limited(world, acme)
    for _ in range(4):
        assert (await world.ask("HEAD", f"{V2}/{audio}", token)).status == 200
        assert (await world.get(audio, token, If_None_Match=TAG)).status == 304
        assert (await world.get(audio, token, Range=f"bytes={SIZE}-")).status == 416
        refused(await world.get("recordings/acme-ns/none/audio", token), 404)
        refused(await world.get(f"{audio}?format=wav", token), 400)
    statuses = [(await world.get(audio, token)).status for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    # nor are these refused when there is no slot
    assert (await world.ask("HEAD", f"{V2}/{audio}", token)).status == 200
    assert (await world.get(audio, token, If_None_Match=TAG)).status == 304


async def test_the_limit_is_each_tenants_own(world: World, acme: Tenant, audio: str) -> None:
    other = await world.tenant("globex-ns", limits=TenantLimits())
    await limited(world, acme)
    token = await world.token(acme, other)
    theirs = f"recordings/globex-ns/{wire.key_of(await world.keep(other, audio='ogg'))}/audio"
    assert [(await world.get(audio, token)).status for _ in range(4)] == [200, 200, 200, 429]
    assert [(await world.get(theirs, token)).status for _ in range(4)] == [200, 200, 200, 429]


async def test_the_rate_is_kept_across_a_restart(world: World, acme: Tenant, token: str, audio: str) -> None:
    await limited(world, acme)
    assert [(await world.get(audio, token)).status for _ in range(3)] == [200] * 3
    await world.restart()
    refused(await world.get(audio, token), 429)


async def test_a_request_comes_in_time_three_seconds_after_the_last_accepted_one(
    world: World, acme: Tenant, token: str, audio: str
) -> None:
    await limited(world, acme)
    assert [(await world.get(audio, token)).status for _ in range(3)] == [200] * 3
    world.now = NOW + 2_000
    answer = await world.get(audio, token)
    refused(answer, 429)
    assert answer.headers["retry-after"] == "1"
    for later in (3_000, 6_000, 9_000, 12_000):
        world.now = NOW + later
        assert (await world.get(audio, token)).status == 200


async def test_a_spent_egress_is_509_and_kept_across_a_restart(
    world: World, acme: Tenant, token: str, audio: str
) -> None:
    await limited(world, acme, TenantLimits(egress_cap_bytes=SIZE + 1))
    assert (await world.get(audio, token)).status == 200
    assert (await world.get(audio, token)).status == 200  # one byte was left: a last file may overshoot
    await world.restart()
    answer = await world.get(audio, token)
    assert "egress" in refused(answer, 509)
    assert answer.json["error"] == "Bandwidth Limit Exceeded"
    assert int(answer.headers["retry-after"]) >= 5 * 86_400
    assert len(await world.listed(token)) == 1
    await world.access.gate.reset_egress(acme.id, by="support")
    assert (await world.get(audio, token)).status == 200


async def test_parts_are_charged_by_what_was_sent(world: World, acme: Tenant, token: str, audio: str) -> None:
    sent = 0
    for asked in ("bytes=0-9", "bytes=0-1,500-700", "bytes=-3", "none"):
        sent += len((await world.get(audio, token, Range=asked)).body)
    for headers in ({"If-None-Match": TAG}, {"Range": f"bytes={SIZE}-"}):
        await world.get(audio, token, **headers)
    assert (await world.access.gate.usage(acme)).used_bytes == sent


async def test_the_cap_grows_with_the_licensed_agents(world: World) -> None:
    tenant = await world.tenant("licensed", agents=2, limits=TenantLimits())
    assert (await world.access.gate.usage(tenant)).cap_bytes == 2 * 288_000_000


async def test_limits_can_be_switched_off(world: World, acme: Tenant, token: str, audio: str) -> None:
    await limited(world, acme, TenantLimits(enabled=False, egress_cap_bytes=0))
    assert [(await world.get(audio, token)).status for _ in range(6)] == [200] * 6


# Audio that is not there


def objects(world: World) -> list[Path]:
    return [path for path in (world.home / "renditions").rglob("*.ogg") if path.is_file()]


async def alarmed(world: World) -> list[tuple[str, str]]:
    return [(alarm.kind, alarm.subject) for alarm in await world.archive.alarms.all()]


async def test_audio_that_is_missing_on_disk_is_404_with_an_alarm(
    world: World, token: str, recording: Recording, audio: str
) -> None:
    objects(world)[0].unlink()
    assert refused(await world.get(audio, token), 404) == "There is no such recording"
    refused(await world.get(audio, token), 404)
    assert await alarmed(world) == [(alarms.AUDIO_MISSING, str(recording.id))]
    readiness = await world.ask("GET", "/readyz")
    assert readiness.json == {"status": "ready", "alarms": 1}
    assert len(await world.listed(token)) == 1


@pytest.mark.parametrize("change", [b"", OPUS[:-1], OPUS + b"x"])
async def test_audio_of_another_length_than_was_kept_is_404_with_an_alarm(
    world: World, token: str, recording: Recording, audio: str, change: bytes
) -> None:
    path = objects(world)[0]
    path.chmod(0o600)
    path.write_bytes(change)
    refused(await world.get(audio, token), 404)
    assert await alarmed(world) == [(alarms.AUDIO_ALTERED, str(recording.id))]


async def test_an_original_that_is_missing_on_disk_is_404_with_an_alarm(world: World, acme: Tenant, token: str) -> None:
    recording = await world.keep(acme, audio="ogg")
    for path in (world.home / "vault").rglob("*.ogg"):
        path.unlink()
    refused(await world.get(path_of(recording), token), 404)
    assert await alarmed(world) == [(alarms.AUDIO_MISSING, str(recording.id))]


async def test_missing_audio_takes_no_slot_and_no_egress(world: World, acme: Tenant, token: str, audio: str) -> None:
    await limited(world, acme)
    objects(world)[0].unlink()
    for _ in range(5):
        refused(await world.get(audio, token), 404)
    assert (await world.access.gate.usage(acme)).used_bytes == 0


async def test_what_a_failing_disk_did_not_give_is_500_and_given_back(
    world: World, acme: Tenant, token: str, audio: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> Any:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("voxkeep.web.audio.read_exactly", fails)
    monkeypatch.setattr("voxkeep.web.zerocopy.offered", lambda _: False)
    assert reading.CHUNK_BYTES > SIZE
    assert "Input/output" not in refused(await world.get(audio, token), 500)
    assert (await world.access.gate.usage(acme)).used_bytes == 0


async def test_a_recording_that_is_removed_between_list_and_listen_is_404(
    world: World, acme: Tenant, token: str, recording: Recording, audio: str
) -> None:
    assert (await world.get(audio, token)).status == 200
    await world.archive.remove(acme.id, recording.id, hard=True)
    refused(await world.get(audio, token), 404)
    assert await alarmed(world) == []


async def test_audio_without_its_opus_form_is_404_until_that_is_made(world: World, acme: Tenant, token: str) -> None:
    recording = await world.keep(acme, audio="bare")
    refused(await world.get(path_of(recording), token), 404)
    assert await world.archive.renditions.make_due() == 1
    answer = await world.get(path_of(recording), token)
    assert verify_ogg_opus(io.BytesIO(answer.body)).channels == 1
    (record,) = await world.listed(token)
    assert record["size"] == len(answer.body)
