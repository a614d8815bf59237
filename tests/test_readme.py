"""Every command in the README does what the README says, run in the order a reader runs them."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from voxkeep.audio.ogg import verify_ogg_opus

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PATIENCE_SECONDS = 120
COMMANDS = [line for block in BLOCK.findall((ROOT / "README.md").read_text()) for line in block.splitlines()]
SERVERS = ("make demo", ".venv/bin/voxkeep serve")
"""Commands that go on until they are stopped."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Reader:
    """Someone who types the README's commands into two terminals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._servers: list[subprocess.Popen[bytes]] = []
        self._lines: list[str] = []
        self.environment = {
            **os.environ,
            "DEMO_OPTIONS": f"--port {free_port()} --recordings 3 --data {folder}/voxkeep-data",
            # a reader has the time to wait for the pace, a test has not; the limits have a test of their own
            "VOXKEEP_XIMA_AUDIO_WINDOW_REQUESTS": "100",
            "VOXKEEP_COLLECT_PACE_SECONDS": "0.05",
        }

    def type(self, command: str) -> str:
        """Run one command after all that came before it, in one shell's state."""
        if command.startswith(SERVERS):
            return self._start(command)
        state = [line for line in self._lines if line.startswith((".", "export"))]
        if command.startswith(". "):
            self._lines.append(command)
        done = subprocess.run(
            ["bash", "-euc", "\n".join([*state, command])],  # noqa: S607
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _start(self, command: str) -> str:
        where = ROOT if command.startswith("make") else self.folder
        command = re.sub(r"--port \d+", f"--port {free_port()}", command)
        log = self.folder / f"server-{len(self._servers)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],  # noqa: S607
                cwd=where,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._servers.append(process)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not re.search(r"(served|serving) at http", log.read_text()):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        return log.read_text()

    def stop(self) -> None:
        for process in self._servers:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(PATIENCE_SECONDS)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    for tool in ("bash", "curl", "make"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    scripts = tmp_path / ".venv" / "bin"
    scripts.mkdir(parents=True)
    (scripts / "voxkeep").write_text(f'#!/bin/sh\nexec {sys.executable} -m voxkeep "$@"\n')
    (scripts / "voxkeep").chmod(0o755)
    someone = Reader(tmp_path)
    yield someone
    someone.stop()


def test_every_command_of_the_readme_does_what_it_says(reader: Reader) -> None:
    outputs = {}
    for command in COMMANDS:
        if command == "make test":
            # this test runs inside it
            assert "pytest" in reader.type(f"make -C {ROOT} --dry-run test")
            continue
        outputs[command] = reader.type(command)

    listed, calls = (json.loads(outputs[command]) for command in COMMANDS if "startTime" in command)
    assert len([row for row in listed if row["status"] == "SAVED"]) == 3
    assert {row["recordingKey"] for call in calls for row in call["recordings"]} <= {
        row["recordingKey"] for row in listed
    }
    agents, skills = (
        json.loads(next(text for command, text in outputs.items() if f"/{what}" in command))
        for what in ("v1/agents", "v1/skills")
    )
    assert (len(agents["agents"]), len(skills["skills"])) == (10, 4)
    filled = next(text for command, text in outputs.items() if "roster fill" in command)
    assert re.search(r"[1-9]\d* agents and \d+ skills added", filled)
    assert verify_ogg_opus(reader.folder / "call.ogg").channels == 1
    collected = next(text for command, text in outputs.items() if "collect run" in command)
    # the demo's three, and the one that was pushed to it
    assert re.search(r"\b4\b", collected)
    assert len(list((reader.folder / "my-archive" / "vault").rglob("*.ogg"))) == 5
    events = json.loads(next(text for command, text in outputs.items() if "v1/events" in command))
    assert events == {"taken": 1, "known": 0, "late": 0, "bad": [], "untold": 0}
    documents, pushed = (
        next(text for line, text in outputs.items() if part in line) for part in ("filter_", "curl -T")
    )
    assert json.loads(documents)["status"] == json.loads(pushed)["status"] == "success"
    pushed_bytes = (reader.folder / "call.mp3").read_bytes()
    assert json.loads(pushed)["data"]["sha256"] == hashlib.sha256(pushed_bytes).hexdigest()
    of_kazoo = next(text for command, text in outputs.items() if "run cluster" in command)
    assert re.search(r"\b4\b", of_kazoo)
    imported = next(text for command, text in outputs.items() if " import " in command)
    assert "1 imported" in imported
    token = next(text for command, text in outputs.items() if "user add" in command)
    assert "vk_" in token


def test_the_readme_names_every_command_there_is() -> None:
    readme = (ROOT / "README.md").read_text()
    for command in ("demo", "serve", "import", "collect", "tenant", "user", "status", "roster", "kazoo", "deliveries"):
        assert re.search(rf"(voxkeep|make) {command}\b", readme), command


def test_ci_calls_the_checks_as_the_readme_names_them() -> None:
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    readme = (ROOT / "README.md").read_text()
    for command in ("make check", "make test"):
        assert command in script
        assert command in readme
