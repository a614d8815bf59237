"""The contract and the reader of events agree about every line: fields, kinds, and what goes."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from tests.activity.making import agent_events, call_events
from tests.native.test_openapi import EVENTS, NDJSON, document

from voxkeep.activity import AgentEvent, AgentKind, BadEvent, CallEvent, CallKind, Direction, Who, parse
from voxkeep.activity.lines import LONGEST_LINE, event_of, line_of
from voxkeep.native.events import MOST_BYTES, MOST_LINES, MOST_TOLD

SCHEMAS: dict[str, Any] = document()["components"]["schemas"]
VALIDATOR = Draft202012Validator(
    {"$ref": "#/components/schemas/Event", "components": {"schemas": SCHEMAS}}, validate_formats=True
)
FIELDS = sorted({*SCHEMAS["CallEvent"]["properties"], *SCHEMAS["AgentEvent"]["properties"], "other"})
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2**31 + 1),
    st.text(max_size=3),
    st.integers(98, 202).map(lambda length: "x" * length),
    st.sampled_from([*CallKind, *AgentKind, *Direction]).map(str),
    st.lists(st.integers(), max_size=1),
    st.dictionaries(st.sampled_from(["name", "extension", "login", "other"]), st.text(max_size=2) | st.none()),
)
TOGETHER = {"skill", "skill_id", "reason"}
"""Fields whose going together the contract tells in words."""


@pytest.mark.parametrize("struct", [CallEvent, AgentEvent, Who])
def test_the_contract_has_the_fields_of_an_event_in_their_order(struct: type[CallEvent | AgentEvent | Who]) -> None:
    schema, fields = SCHEMAS[struct.__name__], msgspec.structs.fields(struct)
    assert list(schema["properties"]) == [field.name for field in fields]
    assert schema.get("required", []) == [field.name for field in fields if field.required]
    assert all("description" in told or "$ref" in told for told in schema["properties"].values())


@pytest.mark.parametrize(
    ("schema", "kinds"),
    [
        (SCHEMAS["CallEvent"]["properties"]["kind"], [*CallKind]),
        (SCHEMAS["AgentEvent"]["properties"]["kind"], [*AgentKind]),
        (SCHEMAS["CallEvent"]["properties"]["direction"], [*Direction, None]),
    ],
)
def test_the_contract_has_every_word_that_there_is(schema: dict[str, Any], kinds: list[str | None]) -> None:
    assert schema["enum"] == kinds


def test_the_contract_tells_the_limits_that_are_so() -> None:
    words = document()["paths"][EVENTS]["post"]["description"]
    for limit in (f"{MOST_BYTES:,} bytes", f"{MOST_LINES:,} lines", f"{LONGEST_LINE >> 10} KiB"):
        assert limit in words
    assert SCHEMAS["Receipt"]["properties"]["bad"]["maxItems"] == MOST_TOLD


def test_the_examples_of_the_contract_are_events() -> None:
    examples = document()["paths"][EVENTS]["post"]["requestBody"]["content"][NDJSON]["examples"]
    for example in examples.values():
        batch = parse(example["value"].encode())
        assert (len(batch.events), batch.bad) == (example["value"].count("\n"), [])
        for line in example["value"].splitlines():
            VALIDATOR.validate(json.loads(line))


@given(st.one_of(call_events(), agent_events()), st.data())
def test_what_the_contract_allows_is_taken_and_nothing_else(event: CallEvent | AgentEvent, data: st.DataObject) -> None:
    value: dict[str, Any] = json.loads(line_of(event))
    assert VALIDATOR.is_valid(value)
    field = data.draw(st.sampled_from(FIELDS))
    if data.draw(st.booleans()):
        value[field] = data.draw(VALUES)
    else:
        value.pop(field, None)
    assert _taken(value) == VALIDATOR.is_valid(value)


def _taken(value: dict[str, Any]) -> bool:
    try:
        event_of(json.dumps(value).encode())
    except BadEvent as error:
        return error.field in TOGETHER and VALIDATOR.is_valid(value)
    return True
