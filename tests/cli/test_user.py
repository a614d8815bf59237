import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from voxkeep.access import EVERYTHING
from voxkeep.cli.tenant import app as tenants
from voxkeep.cli.user import app

TOKEN = re.compile(r"vk_[A-Za-z0-9_-]{43}")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("acme-ns", "beta"):
        assert CliRunner().invoke(tenants, ["add", name, "--data", str(tmp_path)]).exit_code == 0
    return tmp_path


def ask(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--data", str(home)])


def document(home: Path, *words: str) -> Any:
    result = ask(home, *words, "--json")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def test_a_user_is_added_and_its_token_stands_alone_on_stdout(home: Path) -> None:
    result = ask(home, "add", "bi", "--tenant", "acme-ns")
    assert result.exit_code == 0
    assert TOKEN.fullmatch(result.stdout.strip())
    assert "shown this once" in result.stderr


def test_a_user_may_do_everything_unless_grants_are_named(home: Path) -> None:
    added = document(home, "add", "bi", "--tenant", "acme-ns")
    assert TOKEN.fullmatch(added["token"])
    assert added["expires_at"] is None
    (user,) = document(home, "list")
    assert user["grants"] == [{"tenant": "acme-ns", "permissions": sorted(EVERYTHING), "agents": [], "skills": []}]


def test_grants_and_restrictions_hold_in_each_named_tenant(home: Path) -> None:
    words = ("--grant", "recordings:list", "--agent", "Ann Li(253)", "--agent", "254", "--skill", "Sales")
    document(home, "add", "bi", "--tenant", "acme-ns", "--tenant", "BETA", *words)
    (user,) = document(home, "list")
    seen = {"permissions": ["recordings:list"], "agents": ["254", "Ann Li(253)"], "skills": ["Sales"]}
    assert user["grants"] == [{"tenant": "acme-ns", **seen}, {"tenant": "beta", **seen}]


def test_a_token_may_expire(home: Path) -> None:
    added = document(home, "add", "bi", "--tenant", "acme-ns", "--expires", "90d")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", added["expires_at"])


def test_no_list_shows_a_token(home: Path) -> None:
    token = document(home, "add", "bi", "--tenant", "acme-ns")["token"]
    for words in (("list",), ("list", "--json")):
        assert token not in ask(home, *words).output
    shown = ask(home, "list").stdout
    assert "recordings:listen" in shown
    assert "any" in shown


def test_a_removed_user_is_gone(home: Path) -> None:
    document(home, "add", "bi", "--tenant", "acme-ns")
    assert document(home, "remove", "bi") == {"removed": "bi"}
    assert document(home, "list") == []
    again = ask(home, "remove", "bi")
    assert again.exit_code == 2
    assert "'bi'" in again.stderr


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (("add", "bi"), 2, "--tenant"),
        (("add", "bi", "--tenant", "nobody"), 2, "'nobody'"),
        (("add", "bi", "--tenant", "acme-ns", "--grant", "recordings:erase"), 2, "recordings:erase"),
        (("add", "bi", "--tenant", "acme-ns", "--expires", "soon"), 2, "'soon'"),
        (("add", "a:b", "--tenant", "acme-ns"), 2, "user:"),
    ],
)
def test_what_cannot_be_is_told_and_adds_nobody(home: Path, words: tuple[str, ...], code: int, named: str) -> None:
    result = ask(home, *words)
    assert result.exit_code == code
    assert named in result.stderr
    assert result.stdout == ""
    assert document(home, "list") == []


def test_a_name_belongs_to_one_user(home: Path) -> None:
    document(home, "add", "bi", "--tenant", "acme-ns")
    result = ask(home, "add", "bi", "--tenant", "beta")
    assert result.exit_code == 1
    assert "'bi'" in result.stderr


def test_people_are_told_of_a_removal_on_stderr(home: Path) -> None:
    ask(home, "add", "bi", "--tenant", "acme-ns")
    result = ask(home, "remove", "bi")
    assert (result.stdout, result.stderr) == ("", "bi is removed\n")
