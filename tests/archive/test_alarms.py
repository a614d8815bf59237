from voxkeep.archive import Archive
from voxkeep.archive.alarms import AUDIO_ALTERED, AUDIO_MISSING
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
