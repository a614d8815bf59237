"""`voxkeep tenant ftps-password`: shown once, alone on stdout; the old one is dead; all of it audited."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from voxkeep.access import MIGRATIONS, Access, Action
from voxkeep.access.tokens import hash_of
from voxkeep.archive import Archive
from voxkeep.archive.units import EpochMs
from voxkeep.cli.tenant import app
from voxkeep.settings import Settings

FORM = re.compile(r"vk_ftps_[A-Za-z0-9_-]{43}")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    assert ask(tmp_path, "add", "acme-ns", "--host", "acme.8x8.test").exit_code == 0
    return tmp_path


def ask(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--data", str(home)])


def new_password(home: Path, name: str = "acme-ns") -> str:
    result = ask(home, "ftps-password", name, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["name"] == "acme-ns"
    return str(document["password"])


async def _looked(home: Path, password: str) -> tuple[bool, list[str]]:
    archive = await Archive.at(home, Settings(), [MIGRATIONS])
    access = Access(archive.database, archive.settings, archive.tenants)
    tenant = await archive.tenants.named("acme-ns")
    alive = await access.passwords.holds(tenant.id, hash_of(password))
    entries = await access.audit.read(EpochMs(0))
    await archive.close()
    return alive, [entry.action for entry in entries if entry.user.startswith("cli:")]


def alive(home: Path, password: str) -> bool:
    return asyncio.run(_looked(home, password))[0]


def test_a_password_is_printed_alone_and_works(home: Path) -> None:
    result = ask(home, "ftps-password", "acme-ns")
    password = result.stdout.strip()
    assert FORM.fullmatch(password)
    assert alive(home, password)
    assert "The new FTPS password of acme-ns; it is shown this once" in result.stderr


def test_a_new_one_kills_the_old_one(home: Path) -> None:
    old, new = new_password(home), new_password(home, "ACME")
    assert old != new
    assert not alive(home, old)
    assert alive(home, new)


def test_removing_kills_it_and_tells_whether_there_was_one(home: Path) -> None:
    password = new_password(home)
    assert json.loads(ask(home, "ftps-password", "acme-ns", "--remove", "--json").stdout) == {
        "name": "acme-ns",
        "removed": True,
    }
    assert not alive(home, password)
    assert "there is none" in ask(home, "ftps-password", "acme-ns", "--remove").stderr
    new_password(home)
    assert "is removed" in ask(home, "ftps-password", "acme-ns", "--remove").stderr


def test_each_act_is_audited(home: Path) -> None:
    new_password(home)
    ask(home, "ftps-password", "acme-ns", "--remove")
    assert asyncio.run(_looked(home, ""))[1][-2:] == [Action.PASSWORD_SET, Action.PASSWORD_REMOVE]


def test_an_unknown_tenant_is_wrong_usage(home: Path) -> None:
    for words in (("ftps-password", "nobody"), ("ftps-password", "nobody", "--remove")):
        result = ask(home, *words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "no tenant is called 'nobody'" in result.stderr
