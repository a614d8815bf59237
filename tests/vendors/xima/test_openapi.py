"""The contract and the server hold to each other: the real command is asked what the contract allows and forbids."""

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
from tests.server.harness import EVERYTHING, DemoProcess, ask_at

from voxkeep.vendors.xima.roster import XimaAgent, XimaSkill
from voxkeep.vendors.xima.wire import XimaCall, XimaRecording

CONTRACT = Path(str(files("voxkeep.vendors.xima") / "openapi.yaml"))
SCHEMA = schemathesis.openapi.from_path(CONTRACT)
OPERATIONS = (
    ("/v2/recordings", "GET"),
    ("/v2/call-recording-info", "GET"),
    ("/v2/recordings/{tenant}/{recordingKey}/audio", "GET"),
    ("/v2/recordings/{tenant}/{recordingKey}/audio", "HEAD"),
    ("/v1/agents", "GET"),
    ("/v1/skills", "GET"),
)
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


def document() -> dict[str, Any]:
    raw: dict[str, Any] = SCHEMA.raw_schema
    return raw


def routes() -> list[tuple[str, str]]:
    found = [(path, method.upper()) for path, methods in document()["paths"].items() for method in methods]
    return [(path, method) for path, method in found if method != "PARAMETERS"]


def test_the_contract_names_every_route_that_is_served() -> None:
    assert set(routes()) == set(OPERATIONS)


@pytest.mark.parametrize(
    ("name", "struct"),
    [("Recording", XimaRecording), ("Call", XimaCall), ("Agent", XimaAgent), ("Skill", XimaSkill)],
)
def test_the_contract_has_the_fields_of_the_wire_in_their_order_and_all_required(name: str, struct: type) -> None:
    schema = document()["components"]["schemas"][name]
    fields = [field.encode_name for field in msgspec.structs.fields(struct)]
    assert list(schema["properties"]) == schema["required"] == fields
    kinds = {str: "string", int: "integer"}
    for field in msgspec.structs.fields(struct):
        described = schema["properties"][field.encode_name]
        assert described.get("type", "integer") == kinds.get(field.type, "array")
        assert described["description"]


def test_the_examples_of_the_contract_are_records_of_the_wire() -> None:
    paths = document()["paths"]
    for path, kind in (("/v2/recordings", XimaRecording), ("/v2/call-recording-info", XimaCall)):
        examples = paths[path]["get"]["responses"]["200"]["content"]["application/json"]["examples"]
        for example in examples.values():
            records = msgspec.convert(example["value"], list[kind])  # type: ignore[valid-type] # each of the two
            assert msgspec.to_builtins(records) == example["value"]
    for path, name, entry in (("/v1/agents", "agents", XimaAgent), ("/v1/skills", "skills", XimaSkill)):
        examples = paths[path]["get"]["responses"]["200"]["content"]["application/json"]["examples"]
        for example in examples.values():
            entries = msgspec.convert(example["value"], dict[str, list[entry]])  # type: ignore[valid-type] # the same
            assert list(entries) == [name]
            assert msgspec.to_builtins(entries) == example["value"]


def test_every_status_that_the_vendors_tables_name_stands_in_the_contract() -> None:
    named = {"200", "400", "401", "403", "404", "405", "429", "500", "503"}
    for path, extra in ((OPERATIONS[0][0], set()), (OPERATIONS[1][0], set()), (OPERATIONS[2][0], {"509"})):
        assert named | extra <= set(document()["paths"][path]["get"]["responses"])


def sent(demo: DemoProcess, case: Case[Any], token: str | None) -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    base_url = f"{demo.document['url']}/rest/api"
    return case.call_and_validate(base_url=base_url, headers=headers, checks=CHECKS).status_code


