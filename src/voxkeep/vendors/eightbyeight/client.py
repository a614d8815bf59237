"""Asking 8x8's Recordings API: HTTP Basic, windows in the one documented form without offsets, pages of 50.

Seed 003: "Authentication", "Dates", "Pagination".
"""

from base64 import b64encode
from datetime import UTC, datetime
from urllib.parse import quote

from msgspec.structs import replace

from voxkeep.archive.units import LATEST, EpochMs
from voxkeep.collect.errors import SourceUnusable
from voxkeep.collect.http import HttpClient, checked_token
from voxkeep.collect.source import Connection, Window
from voxkeep.vendors.eightbyeight.options import ACCOUNT

BASE = "/api/recordings"
FILES, CHATS = f"{BASE}/files.json", f"{BASE}/transcripts.json"
MINUTE_MS = 60_000
OVERLAP_MS = 10_000
"""So much is asked for beyond both ends of a window: nothing is said about what belongs to a range (reference 4)."""
HINTS = {401: "the tenant's name or the token is wrong, or a newer token was made"}


class Client(HttpClient):
    """One tenant's API."""

    def __init__(self, connection: Connection, account: str) -> None:
        secret = checked_token(connection.secret)
        if not ACCOUNT.fullmatch(account):
            raise SourceUnusable("the account is empty or holds letters that no tenant's name has at 8x8")
        # the vendor's guide shows addresses with the API's path: pasted whole, they are meant
        connection = replace(connection, url=connection.url.rstrip("/").removesuffix(BASE))
        basic = b64encode(f"{account}:{secret}".encode()).decode()
        super().__init__(connection, {"Authorization": f"Basic {basic}"}, [secret, basic], hints=HINTS)

    async def page(self, path: str, window: Window, first: int) -> bytes:
        """Return the page of a list that begins with the so many-th record, from 1. Raises VendorFailure."""
        return await self.whole(path, {"d": dates(window), "n": str(first)})

    async def chat(self, guid: str) -> bytes:
        """Return one transcript with its messages. Raises VendorFailure."""
        return await self.whole(chat_path(guid), {})


def chat_path(guid: str) -> str:
    """Return the path of one transcript."""
    return f"{BASE}/transcripts/{quote(guid, safe='')}.json"


def file_path(name: str) -> str:
    """Return the path of a recording's audio, which is also the one that a DELETE would take: it is only ever got."""
    return f"{BASE}/files/{'/'.join(quote(part, safe='') for part in name.split('/'))}"


def dates(window: Window) -> str:
    """Return a window as `d`: UTC minutes around it and its overlap, `20070805T1315Z,20070807T1430Z`."""
    first = (window.first - OVERLAP_MS) // MINUTE_MS * MINUTE_MS
    last = -(-(window.last + OVERLAP_MS) // MINUTE_MS) * MINUTE_MS
    return f"{_minute(max(first, 0))},{_minute(min(last, LATEST - MINUTE_MS))}"


def _minute(at: int) -> str:
    return f"{datetime.fromtimestamp(EpochMs(at) / 1000, UTC):%Y%m%dT%H%MZ}"
