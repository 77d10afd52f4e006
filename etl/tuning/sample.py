"""Loads of the sample into the scratch place, each into an empty one.

In: a choice of settings. Out: the load's report. Runs on a thread that no signal reaches.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from etl.errors import CallbackError, SourceError
from etl.loader import load
from etl.mapping.model import Mapping
from etl.options import LedgerSettings, Settings
from etl.progress import Progress
from etl.report import LoadReport
from etl.tuning.factors import with_choice
from etl.tuning.scratch import Scratch
from etl.tuning.search import Choice, OutOfTime


class Sample:
    """Some records of the sources, loaded again and again."""

    def __init__(
        self,
        sources: Sequence[str],
        mapping: Mapping,
        settings: Settings,
        scratch: Scratch,
        progress: Progress,
        ends: float,
        stopping: threading.Event,
    ) -> None:
        """`ends`: the moment from which on nothing is loaded any more, by the clock of `time.monotonic`; `stopping` is
        set when the user wants no more."""
        self._sources = sources
        self._mapping = mapping
        # Whatever schema the user's ledger is in: that of a trial is in the scratch place.
        self._settings = settings.model_copy(update={"ledger": LedgerSettings()})
        self._scratch = scratch
        self._progress = progress
        self._ends = ends
        self._stopping = stopping
        self.limit = 1
        """How many records it has at most."""

    def load(self, choice: Choice) -> LoadReport:
        """Load it once. Raises OutOfTime, KeyboardInterrupt, and EtlError where it does not load."""
        self._check()
        self._scratch.renew()
        _forget_peak_memory()
        try:
            report = load(
                self._sources,
                mapping=self._mapping,
                target=self._scratch.url,
                settings=with_choice(self._settings, choice),
                limit=self.limit,
                on_batch=lambda _committed: self._check(),
                progress=self._progress,
            )
        except CallbackError:
            self._check()
            raise
        if report.stop_reason:
            refused = SourceError(f"{report.stop_reason} `etl check` shows why.")
            refused.exit_code = report.exit_code
            raise refused
        if not report.loaded:
            raise SourceError(f"Of the first {report.records:,} records none was loaded. `etl check` shows why.")
        return report

    def _check(self) -> None:
        if self._stopping.is_set():
            raise KeyboardInterrupt
        if time.monotonic() >= self._ends:
            raise OutOfTime


def _forget_peak_memory() -> None:
    """From now on the peak memory of this process is that of what comes; where the system cannot, it stays that of all
    before (proc_pid_clear_refs(5))."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")
