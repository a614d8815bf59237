"""The bodies of logins, checked field by field as Kazoo's schemas have it (reference 4: `user_auth`, `api_auth`)."""

from collections.abc import Mapping
from typing import Any, Self

from msgspec import Struct

from voxkeep.vendors.kazoo.credentials import KEY_COLUMNS
from voxkeep.vendors.kazoo.validate import Kind, Rule, Rules, checked

METHODS = tuple(KEY_COLUMNS)
WORD = Rule(kind=Kind.STRING, max_length=253)
USER_AUTH: Rules = {
    "credentials": Rule(kind=Kind.STRING, required=True, min_length=1, max_length=64, secret=True),
    "method": Rule(kind=Kind.STRING, one_of=METHODS),
    "phone_number": WORD,
    "account_realm": WORD,
    "realm": WORD,
    "account_name": WORD,
    "account_id": Rule(kind=Kind.STRING, min_length=32, max_length=32),
}
API_AUTH: Rules = {"api_key": Rule(kind=Kind.STRING, required=True, min_length=64, max_length=64, secret=True)}


class UserAuth(Struct, frozen=True):
    """A login as a user; a word that did not come is empty."""

    credentials: str
    method: str
    phone_number: str
    realm: str
    account_name: str
    account_id: str

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read the data of a login. Raises KazooError (400) naming every field that cannot be."""
        given = checked(_without_nulls(data), USER_AUTH)
        return cls(
            given["credentials"],
            given.get("method", METHODS[0]),
            given.get("phone_number", ""),
            given.get("account_realm") or given.get("realm", ""),
            given.get("account_name", ""),
            given.get("account_id", ""),
        )


class ApiAuth(Struct, frozen=True):
    """A login with an API key."""

    api_key: str

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read the data of a login. Raises KazooError (400)."""
        return cls(checked(_without_nulls(data), API_AUTH)["api_key"])


def _without_nulls(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return data without what is null, which is as good as nothing: some clients send it for what they lack."""
    return {name: value for name, value in data.items() if value is not None}
