"""What accounts and users may be called, the forms in which names are compared, and what can go wrong.

```
AccessError
└── AccountError
    ├── BadAccount       a field that cannot be; the text names it
    ├── AccountTaken     a name that is another's already; the text names the field
    └── UnknownAccount   no such account or user
```
"""

import re

from voxkeep.access import AccessError

REALM = re.compile(r"(?=.{4,253}$)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*", re.ASCII)
"""A host name; Kazoo wants four letters of it at least."""
USERNAME = re.compile(r"[!-9;-~]{1,128}", re.ASCII)
"""Visible ASCII without a colon, which ends the name in what a login hashes."""
NUMBER = re.compile(r"\+?[0-9]{2,32}", re.ASCII)
IN_NUMBERS = re.compile(r"[ ()./-]")
"""What people write between the digits of a number."""
NOT_IN_NAME_KEY = re.compile(r"[^a-z0-9]")
LONGEST_NAME = 128
LONGEST_PASSWORD = 1_024


class AccountError(AccessError):
    """What was asked of accounts cannot be done."""


class BadAccount(AccountError):
    """A field of an account or user that cannot be; the text names it."""


class AccountTaken(AccountError):
    """A realm, number, tenant or username that is another's; the text names it."""


class UnknownAccount(AccountError):
    """No account or user is called that."""


def name_key(name: str) -> str:
    """Return what two account names must share to be the same to a login (reference 4): a-z and 0-9, lower-cased."""
    return NOT_IN_NAME_KEY.sub("", name.lower())


def digits_of(number: str) -> str:
    """Return the digits of a phone number, by which it is found however it is written; empty for none."""
    plain = IN_NUMBERS.sub("", number)
    return plain.removeprefix("+") if NUMBER.fullmatch(plain) else ""


def checked_name(name: str) -> str:
    """Return an account's name. Raises BadAccount."""
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadAccount(f"name: 1 to {LONGEST_NAME} printable characters")
    return name.strip()


def checked_realm(realm: str) -> str:
    """Return an account's realm in lower case. Raises BadAccount."""
    if REALM.fullmatch(realm) is None:
        raise BadAccount("realm: not a host name such as acme.sip.example")
    return realm.lower()


def checked_number(number: str) -> str:
    """Return a phone number without what stands between its digits. Raises BadAccount."""
    if not digits_of(number):
        raise BadAccount(f"number: {number!r} is no phone number, 2 to 32 digits and perhaps a plus before them")
    return IN_NUMBERS.sub("", number)


def checked_username(username: str) -> str:
    """Return a user's name in lower case, as logins hash it (reference 4). Raises BadAccount."""
    if USERNAME.fullmatch(username) is None:
        raise BadAccount("username: 1 to 128 visible ASCII characters, no colon")
    return username.lower()


def checked_password(password: str) -> str:
    """Return a user's password. Raises BadAccount, which does not show it."""
    if not 1 <= len(password) <= LONGEST_PASSWORD:
        raise BadAccount(f"password: 1 to {LONGEST_PASSWORD} characters")
    return password


def checked_person(field: str, text: str) -> str:
    """Return a name of a person or agent, which may be empty. Raises BadAccount naming `field`."""
    if len(text) > LONGEST_NAME or not text.isprintable():
        raise BadAccount(f"{field}: at most {LONGEST_NAME} printable characters")
    return text.strip()
