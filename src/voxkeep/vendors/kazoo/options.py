"""What a source of a Kazoo cluster needs to know beside its address and secret: who logs in, and whose recordings.

A login is a user's name and password, or an account's API key (reference 4). Its token reads the descendants of its
account, too: each of them is a source of its own, with the same login.
"""

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

ACCOUNT = re.compile(r"[0-9a-f]{32}")
API_KEY = re.compile(r"[0-9a-fA-F]{64}")
WORD = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,256}")
"""A user's name, a password, an account's name or realm."""
OF_USER = ("account_name", "realm")
"""Options that tell in which account a user is looked for."""
NAMES = ("username", *OF_USER, "account_id")
DESCENDANTS = "descendants"
"""Kept beside the options, never given: the ids of the descendants that were set up as sources, and of their own."""


class Options(Struct, frozen=True, kw_only=True):
    """The options of one source."""

    username: str = ""
    """"" where the secret is an API key."""
    account_name: str = ""
    realm: str = ""
    account_id: str = ""
    """Whose recordings; "" for those of the login's own account."""
    descendants: frozenset[str] = frozenset()
    """Ids of the accounts below it that are known."""


def checked_options(given: Mapping[str, str], *, second_secret: bool) -> dict[str, str]:
    """Return what is to be kept of the options given. Raises ValueError that names the one that cannot be."""
    for name in given:
        if name not in NAMES:
            raise ValueError(f"{_flag(name)}: not an option of kazoo")
    if second_secret:
        raise ValueError("--ftps-secret-env, --ftps-secret-file: not options of kazoo")
    for name in ("username", *OF_USER):
        if not WORD.fullmatch(given.get(name, "-")):
            raise ValueError(f"{_flag(name)}: from 1 to 256 letters, without control characters")
    _check_place(given)
    if "account_id" not in given:
        return dict(given)
    account = given["account_id"].lower()
    if not ACCOUNT.fullmatch(account):
        raise ValueError("--account-id: an account's id, 32 hex digits")
    return {**given, "account_id": account}


def _check_place(given: Mapping[str, str]) -> None:
    places = [name for name in OF_USER if name in given]
    if "username" in given and len(places) != 1:
        raise ValueError("--username: give either --account-name or --realm, too: Kazoo looks for a user in an account")
    if places and "username" not in given:
        raise ValueError(f"{_flag(places[0])}: only with --username; an API key belongs to its account")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def options_of(kept: Mapping[str, str]) -> Options:
    """Return options as they were kept."""
    texts = {name: kept[name] for name in NAMES if name in kept}
    return Options(**texts, descendants=frozenset(kept.get(DESCENDANTS, "").split()))


def knowing(kept: Mapping[str, str], descendants: Iterable[str]) -> dict[str, str]:
    """Return options that know these ids as well as those they knew."""
    known = options_of(kept).descendants | set(descendants)
    return {**kept, DESCENDANTS: " ".join(sorted(known))} if known else dict(kept)


def of_account(kept: Mapping[str, str], account: str, descendants: Iterable[str]) -> dict[str, str]:
    """Return the options of the source of another account that the same login reads; it knows its `descendants`."""
    login = {name: value for name, value in kept.items() if name not in {"account_id", DESCENDANTS}}
    return knowing({**login, "account_id": account}, descendants)
