"""`voxkeep deliveries`: what was sent where, what could not be, and what is to become of that."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from msgspec import Struct

from voxkeep.archive import Archive
from voxkeep.archive.model import Recording
from voxkeep.cli.administration import moment, print_table
from voxkeep.cli.common import (
    DATA_DEFAULT,
    INCOMPLETE,
    USAGE,
    Data,
    Failure,
    Json,
    archive_at,
    err,
    out,
    print_json,
    run,
)
from voxkeep.deliver import (
    DeliverError,
    Deliveries,
    Delivery,
    Method,
    State,
    Target,
    UnknownDelivery,
)
from voxkeep.vendors.kazoo.accounts import Accounts
from voxkeep.vendors.kazoo.composition import NO_ACCOUNT, compose, file_name, media_type
from voxkeep.vendors.kazoo.wire import View

app = typer.Typer(no_args_is_help=True, help="Recordings that are sent elsewhere: dead letters, and all others.")

Number = Annotated[int, typer.Argument(metavar="ID", min=1, help="The delivery's number.", show_default=False)]


class Which(StrEnum):
    """Which deliveries are listed."""

    WAITING = "waiting"
    DONE = "done"
    DEAD = "dead"
    ALL = "all"


class DeliveryStatus(Struct, frozen=True):
    """A delivery as people see it. Times are ISO 8601 in UTC; of the URL only host and file name are told."""

    id: int
    tenant: str
    recording: str
    key: str
    place: str
    method: str
    state: str
    attempts: int
    error: str | None
    status: int | None
    ordered_at: str | None
    next_at: str | None
    """When it is tried (again); None unless it waits."""
    done_at: str | None
    sha256: str | None
    size_bytes: int | None


@app.command("list")
def list_(
    state: Annotated[Which, typer.Option(help="Those that were given up, wait, are done, or all.")] = Which.DEAD,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List deliveries: the dead letters, unless another state is named."""

    async def work() -> list[DeliveryStatus]:
        async with archive_at(data) as archive:
            names = {tenant.id: tenant.name for tenant in await archive.tenants.all()}
            found = _deliveries(archive).all(None if state is Which.ALL else State(state))
            return [_shown(each, names.get(each.tenant, "(unknown)")) async for each in found]

    listed = run(work)
    if json:
        print_json(listed)
    elif listed:
        columns = ("id", "tenant", "recording", "to", "state", "tries", "last error", "ordered", "next try", "done")
        print_table(columns, [_row(each) for each in listed])
    else:
        out.print("no deliveries" if state is Which.ALL else f"no deliveries are {state}")


@app.command()
def retry(
    number: Annotated[
        int | None, typer.Argument(metavar="[ID]", min=1, help="The delivery's number.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Have a delivery that is not done, or every dead letter, tried anew by the server."""

    async def work() -> int:
        if (number is None) != every:
            raise Failure("name one delivery, or --all", USAGE)
        async with archive_at(data) as archive:
            deliveries = _deliveries(archive)
            if number is None:
                return await deliveries.retry_all()
            try:
                await deliveries.retry(number)
            except DeliverError as error:
                raise _failure(error) from error
            return 1

    count = run(work)
    if json:
        print_json({"retried": count})
    else:
        err.print(f"{count} to be tried anew", markup=False)


@app.command()
def drop(number: Number, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Give a delivery up for good. Importing the recording's line again would order it anew."""

    async def work() -> Delivery:
        async with archive_at(data) as archive:
            try:
                return await _deliveries(archive).drop(number)
            except DeliverError as error:
                raise _failure(error) from error

    dropped = run(work)
    if json:
        print_json({"dropped": dropped.id})
    else:
        err.print(f"delivery {dropped.id} to {dropped.place} is dropped", markup=False)


def _deliveries(archive: Archive) -> Deliveries:
    return Deliveries(archive, archive.settings.deliver)


def _failure(error: DeliverError) -> Failure:
    """Return what to tell: what is just busy is not wrong usage."""
    code = USAGE if isinstance(error, UnknownDelivery) else INCOMPLETE
    return Failure(str(error), code)


def _shown(delivery: Delivery, tenant: str) -> DeliveryStatus:
    return DeliveryStatus(
        id=delivery.id,
        tenant=tenant,
        recording=str(delivery.recording),
        key=delivery.key,
        place=delivery.place,
        method=str(delivery.method),
        state=str(delivery.state),
        attempts=delivery.attempts,
        error=delivery.error or None,
        status=delivery.status,
        ordered_at=moment(delivery.ordered_at),
        next_at=moment(delivery.next_at) if delivery.state is State.WAITING else None,
        done_at=moment(delivery.done_at),
        sha256=delivery.sha256,
        size_bytes=delivery.size_bytes,
    )


def _row(each: DeliveryStatus) -> tuple[Any, ...]:
    times = (each.ordered_at or "-", each.next_at or "-", each.done_at or "-")
    what = (each.key, f"{each.method} {each.place}", each.state, str(each.attempts), each.error or "-")
    return (str(each.id), each.tenant, *what, *times)


class Orders:
    """Orders deliveries of recordings that came with a `url`, as Kazoo composes where they go."""

    def __init__(self, archive: Archive) -> None:
        self._deliveries = _deliveries(archive)
        self._accounts = Accounts(archive.database)

    async def order(self, recording: Recording, url: str, method: Method) -> bool:
        """Have a recording sent, unless that was ordered before; tells whether it was not. Raises BadTarget."""
        target = Target(
            url=compose(url, recording, await self._view(recording)),
            method=method,
            media_type=media_type(recording),
            name=file_name(recording),
            given=url,
        )
        return (await self._deliveries.order(recording, target)).new

    async def _view(self, recording: Recording) -> View:
        """Return the account that the recording's tenant is, and its users."""
        account = (await self._accounts.tree()).by_tenant.get(recording.tenant)
        return NO_ACCOUNT if account is None else View(account, await self._accounts.users(account.id))
