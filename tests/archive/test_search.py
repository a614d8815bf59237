"""Search: the messages with all the words asked for, newest first, of those tenants and people alone."""

import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from voxkeep.archive import Archive
from voxkeep.archive.model import Message, Tenant, Transcript
from voxkeep.archive.query import ALL, Scope, TimeRange, Visibility
from voxkeep.archive.search import MOST_TERMS, Hit, NoWords, expression
from voxkeep.archive.transcripts import KeptTranscript
from voxkeep.archive.units import EpochMs, TenantId

MakeChat = Callable[..., Transcript]
KeepChat = Callable[..., Awaitable[KeptTranscript]]

START = EpochMs(1_763_647_391_250)
"""2025-11-20T14:03:11.250Z"""
EVER = TimeRange(EpochMs(0), EpochMs(2**52))
TALK = (
    "Good day, where is my PARCEL?",
    "The parcel left Zürich yesterday",
    "Parcels take two days; order no. 4711-A",
    "Not near my house, and not OR",
)


async def found(
    archive: Archive,
    tenant: TenantId,
    question: str,
    *,
    times: TimeRange | None = None,
    visibility: Visibility = ALL,
) -> list[str]:
    hits = await archive.search([Scope(tenant, visibility)], question, times, None, 1000)
    return [hit.message.text for hit in hits]


@pytest.fixture
async def talk(chat_of: MakeChat, keep_chat: KeepChat) -> Transcript:
    return (await keep_chat(chat_of(agent_name="Ann", agent_extension="7", contact_name="Jeff"), TALK)).transcript


# What is found


@pytest.mark.parametrize(
    ("question", "numbers"),
    [
        ("parcel", [1, 0]),
        ("PARCEL", [1, 0]),
        ("parcel yesterday", [1]),
        ("yesterday parcel", [1]),
        ("parcel house", []),
        ("parc", []),
        ("parc*", [2, 1, 0]),
        ("parcel*", [2, 1, 0]),
        ("par* two", [2]),
        ('"my parcel"', [0]),
        ('"parcel my"', []),
        ('"where is" parcel', [0]),
        ('"never closed', []),
        ('"good day', [0]),
        ("zurich", [1]),
        ("ZÜRICH", [1]),
        ("zu\u0308rich", [1]),
        ("4711-A", [2]),
        ("4711", [2]),
        ("parcel?", [1, 0]),
        ("(parcel)", [1, 0]),
        ("parcel - yesterday", [1]),
        ("t1", []),
        ("tenant", []),
    ],
)
async def test_words_phrases_and_beginnings_are_found_whatever_their_case_and_accents(
    archive: Archive, talk: Transcript, question: str, numbers: list[int]
) -> None:
    assert await found(archive, talk.tenant, question) == [TALK[number] for number in numbers]


@pytest.mark.parametrize(
    ("question", "numbers"),
    [
        ("not or", [3]),
        ("NOT OR", [3]),
        ("not near", [3]),
        ("parcel NOT yesterday", []),
        ("parcel OR house", []),
        ("parcel AND yesterday", []),
        ("text:parcel", []),
        ("tenant:t1", []),
        ("{text} : parcel", []),
        ("^good", [0]),
        ("parcel +left", [1]),
        ('par"cel', []),
        ("NEAR(near house, 9)", []),
        ("*parcel", [1, 0]),
        ("par*cel", []),
        ("parcel; DROP TABLE messages", []),
        ("par\0cel", []),
        ("good\0day", [0]),
    ],
)
async def test_what_is_an_operator_to_the_index_is_a_word_or_nothing(
    archive: Archive, talk: Transcript, question: str, numbers: list[int]
) -> None:
    assert await found(archive, talk.tenant, question) == [TALK[number] for number in numbers]


async def test_a_hit_tells_the_message_and_its_chat(archive: Archive, talk: Transcript) -> None:
    (hit,) = await archive.search([Scope(talk.tenant)], "zurich", None, None, 10)
    message = Message(at=EpochMs(START + 1000), sender="customer", text=TALK[1])
    assert hit == Hit(hit.number, talk.tenant, talk.vendor_key, "Ann(7)", "Jeff", message)


async def test_a_translation_is_searched_too(
    archive: Archive, acme: Tenant, chat_of: MakeChat, keep_chat: KeepChat
) -> None:
    message = Message(at=START, language="de", text="Guten Tag", translated_language="en", translated_text="Good day")
    await keep_chat(chat_of(), [message])
    for question in ("guten", "good", "tag good", '"good day"'):
        assert await found(archive, acme.id, question) == ["Guten Tag"]
    assert await found(archive, acme.id, '"tag good"') == []


@pytest.mark.parametrize("question", ["", " \t", '"', '""', "* - ?", "\0", "\u0301", '"..." ^ ()', "\U0001f600"])
async def test_a_question_without_a_word_is_told(archive: Archive, talk: Transcript, question: str) -> None:
    with pytest.raises(NoWords, match="no word"):
        await found(archive, talk.tenant, question)


