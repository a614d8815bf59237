"""`voxkeep tenant`: customers, their hosts, their limits and what they have used."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from voxkeep.access import Access, TenantLimits, Usage
from voxkeep.archive.model import Tenant
from voxkeep.archive.tenants import MOST_AGENTS
from voxkeep.archive.units import TenantId
from voxkeep.cli.administration import access_at, moment, operator, print_secret, print_table, size
from voxkeep.cli.common import DATA_DEFAULT, Data, Json, err, out, print_json, run

app = typer.Typer(no_args_is_help=True, help="Customers: names, hosts, limits, egress.")

MOST_BYTES = 10**18


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


Name = Annotated[str, typer.Argument(help="The tenant's name.", show_default=False)]
Host = Annotated[str | None, typer.Option(help="Host name its API is asked under; its first label names it too.")]
Zone = Annotated[str | None, typer.Option(help="IANA time zone for times without an offset; UTC unless given.")]
Agents = Annotated[
    int | None,
    typer.Option(min=0, max=MOST_AGENTS, help="Licensed recorded agents; the egress cap is reckoned from them."),
]
Limits = Annotated[Switch | None, typer.Option(help="Refuse audio requests over the limits; on unless given.")]
Cap = Annotated[
    int | None,
    typer.Option(min=0, max=MOST_BYTES, help="Audio bytes in the rolling window, instead of by agents."),
]
CapByAgents = Annotated[
    bool, typer.Option("--egress-cap-by-agents", help="Reckon the egress cap from the agents again.")
]
Lists = Annotated[Switch | None, typer.Option(help="Count lists as audio requests too; off unless given.")]
Api = Annotated[Switch | None, typer.Option(help="Answer vendors' APIs at all (approved accounts); on unless given.")]


@app.command()
def add(
    name: Name,
    host: Host = None,
    zone: Zone = None,
    agents: Agents = None,
    limits: Limits = None,
    egress_cap: Cap = None,
    limit_lists: Lists = None,
    api: Api = None,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Add a tenant; makes the archive when there is none."""

    async def work() -> None:
        async with access_at(data, create=True) as (_, access):
            tenant = _changed(Tenant(id=TenantId(0), name=name), host, zone, agents)
            wanted = _limited(TenantLimits(), limits, egress_cap, limit_lists, api)
            tenant = await access.add_tenant(tenant, wanted, by=operator())
            _tell([(tenant, wanted)], json=json, single=True)

    run(work)


