"""Real audio for the tests of this room: speech from the demo's clips, and encoders not under test."""

import io
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

import voxkeep.audio

Samples = NDArray[np.int16]
Encode = Callable[..., bytes]

CLIPS = Path(voxkeep.audio.__file__).parents[1] / "demo" / "clips"


@pytest.fixture(scope="session")
def clips() -> Path:
    return CLIPS


@pytest.fixture(scope="session")
def speech() -> Samples:
    """Five seconds of telephone speech, shape (1, samples), 8 kHz."""
    with wave.open(str(CLIPS / "06-wrong-number.wav"), "rb") as wav:
        return np.frombuffer(wav.readframes(40_000), np.int16)[None, :]


@pytest.fixture(scope="session")
def wav_of() -> Encode:
    """Give the WAV bytes of samples of shape (channels, n)."""

    def encode(samples: Samples, sample_rate: int = 8_000) -> bytes:
        target = io.BytesIO()
        with wave.open(target, "wb") as wav:
            wav.setparams((samples.shape[0], 2, sample_rate, 0, "NONE", "not compressed"))
            wav.writeframes(samples.T.tobytes())
        return target.getvalue()

    return encode


@pytest.fixture(scope="session")
def encoded() -> Encode:
    """Encode samples of shape (channels, n) with FFmpeg: container, codec, rate, and the encoder's options."""

    def encode(samples: Samples, container: str, codec: str, sample_rate: int = 8_000, **options: Any) -> bytes:
        target = io.BytesIO()
        layout = "mono" if samples.shape[0] == 1 else "stereo"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "s16p", layout)
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, 0, Fraction(1, sample_rate)
        with av.open(target, "w", format=container) as muxer:
            stream: Any = muxer.add_stream(codec, rate=sample_rate, layout=layout, options=options)
            muxer.mux(stream.encode(frame))
            muxer.mux(stream.encode(None))
        return target.getvalue()

    return encode
