"""`voxkeep user`: service users, what they may do and see in which tenants."""

from typing import Annotated, Any

import typer

from voxkeep.access import EVERYTHING, Grant, Permission, User
from voxkeep.archive import Archive
from voxkeep.archive.query import Visibility
from voxkeep.archive.units import TenantId
from voxkeep.cli.administration import access_at, expiry, moment, operator, print_secret, print_table
from voxkeep.cli.common import DATA_DEFAULT, Data, Json, err, print_json, run

app = typer.Typer(no_args_is_help=True, help="Service users: what they may do and see.")

Name = Annotated[str, typer.Argument(help="The service user's name; it never changes.", show_default=False)]


@app.command()
def add(
    name: Name,
    tenant: Annotated[list[str], typer.Option(help="A tenant it may ask; may be repeated.", show_default=False)],
    grant: Annotated[
        list[Permission] | None, typer.Option(help="What it may do there; everything unless given.")
    ] = None,
    agent: Annotated[
        list[str] | None, typer.Option(help='Only recordings of this agent: "Name(253)", extension or login.')
    ] = None,
    skill: Annotated[list[str] | None, typer.Option(help="Only recordings of this skill.")] = None,
    expires: Annotated[
        str | None, typer.Option(help="How long its token lives, e.g. 90d; for ever unless given.")
    ] = None,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Add a service user and print its token, this once.

    Grants and restrictions to agents and skills hold in each of the named tenants.
    """
    granted = Grant(frozenset(grant or EVERYTHING), Visibility(frozenset(agent or ()), frozenset(skill or ())))

    async def work() -> None:
        expires_at = expiry(expires)
        async with access_at(data) as (archive, access):
            found = [await archive.tenants.named(each) for each in tenant]
            grants = {each.id: granted for each in found}
            token = await access.directory.add_with_token(name, grants, expires_at, by=operator())
        if json:
            print_json({"name": name, "token": token, "expires_at": moment(expires_at)})
        else:
            print_secret(token, f"The token of {name}")

    run(work)


@app.command("list")
def list_(data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the service users with their grants."""

    async def work() -> None:
        async with access_at(data) as (archive, access):
            names = await _tenant_names(archive)
            users = await access.directory.list()
        if json:
            print_json([_document(user, names) for user in users])
        else:
            rows = [
                (user.name, *_row(names.get(tenant, str(tenant)), grant))
                for user in users
                for tenant, grant in user.grants.items()
            ]
            print_table(("user", "tenant", "grants", "agents", "skills"), rows)

    run(work)


@app.command()
def remove(name: Name, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Remove a service user; its tokens are dead at once."""

    async def work() -> None:
        async with access_at(data) as (_, access):
            await access.directory.remove(name, by=operator())
        if json:
            print_json({"removed": name})
        else:
            err.print(f"{name} is removed", markup=False)

    run(work)


async def _tenant_names(archive: Archive) -> dict[TenantId, str]:
    return {tenant.id: tenant.name for tenant in await archive.tenants.all()}


def _document(user: User, names: dict[TenantId, str]) -> dict[str, Any]:
    grants = [
        {
            "tenant": names.get(tenant, str(tenant)),
            "permissions": sorted(grant.permissions),
            "agents": sorted(grant.visibility.agents),
            "skills": sorted(grant.visibility.skills),
        }
        for tenant, grant in user.grants.items()
    ]
    return {"name": user.name, "created_at": moment(user.created_at), "grants": grants}


def _row(tenant: str, grant: Grant) -> tuple[str, ...]:
    agents, skills = grant.visibility.agents, grant.visibility.skills
    return (
        tenant,
        " ".join(sorted(grant.permissions)),
        ", ".join(sorted(agents)) or "any",
        ", ".join(sorted(skills)) or "any",
    )
