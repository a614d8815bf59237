"""Statuses, their one shape and their order; who is let in and as whom; what the audit trail tells."""

from base64 import b64encode
from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace
from tests.server.harness import Answer, World, restricted, until
from tests.vendors.eightbyeight.conftest import Opener
from tests.vendors.eightbyeight.harness import BASE, asked, basic, keep_chat, listed, refusal

from voxkeep.access import AuditEntry, Grant, Permission, TenantLimits
from voxkeep.archive.model import Recording, State, Tenant
from voxkeep.archive.units import EpochMs
from voxkeep.database import DatabaseError
from voxkeep.settings import Server, Settings
from voxkeep.vendors.eightbyeight.api import EightByEightApi
from voxkeep.web.errors import HttpError

UNKNOWN_TOKEN = "vk_" + "A" * 43
CHALLENGE = 'Basic realm="Voxkeep", charset="UTF-8"'
NOBODY = "The tenant name or the token is missing, expired or wrong"
FILE, CHAT = "files/S20240212/R202402122040499999.wav", "transcripts/int-1"
ROUTES = [
    ("GET", "files", Permission.RECORDINGS_LIST),
    ("GET", "files.json", Permission.RECORDINGS_LIST),
    ("GET", "transcripts.csv", Permission.TRANSCRIPTS_READ),
    ("GET", FILE, Permission.RECORDINGS_LISTEN),
    ("HEAD", FILE, Permission.RECORDINGS_LISTEN),
    ("DELETE", FILE, Permission.RECORDINGS_REMOVE),
    ("GET", CHAT, Permission.TRANSCRIPTS_READ),
    ("GET", f"{CHAT}.json", Permission.TRANSCRIPTS_READ),
    ("DELETE", CHAT, Permission.TRANSCRIPTS_REMOVE),
]
"""Every route and method, with what it takes."""
METHODS = [(method, target) for method, target, _ in ROUTES]


@pytest.fixture
async def kept(world: World, acme: Tenant) -> Recording:
    """A recording and a chat, at the paths that ROUTES name."""
    await keep_chat(world, acme, "int-1", texts=("hello",), agent_login="bill", skill="Sales")
    return await world.keep(acme, audio="wav", agent_login="bill", skill="Sales")


def refused(answer: Answer, status: int, method: str = "GET") -> None:
    """Check a refusal; one of a HEAD has no body to look at."""
    if method == "HEAD":
        assert (answer.status, answer.body) == (status, b"")
    else:
        refusal(answer, status)


def unknown(target: str) -> str:
    """Return a path like this that leads nowhere."""
    return target.replace("9999", "0000").replace("int-1", "int-2")


def frozen(answer: Answer) -> tuple[int, frozenset[tuple[str, str]], bytes]:
    headers = frozenset((name, value) for name, value in answer.headers.items() if name != "date")
    return answer.status, headers, answer.body


# Paths


async def test_a_list_is_there_with_and_without_a_closing_slash(world: World, token: str) -> None:
    for target in ("files", "files.xml", "files.json", "files.csv", "transcripts", "transcripts.csv"):
        assert frozen(await asked(world, target, token)) == frozen(await asked(world, f"{target}/", token))
        assert (await asked(world, target, token)).status == 200


NOWHERE = (
    "", "/", "file", "files.txt", "files.", "files.XML", "Files", "files.xml.xml", "files//", "filesx",
    "files.json.csv", "transcripts.txt", "transcripts//", "transcripts/int-1/messages", "files/S20240212",
    "files/S20240212/", "files/S20240212/R202402122040499999.wav/x", "recordings", "stats", "files%2Ejson%2F",
    "transcripts%2Fint-1",
)  # fmt: skip


@pytest.mark.usefixtures("kept")
async def test_any_other_path_is_404(world: World, token: str) -> None:
    for target in NOWHERE:
        assert refusal(await asked(world, target, token), 404) == "There is no such resource"


async def test_a_path_outside_the_dialect_is_404(world: World, token: str) -> None:
    for path in ("/api/recordings", "/api", "/api/recordingsx/files", "/API/recordings/files"):
        assert (await world.ask("GET", path, Authorization=basic(token))).status == 404


