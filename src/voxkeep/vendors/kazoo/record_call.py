"""What a client may say of how a call is to be recorded: the parameters of seed 004's table (reference 3.1).

A bound that neither the seed nor Kazoo's schemas have is ours, and keeps a value usable: the texts are at most
LONGEST_TEXT letters without control characters, numbers fit into 32 bits. Parameters that stand in no table are not
looked at, as in Kazoo, whose schema is open to others.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from voxkeep.vendors.kazoo.validate import Form, Kind, Rule, Rules, checked

START, STOP, TOGGLE = "start", "stop", "toggle"
ACTIONS = (START, STOP)
"""Of the callflow action, which the seed's table is of."""
LIVE_ACTIONS = ("mask", "unmask", "pause", "resume", START, STOP, TOGGLE)
"""Of the metaflow, which commands a call that is going on."""
SCHEMES = frozenset({"http", "https", "ftp", "ftps", "sftp"})
SHORTEST_S, LONGEST_S = 5, 10_800
"""What `time_limit` may be, in seconds."""
LONGEST_TEXT = 255
LONGEST_URL = 2_048
LARGEST = 2**31 - 1
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class RecordCall(Struct, frozen=True, kw_only=True):
    """How a call is to be recorded."""

    action: str = START
    """One of ACTIONS, or of LIVE_ACTIONS without `toggle`: Kazoo takes that one for `start` (reference 3.3)."""
    format: str = "mp3"
    """mp3 or wav."""
    label: str = ""
    """Told in the document's `origin`; empty: the callflow's name is."""
    media_name: str = ""
    """The file's name, to be used as it is; empty: 32 hex digits and the format are."""
    media_id: str = ""
    """The document's id (Kazoo 5); empty: one is made."""
    method: str = "put"
    """put or post: how the file is sent to `url`."""
    origin: str = ""
    """How the recording was started; read-only, so `parse` never takes it from a client."""
    record_min_sec: int = 0
    """Seconds; a shorter recording is not kept."""
    record_on_answer: bool = False
    """Begin when the call is answered; goes before `record_on_bridge`."""
    record_on_bridge: bool = False
    """Begin when the call is bridged."""
    record_sample_rate: int | None = None
    """Hz; None: 16,000 for two channels, 8,000 for one."""
    should_follow_transfer: bool = True
    """Go on after a transfer."""
    silence_detection: bool = False
    """End when nobody speaks; this and its three settings stand in the newest of Kazoo's documents alone."""
    silence_final_timeout: int = 5
    """Silence after speech that ends it; Kazoo's documents say milliseconds, though the default looks like seconds."""
    silence_initial_timeout: int = 0
    """Silence before any speech that ends it, in the same unit; 0: none does."""
    silence_threshold: int = 200
    """Energy below which it is silence."""
    skip_module: bool = False
    """Do not record at all; go on in the callflow."""
    time_limit: int = 3_600
    """Seconds; a longer recording is ended."""
    url: str = ""
    """Where the file is sent; may hold secrets. Empty: nowhere."""


def parse(data: Mapping[str, Any], *, actions: tuple[str, ...] = ACTIONS, within: str = "") -> RecordCall:
    """Return the parameters in a JSON object; `within` is the dotted path to it.

    `action` is required by the seed's table, which also gives it a default: one that is missing is `start`. Raises
    KazooError (400) naming every field that is wrong, and each rule that it breaks.
    """
    found = checked(data, RULES[actions], within)
    if found.get("action") == TOGGLE:
        found["action"] = START
    return RecordCall(**found)


def is_target(url: str) -> bool:
    """Tell whether a text is a URL that a recording can be sent to; an empty one stands for none."""
    if not url:
        return True
    if CONTROL.search(url) or " " in url:
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port  # one that is no number, or too large, is only found out here
    except ValueError:
        return False
    return parts.scheme in SCHEMES and bool(parts.hostname)


def _rules(actions: tuple[str, ...]) -> Rules:
    flag = Rule(kind=Kind.BOOLEAN)
    number = Rule(kind=Kind.INTEGER, minimum=0, maximum=LARGEST)
    clean = Form(
        "pattern",
        "Control characters are not allowed",
        r"^[^\x00-\x1f\x7f-\x9f]*$",
        lambda text: CONTROL.search(text) is None,
    )
    text = Rule(kind=Kind.STRING, max_length=LONGEST_TEXT, form=clean)
    target = Form("format", f"Must be a URL of one of {', '.join(sorted(SCHEMES))}", "uri", is_target)
    return {
        "action": Rule(kind=Kind.STRING, one_of=actions),
        "format": Rule(kind=Kind.STRING, one_of=("mp3", "wav")),
        "label": text,
        "media_name": text,
        "media_id": text,
        "method": Rule(kind=Kind.STRING, one_of=("put", "post"), lower=True),
        "record_min_sec": number,
        "record_on_answer": flag,
        "record_on_bridge": flag,
        "record_sample_rate": Rule(kind=Kind.INTEGER, minimum=1, maximum=LARGEST),
        "should_follow_transfer": flag,
        "silence_detection": flag,
        "silence_final_timeout": number,
        "silence_initial_timeout": number,
        "silence_threshold": number,
        "skip_module": flag,
        "time_limit": Rule(kind=Kind.INTEGER, minimum=SHORTEST_S, maximum=LONGEST_S),
        "url": Rule(kind=Kind.STRING, max_length=LONGEST_URL, form=target, secret=True),
    }


RULES: Mapping[tuple[str, ...], Rules] = {actions: _rules(actions) for actions in (ACTIONS, LIVE_ACTIONS)}
