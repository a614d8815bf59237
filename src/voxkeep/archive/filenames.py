"""File names: every recording has one, unique in its tenant (design, "Identity"). Runs inside the keeping transaction.

A vendor that knows recordings as files brings its own. The others are given here, counting down from 9999 within a
second of a start; when a second is full, with more digits.
"""

import logging

from voxkeep.archive.model import Recording
from voxkeep.archive.names import LAST_IN_A_SECOND, file_name, file_stem
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.database import Transaction

_log = logging.getLogger(__name__)

AFTER_DIGITS = "~"
"""Comes after every digit and point: a stem followed by it bounds the names that begin with the stem."""
FILLED_AT_ONCE = 1_000

COUNT = "SELECT COUNT(*) FROM recordings WHERE tenant = $1 AND file_name > $2 AND file_name < $3"
NAMED = "SELECT file_name FROM recordings WHERE tenant = $1 AND file_name > $2 AND file_name < $3"
HOLDER = "SELECT started_at, id, vendor_key FROM recordings WHERE tenant = $1 AND file_name = $2"
RENAME = "UPDATE recordings SET file_name = $4 WHERE tenant = $1 AND started_at = $2 AND id = $3"
UNNAMED = (
    "SELECT tenant, started_at, id FROM recordings WHERE (tenant, started_at, id) > ($1, $2, $3) "
    "ORDER BY tenant, started_at, id LIMIT $4"
)


async def named(transaction: Transaction, recording: Recording) -> str:
    """Return the file name that a recording is to be kept under.

    A vendor's own name wins in its dialect: a recording that was given the same name here is given another. One whose
    vendor knows it by that name keeps it.
    """
    if not recording.file_name:
        return await free_name(transaction, recording.tenant, recording.started_at)
    for started_at, identity, key in await transaction.rows(HOLDER, recording.tenant, recording.file_name):
        if key == recording.file_name:
            return await free_name(transaction, recording.tenant, recording.started_at)
        name = await free_name(transaction, recording.tenant, EpochMs(started_at))
        await transaction.execute(RENAME, recording.tenant, started_at, identity, name)
    return recording.file_name


async def free_name(transaction: Transaction, tenant: TenantId, started_at: EpochMs) -> str:
    """Return a name for a recording that started then which no other of the tenant has."""
    stem = file_stem(started_at)
    bounds = (tenant, stem, stem + AFTER_DIGITS)
    ((count,),) = await transaction.rows(COUNT, *bounds)
    name = file_name(started_at, max(LAST_IN_A_SECOND - count, 1))
    # with only names of ours the count leads to a free one; with a vendor's among them, too, but for rare gaps
    if not count or not await transaction.rows(HOLDER, tenant, name):
        return name
    taken = {name for (name,) in await transaction.rows(NAMED, *bounds)}
    last = LAST_IN_A_SECOND
    while True:
        for number in range(last, (last // 10) if last > LAST_IN_A_SECOND else 0, -1):
            if (name := file_name(started_at, number)) not in taken:
                return name
        last = last * 10 + 9


async def fill(transaction: Transaction) -> None:
    """Give file names to the recordings of an archive that was made before there were any."""
    position: tuple[int, int, bytes] = (-1, 0, b"")
    second: tuple[int, int] = (-1, -1)
    number = 0
    while rows := await transaction.rows(UNNAMED, *position, FILLED_AT_ONCE):
        if position[0] < 0:
            _log.warning("recordings of an earlier version are given file names; of millions that takes minutes")
        named_rows = []
        for tenant, started_at, identity in rows:
            number = number + 1 if (tenant, started_at // 1000) == second else 0
            second = (tenant, started_at // 1000)
            named_rows.append((tenant, started_at, identity, _counted(EpochMs(started_at), number)))
        await transaction.execute_many(RENAME, named_rows)
        position = rows[-1]


def _counted(started_at: EpochMs, number: int) -> str:
    """Return the name of the recording that is the so many-th (from 0) of its second."""
    last = LAST_IN_A_SECOND
    room = last
    while number >= room:
        number -= room
        last = last * 10 + 9
        room = last - last // 10
    return file_name(started_at, last - number)
