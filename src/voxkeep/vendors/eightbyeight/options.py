"""What a source of 8x8's needs to know beside its address and token: who we are there, and how audio is fetched.

The API documents no way to audio (reference 0): it lies on a server of its own, reached over FTPS with a password of
its own. Asking for it over HTTP works here and may elsewhere, but 8x8 does not document it, so it must be chosen.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

FTPS, HTTP = "ftps", "http"
NAMES = ("account", "audio", "ftps_host", "ftps_port", "ftps_ca")
OF_FTPS = ("ftps_host", "ftps_port", "ftps_ca")
FTPS_PORT = 990
"""Implicit TLS (reference 3)."""
LARGEST_PORT = 65_535
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+", re.ASCII)
ACCOUNT = re.compile(r"[^\x00-\x1f\x7f:\ud800-\udfff]+")
"""A user of HTTP Basic: no colon."""


class Options(Struct, frozen=True, kw_only=True):
    """The options of one source."""

    audio: str
    """`FTPS` or `HTTP`."""
    account: str = ""
    """The tenant's name at 8x8; "" for what we call it."""
    ftps_host: str = ""
    ftps_port: int = FTPS_PORT
    ftps_ca: str = ""
    """PEM file of the authority that signed the server's certificate; "" for those the system knows."""


def checked_options(given: Mapping[str, str], *, second_secret: bool) -> dict[str, str]:
    """Return what is to be kept of the options given. Raises ValueError that names the one that cannot be."""
    for name in given:
        if name not in NAMES:
            raise ValueError(f"{_flag(name)}: not an option of 8x8")
    if given.get("audio") not in {FTPS, HTTP}:
        raise ValueError("--audio: say ftps (as 8x8 documents it) or http (which it does not)")
    if not ACCOUNT.fullmatch(given.get("account", "-")):
        raise ValueError("--account: a tenant's name, without a colon")
    if given["audio"] == HTTP:
        _check_http(given, second_secret=second_secret)
        return dict(given)
    return {**given, **_checked_ftps(given, second_secret=second_secret)}


def _check_http(given: Mapping[str, str], *, second_secret: bool) -> None:
    for name in OF_FTPS:
        if name in given:
            raise ValueError(f"{_flag(name)}: only with --audio ftps")
    if second_secret:
        raise ValueError("--ftps-secret-env, --ftps-secret-file: only with --audio ftps")


def _checked_ftps(given: Mapping[str, str], *, second_secret: bool) -> dict[str, str]:
    if not HOST.fullmatch(given.get("ftps_host", "")):
        raise ValueError("--ftps-host: the name of the FTPS server, e.g. vcc-ftps-us1.8x8.com")
    port = given.get("ftps_port", str(FTPS_PORT))
    if not port.isdecimal() or not 0 < int(port) <= LARGEST_PORT:
        raise ValueError("--ftps-port: a number from 1 to 65535")
    if not second_secret:
        raise ValueError("give either --ftps-secret-env or --ftps-secret-file: FTPS has a password of its own")
    checked = {"ftps_port": port}
    if "ftps_ca" in given:
        path = Path(given["ftps_ca"]).absolute()
        if not path.is_file():
            raise ValueError(f"--ftps-ca: no file at {path}")
        checked["ftps_ca"] = str(path)
    return checked


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def options_of(kept: Mapping[str, str]) -> Options:
    """Return options as they were kept."""
    texts = {name: kept[name] for name in NAMES if name in kept}
    port = int(texts.pop("ftps_port", str(FTPS_PORT)))
    return Options(**{"audio": "", **texts}, ftps_port=port)
