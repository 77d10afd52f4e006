"""Which documents the ledger may have: told from memory, so that it is not asked for each of those that it has not.

In: identities that the ledger has when the reading of a collection begins. Out: of its documents those that may be
among them. Used by the feeder's thread alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from etl.bloom_filter import BloomFilter
from etl.fingerprints import other_readings
from etl.loading.documents import identity

_KEY_BYTES = 8


class DocumentFilter:
    """The documents and sources that were loaded by mappings of one structure."""

    def __init__(self, structure: str, readings: Collection[str], identities: Iterable[bytes]) -> None:
        """`readings`: those in which the same content may be there, see `etl.fingerprints`."""
        self._structure = structure
        self._readings = sorted(readings)
        self._identities = BloomFilter()
        for known in identities:
            self._identities.add(_key(known))

    def possible(self, fingerprints: Sequence[str]) -> list[str]:
        """Those that may be there, as they are or read otherwise."""
        return [
            fingerprint
            for fingerprint in fingerprints
            if self.may_have(fingerprint) or any(map(self.may_have, other_readings(fingerprint, self._readings)))
        ]

    def may_have(self, fingerprint: str) -> bool:
        """Whether what is known by that identity may be there."""
        return _key(identity(fingerprint, self._structure)) in self._identities


def _key(known: bytes) -> int:
    return int.from_bytes(known[:_KEY_BYTES], "little")
