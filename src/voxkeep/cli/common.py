"""What every command shares: the archive's home, opening it, telling errors, exit codes.

Exit codes: 0 done, 1 incomplete or failed, 2 wrong usage, 3 refused by the vendor. With `--json` one document on one
line is the last and only output on stdout; everything else goes to stderr.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
import typer
from rich.console import Console

from voxkeep.access import MIGRATIONS as ACCESS
from voxkeep.activity import MIGRATIONS as ACTIVITY
from voxkeep.archive import Archive
from voxkeep.archive.archive import DATABASE_NAME, in_use
from voxkeep.archive.errors import ArchiveError
from voxkeep.collect import MIGRATIONS as COLLECT
from voxkeep.database import DatabaseError
from voxkeep.deliver import MIGRATIONS as DELIVER
from voxkeep.settings import Settings, SettingsError, load
from voxkeep.vault import VaultError
from voxkeep.vendors.kazoo.migrations import MIGRATIONS as KAZOO

T = TypeVar("T")

DONE, INCOMPLETE, USAGE, REFUSED = 0, 1, 2, 3
ROOMS = (ACCESS, ACTIVITY, COLLECT, DELIVER, KAZOO)
"""The rooms that bring tables of their own."""

Data = Annotated[
    Path,
    typer.Option("--data", envvar="VOXKEEP_DATA", help="The archive's home.", file_okay=False, show_default=True),
]
DATA_DEFAULT = Path("voxkeep-data")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on one line.")]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class Failure(Exception):
    """A command that cannot go on: what to tell, and the exit code."""

    def __init__(self, message: str, code: int = INCOMPLETE) -> None:
        super().__init__(message)
        self.code = code


def settings_of(home: Path) -> Settings:
    """Read the settings of the archive at `home`. Raises Failure."""
    try:
        return load(home)
    except SettingsError as error:
        raise Failure(f"{home}: {error}", USAGE) from error


@asynccontextmanager
async def archive_at(home: Path, *, create: bool = False) -> AsyncIterator[Archive]:
    """Open the archive at `home` for the time of a command. Raises Failure when there is none (unless `create`)."""
    if not create and not (home / DATABASE_NAME).exists():
        raise Failure(f"no archive at {home}: 'voxkeep tenant add' or 'voxkeep serve' makes one", USAGE)
    settings = settings_of(home)
    with _beside_others(home):
        archive = await Archive.at(home, settings, ROOMS)
        try:
            yield archive
        finally:
            await archive.close()


@contextmanager
def _beside_others(home: Path) -> Iterator[None]:
    """Keep a demo from clearing the archive away under a command."""
    with ExitStack() as uses:
        try:
            uses.enter_context(in_use(home))
        except BlockingIOError:
            raise Failure(f"a demo is just being made in {home}: try again") from None
        yield


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a command's work; failures are told on stderr and become exit codes."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(work())
    except Failure as error:
        fail(str(error), error.code)
    except (ArchiveError, DatabaseError, VaultError) as error:
        fail(str(error), INCOMPLETE)
    except OSError as error:
        fail(why(error), INCOMPLETE)
    except KeyboardInterrupt:
        fail("interrupted", INCOMPLETE)


def why(error: OSError) -> str:
    """Return in one line what the system refused, and of which file."""
    reason = error.strerror or str(error) or type(error).__name__
    return reason if error.filename is None else f"{error.filename}: {reason}"


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 -- not there on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


def fail(message: str, code: int) -> NoReturn:
    """Tell what went wrong on stderr and end the command."""
    err.print(f"voxkeep: {message}", markup=False)
    raise typer.Exit(code)


def print_json(document: object) -> None:
    """Print a document as the one line of output on stdout."""
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()


def secret_from(variable: str | None, file: Path | None) -> str:
    """Return a secret from an environment variable or a file: never from the command line. Raises Failure."""
    if variable is not None:
        text = os.environ.get(variable, "")
        if not text:
            raise Failure(f"the environment variable {variable} is not set", USAGE)
        return text.strip()
    if file is not None:
        try:
            return file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f"{file}: {getattr(error, 'strerror', 'not text')}", USAGE) from error
    raise Failure("name an environment variable or a file that holds the secret", USAGE)
