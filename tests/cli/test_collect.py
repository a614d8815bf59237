import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.server.tls import certificate
from tests.vendors.eightbyeight import vendor as eight
from tests.vendors.xima.vendor import LIST, NOON, TOKEN, Vendor, record, status, tone
from typer.testing import CliRunner, Result

from voxkeep.archive.units import HOUR_MS
from voxkeep.cli.collect import app
from voxkeep.collect.lock import source_lock

QUICK = {
    "VOXKEEP_COLLECT_PACE_SECONDS": "0",
    "VOXKEEP_COLLECT_REFUSED_WAIT_SECONDS": "0.002",
    "ACME_TOKEN": TOKEN,
}
COLLECT = "from voxkeep.cli.collect import app; app()"
SPAN = ("--since", "2023-11-14T22:00:00Z", "--until", "2023-11-15T01:00:00Z")

Ask = Callable[..., Any]


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor(*(record(f"k-{number}", NOON + number * 60_000) for number in range(3))) as started:
        yield started


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def ask(home: Path) -> Ask:
    """Ask a command beside the vendor's event loop."""

    async def ask(*words: str, **variables: str) -> Result:
        runner = CliRunner(env={**QUICK, **variables})
        return await asyncio.to_thread(runner.invoke, app, [*words, "--data", str(home)])

    return ask


def add_words(url: str, **changes: str | None) -> list[str]:
    options = {"vendor": "xima", "url": url, "tenant": "acme", "secret-env": "ACME_TOKEN", **changes}
    words = [(f"--{name}", value) for name, value in options.items() if value is not None]
    return ["add", "acme-source", *(word for pair in words for word in pair)]


async def test_a_source_is_set_up_checked_run_and_shown(ask: Ask, vendor: Vendor, home: Path) -> None:
    assert (await ask(*add_words(vendor.url))).exit_code == 0
    checked = await ask("check")
    assert (checked.exit_code, checked.stdout.splitlines()[0]) == (
        0,
        "acme-source: recordings can be listed: 0 in the last minute",
    )
    ran = await ask("run", *SPAN)
    assert ran.exit_code == 0, ran.output
    assert "acme-source" in ran.stdout
    shown = await ask("status")
    assert "exit 0" in shown.stdout
    assert "3 held" in shown.stdout
    assert len(list((home / "vault" / "acme").rglob("*.ogg"))) == 3


async def test_a_run_reports_in_one_line_of_json(ask: Ask, vendor: Vendor) -> None:
    await ask(*add_words(vendor.url))
    ran = await ask("run", "acme-source", *SPAN, "--json")
    assert ran.stdout.count("\n") == 1
    document = json.loads(ran.stdout)
    assert document["exit"] == ran.exit_code == 0
    (source,) = document["sources"]
    assert (source["source"], source["tenant"], source["listed"], source["new"]) == ("acme-source", "acme", 3, 3)
    assert (source["since"], source["until"]) == ("2023-11-14T22:00:00.000Z", "2023-11-15T01:00:00.000Z")


@pytest.mark.parametrize(("fault", "code"), [(status(400), 1), (status(401), 3), (status(403), 3), (None, 0)])
async def test_the_exit_code_tells_how_it_went(ask: Ask, vendor: Vendor, fault: Any, code: int) -> None:
    await ask(*add_words(vendor.url))
    if fault is not None:
        vendor.always["k-1"] = fault
    assert (await ask("run", *SPAN)).exit_code == code


@pytest.mark.parametrize(
    ("fault", "code", "text"), [(401, 3, "the token is wrong"), (403, 3, "not approved"), (500, 1, "HTTP 500")]
)
async def test_check_tells_what_the_vendor_says(ask: Ask, vendor: Vendor, fault: int, code: int, text: str) -> None:
    await ask(*add_words(vendor.url))
    vendor.always[LIST] = status(fault)
    checked = await ask("check")
    assert (checked.exit_code, text in checked.stdout) == (code, True)
    assert json.loads((await ask("check", "--json")).stdout)[0]["exit"] == code


