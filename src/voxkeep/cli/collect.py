"""`voxkeep collect`: the sources of recordings, and the runs that collect from them."""

import math
import re
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import stamina
import typer
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from whenever import Date, Instant, PlainDateTime, TimeZoneNotFoundError, ZonedDateTime

from voxkeep.access import Access
from voxkeep.archive import Archive
from voxkeep.archive.errors import UnknownTenant
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import EpochMs, TenantId, now_ms
from voxkeep.cli.administration import access_at, operator
from voxkeep.cli.common import (
    DATA_DEFAULT,
    INCOMPLETE,
    REFUSED,
    USAGE,
    Data,
    Failure,
    Json,
    archive_at,
    err,
    out,
    print_json,
    run,
    secret_from,
)
from voxkeep.cli.descendants import add_missing, asked_below
from voxkeep.collect import Order, SourceConfig, SourceReport, Sources, collect
from voxkeep.collect.errors import CollectError, Refused, SourceUnusable, VendorFailure
from voxkeep.collect.http import checked_url
from voxkeep.collect.lock import source_lock
from voxkeep.collect.report import WORST_LAST, iso, lines, table
from voxkeep.collect.run import connect
from voxkeep.collect.source import Factory
from voxkeep.collect.store import Ledger, Runs
from voxkeep.vendors.eightbyeight import options as of_eightbyeight
from voxkeep.vendors.eightbyeight.source import EightByEightSource
from voxkeep.vendors.kazoo import options as of_kazoo
from voxkeep.vendors.kazoo.source import KazooSource
from voxkeep.vendors.xima.source import XimaSource, no_options

T = TypeVar("T")


class Vendor(NamedTuple):
    """A vendor that can be collected from."""

    factory: Factory
    checked_options: Callable[..., dict[str, str]]
    """Takes options and whether there is a `second_secret`, returns what is to be kept. Raises ValueError."""
    pace_seconds: float | None
    """Seconds between two requests unless --pace says so; None for the setting's."""
    one_account: bool = False
    """Whether keys are unique within an account only: then a tenant can take from one, whatever its sources."""


VENDORS: Mapping[str, Vendor] = {
    "xima": Vendor(XimaSource, no_options, None),
    # 8x8 states no limit
    "8x8": Vendor(EightByEightSource, of_eightbyeight.checked_options, 0.5, one_account=True),
    # Kazoo refills ten a second for each address and account; a login takes 35
    "kazoo": Vendor(KazooSource, of_kazoo.checked_options, 0.15),
}

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
VARIABLE = re.compile(r"(?!vk_)[A-Za-z_][A-Za-z0-9_]*")
"""A name of an environment variable; one that begins like our own tokens is a token given by mistake."""
LEAST_WIDTH = 120
"""Letters of a line where the output is no terminal, or a narrow one: figures are not cut."""
LATEST = EpochMs(7_258_118_400_000)
"""2200-01-01: times outside 1970 to 2199 are absurd."""

app = typer.Typer(no_args_is_help=True, help="Collect recordings from vendors.")

