"""Files a second and seek times of the audio sender on a bare route, beside Starlette's FileResponse and nginx.

Every server runs one worker on core 0, the load client on core 1; keep-alive connections over loopback, files in the
page cache. nginx and wrk (Debian packages) are used when installed: without nginx its column is empty, without wrk a
slower client in asyncio takes its place, which flatters the slower server.
"""

import os
import random
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.harness import (
    CLIENT_CORE,
    Figure,
    Options,
    Section,
    Server,
    at_least,
    at_most,
    free_port,
    load,
    median_ratio,
    on_core,
    ours_or_peer,
    started,
)

SIZES = {"100 KB": 100_000, "1 MB": 1_000_000, "10 MB": 10_000_000}
CONNECTIONS = 16
OURS, PLAIN, FILE_RESPONSE, NGINX = "sender", "sender-plain", "FileResponse", "nginx"
TO_NGINX = {"100 KB": 0.85, "1 MB": 1.0, "10 MB": 1.0}
FLAT_MB = 16
# Not 64 KiB: nginx over loopback then stalls 44 ms on a delayed acknowledgement, which would flatter us.
SEEK_BYTES = 32 * 1024

Rates = dict[str, dict[str, list[float]]]
"""Files a second by size, then by server: one figure a round."""


class Seeks(NamedTuple):
    """How long a server's seeks took, and how much its memory grew in the whole run."""

    name: str
    p50_ms: float
    p99_ms: float
    growth_mb: float


def run(options: Options) -> Section:
    with tempfile.TemporaryDirectory() as folder:
        root, temp = Path(folder, "files"), Path(folder, "nginx")
        root.mkdir()
        temp.mkdir()
        # nginx's worker may have dropped to another user.
        Path(folder).chmod(0o755)
        for label, size in SIZES.items():
            (root / _file(label)).write_bytes(random.Random(size).randbytes(size))
        os.sync()
        with servers(root, temp) as running:
            rates, seek_rows = measure(running, options)
    return Section(
        title="Audio sender on a bare route",
        what=(
            f"`web/audio.py` alone under uvicorn, {CONNECTIONS} keep-alive connections over loopback; `sender-plain` "
            "is the same without zero copy; Starlette's FileResponse in the same uvicorn; nginx with one worker "
            "(`bench/peers/nginx.conf`). At 10 MB nearly all of the time is the kernel's copying: nginx itself is not "
            "four times as fast as FileResponse there (the table below), so that goal is out of reach for anyone. "
            "At 100 KB what is missing to nginx is Python's own part of a request, some 10 microseconds: parsing it, "
            "planning the answer, writing its head."
        ),
        data="one file of each size, in the page cache",
        figures=figures(rates, seek_rows[0]),
        tables=tables(rates, seek_rows),
    )


def _file(label: str) -> str:
    return f"{SIZES[label]}.ogg"


@contextmanager
def servers(root: Path, temp: Path) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        running = [stack.enter_context(ours_or_peer(name, root)) for name in (OURS, PLAIN, FILE_RESPONSE)]
        if nginx := shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin"):
            port = free_port()
            template = (Path(__file__).parent / "peers" / "nginx.conf").read_text("utf-8")
            for mark, value in (("@PORT@", str(port)), ("@ROOT@", str(root)), ("@TEMP@", str(temp))):
                template = template.replace(mark, value)
            (temp / "nginx.conf").write_text(template, "utf-8")
            command = [nginx, "-p", str(temp), "-c", str(temp / "nginx.conf")]
            if os.geteuid() == 0:
                command += ["-g", "user root;"]
            running.append(stack.enter_context(started(NGINX, port, command)))
        yield running


def measure(running: list[Server], options: Options) -> tuple[Rates, list[Seeks]]:
    for server in running:
        for label in SIZES:
            load(server.port, [f"/{_file(label)}"], CONNECTIONS, 1)
    before = {server.name: server.rss_mb() for server in running}
    rates: Rates = {label: {server.name: [] for server in running} for label in SIZES}
    for _ in range(options.pick(7, 1)):
        for label, by_server in rates.items():
            for server in running:
                by_server[server.name].append(load(server.port, [f"/{_file(label)}"], CONNECTIONS, 1).rate)
    with on_core(CLIENT_CORE):
        return rates, [seeks(server, before[server.name], options.pick(3000, 300)) for server in running]


def seeks(server: Server, before_mb: float, count: int) -> Seeks:
    """Time Range requests at random places of the largest file, one after another on one connection."""
    chance = random.Random(7)
    size, path = SIZES["10 MB"], _file("10 MB")
    times = []
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.makefile("rb")
        for _ in range(count):
            start = chance.randrange(size - SEEK_BYTES)
            request = f"GET /{path} HTTP/1.1\r\nHost: x\r\nRange: bytes={start}-{start + SEEK_BYTES - 1}\r\n\r\n"
            begun = time.perf_counter()
            connection.sendall(request.encode("ascii"))
            status = stream.readline()
            while stream.readline() not in {b"\r\n", b""}:
                pass
            body = stream.read(SEEK_BYTES)
            times.append((time.perf_counter() - begun) * 1000)
            if b" 206 " not in status or len(body) != SEEK_BYTES:
                raise RuntimeError(f"{server.name} answered a seek with {status!r}")
    cuts = statistics.quantiles(times, n=100)
    return Seeks(server.name, cuts[49], cuts[98], server.rss_mb() - before_mb)


def figures(rates: Rates, ours: Seeks) -> list[Figure]:
    made = [
        at_least(f"{label} to FileResponse", median_ratio(by[OURS], by[FILE_RESPONSE]), 4, "{:.1f} x")
        for label, by in rates.items()
    ]
    made += [
        at_least(f"{label} to nginx", median_ratio(by[OURS], by[NGINX]), TO_NGINX[label], "{:.0%}")
        for label, by in rates.items()
        if NGINX in by
    ]
    made.append(at_most(f"seek, {SEEK_BYTES // 1024} KiB of 10 MB, p99 ms", ours.p99_ms, 30))
    made.append(at_most("memory growth in the run, MB", ours.growth_mb, FLAT_MB))
    return made


def tables(rates: Rates, seek_rows: list[Seeks]) -> str:
    names = list(rates["100 KB"])
    lines = ["| files/s | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for label, by_server in rates.items():
        medians = " | ".join(f"{statistics.median(by_server[name]):,.0f}" for name in names)
        lines.append(f"| {label} | {medians} |")
    lines += ["", "| seek | p50 ms | p99 ms | memory growth, MB |", "|---" * 4 + "|"]
    lines += [f"| {row.name} | {row.p50_ms:.2f} | {row.p99_ms:.2f} | {row.growth_mb:.1f} |" for row in seek_rows]
    return "\n".join(lines)
