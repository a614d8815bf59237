"""The server holds to the contract: the real command is asked what the contract allows and forbids."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis import checks as standard
from schemathesis.specs.openapi import checks as openapi
from tests.server.harness import WAV, Answer, DemoProcess, ask_at, demo_process
from tests.vendors.kazoo.contract import SCHEMA, operations
from tests.vendors.kazoo.harness import basic, ok, refused

from voxkeep.demo.build import MARKER
from voxkeep.settings import FILE_NAME
from voxkeep.vendors.kazoo.credentials import digests_of

ACCOUNT = "/v2/accounts/{accountId}"
RECORDING = f"{ACCOUNT}/recordings/{{recordingId}}"
OF_USER = f"{ACCOUNT}/users/{{userId}}/recordings/{{recordingId}}"
LISTS = (f"{ACCOUNT}/recordings", f"{ACCOUNT}/users/{{userId}}/recordings")
CHANNEL = f"{ACCOUNT}/channels/{{callId}}"
PUSH = "/ingest/kazoo/{secret}/{file}"
STORE = "/ingest/kazoo/{secret}/{accountId}/{ownerId}/{recordingId}/{attachment}"
TOKEN = "/v2/token_auth"
AUDIO_TYPES = ("audio/mpeg", "audio/x-wav")
CONDITIONS = [
    ({}, 200),
    ({"Range": "bytes=0-9"}, 206),
    ({"Range": "bytes=0-1,500-600"}, 206),
    ({"Range": "bytes=-7"}, 206),
    ({"Range": "bytes=5-9", "If-Range": '"other"'}, 200),
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

for audio_type in AUDIO_TYPES:
    schemathesis.openapi.media_type(audio_type, st.sampled_from([WAV, WAV[:999], b"no audio", b""]))


@schemathesis.serializer(*AUDIO_TYPES)
def as_it_is(_: Any, value: Any) -> bytes:
    assert isinstance(value, bytes)
    return value


class Cluster:
    """A demo of our own, since what the contract is driven with removes much of it; its buckets are bottomless."""

    def __init__(self, demo: DemoProcess) -> None:
        self.demo = demo
        told: dict[str, str] = demo.document["kazoo"]
        self.account, self.user, self.api_key = told["account_id"], told["user_id"], told["api_key"]
        self.name, self.username = told["account_name"], told["username"]
        self.credentials = digests_of(self.username, told["password"]).md5
        self.secret = told["push_url"].rpartition("/")[2]
        self.service = demo.token("acme-ns")
        self.token = self.login()

    def ask(self, method: str, target: str, **headers: str) -> Answer:
        return ask_at(self.demo.port, method, target, **{"X-Auth-Token": self.token, **headers})

    def login(self) -> str:
        """Return a new login's token."""
        body: Any = {"data": {"credentials": self.credentials, "account_name": self.name}}
        case = SCHEMA["/v2/user_auth"]["PUT"].Case(body=body, media_type="application/json")
        response = case.call_and_validate(base_url=self.demo.document["url"], checks=CHECKS)
        assert response.status_code == 201
        token = json.loads(response.content)["auth_token"]
        assert isinstance(token, str)
        return token

    def send(self, case: Case[Any], token: str | None = "", **headers: str) -> int:
        """Send a case as the user (or with another token, or none), check the answer, and return its status."""
        sent = {} if token is None else {"X-Auth-Token": token or self.token}
        url = self.demo.document["url"]
        return case.call_and_validate(base_url=url, headers={**sent, **headers}, checks=CHECKS).status_code

    def path(self, **more: str) -> dict[str, str]:
        return {"accountId": self.account, **more}

    def documents(self, query: str = "page_size=100") -> list[dict[str, Any]]:
        data = ok(self.ask("GET", f"/v2/accounts/{self.account}/recordings?{query}"))["data"]
        assert isinstance(data, list)
        return data

    def ids(self) -> list[str]:
        return [each["id"] for each in self.documents()]

    def with_audio(self) -> str:
        """Return the id of a recording whose audio is there."""
        found: list[str] = [each["id"] for each in self.documents() if each["_read_only"]["content_types"]]
        return found[0]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("contract") / "home"
    home.mkdir(mode=0o700)
    (home / MARKER).touch(mode=0o600)
    (home / FILE_NAME).write_text("[kazoo]\nrate_limits = false\n")
    with demo_process(home, "--recordings", "60") as running:
        yield Cluster(running)


