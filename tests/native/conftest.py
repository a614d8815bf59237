from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.server.harness import START, Answer, World

from voxkeep.archive.model import Message, Tenant, Transcript
from voxkeep.archive.units import DurationMs, EpochMs, TranscriptId, uuid7
from voxkeep.settings import Settings

SEARCH = "/voxkeep/v1/search"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = await World(tmp_path / "home", Settings()).open()
    yield opened
    await opened.close()


@pytest.fixture
async def acme(world: World) -> Tenant:
    return await world.tenant("acme-ns", "acme.xima.test")


@pytest.fixture
async def other(world: World) -> Tenant:
    return await world.tenant("globex-ns", "globex.xima.test")


@pytest.fixture
async def token(world: World, acme: Tenant) -> str:
    return await world.token(acme)


async def chat(
    world: World, tenant: Tenant, texts: Sequence[str | Message], at: int = START, **fields: Any
) -> Transcript:
    """Keep a chat whose messages come a second apart from `at` on."""
    given: dict[str, Any] = {
        "tenant": tenant.id,
        "id": TranscriptId(uuid7(EpochMs(at))),
        "started_at": EpochMs(at),
        "duration_ms": DurationMs(60_000),
    }
    messages = [
        text if isinstance(text, Message) else Message(at=EpochMs(at + 1000 * number), sender="customer", text=text)
        for number, text in enumerate(texts)
    ]
    return (await world.archive.keep_transcript(Transcript(**given | fields), messages)).transcript


async def search(world: World, token: str | None, question: str, **parameters: object) -> Answer:
    """Ask for messages; `from_` stands for `from`."""
    named = {name.rstrip("_"): str(value) for name, value in parameters.items()}
    return await world.ask("GET", f"{SEARCH}?{urlencode({'q': question} | named)}", token)


async def found(world: World, token: str, question: str, **parameters: object) -> list[str]:
    """Return the texts of the messages found."""
    answer = await search(world, token, question, **parameters)
    assert answer.status == 200, answer
    return [hit["text"] for hit in answer.json["hits"]]
