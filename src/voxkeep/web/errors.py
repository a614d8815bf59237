"""What can go wrong between a request and its answer, before a dialect gives it the vendor's shape.

    HttpError                   status, message, headers; a dialect renders it
    |- BadRequestError          400, may name the parameter at fault
    |- UnauthorizedError        401
    |- ForbiddenError           403
    |- NotFoundError            404
    |- MethodNotAllowedError    405, carries Allow
    |- ConflictError            409
    |- BodyTooLargeError        413
    |- TooManyRequestsError     429, may carry Retry-After
    `- UnavailableError         503, may carry Retry-After
    TruncatedBodyError          a body ended before its promised length: once begun, the answer must be aborted

The tree knows no vendor: a status that only one vendor uses is a plain `HttpError(status, message)`.
"""

from typing import ClassVar

from starlette.types import Send

from voxkeep.web.headers import Header, Headers


class HttpError(Exception):
    """A request that is answered with an error status. `message` is safe to show to the client."""

    def __init__(self, status: int, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers: list[Header] = list(headers)


class _FixedStatusError(HttpError):
    status_code: ClassVar[int]

    def __init__(self, message: str, headers: Headers = ()) -> None:
        super().__init__(self.status_code, message, headers)


class BadRequestError(_FixedStatusError):
    """400. `parameter` is the name of the field at fault, in the client's own spelling, when there is one."""

    status_code = 400

    def __init__(self, message: str, parameter: str | None = None, headers: Headers = ()) -> None:
        super().__init__(message, headers)
        self.parameter = parameter


class UnauthorizedError(_FixedStatusError):
    """401: no credential, or one that is unknown, expired or revoked."""

    status_code = 401


class ForbiddenError(_FixedStatusError):
    """403: the credential is known and does not cover this."""

    status_code = 403


class NotFoundError(_FixedStatusError):
    """404: there is no such thing, or none that this client may know of."""

    status_code = 404


class MethodNotAllowedError(_FixedStatusError):
    """405, with the Allow header that RFC 9110, 15.5.6 demands."""

    status_code = 405

    def __init__(self, allowed: tuple[str, ...], message: str = "Method not allowed") -> None:
        super().__init__(message, [(b"allow", ", ".join(allowed).encode("ascii"))])


class ConflictError(_FixedStatusError):
    """409: the thing is in a state that forbids the request."""

    status_code = 409


class BodyTooLargeError(_FixedStatusError):
    """413: the request's body is larger than this route reads."""

    status_code = 413

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request body is larger than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class _RetryLaterError(_FixedStatusError):
    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        headers = [] if retry_after_s is None else [(b"retry-after", b"%d" % retry_after_s)]
        super().__init__(message, headers)
        self.retry_after_s = retry_after_s


class TooManyRequestsError(_RetryLaterError):
    """429; `retry_after_s` in whole seconds becomes Retry-After."""

    status_code = 429


class UnavailableError(_RetryLaterError):
    """503; `retry_after_s` in whole seconds becomes Retry-After."""

    status_code = 503


class TruncatedBodyError(Exception):
    """A body holds fewer bytes than its size says. Raised before the status line when that can be seen by then."""

    def __init__(self, promised_bytes: int, offset: int) -> None:
        super().__init__(f"body ends near byte {offset}, {promised_bytes} bytes were promised from there")
        self.promised_bytes = promised_bytes
        self.offset = offset


_JSON = (b"content-type", b"application/json")


async def send_json(send: Send, status: int, body: bytes, headers: Headers = ()) -> None:
    """Send a small answer that is encoded already; a content type among `headers` replaces application/json."""
    sent = [(b"content-length", b"%d" % len(body)), *headers]
    if all(name != b"content-type" for name, _ in sent):
        sent.insert(0, _JSON)
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body, "more_body": False})
