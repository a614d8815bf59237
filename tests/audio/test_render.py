import io
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxkeep.audio.errors import UnreadableAudio, UnrenderableAudio
from voxkeep.audio.ogg import verify_ogg_opus
from voxkeep.audio.probe import AudioFacts, probe
from voxkeep.audio.render import FORMS, Form, is_form, render, wav_size_bytes

Samples = np.ndarray[Any, np.dtype[np.int16]]
Encode = Callable[..., bytes]

ORIGINALS = [
    ("wav", "pcm_s16le"),
    ("wav", "pcm_s24le"),
    ("wav", "pcm_f32le"),
    ("wav", "pcm_alaw"),
    ("wav", "pcm_mulaw"),
    ("mp3", "libmp3lame"),
    ("ogg", "libopus"),
    ("flac", "flac"),
]


def rendered(source: bytes, form: Form) -> bytes:
    target = io.BytesIO()
    render(source, form, target)
    return target.getvalue()


def samples_of(wav: bytes) -> Samples:
    return np.frombuffer(wav[44:], np.int16)


def likeness(one: Samples, other: Samples) -> float:
    """The highest correlation within half a millisecond, since codecs shift by a sample or so."""
    return max(float(np.corrcoef(one[8:-8], np.roll(other, shift)[8:-8])[0, 1]) for shift in range(-4, 5))


@pytest.mark.parametrize(("container", "codec"), ORIGINALS)
@pytest.mark.parametrize("form", Form)
def test_every_original_can_be_had_in_every_form(
    encoded: Encode, speech: Samples, container: str, codec: str, form: Form
) -> None:
    facts = probe(rendered(encoded(speech, container, codec), form))
    assert is_form(facts, form)
    assert (facts.channels, facts.sample_rate, facts.samples) == (1, 8_000, 40_000)


@pytest.mark.parametrize("form", Form)
def test_rendering_twice_gives_the_same_bytes(encoded: Encode, speech: Samples, form: Form) -> None:
    original = encoded(speech, "flac", "flac")
    assert rendered(original, form) == rendered(original, form)


@pytest.mark.parametrize("form", Form)
def test_no_form_changes_with_the_version_of_ffmpeg(wav_of: Encode, speech: Samples, form: Form) -> None:
    content = rendered(wav_of(speech), form)
    assert not re.search(rb"Lav[cf]\d|libopus|libmp3lame", content)


def test_opus_is_whole_mono_8_khz_and_about_8_kbit(wav_of: Encode, speech: Samples) -> None:
    opus = rendered(wav_of(speech), Form.OPUS)
    facts = verify_ogg_opus(opus)
    assert (facts.channels, facts.input_rate, facts.duration_ms) == (1, 8_000, 5_000)
    assert 6_000 < len(opus) * 8 / 5 < 10_000


@pytest.mark.parametrize("samples", [1, 2, 79, 80, 428, 429, 480, 481, 7_999, 39_999])
def test_opus_lasts_exactly_as_long_as_its_original(wav_of: Encode, speech: Samples, samples: int) -> None:
    opus = rendered(wav_of(speech[:, :samples]), Form.OPUS)
    pages = verify_ogg_opus(opus)
    assert pages.granule - pages.pre_skip == 6 * samples
    assert probe(opus).samples == samples


@pytest.mark.parametrize("sample_rate", [11_025, 16_000, 44_100, 96_000])
def test_opus_of_another_rate_lasts_as_long_within_a_sample(wav_of: Encode, speech: Samples, sample_rate: int) -> None:
    facts = probe(rendered(wav_of(speech, sample_rate), Form.OPUS))
    assert abs(facts.samples - 40_000 * 8_000 / sample_rate) <= 1


def test_opus_sounds_like_its_original(wav_of: Encode, speech: Samples) -> None:
    heard = samples_of(rendered(rendered(wav_of(speech), Form.OPUS), Form.WAV))
    assert likeness(heard, speech[0]) > 0.7
    assert likeness(heard, speech[0, ::-1]) < 0.3


