"""Search by words over chat messages (SQLite's FTS5): bound to tenants, newest first, a page at a time.

A question is words that must all occur, in the message or its translation; `"several words"` must stand together, and
`begin*` takes any word that begins so. Case and accents do not matter. The index is ordered by a message's number,
which is its time, newest first, so that a span of time and the next page are ranges of it.
"""

import re
import unicodedata
from collections.abc import Sequence

from msgspec import Struct

from voxkeep.archive.model import Message, State
from voxkeep.archive.query import Scope, TimeRange
from voxkeep.archive.transcripts import (
    MESSAGE_COLUMNS,
    agent_word,
    first_number,
    skill_word,
    tenant_word,
    words_row,
)
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.archive.visibility import condition
from voxkeep.database import Database, Row

TERM = re.compile(r'"([^"]*)"?|(\S+)')
MOST_TERMS = 32
PAST_ALL = (1 << 63) - 1
"""A number past every message's, and the greatest that the database knows."""
COLUMNS = (
    "m.number", *(f"m.{name}" for name in MESSAGE_COLUMNS), "t.tenant", "t.vendor_key", "t.agent", "t.contact_name",
)  # fmt: skip


class NoWords(Exception):
    """A question without a single word in it, or with too many; the text says which."""


class Hit(Struct, frozen=True):
    """A message that was found, and the chat it is in."""

    number: int
    tenant: TenantId
    transcript: str
    """The chat's key."""
    agent: str
    contact: str
    message: Message


def expression(question: str) -> str:
    """Return a question as FTS5's expression. Raises NoWords."""
    terms = [_term(*match.groups(default="")) for match in TERM.finditer(question)]
    terms = [term for term in terms if term]
    if not terms:
        raise NoWords("there is no word to search for")
    if len(terms) > MOST_TERMS:
        raise NoWords(f"there are more than {MOST_TERMS} words to search for")
    return " AND ".join(terms)


def scope_expression(scope: Scope) -> str:
    """Return who is asking as FTS5's expression over `transcripts.scope_text`."""
    seen = scope.visibility
    words = (
        [tenant_word(scope.tenant)],
        [agent_word(name) for name in sorted(seen.agents - {""})],
        [skill_word(skill) for skill in sorted(seen.skills)],
    )
    return " AND ".join(f"({' OR '.join(any_of)})" for any_of in words if any_of)


def _term(phrase: str, word: str) -> str:
    text = phrase or word
    if not any(_is_letter(letter) for letter in text):
        return ""
    quoted = '"{}"'.format(text.replace('"', " ").replace("\0", " "))
    # every word of its own, quoted: what is an operator to FTS5 is none to people
    return f"{quoted} *" if word.endswith("*") and not phrase else quoted


def _is_letter(letter: str) -> bool:
    """Tell whether FTS5's tokenizer takes this for a part of a word."""
    category = unicodedata.category(letter)
    return category[0] in "LN" or category == "Co"


async def search(
    database: Database, scope: Scope, question: str, times: TimeRange | None, before: int | None, limit: int
) -> list[Hit]:
    """Return up to `limit` messages of one tenant, newest first, whose numbers are below `before`.

    Raises NoWords.
    """
    wanted = f"scope : ({scope_expression(scope)}) AND {{text translated_text}} : ({expression(question)})"
    first, end = (0, PAST_ALL) if times is None else (_number(times.first), _number(EpochMs(times.last + 1)))
    last = min(end, PAST_ALL if before is None else before) - 1
    extra, names = condition(scope.visibility, first_place=7)
    sql = (
        f"SELECT {', '.join(COLUMNS)} FROM message_words "  # noqa: S608 -- our own names, every value is a parameter
        "CROSS JOIN messages m ON m.number = -message_words.rowid "
        "CROSS JOIN transcripts t ON t.tenant = m.tenant AND t.id = m.transcript "
        "WHERE message_words MATCH $1 AND message_words.rowid BETWEEN $2 AND $3 "
        # the index finds by hashed names, the rows themselves decide
        f"AND m.tenant = $4 AND t.state <> $5 {extra} "
        "ORDER BY message_words.rowid LIMIT $6"
    )
    span = (words_row(last), words_row(first))
    rows = await database.read(sql, wanted, *span, scope.tenant, State.REMOVED, limit, *names)
    return [_hit(row) for row in rows]


async def search_all(
    database: Database, scopes: Sequence[Scope], question: str, times: TimeRange | None, before: int | None, limit: int
) -> list[Hit]:
    """Return the same over several tenants, newest first."""
    hits = [hit for scope in scopes for hit in await search(database, scope, question, times, before, limit)]
    hits.sort(key=lambda hit: -hit.number)
    return hits[:limit]


def _number(at: EpochMs) -> int:
    return min(first_number(at), PAST_ALL)


def _hit(row: Row) -> Hit:
    number, *texts, tenant, key, agent, contact = row
    message = Message(**dict(zip(MESSAGE_COLUMNS, texts, strict=True)))
    return Hit(number, TenantId(tenant), key, agent, contact, message)
