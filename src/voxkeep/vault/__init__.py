"""The vault: audio objects under names, put durably, read by position.

Knows bytes and names; does not know what they mean. Nothing outside sees a path, so that another store, or
encryption, can stand behind the same interface.
"""

from voxkeep.vault.folder import FolderVault
from voxkeep.vault.interface import (
    BadName,
    LengthMismatch,
    ObjectMissing,
    Reader,
    Source,
    Staged,
    Vault,
    VaultError,
    VaultFull,
)

__all__ = [
    "BadName",
    "FolderVault",
    "LengthMismatch",
    "ObjectMissing",
    "Reader",
    "Source",
    "Staged",
    "Vault",
    "VaultError",
    "VaultFull",
]
