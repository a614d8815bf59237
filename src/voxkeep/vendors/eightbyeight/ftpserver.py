"""The FTPS server: the tree of reference 3 over implicit TLS, read-only, on pyftpdlib.

Each connection has a thread of its own: pyftpdlib asks its file system and waits, so a client that is slow, stuck, or
waits for audio to be made holds up nobody else; the limit on connections limits the threads. What a thread needs of
the archive it asks across the bridge. TLS comes before the greeting, and data connections must be protected (PROT P).
"""

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from OpenSSL import SSL

# first of its modules: it alone imports asyncore without the warning that Python 3.11 gives
from pyftpdlib import ioloop as loops  # type: ignore[import-untyped] # pyftpdlib has no types
from pyftpdlib.handlers import (  # type: ignore[import-untyped] # the same
    TLS_DTPHandler,
    TLS_FTPHandler,
)
from pyftpdlib.handlers.ftp.producers import (  # type: ignore[import-untyped] # the same
    BufferedIteratorProducer,
)
from pyftpdlib.servers import ThreadedFTPServer  # type: ignore[import-untyped] # the same

from voxkeep.access import Access, Action, AuditEntry, Outcome
from voxkeep.access.tokens import hash_of
from voxkeep.archive import Archive
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import now_ms
from voxkeep.settings import EightByEight, Server
from voxkeep.vendors.eightbyeight.bridge import Bridge
from voxkeep.vendors.eightbyeight.ftpview import FACTS, ReadOnly, View
from voxkeep.vendors.eightbyeight.index import Indexes
from voxkeep.vendors.eightbyeight.tree import OpenFile, Tree, Visitor

HANDSHAKE_SECONDS = 20
LOGIN_SECONDS = 20
"""So long may a client be silent before it has said who it is: nobody else shall wait for its place."""
IDLE_SECONDS = 300
"""A client that says nothing for so long, or takes no byte of what it asked for, is sent away."""
ATTEMPTS = 3
"""Failed logins of one connection."""
FAILED_LOGIN_SECONDS = 3.0
"""What a failed login waits for its answer."""
POLL_SECONDS = 0.25
BACKLOG = 100
BINARY = frozenset({"RETR", "REST", "SIZE"})

_log = logging.getLogger(__name__)


class Hall(NamedTuple):
    """What all connections share."""

    archive: Archive
    access: Access
    bridge: Bridge
    indexes: Indexes
    maintenance: bool

    async def admit(self, name: str, password: str, remote: str) -> Tenant | None:
        """Return the tenant that signs in, None for anybody else; either way it stands in the audit trail."""
        tenant = (await self.access.known()).by_name.get(name.lower()) if name.isascii() else None
        if tenant is not None and not await self.opens(tenant, hash_of(password)):
            tenant = None
        number, user = (None, "") if tenant is None else (tenant.id, f"ftps:{tenant.name}")
        outcome = Outcome.REFUSED if tenant is None else Outcome.DONE
        entry = AuditEntry(now_ms(), user, number, Action.AUTHENTICATE, f"ftps {name}", outcome, "", remote)
        await self.access.audit.record(entry)
        return tenant

    async def opens(self, tenant: Tenant, password_hash: str) -> bool:
        """Tell whether a tenant's password is the one of this hash, and its API is switched on, as of now."""
        if not (await self.access.gate.limits(tenant.id)).api_enabled:
            return False
        return await self.access.passwords.holds(tenant.id, password_hash)


class DataChannel(TLS_DTPHandler):  # type: ignore[misc] # pyftpdlib has no types
    """A data connection."""

    timeout = IDLE_SECONDS

    def handle_error(self) -> None:
        """Tell the client that what it got is not all; pyftpdlib's own would only close, and tell nothing."""
        _log.exception("FTPS: a transfer failed")
        self._error = True
        self._resp = ("426 Transfer aborted.", _log.debug)
        self.close()


