"""Asking a vendor over HTTP: requests at the pace, statuses as failures, never the secret where it does not belong.

The status alone decides what an answer means: the form of error bodies is documented nowhere, so they only lend
their words to the reason. Knows no vendor: how one wants to be asked stands in its room.
"""

import ipaddress
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
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
    Refused,
    SourceUnusable,
    TooFast,
    TooMuch,
    VendorFailure,
)
from voxkeep.collect.resume import PARTIAL, Broken, CutShort, resumed
from voxkeep.collect.source import Connection, Download

LARGEST_LIST_BYTES = 64 << 20
LARGEST_ERROR_BYTES = 64 << 10
BLOCK_BYTES = 64 << 10
REASON_LETTERS = 120
TOKEN = re.compile(r"[\x21-\x7e]+")

NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]+")
TEXT_TYPES = ("application/json", "text/", "application/xml", "application/xhtml")
TEXT_BEGINS = (b"{", b"[", b"<")

OK = (200, 204)
FAILURES: Mapping[int, type[VendorFailure]] = {
    401: Refused,
    403: Forbidden,
    404: Gone,
    429: TooFast,
    503: ComeBackLater,
    408: Faltering,
    500: Faltering,
    502: Faltering,
    504: Faltering,
}
"""Any other status is a bad answer that asking again does not mend."""
HINTS: Mapping[int, str] = {
    401: "the token is wrong or expired",
    403: "this may not be done with the token",
    404: "not found",
    429: "too many requests",
    503: "unavailable",
}


class HttpClient:
    """One tenant's API; `connection.url` is its address, without a path of its own as a rule.

    `secrets` are blotted out of everything that is told; `failures` and `hints` add a vendor's own statuses.
    """

    def __init__(
        self,
        connection: Connection,
        headers: Mapping[str, str],
        secrets: Sequence[str],
        failures: Mapping[int, type[VendorFailure]] | None = None,
        hints: Mapping[int, str] | None = None,
    ) -> None:
        self._secrets = [secret for secret in secrets if secret]
        self._failures = {**FAILURES, **(failures or {})}
        self._hints = {**HINTS, **(hints or {})}
        self._slot = connection.slot
        self._base = connection.url.rstrip("/")
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=connection.timeout_seconds, sock_read=connection.timeout_seconds
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
        )

    async def close(self) -> None:
        """Let go of connections."""
        await self._session.close()

    def hide(self, secret: str) -> None:
        """Blot out one more secret from now on: one that the vendor gave, say."""
        if secret and secret not in self._secrets:
            self._secrets.append(secret)

    def get(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str], good: Sequence[int] = OK
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send a GET; see `request`."""
        return self.request("GET", path, query, headers, good=good)

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        body: bytes | None = None,
        good: Sequence[int] = OK,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request in the next slot; yields only what succeeded. Raises VendorFailure, also from the body.

        `good` are the statuses of success. Redirects are not followed: the token goes to the configured address and
        nowhere else.
        """
        request = f"{method} {path}"
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        url = URL(f"{self._base}{path}?{text}" if text else f"{self._base}{path}", encoded=True)
        await self._slot()
        try:
            async with self._session.request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                if response.status not in good:
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

    async def whole(
        self,
        path: str,
        query: Mapping[str, str],
        most: int = LARGEST_LIST_BYTES,
        headers: Mapping[str, str] = {},
    ) -> bytes:
        """Return the whole body of a JSON answer. Raises VendorFailure; TooMuch when it is longer than `most`."""
        async with self.get(path, query, {"Accept": "application/json", **headers}) as response:
            return await self.body(response, most)

    async def body(self, response: aiohttp.ClientResponse, most: int = LARGEST_LIST_BYTES) -> bytes:
        """Return the whole body of an answer. Raises TooMuch when it is longer than `most`."""
        body = bytearray()
        async for block in response.content.iter_chunked(BLOCK_BYTES):
            body += block
            if len(body) > most:
                request = f"{response.method} {response.url.raw_path}"
                raise TooMuch("the list is too long for one answer", request=request)
        return bytes(body)

    # Audio

    @asynccontextmanager
    async def audio(self, path: str, headers: Mapping[str, str], resumes: int = 0) -> AsyncIterator[Download]:
        """Ask for audio. Raises VendorFailure, also from the blocks; text in its place is a BadAnswer.

        A stream that breaks off is asked for from there on, up to `resumes` times, where the vendor can do that.
        """
        wanted = {**headers, "Accept-Encoding": "identity"}
        async with AsyncExitStack() as stack:
            response = await stack.enter_async_context(self.get(path, {}, wanted))
            if response.content_type.startswith(TEXT_TYPES):
                raise await self._text_for_audio(response, b"")
            length = None if "Content-Encoding" in response.headers else response.content_length
            blocks = self._blocks(response)
            broken = Broken.of(response, length, lambda more: self.get(path, {}, {**wanted, **more}, (PARTIAL,)))
            if resumes and broken is not None:
                blocks = resumed(stack, blocks, broken, self._blocks, resumes)
            yield Download(blocks, length)

    async def _text_for_audio(self, response: aiohttp.ClientResponse, head: bytes) -> BadAnswer:
        facts: dict[str, str | int] = {"status": response.status, "content_type": response.content_type}
        raw = self.blotted(head + await self.beginning(response))
        return BadAnswer("text in place of audio", request=f"GET {response.url.raw_path}", raw=raw, facts=facts)

    async def _blocks(self, response: aiohttp.ClientResponse, received: int = 0) -> AsyncIterator[bytes]:
        """Yield the blocks of audio of which `received` bytes came before."""
        head = b""
        try:
            async for block in response.content.iter_chunked(BLOCK_BYTES):
                if not received and is_text(block):
                    raise await self._text_for_audio(response, block)
                head = head or block
                received += len(block)
                yield block
        except aiohttp.ClientPayloadError as error:
            request = f"GET {response.url.raw_path}"
            raise cut_short(request, received, head, response.content_type) from error

    # What went wrong

    async def _failure(self, response: aiohttp.ClientResponse, request: str) -> VendorFailure:
        status = response.status
        raw = await self.beginning(response)
        words = [f"HTTP {status}", self._hints.get(status, ""), self._words(response, raw)]
        reason = ": ".join(word for word in words if word)
        kind = self._failures.get(status)
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
        """Return the beginning of a body that is not what was asked for, the secrets blotted out."""
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
        """Return bytes of the vendor's with the secrets blotted out."""
        for secret in self._secrets:
            raw = raw.replace(secret.encode(), b"***")
        return raw

    def clean(self, text: str) -> str:
        """Return a text of the vendor's on one short line, the secrets blotted out."""
        return one_line(text, self._secrets)


