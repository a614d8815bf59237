"""What a Kazoo cluster sends when it pushes a recording, and asking as one."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from tests.server.harness import Answer, World
from tests.vendors.kazoo.customers import Customer, data
from tests.vendors.kazoo.vendor import NOON, key_at, mp3, seconds

from voxkeep.archive.model import Recording
from voxkeep.database import Row
from voxkeep.vendors.kazoo.wire import VENDOR

CALL = "7c1f;x=1@10.0.0.1"
INTERACTION = f"{seconds(NOON)}-0000abcd"
SECOND = mp3(1_000)
OTHER = mp3(1_100)
RECORDING = key_at(NOON, 7)
OWNER = "b" * 32


def told(**changes: str) -> dict[str, str]:
    """The fields of a 4.3 callflow's query, in its order; a change to "" leaves one empty."""
    fields = {
        "from": "+17025550123@acme.sip.test",
        "to": "18015550101@acme.sip.test",
        "caller_id_name": "HOLLOWAY J",
        "caller_id_number": "+17025550123",
        "call_id": CALL,
        "cdr_id": f"202311-{CALL}",
        "interaction_id": INTERACTION,
        "owner_id": OWNER,
        "account_id": "",
        "start": str(seconds(NOON)),
        "duration_ms": "1000",
        "recording_id": RECORDING,
    }
    return {**fields, **changes}


def without(*names: str, **changes: str) -> dict[str, str]:
    """The fields without some of them, as other senders have it."""
    return {name: value for name, value in told(**changes).items() if name not in names}


ENDPOINT = ("owner_id", "start", "duration_ms", "recording_id")
"""What 4.3 endpoint recordings and 5.0 do not send."""


def recorded(extension: str = ".mp3", call: str = CALL) -> str:
    """The path of a recording below a URL."""
    return f"call_recording_{quote(call, safe='')}{extension}"


def url(path: str, fields: Mapping[str, str] | None = None) -> str:
    return f"{path}?{urlencode(fields)}" if fields else path


class Pusher(NamedTuple):
    """An account, and the secret that a cluster pushes with."""

    customer: Customer
    secret: str

    @property
    def world(self) -> World:
        return self.customer.world

    async def put(self, target: str, body: bytes = SECOND, method: str = "PUT", **headers: str) -> Answer:
        sent = {"Content_Type": "audio/mpeg", **headers}
        return await self.world.send(method, f"/ingest/kazoo/{self.secret}/{target}", body, **sent)

    async def get(self, target: str, method: str = "GET", **headers: str) -> Answer:
        return await self.world.ask(method, f"/ingest/kazoo/{self.secret}/{target}", **headers)

    async def kept(self, answer: Answer, status: int = 201, customer: Customer | None = None) -> Recording:
        """Return the recording that an answer tells of."""
        told_of = data(answer, status)
        tenant = (customer or self.customer).tenant.id
        recording = await self.world.archive.by_key(tenant, VENDOR, told_of["id"])
        assert recording is not None
        assert recording.audio is not None
        assert (recording.audio.size_bytes, recording.audio.sha256) == (told_of["size"], told_of["sha256"])
        return recording

    async def rows(self) -> list[Row]:
        """Return flag and query of all pushes, in order of their coming."""
        return await self.world.archive.database.read("SELECT flag, query FROM kazoo_pushes ORDER BY received_at")

    async def everything(self) -> int:
        """Return how many recordings there are."""
        ((count,),) = await self.world.archive.database.read("SELECT COUNT(*) FROM recordings")
        return int(count)

    def files(self) -> list[str]:
        """Return the names of all files in the vault."""
        return sorted(path.name for path in (self.world.home / "vault").rglob("*") if path.is_file())


async def pusher(customer: Customer) -> Pusher:
    return Pusher(customer, await customer.accounts.issue_push_secret(customer.account))


def document(recording: Recording) -> dict[str, Any]:
    """Return the document that is shown of a recording."""
    shown: dict[str, Any] = recording.extra[VENDOR]["document"]
    return shown
