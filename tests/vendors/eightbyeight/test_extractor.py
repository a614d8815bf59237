"""A generic REST extractor (dlt's `rest_api` source), set up by configuration only, pages the whole demo.

It runs as a process of its own, with its folders among the test's and its telemetry off: its warnings are its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from tests.server.harness import DemoProcess
from tests.vendors.eightbyeight.harness import BASE, asked_at

EXTRACT = """
import json, os, sys
import requests
from dlt.sources.rest_api import rest_api_source

asked = []

class Watched(requests.Session):
    def send(self, request, **options):
        asked.append(request.url.partition("?")[2])
        return super().send(request, **options)

source = rest_api_source({
    "client": {
        "base_url": os.environ["BASE_URL"],
        "auth": {"type": "http_basic", "username": os.environ["TENANT"], "password": os.environ["TOKEN"]},
        "session": Watched(),
        "paginator": {
            "type": "offset", "offset": 1, "limit": 50, "offset_param": "n", "limit_param": "limit",
            "total_path": None, "stop_after_empty_page": True,
        },
    },
    "resources": json.loads(os.environ["RESOURCES"]),
})
rows = {name: list(resource) for name, resource in source.resources.items()}
json.dump({"rows": rows, "asked": asked}, sys.stdout)
"""
ELEMENTS = {"files": "file", "transcripts": "transcript"}
KEYS = {"files": "filename", "transcripts": "interactionGUID"}


def extracted(demo: DemoProcess, home: Path, resource: str, **variables: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Run the extractor on one list, and return its rows and the queries that it sent."""
    eight = demo.document["8x8"]
    selector = f"recordings.{ELEMENTS[resource]}"
    endpoint = {"path": f"{resource}.json", "params": variables, "data_selector": selector}
    environment = {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL")},
        "HOME": str(home),
        "DLT_DATA_DIR": str(home / "data"),
        "DLT_PROJECT_DIR": str(home),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "NO_PROXY": "*",
        "BASE_URL": f"{demo.document['url']}{BASE}/",
        "TENANT": eight["tenant"],
        "TOKEN": eight["token"],
        "RESOURCES": json.dumps([{"name": resource, "endpoint": endpoint}]),
    }
    done = subprocess.run(
        [sys.executable, "-c", EXTRACT],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        cwd=home,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    return document["rows"][resource], document["asked"]


def listed(demo: DemoProcess, resource: str) -> list[dict[str, Any]]:
    """Return the whole list, by hand."""
    found: list[dict[str, Any]] = []
    while True:
        page = asked_at(demo, f"{resource}.json?n={len(found) + 1}").json["recordings"][ELEMENTS[resource]]
        if not page:
            return found
        found += page


@pytest.mark.parametrize(("resource", "pages"), [("files", ["1", "51", "101", "151"]), ("transcripts", ["1", "51"])])
def test_a_configured_extractor_gets_every_record_once(
    demo: DemoProcess, tmp_path: Path, resource: str, pages: list[str]
) -> None:
    rows, asked = extracted(demo, tmp_path, resource)
    keys = [row[KEYS[resource]] for row in rows]
    assert len(keys) == len(set(keys)) == {"files": 120, "transcripts": 24}[resource]
    assert rows == listed(demo, resource)
    # a `limit` that is no variable here is always sent, too
    assert [dict(parse_qsl(query)) for query in asked] == [{"n": n, "limit": "50"} for n in pages]


def test_an_extractor_that_asks_for_a_window_gets_that(demo: DemoProcess, tmp_path: Path) -> None:
    rows, _ = extracted(demo, tmp_path, "files", d="today-7d,today", tz="UTC", channel="#virtual_outbound#")
    keys = {row["filename"] for row in rows}
    assert keys == {row["filename"] for row in listed(demo, "files") if row["channel"] == "#virtual_outbound#"}
    assert keys
