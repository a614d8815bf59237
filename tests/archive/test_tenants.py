import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from voxkeep.archive import Archive
from voxkeep.archive.errors import TenantNameTaken, UnknownTenant
from voxkeep.archive.model import Tenant
from voxkeep.archive.tenants import BadTenant, checked, names_of
from voxkeep.archive.units import TenantId
from voxkeep.settings import Settings


def tenant(name: str, host: str = "", **fields: object) -> Tenant:
    return Tenant(id=TenantId(0), name=name, host=host, **fields)  # type: ignore[arg-type] # the fields are the test's


async def test_a_tenant_comes_back_as_it_was_added(archive: Archive) -> None:
    added = await archive.tenants.add(
        tenant("Acme-NS", "acme.xima.test", zone="America/Denver", licensed_agents=12),
    )
    assert added.id > 0
    assert await archive.tenants.all() == [added]
    assert await archive.tenants.name(added.id) == "Acme-NS"


async def test_a_tenant_is_known_by_name_host_and_label_in_any_case(archive: Archive) -> None:
    added = await archive.tenants.add(tenant("Acme-NS", "Calls.Xima.test"))
    for name in ("acme-ns", "ACME-NS", "calls.xima.test", "CALLS.XIMA.TEST", "calls", "Calls"):
        assert await archive.tenants.named(name) == added
    for name in ("", "xima", "xima.test", "acme", "calls.", "calls.xima.test.", "\0", "acme-ns ", "\udcff"):
        with pytest.raises(UnknownTenant):
            await archive.tenants.named(name)


async def test_letters_that_only_look_the_same_name_nobody(archive: Archive) -> None:
    await archive.tenants.add(tenant("k"))
    with pytest.raises(UnknownTenant):
        await archive.tenants.named("\N{KELVIN SIGN}")


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("ACME", ""),
        ("calls", ""),
        ("other", "acme"),
        ("other", "acme.elsewhere.test"),
        ("other", "CALLS.xima.test"),
        ("other", "calls.elsewhere.test"),
    ],
)
async def test_names_hosts_and_labels_are_one_namespace(archive: Archive, name: str, host: str) -> None:
    await archive.tenants.add(tenant("acme", "calls.xima.test"))
    with pytest.raises(TenantNameTaken, match=r"acme|calls"):
        await archive.tenants.add(tenant(name, host))
    assert [each.name for each in await archive.tenants.all()] == ["acme"]
    await archive.tenants.add(tenant("other", "free.xima.test"))


async def test_a_name_may_be_the_hosts_label_of_the_same_tenant(archive: Archive) -> None:
    added = await archive.tenants.add(tenant("acme", "acme.xima.test"))
    assert await archive.tenants.named("acme") == added


async def test_of_many_processes_that_want_a_name_one_gets_it(archive: Archive) -> None:
    other = await Archive.at(archive.home, Settings())
    wanted = [tenant("acme"), tenant("ACME"), tenant("x1", "acme"), tenant("x2", "acme.xima.test"), tenant("Acme")]
    outcomes = await asyncio.gather(
        *((archive, other)[number % 2].tenants.add(each) for number, each in enumerate(wanted)), return_exceptions=True
    )
    assert sum(isinstance(each, Tenant) for each in outcomes) == 1
    assert sum(isinstance(each, TenantNameTaken) for each in outcomes) == len(wanted) - 1
    assert await other.tenants.all() == await archive.tenants.all()
    assert len(await archive.tenants.all()) == 1
    await other.close()


async def test_a_tenant_that_another_process_adds_is_known_at_once(archive: Archive) -> None:
    first = await archive.tenants.add(tenant("first"))
    assert await archive.tenants.name(first.id) == "first"
    other = await Archive.at(archive.home, Settings())
    second = await other.tenants.add(tenant("second"))
    assert await archive.tenants.name(second.id) == "second"
    assert await archive.tenants.named("second") == second
    await other.close()


