"""`voxkeep serve` and HTTPS: options over settings, real servers, and wrong usage told in one line."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.journeys.processes import VOXKEEP, run, serving, user_token
from tests.server.harness import EVERYTHING, V2, Answer, exchange, parsed, refused, request_bytes
from tests.server.tls import Certificate, certificate
from typer.testing import CliRunner, Result

from voxkeep.cli import serve
from voxkeep.cli.main import app

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


def test_proxies_that_are_no_addresses_are_told(ask: Ask) -> None:
    said = usage_error(ask(VOXKEEP_SERVER_TRUSTED_PROXIES="10.0.0.1, proxy.test"))
    assert "trusted_proxies: 'proxy.test' does not appear to be an IPv4 or IPv6 network" in said


def test_the_command_itself_ends_with_one_line_and_no_trace(home: Path, made: Certificate) -> None:
    command = [*VOXKEEP, "serve", "--data", str(home), "--tls-cert", str(made.cert), "--tls-key", str(made.cert)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"voxkeep: {home}: server.tls_key: {made.cert}: holds no private key in PEM form\n"
