"""Accounts and users: one tenant each, names that are one's own, changes that hold at once and leave a trail."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vendors.kazoo.harness import CHEAP, PASSWORD

from voxkeep.access import MIGRATIONS as ACCESS
from voxkeep.access import Access
from voxkeep.archive import Archive
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.settings import Settings
from voxkeep.vendors.kazoo.accounts import Account, Accounts, Person
from voxkeep.vendors.kazoo.credentials import digests_of
from voxkeep.vendors.kazoo.ids import HEX
from voxkeep.vendors.kazoo.migrations import MIGRATIONS as KAZOO
from voxkeep.vendors.kazoo.naming import (
    AccountTaken,
    BadAccount,
    UnknownAccount,
    checked_number,
    checked_realm,
    checked_username,
    digits_of,
    name_key,
)

ROOMS = (ACCESS, KAZOO)
ID = "0123456789abcdef0123456789abcdef"


class Here:
    """An archive with its accounts, and tenants to make accounts of."""

    def __init__(self, archive: Archive, home: Path) -> None:
        self.archive = archive
        self.home = home
        self.access = Access(archive.database, archive.settings, archive.tenants)
        self.accounts = Accounts(archive.database, cost=CHEAP)

    async def tenant(self, name: str) -> Tenant:
        return await self.access.add_tenant(Tenant(id=TenantId(0), name=name))

    async def add(self, name: str, **more: Any) -> Account:
        return await self.accounts.add_account(await self.tenant(name), name, f"{name}.sip.test", **more)

    async def trail(self) -> list[tuple[str, str, str, int | None]]:
        entries = await self.access.audit.read(EpochMs(0))
        return [(each.action, each.subject, each.user, each.tenant) for each in entries if "kazoo" in each.action]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    archive = await Archive.at(tmp_path / "home", Settings(), ROOMS)
    yield Here(archive, tmp_path / "home")
    await archive.close()


async def test_an_account_is_a_tenant_under_its_name_realm_and_numbers(here: Here) -> None:
    tenant = await here.tenant("acme")
    added = await here.accounts.add_account(
        tenant, " Acme Inc. ", "ACME.sip.test", numbers=["+1 (415) 555-0100", "+14155550100", "4155550101"]
    )
    assert (added.name, added.realm, added.parent) == ("Acme Inc.", "acme.sip.test", "")
    assert added.numbers == ("+14155550100", "4155550101")
    assert HEX.fullmatch(added.id)
    tree = await here.accounts.tree()
    assert tree.by_id == {added.id: added}
    assert tree.by_tenant == {tenant.id: added}
    assert await here.accounts.of_tenant(tenant) == added
    book = await here.accounts.book()
    assert book.by_realm["acme.sip.test"] == added
    assert book.by_name_key[name_key("ACME, inc")] == (added,)
    assert book.by_digits == {"14155550100": added, "4155550101": added}


async def test_an_account_may_keep_the_id_it_has_on_its_cluster(here: Here) -> None:
    assert (await here.add("acme", id=ID)).id == ID


async def test_descendants_are_all_below_in_order_of_name(here: Here) -> None:
    top = await here.add("top")
    second, first = await here.add("b", parent=top.id), await here.add("a", parent=top.id)
    grandchild = await here.add("c", parent=second.id)
    await here.add("beside")
    tree = await here.accounts.tree()
    assert tree.under[top.id] == (first, second)
    assert tree.descendants(top.id) == [first, second, grandchild]
    assert tree.descendants(second.id) == [grandchild]
    assert tree.descendants(grandchild.id) == []


async def test_names_that_lead_to_an_account_are_one_accounts_only(here: Here) -> None:
    tenant = await here.tenant("acme")
    await here.accounts.add_account(tenant, "Acme", "acme.sip.test", id=ID, numbers=["+14155550100"])
    other = await here.tenant("beta")
    attempts: list[tuple[str, Tenant, dict[str, Any]]] = [
        ("tenant", tenant, {"realm": "beta.sip.test"}),
        ("id", other, {"realm": "beta.sip.test", "id": ID}),
        ("realm", other, {"realm": "Acme.SIP.test"}),
        ("number", other, {"realm": "beta.sip.test", "numbers": ["1-415-555-0100"]}),
    ]
    for field, whose, given_ in attempts:
        with pytest.raises(AccountTaken, match=f"^{field}:"):
            await here.accounts.add_account(whose, "Beta", **given_)
    # nothing is left of what was refused, and a name may be shared
    assert len((await here.accounts.tree()).by_id) == 1
    shared = await here.accounts.add_account(other, "ACME", "beta.sip.test")
    assert [each.tenant for each in (await here.accounts.book()).by_name_key["acme"]] == [other.id, tenant.id]
    assert shared.numbers == ()


@pytest.mark.parametrize(
    ("field", "given_"),
    [
        ("name", {"name": " "}),
        ("name", {"name": "a" * 129}),
        ("name", {"name": "a\nb"}),
        ("realm", {"realm": ""}),
        ("realm", {"realm": "abc"}),
        ("realm", {"realm": "two words.test"}),
        ("realm", {"realm": "acme\u212a.test"}),
        ("realm", {"realm": "a." * 130}),
        ("id", {"id": ID.upper()}),
        ("id", {"id": ID[:-1]}),
        ("id", {"id": ""}),
        ("number", {"numbers": ["nobody"]}),
        ("number", {"numbers": ["+1", "1"]}),
        ("number", {"numbers": [""]}),
    ],
)
async def test_fields_that_cannot_be_are_named(here: Here, field: str, given_: dict[str, Any]) -> None:
    tenant = await here.tenant("acme")
    with pytest.raises(BadAccount, match=f"^{field}:"):
        await here.accounts.add_account(tenant, **{"name": "Acme", "realm": "acme.sip.test", **given_})
    assert not (await here.accounts.tree()).by_id


async def test_the_account_above_must_be_there(here: Here) -> None:
    tenant = await here.tenant("acme")
    with pytest.raises(UnknownAccount, match=r"^parent:"):
        await here.accounts.add_account(tenant, "Acme", "acme.sip.test", id=ID, parent=ID)
    with pytest.raises(UnknownAccount, match="'acme'"):
        await here.accounts.of_tenant(tenant)


async def test_a_user_is_an_agent_found_by_login_then_extension_then_name(here: Here) -> None:
    acme, beta = await here.add("acme"), await here.add("beta")
    ann = await here.accounts.add_user(
        acme, "Ann@acme.test", PASSWORD, Person(first_name="Ann", last_name="Li", agent_name="Ann Li", agent_login="al")
    )
    bob = await here.accounts.add_user(acme, "bob", PASSWORD, Person(agent_name="Bob", agent_extension="254"))
    late = await here.accounts.add_user(acme, "late", PASSWORD, Person(agent_name="Bob", agent_extension="254"))
    await here.accounts.add_user(beta, "bob", PASSWORD)
    users = await here.accounts.users(acme.id)
    assert ann.username == "ann@acme.test"
    assert list(users.by_id.values()) == [ann, bob, late]
    assert users.owner("al", "254", "Bob") == ann
    assert users.owner("", "254", "Ann Li") == bob
    assert users.owner("nobody", "", "Ann Li") == ann
    assert users.owner("", "", "") is None
    assert len((await here.accounts.users(beta.id)).by_id) == 1
    assert not (await here.accounts.users(ID)).by_id


async def test_a_username_is_one_users_in_an_account(here: Here) -> None:
    acme = await here.add("acme")
    await here.accounts.add_user(acme, "ann", PASSWORD)
    with pytest.raises(AccountTaken, match=r"^username:"):
        await here.accounts.add_user(acme, "ANN", PASSWORD)
    await here.accounts.add_user(await here.add("beta"), "ann", PASSWORD, id=ID)
    with pytest.raises(AccountTaken, match=r"^id:"):
        await here.accounts.add_user(acme, "bob", PASSWORD, id=ID)
    with pytest.raises(BadAccount, match=r"^id:"):
        await here.accounts.add_user(acme, "bob", PASSWORD, id="bob")


@pytest.mark.parametrize(
    ("field", "username", "password", "person"),
    [
        ("username", "", PASSWORD, Person()),
        ("username", "an:n", PASSWORD, Person()),
        ("username", "an n", PASSWORD, Person()),
        ("username", "änn", PASSWORD, Person()),
        ("username", "a" * 129, PASSWORD, Person()),
        ("password", "ann", "", Person()),
        ("password", "ann", "x" * 1_025, Person()),
        ("first_name", "ann", PASSWORD, Person(first_name="a\0")),
        ("agent_login", "ann", PASSWORD, Person(agent_login="a" * 129)),
    ],
)
async def test_what_a_user_cannot_be_is_named_and_never_the_password(
    here: Here, field: str, username: str, password: str, person: Person
) -> None:
    acme = await here.add("acme")
    with pytest.raises(BadAccount, match=f"^{field}:") as caught:
        await here.accounts.add_user(acme, username, password, person)
    assert not password or password not in str(caught.value)
    assert not (await here.accounts.users(acme.id)).by_id


async def test_nobody_has_no_password_and_is_not_removed(here: Here) -> None:
    acme = await here.add("acme")
    with pytest.raises(UnknownAccount, match="'ann'"):
        await here.accounts.set_password(acme, "ann", PASSWORD)
    with pytest.raises(UnknownAccount, match="'ann'"):
        await here.accounts.remove_user(acme, "ann")


async def test_changes_hold_at_once_for_whoever_else_has_the_archive_open(here: Here) -> None:
    acme = await here.add("acme")
    assert (await here.accounts.users(acme.id)).by_id == {}
    other = Here(await Archive.at(here.home, Settings(), ROOMS), here.home)
    try:
        ann = await other.accounts.add_user(acme, "ann", PASSWORD)
        secret = await other.accounts.issue_push_secret(acme)
        assert list((await here.accounts.users(acme.id)).by_id.values()) == [ann]
        assert await here.accounts.account_of_push_secret(secret) == acme
        beta = await other.add("beta", parent=acme.id)
        assert (await here.accounts.tree()).descendants(acme.id) == [beta]
        await other.accounts.issue_push_secret(acme)
        assert await here.accounts.account_of_push_secret(secret) is None
        await other.accounts.remove_user(acme, "ann")
        assert (await here.accounts.users(acme.id)).by_id == {}
    finally:
        await other.archive.close()


async def test_a_push_secret_leads_to_its_account_until_the_next(here: Here) -> None:
    acme, beta = await here.add("acme"), await here.add("beta")
    old = await here.accounts.issue_push_secret(acme)
    others = await here.accounts.issue_push_secret(beta)
    assert old.startswith("vk_push_")
    assert len({old, others}) == 2
    assert await here.accounts.account_of_push_secret(old) == acme
    new = await here.accounts.issue_push_secret(acme)
    assert await here.accounts.account_of_push_secret(old) is None
    assert await here.accounts.account_of_push_secret(new) == acme
    assert await here.accounts.account_of_push_secret(others) == beta


@pytest.mark.parametrize("secret", ["", "vk_push_", "vk_push_" + "A" * 43, "\ud800", "a" * 10_000, "%00"])
async def test_what_is_no_push_secret_leads_nowhere(here: Here, secret: str) -> None:
    await here.accounts.issue_push_secret(await here.add("acme"))
    assert await here.accounts.account_of_push_secret(secret) is None


async def test_secrets_and_what_would_open_an_account_are_not_in_the_database(here: Here) -> None:
    acme = await here.add("acme")
    await here.accounts.add_user(acme, "ann", PASSWORD)
    secrets = [await here.accounts.issue_push_secret(acme), await here.accounts.issue_api_key(acme)]
    assert len(secrets[1]) == 64
    assert set(secrets[1]) <= set("0123456789abcdef")
    digests = digests_of("ann", PASSWORD)
    await here.archive.close()
    kept = b"".join(path.read_bytes() for path in here.home.glob("*") if path.is_file())
    assert b"acme.sip.test" in kept
    for secret in (*secrets, *digests, PASSWORD):
        assert secret.encode() not in kept
    for digest in digests:
        assert bytes.fromhex(digest) not in kept


async def test_every_change_leaves_a_trail(here: Here) -> None:
    acme = await here.add("acme", by="cli:op")
    await here.accounts.add_user(acme, "ann", PASSWORD, by="cli:op")
    await here.accounts.set_password(acme, "Ann", "another horse", by="cli:op")
    await here.accounts.issue_api_key(acme, by="cli:op")
    await here.accounts.issue_push_secret(acme, by="cli:op")
    await here.accounts.remove_user(acme, "ann", by="cli:op")
    told = [
        ("kazoo.account.add", "acme"),
        ("kazoo.user.add", "ann"),
        ("kazoo.password.set", "ann"),
        ("kazoo.api_key.issue", "acme.sip.test"),
        ("kazoo.push_secret.issue", "acme.sip.test"),
        ("kazoo.user.remove", "ann"),
    ]
    assert await here.trail() == [(*each, "cli:op", acme.tenant) for each in told]


@given(st.text())
def test_a_name_is_compared_by_its_letters_and_digits(name: str) -> None:
    key = name_key(name)
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789")
    assert name_key(key) == key == name_key(f" -{name}.")


@given(st.from_regex(r"\A\+?[0-9]{2,32}\Z"), st.data())
def test_a_number_is_found_however_it_is_written(number: str, data: st.DataObject) -> None:
    spread = "".join(letter + data.draw(st.sampled_from(["", " ", "-", ".", "/", "(", ")"])) for letter in number)
    assert digits_of(spread) == number.removeprefix("+")
    assert checked_number(spread) == number


@given(st.text())
def test_what_is_taken_as_a_name_is_in_one_form(text: str) -> None:
    for check in (checked_realm, checked_username):
        try:
            taken = check(text)
        except BadAccount:
            continue
        assert taken.isascii()
        assert taken == taken.lower() == check(taken)
