"""`voxkeep import`: every kind of audio comes in once, mistakes are told by line and field, bad audio is flagged."""

import asyncio
import errno
import hashlib
import io
import json
import os
import subprocess
import sys
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from voxkeep.archive import Archive
from voxkeep.archive.model import Recording, State, Tenant
from voxkeep.archive.query import Scope, TimeRange
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.audio.health import Health
from voxkeep.audio.ogg import verify_ogg_opus
from voxkeep.audio.render import Form
from voxkeep.cli.common import ROOMS
from voxkeep.cli.main import app
from voxkeep.database import DatabaseFull
from voxkeep.demo.clips import content as clip
from voxkeep.settings import Settings

Samples = NDArray[np.int16]
START = "2026-11-20T14:03:11.250+01:00"
RATE = 8_000


def tone(seconds: float = 1.0, *, channels: int = 1, level: float = 0.3, pitch: float = 440) -> Samples:
    """A tone of shape (channels, samples), 8 kHz."""
    wave_ = np.sin(np.arange(int(RATE * seconds)) * 2 * np.pi * pitch / RATE)
    return np.tile(np.clip(32_767 * level * wave_, -32_767, 32_767).astype(np.int16), (channels, 1))


def wav(samples: Samples) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setparams((samples.shape[0], 2, RATE, 0, "NONE", "not compressed"))
        file.writeframes(samples.T.tobytes())
    return target.getvalue()


def encoded(samples: Samples, container: str, codec: str) -> bytes:
    """Encode with FFmpeg itself, not with what is under test."""
    target = io.BytesIO()
    layout = "mono" if samples.shape[0] == 1 else "stereo"
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "s16p", layout)
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    with av.open(target, "w", format=container) as muxer:
        stream: Any = muxer.add_stream(codec, rate=RATE, layout=layout)
        muxer.mux(stream.encode(frame))
        muxer.mux(stream.encode(None))
    return target.getvalue()


def one_way() -> Samples:
    samples = tone(channels=2)
    samples[1] = 0
    return samples


