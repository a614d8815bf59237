"""`voxkeep collect` for Kazoo: setting up, what a person is told, a source for each account below."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.vendors.kazoo.vendor import (
    ACCOUNT,
    API_KEY,
    BELOW,
    CHILD,
    GRANDCHILD,
    LOGIN,
    NAME,
    NOON,
    PASSWORD,
    REALM,
    USER,
    Vendor,
    document,
    key_at,
    mp3,
    status,
)
from typer.testing import CliRunner, Result

from voxkeep.cli.collect import app

QUICK = {
    "VOXKEEP_COLLECT_REFUSED_WAIT_SECONDS": "0.002",
    "KAZOO_PASSWORD": PASSWORD,
    "KAZOO_KEY": API_KEY,
}
SPAN = ("--since", "2023-11-14T22:00:00Z", "--until", "2023-11-15T01:00:00Z")
Ask = Callable[..., Any]


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor(document(NOON, 1), document(NOON, 2)) as started:
        started.put(document(NOON, 3), account=CHILD)
        started.put(document(NOON, 4), account=GRANDCHILD)
        yield started


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Ask a command beside the vendor's event loop."""

    async def ask(*words: str, **variables: str) -> Result:
        runner = CliRunner(env={**QUICK, **variables})
        return await asyncio.to_thread(runner.invoke, app, [*words, "--data", str(tmp_path / "home")])

    return ask


def add_words(url: str, **changes: str | None) -> list[str]:
    options = {
        "vendor": "kazoo", "url": url, "tenant": "acme", "secret-env": "KAZOO_PASSWORD", "username": USER,
        "account-name": NAME, "pace": "0", **changes,
    }  # fmt: skip
    words = [(f"--{name}", value) for name, value in options.items() if value is not None]
    return ["add", "acme", *(word for pair in words for word in pair)]


async def sources(ask: Ask) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in json.loads((await ask("list", "--json")).stdout)}


def below(*accounts: tuple[str, str, list[str]]) -> list[dict[str, Any]]:
    return [{"id": key, "name": name, "realm": f"{key[:4]}.test", "tree": tree} for key, name, tree in accounts]


FAMILY = below((CHILD, "Child & Sons", [ACCOUNT]), (GRANDCHILD, "Child & Sons", [ACCOUNT, CHILD]))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"account-name": None, "realm": REALM},
        {"username": None, "account-name": None, "secret-env": "KAZOO_KEY"},
    ],
)
async def test_a_source_is_set_up_checked_and_run(ask: Ask, vendor: Vendor, changes: dict[str, str | None]) -> None:
    added = await ask(*add_words(f"{vendor.url}/v2", **changes))
    assert added.exit_code == 0, added.output
    checked = await ask("check")
    assert (checked.exit_code, checked.stdout.splitlines()[0]) == (
        0,
        f"acme: logged in to account {ACCOUNT} (Acme Inc.)",
    )
    ran = await ask("run", *SPAN, "--json")
    (report,) = json.loads(ran.stdout)["sources"]
    assert (ran.exit_code, report["new"], report["vendor"]) == (0, 2, "kazoo")
    assert not any(secret in added.output + checked.output + ran.output for secret in (PASSWORD, API_KEY))


async def test_without_a_pace_of_its_own_a_source_keeps_under_the_clusters_limit(ask: Ask, vendor: Vendor) -> None:
    await ask(*add_words(vendor.url, pace=None))
    assert (await sources(ask))["acme"]["pace_seconds"] == 0.15


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"account-name": None}, "--username"),
        ({"realm": REALM}, "--username"),
        ({"username": None}, "--account-name"),
        ({"account-id": "x"}, "--account-id"),
        ({"audio": "http"}, "--audio"),
        ({"ftps-secret-env": "KAZOO_KEY"}, "--ftps-secret-env"),
        ({"vendor": "xima"}, "--username"),
        ({"vendor": "8x8", "audio": "http", "account-name": None}, "--username"),
        ({"url": "http://kazoo.example.com:8000"}, "--url"),
    ],
)
async def test_options_that_do_not_fit_are_wrong_usage_and_named(
    ask: Ask, changes: dict[str, str | None], named: str
) -> None:
    url = changes.get("url") or "https://kazoo.example.com:8443"
    added = await ask(*add_words(url, **{name: value for name, value in changes.items() if name != "url"}))
    assert (added.exit_code, named in added.stderr) == (2, True), added.output


async def test_a_login_that_is_not_accepted_is_told_as_refused(ask: Ask, vendor: Vendor) -> None:
    await ask(*add_words(vendor.url))
    for words in (("check",), ("run", *SPAN), ("descendants", "acme")):
        told = await ask(*words, KAZOO_PASSWORD="another-password")
        assert (told.exit_code, "the login is not accepted" in told.output) == (3, True)
        assert "another-password" not in told.output