async def test_the_token_is_printed_and_stored_nowhere(ask: Ask, vendor: Vendor, home: Path) -> None:
    outputs = [await ask(*add_words(vendor.url))]
    vendor.always["k-1"] = status(200, f'{{"echo": "{TOKEN}"}}'.encode())
    vendor.faults[LIST].append(status(500, f'{{"message": "{TOKEN}"}}'.encode()))
    outputs += [
        await ask(*words) for words in (["run", *SPAN], ["status"], ["list"], ["check"], ["run", *SPAN, "--json"])
    ]
    assert not any(TOKEN in each.output for each in outputs)
    assert not any(TOKEN.encode() in each for each in _stored(home))


async def test_the_token_may_lie_in_a_file(ask: Ask, vendor: Vendor, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text(f"{TOKEN}\n")
    added = await ask(*add_words(vendor.url, **{"secret-env": None, "secret-file": str(secret)}))
    assert added.exit_code == 0, added.output
    assert (await ask("run", *SPAN)).exit_code == 0
    secret.write_bytes(b"\xff\xfe")
    assert (await ask("run", *SPAN)).exit_code == 2
    secret.unlink()
    assert (await ask("run", *SPAN)).exit_code == 2


async def test_a_token_that_is_not_set_is_wrong_usage_and_stops_no_other_source(ask: Ask, vendor: Vendor) -> None:
    await ask(*add_words(vendor.url))
    words = add_words(vendor.url, **{"secret-env": "NOT_SET_ANYWHERE"})
    words[1] = "second"
    assert (await ask(*words)).exit_code == 0
    ran = await ask("run", *SPAN, "--json")
    by_name = {each["source"]: each for each in json.loads(ran.stdout)["sources"]}
    assert (by_name["acme-source"]["new"], by_name["second"]["exit"], ran.exit_code) == (3, 2, 2)
    assert "NOT_SET_ANYWHERE" in ran.stderr
    assert (await ask("check", "second")).exit_code == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"vendor": "nobody"},
        {"url": "http://acme.xima.cloud"},
        {"url": "acme.xima.cloud"},
        {"url": "https://user:pw@acme.xima.cloud"},
        {"secret-env": None},
        {"secret-file": "also"},
        {"pace": "-1"},
        {"pace": "nan"},
        {"zone": "Mars/Olympus"},
    ],
)
async def test_a_source_that_cannot_be_is_wrong_usage(ask: Ask, home: Path, changes: dict[str, str | None]) -> None:
    url = changes.get("url") or "https://acme.xima.cloud"
    added = await ask(*add_words(url, **{name: value for name, value in changes.items() if name != "url"}))
    assert added.exit_code == 2, added.output
    assert _stored(home) == []


@pytest.mark.parametrize("variable", [f"vk_{'a' * 43}", "eyJhbGciOi.eyJzdWIi", "1TOKEN", "A B", "A-B", "T\n", ""])
async def test_a_token_given_as_the_name_of_a_variable_is_refused_and_not_repeated(
    ask: Ask, home: Path, variable: str
) -> None:
    added = await ask(*add_words("https://acme.xima.cloud", **{"secret-env": variable}))
    assert added.exit_code == 2
    assert "--secret-env" in added.stderr
    assert not variable or variable not in added.output
    assert _stored(home) == []


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("json_too", [False, True])
async def test_without_any_source_one_line_says_so(ask: Ask, command: str, json_too: bool) -> None:  # noqa: FBT001 -- a case
    await ask(*add_words("https://acme.xima.cloud"))
    await ask("remove", "acme-source")
    asked = await ask(command, *(["--json"] if json_too else []))
    assert asked.exit_code == 0
    assert asked.stderr == "no sources yet: 'voxkeep collect add' sets one up\n"
    if json_too:
        assert json.loads(asked.stdout) == ([] if command == "check" else {"exit": 0, "sources": []})


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "x" * 64])
async def test_a_name_that_is_no_name_is_wrong_usage(ask: Ask, name: str) -> None:
    words = add_words("https://acme.xima.cloud")
    assert (await ask("add", *words[2:], "--", name)).exit_code == 2


