"""`voxkeep roster`: the agents and skills that a tenant's contact centre is set up with."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import typer

from voxkeep.access import Action, AuditEntry, Outcome
from voxkeep.access.audit import append
from voxkeep.archive.model import Agent, AgentKind, Skill, Tenant
from voxkeep.archive.query import Scope
from voxkeep.archive.units import now_ms
from voxkeep.cli.administration import access_at, operator, print_table
from voxkeep.cli.common import DATA_DEFAULT, Data, Json, err, out, print_json, run
from voxkeep.database import Transaction, Work

app = typer.Typer(no_args_is_help=True, help="Agents and skills: who is set up, and what for.")
agent_app = typer.Typer(no_args_is_help=True, help="The agents of a tenant.")
skill_app = typer.Typer(no_args_is_help=True, help="The skills of a tenant.")
app.add_typer(agent_app, name="agent")
app.add_typer(skill_app, name="skill")

TenantName = Annotated[str, typer.Argument(help="The tenant's name.", show_default=False)]
Name = Annotated[str, typer.Argument(help="Its name.", show_default=False)]
Kind = Annotated[AgentKind, typer.Option(help="What an agent talks by: a phone (UC), or the softphone (XIMA).")]


@agent_app.command("add")
def add_agent(
    tenant: TenantName,
    name: Name,
    extension: Annotated[str, typer.Option(help="The extension; an agent who has one is told by it.")] = "",
    login: Annotated[str, typer.Option(help="The login.")] = "",
    email: Annotated[str, typer.Option(help="The email address.")] = "",
    kind: Kind = AgentKind.XIMA,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Add an agent, or change the one of this extension (or, without one, of this name) to what is given."""

    async def work() -> None:
        async with access_at(data) as (archive, _):
            found = await archive.tenants.named(tenant)
            agent = Agent(tenant=found.id, name=name, extension=extension, login=login, email=email, kind=kind)
            await archive.roster.put_agent(agent, _audited(found, f"agent put: {agent.displayed}"))
            _tell_agents([agent], json=json, single=True)

    run(work)


@agent_app.command("list")
def list_agents(tenant: TenantName, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List a tenant's agents in order of name."""

    async def work() -> None:
        async with access_at(data) as (archive, _):
            scope = Scope((await archive.tenants.named(tenant)).id)
            agents = [agent async for chunk in archive.roster.agents(scope) for agent in chunk]
            _tell_agents(agents, json=json)
            if not agents and not json:
                out.print("no agents yet: 'voxkeep roster agent add' or 'voxkeep roster fill'")

    run(work)


@agent_app.command("remove")
def remove_agent(
    tenant: TenantName,
    agent: Annotated[str, typer.Argument(help='The agent: "Name(253)", or the extension.', show_default=False)],
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Remove an agent; recordings stay as they are."""

    async def work() -> None:
        async with access_at(data) as (archive, _):
            found = await archive.tenants.named(tenant)
            removed = await archive.roster.remove_agent(found.id, agent, _audited(found, f"agent removed: {agent}"))
            _tell_agents([removed], json=json, single=True)

    run(work)


@skill_app.command("add")
def add_skill(
    tenant: TenantName,
    name: Name,
    identity: Annotated[str, typer.Option("--id", help="The id; a skill that has one is told by it.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Add a skill, or name the one of this id anew."""

    async def work() -> None:
        async with access_at(data) as (archive, _):
            found = await archive.tenants.named(tenant)
            skill = Skill(tenant=found.id, id=identity, name=name)
            await archive.roster.put_skill(skill, _audited(found, f"skill put: {identity} {name}".rstrip()))
            _tell_skills([skill], json=json, single=True)

    run(work)


@skill_app.command("list")
def list_skills(tenant: TenantName, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List a tenant's skills in order of name."""

    async def work() -> None:
        async with access_at(data) as (archive, _):
            scope = Scope((await archive.tenants.named(tenant)).id)
            skills = [skill async for chunk in archive.roster.skills(scope) for skill in chunk]
            _tell_skills(skills, json=json)
            if not skills and not json:
                out.print("no skills yet: 'voxkeep roster skill add' or 'voxkeep roster fill'")

    run(work)


@skill_app.command("remove")
def remove_skill(
    tenant: TenantName,
    skill: Annotated[str, typer.Argument(help="The skill: its id, or its name if it has none.", show_default=False)],
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Remove a skill; recordings stay as they are."""

    async def work() -> None:
        async with access_at(data) as (archive, _):
            found = await archive.tenants.named(tenant)
            removed = await archive.roster.remove_skill(found.id, skill, _audited(found, f"skill removed: {skill}"))
            _tell_skills([removed], json=json, single=True)

    run(work)


@app.command()
def fill(tenant: TenantName, kind: Kind = AgentKind.XIMA, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Add the agents and skills that a tenant's recordings and chats name; entries that stand are left alone.

    Recordings tell no email address, and not what an agent talks by: who is added gets the kind given.
    """

    async def work() -> None:
        async with access_at(data) as (archive, _):
            found = await archive.tenants.named(tenant)
            filled = await archive.roster.fill(found.id, kind, _audited(found, "filled from recordings"))
        if json:
            agents, skills = list(map(_agent, filled.agents)), list(map(_skill, filled.skills))
            print_json({"agents": agents, "skills": skills, "refused": filled.refused})
            return
        out.print(f"{len(filled.agents)} agents and {len(filled.skills)} skills added")
        for name in filled.refused:
            err.print(f"cannot be an entry: {name!r}", markup=False)

    run(work)


def _audited(tenant: Tenant, detail: str) -> Work[None]:
    """Return the audit of a change, for the transaction that makes it."""
    entry = AuditEntry(now_ms(), operator(), tenant.id, Action.CHANGE_ROSTER, "", Outcome.DONE, detail)
    return partial(_append, entry)


async def _append(entry: AuditEntry, transaction: Transaction) -> None:
    await append(transaction, entry)


def _tell_agents(agents: Sequence[Agent], *, json: bool, single: bool = False) -> None:
    documents = [_agent(agent) for agent in agents]
    if json:
        print_json(documents[0] if single else documents)
        return
    print_table(("agent", "login", "email", "kind"), [_row(each, "agent login email kind") for each in documents])


def _tell_skills(skills: Sequence[Skill], *, json: bool, single: bool = False) -> None:
    documents = [_skill(skill) for skill in skills]
    if json:
        print_json(documents[0] if single else documents)
        return
    print_table(("id", "skill"), [_row(each, "id name") for each in documents])


def _agent(agent: Agent) -> dict[str, Any]:
    names = ("name", "extension", "login", "email", "kind")
    return {"agent": agent.displayed, **{name: str(getattr(agent, name)) for name in names}}


def _skill(skill: Skill) -> dict[str, Any]:
    return {"id": skill.id, "name": skill.name}


def _row(document: dict[str, Any], names: str) -> tuple[str, ...]:
    return tuple(document[name] or "-" for name in names.split())
