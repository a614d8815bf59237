"""`voxkeep import` with a `url`, `voxkeep serve` that sends it, `voxkeep deliveries` that tells: in real processes."""

import asyncio
import json
import signal
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.journeys.processes import VOXKEEP, serving
from typer.testing import CliRunner, Result

from voxkeep.archive import Archive
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import TenantId, now_ms
from voxkeep.cli.common import ROOMS
from voxkeep.cli.main import app
from voxkeep.deliver import Deliveries
from voxkeep.demo.clips import content
from voxkeep.settings import Deliver, Settings
from voxkeep.vendors.kazoo.accounts import Accounts
from voxkeep.vendors.kazoo.people import Person

OGG = content("06-wrong-number.ogg")
START = "2026-03-01T12:00:00Z"
CANARY = "Zeisig7"
TO_LOOPBACK = {"VOXKEEP_DELIVER_ALLOW_PRIVATE_TARGETS": "true"}
KEYS = [
    "from", "to", "caller_id_name", "caller_id_number", "call_id", "cdr_id", "interaction_id", "owner_id", "account_id",
    "start", "duration_ms", "recording_id",
]  # fmt: skip


class Got(NamedTuple):
    """What a receiver was sent."""

    method: str
    target: str
    media_type: str
    authorization: str
    body: bytes


