"""Logging in and who asks, over HTTP: credentials, tokens, keys, and what each may see."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.harness import World, restricted
from tests.vendors.kazoo.harness import (
    PASSWORD,
    TOKEN,
    USERNAME,
    Made,
    account,
    accounts_of,
    asked,
    basic,
    got,
    login,
    ok,
    refused,
    sent,
    wrong,
)

from voxkeep.access import Grant
from voxkeep.settings import Kazoo, Settings
from voxkeep.vendors.kazoo import credentials, errors
from voxkeep.vendors.kazoo.auth import Authentication
from voxkeep.vendors.kazoo.authdata import ApiAuth, UserAuth
from voxkeep.vendors.kazoo.buckets import Buckets
from voxkeep.vendors.kazoo.credentials import Salted
from voxkeep.vendors.kazoo.request import Request

HOUR_MS = 3_600_000
START = 1_767_225_600_000
UNKNOWN = {"message": "invalid credentials"}
ENDED: dict[str, str] = {}


@pytest.fixture
async def acme(world: World) -> Made:
    return await account(world)


async def who(world: World, token: str | None = None, **headers: str) -> dict[str, Any]:
    """Return what the server says of who asks."""
    data: dict[str, Any] = ok(await asked(world, "GET", "token_auth", token, body=None, **headers))["data"]
    return data


# Logging in


async def test_a_login_gives_a_token_beside_what_clients_need_to_go_on(world: World, acme: Made) -> None:
    answer = await sent(world, "PUT", "user_auth", {"credentials": acme.credentials(), "account_name": "acme"})
    envelope = ok(answer, 201)
    assert TOKEN.fullmatch(envelope["auth_token"])
    assert envelope["data"] == {
        "account_id": acme.account.id,
        "owner_id": acme.user.id,
        "account_name": "acme",
        "reseller_id": acme.account.id,
        "is_reseller": False,
        "language": "en-us",
        "apps": [],
    }
    shown = ok(await got(world, "token_auth", envelope["auth_token"]))
    assert shown["auth_token"] == envelope["auth_token"]
    assert shown["data"] == envelope["data"]


@pytest.mark.parametrize("method", ["md5", "sha"])
@pytest.mark.parametrize(
    "locator",
    [
        {"account_name": "ACME, Inc."},
        {"account_realm": "Acme.SIP.test"},
        {"realm": "acme.sip.test"},
        {"phone_number": "+1 (415) 555-0100"},
        {"account_name": "nobody", "account_realm": "nobody.test", "phone_number": "+15550000000", "account_id": "own"},
        {"phone_number": "+15550000000", "account_realm": "acme.sip.test", "account_name": "other"},
        {"phone_number": "", "account_realm": None, "account_name": None, "account_id": "own"},
    ],
    ids="+".join,
)
async def test_an_account_is_found_by_the_first_word_that_leads_to_one(
    world: World, method: str, locator: dict[str, Any]
) -> None:
    made = await account(world, "AcmeInc", realm="acme.sip.test", numbers=("+14155550100",))
    await account(world, "other")
    own = {"account_id": made.account.id} if locator.get("account_id") == "own" else {}
    data = {"credentials": made.credentials(method), "method": method, **locator, **own}
    assert ok(await sent(world, "PUT", "user_auth", data), 201)["data"]["account_id"] == made.account.id


async def test_every_account_of_one_name_is_tried(world: World) -> None:
    first = await account(world, "sales", username="ann")
    second = await account(world, "Sales-2", realm="second.sip.test", username="bob")
    accounts = accounts_of(world)
    twin = await accounts.add_account(await world.tenant("twin"), "S a l e s", "twin.sip.test")
    cy = await accounts.add_user(twin, "cy", PASSWORD)
    found = Made(first.tenant, twin, cy)
    data = {"credentials": found.credentials(), "account_name": "Sales"}
    assert ok(await sent(world, "PUT", "user_auth", data), 201)["data"]["owner_id"] == cy.id
    data["credentials"] = second.credentials()
    assert refused(await sent(world, "PUT", "user_auth", data), 401, "invalid_credentials") == UNKNOWN


async def test_the_found_account_decides_and_no_later_word_is_tried(world: World, acme: Made) -> None:
    other = await account(world, "other", username="bob")
    data = {"credentials": acme.credentials(), "account_realm": other.account.realm, "account_name": "acme"}
    assert refused(await sent(world, "PUT", "user_auth", data), 401, "invalid_credentials") == UNKNOWN


@pytest.mark.parametrize(
    "data",
    [
        {"credentials": "0" * 32, "account_name": "acme"},
        {"credentials": "0" * 40, "method": "sha", "account_name": "acme"},
        {"credentials": "MD5", "method": "sha", "account_name": "acme"},
        {"credentials": "MD5", "account_name": "nobody"},
        {"credentials": "MD5", "account_name": "!?"},
        {"credentials": "MD5", "account_id": "0" * 32},
        {"credentials": "MD5"},
        {"credentials": "é", "account_name": "acme"},
    ],
)
async def test_wrong_credentials_are_401_and_do_not_tell_what_is_wrong(
    world: World, acme: Made, data: dict[str, str]
) -> None:
    real = {"credentials": acme.credentials()} if data["credentials"] == "MD5" else {}
    answer = await sent(world, "PUT", "user_auth", {**data, **real})
    assert refused(answer, 401, "invalid_credentials") == UNKNOWN
    assert "auth_token" not in json.loads(answer.body)


@pytest.mark.parametrize(
    ("path", "data", "fields"),
    [
        ("user_auth", {"account_name": "acme"}, {"credentials": ["required"]}),
        ("user_auth", {"credentials": None}, {"credentials": ["required"]}),
        ("user_auth", {"credentials": ""}, {"credentials": ["minLength"]}),
        ("user_auth", {"credentials": "s" * 65}, {"credentials": ["maxLength"]}),
        ("user_auth", {"credentials": 7, "account_name": []}, {"credentials": ["type"], "account_name": ["type"]}),
        ("user_auth", {"credentials": "s", "method": "sha256"}, {"method": ["enum"]}),
        ("user_auth", {"credentials": "s", "method": ""}, {"method": ["enum"]}),
        ("user_auth", {"credentials": "s", "account_id": "a" * 31}, {"account_id": ["minLength"]}),
        ("user_auth", {"credentials": "s", "account_id": "a" * 33}, {"account_id": ["maxLength"]}),
        ("user_auth", {"credentials": "s", "phone_number": 415}, {"phone_number": ["type"]}),
        ("user_auth", {"credentials": "s", "account_name": "n" * 254}, {"account_name": ["maxLength"]}),
        ("api_auth", {}, {"api_key": ["required"]}),
        ("api_auth", {"api_key": "5" * 63}, {"api_key": ["minLength"]}),
        ("api_auth", {"api_key": "5" * 65}, {"api_key": ["maxLength"]}),
        ("api_auth", {"api_key": {}}, {"api_key": ["type"]}),
    ],
)
async def test_fields_that_cannot_be_are_named_and_secrets_not_told_back(
    world: World, path: str, data: dict[str, Any], fields: dict[str, list[str]]
) -> None:
    answer = await sent(world, "PUT", path, data)
    assert wrong(refused(answer, 400, "validation error")) == fields
    secret = data.get("credentials") or data.get("api_key")
    if isinstance(secret, str) and len(secret) > 1:
        assert secret.encode() not in answer.body


@pytest.mark.parametrize("path", ["user_auth", "api_auth"])
async def test_a_login_without_its_envelope_is_400(world: World, path: str) -> None:
    missing = {"data": {"required": {"message": "Field is required but missing"}}}
    for body in (b"{}", b"[]", b'{"credentials": "s"}'):
        assert refused(await asked(world, "PUT", path, body=body), 400, "invalid request envelope") == missing
    assert refused(await asked(world, "PUT", path), 400, "invalid request envelope") == missing
    assert "json" in refused(await asked(world, "PUT", path, body=b"{"), 400, "validation error")
    assert "data" in refused(await sent(world, "PUT", path, ["s"]), 400, "validation error")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
words = st.sampled_from(
    ["credentials", "method", "account_name", "account_realm", "phone_number", "account_id", "api_key"]
)


@given(st.dictionaries(words, json_values))
def test_any_data_is_a_login_or_a_refusal_that_names_its_fields(data: dict[str, Any]) -> None:
    for kind in (UserAuth, ApiAuth):
        try:
            taken = kind.of(data)
        except errors.KazooError as error:
            told, status = error.data, error.status
        else:
            assert all(isinstance(getattr(taken, field), str) for field in kind.__struct_fields__)
            continue
        assert status == 400
        assert isinstance(told, dict)
        assert told
        assert told.keys() <= {*data, "credentials", "api_key"}


async def test_an_api_key_logs_in_as_the_account(world: World, acme: Made) -> None:
    key = await accounts_of(world).issue_api_key(acme.account)
    envelope = ok(await sent(world, "PUT", "api_auth", {"api_key": key}), 201)
    assert envelope["data"]["account_id"] == acme.account.id
    assert "owner_id" not in envelope["data"]
    assert await who(world, envelope["auth_token"]) == envelope["data"]


async def test_an_unknown_api_key_is_404(world: World, acme: Made) -> None:
    old = await accounts_of(world).issue_api_key(acme.account)
    token = ok(await sent(world, "PUT", "api_auth", {"api_key": old}), 201)["auth_token"]
    await accounts_of(world).issue_api_key(acme.account)
    for key in ("5" * 64, "é" * 64, old):
        assert refused(await sent(world, "PUT", "api_auth", {"api_key": key}), 404, "bad identifier") == ["key"]
    # and what the old key had opened is closed
    assert refused(await got(world, "token_auth", token), 401, "invalid credentials") == ENDED


# Tokens


async def test_a_token_is_taken_wherever_clients_put_it(world: World, acme: Made) -> None:
    token = await login(world, acme)
    expected = await who(world, token)
    for answer in (
        await got(world, "token_auth", auth_token=token),
        await asked(world, "GET", "token_auth", body=json.dumps({"auth_token": token}).encode()),
        await asked(world, "GET", "token_auth", Authorization=f"Bearer {token}"),
        await asked(world, "GET", "token_auth", Authorization=f"bearer  {token}"),
        await asked(world, "GET", "token_auth", token, Authorization="Bearer of-something-else"),
        await asked(world, "GET", f"token_auth?auth_token={token}", Authorization="Basic c29tZTp0aGluZw=="),
        await asked(world, "GET", f"token_auth?auth_token={token}", ""),
    ):
        envelope = ok(answer)
        assert (envelope["data"], envelope["auth_token"]) == (expected, token)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Auth_Token": ""},
        {"X_Auth_Token": "vk_kazoo_" + "A" * 43},
        {"X_Auth_Token": "vk_kazoo_"},
        {"X_Auth_Token": "vk_" + "A" * 43},
        {"X_Auth_Token": "\xff\xfe"},
        {"X_Auth_Token": "t" * 5_000},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer vk_kazoo_"},
        {"Authorization": "Digest username=ann"},
        {"Authorization": "Basic"},
        {"Authorization": "Basic ****"},
        {"Authorization": "Basic /////w=="},
        {"Authorization": basic("0" * 32, "0" * 32)},
        {"Authorization": basic("acme", "0" * 32)},
        {"Authorization": basic("0" * 32, "horse")},
    ],
)
async def test_strangers_are_401(world: World, headers: dict[str, str]) -> None:
    answer = await asked(world, "GET", "token_auth", body=None, **headers)
    assert refused(answer, 401, "invalid_credentials") == UNKNOWN
    assert "auth_token" not in json.loads(answer.body)


async def test_a_token_lives_an_hour_and_using_it_does_not_prolong_that(world: World, acme: Made) -> None:
    world.now = START
    token = await login(world, acme)
    for world.now in (START + HOUR_MS // 2, START + HOUR_MS - 1):
        await who(world, token)
    world.now = START + HOUR_MS
    assert refused(await got(world, "token_auth", token), 401, "invalid credentials") == ENDED
    # a day later nobody knows it any more
    world.now = START + 26 * HOUR_MS
    await login(world, acme)
    await accounts_of(world).issue_push_secret(acme.account)
    assert refused(await got(world, "token_auth", token), 401, "invalid_credentials") == UNKNOWN


async def test_an_ended_token_is_told_from_one_that_never_was(world: World, acme: Made) -> None:
    token, other = await login(world, acme), await login(world, acme)
    ended = ok(await sent(world, "DELETE", "token_auth", {}, token))
    assert ended["data"] == {}
    assert "auth_token" not in ended
    answer = await got(world, "token_auth", token)
    assert refused(answer, 401, "invalid credentials") == ENDED
    assert token.encode() not in answer.body
    assert (await who(world, other))["owner_id"] == acme.user.id


async def test_a_token_outlives_the_server_and_dies_in_all(world: World, acme: Made) -> None:
    token = await login(world, acme)
    await world.restart()
    await who(world, token)
    beside = await World(world.home, world.settings).open()
    try:
        await who(beside, token)
        ok(await asked(world, "DELETE", "token_auth", token))
        assert refused(await got(beside, "token_auth", token), 401, "invalid credentials") == ENDED
    finally:
        await beside.close()


async def test_another_password_and_a_removal_end_a_users_logins_at_once(world: World, acme: Made) -> None:
    accounts = accounts_of(world)
    bob = await accounts.add_user(acme.account, "bob", PASSWORD)
    others = await login(world, Made(acme.tenant, acme.account, bob))
    first = await login(world, acme)
    await who(world, first)
    await who(world, Authorization=acme.basic)
    await accounts.set_password(acme.account, USERNAME, "another horse")
    assert refused(await got(world, "token_auth", first), 401, "invalid credentials") == ENDED
    refused(await asked(world, "GET", "token_auth", Authorization=acme.basic), 401, "invalid_credentials")
    changed = {"credentials": acme.credentials(password="another horse"), "account_name": "acme"}
    second = ok(await sent(world, "PUT", "user_auth", changed), 201)["auth_token"]
    await accounts.remove_user(acme.account, USERNAME)
    assert refused(await got(world, "token_auth", second), 401, "invalid credentials") == ENDED
    assert refused(await sent(world, "PUT", "user_auth", changed), 401, "invalid_credentials") == UNKNOWN
    assert (await who(world, others))["owner_id"] == bob.id


async def test_a_token_is_shown_to_its_own_account(world: World, acme: Made) -> None:
    other = await account(world, "other")
    mine, second, theirs = await login(world, acme), await login(world, acme), await login(world, other)
    shown = ok(await got(world, f"user_auth/{second}", mine))
    assert (shown["auth_token"], shown["data"]["account_id"]) == (second, acme.account.id)
    assert refused(await got(world, f"user_auth/{theirs}", mine), 403, "forbidden") == {"message": "forbidden"}
    nobodys = {"cause": "nobodys", "message": "bad identifier"}
    assert refused(await got(world, "user_auth/nobodys", mine), 404, "bad_identifier") == nobodys
    ok(await asked(world, "DELETE", "token_auth", second))
    refused(await got(world, f"user_auth/{second}", mine), 404, "bad_identifier")


# Basic, service users, and what each may see


def asking(*headers: tuple[bytes, bytes], remote: str = "192.0.2.1") -> Request:
    """A request as the server hands it on."""

    async def never(*_: object) -> Any:
        raise AssertionError("who asks is in the headers")

    scope = {
        "type": "http",
        "method": "GET",
        "raw_path": b"/v2/token_auth",
        "query_string": b"",
        "headers": list(headers),
        "client": (remote, 1),
    }
    return Request(scope, never, never, "/v2/")


def authentication(world: World, rules: Kazoo | None = None) -> Authentication:
    buckets = Buckets(rules or world.settings.kazoo)
    return Authentication(world.archive, world.access, accounts_of(world), buckets)


@pytest.fixture
def derived(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The digests that keys were derived of, as it happens."""
    seen = list[bytes]()
    real = credentials._derive

    def derive(digest: bytes, salted: Salted) -> bytes:
        seen.append(digest)
        return real(digest, salted)

    monkeypatch.setattr(credentials, "_derive", derive)
    return seen


