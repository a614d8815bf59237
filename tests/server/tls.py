"""Certificates made for a test by the openssl program, and what a client needs to trust one."""

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


class Certificate(NamedTuple):
    """A self-signed certificate of localhost and its key, as PEM files."""

    cert: Path
    key: Path

    @property
    def options(self) -> list[str]:
        return ["--tls-cert", str(self.cert), "--tls-key", str(self.key)]

    @property
    def client(self) -> ssl.SSLContext:
        """The context of a client that trusts this certificate and no other."""
        return ssl.create_default_context(cafile=self.cert)


def openssl(*arguments: object) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    subprocess.run([program, *map(str, arguments)], check=True, capture_output=True)


def certificate(folder: Path, name: str = "server", new_key: tuple[str, ...] = NEW_KEY) -> Certificate:
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    openssl("req", "-x509", *new_key, "-nodes", "-days", 2, *names, "-out", made.cert, "-keyout", made.key)
    return made
