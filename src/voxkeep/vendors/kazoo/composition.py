"""Where a recording is sent that has a `url`: Kazoo's composition of the file's name and what is known of it.

Order and names of the query are those of Kazoo 4.3's callflow action, which its other senders shorten (reference 3.4).
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from voxkeep.archive.model import Recording
from voxkeep.archive.names import extension_of
from voxkeep.archive.units import TenantId
from voxkeep.vendors.kazoo.accounts import Account
from voxkeep.vendors.kazoo.wire import ANY_MEDIA, MEDIA_TYPES, View, document_of, shown_id

NO_ACCOUNT = View(Account(id="", tenant=TenantId(0), name="", realm=""))
"""Through which recordings are seen of a tenant that is no Kazoo account."""
FROM_DOCUMENT = (
    "from", "to", "caller_id_name", "caller_id_number", "call_id", "cdr_id", "interaction_id", "owner_id",
)  # fmt: skip
"""The query's first keys, which a recording's document has under the same names; what it has not stays empty."""
FILE_KEY = "recording"
"""What the file's name is given as, where the last parameter of a `url` has a value already."""


def file_name(recording: Recording) -> str:
    """Return what a recording's original is called where it is sent: `call_recording_{call_id}.{ext}`."""
    return _file_name(recording, document_of(recording, NO_ACCOUNT))


def media_type(recording: Recording) -> str:
    """Return the type of a recording's original, in Kazoo's words."""
    return ANY_MEDIA if recording.audio is None else MEDIA_TYPES.get(recording.audio.container, ANY_MEDIA)


def compose(url: str, recording: Recording, view: View = NO_ACCOUNT) -> str:
    """Return where a recording is sent whose `url` is this one; `view` is the account that its tenant is.

    The file's name is a segment of the path, or where the URL has a query the value of its last parameter: of that one
    itself if it has none, else of one more. A fragment is dropped.
    """
    document = document_of(recording, view)
    base, _, query = url.partition("#")[0].partition("?")
    name = quote(_file_name(recording, document), safe="")
    known = "&".join(f"{key}={quote(value, safe='')}" for key, value in _query(recording, document, view).items())
    if not query:
        return f"{base.rstrip('/')}/{name}?{known}"
    return f"{base}?{query}{_before_name(query)}{name}&{known}"


def _before_name(query: str) -> str:
    """Return what stands between a query and the file's name."""
    _, equals, value = query.rpartition("&")[2].partition("=")
    if value:
        return f"&{FILE_KEY}="
    return "" if equals else "="


def _file_name(recording: Recording, document: Mapping[str, Any]) -> str:
    container = "" if recording.audio is None else recording.audio.container
    return f"call_recording_{_text(document.get('call_id'))}{extension_of(container)}"


def _query(recording: Recording, document: Mapping[str, Any], view: View) -> dict[str, str]:
    return {
        # without an account there is no realm: then an address is its user part alone
        **{key: _text(document.get(key)).removesuffix("@") for key in FROM_DOCUMENT},
        "account_id": view.account.id,
        "start": _text(document.get("start")),
        "duration_ms": _text(document.get("duration_ms")),
        "recording_id": shown_id(recording),
    }


def _text(value: object) -> str:
    """Return a document's value as Kazoo writes it into a URL: nothing for what is neither text nor number."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
