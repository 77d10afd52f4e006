"""Whether any value came twice: exact for some thousands of values, beyond that for a share of them.

Hashes of the values are kept, not the values. Where they become too many, only those go on to be looked at whose
last bits are zero: equal values have equal hashes, so they still meet, and a column with many duplicates is found out.
"""

from __future__ import annotations

from collections.abc import Collection

MAX_HASHES = 1 << 14
"""Kept for one column (some 70 bytes each)."""

LONGEST = 200
"""Characters; a longer value is text and no identifier, whether it is unique is not worth the memory."""


class Uniqueness:
    """Gets all values of a column, each batch without duplicates in itself."""

    __slots__ = ("_hashes", "_mask")

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self._mask = 0

    def __len__(self) -> int:
        """Hashes kept."""
        return len(self._hashes)

    def add(self, distinct: Collection[str]) -> bool:
        """Take in values; False where one of them was there before."""
        mask = self._mask
        hashes = set(map(hash, distinct))
        if mask:
            hashes = {value for value in hashes if not value & mask}
        if not self._hashes.isdisjoint(hashes):
            return False
        self._hashes |= hashes
        self.shrink(MAX_HASHES)
        return True

    def shrink(self, most: int) -> None:
        """Keep at most so many hashes from now on."""
        while len(self._hashes) > most:
            self._mask = 2 * self._mask + 1
            self._hashes = {value for value in self._hashes if not value & self._mask}
