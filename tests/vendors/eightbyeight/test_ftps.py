"""Asking the FTPS server: everything over TLS, nothing cut short, nothing twice, no secret told."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.server.tls import Certificate, certificate
from tests.vendors.eightbyeight.vendor import ACCOUNT, PASSWORD, TLS_DTPHandler, Tree, ftps_server, tone

from voxkeep.collect import errors
from voxkeep.vendors.eightbyeight import ftps as module
from voxkeep.vendors.eightbyeight.ftps import Ftps, Server

NAME = "S20231114/R202311142213200001.wav"


class Slots:
    taken = 0

    async def __call__(self) -> None:
        self.taken += 1


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tree(tmp_path: Path, pair: Certificate) -> Iterator[Tree]:
    with ftps_server(tmp_path / "tree", pair) as running:
        running.put(NAME, tone(2_000))
        yield running


@pytest.fixture
def slots() -> Slots:
    return Slots()


@pytest.fixture
def server(tree: Tree, pair: Certificate) -> Server:
    return Server(
        host="localhost", port=tree.port, user=ACCOUNT, password=PASSWORD, timeout_seconds=5.0, authority=str(pair.cert)
    )


@pytest.fixture
async def ftps(server: Server, slots: Slots) -> AsyncIterator[Ftps]:
    made = Ftps(server, slots)
    yield made
    await made.close()


async def fetched(ftps: Ftps, name: str = NAME) -> bytes:
    async with ftps.fetch(name) as download:
        body = b"".join([block async for block in download.blocks])
    assert download.length == len(body)
    return body


async def test_a_file_comes_as_it_is_and_its_length_is_known_before(ftps: Ftps) -> None:
    assert await fetched(ftps) == tone(2_000)


async def test_one_login_serves_many_questions_each_in_a_slot_of_its_own(ftps: Ftps, tree: Tree, slots: Slots) -> None:
    for _ in range(3):
        assert await fetched(ftps) == tone(2_000)
    assert await ftps.names("S20231114") == [NAME.partition("/")[2]]
    assert (tree.count("PASS"), slots.taken) == (1, 5)


async def test_control_and_data_are_encrypted_and_plain_clients_are_not_even_greeted(ftps: Ftps, tree: Tree) -> None:
    await ftps.log_in()
    assert [command for command, _ in tree.commands][:4] == ["USER", "PASS", "PBSZ", "PROT"]
    assert ("PROT", "P") in tree.commands
    assert ("AUTH", "TLS") not in tree.commands


async def test_data_connections_offer_the_control_connections_session(
    ftps: Ftps, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped: list[ssl.SSLSession | None] = []
    wrap = module._Session._wrapped

    def watch(self: Any, plain: socket.socket, session: ssl.SSLSession | None) -> ssl.SSLSocket:
        wrapped.append(session)
        return wrap(self, plain, session)

    monkeypatch.setattr(module._Session, "_wrapped", watch)
    await fetched(ftps)
    control, data = wrapped
    assert control is None
    assert data is not None


async def test_a_large_file_is_read_block_by_block(ftps: Ftps, tree: Tree) -> None:
    body = bytes(range(256)) * 40_000
    tree.put("S20231114/R202311142213200009.wav", b"RIFF" + body)
    async with ftps.fetch("S20231114/R202311142213200009.wav") as download:
        sizes = [len(block) async for block in download.blocks]
    assert max(sizes) <= 64 << 10
    assert sum(sizes) == len(body) + 4


async def test_what_is_left_in_the_middle_does_not_spoil_the_next_question(ftps: Ftps, tree: Tree) -> None:
    tree.put("S20231114/R202311142213200009.wav", b"RIFF" + bytes(8_000_000))
    async with ftps.fetch("S20231114/R202311142213200009.wav") as download:
        async for _ in download.blocks:
            break
    assert await fetched(ftps) == tone(2_000)
    assert tree.count("PASS") == 2


async def test_a_folder_that_is_not_there_and_a_missing_file_are_gone_and_the_login_stays(
    ftps: Ftps, tree: Tree
) -> None:
    with pytest.raises(errors.Gone) as caught:
        await ftps.names("S19990101")
    assert caught.value.code == 550
    with pytest.raises(errors.Gone):
        await fetched(ftps, "S20231114/R202311142213209999.wav")
    assert await fetched(ftps) == tone(2_000)
    assert tree.count("PASS") == 1


async def test_a_login_that_was_dropped_is_renewed_once(ftps: Ftps, tree: Tree) -> None:
    await fetched(ftps)
    await asyncio.to_thread(tree.hang_up)
    assert await fetched(ftps) == tone(2_000)
    assert tree.count("PASS") == 2


async def test_a_server_that_says_goodbye_is_asked_once_more_and_then_left(ftps: Ftps, tree: Tree) -> None:
    await fetched(ftps)
    tree.control.says["SIZE"].append("421 Going away.")
    assert await fetched(ftps) == tone(2_000)
    tree.control.says["SIZE"].extend(["421 Going away."] * 2)
    with pytest.raises(errors.ComeBackLater, match="421"):
        await fetched(ftps)


@pytest.mark.parametrize(
    ("command", "reply", "kind"),
    [
        ("SIZE", "550 No such file.", errors.Gone),
        ("RETR", "550 No such file.", errors.Gone),
        ("RETR", "530 Not logged in.", errors.Refused),
        ("RETR", "450 Busy.", errors.ComeBackLater),
        ("RETR", "425 No data connection.", errors.Faltering),
        ("RETR", "451 Local error.", errors.Faltering),
        ("RETR", "553 Bad name.", errors.BadAnswer),
        ("PASV", "500 What?", errors.BadAnswer),
        ("RETR", "HTTP/1.1 400 Bad Request", errors.BadAnswer),
    ],
)
async def test_a_reply_is_told_by_its_kind(
    ftps: Ftps, tree: Tree, command: str, reply: str, kind: type[Exception]
) -> None:
    await ftps.log_in()
    tree.control.says[command].append(reply)
    with pytest.raises(kind) as caught:
        await fetched(ftps)
    assert type(caught.value) is kind
    assert f"RETR {NAME}: FTP " in str(caught.value)
    assert await fetched(ftps) == tone(2_000)


@pytest.mark.parametrize("reply", ["502 Not implemented.", "213 many"])
async def test_a_server_that_tells_no_size_is_believed(ftps: Ftps, tree: Tree, reply: str) -> None:
    tree.control.says["SIZE"].append(reply)
    async with ftps.fetch(NAME) as download:
        assert download.length is None
        assert b"".join([block async for block in download.blocks]) == tone(2_000)


async def test_a_wrong_password_is_refused_and_told_nowhere(server: Server, slots: Slots) -> None:
    ftps = Ftps(replace(server, password="another-one"), slots)
    with pytest.raises(errors.Refused) as caught:
        await ftps.log_in()
    assert "another-one" not in str(caught.value) + repr(replace(server, password="another-one"))
    await ftps.close()


async def test_a_reply_that_repeats_the_password_is_blotted(ftps: Ftps, tree: Tree) -> None:
    tree.control.says["PASS"].append(f"530 {PASSWORD} is wrong")
    with pytest.raises(errors.Refused, match=r"530 \*\*\* is wrong"):
        await ftps.log_in()


@pytest.mark.parametrize("reply", ["500 No.", "534 Policy.", "550 Denied."])
async def test_any_5xx_before_we_are_in_is_a_refusal(ftps: Ftps, tree: Tree, reply: str) -> None:
    tree.control.says["PASS"].append(reply)
    with pytest.raises(errors.Refused):
        await ftps.log_in()


async def test_a_certificate_nobody_vouches_for_gets_no_password(tree: Tree, server: Server, slots: Slots) -> None:
    ftps = Ftps(replace(server, authority=""), slots)
    with pytest.raises(errors.ComeBackLater, match="CERTIFICATE_VERIFY_FAILED"):
        await ftps.log_in()
    assert tree.commands == []
    await ftps.close()


async def test_a_certificate_of_another_host_gets_no_password(tree: Tree, server: Server, slots: Slots) -> None:
    ftps = Ftps(replace(server, host="127.0.0.2"), slots)
    with pytest.raises(errors.ComeBackLater):
        await ftps.log_in()
    assert tree.commands == []
    await ftps.close()


async def test_nobody_there_means_come_back_later(server: Server, slots: Slots) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ftps = Ftps(replace(server, port=free.getsockname()[1]), slots)
        with pytest.raises(errors.ComeBackLater) as caught:
            await ftps.log_in()
    assert not isinstance(caught.value, errors.Faltering)
    await ftps.close()


async def test_a_host_that_cannot_be_one_is_told(server: Server, slots: Slots) -> None:
    ftps = Ftps(replace(server, host=f"{'x' * 70}.test"), slots)
    with pytest.raises(errors.VendorFailure, match="FTPS login"):
        await ftps.log_in()
    await ftps.close()


@contextmanager
def silent() -> Iterator[int]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


async def test_silence_at_the_door_means_come_back_later(server: Server, slots: Slots) -> None:
    with silent() as port:
        ftps = Ftps(replace(server, port=port, timeout_seconds=0.2), slots)
        with pytest.raises(errors.ComeBackLater, match="no answer in time"):
            await ftps.log_in()
        await ftps.close()


async def test_who_is_cancelled_does_not_wait_for_the_server(server: Server, slots: Slots) -> None:
    with silent() as port:
        ftps = Ftps(replace(server, port=port, timeout_seconds=60.0), slots)
        asking = asyncio.create_task(ftps.log_in())
        await asyncio.sleep(0.2)
        asking.cancel()
        async with asyncio.timeout(20):
            with pytest.raises(asyncio.CancelledError):
                await asking
            await ftps.close()
    assert not any(thread.name.startswith("ftps") for thread in threading.enumerate())


async def test_silence_in_the_middle_is_faltering(
    server: Server, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    ftps = Ftps(server, slots)
    await ftps.log_in()

    def late(_: object) -> bytes:
        raise TimeoutError

    monkeypatch.setattr(module._Session, "read", late)
    with pytest.raises(errors.Faltering, match="no answer in time"):
        await fetched(ftps)
    await ftps.close()


@pytest.mark.parametrize("reply", ["426 Broken off.", "451 Disk error."])
async def test_a_transfer_that_the_server_calls_broken_is_cut_short(ftps: Ftps, tree: Tree, reply: str) -> None:
    control: Any = tree.control
    data = control.dtp_handler

    def end(self: Any) -> None:
        self._resp = (reply, None)
        TLS_DTPHandler.close(self)

    data.close = end
    with pytest.raises(errors.BadAnswer, match="the audio was cut short"):
        await fetched(ftps)


async def test_text_in_place_of_audio_is_a_bad_answer_with_its_beginning(ftps: Ftps, tree: Tree) -> None:
    tree.put(NAME, b"<html>no</html>")
    with pytest.raises(errors.BadAnswer, match="text in place of audio") as caught:
        await fetched(ftps)
    assert caught.value.raw == b"<html>no</html>"


async def test_a_list_that_never_ends_is_given_up(ftps: Ftps, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_LIST_BYTES", 1_000)
    tree.put("S20231114/I20231114_version2.csv", bytes(200_000))
    with pytest.raises(errors.BadAnswer, match="too long"):
        await ftps.whole("RETR", "S20231114/I20231114_version2.csv")


async def test_names_may_come_with_their_folder_before_them(ftps: Ftps, monkeypatch: pytest.MonkeyPatch) -> None:
    async def listing(*_: object) -> bytes:
        return b"S20231114/a.wav\r\n./b.wav\nc.wav\r\n\r\n\xff.wav\r\n"

    monkeypatch.setattr(ftps, "whole", listing)
    assert await ftps.names("S20231114") == ["a.wav", "b.wav", "c.wav", "\ufffd.wav"]


@pytest.mark.parametrize("password", ["", "two\r\nlines", "nul\0", "\udcff"])
def test_a_password_that_cannot_be_is_unusable(password: str, slots: Slots) -> None:
    server = Server(host="h", port=990, user="u", password=password, timeout_seconds=1.0)
    with pytest.raises(errors.SourceUnusable):
        Ftps(server, slots)


def test_an_authority_that_cannot_be_read_is_unusable(tmp_path: Path, slots: Slots) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        server = Server(host="h", port=990, user="u", password="p", timeout_seconds=1.0, authority=str(path))
        with pytest.raises(errors.SourceUnusable, match="certificates"):
            Ftps(server, slots)
