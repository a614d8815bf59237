"""`voxkeep kazoo`: accounts of the Kazoo dialect, their users, API keys, and the URL that clusters push to."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

import typer

from voxkeep.archive import Archive
from voxkeep.cli.administration import access_at, operator, print_secret, print_table
from voxkeep.cli.common import DATA_DEFAULT, USAGE, Data, Failure, Json, err, out, print_json, run, secret_from
from voxkeep.vendors.kazoo.accounts import Account, Accounts, Person, User
from voxkeep.vendors.kazoo.naming import AccountTaken, BadAccount, UnknownAccount

app = typer.Typer(no_args_is_help=True, help="The Kazoo dialect: accounts, users, API keys, pushes.")
accounts_app = typer.Typer(no_args_is_help=True, help="Accounts: each is a tenant.")
users_app = typer.Typer(no_args_is_help=True, help="Users of an account: who may log in, and which agent that is.")
app.add_typer(accounts_app, name="account")
app.add_typer(users_app, name="user")

INGEST = "ingest/kazoo"

TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's name.", show_default=False)]
Username = Annotated[str, typer.Argument(help="The name to log in with; capitals do not matter.", show_default=False)]
PasswordVariable = Annotated[
    str | None, typer.Option("--password-env", help="Environment variable that holds the password.")
]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="File that holds the password.", dir_okay=False)
]


class Opened(NamedTuple):
    """An archive and its Kazoo accounts, for the time of a command."""

    archive: Archive
    accounts: Accounts

    async def account(self, tenant: str) -> Account:
        """Return the account of a tenant, by the tenant's name. Raises UnknownTenant, UnknownAccount."""
        return await self.accounts.of_tenant(await self.archive.tenants.named(tenant))


@asynccontextmanager
async def _accounts_at(home: Path) -> AsyncIterator[Opened]:
    """Open the archive at `home` with its accounts. Raises Failure, also for what accounts refuse inside."""
    async with access_at(home) as (archive, _):
        try:
            yield Opened(archive, Accounts(archive.database))
        except (BadAccount, UnknownAccount) as error:
            raise Failure(str(error), USAGE) from error
        except AccountTaken as error:
            raise Failure(str(error)) from error


