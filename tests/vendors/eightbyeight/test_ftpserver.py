"""The FTPS server to real clients: ftplib, curl, lftp. What they get, who gets in, and that nobody holds up others."""

import asyncio
import contextlib
import ftplib
import gc
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.server.harness import CLIP, NO_LIMITS, START, WAV, World
from tests.server.tls import Certificate, certificate
from tests.vendors.eightbyeight.ftpsclient import Client, Site, site_of

from voxkeep.access import Action, AuditEntry, Outcome
from voxkeep.archive import NewAudio
from voxkeep.archive.model import Recording, State, Tenant
from voxkeep.archive.units import DurationMs, EpochMs, RecordingId, uuid7
from voxkeep.audio.probe import AudioFacts
from voxkeep.audio.render import Form, wav_size_bytes
from voxkeep.database import DatabaseError
from voxkeep.vendors.eightbyeight import ftpserver
from voxkeep.vendors.eightbyeight.ftpserver import Connection, DataChannel, listening
from voxkeep.vendors.eightbyeight.index import index_name

SiteMaker = Callable[..., Awaitable[Site]]
FOLDER = "S20240212"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("ftps"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed logins and a server's end, without the patience of the real one."""
    monkeypatch.setattr(Connection, "auth_failed_timeout", 0.05)
    monkeypatch.setattr(ftpserver, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(ftpserver.Threads, "poll_timeout", 0.02)


@pytest.fixture
async def sited(world: World, acme: Tenant, made: Certificate) -> AsyncIterator[SiteMaker]:
    async with contextlib.AsyncExitStack() as stack:

        async def make(**options: Any) -> Site:
            site = await site_of(world, acme, made, **options)
            stack.push_async_callback(site.server.stop)
            return site

        yield make


@pytest.fixture
async def site(sited: SiteMaker) -> Site:
    return await sited()


@pytest.fixture
async def kept(world: World, acme: Tenant) -> list[Recording]:
    """Three recordings in one folder: a WAV, one collected as Opus, one without its other forms."""
    originals = enumerate(("wav", "ogg", "bare"))
    return [await world.keep(acme, START + number * 1000, audio=audio) for number, audio in originals]


async def big(world: World, tenant: Tenant, size: int) -> tuple[Recording, bytes]:
    """Keep a WAV of many bytes."""
    facts = AudioFacts("wav", "pcm_s16le", 1, 8000, size // 2)
    data = (WAV * (size // len(WAV) + 1))[: wav_size_bytes(facts)]
    at = EpochMs(START + 60_000)
    staged = await world.archive.stage(tenant.id, at, "big", data)
    recording = Recording(
        tenant=tenant.id, id=RecordingId(uuid7(at)), started_at=at, duration_ms=DurationMs(size // 16)
    )
    opus = [(Form.OPUS, b"OggS")]
    return (await world.archive.keep(recording, NewAudio(staged, facts), renditions=opus)).recording, data


def names(recordings: list[Recording]) -> list[str]:
    return [each.file_name.rpartition("/")[2] for each in recordings]


# What is there


async def test_the_root_holds_the_days_of_the_file_names(
    site: Site, world: World, acme: Tenant, kept: list[Recording]
) -> None:
    assert kept
    await world.keep(acme, START + 86_400_000, audio="bare")
    await world.keep(acme, START + 3 * 86_400_000)
    days = [FOLDER, "S20240213"]
    assert await site.do(lambda client: client.nlst()) == days
    assert await site.do(lambda client: [line.split()[-1] for line in client.lines("LIST")]) == days
    facts = await site.do(lambda client: dict(client.mlsd()))
    assert facts == {day: {"type": "dir", "perm": "el", "size": "0", "modify": f"{day[1:]}000000"} for day in days}


async def test_sizes_in_every_listing_are_what_comes(site: Site, kept: list[Recording]) -> None:
    wanted = [index_name(FOLDER), *names(kept)]

    def look(client: Client) -> None:
        sizes = client.sizes(FOLDER)
        assert list(sizes) == wanted
        listed = {line.split()[-1]: int(line.split()[4]) for line in client.lines(f"LIST {FOLDER}")}
        assert listed == sizes
        assert client.nlst(FOLDER) == wanted
        for name, size in sizes.items():
            assert client.size(f"{FOLDER}/{name}") == size
            assert len(client.get(f"{FOLDER}/{name}")) == size

    await site.do(look)


async def test_every_form_of_original_comes_as_wav(site: Site, kept: list[Recording]) -> None:
    files = await site.do(lambda client: [client.get(each.file_name) for each in kept])
    assert files[0] == files[2] == WAV
    assert files[1][:4] == b"RIFF"
    assert len(files[1]) == 44 + 2 * CLIP.facts.samples


async def test_times_are_the_ends_of_recordings_in_utc(site: Site, kept: list[Recording]) -> None:
    end = time.strftime("%Y%m%d%H%M%S", time.gmtime(kept[0].ended_at // 1000))

    def look(client: Client) -> None:
        assert client.sendcmd(f"MDTM {kept[0].file_name}") == f"213 {end}"
        assert dict(client.mlsd(FOLDER))[names(kept)[0]]["modify"] == end
        assert f"modify={end}; /{kept[0].file_name}" in client.sendcmd(f"MLST {kept[0].file_name}").replace(
            "perm=r;", ""
        ).replace(f"size={len(WAV)};", "").replace("type=file;", "")

    await site.do(look)


async def test_a_transfer_goes_on_where_it_was_cut(site: Site, kept: list[Recording]) -> None:
    path = kept[0].file_name
    for start in (1, 44, len(WAV) - 1, len(WAV)):
        assert await site.do(Client.get, path, start) == WAV[start:]
    with pytest.raises(ftplib.error_perm, match="554"):
        await site.do(Client.get, path, len(WAV) + 1)
    index = await site.do(Client.get, f"{FOLDER}/{index_name(FOLDER)}")
    assert await site.do(Client.get, f"{FOLDER}/{index_name(FOLDER)}", 100) == index[100:]


async def test_audio_is_never_sent_as_text(site: Site, kept: list[Recording]) -> None:
    def look(client: Client) -> bytes:
        client.sendcmd("TYPE A")
        assert client.sendcmd(f"SIZE {kept[0].file_name}") == f"213 {len(WAV)}"
        client.sendcmd("TYPE A")
        with client.transfercmd(f"RETR {kept[0].file_name}") as channel:
            parts = b"".join(iter(lambda: channel.recv(65536), b""))
        client.voidresp()
        return parts

    assert await site.do(look) == WAV


async def test_folders_are_entered_and_left(site: Site, kept: list[Recording]) -> None:
    def look(client: Client) -> None:
        client.cwd(FOLDER)
        assert client.pwd() == f"/{FOLDER}"
        assert client.get(names(kept)[0]) == WAV
        assert len(client.nlst()) == 4
        client.cwd("..")
        client.cwd("../..")
        assert client.pwd() == "/"
        assert client.sendcmd(f"STAT /{FOLDER}").count("\n") == 5

    await site.do(look)


async def test_what_was_removed_is_gone_at_once(site: Site, world: World, kept: list[Recording]) -> None:
    before = await site.do(Client.sizes, FOLDER)
    await world.archive.remove(kept[0].tenant, kept[0].id)
    after = await site.do(Client.sizes, FOLDER)
    assert set(before) - set(after) == {names(kept)[0]}
    assert after[index_name(FOLDER)] < before[index_name(FOLDER)]
    assert (await site.do(Client.refused, f"RETR {kept[0].file_name}")).startswith("550")
    for each in kept[1:]:
        await world.archive.remove(each.tenant, each.id)
    assert await site.do(lambda client: client.nlst("/")) == []


async def test_a_folder_of_thousands_is_listed_whole(site: Site, world: World, acme: Tenant) -> None:
    for number in range(1_200):
        await world.keep(acme, START + number)
    await world.archive.database.write(
        lambda transaction: transaction.execute(
            "UPDATE recordings SET state = 0, audio_name = 'x', audio_bytes = id, container = 'wav', samples = 5, "
            "codec = 'pcm_mulaw', channels = 1, sample_rate = 8000"
        )
    )
    sizes = await site.do(Client.sizes, FOLDER)
    assert len(sizes) == 1_201
    assert list(sizes) == sorted(sizes) == await site.do(lambda client: client.nlst(FOLDER))
    index = await site.do(Client.get, f"{FOLDER}/{index_name(FOLDER)}")
    assert len(index) == sizes[index_name(FOLDER)]
    assert index.count(b"\r\n") == 1_201


# What is not


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "../../etc/passwd", "/..", "S20240212/../../etc", "~", "S20240213", "s20240212",
        "S20240212/R1.wav", "S20240212/I20240213_version2.csv", "S20240212/", "nothing", "S20240212/*.wav",
        "S20240212/R\N{SUPERSCRIPT TWO}.wav", "S20240212/x/y", "%00", "voxkeep.db",
    ],
)  # fmt: skip
async def test_no_path_leads_out_of_the_tree(site: Site, kept: list[Recording], path: str) -> None:
    def look(client: Client) -> None:
        for command in ("RETR", "SIZE", "MDTM"):
            assert client.refused(f"{command} {path}").startswith("550")
        with contextlib.suppress(ftplib.error_perm):
            client.cwd(path)
            assert client.pwd() in {"/", f"/{FOLDER}"}
        assert client.get(f"/{kept[0].file_name}") == WAV

    await site.do(look)


async def test_nothing_can_be_changed(site: Site, kept: list[Recording]) -> None:
    path = kept[0].file_name
    commands = [
        f"STOR {path}", "STOR new.wav", f"APPE {path}", "STOU", "STOU x", f"DELE {path}", "MKD new", "XMKD new",
        f"RMD {FOLDER}", f"XRMD {FOLDER}", f"RNFR {path}", "RNTO new", f"SITE CHMOD 777 {path}",
        f"MFMT 20200101000000 {path}",
    ]  # fmt: skip

    def look(client: Client) -> None:
        for command in commands:
            assert client.refused(command) == "550 Not enough privileges."
        assert client.refused("SITE EXEC ls").startswith("500")
        assert client.get(path) == WAV

    await site.do(look)


async def test_audio_that_is_gone_is_refused_and_the_server_goes_on(site: Site, kept: list[Recording]) -> None:
    vault = site.world.home / "vault"
    await asyncio.to_thread(shutil.rmtree, vault / "acme-ns")
    assert (await site.do(Client.refused, f"RETR {kept[0].file_name}")) == "550 No such file or directory."
    assert await site.do(lambda client: client.nlst()) == [FOLDER]


async def test_tenants_never_see_each_other(site: Site, world: World, kept: list[Recording], other: Tenant) -> None:
    password = await world.access.passwords.issue(other)
    theirs = await world.keep(other, START + 86_400_000, audio="bare")

    def look() -> None:
        with site.client("globex-ns", password) as client:
            assert client.nlst() == ["S20240213"]
            for path in (kept[0].file_name, f"{FOLDER}/{index_name(FOLDER)}", FOLDER):
                assert client.refused(f"RETR {path}").startswith("550")
            assert client.get(theirs.file_name) == WAV

    await asyncio.to_thread(look)
    assert (await site.do(Client.refused, f"RETR {theirs.file_name}")).startswith("550")


# Who gets in


async def refusal(site: Site, name: str, password: str) -> str:
    def attempt() -> None:
        site.client(name, password).close()

    with pytest.raises(ftplib.error_perm) as caught:
        await asyncio.to_thread(attempt)
    return str(caught.value)


async def test_every_name_of_the_tenant_signs_in(site: Site) -> None:
    for name in ("acme-ns", "ACME-NS", "acme.8x8.test", "acme"):
        client = await asyncio.to_thread(site.client, name)
        client.close()


async def test_nobody_else_signs_in(site: Site, world: World, other: Tenant) -> None:
    token = await world.token(site.tenant)
    theirs = await world.access.passwords.issue(other)
    attempts = [
        ("acme-ns", "wrong"), ("acme-ns", token), ("acme-ns", theirs), ("globex-ns", site.password),
        ("nobody", site.password), ("anonymous", "me@test"), ("acme-ns", site.password + " "),
        ("acme\N{KELVIN SIGN}", site.password), ("acme-ns", "\N{SNOWMAN}" * 40),
    ]  # fmt: skip
    for name, password in attempts:
        assert (await refusal(site, name, password)).startswith("530")


async def test_the_password_is_no_token(site: Site, world: World) -> None:
    assert (await world.get("recordings?startTime=2024-01-01&endTime=2024-02-01", site.password)).status == 401


async def test_a_switched_off_api_is_off_here_too(site: Site, world: World) -> None:
    await world.access.gate.set_limits(site.tenant.id, type(NO_LIMITS)(enabled=False, api_enabled=False), by="test")
    assert (await refusal(site, "acme-ns", site.password)).startswith("530")


async def test_a_new_password_ends_what_the_old_one_opened(site: Site, world: World, kept: list[Recording]) -> None:
    client = await asyncio.to_thread(site.client)
    with client:
        await world.access.passwords.issue(site.tenant)
        with pytest.raises(ftplib.error_temp, match="421"):
            await asyncio.to_thread(client.get, kept[0].file_name)
    assert (await refusal(site, "acme-ns", site.password)).startswith("530")


async def test_after_three_failures_the_connection_ends(site: Site) -> None:
    def attempt() -> None:
        with Client(site.port, site.made.client) as client:
            for ending in ("failed.", "failed.", "failed. Disconnecting."):
                with pytest.raises(ftplib.error_perm, match=ending):
                    client.login("acme-ns", "wrong")
            with pytest.raises((EOFError, OSError)):
                client.sendcmd("NOOP")

    await asyncio.to_thread(attempt)


async def test_before_signing_in_nothing_is_told(site: Site, kept: list[Recording]) -> None:
    def look() -> None:
        with Client(site.port, site.made.client) as client:
            assert client.welcome == "220 Voxkeep: recordings, read-only."
            for command in ("LIST", f"RETR {kept[0].file_name}", "STAT /", "PASV", "CWD /"):
                assert client.refused(command) == "530 Log in with USER and PASS first."
            assert "AUTH" not in client.sendcmd("FEAT")

    await asyncio.to_thread(look)


async def test_signing_in_anew_forgets_who_was_there(site: Site, kept: list[Recording]) -> None:
    def look(client: Client) -> None:
        client.sendcmd("REIN")
        assert client.refused(f"SIZE {kept[0].file_name}").startswith("530")
        client.login("acme-ns", site.password)
        client.prot_p()
        assert client.get(kept[0].file_name) == WAV

    await site.do(look)


async def test_under_maintenance_nobody_is_served(sited: SiteMaker) -> None:
    site = await sited(maintenance=True)
    with pytest.raises(ftplib.error_temp, match="421 The service is down for maintenance"):
        await asyncio.to_thread(Client, site.port, site.made.client)


# TLS


async def test_a_client_without_tls_gets_no_word(site: Site) -> None:
    def look() -> bytes:
        with socket.create_connection(("127.0.0.1", site.port), timeout=20) as plain:
            plain.sendall(b"USER acme-ns\r\n")
            with contextlib.suppress(ConnectionError):
                return plain.recv(100)
            return b""

    assert b"220" not in await asyncio.to_thread(look)


async def test_tls_before_1_2_is_refused(site: Site) -> None:
    old = ssl.create_default_context(cafile=site.made.cert)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.to_thread(Client, site.port, old)


async def test_data_connections_are_protected_and_stay_so(site: Site) -> None:
    def look() -> None:
        with Client(site.port, site.made.client) as client:
            # logs in without asking for PROT P, and takes it for granted
            client.login("acme-ns", site.password)
            client._prot_p = True  # type: ignore[attr-defined] # what ftplib's prot_p sets once it has asked
            assert client.nlst() == []
            assert client.refused("PROT C") == "534 Data connections must be protected (PROT P)."
            assert client.nlst() == []
            assert client.refused("AUTH TLS").startswith("500")

    await asyncio.to_thread(look)


# What stands in the audit trail


async def trail(world: World) -> list[tuple[str, str, str, str]]:
    entries = [each for each in await world.audited() if each.remote == "127.0.0.1"]
    return [(each.user, each.action, each.subject, each.outcome) for each in entries]


async def test_the_trail_tells_who_came_who_was_refused_and_who_heard_what(
    site: Site, world: World, kept: list[Recording]
) -> None:
    path = kept[0].file_name
    await refusal(site, "acme-ns", "wrong")

    def look(client: Client) -> None:
        client.nlst()
        client.get(path)
        client.refused("RETR S20240212/R1.wav")
        client.get(f"{FOLDER}/{index_name(FOLDER)}")

    await site.do(look)
    assert await trail(world) == [
        ("", Action.AUTHENTICATE, "ftps acme-ns", Outcome.REFUSED),
        ("ftps:acme-ns", Action.AUTHENTICATE, "ftps acme-ns", Outcome.DONE),
        ("ftps:acme-ns", Action.LIST, "/", Outcome.DONE),
        ("ftps:acme-ns", Action.LISTEN, path, Outcome.DONE),
        ("ftps:acme-ns", Action.LISTEN, "S20240212/R1.wav", Outcome.REFUSED),
        ("ftps:acme-ns", Action.LIST, f"/{FOLDER}/{index_name(FOLDER)}", Outcome.DONE),
    ]


async def test_no_byte_leaves_before_the_listen_is_durable(
    site: Site, world: World, kept: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = asyncio.Event()
    record = world.access.audit.record

    async def late(entry: AuditEntry) -> None:
        if entry.action == Action.LISTEN:
            await told.wait()
        await record(entry)

    monkeypatch.setattr(world.access.audit, "record", late)
    client = await asyncio.to_thread(site.client)
    with client:
        getting = asyncio.create_task(asyncio.to_thread(client.get, kept[0].file_name))
        done, _ = await asyncio.wait([getting], timeout=0.3)
        assert not done
        told.set()
        assert await getting == WAV


async def test_a_trail_that_cannot_be_written_lets_nobody_hear(
    site: Site, world: World, kept: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await asyncio.to_thread(site.client)

    async def refused(_: AuditEntry) -> None:
        raise DatabaseError("the disk is gone")

    monkeypatch.setattr(world.access.audit, "record", refused)
    with client:
        assert (await asyncio.to_thread(client.refused, f"RETR {kept[0].file_name}")).startswith("550")


# Nobody holds up others


async def test_a_client_that_is_stuck_holds_up_none_of_twenty(site: Site, world: World, kept: list[Recording]) -> None:
    large, data = await big(world, site.tenant, 12_000_000)
    silent = await asyncio.to_thread(socket.create_connection, ("127.0.0.1", site.port))
    stuck = await asyncio.to_thread(site.client)
    channel = await asyncio.to_thread(stuck.transfercmd, f"RETR {large.file_name}")
    try:
        files = await asyncio.gather(*(site.do(Client.get, kept[number % 3].file_name) for number in range(20)))
        assert [len(each) for each in files[:3]] == [len(each) for each in files[3:6]]
        assert files[0] == WAV
        first = await asyncio.to_thread(channel.recv, 65536)
        assert data.startswith(first)
    finally:
        channel.close()
        stuck.close()
        silent.close()


async def test_a_large_file_comes_whole(site: Site, world: World) -> None:
    large, data = await big(world, site.tenant, 12_000_000)
    assert await site.do(Client.get, large.file_name) == data


async def test_what_is_asked_for_and_never_taken_is_let_go(site: Site, kept: list[Recording]) -> None:
    """Neither asking without a data connection, nor twice on one, nor leaving at any time keeps a file open."""
    path = kept[0].file_name
    await site.do(Client.get, path)

    def ask_and_leave(client: Client) -> None:
        for _ in range(20):
            assert client.sendcmd(f"RETR {path}").startswith("150")
        client.sendcmd("REIN")
        client.login("acme-ns", site.password)
        client.prot_p()
        assert client.sendcmd(f"RETR {path}").startswith("150")

    def ask_twice(client: Client) -> None:
        channel = client.transfercmd(f"RETR {path}")
        client.putcmd(f"RETR {path}")
        with channel:
            data = b"".join(iter(lambda: channel.recv(65536), b""))
        assert data == WAV
        replies = {client.getmultiline()[:3] for _ in range(2)}
        assert "226" in replies

    await settled()
    before = open_files()
    for _ in range(3):
        await site.do(ask_and_leave)
    await until_open_files(before)
    with contextlib.suppress(TimeoutError):
        await site.do(ask_twice)
    await until_open_files(before)


async def settled() -> None:
    await asyncio.sleep(0.3)


async def until_open_files(wanted: int) -> None:
    async with asyncio.timeout(10):
        while open_files() > wanted:  # noqa: ASYNC110 -- it is in other threads' hands
            await asyncio.sleep(0.02)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- names are enough


async def test_clients_that_break_off_leave_nothing_behind(site: Site, world: World) -> None:
    large, _ = await big(world, site.tenant, 12_000_000)
    await settled()
    before = open_files()

    def break_off(client: Client) -> None:
        channel = client.transfercmd(f"RETR {large.file_name}")
        channel.recv(1000)
        for each in (channel, client.sock):
            assert each is not None
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        channel.close()
        client.close()

    await asyncio.gather(*(site.do(break_off) for _ in range(10)))
    await until_open_files(before)
    assert (await site.do(lambda client: client.nlst("/"))) == [FOLDER]


async def test_one_client_more_than_there_may_be_is_turned_away(sited: SiteMaker) -> None:
    site = await sited(ftps_max_connections=2)
    clients = [await asyncio.to_thread(site.client) for _ in range(2)]
    with pytest.raises((OSError, EOFError)):
        await asyncio.to_thread(site.client)
    for client in clients:
        assert await asyncio.to_thread(client.nlst) == []
        await asyncio.to_thread(client.quit)
    await until_welcome(site)


async def test_one_address_has_its_own_limit(sited: SiteMaker) -> None:
    site = await sited(ftps_max_connections_per_address=1)
    with await asyncio.to_thread(site.client), pytest.raises((OSError, EOFError)):
        await asyncio.to_thread(site.client)
    await until_welcome(site)


async def until_welcome(site: Site) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(OSError, EOFError):
                await site.do(Client.pwd)
                return


async def test_who_never_shakes_hands_is_sent_away(sited: SiteMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "handshake_timeout", 0.2)
    site = await sited()

    def look() -> bytes:
        with socket.create_connection(("127.0.0.1", site.port), timeout=20) as plain:
            return plain.recv(100)

    assert await asyncio.to_thread(look) == b""


async def test_who_never_says_who_it_is_is_sent_away_soon(sited: SiteMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "login_timeout", 0.3)
    site = await sited()

    def look() -> str:
        with Client(site.port, site.made.client) as client:
            return client.getresp()

    with pytest.raises(ftplib.error_temp, match="421"):
        await asyncio.to_thread(look)
    with await asyncio.to_thread(site.client) as client:
        await asyncio.sleep(0.5)
        assert await asyncio.to_thread(client.pwd) == "/"


async def test_who_says_nothing_is_sent_away(sited: SiteMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "timeout", 0.3)
    site = await sited()
    with await asyncio.to_thread(site.client) as client, pytest.raises(ftplib.error_temp, match="421"):
        await asyncio.to_thread(client.getresp)


async def test_who_takes_no_byte_is_sent_away(sited: SiteMaker, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DataChannel, "timeout", 0.3)
    site = await sited()
    large, _ = await big(world, site.tenant, 12_000_000)
    with await asyncio.to_thread(site.client) as client:
        channel = await asyncio.to_thread(client.transfercmd, f"RETR {large.file_name}")
        with channel, pytest.raises(ftplib.error_temp, match="421"):
            await asyncio.to_thread(client.getresp)


async def test_a_listing_that_fails_midway_is_told_not_to_be_whole(
    site: Site, kept: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept

    def broken(*_: object) -> None:
        raise ValueError("as a fault in the code would")

    monkeypatch.setattr("voxkeep.vendors.eightbyeight.tree.entries_of", broken)
    with pytest.raises(ftplib.error_temp, match="426"):
        await site.do(lambda client: client.lines(f"LIST {FOLDER}"))


async def test_stopping_ends_every_connection_and_every_thread(sited: SiteMaker, world: World) -> None:
    site = await sited()
    large, _ = await big(world, site.tenant, 12_000_000)
    clients = [await asyncio.to_thread(site.client) for _ in range(3)]
    channel = await asyncio.to_thread(clients[0].transfercmd, f"RETR {large.file_name}")
    await asyncio.to_thread(clients[1].nlst)
    await site.server.stop()
    channel.close()
    for client in clients:
        with pytest.raises((EOFError, OSError, ftplib.Error)):
            await asyncio.to_thread(client.pwd)
        client.close()
    assert not [each for each in threading.enumerate() if each.name == "ftps" or "127.0.0.1" in each.name]
    assert Action.LIST in [entry.action for entry in await world.access.audit.read(EpochMs(0))]
    gc.collect()


async def test_a_server_that_never_began_can_be_stopped(site: Site) -> None:
    unstarted = ftpserver.FtpsServer(site.world.archive, site.world.access, site.server._settings, site.server._options)
    await unstarted.stop()


# Where it listens


async def test_passive_ports_are_those_that_are_set(sited: SiteMaker, kept: list[Recording]) -> None:
    with listening("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    site = await sited(ftps_passive_ports=f"{port}-{port}")

    def look(client: Client) -> None:
        for _ in range(3):
            assert client.sendcmd("EPSV") == f"229 Entering extended passive mode (|||{port}|)."
            assert len(client.nlst(FOLDER)) == len(kept) + 1

    await site.do(look)


async def test_behind_a_nat_its_address_is_told(sited: SiteMaker) -> None:
    site = await sited(ftps_masquerade="192.0.2.7")
    assert (await site.do(lambda client: client.sendcmd("PASV"))).startswith("227 Entering passive mode (192,0,2,7,")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
async def test_it_listens_where_it_is_told(host: str) -> None:
    with listening(host, 0) as listener:
        assert listener.getsockname()[0] in {"127.0.0.1", "::1"}


async def test_a_taken_port_is_told_with_its_address() -> None:
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match="Address already in use") as caught:
            listening("127.0.0.1", port)
    assert caught.value.filename == f"FTPS on 127.0.0.1:{port}"


async def test_a_host_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # nobody outside is asked for a name
    with pytest.raises(OSError, match="not known") as caught:
        listening("nowhere.invalid", 0)
    assert caught.value.filename == "FTPS on nowhere.invalid:0"


# Programs


def netrc(folder: Path, site: Site) -> Path:
    path = folder / ".netrc"
    path.write_text(f"machine localhost login {site.tenant.name} password {site.password}\n")
    path.chmod(0o600)
    return path


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


async def test_curl_lists_and_fetches(site: Site, kept: list[Recording], tmp_path: Path) -> None:
    curl = [program("curl"), "-sS", "--netrc-file", str(netrc(tmp_path, site)), "--ssl-reqd"]

    async def fetched(path: str, *options: str) -> bytes:
        trusting = ["--cacert", str(site.made.cert)]
        command = [*curl, *trusting, *options, f"ftps://localhost:{site.port}/{path}"]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert (await fetched("", "--list-only")).decode().split() == [FOLDER]
    listed = (await fetched(f"{FOLDER}/")).decode().splitlines()
    sizes = {line.split()[-1]: int(line.split()[4]) for line in listed}
    assert list(sizes) == [index_name(FOLDER), *names(kept)]
    for name, size in sizes.items():
        assert len(await fetched(f"{FOLDER}/{name}")) == size
    assert await fetched(kept[0].file_name, "--range", "100-") == WAV[100:]
    assert b"Content-Length: %d" % len(WAV) in await fetched(kept[0].file_name, "--head")
    assert await fetched(kept[0].file_name, "--tlsv1.2", "--tls-max", "1.2") == WAV


async def test_curl_distrusts_a_certificate_it_does_not_know(site: Site, tmp_path: Path) -> None:
    command = [program("curl"), "-sS", "--netrc-file", str(netrc(tmp_path, site)), f"ftps://localhost:{site.port}/"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 60


async def test_lftp_mirrors_the_tree_and_finds_nothing_new_afterwards(
    site: Site, world: World, kept: list[Recording], tmp_path: Path
) -> None:
    lftp, out = program("lftp"), tmp_path / "out"
    netrc(tmp_path, site)
    settings = f"set ssl:ca-file {site.made.cert}; set net:max-retries 1; set net:timeout 20"

    async def mirrored() -> str:
        words = (
            f"{settings}; open ftps://{site.tenant.name}@localhost:{site.port}; mirror --verbose --parallel=4 / {out}"
        )
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LANG": "C"}
        command = [lftp, "-c", words]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, check=False, timeout=60, env=environment, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    await mirrored()
    sizes = await site.do(Client.sizes, FOLDER)
    assert {path.name: path.stat().st_size for path in (out / FOLDER).iterdir()} == sizes
    assert (out / kept[0].file_name).read_bytes() == WAV
    assert "Transferring" not in await mirrored()
    added = await world.keep(site.tenant, START + 5_000, audio="bare", state=State.KEPT)
    again = await mirrored()
    assert again.count("Transferring") == 2
    assert names([added])[0] in again
