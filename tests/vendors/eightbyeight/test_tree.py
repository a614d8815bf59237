"""The tree: names of its own alphabet and nothing else, exact sizes, and what is opened stands in the audit trail."""

import asyncio
import errno
import random
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.harness import CLIP, START, WAV, World

from voxkeep.access import Action, Outcome
from voxkeep.archive.model import Recording, State, Tenant
from voxkeep.vendors.eightbyeight import tree as module
from voxkeep.vendors.eightbyeight.bridge import Bridge
from voxkeep.vendors.eightbyeight.ftpview import FACTS, View, fact_line, list_line
from voxkeep.vendors.eightbyeight.index import Indexes, index_name
from voxkeep.vendors.eightbyeight.tree import Entry, Tree, Visitor, place_of

T = TypeVar("T")
FOLDER = "S20240212"
MIDNIGHT = 1_707_696_000


def tree_of(world: World, tenant: Tenant) -> Tree:
    bridge = Bridge(asyncio.get_running_loop())
    indexes = Indexes(world.archive, bridge)
    return Tree(world.archive, world.access, bridge, indexes, Visitor(tenant, "127.0.0.1"))


@pytest.fixture
async def tree(world: World, acme: Tenant) -> Tree:
    return tree_of(world, acme)


@pytest.fixture
async def kept(world: World, acme: Tenant) -> list[Recording]:
    return [
        await world.keep(acme, START, audio="bare"),
        await world.keep(acme, START + 1000, audio="ogg"),
    ]


async def entries(tree: Tree, path: str) -> list[Entry]:
    return await asyncio.to_thread(lambda: list(tree.entries(path)))


async def refused(work: Callable[[str], object], path: str) -> int | None:
    with pytest.raises(OSError, match=r".") as caught:
        await asyncio.to_thread(work, path)
    return caught.value.errno


PIECES = st.sampled_from(
    [*"/.SRI~\0 *\n", "..", "S20240212", "R1.wav", "S20240212/R20240212.wav", "I20240212_version2.csv", "٣", "²"]
)


@given(path=st.text(max_size=40) | st.lists(PIECES, max_size=6).map("".join) | st.from_regex(r"/S[0-9]{8}(/R1)?"))
def test_any_path_leads_into_the_tree_or_nowhere(path: str) -> None:
    try:
        folder, name = place_of(path)
    except FileNotFoundError:
        return
    assert path in {"/", f"/{folder}", f"/{folder}/{name}"}
    assert not folder or (len(folder) == 9 and folder[0] == "S" and folder[1:].isascii() and folder[1:].isdigit())
    assert folder or not name
    assert "/" not in name


@given(cwd=st.sampled_from(["/", "/S20240212"]), asked=st.text(max_size=30) | st.lists(PIECES, max_size=8).map("".join))
def test_a_path_asked_for_is_absolute_and_never_climbs(cwd: str, asked: str) -> None:
    view = View(None, None)  # type: ignore[arg-type] # paths alone need no tree
    view.cwd = cwd
    path = view.ftp2fs(asked)
    assert path.startswith("/")
    assert not path.startswith("//")
    assert ".." not in path.split("/")
    assert view.validpath(path)
    assert view.ftp2fs(path) == path


