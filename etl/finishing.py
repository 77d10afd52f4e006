"""What comes after the last row: are all rows there, the keys, and the marks that say so.

In: sources that were read to their end. Out: what a crashed server has lost of them, so that it is fed again, or
sources that are finished. Runs on the load's own thread; what fails for a passing reason is tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from etl.errors import TargetError
from etl.faults import fault_point
from etl.fed_source import FedSource
from etl.loading.ledger import Gap, LedgerLike
from etl.loading.retries import Retries
from etl.mapping.model import Mapping
from etl.targets.base import KeyProblem, Target

Result = TypeVar("Result")

SET_BACK = 3
"""How often in a row the server may crash between two marks, and lose the first, before the load gives up."""


class Finishing:
    """The end of one load. `run` may be called again once what it found missing is there."""

    def __init__(
        self, mapping: Mapping, target: Target, ledger: LedgerLike, retries: Retries, stopped: Callable[[], bool]
    ) -> None:
        """`stopped`: whether the load is to end before the next key."""
        self._mapping = mapping
        self._target = target
        self._ledger = ledger
        self._retries = retries
        self._stopped = stopped
        self.gaps: dict[int, tuple[Gap, ...]] = {}
        """What is missing of sources, by their numbers."""
        self.finished = False
        self.key_problems: tuple[str, ...] = ()

    def run(self, done: Sequence[FedSource]) -> None:
        """Finish the sources, or find what is missing of them. Raises EtlError."""
        sources = [source.info.number for source in done]
        for _ in range(SET_BACK):
            fault_point("at_gap_check")
            self.gaps = self._held(lambda: self._find_gaps(done))
            if self.gaps:
                return
            self.build_keys()
            if self._stopped():
                return
            # False where the server has crashed and come back since: then rows may be missing, too.
            self.finished = self._held(lambda: self._mark(sources))
            if self.finished:
                return
        raise TargetError(
            f"{self._target.label} has lost what was committed {SET_BACK} times in a row: does it keep crashing? The"
            " same command goes on from what is there."
        )

    def build_keys(self) -> None:
        """Build what keys are missing, as far as rows let it."""

        def build() -> list[KeyProblem]:
            return self._target.build_keys(self._mapping, self._stopped)

        self.key_problems = tuple(problem.message for problem in self._held(build))

    def _held(self, action: Callable[[], Result]) -> Result:
        """Do it while the sources are this load's; again where it fails for a passing reason."""

        def held() -> Result:
            self._ledger.hold_again()
            return action()

        return self._retries.call(held)

    def _find_gaps(self, done: Sequence[FedSource]) -> dict[int, tuple[Gap, ...]]:
        found = {source.info.number: self._gaps(source) for source in done}
        return {number: gaps for number, gaps in found.items() if gaps}

    def _gaps(self, source: FedSource) -> tuple[Gap, ...]:
        number, told = source.info.number, source.documents
        if told is None:
            # The documents of a collection were found there by the run that marked it. Should a server lose them since,
            # it loses that mark, too, which the next mark notices.
            marked = source.state != "loading" and not self._ledger.done(number)
            return () if marked else self._ledger.mark_rows_done(number)
        whole = self._ledger.mark_documents_done(number, told.first, told.finished, told.resumed, told.elsewhere)
        # Which ones it has lost, the ledger tells when the collection is read again.
        return () if whole else (Gap(0, None),)

    def _mark(self, sources: Sequence[int]) -> bool:
        if not self._ledger.mark_keys_built(sources):
            return False
        fault_point("before_finish")
        return self._ledger.mark_finished(sources)
