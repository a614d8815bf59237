from collections.abc import Awaitable, Callable
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from voxkeep.access import Access, AudioGate, EgressSpent, Grant, Granted, Principal, TenantLimits
from voxkeep.access.ledger import BUCKET_MS, Charge, bucket_of
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import DAY_MS, TenantId
from voxkeep.settings import Settings, Xima

CAP = 1_000
PRINCIPAL = Principal(1, "bi", {TenantId(1): Grant()})
NO_RATE = Settings(xima=Xima(audio_spacing_ms=0, egress_window_days=1))
_tenants = count(1)

LENGTHS = st.integers(0, 700)
PAUSES = st.one_of(st.integers(0, 60_000), st.integers(0, DAY_MS), st.sampled_from([BUCKET_MS, DAY_MS, 2 * DAY_MS]))
REQUESTS = st.lists(st.tuples(PAUSES, LENGTHS, st.booleans(), st.integers(0, 800)), min_size=1, max_size=25)


@pytest.fixture
async def gate(opened: Callable[[Settings], Awaitable[Access]]) -> AudioGate:
    return (await opened(NO_RATE)).gate


class Sent(Struct):
    """One audio answer in the naive model: every one is remembered for ever."""

    at: int
    bytes: int

    def counts(self, now: int) -> bool:
        return now < bucket_of(self.at) + BUCKET_MS + DAY_MS


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=REQUESTS)
async def test_the_ledger_agrees_with_a_list_of_everything_ever_sent(
    gate: AudioGate, clock: list[int], requests: list[tuple[int, int, bool, int]]
) -> None:
    tenant = Tenant(id=TenantId(next(_tenants)), name="acme")
    await gate.set_limits(tenant.id, TenantLimits(egress_cap_bytes=CAP), by="test")
    log, charges = list[Sent](), list[tuple[Charge, Sent]]()
    for pause, length, gives_back, unsent in requests:
        clock[0] += pause
        used = sum(sent.bytes for sent in log if sent.counts(clock[0]))
        assert (await gate.usage(tenant)).used_bytes == used
        verdict = await gate.admit(PRINCIPAL, tenant, "key", length, "")
        if used >= CAP:
            assert isinstance(verdict, EgressSpent)
        else:
            assert isinstance(verdict, Granted)
            log.append(Sent(clock[0], length))
            charges.append((verdict.charge, log[-1]))
        if gives_back and charges:
            charge, sent = charges.pop(0)
            await gate.give_back(charge, unsent)
            sent.bytes -= min(unsent, sent.bytes)
    _bytes_count_for_the_window(log, clock[0], (await gate.usage(tenant)).used_bytes)


def _bytes_count_for_the_window(log: list[Sent], now: int, used: int) -> None:
    def sent_within(span_ms: int) -> int:
        return sum(sent.bytes for sent in log if now - sent.at < span_ms)

    assert sent_within(DAY_MS) <= used <= sent_within(DAY_MS + BUCKET_MS)


async def test_a_refusal_tells_when_enough_has_aged_out(gate: AudioGate, clock: list[int]) -> None:
    tenant = Tenant(id=TenantId(1), name="acme")
    await gate.set_limits(tenant.id, TenantLimits(egress_cap_bytes=CAP), by="test")
    for pause, length in ((0, 300), (BUCKET_MS, 300), (BUCKET_MS, 500)):
        clock[0] += pause
        assert isinstance(await gate.admit(PRINCIPAL, tenant, "key", length, ""), Granted)
    refused = await gate.admit(PRINCIPAL, tenant, "key", 1, "")
    assert isinstance(refused, EgressSpent)
    clock[0] += (refused.retry_after_seconds - 1) * 1000
    assert isinstance(await gate.admit(PRINCIPAL, tenant, "key", 1, ""), EgressSpent)
    clock[0] += 1000
    assert isinstance(await gate.admit(PRINCIPAL, tenant, "key", 1, ""), Granted)
    assert (await gate.usage(tenant)).used_bytes == 801  # only the first 300 have left


async def test_a_clock_set_back_does_not_keep_bytes_counting_for_longer_than_the_window(
    gate: AudioGate, clock: list[int]
) -> None:
    tenant = Tenant(id=TenantId(1), name="acme")
    await gate.set_limits(tenant.id, TenantLimits(egress_cap_bytes=CAP), by="test")
    clock[0] += 400 * DAY_MS
    assert isinstance(await gate.admit(PRINCIPAL, tenant, "key", CAP, ""), Granted)
    clock[0] -= 400 * DAY_MS
    refused = await gate.admit(PRINCIPAL, tenant, "key", 1, "")
    assert isinstance(refused, EgressSpent)
    assert refused.retry_after_seconds <= (DAY_MS + BUCKET_MS) // 1000
    clock[0] += refused.retry_after_seconds * 1000
    assert isinstance(await gate.admit(PRINCIPAL, tenant, "key", 1, ""), Granted)
    assert (await gate.usage(tenant)).used_bytes == 1


async def test_buckets_that_count_no_more_are_deleted(gate: AudioGate, clock: list[int]) -> None:
    tenant = Tenant(id=TenantId(1), name="acme")
    for _ in range(200):
        clock[0] += BUCKET_MS
        await gate.admit(PRINCIPAL, tenant, "key", 1, "")
    rows = await gate._database.read("SELECT COUNT(*), SUM(bytes) FROM access_egress")
    meter = await gate._database.read("SELECT used_bytes FROM access_meters")
    assert rows == [(97, 97)]  # a day of quarter hours, and the one that is partly in it
    assert meter == [(97,)]


async def test_what_a_reset_forgave_is_not_given_back_again(gate: AudioGate, clock: list[int]) -> None:
    tenant = Tenant(id=TenantId(1), name="acme")
    before = await gate.admit(PRINCIPAL, tenant, "key", 600, "")
    assert isinstance(before, Granted)
    await gate.reset_egress(tenant.id, by="support")
    assert (await gate.usage(tenant)).used_bytes == 0
    assert isinstance(await gate.admit(PRINCIPAL, tenant, "key", 700, ""), Granted)
    await gate.give_back(before.charge, 600)
    assert (await gate.usage(tenant)).used_bytes == 700
    assert (await gate.usage(tenant)).oldest_at == bucket_of(clock[0])
