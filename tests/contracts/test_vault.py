"""What every vault promises."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.vault import BadName, FolderVault, LengthMismatch, ObjectMissing, Vault

VAULTS: dict[str, Callable[[Path], Vault]] = {"folder": lambda folder: FolderVault(folder / "vault")}
NAME = "acme-ns/2026/11/20/key-1.ogg"
CONTENT = bytes(range(256)) * 1000


@pytest.fixture(params=list(VAULTS.values()), ids=list(VAULTS))
async def vault(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Vault]:
    made = request.param(tmp_path)
    yield made
    await made.close()


async def blocks(content: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def put(vault: Vault, name: str, content: bytes) -> str:
    return await (await vault.stage(name, content)).place()


async def content_of(vault: Vault, name: str) -> bytes:
    reader = await vault.open(name, "etag")
    try:
        return await reader.pread(0, reader.size)
    finally:
        reader.close()


async def test_what_is_placed_comes_back_byte_for_byte(vault: Vault) -> None:
    staged = await vault.stage(NAME, CONTENT)
    assert staged.size == len(CONTENT)
    assert staged.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert await staged.place() == NAME
    assert await content_of(vault, NAME) == CONTENT
    assert await vault.size(NAME) == len(CONTENT)


async def test_a_stream_is_the_same_as_its_bytes(vault: Vault) -> None:
    content = CONTENT * 10
    staged = await vault.stage(NAME, blocks(content), length=len(content))
    assert staged.sha256 == hashlib.sha256(content).hexdigest()
    await staged.place()
    assert await content_of(vault, NAME) == content


async def test_nothing_is_an_object_too(vault: Vault) -> None:
    await put(vault, NAME, b"")
    assert await vault.size(NAME) == 0


async def test_what_is_staged_can_be_read_and_is_not_visible(vault: Vault) -> None:
    staged = await vault.stage(NAME, CONTENT)
    with staged.file() as file:
        assert file.read() == CONTENT
    assert await vault.size(NAME) is None
    await staged.discard()
    with pytest.raises(ObjectMissing):
        await vault.open(NAME, "etag")


async def test_a_place_may_be_named_last(vault: Vault) -> None:
    staged = await vault.stage("acme-ns/2026/11/20/unknown", CONTENT)
    assert await staged.place("acme-ns/2026/11/21/known.wav") == "acme-ns/2026/11/21/known.wav"
    assert await vault.size("acme-ns/2026/11/20/unknown") is None


async def test_a_length_that_was_announced_must_come(vault: Vault) -> None:
    for wrong in (len(CONTENT) - 1, len(CONTENT) + 1):
        with pytest.raises(LengthMismatch, match=str(len(CONTENT))):
            await vault.stage(NAME, blocks(CONTENT), length=wrong)
    assert await vault.size(NAME) is None
    assert await vault.sweep() == 0


async def test_a_source_that_fails_leaves_nothing(vault: Vault) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield CONTENT
        raise ConnectionError("cut")

    with pytest.raises(ConnectionError):
        await vault.stage(NAME, failing())
    assert await vault.sweep() == 0


async def test_another_objects_bytes_are_never_replaced(vault: Vault) -> None:
    first = await put(vault, NAME, b"first")
    second = await put(vault, NAME, b"second")
    assert first == NAME
    assert second != NAME
    assert await content_of(vault, first) == b"first"
    assert await content_of(vault, second) == b"second"


async def test_the_same_bytes_under_the_same_name_are_one_object(vault: Vault) -> None:
    assert await put(vault, NAME, CONTENT) == await put(vault, NAME, CONTENT) == NAME
    assert await vault.sweep() == 0


async def test_many_puts_at_once_all_arrive(vault: Vault) -> None:
    names = [f"acme-ns/2026/11/20/{number}.ogg" for number in range(50)]
    await asyncio.gather(*(put(vault, name, name.encode()) for name in names))
    assert [await content_of(vault, name) for name in names] == [name.encode() for name in names]


async def test_reading_by_position_gives_what_is_there(vault: Vault) -> None:
    await put(vault, NAME, CONTENT)
    reader = await vault.open(NAME, "an-etag")
    assert (reader.size, reader.etag) == (len(CONTENT), "an-etag")
    assert await reader.pread(1000, 50) == CONTENT[1000:1050]
    assert await reader.pread(len(CONTENT) - 5, 50) == CONTENT[-5:]
    with reader.file() as one, reader.file() as other:
        one.seek(-10, 2)
        assert one.read() == CONTENT[-10:]
        assert other.read(10) == CONTENT[:10]
        assert one.tell() == len(CONTENT)
    reader.close()
    reader.close()


async def test_what_is_removed_is_gone(vault: Vault) -> None:
    await put(vault, NAME, CONTENT)
    assert await vault.remove(NAME)
    assert not await vault.remove(NAME)
    assert await vault.size(NAME) is None


async def test_an_object_stays_readable_while_it_is_removed(vault: Vault) -> None:
    await put(vault, NAME, CONTENT)
    reader = await vault.open(NAME, "etag")
    await vault.remove(NAME)
    assert await reader.pread(0, reader.size) == CONTENT
    reader.close()


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../../x", "a/./../x", ".hidden", "a/.part", "a\0b", "..", "a/.."]
)
async def test_a_name_that_could_lead_outside_is_refused(vault: Vault, name: str) -> None:
    with pytest.raises(BadName):
        await vault.stage(name, b"x")
    with pytest.raises(BadName):
        await vault.open(name, "etag")
    with pytest.raises(BadName):
        await vault.remove(name)


@given(name=st.text(st.characters(codec="utf-8"), max_size=40))
async def test_any_name_either_works_or_is_refused(vault: Vault, name: str) -> None:
    try:
        placed = await put(vault, f"t/{secrets.token_hex(8)}/{name}", b"x")
    except BadName:
        return
    assert placed.startswith("t/")
    assert await content_of(vault, placed) == b"x"
    await vault.remove(placed)
