"""Xima as a source of recordings: its lists and its audio, for the collector (seeds 000 and 002).

What to fetch is what `/recordings` lists; `/call-recording-info` adds what is known of the calls, and is done without
where it is not to be had.
"""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import BinaryIO
from urllib.parse import quote

from yarl import URL

from voxkeep.archive.model import Call, Message, Transcript
from voxkeep.archive.units import HOUR_MS, EpochMs, now_ms
from voxkeep.audio.errors import BrokenOgg
from voxkeep.audio.ogg import verify_ogg_opus
from voxkeep.collect.errors import BadAnswer, ComeBackLater, Forbidden, Gone, QuotaSpent, TooMuch
from voxkeep.collect.report import iso
from voxkeep.collect.source import (
    CheckReport,
    Connection,
    Deleted,
    Download,
    Listed,
    Listing,
    Pending,
    Ready,
    Rejected,
    Window,
)
from voxkeep.vendors.xima import shapes
from voxkeep.vendors.xima.client import Client
from voxkeep.vendors.xima.wire import (
    PENDING,
    XimaCall,
    XimaRecording,
    call_of,
    call_of_recording,
    recording_of,
)

RECORDINGS = "/rest/api/v2/recordings"
CALLS = "/rest/api/v2/call-recording-info"
CALL_PAD_MS = 3 * HOUR_MS
"""Calls are listed by their own times: those of a window's recordings may have begun hours before it."""
LOOK_AGAIN_MS = HOUR_MS
CHECK_MS = 60_000
CALL_PATIENCE = 2
"""Failures in a row after which the call info is done without."""
REFUSES_SPAN = (400, 413, 422)
"""Statuses of a list that may mean no more than a span longer than this vendor takes at once."""
OGG_HEAD_BYTES = 64
LOSSES = "DELETED_"
URGENT = "PENDING_DELETE_"


