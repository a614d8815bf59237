import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxkeep.access import (
    Access,
    Action,
    EgressSpent,
    Grant,
    Granted,
    Outcome,
    Principal,
    TenantLimits,
    TooOften,
    gate,
)
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import DAY_MS, HOUR_MS, EpochMs, TenantId
from voxkeep.settings import Settings, Xima

Opener = Callable[..., Awaitable[Access]]
ACME = Tenant(id=TenantId(1), name="acme", licensed_agents=1)
BETA = Tenant(id=TenantId(2), name="beta")
BI = Principal(1, "bi", {ACME.id: Grant()})
AGENT_BYTES = 288_000_000
_tenants = count(100)


async def ask(access: Access, tenant: Tenant = ACME, length: int = 100) -> Granted | TooOften | EgressSpent:
    return await access.gate.admit(BI, tenant, "some-key", length, "192.0.2.7")


async def granted(access: Access, tenant: Tenant = ACME, length: int = 100) -> Granted:
    verdict = await ask(access, tenant, length)
    assert isinstance(verdict, Granted)
    return verdict


async def test_three_requests_pass_at_once_and_the_fourth_is_told_to_wait(access: Access) -> None:
    for _ in range(3):
        await granted(access)
    assert await ask(access) == TooOften(retry_after_seconds=3)


async def test_a_request_every_three_seconds_always_passes(access: Access, clock: list[int]) -> None:
    for _ in range(20):
        await granted(access)
        clock[0] += 2_950


async def test_a_refusal_does_not_count(access: Access, clock: list[int]) -> None:
    for _ in range(3):
        await granted(access)
    for _ in range(29):
        clock[0] += 100
        assert isinstance(await ask(access), TooOften)
    clock[0] += 50
    await granted(access)


async def test_whoever_waits_as_told_is_accepted(access: Access, clock: list[int]) -> None:
    for _ in range(3):
        await granted(access)
        clock[0] += 700
    refused = await ask(access)
    assert refused == TooOften(retry_after_seconds=3)
    clock[0] += 3_000
    await granted(access)


async def test_one_tenant_does_not_use_up_the_slots_of_another(access: Access) -> None:
    for _ in range(3):
        await granted(access)
    assert isinstance(await ask(access), TooOften)
    await granted(access, BETA)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gaps=st.lists(st.integers(-5_000, 6_000), max_size=25))
async def test_a_clock_that_jumps_about_never_locks_a_tenant_out(
    access: Access, clock: list[int], gaps: list[int]
) -> None:
    tenant = Tenant(id=TenantId(next(_tenants)), name="other")
    for gap in gaps:
        clock[0] += gap
        verdict = await ask(access, tenant)
        assert isinstance(verdict, Granted) or 1 <= verdict.retry_after_seconds <= 3
    clock[0] += 3_000
    await granted(access, tenant)


async def test_a_clock_set_back_by_a_year_costs_one_wait(access: Access, clock: list[int]) -> None:
    for _ in range(3):
        await granted(access)
    clock[0] -= 365 * DAY_MS
    assert await ask(access) == TooOften(retry_after_seconds=3)
    clock[0] += 3_000
    await granted(access)


async def test_twenty_at_once_are_accepted_exactly_as_the_rule_allows(access: Access) -> None:
    verdicts = await asyncio.gather(*(ask(access) for _ in range(20)))
    assert sum(isinstance(verdict, Granted) for verdict in verdicts) == 3
    assert sum(isinstance(verdict, TooOften) for verdict in verdicts) == 17
    assert (await access.gate.usage(ACME)).used_bytes == 300


async def test_twenty_at_once_in_two_processes_are_accepted_exactly_as_the_rule_allows(opened: Opener) -> None:
    one, other = await opened(), await opened()
    verdicts = await asyncio.gather(*(ask(each) for _ in range(10) for each in (one, other)))
    assert sum(isinstance(verdict, Granted) for verdict in verdicts) == 3
    assert (await one.gate.usage(ACME)).used_bytes == (await other.gate.usage(ACME)).used_bytes == 300


