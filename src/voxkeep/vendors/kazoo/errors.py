"""Kazoo's errors: each with the status, the `message` and the `data` that its clients know (reference 1.6).

`message` and `data` differ from case to case on purpose: three kinds of 404 and two of 401 exist, and clients compare
them. What other rooms raise as HttpError is put into Kazoo's words by `of_http`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from voxkeep.web.errors import HttpError
from voxkeep.web.headers import Headers

VALIDATION = "validation error"
MOST_BODY_BYTES = 8_000_000
"""Largest body on API routes; one more byte is 413 (reference 1.6)."""


class KazooError(HttpError):
    """A refusal in Kazoo's words: `data` goes into the envelope as it is."""

    def __init__(self, status: int, message: str, data: object, headers: Headers = ()) -> None:
        super().__init__(status, message, headers)
        self.data = data


class Invalid(Struct, frozen=True):
    """What is wrong with one field: its dotted name, the rule that it breaks, and what to tell of that."""

    field: str
    rule: str
    """JSON schema's or Kazoo's word: required, type, enum, minimum, maximum, minLength, date_range, forbidden ..."""
    message: str
    target: Any = None
    """What was wanted: the least number, the list of words. None leaves it out."""
    cause: Any = None
    """What was given. None leaves it out."""

    def shown(self) -> dict[str, Any]:
        """Return it as the innermost object of Kazoo's validation errors."""
        extra = {"target": self.target, "cause": self.cause}
        return {"message": self.message, **{name: value for name, value in extra.items() if value is not None}}


def validation(problems: Iterable[Invalid], status: int = 400) -> KazooError:
    """400: fields that cannot be, every one named."""
    fields: dict[str, dict[str, Any]] = {}
    for each in problems:
        fields.setdefault(each.field, {})[each.rule] = each.shown()
    return KazooError(status, VALIDATION, fields)


def invalid_credentials() -> KazooError:
    """401: no token, one that is unknown or malformed; an account nobody has."""
    return KazooError(401, "invalid_credentials", {"message": "invalid credentials"})


def unknown_account() -> KazooError:
    """401: the account in the path is not one (Kazoo 5; 4.3 has a 404 here)."""
    return KazooError(401, "invalid credentials", {"message": "invalid credentials"})


def malformed_account(identity: str) -> KazooError:
    """404: the account in the path is no id of one (Kazoo 4.3)."""
    return KazooError(404, "bad identifier", {"message": f"invalid account_id '{identity}'"})


def ended_token() -> KazooError:
    """401: a token that was good once, and expired or was deleted."""
    return KazooError(401, "invalid credentials", {})


def forbidden() -> KazooError:
    """403: data of an account that is neither one's own nor a descendant."""
    return KazooError(403, "forbidden", {"message": "forbidden"})


def malformed_id(identity: str) -> KazooError:
    """404: an id that is not of the form of a recording's."""
    return KazooError(404, "bad identifier", [identity])


def bad_identifier(identity: str) -> KazooError:
    """404: a well-formed id that nothing has, or nothing any more."""
    return KazooError(404, "bad_identifier", {"cause": identity, "message": "bad identifier"})


def no_media(identity: str) -> KazooError:
    """404: the document is there, its media is not."""
    return KazooError(404, "bad_identifier", {"details": identity, "message": "bad identifier"})


def not_found() -> KazooError:
    """404: no such route."""
    return KazooError(404, "not_found", {"message": "not found"})


def faulty_request(message: str) -> KazooError:
    """404: a request that makes no sense, for one a page size of nothing."""
    return KazooError(404, "faulty_request", {"message": message})


def invalid_method() -> KazooError:
    """405, without an Allow header, as Kazoo has it."""
    return KazooError(405, "invalid_method", {"message": "method not allowed"})


def unparsable_json(message: str) -> KazooError:
    """400: a body that is no JSON."""
    return validation([Invalid("json", "invalid", message, target="body")])


def missing_data() -> KazooError:
    """400: a body without the `data` envelope."""
    return KazooError(
        400, "invalid request envelope", {"data": {"required": {"message": "Field is required but missing"}}}
    )


def too_large() -> KazooError:
    """413: a body over MOST_BODY_BYTES."""
    text = f"Files must not be more than {MOST_BODY_BYTES} bytes"
    return validation([Invalid("file", "maxSize", text, target=MOST_BODY_BYTES)], 413)


def too_many_requests() -> KazooError:
    """429, without Retry-After, as Kazoo has it."""
    return KazooError(429, "too_many_requests", {"message": "too many requests"})


def conflict(reason: str) -> KazooError:
    """409: the document cannot be changed as it stands."""
    return KazooError(409, "datastore_conflict", {"message": reason})


WORDS: Mapping[int, str] = {
    400: "bad_request",
    401: "invalid_credentials",
    403: "forbidden",
    404: "not_found",
    405: "invalid_method",
    408: "request_timeout",
    409: "datastore_conflict",
    413: VALIDATION,
    429: "too_many_requests",
    503: "datastore_unreachable",
}
"""Kazoo's `message` for what the rest of the house refuses."""


def of_http(error: HttpError) -> KazooError:
    """Return any refusal in Kazoo's words; its own text is told in `data`."""
    if isinstance(error, KazooError):
        return error
    message = WORDS.get(error.status, "unspecified_fault")
    return KazooError(error.status, message, {"message": error.message}, error.headers)
