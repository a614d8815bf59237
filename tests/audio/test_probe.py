import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxkeep.audio.errors import AudioError, UnreadableAudio
from voxkeep.audio.ogg import crc32_ogg
from voxkeep.audio.probe import AudioFacts, probe

Samples = np.ndarray[Any, np.dtype[np.int16]]
Encode = Callable[..., bytes]

WAV_CODECS = ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_alaw", "pcm_mulaw"]
MAGICS = [
    b"",
    b"RIFF\xff\xff\xff\xffWAVEfmt ",
    b"OggS\0\2",
    b"fLaC\0\0\0\x22",
    b"ID3\4\0\0\0\0\0\0",
    b"\xff\xfb\x90\x64",
]


@pytest.mark.parametrize("codec", WAV_CODECS)
def test_every_kind_of_wav_is_told_with_its_exact_length(encoded: Encode, speech: Samples, codec: str) -> None:
    assert probe(encoded(speech, "wav", codec)) == AudioFacts("wav", codec, 1, 8_000, 40_000)


@pytest.mark.parametrize(
    ("container", "codec", "told"),
    [("mp3", "libmp3lame", "mp3"), ("ogg", "libopus", "opus"), ("flac", "flac", "flac"), ("ogg", "flac", "flac")],
)
def test_compressed_audio_is_told_with_its_exact_length(
    encoded: Encode, speech: Samples, container: str, codec: str, told: str
) -> None:
    assert probe(encoded(speech, container, codec)) == AudioFacts(container, told, 1, 8_000, 40_000)


def test_vorbis_is_readable(encoded: Encode, speech: Samples) -> None:
    facts = probe(encoded(np.repeat(speech, 2, axis=0), "ogg", "vorbis", strict="experimental"))
    assert (facts.container, facts.codec, facts.channels, facts.sample_rate) == ("ogg", "vorbis", 2, 8_000)
    assert abs(facts.samples - 40_000) <= 512  # FFmpeg's own Vorbis encoder does not trim its last block


@pytest.mark.parametrize("samples", [1, 7, 428, 429, 480, 12_345])
def test_opus_is_counted_at_the_rate_it_was_recorded_in_without_pre_skip(
    encoded: Encode, speech: Samples, samples: int
) -> None:
    facts = probe(encoded(speech[:, :samples], "ogg", "libopus"))
    assert (facts.sample_rate, facts.samples) == (8_000, samples)


def test_an_opus_header_without_a_rate_counts_at_48_khz(encoded: Encode, speech: Samples) -> None:
    opus = encoded(speech, "ogg", "libopus")
    page, rest = opus[: opus.index(b"OggS", 4)], opus[opus.index(b"OggS", 4) :]
    blank = page[:22] + bytes(4) + page[26:40] + bytes(4) + page[44:]
    facts = probe(blank[:22] + crc32_ogg(blank).to_bytes(4, "little") + blank[26:] + rest)
    assert (facts.sample_rate, facts.samples) == (48_000, 240_000)


def test_an_ogg_with_a_damaged_header_is_unreadable_not_empty(encoded: Encode, speech: Samples) -> None:
    opus = bytearray(encoded(speech, "ogg", "libopus"))
    opus[40] ^= 1
    with pytest.raises(UnreadableAudio, match="page 0 is damaged"):
        probe(bytes(opus))


def test_duration_is_rounded_to_the_millisecond() -> None:
    assert AudioFacts("wav", "pcm_s16le", 1, 8_000, 80_123).duration_ms == 10_015
    assert AudioFacts("wav", "pcm_s16le", 1, 8_000, 80_125).duration_ms == 10_016


def test_stereo_at_any_rate_is_told(wav_of: Encode, speech: Samples) -> None:
    stereo = np.repeat(speech, 2, axis=0)
    assert probe(wav_of(stereo, 44_100)) == AudioFacts("wav", "pcm_s16le", 2, 44_100, 40_000)


def test_bytes_paths_and_files_are_the_same_to_it(wav_of: Encode, speech: Samples, tmp_path: Path) -> None:
    content = wav_of(speech)
    path = tmp_path / "named-like-nothing.json"
    path.write_bytes(content)
    file = io.BytesIO(content)
    file.seek(100)
    assert probe(content) == probe(path) == probe(file)
    assert not file.closed


def test_a_file_of_no_bytes_is_readable_and_empty() -> None:
    facts = probe(b"")
    assert (facts.container, facts.codec, facts.samples, facts.duration_ms) == ("none", "none", 0, 0)


def test_a_wav_header_without_data_is_readable_and_empty(wav_of: Encode, speech: Samples) -> None:
    assert probe(wav_of(speech[:, :0])) == AudioFacts("wav", "pcm_s16le", 1, 8_000, 0)


