"""The sample contact centre: repeatable, in its window, believable, and never laid over somebody's archive."""

import asyncio
import json
import re
import shutil
import signal
import stat
import subprocess
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.journeys.processes import serving
from tests.server.harness import V2, ask_at, demo_process

from voxkeep.access import Access
from voxkeep.archive import Archive
from voxkeep.archive.archive import in_use
from voxkeep.archive.model import AGENT, CUSTOMER, OWN, AgentKind, Recording, State, Tenant
from voxkeep.archive.query import START, Question, Scope, TimeRange
from voxkeep.archive.units import DAY_MS, DurationMs, EpochMs, RecordingId, TenantId, now_ms, uuid7, uuid7_time
from voxkeep.audio.render import Form
from voxkeep.cli.common import ROOMS, run
from voxkeep.cli.demo import _teller
from voxkeep.collect import SourceConfig, Sources
from voxkeep.demo import build as build_module
from voxkeep.demo.build import Demo, DemoError, Plan, TenantAccess, build, claim
from voxkeep.demo.chats import SampleChat, sample_chats
from voxkeep.demo.clips import clips, content
from voxkeep.demo.kazoo import KazooAccess
from voxkeep.demo.people import AGENTS, SKILLS, TENANTS
from voxkeep.demo.sample import Sample, samples
from voxkeep.settings import Settings

END = EpochMs(1_790_000_000_000 // DAY_MS * DAY_MS)
ACME = TenantId(1)
LISTED = ("duration_ms", "state", "agent", "skill", "opus_bytes", "direction", "calling_party", "tag")


def made(seed: int = 1, end: EpochMs = END, days: int = 5, recordings: int = 60) -> list[Sample]:
    return list(samples(ACME, "acme-ns", seed, end, days, recordings))


# The sample calls


def test_the_same_seed_and_day_make_the_same_calls() -> None:
    assert made() == made()


def test_another_seed_makes_other_calls() -> None:
    assert {each.recording.id for each in made()}.isdisjoint(each.recording.id for each in made(seed=2))


def test_another_tenant_has_other_calls() -> None:
    others = samples(ACME, "globex-ns", 1, END, 5, 60)
    assert {each.recording.id for each in made()}.isdisjoint(each.recording.id for each in others)


def test_on_another_day_everything_is_the_same_but_moved() -> None:
    for one, other in zip(made(), made(end=EpochMs(END + 3 * DAY_MS)), strict=True):
        assert other.recording.started_at - one.recording.started_at == 3 * DAY_MS
        assert other.recording.id.int - one.recording.id.int == (3 * DAY_MS) << 80
        assert (other.clip, other.recording.agent) == (one.clip, one.recording.agent)
        assert (other.call.reference, other.call.number) == (one.call.reference, one.call.number)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), days=st.integers(1, 9), recordings=st.integers(0, 150))
def test_any_demo_keeps_what_it_announces(seed: int, days: int, recordings: int) -> None:
    found = made(seed, END, days, recordings)
    audible = [each for each in found if each.clip is not None]
    assert len(audible) == recordings
    rest = Counter(each.recording.state for each in found if each.clip is None)
    assert rest == {State.PENDING: 1, State.LOST_TO_AGE: 1, State.LOST_TO_SPACE: 1}
    assert len({each.recording.id for each in found}) == len({each.recording.event_id for each in found}) == len(found)
    for each in found:
        assert END - days * DAY_MS <= each.call.started_at <= each.recording.started_at
        assert each.recording.ended_at <= each.call.ended_at <= END
        assert uuid7_time(each.recording.id) == each.recording.started_at
        assert (each.recording.vendor, each.recording.call) == (OWN, each.call.id)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), recordings=st.integers(1, 400))
def test_nobody_talks_twice_at_once(seed: int, recordings: int) -> None:
    talks: dict[str, list[tuple[int, int]]] = {agent.name: [] for agent in AGENTS}
    for each in made(seed, END, 1, recordings):
        recording = each.recording
        parties = (recording.calling_party, recording.receiving_party)
        talking = [agent.name for agent in AGENTS if f"{agent.name}({agent.extension})" in parties]
        assert recording.agent_name in talking
        assert len(talking) == (2 if recording.direction == "internal" else 1)
        for name in talking:
            talks[name].append((recording.started_at, recording.ended_at))
    for times in talks.values():
        times.sort()
        assert all(end <= begin for (_, end), (begin, _) in pairwise(times))


