"""Recordings as files: their list, the WAV of one, its removal."""

import asyncio
import email
import email.policy
import io
import wave
from pathlib import Path
from typing import Any

import pytest
from tests.server.harness import CLIP, START, V2, WAV, World, opus_facts
from tests.vendors.eightbyeight.harness import CSV, FILE_FIELDS, asked, listed, records, refusal, xml_of

from voxkeep.access import TenantLimits
from voxkeep.archive import NewAudio, alarms
from voxkeep.archive.model import Recording, State, Tenant, WrapUpCode
from voxkeep.archive.units import DurationMs, EpochMs, RecordingId, uuid7
from voxkeep.audio.errors import AudioError
from voxkeep.database import DatabaseFull
from voxkeep.vault import VaultFull
from voxkeep.vendors.eightbyeight import wire

SIZE = len(WAV)
TAG = f'"{CLIP.wav.sha256}"'


@pytest.fixture
async def recording(world: World, acme: Tenant) -> Recording:
    return await world.keep(acme, audio="wav", agent_login="bill")


@pytest.fixture
def audio(recording: Recording) -> str:
    return path_of(recording)


def path_of(recording: Recording) -> str:
    return f"files/{recording.file_name}"


# The list


@pytest.mark.parametrize("state", list(State))
async def test_only_what_is_kept_and_not_removed_is_a_file(
    world: World, acme: Tenant, token: str, state: State
) -> None:
    recording = await world.keep(acme, state=state)
    assert [each.key for each in await listed(world, token)] == [recording.file_name] * (state is State.KEPT)
    refusal(await asked(world, path_of(recording), token), 404)


async def test_a_list_without_a_match_is_200_and_empty_in_every_format(world: World, token: str) -> None:
    xml = await asked(world, "files", token)
    assert (xml.status, list(xml_of(xml.body))) == (200, [])
    assert (await asked(world, "files.json", token)).json == {"recordings": {"file": []}}
    csv = await asked(world, "files.csv", token)
    assert csv.headers["content-type"] == CSV
    assert csv.body == b",".join(name.encode() for name in (*FILE_FIELDS, "wrapUpCode")) + b"\r\n"


async def test_every_format_shows_the_same(world: World, acme: Tenant, token: str) -> None:
    codes = (WrapUpCode("Gauffre", "Gauffre 1"), WrapUpCode("a=b", "c|d\\"))
    await world.keep(acme, state=State.KEPT, agent_login='Bill, "the" <clerk> & co', wrap_up_codes=codes)
    await world.keep(acme, START + 1, state=State.KEPT, caller_number="+14155551234", case_id="0012")
    shown = [records(await asked(world, f"files{suffix}", token)) for suffix in ("", ".xml", ".json", ".csv")]
    assert shown == [shown[0]] * 4
    assert shown[0][0].pairs == [("Gauffre", "Gauffre 1"), ("a=b", "c|d\\")]
    assert shown[0][1].fields["caseID"] == "0012"


async def test_dates_are_shown_in_the_tenants_zone_or_the_one_that_is_asked_for(
    world: World, acme: Tenant, token: str
) -> None:
    await world.keep(acme, 1_198_120_596_999, state=State.KEPT)  # the seed's sample, just before its second ends
    assert (await listed(world, token))[0].fields["startDate"] == "2007-12-19T19:16:36-08:00"
    assert (await listed(world, token, tz="UTC"))[0].fields["startDate"] == "2007-12-20T03:16:36+00:00"
    assert (await listed(world, token, tz="Asia/Kathmandu"))[0].fields["startDate"] == "2007-12-20T09:01:36+05:45"


async def test_a_file_lies_in_the_folder_of_its_utc_day(world: World, acme: Tenant, token: str) -> None:
    await world.keep(acme, 1_198_120_596_000, state=State.KEPT)
    (record,) = await listed(world, token, d="2007-12-19")
    assert record.key == "S20071220/R200712200316369999.wav"


async def test_the_list_is_ordered_by_start(world: World, acme: Tenant, token: str) -> None:
    for start in (3, 1, 2, 0):
        await world.keep(acme, START + 1_000 * start, state=State.KEPT)
    shown = [record.fields["startDate"] for record in await listed(world, token)]
    assert shown == sorted(shown)


# The audio


async def test_an_original_that_is_wav_is_served_as_it_came(
    world: World, token: str, recording: Recording, audio: str
) -> None:
    answer = await asked(world, audio, token)
    assert (answer.status, answer.body) == (200, WAV)
    assert answer.headers == {
        "etag": TAG,
        "content-disposition": f'attachment; filename="{recording.file_name.rpartition("/")[2]}"',
        "accept-ranges": "bytes",
        "content-type": "audio/wav",
        "content-length": str(SIZE),
        "connection": "close",
    }


