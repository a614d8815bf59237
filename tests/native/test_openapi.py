"""The contract and the server hold to each other: a real server is asked what the contract allows and forbids."""

import asyncio
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

import msgspec
import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis import checks as standard
from schemathesis.specs.openapi import checks as openapi
from tests.activity.making import agent_events, call_events, told
from tests.native.conftest import chat
from tests.server.harness import World, ask_at

from voxkeep.activity import BadLine, CallKind
from voxkeep.activity.lines import line_of
from voxkeep.native.events import MOST_LINES, Receipt
from voxkeep.native.queries import DEFAULT_LIMIT, MOST
from voxkeep.native.search import FoundMessage, Page
from voxkeep.settings import Settings

SCHEMA = schemathesis.openapi.from_path(Path(str(files("voxkeep.native") / "openapi.yaml")))
ROUTE, EVENTS = "/search", "/events"
NDJSON = "application/x-ndjson"
LINE = line_of(told(0, CallKind.RINGING))
CHECKS = [
    standard.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_headers_conformance,
    openapi.response_schema_conformance,
]

BODIES = st.one_of(
    st.lists(st.one_of(call_events(), agent_events()), max_size=5).map(lambda events: b"\n".join(map(line_of, events))),
    st.lists(st.one_of(st.binary(max_size=60), call_events().map(line_of)), max_size=5).map(b"\n".join),
)

schemathesis.openapi.media_type(NDJSON, BODIES)


