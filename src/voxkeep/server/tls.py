"""The certificate and key of the settings, made into what a listening socket needs. Knows no HTTP."""

import ssl
from pathlib import Path

from voxkeep.settings import Server, SettingsError

_REASONS = {
    None: "holds no private key in PEM form",
    "KEY_VALUES_MISMATCH": "does not belong to the certificate",
    "NO_CERTIFICATE_ASSIGNED": "does not belong to the certificate",  # it is of another kind, e.g. RSA for EC
}
"""What OpenSSL says of a key whose certificate it has read."""


def tls_context(settings: Server) -> ssl.SSLContext | None:
    """Return the context of a server that speaks TLS 1.2 or newer, or None when neither file is set.

    Raises SettingsError naming the setting and the file that is missing, unreadable or does not fit.
    """
    certificate, key = settings.tls_cert, settings.tls_key
    if not (certificate or key):
        return None
    for name, other, path in (("tls_cert", "tls_key", certificate), ("tls_key", "tls_cert", key)):
        if not path:
            raise SettingsError(f"server.{name} is not set: server.{other} needs it")
        _readable(name, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _hold_certificate(certificate)
    _load(context, certificate, key)
    return context


def _readable(name: str, path: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise SettingsError(f"server.{name}: {path}: {error.strerror}") from error
    except ValueError as error:  # a zero byte in the path
        raise SettingsError(f"server.{name}: {error}") from error


def _hold_certificate(path: str) -> None:
    """Look for a certificate first, since OpenSSL does not tell whether it is that or the key which it cannot read."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError as error:
        raise SettingsError(f"server.tls_cert: {path}: holds no certificate in PEM form") from error


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    def passphrase() -> str:  # asked for by OpenSSL, which would otherwise ask at the terminal
        raise SettingsError(f"server.tls_key: {key}: is encrypted; only a key without a passphrase can be used")

    try:
        context.load_cert_chain(certificate, key, passphrase)
    except ssl.SSLError as error:
        reason = _REASONS.get(error.reason) or f"cannot be used ({error.reason.replace('_', ' ').lower()})"
        raise SettingsError(f"server.tls_key: {key}: {reason}") from error
