"""How many bytes of rows a transaction is to have, by what its commit costs (`insert.batch_bytes: auto`). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from etl.messages import Committed

LEAST, MOST = 2**20, 64 * 2**20
"""Bytes. Below, the statements around the rows cost as much as the commit does; above, a refused row costs the work of
so many others (all are written again, split by split), and there is more in memory than a sum of commits can save."""

FIRST = 8 * 2**20
"""Bytes: what the setting is without `auto`."""

TOO_DEAR = 0.1
"""Share of the time of transactions that goes into their commits, from which they are to be rarer: twice the size
brings it to little more than half of that."""

NEGLIGIBLE = 0.02
"""Share below which they may be more frequent. Half the size brings it to 4 % at most: between this and `TOO_DEAR`
there is room for either step, so that no size is left for one that is left again at once."""

SAMPLE = 4
"""Transactions to go by: with two insert threads, two of each; one alone may have met a checkpoint."""


@dataclass(slots=True)
class BatchSize:
    """The size, from one transaction to the next."""

    most: int = MOST
    """Bytes of rows that there is room for; below `LEAST`, it is the size."""
    row_bytes: int = FIRST
    _transactions: int = 0
    """Since the last look, with the bytes they wrote, the seconds they took and those of their commits."""
    _written: int = 0
    _seconds: float = 0.0
    _commit_seconds: float = 0.0

    def __post_init__(self) -> None:
        self._become(self.row_bytes)

    def after(self, committed: Committed) -> None:
        """Take a transaction into account."""
        self._transactions += 1
        self._written += committed.row_bytes
        self._seconds += committed.seconds
        self._commit_seconds += committed.commit_seconds
        if self._transactions == SAMPLE:
            share = self._commit_seconds / self._seconds if self._seconds else 0.0
            # The window, or a trickle, may have ended them long before they had that size.
            mean = self._written // SAMPLE
            if share > TOO_DEAR and mean > self.row_bytes // 2:
                self._become(2 * self.row_bytes)
            elif share < NEGLIGIBLE:
                self._become(min(self.row_bytes, mean) // 2)
            self._transactions, self._written, self._seconds, self._commit_seconds = 0, 0, 0.0, 0.0

    def _become(self, row_bytes: int) -> None:
        self.row_bytes = min(max(LEAST, row_bytes), MOST, self.most)