def case_of(path: str, method: str, **parts: Any) -> Case[Any]:
    if "body" in parts:
        parts.setdefault("media_type", "application/json")
    return SCHEMA[path][method].Case(**parts)


@pytest.mark.parametrize(("condition", "status"), CONDITIONS)
@pytest.mark.parametrize(
    ("asked", "kind"),
    [({"accept": "audio/mpeg"}, "audio/mpeg"), ({"accept": "audio/wav", "inline": "true"}, "audio/wav")],
)
def test_real_audio_is_answered_as_the_contract_says(
    cluster: Cluster, asked: dict[str, str], kind: str, condition: dict[str, str], status: int
) -> None:
    path = cluster.path(recordingId=cluster.with_audio())
    case = case_of(RECORDING, "GET", path_parameters=path, query=asked, headers=condition)
    assert cluster.send(case) == status
    if status == 200:
        target = f"/v2/accounts/{cluster.account}/recordings/{path['recordingId']}?accept={kind}"
        assert cluster.ask("GET", target).headers["content-type"] == kind


def test_one_recording_is_answered_as_the_contract_says(cluster: Cluster) -> None:
    identity = cluster.ids()[-1]
    notes = {"data": {"user_metadata": {"rating": 5}}}
    for method, key, parts, status in (
        ("GET", identity, {}, 200),
        ("GET", identity, {"query": {"pretty_print": "true"}}, 200),
        ("GET", identity, {"query": {"jsonp": "shown"}}, 200),
        ("GET", identity, {"headers": {"Accept": "text/html"}}, 406),
        ("GET", "everything", {}, 404),
        ("GET", "202402-" + "0" * 32, {}, 404),
        ("PATCH", identity, {"body": notes}, 200),
        ("PATCH", identity, {"body": {"data": {"name": "x"}}}, 400),
        ("PATCH", identity, {"body": {}}, 400),
        ("DELETE", identity, {}, 200),
        ("DELETE", identity, {"body": {"data": {}}}, 404),
        ("GET", identity, {}, 404),
    ):
        path = cluster.path(recordingId=key)
        assert cluster.send(case_of(RECORDING, method, path_parameters=path, **parts)) == status, (method, key, parts)


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 200),
        ({"page_size": "2"}, 200),
        ({"paginate": "false"}, 200),
        ({"is_chunked": "true", "page_size": "7"}, 200),
        ({"ascending": "true", "fields": '["name","start"]'}, 200),
        ({"filter_direction": "inbound", "has_value": "owner_id"}, 200),
        ({"filter_direction": "sideways"}, 200),
        ({"accept": "csv", "page_size": "3"}, 200),
        ({"jsonp": "shown", "page_size": "1"}, 200),
        ({"created_from": "1"}, 400),
        ({"fields": "name"}, 400),
        ({"page_size": "0"}, 404),
    ],
)
def test_real_lists_are_answered_as_the_contract_says(
    cluster: Cluster, path: str, query: dict[str, str], status: int
) -> None:
    parameters = cluster.path(userId=cluster.user) if "{userId}" in path else cluster.path()
    assert cluster.send(case_of(path, "GET", path_parameters=parameters, query=query)) == status


def test_logins_and_tokens_are_answered_as_the_contract_says(cluster: Cluster) -> None:
    token = cluster.login()
    assert cluster.send(case_of(TOKEN, "GET"), token) == 200
    shown = case_of("/v2/user_auth/{token}", "GET", path_parameters={"token": token})
    assert cluster.send(shown) == 200
    assert cluster.send(case_of(TOKEN, "DELETE"), token) == 200
    assert cluster.send(case_of(TOKEN, "GET"), token) == 401
    assert cluster.send(shown) == 404
    assert cluster.send(case_of(TOKEN, "DELETE"), cluster.service) == 403
    for key, status in ((cluster.api_key, 201), ("0" * 64, 404), ("0" * 63, 400)):
        assert cluster.send(case_of("/v2/api_auth", "PUT", body={"data": {"api_key": key}}), None) == status
    for data, status in (
        ({"credentials": "0" * 32, "account_name": cluster.name}, 401),
        ({"credentials": cluster.credentials}, 401),
        ({"credentials": "", "method": "rot13"}, 400),
    ):
        assert cluster.send(case_of("/v2/user_auth", "PUT", body={"data": data}), None) == status


