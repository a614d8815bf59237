"""Asking 8x8's FTPS server, where the audio lies (reference 3): implicit TLS, one login, one question at a time.

The standard library's client blocks, so it runs in a thread of its own; blocks of audio come out of it one by one, as
they are asked for. Logging in takes a slot of the pace, and so does each question. A login that the server has dropped
meanwhile is renewed once. Knows no records: folders, names and bytes only.
"""

import asyncio
import ftplib
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from msgspec import Struct

from voxkeep.collect.errors import (
    BadAnswer,
    ComeBackLater,
    Faltering,
    Gone,
    Refused,
    SourceUnusable,
    VendorFailure,
)
from voxkeep.collect.http import BLOCK_BYTES, cut_short, is_text, one_line
from voxkeep.collect.source import Download, Slot

T = TypeVar("T")

LARGEST_LIST_BYTES = 64 << 20
CLOSING_SECONDS = 2.0
"""How long the server is waited for when we have all we asked for and only say goodbye."""
BROKEN = (ftplib.Error, OSError, EOFError, ValueError)
"""What the standard library raises; ValueError for a reply without its number, or a host whose name can be none."""
NOT_THERE = 550
AUDIO = ".wav"
PASSWORD = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]+")


class Server(Struct, frozen=True, kw_only=True):
    """Where to log in."""

    host: str
    port: int
    user: str
    password: str
    timeout_seconds: float
    authority: str = ""
    """PEM file; "" for the authorities that the system knows."""

    def __repr__(self) -> str:
        """Leave the password out."""
        return f"Server({self.host!r}, {self.port}, {self.user!r})"


class _Session(ftplib.FTP_TLS):
    """A control connection whose first byte is TLS already; data connections go on in its TLS session."""

    def __init__(self, context: ssl.SSLContext, timeout_seconds: float) -> None:
        super().__init__(context=context, timeout=timeout_seconds)
        self.data: socket.socket | None = None

    def log_in(self, server: Server) -> None:
        self.host, self.port = server.host, server.port
        plain = socket.create_connection((server.host, server.port), self.timeout)
        self.sock = self._wrapped(plain, None)
        self.sock.do_handshake()
        self.af = self.sock.family
        # whatever letters a server's texts are in, only its numbers count
        self.file = self.sock.makefile("r", encoding=self.encoding, errors="replace")
        self.welcome = self.getresp()
        self.login(server.user, server.password)
        self.prot_p()
        self.voidcmd("TYPE I")

    def _wrapped(self, plain: socket.socket, session: ssl.SSLSession | None) -> ssl.SSLSocket:
        """Return a socket that speaks TLS from here on; its handshake is to come, where `shut` can reach it."""
        try:
            return self.context.wrap_socket(
                plain, server_hostname=self.host, session=session, do_handshake_on_connect=False
            )
        except BaseException:
            plain.close()
            raise

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """Servers refuse data connections that do not prove to be ours by the session."""
        plain, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321 -- its next line speaks TLS
        assert isinstance(self.sock, ssl.SSLSocket)  # noqa: S101 -- log_in made it so
        data = self._wrapped(plain, self.sock.session)
        self.data = data
        data.do_handshake()
        return data, size

    def begin(self, command: str, path: str) -> int | None:
        """Begin a transfer, and return how many bytes it will have, where the server says so."""
        size = self._size(path) if command == "RETR" else None
        self.ntransfercmd(f"{command} {path}")
        return size

    def _size(self, path: str) -> int | None:
        try:
            return self.size(path)
        except (ftplib.error_perm, ValueError) as error:
            if _code(error) == NOT_THERE:
                raise
            return None

    def read(self) -> bytes:
        assert self.data is not None  # noqa: S101 -- begin made it
        return self.data.recv(BLOCK_BYTES)

    def finish(self) -> None:
        """End a transfer that was read to its end, and hear from the server whether that was all."""
        data, self.data = self.data, None
        assert isinstance(data, ssl.SSLSocket)  # noqa: S101 -- begin made it
        data.settimeout(CLOSING_SECONDS)
        with suppress(OSError, ValueError), data:
            data.unwrap()
        self.voidresp()

    def leave(self) -> None:
        """Say goodbye."""
        with suppress(*ftplib.all_errors):
            if self.sock is not None:
                self.sock.settimeout(CLOSING_SECONDS)
                self.quit()
        self.close()

    def close(self) -> None:
        if self.data is not None:
            self.data.close()
        super().close()

    def shut(self) -> None:
        """Wake a thread that waits for the server; may be called from another one."""
        for each in (self.data, self.sock):
            if each is not None:
                with suppress(OSError):
                    # not ssl's own, which would wait for its turn
                    socket.socket.shutdown(each, socket.SHUT_RDWR)


class _Dropped(ComeBackLater):
    """The connection is gone."""


FAILURES: dict[int, type[VendorFailure]] = {
    530: Refused,
    NOT_THERE: Gone,
    421: _Dropped,
    425: Faltering,
    426: Faltering,
    451: Faltering,
    452: Faltering,
}
"""Replies (RFC 959). Other 4xx ask to come back later; other 5xx are bad answers that asking again does not mend."""


