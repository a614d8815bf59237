"""Options that fit are kept, others are named; nothing is guessed."""

import pytest

from voxkeep.vendors.eightbyeight import options


@pytest.mark.parametrize(
    ("given_", "second", "kept"),
    [
        ({"audio": "http"}, False, {"audio": "http"}),
        ({"audio": "http", "account": "Acme Inc"}, False, {"audio": "http", "account": "Acme Inc"}),
        (
            {"audio": "ftps", "ftps_host": "vcc-ftps-us1.8x8.com"},
            True,
            {"audio": "ftps", "ftps_host": "vcc-ftps-us1.8x8.com", "ftps_port": "990"},
        ),
        (
            {"audio": "ftps", "ftps_host": "::1", "ftps_port": "2990"},
            True,
            {"audio": "ftps", "ftps_host": "::1", "ftps_port": "2990"},
        ),
    ],
)
def test_options_are_kept_as_given_and_the_port_is_written_down(
    given_: dict[str, str],
    second: bool,  # noqa: FBT001
    kept: dict[str, str],
) -> None:
    assert options.checked_options(given_, second_secret=second) == kept
    assert options.options_of(kept).audio == kept["audio"]


@pytest.mark.parametrize(
    ("given_", "second", "named"),
    [
        ({}, False, "--audio"),
        ({"audio": "smb"}, False, "--audio"),
        ({"audio": "http", "ftps_host": "h"}, False, "--ftps-host"),
        ({"audio": "http", "ftps_port": "990"}, False, "--ftps-port"),
        ({"audio": "http"}, True, "--ftps-secret-env"),
        ({"audio": "ftps"}, True, "--ftps-host"),
        ({"audio": "ftps", "ftps_host": "ftps://h"}, True, "--ftps-host"),
        ({"audio": "ftps", "ftps_host": "h"}, False, "--ftps-secret-env"),
        ({"audio": "ftps", "ftps_host": "h", "ftps_port": "0"}, True, "--ftps-port"),
        ({"audio": "ftps", "ftps_host": "h", "ftps_port": "70000"}, True, "--ftps-port"),
        ({"audio": "ftps", "ftps_host": "h", "ftps_ca": "/nowhere.pem"}, True, "--ftps-ca"),
        ({"audio": "http", "account": "a:b"}, False, "--account"),
        ({"audio": "http", "novel": "x"}, False, "--novel"),
    ],
)
def test_options_that_cannot_be_are_named(given_: dict[str, str], second: bool, named: str) -> None:  # noqa: FBT001
    with pytest.raises(ValueError, match=named):
        options.checked_options(given_, second_secret=second)
