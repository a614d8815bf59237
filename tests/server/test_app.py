"""The application around the dialects: health, guards, isolation of tenants, the log and the work beside requests."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.harness import EVERYTHING, START, V2, World, refused, until

from voxkeep.archive.errors import ArchiveError
from voxkeep.archive.model import Recording, State, Tenant
from voxkeep.audio.ogg import verify_ogg_opus
from voxkeep.server import background as background_module
from voxkeep.server.app import App
from voxkeep.server.background import background
from voxkeep.server.serve import Redaction, serve
from voxkeep.settings import Archive as ArchiveSettings
from voxkeep.settings import Server, Settings
from voxkeep.vault import VaultError
from voxkeep.vendors.xima import wire

TENANTS = ("acme", "globex", "initech")


# Health


async def test_healthz_says_ok_to_anybody(world: World) -> None:
    answer = await world.ask("GET", "/healthz")
    assert (answer.status, answer.json) == (200, {"status": "ok"})


async def test_readyz_counts_the_alarms(world: World) -> None:
    tenant = await world.tenant("acme-ns")
    assert (await world.ask("GET", "/readyz")).json == {"status": "ready", "alarms": 0}
    for subject in ("one", "two", "two"):
        await world.archive.alarms.sound("audio-missing", tenant.id, subject)
    answer = await world.ask("GET", "/readyz")
    assert (answer.status, answer.json) == (200, {"status": "ready", "alarms": 2})
    await world.archive.alarms.clear("audio-missing", tenant.id, "one")
    assert (await world.ask("GET", "/readyz")).json["alarms"] == 1


async def test_under_maintenance_it_lives_and_is_not_ready(world: World) -> None:
    await world.restart(Settings(server=Server(maintenance=True)))
    assert (await world.ask("GET", "/healthz")).status == 200
    answer = await world.ask("GET", "/readyz")
    assert (answer.status, answer.json) == (503, {"status": "maintenance", "alarms": 0})


# Paths of nobody


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/healthz/", "/Healthz", "/rest/api", "/rest/api/v2", "/rest/api/v3/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_path_is_404_in_the_shape_of_all_errors(world: World, path: str, method: str) -> None:
    answer = await world.ask(method, path)
    assert answer.status == 404
    assert answer.json == {"status": 404, "error": "Not Found", "message": "There is no such resource"}


async def test_a_bad_path_outside_the_dialects_is_400_in_the_shape_of_all_errors(world: World) -> None:
    answer = await world.ask("GET", "/a/../b")
    assert answer.json == {
        "status": 400,
        "error": "Bad Request",
        "message": "The path climbs out of its folder",
    }
    assert answer.status == 400


async def test_maintenance_answers_unknown_paths_with_503_too(world: World) -> None:
    await world.restart(Settings(server=Server(maintenance=True, retry_after_seconds=9)))
    answer = await world.ask("GET", "/nowhere")
    assert (answer.status, answer.headers["retry-after"]) == (503, "9")
    assert refused(answer, 503) == "The service is down for maintenance"


async def test_what_is_not_http_is_not_served(world: World) -> None:
    app = App(world.archive, [], Server())

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    async def send(_: Any) -> None:
        raise AssertionError("nothing is sent")

    with pytest.raises(RuntimeError, match="websocket"):
        await app({"type": "websocket"}, receive, send)


async def test_a_request_that_fails_leaves_its_place_in_flight(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.restart(Settings(server=Server(max_in_flight=1)))
    token = await world.token(await world.tenant("acme-ns"))

    async def fails(*_: Any) -> Any:
        raise OSError("disk")

    with monkeypatch.context() as patched:
        patched.setattr(world.archive.database, "read_shaped", fails)
        for _ in range(3):
            refused(await world.ask("GET", f"{V2}/recordings?{EVERYTHING}", token), 500)
    assert (await world.ask("GET", f"{V2}/recordings?{EVERYTHING}", token)).status == 200


# Tenants never see each other


@pytest.fixture
async def three(world: World) -> dict[str, tuple[Tenant, str, Recording]]:
    """Three tenants, each with the token of its user, and one recording."""
    found = {}
    for name in TENANTS:
        tenant = await world.tenant(f"{name}-ns", f"{name}.xima.test")
        fields: dict[str, Any] = {"vendor": "xima", "vendor_key": f"{name}-key"} if name == "initech" else {}
        recording = await world.keep(tenant, START, audio="ogg", agent_name=name, **fields)
        found[name] = (tenant, await world.token(tenant, name=name), recording)
    return found


Three = dict[str, tuple[Tenant, str, Recording]]
NAMES: dict[str, Callable[[str], str]] = {
    "name": lambda name: f"{name}-ns",
    "host label": lambda name: name,
    "host": lambda name: f"{name}.xima.test",
    "upper case": lambda name: f"{name}-NS".upper(),
}


@pytest.mark.parametrize(("asks", "owns"), list(permutations(TENANTS, 2)))
@pytest.mark.parametrize("way", NAMES)
async def test_no_tenants_token_opens_anothers_audio_by_any_name(
    world: World, three: Three, asks: str, owns: str, way: str
) -> None:
    _, token, mine = three[asks]
    _, _, theirs = three[owns]
    unknown = await world.ask("GET", f"{V2}/recordings/nobody/nothing/audio", token)
    for tenant, recording in ((owns, theirs), (owns, mine), (asks, theirs)):
        for method in ("GET", "HEAD"):
            target = f"{V2}/recordings/{NAMES[way](tenant)}/{wire.key_of(recording)}/audio"
            answer = await world.ask(method, target, token)
            assert answer.status == 404
            assert answer.headers == unknown.headers
            assert answer.body == (unknown.body if method == "GET" else b"")
    own = await world.ask("GET", f"{V2}/recordings/{NAMES[way](asks)}/{wire.key_of(mine)}/audio", token)
    assert own.status == 200


@pytest.mark.parametrize("asks", TENANTS)
@pytest.mark.parametrize("route", ["recordings", "call-recording-info"])
async def test_no_list_shows_another_tenants_recordings(world: World, three: Three, asks: str, route: str) -> None:
    _, token, mine = three[asks]
    records = (await world.ask("GET", f"{V2}/{route}?{EVERYTHING}", token)).json
    assert len(records) == 1
    text = json.dumps(records)
    for name, (_, _, recording) in three.items():
        assert (wire.key_of(recording) in text) == (name == asks)
        assert (f"{name}-ns" in text) == (name == asks)
    assert wire.key_of(mine) in text


@pytest.mark.parametrize(("asks", "owns"), list(permutations(TENANTS, 2)))
@pytest.mark.parametrize("route", ["recordings", "call-recording-info", "recordings/{0}-ns/{0}-key/audio"])
async def test_no_token_works_under_another_tenants_host(
    world: World, three: Three, asks: str, owns: str, route: str
) -> None:
    answer = await world.ask("GET", f"{V2}/{route.format(asks)}?{EVERYTHING}", three[asks][1], Host=f"{owns}.xima.test")
    refused(answer, 404)


async def test_the_same_vendor_key_in_two_tenants_is_two_recordings(world: World) -> None:
    tenants = [await world.tenant(f"{name}-ns") for name in TENANTS[:2]]
    for tenant, audio in zip(tenants, ("ogg", ""), strict=True):
        await world.keep(tenant, audio=audio, vendor="xima", vendor_key="same", agent_name=tenant.name)
    tokens = [await world.token(tenant, name=tenant.name) for tenant in tenants]
    assert [(await world.listed(token))[0]["agent"] for token in tokens] == ["acme-ns", "globex-ns"]
    statuses = [
        (await world.ask("GET", f"{V2}/recordings/{tenant.name}/same/audio", token)).status
        for tenant, token in zip(tenants, tokens, strict=True)
    ]
    assert statuses == [200, 404]


# The log keeps no secrets


def logged(message: str, *values: object) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(Redaction())
    logger = logging.Logger("test")  # noqa: LOG001 -- one of its own, that no other test meets
    logger.addHandler(handler)
    logger.info(message, *values)
    return stream.getvalue().strip()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("GET /x?auth_token=vk_abc&id=1", "GET /x?auth_token=***&id=1"),
        ("GET /x?id=1&access_token=abc HTTP/1.1", "GET /x?id=1&access_token=*** HTTP/1.1"),
        ("?TOKEN=abc", "?TOKEN=***"),
        ("authorization: Basic YTpi", "authorization: Basic ***"),
        ("GET /x?password=abc", "GET /x?password=***"),
        ("PASS vk_ftps_0123456789 was refused", "PASS vk_... was refused"),
        ("Authorization: Bearer vk_abc", "Authorization: Bearer ***"),
        ("{'authorization': 'bearer vk_abc'}", "{'authorization': 'bearer ***'}"),
        ('{"secret=abc"}', '{"secret=***"}'),
        ("nothing to hide: tokens are counted", "nothing to hide: tokens are counted"),
    ],
)
def test_secrets_are_taken_out_of_the_log(line: str, shown: str) -> None:
    assert logged(line) == shown


def test_secrets_are_taken_out_of_a_lines_values_too() -> None:
    assert logged('%s - "%s %s HTTP/%s" %d', "1.2.3.4:5", "GET", "/x?token=abc", "1.1", 200) == (
        '1.2.3.4:5 - "GET /x?token=*** HTTP/1.1" 200'
    )


@given(secret=st.text(st.characters(categories=["L", "N"]) | st.sampled_from("-_.~+/="), min_size=8))
def test_no_secret_in_a_url_or_header_passes(secret: str) -> None:
    for line in (f"/x?auth_token={secret}&a=b", f"Authorization: Bearer {secret}", f"/x?access_token={secret}"):
        assert secret not in logged("%s", line)


# Work beside the requests


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_module, "IDLE_SECONDS", 0.01)


@pytest.fixture
async def beside(world: World, quick: None) -> AsyncIterator[World]:  # noqa: ARG001 -- only its effect is wanted
    async with background(world.archive, world.running.activity):
        yield world


async def test_a_missing_opus_form_is_made_beside_the_requests(beside: World) -> None:
    tenant = await beside.tenant("acme-ns")
    token = await beside.token(tenant)
    recording = await beside.keep(tenant, audio="bare")
    audio = f"{V2}/recordings/acme-ns/{wire.key_of(recording)}/audio"

    async def saved() -> bool:
        (record,) = await beside.listed(token)
        assert record["status"] in ("PENDING", "SAVED")
        assert (record["size"] > 0) == (record["status"] == "SAVED")
        return bool(record["status"] == "SAVED")

    await until(saved)
    answer = await beside.ask("GET", audio, token)
    facts = verify_ogg_opus(io.BytesIO(answer.body))
    assert (facts.channels, facts.input_rate) == (1, 8_000)
    assert abs(facts.duration_ms - recording.duration_ms) <= 1
    assert (await beside.listed(token))[0]["size"] == len(answer.body)


async def test_removed_audio_is_freed_beside_the_requests_once_its_grace_is_over(world: World, quick: None) -> None:
    assert quick is None
    await world.restart(Settings(archive=ArchiveSettings(removal_grace_days=0)))
    tenant = await world.tenant("acme-ns")
    token = await world.token(tenant)
    gone, stays = [await world.keep(tenant, START + n, audio="wav") for n in range(2)]
    assert len(files(world.home)) == 4
    await world.archive.remove(tenant.id, gone.id)
    assert len(files(world.home)) == 4

    async def freed() -> bool:
        # the files go first, the row tells it last
        found = await world.archive.by_id(tenant.id, gone.id)
        return found is not None and found.audio is None

    async with background(world.archive, world.running.activity):
        await until(freed)
    assert len(files(world.home)) == 2
    assert [record["status"] for record in await world.listed(token)] == ["DELETED_USER", "SAVED"]
    found = await world.archive.by_id(tenant.id, gone.id)
    assert found is not None
    assert (found.state, found.audio) == (State.REMOVED, None)
    assert (await world.ask("GET", f"{V2}/recordings/acme-ns/{wire.key_of(stays)}/audio", token)).status == 200


async def test_removed_audio_is_not_freed_within_its_grace(world: World) -> None:
    tenant = await world.tenant("acme-ns")
    recording = await world.keep(tenant, audio="wav")
    await world.archive.remove(tenant.id, recording.id)
    assert await world.archive.free_due() == 0
    assert len(files(world.home)) == 2


def files(home: Path) -> list[Path]:
    return [path for room in ("vault", "renditions") for path in (home / room).rglob("*") if path.is_file()]


async def test_audio_that_no_form_can_be_made_of_is_alarmed_and_stops_nothing(beside: World) -> None:
    tenant = await beside.tenant("acme-ns")
    token = await beside.token(tenant)
    broken = await beside.keep(tenant, START, audio="bare")
    for path in (beside.home / "vault").rglob("*.wav"):
        path.unlink()
    sound = await beside.keep(tenant, START + 1, audio="bare")

    async def made() -> bool:
        return bool((await beside.listed(token))[1]["status"] == "SAVED")

    await until(made)
    await until(beside.archive.alarms.all)
    subjects = {alarm.subject for alarm in await beside.archive.alarms.all()}
    assert subjects == {str(broken.id)}
    assert str(sound.id) not in subjects


@pytest.mark.parametrize("error", [ArchiveError("x"), VaultError("x")])
async def test_the_work_goes_on_after_a_fault(
    world: World, quick: None, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert quick is None
    made = asyncio.Event()
    calls = 0

    async def fails_twice() -> int:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise error
        made.set()
        return 0

    monkeypatch.setattr(world.archive.renditions, "make_due", fails_twice)
    async with background(world.archive, world.running.activity), asyncio.timeout(30):
        await made.wait()
    assert calls >= 3


async def test_what_a_dead_writer_left_half_written_is_swept_at_the_start(world: World, quick: None) -> None:
    assert quick is None
    tenant = await world.tenant("acme-ns")
    await world.keep(tenant, audio="wav")
    folder = files(world.home)[0].parent
    left = folder / ".call.wav.0123abcd.part"
    left.write_bytes(b"half")

    async def swept() -> bool:
        return not left.exists()

    async with background(world.archive, world.running.activity):
        await until(swept)
    assert len(files(world.home)) == 2


# Serving


async def test_it_tells_its_address_once_requests_are_answered_and_ends_when_cancelled(world: World) -> None:
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    settings = Server(port=0)
    serving = asyncio.create_task(serve(world.archive, world.access, settings, told.set_result))
    async with asyncio.timeout(20):
        url = await told
    assert url.startswith("http://127.0.0.1:")
    world.port, own = int(url.rpartition(":")[2]), world.port
    assert (await world.ask("GET", "/healthz")).json == {"status": "ok"}
    world.port = own
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_a_port_that_is_taken_ends_it_at_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        await serve(world.archive, world.access, Server(port=world.port), pytest.fail)
    assert ended.value.code == 1
    assert "address already in use" in caplog.text
