"""One typed settings tree, read from `voxkeep.toml` in the archive's home and from the environment.

A variable `VOXKEEP_<SECTION>_<NAME>` wins over the file, the file wins over the defaults below. Secrets are not
settings: they come from an environment variable or a file that a command names.
"""

import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

PREFIX = "VOXKEEP_"
FILE_NAME = "voxkeep.toml"
PORTS = re.compile(r" *(\d{1,5}) *- *(\d{1,5}) *", re.ASCII)
MOST_PORT = 65_535

Positive = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]


class SettingsError(Exception):
    """A settings file or variable that cannot be used; the text names the setting."""


class Server(Struct, frozen=True, forbid_unknown_fields=True):
    """The server (`voxkeep serve`, `voxkeep demo`)."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8400
    """Port to listen on; 0 takes a free one."""
    maintenance: bool = False
    """Answer every vendor's API with 503 and Retry-After."""
    max_in_flight: Positive = 512
    """Requests worked on at once; one more is answered 503 with Retry-After."""
    retry_after_seconds: Positive = 30
    """The Retry-After of those 503 answers, in seconds."""
    require_https: bool | None = None
    """Refuse plain HTTP with 403. None: where the server listens on an address that is not loopback."""
    trusted_proxies: str = ""
    """Addresses or networks (CIDR) whose X-Forwarded-Proto is believed, comma-separated."""
    tls_cert: str = ""
    """PEM file with the certificate, and those that lead to its root; with `tls_key` the server speaks HTTPS."""
    tls_key: str = ""
    """PEM file with the certificate's private key, without a passphrase."""

    def __post_init__(self) -> None:
        """Read what has a form of its own, so that a mistake is told when the settings are loaded."""
        self.trusted_networks()

    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Return `trusted_proxies`, each as a network. Raises ValueError naming the setting."""
        try:
            return tuple(ip_network(part.strip()) for part in self.trusted_proxies.split(",") if part.strip())
        except ValueError as error:
            raise ValueError(f"trusted_proxies: {error}") from error


class Database(Struct, frozen=True, forbid_unknown_fields=True):
    """The catalog's database."""

    readers: Positive = 2
    """Threads, each with its own connection, that run reads off the event loop."""
    group_commit: Positive = 32
    """Writes that may share one durable commit."""
    busy_timeout_ms: Positive = 10_000
    """How long a write waits for another process's write, in ms."""


