"""The Kazoo dialect's lists: pages of 50 full documents, and a filtered list of everything that is streamed."""

import asyncio
import hashlib
import http.client
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import apsw
import msgspec

from bench.data import TENANT, Windows, big_archive, new_token, warm
from bench.harness import (
    CLIENT_CORE,
    Figure,
    Load,
    Options,
    Section,
    Server,
    at_least,
    at_most,
    load,
    median_ratio,
    on_core,
    ours_or_peer,
    shown,
)
from voxkeep.archive import Archive
from voxkeep.archive.archive import DATABASE_NAME
from voxkeep.archive.units import LATEST
from voxkeep.cli.common import ROOMS
from voxkeep.demo.people import AGENTS, SKILLS
from voxkeep.settings import Settings
from voxkeep.vendors.kazoo.accounts import Accounts, Person
from voxkeep.vendors.kazoo.gregorian import gregorian

ROWS, PAGE = 1_000_000, 50
PLACES = 2_000
CONNECTIONS = 32
USERNAME, PASSWORD = "bench", "benched"
EVER_SECONDS = 10**10
SETTINGS = {
    "VOXKEEP_KAZOO_RATE_LIMITS": "false",
    "VOXKEEP_KAZOO_MAXIMUM_RANGE_SECONDS": str(EVER_SECONDS),
}
"""A bucket of 100 requests would end the measurement at once, and no window of 31 days holds a million calls."""


class Account(NamedTuple):
    """The account that is asked about, and a token that its login gave."""

    id: str
    token: str

    @property
    def path(self) -> str:
        return f"/v2/accounts/{self.id}/recordings"


class Long(NamedTuple):
    """A list that was streamed whole."""

    rows: int
    matches: int
    seconds: float
    first_byte_ms: float
    filling_mb: float
    """Growth over the first tenth, in which the database's own caches fill (8 MiB a connection)."""
    growth_mb: float
    """Growth over the rest."""


def run(options: Options) -> Section:
    rows = options.pick(ROWS, 50_000)
    home = big_archive(rows)
    warm(home)
    peer_token = new_token(home)
    account_id = new_account(home)
    with _settings():
        with ours_or_peer("voxkeep", home) as ours:
            account = Account(account_id, logged_in(ours, account_id))
            loads = measure_pages(ours, home, account, peer_token, options, Windows(rows))
        with on_core(CLIENT_CORE), ours_or_peer("voxkeep", home) as fresh:
            long = streamed(fresh, Account(account_id, logged_in(fresh, account_id)), rows)
    return Section(
        title="The Kazoo dialect: lists",
        what=(
            f"{PAGE} full documents from a place that differs each time (by `created_from`), for a login's token; then "
            "all of them in one answer (`paginate=false`), through a filter on a key inside a document that four in "
            "ten pass, so that every document is looked into. Ours: the server as `voxkeep serve` runs it, with "
            "audit, its rate buckets off. Peer: `bench/peers/fastapi_peer.py`, its token check included, fewer fields, "
            "over the same SQLite file and the same index. Each server on one core, the client on the other."
        ),
        data=f"{rows:,} recordings of one tenant over 3.5 years (`bench/data.py`), in the page cache; ten users",
        figures=[*_page_figures(loads), *_long_figures(long)],
    )


def _page_figures(loads: dict[str, list[Load]]) -> Iterator[Figure]:
    rates = {name: [each.rate for each in of_one] for name, of_one in loads.items()}
    yield at_least(f"{PAGE} documents, requests/s", statistics.median(rates["ours"]), 1_200)
    yield shown("p99, ms", statistics.median(each.p99_ms for each in loads["ours"]), "{:,.1f}")
    yield shown("peer, requests/s", statistics.median(rates["peer"]))
    yield shown("ours to the peer", median_ratio(rates["ours"], rates["peer"]), "{:.1f} x")


def _long_figures(long: Long) -> Iterator[Figure]:
    yield shown(f"{long.rows:,} documents filtered, documents/s", long.rows / long.seconds)
    yield shown("first byte, ms", long.first_byte_ms, "{:.1f}")
    yield shown("growth of the server's memory over the first tenth, MB", long.filling_mb, "{:.1f}")
    yield at_most("growth over the rest, MB", long.growth_mb, 4)