async def test_slots_and_bytes_are_kept_across_a_restart(opened: Opener) -> None:
    before = await opened()
    for _ in range(3):
        await granted(before)
    await before._database.close()
    after = await opened()
    assert isinstance(await ask(after), TooOften)
    assert (await after.gate.usage(ACME)).used_bytes == 300


async def test_the_cap_refuses_before_sending_and_a_last_file_may_overshoot(access: Access, clock: list[int]) -> None:
    await granted(access, length=AGENT_BYTES - 1)
    await granted(access, length=5_000)
    clock[0] += HOUR_MS
    refused = await ask(access)
    assert isinstance(refused, EgressSpent)
    used = await access.gate.usage(ACME)
    assert (used.used_bytes, used.cap_bytes, used.window_days) == (AGENT_BYTES + 4_999, AGENT_BYTES, 5)
    assert used.oldest_at is not None
    assert used.oldest_at <= clock[0] - HOUR_MS
    assert used.oldest_leave_at is not None
    assert clock[0] + refused.retry_after_seconds * 1000 - used.oldest_leave_at in range(1000)


async def test_too_often_is_told_before_egress_spent(access: Access, clock: list[int]) -> None:
    for length in (1, 1, AGENT_BYTES):
        await granted(access, length=length)
    assert isinstance(await ask(access), TooOften)
    clock[0] += 3_000
    assert isinstance(await ask(access), EgressSpent)


async def test_a_refusal_by_the_cap_takes_no_slot(access: Access, clock: list[int]) -> None:
    await granted(access, length=AGENT_BYTES)
    clock[0] += 20_000
    for _ in range(5):
        assert isinstance(await ask(access), EgressSpent)
    await access.gate.reset_egress(ACME.id, by="support")
    for _ in range(3):
        await granted(access)


async def test_what_was_not_sent_is_given_back(access: Access) -> None:
    verdict = await granted(access, length=1_000)
    assert (await access.gate.usage(ACME)).used_bytes == 1_000
    await access.gate.give_back(verdict.charge, 400)
    assert (await access.gate.usage(ACME)).used_bytes == 600


async def test_no_more_is_given_back_than_was_charged(access: Access) -> None:
    await granted(access, length=1_000)
    verdict = await granted(access, length=10)
    await access.gate.give_back(verdict.charge, 5_000)
    await access.gate.give_back(verdict.charge, 0)
    assert (await access.gate.usage(ACME)).used_bytes == 1_000


async def test_with_limits_off_nothing_is_refused_and_everything_is_charged_and_audited(access: Access) -> None:
    await access.gate.set_limits(ACME.id, TenantLimits(enabled=False, egress_cap_bytes=150), by="cli:root")
    for _ in range(10):
        await granted(access)
    assert (await access.gate.usage(ACME)).used_bytes == 1_000
    listens = [entry for entry in await access.audit.read(EpochMs(0)) if entry.action == Action.LISTEN]
    assert len(listens) == 10


async def test_limits_set_by_one_process_hold_in_the_other_at_once(opened: Opener) -> None:
    one, other = await opened(), await opened()
    assert await other.gate.limits(ACME.id) == TenantLimits()
    wanted = TenantLimits(enabled=False, egress_cap_bytes=5, listing_limited=True)
    await one.gate.set_limits(ACME.id, wanted, by="cli:root")
    assert await other.gate.limits(ACME.id) == wanted


async def test_a_tenant_without_agents_and_without_a_cap_has_no_egress_limit(access: Access, clock: list[int]) -> None:
    for _ in range(4):
        await granted(access, BETA, length=10**12)
        clock[0] += 3_000
    assert (await access.gate.usage(BETA)).cap_bytes is None


