"""`voxkeep serve` and HTTPS: options over settings, real servers, and wrong usage told in one line."""

import ftplib
import json
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.journeys.processes import VOXKEEP, run, serving, user_token
from tests.server.harness import EVERYTHING, V2, Answer, exchange, parsed, refused, request_bytes
from tests.server.tls import Certificate, certificate
from tests.vendors.eightbyeight.ftpsclient import Client
from typer.testing import CliRunner, Result

from voxkeep.access import Access
from voxkeep.cli import serve
from voxkeep.cli.main import app
from voxkeep.vendors.eightbyeight.ftpserver import FtpsServer

RECORDINGS = f"{V2}/recordings?{EVERYTHING}"
ONLY_HTTPS = "Only HTTPS is accepted here"
Ask = Callable[..., Result]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("serve"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def get(url: str, made: Certificate | None = None, target: str = RECORDINGS, **headers: str) -> Answer:
    sent = {"Host": "localhost", "Connection": "close", **headers}
    data = request_bytes("GET", target, sent)
    return parsed(exchange(int(url.rpartition(":")[2]), data, made.client if made else None))


# Served


def test_with_a_certificate_it_serves_the_archive_over_https(home: Path, made: Certificate) -> None:
    run("tenant", "add", "acme-ns", "--data", str(home))
    token = user_token(home, "bi", "acme-ns")
    with serving("serve", "--data", str(home), *made.options, "--require-https") as told:
        assert told["url"].startswith("https://127.0.0.1:")
        answer = get(told["url"], made, Authorization=f"Bearer {token}")
        assert (answer.status, answer.json) == (200, [])
        assert get(told["url"], made, f"{V2}/{'a' * 300_000}").status == 414


def test_certificate_and_key_may_come_from_settings_and_options_each(home: Path, made: Certificate) -> None:
    environment = {"VOXKEEP_SERVER_TLS_KEY": str(made.key), "VOXKEEP_SERVER_TLS_CERT": "replaced by the option"}
    with serving("serve", "--data", str(home), *made.options[:2], environment=environment) as told:
        refused(get(told["url"], made), 401)


@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        (["--require-https"], {}, ONLY_HTTPS),
        ([], {"VOXKEEP_SERVER_REQUIRE_HTTPS": "true"}, ONLY_HTTPS),
        (["--no-require-https"], {"VOXKEEP_SERVER_REQUIRE_HTTPS": "true"}, ""),
        ([], {}, ""),
    ],
)
def test_plain_http_on_loopback_is_refused_when_asked_for(
    home: Path, options: list[str], environment: Mapping[str, str], message: str
) -> None:
    with serving("serve", "--data", str(home), *options, environment=environment) as told:
        assert told["url"].startswith("http://127.0.0.1:")
        answer = get(told["url"])
        assert answer.status == (403 if message else 401)
        assert not message or refused(answer, 403) == message
        assert get(told["url"], target="/healthz").status == 200


def test_the_demo_never_requires_https(home: Path, made: Certificate) -> None:
    environment = {
        "VOXKEEP_SERVER_REQUIRE_HTTPS": "true",
        "VOXKEEP_SERVER_TLS_CERT": str(made.cert),
        "VOXKEEP_SERVER_TLS_KEY": str(made.cert),
    }
    with serving("demo", "--data", str(home), "--recordings", "1", environment=environment) as told:
        token = told["xima"]["tenants"][0]["token"]
        assert len(get(told["url"], Authorization=f"Bearer {token}").json) > 0


# FTPS


def test_files_are_served_over_ftps_beside_https(home: Path, made: Certificate) -> None:
    run("tenant", "add", "acme-ns", "--data", str(home))
    password = json.loads(run("tenant", "ftps-password", "acme-ns", "--data", str(home), "--json"))["password"]
    with serving("serve", "--data", str(home), *made.options, "--ftps-port", "0") as told:
        assert list(told) == ["url", "ftps"]
        port = told["ftps"]["port"]
        assert get(told["url"], made, target="/healthz").status == 200
        with Client(port, made.client, "acme-ns", password) as client:
            assert client.nlst() == []
            # what another process does holds at once
            run("tenant", "ftps-password", "acme-ns", "--remove", "--data", str(home))
            with pytest.raises(ftplib.error_temp, match="421"):
                client.nlst()


