"""The sample chats of a tenant: everything depends only on the seed, the tenant and the end of the last day."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from msgspec import Struct

from voxkeep.archive.model import AGENT, CUSTOMER, Message, MetaData, Transcript
from voxkeep.archive.units import (
    DAY_MS,
    HOUR_MS,
    RANDOM_BITS,
    DurationMs,
    EpochMs,
    TenantId,
    TranscriptId,
    uuid7,
)
from voxkeep.demo.people import AGENTS, SKILLS

OPENING_HOUR, OPEN_HOURS = 14, 10
SECOND_MS = 1_000
GUID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
FIRST_TRANSACTION = 4_101
CONTACTS = (
    "Jeff Waugh", "Ada Fonseca", "Kim Lee", "Olu Adeyemi", "Marta Ruiz", "Paul O'Brien", "Zoë Grünwald", "Ravi & Sons",
)  # fmt: skip
CHANNELS = (("501", "web-chat"), ("502", "support-page"))
METADATA = (
    MetaData("Color", "Blue"),
    MetaData("Fruit", "Cherry"),
    MetaData("Number of alphabets in your native language", "1"),
    MetaData("Order number", "A-1047"),
    MetaData("How did you hear of us?", "A friend told me, <really>"),
)


class Line(NamedTuple):
    """A line of a script, with its translation where it is not in English."""

    sender: str
    text: str
    language: str = "en"
    translated: str = ""


SCRIPTS: tuple[tuple[Line, ...], ...] = (
    (
        Line(CUSTOMER, "Hi How r u"),
        Line(AGENT, "Hello, I am well. What can I do for you?"),
        Line(CUSTOMER, "Where is my parcel? It should have come on Monday."),
        Line(AGENT, "It was loaded this morning and comes before six tonight."),
        Line(CUSTOMER, "Great, thank you!"),
    ),
    (
        Line(CUSTOMER, "I was charged twice for invoice 2203"),
        Line(AGENT, "I see both payments. The second one is refunded today."),
        Line(CUSTOMER, "How long does a refund take?"),
        Line(AGENT, "Three working days at most."),
    ),
    (
        Line(CUSTOMER, "Hola, no puedo entrar en mi cuenta", "es", "Hello, I cannot get into my account"),
        Line(
            AGENT, "Le envío un enlace para una contraseña nueva.", "es", "I am sending you a link for a new password."
        ),
        Line(CUSTOMER, "Ya funciona, gracias", "es", "It works now, thanks"),
    ),
    (
        Line(CUSTOMER, "do you have the router in white"),
        Line(AGENT, "Yes, in white & black, at < 90 dollars."),
        Line(CUSTOMER, "ok, I'll order the white one 👍"),
        Line(AGENT, "Done. The confirmation is in your mail."),
    ),
    (
        Line(CUSTOMER, "The line drops every evening around eight."),
        Line(AGENT, "I have restarted it from here. Please watch it for a day."),
        Line(CUSTOMER, "And if it drops again?"),
        Line(AGENT, "Then a technician comes; the visit costs nothing."),
        Line(CUSTOMER, "Fine."),
    ),
)


class SampleChat(Struct, frozen=True):
    """One sample chat with its messages."""

    transcript: Transcript
    messages: tuple[Message, ...]


def sample_chats(tenant: TenantId, name: str, seed: int, end: EpochMs, days: int, count: int) -> Iterator[SampleChat]:
    """Yield `count` chats of the `days` days before `end`."""
    random = Random(f"{seed}/{name}/chats")  # noqa: S311 -- repeatable on purpose
    for number in range(count):
        day = end - (days - number % days) * DAY_MS
        start = EpochMs(day + OPENING_HOUR * HOUR_MS + random.randrange(OPEN_HOURS * HOUR_MS - HOUR_MS))
        yield _chat(random, tenant, name, number, start)


def _chat(random: Random, tenant: TenantId, name: str, number: int, start: EpochMs) -> SampleChat:
    agent = AGENTS[number % len(AGENTS)]
    skill_id, skill = next(pair for pair in SKILLS if pair[1] == agent.skill)
    channel_id, channel = random.choice(CHANNELS)
    messages = tuple(_messages(random, SCRIPTS[number % len(SCRIPTS)], start))
    letters = "".join(random.choices(GUID_LETTERS, k=25))
    transcript = Transcript(
        tenant=tenant,
        id=TranscriptId(uuid7(start, random.getrandbits(RANDOM_BITS))),
        started_at=start,
        duration_ms=DurationMs(messages[-1].at - start + random.randrange(1, 30) * SECOND_MS),
        vendor_key=f"int-{start:x}-{letters}-chat-{number % 4:02d}-{name}",
        call_key=str(FIRST_TRANSACTION + number),
        kind="A2C",
        agent_name=agent.name,
        agent_login=agent.login,
        contact_id=f"guest{random.randrange(1_000, 10_000)}@chat.example/{letters[:12]}",
        contact_name=CONTACTS[number % len(CONTACTS)],
        skill=skill,
        skill_id=skill_id,
        channel_id=channel_id,
        channel_name=channel,
        case_id=str(random.choice((0, 0, random.randrange(20_000, 30_000)))),
        target_address=f"192.0.2.{random.randrange(1, 255)}",
        metadata=tuple(random.sample(METADATA, number % 4)),
    )
    return SampleChat(transcript, messages)


def _messages(random: Random, script: tuple[Line, ...], start: EpochMs) -> Iterator[Message]:
    at = start
    for line in script:
        at = EpochMs(at + random.randrange(2, 25) * SECOND_MS)
        yield Message(
            at=at,
            sender=line.sender,
            language=line.language,
            text=line.text,
            translated_language="en" if line.translated else "",
            translated_text=line.translated,
        )
