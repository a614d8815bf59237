"""Plain HTTP refused where HTTPS is required: when that is, what counts as HTTPS, and what is read before."""

import asyncio
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from tests.server.harness import EVERYTHING, V2, World, exchange, parsed, refused, request_bytes

from voxkeep.server.app import App, PlainErrors
from voxkeep.server.https import HttpsGuard, https_required, is_loopback
from voxkeep.settings import Server, Settings
from voxkeep.web.errors import ForbiddenError, HttpError

ONLY_HTTPS = "Only HTTPS is accepted here"
LOCAL_PROXY = Server(require_https=True, trusted_proxies="127.0.0.1")
ANY = "0.0.0.0"  # noqa: S104 -- only a setting here, nothing listens on it
ELSEWHERE = [ANY, "::", "", "0", "10.0.0.1", "fd00::1", "::ffff:10.0.0.1", "archive.test", "localhost.test", "127.1"]
BEHIND = Server(require_https=True, trusted_proxies="10.0.0.0/8, 192.0.2.7, fd00::/8")


# When it is required


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.0.9", "::1", "localhost", "LocalHost", "::ffff:127.0.0.1"])
def test_on_loopback_plain_http_is_answered_unless_https_is_asked_for(host: str) -> None:
    assert is_loopback(host)
    assert not https_required(Server(host=host))
    assert https_required(Server(host=host, require_https=True))


@pytest.mark.parametrize("host", ELSEWHERE)
def test_elsewhere_plain_http_is_refused_unless_it_is_allowed(host: str) -> None:
    assert not is_loopback(host)
    assert https_required(Server(host=host))
    assert not https_required(Server(host=host, require_https=False))


@given(address=st.ip_addresses())
def test_an_address_is_loopback_exactly_in_127_8_and_1(address: Any) -> None:
    inside = address in IPv4Network("127.0.0.0/8") if isinstance(address, IPv4Address) else int(address) == 1
    assert is_loopback(str(address)) == inside


@given(host=st.text(max_size=20))
def test_any_host_is_loopback_or_not(host: str) -> None:
    assert https_required(Server(host=host)) == (not is_loopback(host))


# What counts as HTTPS


def passes(settings: Server, client: str | None, forwarded: Iterable[bytes] = (), scheme: str = "http") -> bool:
    headers = [(b"host", b"x"), *((b"x-forwarded-proto", value) for value in forwarded), (b"forwarded", b"proto=https")]
    scope = {"scheme": scheme, "headers": headers, "client": None if client is None else (client, 5_000)}
    try:
        HttpsGuard(settings).check(scope)
    except ForbiddenError:
        return False
    return True


def test_tls_is_https_whoever_comes() -> None:
    for client in ("10.0.0.1", "198.51.100.1", None):
        for settings in (BEHIND, Server(require_https=True)):
            assert passes(settings, client, scheme="https")
            assert not passes(settings, client)


@pytest.mark.parametrize("client", ["10.1.2.3", "192.0.2.7", "fd00::5", "::ffff:10.1.2.3"])
def test_a_listed_proxy_is_believed(client: str) -> None:
    assert passes(BEHIND, client, [b"https"])
    assert not passes(BEHIND, client, [b"http"])
    assert not passes(BEHIND, client)


@pytest.mark.parametrize("client", ["11.1.2.3", "192.0.2.8", "fe80::5", "::1", "::ffff:11.0.0.1", "", "unix", None])
def test_nobody_else_is_believed(client: str | None) -> None:
    assert not passes(BEHIND, client, [b"https"])
    assert not passes(Server(require_https=True), client, [b"https"])


@pytest.mark.parametrize(
    ("forwarded", "https"),
    [
        ([b"HTTPS"], True),
        ([b" https\t"], True),
        ([b"http, https"], True),
        ([b"http", b"https"], True),
        ([b"https, http"], False),
        ([b"https", b"http"], False),
        ([b"https", b"http,https"], True),
        ([b"https,"], False),
        ([b"https", b""], False),
        ([b"https;"], False),
        ([b"wss"], False),
        ([b"\xff"], False),
    ],
)
def test_the_last_word_is_the_proxys_own(forwarded: list[bytes], https: bool) -> None:  # noqa: FBT001 -- a table's column
    assert passes(BEHIND, "10.0.0.1", forwarded) == https


def test_a_client_that_came_to_the_proxy_over_plain_http_is_refused_though_the_proxy_goes_on_over_tls() -> None:
    assert not passes(BEHIND, "10.0.0.1", [b"http"], scheme="https")
    assert passes(BEHIND, "10.0.0.1", scheme="https")
    assert passes(BEHIND, "198.51.100.1", [b"http"], scheme="https")


PEERS = st.ip_addresses(v=4) | st.ip_addresses(v=4, network="10.0.0.0/8")
WORDS = st.lists(st.sampled_from([b"https", b"http, HTTPS ", b"https,http", b"http", b""]) | st.binary(max_size=12))


@given(address=PEERS, shown=st.sampled_from(["{}", "::ffff:{}", "::{}", "{}x", "x{}", ""]), forwarded=WORDS)
def test_only_a_trusted_address_and_its_word_open_a_plain_connection(
    address: IPv4Address, shown: str, forwarded: list[bytes]
) -> None:
    trusted = int(address) >> 24 == 10 and shown in ("{}", "::ffff:{}")
    said = b",".join(forwarded).split(b",")[-1].strip().lower() == b"https"
    settings = Server(require_https=True, trusted_proxies="10.0.0.0/8")
    assert passes(settings, shown.format(address), forwarded) == (trusted and said)


