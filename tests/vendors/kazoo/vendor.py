"""A Kazoo cluster on 127.0.0.1 for the collector's tests: logins, lists, documents, media.

Faults are what no real server would do on demand; everything else is answered as seed 004 and its reference say.
"""

import asyncio
import base64
import hashlib
import io
import json
import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.vendors.eightbyeight.vendor import tone as wav
from tests.vendors.xima.vendor import Handler, cut, stalled, status

from voxkeep.archive.units import now_ms
from voxkeep.audio.render import Form, render

__all__ = ["Vendor", "cut", "cut_after", "document", "key_at", "mp3", "refusal", "seconds", "stalled", "status", "wav"]

USER, PASSWORD, NAME, REALM = "Spencer", "correct-horse-of-acme", "acmeinc", "acme.sip.test"
CREDENTIALS = hashlib.md5(f"{USER.lower()}:{PASSWORD}".encode(), usedforsecurity=False).hexdigest()
API_KEY = "5ec2e7" * 10 + "abcd"
ACCOUNT, CHILD, GRANDCHILD = "a" * 32, "c" * 32, "d" * 32
LIST, LOGIN, BELOW = "recordings", "login", "descendants"
NOON = 1_700_000_000_000
"""2023-11-14T22:13:20Z"""
OFFSET = 62_167_219_200
LONGEST_SECONDS = 2_682_000
Document = dict[str, Any]


@lru_cache
def mp3(duration_ms: int) -> bytes:
    """MP3 of a tone."""
    target = io.BytesIO()
    render(wav(duration_ms), Form.MP3, target)
    return target.getvalue()


def seconds(at: int) -> int:
    """A moment (ms) as Gregorian seconds."""
    return at // 1000 + OFFSET


def key_at(at: int = NOON, number: int = 1) -> str:
    return f"{datetime.fromtimestamp(at // 1000, UTC):%Y%m}-{number:032x}"


def document(
    at: int = NOON, number: int = 1, types: Sequence[str] | None = ("audio/mpeg",), **changes: Any
) -> Document:
    """A document as a list has it; `types` None is an older cluster's, without `_read_only`."""
    name = f"{number:032x}.mp3"
    made = {
        "id": key_at(at, number),
        "call_id": f"call-{number}@10.0.0.1",
        "cdr_id": f"{key_at(at, number)[:6]}-call-{number}@10.0.0.1",
        "interaction_id": f"{seconds(at)}-{number:08x}",
        "caller_id_name": "HOLLOWAY J",
        "caller_id_number": "+17025550123",
        "callee_id_number": "251",
        "from": f"+17025550123@{REALM}",
        "to": f"18015550101@{REALM}",
        "request": f"18015550101@{REALM}",
        "direction": "outbound",
        "origin": "inbound from offnet to endpoint",
        "start": seconds(at),
        "duration": 1,
        "duration_ms": 1_000,
        "name": name,
        "description": f"recording {name}",
        "content_type": "audio/mpeg",
        "media_type": "mp3",
        "media_source": "recorded",
        "source_type": "kzc_recording",
        "url": "https://user:s3cret-of-the-store@store.test/calls?key=s3cret",
        "custom_channel_vars": {"Account-ID": ACCOUNT, "Media-Recording-ID": key_at(at, number)},
        **changes,
    }
    return made if types is None else {**made, "_read_only": {"content_types": list(types)}}


def envelope(data: object, **told: Any) -> dict[str, Any]:
    return {"data": data, "status": "success", "request_id": "f" * 32, "version": "4.3.142", **told}


def refusal(code: int, message: str, data: object, **told: Any) -> Handler:
    """A refusal in Kazoo's form."""
    body = {"data": data, "status": "error", "error": str(code), "message": message, "request_id": "f" * 32, **told}
    return status(code, json.dumps(body).encode())


