"""A split that a worker has in hand: as a whole, or record by record after a worker has died of it.

In: the worker's answers and deaths, on one thread. Out: a future with the batch or the error, and the split to hand
over next.
"""

from __future__ import annotations

from concurrent.futures import Future

from etl.engines.base import WorkerSetup
from etl.engines.one_by_one import merged, single_records
from etl.engines.pipe import Answer
from etl.messages import MappedBatch, Split

DEATHS = 2
"""Workers in a row that a record kills, alone in hand, until it is rejected: of one death somebody else may be to
blame, such as whoever took the memory away."""


class Task:
    """One split on its way to its batch."""

    def __init__(self, split: Split) -> None:
        self.future: Future[MappedBatch] = Future()
        self._split = split
        self._singles: list[Split] | None = None
        """The records, once the split is a suspect."""
        self._outcomes: list[MappedBatch | str] = []
        """Of those that are done: a batch, or why there is none."""
        self._deaths = 0
        """How many workers the next record has killed."""
        self._error: Exception | None = None

    @property
    def whole(self) -> bool:
        """It is mapped as a whole."""
        return self._singles is None

    def next_split(self) -> Split | None:
        """What is to be mapped next; None where nothing is left."""
        if self._error is not None:
            return None
        if self._singles is None:
            return None if self._outcomes else self._split
        return self._singles[len(self._outcomes)] if len(self._outcomes) < len(self._singles) else None

    def take(self, answer: Answer) -> None:
        """The answer to the next split."""
        self._deaths = 0
        if answer.batch is not None:
            self._outcomes.append(answer.batch)
        else:
            self._error = answer.error or EOFError()

    def died(self, how: str) -> bool:
        """A worker has died of the next split (`how`: "was killed by ..."); whether a record is given up for that."""
        if self._singles is None:
            self._singles = single_records(self._split)
            return False
        self._deaths += 1
        if self._deaths < DEATHS:
            return False
        self._deaths = 0
        self._outcomes.append(f"The worker process that mapped this record {how}, and the one after it as well.")
        return True

    def settle(self, setup: WorkerSetup) -> None:
        """End the future, where nothing is left to map."""
        try:
            batch = self._batch(setup)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asks the future, who would wait for ever
            self.future.set_exception(error)
        else:
            self.future.set_result(batch)

    def _batch(self, setup: WorkerSetup) -> MappedBatch:
        if self._error is not None:
            raise self._error
        if self._singles is not None:
            return merged(self._split, self._outcomes, len(setup.mapping.tables), setup.row_format)
        (batch,) = self._outcomes
        assert isinstance(batch, MappedBatch), "only records are given up"
        return batch
