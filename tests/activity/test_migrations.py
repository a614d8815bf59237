import re

from voxkeep.activity import MIGRATIONS, Activity, store
from voxkeep.archive import Archive
from voxkeep.database import migrate


async def test_the_tables_are_made_once_and_kept_at_the_next_opening(kept: Archive, activity: Activity) -> None:
    await kept.database.write(lambda transaction: transaction.execute("INSERT INTO activity_newest VALUES (1, 2)"))
    await migrate(kept.database, [MIGRATIONS])
    assert await kept.database.read("SELECT * FROM activity_newest") == [(1, 2)]
    assert await activity.settle() == 0


async def test_every_table_of_activity_bears_its_name() -> None:
    tables = re.findall(r"CREATE TABLE (\w+)", "".join(step for step in MIGRATIONS.steps if isinstance(step, str)))
    assert len(tables) == 4
    assert all(table.startswith("activity_") for table in tables)


async def test_no_statement_walks_a_whole_table(kept: Archive) -> None:
    asked = {
        store.CALLS_BETWEEN: (1, 0, 0, 9, 9),
        store.UNSETTLED: (0, 9),
        store.ONE_CALL: (1, "c"),
        store.AGENTS: (1, "", 9),
        store.AGENT_EVENTS: (1, "201", 0, 9),
        store.SETTLE: (1, 1),
    }
    for sql, values in asked.items():
        plan = [row[3] for row in await kept.database.read(f"EXPLAIN QUERY PLAN {sql}", *values)]
        # `s` is the chunk of calls that the join begins with
        assert [step for step in plan if step.startswith("SCAN") and step != "SCAN s"] == []
        assert not any("TEMP B-TREE" in step for step in plan)
