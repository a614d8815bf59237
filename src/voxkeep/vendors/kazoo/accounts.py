"""Accounts and users: a Kazoo account is a tenant, a user an agent of it (reference 4, 8.2).

Held in memory and checked by the epoch of access: a change made by any process holds at once in every other.
"""

import hashlib
import secrets
import uuid
from collections.abc import Callable, Sequence
from enum import StrEnum

from msgspec.structs import asdict

from voxkeep.access import AuditEntry, Outcome
from voxkeep.access.audit import append
from voxkeep.access.epoch import Epoch, EpochCache, bump
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import EpochMs, now_ms
from voxkeep.database import Database, Transaction
from voxkeep.vendors.kazoo import naming
from voxkeep.vendors.kazoo.credentials import COST, Derivations, Salted, digests_of, new_salt
from voxkeep.vendors.kazoo.ids import HEX
from voxkeep.vendors.kazoo.naming import AccountTaken, BadAccount, UnknownAccount
from voxkeep.vendors.kazoo.people import (
    NO_PERSON,
    NOBODY,
    Account,
    Book,
    Caller,
    Person,
    Tree,
    User,
    Users,
    book_of,
    users_of,
)

__all__ = [
    "NOBODY",
    "NO_PERSON",
    "Account",
    "Accounts",
    "Act",
    "Book",
    "Caller",
    "Person",
    "Tree",
    "User",
    "Users",
    "secret_hash",
]


class Act(StrEnum):
    """What can stand in the audit trail beside the acts of access."""

    ACCOUNT_ADD = "kazoo.account.add"
    USER_ADD = "kazoo.user.add"
    USER_REMOVE = "kazoo.user.remove"
    PASSWORD_SET = "kazoo.password.set"  # noqa: S105 -- the name of an act
    API_KEY_ISSUE = "kazoo.api_key.issue"
    PUSH_SECRET_ISSUE = "kazoo.push_secret.issue"  # noqa: S105 -- the name of an act


PUSH_PREFIX = "vk_push_"
"""Begins as tokens do, so that whatever keeps those out of trails and logs keeps push secrets out too."""
SECRET_BYTES = 32
HELD_ACCOUNTS = 1_000
"""Accounts whose users are held, and push secrets."""

LIST_ACCOUNTS = "SELECT id, tenant, name, realm, parent, salt, cost FROM kazoo_accounts ORDER BY name, id"
USER_COLUMNS = ", ".join(User.__struct_fields__)
LIST_USERS = f"SELECT {USER_COLUMNS} FROM kazoo_users WHERE account = $1 ORDER BY username"  # noqa: S608 -- ours
ADD_ACCOUNT = (
    "INSERT INTO kazoo_accounts (id, tenant, name, name_key, realm, parent, salt, cost, created_at) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
)
ADD_USER = (
    f"INSERT INTO kazoo_users ({USER_COLUMNS}, md5_key, sha_key, created_at) "  # noqa: S608 -- ours
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
)
END_LOGINS = "UPDATE kazoo_logins SET ended = 1 WHERE account = $1 AND user_id = $2"
UPSERT = (
    "(account, hash, created_at) VALUES ($1, $2, $3) "
    "ON CONFLICT (account) DO UPDATE SET hash = excluded.hash, created_at = excluded.created_at"
)


