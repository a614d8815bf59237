"""Asking in the Kazoo dialect, and reading its envelopes; accounts and users to ask as."""

import asyncio
import contextlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.server.harness import Answer, World, parsed, request_bytes

from voxkeep.archive.model import Tenant
from voxkeep.settings import Kazoo, Settings
from voxkeep.vendors.kazoo.accounts import Account, Accounts, Person, User
from voxkeep.vendors.kazoo.credentials import digests_of
from voxkeep.vendors.kazoo.people import NO_PERSON

BASE = "/v2"
CHEAP = 16
"""scrypt's N for accounts in tests; an account keeps its own, so the server derives as cheaply."""
WITHOUT_LIMITS = Settings(kazoo=Kazoo(rate_limits=False))
USERNAME, PASSWORD = "ann", "an invented horse"
TOKEN = re.compile(r"vk_kazoo_[A-Za-z0-9_-]{43}")
ALWAYS = {"data", "status", "request_id", "timestamp", "version", "node"}


class Made(NamedTuple):
    """A tenant with its account, and a user of it whose password is PASSWORD."""

    tenant: Tenant
    account: Account
    user: User

    @property
    def path(self) -> str:
        """The account's path below the dialect's."""
        return f"accounts/{self.account.id}"

    def credentials(self, method: str = "md5", password: str = PASSWORD) -> str:
        """Return what a client sends to log in as the user."""
        digests = digests_of(self.user.username, password)
        return digests.md5 if method == "md5" else digests.sha

    @property
    def basic(self) -> str:
        """The Authorization header of the scheme Basic."""
        return basic(self.account.id, self.credentials())


def basic(account_id: str, credentials: str) -> str:
    return f"Basic {b64encode(f'{account_id}:{credentials}'.encode()).decode()}"


def accounts_of(world: World) -> Accounts:
    """Return the accounts of a world, as a command beside the server has them."""
    return Accounts(world.archive.database, cost=CHEAP)


async def account(
    world: World,
    name: str = "acme",
    *,
    realm: str = "",
    parent: Made | None = None,
    numbers: tuple[str, ...] = (),
    username: str = USERNAME,
    person: Person = NO_PERSON,
) -> Made:
    """Make a tenant with an account and a user."""
    accounts = accounts_of(world)
    tenant = await world.tenant(name)
    above = "" if parent is None else parent.account.id
    made = await accounts.add_account(tenant, name, realm or f"{name.lower()}.sip.test", parent=above, numbers=numbers)
    return Made(tenant, made, await accounts.add_user(made, username, PASSWORD, person))


async def asked(
    world: World, method: str, path: str, token: str | None = None, *, body: bytes | None = None, **headers: str
) -> Answer:
    """Ask below the dialect's path with X-Auth-Token; `_` in a header's name stands for `-`."""
    sent = {"Host": "localhost", "Connection": "close"}
    if token is not None:
        sent["X-Auth-Token"] = token
    if body is not None:
        sent |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    try:
        writer.write(request_bytes(method, f"{BASE}/{path}", sent) + (body or b""))
        return parsed(await reader.read(), method)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def sent(world: World, method: str, path: str, data: object, token: str | None = None, **more: object) -> Answer:
    """Ask with `data` in its envelope, and `more` beside it."""
    return await asked(world, method, path, token, body=json.dumps({"data": data, **more}).encode())


async def got(world: World, path: str, token: str | None = None, **query: object) -> Answer:
    """GET with a query."""
    return await asked(world, "GET", f"{path}?{urlencode(query)}" if query else path, token)


async def login(world: World, made: Made, **data: object) -> str:
    """Log in as the user of an account, by its realm unless `data` names it otherwise, and return the token."""
    locator = data or {"account_realm": made.account.realm}
    answer = await sent(world, "PUT", "user_auth", {"credentials": made.credentials(), **locator})
    token = ok(answer, 201)["auth_token"]
    assert isinstance(token, str)
    assert TOKEN.fullmatch(token)
    return token


def ok(answer: Answer, status: int = 200) -> dict[str, Any]:
    """Check an answer to be a success in its envelope, and return the envelope."""
    envelope = _envelope(answer, status)
    assert envelope["status"] == "success"
    assert not envelope.keys() & {"error", "message"}
    return envelope


def refused(answer: Answer, status: int, message: str) -> Any:
    """Check an answer to be a refusal in its envelope, and return its data."""
    envelope = _envelope(answer, status)
    assert (envelope["status"], envelope["error"], envelope["message"]) == ("error", str(status), message)
    assert b"Traceback" not in answer.body
    return envelope["data"]


def _envelope(answer: Answer, status: int) -> dict[str, Any]:
    assert answer.status == status, answer
    # Kazoo's own client compares the type with exactly this
    assert answer.headers["content-type"] == "application/json"
    envelope: dict[str, Any] = json.loads(answer.body)
    assert envelope.keys() >= ALWAYS, envelope
    assert answer.headers["x-request-id"] == envelope["request_id"]
    assert datetime.fromisoformat(envelope["timestamp"]).utcoffset() is not None
    assert len(envelope["node"]) == 22
    return envelope


def wrong(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what a validation error tells: each field, and the rules that it breaks, each with a message."""
    assert all(detail["message"] for rules in data.values() for detail in rules.values())
    return {field: sorted(rules) for field, rules in data.items()}
