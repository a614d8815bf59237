"""The dialect's edge: envelopes, errors, verbs in disguise, browsers; and no account ever sees another's."""

import asyncio
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.harness import START, Answer, World, parsed, request_bytes, restricted
from tests.vendors.kazoo.conftest import Ground, Opener
from tests.vendors.kazoo.customers import Customer, customer, data, documents, refused, send

from voxkeep.access import Grant, Permission, TenantLimits
from voxkeep.archive.model import State
from voxkeep.settings import Kazoo, Server, Settings
from voxkeep.vendors.kazoo import wire
from voxkeep.vendors.kazoo.errors import MOST_BODY_BYTES
from voxkeep.web import bodies

UNKNOWN = "202402-" + "a" * 32


async def one(world: World, owner: Customer) -> str:
    return wire.shown_id(await world.keep(owner.tenant, audio="bare"))


# Envelopes


async def test_an_envelope_tells_of_its_request_and_echoes_the_token(world: World, acme: Customer) -> None:
    identity = await one(world, acme)
    answer = await acme.ask("GET", f"recordings/{identity}", X_Request_Id="mine-1")
    document = answer.json
    assert data(answer)["id"] == identity
    assert (document["request_id"], answer.headers["x-request-id"]) == ("mine-1", "mine-1")
    assert document["auth_token"] == acme.token
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["timestamp"])
    assert len(document["node"]) == 22
    made = (await acme.ask("GET", f"recordings/{identity}")).json["request_id"]
    assert re.fullmatch(r"[0-9a-f]{32}", made)


@pytest.mark.parametrize("given_", ["x" * 129, "a b", "a\xffb"])
async def test_a_request_id_that_is_none_is_not_echoed(acme: Customer, given_: str) -> None:
    answer = await acme.ask("GET", "recordings", X_Request_Id=given_)
    assert re.fullmatch(r"[0-9a-f]{32}", answer.json["request_id"])


@pytest.mark.parametrize(("query", "headers"), [("?pretty_print=true", {}), ("", {"X_Pretty_Print": "true"})])
async def test_an_envelope_is_indented_on_demand(acme: Customer, query: str, headers: dict[str, str]) -> None:
    answer = await acme.ask("GET", f"recordings{query}", **headers)
    assert data(answer) == []
    assert answer.body.startswith(b'{\n  "data": []')


async def test_jsonp_wraps_the_envelope_in_a_call(acme: Customer) -> None:
    answer = await acme.ask("GET", "recordings?jsonp=jQuery1.done")
    assert answer.headers["content-type"] == "application/javascript"
    match = re.fullmatch(rb"jQuery1\.done\((.*)\);", answer.body, re.DOTALL)
    assert match is not None
    assert json.loads(match[1])["status"] == "success"
    # what is no name of a function would run in the page
    assert data(await acme.ask("GET", "recordings?jsonp=alert(1)//")) == []


async def test_a_browser_may_ask_from_anywhere(acme: Customer) -> None:
    preflight = await acme.world.ask(
        "OPTIONS",
        f"/v2/accounts/{acme.account.id}/recordings",
        Origin="https://monster.test",
        Access_Control_Request_Method="GET",
        Access_Control_Request_Headers="x-auth-token,content-type",
    )
    assert (preflight.status, preflight.body) == (200, b"")
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert {"x-auth-token", "content-type", "authorization"} <= set(
        preflight.headers["access-control-allow-headers"].split(", ")
    )
    assert preflight.headers["access-control-max-age"] == "86400"
    answer = await acme.ask("GET", "recordings", Origin="https://monster.test")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "x-auth-token" in answer.headers["access-control-expose-headers"]
    error = await acme.ask("GET", f"recordings/{UNKNOWN}", Origin="https://monster.test")
    assert error.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in (await acme.ask("GET", "recordings")).headers


# Verbs


@pytest.mark.parametrize(
    ("query", "body"), [("?verb=delete", b""), ("", b'{"verb":"delete"}'), ("?verb=DELETE", b"{}")]
)
async def test_a_post_acts_as_the_verb_it_names(world: World, acme: Customer, query: str, body: bytes) -> None:
    identity = await one(world, acme)
    assert data(await acme.send("POST", f"recordings/{identity}{query}", body))["_read_only"] == {"deleted": True}
    assert await documents(acme) == []


