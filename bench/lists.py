"""Lists out of a big archive over HTTP: a long one streamed whole, and many of 50 rows."""

import http.client
import re
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import apsw
import msgspec

from bench.data import FOLDER, Windows, big_archive, new_token, warm
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

ROUTE = "/rest/api/v2/recordings"
LONG, SHORT = 300_000, 50
SHORT_WINDOWS = 2000
CONNECTIONS = 32
BUFFER_BYTES = 1 << 20


class Download(NamedTuple):
    """One list as the client met it."""

    seconds: float
    first_byte_ms: float
    bytes: int


class Long(NamedTuple):
    """The long list: downloads by server, and how much our server's memory grew."""

    rows: int
    downloads: dict[str, list[Download]]
    growth_mb: float
    peer_growth_mb: float

    def rates(self, name: str) -> list[float]:
        return [self.rows / each.seconds for each in self.downloads[name]]


def run(options: Options) -> Section:
    home = big_archive(options.rows)
    warm(home)
    token = new_token(home)
    count = min(LONG, options.rows // 2)
    long = measure_long(home, token, options, count)
    short = measure_short(home, token, options)
    return Section(
        title="Lists over HTTP",
        what=(
            f"{count:,} rows in one answer, and {SHORT} rows from a place that differs each time. Ours: the server as "
            "`voxkeep serve` runs it, with token, limits and audit. Peer: `bench/peers/fastapi_peer.py`, its token "
            "check included, over the same SQLite file. Encoded beforehand, by bare applications in uvicorn without "
            "token, limits or audit: the same rows stored as JSON texts in SQLite and read in chunks as ours, and the "
            "same bytes in the same chunks from memory. The goal of 40 % is held against the first: it is what rows "
            "encoded beforehand cost in this archive; the second reads no rows and shows what server and loopback "
            "can carry. Each server on one core, the client on the other."
        ),
        data=f"{options.rows:,} recordings of one tenant over 3.5 years (`bench/data.py`), in the page cache",
        figures=[*_long_figures(long), *_short_figures(short)],
    )


def _long_figures(long: Long) -> list[Figure]:
    ours, peer, encoded, stored = (long.rates(name) for name in ("voxkeep", "fastapi", "encoded", "stored"))
    first = statistics.median(each.first_byte_ms for each in long.downloads["voxkeep"])
    return [
        shown(f"{long.rows:,} rows, ours, rows/s", statistics.median(ours)),
        shown("peer, rows/s", statistics.median(peer)),
        shown("stored as JSON texts, rows/s", statistics.median(stored)),
        shown("encoded in memory, rows/s", statistics.median(encoded)),
        at_least("ours to the peer", median_ratio(ours, peer), 15, "{:.1f} x"),
        at_least("ours to rows encoded beforehand, as stored JSON texts", median_ratio(ours, stored), 0.4, "{:.0%}"),
        shown("ours to chunks encoded in memory", median_ratio(ours, encoded), "{:.0%}"),
        at_most("first byte, ms", first, 10),
        shown("first byte of the peer, ms", statistics.median(d.first_byte_ms for d in long.downloads["fastapi"])),
        at_most("growth of the server's memory, MB", long.growth_mb, 32),
        shown("growth of the peer's, MB", long.peer_growth_mb),
    ]


def _short_figures(short: dict[str, list[Load]]) -> list[Figure]:
    rates = {name: [each.rate for each in loads] for name, loads in short.items()}
    p99 = {name: statistics.median(each.p99_ms for each in loads) for name, loads in short.items()}
    return [
        at_least(f"{SHORT} rows, ours, requests/s", statistics.median(rates["voxkeep"]), 2500),
        at_most(f"p99 at {CONNECTIONS} connections, ms", p99["voxkeep"], 25),
        shown("peer, requests/s", statistics.median(rates["fastapi"])),
        shown("p99 of the peer, ms", p99["fastapi"], "{:,.1f}"),
        shown("ours to the peer", median_ratio(rates["voxkeep"], rates["fastapi"]), "{:.1f} x"),
    ]


def measure_long(home: Path, token: str, options: Options, count: int) -> Long:
    windows = Windows(options.rows)
    path = f"{ROUTE}?{windows.query(options.rows // 3, count)}"
    small = f"{ROUTE}?{windows.query(options.rows // 3, SHORT)}"
    with ExitStack() as stack, on_core(CLIENT_CORE):
        ours = stack.enter_context(ours_or_peer("voxkeep", home))
        peer = stack.enter_context(ours_or_peer("fastapi", home))
        growth, chunks = _grown(ours, path, small, token)
        peer_growth, theirs = _grown(peer, path, small, token)
        _same(b"".join(chunks), b"".join(theirs), count)
        with _encoded(chunks) as encoded:
            del chunks, theirs
            downloads: dict[str, list[Download]] = {}
            for _ in range(options.pick(5, 1)):
                for server in (ours, peer, *encoded):
                    downloads.setdefault(server.name, []).append(download(server.port, path, token))
    if any(len({each.bytes for each in of_one}) != 1 for of_one in downloads.values()):
        raise RuntimeError("a server gave different answers to one question")
    return Long(count, downloads, growth, peer_growth)


def measure_short(home: Path, token: str, options: Options) -> dict[str, list[Load]]:
    windows = Windows(options.rows)
    places = [number * 7_368_787 % (options.rows - SHORT) for number in range(SHORT_WINDOWS)]
    paths = [f"{ROUTE}?{windows.query(place, SHORT)}" for place in places]
    loads: dict[str, list[Load]] = {}
    with ExitStack() as stack:
        running = [stack.enter_context(ours_or_peer(name, home)) for name in ("voxkeep", "fastapi")]
        for server in running:
            rows = msgspec.json.decode(b"".join(fetch(server.port, paths[0], token)), type=list[object])
            if len(rows) != SHORT:
                raise RuntimeError(f"{server.name} gave {len(rows)} rows for {SHORT}")
            load(server.port, paths, CONNECTIONS, 1, token)
        for _ in range(options.pick(5, 1)):
            for server in running:
                loads.setdefault(server.name, []).append(load(server.port, paths, CONNECTIONS, 4, token))
    return loads


def _grown(server: Server, path: str, small: str, token: str) -> tuple[float, list[bytes]]:
    """Fetch the long list for the first time; return the growth of the server's memory in MB, and the chunks."""
    for _ in range(20):
        fetch(server.port, small, token)
    server.forget_peak()
    before = server.rss_mb()
    chunks = fetch(server.port, path, token)
    return server.peak_mb() - before, chunks


def _same(ours: bytes, theirs: bytes, count: int) -> None:
    """Check that both sides gave the same rows, all of them."""
    mine = msgspec.json.decode(ours, type=list[object])
    if len(mine) != count:
        raise RuntimeError(f"{len(mine):,} rows came, {count:,} were asked for")
    if mine != msgspec.json.decode(theirs, type=list[object]):
        raise RuntimeError("the peer's rows are not ours")


@contextmanager
def _encoded(chunks: list[bytes]) -> Iterator[list[Server]]:
    """Run the two servers of rows encoded beforehand: from memory, and as stored texts."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder, ExitStack() as stack:
        in_memory, stored = Path(folder, "chunks"), Path(folder, "stored.db")
        in_memory.write_bytes(msgspec.msgpack.encode(chunks))
        rows = msgspec.json.decode(b"".join(chunks), type=list[msgspec.Raw])
        with apsw.Connection(str(stored)) as connection:
            connection.execute("CREATE TABLE stored (number INTEGER PRIMARY KEY, text BLOB)")
            connection.executemany("INSERT INTO stored VALUES (?, ?)", enumerate(map(bytes, rows), 1))
        del rows
        yield [
            stack.enter_context(ours_or_peer(name, path)) for name, path in (("encoded", in_memory), ("stored", stored))
        ]


def _request(path: str, token: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("ascii")


def download(port: int, path: str, token: str) -> Download:
    """Read one answer to its end as lightly as possible: bytes are counted, nothing is parsed."""
    buffer = bytearray(BUFFER_BYTES)
    total = 0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        begun = time.perf_counter()
        connection.sendall(_request(path, token))
        total = connection.recv_into(buffer)
        first = time.perf_counter()
        while count := connection.recv_into(buffer):
            total += count
        ended = time.perf_counter()
    return Download(ended - begun, (first - begun) * 1000, total)


def fetch(port: int, path: str, token: str) -> list[bytes]:
    """Return the body of a 200 in the chunks the server sent it in."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(_request(path, token))
        with connection.makefile("rb", BUFFER_BYTES) as stream:
            status = stream.readline()
            headers = http.client.parse_headers(stream)
            if b" 200 " not in status:
                raise RuntimeError(status.decode("latin-1"))
            if headers.get("transfer-encoding") != "chunked":
                return [stream.read()]
            chunks = []
            while size := int(re.match(rb"[0-9a-fA-F]+", stream.readline())[0], 16):  # type: ignore[index] # chunked
                chunks.append(stream.read(size))
                stream.readline()
            return chunks
