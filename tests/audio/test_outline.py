"""What a header says of a file: the same as decoding it finds, or nothing."""

import io
import struct
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.audio.errors import AudioError
from voxkeep.audio.outline import outline
from voxkeep.audio.probe import AudioFacts, probe
from voxkeep.audio.render import Form, render


def tone(rate: int = 8_000, channels: int = 1, seconds: float = 1.0) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(bytes(range(256)) * (int(rate * channels * 2 * seconds) // 256))
    return target.getvalue()


def mp3(rate: int = 8_000, channels: int = 1) -> bytes:
    target = io.BytesIO()
    render(tone(rate, channels), Form.MP3, target)
    return target.getvalue()


def mulaw(samples: int = 4_000) -> bytes:
    body = b"\xff" * samples
    fmt = struct.pack("<HHIIHH", 7, 1, 8_000, 8_000, 1, 8)
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", samples) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_header_says_what_decoding_finds(rate: int, channels: int) -> None:
    for data in (tone(rate, channels), mp3(rate, channels)):
        assert outline(io.BytesIO(data), None) == probe(data)


def test_telephone_audio_in_wav_is_known_by_its_header() -> None:
    assert outline(io.BytesIO(mulaw()), None) == probe(mulaw()) == AudioFacts("wav", "pcm_mulaw", 1, 8_000, 4_000)


def test_a_wav_from_a_pipe_goes_on_to_the_end_of_the_file() -> None:
    data = bytearray(mulaw(500))
    at = data.index(b"data") + 4
    data[at : at + 4] = b"\xff\xff\xff\xff"
    found = outline(io.BytesIO(bytes(data)), None)
    assert found is not None
    assert found.samples == 500


def test_mp3_that_does_not_state_its_length_has_the_one_it_was_told_to_have() -> None:
    whole = mp3()
    # without its first frame, which holds the count
    bare = whole[whole.index(b"\xff", 100) :]
    while outline(io.BytesIO(bare), 900) is None:
        bare = bare[1:][bare[1:].index(b"\xff") :]
    found = outline(io.BytesIO(bare), 900)
    assert found is not None
    assert (found.codec, found.sample_rate, found.samples) == ("mp3", 8_000, 7_200)
    assert outline(io.BytesIO(bare), None) is None


@pytest.mark.parametrize("data", [b"", b"RIFF", b"OggS" + b"\0" * 60, b"fLaC" + b"\0" * 60, tone()[:30], b"\xff\xfb"])
def test_of_anything_else_nothing_is_said(data: bytes) -> None:
    assert outline(io.BytesIO(data), 1_000) is None


@given(
    st.binary(max_size=600) | st.binary(max_size=80).map(lambda tail: tone(seconds=0.1)[:44] + tail),
    st.none() | st.integers(),
)
def test_no_bytes_break_it_and_facts_are_sane(data: bytes, told_ms: int | None) -> None:
    found = outline(io.BytesIO(data), told_ms)
    if found is not None:
        assert found.samples >= 0
        assert 1 <= found.channels <= 8
        assert 1_000 <= found.sample_rate <= 768_000


@given(st.integers(0, 60), st.integers(0, 255))
def test_a_damaged_wav_header_never_says_other_than_what_is_decoded(place: int, value: int) -> None:
    data = bytearray(tone(seconds=0.05))
    data[min(place, 43)] = value
    found = outline(io.BytesIO(bytes(data)), None)
    if found is None:
        return
    try:
        decoded = probe(bytes(data))
    except AudioError:
        return  # then it is examined to be unreadable
    assert (found.container, found.channels, found.sample_rate) == (
        decoded.container,
        decoded.channels,
        decoded.sample_rate,
    )
