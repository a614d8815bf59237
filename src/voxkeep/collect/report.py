"""What a run did: every listed recording ends as held or new, or as missing with a reason."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from msgspec import Struct, field
from rich.table import Table

from voxkeep.archive.units import EpochMs
from voxkeep.collect.source import Window

CLEAN, INCOMPLETE, USAGE, REFUSED = 0, 1, 2, 3
WORST_LAST = (CLEAN, USAGE, INCOMPLETE, REFUSED)


class Ending(StrEnum):
    """How a listed recording ended in a run."""

    NEW = "new"
    HELD = "held"
    PENDING = "pending"
    """The vendor has not finished it; the next run asks again."""
    GONE = "gone"
    """The vendor has it no more."""
    FAILED = "failed"
    REJECTED = "rejected"
    """Its record could not be understood; it is in the quarantine."""


class Missing(Struct, frozen=True):
    """A listed recording that is not held, and why."""

    key: str
    start: str
    state: Ending
    reason: str


class NotListed(Struct, frozen=True):
    """A span of which nothing is known, and why."""

    first: str
    last: str
    reason: str


class SourceReport(Struct, kw_only=True):
    """What a run did for one source. Times are ISO 8601 in UTC."""

    source: str
    tenant: str
    vendor: str
    exit: int = CLEAN
    since: str = ""
    until: str = ""
    listed: int = 0
    new: int = 0
    held: int = 0
    pending: int = 0
    gone: int = 0
    failed: int = 0
    rejected: int = 0
    bytes: int = 0
    """Bytes of the audio that was fetched and kept."""
    seconds: float = 0.0
    oldest_unfetched: str = ""
    """Start of the oldest recording that a later run goes back for; "" when there is none."""
    stopped: str = ""
    """Why the run ended early; "" when it did not."""
    chats_not_listed: str = ""
    """Why chats are missing that there are, or may be; "" when they were listed, or there never were any."""
    refused: bool = False
    unusable: bool = False
    reasons: dict[str, int] = field(default_factory=dict)
    """How many recordings are missing for which reason."""
    notes: dict[str, int] = field(default_factory=dict)
    """What is unusual without being wrong, and how often it was met."""
    missing: list[Missing] = field(default_factory=list)
    not_listed: list[NotListed] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    """Names of new files in the quarantine."""

    def ended(self, key: str, started_at: EpochMs | None, ending: Ending, reason: str = "") -> None:
        """Count how a listed recording ended."""
        setattr(self, ending.value, getattr(self, ending.value) + 1)
        if ending not in {Ending.NEW, Ending.HELD}:
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
            start = "" if started_at is None else iso(started_at)
            self.missing.append(Missing(key, start, ending, reason))

    def note(self, text: str) -> None:
        """Count something unusual."""
        if text:
            self.notes[text] = self.notes.get(text, 0) + 1

    def not_listed_span(self, window: Window, reason: str) -> None:
        """Tell of a span that could not be listed; one that follows another for the same reason joins it."""
        first, last = iso(window.first), iso(window.last)
        if self.not_listed and self.not_listed[-1].last == first and self.not_listed[-1].reason == reason:
            first = self.not_listed.pop().first
        self.not_listed.append(NotListed(first, last, reason))

    def settle(self) -> None:
        """Reckon the exit code from what happened."""
        if self.refused:
            self.exit = REFUSED
        elif self.unusable:
            self.exit = USAGE
        elif self.failed or self.rejected or self.not_listed or self.chats_not_listed or self.stopped:
            self.exit = INCOMPLETE
        else:
            self.exit = CLEAN


class RunReport(Struct):
    """What a run did for all its sources."""

    exit: int
    sources: list[SourceReport]

    @classmethod
    def of(cls, sources: Sequence[SourceReport]) -> "RunReport":
        """Put reports together; the worst exit code is the run's."""
        return cls(max((each.exit for each in sources), key=WORST_LAST.index, default=CLEAN), list(sources))


def iso(moment: EpochMs) -> str:
    """Return a moment as ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


COUNTS = ("listed", "new", "held", "pending", "gone", "failed", "rejected")
MOST_LINES = 20


def table(report: RunReport) -> Table:
    """Return the counts as a table for people."""
    made = Table("source", "tenant", *COUNTS, "MB", "seconds", box=None, pad_edge=False)
    for each in report.sources:
        counts = [f"{getattr(each, name):,}" for name in COUNTS]
        made.add_row(
            each.source,
            each.tenant,
            *counts,
            f"{each.bytes / 1e6:,.1f}",
            f"{each.seconds:,.1f}",
        )
    return made


def lines(report: SourceReport) -> list[str]:
    """Return what a person should know of a source beyond its counts."""
    told = [f"{report.source}: stopped: {report.stopped}"] if report.stopped else []
    told += [f"{report.source}: not listed {each.first} to {each.last}: {each.reason}" for each in report.not_listed]
    told += [f"{report.source}: chats were not listed: {report.chats_not_listed}"] if report.chats_not_listed else []
    endings = Counter((missing.state.value, missing.reason) for missing in report.missing)
    told += [f"{report.source}: {count:,} {state}: {reason}" for (state, reason), count in endings.most_common()]
    told += [f"{report.source}: {count:,} times: {text}" for text, count in report.notes.items()]
    if report.oldest_unfetched:
        told.append(f"{report.source}: the oldest that is still to be fetched began {report.oldest_unfetched}")
    told += [f"{report.source}: kept for inspection: quarantine/{name}" for name in report.quarantined]
    if len(told) > MOST_LINES:
        return [*told[:MOST_LINES], f"{report.source}: {len(told) - MOST_LINES:,} lines more with --json"]
    return told