Names = Annotated[list[str] | None, typer.Argument(help="Names of sources; all of them when none is given.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What the source shall be called.")],
    vendor: Annotated[str, typer.Option(help=f"One of: {', '.join(VENDORS)}.")],
    url: Annotated[
        str,
        typer.Option(
            help="Address of the vendor's API, e.g. https://acme.xima.cloud, https://vcc-na2.8x8.com or "
            "https://kazoo.example.com:8443."
        ),
    ],
    tenant: Annotated[str, typer.Option(help="The archive's tenant to keep the recordings for; made when missing.")],
    secret_env: Annotated[
        str | None, typer.Option(help="Environment variable that holds the token; Kazoo: the password, or an API key.")
    ] = None,
    secret_file: Annotated[Path | None, typer.Option(help="File that holds it.")] = None,
    account: Annotated[str | None, typer.Option(help="8x8: their name of the tenant, if it is not ours.")] = None,
    audio: Annotated[
        str | None,
        typer.Option(
            help="8x8: where audio comes from: ftps, or http, a GET of the file's path, which 8x8 does not document."
        ),
    ] = None,
    ftps_host: Annotated[str | None, typer.Option(help="8x8: FTPS server, e.g. vcc-ftps-us1.8x8.com.")] = None,
    ftps_port: Annotated[int | None, typer.Option(help="8x8: its port; 990 unless given.")] = None,
    ftps_secret_env: Annotated[
        str | None, typer.Option(help="8x8: environment variable that holds the FTPS password.")
    ] = None,
    ftps_secret_file: Annotated[Path | None, typer.Option(help="8x8: file that holds the FTPS password.")] = None,
    ftps_ca: Annotated[Path | None, typer.Option(help="8x8: PEM file of the authority to trust for FTPS.")] = None,
    username: Annotated[
        str | None, typer.Option(help="Kazoo: who logs in with a password; without it the secret is an API key.")
    ] = None,
    account_name: Annotated[str | None, typer.Option(help="Kazoo: the account that the user belongs to.")] = None,
    realm: Annotated[str | None, typer.Option(help="Kazoo: that account's realm, in place of its name.")] = None,
    account_id: Annotated[
        str | None, typer.Option(help="Kazoo: whose recordings to collect, if not those of the login's own account.")
    ] = None,
    pace: Annotated[float | None, typer.Option(min=0, help="Seconds between two requests, send to send.")] = None,
    zone: Annotated[str | None, typer.Option(help="IANA time zone; the tenant's (or UTC) unless given.")] = None,
    allow_http: Annotated[bool, typer.Option("--allow-http", help="Send the token over plain http, too.")] = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Set up a source. Its secrets stay where they are: in environment variables or files."""
    if (secret_env is None) == (secret_file is None):
        raise _usage("give either --secret-env or --secret-file")
    _check_variable("--secret-env", secret_env)
    if pace is not None and not math.isfinite(pace):
        raise _usage("--pace: a number of seconds")
    if not NAME.fullmatch(name):
        raise _usage("NAME: letters, digits, - and _, at most 63, beginning with a letter or digit")
    address = _address(vendor, url, allow_http)
    if ftps_secret_env is not None and ftps_secret_file is not None:
        raise _usage("give either --ftps-secret-env or --ftps-secret-file")
    _check_variable("--ftps-secret-env", ftps_secret_env)
    given = {
        "account": account,
        "audio": audio,
        "ftps_host": ftps_host,
        "ftps_port": ftps_port,
        "ftps_ca": ftps_ca,
        "username": username,
        "account_name": account_name,
        "realm": realm,
        "account_id": account_id,
    }
    options = _options(vendor, given, second_secret=(ftps_secret_env or ftps_secret_file) is not None)
    _check_zone(zone)

    async def work() -> None:
        async with access_at(data, create=True) as (archive, access):
            known = await _tenant(archive, access, tenant, zone)
            config = SourceConfig(
                name=name,
                vendor=vendor,
                url=address,
                tenant=known.id,
                secret_env=secret_env,
                secret_file=_kept_path(secret_file),
                pace_seconds=VENDORS[vendor].pace_seconds if pace is None else pace,
                zone=zone or known.zone,
                added_at=now_ms(),
                options=options,
                second_secret_env=ftps_secret_env,
                second_secret_file=_kept_path(ftps_secret_file),
            )
            await _check_account(archive, config, known.name)
            await Sources(archive.database).add(config)
            out.print(f"added {name}: {vendor} at {address}, kept for {known.name}", markup=False)

    _run(work)


@app.command("list")
def list_(json: Json = False, data: Data = DATA_DEFAULT) -> None:
    """Show the sources."""

    async def work() -> None:
        async with archive_at(data) as archive:
            rows = [await _shown(archive, config) for config in await Sources(archive.database).all()]
        if json:
            print_json(rows)
            return
        for row in rows:
            parts = [row.name, row.vendor, row.url, f"tenant {row.tenant}", f"secret {row.secret}"]
            parts += [f"{name.replace('_', '-')} {value}" for name, value in row.options.items()]
            parts += [f"ftps-secret {row.second_secret}"] if row.second_secret else []
            out.print("  ".join(parts), markup=False)

    _run(work)


@app.command()
def remove(name: str, data: Data = DATA_DEFAULT) -> None:
    """Forget a source; what was collected from it stays."""

    async def work() -> None:
        async with archive_at(data) as archive:
            with source_lock(archive.home, name) if NAME.fullmatch(name) else _nothing():
                await Sources(archive.database).remove(name)
        out.print(f"removed {name}", markup=False)

    _run(work)


@app.command()
def descendants(
    name: Annotated[str, typer.Argument(help="A source of Kazoo's.")], json: Json = False, data: Data = DATA_DEFAULT
) -> None:
    """Set up a source for each account below a Kazoo account that has none yet: with the same login, a tenant each."""

    async def work() -> None:
        async with access_at(data) as (archive, access):
            (config,) = await _asked(archive, [name])
            with source_lock(archive.home, name):
                below = await asked_below(await connect(archive, _order(config, None, None)), config)
                added = await add_missing(archive, access, config, below)
        if json:
            print_json(added)
            return
        for each in added:
            out.print(f"added {each.name}: account {each.account_id}, kept for {each.tenant}", markup=False)
        if not added:
            out.print(f"{name}: every account below has its source", markup=False)

    _run(work)


@app.command()
def check(names: Names = None, json: Json = False, data: Data = DATA_DEFAULT) -> None:
    """Try whether the vendors let us in, by listing one minute."""

    async def work() -> int:
        async with archive_at(data) as archive:
            configs = await _asked(archive, names)
            told = [await _check(archive, config) for config in configs]
        if json:
            print_json([{"source": each.name, "exit": each.code, "lines": each.lines} for each in told])
        for each in [] if json else told:
            for line in each.lines:
                out.print(f"{each.name}: {line}", markup=False)
        return max((each.code for each in told), key=WORST_LAST.index, default=0)

    _exit(_run(work))


@app.command("run")
def run_(
    names: Names = None,
    since: Annotated[str | None, typer.Option(help="ISO date or time to begin at; in the source's zone.")] = None,
    until: Annotated[str | None, typer.Option(help="ISO date (all of it) or time to end at; now unless given.")] = None,
    json: Json = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Collect: list, fetch what is not held, verify, keep, report.

    Exit codes: 0 clean, 1 incomplete, 2 wrong usage, 3 refused by the vendor.
    """

    async def work() -> int:
        async with archive_at(data) as archive:
            configs = await _asked(archive, names)
            orders = [_order(config, since, until) for config in configs]
            with _watch([config.name for config in configs]) as watch:
                report = await collect(archive, orders, watch)
        if json:
            print_json(report)
        else:
            Console(width=max(out.width, LEAST_WIDTH), highlight=False).print(table(report))
        for each in report.sources:
            for line in lines(each):
                err.print(line, markup=False)
        return report.exit

    # what is asked again is told in the report; the retry library's own lines would only repeat it
    stamina.instrumentation.set_on_retry_hooks(())
    _exit(_run(work))