class Vendor:
    """One cluster with one account and, where they are put there, some below it."""

    def __init__(self, *documents: Document) -> None:
        self.documents: dict[str, list[Any]] = {ACCOUNT: list(documents), CHILD: [], GRANDCHILD: []}
        self.created: dict[str, int] = {}
        """When a document was written (ms), by id, if that is not the end of its recording."""
        self.below: list[dict[str, Any]] = []
        self.audio: dict[str, bytes] = {}
        self.unfindable: set[str] = set()
        self.tags: Callable[[str], str] = lambda key: f'"1-{key}"'
        self.ranges = True
        self.longest_seconds = LONGEST_SECONDS
        self.most_rows = 1_000_000
        self.ignores_key = False
        self.clock: Callable[[], int] = now_ms
        self.raw_keys = False
        """Whether keys are raw JSON, as 4.0 and 4.1 have them."""
        self.repeats_last_key = False
        self.faults: dict[str, deque[Handler]] = defaultdict(deque)
        """By recording id, LIST, LOGIN or BELOW: what is answered next, each once."""
        self.always: dict[str, Handler] = {}
        self.tokens: set[str] = set()
        self.issued: list[str] = []
        self.asked: list[tuple[float, str]] = []
        self.queries: list[dict[str, str]] = []
        """Of each page."""
        self.ranges_asked: list[str] = []
        self.accepts: set[str] = set()
        self.served: Counter[str] = Counter()
        app = web.Application()
        app.router.add_put("/v2/user_auth", self._user_auth)
        app.router.add_put("/v2/api_auth", self._api_auth)
        app.router.add_get("/v2/accounts/{account}/recordings", self._list)
        app.router.add_get("/v2/accounts/{account}/recordings/{key}", self._item)
        app.router.add_get("/v2/accounts/{account}/descendants", self._below)
        self.server = TestServer(app)

    async def __aenter__(self) -> Self:
        await self.server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()

    @property
    def url(self) -> str:
        return str(self.server.make_url("/")).rstrip("/")

    def put(self, *documents: Document, account: str = ACCOUNT) -> None:
        self.documents[account] += documents

    def count(self, what: str) -> int:
        return sum(1 for _, asked in self.asked if asked == what)

    def expire(self) -> None:
        """End every token, as an hour does."""
        self.tokens.clear()

    async def _fault(self, request: web.Request, what: str) -> web.StreamResponse | None:
        self.asked.append((time.monotonic(), what))
        if self.faults[what]:
            return await self.faults[what].popleft()(request)
        return await self.always[what](request) if what in self.always else None

    # Logins

    async def _user_auth(self, request: web.Request) -> web.StreamResponse:
        data = (await request.json())["data"]
        place = data.get("account_name") == NAME or data.get("realm") == REALM
        good = place and (data["credentials"], data["method"]) == (CREDENTIALS, "md5")
        refused = refusal(401, "invalid_credentials", {"message": "invalid credentials"})
        return await self._login(request, good, refused)

    async def _api_auth(self, request: web.Request) -> web.StreamResponse:
        good = (await request.json())["data"]["api_key"] == API_KEY
        return await self._login(request, good, refusal(404, "bad identifier", ["api_key"]))

    async def _login(self, request: web.Request, good: bool, refused: Handler) -> web.StreamResponse:  # noqa: FBT001
        if (scripted := await self._fault(request, LOGIN)) is not None:
            return scripted
        if not good:
            answer = await refused(request)
            assert answer is not None
            return answer
        token = f"eyJ0b2tlbiI6.number-{len(self.issued)}.{'x' * 400}"
        self.issued.append(token)
        self.tokens.add(token)
        data = {"account_id": ACCOUNT, "account_name": "Acme Inc.", "owner_id": "b" * 32}
        return web.json_response(envelope(data, auth_token=token), status=201)

    async def _scripted(self, request: web.Request, what: str) -> web.StreamResponse | None:
        """Answer with a fault, or refuse a token."""
        token = request.headers.get("X-Auth-Token", "")
        if token not in self.tokens:
            self.asked.append((time.monotonic(), what))
            return await refusal(401, "invalid credentials", {})(request)
        return await self._fault(request, what)

    # Lists

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if (scripted := await self._scripted(request, LIST)) is not None:
            return scripted
        query = dict(request.query)
        self.queries.append(query)
        account = request.match_info["account"]
        if account not in self.documents:
            return await self._refuse(request, 403, "forbidden", {"message": "forbidden"})
        first, last = int(query["created_from"]), int(query["created_to"])
        if last - first > self.longest_seconds or last < first:
            data = {"created_from": {"date_range": {"message": "too wide", "cause": last}}}
            return await self._refuse(request, 400, "validation error", data)
        rows = sorted(
            (each for each in self.documents[account] if first <= self._created(each) <= last), key=self._place
        )
        if query.get("ascending") != "true":
            rows.reverse()
        return web.json_response(self._page(request, query, rows))

    def _page(self, request: web.Request, query: dict[str, str], rows: list[Any]) -> dict[str, Any]:
        size = min(int(query.get("page_size", "50")), self.most_rows)
        key = "" if self.ignores_key else query.get("start_key", "")
        if key and self.raw_keys:
            key = json.dumps(json.loads(key), separators=(",", ":"))
        begin = next((place for place, each in enumerate(rows) if key and self._key(each) == key), 0)
        page, rest = rows[begin : begin + size], rows[begin + size :]
        told: dict[str, Any] = {"page_size": len(page), "auth_token": request.headers["X-Auth-Token"]}
        if rest:
            told["next_start_key"] = self._key(rest[0])
        elif self.repeats_last_key and key:
            told["next_start_key"] = key
        if self.raw_keys and "next_start_key" in told:
            told["next_start_key"] = json.loads(told["next_start_key"])
        stamp = datetime.fromtimestamp(self.clock() / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return envelope(page, **told, timestamp=stamp)

    def _created(self, row: Any) -> int:
        """When a row was written (Gregorian seconds); one that tells nothing was written at NOON."""
        if not isinstance(row, dict):
            return seconds(NOON)
        written = self.created.get(str(row.get("id")))
        if written is not None:
            return seconds(written)
        try:
            return int(row["start"] + row.get("duration_ms", 0) // 1000)
        except (KeyError, TypeError):
            return seconds(NOON)

    def _place(self, row: Any) -> tuple[int, str]:
        return self._created(row), str(row.get("id")) if isinstance(row, dict) else ""

    def _key(self, row: Any) -> str:
        place = json.dumps(self._place(row), separators=(",", ":"))
        return place if self.raw_keys else base64.urlsafe_b64encode(place.encode()).decode() + "+/&=%"

    async def _refuse(self, request: web.Request, code: int, message: str, data: object) -> web.StreamResponse:
        answer = await refusal(code, message, data, auth_token=request.headers["X-Auth-Token"])(request)
        assert answer is not None
        return answer

    async def _below(self, request: web.Request) -> web.StreamResponse:
        if (scripted := await self._scripted(request, BELOW)) is not None:
            return scripted
        account = request.match_info["account"]
        rows = [each for each in self.below if account in (each.get("tree") or [ACCOUNT])]
        return web.json_response(envelope(rows, auth_token=request.headers["X-Auth-Token"]))

    # Items

    async def _item(self, request: web.Request) -> web.StreamResponse:
        key = request.match_info["key"]
        if (scripted := await self._scripted(request, key)) is not None:
            return scripted
        rows = self.documents.get(request.match_info["account"], [])
        found = next((each for each in rows if isinstance(each, dict) and each.get("id") == key), None)
        if found is None or key in self.unfindable:
            return await self._refuse(request, 404, "bad_identifier", {"cause": key, "message": "bad identifier"})
        accept = request.headers.get("Accept", "")
        self.accepts.add(accept)
        if accept not in {"audio/mpeg", "audio/mp3"}:
            shown = {name: value for name, value in found.items() if name != "_read_only"}
            token = request.headers["X-Auth-Token"]
            return web.json_response(envelope(shown, revision="1-x", auth_token=token))
        if not found.get("_read_only", {"content_types": [1]})["content_types"]:
            return await self._refuse(request, 404, "bad_identifier", {"details": key, "message": "bad identifier"})
        return self._media(request, key, found)

    def _media(self, request: web.Request, key: str, found: Document) -> web.Response:
        self.served[key] += 1
        body = self.audio.get(key)
        body = mp3(found.get("duration_ms", 1_000)) if body is None else body
        headers = {"ETag": self.tags(key), "Content-Disposition": f"attachment; filename={found['name']}"}
        asked = request.headers.get("Range", "")
        if asked:
            self.ranges_asked.append(asked)
        match = re.fullmatch(r"bytes=(\d+)-", asked)
        if match is None or not self.ranges:
            return web.Response(body=body, content_type=found["content_type"], headers=headers)
        start = int(match[1])
        headers |= {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}", "Accept-Ranges": "bytes"}
        return web.Response(status=206, body=body[start:], content_type=found["content_type"], headers=headers)


def cut_after(count: int, body: bytes, headers: Mapping[str, str], code: int = 200) -> Handler:
    """Send so many bytes of a longer body, then hang up."""

    async def answer(request: web.Request) -> web.StreamResponse:
        told = {"Content-Length": str(len(body)), "Content-Type": "audio/mpeg", **headers}
        response = web.StreamResponse(status=code, headers=told)
        await response.prepare(request)
        await response.write(body[:count])
        await asyncio.sleep(0.01)
        assert request.transport is not None
        request.transport.close()
        return response

    return answer