async def test_a_tunnelled_read_is_a_read_and_may_ask_for_media(world: World, acme: Customer) -> None:
    identity = await one(world, acme)
    assert data(await acme.send("POST", f"recordings/{identity}?verb=get", b""))["id"] == identity
    heard = await acme.send("POST", f"recordings/{identity}", b'{"verb":"get","accept":"audio/mpeg"}')
    assert (heard.status, heard.headers["content-type"]) == (200, "audio/mpeg")


@pytest.mark.parametrize(
    ("verb", "target"),
    [
        ("PUT", "recordings"), ("POST", "recordings"), ("DELETE", "recordings"), ("HEAD", "recordings"),
        ("PUT", f"recordings/{UNKNOWN}"), ("POST", f"recordings/{UNKNOWN}"), ("HEAD", f"recordings/{UNKNOWN}"),
        ("DELETE", ""), ("POST", "channels"), ("PATCH", "users"),
    ],
)  # fmt: skip
async def test_other_verbs_are_not_allowed_and_no_allow_header_tells_which_are(
    acme: Customer, verb: str, target: str
) -> None:
    answer = await acme.ask(verb, target)
    assert answer.status == 405
    assert "allow" not in answer.headers
    if verb != "HEAD":
        assert refused(answer, 405, "invalid_method") == {"message": "method not allowed"}


@pytest.mark.parametrize("path", ["/v2/", "/v2/x", "/v2/recordings", "/v2/accounts", "/v2/accounts/x/y/z", "/v2//"])
async def test_there_are_no_other_routes(acme: Customer, path: str) -> None:
    answer = await acme.world.ask("GET", path, X_Auth_Token=acme.token)
    assert refused(answer, 404, "not_found") == {"message": "not found"}


@pytest.mark.parametrize("rest", ["attachment", "raw", "x/y"])
async def test_a_recording_has_nothing_below_it(world: World, acme: Customer, rest: str) -> None:
    identity = await one(world, acme)
    refused(await acme.ask("GET", f"recordings/{identity}/{rest}"), 404, "not_found")


# Bodies


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"data":', b"nonsense", b'{"data":' + b"[" * 100_000])
async def test_a_body_that_is_no_json_is_told(world: World, acme: Customer, body: bytes) -> None:
    identity = await one(world, acme)
    told = refused(await acme.send("PATCH", f"recordings/{identity}", body), 400, "validation error")
    assert told["json"]["invalid"]["target"] == "body"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"[", b"5", b'{"user_metadata":{}}', b'"data"'])
async def test_a_body_without_its_envelope_is_told(world: World, acme: Customer, body: bytes) -> None:
    identity = await one(world, acme)
    told = refused(await acme.send("PATCH", f"recordings/{identity}", body), 400, "invalid request envelope")
    assert list(told["data"]) == ["required"]


@pytest.mark.parametrize("wrong", [b"[]", b"5", b'"x"', b"null"])
async def test_data_that_is_no_object_is_told(world: World, acme: Customer, wrong: bytes) -> None:
    identity = await one(world, acme)
    told = refused(await acme.send("PATCH", f"recordings/{identity}", b'{"data":%b}' % wrong), 400, "validation error")
    assert list(told["data"]) == ["type"]


async def test_a_body_over_8_million_bytes_is_too_large(world: World, acme: Customer) -> None:
    identity = await one(world, acme)
    body = b'{"data":{"user_metadata":{}},"x":"' + b"x" * MOST_BODY_BYTES + b'"}'
    told = refused(await acme.send("PATCH", f"recordings/{identity}", body), 413, "validation error")
    assert told["file"]["maxSize"]["target"] == MOST_BODY_BYTES


async def test_a_body_that_stops_coming_is_not_waited_for(
    world: World, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "SILENT_SECONDS", 0.1)
    for target in ("/v2/user_auth", "/ingest/kazoo/x/call_recording_1.mp3"):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        if target.startswith("/ingest"):
            secret = await acme.accounts.issue_push_secret(acme.account)
            target = target.replace("/x/", f"/{secret}/")  # noqa: PLW2901 -- only now is it known
        sent = {"Host": "localhost", "Content-Length": "100"}
        writer.write(request_bytes("PUT", target, sent) + b"{")
        refused(parsed(await asyncio.wait_for(reader.read(), 10), "PUT"), 408, "request_timeout")
        writer.close()


