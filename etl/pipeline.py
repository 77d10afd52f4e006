"""One load, from registering its sources to its report.

`Pipeline.run` is called once, on the caller's thread, which only waits while the stages run on threads of their own:
so a Ctrl-C finds it at rest, and never in the middle of somebody's critical section.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Sequence

from etl.background import run_in_background
from etl.errors import EtlError, InternalError, SettingsError, SourceError, TargetError
from etl.extract.source import Source
from etl.feeding import FedSource
from etl.loading.ledger import open_ledger
from etl.loading.result_thread import Tally
from etl.mapping.model import Mapping
from etl.metrics import PoolStats, Snapshot, peak_memory
from etl.notices import sentences
from etl.options import Settings
from etl.progress import Progress
from etl.report import LoadReport, RejectReport, SourceReport, State
from etl.stages import Callbacks, Stages
from etl.targets.base import Target
from etl.targets.memory import MemoryTarget

_NO_POOL = PoolStats(0, 0, 0.0, 0, 0, 0, 0.0)


class Pipeline:
    """A load of some sources into a target. `run` once."""

    def __init__(self, mapping: Mapping, target: Target, settings: Settings, progress: Progress) -> None:
        self._mapping = mapping
        self._target = target
        self._settings = settings
        self._progress = progress
        self._ledger = open_ledger(target, settings.ledger.database_schema, mapping)
        self._tally = Tally(rows=[0] * len(mapping.tables))
        self._began = time.monotonic()
        self._sources: list[FedSource] = []
        self._stages: Stages | None = None
        self._activity = "loading"
        self._stopped = False
        self._notices: tuple[str, ...] = ()
        self._key_problems: tuple[str, ...] = ()

    def run(
        self, found: Sequence[Source], limit: int | None, source_name: str | None, callbacks: Callbacks
    ) -> LoadReport:
        """Load what the ledger does not have yet. Raises EtlError with the report of what was committed."""
        self._target.notify = self._progress.note
        self._ledger.prepare()
        self._register_all(found, source_name)
        pending = [source for source in self._sources if source.state != "finished"]
        if not pending:
            self._build_keys()  # those that rows stood in the way of, which may be gone by now
            return self._report("nothing to do")
        self._notices += self._target.prepare(self._mapping, self._settings.keys).notices
        try:
            self._load([source for source in pending if source.state == "loading"], limit, callbacks)
            if self._stopped:
                return self._report("stopped")
            self._check_found()
            self._in_background(lambda: self._finish(pending))
            self._check_sources()
        except EtlError as error:
            with contextlib.suppress(EtlError):  # a database that is gone cannot tell what it has
                error.report = self._report("failed")
            raise
        finally:
            self._progress.stop()
        return self._report("finished")

    def _register_all(self, found: Sequence[Source], name: str | None) -> None:
        """Register the sources; those that hold the same are one, since nothing is loaded twice."""
        labels: dict[str, str] = {}
        for source in found:
            fingerprint = source.fingerprint()
            if fingerprint is not None and fingerprint in labels:
                self._notices += (f"{source.label} holds the same as {labels[fingerprint]}: it is loaded once.",)
                continue
            self._sources.append(self._register(source, fingerprint, name, len(found)))
            if fingerprint is not None:
                labels[fingerprint] = source.label

    def _register(self, source: Source, fingerprint: str | None, name: str | None, count: int) -> FedSource:
        if name is not None:
            if count > 1 or fingerprint is not None:
                raise SettingsError(
                    "A source name is for one source that has no identity of its own (standard input): "
                    "files are known by their content."
                )
            fingerprint = "name:" + hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
        elif fingerprint is None and self._target.keeps_ledger:
            self._progress.note(
                f"{source.label} has no identity: a load of it that is stopped begins anew, with new rows. "
                "--source-name gives it one."
            )
        known = self._ledger.register(name or source.label, fingerprint, source.size)
        return FedSource(source, known.info, known.done, known.state, known.totals, resumable=fingerprint is not None)

    def _load(self, sources: Sequence[FedSource], limit: int | None, callbacks: Callbacks) -> None:
        if not sources:
            return
        stages = Stages(
            sources,
            self._mapping,
            self._target,
            self._ledger,
            self._settings,
            limit,
            self._tally,
            callbacks,
        )
        self._stages = stages
        self._progress.start(lambda: self._snapshot(stages))
        self._in_background(stages.run, stages)
        if stages.queue.error is not None:
            raise stages.queue.error
        if not self._stopped:
            self._check_account(sources)

    def _in_background(self, work: Callable[[], None], stages: Stages | None = None) -> None:
        """Run `work` on a thread of its own and wait; the first KeyboardInterrupt drains, the second one is raised."""
        run_in_background(
            work, on_stop=lambda: self._stop(stages), on_abort=lambda interrupt: self._abort(stages, interrupt)
        )

    def _stop(self, stages: Stages | None) -> None:
        self._stopped = True
        self._activity = "stopping"
        self._progress.note("Stopping: what is in hand is being committed. Ctrl-C again aborts.")
        if stages is not None:
            stages.stop()

    def _abort(self, stages: Stages | None, interrupt: BaseException) -> None:
        if stages is not None:
            stages.fail(interrupt)
            stages.engine.close(cancel=True)
        self._target.interrupt()

    def _check_account(self, sources: Sequence[FedSource]) -> None:
        """records read = loaded + rejected + discarded + skipped: the promise, held at the end of every load."""
        tally = self._tally
        read = sum(source.records - source.skipped for source in sources)
        accounted = tally.loaded + tally.rejected + tally.discarded
        if tally.records != accounted or (read != tally.records and not tally.duplicates):
            raise InternalError(
                f"{read:,} records were read, but {tally.records:,} committed ({tally.loaded:,} loaded, "
                f"{tally.rejected:,} rejected, {tally.discarded:,} discarded). Please report this."
            )

    def _finish(self, pending: Sequence[FedSource]) -> None:
        """Mark sources whose rows are all there, and build the keys."""
        done = [source for source in pending if source.complete or source.state != "loading"]
        for source in done:
            if source.state == "loading":
                self._mark_rows_done(source)
        self._build_keys()
        numbers = [source.info.number for source in done]
        self._ledger.mark_keys_built(numbers)
        self._ledger.mark_finished(numbers)
        for source in done:
            source.finished = True

    def _build_keys(self) -> None:
        self._activity = "building keys"
        self._key_problems = tuple(problem.message for problem in self._target.build_keys(self._mapping))

    def _mark_rows_done(self, source: FedSource) -> None:
        gaps = self._ledger.mark_rows_done(source.info.number)
        if gaps:
            raise TargetError(
                f"{self._target.label} has lost {len(gaps)} committed pieces of {source.info.label}, from byte "
                f"{gaps[0].start:,} on: was the server restarted? Run the same command again to load just these."
            )

    def _check_found(self) -> None:
        """No record at all and other elements instead: the mapping is for something else. (No element: no records.)"""
        passed = sorted(path for source in self._sources for path in source.passed)
        if not passed or any(source.records or source.totals.records or source.problem for source in self._sources):
            return
        paths = [path.text for table in self._mapping.tables for path in table.records]
        raise SourceError(
            f"No record in {', '.join(source.info.label for source in self._sources)}: nothing matches "
            f"{', '.join(paths)} of {self._mapping.label}; what there is: {', '.join(passed[:5])}. "
            "`etl infer` writes a mapping for it."
        )

    def _check_sources(self) -> None:
        broken = [source for source in self._sources if source.problem]
        if len(broken) == 1:
            raise SourceError(broken[0].problem)
        if broken:
            names = ", ".join(source.info.label for source in broken)
            raise SourceError(f"{len(broken)} of {len(self._sources)} sources are broken: {names}.")

    def _snapshot(self, stages: Stages) -> Snapshot:
        sizes = [source.source.size for source in self._sources if source.state == "loading"]
        return Snapshot(
            position=stages.feeder.position,
            total=None if None in sizes else sum(size or 0 for size in sizes),
            document_bytes=self._tally.source_bytes,
            records=self._tally.records,
            rejected=self._tally.rejected,
            discarded=self._tally.discarded,
            seconds=time.monotonic() - self._began,
            pool=stages.coordinator.stats(),
            bottleneck=stages.coordinator.times.bottleneck(),
            activity=self._activity,
        )

    def _report(self, state: State) -> LoadReport:
        tally, stages = self._tally, self._stages
        passed = {path for source in self._sources for path in source.passed}
        sources = tuple(self._source_report(source) for source in self._sources)
        skipped = sum(source.skipped for source in sources)
        return LoadReport(
            state=state,
            target=self._target.label,
            mapping=self._mapping.label,
            sources=sources,
            tables={table.name: rows for table, rows in zip(self._mapping.tables, tally.rows, strict=True)},
            rejects=tuple(
                RejectReport(*group)
                for group in self._ledger.reject_summary([source.info.number for source in self._sources])
            ),
            key_problems=self._key_problems,
            notices=(*self._notices, *sentences(self._mapping, tally, passed, whole=not skipped)),
            records=tally.records + skipped,
            loaded=tally.loaded,
            rejected=tally.rejected,
            discarded=tally.discarded,
            skipped=skipped,
            seconds=time.monotonic() - self._began,
            source_bytes=tally.source_bytes,
            peak_memory=peak_memory() + (stages.engine.peak_memory() if stages else 0),
            pool=stages.coordinator.stats() if stages else _NO_POOL,
            bottleneck=stages.coordinator.times.bottleneck() if stages else "nothing to do",
            rows=self._target.rows(self._mapping) if isinstance(self._target, MemoryTarget) else None,
        )

    def _source_report(self, source: FedSource) -> SourceReport:
        before, after = source.totals, self._ledger.totals(source.info.number)
        return SourceReport(
            label=source.info.label,
            state=source.outcome(),
            records=after.records,
            loaded=after.loaded - before.loaded,
            rejected=after.rejected - before.rejected,
            discarded=after.discarded - before.discarded,
            skipped=before.records,
            source_bytes=source.document_bytes,
            problem=source.problem,
        )
