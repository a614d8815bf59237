"""HTTPS by the server itself: a real certificate, real handshakes, and files that cannot be used told in one line."""

import asyncio
import contextlib
import signal
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.server.harness import (
    CLIP,
    EVERYTHING,
    V2,
    Answer,
    World,
    connected,
    exchange,
    parsed,
    refused,
    request_bytes,
)
from tests.server.tls import NEW_KEY, Certificate, certificate, openssl

from voxkeep.archive.model import Tenant
from voxkeep.demo.clips import content
from voxkeep.server.serve import serve
from voxkeep.server.tls import tls_context
from voxkeep.settings import Server, SettingsError
from voxkeep.vendors.xima import wire


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls"))


# The files


def told(cert: object, key: object) -> str:
    with pytest.raises(SettingsError) as refusal:
        tls_context(Server(tls_cert=str(cert), tls_key=str(key)))
    text = str(refusal.value)
    assert "\n" not in text
    return text


def test_without_files_there_is_no_tls() -> None:
    assert tls_context(Server()) is None


def test_a_certificate_and_its_key_are_taken_for_tls_1_2_or_newer(made: Certificate) -> None:
    context = tls_context(Server(tls_cert=str(made.cert), tls_key=str(made.key)))
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE


def test_certificate_and_key_may_share_a_file(made: Certificate, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(made.cert.read_bytes() + made.key.read_bytes())
    assert tls_context(Server(tls_cert=str(both), tls_key=str(both)))


def test_one_without_the_other_is_told(made: Certificate) -> None:
    assert told(made.cert, "") == "server.tls_key is not set: server.tls_cert needs it"
    assert told("", made.key) == "server.tls_cert is not set: server.tls_key needs it"


def test_a_file_that_cannot_be_read_is_named(made: Certificate, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    assert told(missing, made.key) == f"server.tls_cert: {missing}: No such file or directory"
    assert told(made.cert, missing) == f"server.tls_key: {missing}: No such file or directory"
    assert told(tmp_path, made.key) == f"server.tls_cert: {tmp_path}: Is a directory"
    assert told(made.cert, "a\0b").startswith("server.tls_key: ")


@pytest.mark.parametrize("data", [b"", b"nothing of the kind\n", bytes(range(256)) * 20])
def test_a_file_that_is_no_pem_is_named(made: Certificate, tmp_path: Path, data: bytes) -> None:
    other = tmp_path / "other"
    other.write_bytes(data)
    assert told(other, made.key) == f"server.tls_cert: {other}: holds no certificate in PEM form"
    assert told(made.cert, other) == f"server.tls_key: {other}: holds no private key in PEM form"


def test_files_that_are_swapped_are_told(made: Certificate) -> None:
    assert told(made.key, made.cert) == f"server.tls_cert: {made.key}: holds no certificate in PEM form"
    assert told(made.cert, made.cert) == f"server.tls_key: {made.cert}: holds no private key in PEM form"


@pytest.mark.parametrize("new_key", [NEW_KEY, ("-newkey", "rsa:2048")])
def test_a_key_of_another_certificate_is_told(made: Certificate, tmp_path: Path, new_key: tuple[str, ...]) -> None:
    other = certificate(tmp_path, new_key=new_key)
    assert told(made.cert, other.key) == f"server.tls_key: {other.key}: does not belong to the certificate"


def test_an_encrypted_key_is_told_and_nobody_is_asked_for_its_passphrase(made: Certificate, tmp_path: Path) -> None:
    encrypted = tmp_path / "encrypted.key"
    openssl("ec", "-in", made.key, "-aes128", "-passout", "pass:anything", "-out", encrypted)
    assert "is encrypted; only a key without a passphrase can be used" in told(made.cert, encrypted)


def test_a_key_too_weak_to_be_used_is_told(tmp_path: Path) -> None:
    weak = certificate(tmp_path, new_key=("-newkey", "rsa:512"))
    assert told(weak.cert, weak.key) == f"server.tls_key: {weak.key}: cannot be used (ee key too small)"


# The server


@contextlib.asynccontextmanager
async def served(world: World, settings: Server) -> AsyncIterator[str]:
    """Serve the world's archive by the real server and give its URL."""
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(world.archive, world.access, settings, url.set_result))
    try:
        async with asyncio.timeout(20):
            yield await url
    finally:
        signal.raise_signal(signal.SIGTERM)
        await serving


async def ask(url: str, tls: ssl.SSLContext | None, method: str, target: str, **headers: str) -> Answer:
    sent = {"Host": "localhost", "Connection": "close"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    port = int(url.rpartition(":")[2])
    return parsed(await asyncio.to_thread(exchange, port, request_bytes(method, target, sent), tls), method)


class Encrypted:
    """A server that speaks HTTPS, a client that trusts it, and a recording with its tenant's token."""

    def __init__(self, url: str, made: Certificate, tenant: Tenant, token: str, key: str) -> None:
        self.url, self.tls = url, made.client
        self.port = int(url.rpartition(":")[2])
        self.audio = f"{V2}/recordings/{tenant.name}/{key}/audio"
        self._token = token

    async def get(self, target: str, **headers: str) -> Answer:
        return await ask(self.url, self.tls, "GET", target, Authorization=f"Bearer {self._token}", **headers)


@pytest.fixture
async def encrypted(world: World, made: Certificate) -> AsyncIterator[Encrypted]:
    tenant = await world.tenant("acme-ns")
    key = wire.key_of(await world.keep(tenant, audio="ogg"))
    settings = Server(port=0, require_https=True, tls_cert=str(made.cert), tls_key=str(made.key))
    async with served(world, settings) as url:
        yield Encrypted(url, made, tenant, await world.token(tenant), key)


async def test_it_tells_an_https_url(encrypted: Encrypted) -> None:
    assert encrypted.url == f"https://127.0.0.1:{encrypted.port}"


async def test_lists_and_audio_come_over_tls_where_https_is_required(encrypted: Encrypted) -> None:
    (record,) = (await encrypted.get(f"{V2}/recordings?{EVERYTHING}")).json
    whole = content(CLIP.ogg.file)
    assert record["size"] == len(whole)
    assert (await encrypted.get(encrypted.audio)).body == whole
    part = await encrypted.get(encrypted.audio, Range="bytes=100-1099")
    assert (part.status, part.body) == (206, whole[100:1100])


async def test_only_who_trusts_the_certificate_connects(encrypted: Encrypted) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await ask(encrypted.url, ssl.create_default_context(), "GET", "/healthz")
    assert (await encrypted.get("/healthz")).status == 200


async def test_plain_http_on_the_tls_port_gets_no_answer(encrypted: Encrypted) -> None:
    asked = request_bytes("GET", f"{V2}/recordings", {"Host": "localhost", "Authorization": "Bearer x"})
    with contextlib.suppress(ConnectionError):
        assert b"HTTP" not in await asyncio.to_thread(exchange, encrypted.port, asked)
    assert (await encrypted.get("/healthz")).status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_1_2_and_1_3_are_spoken(encrypted: Encrypted, version: ssl.TLSVersion) -> None:
    encrypted.tls.minimum_version = encrypted.tls.maximum_version = version
    assert (await encrypted.get("/healthz")).status == 200


async def test_tls_1_1_is_not_spoken(encrypted: Encrypted) -> None:
    old = encrypted.tls
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r"EOF|alert"):  # the server hangs up or says why
        await asyncio.to_thread(connected, encrypted.port, old)


async def test_a_proxy_in_front_of_plain_http_is_believed_by_its_address_alone(world: World) -> None:
    proxied = {"X_Forwarded_Proto": "https", "X_Forwarded_For": "127.0.0.1"}
    for proxies, status in (("", 403), ("10.0.0.0/8", 403), ("127.0.0.0/8", 401)):
        async with served(world, Server(port=0, require_https=True, trusted_proxies=proxies)) as url:
            assert url.startswith("http://")
            refused(await ask(url, None, "GET", f"{V2}/recordings", **proxied), status)


async def test_where_nobody_can_be_answered_the_log_says_so(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for settings, warned in ((Server(port=0, require_https=True), True), (Server(port=0), False)):
        caplog.clear()
        async with served(world, settings) as url:
            assert (await ask(url, None, "GET", "/healthz")).status == 200
        assert ("only health is answered" in caplog.text) == warned


async def test_files_that_cannot_be_used_end_it_before_it_listens(world: World, made: Certificate) -> None:
    with pytest.raises(SettingsError, match=r"server\.tls_key is not set"):
        await serve(world.archive, world.access, Server(port=0, tls_cert=str(made.cert)), pytest.fail)