class Receiver(ThreadingHTTPServer):
    """Takes anything with a status, or hangs once it has read it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[Got] = []
        self.status = 201
        self.hangs = False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told = (self.headers["Content-Type"], self.headers.get("Authorization", ""))
        self.server.got.append(Got(self.command, self.path, *told, body))
        if self.server.hangs:
            time.sleep(60)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT  # noqa: N815 -- the name that is asked for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its own name
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def within(home: Path, work: Callable[[Archive], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        archive = await Archive.at(home, Settings(), ROOMS)
        try:
            return await work(archive)
        finally:
            await archive.close()

    return asyncio.run(run())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    async def make(archive: Archive) -> None:
        await archive.tenants.add(Tenant(id=TenantId(0), name="acme"))

    within(tmp_path / "home", make)
    (tmp_path / "call.ogg").write_bytes(OGG)
    return tmp_path / "home"


def manifest(home: Path, *lines: dict[str, Any]) -> Path:
    texts = [
        json.dumps({"audio": "call.ogg", "started_at": START, "tenant": "acme", "key": str(number), **line})
        for number, line in enumerate(lines)
    ]
    file = home.parent / "manifest.jsonl"
    file.write_text("\n".join(texts))
    return file


def ask(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--data", str(home)])


def told(home: Path, *words: str, code: int = 0) -> Any:
    result = ask(home, *words, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def imported(home: Path, *lines: dict[str, Any], code: int = 0) -> Any:
    return told(home, "import", "--manifest", str(manifest(home, *lines)), code=code)


def send_due(home: Path, ahead_ms: int = 0, **rule: Any) -> int:
    """Send as the server does, at a time that is not here yet."""
    settings = Deliver(allow_private_targets=True, **rule)

    async def work(archive: Archive) -> int:
        return await Deliveries(archive, settings, clock=lambda: now_ms() + ahead_ms).send_due()

    count: int = within(home, work)
    return count


def wait_for(fulfilled: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not fulfilled():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


# Import and serve


def test_an_imported_recording_with_a_url_is_sent_there_by_the_server_as_kazoo_would(
    home: Path, receiver: Receiver
) -> None:
    lines = (
        {"url": f"http://me:word@{receiver.address}/in/", "caller_number": "+44 20", "agent_extension": "204"},
        {"url": f"http://{receiver.address}/in?key=1&file=", "method": "POST"},
    )
    report = imported(home, *lines)
    assert (report["imported"], report["deliveries"], report["problems"]) == (2, 2, [])
    again = imported(home, *lines)
    assert (again["held"], again["deliveries"]) == (2, 0)
    with serving("serve", "--data", str(home), environment=TO_LOOPBACK):
        wait_for(lambda: len(told(home, "deliveries", "list", "--state", "done")) == 2)
    put, post = sorted(receiver.got, key=lambda got: got.method, reverse=True)
    assert (put.method, post.method) == ("PUT", "POST")
    assert (put.body, post.body) == (OGG, OGG)
    assert (put.media_type, put.authorization) == ("audio/ogg", "Basic bWU6d29yZA==")
    first, second = urlsplit(put.target), urlsplit(post.target)
    query, other = (parse_qsl(each.query, keep_blank_values=True) for each in (first, second))
    assert [key for key, _ in query] == KEYS
    assert [key for key, _ in other] == ["key", "file", *KEYS]
    known = dict(query)
    assert first.path == f"/in/call_recording_{known['call_id']}.ogg"
    assert (second.path, other[1][1]) == ("/in", f"call_recording_{dict(other)['call_id']}.ogg")
    assert (known["from"], known["account_id"], known["start"]) == ("+44 20", "", "63939585600")
    done = told(home, "deliveries", "list", "--state", "done")
    assert [each["size_bytes"] for each in done] == [len(OGG)] * 2
    assert all(each["done_at"] and each["next_at"] is None and each["error"] is None for each in done)


def test_the_tenant_s_account_and_the_agent_s_user_are_told(home: Path, receiver: Receiver) -> None:
    async def make(archive: Archive) -> tuple[str, str]:
        accounts = Accounts(archive.database, cost=2)
        account = await accounts.add_account(await archive.tenants.named("acme"), "Acme", "acme.sip.test")
        user = await accounts.add_user(account, "anne", "invented", Person(agent_extension="204"))
        return account.id, user.id

    account_id, user_id = within(home, make)
    imported(home, {"url": f"http://{receiver.address}/in", "agent_extension": "204"})
    assert send_due(home) == 1
    query = dict(parse_qsl(urlsplit(receiver.got[0].target).query, keep_blank_values=True))
    assert (query["account_id"], query["owner_id"]) == (account_id, user_id)
    assert query["to"].endswith("@acme.sip.test")


def test_what_a_killed_server_was_sending_is_sent_again(home: Path, receiver: Receiver) -> None:
    imported(home, {"url": f"http://{receiver.address}/in"})
    receiver.hangs = True
    command = [*VOXKEEP, "serve", "--data", str(home), "--port", "0"]
    environment = {**TO_LOOPBACK, "PATH": ""}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            wait_for(lambda: receiver.got)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    receiver.hangs = False
    assert send_due(home) == 0, "nobody knows yet that its sender is dead"
    assert send_due(home, ahead_ms=1000 * (Deliver().timeout_seconds + 60)) == 1
    assert [got.body for got in receiver.got] == [OGG, OGG]


def test_the_server_sends_to_no_private_address_unless_it_is_told_to(home: Path, receiver: Receiver) -> None:
    imported(home, {"url": f"http://{receiver.address}/in"})
    with serving("serve", "--data", str(home)):
        wait_for(lambda: told(home, "deliveries", "list"))
    assert receiver.got == []
    (dead,) = told(home, "deliveries", "list")
    assert dead["error"] == "127.0.0.1 is not a public address (setting deliver.allow_private_targets)"
    (alarm,) = told(home, "status", code=1)["alarms"]
    assert (alarm["kind"], alarm["key"], alarm["id"]) == ("delivery-failed", "0", dead["recording"])


# Bad lines


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"url": f"ftp://{CANARY}:{CANARY}@in.test/"}, "url"),
        ({"url": f"http:///{CANARY}"}, "url"),
        ({"url": f"http://in.test:99999/{CANARY}"}, "url"),
        ({"url": f"http://in.test/{CANARY} x"}, "url"),
        ({"url": f"{CANARY}"}, "url"),
        ({"url": ""}, "url"),
        ({"url": 7}, "url"),
        ({"url": "http://in.test/" + "a" * 5_000}, "url"),
        ({"url": "http://in.test/", "method": "get"}, "method"),
        ({"url": "http://in.test/", "method": ""}, "method"),
        ({"method": "put"}, "method"),
    ],
)
def test_a_line_with_a_bad_target_names_the_field_and_keeps_nothing(
    home: Path, fields: dict[str, Any], named: str
) -> None:
    result = ask(home, "import", "--manifest", str(manifest(home, fields)), "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["imported"], report["deliveries"]) == (0, 0)
    assert [problem["field"] for problem in report["problems"]] == [named]
    assert CANARY not in result.output
    assert not list((home / "vault").rglob("*.ogg"))


def test_a_recording_that_was_removed_is_not_ordered_anew(home: Path, receiver: Receiver) -> None:
    imported(home, {})

    async def remove(archive: Archive) -> None:
        tenant = await archive.tenants.named("acme")
        recording = await archive.by_key(tenant.id, "import", "0")
        assert recording is not None
        await archive.remove(tenant.id, recording.id)

    within(home, remove)
    assert imported(home, {"url": f"http://{receiver.address}/in"})["deliveries"] == 0


def test_a_recording_that_is_held_already_is_ordered_when_a_line_asks_for_it(home: Path, receiver: Receiver) -> None:
    imported(home, {})
    report = imported(home, {"url": f"http://{receiver.address}/in"})
    assert (report["held"], report["deliveries"]) == (1, 1)
    shown = ask(home, "import", "--manifest", str(manifest(home, {"url": f"http://{receiver.address}/else"})))
    assert "to be sent by 'voxkeep serve': 1" in shown.stdout
    assert send_due(home) == 2


# The command


def test_dead_letters_are_listed_tried_anew_and_dropped(home: Path, receiver: Receiver) -> None:
    assert told(home, "deliveries", "list") == []
    assert "no deliveries are dead" in ask(home, "deliveries", "list").stdout
    assert "no deliveries" in ask(home, "deliveries", "list", "--state", "all").stdout
    receiver.status = 404
    imported(home, *({"url": f"http://{receiver.address}/in"} for _ in range(3)))
    assert len(told(home, "deliveries", "list", "--state", "waiting")) == 3
    send_due(home)
    dead = told(home, "deliveries", "list")
    assert [(each["id"], each["state"], each["status"]) for each in dead] == [(n, "dead", 404) for n in (1, 2, 3)]
    assert len(told(home, "status", code=1)["alarms"]) == 3
    assert told(home, "deliveries", "drop", "1") == {"dropped": 1}
    assert "is dropped" in ask(home, "deliveries", "drop", "2").stderr
    assert [alarm["id"] for alarm in told(home, "status", code=1)["alarms"]] == [dead[2]["recording"]]
    receiver.status = 201
    assert told(home, "deliveries", "retry", "3") == {"retried": 1}
    assert send_due(home) == 1
    assert told(home, "status")["alarms"] == []
    assert [each["id"] for each in told(home, "deliveries", "list", "--state", "all")] == [3]
    done = ask(home, "deliveries", "drop", "3")
    assert (done.exit_code, "is done" in done.stderr) == (1, True)


def test_all_dead_letters_are_tried_anew_together(home: Path, receiver: Receiver) -> None:
    receiver.status = 403
    imported(home, *({"url": f"http://{receiver.address}/in"} for _ in range(2)))
    send_due(home)
    assert "2 to be tried anew" in ask(home, "deliveries", "retry", "--all").stderr
    assert told(home, "deliveries", "list") == []
    assert told(home, "deliveries", "retry", "--all") == {"retried": 0}


@pytest.mark.parametrize("words", [("retry",), ("retry", "1", "--all"), ("retry", "7"), ("drop", "7"), ("drop", "x")])
def test_what_cannot_be_meant_is_wrong_usage(home: Path, words: tuple[str, ...]) -> None:
    result = ask(home, "deliveries", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


def test_no_output_shows_the_secrets_of_a_url(home: Path, receiver: Receiver) -> None:
    receiver.status = 410
    url = f"http://{CANARY}:{CANARY}@{receiver.address}/{CANARY}/in?key={CANARY}&file="
    shown = [ask(home, "import", "--manifest", str(manifest(home, {"url": url}))).output]
    log = home.with_name("serve.log")
    command = [*VOXKEEP, "serve", "--data", str(home), "--port", "0", "--access-log"]
    with log.open("w") as stderr, subprocess.Popen(command, env=TO_LOOPBACK, stdout=stderr, stderr=stderr) as process:
        try:
            wait_for(lambda: told(home, "deliveries", "list"))
        finally:
            process.terminate()
    assert "is given up: refused: 410" in log.read_text()
    shown.append(log.read_text())
    shown += [ask(home, "deliveries", "list", *more).output for more in ([], ["--json"], ["--state", "all"])]
    shown += [ask(home, "status").output, ask(home, "deliveries", "retry", "1").output]
    assert CANARY in receiver.got[0].target
    shown += [ask(home, "deliveries", "drop", "1").output]
    assert receiver.address in shown[2]
    assert CANARY not in "".join(shown)
