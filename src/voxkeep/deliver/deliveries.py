"""Orders, taken one by one, sent, and what becomes of them. Any number of processes may send from one archive.

A delivery is taken by moving its time forward: until then nobody else takes it, and when its sender dies it comes up
again by itself. What died between the sending and its commit is sent again, so receivers get everything at least once.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable

from voxkeep.archive import Archive
from voxkeep.archive.errors import ArchiveError
from voxkeep.archive.model import Recording
from voxkeep.archive.model import State as RecordingState
from voxkeep.archive.units import EpochMs, RecordingId, TenantId, now_ms
from voxkeep.audio.errors import AudioError
from voxkeep.audio.render import Form
from voxkeep.database import Transaction
from voxkeep.deliver import rows
from voxkeep.deliver.errors import BeingSent, Later, Never, Removed, UnknownDelivery, Unsent, WasDelivered
from voxkeep.deliver.guard import Guard
from voxkeep.deliver.patience import Between, wait_seconds
from voxkeep.deliver.rows import Delivery, Ordered, State, Taken, delivery_of
from voxkeep.deliver.sending import Outgoing, Sender
from voxkeep.deliver.targets import Target
from voxkeep.settings import Deliver
from voxkeep.vault import Reader, VaultError

_log = logging.getLogger(__name__)

DELIVERY_FAILED = "delivery-failed"
"""Alarm: a recording could not be sent where it was to be sent, and no more tries are made."""
LEASE_SPARE_MS = 60_000
"""How much longer a delivery is held than one try may take."""
READ_AT_ONCE = 500


class Deliveries:
    """The deliveries of an archive."""

    def __init__(
        self,
        archive: Archive,
        rule: Deliver,
        *,
        guard: Guard | None = None,
        clock: Callable[[], int] = now_ms,
        between: Between = random.uniform,
    ) -> None:
        self._archive = archive
        self._database = archive.database
        self._rule = rule
        self._clock = clock
        self._between = between
        self._sender = Sender(guard or Guard(allow_private=rule.allow_private_targets))

    # Ordering and looking

    async def order(self, recording: Recording, target: Target) -> Ordered:
        """Have a recording sent; durable when this returns. The same order again changes nothing.

        Raises BadTarget.
        """
        which = (recording.tenant, recording.id.bytes, target.identity)
        form = "" if target.form is None else str(target.form)
        what = (recording.vendor_key, target.url, target.place, str(target.method), target.media_type, form)

        async def work(transaction: Transaction) -> Ordered:
            new = await transaction.execute(rows.ORDER, *which, *what, self._clock())
            (row,) = await transaction.rows(rows.BY_TARGET, *which)
            return Ordered(delivery_of(row), bool(new))

        return await self._database.write(work)

    async def all(self, state: State | None = None) -> AsyncIterator[Delivery]:
        """Yield the deliveries, those in one state or all, in the order in which they were ordered."""
        last = 0
        while True:
            if state is None:
                chunk = await self._database.read(rows.PAGE, last, READ_AT_ONCE)
            else:
                chunk = await self._database.read(rows.PAGE_IN_STATE, last, READ_AT_ONCE, str(state))
            for row in chunk:
                yield delivery_of(row)
            if len(chunk) < READ_AT_ONCE:
                return
            last = chunk[-1][0]

    async def of_recording(self, tenant: TenantId, recording: RecordingId) -> list[Delivery]:
        """Return a recording's deliveries, also of one that was removed: those that are done tell where copies are."""
        return [delivery_of(row) for row in await self._database.read(rows.OF_RECORDING, tenant, recording.bytes)]

    async def one(self, number: int) -> Delivery:
        """Return a delivery. Raises UnknownDelivery."""
        found = await self._database.read(rows.BY_ID, number)
        if not found:
            raise UnknownDelivery(f"no delivery has the number {number}")
        return delivery_of(found[0])

    # What people decide

    async def retry(self, number: int) -> Delivery:
        """Have a delivery tried anew, as often as a new one, beginning now.

        Raises UnknownDelivery, WasDelivered, BeingSent.
        """

        async def work(transaction: Transaction) -> Delivery:
            delivery = await self._undone(transaction, number)
            await transaction.execute(rows.RETRY, number, self._clock())
            return delivery

        return await self._database.write(work)

    async def retry_all(self) -> int:
        """Have every dead letter tried anew, and return how many there were."""

        async def work(transaction: Transaction) -> int:
            return await transaction.execute(rows.RETRY_ALL, self._clock())

        return await self._database.write(work)

    async def drop(self, number: int) -> Delivery:
        """Forget a delivery that is not done, and return it. Ordered again, it is a new one.

        Raises UnknownDelivery, WasDelivered (that row tells of a copy), BeingSent.
        """

        async def work(transaction: Transaction) -> Delivery:
            delivery = await self._undone(transaction, number)
            await transaction.execute(rows.DROP, number)
            return delivery

        dropped = await self._database.write(work)
        await self._take_alarm_back(dropped)
        return dropped

    async def _undone(self, transaction: Transaction, number: int) -> Delivery:
        found = await transaction.rows(rows.BY_ID, number)
        if not found:
            raise UnknownDelivery(f"no delivery has the number {number}")
        delivery = delivery_of(found[0])
        if delivery.state is State.DONE:
            raise WasDelivered(f"delivery {number} is done: a copy is at {delivery.place}")
        if await transaction.rows(rows.IS_BEING_SENT, number, self._clock()):
            raise BeingSent(f"delivery {number} is being sent just now: try again in a while")
        return delivery

    # Sending

    async def send_due(self) -> int:
        """Send what is due, `at_once` of them at one time, until nothing is; returns how many tries were made."""

        async def worker() -> int:
            sent = 0
            while await self.send_next():
                sent += 1
            return sent

        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(worker()) for _ in range(self._rule.at_once)]
        return sum(each.result() for each in workers)

    async def send_next(self) -> bool:
        """Take what is due first and try to send it; False when nothing is due."""
        taken = await self._take()
        if taken is None:
            return False
        try:
            size_bytes, sha256, status = await self._attempt(taken)
        except asyncio.CancelledError:
            await self._give_back(taken)
            raise
        except Never as error:
            await self._bury(taken, error)
        except Later as error:
            await self._postpone(taken, error)
        except Exception as error:  # noqa: BLE001 -- whatever ails one, the others go on; its text may hold the URL
            await self._postpone(taken, Later(f"it could not be sent: {type(error).__name__}"))
        else:
            await self._finish(taken, size_bytes, sha256, status)
        return True

    async def _take(self) -> Taken | None:
        now = self._clock()
        if not await self._database.read(rows.IS_DUE, now):
            return None
        lease = EpochMs(now + self._rule.timeout_seconds * 1000 + LEASE_SPARE_MS)

        async def work(transaction: Transaction) -> Taken | None:
            found = await transaction.rows(rows.TAKE, now, lease)
            if not found:
                return None
            *columns, url, alarmed = found[0]
            return Taken(delivery_of(tuple(columns)), url, lease, bool(alarmed))

        return await self._database.write(work)

    async def _attempt(self, taken: Taken) -> tuple[int, str, int]:
        """Return the size and hash of what was sent, and the status. Raises Later, Never."""
        delivery = taken.delivery
        recording = await self._archive.by_id(delivery.tenant, delivery.recording)
        if recording is None or recording.state is RecordingState.REMOVED:
            raise Removed("the recording was removed before it was sent")
        try:
            async with asyncio.timeout(self._rule.timeout_seconds):
                reader = await self._opened(recording, delivery.form)
                try:
                    outgoing = Outgoing(taken.url, delivery.method, delivery.media_type, reader)
                    return reader.size, reader.etag, await self._sender.send(outgoing)
                finally:
                    reader.close()
        except TimeoutError:
            raise Later(f"not done within {self._rule.timeout_seconds} s") from None

    async def _opened(self, recording: Recording, form: Form | None) -> Reader:
        try:
            if form is None:
                return await self._archive.open(recording)
            return await self._archive.open_made(recording, form)
        except (ArchiveError, AudioError, VaultError) as error:
            raise Later(f"there is no audio to send: {error}") from error

    # What becomes of it

    async def _finish(self, taken: Taken, size_bytes: int, sha256: str, status: int) -> None:
        delivery = taken.delivery
        await self._change(rows.FINISH, delivery.id, self._clock(), status, sha256, size_bytes)
        # a sender may have died between the alarm and the row that tells of it: then there was a try before
        if taken.alarmed or delivery.attempts > 1:
            await self._take_alarm_back(delivery)

    async def _postpone(self, taken: Taken, error: Unsent) -> None:
        delivery = taken.delivery
        if delivery.attempts >= self._rule.attempts:
            await self._bury(taken, error)
            return
        wait = wait_seconds(delivery.attempts, error.wait_seconds, self._between)
        _log.warning("delivery %d to %s: %s; again in %.0f s", delivery.id, delivery.place, error, wait)
        next_at = self._clock() + round(wait * 1000)
        await self._change(rows.POSTPONE, delivery.id, taken.lease, next_at, str(error), error.status)

    async def _bury(self, taken: Taken, error: Unsent) -> None:
        delivery = taken.delivery
        _log.error("delivery %d to %s is given up: %s", delivery.id, delivery.place, error)
        # the alarm first: one too many goes with the next success, one too few would be silence
        if not isinstance(error, Removed):
            subject = str(delivery.recording)
            await self._archive.alarms.sound(DELIVERY_FAILED, delivery.tenant, subject, key=delivery.key)
        await self._change(rows.BURY, delivery.id, taken.lease, self._clock(), str(error), error.status)

    async def _give_back(self, taken: Taken) -> None:
        await self._change(rows.GIVE_BACK, taken.delivery.id, taken.lease, self._clock())

    async def _change(self, sql: str, *values: int | str | None) -> None:
        async def work(transaction: Transaction) -> None:
            await transaction.execute(sql, *values)

        await self._database.write(work)

    async def _take_alarm_back(self, delivery: Delivery) -> None:
        """Clear a recording's alarm, unless another delivery of it is dead."""
        if not await self._database.read(rows.IS_ANY_DEAD, delivery.tenant, delivery.recording.bytes):
            await self._archive.alarms.clear(DELIVERY_FAILED, delivery.tenant, str(delivery.recording))