async def test_a_tenant_that_cannot_be_is_wrong_usage(ask: Ask) -> None:
    added = await ask(*add_words("https://acme.xima.cloud", tenant="no/name"))
    assert (added.exit_code, "name" in added.stderr) == (2, True)


async def test_plain_http_elsewhere_can_be_allowed(ask: Ask) -> None:
    assert (await ask(*add_words("http://acme.xima.cloud"), "--allow-http")).exit_code == 0


async def test_a_name_is_taken_once(ask: Ask) -> None:
    words = add_words("https://acme.xima.cloud")
    assert (await ask(*words)).exit_code == 0
    again = await ask(*words)
    assert (again.exit_code, "already" in again.stderr) == (2, True)


async def test_sources_are_listed_with_where_their_secret_is(ask: Ask) -> None:
    await ask(*add_words("https://acme.xima.cloud", pace="4.5", zone="America/Denver"))
    listed = json.loads((await ask("list", "--json")).stdout)
    assert listed == [
        {
            "name": "acme-source",
            "vendor": "xima",
            "url": "https://acme.xima.cloud",
            "tenant": "acme",
            "secret": "$ACME_TOKEN",
            "pace_seconds": 4.5,
            "zone": "America/Denver",
            "options": {},
            "second_secret": "",
        }
    ]
    assert "secret $ACME_TOKEN" in (await ask("list")).stdout


async def test_the_zone_of_a_new_source_is_its_tenants(ask: Ask) -> None:
    await ask(*add_words("https://acme.xima.cloud", zone="America/Denver"))
    words = add_words("https://acme.xima.cloud")
    words[1] = "second"
    await ask(*words)
    assert {each["zone"] for each in json.loads((await ask("list", "--json")).stdout)} == {"America/Denver"}


async def test_a_removed_source_is_gone_and_what_it_collected_stays(ask: Ask, vendor: Vendor, home: Path) -> None:
    await ask(*add_words(vendor.url))
    await ask("run", *SPAN)
    with source_lock(home, "acme-source"):
        assert (await ask("remove", "acme-source")).exit_code == 2
    assert (await ask("remove", "acme-source")).exit_code == 0
    assert json.loads((await ask("list", "--json")).stdout) == []
    assert len(list((home / "vault").rglob("*.ogg"))) == 3
    assert (await ask("remove", "acme-source")).exit_code == 2


@pytest.mark.parametrize(
    ("since", "until", "first", "last"),
    [
        ("2023-11-14", "2023-11-14", "2023-11-14T07:00:00.000Z", "2023-11-15T06:59:59.999Z"),
        ("2023-11-14T10:00", "2023-11-14 11:30:15", "2023-11-14T17:00:00.000Z", "2023-11-14T18:30:15.000Z"),
        ("2023-11-14T10:00Z", "2023-11-14T23:59:59.500-06:00", "2023-11-14T10:00:00.000Z", "2023-11-15T05:59:59.500Z"),
        # an autumn day of 25 hours
        ("2023-11-05", "2023-11-05", "2023-11-05T06:00:00.000Z", "2023-11-06T06:59:59.999Z"),
    ],
)
async def test_times_without_an_offset_are_in_the_sources_zone(
    ask: Ask, vendor: Vendor, since: str, until: str, first: str, last: str
) -> None:
    await ask(*add_words(vendor.url, zone="America/Denver"))
    ran = await ask("run", "--since", since, "--until", until, "--json")
    (source,) = json.loads(ran.stdout)["sources"]
    assert (source["since"], source["until"]) == (first, last)


