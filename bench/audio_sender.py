"""Files a second and seek times of the audio sender on a bare route, beside Starlette's FileResponse and nginx.

Every server runs one worker on core 0, the load client on core 1; keep-alive connections over loopback, files in the
page cache, rounds interleaved, medians. `python -m bench.audio_sender` prints the table; `--smoke` makes rounds short.
nginx and wrk (Debian packages) are used when installed: without nginx its column is empty, without wrk a slower client
in asyncio takes its place, which flatters the slower server.
"""

import argparse
import asyncio
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

SIZES = {"100 KB": 100_000, "1 MB": 1_000_000, "10 MB": 10_000_000}
CONNECTIONS = 16
# Not 64 KiB: nginx over loopback then stalls 44 ms on a delayed acknowledgement, which would flatter us.
SEEK_BYTES = 32 * 1024
SERVER_CORE, CLIENT_CORE = 0, 1


class Server(NamedTuple):
    name: str
    port: int
    pid: int

    def rss_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        match = re.search(r"VmRSS:\s+(\d+)", status)
        return int(match[1]) / 1024 if match else 0.0


class Row(NamedTuple):
    """One size: files a second by server name, one figure a round. Ratios are medians of each round's own ratio."""

    size: str
    rounds: dict[str, list[float]]

    def ratio_to(self, peer: str) -> float:
        return statistics.median(
            mine / theirs for mine, theirs in zip(self.rounds["voxkeep"], self.rounds[peer], strict=True)
        )


class Seeks(NamedTuple):
    name: str
    p50_ms: float
    p99_ms: float


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pinned(core: int) -> None:
    if core < (os.cpu_count() or 1):
        os.sched_setaffinity(0, {core})


@contextmanager
def started(name: str, port: int, command: list[str]) -> Iterator[Server]:
    process = subprocess.Popen(command, preexec_fn=lambda: pinned(SERVER_CORE), stderr=subprocess.DEVNULL)  # noqa: PLW1509 - no threads here
    try:
        await_port(port, process)
        yield Server(name, port, worker_pid(process.pid))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def worker_pid(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return int(children[0]) if children else pid


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"no server on port {port}")


@contextmanager
def servers(root: Path, temp: Path) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        running = []
        for name in ("voxkeep", "voxkeep plain", "FileResponse"):
            port = free_port()
            command = [sys.executable, "-m", "bench.audio_sender", "--serve", name, str(port), str(root)]
            running.append(stack.enter_context(started(name, port, command)))
        if nginx := shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin"):
            port = free_port()
            template = (Path(__file__).parent / "peers" / "nginx.conf").read_text("utf-8")
            for mark, value in (("@PORT@", str(port)), ("@ROOT@", str(root)), ("@TEMP@", str(temp))):
                template = template.replace(mark, value)
            (temp / "nginx.conf").write_text(template, "utf-8")
            command = [nginx, "-p", str(temp), "-c", str(temp / "nginx.conf")]
            if os.geteuid() == 0:
                command += ["-g", "user root;"]
            running.append(stack.enter_context(started("nginx", port, command)))
        yield running


def serve(name: str, port: int, root: Path) -> None:
    """Run one Python peer in this process."""
    import uvicorn  # noqa: PLC0415 - only the server process needs it

    uvicorn.run(
        application(name, root),
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="critical",
        proxy_headers=False,
        server_header=False,
    )


def application(name: str, root: Path):  # type: ignore[no-untyped-def] # noqa: ANN201 - an ASGI application; its types are imported below
    from starlette.responses import FileResponse  # noqa: PLC0415 - as above
    from starlette.types import Receive, Scope, Send  # noqa: PLC0415

    from voxkeep.web.audio import send_audio  # noqa: PLC0415
    from voxkeep.web.zerocopy import ZeroCopy  # noqa: PLC0415

    bodies = {f"/{path.name}": OpenFile(path) for path in root.iterdir()}

    async def ours(scope: Scope, receive: Receive, send: Send) -> None:
        await send_audio(scope, receive, send, bodies[scope["path"]], media_type="audio/ogg")

    async def starlette(scope: Scope, receive: Receive, send: Send) -> None:
        await FileResponse(root / scope["path"][1:], media_type="audio/ogg")(scope, receive, send)

    return {"voxkeep": ZeroCopy(ours), "voxkeep plain": ours, "FileResponse": starlette}[name]