@pytest.mark.parametrize(
    ("container", "codec", "told", "rate"),
    [("ogg", "libopus", "opus", 8_000), ("ogg", "vorbis", "vorbis", 16_000), ("flac", "flac", "flac", 8_000)],
)
def test_a_header_cut_off_before_any_audio_is_readable_and_empty(
    encoded: Encode, speech: Samples, container: str, codec: str, told: str, rate: int
) -> None:
    stereo = np.repeat(speech, 2, axis=0)
    content = encoded(stereo, container, codec, rate, strict="experimental")
    cut = content[: content.index(b"OggS", 4)] if container == "ogg" else content[:42]
    assert probe(cut) == AudioFacts(container, told, 2, rate, 0)


@pytest.mark.parametrize(
    "content",
    [
        b'{"error": "token expired", "status": 401}',
        b"<!doctype html><html><body>Sign in</body></html>",
        b"\xff\xfe<\0h\0t\0m\0l\0",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n",
        b"ffconcat version 1.0\nfile /etc/hostname\n",
        b"RIFF\x24\0\0\0AVI LIST",
        b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0",
        b"OggS",
        b"fLaC",
        b"ID3\4\0\0\0\0\0\0",
        b"\xff\xfb\x90\x64" + bytes(100),
        bytes(range(256)) * 64,
    ],
)
def test_what_is_not_audio_is_unreadable_with_a_reason(content: bytes) -> None:
    with pytest.raises(UnreadableAudio) as caught:
        probe(content)
    assert isinstance(caught.value, AudioError)
    assert caught.value.reason


@pytest.mark.parametrize("rate", [10, 2_000_000_000])
def test_a_wav_of_absurd_rate_is_unreadable(wav_of: Encode, speech: Samples, rate: int) -> None:
    content = wav_of(speech)
    with pytest.raises(UnreadableAudio, match=f"1 channels at {rate} Hz"):
        probe(content[:24] + rate.to_bytes(4, "little") + content[28:])


def test_damage_in_the_middle_costs_only_its_own_packets(encoded: Encode, speech: Samples) -> None:
    content = bytearray(encoded(speech, "mp3", "libmp3lame"))
    middle = len(content) // 2
    content[middle : middle + 40] = b"\xa5" * 40
    assert 30_000 < probe(bytes(content)).samples <= 41_000


def test_joined_recordings_of_different_shapes_count_as_one(encoded: Encode, speech: Samples) -> None:
    mono = encoded(speech, "mp3", "libmp3lame", write_xing="0", id3v2_version="0")
    stereo = encoded(np.repeat(speech, 2, axis=0), "mp3", "libmp3lame", 16_000)
    facts = probe(mono + stereo)
    assert (facts.channels, facts.sample_rate) == (1, 8_000)
    assert abs(facts.samples - 60_000) < 4_000


def test_a_title_in_an_unknown_encoding_does_no_harm(wav_of: Encode, speech: Samples) -> None:
    content, title = wav_of(speech), b"LIST\x10\0\0\0INFOINAM\x04\0\0\0\xff\xfe\xfd\0"
    assert probe(content[:36] + title + content[36:]).samples == 40_000


def test_a_fault_of_the_file_underneath_stays_what_it_is(wav_of: Encode, speech: Samples) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 20_000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(OSError, match="Input/output error") as caught:
        probe(Failing(wav_of(speech)))
    assert type(caught.value) is OSError


@settings(max_examples=200, deadline=None)
@given(magic=st.sampled_from(MAGICS), rest=st.binary(max_size=2_000))
def test_any_bytes_are_audio_or_unreadable(magic: bytes, rest: bytes) -> None:
    try:
        assert probe(magic + rest).samples >= 0
    except UnreadableAudio as error:
        assert error.reason  # noqa: PT017 - either outcome is right, anything else raised is not


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_audio_is_audio_or_unreadable(encoded: Encode, speech: Samples, data: st.DataObject) -> None:
    container, codec = data.draw(
        st.sampled_from([("wav", "pcm_mulaw"), ("mp3", "libmp3lame"), ("ogg", "libopus"), ("flac", "flac")])
    )
    content = bytearray(encoded(speech[:, 8_000:10_000], container, codec))
    places = st.one_of(st.integers(0, min(127, len(content) - 1)), st.integers(0, len(content) - 1))
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=6)):
        content[place] = value
    try:
        assert probe(bytes(content)).samples >= 0
    except UnreadableAudio as error:
        assert error.reason  # noqa: PT017 - either outcome is right, anything else raised is not


def test_damaged_audio_writes_nothing_to_the_terminal(
    encoded: Encode, speech: Samples, capfd: pytest.CaptureFixture[str]
) -> None:
    for container, codec in (("mp3", "libmp3lame"), ("ogg", "libopus"), ("flac", "flac")):
        content = bytearray(encoded(speech, container, codec))
        content[2_000:2_050] = b"\xa5" * 50
        probe(bytes(content))
    with pytest.raises(UnreadableAudio):
        probe(b"ID3" + bytes(range(256)))
    assert capfd.readouterr() == ("", "")


def test_naming_the_room_loads_no_codec() -> None:
    names = "errors, health, ogg, peaks, probe, render"
    code = f"import sys; from voxkeep.audio import {names}; sys.exit(bool({{'av', 'numpy'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
