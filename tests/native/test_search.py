"""What is found by words, by whom, in what order; and that nobody finds what is not theirs."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.native.conftest import chat, found, search
from tests.server.harness import START, World, refused, restricted

from voxkeep.archive.model import Message, Tenant
from voxkeep.archive.units import EpochMs

SAID = ("Where is my parcel?", "Your parcel was sent on Monday", "I want a refund, not a parcel")


async def test_a_message_comes_with_all_that_the_contract_names(world: World, acme: Tenant, token: str) -> None:
    message = Message(
        at=EpochMs(1_707_770_463_007),
        sender="customer",
        language="fr",
        text="Où est mon colis ?",
        translated_language="en",
        translated_text="Where is my parcel?",
    )
    whose: dict[str, Any] = {"agent_name": "Kelly Jaques", "agent_extension": "256", "contact_name": "Marie Dupont"}
    await chat(world, acme, [message], vendor="8x8", vendor_key="int-1", **whose)
    answer = await search(world, token, "parcel")
    assert answer.json == {
        "hits": [
            {
                "tenant": "acme-ns",
                "transcript": "int-1",
                "at": "2024-02-12T20:41:03.007Z",
                "from": "customer",
                "language": "fr",
                "text": "Où est mon colis ?",
                "translatedLanguage": "en",
                "translatedText": "Where is my parcel?",
                "agent": "Kelly Jaques(256)",
                "contact": "Marie Dupont",
            }
        ],
        "next": None,
    }


async def test_what_is_not_known_is_an_empty_text(world: World, acme: Tenant, token: str) -> None:
    kept = await chat(world, acme, [Message(at=EpochMs(0), text="bare")])
    (hit,) = (await search(world, token, "bare")).json["hits"]
    known = {"tenant": "acme-ns", "transcript": str(kept.id), "at": "1970-01-01T00:00:00.000Z", "text": "bare"}
    assert {name: value for name, value in hit.items() if value} == known
    assert {value for name, value in hit.items() if name not in known} == {""}


# Words


@pytest.mark.parametrize(
    ("question", "numbers"),
    [
        ("parcel", (2, 1, 0)),
        ("parcel where", (0,)),
        ("refund parcel", (2,)),
        ("refund monday", ()),
        ("elephant", ()),
        ('"my parcel"', (0,)),
        ('"parcel my"', ()),
        ('"a refund" parcel', (2,)),
        ('"my parcel', (0,)),
        ("par*", (2, 1, 0)),
        ("par", ()),
        ("par* mon*", (1,)),
        ('"par*"', ()),
        ("PARCEL monDAY", (1,)),
        ("pärcel", (2, 1, 0)),
        ("parcel?", (2, 1, 0)),
        ("(parcel)", (2, 1, 0)),
        ("re-fund", ()),
        ("refund,not", (2,)),
    ],
)
async def test_all_words_occur_phrases_stand_together_and_a_star_ends_a_beginning(
    world: World, acme: Tenant, token: str, question: str, numbers: tuple[int, ...]
) -> None:
    await chat(world, acme, SAID)
    assert await found(world, token, question) == [SAID[number] for number in numbers]


async def test_accents_and_case_make_no_difference_on_either_side(world: World, acme: Tenant, token: str) -> None:
    await chat(world, acme, ["Où est le CAFÉ de Zoë", "Ou est le cafe de zoe"])
    for question in ("café", "CAFE", "ou zoë", '"le Café"', "CAF*"):
        assert len(await found(world, token, question)) == 2


async def test_words_of_other_scripts_are_words(world: World, acme: Tenant, token: str) -> None:
    await chat(world, acme, ["Где мой заказ", "我的 包裹 在哪里", "طلبي متأخر"])
    assert await found(world, token, "заказ".upper()) == ["Где мой заказ"]
    assert await found(world, token, "包裹") == ["我的 包裹 在哪里"]
    assert await found(world, token, "متأخر") == ["طلبي متأخر"]


async def test_the_translation_is_searched_too_and_words_may_stand_in_either(
    world: World, acme: Tenant, token: str
) -> None:
    message = Message(at=START, text="mon colis bleu", translated_language="en", translated_text="my blue parcel")
    await chat(world, acme, [message])
    for question in ("parcel", "colis", "colis parcel", '"blue parcel"'):
        assert await found(world, token, question) == ["mon colis bleu"]
    assert await found(world, token, '"bleu my"') == []


@pytest.mark.parametrize(
    "question",
    [
        "parcel AND monday", "parcel OR elephant", "parcel NOT monday", "NEAR(parcel monday)", "text:parcel", "^parcel",
        "-parcel", "{text} : parcel", "scope:t1", '"" parcel AND', "parcel + monday", "NEAR(parcel monday, 3)",
    ],
)  # fmt: skip
async def test_the_indexs_operators_are_plain_words_to_people(
    world: World, acme: Tenant, token: str, question: str
) -> None:
    await chat(world, acme, ["the parcel of monday"])
    words = {word.strip('(){}:^-+",3').lower() for word in question.replace(":", " ").replace("(", " ").split()} - {""}
    expected = ["the parcel of monday"] if words <= {"parcel", "monday"} else []
    assert await found(world, token, question) == expected
    await chat(world, acme, [question], START + 60_000)
    assert await found(world, token, question) == [question, *expected]


@pytest.mark.parametrize("question", ["?", "...", '""', '"', "*", '"?!"', "- + ()", "\N{PARTY POPPER}"])
async def test_a_question_without_a_word_is_400(world: World, token: str, question: str) -> None:
    assert refused(await search(world, token, question), 400).startswith("q: there is no word")


async def test_a_question_of_more_than_32_words_or_500_characters_is_400(world: World, token: str) -> None:
    assert (await search(world, token, "word " * 32)).status == 200
    assert refused(await search(world, token, "word " * 33), 400).startswith("q: there are more than 32")
    assert (await search(world, token, "x" * 500)).status == 200
    assert refused(await search(world, token, "x" * 501), 400) == "q is longer than 500 characters"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
async def test_any_text_is_a_question_or_a_400(world: World, acme: Tenant, token: str, data: st.DataObject) -> None:
    await chat(world, acme, SAID, vendor_key="the one")
    pieces = st.sampled_from(
        ['"', "*", "AND", "NEAR(", ")", "parcel", ":", "{", "}", "^", "+", "-", "'", "t1", " ", "\\"]
    )
    question = data.draw(st.one_of(st.text(), st.lists(pieces).map("".join), st.lists(pieces).map(" ".join)))
    answer = await search(world, token, question)
    assert answer.status in (200, 400)
    if answer.status == 400:
        refused(answer, 400)


# Who finds what


async def test_tenants_never_see_each_others_messages(world: World, acme: Tenant, other: Tenant, token: str) -> None:
    theirs = await world.token(other, name="theirs")
    await chat(world, acme, ["parcel of acme"])
    await chat(world, other, ["parcel of globex"])
    assert await found(world, token, "parcel") == ["parcel of acme"]
    assert await found(world, theirs, "parcel") == ["parcel of globex"]
    # not by the index's own word for a tenant either
    for question in (f"t{other.id} parcel", f"scope:t{other.id}", f'parcel" OR scope : "t{other.id}', "globex"):
        assert await found(world, token, question) == []


async def test_a_token_of_several_tenants_finds_all_newest_first(world: World, acme: Tenant, other: Tenant) -> None:
    both = await world.token(acme, other)
    await chat(world, acme, ["parcel 0", "parcel 2"], START)
    await chat(world, other, ["parcel 3"], START + 1500)
    await chat(world, acme, ["parcel 4"], START + 2000)
    await chat(world, other, ["parcel 1"], START + 500)
    hits = (await search(world, both, "parcel")).json["hits"]
    assert [hit["text"] for hit in hits] == ["parcel 4", "parcel 3", "parcel 2", "parcel 1", "parcel 0"]
    assert [hit["tenant"] for hit in hits] == ["acme-ns", "globex-ns", "acme-ns", "globex-ns", "acme-ns"]


@pytest.mark.parametrize("name", ["globex-ns", "GLOBEX-NS", "globex", "globex.xima.test"])
async def test_a_tenant_of_the_tokens_narrows(world: World, acme: Tenant, other: Tenant, name: str) -> None:
    both = await world.token(acme, other)
    await chat(world, acme, ["parcel of acme"])
    await chat(world, other, ["parcel of globex"])
    assert await found(world, both, "parcel", tenant=name) == ["parcel of globex"]


async def test_restricted_readers_find_only_their_agents_and_skills(world: World, acme: Tenant) -> None:
    kelly: dict[str, Any] = {
        "agent_name": "Kelly Jaques",
        "agent_extension": "256",
        "agent_login": "kelly",
        "skill": "Sales",
    }
    tom: dict[str, Any] = {
        "agent_name": "Tom Okafor",
        "agent_extension": "254",
        "agent_login": "tom",
        "skill": "Support",
    }
    await chat(world, acme, ["parcel of kelly"], **kelly)
    await chat(world, acme, ["parcel of tom"], START + 60_000, **tom)
    cases = [
        (restricted(agents=["Kelly Jaques(256)"]), ["parcel of kelly"]),
        (restricted(agents=["Kelly Jaques"]), ["parcel of kelly"]),
        (restricted(agents=["Kelly"]), []),
        (restricted(agents=["KELLY JAQUES"]), []),
        (restricted(agents=[""]), []),
        (restricted(skills=[""]), []),
        (restricted(agents=["254"]), ["parcel of tom"]),
        (restricted(skills=["Support"]), ["parcel of tom"]),
        (restricted(agents=["kelly"], skills=["Support"]), []),
        (restricted(agents=["kelly", "tom"], skills=["Sales", "Support"]), ["parcel of tom", "parcel of kelly"]),
        (restricted(agents=["nobody"]), []),
    ]
    for number, (grant, expected) in enumerate(cases):
        reader = await world.token(acme, name=f"reader-{number}", grant=grant)
        assert await found(world, reader, "parcel") == expected


async def test_a_reader_may_be_restricted_to_very_many_agents_and_skills(world: World, acme: Tenant) -> None:
    await chat(world, acme, ["parcel"], agent_login="tom", skill="Support")
    many = restricted(
        [f"agent {number}" for number in range(2000)] + ["tom"], [f"s {number}" for number in range(2000)]
    )
    reader = await world.token(acme, name="many", grant=many)
    assert await found(world, reader, "parcel") == []
    await chat(world, acme, ["parcel found"], START + 60_000, agent_login="tom", skill="s 7")
    assert await found(world, reader, "parcel") == ["parcel found"]


@pytest.mark.parametrize("hard", [False, True])
async def test_what_is_removed_is_found_no_more(world: World, acme: Tenant, token: str, *, hard: bool) -> None:
    removed = await chat(world, acme, ["parcel one", "parcel two"])
    await chat(world, acme, ["parcel three"], START + 60_000)
    await world.archive.remove_transcript(acme.id, removed.id, hard=hard)
    assert await found(world, token, "parcel") == ["parcel three"]


async def test_what_is_kept_is_found_at_once_and_after_a_restart(world: World, acme: Tenant, token: str) -> None:
    await chat(world, acme, ["parcel"])
    assert await found(world, token, "parcel") == ["parcel"]
    await world.restart()
    assert await found(world, token, "parcel") == ["parcel"]


# Times


@pytest.mark.parametrize(
    ("times", "numbers"),
    [
        ({"from_": START}, "210"),
        ({"from_": START + 1}, "21"),
        ({"from_": START + 1000}, "21"),
        ({"to": START + 1000}, "10"),
        ({"to": START + 999}, "0"),
        ({"from_": START + 1000, "to": START + 1000}, "1"),
        ({"from_": START + 2001}, ""),
        ({"to": START - 1}, ""),
        ({"from_": "2024-02-12T20:40:50.131Z"}, "21"),
        ({"from_": "2024-02-12T22:40:50.131+02:00", "to": "2024-02-12T20:40:50.131Z"}, "1"),
        ({"from_": 0, "to": "2199-12-31T23:59:59.999Z"}, "210"),
    ],
)
async def test_a_span_of_time_holds_both_its_ends(
    world: World, acme: Tenant, token: str, times: dict[str, object], numbers: str
) -> None:
    await chat(world, acme, ["word 0", "word 1", "word 2"])
    assert [text[-1] for text in await found(world, token, "word", **times)] == list(numbers)


# Pages


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 500])
async def test_pages_give_every_message_once_and_newest_first(
    world: World, acme: Tenant, other: Tenant, limit: int
) -> None:
    both = await world.token(acme, other)
    # several messages of one moment, in several chats and tenants
    for number, tenant in enumerate((acme, other, acme, other)):
        await chat(
            world, tenant, [Message(at=START, text=f"word {number}a"), Message(at=START, text=f"word {number}b")]
        )
    pages = [(await search(world, both, "word", limit=limit)).json]
    while pages[-1]["next"] is not None:
        assert len(pages[-1]["hits"]) == limit
        pages.append((await search(world, both, "word", limit=limit, before=pages[-1]["next"])).json)
    assert len(pages) == -(-8 // limit)
    texts = [hit["text"] for page in pages for hit in page["hits"]]
    assert sorted(texts) == sorted(f"word {number}{which}" for number in range(4) for which in "ab")
    assert texts == [hit["text"] for hit in (await search(world, both, "word")).json["hits"]]


async def test_pages_of_a_span_stay_in_it(world: World, acme: Tenant, token: str) -> None:
    await chat(world, acme, [f"word {number}" for number in range(9)])
    span = {"from_": START + 2000, "to": START + 5000, "limit": 3}
    first = (await search(world, token, "word", **span)).json
    assert [hit["text"] for hit in first["hits"]] == ["word 5", "word 4", "word 3"]
    last = (await search(world, token, "word", before=first["next"], **span)).json
    assert ([hit["text"] for hit in last["hits"]], last["next"]) == (["word 2"], None)


async def test_a_page_is_of_50_unless_asked_otherwise(world: World, acme: Tenant, token: str) -> None:
    await chat(world, acme, [f"word {number}" for number in range(51)])
    first = (await search(world, token, "word")).json
    assert [hit["text"] for hit in first["hits"]] == [f"word {number}" for number in range(50, 0, -1)]
    assert await found(world, token, "word", before=first["next"]) == ["word 0"]


async def test_messages_kept_meanwhile_do_not_disturb_the_pages(world: World, acme: Tenant, token: str) -> None:
    await chat(world, acme, [f"word {number}" for number in range(4)])
    first = (await search(world, token, "word", limit=2)).json
    await chat(world, acme, ["word new"], START + 60_000)
    assert await found(world, token, "word", limit=2, before=first["next"]) == ["word 1", "word 0"]
