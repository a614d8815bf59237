"""What can go wrong in the archive.

```
ArchiveError
├── UnknownTenant        no tenant has that name
├── TenantNameTaken      another tenant has that name, host or host label
├── UnknownRecording     no such recording (or it is removed, where that is asked for)
├── UnknownTranscript    no such chat transcript
├── NotInRoster          no such agent or skill in the tenant's roster
├── AudioMissing         the recording is held, its bytes are not where they should be: an alarm was raised
├── AudioNotReady        the asked form is not made yet
└── RemovalRefused       the recording may not be removed
```
No space for audio or rows is `voxkeep.vault.VaultFull` or `voxkeep.database.DatabaseFull`.
"""


class ArchiveError(Exception):
    """The archive could not do what was asked."""


class UnknownTenant(ArchiveError):
    """No tenant has that name."""


class TenantNameTaken(ArchiveError):
    """Another tenant has that name, host or host label: they share one namespace."""


class UnknownRecording(ArchiveError):
    """No such recording."""


class UnknownTranscript(ArchiveError):
    """No such chat transcript."""


class NotInRoster(ArchiveError):
    """No such agent or skill in the tenant's roster."""


class AudioMissing(ArchiveError):
    """The recording is held, but its bytes are not where they should be."""


class AudioNotReady(ArchiveError):
    """The asked form of the audio is not made yet."""


class RemovalRefused(ArchiveError):
    """The recording may not be removed; the text says why."""
