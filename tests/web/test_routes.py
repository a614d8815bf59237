"""Which route takes a path, what becomes of a failure at the edge, and what is read of the caller."""

import logging
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from tests.web.conftest import Recorder

from voxkeep.web.errors import HttpError, MethodNotAllowedError, NotFoundError
from voxkeep.web.routes import Route, bearer_token, guarded, remote_of, route_of, send_error

ROUTES = (
    Route(("things",), ("GET",), "thing.list", "list"),
    Route(("things", None, "audio"), ("GET", "HEAD"), "thing.listen", "listen"),
)


def scope(path: bytes, method: str = "GET", **fields: object) -> Scope:
    return {"type": "http", "raw_path": path, "method": method, "headers": [], **fields}


async def receive() -> Any:
    raise AssertionError("nobody reads")


@pytest.mark.parametrize(
    ("path", "answer", "segments"),
    [
        (b"/api/things", "list", ["things"]),
        (b"/api/things/7/audio", "listen", ["things", "7", "audio"]),
        (b"/api/things//audio", "listen", ["things", "", "audio"]),
        (b"/api/things/a%2Fb%20%C3%A9/audio", "listen", ["things", "a/b é", "audio"]),
    ],
)
def test_a_path_leads_to_its_route_with_its_segments_decoded(path: bytes, answer: str, segments: list[str]) -> None:
    route, got = route_of(ROUTES, scope(path), "/api/")
    assert (route.answer, got) == (answer, segments)


@pytest.mark.parametrize("path", [b"/api/", b"/api/other", b"/api/things/", b"/api/things/7", b"/api/Things", b"/"])
def test_any_other_path_is_404(path: bytes) -> None:
    with pytest.raises(NotFoundError):
        route_of(ROUTES, scope(path), "/api/")


def test_another_method_is_405_and_names_those_that_are_taken() -> None:
    with pytest.raises(MethodNotAllowedError) as raised:
        route_of(ROUTES, scope(b"/api/things/7/audio", "POST"), "/api/")
    assert raised.value.headers == [(b"allow", b"GET, HEAD")]


async def test_a_refusal_goes_out_in_the_dialects_shape(recorder: Recorder) -> None:
    async def answer(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise HttpError(404, "no such thing")

    await guarded(answer, send_error, scope(b"/"), receive, recorder)
    assert recorder.status == 404
    assert recorder.body == b'{"status":404,"error":"Not Found","message":"no such thing"}'


async def test_what_fails_before_the_answer_is_a_500_that_tells_only_the_log(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("secret of the inside")

    with caplog.at_level(logging.ERROR):
        await guarded(answer, send_error, scope(b"/"), receive, recorder)
    assert (recorder.status, b"secret" in recorder.body) == (500, False)
    assert "secret of the inside" in caplog.text


async def test_what_fails_in_the_middle_of_the_answer_is_raised_on(recorder: Recorder) -> None:
    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("the disk went away")

    with pytest.raises(RuntimeError, match="the disk went away"):
        await guarded(answer, send_error, scope(b"/"), receive, recorder)
    assert [message["type"] for message in recorder.messages] == ["http.response.start"]


async def test_a_status_that_http_does_not_know_takes_its_words_from_the_dialect(recorder: Recorder) -> None:
    await send_error(recorder, HttpError(509, "spent", [(b"retry-after", b"9")]), {509: "Bandwidth Limit Exceeded"})
    assert recorder.body == b'{"status":509,"error":"Bandwidth Limit Exceeded","message":"spent"}'
    assert recorder.headers[b"retry-after"] == b"9"


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (b"Bearer abc", "abc"),
        (b" bearer   abc ", "abc"),
        (b"BEARER abc def", "abc def"),
        (b"Bearer", ""),
        (b"Basic abc", None),
        (b"abc", None),
        (b"", None),
        (b"Bearer \xff", "\xff"),
    ],
)
def test_a_bearer_token_is_read_whatever_its_scheme_looks_like(value: bytes, token: str | None) -> None:
    assert bearer_token(scope(b"/", headers=[(b"authorization", value)])) == token


def test_without_the_header_there_is_no_token() -> None:
    assert bearer_token(scope(b"/")) is None


def test_the_clients_address_is_told_where_the_server_knows_it() -> None:
    assert remote_of(scope(b"/", client=("127.0.0.1", 4711))) == "127.0.0.1"
    assert remote_of(scope(b"/", client=None)) == remote_of(scope(b"/")) == ""
