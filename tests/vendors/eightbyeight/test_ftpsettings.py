"""The FTPS server's settings: ranges of ports and addresses, read as they were written or refused by name."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.settings import EightByEight, SettingsError, load


def loaded(name: str, text: str) -> EightByEight:
    return load(Path("not-there"), {f"VOXKEEP_EIGHTBYEIGHT_FTPS_{name}": text}).eightbyeight


def test_there_is_no_ftps_server_unless_a_port_is_set() -> None:
    assert EightByEight().ftps_port is None
    assert EightByEight().passive_ports() is None
    assert loaded("PORT", "990").ftps_port == 990


@given(first=st.integers(1, 65_535), more=st.integers(0, 65_535), dash=st.sampled_from(["-", " - ", "- "]))
def test_any_range_of_ports_is_read_as_it_was_written(first: int, more: int, dash: str) -> None:
    last = min(first + more, 65_535)
    assert loaded("PASSIVE_PORTS", f"{first}{dash}{last}").passive_ports() == range(first, last + 1)


@given(text=st.text(min_size=1, max_size=20) | st.text("0123456789- ", min_size=1, max_size=14))
def test_any_text_is_a_range_or_a_refusal_naming_the_setting(text: str) -> None:
    told = outcome(text)
    assert isinstance(told, range) or "ftps_passive_ports" in told
    assert isinstance(told, str) or 1 <= told[0] <= told[-1] <= 65_535


def outcome(text: str) -> range | str:
    try:
        return loaded("PASSIVE_PORTS", text).passive_ports() or range(0)
    except SettingsError as error:
        return str(error)


@given(address=st.ip_addresses(v=4))
def test_any_ipv4_address_may_stand_for_the_server(address: object) -> None:
    assert loaded("MASQUERADE", str(address)).ftps_masquerade == str(address)


@pytest.mark.parametrize("text", ["nat.test", "::1", "10.0.0", "10.0.0.1/8", "10.0.0.256"])
def test_what_is_no_ipv4_address_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="ftps_masquerade"):
        loaded("MASQUERADE", text)