async def test_the_root_and_a_folder_hold_what_there_is(tree: Tree, kept: list[Recording]) -> None:
    assert await entries(tree, "/") == [Entry(FOLDER, 0, MIDNIGHT, is_folder=True)]
    index, *files = await entries(tree, f"/{FOLDER}")
    assert index.name == index_name(FOLDER)
    assert index.modified == kept[-1].kept_at // 1000
    opus_as_wav = 44 + 2 * CLIP.facts.samples
    assert files == [
        Entry(each.file_name[10:], size, each.ended_at // 1000)
        for each, size in zip(kept, (len(WAV), opus_as_wav), strict=True)
    ]


async def test_an_entry_by_itself_is_the_one_in_the_list(tree: Tree, kept: list[Recording]) -> None:
    assert len(kept) == 2
    for each in await entries(tree, f"/{FOLDER}"):
        assert await asyncio.to_thread(tree.entry, f"/{FOLDER}/{each.name}") == each
    assert await asyncio.to_thread(tree.entry, f"/{FOLDER}") == (await entries(tree, "/"))[0]
    assert (await asyncio.to_thread(tree.entry, "/")).is_folder


async def test_nothing_is_made_to_know_a_size(tree: Tree, world: World, kept: list[Recording]) -> None:
    assert kept
    before = sorted((world.home / "renditions").rglob("*"))
    await entries(tree, f"/{FOLDER}")
    assert sorted((world.home / "renditions").rglob("*")) == before


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/S20240213", errno.ENOENT),
        ("/S20240212/R1.wav", errno.ENOENT),
        ("/S20240212/I20240213_version2.csv", errno.ENOENT),
        ("/S20240213/I20240213_version2.csv", errno.ENOENT),
        ("/S20240212/x", errno.ENOENT),
        ("/etc", errno.ENOENT),
        ("", errno.ENOENT),
    ],
)
async def test_what_is_not_there_is_not_there(tree: Tree, path: str, number: int) -> None:
    for work in (tree.entry, tree.entries, tree.open):
        assert await refused(work, path) == number


async def test_folders_are_not_opened_and_files_not_listed(tree: Tree, kept: list[Recording]) -> None:
    assert await refused(tree.open, "/") == errno.EISDIR
    assert await refused(tree.open, f"/{FOLDER}") == errno.EISDIR
    assert await refused(tree.entries, f"/{kept[0].file_name}") == errno.ENOTDIR


async def test_a_file_is_read_from_any_place(tree: Tree, kept: list[Recording]) -> None:
    def reading() -> None:
        file = tree.open(f"/{kept[0].file_name}")
        try:
            assert file.size == len(WAV)
            chosen = random.Random(1)  # noqa: S311 -- places to read from
            for _ in range(50):
                place, length = chosen.randrange(len(WAV) + 10), chosen.randrange(1, 5000)
                file.seek(place)
                assert file.read(length) == WAV[place : place + length]
        finally:
            file.close()
            file.close()
        assert file.closed

    await asyncio.to_thread(reading)


