"""Sources for the accounts below one of a Kazoo cluster: each with a tenant of its own, and the same login."""

import re
from collections.abc import Iterator, Sequence
from itertools import count

from msgspec import Struct
from msgspec.structs import replace

from voxkeep.access import Access
from voxkeep.archive import Archive
from voxkeep.archive.errors import UnknownTenant
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import TenantId, now_ms
from voxkeep.cli.administration import operator
from voxkeep.cli.common import INCOMPLETE, REFUSED, USAGE, Failure
from voxkeep.collect import Source, SourceConfig, Sources
from voxkeep.collect.errors import Refused, VendorFailure
from voxkeep.vendors.kazoo.client import address_of
from voxkeep.vendors.kazoo.options import knowing, of_account
from voxkeep.vendors.kazoo.shapes import Below
from voxkeep.vendors.kazoo.source import KazooSource

NOT_SAFE = re.compile(r"[^A-Za-z0-9_]+")
LONGEST_NAME = 63
ID_LETTERS = 8


class Added(Struct, frozen=True):
    """A source that was set up for an account."""

    name: str
    account_id: str
    account_name: str
    tenant: str


async def asked_below(source: Source, config: SourceConfig) -> list[Below]:
    """Ask a source for the accounts below its own, and close it. Raises Failure."""
    try:
        if not isinstance(source, KazooSource):
            raise Failure(f"{config.name} is a source of {config.vendor}, which has no accounts below others", USAGE)
        return await source.descendants()
    except Refused as error:
        raise Failure(f"refused: {error}", REFUSED) from error
    except VendorFailure as error:
        raise Failure(f"failed: {error}", INCOMPLETE) from error
    finally:
        await source.close()


async def add_missing(archive: Archive, access: Access, parent: SourceConfig, below: Sequence[Below]) -> list[Added]:
    """Set up a source for every account below `parent` that has none; returns them.

    A tenant is made for each: one that is there already may be somebody else's, and names of accounts are chosen by
    those who have them. The parent and the sources of accounts between know then which accounts are below them.
    """
    sources = Sources(archive.database)
    there = {
        each.options.get("account_id", ""): each
        for each in await sources.all()
        if (each.vendor, address_of(each.url)) == (parent.vendor, address_of(parent.url))
    }
    added = list[Added]()
    for account in below:
        known = [each.id for each in below if account.id in each.above]
        if account.id in there:
            other = there[account.id]
            await sources.set_options(other.name, knowing(other.options, known))
            continue
        tenant = await _tenant(archive, access, account, parent.zone)
        taken = {each.name for each in await sources.all()}
        wanted = f"{parent.name}-{safe_name(account)}"
        name = next(name for name in names_for(wanted, account) if name not in taken)
        options = of_account(parent.options, account.id, known)
        config = replace(
            parent,
            name=name,
            tenant=tenant.id,
            options=options,
            zone=tenant.zone,
            added_at=now_ms(),
            watermark=None,
            last_sent_at=None,
        )
        await sources.add(config)
        added.append(Added(name, account.id, account.name, tenant.name))
    await sources.set_options(parent.name, knowing(parent.options, [each.id for each in below]))
    return added


async def _tenant(archive: Archive, access: Access, account: Below, zone: str) -> Tenant:
    for name in names_for(safe_name(account), account):
        try:
            await archive.tenants.named(name)
        except UnknownTenant:
            return await access.add_tenant(Tenant(id=TenantId(0), name=name, zone=zone), by=operator())
    raise AssertionError("unreachable: there is always another name")


def safe_name(account: Below) -> str:
    """Return what a tenant may be called for an account: its name, as far as its letters may stand in one."""
    return NOT_SAFE.sub("-", account.name).strip("-_")[:LONGEST_NAME] or account.id[:ID_LETTERS]


def names_for(name: str, account: Below) -> Iterator[str]:
    """Yield `name`, then others for the same account, each shorter than a name may be long."""
    yield name[:LONGEST_NAME]
    for number in count(1):
        mark = f"-{account.id[:ID_LETTERS]}" + (f"-{number}" if number > 1 else "")
        yield name[: LONGEST_NAME - len(mark)] + mark
