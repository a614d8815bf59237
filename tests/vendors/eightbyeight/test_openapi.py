"""The contract and the server hold to each other: the real command is asked what the contract allows and forbids."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis import checks as standard
from schemathesis.specs.openapi import checks as openapi
from tests.server.harness import DemoProcess, demo_process
from tests.vendors.eightbyeight.harness import BASE, MEDIA_TYPES, READERS, XML, asked_at, basic, xml_of

from voxkeep.vendors.eightbyeight import chats, queries, wire
from voxkeep.vendors.eightbyeight.api import EightByEightApi

CONTRACT = Path(str(files("voxkeep.vendors.eightbyeight") / "openapi.yaml"))
SCHEMA = schemathesis.openapi.from_path(CONTRACT)
FILE, CHAT = "/files/{folder}/{file}", "/transcripts/{interactionGUID}"
OPERATIONS = (
    ("/files", "GET"),
    ("/files.{format}", "GET"),
    (FILE, "GET"),
    (FILE, "HEAD"),
    (FILE, "DELETE"),
    ("/transcripts", "GET"),
    ("/transcripts.{format}", "GET"),
    (CHAT, "GET"),
    (CHAT, "DELETE"),
    (f"{CHAT}.{{format}}", "GET"),
)
RESOURCES = {"files": "/files", "file": FILE, "transcripts": "/transcripts", "transcript": CHAT}
CONDITIONS = [
    ({}, 200),
    ({"Range": "bytes=0-9"}, 206),
    ({"Range": "bytes=0-1,500-600"}, 206),
    ({"Range": "bytes=-7", "If-Range": '"other"'}, 200),
    ({"Range": "bytes=99999999-"}, 416),
    ({"If-None-Match": "*"}, 304),
]
CHECKS = [
    standard.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_headers_conformance,
    openapi.response_schema_conformance,
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProcess]:
    """A demo of our own: what the contract is driven with removes much of it."""
    with demo_process(tmp_path_factory.mktemp("contract") / "home", "--recordings", "60") as running:
        yield running


def document() -> dict[str, Any]:
    raw: dict[str, Any] = SCHEMA.raw_schema
    return raw


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference within the document."""
    found: Any = document()
    for part in node["$ref"].split("/")[1:]:
        found = found[part]
    assert isinstance(found, dict)
    return found


def routes() -> set[tuple[str, str]]:
    found = [(path, method.upper()) for path, methods in document()["paths"].items() for method in methods]
    return {(path, method) for path, method in found if method != "PARAMETERS"}


# The document


def test_the_contract_names_every_route_that_is_served(world_api: EightByEightApi) -> None:
    assert routes() == set(OPERATIONS)
    served = {(RESOURCES[name], method) for name, acts in world_api._resources.items() for method in acts}
    assert served == {(path, method) for path, method in OPERATIONS if not path.endswith("{format}")}


@pytest.fixture
def world_api() -> EightByEightApi:
    return EightByEightApi(None, None)  # type: ignore[arg-type] # only its table is looked at


STRUCTS = [
    ("File", wire.File),
    ("Chat", chats.Chat),
    ("Message", chats.ChatMessage),
]


@pytest.mark.parametrize(("name", "struct"), STRUCTS)
def test_the_contract_has_the_fields_of_the_wire_in_their_order_and_all_required(name: str, struct: type) -> None:
    schema = document()["components"]["schemas"][name]
    fields = [field.encode_name for field in msgspec.structs.fields(struct)]
    assert list(schema["properties"]) == schema["required"] == fields
    for field in msgspec.structs.fields(struct):
        described = schema["properties"][field.encode_name]
        assert described["description"]
        if field.type is int:
            assert described["type"] == "integer"
        if field.type == int | str:
            assert described["$ref"].endswith("/Number")
        if described.get("type") == "string":
            assert field.type is str


def test_a_chat_with_messages_is_a_chat_and_its_messages() -> None:
    schemas = document()["components"]["schemas"]
    with_messages, alone = schemas["ChatWithMessages"], schemas["Chat"]
    assert list(with_messages["properties"].items())[:-1] == list(alone["properties"].items())
    assert with_messages["required"] == [*alone["required"], "messages"]