KINDS = {
    "plain.wav": ("pcm_s16le", wav(tone())),
    "stereo.wav": ("pcm_s16le", wav(tone(channels=2))),
    "ulaw.wav": ("pcm_mulaw", encoded(tone(), "wav", "pcm_mulaw")),
    "alaw.wav": ("pcm_alaw", encoded(tone(), "wav", "pcm_alaw")),
    "speech.ogg": ("opus", clip("06-wrong-number.ogg")),
    "tone.mp3": ("mp3", encoded(tone(), "mp3", "libmp3lame")),
    "tone.flac": ("flac", encoded(tone(), "flac", "flac")),
}
POOR = {
    "no-bytes.wav": (("empty",), b""),
    "zero-seconds.wav": (("empty", "header_only"), wav(tone(0))),
    "silent.wav": (("silent",), wav(np.zeros((1, RATE), np.int16))),
    "clipped.wav": (("clipped",), wav(tone(level=8.0))),
    "one-way.wav": (("one_way",), wav(one_way())),
    "short.wav": (("short",), wav(tone())),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    async def make() -> None:
        archive = await Archive.at(tmp_path / "home", Settings(), ROOMS)
        for name in ("acme", "other"):
            await archive.tenants.add(Tenant(id=TenantId(0), name=name, host=f"{name}.xima.test"))
        await archive.close()

    asyncio.run(make())
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the manifest and its audio lie."""
    (tmp_path / "in" / "calls").mkdir(parents=True)
    return tmp_path / "in"


def manifest(folder: Path, *lines: dict[str, Any] | bytes) -> Path:
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    (folder / "manifest.jsonl").write_bytes(b"\n".join(texts) + b"\n")
    return folder / "manifest.jsonl"


def written(folder: Path, audio: dict[str, bytes]) -> None:
    for name, content in audio.items():
        (folder / "calls" / name).write_bytes(content)


def line(name: str, **fields: Any) -> dict[str, Any]:
    return {"audio": f"calls/{name}", "started_at": START, "key": name, **fields}


def ask(home: Path, file: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["import", "--manifest", str(file), "--data", str(home), *words])


def report(home: Path, file: Path, *words: str, code: int = 0) -> Any:
    result = ask(home, file, "--tenant", "acme", "--json", *words)
    assert result.exit_code == code, result.output
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def kept(home: Path, tenant: str = "acme") -> dict[str, tuple[Recording, bytes, bytes]]:
    """Every recording of a tenant by its key, with its original and its Opus form as they open."""

    async def read(archive: Archive, recording: Recording, form: Form | None) -> bytes:
        reader = await archive.open(recording, form)
        try:
            return await reader.pread(0, reader.size)
        finally:
            reader.close()

    async def look() -> dict[str, tuple[Recording, bytes, bytes]]:
        archive = await Archive.at(home, Settings(), ROOMS)
        scope = Scope((await archive.tenants.named(tenant)).id)
        times = TimeRange(EpochMs(0), EpochMs(2**52))
        rows = [row async for chunk in archive.find([scope], times, ["state"], list) for row in chunk]
        found = {}
        for _, _, key, _ in rows:
            recording = await archive.by_key(scope.tenant, "import", key)
            assert recording is not None
            found[key] = (recording, await read(archive, recording, None), await read(archive, recording, Form.OPUS))
        await archive.close()
        return found

    return asyncio.run(look())


def audio_files(home: Path) -> dict[str, bytes]:
    roots = (home / "vault", home / "renditions")
    return {str(path): path.read_bytes() for root in roots for path in root.rglob("*") if path.is_file()}


def test_every_kind_of_audio_comes_in_unaltered_and_gets_its_opus_form(home: Path, folder: Path) -> None:
    written(folder, {name: content for name, (_, content) in KINDS.items()})
    told = report(home, manifest(folder, *(line(name) for name in KINDS)))
    assert (told["lines"], told["imported"], told["held"], told["problems"]) == (len(KINDS), len(KINDS), 0, [])
    found = kept(home)
    for name, (codec, content) in KINDS.items():
        recording, original, opus = found[name]
        assert original == content
        assert recording.audio is not None
        assert (recording.audio.codec, recording.audio.sha256) == (codec, hashlib.sha256(content).hexdigest())
        assert recording.state is State.KEPT
        assert recording.opus_bytes == len(opus)
        assert abs(verify_ogg_opus(opus).duration_ms - recording.duration_ms) <= 100
        assert recording.started_at == 1_795_179_791_250
        assert recording.duration_ms >= 1000
    assert found["speech.ogg"][1] == found["speech.ogg"][2]
    assert not list((home / "renditions").rglob("speech*"))


def test_importing_twice_changes_nothing(home: Path, folder: Path) -> None:
    written(folder, {name: content for name, (_, content) in KINDS.items()})
    lines = [line(name) for name in KINDS] + [{"audio": "calls/tone.flac", "started_at": START}]
    file = manifest(folder, *lines)
    assert report(home, file)["imported"] == len(lines)
    before, files = kept(home), audio_files(home)
    told = report(home, file)
    assert (told["imported"], told["held"], told["flagged"], told["problems"]) == (0, len(lines), {}, [])
    assert (kept(home), audio_files(home)) == (before, files)


def test_without_a_key_the_audio_and_the_start_are_the_identity(home: Path, folder: Path) -> None:
    written(folder, {"a.wav": KINDS["plain.wav"][1], "b.wav": KINDS["plain.wav"][1]})
    lines = [{"audio": f"calls/{name}", "started_at": at} for name in ("a.wav", "b.wav") for at in (5_000, 6_000)]
    told = report(home, manifest(folder, *lines))
    assert (told["imported"], told["held"]) == (2, 2)
    sha256 = hashlib.sha256(KINDS["plain.wav"][1]).hexdigest()
    assert set(kept(home)) == {f"{sha256}-5000", f"{sha256}-6000"}


def test_a_key_named_twice_in_one_manifest_is_kept_once(home: Path, folder: Path) -> None:
    written(folder, {"plain.wav": KINDS["plain.wav"][1], "stereo.wav": KINDS["stereo.wav"][1]})
    lines = [line(name, key="same") for name in ("plain.wav", "stereo.wav") * 4]
    told = report(home, manifest(folder, *lines))
    assert (told["lines"], told["imported"], told["held"]) == (8, 1, 7)
    assert len(kept(home)) == 1
    assert len(audio_files(home)) == 2


def test_bad_lines_are_told_by_number_and_field_while_good_ones_come_in(home: Path, folder: Path) -> None:
    written(folder, {"plain.wav": KINDS["plain.wav"][1], "noise.wav": b"\x01\x02 not audio" * 500})
    file = manifest(
        folder,
        line("plain.wav", key="good-1"),
        b"{broken",
        b"",
        line("plain.wav", key="x", started_at="yesterday"),
        line("plain.wav", key="x", agentname="Ann"),
        line("none.wav"),
        {"audio": "calls", "started_at": 5},
        line("noise.wav"),
        line("plain.wav", key="x", tenant="nobody"),
        b"\xff\xfe",
        {"audio": "calls/plain.wav", "started_at": 5, "duration_ms": -1},
        {"started_at": 5},
        {"audio": "calls/" + "x" * 300, "started_at": 5},
        line("plain.wav", key="good-2", tenant="OTHER.xima.test"),
    )
    told = report(home, file, code=1)
    assert (told["lines"], told["imported"]) == (13, 2)
    assert [(problem["line"], problem["field"]) for problem in told["problems"]] == [
        (2, "line"),
        (4, "started_at"),
        (5, "agentname"),
        (6, "audio"),
        (7, "audio"),
        (8, "audio"),
        (9, "tenant"),
        (10, "line"),
        (11, "duration_ms"),
        (12, "audio"),
        (13, "audio"),
    ]
    assert all(problem["reason"] for problem in told["problems"])
    assert "No such file" in told["problems"][3]["reason"]
    assert (set(kept(home)), set(kept(home, "other"))) == ({"good-1"}, {"good-2"})
    assert len(audio_files(home)) == 4


def test_poor_audio_is_kept_flagged_and_can_be_heard(home: Path, folder: Path) -> None:
    written(folder, {name: content for name, (_, content) in POOR.items()})
    lines = [line(name, **({"duration_ms": 5_000} if name == "short.wav" else {})) for name in POOR]
    told = report(home, manifest(folder, *lines))
    assert (told["imported"], told["problems"]) == (len(POOR), [])
    flags = [flag for words, _ in POOR.values() for flag in words]
    assert told["flagged"] == {flag: flags.count(flag) for flag in flags}
    for name, (recording, original, opus) in kept(home).items():
        words, content = POOR[name]
        assert recording.audio is not None
        assert Health(recording.audio.health).words() == words
        assert original == content
        assert recording.state is State.KEPT
        assert recording.opus_bytes == len(opus) > 0
        verify_ogg_opus(opus)
    assert kept(home)["no-bytes.wav"][0].duration_ms == 0
    assert kept(home)["short.wav"][0].extra == {"import": {"stated_duration_ms": 5_000}}


def test_sound_audio_has_no_flag(home: Path, folder: Path) -> None:
    written(folder, {"stereo.wav": KINDS["stereo.wav"][1], "speech.ogg": KINDS["speech.ogg"][1]})
    told = report(home, manifest(folder, line("stereo.wav", duration_ms=1_000), line("speech.ogg")))
    assert told["flagged"] == {}
    assert {each.audio.health for each, _, _ in kept(home).values() if each.audio} == {0}


def test_the_fields_of_a_line_are_the_recordings(home: Path, folder: Path) -> None:
    written(folder, {"plain.wav": KINDS["plain.wav"][1]})
    fields = {"agent_name": "Ann", "agent_extension": "7", "direction": "outbound", "skill": "sales", "tag": "t"}
    report(home, manifest(folder, line("plain.wav", call="call-1", event_id=3, extra={"crm": {"case": 5}}, **fields)))
    recording = kept(home)["plain.wav"][0]
    assert {name: getattr(recording, name) for name in fields} == fields
    assert (recording.event_id, recording.extra) == (3, {"import": {"crm": {"case": 5}}})


def test_a_line_without_a_tenant_needs_one_from_the_command(home: Path, folder: Path) -> None:
    written(folder, {"plain.wav": KINDS["plain.wav"][1]})
    file = manifest(folder, line("plain.wav"))
    missing = ask(home, file)
    assert missing.exit_code == 1
    assert "line 1: tenant: missing" in missing.stderr
    unknown = ask(home, file, "--tenant", "nobody")
    assert unknown.exit_code == 1
    assert "line 1: tenant: no tenant is called 'nobody'" in unknown.stderr
    assert ask(home, file, "--tenant", "acme").exit_code == 0


def test_the_report_for_people_counts_and_names(home: Path, folder: Path) -> None:
    written(folder, {"plain.wav": KINDS["plain.wav"][1], "silent.wav": POOR["silent.wav"][1]})
    result = ask(home, manifest(folder, line("plain.wav"), line("silent.wav"), b"[x]"), "--tenant", "acme")
    assert result.exit_code == 1
    assert "3 lines: 2 imported, 0 held, 1 not imported" in result.stdout
    assert "kept and flagged silent: 1" in result.stdout
    assert "line 3: line: " in result.stderr
    assert "line 3" not in result.stdout


def test_a_manifest_of_no_lines_is_done(home: Path, folder: Path) -> None:
    assert report(home, manifest(folder, b"", b"  "))["lines"] == 0


@pytest.mark.parametrize("kind", ["missing", "a folder"])
def test_a_manifest_that_cannot_be_read_is_wrong_usage(home: Path, folder: Path, kind: str) -> None:
    result = ask(home, folder if kind == "a folder" else folder / "none.jsonl", "--tenant", "acme", "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert str(folder) in result.stderr


def test_a_home_without_an_archive_is_wrong_usage(tmp_path: Path, folder: Path) -> None:
    result = ask(tmp_path / "none", manifest(folder, line("plain.wav")))
    assert result.exit_code == 2
    assert "no archive at" in result.stderr
    assert not (tmp_path / "none").exists()


def test_no_manifest_at_all_is_wrong_usage() -> None:
    assert CliRunner().invoke(app, ["import"]).exit_code == 2


def test_no_space_is_told_once_and_leaves_no_half_recording(
    home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(folder, {name: content for name, (_, content) in KINDS.items()})
    file = manifest(folder, *(line(name) for name in KINDS))

    def full(_descriptor: int, _block: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        result = ask(home, file, "--tenant", "acme", "--json")
    assert result.exit_code == 1
    assert result.stdout.count("\n") == 1
    assert result.stderr.count("no space is left") == 1
    told = json.loads(result.stdout)
    assert told["stopped"] == "no space is left for audio"
    assert (told["imported"], told["held"]) == (0, 0)
    assert {(each["field"], each["reason"]) for each in told["problems"]} == {("archive", told["stopped"])}
    assert audio_files(home) == {}
    assert kept(home) == {}
    assert report(home, file)["imported"] == len(KINDS)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_disk_that_fills_up_stops_the_import_with_a_report_of_what_was_done(
    home: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    as_json: bool,  # noqa: FBT001 -- a case
) -> None:
    written(folder, {f"{number}.wav": wav(tone(pitch=400 + number)) for number in range(30)})
    file = manifest(folder, *(line(f"{number}.wav") for number in range(30)))
    real, left = os.write, [12 * len(wav(tone()))]

    def filling(descriptor: int, block: bytes) -> int:
        left[0] -= len(block)
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, block)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", filling)
        result = ask(home, file, "--tenant", "acme", *(["--json"] if as_json else []))
    there = kept(home)
    assert result.exit_code == 1
    assert 0 < len(there) < 30
    assert "no space is left for audio" in result.stderr
    if as_json:
        told = json.loads(result.stdout)
        assert told["imported"] == len(there)
        assert told["lines"] == told["imported"] + len(told["problems"]) < 30
    else:
        assert f"{len(there)} imported" in result.stdout
        assert ": archive: no space is left for audio" in result.stderr
    assert len(audio_files(home)) == 2 * len(there)
    assert report(home, file)["imported"] == 30 - len(there)


def test_a_full_database_stops_the_import_with_a_report(
    home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(folder, {"plain.wav": KINDS["plain.wav"][1]})

    async def full(*_: object, **__: object) -> object:
        raise DatabaseFull("no space is left for the database")

    monkeypatch.setattr(Archive, "keep", full)
    told = report(home, manifest(folder, line("plain.wav")), code=1)
    (problem,) = told["problems"]
    assert (problem["line"], problem["field"], problem["reason"]) == (1, "archive", told["stopped"])
    assert "database" in told["stopped"]


@pytest.mark.parametrize("name", ["pipe.wav", "/dev/zero", "calls", "folder.wav"])
def test_what_is_no_file_is_told_at_once(home: Path, folder: Path, name: str) -> None:
    os.mkfifo(folder / "pipe.wav")
    (folder / "folder.wav").mkdir()
    before = set(Path("/proc/self/fd").iterdir())
    told = report(home, manifest(folder, {"audio": name, "started_at": START}), code=1)
    assert told["problems"] == [{"line": 1, "field": "audio", "reason": f"{name}: not a file"}]
    assert audio_files(home) == {}
    assert len(set(Path("/proc/self/fd").iterdir())) <= len(before)


def test_the_mark_before_the_first_line_is_no_part_of_it(home: Path, folder: Path) -> None:
    written(folder, {"plain.wav": KINDS["plain.wav"][1]})
    marked = b"\xef\xbb\xbf" + json.dumps(line("plain.wav")).encode()
    told = report(home, manifest(folder, marked, b"\xef\xbb\xbf{}"), code=1)
    assert (told["imported"], [problem["line"] for problem in told["problems"]]) == (1, [2])


def test_a_manifest_may_come_through_a_pipe(home: Path, folder: Path) -> None:
    written(folder, {"plain.wav": KINDS["plain.wav"][1]})
    text = json.dumps({**line("plain.wav", tenant="acme"), "audio": str(folder / "calls" / "plain.wav")})
    command = [sys.executable, "-m", "voxkeep", "import", "--manifest", "/dev/stdin", "--data", str(home), "--json"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["imported"] == 1


def test_what_an_earlier_import_left_half_written_is_cleared_away(home: Path, folder: Path) -> None:
    left = home / "vault" / "acme" / ".call.wav.0123abcd.part"
    left.parent.mkdir()
    left.write_bytes(b"half")
    assert report(home, manifest(folder, b""))["lines"] == 0
    assert not left.exists()


@pytest.mark.parametrize("content", [b"RIFF\x10\x00\x00\x00WAVEjunk", b"ID3\x04junk" * 9, b"OggS" * 90, b"fLaC" * 40])
def test_the_reason_why_audio_is_refused_does_not_show_where_the_archive_keeps_it(
    home: Path, folder: Path, content: bytes
) -> None:
    written(folder, {"bad.wav": content})
    (problem,) = report(home, manifest(folder, line("bad.wav")), code=1)["problems"]
    assert problem["field"] == "audio"
    for word in (str(home), "vault", ".part"):
        assert word not in problem["reason"]


def test_the_command_itself_speaks_one_line_of_json_and_nothing_else(home: Path, folder: Path) -> None:
    written(folder, {"plain.wav": KINDS["plain.wav"][1]})
    file = manifest(folder, line("plain.wav", tenant="acme"), line("none.wav", tenant="acme"))
    command = [sys.executable, "-m", "voxkeep", "import", "--manifest", file.name, "--json"]
    environment = {**os.environ, "VOXKEEP_DATA": str(home)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.endswith("}\n")
    told = msgspec.json.decode(done.stdout)
    assert (told["imported"], told["problems"][0]["line"], told["problems"][0]["field"]) == (1, 2, "audio")
    assert "Traceback" not in done.stderr
    assert set(kept(home)) == {"plain.wav"}
