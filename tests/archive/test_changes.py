"""The change log: gapless, written with what it tells, and without a personal value in any entry."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from voxkeep.archive import Archive, Kept
from voxkeep.archive.changes import Change, record, salted_hash
from voxkeep.archive.model import Recording
from voxkeep.archive.rows import PERSONAL
from voxkeep.database import DatabaseError, Transaction
from voxkeep.settings import Settings

Keep = Callable[..., Awaitable[Kept]]
Make = Callable[..., Recording]


async def entries(archive: Archive) -> list[bytes]:
    return [entry for (entry,) in await archive.database.read("SELECT entry FROM changes ORDER BY seq")]


async def test_a_kept_recording_is_one_entry_that_tells_of_its_audio(
    archive: Archive, recording_of: Make, keep: Keep, wav: bytes
) -> None:
    kept = (await keep(recording_of(), wav)).recording
    (change,) = await archive.changes.after(0)
    assert kept.audio is not None
    assert (change.seq, change.kind, change.tenant, change.subject) == (1, "recording.kept", kept.tenant, str(kept.id))
    assert change.facts == {
        "vendor": "import",
        "key": "key-1",
        "start": kept.started_at,
        "duration": 1000,
        "bytes": len(wav),
        "sha256": kept.audio.sha256,
    }


async def test_the_sequence_has_no_gap_under_concurrency_across_processes(
    archive: Archive, recording_of: Make, keep_into: Keep
) -> None:
    other = await Archive.at(archive.home, Settings())
    await asyncio.gather(
        *(keep_into((archive, other)[number % 2], recording_of(f"k{number % 30}")) for number in range(60))
    )
    changes = await archive.changes.after(0)
    assert [change.seq for change in changes] == list(range(1, 31))
    assert {change.facts["key"] for change in changes} == {f"k{number}" for number in range(30)}
    await other.close()


async def test_a_keep_that_fails_leaves_no_gap(archive: Archive, recording_of: Make, keep: Keep) -> None:
    taken = (await keep(recording_of("a"))).recording
    bad = msgspec.structs.replace(taken, vendor_key="b")
    outcomes = await asyncio.gather(
        keep(recording_of("c")), keep(bad), keep(recording_of("d")), keep(bad), return_exceptions=True
    )
    assert [isinstance(each, DatabaseError) for each in outcomes] == [False, True, False, True]
    changes = await archive.changes.after(0)
    assert [(change.seq, change.facts["key"]) for change in changes] == [(1, "a"), (2, "c"), (3, "d")]


async def test_an_entry_is_the_canonical_form_of_what_it_says(
    archive: Archive, recording_of: Make, keep: Keep, wav: bytes
) -> None:
    await keep(recording_of(agent_name="Ann", caller_number="+15550001"), wav)
    (raw,) = await entries(archive)
    change = msgspec.msgpack.decode(raw, type=Change)
    assert msgspec.msgpack.encode(change, order="deterministic") == raw
    shuffled = msgspec.structs.replace(
        change, facts=dict(reversed(change.facts.items())), hashes=dict(reversed(change.hashes.items()))
    )
    assert msgspec.msgpack.encode(shuffled, order="deterministic") == raw


@profile(max_examples=25)
@given(values=st.lists(st.text(min_size=4, max_size=20), min_size=len(PERSONAL), max_size=len(PERSONAL), unique=True))
async def test_no_personal_value_is_in_an_entry_and_its_hash_verifies(
    archive: Archive, recording_of: Make, keep: Keep, values: list[str]
) -> None:
    people = {name: f"\N{BUST IN SILHOUETTE}{value}" for name, value in zip(PERSONAL, values, strict=True)}
    before = len(await archive.changes.after(0, 10_000))
    await keep(recording_of(f"k{before}", **people))
    (change,) = await archive.changes.after(before)
    raw = (await entries(archive))[-1]
    for value in people.values():
        assert value.encode() not in raw
    personal = await archive.changes.personal(change.seq)
    assert {name: each.value for name, each in personal.items()} == people
    assert {name: salted_hash(each.value, each.salt) for name, each in personal.items()} == change.hashes


async def test_equal_values_have_different_hashes(archive: Archive, recording_of: Make, keep: Keep) -> None:
    for key in ("a", "b"):
        await keep(recording_of(key, agent_name="Ann", agent_login="Ann"))
    changes = await archive.changes.after(0)
    hashes = [each for change in changes for each in change.hashes.values()]
    assert len(hashes) == len(set(hashes)) == 4


async def test_an_erased_value_leaves_the_entry_as_it_was(archive: Archive, recording_of: Make, keep: Keep) -> None:
    await keep(recording_of(agent_name="Ann"))
    before = await entries(archive)
    assert await archive.changes.personal(1)
    await archive.database.define("DELETE FROM change_values")
    assert await archive.changes.personal(1) == {}
    assert await entries(archive) == before


async def test_empty_personal_values_are_not_told_of(archive: Archive, recording_of: Make, keep: Keep) -> None:
    await keep(recording_of(agent_name="Ann"))
    (change,) = await archive.changes.after(0)
    assert set(change.hashes) == {"agent_name"}


async def test_an_entry_lives_and_dies_with_its_transaction(archive: Archive) -> None:
    async def work(transaction: Transaction) -> None:
        assert await record(transaction, "test", 1, "subject", {}, {"agent_name": "Ann"}) == 1
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await archive.database.write(work)
    assert await archive.changes.after(0) == []
    assert await archive.changes.personal(1) == {}


async def test_followers_read_on_where_they_left(archive: Archive, recording_of: Make, keep: Keep) -> None:
    for number in range(7):
        await keep(recording_of(f"k{number}"))
    assert await archive.changes.cursor("search") == 0
    seen = []
    while changes := await archive.changes.after(await archive.changes.cursor("search"), limit=3):
        seen += [change.seq for change in changes]
        await archive.changes.advance("search", changes[-1].seq)
    assert seen == list(range(1, 8))
    assert await archive.changes.cursor("other") == 0
    other = await Archive.at(archive.home, Settings())
    assert await other.changes.cursor("search") == 7
    await other.close()
