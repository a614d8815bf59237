import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxkeep.audio.errors import BrokenOgg
from voxkeep.audio.ogg import OggFacts, crc32_ogg, verify_ogg_opus
from voxkeep.audio.render import Form, render

Samples = np.ndarray[Any, np.dtype[np.int16]]
Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def opus(wav_of: Encode, speech: Samples) -> bytes:
    target = io.BytesIO()
    render(wav_of(speech), Form.OPUS, target)
    return target.getvalue()


def pages_of(content: bytes) -> list[bytes]:
    starts = [at for at in range(len(content)) if content.startswith(b"OggS\0", at)]
    return [content[start:end] for start, end in zip(starts, [*starts[1:], len(content)], strict=True)]


def sealed(page: bytes) -> bytes:
    """Give a page a right checksum, so that only the altered field can be what is found."""
    blank = page[:22] + bytes(4) + page[26:]
    return blank[:22] + struct.pack("<I", crc32_ogg(blank)) + blank[26:]


def altered(page: bytes, at: int, field: bytes) -> bytes:
    return sealed(page[:at] + field + page[at + len(field) :])


def slow_crc(data: bytes) -> int:
    """RFC 3533's checksum, bit by bit."""
    register = 0
    for byte in data:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1 ^ (0x04C1_1DB7 if register & 0x8000_0000 else 0)) & 0xFFFF_FFFF
    return register


@given(st.binary(max_size=300))
def test_the_fast_checksum_is_the_standard_one(data: bytes) -> None:
    assert crc32_ogg(data) == slow_crc(data)


def test_the_checksum_of_a_known_text_is_known() -> None:
    assert crc32_ogg(b"123456789") == 0x89A1_897F


def test_a_whole_file_is_described(opus: bytes) -> None:
    facts = verify_ogg_opus(opus)
    assert facts == OggFacts(
        serial=0,
        channels=1,
        pre_skip=312,
        input_rate=8_000,
        granule=240_312,
        pages=len(pages_of(opus)),
        packets=2 + 84,  # two headers, then 5 s and the encoder's delay in packets of 60 ms
        size_bytes=len(opus),
    )
    assert facts.duration_ms == 5_000


def test_bytes_paths_and_files_are_the_same_to_it(opus: bytes, tmp_path: Path) -> None:
    path = tmp_path / "call.ogg"
    path.write_bytes(opus)
    with path.open("rb") as file:
        file.seek(7)
        assert verify_ogg_opus(file) == verify_ogg_opus(path) == verify_ogg_opus(opus)


def test_stereo_and_other_serials_are_described(encoded: Encode, speech: Samples) -> None:
    content = encoded(np.repeat(speech, 2, axis=0), "ogg", "libopus", 48_000)
    facts = verify_ogg_opus(content)
    assert (facts.channels, facts.input_rate) == (2, 48_000)
    assert facts.serial == int.from_bytes(content[14:18], "little")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no bytes"),
        (b'{"error": "rate limit exceeded"}', "not an Ogg file"),
        (b"<!doctype html>", "not an Ogg file"),
        (b"OggS\0\2", "cut short"),
        (b"Og", "cut short"),
        (b"RIFF" + bytes(100), "not an Ogg file"),
    ],
)
def test_what_is_not_ogg_is_told(content: bytes, reason: str) -> None:
    with pytest.raises(BrokenOgg, match=reason):
        verify_ogg_opus(content)


def test_another_codec_in_ogg_is_told(encoded: Encode, speech: Samples) -> None:
    with pytest.raises(BrokenOgg, match="no OpusHead"):
        verify_ogg_opus(encoded(speech, "ogg", "flac"))


def test_every_lost_page_is_noticed(opus: bytes) -> None:
    pages = pages_of(opus)
    for lost in range(len(pages)):
        with pytest.raises(BrokenOgg):
            verify_ogg_opus(b"".join(pages[:lost] + pages[lost + 1 :]))


def test_a_gap_in_the_sequence_is_named(opus: bytes) -> None:
    pages = pages_of(opus)
    with pytest.raises(BrokenOgg, match="page 3 carries sequence number 4 after 2"):
        verify_ogg_opus(b"".join(pages[:3] + pages[4:]))