def test_the_people_are_ten_agents_with_four_skills() -> None:
    found = made(recordings=240)
    assert {each.recording.agent_name for each in found} == {agent.name for agent in AGENTS}
    assert len(AGENTS) == len({agent.extension for agent in AGENTS}) == len({agent.login for agent in AGENTS}) == 10
    assert {each.recording.skill for each in found} - {""} == {name for _, name in SKILLS}
    assert len(SKILLS) == 4


def test_calls_are_of_every_kind_and_tell_who_called_whom() -> None:
    found = made(recordings=240)
    assert {each.recording.direction for each in found} == {"inbound", "outbound", "internal"}
    assert any(each.recording.direction == "inbound" and not each.recording.skill for each in found)
    assert max(Counter(each.call.id for each in found).values()) == 2
    for each in found:
        recording = each.recording
        shown = recording.calling_party if recording.direction == "outbound" else recording.receiving_party
        assert shown == recording.agent
        assert recording.direction == each.call.direction
        assert recording.call_key == each.call.key
        if recording.direction == "internal":
            number = recording.calling_party.partition("(")[2].rstrip(")")
            assert recording.caller_number == number != recording.agent_extension


# The sample chats


def chatted(seed: int = 1, end: EpochMs = END, days: int = 5, count: int = 24) -> list[SampleChat]:
    return list(sample_chats(ACME, "acme-ns", seed, end, days, count))


def test_the_same_seed_and_day_make_the_same_chats_and_others_make_others() -> None:
    assert chatted() == chatted()
    for others in (chatted(seed=2), list(sample_chats(ACME, "globex-ns", 1, END, 5, 24))):
        assert {each.transcript.vendor_key for each in chatted()}.isdisjoint(
            each.transcript.vendor_key for each in others
        )


def test_on_another_day_the_chats_are_the_same_but_moved() -> None:
    for one, other in zip(chatted(), chatted(end=EpochMs(END + 3 * DAY_MS)), strict=True):
        assert other.transcript.started_at - one.transcript.started_at == 3 * DAY_MS
        assert other.transcript.id.int - one.transcript.id.int == (3 * DAY_MS) << 80
        assert [message.text for message in other.messages] == [message.text for message in one.messages]
        assert [other.at - one.at for one, other in zip(one.messages, other.messages, strict=True)] == (
            [3 * DAY_MS] * len(one.messages)
        )


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), days=st.integers(1, 9), count=st.integers(0, 60))
def test_any_chats_keep_what_the_demo_announces(seed: int, days: int, count: int) -> None:
    found = chatted(seed, END, days, count)
    assert len(found) == len({each.transcript.vendor_key for each in found}) == count
    assert len({each.transcript.id for each in found}) == count
    for each in found:
        chat = each.transcript
        assert END - days * DAY_MS <= chat.started_at <= chat.ended_at <= END
        assert uuid7_time(chat.id) == chat.started_at
        times = [message.at for message in each.messages]
        assert chat.started_at < times[0] <= times[-1] <= chat.ended_at
        assert times == sorted(times)
        assert (chat.vendor, chat.state, chat.kind) == (OWN, State.KEPT, "A2C")


def test_chats_are_of_the_agents_and_their_skills_with_metadata_and_a_translation() -> None:
    found = chatted()
    agents = {agent.name: agent for agent in AGENTS}
    assert {each.transcript.agent_name for each in found} == set(agents)
    for each in found:
        agent = agents[each.transcript.agent_name]
        assert (each.transcript.agent_login, each.transcript.skill) == (agent.login, agent.skill)
        assert (each.transcript.skill_id, each.transcript.skill) in SKILLS
        assert each.messages[0].sender == CUSTOMER
        assert {message.sender for message in each.messages} == {CUSTOMER, AGENT}
    assert {len(each.transcript.metadata) for each in found} == {0, 1, 2, 3}
    names = {field.name for each in found for field in each.transcript.metadata}
    assert {"Color", "Fruit", "Number of alphabets in your native language"} <= names
    messages = [message for each in found for message in each.messages]
    assert any(message.translated_text and message.language == "es" for message in messages)
    assert all(bool(message.translated_text) == bool(message.translated_language) for message in messages)