@pytest.mark.parametrize(
    "words",
    [
        ("--since", "yesterday"),
        ("--since", "2023-13-01"),
        ("--since", "1969-12-31T00:00Z"),
        ("--since", "2300-01-01"),
        ("--since", "2199-01-01"),
        ("--since", "2023-11-15", "--until", "2023-11-13"),
        ("--until", ""),
        ("nobody",),
    ],
)
async def test_times_and_names_that_cannot_be_are_wrong_usage(ask: Ask, vendor: Vendor, words: tuple[str, ...]) -> None:
    await ask(*add_words(vendor.url))
    ran = await ask("run", *words)
    assert ran.exit_code == 2, ran.output
    assert vendor.asked == []
    assert "Traceback" not in ran.output


async def test_without_an_archive_there_is_nothing_to_run(ask: Ask, home: Path) -> None:
    for command in ("run", "check", "list", "status"):
        assert (await ask(command)).exit_code == 2
    assert _stored(home) == []


async def test_a_source_that_never_ran_says_so(ask: Ask, vendor: Vendor) -> None:
    await ask(*add_words(vendor.url))
    assert "has not run yet" in (await ask("status")).stdout
    assert json.loads((await ask("status", "--json")).stdout)[0]["last_run"] is None


async def test_a_second_run_beside_the_first_says_so_and_asks_nothing(ask: Ask, vendor: Vendor, home: Path) -> None:
    await ask(*add_words(vendor.url))
    with source_lock(home, "acme-source"):
        ran = await ask("run", *SPAN)
        checked = await ask("check")
    assert (ran.exit_code, "another run is collecting" in ran.stderr, vendor.asked) == (1, True, [])
    assert checked.exit_code == 1


