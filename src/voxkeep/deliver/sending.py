"""One try: a recording's bytes to a URL, through its redirects, over connections to addresses that were checked.

Every hop has a session of its own: no cookie, no credential and no connection of one origin is left for another.
"""

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus

import aiohttp
from msgspec import Struct
from yarl import URL

from voxkeep.deliver.errors import BadTarget, Later, Never
from voxkeep.deliver.guard import Checked, Guard
from voxkeep.deliver.patience import retry_after
from voxkeep.deliver.targets import Method, checked_url
from voxkeep.vault import Reader

BLOCK_BYTES = 1 << 18
MOST_REDIRECTS = 10
"""As many as Kazoo follows."""
REDIRECTS = frozenset({301, 302, 307, 308})
"""Followed with the same verb and body, as Kazoo does; a 303 asks for another verb, and is a failure."""
PASSING = frozenset({408, 425, 429})
"""Refusals that may not last, beside every 5xx."""
FAILURES: Mapping[type[Exception], str] = {
    aiohttp.ClientSSLError: "no connection: TLS failed, or the certificate is not one to trust",
    aiohttp.ClientConnectorError: "no connection",
    aiohttp.ClientConnectionError: "the connection was lost",
    aiohttp.ClientError: "the answer is not HTTP as it should be",
    OSError: "the connection was lost",
}
"""In order. Their own texts hold the URL, and are never told."""


class Outgoing(Struct, frozen=True):
    """What is sent where."""

    url: str
    method: Method
    media_type: str
    reader: Reader

    def __repr__(self) -> str:
        """Show nothing that is not to be told."""
        return f"Outgoing({self.method}, {self.reader.size} bytes)"


class Body:
    """The bytes of one hop, and how many of them have left."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._left = reader.size
        self.failed = False
        """The bytes cannot be read here."""

    @property
    def has_left(self) -> bool:
        """Tell whether all of it was handed to the connection."""
        return self._left == 0

    async def blocks(self) -> AsyncIterator[bytes]:
        """Yield the bytes. Raises OSError when they cannot be read."""
        while self._left:
            try:
                block = await self._reader.pread(self._reader.size - self._left, min(self._left, BLOCK_BYTES))
            except OSError:
                self.failed = True
                raise
            if not block:
                self.failed = True
                raise OSError("the object ended early")
            self._left -= len(block)
            yield block


class Sender:
    """Sends to whatever its guard lets pass."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def send(self, outgoing: Outgoing) -> int:
        """Send and return the status of success. Raises Later, Never; wants a time limit around it."""
        try:
            url, authorization = _authorized(checked_url(outgoing.url))
        except BadTarget as error:
            raise Never(f"the URL: {error}") from None
        seen: set[URL] = set()
        while url not in seen:
            seen.add(url)
            status, location = await self._hop(url, authorization, outgoing)
            if location is None:
                return status
            if len(seen) > MOST_REDIRECTS:
                raise Never(f"more than {MOST_REDIRECTS} redirects", status=status)
            url, authorization = _followed(url, location, authorization, status)
        raise Never("the redirects lead in a circle")

    async def _hop(self, url: URL, authorization: str, outgoing: Outgoing) -> tuple[int, str | None]:
        """Return the status of an answer that is no failure, and where it leads on to, if it does."""
        addresses = await self._guard.addresses(url.raw_host or "", url.port or 0)
        body = Body(outgoing.reader)
        headers = {
            "Content-Type": outgoing.media_type,
            "Content-Length": str(outgoing.reader.size),
            "User-Agent": "voxkeep",
            **({"Authorization": authorization} if authorization else {}),
        }
        connector = aiohttp.TCPConnector(resolver=Checked(addresses), use_dns_cache=False, force_close=True)
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=aiohttp.ClientTimeout(total=None),
                    trust_env=False,
                ) as session,
                session.request(
                    outgoing.method.upper(), url, data=body.blocks(), headers=headers, allow_redirects=False
                ) as response,
            ):
                return await _judged(response, body)
        except aiohttp.InvalidURL:
            raise Never("the URL: not one that can be asked for") from None
        except (aiohttp.ClientError, OSError) as error:
            if body.failed:
                raise Later("the audio cannot be read") from None
            raise Later(next(words for kind, words in FAILURES.items() if isinstance(error, kind))) from None


async def _judged(response: aiohttp.ClientResponse, body: Body) -> tuple[int, str | None]:
    status = response.status
    if status in REDIRECTS:
        location = response.headers.get("Location", "")
        if not location:
            raise Never("a redirect that leads nowhere", status=status)
        return status, location
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        raise _refusal(response)
    # who answers before it has everything may still take the rest, or may not
    await response.wait_for_close()
    if not body.has_left:
        raise Later("answered before it had all of the audio", status=status)
    return status, None


def _refusal(response: aiohttp.ClientResponse) -> Later | Never:
    status = response.status
    reason = f"refused: {status}"
    if status in PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        wait = retry_after(response.headers.get("Retry-After", ""))
        return Later(reason, status=status, wait_seconds=wait)
    return Never(reason, status=status)


def _authorized(url: URL) -> tuple[URL, str]:
    """Return a URL without the user name and password in it, and the header that these make; empty for none."""
    if url.raw_user is None and url.raw_password is None:
        return url, ""
    credentials = f"{url.user or ''}:{url.password or ''}".encode()
    return url.with_user(None), f"Basic {b64encode(credentials).decode()}"


def _followed(url: URL, location: str, authorization: str, status: int) -> tuple[URL, str]:
    """Return where a redirect leads, and what authorises there: what did here only within the same origin."""
    try:
        joined = url.join(URL(location, encoded=True))
        following, given = _authorized(checked_url(str(joined)))
    except (BadTarget, ValueError):
        raise Never("a redirect to what is no http or https URL", status=status) from None
    if url.scheme == "https" and following.scheme == "http":
        raise Never("a redirect from https to plain http", status=status)
    return following, given or (authorization if following.origin() == url.origin() else "")
