"""What no client should send, put on the wire byte by byte: never a 500, always the one shape of errors."""

import re
import socket
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.server.harness import EVERYTHING, V2, Answer, DemoProcess, exchange, parsed, refused

PARSERS_OWN = b"Invalid HTTP request received."
"""What the HTTP parser itself refuses stays the server's own 400."""

# Bytes that may stand in a request target without ending it; all others have to be escaped.
TARGET_BYTES = bytes(byte for byte in range(0x21, 0x7F) if byte not in b"#")
SEGMENTS = st.one_of(
    st.sampled_from(
        ["..", ".", "", "%2e%2e", "%2E.", "..%2f..", "%252e%252e", "%00", "%0d%0a", "%", "%zz", "%ff", "a%5c..%5cb"]
    ),
    st.text(max_size=20).map(lambda text: quote(text, safe="")),
    st.text(st.sampled_from(TARGET_BYTES.decode()), max_size=20),
    st.sampled_from(["acme-ns", "audio", "recordings", "call-recording-info", "agents", "skills"]),
)
QUERIES = st.one_of(
    st.just(EVERYTHING),
    st.text(st.sampled_from(TARGET_BYTES.decode()), max_size=40),
    st.lists(
        st.tuples(
            st.sampled_from(["startTime", "endTime", "format", "x"]),
            st.text(max_size=20).map(lambda t: quote(t, safe="")),
        ),
        max_size=4,
    ).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)),
    st.sampled_from(["startTime=%00&endTime=%ff", "startTime=2024-01-01&endTime=%0d%0a", "&&&", "=", "%"]),
)
VALUES = st.binary(max_size=40).map(lambda value: re.sub(rb"[\r\n\x00]", b"", value))
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [b"Range", b"If-Range", b"If-None-Match", b"Host", b"Authorization", b"Content-Type", b"Accept", b"Cookie"]
        ),
        VALUES | st.sampled_from([b"bytes=0-", b"bytes=-1,-1", b"bytes=" + b"0-0," * 200, b"Bearer \xff", b"*", b'"']),
    ),
    max_size=3,
)


def sent(
    demo: DemoProcess, target: str, *headers: tuple[bytes, bytes], method: str = "GET", real: bool = True
) -> Answer:
    """Send a request whose target and headers go out as they are."""
    lines = [f"{method} {target} HTTP/1.1".encode("latin-1")]
    names = {name.lower() for name, _ in headers}
    if b"host" not in names:
        lines.append(b"Host: localhost")
    if real and b"authorization" not in names:
        lines.append(b"Authorization: Bearer " + demo.token("acme-ns").encode())
    lines += [name + b": " + value for name, value in headers]
    return parsed(exchange(demo.port, b"\r\n".join([*lines, b"Connection: close", b"", b""])), method)


def check(answer: Answer) -> None:
    """Check an answer to be a success or a refusal in the dialect's shape, or the parser's own."""
    assert answer.status in (200, 206, 304, 400, 401, 403, 404, 405, 414, 416, 431), answer
    if answer.status >= 400 and answer.status != 416 and answer.body != PARSERS_OWN:
        refused(answer, answer.status)


@settings(max_examples=150)
@given(version=st.sampled_from(["v1", "v2"]), segments=st.lists(SEGMENTS, max_size=5), query=QUERIES)
@example(version="v2", segments=["recordings", "", "x", "audio"], query="")
@example(version="v2", segments=["recordings"] * 5, query="startTime=%E2%80%AE&endTime=\\")
@example(version="v1", segments=["agents"], query="&&&")
def test_any_path_and_query_gets_the_dialects_own_answer(
    demo: DemoProcess, version: str, segments: list[str], query: str
) -> None:
    check(sent(demo, f"/rest/api/{version}/{'/'.join(segments)}?{query}"))


@settings(max_examples=100)
@given(tenant=SEGMENTS, key=SEGMENTS, headers=HEADERS)
def test_any_tenant_key_and_headers_get_the_dialects_own_answer(
    demo: DemoProcess, tenant: str, key: str, headers: list[tuple[bytes, bytes]]
) -> None:
    check(sent(demo, f"{V2}/recordings/{tenant}/{key}/audio", *headers))


@settings(max_examples=100)
@given(headers=HEADERS, audio=st.booleans())
def test_any_headers_on_real_targets_get_an_answer(
    demo: DemoProcess, real_audio: str, headers: list[tuple[bytes, bytes]], *, audio: bool
) -> None:
    answer = sent(demo, real_audio if audio else f"{V2}/recordings?{EVERYTHING}", *headers)
    check(answer)


@pytest.fixture(scope="session")
def real_audio(demo: DemoProcess) -> str:
    records = sent(demo, f"{V2}/recordings?{demo.window}").json
    key = next(record["recordingKey"] for record in records if record["status"] == "SAVED")
    return f"{V2}/recordings/acme-ns/{key}/audio"