NO_NAMES = (
    "R202402122040499999.mp3", "R202402122040499999.wav.xml", "R202402122040499999.WAV", "r202402122040499999.wav",
    "202402122040499999", "R.wav", "R2024%2F.wav", "R20240212204049999%D9%A9",
    "I20240212_version2.csv",
    "R202402122040499998.wav", "R2024021220404999990.wav", "%20", "R202402122040499999.wav%20",
)  # fmt: skip


@pytest.mark.usefixtures("kept")
async def test_an_unknown_file_is_404_for_every_method(world: World, token: str) -> None:
    for name, method in product(NO_NAMES, ("GET", "HEAD", "DELETE")):
        refused(await asked(world, f"files/S20240212/{name}", token, method=method), 404, method)
    assert (await asked(world, FILE, token)).status == 200


@pytest.mark.usefixtures("kept")
async def test_a_file_is_in_its_own_folder_only(world: World, token: str) -> None:
    for folder in ("S20240211", "S2024021", "s20240212", "S20240212x", "20240212", "S20240212%2F.."):
        answer = await asked(world, f"files/{folder}/R202402122040499999.wav", token)
        assert answer.status in (400, 404)


ALLOWED = {"files": "GET", "files.json": "GET", "transcripts/": "GET", FILE: "GET, HEAD, DELETE", CHAT: "GET, DELETE"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "OPTIONS", "TRACE", "QUERY", "HEAD", "DELETE"])
async def test_other_methods_are_405_with_allow_before_anything_else(world: World, method: str) -> None:
    for target, allowed in ALLOWED.items():
        if method not in allowed.split(", "):
            answer = await world.ask(method, f"{BASE}/{target}?n=x")
            refused(answer, 405, method)
            assert answer.headers["allow"] == allowed


# Who asks


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


@pytest.mark.usefixtures("kept")
async def test_401_with_a_basic_challenge_on_every_route(world: World, token: str) -> None:
    garbage: list[dict[str, str]] = [{}, {"Authorization": f"Bearer {token}"}, {"Authorization": basic(UNKNOWN_TOKEN)}]
    for (method, target), headers in product(METHODS, garbage):
        answer = await world.ask(method, f"{BASE}/{target}?n=x&tz=x", **headers)
        refused(answer, 401, method)
        assert answer.headers["www-authenticate"] == CHALLENGE
    assert (await asked(world, FILE, token)).status == 200


NOT_PAIRS = (
    "", "Basic", "Basic ", "Basic !!!", "Basic {token}", "{token}", "Digest {pair}", "Bearer {token}",
    "Basic {pair} x", "Basic !{pair}", "Basic \xff\xfe", "Basic {swapped}", "Basic {alone}", "Basic {nameless}",
    "Basic {padded}", "Basic {binary}", "Token {pair}",
)  # fmt: skip


async def test_a_header_that_is_not_name_and_token_is_401_with_the_same_words(world: World, token: str) -> None:
    texts = {
        "token": token,
        "pair": encoded(f"acme-ns:{token}"),
        "swapped": encoded(f"{token}:acme-ns"),
        "alone": encoded(token),
        "nameless": encoded(f":{token}"),
        "padded": encoded(f"acme-ns:{token} "),
        "binary": b64encode(b"acme-ns:\xff\xfe").decode(),
    }
    for form in NOT_PAIRS:
        answer = await world.ask("GET", f"{BASE}/files", Authorization=form.format(**texts))
        assert refusal(answer, 401) == NOBODY


async def test_the_scheme_is_read_without_regard_to_case_or_spaces(world: World, token: str) -> None:
    for form in ("Basic {}", "basic {}", "BASIC   {}", " Basic {} "):
        value = form.format(encoded(f"acme-ns:{token}"))
        assert (await world.ask("GET", f"{BASE}/files", Authorization=value)).status == 200


async def test_a_good_token_under_another_name_is_401_with_the_same_words(
    world: World, other: Tenant, token: str
) -> None:
    for name in (other.name, "globex", "nobody", "", "1", "\u00e4cme-ns", "acme-ns ", "bi", "%"):
        answer = await asked(world, "files", token, tenant=name)
        assert refusal(answer, 401) == NOBODY
        assert frozen(answer) == frozen(await asked(world, "files", UNKNOWN_TOKEN))


