"""Running the `voxkeep` command as a user does: in processes of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VOXKEEP = [sys.executable, "-m", "voxkeep"]
PATIENCE_SECONDS = 120
RECENT = ("--days", "3")
"""Of a demo that is collected twice: a later run goes back five days, to the time of day that it is, and lists only
what began since.
"""


def run(*arguments: str, environment: Mapping[str, str] = {}, expect: int = 0) -> str:
    """Run a command to its end and return what it printed on stdout."""
    done = subprocess.run(
        [*VOXKEEP, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS * 3,
    )
    assert done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def serving(*arguments: str, environment: Mapping[str, str] = {}) -> Iterator[dict[str, Any]]:
    """Run `demo` or `serve` with --json on a free port, give what it tells, and end it as a terminal would."""
    command = [*VOXKEEP, *arguments, "--json", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield json.loads(line)
        finally:
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert rest == "", "one line is all that goes to stdout"
    assert process.returncode == 0, errors


def user_token(home: Path, name: str, tenant: str) -> str:
    """Make a service user in an archive and return its token."""
    document = json.loads(run("user", "add", name, "--tenant", tenant, "--data", str(home), "--json"))
    token = document["token"]
    assert isinstance(token, str)
    return token