def test_a_download_that_stopped_between_pages_is_noticed(opus: bytes) -> None:
    with pytest.raises(BrokenOgg, match="end-of-stream"):
        verify_ogg_opus(b"".join(pages_of(opus)[:-1]))


@pytest.mark.parametrize("garbage", [b"\0", b"OggS", b"\r\n", b"Og", b"{}" * 40])
def test_bytes_after_the_end_are_noticed(opus: bytes, garbage: bytes) -> None:
    with pytest.raises(BrokenOgg):
        verify_ogg_opus(opus + garbage)


def test_a_second_stream_after_the_end_is_noticed(opus: bytes) -> None:
    with pytest.raises(BrokenOgg, match="the stream ends with page"):
        verify_ogg_opus(opus + opus)


ALTERATIONS = [
    (0, 5, b"\0", "does not begin the stream"),
    (0, 4, b"\1", "unknown version"),
    (0, 28 + 8, b"\x10", "OpusHead of version 16"),
    (0, 28 + 9, b"\0", "with 0 channels"),
    (1, 28, b"OpusTalk", "no OpusTags"),
    (2, 14, b"\x07", "begins another stream"),
    (2, 5, b"\2", "begins another stream"),
    (3, 6, struct.pack("<q", 5), "goes back in time"),
]


@pytest.mark.parametrize(("number", "at", "field", "reason"), ALTERATIONS)
def test_a_page_that_says_something_wrong_is_named(
    opus: bytes, number: int, at: int, field: bytes, reason: str
) -> None:
    pages = pages_of(opus)
    pages[number] = altered(pages[number], at, field)
    with pytest.raises(BrokenOgg, match=reason):
        verify_ogg_opus(b"".join(pages))


def test_a_page_on_which_no_packet_ends_has_no_time(opus: bytes) -> None:
    pages = pages_of(opus)
    pages[2] = altered(pages[2], 6, struct.pack("<q", -1))
    assert verify_ogg_opus(b"".join(pages)).duration_ms == 5_000


def test_audio_shorter_than_its_pre_skip_lasts_no_time(opus: bytes) -> None:
    pages = pages_of(opus)[:3]
    pages[2] = altered(pages[2], 5, b"\4" + struct.pack("<q", 100))
    assert verify_ogg_opus(b"".join(pages)).duration_ms == 0


@settings(max_examples=300)
@given(data=st.data())
def test_any_altered_byte_is_noticed(opus: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(opus) - 1))
    mask = data.draw(st.integers(1, 255))
    with pytest.raises(BrokenOgg):
        verify_ogg_opus(opus[:at] + bytes([opus[at] ^ mask]) + opus[at + 1 :])


@given(data=st.data())
def test_any_cut_is_noticed(opus: bytes, data: st.DataObject) -> None:
    with pytest.raises(BrokenOgg):
        verify_ogg_opus(opus[: data.draw(st.integers(0, len(opus) - 1))])


@given(head=st.sampled_from([b"", b"OggS", b"OggS\0\2" + bytes(20), b"OggS\0\6" + bytes(20) + b"\1"]), rest=st.binary())
def test_any_bytes_are_whole_or_broken(head: bytes, rest: bytes) -> None:
    try:
        assert verify_ogg_opus(head + rest).size_bytes == len(head + rest)
    except BrokenOgg as error:
        assert error.reason  # noqa: PT017 - either outcome is right, anything else raised is not


@given(data=st.data())
def test_pages_of_any_content_are_whole_or_broken(opus: bytes, data: st.DataObject) -> None:
    pages = pages_of(opus)
    for number in data.draw(st.lists(st.integers(0, len(pages) - 1), max_size=4)):
        at = data.draw(st.integers(4, len(pages[number]) - 1))
        pages[number] = altered(pages[number], at, data.draw(st.binary(min_size=1, max_size=1)))
    try:
        assert verify_ogg_opus(b"".join(pages)).pages == len(pages)
    except BrokenOgg as error:
        assert error.reason  # noqa: PT017 - either outcome is right, anything else raised is not