async def test_audio_that_is_kept_in_another_form_is_made_into_wav_once(world: World, acme: Tenant, token: str) -> None:
    path = path_of(await world.keep(acme, audio="ogg"))
    before = await asked(world, path, token, method="HEAD")
    assert not list((world.home / "renditions").rglob("*.wav")), "a HEAD makes nothing"
    answer = await asked(world, path, token)
    assert before.headers.items() < answer.headers.items(), "the tag is known when it is made"
    assert before.headers["content-length"] == str(len(answer.body))
    head = await asked(world, path, token, method="HEAD")
    with wave.open(io.BytesIO(answer.body)) as made:
        assert (made.getnchannels(), made.getsampwidth(), made.getframerate()) == (1, 2, 8_000)
        assert abs(made.getnframes() - CLIP.duration_ms * 8) <= 8
    assert head.headers == answer.headers
    assert len(list((world.home / "renditions").rglob("*.wav"))) == 1
    assert (await asked(world, path, token)).body == answer.body


async def test_the_path_works_without_its_suffix_and_with_a_closing_slash(world: World, token: str, audio: str) -> None:
    for path in (audio, audio.removesuffix(".wav"), f"{audio}/"):
        assert (await asked(world, path, token)).body == WAV


async def test_head_tells_what_get_would_and_sends_nothing(world: World, token: str, audio: str) -> None:
    got, head = await asked(world, audio, token), await asked(world, audio, token, method="HEAD")
    assert (head.status, head.headers, head.body) == (200, got.headers, b"")


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=100-199", 100, 200), ("bytes=-500", SIZE - 500, SIZE), (f"bytes=9-{SIZE}", 9, SIZE)],
)
async def test_a_part_is_206_with_its_place(
    world: World, token: str, audio: str, wanted: str, start: int, stop: int
) -> None:
    answer = await asked(world, audio, token, Range=wanted)
    assert (answer.status, answer.body) == (206, WAV[start:stop])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer.headers["content-type"] == "audio/wav"


async def test_several_parts_are_one_multipart_answer(world: World, token: str, audio: str) -> None:
    answer = await asked(world, audio, token, Range="bytes=0-9,1000-1099")
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.body, policy=email.policy.HTTP)
    parts = [(part["content-range"], part.get_content_type()) for part in message.iter_parts()]
    assert answer.status == 206
    assert parts == [(f"bytes 0-9/{SIZE}", "audio/wav"), (f"bytes 1000-1099/{SIZE}", "audio/wav")]


async def test_conditions_are_answered_as_http_says(world: World, token: str, audio: str) -> None:
    held = await asked(world, audio, token, If_None_Match=TAG)
    assert (held.status, held.body, held.headers["etag"]) == (304, b"", TAG)
    behind = await asked(world, audio, token, Range=f"bytes={SIZE}-")
    assert (behind.status, behind.body, behind.headers["content-range"]) == (416, b"", f"bytes */{SIZE}")
    assert (await asked(world, audio, token, Range="bytes=0-9", If_Range=TAG)).status == 206
    assert (await asked(world, audio, token, Range="bytes=0-9", If_Range='"other"')).status == 200
    assert (await asked(world, audio, token, Range="nonsense")).status == 200


async def test_this_dialect_has_no_limit_on_audio(world: World, acme: Tenant, token: str, audio: str) -> None:
    await world.access.gate.set_limits(acme.id, TenantLimits(egress_cap_bytes=0), by="test")
    assert [(await asked(world, audio, token)).status for _ in range(8)] == [200] * 8


# Audio that is not there


async def alarmed(world: World) -> list[tuple[str, str]]:
    return [(alarm.kind, alarm.subject) for alarm in await world.archive.alarms.all()]


@pytest.mark.parametrize("kind", ["wav", "ogg"])
async def test_audio_that_is_missing_on_disk_is_404_with_an_alarm(
    world: World, acme: Tenant, token: str, kind: str
) -> None:
    recording = await world.keep(acme, audio=kind)
    for path in (world.home / "vault").rglob(f"*.{kind}"):
        path.unlink()
    for method in ("GET", "HEAD", "GET"):
        assert (await asked(world, path_of(recording), token, method=method)).status == 404
    assert await alarmed(world) == [(alarms.AUDIO_MISSING, str(recording.id))]
    assert len(await listed(world, token)) == 1


async def test_audio_of_another_length_than_was_kept_is_404_with_an_alarm(
    world: World, token: str, recording: Recording, audio: str
) -> None:
    (path,) = originals(world)
    path.chmod(0o600)
    path.write_bytes(WAV[:-1])
    assert refusal(await asked(world, audio, token), 404) == "There is no such file"
    assert await alarmed(world) == [(alarms.AUDIO_ALTERED, str(recording.id))]