@app.command()
def status(json: Json = False, data: Data = DATA_DEFAULT) -> None:
    """Show each source's last run, how far it has listed, and what is still open."""

    async def work() -> None:
        async with archive_at(data) as archive:
            rows = [await _standing(archive, config) for config in await Sources(archive.database).all()]
        if json:
            print_json(rows)
            return
        for row in rows:
            out.print(_line(row), markup=False)

    _run(work)


def _run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a command's work; what the collector says went wrong becomes a Failure."""

    async def told() -> T:
        try:
            return await work()
        except CollectError as error:
            raise Failure(str(error), USAGE) from error

    return run(told)


def _exit(code: int) -> None:
    if code:
        raise typer.Exit(code)


def _usage(message: str) -> typer.BadParameter:
    return typer.BadParameter(message)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


# Setting up


def _address(vendor: str, url: str, allow_http: bool) -> str:
    if vendor not in VENDORS:
        raise _usage(f"--vendor: one of {', '.join(VENDORS)}")
    try:
        return checked_url(url, allow_http=allow_http)
    except ValueError as error:
        raise _usage(f"--url: {error}") from error


def _check_variable(option: str, name: str | None) -> None:
    if name is not None and not VARIABLE.fullmatch(name):
        # not repeated: it may be the secret itself
        raise _usage(f"{option}: the name of an environment variable, never the secret")