async def test_an_account_below_is_told_until_it_has_a_source(ask: Ask, vendor: Vendor) -> None:
    vendor.below = FAMILY
    await ask(*add_words(vendor.url))
    assert "not collected: the account below" in (await ask("check")).stdout
    ran = await ask("run", *SPAN)
    assert (ran.exit_code, ran.stderr.count("not collected: the account below")) == (0, 2)

    added = await ask("descendants", "acme")
    assert added.exit_code == 0, added.output
    assert len(added.stdout.splitlines()) == 2
    known = await sources(ask)
    assert {name: each["tenant"] for name, each in known.items()} == {
        "acme": "acme",
        "acme-Child-Sons": "Child-Sons",
        "acme-Child-Sons-dddddddd": "Child-Sons-dddddddd",
    }
    child, grandchild = known["acme-Child-Sons"], known["acme-Child-Sons-dddddddd"]
    assert (child["options"]["account_id"], child["options"]["descendants"]) == (CHILD, GRANDCHILD)
    assert (grandchild["options"]["account_id"], "descendants" in grandchild["options"]) == (GRANDCHILD, False)
    assert (child["secret"], child["options"]["username"]) == ("$KAZOO_PASSWORD", USER)

    logins = vendor.count(LOGIN)
    ran = await ask("run", *SPAN, "--json")
    reports = {each["source"]: each for each in json.loads(ran.stdout)["sources"]}
    assert {name: (each["new"], each["held"]) for name, each in reports.items()} == {
        "acme": (0, 2),
        "acme-Child-Sons": (1, 0),
        "acme-Child-Sons-dddddddd": (1, 0),
    }
    assert [each["notes"] for each in reports.values()] == [{}, {}, {}]
    assert vendor.count(LOGIN) == logins + 1


async def test_asked_again_it_adds_what_is_new_and_the_sources_between_learn_of_it(ask: Ask, vendor: Vendor) -> None:
    vendor.below = FAMILY[:1]
    await ask(*add_words(vendor.url))
    await ask("descendants", "acme")
    again = await ask("descendants", "acme")
    assert again.stdout == "acme: every account below has its source\n"
    vendor.below = FAMILY
    added = json.loads((await ask("descendants", "acme", "--json")).stdout)
    assert [(each["account_id"], each["account_name"]) for each in added] == [(GRANDCHILD, "Child & Sons")]
    assert (await sources(ask))["acme-Child-Sons"]["options"]["descendants"] == GRANDCHILD


async def test_no_account_gets_a_tenant_that_was_there_before(ask: Ask, vendor: Vendor) -> None:
    """Names of accounts are chosen by those who have them: nobody names himself into another's recordings."""
    vendor.below = below((CHILD, "acme", [ACCOUNT]), (GRANDCHILD, "acme-cccccccc", [ACCOUNT]), ("e" * 32, "../", []))
    await ask(*add_words(vendor.url))
    assert (await ask("descendants", "acme")).exit_code == 0
    tenants = [each["tenant"] for each in (await sources(ask)).values()]
    assert len(set(tenants)) == len(tenants) == 4
    assert set(tenants) == {"acme", "acme-cccccccc", "acme-cccccccc-dddddddd", "eeeeeeee"}


async def test_an_account_that_has_a_source_already_gets_no_second(ask: Ask, vendor: Vendor) -> None:
    vendor.below = FAMILY
    await ask(*add_words(vendor.url))
    words = add_words(f"{vendor.url}/v2/", **{"account-id": CHILD, "tenant": "sons"})
    words[1] = "by-hand"
    await ask(*words)
    await ask("descendants", "acme")
    known = await sources(ask)
    assert [each["options"].get("account_id") for each in known.values()].count(CHILD) == 1
    assert known["by-hand"]["tenant"] == "sons"


async def test_descendants_need_a_source_of_kazoos_and_a_cluster_that_answers(ask: Ask, vendor: Vendor) -> None:
    await ask(*add_words(vendor.url))
    vendor.always[BELOW] = status(500)
    assert (await ask("descendants", "acme")).exit_code == 1
    assert (await ask("descendants", "nobody")).exit_code == 2
    await ask("add", "xima", "--vendor", "xima", "--url", vendor.url, "--tenant", "x", "--secret-env", "KAZOO_KEY")
    told = await ask("descendants", "xima")
    assert (told.exit_code, "no accounts below" in told.stderr) == (2, True)


async def test_audio_is_kept_as_it_came(ask: Ask, vendor: Vendor, tmp_path: Path) -> None:
    await ask(*add_words(vendor.url))
    await ask("run", *SPAN)
    files = [path for path in (tmp_path / "home" / "vault" / "acme").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".mp3"}
    assert {path.read_bytes() for path in files} == {mp3(1_000)}
    assert vendor.served == {key_at(NOON, 1): 1, key_at(NOON, 2): 1}