class Archive(Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept."""

    removal_grace_days: NotNegative = 30
    """Days between a soft removal and freeing its audio."""
    chunk_rows: Positive = 500
    """Rows read and sent at a time in a list."""


class Xima(Struct, frozen=True, forbid_unknown_fields=True):
    """The Xima dialect and its limits (seeds 000 and 002)."""

    audio_spacing_ms: NotNegative = 3_000
    """An audio request this long after the last accepted one is always in time, in ms."""
    audio_spacing_grace_ms: NotNegative = 50
    """Jitter forgiven on that spacing, in ms."""
    audio_window_ms: NotNegative = 10_000
    """Length of the rolling window of the request limit, in ms."""
    audio_window_requests: Annotated[int, Meta(ge=1, le=100)] = 3
    """Audio requests accepted in one such window."""
    egress_bytes_per_agent: NotNegative = 288_000_000
    """Audio bytes a licensed agent adds to the tenant's rolling egress cap."""
    egress_window_days: Positive = 5
    """Length of the rolling egress window, in days."""
    call_info_envelope: str = ""
    """Name of an object around the call list of call-recording-info; empty for a bare array."""


class EightByEight(Struct, frozen=True, forbid_unknown_fields=True):
    """The 8x8 dialect's FTPS server (`voxkeep serve --ftps-port`): recordings as files, read-only."""

    ftps_port: Annotated[int, Meta(ge=0, le=65535)] | None = None
    """Port of the FTPS server, on the address of `server.host`; 0 takes a free one. None: there is no such server."""
    ftps_passive_ports: str = ""
    """Ports for data connections, from-to; empty lets the system choose."""
    ftps_masquerade: str = ""
    """IPv4 address that clients are told to open data connections to, where the server stands behind a NAT."""
    ftps_max_connections: Positive = 64
    """FTPS clients connected at once; one more is turned away."""
    ftps_max_connections_per_address: Positive = 32
    """FTPS clients connected at once from one address."""

    def __post_init__(self) -> None:
        """Read what has a form of its own, so that a mistake is told when the settings are loaded."""
        self.passive_ports()
        if self.ftps_masquerade:
            try:
                IPv4Address(self.ftps_masquerade)
            except ValueError as error:
                raise ValueError(f"ftps_masquerade: {error}") from error

    def passive_ports(self) -> range | None:
        """Return `ftps_passive_ports`, None when the system chooses. Raises ValueError naming the setting."""
        if not self.ftps_passive_ports:
            return None
        match = PORTS.fullmatch(self.ftps_passive_ports)
        if match is None or not 1 <= int(match[1]) <= int(match[2]) <= MOST_PORT:
            raise ValueError("ftps_passive_ports: not a range of ports as in 40000-40127")
        return range(int(match[1]), int(match[2]) + 1)


class Kazoo(Struct, frozen=True, forbid_unknown_fields=True):
    """The Kazoo dialect and its limits (seed 004)."""

    port: Annotated[int, Meta(ge=0, le=65535)] | None = None
    """Another port to listen on, since Kazoo's clients expect 8000; 0 takes a free one. None: there is no other."""
    token_seconds: Positive = 3_600
    """How long a login's token is good, in seconds; using it does not prolong it."""
    rate_limits: bool = True
    """Refuse with 429 what comes faster than the buckets below fill."""
    bucket_tokens: Positive = 100
    """Tokens in the bucket of one client address and account."""
    bucket_refill: Positive = 10
    """Tokens that come into a bucket each second; a request takes one."""
    login_cost: Positive = 35
    """Tokens that a login takes."""
    maximum_range_seconds: Positive = 2_682_000
    """Longest window of a list, and its length where none is given: 31 days and an hour."""
    push_bytes: Positive = 1 << 30
    """Largest recording that a cluster may push, in bytes."""


class Deliver(Struct, frozen=True, forbid_unknown_fields=True):
    """Sending recordings out (a recording kept with a `url`)."""

    allow_private_targets: bool = False
    """Send to loopback, link-local and private addresses, too."""
    timeout_seconds: Positive = 300
    """How long one try may take, in seconds."""
    attempts: Positive = 30
    """Tries before a delivery is a dead letter."""
    at_once: Positive = 4
    """Deliveries under way at one time."""


class Collect(Struct, frozen=True, forbid_unknown_fields=True):
    """The collector (`voxkeep collect`)."""

    pace_seconds: Seconds = 3.4
    """Seconds between two requests to one vendor tenant, send to send (3.05 s was measured to draw 429s)."""
    first_run_days: Positive = 30
    """Days a first run goes back."""
    overlap_days: NotNegative = 5
    """Days before the watermark where a later run starts."""
    window_hours: Positive = 24
    """Length of the first listed window, in hours; it grows and shrinks with what it finds."""
    window_records: Positive = 5_000
    """Records a listed window is sized for."""
    timeout_seconds: Positive = 60
    """Seconds a vendor may stay silent before a request counts as failed."""
    attempts: Positive = 4
    """Tries of one request before it is left for the next run."""
    refused_wait_seconds: Seconds = 10.0
    """Least wait after a 429, in seconds."""
    longest_wait_seconds: Positive = 300
    """Most that a vendor's Retry-After is waited for; longer leaves the rest for the next run."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole tree; one attribute for each section of the file."""

    server: Server = field(default_factory=Server)
    database: Database = field(default_factory=Database)
    archive: Archive = field(default_factory=Archive)
    xima: Xima = field(default_factory=Xima)
    eightbyeight: EightByEight = field(default_factory=EightByEight)
    kazoo: Kazoo = field(default_factory=Kazoo)
    deliver: Deliver = field(default_factory=Deliver)
    collect: Collect = field(default_factory=Collect)


def load(home: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of the archive at `home`. Raises SettingsError naming what is wrong."""
    tree = _from_file(home / FILE_NAME)
    for section, name, text in _from_environment(environment):
        tree.setdefault(section, {})[name] = text
    try:
        # strict=False reads the environment's texts as the numbers and flags they stand for
        return msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"settings: {error}") from error


def _from_file(path: Path) -> dict[str, dict[str, Any]]:
    try:
        tree: dict[str, Any] = msgspec.toml.decode(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path.name}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path.name}: {error}") from error
    for name, section in tree.items():
        if not isinstance(section, dict):
            raise SettingsError(f"{path.name}: {name} stands outside any section")
    return tree


def _from_environment(environment: Mapping[str, str]) -> list[tuple[str, str, str]]:
    found = []
    for section in Settings.__struct_fields__:
        start = f"{PREFIX}{section.upper()}_"
        for name, text in environment.items():
            if name.startswith(start):
                found.append((section, name.removeprefix(start).lower(), text))
    return found
