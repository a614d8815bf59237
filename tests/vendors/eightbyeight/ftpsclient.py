"""An FTPS server in the test's own loop, and ftplib's client taught to speak implicit TLS."""

import asyncio
import ftplib
import io
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from tests.server.harness import World
from tests.server.tls import Certificate

from voxkeep.archive.model import Tenant
from voxkeep.settings import EightByEight, Server
from voxkeep.vendors.eightbyeight.ftpserver import FtpsServer

T = TypeVar("T")

PATIENCE_SECONDS = 20
CLIENTS = ThreadPoolExecutor(32, "clients")
"""Threads for clients: the loop's own few are the archive's."""


class Client(ftplib.FTP_TLS):
    """Connected to a server on loopback; `name` and `password` sign in and protect data connections."""

    def __init__(self, port: int, tls: ssl.SSLContext, name: str = "", password: str = "") -> None:
        super().__init__(context=tls, timeout=PATIENCE_SECONDS)
        self.host, self.port = "localhost", port
        plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        try:
            self.sock = tls.wrap_socket(plain, server_hostname="localhost")
        except OSError:
            plain.close()
            raise
        self.af = self.sock.family
        self.file = self.sock.makefile("r", encoding=self.encoding)
        try:
            self.welcome = self.getresp()
            if name:
                self.login(name, password)
                self.prot_p()
        except (ftplib.Error, OSError, EOFError):
            self.close()
            raise

    def get(self, path: str, rest: int | None = None) -> bytes:
        """Return a file's bytes."""
        target = io.BytesIO()
        self.retrbinary(f"RETR {path}", target.write, rest=rest)
        return target.getvalue()

    def lines(self, command: str) -> list[str]:
        """Return the lines of a listing."""
        found: list[str] = []
        self.retrlines(command, found.append)
        return found

    def sizes(self, folder: str) -> dict[str, int]:
        """Return what MLSD tells of the files in a folder."""
        return {name: int(facts["size"]) for name, facts in self.mlsd(folder) if facts["type"] == "file"}

    def refused(self, command: str) -> str:
        """Check that a command is refused for good, and return the reply."""
        try:
            reply = self.sendcmd(command)
        except ftplib.error_perm as error:
            return str(error)
        raise AssertionError(f"{command}: {reply}")


class Site(NamedTuple):
    """A world's FTPS server, and a tenant that may sign in."""

    world: World
    server: FtpsServer
    port: int
    made: Certificate
    tenant: Tenant
    password: str

    def client(self, name: str = "", password: str = "") -> Client:
        """Sign in; as the tenant unless somebody else is named. For a thread."""
        return Client(self.port, self.made.client, name or self.tenant.name, password or self.password)

    async def do(self, work: Callable[..., T], *values: Any) -> T:
        """Run `work` in a thread with a client that is signed in."""

        def with_client() -> T:
            with self.client() as client:
                return work(client, *values)

        return await asyncio.get_running_loop().run_in_executor(CLIENTS, with_client)


async def site_of(world: World, tenant: Tenant, made: Certificate, **options: Any) -> Site:
    """Start an FTPS server of a world on a free port; stop it before the world closes."""
    settings = Server(tls_cert=str(made.cert), tls_key=str(made.key), maintenance=options.pop("maintenance", False))
    server = FtpsServer(world.archive, world.access, settings, EightByEight(ftps_port=0, **options))
    password = await world.access.passwords.issue(tenant)
    return Site(world, server, server.start(), made, tenant, password)
