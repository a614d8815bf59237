"""What can go wrong with a vendor.

```
VendorFailure
├── Refused          401: nothing more is asked of this tenant in this run
│   └── Forbidden    403
├── ComeBackLater    503, no connection: the whole tenant waits, then asks again
│   ├── TooFast      429
│   └── Faltering    500, a time-out: a smaller question may be answered
├── TooMuch          a list larger than can be taken in one answer: ask for less
├── QuotaSpent       509: no more audio of this tenant in this run, lists go on
├── Gone             404
├── BadAnswer        not what was asked for: JSON or HTML for audio, a cut stream, a broken file; quarantined raw
└── Doubtful         whole audio that is not as long as its metadata says
CollectError
├── SourceUnusable   a source that cannot be asked at all: no secret, an address that cannot be
├── SourceBusy       another run is at work on the same source
├── SourceExists     a source of that name is there already
└── UnknownSource    no source has that name
```
"""

import hashlib


class VendorFailure(Exception):
    """The vendor did not give what was asked; `reason` is one line, `request` the method and path, free of secrets."""

    def __init__(self, reason: str, *, request: str = "") -> None:
        super().__init__(f"{request}: {reason}" if request else reason)
        self.reason = reason
        self.request = request


class Refused(VendorFailure):
    """The vendor does not let us in: the token is wrong, or may not do this. Asking again does not help."""


class Forbidden(Refused):
    """The vendor knows the token, and does not let it do this."""


class ComeBackLater(VendorFailure):
    """The vendor cannot answer now; `wait_seconds` is what it said, if anything."""

    def __init__(self, reason: str, *, request: str = "", wait_seconds: float | None = None) -> None:
        super().__init__(reason, request=request)
        self.wait_seconds = wait_seconds


class TooFast(ComeBackLater):
    """The vendor's rate limit was met."""


class Faltering(ComeBackLater):
    """The vendor broke down over this question, or took too long; half of it may be answered."""


class TooMuch(VendorFailure):
    """The answer is larger than can be taken, or says itself that it is only a part."""


class QuotaSpent(VendorFailure):
    """The tenant's egress cap is reached (seed 002: a rolling cap over five days)."""


class Gone(VendorFailure):
    """The vendor knows no such thing; `code` is the number that it said so with."""

    def __init__(self, reason: str, *, request: str = "", code: int = 404) -> None:
        super().__init__(reason, request=request)
        self.code = code


class BadAnswer(VendorFailure):
    """The vendor answered something else than was asked for; `raw` is the beginning of it, `facts` tell about it.

    `passing` says that another try in the same run may get a better answer.
    """

    def __init__(
        self,
        reason: str,
        *,
        request: str = "",
        raw: bytes = b"",
        passing: bool = True,
        facts: dict[str, str | int] | None = None,
    ) -> None:
        super().__init__(reason, request=request)
        self.raw = raw
        self.passing = passing
        self.facts = facts or {}

    @property
    def sha256(self) -> str:
        """SHA-256 of the answer and its facts, in hex: whether the same one came before."""
        facts = repr(sorted(self.facts.items())).encode()
        return hashlib.sha256(facts + self.raw).hexdigest()


class Doubtful(VendorFailure):
    """Whole audio, not as long as its metadata says. The same bytes in a later run are believed."""

    def __init__(self, reason: str, *, sha256: str) -> None:
        super().__init__(reason)
        self.sha256 = sha256


class CollectError(Exception):
    """The collector could not do what was asked."""


class SourceUnusable(CollectError):
    """A source that cannot be asked at all; the text says why."""


class SourceBusy(CollectError):
    """Another run is at work on the same source."""


class SourceExists(CollectError):
    """A source of that name is there already."""


class UnknownSource(CollectError):
    """No source has that name."""
