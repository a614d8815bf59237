import pytest

from voxkeep.archive import Archive
from voxkeep.archive import alarms as room
from voxkeep.archive.alarms import AUDIO_ALTERED, AUDIO_MISSING
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import TenantId
from voxkeep.settings import Settings

ACME, OTHER = TenantId(1), TenantId(2)


async def test_an_alarm_met_again_is_one_alarm(archive: Archive) -> None:
    for _ in range(3):
        await archive.alarms.sound(AUDIO_MISSING, ACME, "a-recording")
    (alarm,) = await archive.alarms.all()
    assert (alarm.kind, alarm.tenant, alarm.subject, alarm.times) == (AUDIO_MISSING, ACME, "a-recording", 3)
    assert alarm.first_at <= alarm.last_at


async def test_alarms_of_other_subjects_kinds_and_tenants_stand_apart(archive: Archive) -> None:
    alarms = [
        (AUDIO_MISSING, ACME, "a"),
        (AUDIO_MISSING, ACME, "b"),
        (AUDIO_ALTERED, ACME, "a"),
        (AUDIO_MISSING, OTHER, "a"),
    ]
    for alarm in alarms:
        await archive.alarms.sound(*alarm)
    assert {(each.kind, each.tenant, each.subject) for each in await archive.alarms.all()} == set(alarms)
    await archive.alarms.clear(AUDIO_MISSING, ACME, "a")
    await archive.alarms.clear(AUDIO_MISSING, ACME, "never sounded")
    assert {(each.kind, each.tenant, each.subject) for each in await archive.alarms.all()} == set(alarms[1:])


async def test_alarms_are_durable_and_seen_by_every_process(archive: Archive) -> None:
    await archive.alarms.sound(AUDIO_MISSING, ACME, "a")
    other = await Archive.at(archive.home, Settings())
    assert await other.alarms.all() == await archive.alarms.all()
    await other.close()


async def test_the_newest_alarm_comes_first(archive: Archive) -> None:
    for subject in ("a", "b", "a"):
        await archive.alarms.sound(AUDIO_MISSING, ACME, subject)
    last = [each.last_at for each in await archive.alarms.all()]
    assert last == sorted(last, reverse=True)


async def test_the_log_names_the_tenant_and_the_key_and_never_the_tenants_number(
    archive: Archive, acme: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    await archive.alarms.sound(AUDIO_MISSING, acme.id, "an-id", key="call\n7")
    await archive.alarms.sound(AUDIO_ALTERED, TenantId(4711), "an-id")
    first, second = caplog.messages
    assert first == "alarm audio-missing: tenant acme, recording 'call\\n7' (an-id)"
    assert "4711" not in second


async def test_what_stands_is_known_from_memory(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await archive.alarms.standing(ACME, "a") == []
    await archive.alarms.sound(AUDIO_MISSING, ACME, "a")

    async def never(*_: object) -> list[object]:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(archive.database, "read", never)
    assert await archive.alarms.standing(ACME, "a") == [AUDIO_MISSING]
    assert await archive.alarms.standing(ACME, "a", [AUDIO_ALTERED]) == []
    assert await archive.alarms.standing(OTHER, "a") == []
    await archive.alarms.clear(AUDIO_MISSING, ACME, "a")
    assert await archive.alarms.standing(ACME, "a") == []


async def test_another_processs_alarms_are_known_after_a_while(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LOOK_AGAIN_SECONDS", 0.0)
    other = await Archive.at(archive.home, Settings())
    assert await archive.alarms.standing(ACME, "a") == []
    await other.alarms.sound(AUDIO_MISSING, ACME, "a")
    assert await archive.alarms.standing(ACME, "a") == [AUDIO_MISSING]
    await other.alarms.clear(AUDIO_MISSING, ACME, "a")
    assert await archive.alarms.standing(ACME, "a") == []
    await other.close()


async def test_no_more_alarms_are_kept_in_memory_than_there_is_room_for(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_KNOWN", 2)
    for subject in "abcd":
        await archive.alarms.sound(AUDIO_MISSING, ACME, subject)
    assert [subject for subject in "abcd" if await archive.alarms.standing(ACME, subject)] == ["a", "b"]
    assert len(await archive.alarms.all()) == 4
