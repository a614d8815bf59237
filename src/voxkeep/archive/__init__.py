"""What is kept: tenants, calls, recordings, their audio. Knows no HTTP, no vendor, no user."""

from voxkeep.archive.archive import Archive
from voxkeep.archive.intake import Kept, NewAudio

__all__ = ["Archive", "Kept", "NewAudio"]
