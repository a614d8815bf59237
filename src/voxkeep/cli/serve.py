"""`voxkeep serve`: the server."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from voxkeep.access import Access
from voxkeep.cli.common import DATA_DEFAULT, USAGE, Data, Failure, Json, archive_at, out, print_json, run
from voxkeep.server.serve import ftps, serve, set_up_logging
from voxkeep.settings import SettingsError


def command(
    data: Data = DATA_DEFAULT,
    host: Annotated[str | None, typer.Option(help="Address to listen on (setting server.host).")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port to listen on (setting server.port); 0 takes a free one.")
    ] = None,
    tls_cert: Annotated[
        str | None, typer.Option(metavar="FILE", help="Certificate to speak HTTPS with, PEM (setting server.tls_cert).")
    ] = None,
    tls_key: Annotated[
        str | None, typer.Option(metavar="FILE", help="The certificate's private key, PEM (setting server.tls_key).")
    ] = None,
    require_https: Annotated[
        bool | None,
        typer.Option(
            "--require-https/--no-require-https",
            help="Refuse plain HTTP (setting server.require_https); on unless the address is loopback.",
        ),
    ] = None,
    ftps_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Serve recordings over FTPS, too, on this port (setting eightbyeight.ftps_port); 0 takes a free one. "
            "Needs a certificate.",
        ),
    ] = None,
    maintenance: Annotated[bool, typer.Option("--maintenance", help="Answer every vendor's API with 503.")] = False,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log every request to stderr.")] = False,
    json: Json = False,
) -> None:
    """Serve the archive until interrupted."""
    set_up_logging()
    options = {
        "host": host,
        "port": port,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "require_https": require_https,
        "maintenance": maintenance or None,
    }
    given = {name: value for name, value in options.items() if value is not None}
    run(lambda: _serve(data, given, ftps_port, access_log=access_log, tell_json=json))


async def _serve(
    home: Path, given: dict[str, Any], ftps_port: int | None, *, access_log: bool, tell_json: bool
) -> None:
    """Serve with the settings, in which the options that were given stand instead."""
    async with archive_at(home, create=True) as archive:
        access = Access(archive.database, archive.settings, archive.tenants)
        settings, options = replace(archive.settings.server, **given), archive.settings.eightbyeight
        if ftps_port is not None:
            options = replace(options, ftps_port=ftps_port)
        try:
            # access outlives both: what is asked last stands in the trail, too
            async with access.running(), ftps(archive, access, settings, options) as port:
                ready = _teller(settings.host, port, tell_json=tell_json)
                await serve(archive, access, settings, ready, access_log=access_log)
        except SettingsError as error:
            raise Failure(f"{home}: {error}", USAGE) from error


def _teller(host: str, ftps_port: int | None, *, tell_json: bool) -> Callable[[str], None]:
    def ready(url: str) -> None:
        if tell_json:
            print_json({"url": url} if ftps_port is None else {"url": url, "ftps": {"port": ftps_port}})
            return
        out.print(f"serving at {url}", markup=False)
        if ftps_port is not None:
            out.print(f"and files at ftps://{f'[{host}]' if ':' in host else host}:{ftps_port}", markup=False)

    return ready
