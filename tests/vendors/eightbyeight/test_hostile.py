"""What no client should send, put on the wire byte by byte: never a 500, always the one shape of errors."""

import re
import socket
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.server.harness import Answer, DemoProcess, exchange, parsed
from tests.vendors.eightbyeight.harness import BASE, asked_at, basic, refusal

PARSERS_OWN = b"Invalid HTTP request received."
"""What the HTTP parser itself refuses stays the server's own 400, and a head that is too long its 431."""

# Bytes that may stand in a request target without ending it; all others have to be escaped.
TARGET_BYTES = bytes(byte for byte in range(0x21, 0x7F) if byte not in b"#")
SEGMENTS = st.one_of(
    st.sampled_from(
        ["..", ".", "", "%2e%2e", "%2E.", "..%2f..", "%252e%252e", "%00", "%0d%0a", "%", "%zz", "%ff", "a%5c..%5cb"]
    ),
    st.text(max_size=20).map(lambda text: quote(text, safe="")),
    st.text(st.sampled_from(TARGET_BYTES.decode()), max_size=20),
    st.sampled_from(["files", "transcripts", "files.csv", "files.", ".xml", "S20071220", "R200712200316361000.wav"]),
)
QUERIES = st.one_of(
    st.text(st.sampled_from(TARGET_BYTES.decode()), max_size=40),
    st.lists(
        st.tuples(
            st.sampled_from(["d", "tz", "n", "start-date", "channel", "metaData_fieldName", "x"]),
            st.text(max_size=20).map(lambda text: quote(text, safe="")),
        ),
        max_size=4,
    ).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)),
    st.sampled_from(["d=%00&n=%ff", "tz=%0d%0a", "&&&", "=", "%", "n", "d=today-99999d"]),
)
VALUES = st.binary(max_size=40).map(lambda value: re.sub(rb"[\r\n\x00]", b"", value))
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [b"Range", b"If-Range", b"If-None-Match", b"Host", b"Authorization", b"Content-Type", b"Accept", b"Cookie"]
        ),
        VALUES
        | st.sampled_from([b"bytes=0-", b"bytes=-1,-1", b"bytes=" + b"0-0," * 200, b"Basic \xff", b"Basic Og==", b"*"]),
    ),
    max_size=3,
)


def sent(demo: DemoProcess, target: str, *headers: tuple[bytes, bytes], method: str = "GET") -> Answer:
    """Send a request whose target and headers go out as they are."""
    lines = [f"{method} {target} HTTP/1.1".encode("latin-1")]
    names = {name.lower() for name, _ in headers}
    if b"host" not in names:
        lines.append(b"Host: localhost")
    if b"authorization" not in names:
        lines.append(b"Authorization: " + basic(demo.document["8x8"]["token"]).encode())
    lines += [name + b": " + value for name, value in headers]
    return parsed(exchange(demo.port, b"\r\n".join([*lines, b"Connection: close", b"", b""])), method)


def check(answer: Answer, method: str = "GET") -> None:
    """Check an answer to be a success or a refusal in the dialect's shape, or the parser's own."""
    assert answer.status in (200, 204, 206, 304, 400, 401, 403, 404, 405, 414, 416, 431), answer
    if answer.status >= 400 and answer.status not in (416, 431) and answer.body != PARSERS_OWN and method != "HEAD":
        refusal(answer, answer.status)


@pytest.fixture(scope="session")
def real_audio(demo: DemoProcess) -> str:
    (first, *_) = asked_at(demo, "files.json").json["recordings"]["file"]
    return f"{BASE}/files/{first['filename']}"


@pytest.fixture(scope="session")
def real_chat(demo: DemoProcess) -> str:
    (first, *_) = asked_at(demo, "transcripts.json").json["recordings"]["transcript"]
    return f"{BASE}/transcripts/{first['interactionGUID']}"


@settings(max_examples=150)
@given(segments=st.lists(SEGMENTS, max_size=5), query=QUERIES)
@example(segments=["files", "", "x"], query="")
@example(segments=["transcripts"] * 5, query="d=%E2%80%AE&n=\\")
def test_any_path_and_query_gets_the_dialects_own_answer(demo: DemoProcess, segments: list[str], query: str) -> None:
    check(sent(demo, f"{BASE}/{'/'.join(segments)}?{query}"))


