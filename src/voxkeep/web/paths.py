"""Which request targets are refused before any route sees them (400). Works on the raw bytes and knows no server."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

MAX_PATH_BYTES: Final = 8192

_SUSPECT = re.compile(rb"[\x00-\x1f\x7f-\xff%\\]|\.\.")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_CONTROL_TEXT = re.compile("[\x00-\x1f\x7f-\x9f]")
_SEPARATORS = re.compile(rb"[/\\]")


def refuse(raw_path: bytes, query: bytes, *, any_text: bool = False) -> str | None:
    """Give the reason to refuse a target, safe to show to the client, or None when it may pass.

    The path is looked at as sent and after undoing its percent-encoding once; climbing is looked for after a second
    time as well, since a proxy in front may have undone one. In the query encoded control characters other than NUL
    may be somebody's text and pass. With `any_text` texts may be in any encoding, and the query is not looked at.
    """
    if len(raw_path) > MAX_PATH_BYTES:
        return f"The path is longer than {MAX_PATH_BYTES} bytes"
    if _SUSPECT.search(raw_path) and (reason := _refuse_path(raw_path, any_text=any_text)):
        return reason
    if not any_text and _SUSPECT.search(query):
        return _refuse_query(query)
    return None


def _refuse_path(raw_path: bytes, *, any_text: bool) -> str | None:
    decoded = unquote_to_bytes(raw_path)
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        if not any_text:
            return "The path is not valid UTF-8"
        text = decoded.decode("latin-1")
    if _CONTROL_TEXT.search(text):
        return "The path holds a control character"
    if _climbs(decoded) or _climbs(unquote_to_bytes(decoded)):
        return "The path climbs out of its folder"
    return None


def _climbs(path: bytes) -> bool:
    return b".." in _SEPARATORS.split(path)


def _refuse_query(query: bytes) -> str | None:
    decoded = unquote_to_bytes(query)
    if _CONTROL.search(query) or b"\x00" in decoded:
        return "The query holds a control character"
    try:
        decoded.decode("utf-8")
    except UnicodeDecodeError:
        return "The query is not valid UTF-8"
    return None