def test_access_runs_before_ftps_is_served_and_until_nobody_is(
    home: Path, made: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def noting(owner: type, name: str) -> None:
        known: Callable[..., object] = getattr(owner, name)

        def noted(self: object) -> object:
            told.append(f"{owner.__name__}.{name}")
            return known(self)

        monkeypatch.setattr(owner, name, noted)

    async def served(*_: object, **__: object) -> None:
        told.append("served")

    for owner in (Access, FtpsServer):
        noting(owner, "start")
        noting(owner, "stop")
    monkeypatch.setattr(serve, "serve", served)
    monkeypatch.setattr(serve, "set_up_logging", lambda: None)
    command = ["serve", "--data", str(home), *made.options, "--ftps-port", "0"]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert told == ["Access.start", "FtpsServer.start", "served", "FtpsServer.stop", "Access.stop"]


def test_the_ftps_port_may_come_from_the_settings(home: Path, made: Certificate) -> None:
    environment = {"VOXKEEP_EIGHTBYEIGHT_FTPS_PORT": "0"}
    with (
        serving("serve", "--data", str(home), *made.options, environment=environment) as told,
        Client(told["ftps"]["port"], made.client) as client,
    ):
        assert str(client.welcome).startswith("220 ")


def test_without_the_option_there_is_no_ftps_server(home: Path, made: Certificate) -> None:
    with serving("serve", "--data", str(home), *made.options) as told:
        assert list(told) == ["url"]


@pytest.mark.parametrize(("options", "environment"), [(["--kazoo-port", "0"], {}), ([], {"VOXKEEP_KAZOO_PORT": "0"})])
def test_kazoos_clients_may_have_a_port_of_their_own(
    home: Path, made: Certificate, options: list[str], environment: Mapping[str, str]
) -> None:
    for tls, scheme in (([], None), (list(made.options), made)):
        with serving("serve", "--data", str(home), *options, *tls, environment=environment) as told:
            own, kazoo = int(told["url"].rpartition(":")[2]), told["kazoo"]["port"]
            assert own != kazoo
            for port in (own, kazoo):
                answer = get(f"x:{port}", scheme, target="/v2/accounts/x/recordings")
                assert (answer.status, answer.json["message"]) == (401, "invalid_credentials")
                refused(get(f"x:{port}", scheme), 401)


def test_a_taken_kazoo_port_is_told_in_one_line(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [*VOXKEEP, "serve", "--data", str(home), "--port", "0", "--kazoo-port", str(taken.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("voxkeep: ")
    assert "ddress already in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_ftps_port_is_told_in_one_line(home: Path, made: Certificate) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = ["serve", "--data", str(home), "--port", "0", *made.options, "--ftps-port", str(port)]
        done = subprocess.run([*VOXKEEP, *command], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"voxkeep: FTPS on 127.0.0.1:{port}: Address already in use\n"


# Wrong usage


@pytest.fixture
def ask(home: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run the command within the test, whose own logging stays as it is."""
    monkeypatch.setattr(serve, "set_up_logging", lambda: None)

    def asked(*words: str, **environment: str) -> Result:
        command = ["serve", "--data", str(home), "--port", "0", *words]
        return CliRunner().invoke(app, command, env=environment)

    return asked


def usage_error(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr.strip()


def test_a_certificate_without_key_names_what_is_missing(ask: Ask, home: Path, made: Certificate) -> None:
    for options, missing, given in ((made.options[:2], "key", "cert"), (made.options[2:], "cert", "key")):
        said = usage_error(ask(*options))
        assert said == f"voxkeep: {home}: server.tls_{missing} is not set: server.tls_{given} needs it"


def test_files_that_do_not_fit_are_told(ask: Ask, made: Certificate, tmp_path: Path) -> None:
    other = certificate(tmp_path, "other")
    wrong = {
        "does not belong to the certificate": ("--tls-cert", str(made.cert), "--tls-key", str(other.key)),
        "No such file or directory": ("--tls-cert", str(made.cert), "--tls-key", str(tmp_path / "missing")),
        "Is a directory": ("--tls-cert", str(tmp_path), "--tls-key", str(made.key)),
        "holds no certificate in PEM form": ("--tls-cert", str(made.key), "--tls-key", str(made.key)),
    }
    for said, options in wrong.items():
        assert said in usage_error(ask(*options))


def test_ftps_needs_a_certificate(ask: Ask, home: Path, made: Certificate) -> None:
    said = usage_error(ask("--ftps-port", "0"))
    wanted = "eightbyeight.ftps_port: FTPS needs a certificate: server.tls_cert and server.tls_key"
    assert said == f"voxkeep: {home}: {wanted}"
    assert "server.tls_key is not set" in usage_error(ask("--ftps-port", "0", *made.options[:2]))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("PASSIVE_PORTS", "40000", "ftps_passive_ports: not a range of ports"),
        ("PASSIVE_PORTS", "5-4", "ftps_passive_ports: not a range of ports"),
        ("PASSIVE_PORTS", "0-10", "ftps_passive_ports: not a range of ports"),
        ("PASSIVE_PORTS", "1-65536", "ftps_passive_ports: not a range of ports"),
        ("MASQUERADE", "nat.test", "ftps_masquerade: "),
        ("MASQUERADE", "::1", "ftps_masquerade: "),
        ("PORT", "65536", "ftps_port"),
        ("MAX_CONNECTIONS", "0", "ftps_max_connections"),
    ],
)
def test_ftps_settings_that_cannot_be_are_told(ask: Ask, name: str, text: str, told: str) -> None:
    assert told in usage_error(ask(**{f"VOXKEEP_EIGHTBYEIGHT_FTPS_{name}": text}))


def test_proxies_that_are_no_addresses_are_told(ask: Ask) -> None:
    said = usage_error(ask(VOXKEEP_SERVER_TRUSTED_PROXIES="10.0.0.1, proxy.test"))
    assert "trusted_proxies: 'proxy.test' does not appear to be an IPv4 or IPv6 network" in said


def test_the_command_itself_ends_with_one_line_and_no_trace(home: Path, made: Certificate) -> None:
    command = [*VOXKEEP, "serve", "--data", str(home), "--tls-cert", str(made.cert), "--tls-key", str(made.cert)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"voxkeep: {home}: server.tls_key: {made.cert}: holds no private key in PEM form\n"