class OpenFile:
    """A body as the local vault's reader gives it."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._descriptor).st_size
        self.etag = "0" * 64

    def fileno(self) -> int:
        return self._descriptor

    async def pread(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)


def files_per_second(port: int, path: str, seconds: float) -> float:
    url = f"http://127.0.0.1:{port}/{path}"
    wrk = shutil.which("wrk")
    if wrk is None:
        return asyncio.run(_load(port, path, seconds))
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}", url]
    done = subprocess.run(command, check=True, capture_output=True, text=True, preexec_fn=lambda: pinned(CLIENT_CORE))
    match = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if match is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(done.stdout)
    return float(match[1])


async def _load(port: int, path: str, seconds: float) -> float:
    """Stand in for wrk: count answers over `CONNECTIONS` keep-alive connections."""
    end = time.perf_counter() + seconds
    begun = time.perf_counter()

    async def one() -> int:
        count = 0
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
        while time.perf_counter() < end:
            writer.write(b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            count += 1
        writer.close()
        return count

    counts = await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return sum(counts) / (time.perf_counter() - begun)


def seeks(server: Server, path: str, size: int, count: int) -> Seeks:
    """Time `count` Range requests at random places of one file, one after another on one connection."""
    chance = random.Random(7)
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
    return Seeks(server.name, cuts[49], cuts[98])


def table(rows: list[Row], seek_rows: list[Seeks], growth_mb: dict[str, float]) -> str:
    names = list(rows[0].rounds)
    lines = [
        "| files/s | " + " | ".join(names) + " | to FileResponse | to nginx |",
        "|---" * (len(names) + 3) + "|",
    ]
    for row in rows:
        nginx = f"{row.ratio_to('nginx'):.0%}" if "nginx" in names else "not installed"
        rates = " | ".join(f"{statistics.median(row.rounds[name]):,.0f}" for name in names)
        lines.append(f"| {row.size} | {rates} | {row.ratio_to('FileResponse'):.1f} x | {nginx} |")
    lines += [
        "",
        f"| seek, {SEEK_BYTES // 1024} KiB of 10 MB | p50 ms | p99 ms | memory growth in the run, MB |",
        "|---" * 4 + "|",
    ]
    lines += [
        f"| {seek.name} | {seek.p50_ms:.2f} | {seek.p99_ms:.2f} | {growth_mb[seek.name]:.1f} |" for seek in seek_rows
    ]
    return "\n".join(lines)


def run(seconds: float = 1, rounds: int = 7, seek_count: int = 3000) -> str:
    with tempfile.TemporaryDirectory() as folder:
        root, temp = Path(folder, "files"), Path(folder, "nginx")
        root.mkdir()
        temp.mkdir()
        # nginx's worker may have dropped to another user.
        Path(folder).chmod(0o755)
        for size in SIZES.values():
            (root / f"{size}.ogg").write_bytes(random.Random(size).randbytes(size))
        os.sync()
        with servers(root, temp) as running:
            text = measure(running, seconds, rounds, seek_count)
    print(text)
    return text


def measure(running: list[Server], seconds: float, rounds: int, seek_count: int) -> str:
    for server in running:
        for size in SIZES.values():
            files_per_second(server.port, f"{size}.ogg", 1)
    before = {server.name: server.rss_mb() for server in running}
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for label, size in SIZES.items():
            for server in running:
                rate = files_per_second(server.port, f"{size}.ogg", seconds)
                rates.setdefault((label, server.name), []).append(rate)
    largest = SIZES["10 MB"]
    seek_rows = [seeks(server, f"{largest}.ogg", largest, seek_count) for server in running]
    growth = {server.name: server.rss_mb() - before[server.name] for server in running}
    rows = [Row(label, {server.name: rates[label, server.name] for server in running}) for label in SIZES]
    return table(rows, seek_rows, growth)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="one short round, to see that it runs")
    parser.add_argument("--serve", nargs=3, metavar=("NAME", "PORT", "ROOT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        name, port, root = arguments.serve
        serve(name, int(port), Path(root))
    elif arguments.smoke:
        run(seconds=1, rounds=1, seek_count=300)
    else:
        run()


if __name__ == "__main__":
    main()
