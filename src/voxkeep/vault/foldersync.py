"""Durable folders: a new name is safe only once the folder that holds it is fsynced."""

import os
from pathlib import Path


def fsync_folder(folder: str | Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make `folder` (mode 0700) and what is missing above it, durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    ensure_folder(folder)


def ensure_folder(folder: Path) -> None:
    """Make `folder` (mode 0700) where it is missing, and its name durable in any case.

    One that is there may have been made a moment ago by another writer, who has not fsynced its parent yet.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    fsync_folder(folder.parent)