# What 8x8's clients see of the sample calls


def test_calls_have_wrap_up_codes_and_a_file_name_of_their_own() -> None:
    found = [each.recording for each in made(recordings=240)]
    assert len({recording.file_name for recording in found}) == len(found)
    assert all(re.fullmatch(r"S\d{8}/R\d{18}\.wav", recording.file_name) for recording in found)
    codes = [recording.wrap_up_codes for recording in found]
    assert {len(each) for each in codes} == {0, 1, 2}
    assert any(code.list_name == "Gauffre" for each in codes for code in each)


def test_calls_are_of_every_type_of_8x8s_table() -> None:
    found = [each.recording for each in made(recordings=240)]
    kinds = Counter(
        "outbound" if each.direction == "outbound" else "queued" if each.skill else "direct" for each in found
    )
    assert set(kinds) == {"outbound", "queued", "direct"}
    for each in found:
        assert each.agent_login == next(agent.login for agent in AGENTS if agent.name == each.agent_name)
        assert each.caller_number
        assert each.dialled_number
        assert bool(each.skill_id) == bool(each.skill)


# The archive


Builder = Callable[[Plan], Awaitable[tuple[Archive, Demo]]]


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[Builder]:
    """Build a demo in one and the same folder, each time anew."""
    opened: list[tuple[Archive, Any]] = []

    async def leave() -> None:
        for archive, lock in opened:
            await archive.close()
            lock.close()
        opened.clear()

    async def once(plan: Plan) -> tuple[Archive, Demo]:
        await leave()
        lock = claim(tmp_path / "demo")
        archive = await Archive.at(tmp_path / "demo", Settings(), ROOMS)
        opened.append((archive, lock))
        return archive, await build(archive, Access(archive.database, archive.settings, archive.tenants), plan)

    yield once
    await leave()


async def rows_of(archive: Archive, name: str) -> list[tuple[Any, ...]]:
    tenant = await archive.tenants.named(name)
    times = TimeRange(EpochMs(0), EpochMs(now_ms() * 2))
    return [row async for rows in archive.find([Scope(tenant.id)], times, LISTED, list) for row in rows]


async def test_every_tenant_has_its_recordings_with_audio_and_a_few_without(built: Builder) -> None:
    archive, demo = await built(Plan(recordings=20))
    assert [tenant.name for tenant in demo.tenants] == [tenant.name for tenant in TENANTS]
    for name, count in (("acme-ns", 20), ("globex-ns", 2)):
        states = Counter(State(row[4]) for row in await rows_of(archive, name))
        assert states == {State.KEPT: count, State.PENDING: 1, State.LOST_TO_AGE: 1, State.LOST_TO_SPACE: 1}


async def test_both_forms_are_there_at_once_and_are_the_clips(built: Builder) -> None:
    archive, _ = await built(Plan(recordings=6))
    known = {clip.wav.sha256: clip for clip in clips()}
    tenant = await archive.tenants.named("acme-ns")
    for row in await rows_of(archive, "acme-ns"):
        if row[4] != State.KEPT:
            continue
        recording = await archive.by_key(tenant.id, OWN, row[2])
        assert recording is not None
        assert recording.audio is not None
        clip = known[recording.audio.sha256]
        assert recording.duration_ms == clip.duration_ms
        for form, file in ((None, clip.wav), (Form.OPUS, clip.ogg)):
            reader = await archive.open(recording, form)
            assert await reader.pread(0, reader.size) == content(file.file)
            reader.close()
    assert await archive.renditions.make_due() == 0