async def test_a_cap_of_nothing_refuses_everything(access: Access) -> None:
    await access.gate.set_limits(ACME.id, TenantLimits(egress_cap_bytes=0), by="cli:root")
    assert await ask(access) == EgressSpent(retry_after_seconds=5 * DAY_MS // 1000)


async def test_every_listen_and_every_refusal_leaves_an_entry(access: Access, clock: list[int]) -> None:
    for _ in range(4):
        await ask(access)
    clock[0] += 3_000
    await access.gate.set_limits(ACME.id, TenantLimits(egress_cap_bytes=1), by="cli:root")
    await ask(access)
    entries = [entry for entry in await access.audit.read(EpochMs(0), ACME.id) if entry.action == Action.LISTEN]
    assert [(entry.outcome, entry.detail) for entry in entries] == [
        (Outcome.DONE, "100 bytes"),
        (Outcome.DONE, "100 bytes"),
        (Outcome.DONE, "100 bytes"),
        (Outcome.REFUSED, "too often, retry after 3 s"),
        (Outcome.REFUSED, "egress spent, retry after 432097 s"),
    ]
    assert {(entry.user, entry.subject, entry.remote) for entry in entries} == {("bi", "some-key", "192.0.2.7")}


async def test_when_the_entry_cannot_be_written_nothing_is_taken(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(gate, "append", full)
        with pytest.raises(OSError, match="no space"):
            await ask(access)
    assert (await access.gate.usage(ACME)).used_bytes == 0
    for _ in range(3):
        await granted(access)


async def test_a_reset_is_audited_with_what_it_forgave(access: Access) -> None:
    await granted(access, length=1_234)
    await access.gate.reset_egress(ACME.id, by="cli:root")
    entry = (await access.audit.read(EpochMs(0), ACME.id))[-1]
    assert (entry.user, entry.action, entry.detail) == ("cli:root", Action.EGRESS_RESET, "1234 bytes forgiven")
    assert (await access.gate.usage(ACME)).oldest_at is None


async def test_lists_take_no_slot_unless_the_tenant_says_so(access: Access) -> None:
    for _ in range(10):
        assert await access.gate.admit_list(BI, ACME.id, "recordings", "") is None
    for _ in range(3):
        await granted(access)


async def test_limited_lists_share_the_slots_of_audio(access: Access, clock: list[int]) -> None:
    await access.gate.set_limits(ACME.id, TenantLimits(listing_limited=True), by="cli:root")
    assert await access.gate.admit_list(BI, ACME.id, "recordings", "") is None
    await granted(access)
    assert await access.gate.admit_list(BI, ACME.id, "recordings", "") is None
    assert await access.gate.admit_list(BI, ACME.id, "recordings", "") == TooOften(3)
    assert isinstance(await ask(access), TooOften)
    refusals = [entry for entry in await access.audit.read(EpochMs(0)) if entry.outcome == Outcome.REFUSED]
    assert [entry.action for entry in refusals] == [Action.LIST, Action.LISTEN]
    clock[0] += 3_000
    assert await access.gate.admit_list(BI, ACME.id, "recordings", "") is None


async def test_the_spent_egress_of_a_tenant_leaves_its_lists_alone(access: Access, clock: list[int]) -> None:
    await access.gate.set_limits(ACME.id, TenantLimits(egress_cap_bytes=1, listing_limited=True), by="cli:root")
    await granted(access)
    clock[0] += 3_000
    assert isinstance(await ask(access), EgressSpent)
    assert await access.gate.admit_list(BI, ACME.id, "recordings", "") is None


async def test_the_rule_is_what_the_settings_say(opened: Opener) -> None:
    access = await opened(Settings(xima=Xima(audio_window_requests=1, audio_spacing_ms=60_000)))
    await granted(access)
    assert await ask(access) == TooOften(retry_after_seconds=10)


async def test_limited_lists_in_two_processes_share_their_slots(opened: Opener) -> None:
    one, other = await opened(), await opened()
    await one.gate.set_limits(ACME.id, TenantLimits(listing_limited=True), by="cli:root")
    lists = (each.gate.admit_list(BI, ACME.id, "recordings", "") for _ in range(5) for each in (one, other))
    verdicts = await asyncio.gather(*lists)
    assert sum(verdict is None for verdict in verdicts) == 3


async def test_a_cap_spent_in_one_process_is_spent_in_the_other(opened: Opener) -> None:
    one, other = await opened(), await opened()
    await granted(one, length=AGENT_BYTES)
    assert isinstance(await ask(other), EgressSpent)
    await other.gate.reset_egress(ACME.id, by="support")
    await granted(one)
