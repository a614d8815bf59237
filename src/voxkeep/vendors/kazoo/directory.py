"""Accounts and users as the API shows them: what clients need to find their way (reference 4, 5)."""

from collections.abc import Iterable
from typing import Any

from voxkeep.access import Permission
from voxkeep.archive.model import display_name
from voxkeep.vendors.kazoo import errors
from voxkeep.vendors.kazoo.accounts import Account, Accounts, Tree, User
from voxkeep.vendors.kazoo.envelope import encoded, revision_of
from voxkeep.vendors.kazoo.request import Request


class Directory:
    """Answers the routes about accounts and users; each shows only what the caller may see."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def account(self, request: Request) -> None:
        """GET an account."""
        await request.reply(account_shown(request.in_account))

    async def descendants(self, request: Request) -> None:
        """GET all accounts below one."""
        tree = await self._accounts.tree()
        top = request.in_account.id
        await self._list(request, [_below(each, top, tree) for each in seen(request, tree.descendants(top))])

    async def children(self, request: Request) -> None:
        """GET the accounts right below one."""
        tree = await self._accounts.tree()
        top = request.in_account.id
        await self._list(request, [_below(each, top, tree) for each in seen(request, tree.under.get(top, ()))])

    async def users(self, request: Request) -> None:
        """GET the users of an account."""
        await self._list(request, [user_shown(each) for each in await self._seen_users(request)])

    async def user(self, request: Request) -> None:
        """GET one user."""
        asked = request.segments[3]
        for user in await self._seen_users(request):
            if user.id == asked:
                await request.reply(user_shown(user))
                return
        raise errors.bad_identifier(asked)

    async def _seen_users(self, request: Request) -> list[User]:
        """Return the users whose recordings the caller may see. Raises KazooError."""
        visibility = request.visible(Permission.RECORDINGS_LIST).visibility
        users = (await self._accounts.users(request.in_account.id)).by_id.values()
        return [each for each in users if not visibility.agents or visibility.agents & names_of(each)]

    async def _list(self, request: Request, shown: list[dict[str, Any]]) -> None:
        """Answer with a list that is always whole."""
        told = request.told()
        told.page_size = len(shown)
        data = encoded(shown)
        if shown:
            told.revision = revision_of(data)
        await request.reply_encoded(data, told)


def seen(request: Request, accounts: Iterable[Account]) -> list[Account]:
    """Return the accounts that the caller may enter."""
    grants = {} if request.caller is None else request.caller.principal.grants
    return [each for each in accounts if each.tenant in grants]


def names_of(user: User) -> frozenset[str]:
    """Return all that the agent a user is may be named by."""
    shown = display_name(user.agent_name, user.agent_extension)
    return frozenset({shown, user.agent_name, user.agent_extension, user.agent_login}) - {""}


def account_shown(account: Account) -> dict[str, Any]:
    """Return an account as its document."""
    parent = {"parent_id": account.parent} if account.parent else {}
    return {
        "id": account.id,
        "name": account.name,
        "realm": account.realm,
        "numbers": list(account.numbers),
        "enabled": True,
        **parent,
    }


def _below(account: Account, top: str, tree: Tree) -> dict[str, Any]:
    """Return an account as a list of descendants has it; `tree` leads to it from the account that is asked."""
    above = [account.parent]
    while above[0] != top:
        above.insert(0, tree.by_id[above[0]].parent)
    return {
        "id": account.id,
        "name": account.name,
        "realm": account.realm,
        "tree": above,
        "descendants_count": len(tree.descendants(account.id)),
    }


def user_shown(user: User) -> dict[str, Any]:
    """Return a user as its document; never the password or what is kept of it."""
    return {
        "id": user.id,
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "presence_id": user.agent_extension,
        "caller_id": {"internal": {"name": user.agent_name, "number": user.agent_extension}},
        "enabled": True,
    }