def test_both_sides_of_a_stereo_call_are_heard_in_opus(wav_of: Encode, speech: Samples) -> None:
    sides = np.concatenate((np.pad(speech, ((0, 0), (0, 40_000))), np.pad(speech, ((0, 0), (40_000, 0)))))
    heard = samples_of(rendered(rendered(wav_of(sides), Form.OPUS), Form.WAV)).astype(np.float64)
    first, second = np.abs(heard[:40_000]).mean(), np.abs(heard[40_000:]).mean()
    assert 0.8 < first / second < 1.25
    assert first > 100


def test_wav_keeps_every_sample(wav_of: Encode, encoded: Encode, speech: Samples) -> None:
    assert rendered(encoded(speech, "flac", "flac"), Form.WAV) == wav_of(speech)


@pytest.mark.parametrize(("law", "codec", "scale"), [("a-law", "pcm_alaw", 32_256), ("mu-law", "pcm_mulaw", 32_124)])
def test_g711_is_expanded_as_the_standard_says(encoded: Encode, law: str, codec: str, scale: int) -> None:
    ramp = np.linspace(-32_768, 32_767, 4_000).astype(np.int16)[None, :]
    heard = samples_of(rendered(encoded(ramp, "wav", codec), Form.WAV))
    assert int(heard.max()) == scale, law
    assert np.all(np.abs(heard - ramp[0].astype(np.int32)) <= np.abs(ramp[0].astype(np.int32)) / 16 + 16)


def test_nothing_of_joined_recordings_of_different_shapes_is_lost(encoded: Encode, speech: Samples) -> None:
    mono = encoded(speech, "mp3", "libmp3lame", write_xing="0", id3v2_version="0")
    joined = mono + encoded(np.repeat(speech, 2, axis=0), "mp3", "libmp3lame", 16_000)
    heard = samples_of(rendered(joined, Form.WAV))
    assert heard.size == probe(joined).samples
    assert np.abs(heard[-4_000:]).max() > 1_000  # the last word of the second recording


@pytest.mark.parametrize(("channels", "sample_rate"), [(1, 8_000), (2, 8_000), (2, 44_100), (3, 48_000), (2, 96_000)])
def test_the_promised_wav_size_is_kept(wav_of: Encode, channels: int, sample_rate: int) -> None:
    tones = np.random.default_rng(1).integers(-9_000, 9_000, (channels, 12_345), np.int16)
    original = wav_of(tones, sample_rate)
    wav = rendered(original, Form.WAV)
    assert len(wav) == wav_size_bytes(probe(original)) == len(original)
    assert struct.unpack_from("<4sI8sIHHI", wav) == (
        *(b"RIFF", len(wav) - 8, b"WAVEfmt "),
        *(16, 1, channels, sample_rate),
    )
    assert struct.unpack_from("<4sI", wav, 36) == (b"data", len(wav) - 44)


@settings(max_examples=25, deadline=None)
@given(samples=st.integers(0, 3_000), rate=st.sampled_from([8_000, 11_025, 16_000, 44_100]), data=st.data())
def test_the_promised_wav_size_is_kept_for_compressed_originals(
    wav_of: Encode, samples: int, rate: int, data: st.DataObject
) -> None:
    tones = np.random.default_rng(1).integers(-9_000, 9_000, (1, samples + 1), np.int16)
    form = data.draw(st.sampled_from([Form.OPUS, Form.MP3]))
    original = rendered(wav_of(tones, rate), form)
    assert len(rendered(original, Form.WAV)) == wav_size_bytes(probe(original))


@pytest.mark.parametrize("original", ["no bytes", "header only"])
@pytest.mark.parametrize("form", Form)
def test_an_empty_recording_still_has_every_form(wav_of: Encode, speech: Samples, original: str, form: Form) -> None:
    source = b"" if original == "no bytes" else wav_of(speech[:, :0])
    content = rendered(source, form)
    facts = probe(content)
    assert is_form(facts, form)
    assert facts.samples <= (0 if form is Form.WAV else 47)  # LAME cannot say how little of a single frame is meant
    if form is Form.OPUS:
        assert verify_ogg_opus(content).duration_ms == 0
    if form is Form.WAV:
        assert len(content) == wav_size_bytes(probe(source)) == 44


