"""One recording's audio, or one chat: asked for, staged, examined, kept."""

import asyncio

from msgspec import Struct
from msgspec.structs import replace

from voxkeep.archive import Archive, NewAudio
from voxkeep.archive.alarms import PUSH_UNJOINED
from voxkeep.archive.model import Recording, State, Transcript
from voxkeep.archive.units import DurationMs
from voxkeep.audio.errors import AudioError
from voxkeep.audio.health import SHORT_SHARE, Examination, examine
from voxkeep.collect.errors import BadAnswer, Doubtful
from voxkeep.collect.patience import Patience
from voxkeep.collect.quarantine import LARGEST_BYTES
from voxkeep.collect.source import Listed, Source
from voxkeep.vault import LengthMismatch, Staged


class Fetched(Struct, frozen=True):
    """A recording or chat that is kept now."""

    new: bool
    """False when it was held before (or removed: the key stays taken)."""
    size_bytes: int | None = None
    """Bytes of its audio; None for a chat, which has none."""
    note: str = ""
    """What is unusual about its audio."""


class Fetcher:
    """Fetches recordings and chats from one source into the archive."""

    def __init__(self, archive: Archive, source: Source, patience: Patience) -> None:
        self._archive = archive
        self._source = source
        self._patience = patience

    async def fetch(self, listed: Listed, evidence: str) -> Fetched:
        """Fetch one recording or chat, again while that makes sense, and keep it.

        `evidence` is the hash of an earlier run's doubtful audio: the same bytes are believed now. Raises
        VendorFailure, or what the archive raises; nothing is left behind then.
        """
        last = ""
        async for attempt in self._patience.attempts():
            with attempt:
                try:
                    return await self._once(listed, evidence)
                except BadAnswer as error:
                    # the same wrong bytes again: another try would only spend the vendor's egress
                    error.passing = error.passing and error.sha256 != last
                    last = error.sha256
                    raise
        raise AssertionError("unreachable: the last attempt raises")

    async def _once(self, listed: Listed, evidence: str) -> Fetched:
        if isinstance(listed.item, Transcript):
            transcript, messages = await self._source.transcript(listed)
            return Fetched((await self._archive.keep_transcript(transcript, messages)).new)
        return await self._recording(listed, evidence)

    async def _recording(self, listed: Listed, evidence: str) -> Fetched:
        staged = await self._stage(listed)
        try:
            examination, note = await asyncio.to_thread(self._examine, staged, listed)
            self._check_duration(examination, staged, listed, evidence)
            if await self._joined(listed, staged):
                await staged.discard()
                return Fetched(new=False, size_bytes=staged.size, note=note)
            audio = NewAudio(staged, examination.facts, int(examination.health))
            recording = await self._with_notes(listed, _as_long_as_its_audio(listed, examination))
            kept = await self._archive.keep(recording, audio, call=listed.call, call_is_whole=listed.call_known)
        except BaseException:
            # also when the run is cancelled: nothing half-done stays
            await staged.discard()
            raise
        return Fetched(kept.new, staged.size, note)

    async def _joined(self, listed: Listed, staged: Staged) -> bool:
        """Tell whether the very bytes are held already, as the one recording of the call that came another way.

        Then that one gets the key and all that is listed; one that was removed stays removed.
        """
        if not listed.may_renew or listed.call is None:
            return False
        keys = (listed.call.vendor_key, listed.recording.call_key)
        of_call = await self._archive.of_call_keys(listed.tenant, listed.vendor, keys)
        same = [
            each
            for each in of_call
            if each.audio is not None and each.audio.sha256 == staged.sha256 and listed.renewed(each) is not None
        ]
        if len(same) != 1:
            return False
        if same[0].state is State.REMOVED:
            return True
        if await self._archive.renew(listed.tenant, same[0].id, listed.renewed, call=listed.call) is not None:
            await self._archive.alarms.clear(PUSH_UNJOINED, listed.tenant, str(same[0].id))
        return True

    async def _with_notes(self, listed: Listed, recording: Recording) -> Recording:
        """Return a recording with what was noted on it while its audio was awaited."""
        if not listed.may_renew:
            return recording
        held = await self._archive.by_key(listed.tenant, listed.vendor, recording.vendor_key)
        told = None if held is None else listed.renewed(held)
        return recording if told is None else replace(recording, extra=told.extra)

    async def _stage(self, listed: Listed) -> Staged:
        async with self._source.fetch(listed) as download:
            try:
                return await self._archive.stage(
                    listed.tenant, listed.started_at, listed.key, download.blocks, length=download.length
                )
            except LengthMismatch as error:
                raise BadAnswer("the audio was cut short") from error

    def _examine(self, staged: Staged, listed: Listed) -> tuple[Examination, str]:
        with staged.file() as file:
            try:
                note = self._source.verify(file, listed)
                return examine(file, listed.expected_duration_ms), note
            except AudioError as error:
                file.seek(0)
                raise BadAnswer(f"not whole audio: {error.reason}", raw=file.read(LARGEST_BYTES)) from error

    def _check_duration(self, examination: Examination, staged: Staged, listed: Listed, evidence: str) -> None:
        """Doubt audio of another length than listed, once: the vendor may still have been writing it.

        The same bytes in a later run are what the vendor has, and are kept (short ones flagged so), so that nothing
        stays out for ever.
        """
        expected = listed.expected_duration_ms
        if expected is None or staged.sha256 == evidence:
            return
        actual = examination.facts.duration_ms
        if abs(actual - expected) > max(SHORT_SHARE * expected, listed.duration_slack_ms):
            word = "shorter" if actual < expected else "longer"
            raise Doubtful(f"audio {word} than its metadata says", sha256=staged.sha256)


def _as_long_as_its_audio(listed: Listed, examination: Examination) -> Recording:
    if listed.duration_known:
        return listed.recording
    return replace(listed.recording, duration_ms=DurationMs(examination.facts.duration_ms))
