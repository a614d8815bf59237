import pytest

from voxkeep.access import EVERYTHING, Access, Action, BadUser, Grant, Permission, UnknownUser, UserExists
from voxkeep.archive.query import Visibility
from voxkeep.archive.units import EpochMs, TenantId

ACME, BETA = TenantId(1), TenantId(2)
RESTRICTED = Grant(
    frozenset({Permission.RECORDINGS_LIST}), Visibility(frozenset({"253"}), frozenset({"Sales", "Support"}))
)


async def test_users_are_listed_by_name_with_all_their_grants(access: Access, clock: list[int]) -> None:
    await access.directory.add("wallboard", {ACME: Grant()})
    await access.directory.add("bi", {BETA: RESTRICTED, ACME: Grant()})
    users = await access.directory.list()
    assert [user.name for user in users] == ["bi", "wallboard"]
    assert users[0].grants == {ACME: Grant(), BETA: RESTRICTED}
    assert users[0].created_at == clock[0]


async def test_a_name_belongs_to_one_user(access: Access) -> None:
    await access.directory.add("bi", {ACME: Grant()})
    with pytest.raises(UserExists, match="'bi'"):
        await access.directory.add("bi", {BETA: Grant()})
    assert [user.grants for user in await access.directory.list()] == [{ACME: Grant()}]


async def test_a_removed_name_may_be_given_to_a_new_user_who_gets_nothing_of_the_old(access: Access) -> None:
    old = await access.directory.add_with_token("bi", {ACME: Grant()})
    await access.directory.remove("bi")
    await access.directory.add("bi", {BETA: RESTRICTED})
    assert await access.tokens.authenticate(old) is None
    assert await access.tokens.list() == []
    new = await access.tokens.issue("bi")
    principal = await access.tokens.authenticate(new)
    assert principal is not None
    assert principal.grants == {BETA: RESTRICTED}


@pytest.mark.parametrize("name", ["", " bi", "bi ", "-bi", "a" * 64, "cli:root", "a\nb", "a\x00b", "é"])
async def test_a_bad_name_is_refused_and_nothing_kept(access: Access, name: str) -> None:
    with pytest.raises(BadUser, match="user:"):
        await access.directory.add(name, {ACME: Grant()})
    assert await access.directory.list() == []


async def test_an_unknown_permission_is_refused_by_name(access: Access) -> None:
    with pytest.raises(BadUser, match=r"'recordings:erase'; there are calls:list"):
        await access.directory.add("bi", {ACME: Grant(frozenset({"recordings:erase"}))})


async def test_a_user_without_grants_is_refused(access: Access) -> None:
    with pytest.raises(BadUser, match="tenant:"):
        await access.directory.add("bi", {})
    with pytest.raises(BadUser, match="grant:"):
        await access.directory.add("bi", {ACME: Grant(frozenset())})


async def test_an_unknown_user_cannot_be_removed(access: Access) -> None:
    with pytest.raises(UnknownUser, match="'bi'"):
        await access.directory.remove("bi")


async def test_adding_and_removing_leave_an_entry_in_each_tenant(access: Access) -> None:
    await access.directory.add("bi", {ACME: Grant(), BETA: RESTRICTED}, by="cli:root")
    await access.directory.remove("bi", by="cli:root")
    entries = await access.audit.read(EpochMs(0))
    assert [(entry.tenant, entry.action, entry.subject, entry.detail) for entry in entries] == [
        (ACME, Action.USER_ADD, "bi", " ".join(sorted(EVERYTHING))),
        (BETA, Action.USER_ADD, "bi", "recordings:list; agents 253; skills Sales, Support"),
        (ACME, Action.USER_REMOVE, "bi", ""),
        (BETA, Action.USER_REMOVE, "bi", ""),
    ]
    assert {entry.user for entry in entries} == {"cli:root"}