async def test_a_client_that_leaves_within_its_body_leaves_no_trace(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(request_bytes("PUT", "/v2/user_auth", {"Host": "localhost", "Content-Length": "100"}) + b"{")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await asyncio.sleep(0.1)
    assert "Traceback" not in caplog.text


async def test_who_comes_too_fast_is_told_so_before_a_body_is_read(opened: Opener) -> None:
    world = await opened(Settings(kazoo=Kazoo(bucket_tokens=40, bucket_refill=1)))
    for target, method in (("/v2/user_auth", "PUT"), (f"/v2/accounts/{'0' * 32}/recordings", "POST")):
        for _ in range(41):
            head = request_bytes(method, target, {"Host": "x", "Content-Length": "2", "Connection": "close"})
            if b" 429 " in (await exchange_async(world.port, head + b"{}"))[:20]:
                break
        # the body that is announced never comes, and is not waited for
        head = request_bytes(method, target, {"Host": "x", "Content-Length": "7000000", "Connection": "close"})
        assert b" 429 " in (await exchange_async(world.port, head))[:20]


async def exchange_async(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


# Who may ask


@pytest.mark.parametrize("token", ["", "x", "vk_" + "x" * 43, "vk_kazoo_" + "x" * 43, "e" * 300])
async def test_a_token_nobody_has_is_refused(acme: Customer, token: str) -> None:
    told = refused(
        await acme.world.ask("GET", f"/v2/accounts/{acme.account.id}/recordings", X_Auth_Token=token),
        401,
        "invalid_credentials",
    )
    assert told == {"message": "invalid credentials"}


async def test_an_account_in_the_path_is_told_from_one_that_is_none(acme: Customer) -> None:
    for path, message, status in (
        ("x", "bad identifier", 404),
        ("A" * 32, "bad identifier", 404),
        ("f" * 32, "invalid credentials", 401),
    ):
        answer = await acme.world.ask("GET", f"/v2/accounts/{path}/recordings", X_Auth_Token=acme.token)
        told = refused(answer, status, message)
        assert told == {"message": f"invalid account_id '{path}'" if status == 404 else "invalid credentials"}


MATRIX = [
    ("GET", ""), ("GET", "descendants"), ("GET", "children"), ("GET", "users"), ("GET", "users/{user}"),
    ("GET", "recordings"), ("GET", "users/{user}/recordings"), ("GET", "recordings/{id}"),
    ("GET", "recordings/{id}?accept=audio/mpeg"), ("DELETE", "recordings/{id}"), ("PATCH", "recordings/{id}"),
    ("GET", "users/{user}/recordings/{id}"), ("GET", "channels"), ("GET", "channels/x"), ("POST", "channels/x"),
    ("PUT", "channels/x"),
]  # fmt: skip
COMMAND = b'{"data":{"action":"hangup"}}'
BODIES = {"PATCH": b'{"data":{"user_metadata":{"a":1}}}', "POST": COMMAND, "PUT": COMMAND}


async def matrix(world: World, owner: Customer, token: str) -> list[Answer]:
    """Ask every route below an account with somebody's token."""
    user = await owner.user(f"user-{owner.account.name}-{len(token)}")
    identity = await one(world, owner)
    answers = []
    for verb, target in MATRIX:
        path = f"/v2/accounts/{owner.account.id}/{target.format(user=user.id, id=identity)}".rstrip("/")
        body = BODIES.get(verb, b"")
        answers.append(await send(world, verb, path, body, X_Auth_Token=token))
    assert data(await owner.ask("GET", f"recordings/{identity}")).get("user_metadata") is None
    return answers


async def test_every_route_refuses_another_accounts_token_with_the_same_words(
    world: World, acme: Customer, globex: Customer
) -> None:
    for answer in await matrix(world, acme, globex.token):
        assert refused(answer, 403, "forbidden") == {"message": "forbidden"}
        assert acme.account.realm.encode() not in answer.body


async def test_a_recording_of_another_account_is_not_found_under_ones_own(
    world: World, acme: Customer, globex: Customer
) -> None:
    theirs = await one(world, globex)
    for verb in ("GET", "DELETE"):
        refused(await acme.ask(verb, f"recordings/{theirs}"), 404, "bad_identifier")
    user = await globex.user("eve")
    refused(await acme.ask("GET", f"users/{user.id}/recordings"), 404, "bad_identifier")


async def test_a_token_without_a_permission_may_not_use_it(world: World) -> None:
    for permission, refused_ones in (
        (Permission.RECORDINGS_LIST, ["GET?accept=audio/mpeg", "DELETE", "PATCH"]),
        (Permission.RECORDINGS_LISTEN, ["GET", "DELETE", "PATCH"]),
        (Permission.RECORDINGS_ANNOTATE, ["GET", "GET?accept=audio/mpeg", "DELETE"]),
    ):
        owner = await customer(world, permission.replace(":", "-"), grant=Grant(frozenset({permission})))
        identity = await one(world, owner)
        for each in refused_ones:
            verb, _, query = each.partition("?")
            answer = await owner.send(verb, f"recordings/{identity}?{query}", b'{"data":{"user_metadata":{}}}')
            assert refused(answer, 403, "forbidden") == {"message": "forbidden"}


async def test_a_tenant_whose_api_is_switched_off_answers_nobody(world: World, acme: Customer) -> None:
    await world.access.change_tenant(acme.tenant, TenantLimits(api_enabled=False))
    assert refused(await acme.ask("GET", "recordings"), 403, "forbidden") == {"message": "forbidden"}


async def test_another_tenants_host_is_no_way_to_an_account(world: World, acme: Customer) -> None:
    await world.tenant("hosted", "hosted.kazoo.test")
    refused(await acme.ask("GET", "recordings", Host="hosted.kazoo.test"), 404, "not_found")
    assert data(await acme.ask("GET", "recordings", Host="unknown.test")) == []


# Accounts below accounts


async def test_a_parent_reads_what_is_below_it_and_is_never_read_from_there(world: World, acme: Customer) -> None:
    child = await customer(world, "west", parent=acme.account)
    grandchild = await customer(world, "south", parent=child.account)
    key = await acme.accounts.issue_api_key(acme.account)
    answer = await send(world, "PUT", "/v2/api_auth", json.dumps({"data": {"api_key": key}}).encode())
    token = answer.json["auth_token"]
    below = data(await acme.ask("GET", "descendants", token))
    assert [(each["id"], each["tree"], each["descendants_count"]) for each in below] == [
        (child.account.id, [acme.account.id], 1),
        (grandchild.account.id, [acme.account.id, child.account.id], 0),
    ]
    assert [each["id"] for each in data(await acme.ask("GET", "children", token))] == [child.account.id]
    for owner in (acme, child, grandchild):
        identity = await one(world, owner)
        assert data(await owner.ask("GET", f"recordings/{identity}", token))["id"] == identity
    key = await child.accounts.issue_api_key(child.account)
    answer = await send(world, "PUT", "/v2/api_auth", json.dumps({"data": {"api_key": key}}).encode())
    from_below = answer.json["auth_token"]
    for refusal in await matrix(world, acme, from_below):
        refused(refusal, 403, "forbidden")


async def test_directories_show_what_the_caller_may_see(world: World, acme: Customer) -> None:
    await customer(world, "west", parent=acme.account)
    # a service user of the parent alone
    assert data(await acme.ask("GET", "descendants")) == data(await acme.ask("GET", "children")) == []
    ann = await acme.user("ann", agent_name="Ann Lee")
    await acme.user("bob", agent_name="Bob Roy")
    only_ann = await world.token(acme.tenant, name="only-ann", grant=restricted(["Ann Lee"]))
    assert [each["id"] for each in data(await acme.ask("GET", "users", only_ann))] == [ann.id]
    chats = await world.token(acme.tenant, name="chats", grant=Grant(frozenset({Permission.TRANSCRIPTS_READ})))
    for target in ("users", f"users/{ann.id}"):
        refused(await acme.ask("GET", target, chats), 403, "forbidden")


@pytest.mark.parametrize("name", ["auth_token", "auth%5Ftoken"])
async def test_no_token_of_a_query_stands_in_the_trail_however_it_is_written(
    world: World, acme: Customer, name: str
) -> None:
    written = acme.token.replace("vk_", "%76k%5F")
    path = f"/v2/accounts/{acme.account.id}/recordings?page_size=7&{name}={written}"
    assert data(await world.ask("GET", path)) == []
    (entry,) = [entry for entry in await world.audited() if entry.action == "recording.list"]
    assert acme.token[3:] not in entry.subject
    assert "page_size=7" in entry.subject


async def test_account_alone_is_ones_own(world: World, acme: Customer) -> None:
    await world.keep(acme.tenant, START, state=State.KEPT)
    shown = data(await world.ask("GET", "/v2/account", X_Auth_Token=acme.token))
    assert (shown["id"], shown["name"], shown["realm"]) == (acme.account.id, "acme", "acme.sip.test")
    assert data(await world.ask("GET", "/v2/account/recordings?page_size=1", X_Auth_Token=acme.token)) == []


async def test_users_are_shown_without_anything_of_their_passwords(acme: Customer) -> None:
    ann = await acme.user("ann", first_name="Ann", agent_extension="251")
    (shown,) = data(await acme.ask("GET", "users"))
    assert (shown["id"], shown["username"], shown["first_name"]) == (ann.id, "ann", "Ann")
    assert data(await acme.ask("GET", f"users/{ann.id}")) == shown
    assert not {"password", "md5_key", "sha_key"} & set(shown)
    refused(await acme.ask("GET", f"users/{'f' * 32}"), 404, "bad_identifier")


# Limits


async def test_a_client_that_asks_too_fast_is_told_so_and_may_go_on_later(opened: Opener) -> None:
    world = await opened(Settings(kazoo=Kazoo(bucket_tokens=5, bucket_refill=1)))
    owner = await customer(world, "fast")
    answers = [await owner.ask("GET", "recordings") for _ in range(6)]
    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert refused(answers[-1], 429, "too_many_requests") == {"message": "too many requests"}
    assert "retry-after" not in answers[-1].headers
    other = await customer(world, "slow")
    assert data(await other.ask("GET", "recordings")) == []


async def test_refusals_are_in_the_trail_and_what_is_only_malformed_is_not(world: World, acme: Customer) -> None:
    await acme.ask("GET", f"recordings/{UNKNOWN}")
    await acme.ask("GET", "recordings", token="vk_nobody-has-this-one")
    await acme.ask("GET", "recordings?created_from=5&created_to=1")
    entries = [(entry.action, entry.outcome, entry.detail[:3]) for entry in await world.audited()]
    assert entries.count(("recording.listen", "refused", "404")) == 1
    assert entries.count(("authenticate", "refused", "401")) == 1
    assert not [entry for entry in entries if entry[2] == "400"]


async def test_maintenance_is_told_in_kazoos_shape(opened: Opener) -> None:
    world = await opened(Settings(server=Server(maintenance=True)))
    answer = await world.ask("GET", "/v2/accounts/x/recordings")
    refused(answer, 503, "datastore_unreachable")
    assert int(answer.headers["retry-after"]) > 0


PARAMETERS = st.sampled_from(
    ["created_from", "created_to", "page_size", "start_key", "paginate", "filter_start", "has_key", "fields", "accept",
     "verb", "is_chunked", "ascending", "filter_any_id", "jsonp", "auth_token", "file_name"]
)  # fmt: skip
VALUES = (
    st.text(max_size=12)
    | st.integers().map(str)
    | st.sampled_from(["true", "false", "[]", '["id"]', "text/csv", "csv"])
)


@settings(max_examples=60, deadline=None)
@given(
    query=st.dictionaries(PARAMETERS, VALUES, max_size=4),
    target=st.sampled_from(["recordings", f"recordings/{UNKNOWN}"]),
)
def test_no_query_breaks_it(ground: Ground, query: dict[str, str], target: str) -> None:
    answer = ground.ask(target, query)
    assert answer.status < 500