@pytest.mark.parametrize(
    ("path", "terms"),
    [
        ("/files", wire.TERMS),
        ("/files.{format}", wire.TERMS),
        ("/transcripts", chats.CHAT_TERMS),
        ("/transcripts.{format}", chats.CHAT_TERMS),
    ],
)
def test_the_contract_names_every_query_variable(path: str, terms: dict[str, Any]) -> None:
    given = [resolved(each) for each in document()["paths"][path]["get"]["parameters"]]
    assert {each["name"] for each in given if each["in"] == "query"} == queries.RESERVED | set(terms)
    assert all(each["description"] for each in given)


@pytest.mark.parametrize(
    ("name", "element", "struct"), [("FileList", "file", wire.File), ("TranscriptList", "transcript", chats.Chat)]
)
def test_the_examples_of_a_list_are_records_of_the_wire_and_the_same_in_both_formats(
    name: str, element: str, struct: type[msgspec.Struct]
) -> None:
    content = document()["components"]["responses"][name]["content"]
    example = content["application/json"]["examples"]["one"]["value"]
    (row,) = example["recordings"][element]
    record = msgspec.convert(row, struct)
    assert msgspec.json.decode(msgspec.json.encode(record)) == row
    shown = READERS[XML](content["application/xml"]["example"].strip().encode())
    assert shown == READERS["application/json"](msgspec.json.encode(example))


def test_the_examples_of_one_transcript_are_the_same_in_both_formats() -> None:
    content = document()["components"]["responses"]["OneTranscript"]["content"]
    transcript = content["application/json"]["examples"]["one"]["value"]["transcript"]
    (message,) = transcript["messages"]["message"]
    root = xml_of(content["application/xml"]["example"].strip().encode())
    assert [element.tag for element in root] == list(transcript)
    assert {leaf.tag: leaf.text or "" for leaf in root[-1][0]} == message


def test_every_status_that_the_vendors_table_names_stands_in_the_contract() -> None:
    named = {"200", "400", "401", "404", "500", "503"}
    for path, method in OPERATIONS:
        assert named | {"403"} <= set(document()["paths"][path][method.lower()]["responses"])


def test_every_error_is_a_line_of_plain_text() -> None:
    responses = document()["components"]["responses"]
    for path, method in OPERATIONS:
        for status, response in document()["paths"][path][method.lower()]["responses"].items():
            if status >= "400" and status != "416":
                name = response["$ref"].rpartition("/")[2]
                assert list(responses[name]["content"]) == ["text/plain"]


# The server


def sent(demo: DemoProcess, case: Case[Any], token: str | None) -> int:
    headers = {} if token is None else {"Authorization": basic(token)}
    base_url = f"{demo.document['url']}{BASE}"
    return case.call_and_validate(base_url=base_url, headers=headers, checks=CHECKS).status_code


def names(demo: DemoProcess) -> list[tuple[str, str]]:
    rows = asked_at(demo, "files.json").json["recordings"]["file"]
    return [tuple(row["filename"].split("/")) for row in rows]


def guids(demo: DemoProcess) -> list[str]:
    rows = asked_at(demo, "transcripts.json").json["recordings"]["transcript"]
    return [row["interactionGUID"] for row in rows]


@pytest.mark.parametrize(("condition", "status"), CONDITIONS)
def test_real_audio_is_answered_as_the_contract_says(demo: DemoProcess, condition: dict[str, str], status: int) -> None:
    token = demo.document["8x8"]["token"]
    folder, file = names(demo)[0]
    path = {"folder": folder, "file": file}
    get = SCHEMA[FILE]["GET"].Case(path_parameters=path, headers=condition)
    assert sent(demo, get, token) == status
    head = SCHEMA[FILE]["HEAD"].Case(path_parameters=path, headers=condition)
    assert sent(demo, head, token) == (304 if status == 304 else 200)