async def test_basic_is_derived_once_in_a_tokens_lifetime(world: World, acme: Made, derived: list[bytes]) -> None:
    world.now = START
    crowd = (asked(world, "GET", "token_auth", Authorization=acme.basic) for _ in range(5))
    for answer in await asyncio.gather(*crowd):
        envelope = ok(answer)
        assert envelope["data"]["owner_id"] == acme.user.id
        assert "auth_token" not in envelope
    derived_once = [acme.credentials().encode()]
    assert derived == derived_once
    await accounts_of(world).issue_push_secret(acme.account)
    world.now = START + HOUR_MS - 1
    await who(world, Authorization=acme.basic)
    assert derived == derived_once
    world.now = START + HOUR_MS
    await who(world, Authorization=acme.basic)
    assert derived == derived_once * 2


async def test_a_login_takes_as_long_where_there_is_no_account(world: World, acme: Made, derived: list[bytes]) -> None:
    for realm in (acme.account.realm, "nobody.test", ""):
        data = {"credentials": "0" * 32, "account_realm": realm}
        refused(await sent(world, "PUT", "user_auth", data), 401, "invalid_credentials")
    assert len(derived) == 3
    for account_id in (acme.account.id, "0" * 32):
        header = basic(account_id, "0" * 32)
        refused(await asked(world, "GET", "token_auth", Authorization=header), 401, "invalid_credentials")
    assert len(derived) == 5


