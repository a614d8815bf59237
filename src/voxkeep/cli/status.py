"""`voxkeep status`: what an operator must look at: alarms, and forms of audio that wait to be made."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import typer
from msgspec import Struct

from voxkeep.archive import Archive
from voxkeep.archive.alarms import PUSH_UNJOINED, Alarm
from voxkeep.archive.units import RecordingId, TenantId
from voxkeep.cli.administration import moment, print_table
from voxkeep.cli.common import (
    DATA_DEFAULT,
    DONE,
    INCOMPLETE,
    USAGE,
    Data,
    Failure,
    Json,
    archive_at,
    out,
    print_json,
    run,
)


class TenantStatus(Struct, frozen=True):
    """How a tenant stands."""

    name: str
    renditions_waiting: int


class AlarmStatus(Struct, frozen=True):
    """An alarm as people see it. Times are ISO 8601 in UTC."""

    tenant: str
    key: str | None
    """The recording's key, None when it is not in the catalog."""
    id: str
    kind: str
    first_seen: str | None
    last_seen: str | None
    times: int


class Status(Struct, frozen=True):
    """What the command tells."""

    home: str
    tenants: list[TenantStatus]
    alarms: list[AlarmStatus]


Seen = Annotated[
    list[str] | None,
    typer.Option(help="Id of a recording whose push somebody has looked at (push-unjoined); may be repeated."),
]


def command(seen: Seen = None, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Show the alarms, and how many forms of audio wait to be made; exits with 1 when there is an alarm."""

    async def work() -> Status:
        async with archive_at(data) as archive:
            for identity in seen or []:
                await _take_back(archive, identity)
            return await _status(archive)

    status = run(work)
    if json:
        print_json(status)
    else:
        _tell(status)
    raise typer.Exit(INCOMPLETE if status.alarms else DONE)


async def _take_back(archive: Archive, identity: str) -> None:
    """Take back the alarm that only a person can end. Raises Failure when there is none."""
    for alarm in await archive.alarms.all():
        if (alarm.kind, alarm.subject) == (PUSH_UNJOINED, identity):
            await archive.alarms.clear(alarm.kind, alarm.tenant, alarm.subject)
            return
    raise Failure(f"--seen: no recording {identity} has an alarm of the kind {PUSH_UNJOINED}", USAGE)


async def _status(archive: Archive) -> Status:
    waiting = await archive.renditions.waiting()
    names = {tenant.id: tenant.name for tenant in await archive.tenants.all()}
    return Status(
        home=str(archive.home.absolute()),
        tenants=[TenantStatus(name, waiting.get(tenant, 0)) for tenant, name in names.items()],
        alarms=[await _shown(archive, alarm, names) for alarm in await archive.alarms.all()],
    )


async def _shown(archive: Archive, alarm: Alarm, names: Mapping[TenantId, str]) -> AlarmStatus:
    return AlarmStatus(
        tenant=names.get(alarm.tenant, "(unknown)"),
        key=await _key(archive, alarm),
        id=alarm.subject,
        kind=alarm.kind,
        first_seen=moment(alarm.first_at),
        last_seen=moment(alarm.last_at),
        times=alarm.times,
    )


async def _key(archive: Archive, alarm: Alarm) -> str | None:
    try:
        identity = RecordingId(UUID(alarm.subject))
    except ValueError:
        return None
    recording = await archive.by_id(alarm.tenant, identity)
    return None if recording is None else recording.vendor_key


def _tell(status: Status) -> None:
    out.print(f"archive at {status.home}", markup=False)
    print_table(
        ("tenant", "renditions waiting"), [(each.name, str(each.renditions_waiting)) for each in status.tenants]
    )
    if not status.alarms:
        out.print("no alarms")
        return
    columns = ("alarm", "tenant", "recording", "id", "first seen", "last seen", "times")
    print_table(columns, [_row(alarm) for alarm in status.alarms])


def _row(alarm: AlarmStatus) -> tuple[Any, ...]:
    seen = (alarm.first_seen or "-", alarm.last_seen or "-")
    return (alarm.kind, alarm.tenant, alarm.key or "-", alarm.id, *seen, str(alarm.times))
