from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.web.paths import MAX_PATH_BYTES, refuse


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/rest/api/v2/recordings/acme-ns/0190-1.ogg/audio",
        b"/a..b/c",
        b"/a.../b",
        b"/.../b",
        b"/..hidden",
        b"/trailing..",
        b"/v1.2..3/x",
        b"/api/recordings/S20240101/R202401010000009999.wav",
        b"/%C3%A9t%C3%A9/%E6%97%A5",
        b"/a%20b%2Bc",
        b"/100%/zz%zz",
        b"/a%2Fb",
        b"/./a",
    ],
)
def test_an_ordinary_path_passes(path: bytes) -> None:
    assert refuse(path, b"") is None


@pytest.mark.parametrize(
    "path",
    [
        b"/..",
        b"/../etc/passwd",
        b"/a/../b",
        b"/a/..",
        b"/%2e%2e/x",
        b"/%2E./x",
        b"/.%2e/x",
        b"/a/%2e%2e%2fetc",
        b"/a%2f..%2fb",
        b"/a/..\\b",
        b"/a\\..\\b",
        b"/a%5c..%5cb",
        b"/%252e%252e/x",
        b"/%252e%252e%252fx",
    ],
)
def test_a_climbing_path_is_refused(path: bytes) -> None:
    assert refuse(path, b"") == "The path climbs out of its folder"


@pytest.mark.parametrize("path", [b"/a%00", b"/a%0a", b"/a%0D%0A", b"/a%1f", b"/a%7F", b"/a\x00", b"/a\n", b"/%C2%85"])
def test_a_control_character_in_the_path_is_refused(path: bytes) -> None:
    assert refuse(path, b"") == "The path holds a control character"


@pytest.mark.parametrize("path", [b"/%ff", b"/%c3", b"/%c0%ae%c0%ae/", b"/%ed%a0%80", b"/\xff"])
def test_a_path_that_is_not_utf8_is_refused(path: bytes) -> None:
    assert refuse(path, b"") == "The path is not valid UTF-8"


def test_a_path_over_8_kb_is_refused() -> None:
    assert refuse(b"/" + b"a" * (MAX_PATH_BYTES - 1), b"") is None
    reason = refuse(b"/" + b"a" * MAX_PATH_BYTES, b"")
    assert reason is not None
    assert "8192" in reason


@pytest.mark.parametrize("query", [b"a=%00", b"a=\x00", b"a=\n", b"a\x7f=1"])
def test_a_control_character_in_the_query_is_refused(query: bytes) -> None:
    assert refuse(b"/", query) == "The query holds a control character"


def test_a_query_that_is_not_utf8_is_refused() -> None:
    assert refuse(b"/", b"a=%ff") == "The query is not valid UTF-8"


@pytest.mark.parametrize(
    "query", [b"", b"a=../..", b"start=2024-01-01T00:00:00+02:00", b"text=two%0Alines", b"q=%E6%97%A5"]
)
def test_an_ordinary_query_passes(query: bytes) -> None:
    assert refuse(b"/", query) is None


SEGMENT = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/\\%"), min_size=1, max_size=12
).filter(lambda text: text != "..")


@given(st.lists(SEGMENT, max_size=5))
def test_every_encoded_name_without_controls_passes(segments: list[str]) -> None:
    assert refuse(("/" + "/".join(quote(segment) for segment in segments)).encode(), b"") is None


def encoded(draw: st.DrawFn, text: bytes) -> bytes:
    return b"".join(b"%%%02x" % byte if draw(st.booleans()) else bytes([byte]) for byte in text)


@st.composite
def climbing(draw: st.DrawFn) -> bytes:
    before = draw(st.sampled_from([b"/", b"/a/", b"/a/b\\", b"/x.y/"]))
    after = draw(st.sampled_from([b"", b"/", b"/etc", b"\\x"]))
    return b"/" + encoded(draw, before[1:] + b".." + after)


@given(climbing())
def test_no_spelling_of_a_climb_passes(path: bytes) -> None:
    assert refuse(path, b"") is not None


@given(st.integers(0, 31) | st.just(127), st.booleans(), SEGMENT)
def test_no_spelling_of_a_control_character_passes(code: int, escaped: bool, name: str) -> None:  # noqa: FBT001 - drawn
    control = b"%%%02X" % code if escaped else bytes([code])
    assert refuse(b"/" + quote(name).encode() + control, b"") is not None


@given(st.binary(max_size=200), st.binary(max_size=100))
def test_any_bytes_are_answered(path: bytes, query: bytes) -> None:
    reason = refuse(path, query)
    assert reason is None or reason.startswith(("The path", "The query"))