async def test_a_question_of_too_many_words_is_told(archive: Archive, talk: Transcript) -> None:
    assert await found(archive, talk.tenant, "parcel " * MOST_TERMS) == [TALK[1], TALK[0]]
    with pytest.raises(NoWords, match=str(MOST_TERMS)):
        await found(archive, talk.tenant, "parcel " * (MOST_TERMS + 1))


@given(question=st.text(max_size=60) | st.text('"*ab -():^+{}\0ANDORNEAR', max_size=40))
async def test_any_text_is_answered_or_has_no_words(archive: Archive, talk: Transcript, question: str) -> None:
    try:
        hits = await archive.search([Scope(talk.tenant)], question, None, None, 10)
    except NoWords:
        letters = [each for each in question if unicodedata.category(each)[0] in "LN"]
        assert not letters or len(question.split()) > MOST_TERMS
    else:
        assert {hit.message.text for hit in hits} <= set(TALK)


@given(question=st.text('"*ab -():^+{}\0', max_size=40))
def test_every_term_stands_in_quotes(question: str) -> None:
    try:
        terms = expression(question).split(" AND ")
    except NoWords:
        return
    for term in terms:
        assert term.startswith('"')
        assert term.removesuffix(" *").endswith('"')
        assert term.count('"') == 2


@given(text=st.text(max_size=40))
@profile(max_examples=50)
async def test_a_message_of_any_text_is_found_by_itself(
    archive: Archive, acme: Tenant, chat_of: MakeChat, keep_chat: KeepChat, text: str
) -> None:
    chat = chat_of("")
    await keep_chat(chat, [f"begin {text} end"])
    phrase = text.replace('"', " ")
    hits = await archive.search([Scope(acme.id)], f'"begin {phrase} end"', None, None, 1000)
    assert str(chat.id) in {hit.transcript for hit in hits}


# Who finds it


async def test_nobody_finds_another_tenants_messages(
    archive: Archive, acme: Tenant, globex: Tenant, chat_of: MakeChat, keep_chat: KeepChat
) -> None:
    await keep_chat(chat_of(tenant=acme.id), ["ours secret"])
    await keep_chat(chat_of(tenant=globex.id), [f"theirs secret t{acme.id}"])
    assert await found(archive, acme.id, "secret") == ["ours secret"]
    assert await found(archive, globex.id, "secret") == [f"theirs secret t{acme.id}"]
    for question in (f"t{globex.id} secret", f"tenant:t{globex.id}", f'secret" OR tenant : "t{globex.id}', "theirs"):
        assert await found(archive, acme.id, question) == []
    assert await archive.search([], "secret", None, None, 10) == []


async def test_tenants_whose_numbers_begin_alike_stay_apart(
    archive: Archive, chat_of: MakeChat, keep_chat: KeepChat
) -> None:
    tenants = [await archive.tenants.add(Tenant(id=TenantId(0), name=f"tenant-{number}")) for number in range(12)]
    for tenant in tenants:
        await keep_chat(chat_of(tenant=tenant.id), [f"hello from {tenant.id}"])
    assert any(tenant.id >= 10 for tenant in tenants)
    for tenant in tenants:
        assert await found(archive, tenant.id, "hello") == [f"hello from {tenant.id}"]


async def test_a_restricted_reader_finds_what_their_people_and_skills_wrote(
    archive: Archive, acme: Tenant, chat_of: MakeChat, keep_chat: KeepChat
) -> None:
    fields = [
        {"agent_name": "Ann", "agent_extension": "7", "skill": "sales"},
        {"agent_name": "Bob", "agent_login": "bob@acme", "skill": "support"},
        {},
    ]
    for number, each in enumerate(fields):
        chat = chat_of(f"c{number}", started_at=EpochMs(START + number), **each)
        await keep_chat(chat, [f"hello {number}"])

    async def seen(visibility: Visibility) -> list[str]:
        return await found(archive, acme.id, "hello", visibility=visibility)

    assert await seen(ALL) == ["hello 2", "hello 1", "hello 0"]
    assert await seen(Visibility(frozenset({"Ann(7)"}))) == ["hello 0"]
    assert await seen(Visibility(frozenset({"7", "bob@acme"}))) == ["hello 1", "hello 0"]
    assert await seen(Visibility(skills=frozenset({"support"}))) == ["hello 1"]
    assert await seen(Visibility(frozenset({"Ann"}), frozenset({"support"}))) == []
    assert await seen(Visibility(frozenset({""}))) == []
    many = frozenset(f"agent {number}" for number in range(3_000))
    assert await seen(Visibility(many)) == []
    assert await seen(Visibility(many | {"Ann"})) == ["hello 0"]


# In what order, and how much at once


async def test_a_span_of_time_takes_in_both_its_ends(
    archive: Archive, acme: Tenant, chat_of: MakeChat, keep_chat: KeepChat
) -> None:
    texts = [f"word {number}" for number in range(5)]
    await keep_chat(chat_of(), [Message(at=EpochMs(START + n), text=text) for n, text in enumerate(texts)])

    async def within(first: int, last: int) -> list[str]:
        times = TimeRange(EpochMs(START + first), EpochMs(START + last))
        return await found(archive, acme.id, "word", times=times)

    assert await within(1, 3) == texts[3:0:-1]
    assert await within(2, 2) == [texts[2]]
    assert await within(3, 1) == []
    assert await within(5, 9) == []
    assert await found(archive, acme.id, "word", times=EVER) == texts[::-1]
    # further than any message's number reaches
    assert await found(archive, acme.id, "word", times=TimeRange(EVER.last, EVER.last)) == []


