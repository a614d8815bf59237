"""A cluster's documents as what the collector lists: where each stands, and what of a window has been found."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from voxkeep.archive.model import Recording
from voxkeep.archive.units import DAY_MS, HOUR_MS, EpochMs, TenantId
from voxkeep.collect.errors import BadAnswer
from voxkeep.collect.source import Deleted, Listed, Pending, Ready, Rejected
from voxkeep.vendors.kazoo import shapes
from voxkeep.vendors.kazoo.ids import month
from voxkeep.vendors.kazoo.windows import LATE_MS, Span
from voxkeep.vendors.kazoo.wire import VENDOR, BadDocument, call_of, recording_of, renewed

MEDIA_LATE_MS = 4 * HOUR_MS
"""A cluster tries for up to three hours to store what it recorded (reference 0.19, 7.3)."""
SLACK_MS = 1_000
"""What a document that tells whole seconds leaves open."""
NOT_YET = "the media has not arrived yet"
NEVER = "media missing: the cluster never stored it"
MONTHS_END = "recorded across the end of a month: Kazoo lists it, and finds it under no id"


class Found:
    """What the pages of a window have brought, each document once."""

    def __init__(self, tenant: TenantId, blotted: Callable[[bytes], bytes], now: EpochMs) -> None:
        self._tenant = tenant
        self._blotted = blotted
        self._now = now
        self.listed: dict[str, Listed] = {}
        self.rejected: dict[bytes, Rejected] = {}
        self.notes: set[str] = set()

    def __len__(self) -> int:
        return len(self.listed) + len(self.rejected)

    def add(self, page: shapes.Page, span: Span) -> None:
        """Take what a page brings of what is wanted; of a document that came before, the newer state counts."""
        self.notes.update(clock_notes(page.clock, self._now))
        bad = list(page.bad)
        for key, document in page.documents.items():
            try:
                recording = recording_of(document, self._tenant)
            except BadDocument as error:
                bad.append(shapes.Bad(msgspec.json.encode(document), str(error), key))
                continue
            if span.begun_by is None or recording.started_at <= span.begun_by:
                self.listed[key] = listed_as(recording, status_of(document, recording, self._now))
        # when one that cannot be read began is not known: it is told by the window that it was created in
        for each in bad if span.begun_by is None else []:
            self.rejected[each.raw] = Rejected(self._blotted(each.raw), each.reason, each.key)


def listed_as(recording: Recording, status: Ready | Pending | Deleted) -> Listed:
    """Return a recording as the collector takes it; a document tells of its call only what it tells of itself."""
    return Listed(
        item=recording,
        status=status,
        call=call_of(recording),
        expected_duration_ms=recording.duration_ms or None,
        duration_slack_ms=SLACK_MS,
        renewed=partial(renewed, recording),
        keep_pending=True,
    )


def status_of(document: dict[str, Any], recording: Recording, now: EpochMs) -> Ready | Pending | Deleted:
    """Return how a document stands; one without a word on its media (older clusters) is tried.

    An end more than a day ahead is none: its date cannot be right.
    """
    types = shapes.content_types(document)
    if LATE_MS < recording.ended_at - now <= DAY_MS:
        return Pending("dated in the future")
    if types is None or types:
        return Ready()
    return Pending(NOT_YET) if now - recording.ended_at < MEDIA_LATE_MS else Deleted(NEVER)


def unfindable(listed: Listed) -> Listed | None:
    """Return what becomes of a document that was listed and is not found: None where it must have been deleted."""
    recording = listed.recording
    if month(recording.started_at) == month(recording.ended_at):
        return None
    return listed_as(recording, Deleted(MONTHS_END))


def read_only(recording: Recording) -> dict[str, Any]:
    """Return what the list told of a recording's media, which the document alone does not."""
    types = recording.extra.get(VENDOR, {}).get("content_types")
    return {"_read_only": {"content_types": types}} if types else {}


def is_about_range(error: BadAnswer) -> bool:
    """Tell whether an answer says that a window is wider than the cluster takes."""
    return error.facts.get("status") == 400 and shapes.tells_of_range(error.raw)  # noqa: PLR2004 -- Bad Request


def clock_notes(clock: EpochMs | None, now: EpochMs) -> list[str]:
    """Tell of a clock that is so far behind ours that a watermark runs ahead of it."""
    behind = 0 if clock is None else now - clock
    if behind <= LATE_MS:
        return []
    return ["the cluster's clock is behind ours by more than ten minutes: mind collect.overlap_days"]