@contextmanager
def _settings() -> Iterator[None]:
    os.environ.update(SETTINGS)
    try:
        yield
    finally:
        for name in SETTINGS:
            del os.environ[name]


def new_account(home: Path) -> str:
    """Make the tenant an account with its agents as users, all anew, and return its id."""
    with apsw.Connection(str(home / DATABASE_NAME)) as connection:
        named = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'kazoo\\_%' ESCAPE '\\'"
        for (name,) in connection.execute(named).fetchall():
            connection.execute(f"DROP TABLE {name}")
        connection.execute("DELETE FROM migrations WHERE room = 'kazoo'")
    return asyncio.run(_new_account(home))


async def _new_account(home: Path) -> str:
    archive = await Archive.at(home, Settings(), ROOMS)
    try:
        accounts = Accounts(archive.database)
        account = await accounts.add_account(await archive.tenants.named(TENANT), TENANT, "bench.sip.test")
        for agent in AGENTS:
            await accounts.add_user(account, agent.login, PASSWORD, Person(agent_extension=agent.extension))
        await accounts.add_user(account, USERNAME, PASSWORD)
        return account.id
    finally:
        await archive.close()


def logged_in(server: Server, account_id: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    credentials = hashlib.md5(f"{USERNAME}:{PASSWORD}".encode()).hexdigest()
    body = msgspec.json.encode({"data": {"credentials": credentials, "account_id": account_id}})
    connection.request("PUT", "/v2/user_auth", body)
    answer = msgspec.json.decode(connection.getresponse().read())
    token: str = answer["auth_token"]
    return token


def measure_pages(
    ours: Server, home: Path, account: Account, peer_token: str, options: Options, windows: Windows
) -> dict[str, list[Load]]:
    places = [number * 7_368_787 % (windows.rows - 2 * PAGE) for number in range(PLACES)]
    paths = [f"{account.path}?ascending=true&{_window(windows, place)}" for place in places]
    loads: dict[str, list[Load]] = {}
    with ours_or_peer("fastapi", home) as peer:
        mine, theirs = (_ids(server, paths[0], token) for server, token in ((ours, account.token), (peer, peer_token)))
        if len(mine) != PAGE or mine != theirs:
            raise RuntimeError("the peer's documents are not ours")
        for seconds in [1, *[4] * options.pick(5, 1)]:
            for name, server, token in (("ours", ours, account.token), ("peer", peer, peer_token)):
                measured = load(server.port, paths, CONNECTIONS, seconds, token)
                if seconds > 1:
                    loads.setdefault(name, []).append(measured)
    return loads


def _window(windows: Windows, place: int) -> str:
    first = gregorian(windows.started_at(place))
    return f"created_from={first}&created_to={first + 30 * 86_400}"


def _ids(server: Server, path: str, token: str) -> list[str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    body = response.read()
    if response.status != http.HTTPStatus.OK:
        raise RuntimeError(body.decode())
    return [each["id"] for each in msgspec.json.decode(body)["data"]]


def streamed(server: Server, account: Account, rows: int) -> Long:
    """Read a filtered list of everything, and watch the server's memory meanwhile."""
    everything = f"created_from={gregorian(0)}&created_to={gregorian(LATEST)}"
    wanted = quote(msgspec.json.encode([skill for _, skill in SKILLS[:2]]))
    path = f"{account.path}?paginate=false&filter_custom_channel_vars.Queue-ID={wanted}&{everything}"
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", path, headers={"X-Auth-Token": account.token})
    begun = time.perf_counter()
    response = connection.getresponse()
    first = time.perf_counter()
    if response.status != http.HTTPStatus.OK:
        raise RuntimeError(response.read().decode())
    server.forget_peak()
    before = server.rss_mb()
    matches, filled, tail = 0, before, b""
    while piece := response.read1(1 << 20):
        seen = tail + piece
        tail = seen[-len(b'"call_id"') + 1 :]
        matches += seen.count(b'"call_id"')
        if matches * 20 < rows:
            filled = server.peak_mb()
    ended = time.perf_counter()
    if not rows / 4 < matches < rows / 2:
        raise RuntimeError(f"{matches:,} documents of {rows:,} passed")
    return Long(rows, matches, ended - begun, (first - begun) * 1000, filled - before, server.peak_mb() - filled)