@schemathesis.serializer(NDJSON)
def as_it_is(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


class Served(NamedTuple):
    """A server with a few chats, and tokens: of one tenant, of both."""

    port: int
    tokens: Mapping[str, str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve from a thread of its own: what drives the contract is not asynchronous."""
    home, ready, done = tmp_path_factory.mktemp("native") / "home", Event(), Event()
    made: list[Served] = []

    async def serve() -> None:
        world = await World(home, Settings()).open()
        try:
            acme, other = await world.tenant("acme-ns", "acme.xima.test"), await world.tenant("globex-ns")
            for tenant in (acme, other):
                await chat(world, tenant, ["Where is my parcel?", "It was sent on Monday", "Merci, et le café ?"])
            tokens = {"one": await world.token(acme, name="one"), "both": await world.token(acme, other, name="both")}
            made.append(Served(world.port, tokens))
            ready.set()
            await asyncio.to_thread(done.wait)
        finally:
            ready.set()
            await world.close()

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(30)
        yield made[0]
    finally:
        done.set()
        thread.join(30)


def document() -> dict[str, Any]:
    raw: dict[str, Any] = SCHEMA.raw_schema
    return raw


def test_the_contract_names_every_route_that_is_served() -> None:
    assert {path: list(methods) for path, methods in document()["paths"].items()} == {
        ROUTE: ["get"],
        EVENTS: ["post"],
    }


@pytest.mark.parametrize(
    ("name", "struct"), [("Hit", FoundMessage), ("Page", Page), ("Receipt", Receipt), ("BadLine", BadLine)]
)
def test_the_contract_has_the_fields_of_the_answer_in_their_order_and_all_required(name: str, struct: type) -> None:
    schema = document()["components"]["schemas"][name]
    fields = [field.encode_name for field in msgspec.structs.fields(struct)]
    assert list(schema["properties"]) == schema["required"] == fields
    assert all(described["description"] for described in schema["properties"].values())


@pytest.mark.parametrize(("route", "method", "struct"), [(ROUTE, "get", Page), (EVENTS, "post", Receipt)])
def test_the_examples_of_the_contract_are_answers(route: str, method: str, struct: type[Page | Receipt]) -> None:
    answer = document()["paths"][route][method]["responses"]["200"]["content"]["application/json"]
    for example in answer["examples"].values():
        assert msgspec.to_builtins(msgspec.convert(example["value"], struct)) == example["value"]


def test_the_contract_tells_the_statuses_and_limits_that_are_so() -> None:
    assert set(document()["paths"][ROUTE]["get"]["responses"]) == {
        "200", "400", "401", "403", "404", "405", "500", "503",
    }  # fmt: skip
    assert set(document()["paths"][EVENTS]["post"]["responses"]) == {
        "200", "400", "401", "403", "404", "405", "413", "415", "500", "503",
    }  # fmt: skip
    limit = document()["components"]["parameters"]["limit"]["schema"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, MOST, DEFAULT_LIMIT)


def sent(served: Served, case: Case[Any], token: str | None) -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    base_url = f"http://127.0.0.1:{served.port}/voxkeep/v1"
    return case.call_and_validate(base_url=base_url, headers=headers, checks=CHECKS).status_code


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"q": "parcel"}, 200),
        ({"q": "nothing"}, 200),
        ({"q": "parcel", "tenant": "globex-ns"}, 404),
        ({"q": "cafe", "limit": "1", "from": "2024-01-01T00:00:00+01:00", "to": "1900000000000"}, 200),
        ({}, 400),
        ({"q": "?"}, 400),
    ],
)
def test_real_questions_are_answered_as_the_contract_says(served: Served, query: dict[str, str], status: int) -> None:
    case = SCHEMA[ROUTE]["GET"].Case(query=query)
    assert sent(served, case, served.tokens["one"]) == status
    assert sent(served, case, None) == 401


def test_the_next_page_is_asked_for_as_the_contract_says(served: Served) -> None:
    query = {"q": "parcel", "limit": "1"}
    first = ask_at(served.port, "GET", "/voxkeep/v1/search?q=parcel&limit=1", served.tokens["both"]).json
    case = SCHEMA[ROUTE]["GET"].Case(query=query | {"before": first["next"]})
    assert sent(served, case, served.tokens["both"]) == 200


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_the_server_answers_only_as_the_contract_says(served: Served, mode: GenerationMode) -> None:
    tokens = st.sampled_from([*served.tokens.values(), None, "vk_" + "A" * 43])
    questions = st.sampled_from(["parcel", "par*", '"my parcel"', "parcel OR monday"])
    tenants = st.sampled_from(["acme-ns", "ACME", "acme.xima.test", "globex-ns"])

    @settings(max_examples=60, deadline=None)
    @given(case=SCHEMA[ROUTE]["GET"].as_strategy(generation_mode=mode), data=st.data())
    def answers_as_described(case: Case[Any], data: st.DataObject) -> None:
        # what is only generated would nearly always be a 400 or 404: real words and names lead to what is behind them
        if data.draw(st.booleans()):
            case.query = {**(case.query or {}), "q": data.draw(questions)}
            case.query.pop("before", None)
            if "tenant" in case.query:
                case.query["tenant"] = data.draw(tenants)
        sent(served, case, data.draw(tokens))

    answers_as_described()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_the_server_takes_events_only_as_the_contract_says(served: Served, mode: GenerationMode) -> None:
    tokens = st.sampled_from([*served.tokens.values(), None, "vk_" + "A" * 43])
    tenants = st.sampled_from(["acme-ns", "ACME", "acme.xima.test", "globex-ns"])

    @settings(max_examples=60, deadline=None)
    @given(case=SCHEMA[EVENTS]["POST"].as_strategy(generation_mode=mode), data=st.data())
    def taken_as_described(case: Case[Any], data: st.DataObject) -> None:
        if data.draw(st.booleans()):
            case.query = {**(case.query or {}), "tenant": data.draw(tenants)}
            case.body, case.media_type = data.draw(BODIES), NDJSON
        sent(served, case, data.draw(tokens))

    taken_as_described()


@pytest.mark.parametrize(
    ("query", "headers", "body", "token", "status"),
    [
        ({}, {}, b"{}", "one", 400),
        ({}, {}, LINE, "one", 200),
        ({"tenant": "globex-ns"}, {}, LINE, "one", 404),
        ({"tenant": "globex-ns"}, {}, LINE, "both", 200),
        ({}, {}, LINE, "both", 400),
        ({}, {"Content-Encoding": "gzip"}, LINE, "one", 415),
        ({}, {}, b"\n" * (MOST_LINES + 1), "one", 413),
    ],
)
def test_real_batches_are_answered_as_the_contract_says(
    served: Served, query: dict[str, str], headers: dict[str, str], body: bytes, token: str, status: int
) -> None:
    case = SCHEMA[EVENTS]["POST"].Case(query=query, headers=headers, body=body, media_type=NDJSON)
    assert sent(served, case, served.tokens[token]) == status


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST", "OPTIONS", "TRACE", "HEAD", "QUERY"])
def test_a_method_that_the_contract_does_not_name_is_405_with_allow(served: Served, method: str) -> None:
    answer = ask_at(served.port, method, "/voxkeep/v1/search?q=parcel", served.tokens["one"])
    assert (answer.status, answer.headers["allow"]) == (405, "GET")
