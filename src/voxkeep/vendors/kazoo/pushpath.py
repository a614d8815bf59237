"""What the URL of a push tells: which file it is, and of whose call (reference 3.4, 8.4, 8.5).

Two forms exist. A recording with a `url` goes to `{url}/call_recording_{call_id}.{ext}?from=...`, or, where that url
has a query, with the file's name as a value in it. A storage plan's goes to
`{url}/{account_id}/{owner_id}/{recording_id}/{attachment}`. Folders in front of either are the customer's own.
"""

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from msgspec import Struct

from voxkeep.vendors.kazoo.ids import HEX

PREFIX = "/ingest/kazoo/"
RECORDED = "call_recording_"
"""How the file names of the first form begin."""
PROBE = "_test_credentials_file.txt"
"""How the name of the file ends by which a new storage plan is tried."""
STORED_ID = re.compile(r"\d{6}-[0-9a-f]{32}", re.ASCII)
STORED_IN_QUERY = re.compile(r"[0-9a-f]{32}/", re.ASCII)
"""How a storage plan's path begins that stands in a query."""
EXTENSIONS = frozenset(
    {"aac", "aiff", "amr", "au", "flac", "gsm", "m4a", "mp3", "mp4", "oga", "ogg", "opus", "wav", "webm", "wma"}
)
"""Endings that are no part of a call's id, which may itself end like a host name."""
FILE_PARAMETERS = ("file", "recording", "")
"""Parameters of a query whose value may be the file's name, whatever that is."""
FIELDS = frozenset(
    {
        "from", "to", "caller_id_name", "caller_id_number", "call_id", "cdr_id", "interaction_id", "owner_id",
        "account_id", "start", "duration_ms", "recording_id", "conference_recording", "conference_id",
    }
)  # fmt: skip
"""What Kazoo tells in a push's query; never a file's name."""
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
SEPARATOR = re.compile(r"[/\\]")
MOST_IDS = 2

Pairs = Sequence[tuple[str, str]]


class BadPath(ValueError):
    """A path that cannot be; the text tells why."""


class Place(Struct, frozen=True):
    """Which file a push's URL means. Ids that the path does not tell are empty."""

    path: str
    """What GET finds it by again: path, and the name from the query, percent-encoded in one way."""
    file_name: str
    extension: str = ""
    """In lower case, without dots."""
    call_id: str = ""
    """As the file's name tells it."""
    account: str = ""
    owner: str = ""
    recording: str = ""

    @property
    def is_probe(self) -> bool:
        """Tell whether this is the file by which a new storage plan is tried."""
        return self.file_name.endswith(PROBE)


def secret_of(raw_path: bytes) -> str:
    """Return the secret in a path, its first segment; whatever it is."""
    segment = raw_path.removeprefix(PREFIX.encode()).partition(b"/")[0]
    return unquote_to_bytes(segment).decode("utf-8", "replace")


def pairs_of(query: bytes) -> Pairs:
    """Return the parameters of a query in order, repeats and empty ones too; texts in whatever encoding."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    return [(_text(name.encode("latin-1")), _text(value.encode("latin-1"))) for name, value in pairs]


def place_of(raw_path: bytes, pairs: Pairs) -> Place:
    """Return which file a URL means. Raises BadPath."""
    segments = _segments(raw_path)
    named = "" if _tells_a_file(segments) else _named_in(pairs)
    path = "/".join(quote(segment, safe="") for segment in segments)
    if named:
        _check(named)
        path += f"?{quote(named, safe='')}"
        segments += [named] if named.startswith(RECORDED) else [part for part in named.split("/") if part]
    if not segments:
        raise BadPath("it names no file")
    *folders, name = segments
    account, owner, recording = _ids(folders, probe=name.endswith(PROBE))
    call_id, extension = _split(name)
    return Place(path, name, extension, call_id, account, owner, recording)


def _segments(raw_path: bytes) -> list[str]:
    _, *parts = raw_path.removeprefix(PREFIX.encode()).split(b"/")
    segments = [_text(unquote_to_bytes(part)) for part in parts if part]
    for segment in segments:
        _check(segment)
    return segments


def _text(raw: bytes) -> str:
    """Return a text: in UTF-8, or else as old telephones write it. No database likes a NUL."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.replace("\0", "")


def _check(text: str) -> None:
    if CONTROL.search(text):
        raise BadPath("it holds a control character")
    # undone twice: a proxy in front may have undone the encoding once
    for each in (text, unquote_to_bytes(text).decode("utf-8", "replace")):
        if not {".", ".."}.isdisjoint(SEPARATOR.split(each)):
            raise BadPath("it climbs out of its folder")


def _tells_a_file(segments: Sequence[str]) -> bool:
    if not segments:
        return False
    *folders, name = segments
    return name.startswith(RECORDED) or name.endswith(PROBE) or bool(folders and STORED_ID.fullmatch(folders[-1]))


def _named_in(pairs: Pairs) -> str:
    """Return the file's name that a query tells: one that looks so, else that in a parameter made for it."""
    others = [(name, value) for name, value in pairs if name not in FIELDS and value]
    likely = (value for _, value in others if value.startswith(RECORDED) or STORED_IN_QUERY.match(value))
    return next(likely, "") or next((value for name, value in others if name in FILE_PARAMETERS), "")


def _ids(folders: Sequence[str], *, probe: bool) -> tuple[str, str, str]:
    """Return account, owner and recording of a storage plan's path; a recording without an owner has none there."""
    rest = list(folders)
    recording = ""
    if probe:
        rest = rest[:-1]
    elif rest and STORED_ID.fullmatch(rest[-1]):
        recording = rest.pop()
    else:
        return "", "", ""
    ids: list[str] = []
    while rest and len(ids) < MOST_IDS and HEX.fullmatch(rest[-1]):
        ids.insert(0, rest.pop())
    account, owner = (*ids, "", "")[:MOST_IDS]
    return account, owner, recording


def _split(name: str) -> tuple[str, str]:
    """Return the call's id and the extension in a file's name; one or two dots stand between them."""
    stem, dot, ending = name.rpartition(".")
    extension = ending.lower() if dot and ending.lower() in EXTENSIONS else ""
    stem = stem.removesuffix(".") if extension else name
    return (stem.removeprefix(RECORDED) if stem.startswith(RECORDED) else ""), extension