class Connection(TLS_FTPHandler):  # type: ignore[misc] # pyftpdlib has no types
    """A client's control connection. Its class attributes are pyftpdlib's settings."""

    hall: Hall
    _idler: Any
    _out_dtp_queue: tuple[Any, bool, OpenFile | None, str | None] | None
    authorizer = ReadOnly()
    dtp_handler = DataChannel
    banner = "Voxkeep: recordings, read-only."
    timeout = IDLE_SECONDS
    handshake_timeout = HANDSHAKE_SECONDS
    login_timeout = LOGIN_SECONDS
    max_login_attempts = ATTEMPTS
    auth_failed_timeout = FAILED_LOGIN_SECONDS
    tls_data_required = True
    proto_cmds = {name: each for name, each in TLS_FTPHandler.proto_cmds.items() if name != "AUTH"}  # noqa: RUF012

    def __init__(self, conn: socket.socket, server: "Threads", ioloop: loops.IOLoop) -> None:
        self.tenant: Tenant | None = None
        self.password_hash = ""
        super().__init__(conn, server, ioloop)
        if not self.connected:
            return
        self._log_debug = False
        self._extra_feats = ["PBSZ", "PROT"]
        # over implicit TLS data is protected from the start, as some clients take for granted
        self._pbsz = self._prot = True
        self._current_facts = self._available_facts = list(FACTS)
        if self._idler is not None:
            # it was set in the loop of the thread that accepts; the connection's own sets another
            self._idler.cancel()
            self._idler = None

    def add_channel(self, map: Any = None, events: int | None = None) -> None:  # noqa: A002, ANN401 -- its signature
        """Come into a loop; in the connection's own, the handshake's time begins."""
        super().add_channel(map, events)
        if self.ioloop is not self.server.ioloop and self._idler is None:
            self._watch(self.handshake_timeout)

    def _watch(self, seconds: float) -> None:
        if self._idler is not None and not self._idler.cancelled:
            self._idler.cancel()
        self._idler = self.ioloop.call_later(seconds, self.handle_timeout, _errback=self.handle_error)

    def handle(self) -> None:
        """Speak TLS first: the greeting follows the handshake."""
        self.secure_connection(self.ssl_context)

    def handle_ssl_established(self) -> None:
        """Greet, or say that nobody is served."""
        self._watch(self.login_timeout)
        if self.hall.maintenance:
            self.respond("421 The service is down for maintenance.")
            self.close_when_done()
        else:
            super().handle()

    def handle_max_cons_per_ip(self) -> None:
        """Turn a client away: before the handshake there is nothing to say it with."""
        self.log("turned away: too many connections from this address", _log.warning)
        self.close()

    # Who is there

    def ftp_PASS(self, line: str) -> None:  # noqa: N802 -- pyftpdlib's name
        """Check the password."""
        if self.authenticated or not self.username:
            super().ftp_PASS(line)
            return
        try:
            self.tenant = self.hall.bridge(self.hall.admit(self.username, line, self.remote_ip))
        except OSError:
            self.respond("451 The service cannot tell whether that is right. Try again later.")
            return
        if self.tenant is None:
            self.handle_auth_failed("", "")
            return
        self.password_hash = hash_of(line)
        visitor = Visitor(self.tenant, self.remote_ip)
        hall = self.hall
        tree = Tree(hall.archive, hall.access, hall.bridge, hall.indexes, visitor)
        self.abstracted_fs = lambda _, channel: View(tree, channel)
        self._watch(self.timeout)
        self.handle_auth_success("/", "", "Welcome.")

    def flush_account(self) -> None:
        """Forget who was there."""
        self._drop_queued()
        super().flush_account()
        self.tenant, self.password_hash = None, ""

    def process_command(self, cmd: str, *args: str, **kwargs: str) -> None:
        """Answer a command, whoever was let in with a password that has died meanwhile is sent away."""
        try:
            if self.proto_cmds[cmd]["perm"] is not None and not self._may_stay():
                self.respond("421 The password is no longer valid.")
                self.close_when_done()
                return
            if cmd in BINARY:
                self._current_type = "i"  # a recording is never text: a changed line end would spoil it
            super().process_command(cmd, *args, **kwargs)
        except OSError as error:
            self.respond(f"451 {os.strerror(error.errno or 0)}.")

    def _may_stay(self) -> bool:
        return self.tenant is not None and self.hall.bridge(self.hall.opens(self.tenant, self.password_hash))

    # What differs from pyftpdlib's

    def push_dtp_data(
        self,
        data: Any,  # noqa: ANN401 -- its signature
        isproducer: bool = False,  # noqa: FBT001, FBT002 -- the same
        file: OpenFile | None = None,
        cmd: str | None = None,
    ) -> None:
        """Send data once there is a data connection: one thing at a time, and no file stays open behind another."""
        if self.data_channel is not None and self.data_channel._initialized:  # noqa: SLF001 -- pyftpdlib's own flag
            if file is not None:
                file.close()
            self.respond("450 A transfer is under way.")
            return
        self._drop_queued()
        super().push_dtp_data(data, isproducer, file, cmd)

    def _drop_queued(self) -> None:
        """Let go of what waited for a data connection that never came."""
        if self._out_dtp_queue is not None and self._out_dtp_queue[2] is not None:
            self._out_dtp_queue[2].close()
        self._out_dtp_queue = None

    def _on_dtp_close(self) -> None:
        """Watch the client again after a transfer, unless it has gone: its thread would wait for the watch to end."""
        super()._on_dtp_close()
        if self._closed and self._idler is not None and not self._idler.cancelled:
            self._idler.cancel()

    def ftp_PROT(self, line: str) -> None:  # noqa: N802 -- pyftpdlib's name
        """Protect data connections; that is not taken back."""
        if line.upper() == "C":
            self.respond("534 Data connections must be protected (PROT P).")
        else:
            super().ftp_PROT(line)

    def ftp_STOU(self, line: str) -> None:  # noqa: N802 -- pyftpdlib's name
        """Refuse what pyftpdlib asks no permission for."""
        del line
        self.respond("550 Not enough privileges.")

    def ftp_NLST(self, path: str) -> str | None:  # noqa: N802 -- pyftpdlib's name
        """Send the names in a folder, as they are read; pyftpdlib's own would hold them all."""
        try:
            names = self._names(path)
        except OSError as error:
            self.respond(f"550 {os.strerror(error.errno or 0)}.")
            return None
        self.push_dtp_data(BufferedIteratorProducer(names), isproducer=True, cmd="NLST")
        return path

    def _names(self, path: str) -> Iterator[bytes]:
        listing = self.fs.listdir(path) if self.fs.isdir(path) else [self.fs.lstat(path)]
        return (f"{entry.name}\r\n".encode() for entry in listing)

    def log(self, msg: str, logfun: Any = None) -> None:  # noqa: ANN401 -- any method of a logger
        """Log for who looks for faults; who did what stands in the audit trail."""
        del logfun
        _log.debug("FTPS %s: %s", self.remote_ip, msg)