async def test_a_second_start_makes_the_same_recordings_and_new_tokens(built: Builder) -> None:
    plan = Plan(recordings=15, days=3, seed=7)
    archive, first = await built(plan)
    before = await rows_of(archive, "acme-ns")
    archive, second = await built(plan)
    if first.end == second.end:  # unless midnight fell between the two
        assert await rows_of(archive, "acme-ns") == before
    tokens = [tenant.token for demo in (first, second) for tenant in demo.tenants]
    assert len(set(tokens)) == 6
    access = Access(archive.database, archive.settings, archive.tenants)
    alive = [await access.tokens.authenticate(token) is not None for token in tokens]
    assert alive == [False] * 3 + [True] * 3


async def test_each_token_reaches_one_tenant_with_every_permission(built: Builder) -> None:
    archive, demo = await built(Plan(recordings=1))
    access = Access(archive.database, archive.settings, archive.tenants)
    for tenant in demo.tenants:
        principal = await access.tokens.authenticate(tenant.token)
        assert principal is not None
        (granted,) = principal.grants
        assert (await archive.tenants.named(tenant.name)).id == granted
        assert (await archive.tenants.named(tenant.host)).id == granted
        assert (await access.gate.limits(granted)).enabled


async def test_every_tenant_has_its_chats(built: Builder) -> None:
    archive, _ = await built(Plan(recordings=1))
    for tenant in TENANTS:
        number = (await archive.tenants.named(tenant.name)).id
        question = Question(Scope(number))
        found = await archive.page_transcripts(question, START, 1_000, ("vendor_key", "message_count"), list)
        assert len(found) == tenant.chats
        for *_, key, count in found:
            chat = await archive.transcript(number, key)
            assert chat is not None
            assert count == len([message async for some in archive.messages(chat) for message in some]) > 2
    assert TENANTS[0].chats >= 20


async def test_every_tenant_has_its_ten_agents_and_four_skills_set_up(built: Builder) -> None:
    archive, _ = await built(Plan(recordings=1))
    for tenant in TENANTS:
        scope = Scope((await archive.tenants.named(tenant.name)).id)
        agents = [agent async for chunk in archive.roster.agents(scope) for agent in chunk]
        skills = [skill async for chunk in archive.roster.skills(scope) for skill in chunk]
        known = {(agent.name, agent.extension, agent.login) for agent in AGENTS}
        assert {(agent.name, agent.extension, agent.login) for agent in agents} == known
        assert {agent.email for agent in agents} == {f"{agent.login}@{tenant.host}" for agent in AGENTS}
        assert all(agent.email.endswith(".test") for agent in agents)
        assert {agent.kind for agent in agents} == set(AgentKind)
        assert {(skill.id, skill.name) for skill in skills} == set(SKILLS)
        assert (len(agents), len(skills)) == (10, 4)


async def test_each_tenant_has_a_second_token_for_8x8s_clients(built: Builder) -> None:
    archive, demo = await built(Plan(recordings=1))
    access = Access(archive.database, archive.settings, archive.tenants)
    for tenant in demo.tenants:
        first, second = [await access.tokens.authenticate(each) for each in (tenant.token, tenant.token_8x8)]
        assert first is not None
        assert second is not None
        assert (first.grants, first.name == second.name) == (second.grants, False)


async def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    archive = await Archive.at(tmp_path / "demo", Settings(), ROOMS)
    told: list[tuple[int, int]] = []
    access = Access(archive.database, archive.settings, archive.tenants)
    await build(archive, access, Plan(recordings=10), lambda done, total: told.append((done, total)))
    await archive.close()
    assert told == [(number, 21) for number in range(1, 22)]


async def test_more_recordings_than_the_agents_can_make_are_refused(archive: Archive) -> None:
    access = Access(archive.database, archive.settings, archive.tenants)
    with pytest.raises(DemoError, match="3 days or more"):
        await build(archive, access, Plan(recordings=2 * build_module.MOST_A_DAY + 1, days=2))
    assert await archive.tenants.all() == []


def test_the_most_that_is_accepted_is_found_room_for() -> None:
    found = made(days=1, recordings=build_module.MOST_A_DAY)
    assert len(found) == build_module.MOST_A_DAY + 3


# The folder


