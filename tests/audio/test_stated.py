"""Cut files are told from whole ones by what they say themselves, without metadata."""

import contextlib
import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxkeep.audio import ogg
from voxkeep.audio.errors import UnreadableAudio
from voxkeep.audio.health import Health, examine
from voxkeep.audio.probe import AudioFacts, probe
from voxkeep.audio.stated import stated_samples

Samples = np.ndarray[Any, np.dtype[np.int16]]
Encode = Callable[..., bytes]

KINDS = [
    ("wav", "pcm_s16le"),
    ("wav", "pcm_s24le"),
    ("wav", "pcm_mulaw"),
    ("wav", "pcm_alaw"),
    ("flac", "flac"),
    ("mp3", "libmp3lame"),
    ("ogg", "libopus"),
    ("ogg", "flac"),
]
DATA_SIZE = 40
"""Where `wav_of` states the size of its data."""


def is_short(content: bytes) -> bool:
    return Health.SHORT in examine(content).health


def said(content: bytes) -> int | None:
    return stated_samples(io.BytesIO(content), probe(content))


def claiming(wav: bytes, size: int) -> bytes:
    return wav[:DATA_SIZE] + struct.pack("<I", size) + wav[DATA_SIZE + 4 :]


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_whole_file_of_any_kind_and_length_is_not_short(
    encoded: Encode, speech: Samples, data: st.DataObject
) -> None:
    container, codec = data.draw(st.sampled_from(KINDS))
    rate = data.draw(st.sampled_from([8_000, 16_000, 48_000] + [44_100] * (codec != "libopus")))
    channels, samples = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 40_000))
    content = encoded(np.repeat(speech[:, :samples], channels, axis=0), container, codec, rate)
    assert not is_short(content)
    if container == "flac":
        assert said(content) == samples


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_file_of_any_kind_cut_to_less_than_nine_tenths_is_short(
    encoded: Encode, speech: Samples, data: st.DataObject
) -> None:
    container, codec = data.draw(st.sampled_from(KINDS))
    channels = data.draw(st.integers(1, 2))
    content = encoded(np.repeat(speech, channels, axis=0), container, codec)
    cut = content[: data.draw(st.integers(1_000, len(content) * 9 // 10))]
    if (container, codec) == ("ogg", "flac") and cut.count(b"OggS") < 4:  # no page of audio is whole
        with contextlib.suppress(UnreadableAudio):
            assert is_short(cut)
    else:
        assert is_short(cut)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_an_ogg_file_that_lost_any_bytes_of_its_end_is_short(
    encoded: Encode, speech: Samples, data: st.DataObject
) -> None:
    content = encoded(speech[:, :8_000], "ogg", data.draw(st.sampled_from(["libopus", "flac"])))
    file = io.BytesIO(content[: data.draw(st.integers(0, len(content) - 1))])
    assert ogg.is_cut(file)
    assert not ogg.is_cut(io.BytesIO(content))


def test_the_demo_clips_are_not_short(clips: Path) -> None:
    paths = [path for path in clips.iterdir() if path.suffix in {".wav", ".ogg", ".mp3", ".flac"}]
    assert paths
    assert [path.name for path in paths if Health.SHORT in examine(path).health] == []


def test_an_ogg_without_its_last_page_is_short_however_little_is_missing(encoded: Encode, speech: Samples) -> None:
    content = encoded(speech, "ogg", "libopus", page_duration="100000")
    assert is_short(content[: content.rindex(b"OggS")])
    assert is_short(content[:-1])


@pytest.mark.parametrize(("rest", "cut"), [(b"", False), (b"\0" * 300, False), (b"TAG", False), (b"OggS\0\2", True)])
def test_what_stands_behind_an_oggs_end_matters_only_when_it_begins_a_page(
    encoded: Encode, speech: Samples, rest: bytes, *, cut: bool
) -> None:
    assert ogg.is_cut(io.BytesIO(encoded(speech, "ogg", "libopus") + rest)) is cut


def test_chained_oggs_are_cut_when_the_last_one_is(encoded: Encode, speech: Samples) -> None:
    first, second = encoded(speech, "ogg", "libopus"), encoded(speech[:, :16_000], "ogg", "libopus")
    assert not ogg.is_cut(io.BytesIO(first + second))
    assert ogg.is_cut(io.BytesIO(first + second[:-40]))


def test_a_page_that_holds_the_capture_pattern_is_still_read() -> None:
    body = b"OggS" * 20
    page = b"OggS\0\4" + bytes(20) + bytes([1, len(body)]) + body
    sealed = page[:22] + struct.pack("<I", ogg.crc32_ogg(page)) + page[26:]
    assert not ogg.is_cut(io.BytesIO(sealed))
    assert ogg.is_cut(io.BytesIO(sealed[:-1]))


def test_a_long_tail_of_capture_patterns_is_given_up() -> None:
    assert ogg.is_cut(io.BytesIO(b"OggS" * 50_000))


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF, 0x8000_0000, 0x7FFF_FFFF, 0x7FFF_F024])
def test_a_streamed_wav_that_never_learned_its_size_is_not_short(wav_of: Encode, speech: Samples, size: int) -> None:
    content = claiming(wav_of(speech), size)
    assert examine(content).health == Health(0)
    assert said(content) is None


def test_a_wav_short_by_less_than_200_ms_is_not_short(wav_of: Encode, speech: Samples) -> None:
    content = wav_of(speech)
    assert not is_short(content[:-3_200])
    assert is_short(content[:-3_216])


def test_a_wav_with_odd_and_unknown_chunks_before_its_data_is_read(wav_of: Encode, speech: Samples) -> None:
    content = wav_of(speech)
    content = content[:36] + b"junk\x03\0\0\0abc\0" + content[36:]
    assert not is_short(content)
    assert is_short(content[: len(content) // 2])


def test_a_wav_that_ends_with_its_header_is_short_of_what_it_states(wav_of: Encode, speech: Samples) -> None:
    assert examine(wav_of(speech)[:44]).health == Health.EMPTY | Health.HEADER_ONLY | Health.SHORT
    assert said(wav_of(speech)[:44]) == 40_000


@pytest.mark.parametrize(("size", "told"), [(80_000, 40_000), (0, None)])
def test_the_long_size_of_an_rf64_is_read(wav_of: Encode, speech: Samples, size: int, told: int | None) -> None:
    content = claiming(wav_of(speech), 0xFFFF_FFFF)
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, 80_072, size, 40_000, 0)
    whole = b"RF64\xff\xff\xff\xffWAVE" + ds64 + content[12:]
    assert not is_short(whole)
    assert said(whole[:-40_000]) == told
    assert is_short(whole[:-40_000]) is (told is not None)


def test_a_flac_of_unknown_length_is_not_short(encoded: Encode, speech: Samples) -> None:
    content = encoded(speech, "flac", "flac")
    blank = content[:21] + bytes([content[21] & 0xF0]) + bytes(4) + content[26:]
    assert said(blank) is None
    assert not is_short(blank[: len(blank) // 2])


def test_an_mp3_without_a_frame_count_is_not_short(encoded: Encode, speech: Samples) -> None:
    content = encoded(speech, "mp3", "libmp3lame")
    at = content.index(b"Info") if b"Info" in content else content.index(b"Xing")
    nameless, countless = content[:at] + bytes(4) + content[at + 4 :], content[: at + 4] + bytes(4) + content[at + 8 :]
    for uncounted in (nameless, countless):
        assert said(uncounted) is None
        assert not is_short(uncounted[: len(uncounted) // 2])


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (22_050, 2), (44_100, 1), (48_000, 2)])
def test_an_mp3_of_every_version_tells_its_exact_length(
    encoded: Encode, speech: Samples, rate: int, channels: int
) -> None:
    content = encoded(np.repeat(speech, channels, axis=0), "mp3", "libmp3lame", rate)
    assert said(content) == 40_000
    assert said(content[content.index(b"\xff", 10) :]) == 40_000, "also without a tag before it"


def test_the_frame_count_of_a_vbri_header_is_read() -> None:
    frame = b"\xff\xfb\x90\x64" + bytes(32) + b"VBRI" + bytes(10) + struct.pack(">I", 100) + bytes(400)
    facts = AudioFacts("mp3", "mp3", 2, 44_100, 1)
    assert stated_samples(io.BytesIO(frame), facts) == 115_200


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_never_raises_anything_else(encoded: Encode, speech: Samples, data: st.DataObject) -> None:
    container, codec = data.draw(st.sampled_from(KINDS))
    content = bytearray(encoded(speech[:, 8_000:10_000], container, codec))
    places = st.integers(0, min(255, len(content) - 1))
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        content[place] = value
    try:
        examine(bytes(content[: data.draw(st.integers(0, len(content)))]))
    except UnreadableAudio as error:
        assert "Errno" not in error.reason  # noqa: PT017 - either outcome is right, anything else raised is not


@settings(max_examples=200)
@given(
    head=st.sampled_from([b"RIFF\0\0\0\0WAVE", b"RF64\0\0\0\0WAVEds64", b"fLaC", b"ID3", b"\xff\xfb"]), rest=st.binary()
)
def test_any_header_says_a_length_or_none(head: bytes, rest: bytes) -> None:
    for container in ("wav", "flac", "mp3", "none"):
        told = stated_samples(io.BytesIO(head + rest), AudioFacts(container, "none", 1, 8_000, 10))
        assert told is None or isinstance(told, int)


def test_a_damaged_file_is_told_without_its_name_or_a_number(tmp_path: Path) -> None:
    path = tmp_path / "vault" / "a.part"
    path.parent.mkdir()
    path.write_bytes(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0")
    with pytest.raises(UnreadableAudio) as caught, path.open("rb") as file:
        examine(file)
    assert caught.value.reason == "a damaged wav file: Invalid data found when processing input"
