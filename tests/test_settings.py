"""Settings: where they come from, what wins, what a mistake is told as, and that the documentation is true."""

import json
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from voxkeep.settings import FILE_NAME, Settings, SettingsError, load

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
SECTIONS = {name: getattr(Settings(), name) for name in Settings.__struct_fields__}
SETTINGS = [(section, name) for section, part in SECTIONS.items() for name in part.__struct_fields__]


def written(home: Path, text: str) -> Path:
    (home / FILE_NAME).write_text(text)
    return home


def test_without_file_and_environment_the_defaults_hold(tmp_path: Path) -> None:
    assert load(tmp_path, {}) == Settings()
    assert load(tmp_path / "not-there", {}) == Settings()


def test_the_file_wins_over_the_defaults(tmp_path: Path) -> None:
    home = written(tmp_path, '[server]\nport = 9000\nhost = "::1"\nmaintenance = true\n[collect]\npace_seconds = 5\n')
    settings = load(home, {})
    assert (settings.server.port, settings.server.host, settings.server.maintenance) == (9000, "::1", True)
    assert settings.collect.pace_seconds == 5.0
    assert settings.database == Settings().database


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    home = written(tmp_path, "[server]\nport = 9000\nmax_in_flight = 7\n")
    settings = load(home, {"VOXKEEP_SERVER_PORT": "9001", "VOXKEEP_SERVER_MAINTENANCE": "true"})
    assert (settings.server.port, settings.server.max_in_flight, settings.server.maintenance) == (9001, 7, True)


def test_the_process_environment_is_the_one_that_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXKEEP_ARCHIVE_CHUNK_ROWS", "9")
    assert load(tmp_path).archive.chunk_rows == 9


def test_variables_that_are_no_settings_are_left_alone(tmp_path: Path) -> None:
    assert load(tmp_path, {"VOXKEEP_DATA": "x", "PATH": "y", "VOXKEEP_SERVERLESS": "z"}) == Settings()


@pytest.mark.parametrize(
    ("variable", "text", "told"),
    [
        ("VOXKEEP_SERVER_PORT", "http", r"\$\.server\.port"),
        ("VOXKEEP_SERVER_PORT", "65536", r"\$\.server\.port"),
        ("VOXKEEP_SERVER_PORT", "-1", r"\$\.server\.port"),
        ("VOXKEEP_SERVER_PORT", "", r"\$\.server\.port"),
        ("VOXKEEP_SERVER_MAINTENANCE", "perhaps", r"\$\.server\.maintenance"),
        ("VOXKEEP_ARCHIVE_CHUNK_ROWS", "0", r"\$\.archive\.chunk_rows"),
        ("VOXKEEP_COLLECT_PACE_SECONDS", "nan", r"\$\.collect\.pace_seconds"),
        ("VOXKEEP_COLLECT_PACE_SECONDS", "inf", r"\$\.collect\.pace_seconds"),
        ("VOXKEEP_SERVER_PROT", "1", "`prot`.*server"),
        ("VOXKEEP_SERVER_REQUIRE_HTTPS", "perhaps", r"\$\.server\.require_https"),
        ("VOXKEEP_SERVER_REQUIRE_HTTPS", "", r"\$\.server\.require_https"),
        ("VOXKEEP_SERVER_TRUSTED_PROXIES", "proxy.test", r"trusted_proxies: 'proxy.test'.*\$\.server"),
    ],
)
def test_a_mistake_in_the_environment_names_the_setting(tmp_path: Path, variable: str, text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        load(tmp_path, {variable: text})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[server]\nport = 'http'", r"\$\.server\.port"),
        ("[server]\nprot = 1", "`prot`.*server"),
        ("[sever]\nport = 1", "`sever`"),
        ("port = 1", "voxkeep.toml: port stands outside"),
        ("server = 5", "voxkeep.toml: server stands outside"),
        ("[server\nport = 1", "voxkeep.toml: .*line 1"),
        ("[xima]\naudio_window_requests = 101", r"\$\.xima\.audio_window_requests"),
        ("[server]\ntrusted_proxies = ['10.0.0.1']", r"\$\.server\.trusted_proxies"),
        ("[server]\ntrusted_proxies = '10.0.0.1, 10.0.0.0/33'", r"trusted_proxies: '10.0.0.0/33'.*\$\.server"),
        ("[server]\ntrusted_proxies = '10.0.0.1/8'", r"trusted_proxies: 10.0.0.1/8 has host bits set.*\$\.server"),
    ],
)
def test_a_mistake_in_the_file_names_the_setting(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        load(written(tmp_path, text), {})


def test_a_file_that_is_no_text_or_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"a = \xff")
    with pytest.raises(SettingsError, match=r"voxkeep\.toml"):
        load(tmp_path, {})
    (tmp_path / FILE_NAME).unlink()
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(SettingsError, match=r"voxkeep\.toml: Is a directory"):
        load(tmp_path, {})


