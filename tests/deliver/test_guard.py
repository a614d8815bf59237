"""Nothing is sent to an address that is not public, however it is written, found or redirected to."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.deliver.conftest import Desk, Receiver

from voxkeep.deliver import Guard, State
from voxkeep.deliver.errors import Later, Never
from voxkeep.deliver.guard import Address, is_public, plain_address
from voxkeep.settings import Deliver

PRIVATE_4 = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24",
    "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)  # fmt: skip
PRIVATE_6 = ("::/128", "::1/128", "100::/64", "2001:db8::/32", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8")
FORMS = (
    lambda address: address,
    lambda address: IPv6Address(0xFFFF << 32 | int(address)),
    lambda address: IPv6Address(int(IPv6Address("64:ff9b::")) | int(address)),
    lambda address: IPv6Address(0x2002 << 112 | int(address) << 80),
)
"""An IPv4 address itself, mapped, through NAT64, and as 6to4."""
MANY_FORMS = (
    "127.0.0.1", "localhost", "LOCALHOST", "[::1]", "0.0.0.0", "[::]", "127.1", "127.0.1",  # noqa: S104 -- not bound to
    "2130706433", "0x7f000001",
    "0x7f.1", "0177.0.0.1", "017700000001", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[::127.0.0.1]",
)  # fmt: skip
"""Ways to write the address that a receiver listens on here."""
ELSEWHERE = ("10.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "224.0.0.1", "255.255.255.255", "[fe80::1]",
             "[fd00:ec2::254]", "[ff02::1]", "198.18.0.1", "240.0.0.1")  # fmt: skip


@pytest.mark.parametrize("host", [*MANY_FORMS, *ELSEWHERE])
async def test_no_private_address_is_connected_to_in_any_notation(desk: Desk, receiver: Receiver, host: str) -> None:
    guarded = desk.with_rule(Deliver())
    ended = await desk.sent(f"http://{host}:{receiver.port}/in", guarded)
    assert receiver.requests == []
    assert ended.state is State.DEAD
    assert "not a public address" in ended.error or "not written as one" in ended.error
    assert await desk.alarmed() == {str(ended.recording)}


class FirstHop(Guard):
    """Lets one name through to loopback, as if it were a public host; guards everything else as it is."""

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        if host == "first.test":
            return [ip_address("127.0.0.1")]
        return await super().addresses(host, port)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "169.254.169.254"])
async def test_a_redirect_to_a_private_address_is_refused_at_the_second_hop(
    desk: Desk, receiver: Receiver, host: str
) -> None:
    receiver.says("/in", 307, Location=f"http://{host}:{receiver.port}/inside")
    guarded = desk.with_rule(Deliver(), FirstHop(allow_private=False))
    dead = await desk.sent(f"http://first.test:{receiver.port}/in", guarded)
    assert [request.target for request in receiver.requests] == ["/in"]
    assert dead.state is State.DEAD


async def test_a_name_with_one_private_address_among_others_is_refused(desk: Desk, receiver: Receiver) -> None:
    async def lookup(host: str, port: int) -> list[Address]:
        del host, port
        return [ip_address("192.88.98.1"), ip_address("127.0.0.1")]

    guarded = desk.with_rule(Deliver(), Guard(allow_private=False, lookup=lookup))
    dead = await desk.sent(f"http://mixed.test:{receiver.port}/in", guarded)
    assert receiver.requests == []
    assert (dead.state, dead.error.split()[0]) == (State.DEAD, "127.0.0.1")


async def test_a_name_that_is_not_resolved_is_tried_again(desk: Desk) -> None:
    async def lookup(host: str, port: int) -> list[Address]:
        raise OSError(-2, "Name or service not known", host, port)

    deliveries = desk.with_rule(Deliver(), Guard(allow_private=False, lookup=lookup))
    waiting = await desk.sent("http://gone.test/in", deliveries)
    assert (waiting.state, waiting.error) == (State.WAITING, "the host's name cannot be resolved")


async def test_what_can_be_no_name_is_given_up(desk: Desk) -> None:
    dead = await desk.sent(f"http://{'a' * 64}.test/in")
    assert dead.state is State.DEAD


async def test_a_name_without_addresses_is_tried_again() -> None:
    async def lookup(host: str, port: int) -> list[Address]:
        del host, port
        return []

    with pytest.raises(Later):
        await Guard(allow_private=False, lookup=lookup).addresses("empty.test", 80)


def within(networks: Sequence[str]) -> st.SearchStrategy[Address]:
    return st.sampled_from(networks).flatmap(lambda network: st.ip_addresses(network=network))


@given(address=within(PRIVATE_4), form=st.sampled_from(FORMS))
def test_an_ipv4_address_that_is_not_public_is_refused_in_every_embedding(address: IPv4Address, form: object) -> None:
    assert not is_public(form(address))  # type: ignore[operator] # each is a function


@given(address=within(PRIVATE_6))
def test_an_ipv6_address_that_is_not_public_is_refused(address: Address) -> None:
    assert not is_public(address)


@given(address=within(["8.0.0.0/8", "93.184.0.0/16", "2600::/12", "2a00::/12"]))
def test_public_addresses_pass(address: Address) -> None:
    assert is_public(address)


@given(number=st.integers(0, 2**32 - 1), form=st.sampled_from(["{0}", "0x{0:x}", "0{0:o}", "{1}.{2}", "0x{1:x}.{2}"]))
def test_an_address_in_another_notation_is_refused_whatever_it_is(number: int, form: str) -> None:
    host = form.format(number, number >> 24, number & 0xFFFFFF)
    with pytest.raises(Never):
        plain_address(host)


@given(address=st.ip_addresses())
def test_an_address_as_it_is_written_is_read_as_itself(address: Address) -> None:
    assert plain_address(str(address)) == address


@pytest.mark.parametrize("host", ["example.test", "1.example.test", "a1", "0xg", "x-1"])
def test_names_are_no_addresses(host: str) -> None:
    assert plain_address(host) is None


@given(address=st.ip_addresses())
def test_what_the_guard_lets_pass_is_never_on_a_list_of_private_networks(address: Address) -> None:
    if is_public(address):
        assert not any(address in ip_network(each) for each in (*PRIVATE_4, *PRIVATE_6))