def test_each_way_to_say_who_asks_is_taken(cluster: Cluster) -> None:
    case = case_of(ACCOUNT, "GET", path_parameters=cluster.path())
    assert cluster.send(case, None) == 401
    assert cluster.send(case, None, Authorization=f"Bearer {cluster.token}") == 200
    assert cluster.send(case, None, Authorization=basic(cluster.account, cluster.credentials)) == 200
    assert cluster.send(case, cluster.service) == 200
    with_query = case_of(ACCOUNT, "GET", path_parameters=cluster.path(), query={"auth_token": cluster.token})
    assert cluster.send(with_query, None) == 200


@pytest.mark.parametrize(
    ("identity", "status"), [("0" * 32, 401), ("0" * 31, 404), ("A" * 32, 404), ("other", 403), ("below", 200)]
)
def test_accounts_that_are_not_ones_own_are_answered_as_the_contract_says(
    cluster: Cluster, identity: str, status: int
) -> None:
    if identity == "below":
        identity = below(cluster)[0]
    if identity == "other":
        identity = other(cluster)
    for path in (ACCOUNT, f"{ACCOUNT}/users", f"{ACCOUNT}/recordings", f"{ACCOUNT}/channels"):
        assert cluster.send(case_of(path, "GET", path_parameters={"accountId": identity})) == status


def below(cluster: Cluster) -> list[str]:
    data = ok(cluster.ask("GET", f"/v2/accounts/{cluster.account}/descendants"))["data"]
    return [each["id"] for each in data]


def other(cluster: Cluster) -> str:
    """Return the id of an account of the demo that is not below the first."""
    answer = ask_at(cluster.demo.port, "GET", "/v2/token_auth", **{"X-Auth-Token": cluster.demo.token("globex-ns")})
    identity = ok(answer)["data"]["account_id"]
    assert isinstance(identity, str)
    return identity


def test_commands_to_channels_are_answered_as_the_contract_says(cluster: Cluster) -> None:
    path = cluster.path(callId="1f2e3d4c@192.0.2.7")
    flow = {"module": "record_call", "data": {"action": "start", "time_limit": 60}}
    for method, body, status in (
        ("POST", {"data": {"action": "start_record"}}, 404),
        ("POST", {"data": {"action": "eavesdrop"}}, 400),
        ("POST", {"data": {"action": "transfer"}}, 400),
        ("PUT", {"action": "metaflow", "data": flow}, 404),
        ("PUT", {"action": "metaflow", "data": {**flow, "data": {"time_limit": 1}}}, 400),
        ("PUT", {"action": "metaflow"}, 400),
    ):
        assert cluster.send(case_of(CHANNEL, method, path_parameters=path, body=body)) == status
    assert cluster.send(case_of(CHANNEL, "GET", path_parameters=path)) == 404
    assert cluster.send(case_of(f"{ACCOUNT}/channels", "GET", path_parameters=cluster.path())) == 200


def test_pushes_are_answered_as_the_contract_says(cluster: Cluster) -> None:
    file = {"secret": cluster.secret, "file": "call_recording_contract-1.wav"}
    query = {"from": "1001@acme", "call_id": "contract-1", "start": "", "recording_id": ""}

    def pushed(method: str, body: bytes, **path: str) -> Case[Any]:
        parts = {"path_parameters": {**file, **path}, "query": query}
        return case_of(PUSH, method, body=body, media_type="audio/x-wav", **parts)

    assert cluster.send(pushed("PUT", WAV), None) == 201
    assert cluster.send(pushed("POST", WAV), None) == 200
    assert cluster.send(pushed("PUT", b""), None) == 400
    assert cluster.send(pushed("PUT", WAV, secret="vk_push_nobody"), None) == 401
    for condition, status in CONDITIONS:
        assert cluster.send(case_of(PUSH, "GET", path_parameters=file, headers=condition), None) == status
    assert cluster.send(case_of(PUSH, "HEAD", path_parameters=file), None) == 200
    missing = {**file, "file": "call_recording_none.wav"}
    for method in ("GET", "HEAD"):
        assert cluster.send(case_of(PUSH, method, path_parameters=missing), None) == 404


