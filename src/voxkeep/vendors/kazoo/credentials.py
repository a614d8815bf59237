"""What a login proves itself with: MD5 or SHA-1 of `username:password` in hex (reference 4), and what is kept of it.

Neither digest is kept, since either opens the account: a key is derived from it by scrypt, with one salt an account, so
that one derivation finds the user by index. Knows no HTTP.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

COST = 1 << 14
"""scrypt's N."""
BLOCK, LANES, KEY_BYTES, SALT_BYTES = 5, 1, 32, 16
"""With N 2^14 and blocks of 5, a derivation takes 10 MiB and 25 ms here; the usual blocks of 8 took 40."""
AT_ONCE = 2
"""Derivations under way at one time; one more waits."""
KEY_COLUMNS: Mapping[str, str] = {"md5": "md5_key", "sha": "sha_key"}
"""A login's method, and where the key of its digest is kept."""


class Salted(Struct, frozen=True):
    """How an account's keys are derived."""

    salt: bytes
    cost: int = COST


class Digests(NamedTuple):
    """What logins carry for one password, in lower-case hex."""

    md5: str
    sha: str


class Keys(NamedTuple):
    """What is kept of one password."""

    md5: bytes
    sha: bytes


def new_salt() -> bytes:
    """Return a salt for a new account."""
    return secrets.token_bytes(SALT_BYTES)


def digests_of(username: str, password: str) -> Digests:
    """Return what a client sends for a user. Clients hash the name in lower case."""
    pair = f"{username.lower()}:{password}".encode()
    # the digests are the vendor's protocol; what guards them here is scrypt
    return Digests(hashlib.md5(pair, usedforsecurity=False).hexdigest(), hashlib.sha1(pair).hexdigest())  # noqa: S324


class Derivations:
    """Derives keys beside the event loop, few at a time: a crowd of logins must not take the whole machine."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def key(self, digest: str, salted: Salted) -> bytes:
        """Return the key of a digest as it came from a client; hex in capitals is the same."""
        async with self._turn:
            return await asyncio.to_thread(_derive, digest.lower().encode(), salted)

    async def keys(self, digests: Digests, salted: Salted) -> Keys:
        """Return what is kept of a password."""
        return Keys(await self.key(digests.md5, salted), await self.key(digests.sha, salted))


def _derive(digest: bytes, salted: Salted) -> bytes:
    return hashlib.scrypt(digest, salt=salted.salt, n=salted.cost, r=BLOCK, p=LANES, dklen=KEY_BYTES)
