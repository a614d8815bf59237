import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.access import Access, Action, Audit, AuditEntry, Outcome, audit
from voxkeep.access.audit import LONGEST_TEXT, plain
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.database import DatabaseError

Opener = Callable[..., Awaitable[Access]]
ACME, BETA = TenantId(1), TenantId(2)


def entry(at: int, tenant: TenantId | None = ACME, subject: str = "") -> AuditEntry:
    return AuditEntry(EpochMs(at), "bi", tenant, Action.LIST, subject, Outcome.DONE, "", "192.0.2.7")


async def until_written(trail: Audit, number: int) -> list[AuditEntry]:
    while True:
        entries = await trail.read(EpochMs(0))
        if len(entries) >= number:
            return entries
        await asyncio.sleep(0.01)


async def test_what_is_recorded_is_read_back_as_it_was(access: Access) -> None:
    recorded = AuditEntry(EpochMs(5), "", None, Action.AUTHENTICATE, "/rest", Outcome.REFUSED, "401", "::1")
    await access.audit.record(recorded)
    assert await access.audit.read(EpochMs(0)) == [recorded]


async def test_what_is_recorded_is_seen_by_another_process_at_once(opened: Opener) -> None:
    one, other = await opened(), await opened()
    await one.audit.record(entry(1))
    assert await other.audit.read(EpochMs(0)) == [entry(1)]


async def test_noted_entries_are_written_in_the_background(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "FLUSH_SECONDS", 0.001)
    access.start()
    for number in range(1_200):
        access.audit.note(entry(7, subject=str(number)))
    entries = await asyncio.wait_for(until_written(access.audit, 1_000), 30)
    assert [each.subject for each in entries] == [str(number) for number in range(1_000)]
    await access.stop()


async def test_stopping_writes_what_is_noted(access: Access) -> None:
    access.start()
    access.audit.note(entry(1))
    await access.stop()
    assert await access.audit.read(EpochMs(0)) == [entry(1)]


async def test_what_could_not_be_written_is_told_and_written_later_once(
    access: Access, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(audit, "FLUSH_SECONDS", 0.001)
    failed = asyncio.Event()

    async def full(*_: object) -> None:
        failed.set()
        raise DatabaseError("full")

    with monkeypatch.context() as patch:
        patch.setattr(access._database, "write", full)
        access.start()
        access.audit.note(entry(1))
        await failed.wait()
    assert await asyncio.wait_for(until_written(access.audit, 1), 30) == [entry(1)]
    assert "1 entries wait" in caplog.text
    await access.stop()
    assert await access.audit.read(EpochMs(0)) == [entry(1)]


async def test_what_cannot_be_written_even_at_the_end_is_told_in_the_log(
    access: Access, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(*_: object) -> None:
        raise DatabaseError("full")

    monkeypatch.setattr(access._database, "write", full)
    access.audit.note(entry(1, subject="key-1"))
    with caplog.at_level(logging.ERROR), pytest.raises(DatabaseError):
        await access.stop()
    assert "key-1" in caplog.text


async def test_too_many_waiting_entries_are_told_in_the_log(
    access: Access, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(audit, "WAITING_AT_MOST", 2)
    for number in range(3):
        access.audit.note(entry(number, subject=f"key-{number}"))
    assert "key-2" in caplog.text
    await access.stop()
    assert [each.at for each in await access.audit.read(EpochMs(0))] == [0, 1]


async def test_flushes_at_once_and_an_interrupted_one_write_each_entry_once(access: Access) -> None:
    for number in range(50):
        access.audit.note(entry(number))
    flushes = [asyncio.create_task(access.audit.flush()) for _ in range(4)]
    await asyncio.sleep(0)
    for number in range(50, 100):
        access.audit.note(entry(number))
    flushes[0].cancel()
    ended = await asyncio.gather(*flushes, return_exceptions=True)
    assert isinstance(ended[0], asyncio.CancelledError)
    assert ended[1:] == [None, None, None]
    await access.stop()
    assert [each.at for each in await access.audit.read(EpochMs(0))] == list(range(100))


async def test_a_reader_sees_one_tenant_from_a_moment_on_in_order(access: Access) -> None:
    for at, tenant in ((30, ACME), (10, ACME), (20, BETA), (20, ACME), (40, None)):
        await access.audit.record(entry(at, tenant))
    assert [each.at for each in await access.audit.read(EpochMs(20), ACME)] == [20, 30]
    assert [each.at for each in await access.audit.read(EpochMs(20))] == [20, 20, 30, 40]
    assert [each.at for each in await access.audit.read(EpochMs(0), limit=2)] == [10, 20]


async def test_reading_a_tenants_entries_walks_an_index(access: Access) -> None:
    plan = await access._database.read(
        "EXPLAIN QUERY PLAN SELECT at FROM access_audit WHERE at >= 1 AND tenant = 2 ORDER BY at, seq LIMIT 3"
    )
    assert [row[3] for row in plan] == [
        "SEARCH access_audit USING COVERING INDEX access_audit_tenant (tenant=? AND at>?)"
    ]


@given(st.text(max_size=2_000))
def test_any_text_becomes_one_short_printable_line(text: str) -> None:
    told = plain(text)
    assert told.isprintable()
    assert len(told) <= 10 * LONGEST_TEXT
    told.encode()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("acme/key-1.ogg", "acme/key-1.ogg"),
        ("Zoë (253)", "Zoë (253)"),
        ("a\x1b[31m\r\n\x00", "a\\x1b[31m\\r\\n\\x00"),
        ("/x?token=vk_" + "a1-_" * 10 + "abc&y=1", "/x?token=vk_...&y=1"),
        ("x" * 900, "x" * 500),
    ],
)
def test_what_a_caller_sends_is_told_without_secrets_and_controls(text: str, told: str) -> None:
    assert plain(text) == told


async def test_hostile_texts_do_not_break_the_trail(access: Access) -> None:
    await access.audit.record(entry(1, subject="\ud800\x00" * 1_000))
    assert (await access.audit.read(EpochMs(0)))[0].subject.startswith("\\ud800\\x00")