async def test_what_is_not_even_basic_costs_no_derivation(world: World, derived: list[bytes]) -> None:
    for header in ("Basic", "Basic ****", basic("acme", "0" * 32), basic("0" * 32, "horse")):
        refused(await asked(world, "GET", "token_auth", Authorization=header), 401, "invalid_credentials")
    assert derived == []


async def test_an_account_sees_itself_and_all_below_and_nothing_beside(world: World) -> None:
    top = await account(world, "top")
    middle = await account(world, "middle", parent=top)
    leaf = await account(world, "leaf", parent=middle)
    await account(world, "beside", parent=top)
    caller = await authentication(world).caller(asking((b"authorization", middle.basic.encode())))
    assert (caller.account, caller.user) == (middle.account.id, middle.user.id)
    assert caller.principal.name == "kazoo:ann@middle.sip.test"
    assert caller.principal.grants == {middle.tenant.id: Grant(), leaf.tenant.id: Grant()}
    # an account that is added later is seen at once, also by who was known before
    auth = authentication(world)
    token = asking((b"x-auth-token", (await login(world, middle)).encode()))
    assert len((await auth.caller(token)).principal.grants) == 2
    late = await account(world, "late", parent=leaf)
    assert late.tenant.id in (await auth.caller(token)).principal.grants
    shown = ok(await asked(world, "GET", "token_auth", Authorization=middle.basic))["data"]
    assert (shown["reseller_id"], shown["is_reseller"]) == (top.account.id, True)