async def test_a_tenant_goes_by_any_of_its_names_in_any_case(world: World, token: str) -> None:
    for name in ("acme-ns", "ACME-NS", "acme", "acme.8x8.test"):
        assert (await asked(world, "files", token, tenant=name)).status == 200


async def test_a_token_of_several_tenants_speaks_for_the_one_that_is_named(
    world: World, acme: Tenant, other: Tenant
) -> None:
    token = await world.token(acme, other)
    await world.keep(acme, state=State.KEPT, agent_login="bill")
    await world.keep(other, state=State.KEPT, agent_login="ann")
    for name, login in (("acme-ns", "bill"), ("globex-ns", "ann")):
        answer = await asked(world, "files.json", token, tenant=name)
        assert [file["agentID"] for file in answer.json["recordings"]["file"]] == [login]


async def test_a_new_token_ends_the_old_one_at_once_even_in_the_middle_of_paging(
    world: World, acme: Tenant, token: str
) -> None:
    for number in range(60):
        await world.keep(acme, 1_707_770_449_131 + number, state=State.KEPT)
    assert len(await listed(world, token)) == 50
    newer = await world.access.tokens.issue("bi")
    assert refusal(await asked(world, "files.json?n=51", token), 401) == NOBODY
    assert len(await listed(world, newer, n=51)) == 10
    await world.access.tokens.revoke("bi")
    refusal(await asked(world, "files.json?n=51", newer), 401)


async def test_tokens_overlap_only_when_that_is_asked_for(world: World, token: str) -> None:
    world.now = 1_790_000_000_000
    newer = await world.access.tokens.issue("bi", overlap_ms=60_000)
    assert [(await asked(world, "files", each)).status for each in (token, newer)] == [200, 200]
    world.now += 60_000
    assert [(await asked(world, "files", each)).status for each in (token, newer)] == [401, 200]


# What they may do


@pytest.mark.usefixtures("kept")
async def test_403_without_the_permission_before_variables_and_keys(world: World, acme: Tenant) -> None:
    for number, (method, target, permission) in enumerate(ROUTES):
        without = await world.token(acme, name=f"without {number}", grant=Grant(frozenset(Permission) - {permission}))
        only = await world.token(acme, name=f"only {number}", grant=Grant(frozenset({permission})))
        for asked_for in (target, f"{target}?n=x&tz=nowhere", unknown(target)):
            refused(await asked(world, asked_for, without, method=method), 403, method)
        assert (await asked(world, target, only, method=method)).status == 200


@pytest.mark.parametrize("grant", [restricted(agents=["ann"]), restricted(skills=["Support"])])
@pytest.mark.usefixtures("kept")
async def test_what_a_restricted_reader_may_not_see_is_not_listed_and_403(
    world: World, acme: Tenant, grant: Grant
) -> None:
    token = await world.token(acme, grant=grant)
    for method, target in METHODS:
        answer = await asked(world, target, token, method=method)
        if target in (FILE, CHAT, f"{CHAT}.json"):
            refused(answer, 403, method)
        else:
            assert answer.status == 200
            assert b"bill" not in answer.body
    # nothing was removed
    everything = await world.token(acme, name="everything")
    assert [(await asked(world, each, everything)).status for each in (FILE, CHAT)] == [200, 200]
    assert b"hello" in (await asked(world, CHAT, everything)).body


@pytest.mark.parametrize("grant", [restricted(agents=["bill"]), restricted(skills=["Sales"], agents=["bill", "x"])])
@pytest.mark.usefixtures("kept")
async def test_what_a_restricted_reader_may_see_is_as_for_anybody(world: World, acme: Tenant, grant: Grant) -> None:
    token = await world.token(acme, grant=grant)
    for method, target in METHODS:
        answer = await asked(world, target, token, method=method)
        assert answer.status == 200
        if method == "GET" and target != FILE:
            assert b"bill" in answer.body


@pytest.mark.usefixtures("kept")
async def test_403_on_every_route_of_a_tenant_whose_api_is_switched_off(world: World, acme: Tenant, token: str) -> None:
    await world.access.gate.set_limits(acme.id, TenantLimits(api_enabled=False), by="test")
    for method, target in METHODS:
        refused(await asked(world, target, token, method=method), 403, method)
    await world.access.gate.set_limits(acme.id, TenantLimits(), by="test")
    for method, target in METHODS:
        assert (await asked(world, target, token, method=method)).status == 200