@accounts_app.command("add")
def add_account(
    tenant: TenantName,
    realm: Annotated[str, typer.Option(help="The account's SIP domain.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="The account's name; the tenant's unless given.")] = None,
    id: Annotated[  # noqa: A002 -- Kazoo's word
        str | None, typer.Option(help="32 hex digits, as on the cluster it comes from; random unless given.")
    ] = None,
    parent: Annotated[
        str | None, typer.Option(metavar="TENANT", help="Tenant of the account above, whose logins may read this one.")
    ] = None,
    number: Annotated[list[str] | None, typer.Option(help="Phone number to log in by; may be repeated.")] = None,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Make a tenant a Kazoo account."""

    async def work() -> None:
        async with _accounts_at(data) as opened:
            found = await opened.archive.tenants.named(tenant)
            above = "" if parent is None else (await opened.account(parent)).id
            account = await opened.accounts.add_account(
                found, name or found.name, realm, id=id, parent=above, numbers=number or (), by=operator()
            )
            names = await _tenant_names(opened)
        if json:
            print_json(_account_document(account, names))
        else:
            _print_accounts([account], names)

    run(work)


@accounts_app.command("list")
def list_accounts(data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the accounts."""

    async def work() -> None:
        async with _accounts_at(data) as opened:
            found = list((await opened.accounts.tree()).by_id.values())
            names = await _tenant_names(opened)
        if json:
            print_json([_account_document(account, names) for account in found])
            return
        _print_accounts(found, names)
        if not found:
            out.print("no accounts yet: 'voxkeep kazoo account add TENANT --realm REALM' makes one")

    run(work)


@users_app.command("add")
def add_user(
    tenant: TenantName,
    username: Username,
    password_env: PasswordVariable = None,
    password_file: PasswordFile = None,
    first_name: Annotated[str, typer.Option(help="The user's first name.")] = "",
    last_name: Annotated[str, typer.Option(help="The user's last name.")] = "",
    agent_name: Annotated[str, typer.Option(help="The agent's name in recordings.")] = "",
    agent_extension: Annotated[str, typer.Option(help="The agent's extension in recordings.")] = "",
    agent_login: Annotated[str, typer.Option(help="The agent's login in recordings.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Add a user, and tell which agent that is: `/users/ID/recordings` lists the agent's."""

    async def work() -> None:
        password = secret_from(password_env, password_file)
        person = Person(
            first_name=first_name,
            last_name=last_name,
            agent_name=agent_name,
            agent_extension=agent_extension,
            agent_login=agent_login,
        )
        async with _accounts_at(data) as opened:
            account = await opened.account(tenant)
            user = await opened.accounts.add_user(account, username, password, person, by=operator())
        if json:
            print_json(_user_document(user))
        else:
            _print_users([user])

    run(work)


@users_app.command("list")
def list_users(tenant: TenantName, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the users of an account."""

    async def work() -> None:
        async with _accounts_at(data) as opened:
            users = await opened.accounts.users((await opened.account(tenant)).id)
        found = list(users.by_id.values())
        if json:
            print_json([_user_document(user) for user in found])
        else:
            _print_users(found)

    run(work)


@users_app.command()
def password(
    tenant: TenantName,
    username: Username,
    password_env: PasswordVariable = None,
    password_file: PasswordFile = None,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Give a user another password; the user's logins end at once."""

    async def work() -> None:
        text = secret_from(password_env, password_file)
        async with _accounts_at(data) as opened:
            account = await opened.account(tenant)
            await opened.accounts.set_password(account, username, text, by=operator())
        if json:
            print_json({"username": username.lower(), "password": "set"})
        else:
            err.print(f"{username.lower()} has another password", markup=False)

    run(work)


@users_app.command()
def remove(tenant: TenantName, username: Username, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Remove a user; the user's logins end at once, recordings stay."""

    async def work() -> None:
        async with _accounts_at(data) as opened:
            await opened.accounts.remove_user(await opened.account(tenant), username, by=operator())
        if json:
            print_json({"removed": username.lower()})
        else:
            err.print(f"{username.lower()} is removed", markup=False)

    run(work)


@app.command("api-key")
def api_key(tenant: TenantName, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Make an account's new API key and print it, this once; the older one and its logins die."""
    _issue(tenant, data, "api_key", "The API key", Accounts.issue_api_key, json=json)


@app.command("push-url")
def push_url(
    tenant: TenantName,
    base: Annotated[
        str, typer.Option(metavar="URL", help="Where the cluster reaches this server.", show_default=False)
    ],
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Make the URL that a cluster pushes an account's recordings to and print it, this once; the older one dies."""
    _issue(tenant, data, "url", "The push URL", Accounts.issue_push_secret, json=json, before=base)


def _issue(
    tenant: str,
    data: Path,
    field: str,
    what: str,
    issue: Callable[..., Awaitable[str]],
    *,
    json: bool,
    before: str | None = None,
) -> None:
    async def work() -> None:
        start = "" if before is None else f"{_checked_base(before)}/{INGEST}/"
        async with _accounts_at(data) as opened:
            account = await opened.account(tenant)
            secret = start + await issue(opened.accounts, account, by=operator())
        if json:
            print_json({"tenant": tenant, field: secret})
        else:
            print_secret(secret, f"{what} of {tenant}")

    run(work)


def _checked_base(url: str) -> str:
    """Return a URL that a path can be put behind. Raises Failure."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
        good = good and parts.port != 0 and re.search(r"\s", url) is None and parts.username is None
    except ValueError:
        good = False
    if not good:
        raise Failure("base: not a URL such as https://voxkeep.example:8400", USAGE)
    return url.rstrip("/")


async def _tenant_names(opened: Opened) -> dict[int, str]:
    return {tenant.id: tenant.name for tenant in await opened.archive.tenants.all()}


def _account_document(account: Account, names: dict[int, str]) -> dict[str, Any]:
    return {
        "tenant": names[account.tenant],
        "id": account.id,
        "name": account.name,
        "realm": account.realm,
        "parent": account.parent or None,
        "numbers": account.numbers,
    }


def _print_accounts(accounts: list[Account], names: dict[int, str]) -> None:
    rows: list[tuple[str, ...]] = [
        (names[each.tenant], each.id, each.name, each.realm, each.parent or "-", ", ".join(each.numbers) or "-")
        for each in accounts
    ]
    print_table(("tenant", "id", "name", "realm", "parent", "numbers"), rows)


def _user_document(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "agent": {"name": user.agent_name, "extension": user.agent_extension, "login": user.agent_login},
    }


def _print_users(users: list[User]) -> None:
    rows: list[tuple[str, ...]] = [
        (
            each.username,
            each.id,
            f"{each.first_name} {each.last_name}".strip() or "-",
            each.agent_name or "-",
            each.agent_extension or "-",
            each.agent_login or "-",
        )
        for each in users
    ]
    print_table(("username", "id", "name", "agent", "extension", "login"), rows)
