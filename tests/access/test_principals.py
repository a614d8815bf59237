from voxkeep.access import EVERYTHING, Grant, Permission, Principal
from voxkeep.access.principals import DESCRIPTIONS
from voxkeep.archive.query import ALL, Scope, Visibility
from voxkeep.archive.units import TenantId

ONE, TWO, THREE = TenantId(1), TenantId(2), TenantId(3)
AGENT = Visibility(agents=frozenset({"253"}))
LISTER = Grant(frozenset({Permission.RECORDINGS_LIST}), AGENT)
PRINCIPAL = Principal(7, "bi", {TWO: Grant(), ONE: LISTER})


def test_every_permission_says_in_one_line_what_it_allows() -> None:
    assert set(DESCRIPTIONS) == set(Permission) == set(EVERYTHING)
    assert all(text.endswith(".") and "\n" not in text for text in DESCRIPTIONS.values())


def test_a_principal_may_do_what_was_granted_and_nothing_else() -> None:
    assert PRINCIPAL.may(ONE, Permission.RECORDINGS_LIST)
    assert not PRINCIPAL.may(ONE, Permission.RECORDINGS_LISTEN)
    assert all(PRINCIPAL.may(TWO, permission) for permission in Permission)


def test_a_principal_may_do_nothing_in_a_tenant_without_a_grant() -> None:
    assert not any(PRINCIPAL.may(THREE, permission) for permission in Permission)
    assert PRINCIPAL.visibility(THREE) is None


def test_a_list_over_all_tenants_covers_each_with_the_permission_and_its_own_restriction() -> None:
    assert PRINCIPAL.scopes(Permission.RECORDINGS_LIST) == [Scope(ONE, AGENT), Scope(TWO, ALL)]
    assert PRINCIPAL.scopes(Permission.RECORDINGS_LISTEN) == [Scope(TWO, ALL)]
    assert PRINCIPAL.visibility(ONE) == AGENT