async def start(home: Path, *words: str, **variables: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        COLLECT,
        *words,
        "--data",
        str(home),
        env={**os.environ, **QUICK, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("moment", ["audio", "list"])
async def test_a_run_killed_in_the_middle_is_finished_by_the_next_and_nothing_comes_twice(
    ask: Ask, vendor: Vendor, home: Path, moment: str
) -> None:
    vendor.recordings = [record(f"k-{number:02}", NOON + number * 60_000) for number in range(12)]
    await ask(*add_words(vendor.url))
    reached, never = asyncio.Event(), asyncio.Event()

    async def stall(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100000", "Content-Type": "audio/ogg"})
        await response.prepare(request)
        await response.write(tone(1_000)[:700])
        reached.set()
        await never.wait()
        return response

    if moment == "audio":
        vendor.faults["k-05"].append(stall)
    else:
        vendor.faults[LIST].extend([_passing, stall])
    span = ("--since", _iso(NOON - 23 * HOUR_MS), "--until", _iso(NOON + 3 * HOUR_MS))
    process = await start(home, "run", *span)
    await asyncio.wait_for(reached.wait(), 60)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    never.set()
    before = dict(vendor.served)
    assert len(before) == (5 if moment == "audio" else 12)
    assert _kept(home) == set(before)

    again = await start(home, "run", *span, "--json")
    output, _ = await again.communicate()
    report = json.loads(output)["sources"][0]
    assert (again.returncode, report["new"], report["held"]) == (0, 12 - len(before), len(before))
    assert set(vendor.served.values()) == {1}
    assert _kept(home) == {row["recordingKey"] for row in vendor.recordings}
    assert _stored(home, "*.part") == []
    assert _stored(home / "vault") == [tone(1_000)] * 12


async def _passing(_: web.Request) -> None:
    return None


# 8x8


EIGHT_QUICK = {"EIGHT_TOKEN": eight.TOKEN, "EIGHT_PW": eight.PASSWORD}
OVER_FTPS = {"audio": "ftps", "ftps-host": "localhost", "ftps-secret-env": "EIGHT_PW"}


@pytest.fixture
async def eight_vendor() -> AsyncIterator[eight.Vendor]:
    async with eight.Vendor(*(eight.row(NOON + n * 60_000, n) for n in range(12))) as started:
        started.chats = [eight.chat(f"g-{n}", NOON + n * 60_000) for n in range(3)]
        yield started


def eight_words(url: str, **changes: str | None) -> list[str]:
    return add_words(url, **{"vendor": "8x8", "secret-env": "EIGHT_TOKEN", "audio": "http", "pace": "0", **changes})


async def test_an_8x8_source_is_set_up_checked_run_and_shown(ask: Ask, eight_vendor: eight.Vendor, home: Path) -> None:
    assert (await ask(*eight_words(eight_vendor.url))).exit_code == 0
    checked = await ask("check", **EIGHT_QUICK)
    assert (checked.exit_code, "8x8 does not document" in checked.stdout) == (0, True)
    ran = await ask("run", *SPAN, **EIGHT_QUICK)
    assert ran.exit_code == 0, ran.output
    assert "15 held" in (await ask("status")).stdout
    assert len(list((home / "vault" / "acme").rglob("*.wav"))) == 12
    again = json.loads((await ask("run", *SPAN, "--json", **EIGHT_QUICK)).stdout)["sources"][0]
    assert (again["new"], again["held"], again["bytes"]) == (0, 15, 0)


async def test_an_8x8_source_fetches_audio_over_ftps(
    ask: Ask, eight_vendor: eight.Vendor, home: Path, tmp_path: Path
) -> None:
    pair = certificate(tmp_path)
    with eight.ftps_server(tmp_path / "tree", pair) as tree:
        for each in eight_vendor.files:
            tree.put(each["filename"], eight.tone(1_000))
        options = {**OVER_FTPS, "ftps-port": str(tree.port), "ftps-ca": str(pair.cert)}
        assert (await ask(*eight_words(eight_vendor.url, **options))).exit_code == 0
        checked = await ask("check", **EIGHT_QUICK)
        ran = await ask("run", *SPAN, "--json", **EIGHT_QUICK)
        refused = await ask("check", **{**EIGHT_QUICK, "EIGHT_PW": "wrong"})
    assert (checked.exit_code, "the FTPS server lets us in" in checked.stdout) == (0, True)
    assert json.loads(ran.stdout)["sources"][0]["new"] == 15
    assert set(eight_vendor.served) == {"g-0", "g-1", "g-2"}
    assert (refused.exit_code, "FTPS login" in refused.stdout) == (3, True)
    assert (await ask("check", EIGHT_TOKEN=eight.TOKEN)).exit_code == 2
    outputs = [checked.output, ran.output, refused.output]
    assert not any(eight.PASSWORD in each or eight.TOKEN in each for each in outputs)
    stored = [each for each in _stored(home) if eight.PASSWORD.encode() in each or eight.TOKEN.encode() in each]
    assert stored == []


async def test_the_options_of_8x8_are_listed_without_secrets(ask: Ask) -> None:
    await ask(*eight_words("https://vcc-na2.8x8.com", account="theirs", **OVER_FTPS, pace=None))
    (listed,) = json.loads((await ask("list", "--json")).stdout)
    assert listed["options"] == {
        "account": "theirs", "audio": "ftps", "ftps_host": "localhost", "ftps_port": "990",
    }  # fmt: skip
    assert (listed["second_secret"], listed["secret"], listed["pace_seconds"]) == ("$EIGHT_PW", "$EIGHT_TOKEN", 0.5)
    shown = (await ask("list")).stdout
    assert "account theirs  audio ftps  ftps-host localhost  ftps-port 990  ftps-secret $EIGHT_PW" in shown


@pytest.mark.parametrize(
    "changes", [{"account": "theirs"}, {"url": "https://vcc-eu4.8x8.com"}, {"account": "acme", **OVER_FTPS}]
)
async def test_a_tenant_takes_from_one_8x8_account_whatever_its_sources(ask: Ask, changes: dict[str, str]) -> None:
    url = "https://vcc-na2.8x8.com"
    assert (await ask(*eight_words(url))).exit_code == 0
    options = {name: value for name, value in changes.items() if name != "url"}
    words = eight_words(changes.get("url", url), **options)
    words[1] = "second"
    added = await ask(*words)
    same = "audio" in changes
    assert (added.exit_code, "another account of 8x8" in added.stderr) == ((0, False) if same else (2, True))
    assert len(json.loads((await ask("list", "--json")).stdout)) == 1 + same
    words = eight_words(changes.get("url", url), **options, tenant="of-its-own")
    words[1] = "third"
    assert (await ask(*words)).exit_code == 0


async def test_a_tenant_may_take_from_two_accounts_of_a_vendor_whose_keys_are_unique(ask: Ask) -> None:
    for name in ("one", "two"):
        words = add_words(f"https://{name}.xima.cloud")
        words[1] = name
        assert (await ask(*words)).exit_code == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"audio": None}, "--audio"),
        ({"audio": "smb"}, "--audio"),
        ({"ftps-host": "h"}, "--ftps-host"),
        ({"ftps-secret-env": "EIGHT_PW"}, "--ftps-secret-env"),
        ({"audio": "ftps", "ftps-secret-env": "EIGHT_PW"}, "--ftps-host"),
        ({"audio": "ftps", "ftps-host": "h"}, "--ftps-secret-env"),
        ({**OVER_FTPS, "ftps-secret-file": "/also"}, "--ftps-secret-env"),
        ({**OVER_FTPS, "ftps-port": "0"}, "--ftps-port"),
        ({**OVER_FTPS, "ftps-ca": "/nowhere.pem"}, "--ftps-ca"),
        ({**OVER_FTPS, "ftps-secret-env": "not a name"}, "--ftps-secret-env"),
        ({"account": "a:b"}, "--account"),
        ({"url": "http://vcc-na2.8x8.com"}, "--url"),
        ({"vendor": "xima", "audio": "http"}, "--audio"),
        ({"vendor": "xima", "audio": None, "account": "a"}, "--account"),
        ({"vendor": "xima", "audio": None, "ftps-secret-env": "EIGHT_PW"}, "--ftps-secret"),
    ],
)
async def test_options_that_do_not_fit_are_wrong_usage_and_named(
    ask: Ask, home: Path, changes: dict[str, str | None], named: str
) -> None:
    url = changes.get("url") or "https://vcc-na2.8x8.com"
    added = await ask(*eight_words(url, **{name: value for name, value in changes.items() if name != "url"}))
    assert (added.exit_code, named in added.stderr) == (2, True), added.output
    assert _stored(home) == []


