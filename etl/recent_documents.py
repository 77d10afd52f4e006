"""Documents that a run has read so far: the ledger may not have them yet, so that of twins both would be loaded.

In: fingerprints. Out: whether they were read before. Used by the feeder's thread alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from etl.bloom_filter import BloomFilter

LEAST = 1 << 18
QUEUED_BYTES = 256
"""A document takes more than that in the queue: as many as fit, and LEAST, are remembered, and those before them are in
the ledger by now."""

_KEY = (1 << 64) - 1


class RecentDocuments:
    """Documents of all sources of a run, the last ones exactly."""

    def __init__(self, queue_bytes: int = 0) -> None:
        self._most = max(LEAST, queue_bytes // QUEUED_BYTES)
        self._hashes: set[int] = set()
        self._in_order: deque[int] = deque()
        self._forgotten: BloomFilter | None = None

    @property
    def has_forgotten(self) -> bool:
        """Whether there is any document that only the ledger knows of."""
        return self._forgotten is not None

    def add_new(self, fingerprints: Sequence[str]) -> bool:
        """Add them where each is new, and no other of them is the same; else none."""
        hashes = set(map(hash, fingerprints))
        if len(hashes) < len(fingerprints) or not self._hashes.isdisjoint(hashes):
            return False
        self._hashes |= hashes
        self._in_order += hashes
        return True

    def forget_old(self) -> None:
        """Forget documents before the last ones; while some are looked at together, none of these may be forgotten."""
        while len(self._in_order) > self._most:
            oldest = self._in_order.popleft()
            self._hashes.remove(oldest)
            if self._forgotten is None:
                self._forgotten = BloomFilter()
            self._forgotten.add(oldest & _KEY)

    def may_have_forgotten(self, fingerprints: Sequence[str]) -> list[str]:
        """Those that may have been read so long ago that only the ledger tells whether they were."""
        forgotten = self._forgotten
        if forgotten is None:
            return []
        return [fingerprint for fingerprint in fingerprints if hash(fingerprint) & _KEY in forgotten]
