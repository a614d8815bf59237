"""What can go wrong when something is to be sent. No text of any of these holds a URL.

```
DeliverError
├── BadTarget          nothing can be sent to this URL
├── UnknownDelivery    no delivery has that number
├── BeingSent          the delivery is under way just now: ask again when it has ended
├── WasDelivered       the delivery is done; what stands elsewhere cannot be unsent
└── Unsent             one try did not succeed
    ├── Later          another may
    └── Never          none will, unless somebody changes something first
        └── Removed    what was to be sent was removed here, on purpose: nobody need be alarmed
```
"""


class DeliverError(Exception):
    """What was asked of deliveries cannot be done."""


class BadTarget(DeliverError):
    """A URL that nothing can be sent to; the text says why and does not show it."""


class UnknownDelivery(DeliverError):
    """No delivery has that number."""


class BeingSent(DeliverError):
    """The delivery is under way just now."""


class WasDelivered(DeliverError):
    """The delivery is done: its row tells where a copy is."""


class Unsent(DeliverError):
    """One try that did not succeed; `status` is what the receiver answered with, if it did."""

    def __init__(self, reason: str, *, status: int | None = None, wait_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.status = status
        self.wait_seconds = wait_seconds
        """What the receiver asks to wait, in seconds; 0 when it asks nothing."""


class Later(Unsent):
    """Another try may succeed."""


class Never(Unsent):
    """No other try will succeed, unless somebody changes something first."""


class Removed(Never):
    """What was to be sent was removed here."""
