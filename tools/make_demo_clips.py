"""Make the demo's recordings: short telephone dialogues, spoken by Debian's flite, as WAV and Ogg/Opus.

Two synthesised voices (an agent, a caller) speak in turn, mixed to mono at 8 kHz with pauses and a little line noise.
The same flite gives the same bytes. Run it only to change the clips; they are kept as package data.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxkeep.audio.decode import track
from voxkeep.audio.probe import probe
from voxkeep.audio.render import Form, render

CLIPS_FOLDER = Path(__file__).parents[1] / "src" / "voxkeep" / "demo" / "clips"
SAMPLE_RATE = 8_000
PEAK = 0.7 * 32_767
LINE_NOISE_RMS = 6.0  # about -75 dBFS, the idle level of a good telephone line
PAUSE_SECONDS = 0.25
VOICES = {"agent": "slt", "caller": "rms"}


class Dialogue(NamedTuple):
    """What is said in one clip, turn by turn; the agent always speaks first."""

    topic: str
    turns: tuple[str, ...]

    def transcript(self) -> list[dict[str, str]]:
        """Tell who says what."""
        return [{"speaker": ("agent", "caller")[number % 2], "text": text} for number, text in enumerate(self.turns)]


DIALOGUES = (
    Dialogue(
        "billing",
        (
            "Billing department, this is Susan. How can I help?",
            "Hello. I was charged twice for my March invoice.",
            "I see it. I will refund the second payment today.",
            "Perfect, thank you.",
        ),
    ),
    Dialogue(
        "booking",
        (
            "Good morning, reservations.",
            "Hi, I need a room for two nights from the fourth of June.",
            "We have a double room with breakfast for ninety five a night.",
            "Great, please book it.",
        ),
    ),
    Dialogue(
        "technical-support",
        (
            "Technical support, what seems to be the problem?",
            "My router keeps restarting every ten minutes.",
            "Please unplug it and wait thirty seconds. Is the power light green now?",
            "Yes, it is green, and the internet is back.",
        ),
    ),
    Dialogue(
        "cancellation",
        (
            "Customer service, how may I help you?",
            "I would like to cancel my contract at the end of the month.",
            "I have noted the cancellation for the thirtieth. You will get a letter.",
        ),
    ),
    Dialogue(
        "delivery",
        (
            "Parcel desk, good afternoon.",
            "My parcel should have come on Monday, and today is Thursday.",
            "It is on the van now, and will reach you before five.",
            "All right, I will be at home.",
        ),
    ),
    Dialogue(
        "wrong-number",
        (
            "Service desk, hello.",
            "Sorry, I have dialled the wrong number.",
        ),
    ),
    Dialogue(
        "address-change",
        (
            "Thank you for calling. What can I do for you?",
            "We are moving, and I want to change my address.",
            "Certainly. What is the new one?",
            "Twenty two Garden Street.",
            "Done. Your next bill will go there.",
        ),
    ),
    Dialogue(
        "complaint",
        (
            "Customer care, you are speaking with Susan.",
            "I waited forty minutes on the line yesterday, and then I was cut off.",
            "I am very sorry about that. Let me give you my direct number.",
        ),
    ),
    Dialogue(
        "password-reset",
        (
            "Help desk, may I have your user name?",
            "It is R Miller. I forgot my password.",
            "I have sent a link to your telephone.",
            "Got it, it works.",
        ),
    ),
    Dialogue(
        "sales",
        (
            "Sales team, how can I help you today?",
            "Do you have a plan with twenty lines for a small office?",
            "Yes, with call recording it is two hundred and forty a month.",
            "Please send me an offer.",
        ),
    ),
)


def clip_name(number: int, dialogue: Dialogue) -> str:
    """Name a clip by its place and topic: `01-billing`."""
    return f"{number:02d}-{dialogue.topic}"


def speak(text: str, voice: str) -> NDArray[np.int16]:
    """Let flite say the text; gives mono samples at 8 kHz."""
    flite = shutil.which("flite")
    if flite is None:
        sys.exit("flite is not installed: apt-get install flite")
    with tempfile.TemporaryDirectory() as folder:
        spoken = Path(folder) / "spoken.wav"
        subprocess.run([flite, "-voice", voice, "-t", text, "-o", str(spoken)], check=True)
        with track(spoken) as speech:
            blocks = list(speech.blocks(channels=1, sample_rate=SAMPLE_RATE))
    samples: NDArray[np.int16] = np.concatenate(blocks, axis=1)[0]
    return samples


def mix(dialogue: Dialogue, seed: int) -> NDArray[np.int16]:
    """Join the turns by pauses, bring the loudest sample to `PEAK`, and lay line noise under all of it."""
    pause = np.zeros(round(PAUSE_SECONDS * SAMPLE_RATE), np.int16)
    parts = [pause]
    for turn in dialogue.transcript():
        parts += [speak(turn["text"], VOICES[turn["speaker"]]), pause]
    speech = np.concatenate(parts).astype(np.float64)
    noise = np.random.default_rng(seed).normal(0, LINE_NOISE_RMS, speech.size)
    mixed: NDArray[np.int16] = np.rint(speech * (PEAK / np.abs(speech).max()) + noise).astype(np.int16)
    return mixed


def write_clip(number: int, dialogue: Dialogue, folder: Path) -> dict[str, object]:
    """Write both forms of a clip, and give its entry in the index."""
    name = clip_name(number, dialogue)
    wav_path, ogg_path = folder / f"{name}.wav", folder / f"{name}.ogg"
    with wave.open(str(wav_path), "wb") as wav:
        wav.setparams((1, 2, SAMPLE_RATE, 0, "NONE", "not compressed"))
        wav.writeframes(mix(dialogue, seed=number).tobytes())
    with ogg_path.open("wb") as ogg:
        render(wav_path, Form.OPUS, ogg)
    return {
        "name": name,
        "topic": dialogue.topic,
        "duration_ms": probe(wav_path).duration_ms,
        "wav": _described(wav_path),
        "ogg": _described(ogg_path),
        "transcript": dialogue.transcript(),
    }


def _described(path: Path) -> dict[str, object]:
    content = path.read_bytes()
    return {"file": path.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def main() -> None:
    """Write the clips and, last, their index."""
    parser = argparse.ArgumentParser(description="Make the demo's recordings with flite.")
    parser.add_argument("--out", type=Path, default=CLIPS_FOLDER, help="folder to write (default: the package's)")
    parser.add_argument("--only", help="make only the clip of this name, such as 01-billing")
    options = parser.parse_args()
    chosen = [
        (number, dialogue)
        for number, dialogue in enumerate(DIALOGUES, start=1)
        if options.only in {None, clip_name(number, dialogue)}
    ]
    if not chosen:
        parser.error(f"no clip is named {options.only}")
    options.out.mkdir(parents=True, exist_ok=True)
    index = [write_clip(number, dialogue, options.out) for number, dialogue in chosen]
    (options.out / "clips.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    for clip in index:
        print(f"{clip['name']:24}{clip['duration_ms']:>8} ms")


if __name__ == "__main__":
    main()
