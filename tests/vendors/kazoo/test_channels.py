"""Routes of channels: nothing is live, so the list is empty, and a command is checked and then finds no channel."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.vendors.kazoo.channels import COMMANDS, Channels, check_command, check_flow
from voxkeep.vendors.kazoo.errors import KazooError
from voxkeep.vendors.kazoo.request import Request

CALL = "a1b2c3@192.0.2.7"
PATH = f"/v2/accounts/{'0' * 32}/channels"


class Asked:
    """A request as the server hands it on, and what was sent back."""

    def __init__(self, method: str, path: str, body: bytes = b"") -> None:
        self._body = body
        self.status = 0
        self.sent = b""
        length = (b"content-length", str(len(body)).encode())
        scope = {
            "type": "http",
            "raw_path": path.encode(),
            "query_string": b"",
            "method": method,
            "headers": [length],
        }
        self.request = Request(scope, self._receive, self._send, "/v2/")

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def _send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self.sent += message.get("body", b"")


async def commanded(method: str, body: object) -> KazooError:
    """Send a command to a channel, and return the refusal; there is none that is not refused."""
    asked = Asked(method, f"{PATH}/{CALL}", json.dumps(body).encode())
    await asked.request.read()
    with pytest.raises(KazooError) as caught:
        await Channels().command(asked.request)
    return caught.value


def is_no_channel(error: KazooError) -> bool:
    expected = {"cause": CALL, "message": "bad identifier"}
    return (error.status, error.message, error.data) == (404, "bad_identifier", expected)


async def test_the_list_is_an_empty_page() -> None:
    asked = Asked("GET", PATH)
    await Channels().list(asked.request)
    answer = json.loads(asked.sent)
    assert asked.status == 200
    assert (answer["data"], answer["page_size"], answer["status"]) == ([], 0, "success")
    assert "next_start_key" not in answer
    assert "revision" not in answer


async def test_no_channel_is_known() -> None:
    asked = Asked("GET", f"{PATH}/{CALL}")
    with pytest.raises(KazooError) as caught:
        await Channels().show(asked.request)
    assert is_no_channel(caught.value)


@pytest.mark.parametrize("action", ["start_record", "stop_record", "hangup", "break", "callflow", "move"])
async def test_a_command_that_makes_sense_finds_no_channel(action: str) -> None:
    assert is_no_channel(await commanded("POST", {"data": {"action": action}}))
    assert is_no_channel(await commanded("POST", {"action": action, "data": {}}))


async def test_a_command_with_what_it_needs_finds_no_channel() -> None:
    for data in (
        {"action": "transfer", "target": "1001"},
        {"action": "intercept", "target_type": "user", "target_id": "0" * 32},
    ):
        assert is_no_channel(await commanded("POST", {"data": data}))


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ({"action": "transfer"}, {"target": {"required"}}),
        ({"action": "transfer", "target": ""}, {"target": {"minLength"}}),
        ({"action": "transfer", "target": 1001}, {"target": {"type"}}),
        ({"action": "intercept"}, {"target_type": {"required"}, "target_id": {"required"}}),
        ({"action": "callflow", "id": []}, {"id": {"type"}}),
    ],
)
async def test_a_command_without_what_it_needs_names_each_field(
    data: dict[str, Any], fields: dict[str, set[str]]
) -> None:
    error = await commanded("POST", {"data": data})
    assert (error.status, error.message) == (400, "validation error")
    assert isinstance(error.data, dict)
    assert {name: set(rules) for name, rules in error.data.items()} == fields


@pytest.mark.parametrize(
    ("method", "data", "rule"),
    [
        ("POST", {}, "required"),
        ("POST", {"action": "eavesdrop"}, "enum"),
        ("POST", {"action": ["hangup"]}, "enum"),
        ("POST", {"action": "metaflow"}, "enum"),
        ("PUT", {}, "required"),
        ("PUT", {"action": "start_record"}, "enum"),
    ],
)
async def test_an_action_that_is_none_is_invalid_data(method: str, data: dict[str, Any], rule: str) -> None:
    error = await commanded(method, {"data": data})
    assert (error.status, error.message) == (400, "invalid data")
    assert isinstance(error.data, dict)
    assert list(error.data) == ["action"]
    assert list(error.data["action"]) == [rule]
    if rule == "enum":
        assert error.data["action"]["enum"]["target"] == (["metaflow"] if method == "PUT" else list(COMMANDS))


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_body_without_data_is_told_so(method: str) -> None:
    error = await commanded(method, {"action": "hangup"})
    assert (error.status, error.message) == (400, "invalid request envelope")


START = {"module": "record_call", "data": {"action": "start", "time_limit": 60, "url": "https://store.example/in"}}
NESTINGS = [
    lambda flow: {"action": "metaflow", "data": flow},
    lambda flow: {"data": {"action": "metaflow", **flow}},
    lambda flow: {"data": {"action": "metaflow", "data": flow}},
    lambda flow: {"action": "metaflow", "data": {"data": flow}},
    lambda flow: {"data": {"action": "metaflow", "data": {"data": flow}}},
]
"""Where clients put the metaflow: Kazoo's own documents are at odds on it (reference 3.3)."""


@pytest.mark.parametrize("nest", NESTINGS)
async def test_a_metaflow_is_found_however_deep_clients_put_it(nest: Any) -> None:
    assert is_no_channel(await commanded("PUT", nest(START)))
    wrong = {"module": "record_call", "data": {"action": "begin", "time_limit": 4}}
    error = await commanded("PUT", nest(wrong))
    assert (error.status, error.message) == (400, "validation error")
    assert isinstance(error.data, dict)
    assert set(error.data) == {"data.action", "data.time_limit"}


@pytest.mark.parametrize("action", ["start", "stop", "mask", "unmask", "pause", "resume", "toggle"])
async def test_every_action_on_a_live_recording_is_known(action: str) -> None:
    flow = {"module": "record_call", "data": {"action": action}}
    assert is_no_channel(await commanded("PUT", {"action": "metaflow", "data": flow}))


async def test_a_metaflow_of_another_module_is_left_to_that_module() -> None:
    flow = {"module": "hangup", "data": {"time_limit": "never"}}
    assert is_no_channel(await commanded("PUT", {"action": "metaflow", "data": flow}))


@pytest.mark.parametrize(
    ("flow", "fields"),
    [
        ({}, {"module"}),
        ({"module": ""}, {"module"}),
        ({"module": "x" * 65, "data": 1}, {"module", "data"}),
        ({"module": "record_call", "data": []}, {"data"}),
    ],
)
async def test_a_metaflow_that_is_none_names_each_field(flow: dict[str, Any], fields: set[str]) -> None:
    error = await commanded("PUT", {"action": "metaflow", "data": flow})
    assert error.status == 400
    assert isinstance(error.data, dict)
    assert set(error.data) == fields


words = st.sampled_from(["action", "data", "module", "record_call", "metaflow", "start", "transfer", "target"])
bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.dictionaries(words, inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=8,
)
objects = st.dictionaries(words, bodies, max_size=4)


@pytest.mark.parametrize("check", [check_command, check_flow])
@given(body=objects, data=objects)
def test_any_body_is_taken_or_refused_in_kazoos_shape(check: Any, body: dict[str, Any], data: dict[str, Any]) -> None:
    refused = list[KazooError]()
    try:
        check(body, data)
    except KazooError as error:
        refused.append(error)
    for each in refused:
        assert each.status == 400
        assert isinstance(each.data, dict)
        for rules in each.data.values():
            assert all(isinstance(told["message"], str) for told in rules.values())