@settings(max_examples=100)
@given(path=st.text(st.sampled_from(TARGET_BYTES.decode().replace("?", "")), max_size=30))
@example(path="rest%2fapi/v2/recordings")
@example(path="rest/api/v2")
@example(path="rest/api/v20/recordings")
@example(path="/rest/api/v2/recordings")
@example(path="rest/api/v3/../v2/recordings")
def test_any_path_elsewhere_is_refused_plainly(demo: DemoProcess, path: str) -> None:
    answer = sent(demo, f"/{path}")
    if path not in ("healthz", "readyz"):
        check(answer)
        assert answer.status in (400, 404)


@settings(max_examples=80)
@given(data=st.binary(max_size=200))
@example(data=b"CONNECT example.test:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
@example(data=b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
@example(data=b"GET http://elsewhere.test/rest/api/v2/recordings HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
@example(data=b"GET /rest/api/v2/recordings HTTP/1.0\r\n\r\n")
@example(data=b"GET /rest/api/v2/\xff\xfe HTTP/1.1\r\nConnection: close\r\n\r\n")
@example(data=b"GET /rest/api/v2/\x01 HTTP/1.1\r\nConnection: close\r\n\r\n")
@example(data=b"GET /rest/api/v2/recordings?\xff HTTP/1.1\r\nConnection: close\r\n\r\n")
@example(data=b"GET  /rest/api/v2/recordings  HTTP/1.1\r\nConnection: close\r\n\r\n")
@example(data=b"GET /rest/api/v2/recordings HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nzzz")
@example(data=b"GET rest/api/v2/recordings HTTP/1.1\r\nConnection: close\r\n\r\n")
@example(data=b"GET /rest/api/v2/recordings HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\r\n")
@example(data=b"GET /rest/api/v2/recordings HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n")
@example(data=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
def test_any_bytes_on_the_wire_are_refused_or_answered(demo: DemoProcess, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", demo.port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        try:
            while part := connection.recv(1 << 16):
                parts.append(part)
        except ConnectionResetError:
            return
    answer = b"".join(parts)
    assert not re.match(rb"HTTP/1\.1 5", answer), answer
    assert b"Traceback" not in answer


def test_a_path_over_eight_kilobytes_is_400(demo: DemoProcess) -> None:
    assert "8192" in refused(sent(demo, f"{V2}/recordings/{'x' * 9000}"), 400)
    refused(sent(demo, f"{V2}/recordings/acme-ns/{'x' * 8000}/audio"), 404)


@pytest.mark.parametrize(
    "path",
    [
        "recordings/../recordings",
        "recordings/%2e%2e/recordings",
        "recordings/..%2f..%2fetc%2fpasswd/key/audio",
        "recordings/%252e%252e%252fetc/key/audio",
        "recordings/..%5c..%5c/key/audio",
        "recordings/acme-ns/%00/audio",
        "recordings/acme-ns/key%0d%0aX-Injected:%20yes/audio",
        "recordings/acme-ns/%ff%fe/audio",
        "recordings/acme-ns/%7f/audio",
    ],
)
def test_climbing_control_characters_and_broken_text_in_a_path_are_400(demo: DemoProcess, path: str) -> None:
    answer = sent(demo, f"{V2}/{path}")
    assert "path" in refused(answer, 400)
    assert "x-injected" not in answer.headers


@pytest.mark.parametrize("query", ["startTime=%00", "x=%ff", "a=%00&" + EVERYTHING])
def test_a_nul_or_broken_text_in_a_query_is_400(demo: DemoProcess, query: str) -> None:
    assert "query" in refused(sent(demo, f"{V2}/recordings?{query}"), 400)


def test_a_query_of_many_parameters_is_answered(demo: DemoProcess) -> None:
    assert sent(demo, f"{V2}/recordings?{EVERYTHING}&" + "&".join(f"p{n}={n}" for n in range(2_000))).status == 200


def test_a_header_of_a_megabyte_and_many_headers_do_no_harm(demo: DemoProcess) -> None:
    check(sent(demo, f"{V2}/recordings?{EVERYTHING}", (b"Authorization", b"Bearer " + b"A" * 1_000_000)))
    check(sent(demo, f"{V2}/recordings?{EVERYTHING}", *[(b"X-%d" % n, b"v") for n in range(500)]))


def test_a_client_that_asks_and_leaves_does_no_harm(demo: DemoProcess, real_audio: str) -> None:
    token = demo.token("acme-ns").encode()
    for target in (real_audio, f"{V2}/recordings?{EVERYTHING}"):
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", demo.port)) as connection:
                head = (
                    b"GET " + target.encode() + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + b"\r\n\r\n"
                )
                connection.sendall(head)
    assert sent(demo, f"{V2}/recordings?{demo.window}").status == 200


def test_nothing_of_this_left_a_fault_or_a_secret_in_the_log(demo: DemoProcess) -> None:
    log = demo.log.read_text()
    assert "Traceback" not in log
    assert "a request failed" not in log
    assert demo.token("acme-ns") not in log