def _options(vendor: str, given: Mapping[str, object], *, second_secret: bool) -> dict[str, str]:
    texts = {name: str(value) for name, value in given.items() if value is not None}
    try:
        return VENDORS[vendor].checked_options(texts, second_secret=second_secret)
    except ValueError as error:
        raise _usage(str(error)) from error


def _kept_path(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _check_zone(zone: str | None) -> None:
    try:
        ZonedDateTime(2000, 1, 1, tz=zone or "UTC")
    except (TimeZoneNotFoundError, ValueError) as error:
        raise _usage(f"--zone: no IANA time zone is called {zone!r}") from error


async def _tenant(archive: Archive, access: Access, name: str, zone: str | None) -> Tenant:
    try:
        return await archive.tenants.named(name)
    except UnknownTenant:
        new = Tenant(id=TenantId(0), name=name, zone=zone or "UTC")
        return await access.add_tenant(new, by=operator())


async def _check_account(archive: Archive, config: SourceConfig, tenant: str) -> None:
    """Refuse a second account where its recordings would be taken for those of the first."""

    def account(each: SourceConfig) -> tuple[str, str]:
        return each.url, each.options.get("account") or tenant

    if not VENDORS[config.vendor].one_account:
        return
    for each in await Sources(archive.database).all():
        if (each.vendor, each.tenant) == (config.vendor, config.tenant) and account(each) != account(config):
            raise Failure(
                f"{tenant} takes from another account of {config.vendor} already (source {each.name}), and two of "
                "them may use the same names: give each a tenant of its own with --tenant",
                USAGE,
            )


# Asking


async def _asked(archive: Archive, names: Sequence[str] | None) -> list[SourceConfig]:
    configs = await Sources(archive.database).named(names or [])
    if not configs:
        err.print("no sources yet: 'voxkeep collect add' sets one up", markup=False)
    return configs


class Told(NamedTuple):
    """What a check says of one source."""

    name: str
    code: int
    lines: list[str]


async def _check(archive: Archive, config: SourceConfig) -> Told:
    try:
        with source_lock(archive.home, config.name):
            source = await connect(archive, _order(config, None, None))
            try:
                report = await source.check()
            finally:
                await source.close()
    except Refused as error:
        return Told(config.name, REFUSED, [f"refused: {error}"])
    except SourceUnusable as error:
        return Told(config.name, USAGE, [str(error)])
    except (CollectError, VendorFailure) as error:
        return Told(config.name, INCOMPLETE, [f"failed: {error}"])
    return Told(config.name, 0 if report.ok else INCOMPLETE, report.lines)


def _order(config: SourceConfig, since: str | None, until: str | None) -> Order:
    first = None if since is None else _moment(since, config.zone, "--since")
    last = None if until is None else _moment(until, config.zone, "--until", whole_day=True)
    if first is not None and first > (now_ms() if last is None else last):
        raise Failure("--since lies after --until" if last is not None else "--since lies in the future", USAGE)

    return Order(
        config=config,
        factory=VENDORS[config.vendor].factory,
        secret=lambda: _secret(config.secret_env, config.secret_file),
        other_secret=lambda: _second_secret(config),
        since=first,
        until=last,
    )


def _secret(variable: str | None, file: str | None) -> str:
    try:
        return secret_from(variable, None if file is None else Path(file))
    except (Failure, ValueError) as error:
        raise SourceUnusable(str(error)) from error


def _second_secret(config: SourceConfig) -> str:
    if config.second_secret_env is None and config.second_secret_file is None:
        return ""
    return _secret(config.second_secret_env, config.second_secret_file)


def _moment(text: str, zone: str, option: str, *, whole_day: bool = False) -> EpochMs:
    """Read an ISO date or time; without an offset it is in `zone`. A date is its first moment, or its last."""
    text = text.strip()
    moment = _date(text, zone, whole_day) or _local(text, zone) or _instant(text)
    if moment is None or not 0 <= moment < LATEST:
        raise Failure(f"{option}: not an ISO date or time of the years 1970 to 2199: {text!r}", USAGE)
    return moment


def _date(text: str, zone: str, whole_day: bool) -> EpochMs | None:
    try:
        date = Date.parse_iso(text)
    except ValueError:
        return None
    return EpochMs(_midnight(date.add(days=1), zone) - 1) if whole_day else _midnight(date, zone)


def _midnight(date: Date, zone: str) -> EpochMs:
    return _ms(PlainDateTime(date.year, date.month, date.day).assume_tz(zone))


def _local(text: str, zone: str) -> EpochMs | None:
    try:
        return _ms(PlainDateTime.parse_iso(text).assume_tz(zone))
    except ValueError:
        return None


def _instant(text: str) -> EpochMs | None:
    try:
        return _ms(Instant.parse_iso(text))
    except ValueError:
        return None


def _ms(moment: Instant | ZonedDateTime) -> EpochMs:
    nanos: int = moment.timestamp(unit="nanosecond")
    return EpochMs(nanos // 1_000_000)


# Showing


@contextmanager
def _watch(names: Sequence[str]) -> Iterator[Callable[[SourceReport, float], None]]:
    """Show a bar for each source on stderr, when that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[counts]}"), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not sys.stderr.isatty()) as progress:
        bars: dict[str, TaskID] = {name: progress.add_task(name, total=1.0, counts="") for name in names}

        def watch(report: SourceReport, share: float) -> None:
            counts = f"{report.new:,} new, {report.held:,} held, {report.failed:,} failed of {report.listed:,}"
            progress.update(bars[report.source], completed=share, counts=counts)

        yield watch


class Shown(Struct, frozen=True):
    """A source as people see it."""

    name: str
    vendor: str
    url: str
    tenant: str
    secret: str
    """Where the token is found: `$VARIABLE`, or a file."""
    pace_seconds: float | None
    zone: str
    options: Mapping[str, str]
    """What only this vendor's sources need to know."""
    second_secret: str
    """Where the second secret is found; "" when there is none."""


def _place(variable: str | None, file: str | None) -> str:
    return f"${variable}" if variable else file or ""


async def _shown(archive: Archive, config: SourceConfig) -> Shown:
    return Shown(
        config.name,
        config.vendor,
        config.url,
        await archive.tenants.name(config.tenant),
        _place(config.secret_env, config.secret_file),
        config.pace_seconds,
        config.zone,
        config.options,
        _place(config.second_secret_env, config.second_secret_file),
    )


class Standing(Struct, frozen=True):
    """How far a source has come. Times are ISO 8601 in UTC, None where there is none."""

    name: str
    watermark: str | None
    oldest_open: str | None
    items: dict[str, int]
    """How many listed recordings stand in each state."""
    last_run: str | None
    """When it began."""
    last_exit: int | None
    """None also when it was killed, or is still under way."""


async def _standing(archive: Archive, config: SourceConfig) -> Standing:
    ledger = Ledger(archive.database, config.name)
    last = await Runs(archive.database, config.name).last()
    oldest = await ledger.oldest_open()
    return Standing(
        config.name,
        None if config.watermark is None else iso(config.watermark),
        None if oldest is None else iso(oldest),
        await ledger.counts(),
        None if last is None else iso(last.started_at),
        None if last is None else last.exit_code,
    )


def _line(standing: Standing) -> str:
    if standing.last_run is None:
        return f"{standing.name}: has not run yet"
    ended = "did not end" if standing.last_exit is None else f"exit {standing.last_exit}"
    counts = ", ".join(f"{count:,} {state}" for state, count in standing.items.items())
    parts = [f"last run {standing.last_run} ({ended})", f"listed to {standing.watermark or '-'}", counts]
    if standing.oldest_open is not None:
        parts.append(f"oldest open {standing.oldest_open}")
    return f"{standing.name}: {'; '.join(part for part in parts if part)}"