async def pages(
    archive: Archive, scopes: Sequence[Scope], question: str, times: TimeRange | None, limit: int
) -> list[Hit]:
    """Return everything that is found, asked for page by page."""
    hits: list[Hit] = []
    before = None
    while page := await archive.search(scopes, question, times, before, limit):
        assert len(page) <= limit
        hits += page
        before = page[-1].number
    return hits


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_page_by_page_every_message_is_found_once_newest_first(
    archive: Archive, acme: Tenant, globex: Tenant, chat_of: MakeChat, keep_chat: KeepChat, limit: int
) -> None:
    for number in range(6):
        tenant = (acme, globex)[number % 2].id
        # several share a moment, within a chat, between chats and between tenants
        moments = [EpochMs(START + (number * 7 + each) % 4) for each in range(5)]
        messages = [Message(at=at, text=f"word {number}.{each}") for each, at in enumerate(moments)]
        await keep_chat(chat_of(f"c{number}", tenant=tenant), messages)
    for scopes in ([Scope(acme.id)], [Scope(acme.id), Scope(globex.id)]):
        hits = await pages(archive, scopes, "word", None, limit)
        assert len(hits) == len({hit.message.text for hit in hits}) == 15 * len(scopes)
        assert [hit.number for hit in hits] == sorted((hit.number for hit in hits), reverse=True)
        assert [hit.message.at for hit in hits] == sorted((hit.message.at for hit in hits), reverse=True)


# A slow model


class Said(NamedTuple):
    """A message as the model sees it: a chat of its own."""

    tenant: int
    agent: str
    skill: str
    at: int
    words: list[str]
    translated: list[str]

    def has(self, term: str) -> bool:
        return any(_in(term, words) for words in (self.words, self.translated))


def _in(term: str, words: list[str]) -> bool:
    if term.endswith("*"):
        return any(word.startswith(term[:-1]) for word in words)
    wanted = term.strip('"').split()
    return any(words[place : place + len(wanted)] == wanted for place in range(len(words)))


WORDS = ("a", "ab", "abc", "b", "not", "t1")
written = st.lists(st.sampled_from(WORDS), max_size=5)
agents = st.sampled_from(["", "Ann", "Bob Ann", "Zo\xeb"])
skills = st.sampled_from(["", "sales", "Sales"])
said = st.builds(Said, st.integers(0, 1), agents, skills, st.integers(0, 5), written, written)
visibilities = st.just(ALL) | st.builds(Visibility, st.frozensets(agents, max_size=2), st.frozensets(skills))
asked = st.lists(
    st.sampled_from(WORDS)
    | st.sampled_from(WORDS).map("{}*".format)
    | st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(lambda words: f'"{" ".join(words)}"'),
    min_size=1,
    max_size=3,
)


@profile(max_examples=60)
@given(
    log=st.lists(said, max_size=14),
    terms=asked,
    times=st.none() | st.tuples(st.integers(0, 5), st.integers(0, 5)),
    visibility=visibilities,
    limit=st.integers(1, 5),
)
async def test_what_is_found_is_what_a_slow_search_finds(
    archive: Archive,
    acme: Tenant,
    globex: Tenant,
    chat_of: MakeChat,
    keep_chat: KeepChat,
    log: list[Said],
    terms: list[str],
    times: tuple[int, int] | None,
    visibility: Visibility,
    limit: int,
) -> None:
    # every example in days of its own: the archive is one, and so is its index
    day = await _fresh_day(archive)
    tenants = (acme.id, globex.id)
    for number, each in enumerate(log):
        message = Message(
            at=EpochMs(day + each.at),
            sender=str(number),
            text=" ".join(each.words),
            translated_text=" ".join(each.translated),
        )
        chat = chat_of("", tenant=tenants[each.tenant], started_at=day, agent_login=each.agent, skill=each.skill)
        await keep_chat(chat, [message])
    first, last = times or (0, 5)
    span = TimeRange(EpochMs(day + first), EpochMs(day + last))
    for place, tenant in enumerate(tenants):
        hits = await pages(archive, [Scope(tenant, visibility)], " ".join(terms), span, limit)
        expected = {
            str(number)
            for number, each in enumerate(log)
            if each.tenant == place and first <= each.at <= last and all(each.has(term) for term in terms)
            if visibility.allows(frozenset({each.agent} - {""}), each.skill)
        }
        assert sorted(hit.message.sender for hit in hits) == sorted(expected)
        assert [hit.message.at for hit in hits] == sorted((hit.message.at for hit in hits), reverse=True)


async def _fresh_day(archive: Archive) -> EpochMs:
    ((latest,),) = await archive.database.read("SELECT MAX(at) FROM messages")
    return EpochMs((latest or START) + 86_400_000)