@pytest.mark.parametrize(("condition", "status"), CONDITIONS)
def test_real_audio_is_answered_as_the_contract_says(demo: DemoProcess, condition: dict[str, str], status: int) -> None:
    token = demo.token("acme-ns")
    records = ask_at(demo.port, "GET", listing(demo), token).json
    key = next(record["recordingKey"] for record in records if record["status"] == "SAVED")
    path = {"tenant": "acme-ns", "recordingKey": key}
    get = SCHEMA[OPERATIONS[2][0]]["GET"].Case(path_parameters=path, headers=condition)
    assert sent(demo, get, token) == status
    head = SCHEMA[OPERATIONS[3][0]]["HEAD"].Case(path_parameters=path, headers=condition)
    assert sent(demo, head, token) == (304 if status == 304 else 200)


@pytest.mark.parametrize("path", [OPERATIONS[0][0], OPERATIONS[1][0]])
def test_real_lists_are_answered_as_the_contract_says(demo: DemoProcess, path: str) -> None:
    xima = demo.document["xima"]
    query = {"startTime": xima["start"], "endTime": xima["end"]}
    for token, status in ((demo.token("acme-ns"), 200), (demo.token("globex-ns"), 200), (None, 401)):
        assert sent(demo, SCHEMA[path]["GET"].Case(query=query), token) == status


@pytest.mark.parametrize("path", ["/v1/agents", "/v1/skills"])
def test_real_rosters_are_answered_as_the_contract_says(demo: DemoProcess, path: str) -> None:
    for token, status in ((demo.token("acme-ns"), 200), (demo.token("globex-ns"), 200), (None, 401)):
        assert sent(demo, SCHEMA[path]["GET"].Case(), token) == status


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=lambda value: str(value).strip("/"))
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_the_server_answers_only_as_the_contract_says(
    demo: DemoProcess, path: str, method: str, mode: GenerationMode
) -> None:
    token = demo.token("acme-ns")
    keys = [record["recordingKey"] for record in ask_at(demo.port, "GET", listing(demo), token).json]
    real_tenants, real_keys = st.sampled_from(["acme-ns", "ACME", "acme.xima.test", "globex-ns"]), st.sampled_from(keys)
    tokens = st.sampled_from([token, token, token, None, "vk_" + "A" * 43])

    @settings(max_examples=40)
    @given(case=SCHEMA[path][method].as_strategy(generation_mode=mode), data=st.data())
    def answers_as_described(case: Case[Any], data: st.DataObject) -> None:
        # what is only generated would nearly always be a 404 or 400: real names lead to the answers behind them
        if data.draw(st.booleans()):
            if case.path_parameters:
                case.path_parameters |= {"tenant": data.draw(real_tenants), "recordingKey": data.draw(real_keys)}
                case.query = {}
                case.headers.update(data.draw(st.sampled_from(CONDITIONS))[0])
            else:
                xima = demo.document["xima"]
                case.query = {"startTime": xima["start"], "endTime": xima["end"]}
        sent(demo, case, data.draw(tokens))

    answers_as_described()


def listing(demo: DemoProcess) -> str:
    return f"/rest/api/v2/recordings?{demo.window}"


@pytest.mark.parametrize("path", sorted({path for path, _ in OPERATIONS}))
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST", "OPTIONS", "TRACE", "HEAD", "QUERY"])
def test_a_method_that_the_contract_does_not_name_is_405_with_allow(demo: DemoProcess, path: str, method: str) -> None:
    if (path, method) in OPERATIONS:
        return
    target = "/rest/api" + path.format(tenant="acme-ns", recordingKey="some-key")
    answer = ask_at(demo.port, method, f"{target}?{EVERYTHING}", demo.token("acme-ns"))
    assert answer.status == 405
    named = {named for served, named in OPERATIONS if served == path}
    assert {each.strip() for each in answer.headers["allow"].split(",")} == named


def test_nothing_that_was_driven_in_left_a_trace_of_a_fault_in_the_log(demo: DemoProcess) -> None:
    assert "Traceback" not in demo.log.read_text()
