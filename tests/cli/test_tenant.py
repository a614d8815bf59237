import asyncio
import getpass
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from voxkeep.access import MIGRATIONS, Access, Action, Grant, Principal
from voxkeep.archive import Archive
from voxkeep.archive.tenants import MOST_AGENTS
from voxkeep.archive.units import EpochMs
from voxkeep.cli.tenant import app
from voxkeep.settings import Settings

ADDED = {
    "name": "acme-ns",
    "host": "acme.xima.test",
    "zone": "America/Chicago",
    "agents": 10,
    "limits": True,
    "egress_cap_bytes": None,
    "lists_limited": False,
    "api": True,
}
ADD = ("add", "acme-ns", "--host", "acme.xima.test", "--zone", "America/Chicago", "--agents", "10")


def ask(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--data", str(home)])


def document(home: Path, *words: str) -> Any:
    result = ask(home, *words, "--json")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def test_a_tenant_is_added_and_the_archive_made(tmp_path: Path) -> None:
    home = tmp_path / "new" / "archive"
    assert document(home, *ADD) == ADDED
    assert document(home, "list") == [ADDED]


def test_the_most_agents_that_the_help_names_are_taken(tmp_path: Path) -> None:
    assert document(tmp_path, "add", "acme", "--agents", str(MOST_AGENTS))["agents"] == MOST_AGENTS


def test_the_defaults_are_utc_and_limits_on(tmp_path: Path) -> None:
    added = document(tmp_path, "add", "acme")
    assert (added["zone"], added["agents"], added["limits"], added["host"]) == ("UTC", 0, True, "")


def test_limits_are_set_when_a_tenant_is_added(tmp_path: Path) -> None:
    words = ("--limits", "off", "--egress-cap", "5000", "--limit-lists", "on")
    expected = ADDED | {"limits": False, "egress_cap_bytes": 5000, "lists_limited": True, "api": True}
    assert document(tmp_path, *ADD, *words) == expected
    assert document(tmp_path, "list") == [expected]


def test_what_is_not_named_stays(tmp_path: Path) -> None:
    document(tmp_path, *ADD, "--egress-cap", "5000")
    changed = document(tmp_path, "set", "acme-ns", "--agents", "20", "--limits", "off")
    assert changed == ADDED | {"agents": 20, "limits": False, "egress_cap_bytes": 5000}
    changed = document(tmp_path, "set", "acme-ns", "--host", "", "--egress-cap-by-agents", "--limits", "on")
    assert changed == ADDED | {"agents": 20, "host": ""}
    assert document(tmp_path, "list") == [changed]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("add", "a b"), "name:"),
        (("add", "beta", "--zone", "Mars/Olympus"), "zone:"),
        (("add", "beta", "--host", "not a host"), "host:"),
        (("set", "acme-ns", "--zone", "Mars/Olympus"), "zone:"),
        (("add", "beta", "--limits", "perhaps"), "--limits"),
        (("add", "beta", "--egress-cap", "-1"), "--egress-cap"),
        (("add", "beta", "--egress-cap", "1" * 30), "--egress-cap"),
        (("add", "beta", "--agents", "1" * 30), "--agents"),
        (("add", "beta", "--agents", str(MOST_AGENTS + 1)), "--agents"),
    ],
)
def test_what_cannot_be_is_wrong_usage_and_named(tmp_path: Path, words: tuple[str, ...], named: str) -> None:
    document(tmp_path, *ADD)
    result = ask(tmp_path, *words)
    assert result.exit_code == 2
    assert named in result.stderr
    assert result.stdout == ""
    assert document(tmp_path, "list") == [ADDED]


@pytest.mark.parametrize("words", [("set", "nobody"), ("usage", "nobody"), ("usage", "nobody", "--reset-egress")])
def test_an_unknown_tenant_is_wrong_usage(tmp_path: Path, words: tuple[str, ...]) -> None:
    document(tmp_path, *ADD)
    result = ask(tmp_path, *words)
    assert result.exit_code == 2
    assert "'nobody'" in result.stderr


def test_a_name_that_is_taken_is_told(tmp_path: Path) -> None:
    document(tmp_path, *ADD)
    result = ask(tmp_path, "add", "acme")  # the host label of the first
    assert result.exit_code == 1
    assert "'acme'" in result.stderr


def test_without_an_archive_only_add_works(tmp_path: Path) -> None:
    for words in (("list",), ("set", "acme"), ("usage", "acme")):
        result = ask(tmp_path / "none", *words)
        assert result.exit_code == 2
        assert "no archive" in result.stderr
    assert not (tmp_path / "none").exists()


def listen(home: Path, length: int) -> None:
    async def work() -> None:
        archive = await Archive.at(home, Settings(), [MIGRATIONS])
        tenant = await archive.tenants.named("acme-ns")
        access = Access(archive.database, archive.settings, archive.tenants)
        await access.gate.admit(Principal(1, "bi", {tenant.id: Grant()}), tenant, "key", length, "")
        await archive.close()

    asyncio.run(work())


def acts(home: Path) -> list[tuple[str, str, str]]:
    async def work() -> list[tuple[str, str, str]]:
        archive = await Archive.at(home, Settings(), [MIGRATIONS])
        entries = await Access(archive.database, archive.settings, archive.tenants).audit.read(EpochMs(0))
        await archive.close()
        return [(entry.user, entry.action, entry.detail) for entry in entries]

    return asyncio.run(work())


def test_usage_tells_what_was_used_of_what(tmp_path: Path) -> None:
    document(tmp_path, *ADD)
    empty = {"name": "acme-ns", "used_bytes": 0, "cap_bytes": 2_880_000_000, "window_days": 5}
    assert document(tmp_path, "usage", "acme-ns") == empty | {"oldest_at": None, "oldest_leaves_at": None}
    listen(tmp_path, 1_440_000_000)
    used = document(tmp_path, "usage", "ACME")
    assert used["used_bytes"] == 1_440_000_000
    assert used["oldest_at"] < used["oldest_leaves_at"]
    shown = ask(tmp_path, "usage", "acme-ns").stdout
    assert "1.44 GB (50.0%)" in shown
    assert "2.88 GB" in shown


def test_a_reset_forgives_what_was_used_and_is_audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    document(tmp_path, *ADD)
    listen(tmp_path, 700)
    assert document(tmp_path, "usage", "acme-ns", "--reset-egress")["used_bytes"] == 0
    assert document(tmp_path, "usage", "acme-ns")["used_bytes"] == 0
    assert acts(tmp_path)[-1] == ("cli:ann", Action.EGRESS_RESET, "700 bytes forgiven")


def test_a_tenant_without_a_cap_is_told_so(tmp_path: Path) -> None:
    document(tmp_path, "add", "acme-ns")
    assert document(tmp_path, "usage", "acme-ns")["cap_bytes"] is None
    assert "no cap" in ask(tmp_path, "usage", "acme-ns").stdout


def test_people_read_a_table(tmp_path: Path) -> None:
    assert "acme.xima.test" in ask(tmp_path, *ADD, "--limits", "off", "--egress-cap", "5000000").stdout
    shown = ask(tmp_path, "list").stdout
    for word in ("tenant", "acme-ns", "America/Chicago", "10", "off", "5.00 MB"):
        assert word in shown