@given(client=st.ip_addresses().map(str), forwarded=st.lists(st.binary(max_size=8), max_size=2))
def test_where_https_is_not_required_everything_passes(client: str, forwarded: list[bytes]) -> None:
    assert passes(Server(trusted_proxies="0.0.0.0/0, ::/0"), client, forwarded)


# The server


async def restarted(world: World, settings: Server) -> str:
    """Restart with other settings and return a token."""
    await world.restart(Settings(server=settings))
    return await world.token(await world.tenant("acme-ns"))


@pytest.mark.parametrize("settings", [Server(host=ANY), Server(require_https=True), LOCAL_PROXY])
async def test_plain_http_is_refused_in_the_dialects_shape(world: World, settings: Server) -> None:
    token = await restarted(world, settings)
    for method, target in (("GET", f"recordings?{EVERYTHING}"), ("POST", "recordings"), ("GET", "nowhere")):
        answer = await world.ask(method, f"{V2}/{target}", token)
        assert refused(answer, 403) == ONLY_HTTPS


async def test_plain_http_outside_the_dialects_is_refused_too(world: World) -> None:
    await restarted(world, Server(require_https=True))
    for path in ("/", "/nowhere", "/healthz/x"):
        assert refused(await world.ask("GET", path), 403) == ONLY_HTTPS


async def test_a_head_over_plain_http_is_refused_without_a_body(world: World) -> None:
    token = await restarted(world, Server(require_https=True))
    answer = await world.ask("HEAD", f"{V2}/recordings/acme-ns/x/audio", token)
    assert (answer.status, answer.body) == (403, b"")


async def test_health_is_told_over_plain_http(world: World) -> None:
    await restarted(world, Server(require_https=True))
    assert (await world.ask("GET", "/healthz")).json == {"status": "ok"}
    assert (await world.ask("GET", "/readyz")).json == {"status": "ready", "alarms": 0}


async def test_plain_http_is_refused_whatever_else_is_wrong_with_the_request(world: World) -> None:
    await restarted(world, Server(require_https=True, maintenance=True))
    for target in (f"{V2}/../x", f"{V2}/recordings?a=%00", f"{V2}/recordings", "/a/../b"):
        assert refused(await world.ask("GET", target), 403) == ONLY_HTTPS


async def test_good_and_bad_tokens_are_refused_alike_and_leave_no_trace(world: World) -> None:
    token = await restarted(world, Server(require_https=True))
    answers = [await world.get(f"recordings?{EVERYTHING}", sent) for sent in (token, "vk_wrong", None)]
    assert {answer.body for answer in answers} == {answers[0].body}
    assert {answer.status for answer in answers} == {403}
    assert await world.audited() == []


async def test_behind_a_proxy_on_this_machine_https_is_served(world: World) -> None:
    token = await restarted(world, LOCAL_PROXY)
    answer = await world.get(f"recordings?{EVERYTHING}", token, X_Forwarded_Proto="https")
    assert (answer.status, answer.json) == (200, [])
    refused(await world.get(f"recordings?{EVERYTHING}", None, X_Forwarded_Proto="https"), 401)
    assert refused(await world.get("recordings", token, X_Forwarded_Proto="http"), 403) == ONLY_HTTPS


async def test_a_header_that_anybody_can_send_opens_nothing(world: World) -> None:
    token = await restarted(world, Server(require_https=True, trusted_proxies="10.0.0.0/8, 127.0.0.2"))
    for name, value in (("X_Forwarded_Proto", "https"), ("X_Forwarded_Ssl", "on"), ("Forwarded", "proto=https")):
        assert refused(await world.get("recordings", token, **{name: value}), 403) == ONLY_HTTPS
    absolute = await world.ask("GET", f"https://localhost{V2}/recordings", token)
    assert absolute.status == 403


@pytest.mark.parametrize(("first", "second", "status"), [("https", "http", 403), ("http", "https", 401)])
async def test_of_repeated_headers_the_last_counts(world: World, first: str, second: str, status: int) -> None:
    await restarted(world, LOCAL_PROXY)
    repeated = {"Host": "localhost", "Connection": "close", "X-Forwarded-Proto": first, "x-forwarded-proto": second}
    asked = request_bytes("GET", f"{V2}/recordings", repeated)
    refused(parsed(await asyncio.to_thread(exchange, world.port, asked)), status)


class Watchful:
    """A dialect that says how it was asked to refuse; nothing else may reach it."""

    prefix = "/watched/"
    any_text = False

    def __init__(self) -> None:
        self.refusals: list[HttpError] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError(f"reached: {scope} {receive} {send}")

    async def refuse(self, send: Send, error: HttpError) -> None:
        self.refusals.append(error)
        await PlainErrors().refuse(send, error)


async def test_nothing_of_a_refused_request_is_read_but_path_connection_and_the_proxys_header(world: World) -> None:
    dialect = Watchful()
    app = App(world.archive, [dialect], LOCAL_PROXY)
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body is not read")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/watched/x", "scheme": "http", "client": ("127.0.0.1", 1), "headers": []}
    await app(scope, receive, send)
    (error,) = dialect.refusals
    assert (error.status, error.message, error.headers) == (403, ONLY_HTTPS, [])
    assert sent[0]["status"] == 403
