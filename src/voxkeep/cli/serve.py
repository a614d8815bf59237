"""`voxkeep serve`: the server."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from msgspec.structs import replace

from voxkeep.access import Access
from voxkeep.cli.common import DATA_DEFAULT, USAGE, Data, Failure, Json, archive_at, out, print_json, run
from voxkeep.server.serve import bound, ftps, serve, set_up_logging
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
    kazoo_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Listen on this port, too (setting kazoo.port): Kazoo's clients expect 8000; 0 takes a free one.",
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
    ports = Ports(ftps_port, kazoo_port)
    run(lambda: _serve(data, given, ports, access_log=access_log, tell_json=json))


class Ports(NamedTuple):
    """What is listened on beside the server's own port."""

    ftps: int | None
    kazoo: int | None


async def _serve(home: Path, given: dict[str, Any], ports: Ports, *, access_log: bool, tell_json: bool) -> None:
    """Serve with the settings, in which the options that were given stand instead."""
    async with archive_at(home, create=True) as archive:
        access = Access(archive.database, archive.settings, archive.tenants)
        settings, options = replace(archive.settings.server, **given), archive.settings.eightbyeight
        if ports.ftps is not None:
            options = replace(options, ftps_port=ports.ftps)
        kazoo = archive.settings.kazoo.port if ports.kazoo is None else ports.kazoo
        try:
            # access outlives both: what is asked last stands in the trail, too
            async with access.running(), ftps(archive, access, settings, options) as port:
                with bound(settings.host, kazoo) as more:
                    told = Ports(port, more[0].getsockname()[1] if more else None)
                    ready = _teller(settings.host, told, tell_json=tell_json)
                    await serve(archive, access, settings, ready, access_log=access_log, more=more)
        except SettingsError as error:
            raise Failure(f"{home}: {error}", USAGE) from error


def _teller(host: str, ports: Ports, *, tell_json: bool) -> Callable[[str], None]:
    def ready(url: str) -> None:
        if tell_json:
            beside = {name: {"port": port} for name, port in ports._asdict().items() if port is not None}
            print_json({"url": url, **beside})
            return
        out.print(f"serving at {url}", markup=False)
        if ports.ftps is not None:
            out.print(f"and files at ftps://{f'[{host}]' if ':' in host else host}:{ports.ftps}", markup=False)
        if ports.kazoo is not None:
            out.print(f"and on port {ports.kazoo}, for Kazoo's clients", markup=False)

    return ready