class Ftps:
    """One login at a time at one server."""

    def __init__(self, server: Server, slot: Slot) -> None:
        if not PASSWORD.fullmatch(server.password):
            raise SourceUnusable("the FTPS password is empty or holds letters that no password has")
        self._server = server
        self._slot = slot
        self._context = _context(server.authority)
        self._session: _Session | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ftps")

    async def close(self) -> None:
        """Log out and let go of the connection."""
        session, self._session = self._session, None
        if session is not None:
            self._thread.submit(session.leave)
        await asyncio.to_thread(self._thread.shutdown)

    async def log_in(self) -> None:
        """Log in, unless we are. Raises VendorFailure."""
        if self._session is not None:
            return
        request = f"FTPS login at {self._server.host}"
        await self._slot()
        self._session = _Session(self._context, self._server.timeout_seconds)
        try:
            await self._run(request, self._session.log_in, self._server)
        except (Gone, Faltering, BadAnswer) as error:
            self._drop()
            raise _at_login(error) from error
        except BaseException:
            self._drop()
            raise

    async def names(self, folder: str) -> list[str]:
        """Return the names in a folder. Raises VendorFailure, Gone when there is no such folder."""
        listing = (await self.whole("NLST", folder)).decode(errors="replace")
        return [line.rpartition("/")[2] for line in listing.splitlines() if line]

    async def whole(self, command: str, path: str) -> bytes:
        """Return all that a command brings. Raises VendorFailure."""
        body = bytearray()
        async with self._transfer(command, path) as (blocks, _):
            async for block in blocks:
                body += block
                if len(body) > LARGEST_LIST_BYTES:
                    raise BadAnswer("too long to be a list", request=f"{command} {path}", passing=False)
        return bytes(body)

    @asynccontextmanager
    async def fetch(self, path: str) -> AsyncIterator[Download]:
        """Ask for a file. Raises VendorFailure, also from the blocks."""
        async with self._transfer("RETR", path) as (blocks, size):
            yield Download(_audio(blocks, f"RETR {path}"), size)

    @asynccontextmanager
    async def _transfer(self, command: str, path: str) -> AsyncIterator[tuple[AsyncIterator[bytes], int | None]]:
        size = await self._begin(command, path)
        session = self._session
        assert session is not None  # noqa: S101 -- it has just answered
        try:
            yield self._blocks(session, f"{command} {path}"), size
        finally:
            if session.data is not None:
                # left in the middle: what the server still sends would be taken for the next answer
                self._drop()

    async def _begin(self, command: str, path: str) -> int | None:
        """Begin a transfer; a login that turns out to be dropped is renewed once."""
        if self._session is not None:
            try:
                return await self._ask(self._session, command, path)
            except _Dropped:
                pass
        await self.log_in()
        assert self._session is not None  # noqa: S101 -- we are logged in
        return await self._ask(self._session, command, path)

    async def _ask(self, session: _Session, command: str, path: str) -> int | None:
        await self._slot()
        try:
            return await self._run(f"{command} {path}", session.begin, command, path)
        except Gone:
            raise
        except BaseException:
            # who did not answer as it should may answer later, when something else is asked
            self._drop()
            raise

    async def _blocks(self, session: _Session, request: str) -> AsyncIterator[bytes]:
        received, head = 0, b""
        try:
            while block := await self._run(request, session.read):
                head = head or block
                received += len(block)
                yield block
            await self._run(request, session.finish)
        except VendorFailure as error:
            self._drop()
            if isinstance(error, Faltering) and isinstance(error.__cause__, TimeoutError):
                raise
            what = "the audio" if request.endswith(AUDIO) else "the answer"
            raise cut_short(request, received, head, what=what) from error

    async def _run(self, request: str, work: Callable[..., T], *values: object) -> T:
        """Do some work in the thread. Raises VendorFailure; who is cancelled leaves the connection behind."""
        doing = self._thread.submit(work, *values)
        try:
            return await asyncio.wrap_future(doing)
        except asyncio.CancelledError:
            self._drop()
            raise
        except BROKEN as error:
            raise self._failure(error, request) from error

    def _failure(self, error: Exception, request: str) -> VendorFailure:
        if isinstance(error, TimeoutError):
            return Faltering("no answer in time", request=request)
        words = one_line(str(error), [self._server.password])
        if isinstance(error, OSError | EOFError):
            return _Dropped(f"no connection: {words or 'it was closed'}", request=request)
        code = _code(error)
        kind = FAILURES.get(code)
        if kind is Gone:
            return Gone(f"FTP {words}", request=request, code=code)
        if kind is None and not isinstance(error, ftplib.error_temp):
            return BadAnswer(f"FTP {words}", request=request, passing=False)
        return (kind or ComeBackLater)(f"FTP {words}", request=request)

    def _drop(self) -> None:
        """Let go of the connection at once; it is closed when the thread has come back from it."""
        session, self._session = self._session, None
        if session is not None:
            session.shut()
            self._thread.submit(session.close)


def _at_login(error: VendorFailure) -> VendorFailure:
    """Return what a failure means before we are in: a reply of 5xx that it will not have us."""
    if isinstance(error, Faltering):
        return ComeBackLater(error.reason, request=error.request)
    if isinstance(error.__cause__, ftplib.error_perm):
        return Refused(error.reason, request=error.request)
    return error


async def _audio(blocks: AsyncIterator[bytes], request: str) -> AsyncIterator[bytes]:
    first = True
    async for block in blocks:
        if first and is_text(block):
            raise BadAnswer("text in place of audio", request=request, raw=block)
        first = False
        yield block


def _context(authority: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=authority or None)
    except OSError as error:
        raise SourceUnusable(f"{authority}: no certificates can be read from it") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _code(error: Exception) -> int:
    """Return the number that a reply begins with, 0 for what is none."""
    head = str(error)[:3]
    return int(head) if head.isascii() and head.isdigit() else 0
