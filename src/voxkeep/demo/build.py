"""Making the sample archive, new at each start, in a folder that is a demo's or empty."""

import asyncio
import fcntl
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from voxkeep.access import Access, Grant
from voxkeep.archive import Archive, NewAudio
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import DAY_MS, EpochMs, TenantId, now_ms, recording_key
from voxkeep.audio.render import Form
from voxkeep.demo.clips import content
from voxkeep.demo.people import AGENTS, TENANTS
from voxkeep.demo.sample import Sample, samples

MARKER = "demo.lock"
ENVIRONMENT = "demo.env"
MADE_BY_US = (
    ENVIRONMENT,
    "voxkeep.db",
    "voxkeep.db-wal",
    "voxkeep.db-shm",
    "vault",
    "renditions",
    "quarantine",
    "locks",
)
AT_ONCE = 32
MOST_A_DAY = 4_000
"""Recordings that the sample agents can make in a day; with many more no agent would be found free."""


class DemoError(Exception):
    """The demo cannot be made here; the text says why."""


class Plan(Struct, frozen=True):
    """What the sample archive is to hold."""

    recordings: int = 240
    days: int = 5
    seed: int = 1


class TenantAccess(Struct, frozen=True):
    """A sample tenant, and a new token for it."""

    name: str
    host: str
    token: str


class Demo(Struct, frozen=True):
    """What was made."""

    tenants: tuple[TenantAccess, ...]
    start: str
    """ISO 8601: nothing lies before it."""
    end: str
    """ISO 8601: nothing lies after it."""
    key: str
    """Key of the first tenant's first recording."""


def claim(home: Path) -> BinaryIO:
    """Take a folder for a demo, removing an earlier demo's archive; the file returned keeps it until closed.

    Raises DemoError when the folder holds anything but a demo, or a demo that runs.
    """
    if home.exists() and not (home / MARKER).exists() and any(home.iterdir()):
        raise DemoError(f"{home} holds something that is not a demo: name another folder with --data")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = (home / MARKER).open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise DemoError(f"a demo runs in {home} already") from None
    for name in MADE_BY_US:
        path = home / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    os.fsync(lock.fileno())
    return lock


async def build(
    archive: Archive, access: Access, plan: Plan, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Demo:
    """Fill a new archive with the sample contact centre; `progress` is told recordings done, and all.

    Raises DemoError for more recordings than the agents can make in those days.
    """
    if plan.recordings > plan.days * MOST_A_DAY:
        raise DemoError(f"{plan.recordings} recordings need {-(-plan.recordings // MOST_A_DAY)} days or more")
    end = EpochMs(now_ms() // DAY_MS * DAY_MS)
    counts = [plan.recordings] + [plan.recordings // 10] * (len(TENANTS) - 1)
    wanted: list[Sample] = []
    tenants = []
    for person, count in zip(TENANTS, counts, strict=True):
        new = Tenant(id=TenantId(0), name=person.name, host=person.host, zone=person.zone, licensed_agents=len(AGENTS))
        tenant = await access.add_tenant(new, by="demo")
        wanted += samples(tenant.id, tenant.name, plan.seed, end, plan.days, count)
        token = await access.directory.add_with_token(person.service_user, {tenant.id: Grant()}, by="demo")
        tenants.append(TenantAccess(tenant.name, tenant.host, token))
    await _keep_all(archive, wanted, progress)
    first = min((sample.recording for sample in wanted if sample.clip), key=lambda each: (each.tenant, each.started_at))
    start = EpochMs(end - plan.days * DAY_MS)
    return Demo(tuple(tenants), _iso(start), _iso(end), recording_key(first.id))


async def _keep_all(archive: Archive, wanted: list[Sample], progress: Callable[[int, int], None]) -> None:
    waiting = iter(wanted)
    done = 0

    async def worker() -> None:
        nonlocal done
        for sample in waiting:
            await _keep(archive, sample)
            done += 1
            progress(done, len(wanted))

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


async def _keep(archive: Archive, sample: Sample) -> None:
    recording, clip = sample.recording, sample.clip
    if clip is None:
        await archive.keep(recording, call=sample.call)
        return
    original, opus = content(clip.wav.file), content(clip.ogg.file)
    staged = await archive.stage(recording.tenant, recording.started_at, str(recording.id), original)
    await archive.keep(recording, NewAudio(staged, clip.facts), call=sample.call, renditions=[(Form.OPUS, opus)])


def _iso(at: EpochMs) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
