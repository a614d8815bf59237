"""Every report tells what a naive recomputation from the raw events tells, whatever the days, zones and choices."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.activity.conftest import NewTenant
from tests.activity.reports.days import PLACES, Place, World, questions, whole, worlds
from tests.activity.reports.naive import NAIVE

from voxkeep.activity import Activity
from voxkeep.activity.report import Form, render
from voxkeep.activity.reports import REPORTS, Reader
from voxkeep.archive import Archive
from voxkeep.archive.units import TenantId


async def keep(kept: Archive, activity: Activity, tenant: TenantId, world: World) -> None:
    await activity.take(tenant, [*(event for call in world.calls for event in call), *world.agents])
    for chat, messages in world.chats:
        await kept.keep_transcript(chat, messages)


@pytest.mark.parametrize("name", sorted(REPORTS))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(PLACES, st.data())
async def test_a_report_tells_what_the_raw_events_tell(
    kept: Archive,
    activity: Activity,
    reader: Reader,
    new_tenant: NewTenant,
    name: str,
    where: Place,
    data: st.DataObject,
) -> None:
    report, tenant = REPORTS[name], await new_tenant()
    world = data.draw(worlds(where, tenant))
    await keep(kept, activity, tenant, world)
    asked = data.draw(questions(where, world, tenant, report.parameters))

    table = await report.run(reader, asked)

    assert whole(table) == NAIVE[name](world, asked)
    assert whole(table) == whole(table), "rows may be read again"
    assert b"".join(render(table, Form.CSV)) is not None