def test_only_the_asked_form_is_served_as_it_is() -> None:
    telephone_opus = AudioFacts("ogg", "opus", 1, 8_000, 100)
    assert is_form(telephone_opus, Form.OPUS)
    assert not is_form(telephone_opus, Form.WAV)
    assert not is_form(telephone_opus, Form.MP3)
    assert not is_form(AudioFacts("ogg", "opus", 2, 8_000, 100), Form.OPUS)
    assert not is_form(AudioFacts("ogg", "opus", 1, 48_000, 100), Form.OPUS)
    assert not is_form(AudioFacts("ogg", "vorbis", 1, 8_000, 100), Form.OPUS)
    assert is_form(AudioFacts("wav", "pcm_s16le", 2, 44_100, 100), Form.WAV)
    assert not is_form(AudioFacts("wav", "pcm_mulaw", 1, 8_000, 100), Form.WAV)
    assert is_form(AudioFacts("mp3", "mp3", 2, 44_100, 100), Form.MP3)


def test_every_form_has_its_media_type_and_extension() -> None:
    assert {form: tuple(described) for form, described in FORMS.items()} == {
        "opus": ("audio/ogg", ".ogg"),
        "wav": ("audio/wav", ".wav"),
        "mp3": ("audio/mpeg", ".mp3"),
    }


def test_a_truncated_ogg_gives_what_is_left_of_it(encoded: Encode, speech: Samples) -> None:
    whole = encoded(speech, "ogg", "libopus", page_duration="500000")
    left = probe(rendered(whole[: len(whole) * 2 // 3], Form.WAV))
    assert 16_000 < left.samples < 40_000


@pytest.mark.parametrize("form", Form)
def test_what_is_not_audio_is_not_rendered(form: Form) -> None:
    target = io.BytesIO()
    with pytest.raises(UnreadableAudio):
        render(b'{"error": "not found"}', form, target)
    assert target.getvalue() == b""


@pytest.mark.parametrize("form", Form)
def test_a_full_disk_is_told_as_what_it_is(wav_of: Encode, speech: Samples, form: Form) -> None:
    class Full(io.BytesIO):
        def write(self, _content: object, /) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left on device") as caught:
        render(wav_of(speech), form, Full())
    assert type(caught.value) is OSError


def test_a_wav_past_4_gib_is_refused(wav_of: Encode, speech: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxkeep.audio.encode._WAV_MAX_BYTES", 50_000)
    with pytest.raises(UnrenderableAudio, match="4 GiB"):
        rendered(wav_of(speech), Form.WAV)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_memory_does_not_grow_with_the_length(tmp_path: Path, wav_of: Encode, speech: Samples) -> None:
    minute, quarter, hour = (tmp_path / f"{name}.wav" for name in ("minute", "quarter", "hour"))
    for path, repeats in ((minute, 12), (quarter, 180), (hour, 720)):
        path.write_bytes(wav_of(np.tile(speech, repeats)))
    code = """
import sys
from pathlib import Path
from voxkeep.audio.health import examine
from voxkeep.audio.peaks import peaks
from voxkeep.audio.probe import probe
from voxkeep.audio.render import Form, render

def peak_kb():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])

def work(read, encoded):
    assert probe(read).samples and peaks(read).data
    assert not examine(read, None).health
    for path, form in ((read, Form.WAV), (encoded, Form.MP3), (encoded, Form.OPUS)):
        with path.with_suffix("." + form + "-form").open("wb") as target:
            render(path, form, target)
    return peak_kb()

minute, quarter, hour = map(Path, sys.argv[1:])
before = work(minute, minute)
print(work(hour, quarter) - before)
"""
    command = [sys.executable, "-c", code, str(minute), str(quarter), str(hour)]
    grown_kb = int(subprocess.run(command, check=True, capture_output=True).stdout)
    assert grown_kb < 16_000
