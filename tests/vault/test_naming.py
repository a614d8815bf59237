"""What changes of names promise: one fsync of a folder serves all changes in it, and none is told before it."""

import errno
import hashlib
from pathlib import Path

import pytest

from voxkeep.vault import naming
from voxkeep.vault.naming import Give, NameChange, Take, change_names
from voxkeep.vault.temporary import Temporary


def give(folder: Path, name: str, content: bytes = b"content") -> Give:
    folder.mkdir(exist_ok=True)
    temporary = Temporary(str(folder / name), lambda _path: None)
    temporary.begin()
    temporary.write(content)
    return Give(temporary, str(folder / name), temporary.finish(), lambda _path: None)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(naming, "fsync_folder", lambda folder: told.append(Path(folder).name))
    return told


def test_many_changes_share_the_fsync_of_each_folder(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "old").write_bytes(b"x")
    changes: list[NameChange] = [give(tmp_path / "a", f"{number}") for number in range(10)]
    outcomes = change_names([*changes, Take(str(tmp_path / "b" / "old"))])
    assert outcomes == [str(tmp_path / "a" / f"{number}") for number in range(10)] + [str(tmp_path / "b" / "old")]
    assert sorted(synced) == ["a", "b"]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [str(number) for number in range(10)]


def test_one_that_fails_fails_alone(tmp_path: Path, synced: list[str]) -> None:
    gone, fine = Take(str(tmp_path / "none")), give(tmp_path / "a", "fine")
    missing, given = change_names([gone, fine])
    assert isinstance(missing, FileNotFoundError)
    assert given == str(tmp_path / "a" / "fine")
    assert synced == ["a"]


def test_a_name_that_cannot_be_made_durable_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standing = give(tmp_path / "bad", "standing")
    change_names([standing])

    def broken(folder: str) -> None:
        if folder.endswith("bad"):
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(naming, "fsync_folder", broken)
    again, new, other = give(tmp_path / "bad", "standing"), give(tmp_path / "bad", "new"), give(tmp_path / "good", "x")
    outcomes = change_names([again, new, other])
    assert [isinstance(each, OSError) for each in outcomes] == [True, True, False]
    # what stood there before is somebody's object: it stays
    assert sorted(path.name for path in (tmp_path / "bad").iterdir()) == ["standing"]
    assert (tmp_path / "good" / "x").read_bytes() == b"content"


def test_two_of_one_name_and_other_bytes_both_get_one(tmp_path: Path, synced: list[str]) -> None:
    first, second = change_names([give(tmp_path / "a", "x.ogg", b"one"), give(tmp_path / "a", "x.ogg", b"two")])
    assert first == str(tmp_path / "a" / "x.ogg")
    assert second == str(tmp_path / "a" / f"x~{hashlib.sha256(b'two').hexdigest()[:12]}.ogg")
    assert synced == ["a"]
