"""Keeping audio durably: `Archive.stage` and `keep`, beside the peer, and beside bare loops with and without fsync."""

import asyncio
import hashlib
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvloop
from sqlalchemy.orm import sessionmaker

from bench.data import FIRST, FOLDER, TENANT, new_tenant, opened
from bench.harness import SERVER_CORE, Options, Section, at_least, median_ratio, on_core, shown
from bench.peers.fastapi_peer import Upload, keep, uploads_engine
from voxkeep.archive import Archive, NewAudio
from voxkeep.archive.model import Recording
from voxkeep.archive.names import object_name
from voxkeep.archive.units import DurationMs, EpochMs, RecordingId, TenantId, uuid7
from voxkeep.audio.probe import AudioFacts

FILE_BYTES = 200_000
WRITERS = 8
"""Threads that write: the vault's, and as many of the peer."""
IN_FLIGHT = 32
"""Keeps under way at once, so that a commit is shared by about so many."""
FACTS = AudioFacts("ogg", "opus", 1, 8_000, 1_600_000)
SPACING_MS = 11_000

Side = Callable[[int, int], float]
"""Keeps so many files, numbered from the first; returns the seconds that took."""


def run(options: Options) -> Section:
    files = options.pick(3000, 500)
    FOLDER.mkdir(exist_ok=True)
    body = random.Random(1).randbytes(FILE_BYTES)
    rates: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory(dir=FOLDER) as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        ours = Ours(Path(folder, "ours"), runner, body)
        sides: dict[str, Side] = {
            "ours": ours.keep,
            "peer": Peer(Path(folder, "peer"), body, 1).keep,
            "peer, writers": Peer(Path(folder, "peers"), body, WRITERS).keep,
            "loop": Loop(Path(folder, "loop"), body).keep,
            "floor": Floor(Path(folder, "floor"), body).keep,
        }
        with on_core(SERVER_CORE):
            for turn in range(options.pick(7, 1) + 1):
                for name, side in sides.items():
                    count = files if turn else files // 10
                    rate = count / side(turn * files, count)
                    if turn:
                        rates.setdefault(name, []).append(rate)
        ours.close()
    best = max(("peer", "peer, writers"), key=lambda name: statistics.median(rates[name]))
    return Section(
        title="Keeping audio durably",
        what=(
            f"Files of {FILE_BYTES // 1000} KB that are in memory and probed already, on one core, in one process. "
            f"Ours: {IN_FLIGHT} at once through `Archive.stage` and `Archive.keep`, which write by {WRITERS} threads: "
            "SHA-256, fsync of file and folder, then recording, call and change entry in a commit shared by up to 32. "
            "Peer: SHA-256, file written and "
            "renamed without fsync, one durable ORM commit each; by one thread and by as many as ours, the faster "
            "counts. Loop: SHA-256, file written and renamed, row in SQLite with `synchronous = OFF`; nothing durable. "
            "Durable loop: the same for 32 files, then an fsync of each, of the folder, and one durable commit: what "
            "durability costs on this disk when nothing else is done, one fsync after another. Both goals hang on what "
            "an fsync costs beside a write into the page cache, which here changes from minute to minute. The peer "
            "does not make its audio durable at all; where a durable loop alone is not twice as fast as it, nothing "
            "durable is."
        ),
        data=f"{files} files a round, on the disk this page was written on",
        figures=[
            shown("ours, files/s", statistics.median(rates["ours"])),
            shown("peer, one writer, files/s", statistics.median(rates["peer"])),
            shown(f"peer, {WRITERS} writers, files/s", statistics.median(rates["peer, writers"])),
            shown("loop without durability, files/s", statistics.median(rates["loop"])),
            shown("durable loop, files/s", statistics.median(rates["floor"])),
            shown("durable loop to the loop", median_ratio(rates["floor"], rates["loop"]), "{:.0%}"),
            shown("ours to the durable loop", median_ratio(rates["ours"], rates["floor"]), "{:.0%}"),
            at_least("ours to the peer", median_ratio(rates["ours"], rates[best]), 2, "{:.1f} x"),
            at_least("ours to the loop", median_ratio(rates["ours"], rates["loop"]), 0.7, "{:.0%}"),
        ],
    )


def _start(number: int) -> EpochMs:
    return EpochMs(FIRST + number * SPACING_MS)


