"""Pushes from a Kazoo cluster, beside what is durable of them: bytes, row and commit in a bare loop."""

import asyncio
import io
import statistics
import tempfile
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import uvloop
from starlette.types import Message, Scope

from bench.data import FOLDER, TENANT
from bench.harness import SERVER_CORE, Options, Section, at_least, median_ratio, on_core, shown
from bench.keep import FILE_BYTES, IN_FLIGHT, SPACING_MS, Floor, Side
from voxkeep.access import Access
from voxkeep.archive import Archive
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import TenantId
from voxkeep.audio.probe import probe
from voxkeep.audio.render import Form, render
from voxkeep.cli.common import ROOMS
from voxkeep.settings import Settings
from voxkeep.vendors.kazoo.accounts import Accounts
from voxkeep.vendors.kazoo.gregorian import gregorian
from voxkeep.vendors.kazoo.ingest import KazooIngest
from voxkeep.vendors.kazoo.pushpath import PREFIX

RATE = 8_000
FIRST = 1_700_000_000_000
CHUNK_BYTES = 1 << 16
"""How the server hands over a body."""
CREATED = 201


def run(options: Options) -> Section:
    files = options.pick(600, 120)
    FOLDER.mkdir(exist_ok=True)
    body = audio()
    rates: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory(dir=FOLDER) as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        ours = Ours(Path(folder, "ours"), runner, body)
        with ours.opened():
            sides: dict[str, Side] = {"ours": ours.push, "floor": Floor(Path(folder, "floor"), body).keep}
            with on_core(SERVER_CORE):
                for turn in range(options.pick(7, 1) + 1):
                    for name, side in sides.items():
                        rate = files / side(turn * files, files)
                        if turn:
                            rates.setdefault(name, []).append(rate)
    return Section(
        title="Pushes from a Kazoo cluster",
        what=(
            f"MP3 files of {FILE_BYTES // 1000} KB (speech-like noise, {RATE // 1000} kHz), each a recording of its "
            f"own, {IN_FLIGHT} at once, on one core, in one process. Ours: the ingest application without the HTTP "
            "parser: secret, path and query, stage, a look at the header, keep, the push's row and the trail's "
            "entry; the audio is decoded once afterwards, beside its first other form. Durable loop: the one of "
            "`keep`: SHA-256, file, fsync of each, and a durable row in a commit shared by 32."
        ),
        data=f"{files} files a round, on the disk this page was written on",
        figures=[
            shown("ours, pushes/s", statistics.median(rates["ours"])),
            shown("durable loop, files/s", statistics.median(rates["floor"])),
            at_least("ours to the durable loop", median_ratio(rates["ours"], rates["floor"]), 0.7, "{:.0%}"),
        ],
    )


def audio() -> bytes:
    """Return MP3 of FILE_BYTES, whole frames but the last."""
    noise, plain, target = Random(1).randbytes(RATE * 2 * 70), io.BytesIO(), io.BytesIO()
    with wave.open(plain, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(noise)
    render(plain.getvalue(), Form.MP3, target)
    made = target.getvalue()
    if len(made) < FILE_BYTES:
        raise RuntimeError(f"{len(made)} bytes of MP3 are too few")
    return made[:FILE_BYTES]


class Ours:
    """An archive with one account, and its ingest application."""

    def __init__(self, home: Path, runner: asyncio.Runner, body: bytes) -> None:
        self._home = home
        self._runner = runner
        self._body = body
        self._duration_ms = probe(body).duration_ms
        self._app: KazooIngest
        self._secret = ""

    @contextmanager
    def opened(self) -> Iterator[None]:
        archive = self._runner.run(Archive.at(self._home, Settings(), ROOMS))
        try:
            self._runner.run(self._set_up(archive))
            yield
        finally:
            self._runner.run(archive.close())

    async def _set_up(self, archive: Archive) -> None:
        access = Access(archive.database, archive.settings, archive.tenants)
        tenant = await access.add_tenant(Tenant(id=TenantId(0), name=TENANT))
        accounts = Accounts(archive.database)
        account = await accounts.add_account(tenant, "acme", "acme.sip.test")
        self._secret = await accounts.issue_push_secret(account)
        self._app = KazooIngest(archive, access)

    def push(self, first: int, count: int) -> float:
        return self._runner.run(self._all(first, count))

    async def _all(self, first: int, count: int) -> float:
        # what the clients do is not timed
        scopes = iter([self._scope(number) for number in range(first, first + count)])
        loop = asyncio.get_running_loop()
        begun = loop.time()

        async def sender() -> None:
            for scope in scopes:
                await self._one(scope)

        await asyncio.gather(*(sender() for _ in range(IN_FLIGHT)))
        return loop.time() - begun

    def _scope(self, number: int) -> Scope:
        start = FIRST + number * SPACING_MS
        call = f"call-{number}@10.0.0.1"
        fields = {
            "from": "+17025550123@acme.sip.test", "to": "18015550101@acme.sip.test", "caller_id_name": "HOLLOWAY J",
            "caller_id_number": "+17025550123", "call_id": call, "cdr_id": f"202311-{call}",
            "interaction_id": f"{gregorian(start)}-{number:08x}", "owner_id": "", "account_id": "",
            "start": str(gregorian(start)), "duration_ms": str(self._duration_ms),
            "recording_id": f"202311-{number:032x}",
        }  # fmt: skip
        path = f"{PREFIX}{self._secret}/call_recording_{call}.mp3"
        return {
            "type": "http", "method": "PUT", "path": path, "raw_path": path.encode(),
            "query_string": urlencode(fields).encode(), "client": ("127.0.0.1", 1),
            "headers": [(b"content-type", b"audio/mpeg"), (b"content-length", b"%d" % FILE_BYTES)],
        }  # fmt: skip

    async def _one(self, scope: Scope) -> None:
        chunks = iter(range(0, FILE_BYTES, CHUNK_BYTES))

        async def receive() -> Message:
            at = next(chunks)
            more = at + CHUNK_BYTES < FILE_BYTES
            return {"type": "http.request", "body": self._body[at : at + CHUNK_BYTES], "more_body": more}

        async def send(message: Message) -> None:
            if message.get("status", CREATED) != CREATED:
                raise RuntimeError(message)

        await self._app(scope, receive, send)
