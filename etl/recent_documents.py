"""Documents that a run has read so far: the ledger may not have them yet, so that of twins both would be loaded.

In: fingerprints. Out: whether they were read before. Used by the feeder's thread alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from etl.bloom_filter import BloomFilter

_MOST = 1 << 18
"""More than fit into the queue: those before them are in the ledger by now."""

_KEY = (1 << 64) - 1


class RecentDocuments:
    """Documents of all sources of a run, the last ones exactly."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self._in_order: deque[int] = deque()
        self._forgotten: BloomFilter | None = None

    def add_new(self, fingerprints: Sequence[str]) -> bool:
        """Add them where each is new, and no other of them is the same; else none."""
        hashes = set(map(hash, fingerprints))
        if len(hashes) < len(fingerprints) or not self._hashes.isdisjoint(hashes):
            return False
        self._hashes |= hashes
        self._in_order += hashes
        while len(self._in_order) > _MOST:
            self._forget(self._in_order.popleft())
        return True

    def may_have_forgotten(self, fingerprints: Sequence[str]) -> list[str]:
        """Those that may have been read so long ago that only the ledger tells whether they were."""
        forgotten = self._forgotten
        if forgotten is None:
            return []
        return [fingerprint for fingerprint in fingerprints if hash(fingerprint) & _KEY in forgotten]

    def _forget(self, oldest: int) -> None:
        self._hashes.remove(oldest)
        if self._forgotten is None:
            self._forgotten = BloomFilter()
        self._forgotten.add(oldest & _KEY)
