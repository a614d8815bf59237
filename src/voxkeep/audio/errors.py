"""What can go wrong with audio.

    AudioError
      +-- UnreadableAudio    not audio of a kind we know, or none of it can be decoded
      +-- UnrenderableAudio  readable, but the asked form cannot hold it
      +-- BrokenOgg          an Ogg/Opus file that is not whole

Faults of the file underneath (a full disk, a vanished mount) stay the `OSError` they are.
"""


class AudioError(Exception):
    """The root of the tree; `reason` is one line for an operator."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnreadableAudio(AudioError):
    """The bytes are not audio of a kind we know, or none of it can be decoded."""


class UnrenderableAudio(AudioError):
    """The audio is readable, but the asked form cannot hold it."""


class BrokenOgg(AudioError):
    """The file is not one whole Ogg/Opus stream."""
