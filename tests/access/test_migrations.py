import re

from voxkeep.access import MIGRATIONS, Access
from voxkeep.database import migrate


async def test_the_tables_are_made_once_and_kept_at_the_next_opening(access: Access) -> None:
    await access.touch()
    await migrate(access._database, [MIGRATIONS])
    assert await access._database.read("SELECT epoch FROM access_epoch") == [(2,)]


async def test_every_table_of_access_bears_its_name() -> None:
    tables = re.findall(r"CREATE TABLE (\w+)", "".join(step for step in MIGRATIONS.steps if isinstance(step, str)))
    assert len(tables) == 8
    assert all(table.startswith("access_") for table in tables)