@pytest.mark.parametrize("name", ["voxkeep.db", "notes.txt", ".hidden"])
def test_a_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(DemoError, match="not a demo"):
        claim(tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_an_empty_or_missing_folder_is_taken(tmp_path: Path) -> None:
    claim(tmp_path).close()
    claim(tmp_path / "new" / "deeper").close()
    assert (tmp_path / "new" / "deeper" / "demo.lock").exists()


def test_a_folder_in_which_a_demo_runs_is_refused(tmp_path: Path) -> None:
    with claim(tmp_path / "demo"), pytest.raises(DemoError, match="runs in"):
        claim(tmp_path / "demo")
    claim(tmp_path / "demo").close()


def test_an_earlier_demo_is_cleared_away_and_settings_beside_it_stay(tmp_path: Path) -> None:
    claim(tmp_path / "demo").close()
    for name in ("vault/acme-ns/call.wav", "renditions/x.ogg", "demo.env", "voxkeep.toml"):
        path = tmp_path / "demo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old")
    claim(tmp_path / "demo").close()
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["demo.lock", "in-use.lock", "voxkeep.toml"]


async def test_a_demo_of_which_only_the_beginning_was_made_is_cleared_away(tmp_path: Path) -> None:
    claim(tmp_path).close()
    (tmp_path / "voxkeep.db").touch()
    claim(tmp_path).close()
    assert not (tmp_path / "voxkeep.db").exists()
    await (await Archive.at(tmp_path, Settings())).close()  # without the collector's tables
    claim(tmp_path).close()
    assert not (tmp_path / "voxkeep.db").exists()


def test_the_locks_are_their_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "demo.lock").touch(0o644)
    claim(tmp_path).close()
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("*.lock")} == {0o600}


# What somebody put into a demo


async def a_tenant(archive: Archive) -> None:
    await archive.tenants.add(Tenant(id=TenantId(0), name="mine"))


async def a_recording(archive: Archive) -> None:
    tenant = await archive.tenants.named("acme-ns")
    identity = RecordingId(uuid7(END))
    await archive.keep(
        Recording(
            tenant=tenant.id,
            id=identity,
            started_at=END,
            duration_ms=DurationMs(1),
            vendor="import",
            vendor_key="1",
        )
    )


async def a_source(archive: Archive) -> None:
    tenant = await archive.tenants.named("acme-ns")
    await Sources(archive.database).add(
        SourceConfig(
            name="mine",
            vendor="xima",
            url="https://acme.test",
            tenant=tenant.id,
            secret_env="T",
            secret_file=None,
            pace_seconds=None,
            zone="UTC",
            added_at=END,
        )
    )


def originals(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (home / "vault").rglob("*.wav")}


@pytest.mark.parametrize(
    ("put", "word"), [(a_tenant, "tenants"), (a_recording, "recordings"), (a_source, "sources to collect from")]
)
async def test_a_demo_that_somebody_put_something_into_is_not_cleared_away(
    tmp_path: Path, put: Callable[[Archive], Awaitable[None]], word: str
) -> None:
    claim(tmp_path).close()
    archive = await Archive.at(tmp_path, Settings(), ROOMS)
    await build(archive, Access(archive.database, archive.settings, archive.tenants), Plan(recordings=2))
    await put(archive)
    await archive.close()
    before = originals(tmp_path)
    with pytest.raises(DemoError, match=f"has {word} that are not the demo's: .*--data"):
        claim(tmp_path)
    assert originals(tmp_path) == before
    archive = await Archive.at(tmp_path, Settings(), ROOMS)
    assert len(await rows_of(archive, "acme-ns")) >= 5
    await archive.close()


async def test_a_demo_that_was_killed_is_cleared_away_with_what_stands_in_its_log(tmp_path: Path) -> None:
    claim(tmp_path).close()
    archive = await Archive.at(tmp_path, Settings(), ROOMS)
    await build(archive, Access(archive.database, archive.settings, archive.tenants), Plan(recordings=1))
    (tmp_path / "copy").mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"voxkeep.db{suffix}", tmp_path / "copy")
    await a_tenant(archive)
    (tmp_path / "later").mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"voxkeep.db{suffix}", tmp_path / "later")
    await archive.close()
    for name in ("copy", "later"):
        (tmp_path / name / "demo.lock").touch()
    claim(tmp_path / "copy").close()
    with pytest.raises(DemoError, match="tenants"):
        claim(tmp_path / "later")


