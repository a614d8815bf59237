"""What the local folder promises beyond the contract: modes, sweeps beside living writers, shared folder fsyncs."""

import asyncio
import errno
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from voxkeep.vault import FolderVault, ObjectMissing, VaultError, VaultFull, foldersync
from voxkeep.vault.foldersync import fsync_folder, make_folder

NAME = "acme/2026/11/20/key-1.ogg"
CONTENT = bytes(range(256)) * 100
WRITER = """
import asyncio, sys
from pathlib import Path
from voxkeep.vault import FolderVault

async def source():
    yield b"x" * 2_000_000
    print("writing", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    yield b"y"

async def main():
    vault = FolderVault(Path(sys.argv[1]))
    staged = await vault.stage("acme/2026/11/20/live.ogg", source())
    print("staged", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await staged.place()
    print("placed", flush=True)
    await vault.close()

asyncio.run(main())
"""


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[FolderVault]:
    made = FolderVault(tmp_path / "vault")
    yield made
    await made.close()


async def put(vault: FolderVault, name: str = NAME, content: bytes = CONTENT) -> str:
    return await (await vault.stage(name, content)).place()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def writer(root: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(root)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


async def test_files_are_0600_and_folders_0700_also_while_they_are_written(vault: FolderVault, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        staged = await vault.stage(NAME, CONTENT)
        (temporary,) = files(tmp_path / "vault")
        assert stat.S_IMODE((tmp_path / "vault" / temporary).stat().st_mode) == 0o600
        await staged.place()
    finally:
        os.umask(before)
    for path in (tmp_path / "vault").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert files(tmp_path / "vault") == [NAME]


async def test_a_sweep_leaves_what_a_living_process_is_writing_and_takes_it_when_that_is_killed(
    vault: FolderVault, tmp_path: Path
) -> None:
    root = tmp_path / "vault"
    with writer(root) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for said in ("writing", "staged"):
            assert process.stdout.readline().strip() == said
            assert await vault.sweep() == 0
            assert len(files(root)) == 1
            if said == "writing":
                process.stdin.write("\n")
                process.stdin.flush()
        process.kill()
    assert await vault.sweep() == 1
    assert files(root) == []


async def test_a_sweep_beside_a_living_writer_does_not_harm_its_object(vault: FolderVault, tmp_path: Path) -> None:
    with writer(tmp_path / "vault") as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "writing"
        await vault.sweep()
        said, _ = process.communicate("\n\n")
    assert said.split() == ["staged", "placed"]
    assert await vault.size("acme/2026/11/20/live.ogg") == 2_000_001
    assert await vault.sweep() == 0


async def test_a_sweep_takes_only_temporary_files(vault: FolderVault, tmp_path: Path) -> None:
    await put(vault)
    folder = tmp_path / "vault" / "acme"
    for name in (".x.part", "x.0123abcd.part", ".x.0123ABCD.part", ".x.0123abcd.part.ogg", ".x.0123abcd.part"):
        (folder / name).write_bytes(b"x")
    assert await vault.sweep() == 1
    assert not (folder / ".x.0123abcd.part").exists()
    assert len(files(tmp_path / "vault")) == 5


async def test_a_sweep_that_comes_between_making_and_locking_a_file_does_no_harm(
    vault: FolderVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, taken = os.open, list[Path]()

    def swept_at_once(path: Any, flags: int, mode: int = 0o777) -> int:
        descriptor = real(path, flags, mode)
        if str(path).endswith(".part") and flags & os.O_CREAT and len(taken) < 3:
            taken.append(Path(path))
            Path(path).unlink()
        return descriptor

    monkeypatch.setattr(os, "open", swept_at_once)
    assert await put(vault) == NAME
    assert len(taken) == 3
    assert (tmp_path / "vault" / NAME).read_bytes() == CONTENT
    assert files(tmp_path / "vault") == [NAME]


async def test_a_put_that_is_cancelled_leaves_nothing_and_no_open_file(vault: FolderVault, tmp_path: Path) -> None:
    async def slow() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 600_000
            await asyncio.sleep(0)

    await put(vault, "acme/warm.ogg")
    open_before = open_files()
    for source in (CONTENT * 50, slow()):
        for turns in range(12):
            task = asyncio.create_task(vault.stage(NAME, source))
            for _ in range(turns):
                await asyncio.sleep(0.0005)
            task.cancel()
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            if not isinstance(outcome, BaseException):
                await outcome.discard()
    assert files(tmp_path / "vault") == ["acme/warm.ogg"]
    assert open_files() == open_before


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
async def test_a_file_system_without_hard_links_works_by_renaming(
    vault: FolderVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", no_links)
    assert await put(vault) == NAME
    assert await put(vault) == NAME
    other = await put(vault, content=b"other")
    assert other != NAME
    assert (tmp_path / "vault" / NAME).read_bytes() == CONTENT
    assert (tmp_path / "vault" / other).read_bytes() == b"other"
    assert len(files(tmp_path / "vault")) == 2


async def test_a_taken_name_gets_a_part_of_the_hash_before_its_extension(vault: FolderVault) -> None:
    await put(vault)
    other = await put(vault, content=b"other")
    assert other == "acme/2026/11/20/key-1~d9298a10d1b0.ogg"


async def test_a_disk_that_is_full_or_broken_is_told_and_leaves_nothing(
    vault: FolderVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(number: int) -> Any:
        def fail(*_: object) -> int:
            raise OSError(number, os.strerror(number))

        return fail

    for call in ("write", "fsync"):
        for number, told in ((errno.ENOSPC, VaultFull), (errno.EDQUOT, VaultFull), (errno.EIO, VaultError)):
            with monkeypatch.context() as patch:
                patch.setattr(os, call, failing(number))
                with pytest.raises(told):
                    await put(vault)
            assert files(tmp_path / "vault") == []
    assert await put(vault) == NAME


async def test_a_removal_whose_fsync_fails_is_told_as_a_vault_error(
    vault: FolderVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(vault)

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(VaultError, match="Input/output"):
        await vault.remove(NAME)


async def test_a_short_write_is_gone_on_with(
    vault: FolderVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, block: real(descriptor, bytes(block)[:1000]))
    await put(vault)
    assert (tmp_path / "vault" / NAME).read_bytes() == CONTENT


async def test_a_link_out_of_the_vault_is_not_followed(vault: FolderVault, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    await put(vault)
    (tmp_path / "vault" / "acme" / "out.ogg").symlink_to(tmp_path / "secret")
    with pytest.raises(VaultError):
        await vault.open("acme/out.ogg", "etag")
    with pytest.raises(ObjectMissing):
        await vault.open("acme/none.ogg", "etag")


async def test_what_stands_in_an_objects_place_and_is_no_file_is_a_missing_object(
    vault: FolderVault, tmp_path: Path
) -> None:
    await put(vault)
    os.mkfifo(tmp_path / "vault" / "acme" / "pipe.ogg")
    (tmp_path / "vault" / "acme" / "folder.ogg").mkdir()
    before = open_files()
    for name in ("acme/pipe.ogg", "acme/folder.ogg"):
        with pytest.raises(ObjectMissing):
            await vault.open(name, "etag")
    assert open_files() == before


async def test_the_files_that_are_given_out_do_not_tell_where_they_lie(vault: FolderVault) -> None:
    staged = await vault.stage(NAME, CONTENT)
    reader = await vault.open(await put(vault, "acme/other.ogg"), "etag")
    for file in (staged.file(), reader.file()):
        with file:
            assert file.read() == CONTENT
            assert file.seek(-3, os.SEEK_END) == len(CONTENT) - 3
            assert file.read() == CONTENT[-3:]
            assert not hasattr(file, "name")
    reader.close()
    await staged.discard()


def test_a_folder_is_made_with_all_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = list[Path]()

    def told(folder: Path) -> None:
        synced.append(folder)
        fsync_folder(folder)

    monkeypatch.setattr(foldersync, "fsync_folder", told)
    make_folder(tmp_path / "a" / "b" / "c")
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    make_folder(tmp_path / "a" / "b" / "c")
    assert len(synced) == 3


async def test_a_folder_that_another_has_just_made_is_made_durable_all_the_same(
    vault: FolderVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vault" / NAME).parent.mkdir(parents=True)
    synced = list[str]()
    real = os.fsync

    def told(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", told)
    await put(vault)
    assert synced[:4] == ["vault", "acme", "2026", "11"]
    await put(vault, NAME.replace("key-1", "key-2"))
    assert len(synced) == 4 + 2 + 2
