"""Accounts, users, keys and push URLs by command: what stands on stdout, and that secrets come and go the safe way."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.vendors.kazoo.harness import CHEAP
from typer.testing import CliRunner, Result

from voxkeep.cli.main import app
from voxkeep.vendors.kazoo.accounts import Accounts

ID = "0123456789abcdef0123456789abcdef"
HEX = re.compile(r"[0-9a-f]{32}")
PASSWORD = "an invented horse"
BASE = "https://voxkeep.example:8400/"
PUSH_URL = re.compile(r"https://voxkeep\.example:8400/ingest/kazoo/vk_push_[A-Za-z0-9_-]{43}")
ACCOUNT = ("account", "add", "acme-ns", "--realm", "acme.sip.test")
ANN = ("user", "add", "acme-ns", "Ann", "--password-env", "ANN_PASSWORD")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANN_PASSWORD", PASSWORD)
    # accounts whose passwords are derived at a test's cost: an account keeps its own
    defaults = Accounts.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "cost", CHEAP)
    for name in ("acme-ns", "beta"):
        assert CliRunner().invoke(app, ["tenant", "add", name, "--data", str(tmp_path)]).exit_code == 0
    return tmp_path


def ask(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["kazoo", *words, "--data", str(home)])


def document(home: Path, *words: str) -> Any:
    result = ask(home, *words, "--json")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def test_a_tenant_becomes_an_account(home: Path) -> None:
    added = document(home, *ACCOUNT)
    assert HEX.fullmatch(added.pop("id"))
    assert added == {
        "tenant": "acme-ns", "name": "acme-ns", "realm": "acme.sip.test", "parent": None, "numbers": []
    }  # fmt: skip


def test_an_account_may_have_a_name_an_id_numbers_and_one_above(home: Path) -> None:
    above = document(home, *ACCOUNT)["id"]
    words = ("--name", "Beta Ltd.", "--id", ID, "--parent", "ACME-NS", "--number", "+1 415 5550100", "--number", "415")
    added = document(home, "account", "add", "beta", "--realm", "beta.sip.test", *words)
    assert added == {
        "tenant": "beta",
        "id": ID,
        "name": "Beta Ltd.",
        "realm": "beta.sip.test",
        "parent": above,
        "numbers": ["+14155550100", "415"],
    }
    assert added in document(home, "account", "list")
    shown = ask(home, "account", "list").stdout
    for text in ("acme.sip.test", "Beta Ltd.", ID, "+14155550100"):
        assert text in shown


def test_an_archive_without_accounts_tells_how_to_make_one(home: Path) -> None:
    assert "voxkeep kazoo account add" in ask(home, "account", "list").stdout
    assert document(home, "account", "list") == []


def test_a_user_is_added_listed_and_removed(home: Path) -> None:
    document(home, *ACCOUNT)
    words = ("--first-name", "Ann", "--last-name", "Li", "--agent-name", "Ann Li", "--agent-extension", "253")
    added = document(home, *ANN, *words, "--agent-login", "al")
    assert HEX.fullmatch(added["id"])
    assert (added["username"], added["first_name"], added["last_name"]) == ("ann", "Ann", "Li")
    assert added["agent"] == {"name": "Ann Li", "extension": "253", "login": "al"}
    assert document(home, "user", "list", "acme-ns") == [added]
    assert "253" in ask(home, "user", "list", "acme-ns").stdout
    assert document(home, "user", "remove", "acme-ns", "ANN") == {"removed": "ann"}
    assert document(home, "user", "list", "acme-ns") == []


def test_a_password_comes_from_a_file_or_a_variable_and_is_never_shown(home: Path, tmp_path: Path) -> None:
    document(home, *ACCOUNT)
    secret = tmp_path / "secret"
    secret.write_text("a second horse\n")
    results = [
        ask(home, *ANN),
        ask(home, "user", "password", "acme-ns", "ann", "--password-file", str(secret)),
        ask(home, "user", "list", "acme-ns"),
    ]
    for result in results:
        assert result.exit_code == 0
        assert not {PASSWORD, "a second horse"} & set(result.output.splitlines())
        assert "horse" not in result.output
    assert "ann has another password" in results[1].stderr
    told = document(home, "user", "password", "acme-ns", "ann", "--password-env", "ANN_PASSWORD")
    assert told == {"username": "ann", "password": "set"}


def test_an_api_key_stands_alone_on_stdout(home: Path) -> None:
    document(home, *ACCOUNT)
    result = ask(home, "api-key", "acme-ns")
    assert re.fullmatch(r"[0-9a-f]{64}\n", result.stdout)
    assert "shown this once" in result.stderr
    again = document(home, "api-key", "acme-ns")
    assert again["tenant"] == "acme-ns"
    assert again["api_key"] != result.stdout.strip()


@pytest.mark.parametrize("base", [BASE, BASE.rstrip("/")])
def test_a_push_url_stands_alone_on_stdout_and_is_another_each_time(home: Path, base: str) -> None:
    document(home, *ACCOUNT)
    result = ask(home, "push-url", "acme-ns", "--base", base)
    assert PUSH_URL.fullmatch(result.stdout.strip())
    assert "shown this once" in result.stderr
    again = document(home, "push-url", "acme-ns", "--base", base)
    assert PUSH_URL.fullmatch(again["url"])
    assert again["url"] != result.stdout.strip()


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (("account", "add", "nobody", "--realm", "nobody.test"), 2, "'nobody'"),
        (("account", "add", "beta"), 2, "--realm"),
        (("account", "add", "beta", "--realm", "two words"), 2, "realm:"),
        (("account", "add", "beta", "--realm", "beta.sip.test", "--id", "7"), 2, "id:"),
        (("account", "add", "beta", "--realm", "beta.sip.test", "--number", "nobody"), 2, "number:"),
        (("account", "add", "beta", "--realm", "beta.sip.test", "--parent", "beta"), 2, "'beta'"),
        (("account", "add", "beta", "--realm", "ACME.sip.test"), 1, "realm:"),
        (ACCOUNT, 1, "tenant:"),
        (ANN, 1, "username:"),
        (("user", "add", "beta", "ann", "--password-env", "ANN_PASSWORD"), 2, "'beta'"),
        (("user", "add", "acme-ns", "a:b", "--password-env", "ANN_PASSWORD"), 2, "username:"),
        (("user", "add", "acme-ns", "bob"), 2, "environment variable or a file"),
        (("user", "add", "acme-ns", "bob", "--password-env", "NOT_SET"), 2, "NOT_SET"),
        (("user", "add", "acme-ns", "bob", "--password-file", "not-there"), 2, "not-there"),
        (("user", "password", "acme-ns", "bob", "--password-env", "ANN_PASSWORD"), 2, "'bob'"),
        (("user", "remove", "acme-ns", "bob"), 2, "'bob'"),
        (("user", "list", "beta"), 2, "'beta'"),
        (("api-key", "beta"), 2, "'beta'"),
        (("push-url", "beta", "--base", BASE), 2, "'beta'"),
        (("push-url", "acme-ns"), 2, "--base"),
        (("push-url", "acme-ns", "--base", "voxkeep.example"), 2, "base:"),
        (("push-url", "acme-ns", "--base", "ftp://voxkeep.example"), 2, "base:"),
        (("push-url", "acme-ns", "--base", "https://"), 2, "base:"),
        (("push-url", "acme-ns", "--base", "https://a.example/?b=c"), 2, "base:"),
        (("push-url", "acme-ns", "--base", "https://a.example:port"), 2, "base:"),
        (("push-url", "acme-ns", "--base", "https://me:secret@a.example"), 2, "base:"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(home: Path, words: tuple[str, ...], code: int, named: str) -> None:
    document(home, *ACCOUNT)
    document(home, *ANN)
    before = [document(home, "account", "list"), document(home, "user", "list", "acme-ns")]
    result = ask(home, *words)
    assert result.exit_code == code, result.output
    assert named in result.stderr
    assert result.stdout == ""
    assert [document(home, "account", "list"), document(home, "user", "list", "acme-ns")] == before


def test_secrets_are_no_options(home: Path) -> None:
    document(home, *ACCOUNT)
    result = ask(home, "user", "add", "acme-ns", "ann", "--password", PASSWORD)
    assert result.exit_code == 2
    assert PASSWORD not in result.output
