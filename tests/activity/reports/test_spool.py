"""Rows that wait: the same as they were added, without memory, and gone when nobody holds them."""

import errno
import gc
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.activity import ActivityError
from voxkeep.activity.reports.spool import BLOCK_ROWS, Spool

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
ROWS = st.tuples(st.none() | TEXTS, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.booleans())


@given(st.lists(st.tuples(st.integers(0, 2), ROWS), min_size=1, max_size=10), st.integers(1, 120))
def test_each_strand_gives_its_own_rows_in_order_any_number_of_times(
    some: list[tuple[int, tuple[Any, ...]]], times: int
) -> None:
    rows = some * times
    spool = Spool()
    strands = [spool.strand() for _ in range(3)]
    for number, row in rows:
        strands[number].add(row)
    for number, strand in enumerate(strands):
        own = [row for which, row in rows if which == number]
        assert list(strand) == own
        assert list(strand) == own


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_rows_are_in_no_folder_by_name_and_their_file_is_closed_with_the_last_holder(tmp_path: Path) -> None:
    before = descriptors()
    strand = Spool(tmp_path).strand()
    for number in range(BLOCK_ROWS * 3):
        strand.add((number,))
    assert list(tmp_path.iterdir()) == []
    rows = iter(strand)
    assert next(rows) == (0,)
    assert descriptors() == before + 1
    del strand
    assert len(list(rows)) == BLOCK_ROWS * 3 - 1
    del rows
    gc.collect()
    assert descriptors() == before


def test_a_few_rows_need_no_file(tmp_path: Path) -> None:
    strand = Spool(tmp_path / "not there").strand()
    for number in range(BLOCK_ROWS - 1):
        strand.add((number,))
    with pytest.raises(ActivityError, match="no room"):
        strand.add((0,))


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    strand = Spool().strand()
    for number in range(BLOCK_ROWS - 1):
        strand.add((number,))
    with pytest.raises(ActivityError, match="No space left"):
        strand.add((0,))


def test_rows_are_whole_when_the_system_writes_them_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda to, block, place: write(to, block[:7], place))
    strand = Spool().strand()
    rows = [(number, "x" * number) for number in range(BLOCK_ROWS * 2)]
    for row in rows:
        strand.add(row)
    assert list(strand) == rows