async def test_a_users_number_is_always_the_same_and_never_a_service_users(world: World, acme: Made) -> None:
    bob = await accounts_of(world).add_user(acme.account, "bob", PASSWORD)
    numbers = list[int]()
    for made in (acme, acme, Made(acme.tenant, acme.account, bob)):
        caller = await authentication(world).caller(asking((b"authorization", made.basic.encode())))
        numbers.append(caller.principal.user_id)
    assert numbers[0] == numbers[1] != numbers[2]
    assert max(numbers) < 0


async def test_a_service_users_token_asks_with_its_own_grants(world: World, acme: Made) -> None:
    grant = restricted(agents=["253"])
    token = await world.token(acme.tenant, grant=grant)
    auth = authentication(world)
    for name, value in ((b"x-auth-token", token), (b"authorization", f"Bearer {token}")):
        request = asking((name, value.encode()))
        caller = await auth.caller(request)
        assert (caller.account, caller.user) == (acme.account.id, "")
        assert (caller.principal.name, caller.principal.grants) == ("bi", {acme.tenant.id: grant})
        assert (request.caller, request.token) == (caller, token)
    shown = await who(world, token)
    assert (shown["account_id"], "owner_id" in shown) == (acme.account.id, False)
    await world.access.tokens.revoke("bi")
    assert refused(await got(world, "token_auth", token), 401, "invalid_credentials") == UNKNOWN


