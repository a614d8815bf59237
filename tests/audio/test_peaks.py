from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxkeep.audio.errors import UnreadableAudio
from voxkeep.audio.levels import PeakMeter
from voxkeep.audio.peaks import peaks

Samples = np.ndarray[Any, np.dtype[np.int16]]
Encode = Callable[..., bytes]


def test_every_tenth_of_a_second_has_its_lowest_and_highest_sample(wav_of: Encode, speech: Samples) -> None:
    outline = peaks(wav_of(speech))
    low, high = outline.channel(0)
    buckets = speech[0].reshape(50, 800)
    assert (outline.channels, outline.buckets_per_second, outline.buckets) == (1, 10, 50)
    assert low.tolist() == (buckets.min(axis=1) >> 8).tolist()
    assert high.tolist() == (buckets.max(axis=1) >> 8).tolist()


def test_channels_are_outlined_apart(wav_of: Encode, speech: Samples) -> None:
    outline = peaks(wav_of(np.concatenate((speech, np.zeros_like(speech)))), 50)
    assert outline.buckets == 250
    assert outline.channel(0) == peaks(wav_of(speech), 50).channel(0)
    assert set(outline.channel(1)[0]) | set(outline.channel(1)[1]) == {0}


def test_full_scale_fills_a_signed_byte(wav_of: Encode) -> None:
    loud = np.tile(np.array([[-32_768, 32_767]], np.int16), 800)
    low, high = peaks(wav_of(loud)).channel(0)
    assert (low.tolist(), high.tolist()) == ([-128, -128], [127, 127])


def test_the_last_bucket_may_be_shorter(wav_of: Encode, speech: Samples) -> None:
    assert peaks(wav_of(speech[:, :801])).buckets == 2
    assert peaks(wav_of(speech[:, :0])).data == b""
    assert peaks(b"").buckets == 0


def test_opus_has_the_outline_of_its_original(wav_of: Encode, encoded: Encode, speech: Samples) -> None:
    before, after = peaks(wav_of(speech)), peaks(encoded(speech, "ogg", "libopus", b="64000"))
    assert after.buckets == before.buckets
    difference = np.array(before.channel(0)[1], np.int16) - np.array(after.channel(0)[1], np.int16)
    assert np.abs(difference).mean() < 4


@pytest.mark.parametrize("wrong", [0, -1, 1_001])
def test_an_absurd_resolution_is_refused(wav_of: Encode, speech: Samples, wrong: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 1000"):
        peaks(wav_of(speech), wrong)


def test_what_is_not_audio_has_no_outline() -> None:
    with pytest.raises(UnreadableAudio):
        peaks(b"<html></html>")


@settings(deadline=None)
@given(
    sample_rate=st.integers(1_000, 3_000),
    buckets_per_second=st.integers(1, 1_000),
    sizes=st.lists(st.integers(0, 700), max_size=6),
    seed=st.integers(0, 99),
)
def test_blocks_of_any_size_give_the_same_outline(
    sample_rate: int, buckets_per_second: int, sizes: list[int], seed: int
) -> None:
    samples = np.random.default_rng(seed).integers(-32_768, 32_768, (2, sum(sizes)), np.int16)
    meter = PeakMeter(2, sample_rate, buckets_per_second)
    start = 0
    for size in sizes:
        meter.add(samples[:, start : start + size])
        start += size
    bucket_of = np.arange(samples.shape[1]) * buckets_per_second // sample_rate
    expected = [
        value >> 8
        for bucket in sorted(set(bucket_of.tolist()))
        for channel in samples
        for value in (int(channel[bucket_of == bucket].min()), int(channel[bucket_of == bucket].max()))
    ]
    assert list(memoryview(meter.data()).cast("b")) == expected
