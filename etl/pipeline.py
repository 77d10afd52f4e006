"""One load, from registering its sources to its report.

`Pipeline.run` is called once, on the caller's thread, which only waits while the stages run on threads of their own.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from etl.bottleneck import slow_phase
from etl.errors import EtlError, InternalError, SourceError, TargetError
from etl.extract.repair import Repair
from etl.extract.source import Source, apart
from etl.extract.unpacked import unpacked_size
from etl.fed_source import FedSource, total_size
from etl.feeding import Feeder, make_splitter
from etl.fingerprints import repaired
from etl.finishing import Finishing
from etl.loading.ledger import open_ledger
from etl.loading.result_thread import Tally
from etl.loading.retries import Retries
from etl.mapping.model import Mapping, Reading
from etl.messages import RejectedRecord
from etl.metrics import peak_memory
from etl.native import unavailable
from etl.native.choice import slower_tables
from etl.notices import sentences
from etl.options import Settings
from etl.patient_ledger import PatientLedger
from etl.progress import Progress, format_list
from etl.record_schema import RecordSchema
from etl.repair_hint import repair_hints
from etl.report import LoadReport, NativeReport, RejectReport, SourceReport, State
from etl.running import Runner
from etl.stages import INLINE_BELOW, Callbacks, Stages
from etl.targets.base import Target
from etl.targets.memory import MemoryTarget
from etl.targets.merging import check_keys

if TYPE_CHECKING:
    from etl.extract.dtd import Dtd

PASSED_SHOWN = 5
"""Paths of elements that are no records: enough to see what a document is."""

VAIN_PASSES = 3
"""How often in a row a pass may leave missing what was missing before, until the load gives up."""


class Pipeline:
    """A load of some sources into a target. `run` once."""

    def __init__(
        self,
        mapping: Mapping,
        target: Target,
        settings: Settings,
        progress: Progress,
        schema: RecordSchema | None = None,
        dtd: Dtd | None = None,
    ) -> None:
        """`schema`: what records are validated by; `dtd`: what the settings name, read."""
        self._schema = schema
        self._mapping = mapping
        self._target = target
        self._settings = settings
        self._progress = progress
        reading = Reading(dtd.digest if dtd is not None else "", schema.digest if schema is not None else "")
        self._ledger = open_ledger(target, settings.ledger.database_schema, replace(mapping, reading=reading))
        self._tally = Tally(rows=[0] * len(mapping.tables))
        self._sources: list[FedSource] = []
        self._nameless: set[int] = set()
        self._passes: list[Stages] = []
        """Of this run; more than one where the server lost what it had committed."""
        self._notices: tuple[str, ...] = ()
        self._retries = Retries(settings.retry, progress.note)
        self._runner = Runner(progress, self._retries)
        self._finishing = Finishing(mapping, target, self._ledger, self._retries, lambda: self._runner.stopped)

    def run(
        self,
        found: Sequence[Source],
        limit: int | None,
        source_name: str | None,
        callbacks: Callbacks,
        *,
        again: bool = False,
    ) -> LoadReport:
        """Load what the ledger does not have yet; `again`: what it has, too, into emptied tables.

        Raises EtlError with the report of what was committed.
        """
        check_keys(self._mapping, self._settings.write)
        self._target.notify = self._progress.note
        self._runner.show()
        try:
            return self._run(found, limit, source_name, callbacks, again=again)
        finally:
            self._progress.stop()

    def abort(self, error: BaseException) -> None:
        """From any thread, as often as one likes: give up what is in hand; `run` ends soon.

        It raises `error`, or the EtlError of a statement that was interrupted.
        """
        self._runner.abort(self._target, self._passes[-1] if self._passes else None, error)

    def _run(
        self, found: Sequence[Source], limit: int | None, source_name: str | None, callbacks: Callbacks, *, again: bool
    ) -> LoadReport:
        self._retries.call(self._ledger.prepare)
        self._register_all(found, source_name, again=again)
        pending = [source for source in self._sources if source.state != "finished"]
        if not pending:
            # Those that rows stood in the way of, which may be gone by now.
            self._runner.run(self._build_keys, self._target)
            return self._told("stopped" if self._runner.stopped else "nothing to do")
        preparation = self._retries.call(lambda: self._target.prepare(self._mapping, self._settings.keys))
        self._notices += preparation.notices
        try:
            state = self._load_all(pending, limit, callbacks)
            if state == "finished" and not any(map(_had_more, self._sources)):
                state = "nothing to do"
            if state == "finished":
                self._check_sources()
        except EtlError as error:
            with contextlib.suppress(EtlError):  # a database that is gone cannot tell what it has
                error.report = self._report("failed")
            raise
        return self._told(state)

    def _register_all(self, found: Sequence[Source], name: str | None, *, again: bool) -> None:
        """Register the sources; those that hold the same are one, since nothing is loaded twice."""
        labels: dict[str, str] = {}
        identified: list[tuple[Source, str | None]] = []
        # A folder whose files were few enough for sources of their own goes on with them as it began.
        folders = any(source.kind == "folder" for source in found)
        begun = self._retries.call(self._ledger.unfinished_paths) if folders else ()
        for source in chain.from_iterable(apart(one, begun) for one in found):
            fingerprint = source.fingerprint() if name is None else _name_fingerprint(name, source.repair)
            if fingerprint is not None and fingerprint in labels:
                self._notices += (f"{source.label} holds the same as {labels[fingerprint]}: it is loaded once.",)
                continue
            identified.append((source, fingerprint))
            if fingerprint is not None:
                labels[fingerprint] = source.label
        if again:
            paths = [source.absolute for source in found if source.absolute is not None]
            self._retries.call(lambda: self._ledger.begin_again(list(labels), paths))
        for source, fingerprint in identified:
            self._sources.append(self._register(source, fingerprint, name))

    def _register(self, source: Source, fingerprint: str | None, name: str | None) -> FedSource:
        if fingerprint is None and self._target.keeps_ledger:
            self._progress.note(
                f"{source.label} has no identity: a load of it that is stopped begins anew, with new rows. "
                "--source-name gives it one."
            )
        known = self._retries.call(
            lambda: self._ledger.register(
                name or source.label,
                fingerprint,
                source.size,
                path=source.absolute,
                prefix=lambda size: source.up_to(size).fingerprint(),
                open_ended=source.kind == "folder",
            )
        )
        self._notices += known.notices
        if fingerprint is None:
            self._nameless.add(known.info.number)
        nameless = fingerprint is None
        return FedSource(source, known.info, known.done, known.state, known.totals, source.rereadable, nameless)

    def _load_all(self, pending: Sequence[FedSource], limit: int | None, callbacks: Callbacks) -> State:
        """Feed, look for what a crash of the server has lost, feed that again; until all is there and finished."""
        feed = [source for source in pending if source.state == "loading"]
        vain = 0
        while True:
            self._load(feed, limit, callbacks)
            if self._runner.stopped:
                return "stopped"
            self._check_found()
            done = [source for source in pending if source.complete or source.state != "loading"]
            before = self._finishing.gaps
            self._runner.run(lambda: self._finish(done), self._target)  # noqa: B023 - it has ended when `done` changes
            if not self._finishing.gaps:
                return "finished" if self._finishing.finished else "stopped"
            vain = vain + 1 if self._finishing.gaps == before else 0
            feed, limit = self._to_feed_again(done, give_up=vain == VAIN_PASSES), None

    def _to_feed_again(self, done: Sequence[FedSource], *, give_up: bool) -> list[FedSource]:
        """The sources of which the server has lost pieces, each with what is there of it."""
        feed = []
        for source in done:
            gaps = self._finishing.gaps.get(source.info.number)
            if not gaps:
                continue
            lost = (
                f"{self._target.label} has lost committed pieces of {source.info.label}, from byte {gaps[0].start:,}"
                " on: was the server restarted?"
            )
            if give_up or not source.rereadable:
                raise TargetError(f"{lost} Run the same command again to load just these.")
            self._progress.note(f"{lost} They are fed again.")
            self._notices += (f"{lost} They were loaded again, and the numbers of rows by table count them twice.",)
            known = self._retries.call(lambda: self._ledger.done(source.info.number))  # noqa: B023 - called at once
            feed.append(source.to_feed_again(known))
        return feed

    def _load(self, sources: Sequence[FedSource], limit: int | None, callbacks: Callbacks) -> None:
        if not sources:
            return
        before = self._tally.records
        ledger = PatientLedger(self._ledger, self._settings.retry, self._progress.note)
        stages = Stages(
            Feeder(sources, make_splitter(self._mapping, self._settings), limit, ledger, self._settings),
            [source.info for source in sources],
            self._size(sources),
            self._mapping,
            self._target,
            self._ledger,
            self._settings,
            self._tally,
            callbacks,
            # What a crash of the server loses of commits it has answered can only be fed again where that can be read.
            durable=not all(source.rereadable for source in sources),
            schema=self._schema,
            documents=lambda: _documents(sources),
        )
        total = total_size(source for source in self._sources if source.state == "loading")
        self._passes.append(stages)
        self._runner.load(stages, self._target, [self._tally], 0, total)
        if stages.queue.error is not None:
            raise stages.queue.error
        if not self._runner.stopped:
            self._check_account(sources, self._tally.records - before)

    def _size(self, sources: Sequence[FedSource]) -> int | None:
        """Bytes to be mapped, as far as something hangs on it."""
        if self._settings.workers.kind is not None:
            return None
        return unpacked_size([source.source for source in sources], INLINE_BELOW)

    def _check_account(self, sources: Sequence[FedSource], committed: int) -> None:
        """records read = loaded + rejected + discarded + skipped: the promise, held at the end of every load."""
        tally = self._tally
        read = sum(source.records - source.skipped for source in sources)
        accounted = tally.loaded + tally.rejected + tally.discarded
        if tally.records != accounted or (read != committed and not tally.duplicates):
            raise InternalError(
                f"{read:,} records were read, but {committed:,} of {tally.records:,} committed ({tally.loaded:,} "
                f"loaded, {tally.rejected:,} rejected, {tally.discarded:,} discarded). Please report this."
            )

    def _finish(self, done: Sequence[FedSource]) -> None:
        """Mark sources whose rows are all there, and build the keys."""
        self._runner.now("building keys")
        self._finishing.run(done)
        for source in done:
            source.finished = self._finishing.finished

    def _build_keys(self) -> None:
        self._runner.now("building keys")
        self._finishing.build_keys()

    def _check_found(self) -> None:
        """No record at all and other elements instead: the mapping is for something else. (No element: no records.)"""
        passed = sorted(path for source in self._sources for path in source.passed)
        if not passed or any(source.records or source.totals.records or source.problem for source in self._sources):
            return
        paths = [path.text for table in self._mapping.tables for path in table.records]
        raise SourceError(
            f"No record in {format_list([source.info.label for source in self._sources])}: nothing matches "
            f"{', '.join(paths)} of {self._mapping.label}; what there is: {', '.join(passed[:PASSED_SHOWN])}. "
            "`etl infer` writes a mapping for it."
        )

    def _check_sources(self) -> None:
        broken = [source for source in self._sources if source.problem]
        if len(broken) == 1:
            raise SourceError(broken[0].problem)
        if broken:
            names = format_list([source.info.label for source in broken])
            raise SourceError(f"{len(broken)} of {len(self._sources)} sources are broken: {names}.")

    def _told(self, state: State) -> LoadReport:
        """The report of a load that came to its end, which a connection lost only now must not spoil."""
        return self._retries.call(lambda: self._report(state))

    def _report(self, state: State) -> LoadReport:
        # A further pass feeds a little again: what the first one did tells where the time went.
        tally, stages = self._tally, self._passes[0] if self._passes else None
        metrics, phases = stages.metrics() if stages else None, self._runner.phases
        passed = {path for source in self._sources if not _unmatched(source) for path in source.passed}
        sources = tuple(self._source_report(source) for source in self._sources)
        skipped = sum(source.skipped for source in sources)
        with_rejects = [
            source.info.number
            for source, told in zip(self._sources, sources, strict=True)
            if told.rejected + told.rejected_before
        ]
        return LoadReport(
            state=state,
            target=self._target.label,
            mapping=self._mapping.label,
            sources=sources,
            tables={table.name: rows for table, rows in zip(self._mapping.tables, tally.rows, strict=True)},
            rejects=tuple(RejectReport(*group) for group in self._ledger.reject_summary(with_rejects)),
            key_problems=self._finishing.key_problems,
            notices=(
                *self._notices,
                *sentences(self._mapping, tally, passed, whole=not skipped),
                *repair_hints(
                    tally.ill_formed,
                    self._label,
                    kept=self._target.keeps_ledger,
                    finished={source.info.number for source in self._sources if source.finished},
                ),
            ),
            records=sum(source.loaded + source.rejected + source.discarded for source in sources) + skipped,
            loaded=sum(source.loaded for source in sources),
            rejected=sum(source.rejected for source in sources),
            discarded=sum(source.discarded for source in sources),
            skipped=skipped,
            seconds=self._runner.seconds,
            phases=phases,
            source_bytes=tally.source_bytes,
            peak_memory=peak_memory() + (stages.engine.peak_memory() if stages else 0),
            metrics=metrics,
            bottleneck=slow_phase(phases) or (stages.bottleneck(metrics) if stages and metrics else "nothing to do"),
            stop_reason=next((stages.stop_reason for stages in self._passes if stages.stop_reason), ""),
            rows=self._target.rows(self._mapping) if isinstance(self._target, MemoryTarget) else None,
            native=NativeReport(
                unavailable(),
                tally.splits,
                dict(tally.declined),
                slower_tables(self._mapping),
                in_threads=stages is not None and stages.worker_kind == "thread",
                writing=self._target.slower_writing,
            ),
        )

    def _label(self, reject: RejectedRecord) -> str:
        """What a person calls the document that it is in."""
        label = self._ledger.document_label(reject.source, reject.document) if reject.document else ""
        return label or next(one.info.label for one in self._sources if one.info.number == reject.source)

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
            resumable=source.info.number not in self._nameless,
            rejected_before=before.rejected,
            source_bytes=source.document_bytes,
            problem=source.problem,
            unmatched=_unmatched(source),
            documents=None if source.documents is None else source.documents.report(),
            mends=source.mends,
        )


def _had_more(source: FedSource) -> bool:
    """Whether a source turned out to have anything that was not loaded before."""
    told = source.documents
    return source.state != "finished" and (told is None or not told.known or bool(told.begun or told.resumed))


def _unmatched(source: FedSource) -> tuple[str, ...]:
    """Paths of what the source holds, where none of it is a record."""
    if source.records or source.totals.records or source.problem:
        return ()
    return tuple(sorted(source.passed)[:PASSED_SHOWN])


def _documents(sources: Sequence[FedSource]) -> tuple[int, int]:
    """How many came by so far, and the bytes read of them."""
    told = [source.documents for source in sources]
    number = sum(1 if each is None else each.begun + len(each.resumed) + each.known + each.twins for each in told)
    return number, sum(source.document_bytes for source in sources)


def _name_fingerprint(name: str, repair: Repair | None) -> str:
    """Identity of a source that has none but the name it was given; `repair`: how it is mended, if it is."""
    content = "name:" + hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
    return content if repair is None else repaired(content, repair.declared)