async def test_an_index_that_was_told_of_is_the_one_that_comes(
    tree: Tree, world: World, acme: Tenant, kept: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/{FOLDER}/{index_name(FOLDER)}"
    for look in (lambda: tree.entry(path), lambda: next(tree.entries(f"/{FOLDER}"))):
        size = (await asyncio.to_thread(look)).size
        await world.keep(acme, START + 2000 + size, audio="bare")
        file = await asyncio.to_thread(tree.open, path)
        assert len(file.read(10_000)) == file.size == size
        assert (await asyncio.to_thread(tree.entry, path)).size == size
    monkeypatch.setattr(module, "SHOWN_SECONDS", 0.0)
    later = tree_of(world, acme)
    file = await asyncio.to_thread(later.open, path)
    assert file.read(10_000).count(b"\r\n") == len(kept) + 3
    await world.keep(acme, START + 9000, audio="bare")
    assert (await asyncio.to_thread(later.entry, path)).size > file.size


async def test_a_list_is_a_new_look(tree: Tree, world: World, acme: Tenant, kept: list[Recording]) -> None:
    assert kept
    index, *_ = await entries(tree, f"/{FOLDER}")
    await world.archive.remove(acme.id, kept[0].id)
    assert (await entries(tree, f"/{FOLDER}"))[0].size < index.size


async def test_two_readers_of_an_index_do_not_disturb_each_other(tree: Tree, kept: list[Recording]) -> None:
    assert kept

    def reading() -> None:
        one, other = (tree.open(f"/{FOLDER}/{index_name(FOLDER)}") for _ in range(2))
        first = one.read(100)
        assert other.read(100) == first
        assert one.read(10_000) == other.read(10_000)
        one.close()
        other.seek(0)
        assert other.read(100) == first
        other.close()

    await asyncio.to_thread(reading)


async def test_what_waits_for_its_audio_or_was_removed_is_no_file(
    tree: Tree, world: World, acme: Tenant, kept: list[Recording]
) -> None:
    pending = await world.keep(acme, START + 5000, state=State.PENDING)
    assert await refused(tree.entry, f"/{pending.file_name}") == errno.ENOENT
    for each in kept:
        await world.archive.remove(acme.id, each.id)
        for work in (tree.entry, tree.open):
            assert await refused(work, f"/{each.file_name}") == errno.ENOENT
    assert await entries(tree, "/") == []


async def test_tenants_never_see_each_other(world: World, other: Tenant, kept: list[Recording]) -> None:
    theirs = tree_of(world, other)
    assert await entries(theirs, "/") == []
    for path in (f"/{FOLDER}", f"/{kept[0].file_name}", f"/{FOLDER}/{index_name(FOLDER)}"):
        assert await refused(theirs.entry, path) == errno.ENOENT
        assert await refused(theirs.open, path) == errno.ENOENT


async def test_a_vendor_s_folder_that_is_no_day_is_shown_without_one(tree: Tree, world: World, acme: Tenant) -> None:
    await world.keep(acme, START, audio="bare", vendor="8x8", file_name="S20249999/R1.wav")
    assert await entries(tree, "/") == [Entry("S20249999", 0, 0, is_folder=True)]
    assert [each.name for each in await entries(tree, "/S20249999")] == ["I20249999_version2.csv", "R1.wav"]


async def test_what_was_heard_and_refused_is_durable_and_what_was_listed_noted(
    tree: Tree, world: World, kept: list[Recording]
) -> None:
    file = await asyncio.to_thread(tree.open, f"/{kept[0].file_name}")
    file.close()
    await refused(tree.open, f"/{FOLDER}/R1.wav")
    durable = await world.access.audit.read(kept[0].started_at)
    await entries(tree, "/")
    noted = (await world.audited())[-1]
    assert [(each.action, each.subject, each.outcome, each.user) for each in [*durable[-2:], noted]] == [
        (Action.LISTEN, kept[0].file_name, Outcome.DONE, "ftps:acme-ns"),
        (Action.LISTEN, f"{FOLDER}/R1.wav", Outcome.REFUSED, "ftps:acme-ns"),
        (Action.LIST, "/", Outcome.DONE, "ftps:acme-ns"),
    ]
    assert durable[-2].detail == f"{len(WAV)} bytes"


async def test_a_view_opens_to_read_alone(tree: Tree, kept: list[Recording]) -> None:
    view = View(tree, None)
    for mode in ("wb", "ab", "r+b", "r"):
        with pytest.raises(PermissionError):
            view.open(f"/{kept[0].file_name}", mode)
    for name in ("mkdir", "rmdir", "remove", "rename", "chmod", "utime", "mkstemp"):
        assert not hasattr(view, name)


# Lines


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (Entry("R1.wav", 1234, 1_707_770_449), "-r--r--r-- 1 voxkeep voxkeep         1234 Feb 12 20:40 R1.wav"),
        (Entry("R1.wav", 10**12, 0), "-r--r--r-- 1 voxkeep voxkeep 1000000000000 Jan  1  1970 R1.wav"),
        (Entry("S1", 0, 1_707_770_449, is_folder=True), "dr-xr-xr-x 1 voxkeep voxkeep            0 Feb 12 20:40 S1"),
    ],
)
def test_lists_look_as_those_of_ls(entry: Entry, line: str) -> None:
    assert list_line(entry, 1_707_770_500).decode() == f"{line}\r\n"


def test_facts_are_told_as_they_were_asked_for() -> None:
    entry = Entry("R1.wav", 5, 1_707_770_449)
    assert fact_line(entry, list(FACTS)) == b"modify=20240212204049;perm=r;size=5;type=file; R1.wav\r\n"
    assert fact_line(entry, ["size"]) == b"size=5; R1.wav\r\n"
    assert fact_line(entry, []) == b" R1.wav\r\n"
