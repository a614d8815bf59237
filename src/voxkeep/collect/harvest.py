"""One source's run: lists window after window, oldest first, and has every recording fetched that is not held yet.

The watermark moves only over windows that were listed, and only once everything in them has been dealt with and
written down; so a run may die anywhere, and the next one goes on.
"""

from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from voxkeep.archive import Archive
from voxkeep.archive.model import State, Transcript
from voxkeep.archive.units import EpochMs, now_ms
from voxkeep.collect import plan
from voxkeep.collect.errors import (
    BadAnswer,
    ComeBackLater,
    Doubtful,
    Faltering,
    Gone,
    QuotaSpent,
    Refused,
    TooMuch,
    VendorFailure,
)
from voxkeep.collect.fetch import Fetched, Fetcher
from voxkeep.collect.patience import Patience
from voxkeep.collect.quarantine import Quarantine
from voxkeep.collect.report import Ending, SourceReport, iso
from voxkeep.collect.source import Deleted, Listed, Listing, NoChats, Pending, Ready, Rejected, Source, Window
from voxkeep.collect.store import Item, ItemState, Ledger, SourceConfig, Sources, span_of
from voxkeep.database import DatabaseError, DatabaseFull
from voxkeep.vault import VaultError, VaultFull

MOST_FAILURES_IN_A_ROW = 3
"""So many recordings or windows that the vendor could not answer, one after the other: it is left in peace."""
TRIES_OF_A_LONG_WINDOW = 2
"""A window that can be cut is not asked for as often as one that cannot."""

STATE_OF = {
    Ending.NEW: ItemState.HELD,
    Ending.HELD: ItemState.HELD,
    Ending.PENDING: ItemState.PENDING,
    Ending.GONE: ItemState.GONE,
    Ending.FAILED: ItemState.FAILED,
}
Watch = Callable[[SourceReport, float], None]
"""Told how far a source has come, from 0 to 1."""