@app.command("set")
def set_(
    name: Name,
    host: Host = None,
    zone: Zone = None,
    agents: Agents = None,
    limits: Limits = None,
    egress_cap: Cap = None,
    egress_cap_by_agents: CapByAgents = False,
    limit_lists: Lists = None,
    api: Api = None,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Change a tenant's host, zone, agents or limits; what is not named stays."""

    async def work() -> None:
        async with access_at(data) as (archive, access):
            tenant = _changed(await archive.tenants.named(name), host, zone, agents)
            before = await access.gate.limits(tenant.id)
            if egress_cap_by_agents:
                before = replace(before, egress_cap_bytes=None)
            wanted = _limited(before, limits, egress_cap, limit_lists, api)
            await access.change_tenant(tenant, wanted, by=operator())
            _tell([(tenant, wanted)], json=json, single=True)

    run(work)


@app.command("list")
def list_(data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the tenants."""

    async def work() -> None:
        async with access_at(data) as (archive, access):
            tenants = await archive.tenants.all()
            _tell([(tenant, await access.gate.limits(tenant.id)) for tenant in tenants], json=json)

    run(work)


@app.command()
def usage(
    name: Name,
    reset_egress: Annotated[bool, typer.Option("--reset-egress", help="Forgive what was used; audited.")] = False,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Show what a tenant has used of its audio egress, or forgive it."""

    async def work() -> None:
        async with access_at(data) as (archive, access):
            tenant = await archive.tenants.named(name)
            await _usage(access, tenant, reset=reset_egress, json=json)

    run(work)


@app.command("ftps-password")
def ftps_password(
    name: Name,
    remove: Annotated[bool, typer.Option("--remove", help="Kill the password; no new one is made.")] = False,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Make a tenant's new password for FTPS and print it, this once; the older one dies at once."""

    async def work() -> None:
        async with access_at(data) as (archive, access):
            tenant = await archive.tenants.named(name)
            if remove:
                _tell_removed(tenant, await access.passwords.remove(tenant, by=operator()), json=json)
                return
            password = await access.passwords.issue(tenant, by=operator())
        if json:
            print_json({"name": tenant.name, "password": password})
        else:
            print_secret(password, f"The new FTPS password of {tenant.name}")

    run(work)


def _tell_removed(tenant: Tenant, removed: bool, *, json: bool) -> None:
    if json:
        print_json({"name": tenant.name, "removed": removed})
    else:
        told = "is removed" if removed else "cannot be removed: there is none"
        err.print(f"the FTPS password of {tenant.name} {told}", markup=False)


async def _usage(access: Access, tenant: Tenant, *, reset: bool, json: bool) -> None:
    if reset:
        await access.gate.reset_egress(tenant.id, by=operator())
    used = await access.gate.usage(tenant)
    if json:
        print_json(_usage_document(tenant, used))
        return
    cap = "no cap" if used.cap_bytes is None else size(used.cap_bytes)
    share = f" ({used.used_bytes / used.cap_bytes:.1%})" if used.cap_bytes else ""
    columns = ("tenant", "used", "cap", "days", "oldest leaves")
    leaves = moment(used.oldest_leave_at) or "-"
    print_table(columns, [(tenant.name, size(used.used_bytes) + share, cap, str(used.window_days), leaves)])


def _usage_document(tenant: Tenant, used: Usage) -> dict[str, Any]:
    return {
        "name": tenant.name,
        "used_bytes": used.used_bytes,
        "cap_bytes": used.cap_bytes,
        "window_days": used.window_days,
        "oldest_at": moment(used.oldest_at),
        "oldest_leaves_at": moment(used.oldest_leave_at),
    }


def _changed(tenant: Tenant, host: str | None, zone: str | None, agents: int | None) -> Tenant:
    given = {"host": host, "zone": zone, "licensed_agents": agents}
    return replace(tenant, **{name: value for name, value in given.items() if value is not None})


def _limited(
    before: TenantLimits, limits: Switch | None, cap: int | None, lists: Switch | None, api: Switch | None
) -> TenantLimits:
    switches = {"enabled": limits, "listing_limited": lists, "api_enabled": api}
    given: dict[str, Any] = {name: switch is Switch.ON for name, switch in switches.items() if switch is not None}
    return replace(before, **given, **({} if cap is None else {"egress_cap_bytes": cap}))


def _tell(found: list[tuple[Tenant, TenantLimits]], *, json: bool, single: bool = False) -> None:
    if json:
        documents = [_document(tenant, limits) for tenant, limits in found]
        print_json(documents[0] if single else documents)
        return
    columns = ("tenant", "host", "zone", "agents", "limits", "egress cap", "lists limited", "API")
    print_table(columns, [_row(tenant, limits) for tenant, limits in found])
    if not found:
        out.print("no tenants yet: 'voxkeep tenant add NAME' makes one")


def _document(tenant: Tenant, limits: TenantLimits) -> dict[str, Any]:
    return {
        "name": tenant.name,
        "host": tenant.host,
        "zone": tenant.zone,
        "agents": tenant.licensed_agents,
        "limits": limits.enabled,
        "egress_cap_bytes": limits.egress_cap_bytes,
        "lists_limited": limits.listing_limited,
        "api": limits.api_enabled,
    }


def _row(tenant: Tenant, limits: TenantLimits) -> tuple[str, ...]:
    cap = "by agents" if limits.egress_cap_bytes is None else size(limits.egress_cap_bytes)
    lists, api = "yes" if limits.listing_limited else "no", "on" if limits.api_enabled else "off"
    switches = ("on" if limits.enabled else "off", cap, lists, api)
    return (tenant.name, tenant.host or "-", tenant.zone, str(tenant.licensed_agents), *switches)
