"""The outline of a recording, small enough to draw a player's waveform from without fetching the audio."""

import msgspec

from voxkeep.audio.sniff import Source

DEFAULT_BUCKETS_PER_SECOND = 10


class Peaks(msgspec.Struct, frozen=True):
    """The lowest and highest sample of every bucket of 1 / `buckets_per_second` seconds; the last may be shorter.

    `data` holds signed bytes (full scale -128 to 127): for every bucket, for every channel, its minimum and its
    maximum, the order of audiowaveform's 8-bit data format, which waveform players read. An hour of mono is 72 kB.
    """

    channels: int
    buckets_per_second: int
    data: bytes

    @property
    def buckets(self) -> int:
        """The number of buckets."""
        return len(self.data) // (2 * self.channels)

    def channel(self, index: int) -> tuple[memoryview, memoryview]:
        """Give one channel's minima and maxima, each a view of signed bytes, one per bucket."""
        values = memoryview(self.data).cast("b")
        step = 2 * self.channels
        return values[2 * index :: step], values[2 * index + 1 :: step]


def peaks(source: Source, buckets_per_second: int = DEFAULT_BUCKETS_PER_SECOND) -> Peaks:
    """Decode the source once, in blocks, and outline it. Raises `UnreadableAudio`.

    `buckets_per_second` lies between 1 and 1,000; anything else is a `ValueError`.
    """
    from voxkeep.audio import decode, levels  # noqa: PLC0415 - heavy: an idle server never decodes

    if buckets_per_second not in range(1, 1_001):
        raise ValueError(f"buckets_per_second must be between 1 and 1000, not {buckets_per_second}")
    with decode.track(source) as track:
        meter = levels.PeakMeter(track.channels, track.decoded_rate, buckets_per_second)
        for block in track.blocks():
            meter.add(block)
        return Peaks(track.channels, buckets_per_second, meter.data())