# HTTPS


@pytest.mark.parametrize(
    ("text", "required"), [("true", True), ("False", False), ("1", True), ("0", False), ("null", None)]
)
def test_whether_https_is_required_may_be_left_to_the_address(
    tmp_path: Path,
    text: str,
    required: bool | None,  # noqa: FBT001 -- a table's column
) -> None:
    assert load(tmp_path, {"VOXKEEP_SERVER_REQUIRE_HTTPS": text}).server.require_https is required


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("", ()),
        (" , ", ()),
        ("10.0.0.1", ("10.0.0.1/32",)),
        ("10.0.0.0/8,::1", ("10.0.0.0/8", "::1/128")),
        (" 192.0.2.0/24 , fd00::/8, ", ("192.0.2.0/24", "fd00::/8")),
    ],
)
def test_trusted_proxies_are_addresses_or_networks(tmp_path: Path, text: str, networks: tuple[str, ...]) -> None:
    server = load(tmp_path, {"VOXKEEP_SERVER_TRUSTED_PROXIES": text}).server
    assert tuple(map(str, server.trusted_networks())) == networks


@given(networks=st.lists(st.tuples(st.ip_addresses(), st.integers(0, 128))), comma=st.sampled_from([",", ", ", " , "]))
def test_any_networks_are_read_as_they_were_written(networks: list[tuple[Any, int]], comma: str) -> None:
    wanted = [ip_network((address, min(bits, address.max_prefixlen)), strict=False) for address, bits in networks]
    read = load(Path("not-there"), {"VOXKEEP_SERVER_TRUSTED_PROXIES": comma.join(map(str, wanted))})
    assert list(read.server.trusted_networks()) == wanted


@given(text=st.text(max_size=30) | st.text("0123456789.:/, af", max_size=30))
def test_any_text_is_networks_or_a_refusal_naming_the_setting(text: str) -> None:
    told = outcome(Path("not-there"), {"VOXKEEP_SERVER_TRUSTED_PROXIES": text})
    assert isinstance(told, Settings) or "trusted_proxies" in told


def outcome(home: Path, environment: dict[str, str]) -> Settings | str:
    try:
        return load(home, environment)
    except SettingsError as error:
        return str(error)


@given(raw=st.binary(max_size=60) | st.text("[]=.\"'# \nserverport0123456789", max_size=60).map(str.encode))
def test_any_file_is_read_or_refused_as_a_settings_error(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(raw)
    assert outcome(tmp_path, {})


@given(section=st.sampled_from(list(SECTIONS)), name=st.from_regex(r"[A-Z_]{1,12}", fullmatch=True), text=st.text())
def test_any_variable_is_read_or_refused_naming_its_section(section: str, name: str, text: str) -> None:
    told = outcome(Path("not-there"), {f"VOXKEEP_{section.upper()}_{name}": text})
    assert isinstance(told, Settings) or section in told


def documented() -> dict[tuple[str, str], str]:
    found, section = {}, ""
    for line in PAGE.read_text().splitlines():
        if heading := re.fullmatch(r"## \[(\w+)\]", line):
            section = heading[1]
        elif row := re.fullmatch(r"\| `(\w+)` \| `(.*?)` \| (\S.*) \|", line):
            found[section, row[1]] = row[2]
    return found


@pytest.mark.parametrize(("section", "name"), SETTINGS)
def test_every_setting_is_documented_with_its_default(section: str, name: str) -> None:
    part: Struct = SECTIONS[section]
    assert documented().get((section, name)) == json.dumps(getattr(part, name))


def test_no_documented_setting_is_missing() -> None:
    assert set(documented()) == set(SETTINGS)
