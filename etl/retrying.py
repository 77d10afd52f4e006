"""retry(): loads stored rejects again, through the stages of a load.

    etl_reject -> RetryFeed -> ParallelCoordinator (engine: workers) -> InsertQueue -> InsertThreads -> target

Each reject is deleted in the transaction that loads it. Sources that were loaded by one mapping go together, those of
different mappings one after the other. The caller's thread only waits, as in a load.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from etl.errors import EtlError, MappingError, TargetError, mask_password
from etl.extract.doctype import given_dtd
from etl.extract.dtd import Dtd
from etl.extract.member import ArchiveLimits
from etl.inspection import read_ledger
from etl.ledger_reports import RetryReport, RetryState
from etl.loading.ledger import Ledger
from etl.loading.ledger_reading import LedgerReader, RejectKind, Selection, StoredSource
from etl.loading.result_thread import Tally
from etl.loading.retries import Retries
from etl.loading.retry_ledger import RetryLedger
from etl.loading.stored_text import is_kept_as
from etl.mapping.functions import check_functions
from etl.mapping.model import Mapping
from etl.mapping.reader import parse_mapping, read_mapping
from etl.messages import RejectedRecord, SourceInfo
from etl.options import Errors, Settings
from etl.originals import Originals
from etl.progress import Progress, SilentProgress, format_list
from etl.record_schema import RecordSchema
from etl.reject_line import describe_reject
from etl.report import RejectReport
from etl.retry_feed import RetryFeed
from etl.running import Runner
from etl.shell_text import for_shell
from etl.stages import Callbacks, Stages
from etl.targets.base import Target
from etl.targets.merging import check_keys
from etl.targets.open import open_target
from etl.validation import open_schema


def retry(
    target: str,
    *,
    mapping: str | Path | Mapping | None = None,
    source: str | int | None = None,
    reason: str | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> RetryReport:
    """Load stored rejects again: all, or those of a source (its label, path or number) or of a document of a collection
    (its label), or those for a reason.

    `mapping`: a mended one; without it that by which each source was loaded. What the DTD of `settings` declares holds
    below what the documents declared. Raises EtlError, with what was committed
    as its `report` once the work has begun. The first KeyboardInterrupt ends it in order, a second one is raised.
    """
    settings = settings or Settings()
    # What is rejected again was a reject before: there is nothing to stop for.
    settings = settings.model_copy(update={"errors": Errors(max=None)})
    progress = progress or SilentProgress()
    dtd = given_dtd(settings.input.dtd, progress.note)
    given = read_mapping(Path(mapping)) if isinstance(mapping, str | Path) else mapping
    with read_ledger(target, settings) as ledger:
        selection, sources = ledger.select(None if source is None else str(source), reason)
        counts = ledger.counts(selection)
    chosen = [source for source in sources if source.number in counts]
    return _Retry(target, chosen, counts, selection, settings, dtd, progress).run(given)


class _Retry:
    """One retry."""

    def __init__(
        self,
        target: str,
        sources: Sequence[StoredSource],
        counts: dict[int, tuple[int, int]],
        selection: Selection,
        settings: Settings,
        dtd: Dtd | None,
        progress: Progress,
    ) -> None:
        """`counts`: how many rejects of a source are chosen, and their bytes."""
        self._target = target
        self._settings = settings
        self._dtd = dtd
        self._progress = progress
        self._selection = selection
        self._counts = counts
        self._sources = sources
        self._labels = {(source.number, 0): source.label for source in sources}
        """What documents are called, by the numbers of source and document: those that the report needs."""
        self._retries = Retries(settings.retry, progress.note)
        self._runner = Runner(progress, self._retries)
        self._tallies: list[Tally] = []
        self._position = 0
        """Bytes of the rejects of groups that are done with."""
        self._tables: Counter[str] = Counter()
        self._again: Counter[RejectKind] = Counter()
        self._first: dict[RejectKind, RejectedRecord] = {}
        self._notices: list[str] = []

    def run(self, given: Mapping | None) -> RetryReport:
        groups = [(given, self._sources)] if given else self._by_mapping()
        schema = open_schema(self._settings.input.validate_by)
        schemas = [schema(mapping) for mapping, _ in groups]
        for mapping, _ in groups:
            check_functions(mapping)
            check_keys(mapping, self._settings.write)
        try:
            for (mapping, sources), validates in zip(groups, schemas, strict=True):
                if sources and not self._runner.stopped:
                    retries = Retries(self._settings.retry, self._progress.note)
                    # The reader is closed first: SQLite's log goes with the last one who has the file open.
                    with (
                        closing(open_target(self._target, self._settings)) as place,
                        read_ledger(self._target, self._settings, retries) as ledger,
                    ):
                        self._retry(place, ledger, retries, mapping, sources, validates)
        except EtlError as error:
            if self._tallies:
                error.report = self._report("failed")
            raise
        finally:
            self._progress.stop()
        return self._report("stopped" if self._runner.stopped else "finished")

    def _by_mapping(self) -> list[tuple[Mapping, list[StoredSource]]]:
        """The sources, by the mappings that are kept with them."""
        groups: dict[tuple[str, str | None], list[StoredSource]] = {}
        for source in self._sources:
            groups.setdefault((source.mapping, source.mapping_file), []).append(source)
        return [(self._kept_mapping(sources[0]), sources) for sources in groups.values()]

    def _kept_mapping(self, source: StoredSource) -> Mapping:
        label = source.mapping_file or f"the mapping of source {source.number}"
        try:
            mapping = parse_mapping(source.mapping, label)
        except MappingError as error:
            raise MappingError(f"{error}\nThis is what {source.label} was loaded by; --map names another.") from error
        if source.mapping_file and _differs(Path(source.mapping_file), source.mapping):
            self._progress.note(
                f"{source.mapping_file} has changed since it was loaded by;"
                f" --map {for_shell(source.mapping_file)} retries by what it says now."
            )
        return mapping

    def _retry(
        self,
        place: Target,
        ledger: LedgerReader,
        retries: Retries,
        mapping: Mapping,
        sources: Sequence[StoredSource],
        validates: RecordSchema | None,
    ) -> None:
        """Retry the rejects of sources by one mapping; `retries` are the reader's. Raises EtlError."""
        place.notify = self._progress.note
        labels = {source.number: source.label for source in sources}
        schema = self._settings.ledger.database_schema
        claims = RetryLedger(place, schema, Ledger(place, schema, mapping), labels)
        self._retries.call(claims.begin)
        self._retries.call(lambda: _check_tables(place, mapping))
        self._retries.call(lambda: place.prepare(mapping, self._settings.keys))
        tally = Tally(rows=[0] * len(mapping.tables))
        self._tallies.append(tally)
        paths = [path for table in mapping.tables for path in table.records]
        selection = replace(self._selection, sources=tuple(labels))
        # Only now nobody else changes them any more.
        self._counts = {**self._counts, **dict.fromkeys(labels, (0, 0)), **ledger.counts(selection)}
        limits = ArchiveLimits.of(self._settings.limits)
        with closing(Originals(sources, limits, self._settings.input.dtd)) as originals:
            feed = RetryFeed(ledger, selection, originals, paths, self._settings, retries, self._dtd)
            stages = Stages(
                feed,
                [SourceInfo(source.number, source.label, source.load_id, source.started_at) for source in sources],
                sum(self._counts[source.number][1] for source in sources),
                mapping,
                place,
                claims,
                self._settings,
                tally,
                Callbacks(on_reject=self._rejected),
                # No pass at the end finds what a crash of the server has lost, so no commit may be lost.
                durable=True,
                schema=validates,
            )
            total = sum(size for _, size in self._counts.values())
            self._runner.show()
            self._runner.load(stages, place, self._tallies, self._position, total)
            self._progress.stop()
        in_collections = {_document(reject) for reject in self._first.values() if reject.document}
        if in_collections and stages.queue.error is None:
            self._labels |= ledger.labels(sorted(in_collections))
        self._position += feed.position
        self._tables.update({table.name: rows for table, rows in zip(mapping.tables, tally.rows, strict=True)})
        self._note_left(feed, mapping)
        if stages.queue.error is not None:
            raise stages.queue.error

    def _rejected(self, reject: RejectedRecord) -> None:
        kind = RejectKind(reject.reason, reject.table, reject.column)
        self._again[kind] += 1
        first = self._first.setdefault(kind, reject)
        # Several insert threads commit in any order.
        if (*_document(reject), reject.offset) < (*_document(first), first.offset):
            self._first[kind] = reject

    def _described(self, reject: RejectedRecord) -> str:
        label = self._labels.get(_document(reject)) or self._labels[reject.source, 0]
        return describe_reject(label, reject.line, reject.record, reject.message)

    def _note_left(self, feed: RetryFeed, mapping: Mapping) -> None:
        if feed.unavailable:
            self._notices.append(
                f"{feed.unavailable:,} of them are too large to be kept in the database, and their source is gone or"
                " has changed, or was mended (--repair) by another --dtd: they are left as they are."
            )
        if feed.unmet:
            names = format_list([f"<{name}> ({number:,})" for name, number in feed.unmet.most_common()], 5)
            self._notices.append(
                f"{feed.unmet.total():,} of them are left as they are, since {mapping.label} takes no such records"
                f" where they stand: {names}."
            )

    def _report(self, state: RetryState) -> RetryReport:
        selected = sum(number for number, _ in self._counts.values())
        loaded = sum(tally.loaded for tally in self._tallies)
        rejected = sum(tally.rejected for tally in self._tallies)
        discarded = sum(tally.discarded for tally in self._tallies)
        return RetryReport(
            state=state,
            target=mask_password(self._target),
            selected=selected,
            loaded=loaded,
            discarded=discarded,
            rejected=rejected,
            left=selected - loaded - discarded - rejected,
            tables=dict(self._tables),
            rejects=tuple(
                RejectReport(kind.reason, kind.table, kind.column, number, self._described(self._first[kind]))
                for kind, number in self._again.most_common()
            ),
            notices=tuple(self._notices),
            seconds=self._runner.seconds,
        )


def _document(reject: RejectedRecord) -> tuple[int, int]:
    return reject.source, reject.document


def _check_tables(place: Target, mapping: Mapping) -> None:
    """Raise TargetError where a table of the mapping is missing: rejects go where their neighbours are."""
    with closing(place.connect()) as connection:
        connection.begin()
        missing = place.missing_tables(connection, [table.name for table in mapping.tables])
        connection.rollback()
    if missing:
        raise TargetError(
            f"{place.label} has no table {format_list(sorted(missing))}, which {mapping.label} writes to: a retry"
            " creates none. Name the tables that the source was loaded into, or load it anew by this mapping."
        )


def _differs(file: Path, kept: str) -> bool:
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return False
    return text != kept and not is_kept_as(text, kept)