@settings(max_examples=100)
@given(
    resource=st.sampled_from(["files", "transcripts"]),
    names=st.lists(SEGMENTS, min_size=1, max_size=2),
    method=st.sampled_from(["GET", "HEAD", "DELETE", "POST", "PATCH"]),
    headers=HEADERS,
)
def test_any_names_methods_and_headers_get_the_dialects_own_answer(
    demo: DemoProcess, resource: str, names: list[str], method: str, headers: list[tuple[bytes, bytes]]
) -> None:
    check(sent(demo, f"{BASE}/{resource}/{'/'.join(names)}", *headers, method=method), method)


@settings(max_examples=100)
@given(headers=HEADERS, which=st.integers(0, 2))
def test_any_headers_on_real_targets_get_an_answer(
    demo: DemoProcess, real_audio: str, real_chat: str, headers: list[tuple[bytes, bytes]], which: int
) -> None:
    check(sent(demo, (real_audio, real_chat, f"{BASE}/files.csv")[which], *headers))


@pytest.mark.parametrize(
    "path",
    [
        "files/../files", "files/%2e%2e/files", "files/..%2f..%2fetc%2fpasswd", "files/S20071220/%252e%252e%252fetc",
        "files/..%5c..%5c/R1.wav", "transcripts/%00", "transcripts/x%0d%0aX-Injected:%20yes", "transcripts/%ff%fe",
        "files/S20071220/%7f",
    ],
)  # fmt: skip
def test_climbing_control_characters_and_broken_text_in_a_path_are_400(demo: DemoProcess, path: str) -> None:
    for method in ("GET", "DELETE"):
        answer = sent(demo, f"{BASE}/{path}", method=method)
        assert "path" in refusal(answer, 400)
        assert "x-injected" not in answer.headers


@pytest.mark.parametrize("query", ["d=%00", "x=%ff", "agentID=a%00"])
def test_a_nul_or_broken_text_in_a_query_is_400(demo: DemoProcess, query: str) -> None:
    assert "query" in refusal(sent(demo, f"{BASE}/files?{query}"), 400)


def test_a_path_over_eight_kilobytes_is_400(demo: DemoProcess) -> None:
    assert "8192" in refusal(sent(demo, f"{BASE}/transcripts/{'x' * 9000}"), 400)
    refusal(sent(demo, f"{BASE}/transcripts/{'x' * 8000}"), 404)


def test_a_query_of_many_variables_is_answered(demo: DemoProcess) -> None:
    assert sent(demo, f"{BASE}/files?" + "&".join(f"p{n}={n}" for n in range(2_000))).status == 200
    assert sent(demo, f"{BASE}/files?" + "&".join(f"agentID={n}" for n in range(2_000))).status == 200


def test_digits_without_end_are_no_name_number_or_date(demo: DemoProcess) -> None:
    digits = "9" * 4_000
    refusal(sent(demo, f"{BASE}/files/S20071220/R{digits}.wav"), 404)
    for name in ("n", "d", "start-date", "finish-date"):
        assert refusal(sent(demo, f"{BASE}/files?{name}={digits}"), 400).startswith(name)
    for name in ("duration", "caseID", "transactionID"):
        assert sent(demo, f"{BASE}/files.json?{name}={digits}").json == {"recordings": {"file": []}}


def test_credentials_of_a_megabyte_do_no_harm(demo: DemoProcess) -> None:
    for count in (10_000, 250_000):
        answer = sent(demo, f"{BASE}/files", (b"Authorization", b"Basic " + b"QTpB" * count))
        check(answer)
        assert answer.status in (401, 431)


def test_a_client_that_asks_and_leaves_does_no_harm(demo: DemoProcess, real_audio: str, real_chat: str) -> None:
    authorization = basic(demo.document["8x8"]["token"]).encode()
    for target in (real_audio, real_chat, f"{BASE}/files"):
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", demo.port)) as connection:
                head = f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: ".encode() + authorization + b"\r\n\r\n"
                connection.sendall(head)
    assert sent(demo, f"{BASE}/files").status == 200


def test_nothing_of_this_left_a_fault_or_a_secret_in_the_log(demo: DemoProcess) -> None:
    log = demo.log.read_text()
    assert "Traceback" not in log
    assert "a request failed" not in log
    for secret in (demo.document["8x8"]["token"], basic(demo.document["8x8"]["token"])):
        assert secret not in log
