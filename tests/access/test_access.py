from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from voxkeep.access import Access, Action, TenantLimits
from voxkeep.archive.errors import TenantNameTaken
from voxkeep.archive.model import Tenant
from voxkeep.archive.tenants import Tenants
from voxkeep.archive.units import EpochMs, TenantId

Opener = Callable[..., Awaitable[Access]]
ACME = Tenant(id=TenantId(0), name="Acme-NS", host="acme.xima.test", zone="Europe/Paris", licensed_agents=3)


async def test_a_tenant_is_known_by_name_host_and_host_label_in_lower_case(access: Access) -> None:
    acme = await access.add_tenant(ACME)
    known = await access.known()
    assert known.by_name == {"acme-ns": acme, "acme.xima.test": acme, "acme": acme}
    assert known.by_id == {acme.id: acme}


async def test_a_tenant_added_by_another_process_is_known_at_once(opened: Opener) -> None:
    one, other = await opened(), await opened()
    assert (await other.known()).by_id == {}
    acme = await one.add_tenant(ACME)
    assert (await other.known()).by_name["acme-ns"] == acme


async def test_a_tenant_changed_by_another_process_is_known_as_it_is_now(opened: Opener) -> None:
    one, other = await opened(), await opened()
    acme = await one.add_tenant(ACME)
    assert "acme" in (await other.known()).by_name
    await one.change_tenant(replace(acme, host="new.xima.test"), TenantLimits(enabled=False))
    assert set((await other.known()).by_name) == {"acme-ns", "new.xima.test", "new"}
    assert await other.gate.limits(acme.id) == TenantLimits(enabled=False)


async def test_a_tenant_added_past_access_is_known_after_a_touch(opened: Opener) -> None:
    one, other = await opened(), await opened()
    assert (await other.known()).by_id == {}
    await Tenants(one._database).add(ACME)
    await one.touch()
    assert "acme-ns" in (await other.known()).by_name


async def test_while_nothing_changes_the_same_tenants_are_returned(access: Access) -> None:
    await access.add_tenant(ACME)
    assert await access.known() is await access.known()


async def test_a_refused_tenant_leaves_neither_entry_nor_limits(access: Access) -> None:
    await access.add_tenant(ACME)
    before = await access.audit.read(EpochMs(0))
    with pytest.raises(TenantNameTaken):
        await access.add_tenant(replace(ACME, name="acme", host=""), TenantLimits(enabled=False))
    assert await access.audit.read(EpochMs(0)) == before
    assert len((await access.known()).by_id) == 1


async def test_adding_and_changing_a_tenant_is_audited_with_its_limits(access: Access) -> None:
    acme = await access.add_tenant(ACME, TenantLimits(egress_cap_bytes=5), by="cli:root")
    await access.change_tenant(replace(acme, host=""), by="cli:root")
    entries = await access.audit.read(EpochMs(0), acme.id)
    assert [(entry.action, entry.detail) for entry in entries] == [
        (Action.TENANT_ADD, "host acme.xima.test, zone Europe/Paris, agents 3"),
        (Action.TENANT_LIMITS, "limits on, egress cap 5 bytes, lists not limited, API on"),
        (Action.TENANT_CHANGE, "host -, zone Europe/Paris, agents 3"),
    ]
