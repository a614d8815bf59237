"""A demo's recordings, collected as a Kazoo cluster's by the real command into an archive of its own, and served there.

An account and the one below it; what comes out of the second server is what the first one gave.
"""

import json
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.journeys.processes import RECENT, run, serving

RECORDINGS = 10
"""Of the account at the top; the one below it has a tenth."""
Everything = tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]], dict[str, bytes]]


def asked(request: urllib.request.Request) -> bytes:
    with urllib.request.urlopen(request) as answer:  # noqa: S310 -- loopback
        body: bytes = answer.read()
        return body


class Reader:
    """Someone with an API key at a server."""

    def __init__(self, url: str, api_key: str) -> None:
        self._base = f"{url}/v2"
        body = json.dumps({"data": {"api_key": api_key}}).encode()
        told = json.loads(asked(urllib.request.Request(f"{self._base}/api_auth", data=body, method="PUT")))  # noqa: S310
        self._token, self.account = told["auth_token"], told["data"]["account_id"]

    def get(self, path: str, **query: str) -> bytes:
        url = f"{self._base}/accounts/{path}?{urlencode(query)}"
        return asked(urllib.request.Request(url, headers={"X-Auth-Token": self._token}))  # noqa: S310 -- loopback

    def listed(self, account: str) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        more: dict[str, str] = {}
        while True:
            page = json.loads(self.get(f"{account}/recordings", page_size="5", **more))
            found |= {each["id"]: each for each in page["data"]}
            if "next_start_key" not in page:
                return found
            more = {"start_key": page["next_start_key"]}

    def below(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.get(f"{self.account}/descendants"))["data"]
        return found

    def all(self, account: str) -> Everything:
        """Return an account's list, each document by itself, and the audio of each that has any."""
        items = self.listed(account)
        documents = {key: json.loads(self.get(f"{account}/recordings/{key}"))["data"] for key in items}
        there = [key for key, item in items.items() if item["_read_only"]["content_types"]]
        audio = {key: self.get(f"{account}/recordings/{key}", accept="audio/mpeg") for key in there}
        return items, documents, audio


def only(everything: Everything, keys: set[str]) -> Everything:
    items, documents, audio = everything
    return (
        {key: each for key, each in items.items() if key in keys},
        {key: each for key, each in documents.items() if key in keys},
        {key: each for key, each in audio.items() if key in keys},
    )


def collected(own: Path, secret: dict[str, str]) -> dict[str, dict[str, Any]]:
    report = json.loads(run("collect", "run", "--json", "--data", str(own), environment=secret))
    return {each["source"]: each for each in report["sources"]}


def serve_as_accounts(own: Path, top: str, below: str) -> str:
    """Make two tenants accounts, one below the other, and return an API key of the upper one."""
    add = ("kazoo", "account", "add", "--data", str(own))
    run(*add, top, "--realm", "top.sip.test")
    run(*add, below, "--realm", "below.sip.test", "--parent", top)
    key: str = json.loads(run("kazoo", "api-key", top, "--json", "--data", str(own)))["api_key"]
    return key


def test_an_account_of_a_demo_and_the_one_below_it_are_collected_field_and_byte_identical(tmp_path: Path) -> None:
    demo_home, own = tmp_path / "demo", tmp_path / "own"
    # many logins come from one address here, within seconds
    unlimited = {"VOXKEEP_KAZOO_RATE_LIMITS": "false"}
    with serving(
        "demo", *RECENT, "--recordings", str(RECORDINGS), "--data", str(demo_home), environment=unlimited
    ) as demo:
        told = demo["kazoo"]
        reader = Reader(demo["url"], told["api_key"])
        (below,) = reader.below()
        theirs = {"top": reader.all(reader.account), below["name"]: reader.all(below["id"])}
        assert [len(each[2]) for each in theirs.values()] == [RECORDINGS, RECORDINGS // 10]

        secret = {"DEMO_PASSWORD": told["password"]}
        source = ("--vendor", "kazoo", "--url", f"{demo['url']}/v2", "--secret-env", "DEMO_PASSWORD", "--pace", "0")
        login = ("--username", told["username"], "--account-name", told["account_name"])
        run("collect", "add", "top", *source, *login, "--tenant", "top", "--data", str(own))
        (added,) = json.loads(run("collect", "descendants", "top", "--json", "--data", str(own), environment=secret))
        assert (added["account_id"], added["tenant"]) == (below["id"], below["name"])
        first, again = collected(own, secret), collected(own, secret)

    for name, tenant in (("top", "top"), (added["name"], below["name"])):
        count = len(theirs[tenant][2])
        assert (first[name]["new"], first[name]["failed"], first[name]["rejected"]) == (count, 0, 0)
        assert first[name]["listed"] == len(theirs[tenant][0]) == count + first[name]["pending"] + first[name]["gone"]
        assert (again[name]["new"], again[name]["held"], again[name]["bytes"]) == (0, count, 0)
        assert not any("not collected" in note for note in first[name]["notes"])

    key = serve_as_accounts(own, "top", below["name"])
    with serving("serve", "--data", str(own)) as server:
        reader = Reader(server["url"], key)
        (kept_below,) = reader.below()
        ours = {"top": reader.all(reader.account), below["name"]: reader.all(kept_below["id"])}
    assert ours == {name: only(each, set(each[2])) for name, each in theirs.items()}
