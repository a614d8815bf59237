"""What the collector needs of a vendor, and what a vendor's source tells it.

A source asks the vendor and says what the answers mean; it neither retries nor waits by itself, except for its slot
before every request. Failures are told as `voxkeep.collect.errors`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import BinaryIO, Protocol

from msgspec import Struct

from voxkeep.archive.model import Call, Message, Recording, Transcript
from voxkeep.archive.units import EpochMs, TenantId

CHAT = "transcript "
"""What the key of a chat begins with."""
Slot = Callable[[], Awaitable[None]]
"""Waits until the next request may be sent. Awaited right before each, whatever it asks for."""


class Window(Struct, frozen=True):
    """A span of time; both ends belong to it."""

    first: EpochMs
    last: EpochMs


class Ready(Struct, frozen=True):
    """The audio can be fetched."""

    urgent: bool = False
    """The vendor is about to delete it."""


class Pending(Struct, frozen=True):
    """It is not to be had yet: it is asked for again in the next run."""

    reason: str = "not finished by the vendor"


class Deleted(Struct, frozen=True):
    """The vendor has deleted it."""

    reason: str


def _as_it_is(held: Recording) -> None:
    """Change nothing of a recording that is held."""
    del held


class Listed(Struct, frozen=True, kw_only=True):
    """A recording or a chat transcript as the vendor lists it."""

    item: Recording | Transcript
    """What will be kept; its `vendor_key` is its identity."""
    status: Ready | Pending | Deleted
    call: Call | None = None
    call_known: bool = False
    """Whether `call` is all that the vendor tells of the call, rather than what the recording alone does."""
    expected_duration_ms: int | None = None
    """None when the vendor does not say."""
    duration_slack_ms: int = 200
    """Difference from that duration which is never doubted; 2 % never is."""
    duration_known: bool = True
    """False where nobody but the audio itself tells the duration that is to be kept."""
    expected_bytes: int | None = None
    """A hint: nothing is refused for it."""
    renewed: Callable[[Recording], Recording | None] = _as_it_is
    """What a recording that is held becomes by what is listed; None when it stays as it is, or is another one.

    Asked of the one that has the listed key, or, when none has, of one of the same call with the very same audio.
    """
    keep_pending: bool = False
    """Whether what is known is kept while the audio is awaited: others may bring it here."""
    place: str = ""
    """Where the source finds it again; nobody else reads this."""

    @property
    def key(self) -> str:
        """Its identity among all that the vendor lists: a chat's never meets a recording's."""
        key = self.item.vendor_key
        return CHAT + key if isinstance(self.item, Transcript) else key

    @property
    def started_at(self) -> EpochMs:
        """When it began."""
        return self.item.started_at

    @property
    def tenant(self) -> TenantId:
        """The archive's tenant it is kept for."""
        return self.item.tenant

    @property
    def vendor(self) -> str:
        """The vendor's name."""
        return self.item.vendor

    @property
    def may_renew(self) -> bool:
        """Whether what is listed may change a recording that is held."""
        return self.renewed is not _as_it_is

    @property
    def recording(self) -> Recording:
        """The recording, where it is one. Raises TypeError for a chat."""
        if isinstance(self.item, Transcript):
            raise TypeError(f"{self.key} is no recording")
        return self.item


class Rejected(Struct, frozen=True):
    """A record of a list that could not be understood."""

    raw: bytes
    reason: str
    key: str = ""
    """The record's key, where that much could be read."""
    beside: bool = False
    """It tells of something beside the recordings (a call): no recording is missing for it."""


class NoChats(Struct, frozen=True):
    """Chats could not be listed, and are not asked for in this run any more."""

    reason: str
    refused: bool
    """Whether there are chats that we may not see; else there may just be none."""


class Listing(Struct, frozen=True):
    """What the vendor lists for a window, in any order."""

    listed: list[Listed]
    rejected: list[Rejected] = []
    notes: list[str] = []
    """What a reader of the report should know: an answer that was done without."""
    no_chats: NoChats | None = None


class CheckReport(Struct, frozen=True):
    """How a source stands: whether it can be collected from, and what was seen or can be done."""

    ok: bool
    lines: list[str]


class Download(Struct, frozen=True):
    """Audio on its way."""

    blocks: AsyncIterator[bytes]
    length: int | None = None
    """Bytes announced."""


class Connection(Struct, frozen=True):
    """What a source is made of."""

    url: str
    secret: str
    tenant: TenantId
    """The archive's tenant the recordings are kept for."""
    tenant_name: str
    slot: Slot
    timeout_seconds: float
    """How long the vendor may stay silent."""
    options: Mapping[str, str] = {}
    """What else this vendor needs to know; its room says what there is."""
    other_secret: str = ""
    """A second secret, for a second way to the vendor."""

    def __repr__(self) -> str:
        """Leave the secrets out."""
        return f"Connection({self.url!r}, {self.tenant_name!r})"


class Source(Protocol):
    """One tenant of a vendor."""

    async def check(self) -> CheckReport:
        """Try whether the vendor lets us in, asking for as little as possible. Raises VendorFailure."""
        ...

    async def listing(self, window: Window) -> Listing:
        """Return everything that the vendor lists for `window`. Raises VendorFailure."""
        ...

    async def again(self, listed: Listed) -> Listed | None:
        """Return how the vendor lists one recording now, None when it does not any more. Raises VendorFailure."""
        ...

    def fetch(self, listed: Listed) -> AbstractAsyncContextManager[Download]:
        """Ask for a recording's audio. Entering it, and reading the blocks, raise VendorFailure."""
        ...

    async def transcript(self, listed: Listed) -> tuple[Transcript, list[Message]]:
        """Return a chat that was listed, as it is to be kept, with its messages. Raises VendorFailure."""
        ...

    def verify(self, file: BinaryIO, listed: Listed) -> str:
        """Tell whether fetched audio is whole, and return what is unusual about it ("" for nothing).

        Runs in a thread. Raises `voxkeep.audio.errors.AudioError` for audio that is not whole.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


Factory = Callable[[Connection], Source]
"""Makes a source, inside the event loop. Raises SourceUnusable."""
