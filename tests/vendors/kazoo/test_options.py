"""Options of a Kazoo source that fit are kept, others are named; nothing is guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.vendors.kazoo import options

ID = "0123456789abcdef0123456789abcdef"
IDS = st.text("0123456789abcdef", min_size=32, max_size=32)


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ({}, {}),
        ({"account_id": ID.upper()}, {"account_id": ID}),
        ({"username": "spencer@acme.test", "account_name": "Acme Inc."},) * 2,
        ({"username": "spencer", "realm": "acme.sip.test", "account_id": ID},) * 2,
    ],
)
def test_options_are_kept_as_given(given_: dict[str, str], kept: dict[str, str]) -> None:
    assert options.checked_options(given_, second_secret=False) == kept
    assert options.options_of(kept).username == kept.get("username", "")


@pytest.mark.parametrize(
    ("given_", "second", "named"),
    [
        ({"username": "spencer"}, False, "--username: give either"),
        ({"username": "spencer", "account_name": "acme", "realm": "acme.sip.test"}, False, "--username: give either"),
        ({"account_name": "acme"}, False, "--account-name: only with --username"),
        ({"realm": "acme.sip.test"}, False, "--realm: only with --username"),
        ({"username": "", "realm": "r"}, False, "--username"),
        ({"username": "a\nb", "realm": "r"}, False, "--username"),
        ({"username": "a", "realm": "r" * 300}, False, "--realm"),
        ({"account_id": "0123"}, False, "--account-id"),
        ({"account_id": "g" * 32}, False, "--account-id"),
        ({}, True, "--ftps-secret-env"),
        ({"audio": "http"}, False, "--audio"),
        ({"descendants": ID}, False, "--descendants"),
    ],
)
def test_options_that_cannot_be_are_named(given_: dict[str, str], second: bool, named: str) -> None:  # noqa: FBT001
    with pytest.raises(ValueError, match=named):
        options.checked_options(given_, second_secret=second)


@given(st.sets(IDS), st.sets(IDS))
def test_accounts_that_are_known_stay_known(first: set[str], then: set[str]) -> None:
    kept = options.knowing(options.knowing({"username": "s", "realm": "r"}, first), then)
    assert options.options_of(kept).descendants == first | then
    assert (kept["username"], kept["realm"]) == ("s", "r")


def test_another_account_has_the_same_login_and_knows_its_own() -> None:
    parent = options.knowing({"username": "s", "realm": "r", "account_id": ID}, ["a" * 32, "b" * 32])
    child = options.options_of(options.of_account(parent, "a" * 32, ["b" * 32]))
    assert (child.username, child.realm, child.account_id) == ("s", "r", "a" * 32)
    assert child.descendants == {"b" * 32}
