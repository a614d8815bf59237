"""Where nothing is sent to: addresses that are not public.

Names are resolved here, and whoever connects takes these addresses and no others, so that a name cannot be one host
when it is looked at and another when it is connected to.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from voxkeep.deliver.errors import Later, Never

Address = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Gives the addresses of a name, for a port. Raises OSError."""

GLOBAL_UNICAST = IPv6Network("2000::/3")
NAT64 = IPv6Network("64:ff9b::/96")
"""Addresses under which a network without IPv4 reaches those that have nothing else (RFC 6052)."""
NUMERIC_LABEL = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)", re.ASCII)


def plain_address(host: str) -> Address | None:
    """Return the address that a host is, None for a name. Raises Never for an address in another notation."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    # resolvers read 2130706433, 0x7f.1 and 127.1 as addresses, others do not: nobody needs them
    if NUMERIC_LABEL.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise Never("the host is an address, but not written as one")
    return None


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public net; an IPv4 address inside an IPv6 one is looked at as itself."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved
    inside = embedded(address)
    if inside is not None:
        return is_public(inside)
    return address in GLOBAL_UNICAST and address.is_global


def embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 one leads to: mapped, 6to4, or through NAT64."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


async def system_lookup(host: str, port: int) -> list[Address]:
    """Return the addresses that the system knows of a name. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(address[0]) for *_, address in found))


class Guard:
    """Says which addresses a host may be connected to by."""

    def __init__(self, *, allow_private: bool, lookup: Lookup = system_lookup) -> None:
        self._allow_private = allow_private
        self._lookup = lookup

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a host, all of them checked.

        Raises Never when one of them is not public (unless that is allowed), Later when the name is not resolved.
        """
        address = plain_address(host)
        found = [address] if address is not None else await self._resolved(host, port)
        for each in found:
            self.check(each)
        return found

    def check(self, address: Address) -> None:
        """Raise Never for an address that nothing is sent to."""
        if not self._allow_private and not is_public(address):
            raise Never(f"{address} is not a public address (setting deliver.allow_private_targets)")

    async def _resolved(self, host: str, port: int) -> Sequence[Address]:
        try:
            found = await self._lookup(host, port)
        except UnicodeError:
            raise Never("the host is no name that could be resolved") from None
        except OSError:
            raise Later("the host's name cannot be resolved") from None
        if not found:
            raise Later("the host's name has no address")
        return found


class Checked(AbstractResolver):
    """Resolves any name to addresses that were checked: what aiohttp connects to."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses, whatever the name."""
        del family
        return [
            ResolveResult(
                hostname=host,
                host=str(each),
                port=port,
                family=socket.AF_INET if isinstance(each, IPv4Address) else socket.AF_INET6,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for each in self._addresses
        ]

    async def close(self) -> None:
        """Let go of nothing."""