class Threads(ThreadedFTPServer):  # type: ignore[misc] # pyftpdlib has no types
    """Accepts connections and gives each a thread."""

    poll_timeout = POLL_SECONDS

    def __init__(self, listener: socket.socket, handler: type[Connection], options: EightByEight) -> None:
        self._lock, self._exit = threading.Lock(), threading.Event()  # pyftpdlib would share them among servers
        self.max_cons = options.ftps_max_connections
        self.max_cons_per_ip = options.ftps_max_connections_per_address
        super().__init__(listener, handler, ioloop=loops.IOLoop(), backlog=BACKLOG)

    def _accept_new_cons(self) -> bool:
        """Say yes: who has a connection may have its data connection, and `handle_accepted` counts the others."""
        return True

    def handle_accepted(self, sock: socket.socket, addr: tuple[Any, ...]) -> None:
        """Take a connection in, or close it: before the handshake there is nothing to say no with."""
        if self._map_len() >= self.max_cons:
            _log.warning("FTPS: %s turned away, too many connections", addr[0])
            sock.close()
            return
        super().handle_accepted(sock, addr)

    def handle_error(self) -> None:
        """Go on accepting, whatever it was (such as too many open files); pyftpdlib's own would end the server."""
        _log.exception("FTPS: a connection was not accepted")
        time.sleep(POLL_SECONDS)

    def _start_task(self, *args: Any, **kwargs: Any) -> threading.Thread:  # noqa: ANN401 -- its signature
        return threading.Thread(*args, **kwargs, daemon=True)

    def run(self) -> None:
        """Accept until `end`; then close all."""
        while not self._exit.is_set():
            self.ioloop.loop(timeout=POLL_SECONDS, blocking=False)
        self.close_all()

    def end(self) -> None:
        """Have `run` end."""
        self._exit.set()


class FtpsServer:
    """The FTPS server of an archive: `start` it beside the HTTP server, `stop` it before access stops."""

    def __init__(self, archive: Archive, access: Access, settings: Server, options: EightByEight) -> None:
        self._archive = archive
        self._access = access
        self._settings = settings
        self._options = options
        self._bridge: Bridge | None = None
        self._threads: Threads | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Begin to serve, and return the port. Certificate and key have been looked at.

        Raises OSError, naming the address, when it cannot be listened on.
        """
        listener = listening(self._settings.host, self._options.ftps_port or 0)
        self._bridge = Bridge(asyncio.get_running_loop())
        indexes = Indexes(self._archive, self._bridge)
        hall = Hall(self._archive, self._access, self._bridge, indexes, self._settings.maintenance)
        self._threads = Threads(listener, self._handler(hall), self._options)
        self._thread = threading.Thread(target=self._threads.run, name="ftps", daemon=True)
        self._thread.start()
        port: int = listener.getsockname()[1]
        return port

    def _handler(self, hall: Hall) -> type[Connection]:
        attributes = {
            "hall": hall,
            "ssl_context": tls_context(self._settings.tls_cert, self._settings.tls_key),
            "passive_ports": self._options.passive_ports(),
            "masquerade_address": self._options.ftps_masquerade or None,
        }
        return type("Connection", (Connection,), attributes)

    async def stop(self) -> None:
        """End all connections; what was noted of them in the audit trail is written."""
        if self._bridge is None or self._threads is None or self._thread is None:
            return
        self._threads.end()
        self._bridge.close()
        await asyncio.to_thread(self._thread.join)
        await self._access.audit.flush()


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the first address of a host. Raises OSError naming them."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        unknown = isinstance(error, socket.gaierror)
        reason = error.strerror if unknown else os.strerror(error.errno or 0)  # without Python's addition
        raise OSError(error.errno, reason, f"FTPS on {host}:{port}") from error


def tls_context(certificate: str, key: str) -> SSL.Context:
    """Return what pyftpdlib's connections need of a certificate and its key."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.use_certificate_chain_file(certificate)
    context.use_privatekey_file(key)
    return context
