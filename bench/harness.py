"""What every benchmark shares: servers pinned to one core, load from the other, figures beside their goals.

A server runs in a process of its own on core 0, the client on core 1, over loopback. Rounds of all sides are
interleaved, so that a noisy moment of the machine falls on all of them; figures are medians, ratios are medians of each
round's own ratio.
"""

import asyncio
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

SERVER_CORE, CLIENT_CORE = 0, 1
START_SECONDS = 60
_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}

_LUA = """
local requests, at = {}, 0
function init()
  for line in io.lines("@PATHS@") do
    requests[#requests + 1] = wrk.format("GET", line, @HEADERS@)
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
"""


class Options(NamedTuple):
    """What a run was asked for."""

    rows: int
    quick: bool

    def pick(self, full: int, quick: int) -> int:
        return quick if self.quick else full


class Figure(NamedTuple):
    """One line of a result; `met` is None where there is no goal."""

    what: str
    value: str
    goal: str = ""
    met: bool | None = None


class Section(NamedTuple):
    """One benchmark's result."""

    title: str
    what: str
    data: str
    figures: Sequence[Figure]
    tables: str = ""


def at_least(what: str, value: float, goal: float, form: str = "{:,.0f}") -> Figure:
    return Figure(what, form.format(value), "at least " + form.format(goal), value >= goal)


def at_most(what: str, value: float, goal: float, form: str = "{:,.1f}") -> Figure:
    return Figure(what, form.format(value), "at most " + form.format(goal), value <= goal)


def shown(what: str, value: float, form: str = "{:,.0f}") -> Figure:
    return Figure(what, form.format(value))


def median_ratio(mine: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of each round's own ratio."""
    return statistics.median(one / other for one, other in zip(mine, theirs, strict=True))


class Server(NamedTuple):
    """A server that runs."""

    name: str
    port: int
    pid: int

    def _status_mb(self, field: str) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        match = re.search(rf"{field}:\s+(\d+)", status)
        return int(match[1]) / 1024 if match else 0.0

    def rss_mb(self) -> float:
        return self._status_mb("VmRSS")

    def peak_mb(self) -> float:
        """Return the most resident memory since `forget_peak`."""
        return self._status_mb("VmHWM")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", "ascii")

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pinned(core: int) -> None:
    if core < (os.cpu_count() or 1):
        os.sched_setaffinity(0, {core})


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run this process on one core for a while."""
    before = os.sched_getaffinity(0)
    pinned(core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def started(name: str, port: int, command: Sequence[str]) -> Iterator[Server]:
    """Run a server on its core; on return it takes connections."""
    process = subprocess.Popen(
        command,
        preexec_fn=lambda: pinned(SERVER_CORE),  # noqa: PLW1509 - no threads run here
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await_port(port, process)
        yield Server(name, port, worker_pid(process.pid))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def ours_or_peer(name: str, argument: Path) -> Iterator[Server]:
    """Run one of `bench.servers`."""
    port = free_port()
    command = [sys.executable, "-m", "bench.servers", name, str(port), str(argument)]
    with started(name, port, command) as server:
        yield server


def worker_pid(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return int(children[0]) if children else pid


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"no server on port {port}")


class Load(NamedTuple):
    """What a server bore: requests a second, and how long one took."""

    rate: float
    p50_ms: float
    p99_ms: float


def load(
    port: int, paths: Sequence[str], connections: int, seconds: float, token: str = "", scheme: str = "Bearer"
) -> Load:
    """Ask for `paths` in turn over keep-alive connections. Raises RuntimeError unless every answer is a 200."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return asyncio.run(_load(port, paths, connections, seconds, f"{scheme} {token}" if token else ""))
    with tempfile.TemporaryDirectory() as folder:
        listed, script = Path(folder, "paths"), Path(folder, "load.lua")
        listed.write_text("\n".join(paths), "ascii")
        headers = f'{{["Authorization"] = "{scheme} {token}"}}' if token else "{}"
        script.write_text(_LUA.replace("@PATHS@", str(listed)).replace("@HEADERS@", headers), "ascii")
        command = [wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}", "--latency", "-s", str(script)]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{port}/"],
            check=True,
            capture_output=True,
            text=True,
            preexec_fn=lambda: pinned(CLIENT_CORE),
        )
    return _read_wrk(done.stdout)


def _read_wrk(text: str) -> Load:
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    cuts = {name: float(value) * _UNITS_MS[unit] for name, value, unit in re.findall(r"(\d+)%\s+([\d.]+)(\w+)", text)}
    if rate is None or "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(text)
    return Load(float(rate[1]), cuts["50"], cuts["99"])


async def _load(port: int, paths: Sequence[str], connections: int, seconds: float, authorization: str) -> Load:
    """Stand in for wrk, more slowly: that flatters the slower server."""
    begun = time.perf_counter()
    times: list[float] = []
    header = f"Authorization: {authorization}\r\n" if authorization else ""
    requests = [f"GET {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n".encode("ascii") for path in paths]

    async def one(at: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
        while time.perf_counter() < begun + seconds:
            sent = time.perf_counter()
            writer.write(requests[at % len(requests)])
            await _answer(reader)
            times.append((time.perf_counter() - sent) * 1000)
            at += connections
        writer.close()

    await asyncio.gather(*(one(at) for at in range(connections)))
    cuts = statistics.quantiles(times, n=100)
    return Load(len(times) / (time.perf_counter() - begun), cuts[49], cuts[98])


async def _answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise RuntimeError(head.decode("latin-1"))
    length = re.search(rb"(?i)content-length: (\d+)", head)
    if length:
        await reader.readexactly(int(length[1]))
    else:
        await reader.readuntil(b"\r\n0\r\n\r\n")
