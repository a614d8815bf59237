"""Every request of seed 004, by the real curl against the real demo: only host, account and token are filled in."""

import io
import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.server.harness import Answer, DemoProcess, ask_at, exchange, parsed, request_bytes

from voxkeep.audio.probe import probe
from voxkeep.vendors.kazoo.credentials import digests_of
from voxkeep.vendors.kazoo.gregorian import OFFSET_SECONDS

SEED_TYPES: dict[str, type] = {
    "call_id": str, "cdr_id": str, "interaction_id": str, "from": str, "to": str, "request": str, "direction": str,
    "origin": str, "start": int, "duration": int, "duration_ms": int, "name": str, "description": str,
    "content_type": str, "media_type": str, "media_source": str, "custom_channel_vars": dict,
}  # fmt: skip


class Curl(NamedTuple):
    """Runs curl as the seed writes it."""

    base: str
    token: str

    def __call__(self, method: str, path: str, *more: str) -> subprocess.CompletedProcess[bytes]:
        """Run `curl -v -X METHOD -H "X-Auth-Token: ..." http://SERVER/v2/accounts/ACCOUNT_ID/...`."""
        command = ["curl", "-s", "-v", "-X", method, "-H", f"X-Auth-Token: {self.token}", *more, f"{self.base}/{path}"]
        return subprocess.run(command, capture_output=True, check=True, timeout=60)

    def data(self, method: str, path: str, *more: str) -> Any:
        return json.loads(self(method, path, *more).stdout)["data"]


def log_in(demo: DemoProcess) -> str:
    kazoo = demo.document["kazoo"]
    credentials = digests_of(kazoo["username"], kazoo["password"]).md5
    body = json.dumps({"data": {"credentials": credentials, "account_name": kazoo["account_name"]}}).encode()
    headers = {"Host": "localhost", "Connection": "close", "Content-Length": str(len(body))}
    answer: Answer = parsed(exchange(demo.port, request_bytes("PUT", "/v2/user_auth", headers) + body))
    assert answer.status == 201
    assert answer.json["data"]["account_id"] == kazoo["account_id"]
    assert answer.json["data"]["owner_id"] == kazoo["user_id"]
    token = answer.json["auth_token"]
    assert isinstance(token, str)
    return token


@pytest.fixture(scope="module")
def curl(demo: DemoProcess) -> Curl:
    return Curl(f"{demo.document['url']}/v2/accounts/{demo.document['kazoo']['account_id']}", log_in(demo))


@pytest.fixture(scope="module")
def listed(curl: Curl) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = curl.data("GET", "recordings?paginate=false")
    return shown


def test_get_recordings_of_an_account(curl: Curl, listed: list[dict[str, Any]]) -> None:
    first = json.loads(curl("GET", "recordings").stdout)
    assert first["data"] == listed[:50]
    assert (first["status"], first["page_size"]) == ("success", len(first["data"]))
    assert sum(1 for each in listed if each["_read_only"]["content_types"]) >= 40
    for document in listed:
        for name, kind in SEED_TYPES.items():
            assert isinstance(document[name], kind), name
        assert document["start"] > OFFSET_SECONDS


def test_get_recordings_of_a_user(curl: Curl, demo: DemoProcess, listed: list[dict[str, Any]]) -> None:
    user = demo.document["kazoo"]["user_id"]
    shown = curl.data("GET", f"users/{user}/recordings")
    assert shown == [each for each in listed if each["owner_id"] == user]
    assert shown


def test_get_recording_document(curl: Curl, listed: list[dict[str, Any]]) -> None:
    expected = {name: value for name, value in listed[1].items() if name != "_read_only"}
    assert curl.data("GET", f"recordings/{listed[1]['id']}") == expected


@pytest.mark.parametrize(
    ("query", "header", "kind"),
    [
        ("", ["-H", "Accept: audio/mpeg"], "attachment"),
        ("?accept=audio/mpeg", [], "attachment"),
        ("?accept=audio/mpeg&inline=true", [], "inline"),
        ("?accept=audio/mpeg&inline=false", [], "attachment"),
    ],
)
def test_get_recording_document_attachment(
    curl: Curl, listed: list[dict[str, Any]], tmp_path: Path, query: str, header: list[str], kind: str
) -> None:
    document = next(each for each in listed if each["_read_only"]["content_types"])
    target = tmp_path / "call.mp3"
    told = curl("GET", f"recordings/{document['id']}{query}", *header, "-o", str(target)).stderr.decode().lower()
    assert "content-type: audio/mpeg" in told
    assert f"content-disposition: {kind}; filename={document['name']}" in told
    facts = probe(io.BytesIO(target.read_bytes()))
    assert facts.container == "mp3"
    assert abs(facts.duration_ms - document["duration_ms"]) < 150


def test_remove_a_recording(curl: Curl, listed: list[dict[str, Any]]) -> None:
    identity = listed[-1]["id"]
    assert curl.data("DELETE", f"recordings/{identity}")["id"] == identity
    gone = json.loads(curl("GET", f"recordings/{identity}").stdout)
    assert (gone["error"], gone["message"]) == ("404", "bad_identifier")
    assert identity not in [each["id"] for each in curl.data("GET", "recordings?paginate=false")]


def test_the_demo_tells_how_kazoos_clients_reach_it(demo: DemoProcess) -> None:
    kazoo = demo.document["kazoo"]
    assert set(kazoo) == {
        "account_id", "account_name", "username", "password", "user_id", "api_key", "push_url",
    }  # fmt: skip
    assert (len(kazoo["account_id"]), len(kazoo["user_id"]), len(kazoo["api_key"])) == (32, 32, 64)
    assert kazoo["push_url"].startswith(f"{demo.document['url']}/ingest/kazoo/")


def test_the_demos_child_account_is_read_by_its_parent_and_its_stranger_is_not(curl: Curl, demo: DemoProcess) -> None:
    (child,) = curl.data("GET", "descendants")
    base = curl.base.rpartition("/")[0]
    shown = json.loads(Curl(base, curl.token)("GET", f"{child['id']}/recordings").stdout)
    assert shown["status"] == "success"
    assert len(shown["data"]) >= 4
    strangers = ask_at(demo.port, "GET", "/rest/api/v2/recordings?" + demo.window, demo.token("globex-ns"))
    theirs = {each["recordingKey"][:36].replace("-", "") for each in strangers.json}
    assert theirs.isdisjoint(each["id"][7:] for each in shown["data"])
