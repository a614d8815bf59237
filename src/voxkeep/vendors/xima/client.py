"""Asking Xima's API: requests at the pace, statuses as failures, never the token where it does not belong.

The status alone decides what an answer means: the form of error bodies is documented nowhere (reference 1), so they
only lend their words to the reason.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from voxkeep.collect.errors import (
    BadAnswer,
    ComeBackLater,
    Faltering,
    Forbidden,
    Gone,
    QuotaSpent,
    Refused,
    SourceUnusable,
    TooFast,
    TooMuch,
    VendorFailure,
)
from voxkeep.collect.source import Connection

LARGEST_LIST_BYTES = 64 << 20
LARGEST_ERROR_BYTES = 64 << 10
BLOCK_BYTES = 64 << 10
REASON_LETTERS = 120
TOKEN = re.compile(r"[\x21-\x7e]+")
NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]+")

OK = (200, 204)
FAILURES: Mapping[int, type[VendorFailure]] = {
    401: Refused,
    403: Forbidden,
    404: Gone,
    429: TooFast,
    503: ComeBackLater,
    509: QuotaSpent,
    408: Faltering,
    500: Faltering,
    502: Faltering,
    504: Faltering,
}
"""Reference 6. Any other status is a bad answer that asking again does not mend."""
HINTS = {
    401: "the token is wrong, expired or was refreshed",
    403: "the service user may not do this, or the account is not approved for collecting",
    404: "not found",
    429: "too many requests",
    503: "unavailable",
    509: "bandwidth limit exceeded",
}


class Client:
    """One tenant's API; `connection.url` is its address, without a path of its own as a rule."""

    def __init__(self, connection: Connection) -> None:
        if not TOKEN.fullmatch(connection.secret):
            raise SourceUnusable("the secret is empty or holds letters that no token has")
        self._secret = connection.secret
        self._slot = connection.slot
        self._base = connection.url.rstrip("/")
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=connection.timeout_seconds, sock_read=connection.timeout_seconds
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Xima documents a Content-Type as required, also where there is no content (reference D12)
            headers={"Authorization": f"Bearer {connection.secret}", "Content-Type": "application/json"},
        )

    async def close(self) -> None:
        """Let go of connections."""
        await self._session.close()

    @asynccontextmanager
    async def get(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request in the next slot; yields only what succeeded. Raises VendorFailure, also from the body.

        Redirects are not followed: the token goes to the configured address and nowhere else.
        """
        request = f"GET {path}"
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        url = URL(f"{self._base}{path}?{text}" if text else f"{self._base}{path}", encoded=True)
        await self._slot()
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                if response.status not in OK:
                    raise await self._failure(response, request)
                yield response
        except TimeoutError as error:
            raise Faltering("no answer in time", request=request) from error
        except aiohttp.ClientPayloadError as error:
            raise BadAnswer("the answer was cut short", request=request) from error
        except aiohttp.ClientConnectionError as error:
            raise ComeBackLater(f"no connection: {self.clean(str(error))}", request=request) from error
        except aiohttp.ClientError as error:
            raise BadAnswer(f"not HTTP as it should be: {type(error).__name__}", request=request) from error

    async def list_bytes(self, path: str, query: Mapping[str, str]) -> bytes:
        """Return the whole body of a list. Raises VendorFailure; TooMuch when it is larger than can be held."""
        async with self.get(path, query, {"Accept": "application/json"}) as response:
            body = bytearray()
            async for block in response.content.iter_chunked(BLOCK_BYTES):
                body += block
                if len(body) > LARGEST_LIST_BYTES:
                    raise TooMuch("the list is too long for one answer", request=f"GET {path}")
            return bytes(body)

    async def _failure(self, response: aiohttp.ClientResponse, request: str) -> VendorFailure:
        status = response.status
        raw = await self.beginning(response)
        words = [f"HTTP {status}", HINTS.get(status, ""), self._words(response, raw)]
        reason = ": ".join(word for word in words if word)
        kind = FAILURES.get(status)
        if kind is None:
            facts: dict[str, str | int] = {"status": status, "content_type": response.content_type}
            return BadAnswer(reason, request=request, raw=raw, passing=False, facts=facts)
        if issubclass(kind, ComeBackLater):
            wait = retry_after(response.headers.get("Retry-After", ""), datetime.now(UTC))
            return kind(reason, request=request, wait_seconds=wait)
        return kind(reason, request=request)

    def _words(self, response: aiohttp.ClientResponse, raw: bytes) -> str:
        if 300 <= response.status < 400:  # noqa: PLR2004 -- the redirects
            return "a redirect, which is not followed"
        try:
            answer = msgspec.json.decode(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return ""
        message = answer.get("message") if isinstance(answer, dict) else None
        return self.clean(message) if isinstance(message, str) else ""

    async def beginning(self, response: aiohttp.ClientResponse) -> bytes:
        """Return the beginning of a body that is not what was asked for, the token blotted out."""
        raw = bytearray()
        try:
            async for block in response.content.iter_chunked(BLOCK_BYTES):
                raw += block
                if len(raw) >= LARGEST_ERROR_BYTES:
                    break
        except (aiohttp.ClientError, TimeoutError):
            pass  # what came is enough: the status has decided already
        return self.blotted(bytes(raw[:LARGEST_ERROR_BYTES]))

    def blotted(self, raw: bytes) -> bytes:
        """Return bytes of the vendor's with the token blotted out."""
        return raw.replace(self._secret.encode(), b"***")

    def clean(self, text: str) -> str:
        """Return a text of the vendor's on one short line, the token blotted out."""
        return NOT_PRINTABLE.sub(" ", text.replace(self._secret, "***")).strip()[:REASON_LETTERS]


def retry_after(text: str, now: datetime) -> float | None:
    """Return the seconds that a Retry-After asks for, in either of its forms; None when it says nothing sensible."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)
