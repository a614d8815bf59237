"""The sample contact centre as a Kazoo cluster has it: each tenant an account, each agent a user, one below another."""

import asyncio
import hashlib
import secrets

from msgspec import Struct

from voxkeep.archive.model import Tenant
from voxkeep.demo.people import AGENTS, DemoAgent, DemoTenant
from voxkeep.vendors.kazoo.accounts import Account, Accounts, Person, User
from voxkeep.vendors.kazoo.credentials import digests_of

NUMBERS_APART = 10
"""Phone numbers of the sample accounts lie so far from each other."""
COST = 1 << 10
"""scrypt's N for sample accounts: their passwords guard nothing, and a demo must start soon."""


class KazooAccess(Struct, frozen=True):
    """How a sample account is reached; all secrets are new."""

    account_id: str
    account_name: str
    username: str
    password: str
    user_id: str
    api_key: str
    push_secret: str

    @property
    def credentials(self) -> str:
        """The MD5 that logins carry."""
        return digests_of(self.username, self.password).md5


class Cluster:
    """Makes the accounts of a demo, one after the other: those above before those below."""

    def __init__(self, accounts: Accounts, seed: int) -> None:
        self._accounts = accounts
        self._seed = seed
        self._made: dict[str, Account] = {}

    async def add(self, tenant: Tenant, person: DemoTenant) -> KazooAccess:
        """Make a tenant an account with a user for each agent, who all share a password."""
        first = f"1801555{len(self._made) * NUMBERS_APART + 100:04d}"
        account = await self._accounts.add_account(
            tenant,
            tenant.name,
            f"{tenant.name}.sip.test",
            id=self._id(tenant.name),
            parent=self._made[person.parent].id if person.parent else "",
            numbers=[first],
            by="demo",
        )
        self._made[tenant.name] = account
        password = secrets.token_urlsafe(12)
        users = await asyncio.gather(*(self._user(account, agent, password) for agent in AGENTS))
        return KazooAccess(
            account_id=account.id,
            account_name=account.name,
            username=users[0].username,
            password=password,
            user_id=users[0].id,
            api_key=await self._accounts.issue_api_key(account, by="demo"),
            push_secret=await self._accounts.issue_push_secret(account, by="demo"),
        )

    async def _user(self, account: Account, agent: DemoAgent, password: str) -> User:
        first_name, _, last_name = agent.name.partition(" ")
        person = Person(
            first_name=first_name,
            last_name=last_name,
            agent_name=agent.name,
            agent_extension=agent.extension,
            agent_login=agent.login,
        )
        identity = self._id(account.name, agent.login)
        return await self._accounts.add_user(account, agent.login, password, person, id=identity, by="demo")

    def _id(self, *names: str) -> str:
        """Return an id that depends on nothing but the seed and what it is of."""
        return hashlib.sha256("/".join([str(self._seed), *names]).encode()).hexdigest()[:32]
