"""Work on audio in process, one core: the Opus form, and the outline of an hour."""

import io
import statistics
import time
import wave
from collections.abc import Callable

from bench.harness import CLIENT_CORE, Options, Section, at_least, at_most, on_core, shown
from voxkeep.audio.peaks import peaks
from voxkeep.audio.probe import probe
from voxkeep.audio.render import Form, render
from voxkeep.demo.clips import SAMPLE_RATE, clips, content

ENCODED_SECONDS = 600
OUTLINED_SECONDS = 3600


def run(options: Options) -> Section:
    talk, hour = speech(ENCODED_SECONDS), speech(OUTLINED_SECONDS)
    rounds = options.pick(5, 1)
    with on_core(CLIENT_CORE):
        encoding = median_seconds(lambda: render(talk, Form.OPUS, io.BytesIO()), rounds)
        outlining = median_seconds(lambda: peaks(hour), rounds)
        probing = median_seconds(lambda: probe(talk), rounds)
    return Section(
        title="Work on audio",
        what="`audio.render` to Ogg/Opus, `audio.peaks` and `audio.probe`, each decoding its whole input, on one core.",
        data=f"the demo's clips one after another, PCM 16 bit mono {SAMPLE_RATE // 1000} kHz: 10 minutes, and an hour",
        figures=[
            at_least("Opus encoding, times real time", ENCODED_SECONDS / encoding, 150),
            at_most("peaks of an hour, s", outlining, 0.3, "{:.2f}"),
            shown("probing, times real time", ENCODED_SECONDS / probing),
        ],
    )


def median_seconds(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def speech(seconds: int) -> bytes:
    """Return a WAV of so many seconds of the demo's speech."""
    parts = []
    for clip in clips():
        with wave.open(io.BytesIO(content(clip.wav.file))) as file:
            parts.append(file.readframes(file.getnframes()))
    once = b"".join(parts)
    wanted = seconds * SAMPLE_RATE * 2
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((once * (wanted // len(once) + 1))[:wanted])
    return target.getvalue()