def test_a_demos_database_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    claim(tmp_path).close()
    (tmp_path / "voxkeep.db").write_text("not a database, whatever it is" * 100)
    with pytest.raises(DemoError, match="cannot be read"):
        claim(tmp_path)
    claimed_again = (tmp_path / "voxkeep.db").read_text()
    assert claimed_again.startswith("not a database")


def test_a_demo_that_is_in_use_is_not_cleared_away(tmp_path: Path) -> None:
    claim(tmp_path).close()
    (tmp_path / "vault").mkdir()
    with in_use(tmp_path):
        with pytest.raises(DemoError, match="in use"):
            claim(tmp_path)
        assert (tmp_path / "vault").exists()
    claim(tmp_path).close()
    assert not (tmp_path / "vault").exists()


# The command


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_one_line_serves_and_ends_well(tmp_path: Path, number: signal.Signals) -> None:
    with demo_process(tmp_path / "demo", "--recordings", "12", "--days", "2") as demo:
        tenants = demo.document["xima"]["tenants"]
        assert [(tenant["name"], tenant["host"]) for tenant in tenants] == [
            ("acme-ns", "acme.xima.test"),
            ("globex-ns", "globex.xima.test"),
            ("acme-west-ns", "acme-west.xima.test"),
        ]
        token = demo.token("acme-ns")
        records = ask_at(demo.port, "GET", f"{V2}/recordings?{demo.window}", token).json
        assert Counter(record["status"] for record in records) == {
            "SAVED": 12,
            "PENDING": 1,
            "DELETED_TIME": 1,
            "DELETED_SPACE": 1,
        }
        calls = ask_at(demo.port, "GET", f"{V2}/call-recording-info?{demo.window}", token).json
        assert sum(len(call["recordings"]) for call in calls) == 15
        key = next(record["recordingKey"] for record in records if record["status"] == "SAVED")
        audio = ask_at(demo.port, "GET", f"{V2}/recordings/acme-ns/{key}/audio", token)
        assert (audio.status, audio.headers["content-type"]) == (200, "audio/ogg")
        assert demo.end(number) == (0, "")
    assert "Traceback" not in demo.log.read_text()


