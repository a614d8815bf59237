"""`voxkeep status`: alarms by the names people know, and an exit code that a monitor can read."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from voxkeep.archive import Archive, NewAudio
from voxkeep.archive.alarms import AUDIO_MISSING, PUSH_UNJOINED, RENDITION_FAILED
from voxkeep.archive.errors import AudioMissing
from voxkeep.archive.model import Recording, Tenant
from voxkeep.archive.units import DurationMs, EpochMs, RecordingId, TenantId, uuid7
from voxkeep.cli.common import ROOMS
from voxkeep.cli.main import app
from voxkeep.demo.clips import clips, content
from voxkeep.settings import Settings

START = EpochMs(1_763_647_391_250)


def within(home: Path, work: Callable[[Archive], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        archive = await Archive.at(home, Settings(), ROOMS)
        try:
            return await work(archive)
        finally:
            await archive.close()

    return asyncio.run(run())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    async def make(archive: Archive) -> None:
        for name in ("acme", "beta"):
            await archive.tenants.add(Tenant(id=TenantId(0), name=name))

    within(tmp_path / "home", make)
    return tmp_path / "home"


def keep_one(home: Path) -> Recording:
    async def work(archive: Archive) -> Recording:
        tenant = await archive.tenants.named("beta")
        recording = Recording(
            tenant=tenant.id,
            id=RecordingId(uuid7(START)),
            started_at=START,
            duration_ms=DurationMs(1000),
            vendor="import",
            vendor_key="call [7]",
        )
        clip = clips()[0]
        staged = await archive.stage(tenant.id, START, "call", content(clip.wav.file))
        return (await archive.keep(recording, NewAudio(staged, clip.facts))).recording

    recording: Recording = within(home, work)
    return recording


def listen(home: Path, recording: Recording) -> None:
    async def work(archive: Archive) -> None:
        (await archive.open(recording)).close()

    within(home, work)


def ask(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["status", "--data", str(home), *words])


def document(home: Path, code: int) -> Any:
    result = ask(home, "--json")
    assert result.exit_code == code, result.output
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def test_an_archive_that_is_well_is_told_so(home: Path) -> None:
    waiting = [{"name": "acme", "renditions_waiting": 0}, {"name": "beta", "renditions_waiting": 0}]
    assert document(home, 0) == {"home": str(home), "tenants": waiting, "alarms": []}
    shown = ask(home)
    assert shown.exit_code == 0
    assert str(home) in shown.stdout
    assert "no alarms" in shown.stdout


def test_an_alarm_is_told_by_tenant_and_key_until_the_audio_is_back(home: Path) -> None:
    recording = keep_one(home)
    (file,) = home.glob("vault/beta/**/*.wav")
    away = file.rename(file.with_suffix(".away"))
    for _ in range(2):
        with pytest.raises(AudioMissing):
            listen(home, recording)
    told = document(home, 1)
    assert told["tenants"][1] == {"name": "beta", "renditions_waiting": 1}
    (alarm,) = told["alarms"]
    assert alarm.pop("first_seen") <= alarm.pop("last_seen")
    assert alarm == {
        "tenant": "beta",
        "key": "call [7]",
        "id": str(recording.id),
        "kind": AUDIO_MISSING,
        "times": 2,
    }
    shown = ask(home)
    assert shown.exit_code == 1
    for word in ("audio-missing", "beta", "call [7]", str(recording.id)):
        assert word in shown.stdout
    away.rename(file)
    listen(home, recording)
    assert document(home, 0)["alarms"] == []


@pytest.mark.parametrize("subject", ["no id at all", str(UUID(int=5))])
def test_an_alarm_about_what_the_catalog_does_not_hold_is_told_all_the_same(home: Path, subject: str) -> None:
    async def work(archive: Archive) -> None:
        await archive.alarms.sound(RENDITION_FAILED, TenantId(99), subject)

    within(home, work)
    (alarm,) = document(home, 1)["alarms"]
    assert (alarm["tenant"], alarm["key"], alarm["id"]) == ("(unknown)", None, subject)
    assert subject in ask(home).stdout


def test_without_an_archive_it_is_wrong_usage(tmp_path: Path) -> None:
    result = ask(tmp_path / "none")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no archive at" in result.stderr


def test_an_alarm_that_only_a_person_can_end_is_taken_back_once_it_was_seen(home: Path) -> None:
    recording = keep_one(home)

    async def sound(archive: Archive) -> None:
        for kind in (PUSH_UNJOINED, RENDITION_FAILED):
            await archive.alarms.sound(kind, recording.tenant, str(recording.id), key="call [7]")

    within(home, sound)
    assert {alarm["kind"] for alarm in document(home, 1)["alarms"]} == {PUSH_UNJOINED, RENDITION_FAILED}
    seen = ask(home, "--seen", str(recording.id), "--json")
    # the other goes when it is mended
    assert [alarm["kind"] for alarm in json.loads(seen.stdout)["alarms"]] == [RENDITION_FAILED]
    again = ask(home, "--seen", str(recording.id))
    assert again.exit_code == 2
    assert "push-unjoined" in again.stderr
