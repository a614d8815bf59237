"""The main job, as a user runs it: a second archive collects a demo whole, through a kill -9, at the real pace."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.journeys.processes import PATIENCE_SECONDS, RECENT, VOXKEEP, run, serving, user_token

RECORDINGS = 12


def get(url: str, token: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 -- loopback
    with urllib.request.urlopen(request) as answer:  # noqa: S310 -- loopback
        body: bytes = answer.read()
        return body


def listing(url: str, token: str, what: str, start: str, end: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(get(f"{url}/rest/api/v2/{what}?startTime={start}&endTime={end}", token))
    return rows


def audio_files(home: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in (home / "vault").rglob("*") if path.is_file()}


def kill_in_the_middle(command: list[str], environment: dict[str, str], home: Path) -> int:
    """Start a run, kill it once some audio is there but not all, and return how much is."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(list((home / "vault").rglob("*.ogg"))) < 4:
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    return len(audio_files(home))


def test_a_demo_is_collected_completely_and_identically_through_a_kill_9_and_without_a_429(tmp_path: Path) -> None:
    demo_home, own = tmp_path / "demo", tmp_path / "own"
    with serving("demo", *RECENT, "--recordings", str(RECORDINGS), "--data", str(demo_home)) as demo:
        tenant = demo["xima"]["tenants"][0]
        start, end = demo["xima"]["start"], demo["xima"]["end"]
        theirs = listing(demo["url"], tenant["token"], "recordings", start, end)
        their_calls = listing(demo["url"], tenant["token"], "call-recording-info", start, end)
        there = [row for row in theirs if row["status"] == "SAVED"]
        assert len(there) == RECORDINGS

        secret = {"DEMO_TOKEN": tenant["token"]}
        source = ("--vendor", "xima", "--url", demo["url"], "--secret-env", "DEMO_TOKEN")
        run("collect", "add", "nightly", *source, "--tenant", "kept", "--data", str(own))
        run("collect", "check", "--data", str(own), environment=secret)
        command = ["collect", "run", "--since", start, "--until", end, "--json", "--data", str(own)]
        before = kill_in_the_middle([*VOXKEEP, *command], {**os.environ, **secret}, own)
        assert 4 <= before < RECORDINGS

        report = json.loads(run(*command, environment=secret))
        again = json.loads(run(*command, environment=secret))

    (told,) = report["sources"]
    assert (told["new"], told["held"]) == (RECORDINGS - told["held"], told["held"])
    assert before - 1 <= told["held"] <= before
    assert told["failed"] == 0
    assert told["pending"] == 1
    assert told["gone"] == 2
    (told_again,) = again["sources"]
    assert (told_again["new"], told_again["held"]) == (0, RECORDINGS)
    assert told_again["bytes"] == 0

    # the vendor's own trail: every recording was heard once (the killed one perhaps twice), and nothing was refused
    heard = demo_audit(demo_home)
    assert RECORDINGS <= len(heard) <= RECORDINGS + 1
    assert all(outcome == "done" for _, outcome in heard)

    assert not list(own.rglob("*.part"))
    with serving("serve", "--data", str(own)) as server:
        token = user_token(own, "reader", "kept")
        ours = listing(server["url"], token, "recordings", start, end)
        our_calls = listing(server["url"], token, "call-recording-info", start, end)
        assert ours == there
        kept_calls = {call["callKey"]: call for call in our_calls}
        for call in their_calls:
            recordings = [row for row in call["recordings"] if row["status"] == "SAVED"]
            if recordings:
                assert kept_calls.pop(call["callKey"]) == {**call, "recordings": recordings}
        assert not kept_calls
        row = ours[0]
        served = get(f"{server['url']}/rest/api/v2/recordings/{row['tenantName']}/{row['recordingKey']}/audio", token)
        kept = audio_files(own)
        assert served == kept[row["recordingKey"]]

    originals = {
        path.name.removesuffix(".opus.ogg"): path.read_bytes() for path in (demo_home / "renditions").rglob("*.ogg")
    }
    assert kept == {row["recordingKey"]: originals[row["recordingKey"]] for row in there}


def demo_audit(home: Path) -> list[tuple[str, str]]:
    """Return the listens in an archive's audit trail: subject and outcome."""
    import apsw  # noqa: PLC0415

    connection = apsw.Connection(str(home / "voxkeep.db"))
    try:
        rows = connection.execute("SELECT subject, outcome FROM access_audit WHERE action = 'recording.listen'")
        return [(str(subject), str(outcome)) for subject, outcome in rows]
    finally:
        connection.close()