async def test_a_service_user_of_several_tenants_or_of_none_with_an_account_has_no_own(
    world: World, acme: Made
) -> None:
    plain = await world.tenant("plain")
    both = await world.token(acme.tenant, plain, name="both")
    for token in (both, await world.token(plain, name="plain")):
        assert "account_id" not in await who(world, token)
    # ended where it was made, not here
    assert refused(await asked(world, "DELETE", "token_auth", both), 403, "forbidden") == {"message": "forbidden"}
    await who(world, both)


async def test_basic_has_no_token_to_end(world: World, acme: Made) -> None:
    refused(await asked(world, "DELETE", "token_auth", Authorization=acme.basic), 403, "forbidden")
    await who(world, Authorization=acme.basic)


# The rate, and the trail


async def test_the_third_quick_login_is_429(tmp_path: Path) -> None:
    world = await World(tmp_path / "home", Settings()).open()
    try:
        acme = await account(world)
        await login(world, acme)
        refused(await sent(world, "PUT", "api_auth", {"api_key": "5" * 64}), 404, "bad identifier")
        answer = await sent(world, "PUT", "user_auth", {"credentials": acme.credentials(), "account_name": "acme"})
        assert refused(answer, 429, "too_many_requests") == {"message": "too many requests"}
        assert "retry-after" not in answer.headers
    finally:
        await world.close()


