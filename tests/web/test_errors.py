from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from voxkeep.web import errors
from voxkeep.web.errors import HttpError, send_json

if TYPE_CHECKING:
    from tests.web.conftest import Recorder


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.BadRequestError, 400),
        (errors.UnauthorizedError, 401),
        (errors.ForbiddenError, 403),
        (errors.NotFoundError, 404),
        (errors.ConflictError, 409),
        (errors.TooManyRequestsError, 429),
        (errors.UnavailableError, 503),
    ],
)
def test_every_error_carries_its_status_and_message(kind: type[errors._FixedStatusError], status: int) -> None:
    error = kind("what happened")
    assert isinstance(error, HttpError)
    assert (error.status, error.message, str(error), error.headers) == (status, "what happened", "what happened", [])


def test_a_status_of_one_vendor_needs_no_class() -> None:
    error = HttpError(509, "Bandwidth limit exceeded", [(b"retry-after", b"60")])
    assert (error.status, error.headers) == (509, [(b"retry-after", b"60")])


def test_a_bad_request_names_the_parameter() -> None:
    assert errors.BadRequestError("not a time", "startTime").parameter == "startTime"
    assert errors.BadRequestError("not a request").parameter is None


def test_method_not_allowed_says_what_is_allowed() -> None:
    error = errors.MethodNotAllowedError(("GET", "HEAD"))
    assert (error.status, error.headers) == (405, [(b"allow", b"GET, HEAD")])


@pytest.mark.parametrize("kind", [errors.TooManyRequestsError, errors.UnavailableError])
def test_retry_after_is_sent_in_whole_seconds(
    kind: type[errors.TooManyRequestsError | errors.UnavailableError],
) -> None:
    assert kind("later", 3).headers == [(b"retry-after", b"3")]
    assert kind("later").headers == []


async def test_a_small_answer_has_its_length_and_type(recorder: Recorder) -> None:
    await send_json(recorder, 404, b'{"a":1}', [(b"x-a", b"b")])
    assert recorder.status == 404
    assert recorder.headers == {b"content-type": b"application/json", b"content-length": b"7", b"x-a": b"b"}
    assert recorder.body == b'{"a":1}'
    assert recorder.messages[-1]["more_body"] is False


async def test_a_dialect_may_name_its_own_content_type(recorder: Recorder) -> None:
    await send_json(recorder, 400, b"{}", [(b"content-type", b"application/problem+json")])
    assert [value for name, value in recorder.messages[0]["headers"] if name == b"content-type"] == [
        b"application/problem+json"
    ]
