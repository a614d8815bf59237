"""Where a recording with a `url` goes: Kazoo's three cases, its query in its order, values that can be read back."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from voxkeep.archive.model import Audio, Recording
from voxkeep.archive.units import CallId, DurationMs, EpochMs, RecordingId, TenantId, uuid7
from voxkeep.vendors.kazoo.accounts import Account
from voxkeep.vendors.kazoo.composition import compose, file_name, media_type
from voxkeep.vendors.kazoo.people import User, Users
from voxkeep.vendors.kazoo.wire import View, recording_of

START = EpochMs(1_763_647_391_250)
KEYS = [
    "from", "to", "caller_id_name", "caller_id_number", "call_id", "cdr_id", "interaction_id", "owner_id", "account_id",
    "start", "duration_ms", "recording_id",
]  # fmt: skip
"""The callflow action's, in its order (reference 3.4)."""
ACCOUNT = Account(id="a" * 32, tenant=TenantId(1), name="Acme", realm="acme.sip.test")
ANNE = User(id="b" * 32, account=ACCOUNT.id, username="anne", agent_extension="204")
VIEW = View(ACCOUNT, Users({ANNE.id: ANNE}, {}, {"204": ANNE}, {}))
DOCUMENT: dict[str, Any] = {
    "id": f"202511-{'c' * 32}",
    "call_id": "9f/1 2@10.0.0.1",
    "cdr_id": "202511-9f/1 2@10.0.0.1",
    "interaction_id": "63930868591-1a2b3c4d",
    "from": "+4420@acme.test",
    "to": "204@acme.test",
    "caller_id_name": "Ütz & Söhne = 100 %",
    "caller_id_number": "+4420",
    "start": 63_930_866_591,
    "duration": 7,
    "duration_ms": 7_250,
}


def audio(container: str) -> Audio:
    return Audio(
        name="x", size_bytes=1, sha256="", container=container, codec="", channels=1, sample_rate=8_000, samples=8_000
    )


def recording(container: str = "wav", **fields: Any) -> Recording:
    made = Recording(
        tenant=TenantId(1),
        id=RecordingId(uuid7(START, 5)),
        call=CallId(UUID(int=77)),
        started_at=START,
        duration_ms=DurationMs(7_250),
        call_key="call-1",
        agent_name="Anne",
        agent_extension="204",
        caller_number="+44 20",
        audio=audio(container),
    )
    return replace(made, **fields)


def of_kazoo(**fields: Any) -> Recording:
    return replace(recording_of({**DOCUMENT, **fields}, TenantId(1)), audio=audio("mp3"))


def parts(url: str) -> tuple[str, list[tuple[str, str]]]:
    split = urlsplit(url)
    return unquote(split.path), parse_qsl(split.query, keep_blank_values=True, strict_parsing=True)


def test_what_kazoo_made_is_told_as_its_document_tells_it() -> None:
    path, query = parts(compose("https://in.test/kept", of_kazoo(), VIEW))
    assert path == "/kept/call_recording_9f/1 2@10.0.0.1.mp3"
    assert [key for key, _ in query] == KEYS
    told = dict(query)
    for key in ("from", "to", "caller_id_name", "caller_id_number", "call_id", "cdr_id", "interaction_id"):
        assert told[key] == DOCUMENT[key]
    assert (told["start"], told["duration_ms"]) == ("63930866591", "7250")
    assert (told["recording_id"], told["account_id"], told["owner_id"]) == (DOCUMENT["id"], ACCOUNT.id, "")


def test_any_other_recording_is_told_as_its_document_would_tell_it() -> None:
    made = recording()
    told = dict(parts(compose("https://in.test", made, VIEW))[1])
    assert told == {
        "from": "+44 20@acme.sip.test",
        "to": "unknown@acme.sip.test",
        "caller_id_name": "",
        "caller_id_number": "+44 20",
        "call_id": "call-1",
        "cdr_id": "202511-call-1",
        "interaction_id": told["interaction_id"],
        "owner_id": ANNE.id,
        "account_id": ACCOUNT.id,
        "start": "63930866591",
        "duration_ms": "7250",
        "recording_id": f"202511-{made.id.hex}",
    }


def test_without_an_account_its_fields_are_there_and_empty() -> None:
    url = compose("https://in.test", recording())
    assert "&owner_id=&account_id=&start=63930866591&" in url
    assert "?from=%2B44%2020&to=unknown&caller_id_name=&" in url


@pytest.mark.parametrize(
    ("url", "begins"),
    [
        ("https://in.test", "https://in.test/FILE?from="),
        ("https://in.test/", "https://in.test/FILE?from="),
        ("https://in.test/a/b", "https://in.test/a/b/FILE?from="),
        ("https://in.test/a/b/", "https://in.test/a/b/FILE?from="),
        ("https://in.test/a?", "https://in.test/a/FILE?from="),
        ("https://in.test/a#part", "https://in.test/a/FILE?from="),
        ("https://us:pw@in.test/a", "https://us:pw@in.test/a/FILE?from="),
        ("https://in.test/a?file=", "https://in.test/a?file=FILE&from="),
        ("https://in.test/a?key=1&file=", "https://in.test/a?key=1&file=FILE&from="),
        ("https://in.test/a?file", "https://in.test/a?file=FILE&from="),
        ("https://in.test/a?key=1&file", "https://in.test/a?key=1&file=FILE&from="),
        ("https://in.test/a?key=1", "https://in.test/a?key=1&recording=FILE&from="),
        ("https://in.test/a/?key=/x/", "https://in.test/a/?key=/x/&recording=FILE&from="),
        ("https://in.test/a?key=b=c", "https://in.test/a?key=b=c&recording=FILE&from="),
    ],
)
def test_the_file_s_name_goes_where_kazoo_puts_it(url: str, begins: str) -> None:
    assert compose(url, recording()).startswith(begins.replace("FILE", "call_recording_call-1.wav"))


@pytest.mark.parametrize(
    ("container", "extension", "named"),
    [
        ("wav", ".wav", "audio/x-wav"),
        ("mp3", ".mp3", "audio/mpeg"),
        ("ogg", ".ogg", "audio/ogg"),
        ("flac", ".flac", "audio/flac"),
        ("none", ".audio", "application/octet-stream"),
    ],
)
def test_extension_and_type_are_those_of_the_original(container: str, extension: str, named: str) -> None:
    made = recording(container)
    assert file_name(made) == f"call_recording_call-1{extension}"
    assert media_type(made) == named


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    texts=st.fixed_dictionaries(dict.fromkeys(KEYS[:7], TEXT)),
    base=st.sampled_from(["", "/a", "/a/"]),
    query=st.sampled_from(["", "?k=v", "?file=", "?file", "?a=b&c="]),
)
def test_what_is_composed_is_read_back_as_it_was(texts: dict[str, str], base: str, query: str) -> None:
    made = of_kazoo(**texts)
    url = compose(f"https://in.test{base}{query}", made, VIEW)
    assert url.isascii()
    assert urlsplit(url).netloc == "in.test"
    path, read = parts(url)
    name = f"call_recording_{texts['call_id']}.mp3"
    assert file_name(made) == name
    assert [key for key, _ in read[-len(KEYS) :]] == KEYS
    assert dict(read[-len(KEYS) :]).items() >= {key: text.removesuffix("@") for key, text in texts.items()}.items()
    if query:
        assert read[-len(KEYS) - 1][1] == name
    else:
        assert path == f"{base.rstrip('/')}/{name}"
