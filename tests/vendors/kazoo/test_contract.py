"""The contract says what the code has: routes, fields, bounds, conditions; and its examples are what it says."""

import msgspec
import pytest
from tests.server.harness import World
from tests.vendors.kazoo.contract import LOGINS, conforms, document, operations, responses, schema

from voxkeep.vendors.kazoo import filters, wire
from voxkeep.vendors.kazoo.api import KazooApi
from voxkeep.vendors.kazoo.channels import COMMANDS
from voxkeep.vendors.kazoo.record_call import LIVE_ACTIONS, RULES, RecordCall


async def test_the_contract_names_every_route_that_is_served(world: World) -> None:
    served = {
        (tuple(part or "{}" for part in route.path), method)
        for route in KazooApi(world.archive, world.access)._table()
        for method in route.acts
    }
    named = {
        (tuple("{}" if part.startswith("{") else part for part in path.removeprefix("/v2/").split("/")), method)
        for path, method in operations()
        if path.startswith("/v2/")
    }
    assert named == served


def test_the_contract_has_the_fields_of_the_wire() -> None:
    described = schema("Recording")["properties"]
    for field in msgspec.structs.fields(wire.Document):
        if field.encode_name != "_read_only":
            kind = {int: "integer", str: "string"}.get(field.type, "object")
            told = described[field.encode_name]
            assert told.get("type", "string") == kind


def test_the_contract_has_the_parameters_of_recording_with_their_bounds_and_defaults() -> None:
    described = schema("RecordCall")["properties"]
    assert list(described) == [field.name for field in msgspec.structs.fields(RecordCall)]
    for name, rule in RULES[LIVE_ACTIONS].items():
        told = described[name]
        assert told["type"] == rule.kind.value
        assert (told.get("minimum"), told.get("maximum")) == (rule.minimum, rule.maximum)
        assert told.get("maxLength") == rule.max_length
        assert {word.lower() for word in told.get("enum", ())} == set(rule.one_of)
        if "default" in told:
            assert told["default"] == getattr(RecordCall(), name)


def test_the_contract_has_the_commands_to_channels() -> None:
    assert schema("ChannelCommand")["properties"]["data"]["properties"]["action"]["enum"] == list(COMMANDS)


def test_the_contract_names_every_condition_of_lists() -> None:
    parameters = {each["name"]: each for each in document()["components"]["parameters"].values()}
    assert set(filters.NAMED) <= set(parameters)
    (pattern,) = parameters["filters"]["schema"]["patternProperties"]
    for prefix in filters.KEYED:
        assert not conforms({f"{prefix}direction": "inbound"}, parameters["filters"]["schema"]), pattern


def test_every_example_is_what_its_schema_says() -> None:
    contents = [each.get("content", {}) for each in document()["components"]["responses"].values()]
    contents += [
        methods[method]["requestBody"]["content"]
        for methods in document()["paths"].values()
        for method in methods
        if "requestBody" in methods[method]
    ]
    examples = 0
    for described in [each for content in contents for each in content.values()]:
        given_ = [each["value"] for each in described.get("examples", {}).values()]
        for example in [*given_, *([described["example"]] if "example" in described else [])]:
            assert not conforms(example, described["schema"])
            examples += 1
    assert examples > 15


def test_the_example_of_a_list_is_a_document_of_the_wire() -> None:
    content = document()["components"]["responses"]["RecordingList"]["content"]["application/json"]
    (row,) = content["examples"]["one"]["value"]["data"]
    record = msgspec.convert(row, wire.Document)
    assert msgspec.json.decode(msgspec.json.encode(record)) == row


@pytest.mark.parametrize(("path", "method"), operations(), ids=lambda value: str(value).strip("/"))
def test_every_operation_names_the_errors_that_may_meet_it(path: str, method: str) -> None:
    named = responses(path, method)
    assert named >= {"400", "401", "404", "405", "413", "500", "503"}
    assert ("403" in named) == (path not in LOGINS)
    assert ("429" in named) == path.startswith("/v2/")
    secured = document()["paths"][path][method.lower()].get("security", document()["security"])
    assert bool(secured) == (path.startswith("/v2/") and path not in LOGINS)


def test_every_error_with_a_body_is_an_envelope_of_bare_json() -> None:
    for path, method in operations():
        for status, response in document()["paths"][path][method.lower()]["responses"].items():
            if status >= "400" and status not in ("406", "416"):
                content = document()["components"]["responses"][response["$ref"].rpartition("/")[2]]["content"]
                assert list(content) == ["application/json", "application/javascript"]
                described = content["application/json"]["schema"]
                assert described["allOf"] == [{"$ref": "#/components/schemas/ErrorEnvelope"}]
                assert described["properties"]["error"] == {"const": status}
