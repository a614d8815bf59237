"""Running the server: the archive's rooms put together, uvicorn around them."""

import asyncio
import gc
import logging
import re
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from voxkeep.access import Access
from voxkeep.access.audit import TOKEN_LIKE
from voxkeep.activity import Activity, Running
from voxkeep.archive import Archive
from voxkeep.native.api import NativeApi
from voxkeep.server.app import App, Dialect
from voxkeep.server.background import background
from voxkeep.server.https import https_required
from voxkeep.server.protocol import BoundedHttpProtocol
from voxkeep.server.tls import tls_context
from voxkeep.settings import EightByEight, Server, SettingsError
from voxkeep.vendors.eightbyeight.api import EightByEightApi
from voxkeep.vendors.kazoo.api import KazooApi
from voxkeep.vendors.kazoo.ingest import KazooIngest
from voxkeep.vendors.xima.api import XimaApi
from voxkeep.web.zerocopy import ZeroCopy

SECRETS = re.compile(r"(?i)((?:auth_token|access_token|token|secret|password)=|(?:bearer|basic)\s+)[^&\s\"']+")
BACKLOG = 2048
FAILED = 1
"""Exit code when the address cannot be listened on."""
GC_THRESHOLD = 20_000
GRACE_SECONDS = 10
KEEP_ALIVE_SECONDS = 75
Maker = Callable[[Archive, Access, Running], Dialect]
DIALECTS: Sequence[Maker] = (
    XimaApi,
    lambda archive, access, _: EightByEightApi(archive, access),
    lambda archive, access, _: KazooApi(archive, access),
    lambda archive, access, _: KazooIngest(archive, access),
    NativeApi,
)
"""Every API that is served; each knows its own path."""

_log = logging.getLogger(__name__)


class Redaction(logging.Filter):
    """Keeps secrets that came in a URL or a header out of the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace secrets in the finished message."""
        message = record.getMessage()
        told = TOKEN_LIKE.sub("vk_...", SECRETS.sub(r"\1***", message))
        if told != message:
            record.msg, record.args = told, ()
        return True


def set_up_logging() -> None:
    """Send every log line, the access log too, to stderr."""
    handler = logging.StreamHandler()
    handler.addFilter(Redaction())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


class _Announcing(uvicorn.Server):
    """Tells its address once it listens."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[str], None], more: Sequence[socket.socket] = ()
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._more = more

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            for each in self._more:
                self.servers.append(await self._listening(each))
            scheme = "http" if self.config.ssl is None else "https"
            self._ready(_url(scheme, self.servers[0].sockets[0].getsockname()))

    async def _listening(self, bound: socket.socket) -> asyncio.Server:
        """Listen on one more socket, as uvicorn does on its own."""

        def protocol() -> asyncio.Protocol:
            # uvicorn types its protocols as plain classes of asyncio's
            made: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
            return made(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

        loop = asyncio.get_running_loop()
        return await loop.create_server(protocol, sock=bound, ssl=self.config.ssl, backlog=BACKLOG)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End on a signal, sooner on a second Ctrl-C.

        uvicorn's own would raise the signal again when it is done: a SIGTERM would kill the process before the audit
        is written and the archive closed.
        """
        del frame
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def _url(scheme: str, address: tuple[Any, ...]) -> str:
    host, port = address[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@contextmanager
def bound(host: str, port: int | None) -> Iterator[list[socket.socket]]:
    """Bind one more port (0 takes a free one) for as long as the context lasts; no port, no socket.

    Raises OSError when it cannot be listened on.
    """
    if port is None:
        yield []
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=BACKLOG) as made:
        yield [made]


@asynccontextmanager
async def ftps(archive: Archive, access: Access, settings: Server, options: EightByEight) -> AsyncIterator[int | None]:
    """Serve 8x8's FTPS tree for a while, if a port is set, and give the port; ends what it began with when it ends.

    Raises SettingsError when there is no certificate or it cannot be used, OSError when the address cannot be listened
    on.
    """
    if options.ftps_port is None:
        yield None
        return
    if tls_context(settings) is None:
        raise SettingsError("eightbyeight.ftps_port: FTPS needs a certificate: server.tls_cert and server.tls_key")
    from voxkeep.vendors.eightbyeight.ftpserver import FtpsServer  # noqa: PLC0415 -- heavy, and most do without

    server = FtpsServer(archive, access, settings, options)
    port = server.start()
    try:
        yield port
    finally:
        await server.stop()


async def serve(
    archive: Archive,
    access: Access,
    settings: Server,
    ready: Callable[[str], None],
    *,
    access_log: bool = False,
    more: Sequence[socket.socket] = (),
    running: Running | None = None,
) -> None:
    """Serve `archive` until a signal ends it, `access` running; `ready` is told the URL once requests are answered.

    The same is served on `more` sockets that are bound already. Without `running`, calls are taken and none placed.

    Raises SettingsError when certificate and key cannot be used, and SystemExit(1) when the address cannot be listened
    on; the log tells why.
    """
    running = running or Running(Activity(archive))
    app = ZeroCopy(App(archive, [made(archive, access, running) for made in DIALECTS], settings))
    config = _config(app, settings, access_log=access_log)
    # lists make many short-lived rows: collecting them seldom, and never what stays for good, costs nothing
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)
    try:
        async with background(archive, running.activity):
            await _Announcing(config, ready, more).serve()
    except SystemExit:  # uvicorn could not listen, has told why, and would end with a code that means something else
        raise SystemExit(FAILED) from None


def _config(app: ASGIApp, settings: Server, *, access_log: bool) -> uvicorn.Config:
    """Return what uvicorn is told. Raises SettingsError when certificate and key cannot be used."""
    context = tls_context(settings)
    if https_required(settings) and context is None and not settings.trusted_networks():
        _log.warning("HTTPS is required, and neither tls_cert nor trusted_proxies is set: only health is answered")
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="none",
        http=BoundedHttpProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=access_log,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    config.load()
    config.ssl = context
    return config
