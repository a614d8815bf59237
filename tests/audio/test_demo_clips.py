import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from voxkeep.audio.health import Health, examine
from voxkeep.audio.ogg import verify_ogg_opus
from voxkeep.audio.probe import probe
from voxkeep.audio.render import Form, is_form

TOOL = Path(__file__).parents[2] / "tools" / "make_demo_clips.py"
NAMES = [
    "01-billing",
    "02-booking",
    "03-technical-support",
    "04-cancellation",
    "05-delivery",
    "06-wrong-number",
    "07-address-change",
    "08-complaint",
    "09-password-reset",
    "10-sales",
]


@pytest.fixture(scope="module")
def index(clips: Path) -> dict[str, Any]:
    return {clip["name"]: clip for clip in json.loads((clips / "clips.json").read_text("utf-8"))}


@pytest.fixture
def flite() -> str:
    found = shutil.which("flite")
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("needs flite")
    return found


def test_the_index_names_every_file_and_no_other(clips: Path, index: dict[str, Any]) -> None:
    assert list(index) == NAMES
    listed = {form["file"] for clip in index.values() for form in (clip["wav"], clip["ogg"])}
    assert {path.name for path in clips.iterdir()} == listed | {"clips.json"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["wav", "ogg"])
def test_the_index_tells_the_truth_of_every_file(clips: Path, index: dict[str, Any], name: str, form: str) -> None:
    told = index[name][form]
    content = (clips / told["file"]).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (told["bytes"], told["sha256"])
    assert probe(content).duration_ms == index[name]["duration_ms"]


@pytest.mark.parametrize("name", NAMES)
def test_every_clip_is_healthy_telephone_audio(clips: Path, index: dict[str, Any], name: str) -> None:
    duration_ms = index[name]["duration_ms"]
    wav, opus = (examine(clips / f"{name}.{kind}", duration_ms) for kind in ("wav", "ogg"))
    assert wav.health == opus.health == Health(0)
    assert (wav.facts.codec, wav.facts.channels, wav.facts.sample_rate) == ("pcm_s16le", 1, 8_000)
    assert is_form(opus.facts, Form.OPUS)
    assert verify_ogg_opus(clips / f"{name}.ogg").duration_ms == duration_ms
    assert 4_000 <= duration_ms <= 20_000


def test_agent_and_caller_speak_in_turn(index: dict[str, Any]) -> None:
    for clip in index.values():
        speakers = [turn["speaker"] for turn in clip["transcript"]]
        assert speakers == (["agent", "caller"] * len(speakers))[: len(speakers)]
        assert all(turn["text"].strip() for turn in clip["transcript"])


def test_the_tool_speaks_a_clip_again(flite: str, tmp_path: Path, index: dict[str, Any]) -> None:
    command = [sys.executable, str(TOOL), "--out", str(tmp_path), "--only", "06-wrong-number"]
    environment = os.environ | {"PATH": f"{Path(flite).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    (spoken,) = json.loads((tmp_path / "clips.json").read_text("utf-8"))
    kept = index["06-wrong-number"]
    assert spoken["transcript"] == kept["transcript"]
    assert abs(spoken["duration_ms"] - kept["duration_ms"]) < 500  # another flite may speak a little slower
    assert examine(tmp_path / "06-wrong-number.wav", kept["duration_ms"]).health == Health(0)
    assert verify_ogg_opus(tmp_path / "06-wrong-number.ogg").duration_ms == spoken["duration_ms"]
