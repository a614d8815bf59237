"""Passwords of tenants: random, never kept, dead at once when there is a new one, and no tokens."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from voxkeep.access import Access, Action, Grant
from voxkeep.access.audit import plain
from voxkeep.access.tokens import hash_of
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import EpochMs, TenantId

Opener = Callable[..., Awaitable[Access]]


async def added(access: Access, name: str) -> Tenant:
    return await access.add_tenant(Tenant(id=TenantId(0), name=name))


@pytest.fixture
async def acme(access: Access) -> Tenant:
    return await added(access, "acme")


async def accepted(access: Access, tenant: Tenant, password: str, purpose: str = "ftps") -> bool:
    return await access.passwords.holds(tenant.id, hash_of(password), purpose)


async def test_a_password_is_256_random_bits_and_never_the_same(access: Access, acme: Tenant) -> None:
    passwords = {await access.passwords.issue(acme) for _ in range(20)}
    assert len(passwords) == 20
    assert all(re.fullmatch(r"vk_ftps_[A-Za-z0-9_-]{43}", password) for password in passwords)


async def test_without_a_password_nothing_is_accepted(access: Access, acme: Tenant) -> None:
    assert not await accepted(access, acme, "")
    assert not await access.passwords.holds(acme.id, "")


async def test_a_password_with_one_character_changed_is_refused(access: Access, acme: Tenant) -> None:
    password = await access.passwords.issue(acme)
    assert await accepted(access, acme, password)
    assert not await accepted(access, acme, password[:-2] + ("A" if password[-2] != "A" else "B") + password[-1])


async def test_a_new_password_kills_the_old_one_at_once(access: Access, acme: Tenant) -> None:
    old = await access.passwords.issue(acme)
    assert await accepted(access, acme, old)
    new = await access.passwords.issue(acme)
    assert not await accepted(access, acme, old)
    assert await accepted(access, acme, new)


async def test_what_another_process_does_to_a_password_holds_at_once(opened: Opener) -> None:
    one, other = await opened(), await opened()
    acme = await added(one, "acme")
    first = await one.passwords.issue(acme)
    assert await accepted(other, acme, first)
    second = await one.passwords.issue(acme)
    assert not await accepted(other, acme, first)
    assert await accepted(other, acme, second)
    assert await one.passwords.remove(acme)
    assert not await accepted(other, acme, second)


async def test_a_password_opens_its_own_tenant_and_purpose_alone(access: Access, acme: Tenant) -> None:
    beta = await added(access, "beta")
    password = await access.passwords.issue(acme)
    await access.passwords.issue(beta)
    assert not await accepted(access, beta, password)
    assert not await accepted(access, acme, password, "another")


async def test_a_token_is_no_password_and_a_password_no_token(access: Access, acme: Tenant) -> None:
    token = await access.directory.add_with_token("bi", {acme.id: Grant()})
    password = await access.passwords.issue(acme)
    assert not await accepted(access, acme, token)
    assert await access.tokens.authenticate(password) is None


async def test_removing_tells_whether_there_was_one(access: Access, acme: Tenant) -> None:
    password = await access.passwords.issue(acme)
    assert await access.passwords.remove(acme)
    assert not await accepted(access, acme, password)
    assert not await access.passwords.remove(acme)


def database_files(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.glob("voxkeep.db*"))


async def test_the_database_holds_no_password(access: Access, acme: Tenant, tmp_path: Path) -> None:
    password = await access.passwords.issue(acme)
    await access._database.close()
    files = database_files(tmp_path)
    assert hash_of(password).encode() in files
    assert password.encode() not in files


async def test_each_act_leaves_an_entry_without_the_password(access: Access, acme: Tenant) -> None:
    password = await access.passwords.issue(acme, by="cli:root")
    await access.passwords.remove(acme, by="cli:root")
    await access.passwords.remove(acme)
    entries = (await access.audit.read(EpochMs(0), acme.id))[1:]
    assert [(entry.action, entry.user, entry.subject, entry.detail) for entry in entries] == [
        (Action.PASSWORD_SET, "cli:root", "acme", "ftps"),
        (Action.PASSWORD_REMOVE, "cli:root", "acme", "ftps"),
        (Action.PASSWORD_REMOVE, "operator", "acme", "ftps, there was none"),
    ]
    assert password not in str(entries)


async def test_a_password_typed_in_a_wrong_place_is_kept_out_of_the_trail(access: Access, acme: Tenant) -> None:
    password = await access.passwords.issue(acme)
    assert plain(f"user {password}") == "user vk_..."
