import asyncio
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from voxkeep.access import EVERYTHING, Access, Action, Grant, Permission, TokenInfo, UnknownUser
from voxkeep.access.tokens import CACHED_TOKENS, hash_of
from voxkeep.archive.query import Visibility
from voxkeep.archive.units import DAY_MS, HOUR_MS, EpochMs, TenantId

Opener = Callable[..., Awaitable[Access]]
ACME, BETA = TenantId(1), TenantId(2)

REVOKE = """
import asyncio, pathlib, sys
from voxkeep.access import MIGRATIONS, Access
from voxkeep.archive import Archive
from voxkeep.settings import Settings

async def main():
    archive = await Archive.at(pathlib.Path(sys.argv[1]), Settings(), [MIGRATIONS])
    await Access(archive.database, archive.settings, archive.tenants).tokens.revoke("bi")
    await archive.close()

asyncio.run(main())
"""


def database_files(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.glob("voxkeep.db*"))


async def add(access: Access, name: str = "bi") -> str:
    return await access.directory.add_with_token(name, {ACME: Grant()})


async def test_a_token_is_256_random_bits_and_never_the_same(access: Access) -> None:
    tokens = {await add(access, f"user {number}") for number in range(20)}
    assert len(tokens) == 20
    assert all(re.fullmatch(r"vk_[A-Za-z0-9_-]{43}", token) for token in tokens)


async def test_a_token_leads_to_its_user_with_grants_and_restrictions(access: Access) -> None:
    seen = Visibility(frozenset({"253", "Ann Li(253)"}), frozenset({'Sales, "North"'}))
    grants = {ACME: Grant(), BETA: Grant(frozenset({Permission.RECORDINGS_LIST}), seen)}
    token = await access.directory.add_with_token("bi", grants)
    principal = await access.tokens.authenticate(token)
    assert principal is not None
    assert principal.name == "bi"
    assert principal.grants == grants
    assert principal.grants[ACME].permissions == EVERYTHING


@pytest.mark.parametrize(
    "token",
    [
        "",
        "vk_",
        "Bearer",
        "vk_" + "a" * 42,
        "vk_" + "a" * 44,
        "vk_" + "a" * 43,
        "vk_" + "é" * 43,
        "vk_" + "\ud800" * 43,
        "vk_" + "a" * 43 + "\n",
        "vk_" + "a" * 10_000_000,
    ],
    ids=lambda token: f"{len(token)} {token[-2:]!a}",
)
async def test_what_is_no_token_leads_to_nobody(access: Access, token: str) -> None:
    await add(access)
    assert await access.tokens.authenticate(token) is None


async def test_a_token_with_one_character_changed_leads_to_nobody(access: Access) -> None:
    token = await add(access)
    changed = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    assert await access.tokens.authenticate(changed) is None


async def test_the_database_holds_no_token(access: Access, tmp_path: Path) -> None:
    token = await add(access)
    again = await access.tokens.issue("bi", overlap_ms=HOUR_MS)
    await access._database.close()
    files = database_files(tmp_path)
    assert hash_of(token).encode() in files
    assert token.encode() not in files
    assert again.encode() not in files


async def test_a_new_token_kills_the_older_ones_at_once(access: Access) -> None:
    old = await add(access)
    assert await access.tokens.authenticate(old) is not None
    new = await access.tokens.issue("bi")
    assert await access.tokens.authenticate(old) is None
    assert await access.tokens.authenticate(new) is not None


async def test_an_overlap_keeps_the_old_token_alive_until_it_ends(access: Access, clock: list[int]) -> None:
    old = await add(access)
    new = await access.tokens.issue("bi", overlap_ms=HOUR_MS)
    clock[0] += HOUR_MS - 1
    assert await access.tokens.authenticate(old) is not None
    clock[0] += 1
    assert await access.tokens.authenticate(old) is None
    assert await access.tokens.authenticate(new) is not None


async def test_an_overlap_never_lengthens_a_life(access: Access, clock: list[int]) -> None:
    old = await access.directory.add_with_token("bi", {ACME: Grant()}, EpochMs(clock[0] + HOUR_MS))
    await access.tokens.issue("bi", overlap_ms=DAY_MS)
    clock[0] += HOUR_MS
    assert await access.tokens.authenticate(old) is None


