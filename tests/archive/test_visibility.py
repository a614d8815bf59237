from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.archive import Archive
from voxkeep.archive.model import Recording
from voxkeep.archive.query import ALL, Scope, TimeRange, Visibility
from voxkeep.archive.units import DurationMs, EpochMs, RecordingId, TenantId, uuid7
from voxkeep.archive.visibility import condition

PARTS = ("", "Ann", "Bob", "7", "()", "Ann(7)", "a'b", "Ann\0")
agents = st.tuples(*[st.sampled_from(PARTS)] * 3)
people = st.frozensets(st.sampled_from([*PARTS, "Ann()", "(7)", "Bob(7)", "Ann(7)(7)"]), max_size=4)
skills = st.sampled_from(["", "sales", "Sales", "support"])


def recording(name: str, extension: str, login: str, skill: str) -> Recording:
    return Recording(
        tenant=TenantId(1),
        id=RecordingId(uuid7(EpochMs(5))),
        started_at=EpochMs(5),
        duration_ms=DurationMs(0),
        agent_name=name,
        agent_extension=extension,
        agent_login=login,
        skill=skill,
    )


@pytest.fixture
def seen(archive: Archive) -> Callable[[Recording, Visibility], Awaitable[bool]]:
    """Ask SQL itself whether a recording may be seen."""

    async def ask(row: Recording, visibility: Visibility) -> bool:
        text, values = condition(visibility, first_place=5)
        sql = (
            "SELECT 1 FROM (SELECT $1 AS agent, $2 AS agent_extension, $3 AS agent_login, $4 AS skill) "  # noqa: S608
            f"WHERE 1 = 1 {text}"
        )
        fields = (row.agent, row.agent_extension, row.agent_login, row.skill)
        return bool(await archive.database.read(sql, *fields, *values))

    return ask


@given(agent=agents, skill=skills, may_see=people, of_skills=st.frozensets(skills, max_size=3))
async def test_what_sql_lists_is_what_may_be_heard(
    seen: Callable[..., Awaitable[bool]],
    agent: tuple[str, str, str],
    skill: str,
    may_see: frozenset[str],
    of_skills: frozenset[str],
) -> None:
    row = recording(*agent, skill)
    visibility = Visibility(may_see, of_skills)
    assert await seen(row, visibility) == visibility.allows(row.agent_names, row.skill)


def test_no_restriction_needs_no_condition() -> None:
    assert condition(ALL, 5) == ("", ())


def test_placeholders_follow_on_those_of_the_statement() -> None:
    text, values = condition(Visibility(frozenset({"b", "a"}), frozenset({"s"})), first_place=7)
    assert values == ("a", "b", "s")
    assert "$7" in text
    assert "$9" in text
    assert "$6" not in text
    assert "$10" not in text


async def test_a_list_is_filtered_by_agent_and_skill(archive: Archive, recording_of: Callable[..., Recording]) -> None:
    fields = [
        {"agent_name": "Ann", "agent_extension": "7", "skill": "sales"},
        {"agent_name": "Ann", "agent_extension": "7", "skill": "support"},
        {"agent_name": "Bob", "agent_login": "bob@acme", "skill": "sales"},
        {},
    ]
    rows = [recording_of(f"k{number}", **each) for number, each in enumerate(fields)]
    for row in rows:
        await archive.keep(row)

    async def keys(visibility: Visibility) -> list[str]:
        scope = Scope(rows[0].tenant, visibility)
        times = TimeRange(EpochMs(0), EpochMs(2**52))
        found = [row async for chunk in archive.find([scope], times, ["skill"], list) for row in chunk]
        return [key for _, _, key, _ in found]

    assert await keys(ALL) == ["k0", "k1", "k2", "k3"]
    assert await keys(Visibility(frozenset({"Ann(7)"}))) == ["k0", "k1"]
    assert await keys(Visibility(frozenset({"7", "bob@acme"}))) == ["k0", "k1", "k2"]
    assert await keys(Visibility(frozenset({"Ann"}), frozenset({"sales"}))) == ["k0"]
    assert await keys(Visibility(skills=frozenset({"sales"}))) == ["k0", "k2"]
    assert await keys(Visibility(frozenset({"nobody"}))) == []
    assert await keys(Visibility(frozenset({""}))) == []
