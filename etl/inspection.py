"""status(), rejects(), export_rejects(): what the ledger in a database tells. Nothing is written there.

In: a database URL. Out: plain values, or a document of rejects. Runs on the caller's thread.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from etl.errors import SettingsError
from etl.extract.decompress import CHUNK_BYTES
from etl.extract.member import ArchiveLimits
from etl.ledger_reports import (
    ExportReport,
    Obstacle,
    RejectExample,
    RejectGroup,
    RejectsReport,
    SourceState,
    SourceStatus,
)
from etl.loading.ledger_base import Totals
from etl.loading.ledger_reading import Committed, LedgerReader, RejectKind, Selection, StoredReject, StoredSource
from etl.loading.retries import Retries
from etl.messages import RejectedRecord
from etl.new_file import new_file
from etl.options import Settings
from etl.originals import Originals, has_changed
from etl.reject_document import RejectDocument, root_of, several_documents
from etl.reject_line import describe_reject, without_label
from etl.targets.open import open_target
from etl.targets.reading import open_for_reading

RATE_SECONDS = 60.0
"""The rate of a running load is that of the last minute."""

_MOST = 0.99
"""The share of a source that is not finished, at most: what is rounded must not say that it is."""

_NOTHING = Committed(Totals(), 0, 0, "")


@contextmanager
def read_ledger(target: str, settings: Settings, retries: Retries | None = None) -> Iterator[LedgerReader]:
    """The ledger in a database; with `retries` a lost connection is made anew. Raises SettingsError, TargetError."""
    with open_for_reading(target) as connection:
        yield LedgerReader(connection, settings.ledger.database_schema, retries)


def status(target: str, *, settings: Settings | None = None) -> tuple[SourceStatus, ...]:
    """Every source that loads brought to a database: state, progress, rate, rejects, who runs it.

    Raises SettingsError, TargetError.
    """
    settings = settings or Settings()
    moment = datetime.now(UTC)
    with read_ledger(target, settings) as ledger:
        sources, committed, documents = ledger.sources(), ledger.committed(), ledger.documents()
        recent = ledger.committed_since((moment - timedelta(seconds=RATE_SECONDS)).isoformat())
        keyless = ledger.tables_without_keys()
    with closing(open_target(target, settings)) as place:
        places = {lock: place.holder(lock) for lock in {source.lock for source in sources}}
    return tuple(
        _status(
            source,
            committed.get(source.number, _NOTHING),
            _holder(source, places[source.lock]),
            recent.get(source.number, 0),
            moment,
            keyless,
            documents.get(source.number, 0),
        )
        for source in sources
    )


def _status(
    source: StoredSource,
    done: Committed,
    holder: str,
    recent: int,
    moment: datetime,
    keyless: frozenset[str],
    documents: int,
) -> SourceStatus:
    state = _state(source, holder)
    totals = done.totals
    if state == "loading":
        records, seconds = recent, min(RATE_SECONDS, _seconds(source.started_at, moment.isoformat()))
    else:
        records, seconds = totals.records, _seconds(source.started_at, source.finished_at or done.last)
    return SourceStatus(
        number=source.number,
        label=source.label,
        state=state,
        holder=holder,
        share=_share(source, done),
        size=source.size,
        documents=documents,
        document_bytes=done.document_bytes,
        records=totals.records,
        loaded=totals.loaded,
        rejected=totals.rejected,
        discarded=totals.discarded,
        records_per_minute=60 * records / seconds if seconds > 0 else 0.0,
        started_at=source.started_at,
        finished_at=source.finished_at,
        obstacle=_obstacle(source) if state == "interrupted" else "",
        keys_to_come=tuple(table for table in json.loads(source.tables) if table in keyless),
    )


def _holder(source: StoredSource, place: str | None) -> str:
    """Who loads it, or retries its rejects, in words; empty where nobody does."""
    return "" if place is None else f"{source.holder} ({place})"


def _state(source: StoredSource, holder: str) -> SourceState:
    if source.state == "finished":
        return "finished"
    if not holder:
        return "interrupted"
    return "loading" if source.state == "loading" else "building keys"


def _share(source: StoredSource, done: Committed) -> float | None:
    if source.state != "loading":
        return 1.0
    if not source.size:
        return None
    if done.document_bytes < done.position:
        # Not compressed: reading is a chunk ahead of what is committed, at most (an encoding may take more bytes).
        return min(max(done.document_bytes, done.position - CHUNK_BYTES) / source.size, _MOST)
    # Read to its end, it tells no more how far the rows are.
    return min(done.position / source.size, _MOST) if done.position < source.size else None


def _obstacle(source: StoredSource) -> Obstacle:
    if source.fingerprint is None:
        return "nameless"
    if source.path is None:  # known by the name it was given
        return ""
    changed = has_changed(source)
    return "gone" if changed is None else "changed" if changed else ""


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() if end else 0.0


def rejects(
    target: str,
    *,
    source: str | int | None = None,
    reason: str | None = None,
    examples: int = 1,
    settings: Settings | None = None,
) -> RejectsReport:
    """The rejects in a database by reason, table and column, with the first `examples` of each.

    `source`: a source's label, path or number, or the label of a document in a collection. Raises SettingsError,
    TargetError.
    """
    with read_ledger(target, settings or Settings()) as ledger:
        selection, _ = ledger.select(_name(source), reason)
        kinds = ledger.kinds(selection)
        first = ledger.examples(selection, examples) if examples else {}
        return RejectsReport(
            target=ledger.label,
            count=sum(count for _, count in kinds),
            groups=tuple(_group(kind, count, first.get(kind, ())) for kind, count in kinds),
        )


def _group(kind: RejectKind, count: int, first: Sequence[StoredReject]) -> RejectGroup:
    examples = tuple(
        RejectExample(
            source=one.source,
            label=label,
            line=one.line,
            record=one.record,
            offset=one.offset,
            length=one.length,
            message=one.message,
            raw=None if one.raw is None else one.raw.decode("utf-8", "backslashreplace"),
        )
        for one, label, _ in first
    )
    return RejectGroup(kind.reason, kind.table, kind.column, count, examples)


def export_rejects(
    target: str,
    file: str | Path | BinaryIO,
    *,
    source: str | int | None = None,
    reason: str | None = None,
    settings: Settings | None = None,
) -> ExportReport:
    """Write rejects as one XML document of the original's shape, which `load` takes.

    `file`: a path, which must be free, or something open to write bytes to. `input.dtd` of `settings` is what the
    sources were mended by, where they were. Raises SettingsError where the rejects do not fit into one document,
    TargetError, OSError.
    """
    settings = settings or Settings()
    limits = ArchiveLimits.of(settings.limits)
    with read_ledger(target, settings) as ledger:
        selection, sources = ledger.select(_name(source), reason)
        _check_one_document(ledger, selection)
        originals = Originals(sources, limits, settings.input.dtd)
        if not isinstance(file, str | Path):
            return _write_document(ledger, selection, file, originals)
        try:
            with new_file(Path(file)) as out:
                return _write_document(ledger, selection, out, originals)
        except FileExistsError:
            raise SettingsError(f"{file} is there already, and is not written over: name another file.") from None


def _check_one_document(ledger: LedgerReader, selection: Selection) -> None:
    """Raises SettingsError, before anything is written, where these rejects cannot stand in one document."""
    number = sum(count for count, _ in ledger.counts(selection).values())
    if not number:
        raise SettingsError(f"{ledger.label} has no such rejects: there is nothing to export.")
    roots = {root_of(skeleton) for skeleton in ledger.one_skeleton_each(selection).values()}
    if len(roots) > 1 or (number > 1 and None in roots):
        raise several_documents()


def _write_document(ledger: LedgerReader, selection: Selection, out: BinaryIO, originals: Originals) -> ExportReport:
    document = RejectDocument(out.write)
    unavailable = 0
    with closing(originals):
        for stored in ledger.rejects(selection):
            record = originals.record(stored)
            if record is None:
                unavailable += 1
                continue
            document.add(stored.record, _described(stored.record, stored.label), record)
    document.finish()
    return ExportReport(document.records, document.ill_formed, unavailable)


def _described(reject: RejectedRecord, label: str) -> str:
    place = ".".join(part for part in (reject.table, reject.column) if part)
    where = f"{reject.reason}{f' in {place}' if place else ''}"
    return describe_reject(label, reject.line, reject.record, f"{where}: {without_label(label, reject.message)}")


def _name(source: str | int | None) -> str | None:
    return None if source is None else str(source)
