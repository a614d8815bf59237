"""What every command shares: one clear line for what the system refuses, and a home that is in use says so."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from voxkeep.archive.archive import IN_USE_NAME, in_use
from voxkeep.cli.common import why
from voxkeep.cli.main import app


@pytest.mark.parametrize(
    "words", [("demo", "--port", "0"), ("serve", "--port", "0"), ("tenant", "add", "acme"), ("tenant", "list")]
)
def test_a_home_that_cannot_be_is_told_in_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "afile").write_text("mine")
    command = [sys.executable, "-m", "voxkeep", *words, "--data", str(tmp_path / "afile" / "sub")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert done.stderr.startswith("voxkeep: ")
    assert done.stderr.count("\n") == 1
    assert "afile" in done.stderr


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileNotFoundError(2, "No such file or directory", "here/x"), "here/x: No such file or directory"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (OSError("odd"), "odd"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_what_the_system_refuses_is_told_with_its_file(error: OSError, text: str) -> None:
    assert why(error) == text


def test_a_command_does_not_work_in_a_folder_that_is_just_being_cleared(tmp_path: Path) -> None:
    words = ["tenant", "add", "acme", "--data", str(tmp_path / "home")]
    with in_use(tmp_path / "home", alone=True):
        refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 1
    assert "try again" in refused.stderr
    assert CliRunner().invoke(app, words).exit_code == 0


def test_commands_work_beside_each_other_and_leave_a_private_lock(tmp_path: Path) -> None:
    with in_use(tmp_path):
        assert CliRunner().invoke(app, ["tenant", "add", "acme", "--data", str(tmp_path)]).exit_code == 0
        with pytest.raises(BlockingIOError), in_use(tmp_path, alone=True):
            pass
    with in_use(tmp_path, alone=True):
        assert stat.S_IMODE((tmp_path / IN_USE_NAME).stat().st_mode) == 0o600
