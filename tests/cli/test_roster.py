import asyncio
import getpass
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from voxkeep.access import Access, Action
from voxkeep.archive import Archive
from voxkeep.archive.model import Recording, Tenant
from voxkeep.archive.units import DurationMs, EpochMs, RecordingId, TenantId, uuid7
from voxkeep.cli.common import ROOMS
from voxkeep.cli.main import app
from voxkeep.settings import Settings

SPENCER = {
    "agent": "Spencer Porter(253)",
    "name": "Spencer Porter",
    "extension": "253",
    "login": "sporter",
    "email": "spencer@acme.test",
    "kind": "UC",
}
ADD = (
    "agent", "add", "acme-ns", "Spencer Porter", "--extension", "253", "--login", "sporter",
    "--email", "spencer@acme.test", "--kind", "UC",
)  # fmt: skip


def ask(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["roster", *words, "--data", str(home)])


def document(home: Path, *words: str) -> Any:
    result = ask(home, *words, "--json")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An archive with a tenant, two recordings of which name an agent and a skill."""

    async def work() -> None:
        archive = await Archive.at(tmp_path, Settings(), ROOMS)
        tenant = await archive.tenants.add(Tenant(id=TenantId(0), name="acme-ns"))
        for number, name in enumerate(("Kelly Jaques", "Bad\nName")):
            at = EpochMs(1_707_770_449_131 + number)
            await archive.keep(
                Recording(
                    tenant=tenant.id,
                    id=RecordingId(uuid7(at)),
                    started_at=at,
                    duration_ms=DurationMs(1000),
                    vendor_key=str(number),
                    agent_name=name,
                    agent_extension=str(256 + number),
                    skill="CC Sales",
                    skill_id="101",
                )
            )
        await archive.close()

    asyncio.run(work())
    return tmp_path


def acts(home: Path) -> list[tuple[str, str, str]]:
    async def work() -> list[tuple[str, str, str]]:
        archive = await Archive.at(home, Settings(), ROOMS)
        entries = await Access(archive.database, archive.settings, archive.tenants).audit.read(EpochMs(0))
        await archive.close()
        return [(entry.user, entry.action, entry.detail) for entry in entries]

    return asyncio.run(work())


def test_an_agent_is_added_listed_and_removed(home: Path) -> None:
    assert document(home, "agent", "list", "acme-ns") == []
    assert document(home, *ADD) == SPENCER
    assert document(home, "agent", "list", "ACME-NS") == [SPENCER]
    assert document(home, "agent", "remove", "acme-ns", "253") == SPENCER
    assert document(home, "agent", "list", "acme-ns") == []


def test_an_agent_added_again_is_what_is_given_now(home: Path) -> None:
    document(home, *ADD)
    changed = document(home, "agent", "add", "acme-ns", "Ruth Adler", "--extension", "253")
    assert changed == {
        "agent": "Ruth Adler(253)",
        "name": "Ruth Adler",
        "extension": "253",
        "login": "",
        "email": "",
        "kind": "XIMA",
    }
    assert document(home, "agent", "list", "acme-ns") == [changed]


def test_a_skill_is_added_named_anew_listed_and_removed(home: Path) -> None:
    assert document(home, "skill", "list", "acme-ns") == []
    document(home, "skill", "add", "acme-ns", "Sales", "--id", "101")
    sales = {"id": "101", "name": "CC Sales"}
    assert document(home, "skill", "add", "acme-ns", "CC Sales", "--id", "101") == sales
    assert document(home, "skill", "add", "acme-ns", "Walk-in") == {"id": "", "name": "Walk-in"}
    assert document(home, "skill", "list", "acme-ns") == [sales, {"id": "", "name": "Walk-in"}]
    assert document(home, "skill", "remove", "acme-ns", "101") == sales
    assert document(home, "skill", "remove", "acme-ns", "Walk-in") == {"id": "", "name": "Walk-in"}
    assert document(home, "skill", "list", "acme-ns") == []


def test_fill_adds_whom_recordings_name_and_tells_who_cannot_be(home: Path) -> None:
    kelly = {
        "agent": "Kelly Jaques(256)",
        "name": "Kelly Jaques",
        "extension": "256",
        "login": "",
        "email": "",
        "kind": "UC",
    }
    skill = {"id": "101", "name": "CC Sales"}
    filled = document(home, "fill", "acme-ns", "--kind", "UC")
    assert filled == {"agents": [kelly], "skills": [skill], "refused": ["Bad\nName(257)"]}
    assert document(home, "agent", "list", "acme-ns") == [kelly]
    assert document(home, "skill", "list", "acme-ns") == [skill]
    again = ask(home, "fill", "acme-ns")
    assert "0 agents and 0 skills added" in again.stdout
    assert repr("Bad\nName(257)") in again.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("agent", "add", "acme-ns", ""), "name:"),
        (("agent", "add", "acme-ns", "Ann", "--extension", "2 53"), "extension:"),
        (("agent", "add", "acme-ns", "Ann(253)"), "name:"),
        (("agent", "add", "acme-ns", "Ann", "--email", "nobody"), "email:"),
        (("agent", "add", "acme-ns", "Ann", "--kind", "robot"), "--kind"),
        (("agent", "remove", "acme-ns", "999"), "'999'"),
        (("skill", "add", "acme-ns", " "), "name:"),
        (("skill", "remove", "acme-ns", "999"), "'999'"),
        (("agent", "list", "nobody"), "'nobody'"),
        (("agent", "add", "nobody", "Ann"), "'nobody'"),
        (("skill", "list", "nobody"), "'nobody'"),
        (("fill", "nobody"), "'nobody'"),
    ],
)
def test_what_cannot_be_is_wrong_usage_and_named(home: Path, words: tuple[str, ...], named: str) -> None:
    document(home, *ADD)
    result = ask(home, *words)
    assert result.exit_code == 2
    assert named in result.stderr
    assert result.stdout == ""
    assert document(home, "agent", "list", "acme-ns") == [SPENCER]


def test_without_an_archive_none_is_made(tmp_path: Path) -> None:
    for words in (ADD, ("agent", "list", "acme-ns"), ("skill", "add", "acme-ns", "S"), ("fill", "acme-ns")):
        result = ask(tmp_path / "none", *words)
        assert result.exit_code == 2
        assert "no archive" in result.stderr
    assert not (tmp_path / "none").exists()


def test_each_change_is_audited_once_with_who_made_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    for words in (ADD, ADD, ("skill", "add", "acme-ns", "CC Sales", "--id", "101"), ("agent", "list", "acme-ns")):
        document(home, *words)
    document(home, "agent", "remove", "acme-ns", "253")
    document(home, "skill", "remove", "acme-ns", "101")
    document(home, "fill", "acme-ns")
    document(home, "fill", "acme-ns")
    assert [entry for entry in acts(home) if entry[1] == Action.CHANGE_ROSTER] == [
        ("cli:ann", "roster.change", "agent put: Spencer Porter(253)"),
        ("cli:ann", "roster.change", "skill put: 101 CC Sales"),
        ("cli:ann", "roster.change", "agent removed: 253"),
        ("cli:ann", "roster.change", "skill removed: 101"),
        ("cli:ann", "roster.change", "filled from recordings"),
    ]


def test_people_read_tables(home: Path) -> None:
    assert "roster fill" in ask(home, "agent", "list", "acme-ns").stdout
    assert "roster fill" in ask(home, "skill", "list", "acme-ns").stdout
    ask(home, *ADD)
    ask(home, "skill", "add", "acme-ns", "[bold]CC Sales")
    for word in ("agent", "Spencer Porter(253)", "sporter", "spencer@acme.test", "UC"):
        assert word in ask(home, "agent", "list", "acme-ns").stdout
    assert "[bold]CC Sales" in ask(home, "skill", "list", "acme-ns").stdout