def test_the_command_starts_again_in_its_folder_and_not_twice_at_once(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    with demo_process(home, "--recordings", "3") as first:
        second = run_demo(home)
        assert (second.returncode, second.stdout) == (2, "")
        assert "runs in" in second.stderr
        old = first.token("acme-ns")
        first.end()
    with demo_process(home, "--recordings", "3") as again:
        window = again.window
        assert ask_at(again.port, "GET", f"{V2}/recordings?{window}", old).status == 401
        assert len(ask_at(again.port, "GET", f"{V2}/recordings?{window}", again.token("acme-ns")).json) == 6


def voxkeep(home: Path, *words: str) -> str:
    """Run another command on a demo's folder and return what it printed."""
    command = [sys.executable, "-m", "voxkeep", *words, "--data", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_administration_works_beside_a_running_demo_and_server_and_a_server_keeps_a_demo_off(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    with demo_process(home, "--recordings", "2") as demo:
        token = voxkeep(home, "user", "add", "bi", "--tenant", "acme-ns").strip()
        assert ask_at(demo.port, "GET", f"{V2}/recordings?{demo.window}", token).status == 200
        new = voxkeep(home, "token", "rotate", "bi").strip()
        assert ask_at(demo.port, "GET", f"{V2}/recordings?{demo.window}", token).status == 401
        assert "acme-ns" in voxkeep(home, "tenant", "list")
        assert demo.end()[0] == 0
    with serving("serve", "--data", str(home)) as server:
        refused = run_demo(home)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "in use" in refused.stderr
        port = int(server["url"].rpartition(":")[2])
        records = ask_at(port, "GET", f"{V2}/recordings?{demo.window}", new).json
        assert len(records) == 5
        assert "bi" in voxkeep(home, "user", "list")


def test_the_command_does_not_clear_away_what_was_imported(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    with demo_process(home, "--recordings", "1", "--speed", "2.5", "--no-live") as demo:
        (tmp_path / "call.wav").write_bytes(content(clips()[0].wav.file))
        line = {"audio": "call.wav", "started_at": "2026-01-01T00:00:00Z", "key": "mine", "tenant": "acme-ns"}
        (tmp_path / "calls.jsonl").write_text(json.dumps(line))
        assert "1 imported" in voxkeep(home, "import", "--manifest", str(tmp_path / "calls.jsonl"))
        assert demo.end()[0] == 0
    refused = run_demo(home)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "recordings that are not the demo's" in refused.stderr
    assert "--data" in refused.stderr
    assert len(list((home / "vault").rglob("mine*.wav"))) == 1


def test_an_environment_file_that_cannot_be_written_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kazoo = KazooAccess("a" * 32, "acme-ns", "spencer", "a phrase", "b" * 32, "c" * 64, "vk_push_x")
    tenant = TenantAccess("acme-ns", "acme.xima.test", "vk_secret", "vk_other", kazoo)
    made = Demo((tenant,), "start", "end", "key", "202401-x")
    ready = _teller(tmp_path / "gone", made, tell_json=True)

    async def work() -> None:
        ready("http://127.0.0.1:1")

    with pytest.raises(typer.Exit) as ended:
        run(work)
    assert ended.value.exit_code == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"voxkeep: {tmp_path / 'gone' / 'demo.env'}: No such file or directory\n"


def test_the_command_refuses_a_folder_that_is_not_a_demos(tmp_path: Path) -> None:
    (tmp_path / "voxkeep.db").write_text("an archive")
    ended = run_demo(tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "not a demo" in ended.stderr
    assert (tmp_path / "voxkeep.db").read_text() == "an archive"


def run_demo(home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "voxkeep", "demo", "--json", "--port", "0", "--data", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_line_tells_the_address_the_tenants_and_the_window(tmp_path: Path) -> None:
    before = now_ms() // DAY_MS
    with demo_process(tmp_path / "demo", "--recordings", "1", "--days", "4") as demo:
        assert set(demo.document) == {"url", "xima", "8x8", "kazoo"}
        assert demo.document["url"].startswith("http://127.0.0.1:")
        xima = demo.document["xima"]
        assert set(xima) == {"tenants", "start", "end"}
        start, end = (datetime.fromisoformat(xima[name]) for name in ("start", "end"))
        assert end - start == timedelta(days=4)
        assert end.timestamp() * 1000 // DAY_MS in (before, now_ms() // DAY_MS)
        assert (end.hour, end.minute, end.second, end.utcoffset()) == (0, 0, 0, timedelta(0))
        assert ask_at(demo.port, "GET", "/readyz").json == {"status": "ready", "alarms": 0}
        eight = demo.document["8x8"]
        assert set(eight) == {"tenant", "token"}
        assert eight["tenant"] == "acme-ns"
        assert eight["token"] not in [tenant["token"] for tenant in xima["tenants"]]
        basic = b64encode(f"acme-ns:{eight['token']}".encode()).decode()
        files = ask_at(demo.port, "GET", "/api/recordings/files.json", Authorization=f"Basic {basic}").json
        assert len(files["recordings"]["file"]) == 1
        environment = (demo.home / "demo.env").read_text()
        assert f"TOKEN_8X8={eight['token']} " in environment
        kazoo = demo.document["kazoo"]
        assert f"API_KEY={kazoo['api_key']} " in environment
        assert kazoo["password"] not in environment


async def test_what_was_asked_last_before_a_signal_stands_in_the_trail(tmp_path: Path) -> None:
    with demo_process(tmp_path / "demo", "--recordings", "1") as demo:
        ask_at(demo.port, "GET", f"{V2}/recordings?{demo.window}", demo.token("acme-ns"))
        assert demo.end() == (0, "")
    archive = await Archive.at(tmp_path / "demo", Settings(), ROOMS)
    entries = await Access(archive.database, archive.settings, archive.tenants).audit.read(EpochMs(0))
    await archive.close()
    assert [entry.action for entry in entries if entry.remote] == ["recording.list"]


async def test_clips_are_read_once_and_shared() -> None:
    assert await asyncio.to_thread(clips) is clips()
