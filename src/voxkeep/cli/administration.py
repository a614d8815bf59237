"""What `tenant`, `user` and `token` share: access to an archive, who is at the keyboard, how times and sizes read."""

import getpass
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from voxkeep.access import Access, AccessError, BadUser, UnknownUser
from voxkeep.archive import Archive
from voxkeep.archive.errors import NotInRoster, UnknownTenant
from voxkeep.archive.rosterchecks import BadEntry
from voxkeep.archive.tenants import BadTenant
from voxkeep.archive.units import EpochMs, now_ms
from voxkeep.cli.common import INCOMPLETE, USAGE, Failure, archive_at, err, out
from voxkeep.cli.durations import duration_ms

WIDTH_IN_PIPES = 1000
"""Where nobody looks, no row is broken; tables are as wide as they need at most."""


class Opened(NamedTuple):
    """An archive and access to it, for the time of a command."""

    archive: Archive
    access: Access


@asynccontextmanager
async def access_at(home: Path, *, create: bool = False) -> AsyncIterator[Opened]:
    """Open the archive at `home` with its access. Raises Failure, also for what access refuses inside."""
    async with archive_at(home, create=create) as archive:
        access = Access(archive.database, archive.settings, archive.tenants)
        try:
            yield Opened(archive, access)
        except (BadUser, BadTenant, BadEntry, UnknownUser, UnknownTenant, NotInRoster) as error:
            raise Failure(str(error), USAGE) from error
        except AccessError as error:
            raise Failure(str(error), INCOMPLETE) from error


def operator() -> str:
    """Return who is at the keyboard, as the audit names them; no service user's name has a colon."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        return f"cli:{os.getuid()}"


def expiry(text: str | None) -> EpochMs | None:
    """Return when something that lives for the duration `text` ends, None for never. Raises Failure."""
    return None if text is None else EpochMs(now_ms() + duration_ms(text))


def moment(at: int | None) -> str | None:
    """Return a moment as ISO 8601 in UTC."""
    if at is None:
        return None
    return datetime.fromtimestamp(at // 1000, UTC).isoformat().replace("+00:00", "Z")


def size(size_bytes: int) -> str:
    """Return a number of bytes in decimal units, as the vendor reckons."""
    value, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:  # noqa: PLR2004 -- decimal units
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.2f} {unit}"


def print_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows under headings on stdout."""
    table = Table(*(Column(name, overflow="fold") for name in columns))
    for row in rows:
        # as texts: in a name, brackets are not markup
        table.add_row(*map(Text, row))
    console = out if out.is_terminal else Console(width=WIDTH_IN_PIPES, highlight=False)
    console.print(table, soft_wrap=False)


def print_secret(token: str, what: str) -> None:
    """Print a token alone on stdout, so that it can be piped, and what it is on stderr."""
    err.print(f"{what}; it is shown this once:", markup=False)
    out.print(token, markup=False)