class XimaSource:
    """See `voxkeep.collect.source.Source`."""

    def __init__(self, connection: Connection) -> None:
        self._tenant = connection.tenant
        self._tenant_name = connection.tenant_name
        self._client = Client(connection)
        self._host_label = host_label(connection.url)
        self._place_index: int | None = None
        """Which of the names in an audio path has worked (reference D7): 0 tenantName, 1 the host label."""
        self._call_failures = 0
        self._without_calls = ""

    async def close(self) -> None:
        """See `Source.close`."""
        await self._client.close()

    async def check(self) -> CheckReport:
        """See `Source.check`: lists the last minute."""
        now = now_ms()
        window = Window(EpochMs(now - CHECK_MS), now)
        read = await self._recordings(window)
        lines = [f"recordings can be listed: {len(read.good)} in the last minute"]
        _, _, notes = await self._calls(window)
        return CheckReport(ok=True, lines=[*lines, *(notes or ["call info can be listed"])])

    # Lists

    async def listing(self, window: Window) -> Listing:
        """See `Source.listing`."""
        read = await self._recordings(window)
        rejected = [Rejected(bad.raw, bad.reason, bad.key) for bad in read.bad]
        if not read.good:
            return Listing([], rejected)
        calls, odd, notes = await self._calls(window)
        return Listing([self._listed(wire, calls) for wire in read.good], rejected + odd, notes)

    async def again(self, listed: Listed) -> Listed | None:
        """See `Source.again`."""
        start = listed.started_at
        read = await self._recordings(Window(EpochMs(max(start - LOOK_AGAIN_MS, 0)), EpochMs(start + LOOK_AGAIN_MS)))
        for wire in read.good:
            if wire.recordingKey == listed.key:
                return self._listed(wire, {listed.key: listed.call} if listed.call and listed.call_known else {})
        return None

    async def _recordings(self, window: Window) -> shapes.Read[XimaRecording]:
        try:
            body = await self._client.list_bytes(RECORDINGS, _times(window))
        except BadAnswer as error:
            if error.facts.get("status") not in REFUSES_SPAN:
                raise
            raise TooMuch(error.reason, request=error.request) from error
        try:
            return await asyncio.to_thread(shapes.recordings, body)
        except shapes.Partial as error:
            raise TooMuch(str(error), request=f"GET {RECORDINGS}") from error
        except shapes.Unreadable as error:
            raw = self._client.blotted(body)
            raise BadAnswer(f"no list of recordings: {error}", request=f"GET {RECORDINGS}", raw=raw) from error

    async def _calls(self, window: Window) -> tuple[dict[str, Call], list[Rejected], list[str]]:
        """Return the calls by their keys and by those of their recordings, and what is to be said about that."""
        if self._without_calls:
            return {}, [], [self._without_calls]
        padded = Window(EpochMs(max(window.first - CALL_PAD_MS, 0)), EpochMs(window.last + CALL_PAD_MS))
        try:
            body = await self._client.list_bytes(CALLS, _times(padded))
        except ComeBackLater as error:
            self._call_failures += 1
            if self._call_failures < CALL_PATIENCE:
                raise
            return {}, [], [f"without call info: {error.reason}"]
        except (Forbidden, Gone, QuotaSpent) as error:
            self._without_calls = f"without call info: {error.reason}"
            return {}, [], [self._without_calls]
        except (BadAnswer, TooMuch) as error:
            return {}, [], [f"without call info: {error.reason}"]
        self._call_failures = 0
        try:
            read = await asyncio.to_thread(shapes.calls, body)
        except (shapes.Unreadable, shapes.Partial) as error:
            odd = Rejected(self._client.blotted(body), f"no list of calls: {error}", beside=True)
            return {}, [odd], [f"without call info: {error}"]
        bad = [Rejected(each.raw, each.reason, each.key, beside=True) for each in read.bad]
        return self._by_key(read.good), bad, []

    def _by_key(self, calls: list[XimaCall]) -> dict[str, Call]:
        found: dict[str, Call] = {}
        for wire in calls:
            call = call_of(wire, self._tenant, self._tenant_name)
            found[wire.callKey] = call
            for recording in wire.recordings:
                found.setdefault(recording.recordingKey, call)
        return found

    def _listed(self, wire: XimaRecording, calls: dict[str, Call]) -> Listed:
        known = calls.get(wire.callKey) or calls.get(wire.recordingKey)
        return Listed(
            item=recording_of(wire, self._tenant, self._tenant_name),
            status=_status(wire.status),
            call=known or call_of_recording(wire, self._tenant, self._tenant_name),
            call_known=known is not None,
            expected_duration_ms=wire.duration or None,
            expected_bytes=wire.size or None,
            place=wire.tenantName,
        )

    # Audio

    @asynccontextmanager
    async def fetch(self, listed: Listed) -> AsyncIterator[Download]:
        """See `Source.fetch`; asks under the record's own tenantName, once under the host label (reference D7)."""
        async with AsyncExitStack() as stack:
            yield await self._audio(stack, listed)

    async def _audio(self, stack: AsyncExitStack, listed: Listed) -> Download:
        names = self._names(listed.place)
        if not names:
            raise BadAnswer("the record names no tenant to ask for its audio", passing=False)
        for index, name in names[:-1]:
            try:
                return await self._audio_under(stack, index, name, listed.key)
            except Gone:
                continue
        return await self._audio_under(stack, *names[-1], listed.key)

    def _names(self, tenant_name: str) -> list[tuple[int, str]]:
        """Return the names to try in the path, in order, each with its place among the two there are."""
        both = [(0, tenant_name), (1, self._host_label)]
        if self._host_label.lower() == tenant_name.lower():
            both.pop()
        usable = [(index, name) for index, name in both if name]
        proven = [(index, name) for index, name in usable if index == self._place_index]
        return proven or usable

    async def _audio_under(self, stack: AsyncExitStack, index: int, name: str, key: str) -> Download:
        path = f"{RECORDINGS}/{quote(name, safe='')}/{quote(key, safe='')}/audio"
        headers = {"Accept": "audio/ogg", "Content-Type": "audio/ogg"}
        download = await stack.enter_async_context(self._client.audio(path, headers))
        self._place_index = index
        return download

    async def transcript(self, listed: Listed) -> tuple[Transcript, list[Message]]:
        """See `Source.transcript`: Xima's API has no chats, and none is ever listed."""
        raise Gone("Xima has no chat transcripts", request=listed.key)

    def verify(self, file: BinaryIO, listed: Listed) -> str:
        """See `Source.verify`: an Ogg/Opus file is walked to its last page; another kind is accepted and told (D4)."""
        del listed
        head = file.read(OGG_HEAD_BYTES)
        file.seek(0)
        if not head:
            raise BrokenOgg("no bytes at all")
        if not head.startswith(b"OggS") or b"OpusHead" not in head:
            return "the audio is not Ogg/Opus"
        facts = verify_ogg_opus(file)
        file.seek(0)
        usual = (facts.channels, facts.input_rate) == (1, 8000)
        return "" if usual else f"the audio is Opus with {facts.channels} channels of {facts.input_rate} Hz"


def host_label(url: str) -> str:
    """Return the first label of the address's host; "" for an IP address, which names no tenant."""
    host = URL(url).host or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.split(".")[0]
    return ""


def no_options(given: Mapping[str, str], *, second_secret: bool) -> dict[str, str]:
    """Return the options of a source of Xima's, of which there are none. Raises ValueError that names one."""
    for name in [*given, *(["ftps_secret"] if second_secret else [])]:
        raise ValueError(f"--{name.replace('_', '-')}: not an option of xima")
    return {}


def _status(word: str) -> Ready | Pending | Deleted:
    """Return what a status means to the collector (reference 2.1); a word nobody knows is tried."""
    word = word.strip().upper()
    if word.startswith(LOSSES):
        return Deleted(word)
    if word == PENDING:
        return Pending()
    return Ready(urgent=word.startswith(URGENT))


def _times(window: Window) -> dict[str, str]:
    """Return a window as Xima's parameters: always milliseconds and an offset (reference D28)."""
    return {"startTime": _iso(window.first), "endTime": _iso(window.last)}


def _iso(moment: EpochMs) -> str:
    return iso(moment).replace("Z", "+00:00")
