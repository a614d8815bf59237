import stat
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.archive import Archive, Kept
from voxkeep.archive.model import Recording
from voxkeep.archive.names import UNSAFE, extension_of, object_name, safe
from voxkeep.archive.units import EpochMs

keys = st.text(max_size=600) | st.text("abc._-/ ~é", max_size=130)
OF_THE_VAULT_BYTES = len(".") + len("~0123456789ab") + len(".01234567.part")
"""What the vault may add to a name: a temporary file's dot and end, a part of the hash."""


@given(key=keys)
def test_any_key_gives_a_safe_name(key: str) -> None:
    name = safe(key)
    assert name
    assert not UNSAFE.search(name)
    assert not name.startswith(".")
    assert not name.endswith(".")
    assert name == safe(key)


@given(key=keys)
def test_a_name_fits_any_file_system_with_all_that_is_added(key: str) -> None:
    name = PurePosixPath(object_name("acme", EpochMs(0), f"{key}.opus", ".audio")).name
    assert len(name.encode()) + OF_THE_VAULT_BYTES <= 255


@given(one=keys, other=keys)
def test_different_keys_have_different_names(one: str, other: str) -> None:
    assert (safe(one) == safe(other)) == (one == other)


@pytest.mark.parametrize(
    "keys",
    [
        ("a/b", "a?b", "a_b"),
        ("..", ".", "", "..."),
        ("x" * 120, "x" * 121, "x" * 122),
        ("é", "è", "_"),
        (".a", "a", "a."),
        ("a b", "a  b"),
    ],
)
def test_keys_that_look_alike_when_cleaned_stay_apart(keys: tuple[str, ...]) -> None:
    assert len({safe(key) for key in keys}) == len(keys)


def test_a_key_that_is_safe_already_is_the_name() -> None:
    key = "0193473a-e2a2-7000-8000-000000000000-1732107797154"
    assert safe(key) == key
    assert object_name("acme-ns", EpochMs(1_732_107_797_154), key, ".ogg") == f"acme-ns/2024/11/20/{key}.ogg"


@given(at=st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31)))  # noqa: DTZ001 -- made aware below
def test_the_day_is_the_one_in_utc(at: datetime) -> None:
    milliseconds = (at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    parts = object_name("acme", EpochMs(milliseconds), "k", ".ogg").split("/")
    assert parts == ["acme", f"{at.year:04}", f"{at.month:02}", f"{at.day:02}", "k.ogg"]


def test_the_last_millisecond_of_a_day_belongs_to_it() -> None:
    assert object_name("a", EpochMs(86_399_999), "k", "") == "a/1970/01/01/k"
    assert object_name("a", EpochMs(86_400_000), "k", "") == "a/1970/01/02/k"


@pytest.mark.parametrize(
    ("container", "extension"),
    [("ogg", ".ogg"), ("wav", ".wav"), ("mp3", ".mp3"), ("flac", ".flac"), ("none", ".audio"), ("../x", ".audio")],
)
def test_the_extension_is_the_containers(container: str, extension: str) -> None:
    assert extension_of(container) == extension


async def test_files_are_0600_in_folders_of_0700_where_a_person_looks_for_them(
    archive: Archive, keep: Callable[..., Awaitable[Kept]], recording_of: Callable[..., Recording], wav: bytes
) -> None:
    await keep(recording_of("call 7"), wav, opus=b"opus")
    vault = archive.home / "vault"
    file = next(vault.glob("acme/2025/11/20/call_7-*.wav"))
    assert file.read_bytes() == wav
    everything = [archive.home, *archive.home.rglob("*")]
    folders = {path: stat.S_IMODE(path.stat().st_mode) for path in everything if path.is_dir()}
    assert set(folders.values()) == {0o700}
    audio = [path for path in everything if path.is_file() and path.suffix in {".wav", ".ogg"}]
    assert len(audio) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in audio} == {0o600}
    assert not [path for path in everything if path.name.startswith(".")]
