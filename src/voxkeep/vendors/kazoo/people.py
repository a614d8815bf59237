"""Accounts and their users, as they are at one moment (reference 4, 8.2). Knows no database."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from voxkeep.access import Principal
from voxkeep.archive.units import TenantId
from voxkeep.database import Row
from voxkeep.vendors.kazoo.credentials import Salted
from voxkeep.vendors.kazoo.naming import digits_of, name_key


class Account(Struct, frozen=True, kw_only=True):
    """An account. `id` is 32 hex digits."""

    id: str
    tenant: TenantId
    name: str
    realm: str
    """Its SIP domain; unique."""
    parent: str = ""
    """Id of the account above it; empty for one at the top."""
    numbers: tuple[str, ...] = ()
    """Phone numbers that lead to it; each is one account's."""


class Person(Struct, frozen=True, kw_only=True):
    """What is known of a user beside the name to log in with: who that is, and which agent of the archive."""

    first_name: str = ""
    last_name: str = ""
    agent_name: str = ""
    agent_extension: str = ""
    agent_login: str = ""


NO_PERSON = Person()


class User(Person, frozen=True, kw_only=True):
    """A user of an account, and the agent of the archive that the user is. `id` is 32 hex digits."""

    id: str
    account: str
    username: str
    """Lower case; unique in the account."""


class Tree(Struct, frozen=True):
    """All accounts at one moment."""

    by_id: Mapping[str, Account]
    by_tenant: Mapping[TenantId, Account]
    under: Mapping[str, tuple[Account, ...]]
    """Id -> the accounts right below it, in order of name."""

    def descendants(self, account: str) -> list[Account]:
        """Return all accounts below one, each before those below it."""
        found: list[Account] = []
        for child in self.under.get(account, ()):
            found += [child, *self.descendants(child.id)]
        return found


class Users(Struct, frozen=True):
    """The users of one account at one moment."""

    by_id: Mapping[str, User]
    by_login: Mapping[str, User]
    by_extension: Mapping[str, User]
    by_name: Mapping[str, User]

    def owner(self, login: str, extension: str, name: str) -> User | None:
        """Return the user who is an agent: by login, else by extension, else by name."""
        return self.by_login.get(login) or self.by_extension.get(extension) or self.by_name.get(name)


NOBODY = Users({}, {}, {}, {})


class Caller(Struct, frozen=True):
    """Who asks: a principal of the archive, and the account and user that the token was given to."""

    principal: Principal
    account: str = ""
    """Id of the caller's own account; empty for a service user of several tenants."""
    user: str = ""
    """Id of the user; empty for an API key or a service user."""


class Book(Struct, frozen=True):
    """Every way that leads to an account, at one moment."""

    tree: Tree
    by_realm: Mapping[str, Account]
    by_digits: Mapping[str, Account]
    by_name_key: Mapping[str, tuple[Account, ...]]
    salted: Mapping[str, Salted]
    """Id -> how the account's keys are derived."""


def book_of(accounts: Iterable[Row], numbers: Iterable[Row]) -> Book:
    """Return the book of accounts in order of name (the fields of an Account, salt, cost) and of (account, number)."""
    led: dict[str, list[str]] = {}
    for account, number in numbers:
        led.setdefault(account, []).append(number)
    known: list[Account] = []
    salted: dict[str, Salted] = {}
    for identity, tenant, name, realm, parent, salt, cost in accounts:
        leading = tuple(led.get(identity, ()))
        known.append(Account(id=identity, tenant=tenant, name=name, realm=realm, parent=parent, numbers=leading))
        salted[identity] = Salted(salt, cost)
    return Book(
        Tree(
            {each.id: each for each in known},
            {each.tenant: each for each in known},
            _grouped((each.parent, each) for each in known if each.parent),
        ),
        {each.realm: each for each in known},
        {digits_of(number): each for each in known for number in each.numbers},
        _grouped((key, each) for each in known if (key := name_key(each.name))),
        salted,
    )


def users_of(rows: Iterable[Row]) -> Users:
    """Return the users of rows with the fields of User, in order of username; the first who is an agent is it."""
    users = [User(**dict(zip(User.__struct_fields__, row, strict=True))) for row in rows]
    return Users(
        {each.id: each for each in users},
        _first((each.agent_login, each) for each in users),
        _first((each.agent_extension, each) for each in users),
        _first((each.agent_name, each) for each in users),
    )


def _grouped(pairs: Iterable[tuple[str, Account]]) -> dict[str, tuple[Account, ...]]:
    groups: dict[str, tuple[Account, ...]] = {}
    for key, account in pairs:
        groups[key] = (*groups.get(key, ()), account)
    return groups


def _first(pairs: Iterable[tuple[str, User]]) -> dict[str, User]:
    found: dict[str, User] = {}
    for key, user in pairs:
        if key:
            found.setdefault(key, user)
    return found
