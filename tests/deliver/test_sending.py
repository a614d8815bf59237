"""What goes over the wire: the bytes as they are kept, redirects as Kazoo follows them, secrets to nobody else."""

import asyncio
import hashlib
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from tests.archive.conftest import tone
from tests.deliver.conftest import TO_LOOPBACK, WAV, Desk, Receiver, early, silence
from tests.server.tls import certificate
from yarl import URL

from voxkeep.audio.probe import probe
from voxkeep.audio.render import Form
from voxkeep.deliver import Guard, Method, State
from voxkeep.deliver.errors import Never
from voxkeep.deliver.sending import _followed
from voxkeep.settings import Deliver


@pytest.mark.parametrize("method", list(Method))
async def test_the_original_bytes_are_sent_with_their_type_and_length(
    desk: Desk, receiver: Receiver, method: Method
) -> None:
    done = await desk.sent(f"{receiver.url}/in/call%2F1.wav?from=a%40b&to=", method=method)
    (request,) = receiver.requests
    assert (request.method, request.target, request.body) == (method.upper(), "/in/call%2F1.wav?from=a%40b&to=", WAV)
    assert request.headers["Content-Type"] == "audio/x-wav"
    assert request.headers["Content-Length"] == str(len(WAV))
    assert "Authorization" not in request.headers
    assert "Transfer-Encoding" not in request.headers
    assert (done.state, done.status, done.attempts, done.error) == (State.DONE, 201, 1, "")
    assert (done.sha256, done.size_bytes) == (hashlib.sha256(WAV).hexdigest(), len(WAV))
    assert done.done_at == desk.now


async def test_a_long_recording_is_streamed_whole(desk: Desk, receiver: Receiver) -> None:
    audio = tone(120)
    assert len(audio) > 1_900_000
    await desk.order(f"{receiver.url}/in", await desk.keep(audio))
    await desk.deliveries.send_next()
    assert receiver.bodies == [audio]


async def test_a_recording_of_no_bytes_is_sent_as_that(desk: Desk, receiver: Receiver) -> None:
    ordered = await desk.order(f"{receiver.url}/in", await desk.keep(b""))
    await desk.deliveries.send_next()
    assert receiver.bodies == [b""]
    assert (await desk.deliveries.one(ordered.id)).state is State.DONE


async def test_another_form_is_made_and_sent_where_it_is_ordered(desk: Desk, receiver: Receiver) -> None:
    done = await desk.sent(f"{receiver.url}/in", media_type="audio/mpeg", form=Form.MP3)
    (request,) = receiver.requests
    assert probe(request.body).codec == "mp3"
    assert request.headers["Content-Type"] == "audio/mpeg"
    assert (done.sha256, done.size_bytes) == (hashlib.sha256(request.body).hexdigest(), len(request.body))


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_success_is_one(desk: Desk, receiver: Receiver, status: int) -> None:
    receiver.says("/in", status)
    done = await desk.sent(f"{receiver.url}/in")
    assert (done.state, done.status) == (State.DONE, status)


# Redirects


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("method", list(Method))
async def test_a_redirect_is_followed_with_the_same_verb_and_body(
    desk: Desk, receiver: Receiver, status: int, method: Method
) -> None:
    receiver.says("/old", status, Location="/new?a=b%20c")
    done = await desk.sent(f"{receiver.url}/old", method=method)
    first, second = receiver.requests
    assert (first.method, first.body) == (second.method, second.body) == (method.upper(), WAV)
    assert second.target == "/new?a=b%20c"
    assert done.state is State.DONE


@pytest.mark.parametrize("status", [300, 303, 304, 305, 399])
async def test_any_other_redirect_is_a_failure_for_good(desk: Desk, receiver: Receiver, status: int) -> None:
    receiver.says("/old", status, Location="/new")
    dead = await desk.sent(f"{receiver.url}/old")
    assert (dead.state, dead.status, dead.error) == (State.DEAD, status, f"refused: {status}")
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(("redirects", "state"), [(10, State.DONE), (11, State.DEAD)])
async def test_ten_redirects_are_followed_and_no_more(
    desk: Desk, receiver: Receiver, redirects: int, state: State
) -> None:
    for number in range(redirects):
        receiver.says(f"/{number}", 302, Location=f"/{number + 1}")
    ended = await desk.sent(f"{receiver.url}/0")
    assert ended.state is state
    assert len(receiver.requests) == 11
    assert ended.error == ("" if state is State.DONE else "more than 10 redirects")


async def test_a_circle_of_redirects_is_found_at_once(desk: Desk, receiver: Receiver) -> None:
    receiver.says("/a", 302, Location="/b")
    receiver.says("/b", 302, Location="/a")
    dead = await desk.sent(f"{receiver.url}/a")
    assert (dead.state, dead.error) == (State.DEAD, "the redirects lead in a circle")
    assert len(receiver.requests) == 2


