from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.access import Access, TenantLimits
from voxkeep.access.limits import Meter, lock, save, set_limits
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import TenantId
from voxkeep.database import Transaction
from voxkeep.settings import Xima

Opener = Callable[..., Awaitable[Access]]
ONE = TenantId(1)
METERS = st.builds(
    Meter,
    tenant=st.just(ONE),
    accepted=st.lists(st.integers(-(2**60), 2**60), max_size=100).map(tuple),
    used_bytes=st.integers(0, 2**62),
    oldest_at=st.none() | st.integers(0, 2**50),
    newest_at=st.none() | st.integers(0, 2**50),
    resets=st.integers(0, 2**40),
)


@pytest.mark.parametrize(
    ("limits", "agents", "cap_bytes"),
    [
        (TenantLimits(), 10, 2_880_000_000),  # reference section 6: agents x 288 MB
        (TenantLimits(), 1_000, 288_000_000_000),
        (TenantLimits(), 0, None),
        (TenantLimits(egress_cap_bytes=7), 10, 7),
        (TenantLimits(egress_cap_bytes=7), 0, 7),
        (TenantLimits(egress_cap_bytes=0), 10, 0),
    ],
)
def test_the_cap_is_what_was_set_or_reckoned_from_the_agents(
    limits: TenantLimits, agents: int, cap_bytes: int | None
) -> None:
    assert limits.cap_bytes(Tenant(id=ONE, name="acme", licensed_agents=agents), Xima()) == cap_bytes


async def test_a_tenant_never_met_has_an_empty_meter_and_the_default_limits(access: Access) -> None:
    assert await access._database.write(lambda transaction: lock(transaction, ONE)) == Meter(ONE)
    assert await access.gate.limits(ONE) == TenantLimits()


@given(meter=METERS)
async def test_a_meter_is_kept_as_it_is(access: Access, meter: Meter) -> None:
    async def there_and_back(transaction: Transaction) -> Meter:
        await lock(transaction, ONE)
        await save(transaction, meter)
        return await lock(transaction, ONE)

    assert await access._database.write(there_and_back) == meter


async def test_setting_limits_leaves_the_running_state_and_saving_it_leaves_the_limits(access: Access) -> None:
    wanted = TenantLimits(enabled=False, egress_cap_bytes=9, listing_limited=True)

    async def work(transaction: Transaction) -> Meter:
        await save(transaction, Meter((await lock(transaction, ONE)).tenant, accepted=(1, 2), used_bytes=5))
        await set_limits(transaction, ONE, wanted)
        await save(transaction, Meter(ONE, accepted=(1, 2, 3), used_bytes=6))
        return await lock(transaction, ONE)

    assert await access._database.write(work) == Meter(ONE, wanted, (1, 2, 3), 6)


async def test_one_tenants_limits_are_not_anothers(opened: Opener) -> None:
    access = await opened()
    await access.gate.set_limits(ONE, TenantLimits(enabled=False), by="cli:root")
    assert await access.gate.limits(TenantId(2)) == TenantLimits()
