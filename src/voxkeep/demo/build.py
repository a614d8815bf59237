"""Making the sample archive, new at each start, in a folder that is a demo's or empty."""

import asyncio
import fcntl
import os
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import apsw
from msgspec import Struct

from voxkeep.access import Access, Grant
from voxkeep.archive import Archive, NewAudio
from voxkeep.archive.archive import DATABASE_NAME, in_use
from voxkeep.archive.model import OWN, Tenant
from voxkeep.archive.units import DAY_MS, EpochMs, TenantId, now_ms, recording_key
from voxkeep.audio.render import Form
from voxkeep.demo.chats import sample_chats
from voxkeep.demo.clips import content
from voxkeep.demo.kazoo import COST, Cluster, KazooAccess
from voxkeep.demo.people import AGENTS, TENANTS, agents_of, skills_of
from voxkeep.demo.sample import Sample, samples
from voxkeep.vendors.kazoo import wire as kazoo
from voxkeep.vendors.kazoo.accounts import Accounts
from voxkeep.vendors.kazoo.ids import recording_id

MARKER = "demo.lock"
ENVIRONMENT = "demo.env"
MADE_BY_US = (
    ENVIRONMENT,
    DATABASE_NAME,
    f"{DATABASE_NAME}-wal",
    f"{DATABASE_NAME}-shm",
    "vault",
    "renditions",
    "quarantine",
    "locks",
)
NOT_OURS = (
    ("recordings", "SELECT 1 FROM recordings WHERE vendor NOT IN (?, ?) LIMIT 1", (OWN, kazoo.VENDOR), "recordings"),
    # what is pushed to a demo was sent there to see that it works
    (
        "kazoo_pushes",
        "SELECT 1 FROM recordings WHERE vendor = ? AND id NOT IN (SELECT recording FROM kazoo_pushes) LIMIT 1",
        (kazoo.VENDOR,),
        "recordings",
    ),
    ("transcripts", "SELECT 1 FROM transcripts WHERE vendor <> ? LIMIT 1", (OWN,), "chats"),
    ("collect_sources", "SELECT 1 FROM collect_sources LIMIT 1", (), "sources to collect from"),
    (
        "tenants",
        f"SELECT 1 FROM tenants WHERE name NOT IN ({', '.join('?' * len(TENANTS))}) LIMIT 1",  # noqa: S608 -- only marks
        tuple(tenant.name for tenant in TENANTS),
        "tenants",
    ),
)
"""What no demo makes, as (table, query that finds any, its values, word for it): somebody put it there."""
ELSEWHERE = "name another folder with --data"
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
    """A sample tenant, and new tokens for it."""

    name: str
    host: str
    token: str
    token_8x8: str
    """The same rights, for those who ask as 8x8's clients do."""
    kazoo: KazooAccess


class Demo(Struct, frozen=True):
    """What was made."""

    tenants: tuple[TenantAccess, ...]
    start: str
    """ISO 8601: nothing lies before it."""
    end: str
    """ISO 8601: nothing lies after it."""
    key: str
    """Key of the first tenant's first recording."""
    kazoo_id: str
    """Its id in the Kazoo dialect."""


def claim(home: Path) -> BinaryIO:
    """Take a folder for a demo, removing an earlier demo's archive; the file returned keeps it until closed.

    Raises DemoError when the folder holds anything but a demo, a demo runs there, or anything else uses it; OSError
    when it cannot be made.
    """
    if home.exists() and not (home / MARKER).exists() and any(home.iterdir()):
        raise DemoError(f"{home} holds something that is not a demo: {ELSEWHERE}")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.fdopen(os.open(home / MARKER, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab")
    try:
        os.fchmod(lock.fileno(), 0o600)
        _lock(lock, home)
        _clear(home)
        os.fsync(lock.fileno())
    except BaseException:
        lock.close()
        raise
    return lock


def _lock(lock: BinaryIO, home: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DemoError(f"a demo runs in {home} already") from None


def _clear(home: Path) -> None:
    """Remove an earlier demo's archive, unless anybody uses it or has put something into it.

    What was pushed through a demo's own address is no such thing: it was sent to see that it works.
    """
    try:
        with in_use(home, alone=True):
            _check_ours(home)
            for name in MADE_BY_US:
                path = home / name
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
    except BlockingIOError:
        raise DemoError(f"{home} is in use by another voxkeep command: end that, or {ELSEWHERE}") from None


def _check_ours(home: Path) -> None:
    path = home / DATABASE_NAME
    if not path.exists():
        return
    try:
        found = _not_ours(path)
    except apsw.Error as error:
        raise DemoError(f"{path} cannot be read ({error}): {ELSEWHERE}") from error
    if found:
        raise DemoError(f"the archive in {home} has {' and '.join(found)} that are not the demo's: {ELSEWHERE}")


def _not_ours(path: Path) -> Sequence[str]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return [
            word
            for table, query, values, word in NOT_OURS
            if table in tables and connection.execute(query, values).fetchall()
        ]
    finally:
        connection.close()


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
    cluster = Cluster(Accounts(archive.database, cost=COST), plan.seed)
    for person, count in zip(TENANTS, counts, strict=True):
        new = Tenant(id=TenantId(0), name=person.name, host=person.host, zone=person.zone, licensed_agents=len(AGENTS))
        tenant = await access.add_tenant(new, by="demo")
        await _set_up(archive, tenant)
        wanted += samples(tenant.id, tenant.name, plan.seed, end, plan.days, count)
        users = (person.service_user, f"{person.service_user}-8x8")
        tokens = [await access.directory.add_with_token(user, {tenant.id: Grant()}, by="demo") for user in users]
        account = await cluster.add(tenant, person)
        tenants.append(TenantAccess(tenant.name, tenant.host, tokens[0], tokens[1], account))
        for chat in sample_chats(tenant.id, tenant.name, plan.seed, end, plan.days, person.chats):
            await archive.keep_transcript(chat.transcript, chat.messages)
    await _keep_all(archive, wanted, progress)
    first = min((sample.recording for sample in wanted if sample.clip), key=lambda each: (each.tenant, each.started_at))
    start = EpochMs(end - plan.days * DAY_MS)
    return Demo(tuple(tenants), _iso(start), _iso(end), recording_key(first.id), recording_id(first.id.bytes))


async def _set_up(archive: Archive, tenant: Tenant) -> None:
    for agent in agents_of(tenant):
        await archive.roster.put_agent(agent)
    for skill in skills_of(tenant):
        await archive.roster.put_skill(skill)


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
