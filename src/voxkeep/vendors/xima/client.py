"""Asking Xima's API: its header, its statuses (reference 1 and 6)."""

from collections.abc import Mapping

from voxkeep.collect.errors import QuotaSpent
from voxkeep.collect.http import HttpClient, checked_token
from voxkeep.collect.source import Connection

LARGEST_LIST_BYTES = 64 << 20
FAILURES = {509: QuotaSpent}
HINTS = {
    401: "the token is wrong, expired or was refreshed",
    403: "the service user may not do this, or the account is not approved for collecting",
    509: "bandwidth limit exceeded",
}


class Client(HttpClient):
    """One tenant's API."""

    def __init__(self, connection: Connection) -> None:
        secret = checked_token(connection.secret)
        # Xima documents a Content-Type as required, also where there is no content (reference D12)
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        super().__init__(connection, headers, [secret], FAILURES, HINTS)

    async def list_bytes(self, path: str, query: Mapping[str, str]) -> bytes:
        """Return the whole body of a list. Raises VendorFailure; TooMuch when it is larger than can be held."""
        return await self.whole(path, query, LARGEST_LIST_BYTES)
