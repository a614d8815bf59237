"""The 8x8 dialect's pages of 50 out of a million recordings, and all of them in sequence."""

import base64
import http.client
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

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

ROUTE = "/api/recordings/files"
ROWS, PAGE = 1_000_000, 50
PLACES = 2_000
CONNECTIONS = 32
FORMS = ("xml", "json", "csv")
DEEP_PAGE, SAMPLE = 10_000, 200
PEER_SAMPLE = 10


class Walk(NamedTuple):
    """A client that asks for one page after the other: how long each took, and the server's growth."""

    pages_ms: list[float]
    rows: int
    filling_mb: float
    """Growth over the first tenth, in which the database's own caches fill (8 MiB a connection)."""
    growth_mb: float
    """Growth over the rest."""

    def around(self, page: int) -> float:
        """Return the median time of the pages from this one on, in ms."""
        return statistics.median(self.pages_ms[page - 1 : page - 1 + SAMPLE])


def run(options: Options) -> Section:
    rows = options.pick(ROWS, 50_000)
    home = big_archive(rows)
    warm(home)
    secret = base64.b64encode(f"{TENANT}:{new_token(home)}".encode()).decode()
    loads = measure_pages(home, secret, options, Windows(rows))
    deep = min(DEEP_PAGE, rows // PAGE - SAMPLE)
    with on_core(CLIENT_CORE), ours_or_peer("voxkeep", home) as ours:
        walk = walked(ours, secret, rows)
    with on_core(CLIENT_CORE), ours_or_peer("fastapi", home) as peer:
        peer_first, peer_deep = (statistics.median(_timed(peer, secret, n)) for n in (1, deep * PAGE + 1))
    return Section(
        title="The 8x8 dialect: pages of 50",
        what=(
            f"{PAGE} rows from a place that differs each time (by `d`), as XML, JSON and CSV; then a client that asks "
            "for all rows as CSV, n = 1, 51, 101 and so on. Ours: the server as `voxkeep serve` runs it, with HTTP "
            "Basic and audit. Peer: `bench/peers/fastapi_peer.py`, JSON, paging by OFFSET as the manuals teach, over "
            "the same SQLite file. Each server on one core, the client on the other."
        ),
        data=f"{rows:,} recordings of one tenant over 3.5 years (`bench/data.py`), in the page cache",
        figures=[*_page_figures(loads), *_walk_figures(walk, rows, deep, peer_first, peer_deep)],
    )


def _page_figures(loads: dict[str, list[Load]]) -> Iterator[Figure]:
    rates = {name: [each.rate for each in of_one] for name, of_one in loads.items()}
    for form in FORMS:
        yield at_least(f"{PAGE} rows as {form.upper()}, requests/s", statistics.median(rates[form]), 1_500)
    for form in FORMS:
        yield shown(f"p99 as {form.upper()}, ms", statistics.median(each.p99_ms for each in loads[form]), "{:,.1f}")
    yield shown("peer, JSON, requests/s", statistics.median(rates["peer"]))
    yield shown("ours to the peer, JSON", median_ratio(rates["json"], rates["peer"]), "{:.1f} x")


def _walk_figures(walk: Walk, rows: int, deep: int, peer_first: float, peer_deep: float) -> Iterator[Figure]:
    if walk.rows != rows:
        raise RuntimeError(f"{walk.rows:,} rows came of {rows:,}")
    yield shown("page 1 in sequence, ms", walk.around(1), "{:.2f}")
    yield shown(f"page {deep:,} in sequence, ms", walk.around(deep), "{:.2f}")
    yield at_most("that to page 1", walk.around(deep) / walk.around(1), 2, "{:.2f} x")
    yield shown("peer, page 1, ms", peer_first, "{:.2f}")
    yield shown(f"peer, page {deep:,}, ms", peer_deep, "{:.1f}")
    yield shown(f"all {walk.rows:,} rows in pages, rows/s", walk.rows / (sum(walk.pages_ms) / 1000))
    yield shown("growth of the server's memory over the first tenth of them, MB", walk.filling_mb, "{:.1f}")
    yield at_most("growth over the rest, MB", walk.growth_mb, 4)


def measure_pages(home: Path, secret: str, options: Options, windows: Windows) -> dict[str, list[Load]]:
    places = [number * 7_368_787 % (windows.rows - 2 * PAGE) for number in range(PLACES)]
    queries = [f"d={windows.range(place, PAGE)}" for place in places]
    loads: dict[str, list[Load]] = {}
    with ExitStack() as stack:
        ours = stack.enter_context(ours_or_peer("voxkeep", home))
        peer = stack.enter_context(ours_or_peer("fastapi", home))
        sides = [(form, ours, form) for form in FORMS] + [("peer", peer, "json")]
        mine, theirs = (_rows_of(server, queries[0], secret) for server in (ours, peer))
        if len(mine) != PAGE or [row["filename"] for row in mine] != [row["filename"] for row in theirs]:
            raise RuntimeError("the peer's rows are not ours")
        for seconds in [1, *[4] * options.pick(5, 1)]:
            for name, server, form in sides:
                paths = [f"{ROUTE}.{form}?{query}" for query in queries]
                measured = load(server.port, paths, CONNECTIONS, seconds, secret, "Basic")
                if seconds > 1:
                    loads.setdefault(name, []).append(measured)
    return loads


def _ask(connection: http.client.HTTPConnection, path: str, secret: str) -> bytes:
    connection.request("GET", path, headers={"Authorization": f"Basic {secret}"})
    response = connection.getresponse()
    body = response.read()
    if response.status != http.HTTPStatus.OK:
        raise RuntimeError(body.decode())
    return body


def _rows_of(server: Server, query: str, secret: str) -> list[dict[str, object]]:
    body = _ask(http.client.HTTPConnection("127.0.0.1", server.port), f"{ROUTE}.json?{query}", secret)
    rows: list[dict[str, object]] = msgspec.json.decode(body)["recordings"]["file"]
    return rows


def walked(server: Server, secret: str, rows: int) -> Walk:
    """Ask for all pages in sequence until one is short."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for _ in range(SAMPLE):
        _ask(connection, f"{ROUTE}.csv?n=1", secret)
    server.forget_peak()
    before = server.rss_mb()
    times, came, filled = [], 0, before
    while came <= rows:
        if came * 10 <= rows:
            filled = server.peak_mb()
        begun = time.perf_counter()
        body = _ask(connection, f"{ROUTE}.csv?n={came + 1}", secret)
        times.append((time.perf_counter() - begun) * 1000)
        count = body.count(b"\r\n") - 1
        came += count
        if count < PAGE:
            break
    return Walk(times, came, filled - before, server.peak_mb() - filled)


def _timed(server: Server, secret: str, n: int) -> Iterator[float]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for _ in range(PEER_SAMPLE):
        begun = time.perf_counter()
        _ask(connection, f"{ROUTE}.json?n={n}", secret)
        yield (time.perf_counter() - begun) * 1000
