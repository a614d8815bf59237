"""Which requests came over HTTPS, and the refusal of all others where HTTPS is required. Knows no dialect.

Behind a proxy that ends TLS the connection itself is plain, and the proxy's X-Forwarded-Proto says how the client
came. Anybody can send that header, so it is read from listed proxies only; from them it also tells of a client that
came over plain HTTP to a proxy that goes on over TLS.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import Scope

from voxkeep.settings import Server
from voxkeep.web.errors import ForbiddenError

FORWARDED = b"x-forwarded-proto"


class HttpsGuard:
    """See the module. Looks at the connection and one header: at no credential, query or body."""

    def __init__(self, settings: Server) -> None:
        self._required = https_required(settings)
        self._trusted = settings.trusted_networks()

    def check(self, scope: Scope) -> None:
        """Let a request pass. Raises ForbiddenError for one that came over plain HTTP."""
        if self._required and self._scheme(scope) != "https":
            raise ForbiddenError("Only HTTPS is accepted here")

    def _scheme(self, scope: Scope) -> str:
        forwarded = [value for name, value in scope["headers"] if name == FORWARDED] if self._trusted else []
        if forwarded and self._trusts(scope["client"]):
            # a proxy adds its own word behind what the client may have sent
            last: bytes = forwarded[-1].rpartition(b",")[2]
            return last.strip().lower().decode("latin-1")
        scheme: str = scope["scheme"]
        return scheme

    def _trusts(self, client: tuple[str, int] | None) -> bool:
        address = None if client is None else _address(client[0])
        return address is not None and any(address in network for network in self._trusted)


def https_required(settings: Server) -> bool:
    """Say whether plain HTTP is refused: as set, otherwise wherever others than this machine can connect."""
    return not is_loopback(settings.host) if settings.require_https is None else settings.require_https


def is_loopback(host: str) -> bool:
    """Say whether an address to listen on is this machine's own: 127.0.0.0/8, ::1 or localhost.

    No other name is looked up: what it resolves to may change.
    """
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, an IPv4 one that a dual-stack socket shows as ::ffff:a.b.c.d as IPv4; None for a name."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