async def test_an_8x8_run_killed_in_the_middle_is_finished_by_the_next_and_nothing_comes_twice(
    ask: Ask, eight_vendor: eight.Vendor, home: Path
) -> None:
    await ask(*eight_words(eight_vendor.url))
    reached, never = asyncio.Event(), asyncio.Event()

    async def stall(_: web.Request) -> None:
        reached.set()
        await never.wait()

    eight_vendor.faults["g-2"].append(stall)
    process = await start(home, "run", *SPAN, **EIGHT_QUICK)
    await asyncio.wait_for(reached.wait(), 60)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    never.set()
    before = dict(eight_vendor.served)
    assert 0 < len(before) < 15

    again = await start(home, "run", *SPAN, "--json", **EIGHT_QUICK)
    output, _ = await again.communicate()
    report = json.loads(output)["sources"][0]
    assert (again.returncode, report["new"], report["held"]) == (0, 15 - len(before), len(before))
    assert {name for name, times in eight_vendor.served.items() if times > 1} <= {"g-2"}
    assert _stored(home, "*.part") == []
    assert len(_kept(home)) == 12


def _stored(folder: Path, pattern: str = "*") -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob(pattern) if path.is_file()]


def _iso(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")


def _kept(home: Path) -> set[str]:
    """Return the keys that the catalog shows, every one with its whole audio."""
    database = sqlite3.connect(home / "voxkeep.db")
    try:
        rows = database.execute("SELECT vendor_key, audio_name, audio_bytes FROM recordings").fetchall()
    finally:
        database.close()
    for _, name, size in rows:
        assert (home / "vault" / name).stat().st_size == size
    return {key for key, _, _ in rows}
