"""Reading request headers as ASGI delivers them: lower-case names, raw values, repeats kept. Knows no single header."""

from collections.abc import Iterable

from starlette.types import Scope

Header = tuple[bytes, bytes]
Headers = Iterable[Header]


def header(scope: Scope, name: bytes) -> bytes | None:
    """Give the first value of a header (`name` in lower case), or None when the request has none."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def host_of(scope: Scope) -> str:
    """Give the host that was asked for, in lower case and without its port; "" when the request names none."""
    return (header(scope, b"host") or b"").decode("latin-1").rsplit(":", 1)[0].lower()


def pick(headers: Headers, names: frozenset[bytes]) -> dict[bytes, bytes]:
    """Give the named headers in one pass; repeated ones are joined by a comma (RFC 9110, 5.3)."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in names:
            found[name] = found[name] + b", " + value if name in found else value
    return found
