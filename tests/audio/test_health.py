import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from voxkeep.audio.errors import UnreadableAudio
from voxkeep.audio.health import Health, examine, is_short
from voxkeep.audio.levels import _TOP, _flat_top_samples
from voxkeep.audio.probe import probe

Samples = np.ndarray[Any, np.dtype[np.int16]]
Encode = Callable[..., bytes]


def tone(seconds: float, amplitude: float, hertz: float = 440) -> Samples:
    time = np.arange(round(seconds * 8_000)) / 8_000
    return np.clip(amplitude * np.sin(2 * np.pi * hertz * time), -32_768, 32_767).astype(np.int16)[None, :]


def words_of(content: bytes, expected_duration_ms: int | None = None) -> tuple[str, ...]:
    return examine(content, expected_duration_ms).health.words()


def test_speech_is_healthy(wav_of: Encode, speech: Samples) -> None:
    content = wav_of(speech)
    examination = examine(content, 5_000)
    assert examination.health == Health(0)
    assert examination.health.words() == ()
    assert examination.facts == probe(content)


def test_a_file_of_no_bytes_is_empty() -> None:
    assert words_of(b"") == ("empty",)
    assert words_of(b"", 5_000) == ("empty", "short")


def test_a_header_without_audio_is_empty_and_header_only(wav_of: Encode, speech: Samples) -> None:
    assert words_of(wav_of(speech[:, :0])) == ("empty", "header_only")


def test_quiet_below_60_dbfs_is_silent(wav_of: Encode) -> None:
    assert words_of(wav_of(tone(1, 0))) == ("silent",)
    assert words_of(wav_of(tone(1, 32))) == ("silent",)
    assert words_of(wav_of(tone(1, 40))) == ()


@pytest.mark.parametrize("codec", ["pcm_alaw", "pcm_mulaw"])
def test_digital_silence_in_g711_is_silent(encoded: Encode, codec: str) -> None:
    assert words_of(encoded(tone(1, 0), "wav", codec)) == ("silent",)


def test_silence_is_found_after_opus_too(encoded: Encode) -> None:
    assert words_of(encoded(tone(2, 0), "ogg", "libopus")) == ("silent",)


@pytest.mark.parametrize("speaking", [0, 1])
def test_a_call_of_which_one_side_is_silent_is_one_way(wav_of: Encode, speech: Samples, speaking: int) -> None:
    sides = np.zeros((2, speech.shape[1]), np.int16)
    sides[speaking] = speech[0]
    assert words_of(wav_of(sides)) == ("one_way",)


def test_a_call_of_two_speakers_is_not_one_way(wav_of: Encode, speech: Samples) -> None:
    assert words_of(wav_of(np.concatenate((speech, speech[:, ::-1])))) == ()
    assert words_of(wav_of(np.zeros((2, 8_000), np.int16))) == ("silent",)


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le", "pcm_alaw", "pcm_mulaw", "flac"])
def test_overdriven_speech_is_clipped(encoded: Encode, speech: Samples, codec: str) -> None:
    overdriven = np.clip(speech.astype(np.int32) * 4, -32_768, 32_767).astype(np.int16)
    assert words_of(encoded(overdriven, "flac" if codec == "flac" else "wav", codec)) == ("clipped",)


def test_one_overdriven_side_is_enough(wav_of: Encode, speech: Samples) -> None:
    assert words_of(wav_of(np.concatenate((speech, tone(5, 90_000))))) == ("clipped",)


def test_a_tone_that_only_touches_full_scale_is_not_clipped(wav_of: Encode) -> None:
    assert words_of(wav_of(tone(5, 32_767))) == ()


@pytest.mark.parametrize(
    ("actual_ms", "expected_ms", "short"),
    [
        (5_000, 5_000, False),
        (4_800, 5_000, False),
        (4_799, 5_000, True),
        (98_000, 100_000, False),
        (97_999, 100_000, True),
        (6_000, 5_000, False),
        (0, 0, False),
        (0, 201, True),
    ],
)
def test_short_means_by_more_than_two_percent_and_200_ms(actual_ms: int, expected_ms: int, short: bool) -> None:  # noqa: FBT001 - a table
    assert is_short(actual_ms, expected_ms) is short


def test_a_recording_cut_off_is_short(wav_of: Encode, speech: Samples) -> None:
    half = wav_of(speech[:, :20_000])
    assert words_of(half, 5_000) == ("short",)
    assert words_of(half) == ()


def test_several_faults_are_told_together(wav_of: Encode, speech: Samples) -> None:
    sides = np.concatenate((np.zeros_like(speech), np.clip(speech.astype(np.int32) * 4, -32_768, 32_767))).astype(
        np.int16
    )
    examination = examine(io.BytesIO(wav_of(sides)), 60_000)
    assert examination.health == Health.ONE_WAY | Health.CLIPPED | Health.SHORT
    assert examination.health.words() == ("one_way", "clipped", "short")


def test_the_stored_values_never_change() -> None:
    assert {flag.name: flag.value for flag in Health} == {
        "EMPTY": 1,
        "HEADER_ONLY": 2,
        "SILENT": 4,
        "ONE_WAY": 8,
        "CLIPPED": 16,
        "SHORT": 32,
        "UNREADABLE": 64,
        "UNEXAMINED": 128,
    }


def test_json_has_no_health() -> None:
    with pytest.raises(UnreadableAudio):
        examine(b'{"message": "not found"}', None)


@given(
    st_numpy.arrays(
        np.int16, st.integers(1, 60), elements=st.sampled_from([-32_768, -_TOP, 0, 100, _TOP - 1, _TOP, 32_767])
    )
)
def test_flat_tops_are_counted_as_a_person_would(samples: Samples) -> None:
    expected, start = 0, 0
    for end in range(1, samples.size + 1):
        if end == samples.size or samples[end] != samples[start]:
            if end - start >= 3 and abs(int(samples[start])) >= _TOP:
                expected += end - start
            start = end
    assert _flat_top_samples(samples) == expected
