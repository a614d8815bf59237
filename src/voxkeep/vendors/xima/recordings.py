"""The two lists: recordings (seed 000, seed 001), and calls with theirs (call-recording-info, seed 000)."""

from collections.abc import AsyncIterator, Mapping
from functools import partial

import msgspec

from voxkeep.access import Access, Action, AuditEntry, Outcome, Permission
from voxkeep.archive import Archive
from voxkeep.archive.query import Scope as Part
from voxkeep.archive.query import TimeRange
from voxkeep.archive.units import TenantId, now_ms
from voxkeep.database import Row
from voxkeep.vendors.xima import wire
from voxkeep.vendors.xima.queries import time_range
from voxkeep.vendors.xima.request import Recorded, Request
from voxkeep.web.errors import TooManyRequestsError
from voxkeep.web.lists import send_json_array

NESTED_COLUMNS = ("call", "started_at", "id", "vendor_key", *wire.RECORDING_COLUMNS)
"""The call's id, then what a row of `Archive.find` has."""

SEVERAL_COLUMNS = (*wire.RECORDING_COLUMNS, "tenant")

TOO_OFTEN = "Requests of this tenant come too often"

_encoder = msgspec.json.Encoder()


class Lists:
    """Answers the routes that list."""

    def __init__(self, archive: Archive, access: Access) -> None:
        self._archive = archive
        self._access = access
        self._envelope = archive.settings.xima.call_info_envelope or None

    async def recordings(self, request: Request) -> None:
        """GET recordings: the recordings that started in the range, by start and then key."""
        parts = request.parts(Permission.RECORDINGS_LIST)
        times = await self._admitted_times(request, Action.LIST)
        names = _names(request)
        if len(parts) == 1:
            shape = partial(_records, tenant=names[parts[0].tenant])
            found = self._archive.find(parts, times, wire.RECORDING_COLUMNS, shape)
        else:
            found = self._archive.find(parts, times, SEVERAL_COLUMNS, partial(_records, tenant=names))
        await send_json_array(request.send, found, receive=request.receive, ended=lambda: found.ended)

    async def calls(self, request: Request) -> None:
        """GET call-recording-info: the calls that started in the range, each with its recordings."""
        parts = request.parts(Permission.CALLS_LIST)
        times = await self._admitted_times(request, Action.LIST_CALLS)
        found = self._archive.find_calls(parts, times, wire.CALL_COLUMNS, list)
        chunks = self._calls(parts, found, _names(request))
        whole, name = (lambda: found.ended), self._envelope
        await send_json_array(request.send, chunks, receive=request.receive, name=name, ended=whole)

    async def _calls(
        self, parts: list[Part], found: AsyncIterator[list[Row]], names: Mapping[TenantId, str]
    ) -> AsyncIterator[bytes]:
        restricted = {part.tenant for part in parts if part.visibility.agents or part.visibility.skills}
        async for rows in found:
            calls = wire.calls_of(rows, names)
            recordings = await self._of_calls(parts, rows, names)
            for row, call in zip(rows, calls, strict=True):
                call.recordings = recordings.get(row[1], [])
            # a reader who may see only some recordings sees only the calls that those belong to
            yield _encoder.encode(
                [call for row, call in zip(rows, calls, strict=True) if call.recordings or row[-1] not in restricted]
            )

    async def _of_calls(
        self, parts: list[Part], calls: list[Row], names: Mapping[TenantId, str]
    ) -> dict[bytes, list[wire.XimaRecording]]:
        """Return the recordings of the calls in these rows, by the call's id."""
        found: dict[bytes, list[wire.XimaRecording]] = {}
        for part in parts:
            ids = [row[1] for row in calls if row[-1] == part.tenant]
            rows = await self._archive.of_calls(part, ids, NESTED_COLUMNS)
            records = wire.recordings_of([row[1:] for row in rows], names[part.tenant])
            for row, record in zip(rows, records, strict=True):
                found.setdefault(row[0], []).append(record)
        return found

    async def _admitted_times(self, request: Request, action: Action) -> TimeRange:
        """Return the asked times once they are in order and, where lists are limited, within the limit."""
        times = time_range(request.scope["query_string"], {tenant.zone for tenant in request.tenants})
        user, remote, subject = request.principal, request.remote, f"{times.first}-{times.last}"
        for tenant in request.tenants:
            refusal = await self._access.gate.admit_list(user, tenant.id, subject, remote, action)
            if refusal is not None:
                raise Recorded(TooManyRequestsError(TOO_OFTEN, refusal.retry_after_seconds))
            entry = AuditEntry(now_ms(), user.name, tenant.id, action, subject, Outcome.DONE, "", remote)
            self._access.audit.note(entry)
        return times


def _names(request: Request) -> dict[TenantId, str]:
    return {tenant.id: tenant.name for tenant in request.tenants}


def _records(rows: list[Row], tenant: str | Mapping[TenantId, str]) -> bytearray:
    encoded = bytearray()
    _encoder.encode_into(wire.listed(rows, tenant), encoded)
    return encoded