async def test_a_number_that_is_no_tenants_is_an_error(archive: Archive) -> None:
    with pytest.raises(UnknownTenant, match="99"):
        await archive.tenants.name(TenantId(99))


async def test_a_change_frees_the_old_host_and_takes_the_new(archive: Archive) -> None:
    added = await archive.tenants.add(tenant("acme", "old.xima.test"))
    changed = replace(added, host="new.xima.test", zone="Europe/Berlin", licensed_agents=3)
    await archive.tenants.change(changed)
    assert await archive.tenants.named("new") == changed == await archive.tenants.named("acme")
    with pytest.raises(UnknownTenant):
        await archive.tenants.named("old.xima.test")
    await archive.tenants.add(tenant("old"))


async def test_a_change_to_a_taken_host_changes_nothing(archive: Archive) -> None:
    acme = await archive.tenants.add(tenant("acme", "acme.xima.test"))
    await archive.tenants.add(tenant("other"))
    with pytest.raises(TenantNameTaken):
        await archive.tenants.change(replace(acme, host="other.xima.test"))
    assert await archive.tenants.named("acme.xima.test") == acme


async def test_a_change_never_changes_the_name(archive: Archive) -> None:
    acme = await archive.tenants.add(tenant("acme"))
    await archive.tenants.change(replace(acme, name="renamed", licensed_agents=5))
    assert (await archive.tenants.named("acme")).licensed_agents == 5
    with pytest.raises(UnknownTenant):
        await archive.tenants.named("renamed")


async def test_a_change_of_nobody_is_an_error_and_takes_no_name(archive: Archive) -> None:
    with pytest.raises(UnknownTenant):
        await archive.tenants.change(replace(tenant("ghost", "ghost.test"), id=TenantId(7)))
    await archive.tenants.add(tenant("ghost", "ghost.test"))


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (tenant(""), "name"),
        (tenant("-acme"), "name"),
        (tenant("a" * 64), "name"),
        (tenant("acme.test"), "name"),
        (tenant("acme\n"), "name"),
        (tenant("ácme"), "name"),
        (tenant("acme", "bad host"), "host"),
        (tenant("acme", ".xima.test"), "host"),
        (tenant("acme", "x" * 64 + ".test"), "host"),
        (tenant("acme", ".".join(["x" * 60] * 5)), "host"),
        (tenant("acme", zone="Mars/Olympus"), "zone"),
        (tenant("acme", zone=""), "zone"),
        (tenant("acme", zone="../../etc/passwd"), "zone"),
        (tenant("acme", licensed_agents=-1), "agents"),
        (tenant("acme", licensed_agents=2**63), "agents"),
    ],
)
async def test_a_field_that_cannot_be_is_named(archive: Archive, bad: Tenant, told: str) -> None:
    with pytest.raises(BadTenant, match=f"^{told}"):
        await archive.tenants.add(bad)
    assert await archive.tenants.all() == []


@given(name=st.text(max_size=70), host=st.text("aA1-.é ", max_size=12), zone=st.text(max_size=8), agents=st.integers())
def test_anything_is_a_tenant_or_refused_by_field(name: str, host: str, zone: str, agents: int) -> None:
    given_tenant = tenant(name, host, zone=zone, licensed_agents=agents)
    try:
        names = names_of(checked(given_tenant))
    except BadTenant as error:
        told = str(error)
    else:
        told = "name: " if name.lower() in names else ""
    assert told.split(":")[0] in {"name", "host", "zone", "agents"}


async def test_tenants_outlive_the_process(tmp_path: Path) -> None:
    first = await Archive.at(tmp_path / "home", Settings())
    added = await first.tenants.add(tenant("acme", "acme.xima.test"))
    await first.close()
    second = await Archive.at(tmp_path / "home", Settings())
    assert await second.tenants.named("ACME.xima.test") == added
    await second.close()
