"""Audio by the full route: token, look-up, ledger and audit (durable before the first byte), beside the bare route."""

import asyncio
import random
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct

from bench.data import FIRST, TENANT, new_tenant, opened, user_token
from bench.harness import (
    Figure,
    Options,
    Section,
    Server,
    at_least,
    load,
    median_ratio,
    ours_or_peer,
    shown,
)
from voxkeep.archive import Archive, NewAudio
from voxkeep.archive.model import Recording
from voxkeep.archive.units import HOUR_MS, DurationMs, EpochMs, RecordingId, TenantId, uuid7
from voxkeep.audio.probe import AudioFacts
from voxkeep.audio.render import Form

FILE_BYTES = 100_000
FILES = 200
CONNECTIONS = 16
COLLECTED = AudioFacts("ogg", "opus", 1, 8_000, 800_000)
"""As a vendor's recordings come: served as they are."""
IMPORTED = AudioFacts("wav", "pcm_s16le", 1, 8_000, FILE_BYTES // 2)
"""Served in another form, which is looked up too."""


class Made(Struct):
    """An archive of audio, the paths it is asked under, and a token."""

    home: Path
    collected: list[str]
    imported: list[str]
    token: str


def run(options: Options) -> Section:
    with tempfile.TemporaryDirectory() as folder:
        made = asyncio.run(_make(Path(folder, "home")))
        bare = Path(folder, "bare")
        bare.mkdir()
        for number in range(FILES):
            (bare / f"{number}.ogg").write_bytes(_noise(number))
        rates = _measure(made, bare, options)
    return Section(
        title="Audio by the full route",
        what=(
            f"`GET recordings/{{tenant}}/{{key}}/audio` over {CONNECTIONS} keep-alive connections: token, look-up, one "
            "transaction for slot, egress ledger and audit, durable before the first byte; the tenant's limits are "
            "off. Bare: `web/audio.py` alone, no look-up, no right, no record. Peer: FastAPI, one query, FileResponse; "
            "no ledger and no audit. Each server on one core, the client on the other."
        ),
        data=f"{FILES} files of {FILE_BYTES:,} bytes each, in the page cache",
        figures=_figures(rates),
    )


def _figures(rates: dict[str, list[float]]) -> list[Figure]:
    collected = rates["collected"]
    return [
        at_least("full route, as collected (Ogg/Opus), files/s", statistics.median(collected), 2000),
        shown("full route, another form of a WAV, files/s", statistics.median(rates["imported"])),
        shown("bare route, files/s", statistics.median(rates["bare"])),
        shown("full route to the bare route", median_ratio(collected, rates["bare"]), "{:.0%}"),
        shown("peer, files/s", statistics.median(rates["peer"])),
        shown("full route to the peer", median_ratio(collected, rates["peer"]), "{:.1f} x"),
    ]


def _measure(made: Made, bare: Path, options: Options) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {}
    with ExitStack() as stack:
        ours = stack.enter_context(ours_or_peer("voxkeep", made.home))
        alone = stack.enter_context(ours_or_peer("sender", bare))
        peer = stack.enter_context(ours_or_peer("fastapi", made.home))
        asked: dict[str, tuple[Server, list[str]]] = {
            "collected": (ours, made.collected),
            "imported": (ours, made.imported),
            "bare": (alone, [f"/{number}.ogg" for number in range(FILES)]),
            "peer": (peer, made.collected),
        }
        for server, paths in asked.values():
            load(server.port, paths, CONNECTIONS, 1, made.token)
        for _ in range(options.pick(7, 1)):
            for name, (server, paths) in asked.items():
                rate = load(server.port, paths, CONNECTIONS, options.pick(2, 1), made.token).rate
                rates.setdefault(name, []).append(rate)
    return rates


async def _make(home: Path) -> Made:
    async with opened(home) as (archive, access):
        tenant = await new_tenant(access)
        token = await user_token(access, tenant)
        collected = [await _keep(archive, tenant.id, number, COLLECTED) for number in range(FILES)]
        imported = [await _keep(archive, tenant.id, number, IMPORTED) for number in range(FILES, 2 * FILES)]
    return Made(home, collected, imported, token)


async def _keep(archive: Archive, tenant: TenantId, number: int, facts: AudioFacts) -> str:
    start = EpochMs(FIRST + number * HOUR_MS)
    identity = RecordingId(uuid7(start))
    key = f"{identity}-{start}"
    recording = Recording(
        tenant=tenant, id=identity, started_at=start, duration_ms=DurationMs(100_000), vendor="xima", vendor_key=key
    )
    staged = await archive.stage(tenant, start, key, _noise(number))
    forms = [] if facts is COLLECTED else [(Form.OPUS, _noise(number + FILES))]
    await archive.keep(recording, NewAudio(staged, facts), renditions=forms)
    return f"/rest/api/v2/recordings/{TENANT}/{key}/audio"


def _noise(number: int) -> bytes:
    return random.Random(number).randbytes(FILE_BYTES)