@pytest.mark.parametrize("location", ["", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://[::1", "//:0/"])
async def test_a_redirect_to_what_nothing_can_be_sent_to_is_a_failure_for_good(
    desk: Desk, receiver: Receiver, location: str
) -> None:
    receiver.says("/old", 307, Location=location)
    dead = await desk.sent(f"{receiver.url}/old")
    assert (dead.state, dead.status) == (State.DEAD, 307)
    assert dead.error.startswith("a redirect")


async def test_a_large_body_is_sent_on_by_a_redirect_that_comes_before_it_was_read(
    desk: Desk, receiver: Receiver
) -> None:
    @early
    async def onwards(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/new"})

    receiver.answers["/old"].append(onwards)
    audio = tone(60)
    await desk.order(f"{receiver.url}/old", await desk.keep(audio))
    await desk.deliveries.send_next()
    assert [(request.target, request.body) for request in receiver.requests] == [("/new", audio)]


@pytest.mark.parametrize("location", ["http://in.test/b", "http://other.test/b", "HTTP://in.test/b"])
def test_a_redirect_never_leads_out_of_https(location: str) -> None:
    with pytest.raises(Never, match="from https to plain http"):
        _followed(URL("https://in.test/a"), location, "", 307)
    assert _followed(URL("https://in.test/a"), "//in.test/b", "Basic x", 307) == (URL("https://in.test/b"), "Basic x")


# Answers that are none


async def test_who_answers_before_it_had_all_of_the_audio_has_not_got_it(desk: Desk, receiver: Receiver) -> None:
    @early
    async def hasty(request: web.Request) -> web.StreamResponse:
        answer = web.Response(status=200)
        answer.force_close()
        await answer.prepare(request)
        await answer.write_eof()
        assert request.transport is not None
        request.transport.close()
        return answer

    receiver.answers["/in"].append(hasty)
    ordered = await desk.order(f"{receiver.url}/in", await desk.keep(tone(900)))
    await desk.deliveries.send_next()
    waiting = await desk.deliveries.one(ordered.id)
    assert waiting.state is State.WAITING
    assert waiting.error in ("answered before it had all of the audio", "the connection was lost")


async def test_a_receiver_that_never_answers_is_waited_for_so_long_and_no_longer(
    desk: Desk, receiver: Receiver
) -> None:
    receiver.answers["/in"].append(silence)
    impatient = desk.with_rule(Deliver(allow_private_targets=True, timeout_seconds=1))
    waiting = await desk.sent(f"{receiver.url}/in", impatient)
    assert (waiting.state, waiting.error) == (State.WAITING, "not done within 1 s")


@asynccontextmanager
async def babbling(answer: bytes) -> AsyncIterator[str]:
    """Listen and answer anything with these bytes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("answer", [b"", b"220 ftp ready\r\n", b"HTTP/1.1 banana\r\n\r\n", b"\x00" * 100])
async def test_what_does_not_speak_http_is_tried_again(desk: Desk, answer: bytes) -> None:
    async with babbling(answer) as url:
        waiting = await desk.sent(f"{url}/in")
    assert waiting.state is State.WAITING
    assert waiting.error in ("the connection was lost", "the answer is not HTTP as it should be")


async def test_a_port_that_nobody_listens_on_is_tried_again(desk: Desk) -> None:
    async with babbling(b"") as url:
        pass
    waiting = await desk.sent(f"{url}/in")
    assert (waiting.state, waiting.error, waiting.status) == (State.WAITING, "no connection", None)


async def test_a_certificate_that_nobody_vouches_for_gets_no_audio(desk: Desk, tmp_path: Path) -> None:
    made = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.cert, made.key)
    got: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.read(1 << 16))
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    async with server:
        waiting = await desk.sent(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/in")
    assert waiting.error == "no connection: TLS failed, or the certificate is not one to trust"
    assert b"RIFF" not in b"".join(got)


# Whose secrets, and whose connections


async def test_a_user_name_in_the_url_becomes_basic_authentication(desk: Desk, receiver: Receiver) -> None:
    await desk.sent(f"http://us%40er:p%3Ass@127.0.0.1:{receiver.port}/in?q=1")
    (request,) = receiver.requests
    assert request.headers["Authorization"] == f"Basic {b64encode(b'us@er:p:ss').decode()}"
    assert request.target == "/in?q=1"
    assert request.headers["Host"] == f"127.0.0.1:{receiver.port}"


async def test_credentials_go_to_their_own_origin_and_no_other(desk: Desk, receiver: Receiver) -> None:
    receiver.says("/a", 307, Location="/b")
    receiver.says("/b", 307, Location=f"http://localhost:{receiver.port}/c")
    receiver.says("/c", 307, Location=f"http://other:word@127.0.0.1:{receiver.port}/d", Set_Cookie="a=b")
    await desk.sent(f"http://me:secret@127.0.0.1:{receiver.port}/a")
    told = [request.headers.get("Authorization") for request in receiver.requests]
    mine, given = (f"Basic {b64encode(each).decode()}" for each in (b"me:secret", b"other:word"))
    assert told == [mine, mine, None, given]
    assert all("Cookie" not in request.headers for request in receiver.requests)


async def test_proxies_and_passwords_of_the_environment_are_left_alone(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password invented\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await desk.sent(f"{receiver.url}/in")).state is State.DONE
    assert "Authorization" not in receiver.requests[0].headers


async def test_the_connection_is_made_to_the_address_that_was_checked(desk: Desk, receiver: Receiver) -> None:
    asked: list[str] = []

    async def lookup(host: str, _: int) -> list[object]:
        asked.append(host)
        return [ip_address("127.0.0.1")]

    guard = Guard(allow_private=True, lookup=lookup)  # type: ignore[arg-type] # addresses they are
    deliveries = desk.with_rule(TO_LOOPBACK, guard)
    done = await desk.sent(f"http://recordings.test:{receiver.port}/in", deliveries)
    assert done.state is State.DONE
    assert receiver.requests[0].headers["Host"] == f"recordings.test:{receiver.port}"
    assert asked == ["recordings.test"], "looked up once: what is checked is what is connected to"
