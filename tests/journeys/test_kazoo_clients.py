"""Kazoo's own clients, unchanged, against the demo: log in, list, read, delete, and go on when their token is over."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.processes import PATIENCE_SECONDS, serving

HERE = Path(__file__).parent
TOKEN_SECONDS = 3
RECORDINGS = 20
LOGINS = ({"username", "password", "account_name"}, {"api_key"})


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    home = tmp_path_factory.mktemp("kazoo") / "demo"
    # each client logs in twice: four logins are more than the bucket of one address gives at once
    short = {"VOXKEEP_KAZOO_TOKEN_SECONDS": str(TOKEN_SECONDS), "VOXKEEP_KAZOO_RATE_LIMITS": "false"}
    with serving("demo", "--data", str(home), "--recordings", str(RECORDINGS), environment=short) as document:
        yield document


def used(client: str, demo: dict[str, Any], login: set[str], *, quietly: bool = True) -> dict[str, Any]:
    task = {name: demo["kazoo"][name] for name in login} | {"url": demo["url"], "pause": TOKEN_SECONDS + 0.5}
    # the libraries are old: their own warnings are theirs
    options = ["-W", "ignore"] if quietly else []
    done = subprocess.run(
        [sys.executable, *options, str(HERE / client)],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("login", LOGINS, ids=["password", "api_key"])
def test_kazoo_sdk_works_unchanged(demo: dict[str, Any], login: set[str]) -> None:
    told = used("kazoo_sdk_client.py", demo, login)
    assert told["account_id"] == demo["kazoo"]["account_id"]
    assert len(told["ids"]) == len(set(told["ids"])) >= RECORDINGS - 1
    assert told["one"]["id"] == told["manual_first"] == told["ids"][0]
    assert told["manual"] is True
    assert told["account"]["name"] == demo["kazoo"]["account_name"]
    assert told["renewed"] is True
    assert told["after_expiry"] == told["ids"][1]
    assert told["deleted"] == told["ids"][0]
    assert "bad_identifier" in told["gone"]
    assert list(told["bad_data"]) == ["created_from"]
    assert list(told["bad_data"]["created_from"]) == ["date_range"]


@pytest.mark.parametrize("login", LOGINS, ids=["password", "api_key"])
def test_pykazoo_works_unchanged(demo: dict[str, Any], login: set[str]) -> None:
    told = used("pykazoo_client.py", demo, login)
    assert told["before"] is False
    assert told["account_id"] == demo["kazoo"]["account_id"]
    assert (told["page_size"], told["directions"]) == (5, ["outbound"])
    assert told["account_name"] == demo["kazoo"]["account_name"]
    assert told["users"] == 10
    assert told["expired"]
    assert told["after_expiry"]
    assert told["deleted"]
    assert "404" in told["gone"]