class Ours:
    """The archive's own way in."""

    def __init__(self, home: Path, runner: asyncio.Runner, body: bytes) -> None:
        self._runner = runner
        self._body = body
        self._context = opened(home)
        self._archive: Archive
        self._tenant: TenantId
        runner.run(self._open())

    async def _open(self) -> None:
        self._archive, access = await self._context.__aenter__()
        self._tenant = (await new_tenant(access)).id

    def close(self) -> None:
        self._runner.run(self._context.__aexit__(None, None, None))

    def keep(self, first: int, count: int) -> float:
        begun = time.perf_counter()
        self._runner.run(self._all(first, count))
        return time.perf_counter() - begun

    async def _all(self, first: int, count: int) -> None:
        numbers = iter(range(first, first + count))

        async def writer() -> None:
            for number in numbers:
                await self._one(number)

        await asyncio.gather(*(writer() for _ in range(IN_FLIGHT)))

    async def _one(self, number: int) -> None:
        start = _start(number)
        identity = RecordingId(uuid7(start))
        key = f"{identity}-{start}"
        recording = Recording(
            tenant=self._tenant,
            id=identity,
            started_at=start,
            duration_ms=DurationMs(200_000),
            vendor="xima",
            vendor_key=key,
        )
        staged = await self._archive.stage(self._tenant, start, key, self._body)
        await self._archive.keep(recording, NewAudio(staged, FACTS))


class Peer:
    """The peer's upload, without its HTTP."""

    def __init__(self, root: Path, body: bytes, writers: int) -> None:
        root.mkdir()
        self._root = root
        self._body = body
        self._writers = writers
        self._sessions = sessionmaker(uploads_engine(root / "peer.db"))

    def keep(self, first: int, count: int) -> float:
        begun = time.perf_counter()
        with ThreadPoolExecutor(self._writers) as pool:
            list(pool.map(self._one, range(first, first + count)))
        return time.perf_counter() - begun

    def _one(self, number: int) -> None:
        start, key = _start(number), f"key-{number}"
        upload = Upload(
            tenant=TENANT,
            key=key,
            started_at=start,
            duration_ms=200_000,
            agent="",
            path=object_name(TENANT, start, key, ".ogg"),
        )
        with self._sessions() as session:
            keep(session, self._root, upload, self._body)


class Loop:
    """What the disk and SQLite take when nothing is made durable."""

    def __init__(self, root: Path, body: bytes) -> None:
        root.mkdir()
        self._root = root
        self._body = body
        self._connection = sqlite3.connect(root / "loop.db", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute("CREATE TABLE files (key TEXT PRIMARY KEY, started_at INTEGER, size INTEGER, sha256)")

    def keep(self, first: int, count: int) -> float:
        begun = time.perf_counter()
        for number in range(first, first + count):
            start, key = _start(number), f"key-{number}"
            path = self._root / object_name(TENANT, start, key, ".ogg")
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".part")
            temporary.write_bytes(self._body)
            temporary.replace(path)
            row = (key, start, len(self._body), hashlib.sha256(self._body).hexdigest())
            self._connection.execute("INSERT INTO files VALUES (?, ?, ?, ?)", row)
        return time.perf_counter() - begun


class Floor(Loop):
    """What durability alone takes: groups of files that share one flush of the folder and one commit."""

    def __init__(self, root: Path, body: bytes) -> None:
        super().__init__(root, body)
        self._connection.execute("PRAGMA synchronous = FULL")

    def keep(self, first: int, count: int) -> float:
        begun = time.perf_counter()
        for group in range(first, first + count, IN_FLIGHT):
            self._group(range(group, min(group + IN_FLIGHT, first + count)))
        return time.perf_counter() - begun

    def _group(self, numbers: range) -> None:
        folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        open_files, rows = [], []
        for number in numbers:
            key = f"key-{number}"
            descriptor = os.open(self._root / f"{key}.part", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(descriptor, self._body)
            open_files.append((descriptor, key))
            rows.append((key, _start(number), len(self._body), hashlib.sha256(self._body).hexdigest()))
        for descriptor, key in open_files:
            os.fsync(descriptor)
            os.close(descriptor)
            (self._root / f"{key}.part").rename(self._root / f"{key}.ogg")
        os.fsync(folder)
        os.close(folder)
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO files VALUES (?, ?, ?, ?)", rows)
        self._connection.execute("COMMIT")
