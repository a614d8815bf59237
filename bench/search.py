"""Search over a million chat messages of one tenant, among as many of others, over HTTP.

The archive is made once in bench/data/: messages of words whose frequencies fall as in a natural language (Zipf), one
chat of ten every few minutes over 3.5 years, every other one the tenant's. Written past the archive's door, straight
into its tables, and the words' index by many small writes, as it would have grown.
"""

import asyncio
import hashlib
import itertools
import random
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

import apsw
from msgspec.structs import replace

from bench.data import FIRST, FOLDER, SPAN_MS, TENANT, new_tenant, new_token, opened, warm
from bench.harness import Figure, Load, Options, Section, at_most, load, ours_or_peer, shown
from voxkeep.archive import transcripts
from voxkeep.archive.archive import DATABASE_NAME
from voxkeep.archive.migrations import CHATS
from voxkeep.archive.model import AGENT, CUSTOMER, Tenant, Transcript
from voxkeep.archive.transcripts import NUMBER_BITS, first_number, scope_text, words_row
from voxkeep.archive.units import DurationMs, EpochMs, TenantId, TranscriptId, uuid7
from voxkeep.database import Value
from voxkeep.database.sqlite import numbered
from voxkeep.demo.people import AGENTS, CALLERS

ROUTE: Final = "/voxkeep/v1/search"
MESSAGES: Final = 1_000_000
OTHERS: Final = 20
A_CHAT: Final = 10
APART_MS: Final = 12_000
WORDS: Final = 50_000
MESSAGES_A_WRITE: Final = 1000
BYTES_A_MESSAGE: Final = 700
QUESTIONS: Final = 500
MOST_SYLLABLES: Final = 3
SYLLABLES: Final = tuple(
    a + b for a in ("b", "ch", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v") for b in "aeiou"
)


class Written(NamedTuple):
    """A chat's messages and its rows."""

    chat: tuple[Value, ...]
    messages: list[tuple[Value, ...]]
    words: list[tuple[Value, ...]]


class Language:
    """Words by rank: the n-th comes n times more seldom than the first; frequent ones are short."""

    def __init__(self) -> None:
        shuffled = (
            random.Random(syllables).sample(words, len(words))
            for syllables in range(1, MOST_SYLLABLES + 1)
            for words in [["".join(parts) for parts in itertools.product(SYLLABLES, repeat=syllables)]]
        )
        self.words: Sequence[str] = list(itertools.islice(itertools.chain.from_iterable(shuffled), WORDS))
        self._sums = list(itertools.accumulate(1 / rank for rank in range(1, WORDS + 1)))

    def text(self, chance: random.Random) -> str:
        count = chance.randrange(3, 22)
        return " ".join(chance.choices(self.words, cum_weights=self._sums, k=count))


def run(options: Options) -> Section:
    count = options.pick(MESSAGES, MESSAGES // 50)
    home = archive_of(count)
    warm(home)
    token = new_token(home)
    questions = asked(home)
    loads = measure(home, token, options, questions)
    return Section(
        title="Search over chat messages",
        what=(
            f"`GET {ROUTE}`, 50 messages a page, over one keep-alive connection, the server as `voxkeep serve` runs it "
            "on one core, the client on the other: token, FTS5, the messages and their chats, JSON, and the trail's "
            f"entry, durable before the first byte. {QUESTIONS} questions of each kind in turn."
        ),
        data=(
            f"{count:,} messages of one tenant, {count:,} of {OTHERS} others, 12 words each in the mean out of "
            f"{WORDS:,} by Zipf's law; in the page cache"
        ),
        figures=[figure for kind, each in loads.items() for figure in _figures(kind, each)],
    )


def _figures(kind: str, each: Load) -> list[Figure]:
    return [at_most(f"{kind}, p99 ms", each.p99_ms, 50), shown(f"{kind}, median ms", each.p50_ms, "{:,.1f}")]


def measure(home: Path, token: str, options: Options, questions: dict[str, list[str]]) -> dict[str, Load]:
    loads: dict[str, Load] = {}
    with ours_or_peer("voxkeep", home) as server:
        for kind, texts in questions.items():
            paths = [f"{ROUTE}?q={quote(text)}" for text in texts]
            load(server.port, paths, 1, 1, token)
            rounds = [load(server.port, paths, 1, options.pick(5, 1), token) for _ in range(options.pick(5, 1))]
            loads[kind] = Load(*(statistics.median(figures) for figures in zip(*rounds, strict=True)))
    return loads


def asked(home: Path) -> dict[str, list[str]]:
    """Return the questions of each kind: words by their rank, and what stands in the tenant's own messages."""
    words, chance = Language().words, random.Random(11)
    texts = _samples(home)

    def made(one: Callable[[], str]) -> list[str]:
        return [one() for _ in range(QUESTIONS)]

    def phrase() -> str:
        said = chance.choice(texts).split()
        at, count = chance.randrange(len(said) - 2), chance.choice((2, 3))
        return '"{}"'.format(" ".join(said[at : at + count]))

    return {
        "a rare word": made(lambda: words[chance.randrange(20_000, WORDS)]),
        "a common word": made(lambda: words[chance.randrange(100)]),
        "two common words": made(lambda: " ".join(chance.sample(words[:200], 2))),
        "a common and a rare word": made(
            lambda: f"{words[chance.randrange(20)]} {words[chance.randrange(5_000, WORDS)]}"
        ),
        "a phrase": made(phrase),
        "a phrase of common words": made(lambda: '"{}"'.format(" ".join(chance.sample(words[:200], 3)))),
        "a prefix": made(lambda: f"{chance.choice(words[:20_000])[: chance.choice((2, 3, 4))]}*"),
    }


def _samples(home: Path) -> list[str]:
    connection = apsw.Connection(str(home / DATABASE_NAME))
    tenant = connection.execute("SELECT id FROM tenants WHERE name = ?", (TENANT,)).fetchone()
    sql = "SELECT text FROM messages WHERE tenant = ? AND seq = 3 LIMIT 50000"
    return [str(text) for (text,) in connection.execute(sql, tenant)]


def archive_of(count: int) -> Path:
    """Return the home of the archive with so many messages of the tenant, made when missing or of older tables."""
    tables = hashlib.sha256(f"{CHATS}{words_row(1)}{scope_text(_template(TenantId(1), 1))}".encode()).hexdigest()[:8]
    home = FOLDER / f"search-{count}-{tables}"
    if home.exists():
        return home
    part = home.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    FOLDER.mkdir(exist_ok=True)
    free = shutil.disk_usage(FOLDER).free
    if free < 2 * 2 * count * BYTES_A_MESSAGE:
        raise RuntimeError(f"{2 * count:,} messages need {4 * count * BYTES_A_MESSAGE / 1e9:.0f} GB")
    begun = time.monotonic()
    tenants = asyncio.run(_tenants(part))
    _fill(part / DATABASE_NAME, tenants, count)
    part.rename(home)
    print(f"made {2 * count:,} messages in {time.monotonic() - begun:.0f} s", flush=True)
    return home


async def _tenants(home: Path) -> list[TenantId]:
    async with opened(home) as (_, access):
        first = await new_tenant(access)
        others = [await access.add_tenant(Tenant(id=TenantId(0), name=f"other-{number}")) for number in range(OTHERS)]
        return [first.id, *(other.id for other in others)]


def _fill(path: Path, tenants: Sequence[TenantId], count: int) -> None:
    connection = apsw.Connection(str(path))
    for pragma in ("journal_mode = DELETE", "journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
        connection.execute(f"PRAGMA {pragma}")
    statements = [numbered(sql) for sql in (transcripts.INSERT, transcripts.INSERT_MESSAGE, transcripts.INSERT_WORDS)]
    chats = _chats(tenants, 2 * count // A_CHAT)
    while some := list(itertools.islice(chats, MESSAGES_A_WRITE // A_CHAT)):
        with connection:
            connection.executemany(statements[0], [chat.chat for chat in some])
            connection.executemany(statements[1], [row for chat in some for row in chat.messages])
            connection.executemany(statements[2], sorted(row for chat in some for row in chat.words))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def _chats(tenants: Sequence[TenantId], chats: int) -> Iterator[Written]:
    """Make the chats in order of time: every other one the first tenant's, those between the others' in turn."""
    language, chance = Language(), random.Random(7)
    for number in range(chats):
        tenant = tenants[0] if number % 2 == 0 else tenants[1 + number // 2 % OTHERS]
        start = EpochMs(FIRST + number * SPAN_MS // chats)
        chat = replace(
            _template(tenant, number), id=TranscriptId(uuid7(start, chance.getrandbits(74))), started_at=start
        )
        yield _written(replace(chat, vendor_key=str(chat.id)), language, chance)


def _template(tenant: TenantId, number: int) -> Transcript:
    agent = AGENTS[number % len(AGENTS)]
    return Transcript(
        tenant=tenant,
        id=TranscriptId(uuid7(FIRST, 0)),
        started_at=FIRST,
        duration_ms=DurationMs(A_CHAT * APART_MS),
        vendor="8x8",
        kind="A2C",
        agent_name=agent.name,
        agent_extension=agent.extension,
        agent_login=agent.login,
        contact_name=CALLERS[number % len(CALLERS)][0],
        skill=agent.skill,
        message_count=A_CHAT,
    )


def _written(chat: Transcript, language: Language, chance: random.Random) -> Written:
    written = Written(transcripts.values_of(chat), [], [])
    for seq in range(A_CHAT):
        at = EpochMs(chat.started_at + seq * APART_MS)
        text, translated = language.text(chance), language.text(chance) if chance.random() < 0.1 else ""
        sender = CUSTOMER if seq % 2 else AGENT
        number = number_of(chat, seq, at)
        place = (chat.tenant, chat.id.bytes, seq, number)
        written.messages.append((*place, at, sender, "en", text, "en" if translated else "", translated))
        written.words.append((words_row(number), scope_text(chat), text, translated))
    return written


def number_of(chat: Transcript, seq: int, at: EpochMs) -> int:
    """Return the number that the archive would give a message: no two share a moment here."""
    return first_number(at) + (chat.id.int + seq) % (1 << NUMBER_BITS)
