"""Where something is to be sent, and what may be told of that."""

import hashlib
import re
from enum import StrEnum
from urllib.parse import quote

from msgspec import Struct
from yarl import URL

from voxkeep.audio.render import Form
from voxkeep.deliver.errors import BadTarget

LONGEST_URL = 131_072
"""More than any composed one comes to; what a receiver finds too long, it refuses itself."""
VISIBLE = re.compile(r"[\x21-\x7e]+")
SCHEMES = frozenset({"http", "https"})


class Method(StrEnum):
    """The verb that a recording is sent with."""

    PUT = "put"
    POST = "post"


class Target(Struct, frozen=True, kw_only=True):
    """Where and how a recording is to be sent.

    `url` is asked for exactly as it stands here; a user name and password in it become Basic authentication.
    """

    url: str
    media_type: str
    method: Method = Method.PUT
    form: Form | None = None
    """The form of the audio that is sent; None for the original."""
    name: str = ""
    """The file's name at the end of the URL's path, which may be told; of the rest of the path nothing is."""
    given: str = ""
    """The URL that `url` was made of: by it two orders are the same. `url` itself where this is empty."""

    def __repr__(self) -> str:
        """Show nothing that is not to be told."""
        return f"Target({self.method} {self.place})"

    @property
    def place(self) -> str:
        """Return what may be told of the URL. Raises BadTarget."""
        return place_of(checked_url(self.url), self.name)

    @property
    def identity(self) -> str:
        """Return what two orders must share to be the same: the SHA-256 of the URL as it was given."""
        return hashlib.sha256((self.given or self.url).encode()).hexdigest()


def checked_url(text: str) -> URL:
    """Return a URL that something can be sent to, without its fragment. Raises BadTarget, which does not show it."""
    if len(text) > LONGEST_URL:
        raise BadTarget(f"longer than {LONGEST_URL} characters")
    if not VISIBLE.fullmatch(text):
        raise BadTarget("holds letters that no URL has: they must be percent-encoded")
    try:
        url = URL(text, encoded=True).with_fragment(None)
        host, port = url.raw_host, url.port
    except ValueError:
        raise BadTarget("not a URL") from None
    if url.scheme not in SCHEMES:
        raise BadTarget("must begin with http:// or https://")
    if not host or not port:
        raise BadTarget("names no host, or a port that cannot be")
    return url


def place_of(url: URL, name: str) -> str:
    """Return what may be told of a URL: `scheme://host[:port]/.../name`, or without the name where it has none.

    A path may hold secrets, too, its last segment as well as any other.
    """
    host = f"[{url.raw_host}]" if ":" in (url.raw_host or "") else url.raw_host
    port = f":{url.explicit_port}" if url.explicit_port else ""
    segment = quote(name, safe="")
    path = url.raw_path
    if segment and path == f"/{segment}":
        return f"{url.scheme}://{host}{port}/{segment}"
    shown = f"/.../{segment}" if segment and path.endswith(f"/{segment}") else "/..."
    return f"{url.scheme}://{host}{port}{shown}"