def one_line(text: str, secrets: Sequence[str]) -> str:
    """Return a text of a vendor's as a reason: one short line, secrets blotted out."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return NOT_PRINTABLE.sub(" ", text).strip()[:REASON_LETTERS]


def is_text(head: bytes) -> bool:
    """Tell whether something begins like JSON, XML or HTML, which no audio does."""
    return head.lstrip().startswith(TEXT_BEGINS)


def cut_short(request: str, received: int, head: bytes, content_type: str = "", what: str = "the audio") -> CutShort:
    """Return what is to be told of audio, or something else, that broke off."""
    facts: dict[str, str | int] = {"received_bytes": received, "content_type": content_type}
    return CutShort(f"{what} was cut short", request=request, raw=head, facts=facts)


def checked_token(secret: str) -> str:
    """Return a secret that may be a token. Raises SourceUnusable."""
    if not TOKEN.fullmatch(secret):
        raise SourceUnusable("the secret is empty or holds letters that no token has")
    return secret


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


def checked_url(text: str, *, allow_http: bool = False) -> str:
    """Return an address that a token may be sent to. Raises ValueError with the reason."""
    if not TOKEN.fullmatch(text):
        raise ValueError("the URL holds letters that no URL has")
    url = URL(text)
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("the URL must begin with https:// (or http://) and name a host")
    if url.user or url.password or url.query_string or url.fragment:
        raise ValueError("the URL must hold no user name, password, query or fragment")
    if url.scheme == "http" and not allow_http and not _is_loopback(url.host):
        raise ValueError("plain http would show the token to everyone on the way: use https")
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
