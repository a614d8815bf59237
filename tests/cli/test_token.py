import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from voxkeep.access import MIGRATIONS, Access
from voxkeep.archive import Archive
from voxkeep.cli.tenant import app as tenants
from voxkeep.cli.token import app
from voxkeep.cli.user import app as users
from voxkeep.settings import Settings

TOKEN = re.compile(r"vk_[A-Za-z0-9_-]{43}")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    assert CliRunner().invoke(tenants, ["add", "acme-ns", "--data", str(tmp_path)]).exit_code == 0
    return tmp_path


@pytest.fixture
def token(home: Path) -> str:
    result = CliRunner().invoke(users, ["add", "bi", "--tenant", "acme-ns", "--data", str(home)])
    return str(result.stdout.strip())


def ask(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--data", str(home)])


def document(home: Path, *words: str) -> Any:
    result = ask(home, *words, "--json")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def alive(home: Path, token: str) -> bool:
    async def work() -> bool:
        archive = await Archive.at(home, Settings(), [MIGRATIONS])
        access = Access(archive.database, archive.settings, archive.tenants)
        principal = await access.tokens.authenticate(token)
        await archive.close()
        return principal is not None

    return asyncio.run(work())


def test_a_rotated_token_is_printed_alone_and_the_old_one_is_dead(home: Path, token: str) -> None:
    result = ask(home, "rotate", "bi")
    new = result.stdout.strip()
    assert TOKEN.fullmatch(new)
    assert "shown this once" in result.stderr
    assert alive(home, new)
    assert not alive(home, token)


def test_an_overlap_keeps_the_old_token_alive(home: Path, token: str) -> None:
    rotated = document(home, "rotate", "bi", "--overlap", "24h", "--expires", "90d")
    assert alive(home, token)
    assert alive(home, rotated["token"])
    assert rotated["expires_at"].endswith("Z")


def test_revoked_tokens_are_dead(home: Path, token: str) -> None:
    new = document(home, "rotate", "bi", "--overlap", "1h")["token"]
    assert document(home, "revoke", "bi") == {"user": "bi", "revoked": 2}
    assert not alive(home, token)
    assert not alive(home, new)
    assert ask(home, "revoke", "bi").stderr == "0 tokens of bi revoked\n"


def test_a_list_tells_hints_and_never_tokens(home: Path, token: str) -> None:
    new = document(home, "rotate", "bi", "--overlap", "1h")["token"]
    listed = document(home, "list")
    assert {(each["user"], each["hint"], each["alive"]) for each in listed} == {
        ("bi", token[-4:], True),
        ("bi", new[-4:], True),
    }
    shown = ask(home, "list").output
    assert token not in shown
    assert new not in shown
    assert new[-4:] in shown
    assert "never" in shown


def test_a_token_that_is_over_is_listed_as_dead(home: Path, token: str) -> None:
    del token
    document(home, "rotate", "bi", "--expires", "0s")
    (listed,) = document(home, "list")
    assert listed["alive"] is False
    assert "no" in ask(home, "list").stdout


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (("rotate", "nobody"), 2, "'nobody'"),
        (("revoke", "nobody"), 2, "'nobody'"),
        (("rotate", "bi", "--overlap", "a while"), 2, "'a while'"),
        (("rotate", "bi", "--expires", "-1d"), 2, "'-1d'"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(
    home: Path, token: str, words: tuple[str, ...], code: int, named: str
) -> None:
    result = ask(home, *words)
    assert result.exit_code == code
    assert named in result.stderr
    assert alive(home, token)