# Tenants never see each other


@pytest.mark.usefixtures("kept")
async def test_another_tenants_records_are_as_unknown_as_those_of_nobody(
    world: World, other: Tenant, token: str
) -> None:
    foreign = await world.token(other, name="foreign")
    for method, target in METHODS:
        theirs = await asked(world, target, foreign, method=method, tenant="globex-ns")
        nobodys = await asked(world, unknown(target), foreign, method=method, tenant="globex-ns")
        assert frozen(theirs) == frozen(nobodys)
        assert b"bill" not in theirs.body
    assert [(await asked(world, target, token)).status for target in (FILE, CHAT)] == [200, 200]


@pytest.mark.usefixtures("kept")
async def test_what_was_removed_is_as_unknown_as_what_never_was(world: World, token: str) -> None:
    assert (await asked(world, FILE, token, method="DELETE")).status == 200
    for method in ("GET", "HEAD", "DELETE"):
        removed = await asked(world, FILE, token, method=method)
        never = await asked(world, unknown(FILE), token, method=method)
        assert frozen(removed) == frozen(never)


@pytest.mark.usefixtures("kept")
async def test_under_another_tenants_host_there_is_nothing(
    world: World, acme: Tenant, other: Tenant, token: str
) -> None:
    both = await world.token(acme, other, name="both")
    for (method, target), each in product(METHODS, (token, both)):
        refused(await asked(world, target, each, method=method, Host=other.host.upper()), 404, method)
    for host, target in product(("", "globex", "127.0.0.1:8400", "unknown.8x8.test", acme.host), ("files", FILE, CHAT)):
        assert (await asked(world, target, token, Host=host)).status == 200


async def test_a_changed_host_counts_at_once(world: World, other: Tenant, token: str) -> None:
    refusal(await asked(world, "files", token, Host=other.host), 404)
    await world.access.change_tenant(replace(other, host="elsewhere.8x8.test"))
    assert (await asked(world, "files", token, Host=other.host)).status == 200


# Not now


async def test_503_with_retry_after_in_maintenance_and_when_overloaded(opened: Opener) -> None:
    for server in (Server(maintenance=True, retry_after_seconds=7), Server(retry_after_seconds=7)):
        world = await opened(Settings(server=server))
        if not server.maintenance:
            world.app._in_flight = server.max_in_flight
        for method, target in METHODS:
            answer = await world.ask(method, f"{BASE}/{target}")
            refused(answer, 503, method)
            assert answer.headers["retry-after"] == "7"
        world.app._in_flight = 0


async def test_plain_http_is_403_before_credentials_are_looked_at_where_https_is_required(opened: Opener) -> None:
    world = await opened(Settings(server=Server(require_https=True)))
    token = await world.token(await world.tenant("acme-ns"))
    for (method, target), each in product(METHODS, (token, UNKNOWN_TOKEN)):
        answer = await asked(world, target, each, method=method)
        refused(answer, 403, method)
        assert "www-authenticate" not in answer.headers
    assert await world.audited() == []