async def test_a_token_dies_when_it_expires_though_it_is_cached(access: Access, clock: list[int]) -> None:
    token = await access.directory.add_with_token("bi", {ACME: Grant()}, EpochMs(clock[0] + 1000))
    clock[0] += 999
    assert await access.tokens.authenticate(token) is not None
    clock[0] += 1
    assert await access.tokens.authenticate(token) is None


async def test_a_token_revoked_by_another_archive_object_is_dead_at_once(opened: Opener) -> None:
    one, other = await opened(), await opened()
    token = await add(one)
    assert await other.tokens.authenticate(token) is not None
    assert await one.tokens.revoke("bi") == 1
    assert await other.tokens.authenticate(token) is None


async def test_a_token_revoked_by_another_process_is_dead_at_once(access: Access, tmp_path: Path) -> None:
    token = await add(access)
    assert await access.tokens.authenticate(token) is not None
    command = [sys.executable, "-c", REVOKE, str(tmp_path)]
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=60)
    assert await access.tokens.authenticate(token) is None


async def test_a_removed_user_is_dead_at_once_in_another_process(opened: Opener) -> None:
    one, other = await opened(), await opened()
    token = await add(one)
    assert await other.tokens.authenticate(token) is not None
    await one.directory.remove("bi")
    assert await other.tokens.authenticate(token) is None


async def test_audits_and_charges_empty_no_cache(access: Access) -> None:
    token = await add(access)
    known, principal = await access.known(), await access.tokens.authenticate(token)
    for _ in range(5):
        await access.gate.reset_egress(ACME, by="support")
        assert await access.tokens.authenticate(token) is principal
        assert await access.known() is known


async def test_unknown_tokens_do_not_fill_the_memory(access: Access) -> None:
    token = await add(access)
    for number in range(300):
        assert await access.tokens.authenticate(f"vk_{number:043}") is None
    assert await access.tokens.authenticate(token) is not None
    assert len(access.tokens._cache) == 1 < CACHED_TOKENS


async def test_a_list_tells_tokens_apart_without_showing_them(access: Access, clock: list[int]) -> None:
    old = await add(access)
    created = EpochMs(clock[0])
    clock[0] += 1000
    new = await access.tokens.issue("bi", EpochMs(clock[0] + DAY_MS), overlap_ms=HOUR_MS)
    assert await access.tokens.list() == [
        TokenInfo("bi", old[-4:], created, EpochMs(clock[0] + HOUR_MS)),
        TokenInfo("bi", new[-4:], EpochMs(clock[0]), EpochMs(clock[0] + DAY_MS)),
    ]


async def test_tokens_that_are_over_are_forgotten_with_the_next_one(access: Access, clock: list[int]) -> None:
    await add(access)
    for _ in range(5):
        await access.tokens.issue("bi", overlap_ms=HOUR_MS)
        clock[0] += 2 * HOUR_MS
    assert len(await access.tokens.list()) == 2


async def test_each_act_leaves_an_entry_without_the_token(access: Access) -> None:
    token = await add(access)
    await access.tokens.issue("bi", overlap_ms=HOUR_MS, by="cli:root")
    await access.tokens.revoke("bi", by="cli:root")
    entries = [entry for entry in await access.audit.read(EpochMs(0)) if entry.subject == "bi"][1:]
    assert [(entry.action, entry.user, entry.detail) for entry in entries] == [
        (Action.TOKEN_ISSUE, "operator", "older tokens die now"),
        (Action.TOKEN_ISSUE, "cli:root", "older tokens die in 3600 s"),
        (Action.TOKEN_REVOKE, "cli:root", "2 tokens"),
    ]
    assert token not in str(entries)


async def test_an_unknown_user_gets_no_token(access: Access) -> None:
    with pytest.raises(UnknownUser, match="nobody"):
        await access.tokens.issue("nobody")
    with pytest.raises(UnknownUser, match="nobody"):
        await access.tokens.revoke("nobody")
