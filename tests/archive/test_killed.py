"""kill -9 in the middle of many keeps: whatever was acknowledged is there and whole, nothing is half-visible."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from voxkeep.archive import Archive
from voxkeep.archive.model import State
from voxkeep.archive.query import Scope, TimeRange
from voxkeep.archive.units import EpochMs
from voxkeep.audio.render import Form
from voxkeep.settings import Settings

EVER = TimeRange(EpochMs(0), EpochMs(2**52))
WRITER = """
import asyncio, hashlib, random, sys
from pathlib import Path
from voxkeep.archive import Archive, NewAudio
from voxkeep.archive.model import Recording, Tenant
from voxkeep.archive.units import uuid7
from voxkeep.audio.probe import AudioFacts
from voxkeep.audio.render import Form
from voxkeep.settings import Settings

async def main():
    archive = await Archive.at(Path(sys.argv[1]), Settings())
    tenant = await archive.tenants.add(Tenant(id=0, name="acme"))
    facts = AudioFacts("wav", "pcm_s16le", 1, 8000, 1000)

    async def blocks(content):
        for start in range(0, len(content), 10_000):
            yield content[start : start + 10_000]

    async def worker(first):
        for number in range(first, 1_000_000, 8):
            content = random.Random(number).randbytes(30_000)
            start, key = 1_763_647_391_250 + number * 3_600_000, f"key-{number}"
            staged = await archive.stage(tenant.id, start, key, blocks(content))
            recording = Recording(
                tenant=tenant.id, id=uuid7(start), started_at=start, duration_ms=125, vendor="import", vendor_key=key
            )
            await archive.keep(recording, NewAudio(staged, facts), renditions=[(Form.OPUS, content[:5_000])])
            print(key, hashlib.sha256(content).hexdigest(), flush=True)

    await asyncio.gather(*(worker(first) for first in range(8)))

asyncio.run(main())
"""


def acknowledged_before_the_kill(home: Path, wanted: int) -> dict[str, str]:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(home)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(wanted)]
        os.kill(process.pid, signal.SIGKILL)
        lines += process.stdout.read().split("\n")[:-1]
    return dict(line.split() for line in lines)


async def test_kill_9_loses_nothing_acknowledged_and_leaves_nothing_half_visible(
    tmp_path: Path, files_of: Callable[[Path], list[str]]
) -> None:
    home = tmp_path / "home"
    acknowledged = acknowledged_before_the_kill(home, 120)
    archive = await Archive.at(home, Settings())
    await archive.sweep()
    assert not [name for name in files_of(home) if name.endswith(".part")]
    assert await archive.sweep() == 0

    tenant = (await archive.tenants.named("acme")).id
    listing = archive.find([Scope(tenant)], EVER, ["state"], list)
    keys = [row[2] for chunk in [chunk async for chunk in listing] for row in chunk]
    assert set(acknowledged) <= set(keys)
    assert len(keys) == len(set(keys))
    for key in keys:
        recording = await archive.by_key(tenant, "import", key)
        assert recording is not None
        assert recording.audio is not None
        assert recording.state is State.KEPT
        for form, sha256 in ((None, recording.audio.sha256), (Form.OPUS, None)):
            reader = await archive.open(recording, form)
            content = await reader.pread(0, reader.size)
            reader.close()
            assert hashlib.sha256(content).hexdigest() == (sha256 or reader.etag)
        assert acknowledged.get(key, recording.audio.sha256) == recording.audio.sha256
    changes = await archive.changes.after(0, limit=10_000)
    assert [change.seq for change in changes] == list(range(1, len(keys) + 1))
    assert {change.facts["key"] for change in changes} == set(keys)
    await archive.close()