async def test_audio_that_is_damaged_is_404_with_an_alarm(world: World, acme: Tenant, token: str) -> None:
    told = Recording(tenant=acme.id, id=RecordingId(uuid7(START)), started_at=START, duration_ms=DurationMs(1_000))
    staged = await world.archive.stage(acme.id, START, str(told.id), b"no audio at all" * 100)
    recording = (await world.archive.keep(told, NewAudio(staged, opus_facts(CLIP)))).recording
    for _ in range(2):
        refusal(await asked(world, path_of(recording), token), 404)
    assert await alarmed(world) == [(alarms.RENDITION_FAILED, str(recording.id))]


def originals(world: World) -> list[Path]:
    return list((world.home / "vault").rglob("*.wav"))


@pytest.mark.parametrize(("error", "status"), [(VaultFull("x"), 503), (DatabaseFull("x"), 503), (AudioError("x"), 404)])
async def test_audio_that_cannot_be_made_is_told_plainly(
    world: World, token: str, audio: str, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def fails(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(world.archive, "open_made", fails)
    answer = await asked(world, audio, token)
    refusal(answer, status)
    assert answer.headers.get("retry-after") == ("30" if status == 503 else None)


async def test_two_who_ask_at_once_get_the_same_audio(world: World, acme: Tenant, token: str) -> None:
    path = path_of(await world.keep(acme, audio="ogg"))
    bodies = await asyncio.gather(*(asked(world, path, token) for _ in range(4)))
    assert len({answer.body for answer in bodies}) == 1


# Removal


@pytest.mark.parametrize("suffix", [".wav", ""])
async def test_a_removed_file_is_gone_from_lists_and_audio(
    world: World, token: str, recording: Recording, audio: str, suffix: str
) -> None:
    answer = await asked(world, audio.removesuffix(".wav") + suffix, token, method="DELETE")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")
    assert await listed(world, token) == []
    for method in ("GET", "HEAD", "DELETE"):
        assert (await asked(world, audio, token, method=method)).status == 404
    kept = await world.archive.by_id(recording.tenant, recording.id)
    assert kept is not None
    assert kept.state is State.REMOVED
    assert len(originals(world)) == 1  # until the grace is over


async def test_what_is_removed_here_shows_as_deleted_by_a_user_in_the_xima_dialect(
    world: World, token: str, audio: str
) -> None:
    assert [each["status"] for each in await world.listed(token)] == ["SAVED"]
    await asked(world, audio, token, method="DELETE")
    (record,) = await world.listed(token)
    assert record["status"] == "DELETED_USER"
    answer = await world.ask("GET", f"{V2}/recordings/acme-ns/{record['recordingKey']}/audio", token)
    assert answer.status == 404


async def test_a_removed_file_is_not_kept_again_when_it_is_collected_again(
    world: World, acme: Tenant, token: str
) -> None:
    file = wire.File(
        "2024-02-12T20:40:49+00:00", "bill", "1", "2", 0, 3, "S20240212/R202402122040490001.wav", "3", "q", "0", 5,
        "0", "0", "",
    )  # fmt: skip

    async def collect() -> bool:
        told = wire.recording_of(file, EpochMs(START // 1000 * 1000), acme.id)
        return (await world.archive.keep(told, call=wire.call_of(told))).new

    assert await collect()
    assert (await asked(world, f"files/{file.filename}", token, method="DELETE")).status == 200
    assert not await collect()
    assert await listed(world, token) == []


async def test_what_may_not_be_removed_is_409_with_the_reason(
    world: World, token: str, audio: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def held(_: Recording) -> str:
        return "It is under legal hold"

    monkeypatch.setattr(world.archive, "may_remove", held)
    assert refusal(await asked(world, audio, token, method="DELETE"), 409) == "It is under legal hold"
    assert (await asked(world, audio, token)).status == 200
    refused = [entry for entry in await world.audited() if entry.outcome == "refused"]
    assert [(entry.action, entry.detail) for entry in refused] == [("recording.remove", "409 It is under legal hold")]


async def test_a_file_that_goes_while_it_is_being_removed_is_404(
    world: World, acme: Tenant, token: str, recording: Recording, audio: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = world.archive.by_file_name

    async def found_and_removed(*asked_for: Any) -> Recording | None:
        found = await find(*asked_for)
        await world.archive.remove(acme.id, recording.id)
        return found

    monkeypatch.setattr(world.archive, "by_file_name", found_and_removed)
    refusal(await asked(world, audio, token, method="DELETE"), 404)


async def test_a_get_of_a_file_never_removes_it(world: World, token: str, audio: str) -> None:
    for method in ("GET", "HEAD"):
        await asked(world, f"{audio}?method=DELETE&delete=1", token, method=method, X_HTTP_Method_Override="DELETE")
    assert (await asked(world, audio, token)).status == 200