async def test_guessing_by_basic_costs_what_logins_cost(world: World, acme: Made, derived: list[bytes]) -> None:
    auth = authentication(world, Kazoo())
    statuses = list[int]()
    for number in range(10):
        header = basic(acme.account.id, f"{number:032x}").encode()
        with pytest.raises(errors.KazooError) as caught:
            await auth.caller(asking((b"authorization", header)))
        statuses.append(caught.value.status)
    assert statuses == [401, 401, *[429] * 8]
    assert len(derived) == 2
    # from elsewhere the right ones are taken, once at a login's cost and then at none
    for _ in range(20):
        await auth.caller(asking((b"authorization", acme.basic.encode()), remote="192.0.2.2"))
    assert len(derived) == 3


async def test_logins_and_their_ends_and_refusals_stand_in_the_trail_without_secrets(world: World, acme: Made) -> None:
    token = await login(world, acme)
    data = {"credentials": "5" * 32, "account_name": "acme"}
    refused(await sent(world, "PUT", "user_auth", data), 401, "invalid_credentials")
    refused(await got(world, f"user_auth/{token[:-1]}", token), 404, "bad_identifier")
    ok(await asked(world, "DELETE", "token_auth", token))
    refused(await got(world, "token_auth", token), 401, "invalid credentials")
    entries = await world.audited()
    assert [(each.action, each.user, each.outcome, each.tenant) for each in entries] == [
        ("authenticate", "kazoo:ann@acme.sip.test", "done", acme.tenant.id),
        ("authenticate", "", "refused", None),
        ("authenticate", "kazoo:ann@acme.sip.test", "refused", None),
        ("token.revoke", "kazoo:ann@acme.sip.test", "done", acme.tenant.id),
        ("authenticate", "", "refused", None),
    ]
    written = repr(entries)
    assert token[:-1] not in written
    assert "5" * 32 not in written
    assert acme.credentials() not in written


async def test_tokens_are_not_in_the_database(world: World, acme: Made) -> None:
    token = await login(world, acme)
    await world.restart()
    kept = b"".join(path.read_bytes() for path in world.home.glob("*") if path.is_file())
    assert b"kazoo:ann@acme.sip.test" in kept
    assert token.encode() not in kept
    assert acme.credentials().encode() not in kept
