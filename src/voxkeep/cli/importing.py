"""`voxkeep import`: files and a manifest into the archive."""

import asyncio
import codecs
import io
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from msgspec import Struct, field
from rich.progress import Progress

from voxkeep.archive import Archive, NewAudio
from voxkeep.archive.errors import UnknownTenant
from voxkeep.archive.manifest import BadLine, Line, call_of, moment, parse, recording_of
from voxkeep.archive.model import IMPORTED, Recording, State
from voxkeep.archive.units import TenantId
from voxkeep.audio.errors import AudioError
from voxkeep.audio.health import Examination, Health, examine
from voxkeep.audio.render import Form, is_form, render
from voxkeep.cli.common import (
    DATA_DEFAULT,
    INCOMPLETE,
    USAGE,
    Data,
    Failure,
    Json,
    archive_at,
    err,
    out,
    print_json,
    run,
)
from voxkeep.cli.deliveries import Orders
from voxkeep.database import DatabaseError
from voxkeep.deliver import BadTarget, Method, checked_url
from voxkeep.vault import Staged, VaultError

AT_ONCE = 4
BLOCK_BYTES = 1 << 20


class Problem(Struct, frozen=True):
    """A line that was not imported."""

    line: int
    field: str
    reason: str


class Report(Struct):
    """What became of the lines."""

    lines: int = 0
    imported: int = 0
    held: int = 0
    """Were in the archive already."""
    deliveries: int = 0
    """Ordered to be sent elsewhere; those that were ordered before are not counted."""
    flagged: dict[str, int] = field(default_factory=dict)
    """Kept, with a health flag; by flag."""
    problems: list[Problem] = field(default_factory=list)
    stopped: str | None = None
    """Why the lines after these were not looked at: nothing more can be kept, such as on a full disk."""


