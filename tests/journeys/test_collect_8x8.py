"""A demo's calls and chats, collected as 8x8's by the real command into an archive of its own, and served there."""

import base64
import json
import urllib.request
from pathlib import Path
from typing import Any

from tests.journeys.processes import RECENT, run, serving, user_token

RECORDINGS = 8
Everything = tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any], dict[str, bytes]]


def get(url: str, tenant: str, token: str) -> bytes:
    basic = base64.b64encode(f"{tenant}:{token}".encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {basic}"})  # noqa: S310 -- loopback
    with urllib.request.urlopen(request) as answer:  # noqa: S310 -- loopback
        body: bytes = answer.read()
        return body


class Reader:
    """Someone with a tenant's token at a server."""

    def __init__(self, url: str, tenant: str, token: str) -> None:
        self._base, self._tenant, self._token = f"{url}/api/recordings", tenant, token

    def content(self, path: str) -> bytes:
        return get(f"{self._base}/{path}", self._tenant, self._token)

    def records(self, what: str, element: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            page = json.loads(self.content(f"{what}.json?tz=UTC&n={len(rows) + 1}"))["recordings"][element]
            rows += page
            if len(page) < 50:
                return rows

    def all(self) -> Everything:
        """Return files, chats, each chat with its messages, and each file's audio."""
        files, chats = self.records("files", "file"), self.records("transcripts", "transcript")
        whole = {
            each["interactionGUID"]: json.loads(self.content(f"transcripts/{each['interactionGUID']}.json?tz=UTC"))
            for each in chats
        }
        audio = {each["filename"]: self.content(f"files/{each['filename']}") for each in files}
        return files, chats, whole, audio


def keys_missing(report: dict[str, Any]) -> set[str]:
    return {each["key"].removeprefix("transcript ") for each in report["missing"]}


def without(everything: Everything, keys: set[str]) -> Everything:
    files, chats, whole, audio = everything
    return (
        [each for each in files if each["filename"] not in keys],
        [each for each in chats if each["interactionGUID"] not in keys],
        {guid: each for guid, each in whole.items() if guid not in keys},
        {name: each for name, each in audio.items() if name not in keys},
    )


def test_calls_and_chats_of_a_demo_are_collected_as_8x8s_field_and_byte_identical(tmp_path: Path) -> None:
    demo_home, own = tmp_path / "demo", tmp_path / "own"
    with serving("demo", *RECENT, "--recordings", str(RECORDINGS), "--data", str(demo_home)) as demo:
        token = demo["8x8"]["token"]
        theirs = Reader(demo["url"], "acme-ns", token).all()
        assert (len(theirs[0]), len(theirs[1])) == (RECORDINGS, 24)

        secret = {"DEMO_TOKEN": token}
        source = ("--vendor", "8x8", "--url", demo["url"], "--account", "acme-ns", "--secret-env", "DEMO_TOKEN")
        run(
            *("collect", "add", "nightly", *source, "--audio", "http", "--pace", "0"),
            *("--tenant", "kept", "--data", str(own)),
        )
        command = ["collect", "run", "--json", "--data", str(own)]
        (told,) = json.loads(run(*command, environment=secret))["sources"]
        (again,) = json.loads(run(*command, environment=secret))["sources"]
    # soon after midnight, UTC, a demo's last calls are less than an hour old
    listed, late = RECORDINGS + 24, keys_missing(again)
    for report in (told, again):
        assert report["new"] + report["held"] + report["pending"] == report["listed"] == listed
    assert (again["held"], again["bytes"] > 0) == (told["new"], again["new"] > 0)

    with serving("serve", "--data", str(own)) as server:
        ours = Reader(server["url"], "kept", user_token(own, "reader", "kept")).all()
    assert ours == without(theirs, late)
