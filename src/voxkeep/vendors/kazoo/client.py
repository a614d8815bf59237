"""Asking a Kazoo cluster: one login for all that ask with the same one, its token, and what its refusals mean.

Reference 4 (authentication), 1.6 (errors), 0.17 (a login costs a third of what an address may ask at once).
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar
from urllib.parse import quote
from weakref import WeakKeyDictionary

import msgspec
from msgspec.structs import replace

from voxkeep.collect.errors import BadAnswer, Forbidden, Gone, Refused, SourceUnusable, VendorFailure
from voxkeep.collect.http import OK, HttpClient
from voxkeep.collect.source import Connection, Download
from voxkeep.vendors.kazoo import shapes
from voxkeep.vendors.kazoo.options import API_KEY, WORD, Options

T = TypeVar("T")

BASE = re.compile(r"/v[12]$")
"""What an address may end in: guides and SDKs show it with the API's path."""
CREATED = 201
"""A login's status (reference 0.13)."""
MALFORMED = 400
"""A key of a wrong form; an unknown one is a 404 (reference 4)."""
RESUMES = 5
HINTS = {
    401: "not let in",
    403: "the login may not see this account",
    404: "not found",
    423: "the account is locked",
}
LARGEST_LIST_BYTES = 64 << 20


class Credentials:
    """What a login sends, and what of it must never be told. Raises SourceUnusable."""

    def __init__(self, secret: str, options: Options) -> None:
        if options.username:
            if not WORD.fullmatch(secret):
                raise SourceUnusable("the password is empty or holds letters that no password has")
            text = f"{options.username.lower()}:{secret}"
            # Kazoo's own form (reference 4): it guards nothing
            digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
            place = {"account_name": options.account_name} if options.account_name else {"realm": options.realm}
            self.path, self.data = "/v2/user_auth", {"credentials": digest, "method": "md5", **place}
            self.hidden = [secret, digest]
        else:
            if not API_KEY.fullmatch(secret):
                raise SourceUnusable("the secret is no API key (64 hex digits); a password needs --username")
            self.path, self.data, self.hidden = "/v2/api_auth", {"api_key": secret}, [secret]

    @property
    def body(self) -> bytes:
        """The body of the login."""
        return msgspec.json.encode({"data": self.data})


class Session:
    """A login that is asked for when it is needed, once for all who need it."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._login: shapes.Login | None = None

    async def login(self, ask: Callable[[], Awaitable[shapes.Login]], worn: str = "") -> shapes.Login:
        """Return the login; `ask` makes one where there is none yet, or only the one whose token is `worn`."""
        async with self._lock:
            if self._login is None or self._login.token == worn:
                self._login = None
                self._login = await ask()
            return self._login


_sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bytes, Session]] = WeakKeyDictionary()


def session_of(url: str, credentials: Credentials) -> Session:
    """Return the session of a login at a cluster: sources that log in alike share it, for logins are dear."""
    sessions = _sessions.setdefault(asyncio.get_running_loop(), {})
    key = hashlib.sha256(b"\0".join((url.encode(), credentials.path.encode(), credentials.body))).digest()
    return sessions.setdefault(key, Session())


class Client(HttpClient):
    """One cluster's API, as one login sees it. Raises SourceUnusable."""

    def __init__(self, connection: Connection, options: Options) -> None:
        self._credentials = Credentials(connection.secret, options)
        connection = replace(connection, url=address_of(connection.url))
        self._session_shared = session_of(connection.url, self._credentials)
        super().__init__(connection, {}, self._credentials.hidden, {423: Refused}, HINTS)

    # Logging in

    async def login(self, worn: str = "") -> shapes.Login:
        """Return the login, a new one if it has a worn token. Raises VendorFailure; Refused where it is not taken."""
        found = await self._session_shared.login(self._log_in, worn)
        self.hide(found.token)
        return found

    async def _log_in(self) -> shapes.Login:
        path = self._credentials.path
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            async with self.request(
                "PUT", path, {}, headers, body=self._credentials.body, good=(*OK, CREATED)
            ) as response:
                body = await self.body(response)
        except (Refused, Gone) as error:
            raise _not_accepted(error) from error
        except BadAnswer as error:
            if error.facts.get("status") == MALFORMED:
                raise _not_accepted(error) from error
            raise
        try:
            return shapes.login(body)
        except shapes.Unreadable as error:
            raise BadAnswer(f"no login: {error}", request=f"PUT {path}", passing=False) from error

    async def _with_token(self, ask: Callable[[Mapping[str, str]], Awaitable[T]]) -> T:
        """Ask with the token's header; where the token is not accepted (any more), log in again and ask once more."""
        token = (await self.login()).token
        try:
            return await ask({"X-Auth-Token": token})
        except Forbidden:
            raise
        except Refused:
            token = (await self.login(worn=token)).token
            return await ask({"X-Auth-Token": token})

    # Asking

    async def json(self, path: str, query: Mapping[str, str]) -> bytes:
        """Return the whole body of a JSON answer. Raises VendorFailure."""
        return await self._with_token(lambda headers: self.whole(path, query, LARGEST_LIST_BYTES, headers))

    @asynccontextmanager
    async def media(self, path: str) -> AsyncIterator[Download]:
        """Ask for a recording's audio, whatever kind it is. Raises VendorFailure, also from the blocks."""
        async with AsyncExitStack() as stack:

            async def ask(headers: Mapping[str, str]) -> Download:
                wanted = {"Accept": "audio/mpeg", **headers}
                return await stack.enter_async_context(self.audio(path, wanted, RESUMES))

            yield await self._with_token(ask)


def address_of(url: str) -> str:
    """Return a cluster's address without the API's path, which may or may not have been given with it."""
    return BASE.sub("", url.rstrip("/"))


def _not_accepted(error: VendorFailure) -> Refused:
    causes = "the user, password, key or account is wrong, or a second factor is asked for"
    return Refused(f"the login is not accepted ({causes}): {error.reason}", request=error.request)


def recordings_path(account: str) -> str:
    """Return the path of an account's recordings."""
    return f"/v2/accounts/{account}/recordings"


def recording_path(account: str, key: str) -> str:
    """Return the path of one recording, which is also the one that a DELETE would take: it is only ever got."""
    return f"{recordings_path(account)}/{quote(key, safe='')}"
