"""Loads of the sample into the scratch place, each into an empty one.

In: a choice of settings. Out: the load's report. Runs on a thread that no signal reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from etl.errors import SourceError, TargetError
from etl.extract.given import given_sources
from etl.extract.repair import wanted_repair
from etl.extract.source import Source
from etl.mapping.model import Mapping
from etl.options import LedgerSettings, Settings
from etl.pipeline import Pipeline
from etl.progress import Progress
from etl.report import LoadReport
from etl.stages import Callbacks
from etl.targets.base import Target
from etl.targets.open import open_target
from etl.targets.sql import driver_error
from etl.tuning.factors import with_choice
from etl.tuning.scratch import Scratch
from etl.tuning.search import Choice
from etl.tuning.until import Until
from etl.validation import open_schema

_NO_SUCH_TYPE = "42704"


class Sample:
    """Some records of the sources, loaded again and again."""

    def __init__(
        self,
        sources: Sequence[str],
        mapping: Mapping,
        settings: Settings,
        scratch: Scratch,
        target: Target,
        progress: Progress,
        until: Until,
    ) -> None:
        """`target`: the database that the scratch place is in."""
        self._sources = sources
        self._mapping = mapping
        schema = open_schema(settings.input.validate_by)
        self._schema = schema(mapping)
        # Whatever schema the user's ledger is in: that of a trial is in the scratch place.
        self._settings = settings.model_copy(update={"ledger": LedgerSettings()})
        self._scratch = scratch
        self._target = target
        self._progress = progress
        self._until = until
        self.limit = 1
        """How many records it has at most."""

    def load(self, choice: Choice) -> LoadReport:
        """Load it once. Raises OutOfTime, KeyboardInterrupt, and EtlError where it does not load."""
        self._until.check()
        with self._until.interrupting(lambda _reason: self._target.interrupt()):
            self._scratch.renew()
        _forget_peak_memory()
        settings = with_choice(self._settings, choice)
        with closing(open_target(self._scratch.url, settings)) as place:
            place.label = self._target.label  # the name that the user knows
            pipeline = Pipeline(self._mapping, place, settings, self._progress, self._schema)
            with self._until.interrupting(pipeline.abort):
                report = self._run(pipeline)
        self._until.check()
        if report.stop_reason:
            refused = SourceError(f"{report.stop_reason} `etl check` shows why.")
            refused.exit_code = report.exit_code
            raise refused
        if not report.loaded:
            raise SourceError(f"Of the first {report.records:,} records none was loaded. `etl check` shows why.")
        return report

    def _found(self) -> list[Source]:
        reading = self._settings.input
        return given_sources(self._sources, wanted_repair(reading.repair, reading.dtd)).sources

    def _run(self, pipeline: Pipeline) -> LoadReport:
        try:
            return pipeline.run(self._found(), self.limit, None, Callbacks())
        except TargetError as error:
            # Of tables whose types the mapping names: what the target says of them, behind it the driver's own.
            refused = error.__cause__
            if refused is None or getattr(driver_error(refused), "sqlstate", None) != _NO_SUCH_TYPE:
                raise
            raise TargetError(
                f"{error} The loads of a tune see no schema but their own: a type that the mapping names by `sql` needs"
                " its schema in front."
            ) from error


def _forget_peak_memory() -> None:
    """From now on the peak memory of this process is that of what comes; where the system cannot, it stays that of all
    before (proc_pid_clear_refs(5))."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")