def command(
    manifest: Annotated[Path, typer.Option("--manifest", help="JSON lines, one recording each.")],
    tenant: Annotated[str, typer.Option(help="The tenant of lines that name none.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Import recordings: wav (G.711 too), mp3, ogg or flac files named by a manifest."""
    report = run(lambda: _import(data, manifest, tenant))
    if report.stopped is not None:
        err.print(f"stopped after {report.lines} lines: {report.stopped}", markup=False)
    if json:
        print_json(report)
    else:
        _tell(report)
    if report.problems:
        raise typer.Exit(INCOMPLETE)


def _tell(report: Report) -> None:
    out.print(
        f"{report.lines} lines: {report.imported} imported, {report.held} held, {len(report.problems)} not imported"
    )
    if report.deliveries:
        out.print(f"  to be sent by 'voxkeep serve': {report.deliveries}")
    for flag, count in sorted(report.flagged.items()):
        out.print(f"  kept and flagged {flag}: {count}")
    for problem in report.problems:
        err.print(f"line {problem.line}: {problem.field}: {problem.reason}", markup=False)


async def _import(home: Path, manifest: Path, tenant: str) -> Report:
    try:
        file = manifest.open("rb")
    except OSError as error:
        raise Failure(f"{manifest}: {error.strerror}", USAGE) from error
    with file:
        async with archive_at(home) as archive:
            with Progress(console=err, transient=True) as progress:
                task = progress.add_task("importing", total=os.fstat(file.fileno()).st_size)
                await archive.sweep()
                importer = Importer(archive, manifest.parent, tenant)
                read = file.tell if file.seekable() else lambda: 0
                return await importer.run(_numbered(file), lambda: progress.update(task, completed=read()))


def _numbered(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not empty; the mark that some editors put before the first is no part of it."""
    for number, line in enumerate(file, 1):
        text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if text.strip():
            yield number, text


class Importer:
    """Takes the lines of one manifest into the archive, a few at a time."""

    def __init__(self, archive: Archive, folder: Path, tenant: str) -> None:
        self._archive = archive
        self._folder = folder
        self._tenant = tenant
        self._orders = Orders(archive)
        self._report = Report()

    async def run(self, lines: Iterator[tuple[int, bytes]], progress: Callable[[], None]) -> Report:
        """Import every line that can be, and report on all up to where nothing more could be kept."""

        async def worker() -> None:
            while self._report.stopped is None and (line := next(lines, None)) is not None:
                self._report.lines += 1
                await self._line(*line)
                progress()

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(worker())
        except BaseExceptionGroup as failures:
            # what ends one of them ends them all, and is told once
            raise failures.exceptions[0] from None
        self._report.problems.sort(key=lambda problem: problem.line)
        return self._report

    async def _line(self, number: int, text: bytes) -> None:
        try:
            await self._take(parse(text))
        except BadLine as problem:
            self._report.problems.append(Problem(number, problem.field, problem.reason))
        except (VaultError, DatabaseError, OSError) as error:
            # the archive itself is ill (a full disk): the other lines would fare no better
            self._report.stopped = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self._report.problems.append(Problem(number, "archive", self._report.stopped))

    async def _take(self, line: Line) -> None:
        tenant = await self._tenant_of(line)
        if line.url is not None:
            _check_url(line.url)
        if line.key is not None and (held := await self._archive.by_key(tenant, IMPORTED, line.key)):
            self._report.held += 1
            await self._order(line, held)
            return
        started_at = moment(line.started_at, "started_at")
        staged = await self._archive.stage(tenant, started_at, line.key or "import", self._blocks(line))
        try:
            await self._keep(line, tenant, staged)
        finally:
            await staged.discard()

    async def _keep(self, line: Line, tenant: TenantId, staged: Staged) -> None:
        try:
            examined, opus = await asyncio.to_thread(_look_into, staged, line.duration_ms)
        except AudioError as error:
            raise BadLine("audio", str(error)) from error
        recording = recording_of(line, tenant, examined.facts, staged.sha256)
        audio = NewAudio(staged, examined.facts, int(examined.health))
        renditions = [] if opus is None else [(Form.OPUS, opus)]
        kept = await self._archive.keep(recording, audio, call=call_of(line, recording), renditions=renditions)
        await self._order(line, kept.recording)
        if not kept.new:
            self._report.held += 1
            return
        self._report.imported += 1
        for flag in Health(examined.health).words():
            self._report.flagged[flag] = self._report.flagged.get(flag, 0) + 1

    async def _order(self, line: Line, recording: Recording) -> None:
        if line.url is None or recording.state is State.REMOVED:
            return
        try:
            new = await self._orders.order(recording, line.url, Method((line.method or "put").lower()))
        except BadTarget as error:
            raise BadLine("url", str(error)) from None
        self._report.deliveries += new

    async def _tenant_of(self, line: Line) -> TenantId:
        name = line.tenant or self._tenant
        if not name:
            raise BadLine("tenant", "missing, and no --tenant is given")
        try:
            return (await self._archive.tenants.named(name)).id
        except UnknownTenant as error:
            raise BadLine("tenant", str(error)) from error

    async def _blocks(self, line: Line) -> AsyncIterator[bytes]:
        try:
            with _opened(self._folder, line.audio) as file:
                while block := file.read(BLOCK_BYTES):
                    yield block
        except OSError as error:
            raise BadLine("audio", f"{line.audio}: {error.strerror}") from error


def _check_url(url: str) -> None:
    """Raise BadLine, without the URL and the secrets in it, when nothing can be sent there."""
    try:
        checked_url(url)
    except BadTarget as error:
        raise BadLine("url", str(error)) from None


def _opened(folder: Path, name: str) -> BinaryIO:
    """Open a file for reading, without waiting for the writer of a FIFO. Raises OSError, BadLine for what is none."""
    descriptor = os.open(folder / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BadLine("audio", f"{name}: not a file")
    return os.fdopen(descriptor, "rb")


def _look_into(staged: Staged, duration_ms: int | None) -> tuple[Examination, bytes | None]:
    """Examine an original and make its Opus form, unless it is in that form already."""
    with staged.file() as source:
        examined = examine(source, duration_ms)
        if is_form(examined.facts, Form.OPUS):
            return examined, None
        source.seek(0)
        target = io.BytesIO()
        render(source, Form.OPUS, target)
        return examined, target.getvalue()
