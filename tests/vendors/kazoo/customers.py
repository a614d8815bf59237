"""Customers of the Kazoo dialect: a tenant with an account and a token, and how its lists and documents are read."""

from typing import Any, NamedTuple
from urllib.parse import quote

from tests.server.harness import START, Answer, World

from voxkeep.access import Grant
from voxkeep.archive.model import Tenant
from voxkeep.vendors.kazoo.accounts import Account, Accounts, Person, User
from voxkeep.vendors.kazoo.gregorian import gregorian

PASSWORD = "an invented phrase"
QUICK = 2
"""scrypt's N in tests that are not about passwords."""
AROUND = f"created_from={gregorian(START) - 86_400}&created_to={gregorian(START) + 20 * 86_400}"
"""A window around the sample moment, within the longest that there is."""
ENVELOPE = {"data", "status", "request_id", "timestamp", "version", "node"}
ON_LISTS = {"page_size", "start_key", "next_start_key", "revision", "auth_token"}


class Customer(NamedTuple):
    """A tenant, the account that it is, and a service user's token for it."""

    world: World
    accounts: Accounts
    tenant: Tenant
    account: Account
    token: str

    async def user(self, username: str, password: str = PASSWORD, **fields: str) -> User:
        """Add a user."""
        return await self.accounts.add_user(self.account, username, password, Person(**fields))

    async def ask(self, method: str, target: str, token: str | None = None, **headers: str) -> Answer:
        """Ask below the account."""
        path = f"/v2/accounts/{self.account.id}/{target}" if target else f"/v2/accounts/{self.account.id}"
        return await self.world.ask(method, path, **{"X-Auth-Token": token or self.token, **headers})

    async def send(self, method: str, target: str, body: bytes, **headers: str) -> Answer:
        """Ask below the account with a body."""
        path = f"/v2/accounts/{self.account.id}/{target}"
        return await send(self.world, method, path, body, **{"X-Auth-Token": self.token, **headers})


async def customer(
    world: World, name: str, realm: str = "", *, parent: Account | None = None, grant: Grant | None = None
) -> Customer:
    """Add a tenant with an account."""
    tenant = await world.tenant(name)
    accounts = Accounts(world.archive.database, cost=QUICK)
    above = "" if parent is None else parent.id
    account = await accounts.add_account(tenant, name, realm or f"{name}.sip.test", parent=above)
    token = await world.token(tenant, name=f"kazoo-{name}", grant=grant)
    return Customer(world, accounts, tenant, account, token)


async def send(world: World, method: str, target: str, body: bytes, **headers: str) -> Answer:
    """Send a request with a body, as it is."""
    return await world.send(method, target, body, **headers)


def data(answer: Answer, status: int = 200) -> Any:
    """Check the envelope of a success, and return what is in it."""
    assert answer.status == status, answer
    document = answer.json
    assert set(document) >= ENVELOPE
    assert set(document) <= ENVELOPE | ON_LISTS
    assert document["status"] == "success"
    assert document["request_id"] == answer.headers["x-request-id"]
    return document["data"]


def refused(answer: Answer, status: int, message: str) -> Any:
    """Check the envelope of an error, its status told as a text and its type bare, and return its data."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"
    document = answer.json
    assert (document["status"], document["error"], document["message"]) == ("error", str(status), message)
    assert document["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.body.decode()
    return document["data"]


async def documents(customer: Customer, query: str = "") -> list[dict[str, Any]]:
    """Return one page of a list; around the sample moment unless the query has a window of its own."""
    window = "" if "created_" in query or "paginate" in query else f"{AROUND}&"
    shown: list[dict[str, Any]] = data(await customer.ask("GET", f"recordings?{window}{query}"))
    return shown


def text(value: object) -> str:
    """Return a value as it stands in a query."""
    return quote(str(value), safe="")