@pytest.mark.parametrize("resource", ["files", "transcripts"])
@pytest.mark.parametrize("suffix", list(MEDIA_TYPES))
def test_real_lists_are_answered_as_the_contract_says(demo: DemoProcess, resource: str, suffix: str) -> None:
    path = f"/{resource}" + (".{format}" if suffix else "")
    for query, token, status in (
        ({}, demo.document["8x8"]["token"], 200),
        ({"d": "today-7d,today", "n": "51", "tz": "UTC", "limit": "9"}, demo.document["8x8"]["token"], 200),
        ({"d": "x"}, demo.document["8x8"]["token"], 400),
        ({}, None, 401),
    ):
        path_parameters = {"format": suffix[1:]} if suffix else {}
        case = SCHEMA[path]["GET"].Case(path_parameters=path_parameters, query=query)
        assert sent(demo, case, token) == status
    assert asked_at(demo, f"{resource}{suffix}").headers["content-type"] == MEDIA_TYPES[suffix]


def test_real_transcripts_are_answered_as_the_contract_says(demo: DemoProcess) -> None:
    token, (guid, *_) = demo.document["8x8"]["token"], guids(demo)
    for form in ("xml", "json"):
        path = {"interactionGUID": guid, "format": form}
        assert sent(demo, SCHEMA[f"{CHAT}.{{format}}"]["GET"].Case(path_parameters=path), token) == 200
    for path_parameters, method, status in (
        ({"interactionGUID": guid}, "GET", 200),
        ({"interactionGUID": "none"}, "GET", 404),
        ({"interactionGUID": guid}, "DELETE", 200),
        ({"interactionGUID": "none"}, "DELETE", 204),
    ):
        assert sent(demo, SCHEMA[CHAT][method].Case(path_parameters=path_parameters), token) == status


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=lambda value: str(value).strip("/"))
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_the_server_answers_only_as_the_contract_says(
    demo: DemoProcess, path: str, method: str, mode: GenerationMode
) -> None:
    token = demo.document["8x8"]["token"]
    real_files, real_chats = st.sampled_from(names(demo)), st.sampled_from(guids(demo))
    tokens = st.sampled_from([token, token, token, None, "vk_" + "A" * 43])

    @settings(max_examples=25)
    @given(case=SCHEMA[path][method].as_strategy(generation_mode=mode), data=st.data())
    def answers_as_described(case: Case[Any], data: st.DataObject) -> None:
        # what is only generated would nearly always be a 404 or 400: real names lead to the answers behind them
        if data.draw(st.booleans()):
            if path == FILE:
                case.path_parameters |= dict(zip(("folder", "file"), data.draw(real_files), strict=True))
                case.headers.update(data.draw(st.sampled_from(CONDITIONS))[0])
            elif path.startswith(CHAT):
                case.path_parameters |= {"interactionGUID": data.draw(real_chats)}
            else:
                case.query = {"d": "today-7d,today", "n": data.draw(st.sampled_from(["1", "51"]))}
        sent(demo, case, data.draw(tokens))

    answers_as_described()


@pytest.mark.parametrize("path", sorted({path for path, _ in OPERATIONS}))
def test_a_method_that_the_contract_does_not_name_is_405_with_allow(demo: DemoProcess, path: str) -> None:
    named = {method for served, method in OPERATIONS if served == path}
    target = path.format(folder="S1", file="R1", interactionGUID="int-1", format="json").strip("/")
    if path == f"{CHAT}.{{format}}":
        named.add("DELETE")  # a GUID may end in any way; only reading knows formats
    for method in {"PUT", "PATCH", "DELETE", "POST", "OPTIONS", "TRACE", "HEAD", "QUERY"} - named:
        answer = asked_at(demo, target, method)
        assert answer.status == 405
        assert {each.strip() for each in answer.headers["allow"].split(",")} == named


def test_nothing_that_was_driven_in_left_a_trace_of_a_fault_in_the_log(demo: DemoProcess) -> None:
    assert "Traceback" not in demo.log.read_text()
