"""Whether a GET asks for the document or the media: Kazoo's rules, and what is taken more generously."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.vendors.kazoo.accept import Want, by_preference, wanted

BROWSER = b"text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
MONSTER = b"application/json, text/javascript, */*; q=0.01"
PLAYER = b"audio/webm,audio/ogg,audio/wav,audio/*;q=0.9,application/ogg;q=0.7,video/*;q=0.6,*/*;q=0.5"


@pytest.mark.parametrize(
    ("parameter", "header", "want"),
    [
        (None, None, Want.DOCUMENT),
        (None, b"", Want.DOCUMENT),
        (None, b"*/*", Want.DOCUMENT),
        (None, b"application/json", Want.DOCUMENT),
        (None, b"application/x-json", Want.DOCUMENT),
        (None, MONSTER, Want.DOCUMENT),
        (None, BROWSER, Want.DOCUMENT),
        (None, b"audio/mpeg", Want.MEDIA),
        (None, b"audio/mp3", Want.MEDIA),
        (None, b"AUDIO/MPEG", Want.MEDIA),
        (None, b"audio/*", Want.MEDIA),
        (None, b"audio/wav", Want.WAV),
        (None, b"audio/x-wav", Want.WAV),
        (None, PLAYER, Want.WAV),
        # of equal weights the last one written wins
        (None, b"audio/mpeg, application/json", Want.DOCUMENT),
        (None, b"application/json, audio/mpeg", Want.MEDIA),
        (None, b"application/json;q=0.5, audio/mpeg;q=0.6", Want.MEDIA),
        (None, b"audio/mpeg;q=0.4, application/json", Want.DOCUMENT),
        (None, b"audio/mpeg;q=0, */*;q=0.1", Want.DOCUMENT),
        (None, b"text/html", Want.NOTHING),
        (None, b"audio/mpeg;q=0", Want.NOTHING),
        ("audio/mpeg", None, Want.MEDIA),
        ("audio/mpeg", b"application/json", Want.MEDIA),
        ("audio/wav", b"application/json", Want.WAV),
        ("application/json", b"audio/mpeg", Want.DOCUMENT),
        # a parameter that means nothing leaves it to the header
        ("nonsense", b"audio/mpeg", Want.MEDIA),
        ("nonsense", None, Want.DOCUMENT),
        ("", b"audio/mpeg", Want.MEDIA),
    ],
)
def test_the_parameter_beats_the_header_and_the_heaviest_last_written_wins(
    parameter: str | None, header: bytes | None, want: Want
) -> None:
    assert wanted(parameter, header) is want


@given(parameter=st.none() | st.text(), header=st.none() | st.binary())
def test_anything_is_understood_as_something(parameter: str | None, header: bytes | None) -> None:
    assert wanted(parameter, header) in Want


@given(st.lists(st.tuples(st.sampled_from(["audio/mpeg", "text/csv", "a/b"]), st.integers(0, 1000)), max_size=6))
def test_media_ranges_come_by_weight_and_then_from_the_last_to_the_first(asked: list[tuple[str, int]]) -> None:
    header = ", ".join(f"{kind};q={weight / 1000:.3f}" for kind, weight in asked)
    expected = [
        kind
        for _, _, kind in sorted(((weight, place, kind) for place, (kind, weight) in enumerate(asked)), reverse=True)
    ]
    refused = sum(1 for _, weight in asked if not weight)
    assert list(by_preference(header)) == expected[: len(expected) - refused]