def test_files_of_storage_plans_are_answered_as_the_contract_says(cluster: Cluster) -> None:
    identity = "202402-" + "ab" * 16
    place = {
        "secret": cluster.secret,
        "accountId": cluster.account,
        "ownerId": cluster.user,
        "recordingId": identity,
        "attachment": "plan.wav",
    }
    stored = case_of(STORE, "PUT", path_parameters=place, body=WAV, media_type="audio/x-wav")
    assert [cluster.send(stored, None) for _ in range(2)] == [201, 200]
    assert cluster.send(case_of(STORE, "GET", path_parameters=place), None) == 200
    foreign = {**place, "accountId": other(cluster)}
    assert cluster.send(case_of(STORE, "PUT", path_parameters=foreign, body=WAV, media_type="audio/x-wav"), None) == 403
    probe = {**place, "attachment": "x_test_credentials_file.txt"}
    asked = case_of(STORE, "PUT", path_parameters=probe, body=b"probe", media_type="text/plain")
    assert cluster.send(asked, None) == 201
    assert cluster.send(case_of(STORE, "GET", path_parameters=probe), None) == 200


def drive(
    cluster: Cluster, case: Case[Any], data: st.DataObject, path: str, real: dict[str, st.SearchStrategy[str]]
) -> None:
    """Send a case, with real names in its path more often than not: what is only generated is nearly always a 404."""
    for name, strategy in real.items():
        if name in case.path_parameters and data.draw(st.sampled_from([True, True, True, False])):
            case.path_parameters[name] = data.draw(strategy)
    if path in (RECORDING, OF_USER) and case.method == "GET" and data.draw(st.booleans()):
        case.query = {"accept": data.draw(st.sampled_from(["audio/mpeg", "audio/wav", "application/json"]))}
        case.headers.update(data.draw(st.sampled_from(CONDITIONS))[0])
    if path.startswith("/ingest/"):
        cluster.send(case, None)
        return
    token = data.draw(st.sampled_from(["", "", "", cluster.service, None, "vk_kazoo_" + "A" * 43]))
    if path == TOKEN and case.method == "DELETE" and token == "":
        token = cluster.service  # the others still need theirs
    cluster.send(case, token)


DRIVEN = [
    (path, method, mode)
    for path, method in operations()
    for mode in GenerationMode
    # whatever a push's URL and body are, they are what the contract allows
    if mode is GenerationMode.POSITIVE or path.startswith("/v2/")
]


@pytest.mark.parametrize(
    ("path", "method", "mode"), DRIVEN, ids=[f"{path}-{method}-{mode.value}" for path, method, mode in DRIVEN]
)
def test_the_server_answers_only_as_the_contract_says(
    cluster: Cluster, path: str, method: str, mode: GenerationMode
) -> None:
    real = {
        "accountId": st.sampled_from([cluster.account, *below(cluster), other(cluster)]),
        "userId": st.just(cluster.user),
        "ownerId": st.just(cluster.user),
        "recordingId": st.sampled_from(cluster.ids()),
        "token": st.just(cluster.token),
        "secret": st.just(cluster.secret),
    }

    @settings(max_examples=7)
    @given(case=SCHEMA[path][method].as_strategy(generation_mode=mode), data=st.data())
    def answers_as_described(case: Case[Any], data: st.DataObject) -> None:
        drive(cluster, case, data, path, real)

    answers_as_described()


@pytest.mark.parametrize("path", sorted({path for path, _ in operations() if path.startswith("/v2/")}))
def test_a_method_that_the_contract_does_not_name_is_405_without_allow(cluster: Cluster, path: str) -> None:
    named = {method for served, method in operations() if served == path}
    target = path.format(accountId=cluster.account, userId="u", recordingId="r", token="t", callId="c")
    for method in {"GET", "PUT", "PATCH", "DELETE", "POST", "TRACE", "HEAD", "QUERY"} - named:
        answer = cluster.ask(method, target)
        assert answer.status == 405
        assert "allow" not in answer.headers
        if method != "HEAD":
            assert refused(answer, 405, "invalid_method") == {"message": "method not allowed"}


def test_nothing_that_was_driven_in_left_a_trace_of_a_fault_in_the_log(cluster: Cluster) -> None:
    assert "Traceback" not in cluster.demo.log.read_text()
