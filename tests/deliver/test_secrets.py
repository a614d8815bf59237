"""A secret in a URL goes to the receiver and nowhere else: no log, no error, no alarm, no column but the URL's own."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from tests.deliver.conftest import TO_LOOPBACK, Desk, Receiver, silence

from voxkeep.database import Database
from voxkeep.deliver import Delivery
from voxkeep.settings import Deliver

CANARY = "Zeisig7"
IMPATIENT = Deliver(allow_private_targets=True, timeout_seconds=1, attempts=1)


async def told_in(database: Database) -> dict[str, list[Any]]:
    """Every value in the database by its column."""
    found: dict[str, list[Any]] = {}
    for (table,) in await database.read("SELECT name FROM sqlite_master WHERE type = 'table'"):
        names = [name for (name,) in await database.read("SELECT name FROM pragma_table_info($1)", table)]
        for row in await database.read(f'SELECT * FROM "{table}"'):  # noqa: S608 -- the table's own name
            for name, value in zip(names, row, strict=True):
                found.setdefault(f"{table}.{name}", []).append(value)
    return found


def refuses(status: int) -> Callable[[Receiver], None]:
    return lambda receiver: receiver.says(f"/{CANARY}/in", status)


def redirects(location: str) -> Callable[[Receiver], None]:
    return lambda receiver: receiver.says(f"/{CANARY}/in", 307, Location=location)


def hangs(receiver: Receiver) -> None:
    receiver.answers[f"/{CANARY}/in"].append(silence)


def breaks(receiver: Receiver) -> None:
    async def broken(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    receiver.answers[f"/{CANARY}/in"].append(broken)


def is_gone(receiver: Receiver) -> None:
    receiver.port = 1


@pytest.mark.parametrize("rule", [IMPATIENT, TO_LOOPBACK, Deliver()])
@pytest.mark.parametrize(
    "arrange",
    [
        refuses(201),
        refuses(404),
        refuses(503),
        redirects(f"/{CANARY}/in"),
        redirects(f"ftp://{CANARY}/{CANARY}"),
        redirects(f"http://{CANARY}:{CANARY}@127.0.0.1:1/{CANARY}?{CANARY}"),
        redirects(f"https://127.0.0.1:1/{CANARY}"),
        breaks,
        is_gone,
        hangs,
    ],
)
async def test_a_secret_is_told_to_nobody(
    desk: Desk,
    receiver: Receiver,
    rule: Deliver,
    arrange: Callable[[Receiver], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    if arrange is hangs and rule is not IMPATIENT:
        return  # it would be waited for, for minutes
    arrange(receiver)
    deliveries = desk.with_rule(rule)
    url = f"http://{CANARY}:{CANARY}@127.0.0.1:{receiver.port}/{CANARY}/in?key={CANARY}&{CANARY}#{CANARY}"
    ended: Delivery = await desk.sent(url, deliveries, name="in", given=url)
    assert CANARY not in repr(ended)
    assert ended.place == f"http://127.0.0.1:{receiver.port}/.../in"
    assert CANARY not in caplog.text
    assert CANARY not in str([vars(record) for record in caplog.records])
    told = await told_in(desk.archive.database)
    holding = {name for name, values in told.items() if any(CANARY in str(value) for value in values)}
    assert holding == {"deliveries.url"}
    assert CANARY not in str(await desk.archive.alarms.all())