class Accounts:
    """The accounts of an archive. Changes are audited, and seen by every process at once."""

    def __init__(self, database: Database, *, clock: Callable[[], int] = now_ms, cost: int = COST) -> None:
        """`cost` is scrypt's N for accounts that are added here; an account keeps its own."""
        self._database = database
        self._clock = clock
        self.epoch = Epoch(database)
        self.derivations = Derivations()
        self.nobodys = Salted(bytes(16), cost)
        """What a login is derived with where there is no account, so that its time tells nothing."""
        self._book: EpochCache[None, Book] = EpochCache(self.epoch, self._load_book, 1)
        self._users: EpochCache[str, Users] = EpochCache(self.epoch, self._load_users, HELD_ACCOUNTS)
        self._pushers: EpochCache[str, Account] = EpochCache(self.epoch, self._load_pusher, HELD_ACCOUNTS)

    # Reading

    async def book(self) -> Book:
        """Return every way that leads to an account, as of now."""
        return await self._book.get(None) or book_of([], [])

    async def tree(self) -> Tree:
        """Return all accounts as of now."""
        return (await self.book()).tree

    async def users(self, account_id: str) -> Users:
        """Return the users of an account as of now, none for an account that there is not."""
        return await self._users.get(account_id) or NOBODY

    async def of_tenant(self, tenant: Tenant) -> Account:
        """Return the account that a tenant is. Raises UnknownAccount."""
        account = (await self.tree()).by_tenant.get(tenant.id)
        if account is None:
            raise UnknownAccount(f"tenant {tenant.name!r} has no Kazoo account")
        return account

    async def user_named(self, account: Account, username: str) -> User:
        """Return a user by name. Raises UnknownAccount."""
        lower = username.lower()
        for user in (await self.users(account.id)).by_id.values():
            if user.username == lower:
                return user
        raise UnknownAccount(f"no user of {account.realm} is called {username!r}")

    async def account_of_push_secret(self, secret: str) -> Account | None:
        """Return whose pushes come with a secret, None for one that is nobody's or nobody's any more."""
        return await self._pushers.get(secret_hash(secret))

    # Changing

    async def add_account(
        self,
        tenant: Tenant,
        name: str,
        realm: str,
        *,
        id: str | None = None,  # noqa: A002 -- Kazoo's word
        parent: str = "",
        numbers: Sequence[str] = (),
        by: str = "operator",
    ) -> Account:
        """Make a tenant an account; `parent` is the id of the one above it.

        Raises BadAccount, AccountTaken, UnknownAccount (the parent).
        """
        if id is not None and HEX.fullmatch(id) is None:
            raise BadAccount("id: not 32 lower-case hex digits")
        added = Account(
            id=id or uuid.uuid4().hex,
            tenant=tenant.id,
            name=naming.checked_name(name),
            realm=naming.checked_realm(realm),
            parent=parent,
            numbers=tuple(dict.fromkeys(map(naming.checked_number, numbers))),
        )

        async def work(transaction: Transaction) -> Account:
            # a new account stands below one that is there already, so that no ring can come of it
            if parent and not await transaction.rows("SELECT id FROM kazoo_accounts WHERE id = $1", parent):
                raise UnknownAccount(f"parent: no account has the id {parent!r}")
            await self._insert(transaction, added)
            detail = f"realm {added.realm}, id {added.id}, below {parent or 'none'}"
            await self._tell(transaction, added, Act.ACCOUNT_ADD, tenant.name, by, detail)
            return added

        return await self._database.write(work)

    async def _insert(self, transaction: Transaction, added: Account) -> None:
        for field, value in (("tenant", added.tenant), ("id", added.id), ("realm", added.realm)):
            sql = f"SELECT id FROM kazoo_accounts WHERE {field} = $1"  # noqa: S608 -- a column's name
            if await transaction.rows(sql, value):
                raise AccountTaken(f"{field}: there is an account with this {field} already")
        values = (added.id, added.tenant, added.name, naming.name_key(added.name), added.realm, added.parent)
        await transaction.execute(ADD_ACCOUNT, *values, new_salt(), self.nobodys.cost, self._clock())
        for number in added.numbers:
            sql = "INSERT INTO kazoo_numbers VALUES ($1, $2, $3) ON CONFLICT (digits) DO NOTHING"
            if not await transaction.execute(sql, naming.digits_of(number), number, added.id):
                raise AccountTaken(f"number: {number} leads to an account already")

    async def add_user(
        self,
        account: Account,
        username: str,
        password: str,
        person: Person = NO_PERSON,
        *,
        id: str | None = None,  # noqa: A002 -- Kazoo's word
        by: str = "operator",
    ) -> User:
        """Add a user, and which agent of the archive that is. Raises BadAccount, AccountTaken, UnknownAccount."""
        if id is not None and HEX.fullmatch(id) is None:
            raise BadAccount("id: not 32 lower-case hex digits")
        known = {field: naming.checked_person(field, text) for field, text in asdict(person).items()}
        added = User(
            id=id or uuid.uuid4().hex,
            account=account.id,
            username=naming.checked_username(username),
            **known,
        )
        keys = await self._keys(account, added.username, password)

        async def work(transaction: Transaction) -> User:
            sql = "SELECT id FROM kazoo_users WHERE account = $1 AND username = $2"
            if await transaction.rows(sql, account.id, added.username):
                raise AccountTaken(f"username: a user of {account.realm} is called {added.username!r} already")
            if await transaction.rows("SELECT id FROM kazoo_users WHERE id = $1", added.id):
                raise AccountTaken("id: there is a user with this id already")
            values = [getattr(added, field) for field in User.__struct_fields__]
            await transaction.execute(ADD_USER, *values, *keys, self._clock())
            await self._tell(transaction, account, Act.USER_ADD, added.username, by)
            return added

        return await self._database.write(work)

    async def set_password(self, account: Account, username: str, password: str, *, by: str = "operator") -> None:
        """Give a user another password; the user's logins end now. Raises BadAccount, UnknownAccount."""
        user = await self.user_named(account, username)
        md5_key, sha_key = await self._keys(account, user.username, password)

        async def work(transaction: Transaction) -> None:
            sql = "UPDATE kazoo_users SET md5_key = $2, sha_key = $3 WHERE id = $1"
            if not await transaction.execute(sql, user.id, md5_key, sha_key):
                raise UnknownAccount(f"no user of {account.realm} is called {user.username!r}")
            await transaction.execute(END_LOGINS, account.id, user.id)
            await self._tell(transaction, account, Act.PASSWORD_SET, user.username, by)

        await self._database.write(work)

    async def remove_user(self, account: Account, username: str, *, by: str = "operator") -> None:
        """Remove a user; the user's logins end now, the agent's recordings stay. Raises UnknownAccount."""
        user = await self.user_named(account, username)

        async def work(transaction: Transaction) -> None:
            if not await transaction.execute("DELETE FROM kazoo_users WHERE id = $1", user.id):
                raise UnknownAccount(f"no user of {account.realm} is called {user.username!r}")
            await transaction.execute(END_LOGINS, account.id, user.id)
            await self._tell(transaction, account, Act.USER_REMOVE, user.username, by)

        await self._database.write(work)

    async def issue_api_key(self, account: Account, *, by: str = "operator") -> str:
        """Make an account's new API key and return it, the only time it is seen; the older one's logins end now."""
        return await self._issue(account, secrets.token_hex(SECRET_BYTES), "kazoo_api_keys", Act.API_KEY_ISSUE, by)

    async def issue_push_secret(self, account: Account, *, by: str = "operator") -> str:
        """Make what an account's pushes carry in their URL and return it, the only time; the older one dies now."""
        secret = PUSH_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        return await self._issue(account, secret, "kazoo_push_secrets", Act.PUSH_SECRET_ISSUE, by)

    async def _issue(self, account: Account, secret: str, table: str, act: Act, by: str) -> str:
        async def work(transaction: Transaction) -> str:
            await transaction.execute(f"INSERT INTO {table} {UPSERT}", account.id, secret_hash(secret), self._clock())
            if act is Act.API_KEY_ISSUE:
                await transaction.execute(END_LOGINS, account.id, "")
            await self._tell(transaction, account, act, account.realm, by)
            return secret

        return await self._database.write(work)

    async def _keys(self, account: Account, username: str, password: str) -> tuple[bytes, bytes]:
        salted = (await self.book()).salted.get(account.id)
        if salted is None:
            raise UnknownAccount(f"no account has the id {account.id!r}")
        return await self.derivations.keys(digests_of(username, naming.checked_password(password)), salted)

    async def _tell(
        self, transaction: Transaction, account: Account, act: Act, subject: str, by: str, detail: str = ""
    ) -> None:
        """Let every process know, and the trail tell."""
        await bump(transaction)
        now = EpochMs(self._clock())
        await append(transaction, AuditEntry(now, by, account.tenant, act, subject, Outcome.DONE, detail))

    # Loading

    async def _load_book(self, _: None) -> Book:
        accounts = await self._database.read(LIST_ACCOUNTS)
        return book_of(accounts, await self._database.read("SELECT account, number FROM kazoo_numbers ORDER BY number"))

    async def _load_users(self, account_id: str) -> Users:
        return users_of(await self._database.read(LIST_USERS, account_id))

    async def _load_pusher(self, hashed: str) -> Account | None:
        rows = await self._database.read("SELECT account FROM kazoo_push_secrets WHERE hash = $1", hashed)
        return (await self.tree()).by_id.get(rows[0][0]) if rows else None


def secret_hash(secret: str) -> str:
    """Return what is kept of a random secret: its SHA-256. 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
