"""Meters that are fed blocks of samples: loudness and clipping, and peaks. Imports numpy: import it late."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voxkeep.audio.decode import Block

_FULL_SCALE = 32_768
_SILENT_BELOW = _FULL_SCALE * 10 ** (-60 / 20)
# The highest levels of mu-law and A-law are 32,124 and 32,256, so the top 2 % catch G.711 as well.
_TOP = int(_FULL_SCALE * 0.98)
_FLAT_RUN = 3
_CLIPPED_SHARE = 0.001


class LevelMeter:
    """The loudest sample and the number of clipped samples of every channel."""

    def __init__(self, channels: int) -> None:
        self._loudest = np.zeros(channels, np.int32)
        self._clipped = np.zeros(channels, np.int64)
        self._samples = 0

    def add(self, block: Block) -> None:
        """Take the next block; a flat top cut in two by a block's end counts only as far as each part is a run."""
        if not block.shape[1]:
            return
        low, high = block.min(axis=1).astype(np.int32), block.max(axis=1).astype(np.int32)
        loudest = np.maximum(high, -low)
        self._loudest = np.maximum(self._loudest, loudest)
        self._samples += block.shape[1]
        for channel in np.flatnonzero(loudest >= _TOP):
            self._clipped[channel] += _flat_top_samples(block[channel])

    def silent(self) -> list[bool]:
        """Tell for every channel whether nothing in it was louder than -60 dBFS."""
        return [bool(loudest < _SILENT_BELOW) for loudest in self._loudest]

    def clipped(self) -> list[bool]:
        """Tell for every channel whether more than a thousandth of it stands in flat tops."""
        return [bool(count > _CLIPPED_SHARE * self._samples) for count in self._clipped]


def _flat_top_samples(samples: NDArray[np.int16]) -> int:
    """Count the samples in runs of at least `_FLAT_RUN` equal ones near full scale."""
    at_top = (samples >= _TOP) | (samples <= -_TOP)
    same_as_next = at_top[:-1] & (samples[1:] == samples[:-1])
    edges = np.flatnonzero(np.diff(same_as_next, prepend=False, append=False))
    run_lengths = edges[1::2] - edges[::2] + 1
    return int(run_lengths[run_lengths >= _FLAT_RUN].sum())


class PeakMeter:
    """The lowest and highest sample of every bucket, bucket i reaching from i to i + 1 over `buckets_per_second`."""

    def __init__(self, channels: int, sample_rate: int, buckets_per_second: int) -> None:
        self._sample_rate = sample_rate
        self._buckets_per_second = buckets_per_second
        self._rest: Block = np.zeros((channels, 0), np.int16)
        self._bucket = 0
        self._parts: list[NDArray[np.int8]] = []

    def add(self, block: Block) -> None:
        """Take the next block."""
        samples = np.concatenate((self._rest, block), axis=1) if self._rest.shape[1] else block
        start = self._edge(self._bucket)
        whole = (start + samples.shape[1]) * self._buckets_per_second // self._sample_rate
        edges = [self._edge(bucket) - start for bucket in range(self._bucket, whole + 1)]
        self._measure(samples[:, : edges[-1]], edges[:-1])
        # A copy, or the whole block would live on for the sake of its tail.
        self._rest = samples[:, edges[-1] :].copy()
        self._bucket = whole

    def data(self) -> bytes:
        """End the measuring: signed bytes, for every bucket and every channel its minimum and its maximum."""
        if self._rest.shape[1]:
            self._measure(self._rest, [0])
        return b"".join(part.tobytes() for part in self._parts)

    def _edge(self, bucket: int) -> int:
        return -(-bucket * self._sample_rate // self._buckets_per_second)

    def _measure(self, samples: Block, starts: list[int]) -> None:
        if not starts:
            return
        low = np.minimum.reduceat(samples, starts, axis=1)
        high = np.maximum.reduceat(samples, starts, axis=1)
        self._parts.append((np.stack((low, high), axis=-1).swapaxes(0, 1) >> 8).astype(np.int8))
