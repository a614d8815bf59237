"""`voxkeep serve`: the server."""

from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from voxkeep.access import Access
from voxkeep.cli.common import DATA_DEFAULT, Data, Json, archive_at, out, print_json, run
from voxkeep.server.serve import serve, set_up_logging


def command(
    data: Data = DATA_DEFAULT,
    host: Annotated[str | None, typer.Option(help="Address to listen on (setting server.host).")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port to listen on (setting server.port); 0 takes a free one.")
    ] = None,
    maintenance: Annotated[bool, typer.Option("--maintenance", help="Answer every vendor's API with 503.")] = False,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log every request to stderr.")] = False,
    json: Json = False,
) -> None:
    """Serve the archive until interrupted."""
    set_up_logging()
    run(lambda: _serve(data, host, port, maintenance=maintenance, access_log=access_log, tell_json=json))


async def _serve(
    home: Path, host: str | None, port: int | None, *, maintenance: bool, access_log: bool, tell_json: bool
) -> None:
    async with archive_at(home, create=True) as archive:
        access = Access(archive.database, archive.settings, archive.tenants)
        settings = archive.settings.server
        settings = replace(
            settings,
            host=settings.host if host is None else host,
            port=settings.port if port is None else port,
            maintenance=settings.maintenance or maintenance,
        )

        def ready(url: str) -> None:
            if tell_json:
                print_json({"url": url})
            else:
                out.print(f"serving at {url}", markup=False)

        await serve(archive, access, settings, ready, access_log=access_log)