class Harvest:
    """The run of one source; `report` tells at any moment what it has done."""

    def __init__(
        self, archive: Archive, config: SourceConfig, source: Source, report: SourceReport, watch: Watch
    ) -> None:
        self._archive = archive
        self._config = config
        self._source = source
        self._report = report
        self._watch = watch
        self._sources = Sources(archive.database)
        self._ledger = Ledger(archive.database, config.name)
        self._patience = Patience(archive.settings.collect)
        self._fetcher = Fetcher(archive, source, self._patience)
        self._quarantine = Quarantine(archive.home, config.name)
        self._before: set[str] = set()
        """Keys of the window before: an end that belongs to both windows is listed twice."""
        self._no_audio = ""
        """Why no more audio is asked for in this run."""
        self._unanswered = 0
        self._span = Window(EpochMs(0), EpochMs(0))
        self._covered = EpochMs(0)
        """Up to here every window was listed."""
        self._no_chats = False
        """Whether a window was listed without its chats."""

    async def run(self, span: Window, watermark: EpochMs | None) -> None:
        """Collect what was recorded in `span`. Raises DatabaseError when not even the ledger can be written.

        `watermark` moves on from where it is when the run gets past it; None leaves it alone. It stays before chats
        that were not listed.
        """
        begun = now_ms()
        self._span, self._covered = span, span.first
        windows = plan.Windows(span, self._archive.settings.collect)
        while not self._report.stopped and (window := windows.next()) is not None:
            await self._window(windows, window)
            if watermark is not None and self._covered > watermark and not self._report.chats_not_listed:
                watermark = self._covered
                await self._sources.listed_to(self._config.name, watermark)
            self._watch(self._report, self._progress(window.last))
        rest = windows.rest()
        if self._report.stopped and rest is not None:
            self._report.not_listed_span(rest, self._report.stopped)
        await self._note_unlisted(begun)

    def _progress(self, moment: EpochMs) -> float:
        length = self._span.last - self._span.first
        return (moment - self._span.first) / length if length else 1.0

    # Windows

    async def _window(self, windows: plan.Windows, window: Window) -> None:
        can_halve = windows.can_halve(window)
        try:
            listing = await self._patience.ask(self._question(window, can_halve=can_halve))
        except TooMuch as error:
            if can_halve:
                windows.halve(window)
            else:
                await self._not_listed(window, error)
        except VendorFailure as error:
            await self._not_listed(window, error)
        else:
            self._unanswered = 0
            windows.listed(len(listing.listed))
            await self._take(listing)
            if window.first <= self._covered:
                self._covered = max(self._covered, window.last)

    def _question(self, window: Window, *, can_halve: bool) -> Callable[[], Awaitable[Listing]]:
        """Return the listing of a window as a question; one that can be cut is given up sooner."""
        failures = 0
        most = min(TRIES_OF_A_LONG_WINDOW, self._archive.settings.collect.attempts)

        async def ask() -> Listing:
            nonlocal failures
            try:
                return await self._source.listing(window)
            except Faltering as error:
                failures += 1
                if can_halve and failures >= most:
                    raise TooMuch(error.reason, request=error.request) from error
                raise

        return ask

    async def _not_listed(self, window: Window, error: VendorFailure) -> None:
        if isinstance(error, Refused):
            self._refuse(error)
        self._report.not_listed_span(window, self._report.stopped or error.reason)
        if isinstance(error, BadAnswer):
            await self._put_away(error)
        self._unanswered += 1
        if isinstance(error, Refused):
            return
        if self._patience.is_long(error) or self._unanswered >= MOST_FAILURES_IN_A_ROW:
            self._report.stopped = f"the vendor cannot be asked now: {error.reason}"

    def _refuse(self, error: Refused) -> None:
        self._report.refused = True
        self._report.stopped = self._no_audio = f"refused by the vendor: {error.reason}"

    async def _note_unlisted(self, begun: EpochMs) -> None:
        """Give up what is still open although the vendor, asked for all around it, lists it no more."""
        first, last = EpochMs(self._span.first + plan.MARGIN_MS), EpochMs(self._covered - plan.MARGIN_MS)
        reason = "no longer listed by the vendor"
        for key, started_at in await self._ledger.unlisted(first, last, begun, reason, but_chats=self._no_chats):
            self._report.listed += 1
            self._report.ended(key, started_at, Ending.GONE, reason)

    # What a window holds

    async def _take(self, listing: Listing) -> None:
        for text in listing.notes:
            self._report.note(text)
        if listing.no_chats is not None:
            await self._without_chats(listing.no_chats)
        before, self._before = self._before, {each.key for each in listing.listed}
        for rejected in listing.rejected:
            await self._reject(rejected, before)
        fresh = {each.key: each for each in listing.listed if each.key not in before}
        self._report.listed += len(fresh)
        if fresh:
            await self._recordings(sorted(fresh.values(), key=_turn))

    async def _without_chats(self, lack: NoChats) -> None:
        """Tell that there are no chats: a fault where we may not see them, or where there were some before."""
        self._no_chats = True
        if lack.refused or await self._ledger.has_chats():
            self._report.chats_not_listed = lack.reason
        else:
            self._report.note(f"without chat transcripts: {lack.reason}")

    async def _recordings(self, fresh: Sequence[Listed]) -> None:
        span = span_of(each.started_at for each in fresh)
        known = await self._ledger.between(span.first, span.last)
        ready: list[Listed] = []
        notes: list[Item] = []
        for each in fresh:
            item = await self._placed(each, known.get(each.key))
            notes.append(item)
            if item.state is ItemState.DISCOVERED:
                ready.append(each)
        await self._ledger.note(notes)
        for index, each in enumerate(ready):
            if self._no_audio:
                await self._put_off(ready[index:], known)
                break
            await self._fetch(each, known.get(each.key))
            self._watch(self._report, self._progress(each.started_at))

    async def _placed(self, listed: Listed, known: Item | None) -> Item:
        try:
            return await self._place(listed, known)
        except (VaultFull, DatabaseFull):
            raise
        except (VaultError, DatabaseError, OSError) as error:
            # a fault of this one file or row, told in the report: the others go on
            item = _tried(listed, known.evidence if known else "", tried=False)
            return self._ended(item, Ending.FAILED, f"could not be kept: {error}")

    async def _place(self, listed: Listed, known: Item | None) -> Item:
        """Decide, without asking the vendor, how a recording stands."""
        item = Item(
            key=listed.key,
            started_at=listed.started_at,
            state=ItemState.DISCOVERED,
            reason=known.reason if known else "",
            evidence=known.evidence if known else "",
            call_known=listed.call_known or (known is not None and known.call_known),
        )
        if await self._is_held(listed):
            await self._renew(listed)
            if listed.call is not None and listed.call_known and not (known and known.call_known):
                await self._archive.keep_call(listed.call)
            return self._ended(item, Ending.HELD)
        match listed.status:
            case Pending(reason):
                if listed.keep_pending:
                    waiting = replace(listed.recording, state=State.PENDING)
                    await self._archive.keep(waiting, call=listed.call, call_is_whole=listed.call_known)
                return self._ended(item, Ending.PENDING, reason)
            case Deleted(reason):
                return self._ended(item, Ending.GONE, reason)
        return item

    async def _is_held(self, listed: Listed) -> bool:
        if isinstance(listed.item, Transcript):
            return await self._archive.transcript(listed.tenant, listed.item.vendor_key, listed.vendor) is not None
        held = await self._archive.by_key(listed.tenant, listed.vendor, listed.item.vendor_key)
        return held is not None and held.state is not State.PENDING

    async def _renew(self, listed: Listed) -> None:
        """Take what the vendor tells of a recording that came here another way, with less to be known of it."""
        if listed.may_renew:
            held = await self._archive.by_key(listed.tenant, listed.vendor, listed.item.vendor_key)
            if held is not None and listed.renewed(held) is not None:
                await self._archive.renew(held.tenant, held.id, listed.renewed, call=listed.call)

    def _ended(self, item: Item, ending: Ending, reason: str = "", evidence: str = "") -> Item:
        self._report.ended(item.key, item.started_at, ending, reason)
        return Item(
            key=item.key,
            started_at=item.started_at,
            state=STATE_OF[ending],
            reason=reason,
            evidence=evidence or item.evidence,
            call_known=item.call_known,
            tried=item.tried,
        )

    async def _put_off(self, rest: Sequence[Listed], known: dict[str, Item]) -> None:
        evidence = {key: item.evidence for key, item in known.items()}
        await self._ledger.note(
            [
                self._ended(_tried(each, evidence.get(each.key, ""), tried=False), Ending.FAILED, self._no_audio)
                for each in rest
            ]
        )

    # One recording

    async def _fetch(self, listed: Listed, known: Item | None) -> None:
        item = _tried(listed, known.evidence if known else "")
        evidence = ""
        try:
            ending, reason = await self._bring(listed, item.evidence)
            self._unanswered = 0
        except (VaultFull, DatabaseFull) as error:
            # nothing can be written down either: in the ledger it stays what it was, open
            self._report.stopped = self._no_audio = str(error)
            self._ended(item, Ending.FAILED, str(error))
            return
        except VendorFailure as error:
            ending, reason = Ending.FAILED, error.reason
            evidence = await self._understand(error, item)
        except (VaultError, DatabaseError, OSError) as error:
            # a fault of this one file or row, told in the report: the others go on
            ending, reason = Ending.FAILED, f"could not be kept: {error}"
        await self._ledger.note([self._ended(item, ending, reason, evidence)])

    async def _bring(self, listed: Listed, evidence: str, *, looked_again: bool = False) -> tuple[Ending, str]:
        try:
            fetched = await self._fetcher.fetch(listed, evidence)
        except Gone as error:
            if isinstance(listed.item, Transcript):
                return Ending.GONE, f"listed, but it is not there ({error.code})"
            if looked_again:
                return Ending.GONE, f"listed, but its audio is not there ({error.code})"
        else:
            return self._brought(fetched, listed), ""
        return await self._look_again(listed, evidence)

    def _brought(self, fetched: Fetched, listed: Listed) -> Ending:
        if not fetched.new:
            return Ending.HELD
        self._report.bytes += fetched.size_bytes or 0
        self._report.note(fetched.note)
        if listed.expected_bytes not in {None, fetched.size_bytes}:
            self._report.note("the audio's size is not the listed one")
        return Ending.NEW

    async def _look_again(self, listed: Listed, evidence: str) -> tuple[Ending, str]:
        """Ask how a recording is listed whose audio is not there: deleted since, perhaps (reference D24)."""
        now = await self._patience.ask(lambda: self._source.again(listed))
        if now is None:
            return Ending.GONE, "no longer listed by the vendor"
        match now.status:
            case Pending(reason):
                return Ending.PENDING, reason
            case Deleted(reason):
                return Ending.GONE, reason
            case Ready():
                return await self._bring(now, evidence, looked_again=True)

    async def _understand(self, error: VendorFailure, item: Item) -> str:
        """Draw the consequences of a failure for the rest of the run; returns the evidence to remember."""
        self._unanswered = self._unanswered + 1 if isinstance(error, ComeBackLater) else 0
        if isinstance(error, Refused):
            self._refuse(error)
        elif isinstance(error, QuotaSpent):
            self._no_audio = f"egress cap: {error.reason}"
        elif self._patience.is_long(error) or self._unanswered >= MOST_FAILURES_IN_A_ROW:
            self._report.stopped = self._no_audio = f"the vendor cannot be asked now: {error.reason}"
        elif isinstance(error, Doubtful):
            return error.sha256
        elif isinstance(error, BadAnswer):
            if error.sha256 != item.evidence:
                await self._put_away(error, key=item.key, start=iso(item.started_at))
            return error.sha256
        return ""

    # The quarantine

    async def _reject(self, rejected: Rejected, before: set[str]) -> None:
        error = BadAnswer(rejected.reason, raw=rejected.raw)
        key = rejected.key or error.sha256
        key = f"beside {key}" if rejected.beside else key
        self._before.add(key)
        if key in before:
            return
        if rejected.beside:
            self._report.note(f"a record beside the recordings could not be understood: {rejected.reason}")
        else:
            self._report.listed += 1
            self._report.ended(key, None, Ending.REJECTED, rejected.reason)
        if await self._ledger.rejected(key) != error.sha256:
            await self._put_away(error)
        item = Item(
            key=key,
            started_at=EpochMs(0),
            state=ItemState.REJECTED,
            reason=rejected.reason,
            evidence=error.sha256,
        )
        await self._ledger.note([item])

    async def _put_away(self, error: BadAnswer, **about: str) -> None:
        facts = {"source": self._config.name, "request": error.request, "reason": error.reason, **about, **error.facts}
        try:
            name = await self._quarantine.put(error.raw, {"at": iso(now_ms()), **facts})
        except OSError as failure:
            self._report.note(f"an answer could not be put into the quarantine: {failure.strerror}")
        else:
            self._report.quarantined.append(name)


def _turn(listed: Listed) -> tuple[bool, EpochMs, str]:
    """Order within a window: what the vendor is about to delete, then the oldest."""
    urgent = isinstance(listed.status, Ready) and listed.status.urgent
    return not urgent, listed.started_at, listed.key


def _tried(listed: Listed, evidence: str, *, tried: bool = True) -> Item:
    return Item(
        key=listed.key,
        started_at=listed.started_at,
        state=ItemState.DISCOVERED,
        evidence=evidence,
        call_known=listed.call_known,
        tried=tried,
    )