async def test_what_nobody_foresaw_is_500_without_a_word_of_it(
    world: World, token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(*_: Any) -> Any:
        raise DatabaseError("disk I/O error at sector 7")

    monkeypatch.setattr(world.archive, "page", fails)
    assert refusal(await asked(world, "files", token), 500) == "An unexpected error occurred"
    assert "sector 7" in caplog.text


async def test_an_error_is_one_line_whatever_its_text(world: World) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    api = EightByEightApi(world.archive, world.access)
    await api.refuse(send, HttpError(400, " n is\r\nno\u2028number "))
    assert sent[1]["body"] == b"n is no number\n"


# The audit trail


def told(entries: list[AuditEntry]) -> list[tuple[str, str, str, str, str]]:
    return [(entry.user, entry.action, entry.outcome, entry.subject, entry.detail) for entry in entries]


async def entries_of(world: World, tenant: Tenant) -> list[AuditEntry]:
    return [entry for entry in await world.access.audit.read(EpochMs(0), tenant.id) if entry.remote]


@pytest.mark.usefixtures("kept")
async def test_lists_stand_in_the_trail_without_anybody_asking(world: World, acme: Tenant, token: str) -> None:
    await asked(world, "files?agentID=bill&n=1", token)
    await asked(world, "transcripts.json", token)

    async def both() -> bool:
        return len(await entries_of(world, acme)) == 2

    await until(both)
    assert told(await entries_of(world, acme)) == [
        ("bi", "recording.list", "done", "agentID=bill&n=1", ""),
        ("bi", "transcript.list", "done", "", ""),
    ]


@pytest.mark.usefixtures("kept")
async def test_listens_reads_and_removals_stand_in_the_trail_when_they_are_answered(
    world: World, acme: Tenant, token: str
) -> None:
    name = FILE.removeprefix("files/")
    acts = [
        ("GET", FILE, "recording.listen", name, "GET 200"),
        ("GET", CHAT, "transcript.read", "int-1", ""),
        ("DELETE", CHAT, "transcript.remove", "int-1", ""),
        ("DELETE", FILE, "recording.remove", name, ""),
    ]
    for number, (method, target, action, subject, detail) in enumerate(acts):
        assert (await asked(world, target, token, method=method)).status == 200
        # nothing is flushed here: it must be durable already
        entries = await entries_of(world, acme)
        assert len(entries) == number + 1
        assert told(entries)[-1] == ("bi", action, "done", subject, detail)


@pytest.mark.usefixtures("kept")
async def test_what_sends_no_audio_stands_in_the_trail_soon(world: World, token: str) -> None:
    tag = (await asked(world, FILE, token, method="HEAD")).headers["etag"]
    await asked(world, FILE, token, If_None_Match=tag)
    await asked(world, FILE, token, Range="bytes=0-9")
    await asked(world, FILE, token, Range="bytes=99999999-")
    details = sorted(entry.detail for entry in await world.audited())
    assert details == ["GET 206", "GET 304", "GET 416", "HEAD 200"]


@pytest.mark.usefixtures("kept")
async def test_every_refusal_stands_in_the_trail_once_with_what_was_tried(
    world: World, acme: Tenant, token: str
) -> None:
    forbidden = await world.token(acme, name="forbidden", grant=Grant(frozenset({Permission.CALLS_LIST})))
    await world.ask("GET", f"{BASE}/files")
    await asked(world, FILE, UNKNOWN_TOKEN, method="DELETE")
    await asked(world, FILE, forbidden, method="DELETE")
    await asked(world, "files/S20240212/R1.wav", token)
    await asked(world, "transcripts/none", token)
    await asked(world, "files?n=x", token)
    await asked(world, "nowhere", token)
    entries = await world.access.audit.read(EpochMs(0))
    refusals = [entry for entry in entries if entry.outcome == "refused"]
    assert [(entry.user, entry.action, entry.subject, entry.detail.split()[0]) for entry in refusals] == [
        ("", "authenticate", f"{BASE}/files", "401"),
        ("", "authenticate", f"{BASE}/{FILE}", "401"),
        ("forbidden", "recording.remove", f"{BASE}/{FILE}", "403"),
        ("bi", "recording.listen", f"{BASE}/files/S20240212/R1.wav", "404"),
        ("bi", "transcript.read", f"{BASE}/transcripts/none", "404"),
    ]
    assert [entry.tenant for entry in refusals] == [None, None, acme.id, acme.id, acme.id]
    assert {entry.remote for entry in refusals} == {"127.0.0.1"}


async def test_a_token_that_is_put_in_a_path_or_query_does_not_reach_the_trail(world: World, token: str) -> None:
    await asked(world, f"transcripts/{token}", token)
    await asked(world, f"files?agentID={token}", token)
    assert token not in str(await world.audited())


# What makes no difference


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "application/json"},
        {"Accept": "image/png", "Accept-Encoding": "gzip", "Accept-Language": "de"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Length": "7"},
        {"Cookie": "a=b"},
    ],
)
@pytest.mark.usefixtures("kept")
async def test_the_suffix_alone_selects_the_format(world: World, token: str, headers: dict[str, str]) -> None:
    answer = await asked(world, "files", token, **headers)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/xml; charset=UTF-8")
