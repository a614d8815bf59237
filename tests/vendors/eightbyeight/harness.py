"""Asking in the 8x8 dialect, and reading its three formats back into the same values."""

import csv
import io
import json
from base64 import b64encode
from typing import Any, NamedTuple
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from tests.server.harness import CLIP, START, Answer, DemoProcess, World, ask_at

from voxkeep.archive.model import Message, MetaData, Tenant, Transcript
from voxkeep.archive.units import DurationMs, EpochMs, TranscriptId, uuid7

BASE = "/api/recordings"
ACME = "acme-ns"
XML, JSON, CSV = "application/xml; charset=UTF-8", "application/json", "text/csv; charset=UTF-8; header=present"
MEDIA_TYPES = {"": XML, ".xml": XML, ".json": JSON, ".csv": CSV}
DECLARATION = b"<?xml version='1.0' encoding='UTF-8' ?>"
FILE_FIELDS = (
    "startDate", "agentID", "phoneNumber", "channel", "caseID", "duration", "filename", "queueID", "queueName",
    "accountNumber", "transactionID", "extVar1", "extVar2", "outDialCode",
)  # fmt: skip
CHAT_FIELDS = (
    "startDate", "agentID", "agentName", "contactID", "contactName", "queueID", "queueName", "channelID",
    "channelName", "caseID", "targetIP", "transactionID", "interactionGUID", "transcriptType", "duration",
)  # fmt: skip
MESSAGE_FIELDS = (
    "messageTime", "messageFrom", "originalLanguage", "originalMessage", "translatedLanguage", "translatedMessage",
)  # fmt: skip

Pairs = list[tuple[str, str]]


class Record(NamedTuple):
    """A record in any format: its plain fields as texts, in order, and the pairs in its nested one."""

    fields: dict[str, str]
    pairs: Pairs

    @property
    def key(self) -> str:
        return self.fields.get("filename") or self.fields["interactionGUID"]


def basic(token: str, tenant: str = ACME) -> str:
    return f"Basic {b64encode(f'{tenant}:{token}'.encode()).decode()}"


async def asked(
    world: World, target: str, token: str, *, method: str = "GET", tenant: str = ACME, **headers: str
) -> Answer:
    """Ask a world below the dialect's path, as a tenant."""
    return await world.ask(method, f"{BASE}/{target}", **{"Authorization": basic(token, tenant), **headers})


def asked_at(demo: DemoProcess, target: str, method: str = "GET", **headers: str) -> Answer:
    """Ask a demo below the dialect's path, as its first tenant."""
    eight = demo.document["8x8"]
    sent = {"Authorization": basic(eight["token"], eight["tenant"]), **headers}
    return ask_at(demo.port, method, f"{BASE}/{target}", **sent)


def refusal(answer: Answer, status: int) -> str:
    """Check an answer to be a refusal of one line of plain text, and return its message."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
    message, newline, rest = answer.body.decode().partition("\n")
    assert (newline, rest) == ("\n", "")
    assert message
    assert "Traceback" not in message
    return message


def records(answer: Answer) -> list[Record]:
    """Return the records of a list in whatever format it came."""
    assert answer.status == 200, answer
    return READERS[answer.headers["content-type"]](answer.body)


def xml_of(body: bytes) -> ET.Element:
    assert body.startswith(DECLARATION)
    return ET.fromstring(body)  # noqa: S314 -- our own server's


def xml_record(element: ET.Element) -> Record:
    *plain, nested = element
    assert all(len(child) == 0 for child in plain)
    leaves = [leaf for leaf in nested.iter() if len(leaf) == 0 and leaf is not nested]
    texts = [leaf.text or "" for leaf in leaves]
    return Record({child.tag: child.text or "" for child in plain}, list(zip(texts[::2], texts[1::2], strict=True)))


def _xml_records(body: bytes) -> list[Record]:
    root = xml_of(body)
    assert root.tag == "recordings"
    return [xml_record(element) for element in root]


def json_record(row: dict[str, Any]) -> Record:
    *plain, nested = row
    inner = row[nested]
    for name in ("transactionCodes", "transactionCode", "metaData"):
        inner = inner.get(name, inner) if isinstance(inner, dict) else inner
    assert isinstance(inner, list) or inner == {}
    return Record({name: str(row[name]) for name in plain}, [(*pair.values(),) for pair in inner])


def _json_records(body: bytes) -> list[Record]:
    ((rows,),) = [list(inner.values()) for inner in json.loads(body).values()]
    assert isinstance(rows, list)
    return [json_record(row) for row in rows]


def _csv_records(body: bytes) -> list[Record]:
    text = body.decode()
    assert text.endswith("\r\n")
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert all(len(row) == len(header) for row in rows)
    return [Record(dict(zip(header[:-1], row[:-1], strict=True)), pairs_of(row[-1])) for row in rows]


def pairs_of(cell: str) -> Pairs:
    """Read a cell of pairs, letter by letter."""
    parts, letters = [[""]], iter(cell)
    for letter in letters:
        match letter:
            case "\\":
                parts[-1][-1] += next(letters)
            case "=":
                parts[-1].append("")
            case "|":
                parts.append([""])
            case _:
                parts[-1][-1] += letter
    return [(name, value) for name, value in parts] if cell else []


READERS = {XML: _xml_records, JSON: _json_records, CSV: _csv_records}


async def listed(world: World, token: str, target: str = "files.json", **variables: object) -> list[Record]:
    """Return the records of a page."""
    return records(await asked(world, f"{target}?{urlencode(variables)}", token))


async def keep_chat(
    world: World, tenant: Tenant, guid: str = "", at: int = START, texts: tuple[str, ...] = (), **fields: Any
) -> Transcript:
    """Keep a chat whose messages have these texts."""
    metadata = tuple(MetaData(*pair) for pair in fields.pop("metadata", ()))
    chat = Transcript(
        **{
            "tenant": tenant.id,
            "id": TranscriptId(uuid7(EpochMs(at))),
            "started_at": EpochMs(at),
            "duration_ms": DurationMs(CLIP.duration_ms),
            "vendor_key": guid,
            "metadata": metadata,
            **fields,
        }
    )
    messages = [
        Message(at=EpochMs(at + 1_000 * number), sender="customer", text=text) for number, text in enumerate(texts)
    ]
    return (await world.archive.keep_transcript(chat, messages)).transcript
