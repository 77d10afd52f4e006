"""What a load or a check tells its caller in the end: plain values, from the ledger where there is one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from etl.errors import EXIT_FAILED, EXIT_OK, EXIT_REJECTS, EXIT_STOPPED
from etl.extract.mends import Mend
from etl.metrics import LoadMetrics

UNSAVED = "the inferred mapping"
"""What a mapping is called that no file holds."""

Outcome = Literal["finished", "finished before", "stopped", "broken"]
"""Of a source. `finished before`: an earlier run had loaded it. `stopped`: also by a limit. `broken`: see `problem`."""

State = Literal["finished", "nothing to do", "stopped", "failed"]
"""Of a load."""


@dataclass(frozen=True, slots=True)
class DocumentsReport:
    """What was found in a source that holds many documents: an archive, or a folder of many small files."""

    read: int
    """Documents that this run has read."""
    known: int
    """Documents that were loaded before, here or as other sources."""
    twins: int
    """Documents that hold the same as another of the source: loaded once."""
    changed: int
    """Files of a folder that were loaded before with another content, which is there as well."""
    changed_example: str
    """The first of them."""
    reverted: int
    """Files of a folder that have a content again which they had before another one: what was loaded last is that."""
    reverted_example: str
    """The first of them."""
    skipped: Mapping[str, int]
    """What is no document, by the reason (not XML, a link, encrypted, ...)."""
    skipped_examples: Mapping[str, str]
    """The first of each."""
    unmatched: int
    """Documents in which nothing is a record of the mapping, now or when they were loaded before."""
    unmatched_example: str
    """The first of them."""
    broken: int
    """Documents that could not be read, or not to their end; see `SourceReport.problem`."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One source of the run."""

    label: str
    state: Outcome
    records: int
    """Records read: loaded + rejected + discarded + skipped (skipped: committed by an earlier run)."""
    loaded: int
    rejected: int
    discarded: int
    skipped: int
    source_bytes: int
    """Bytes of the decompressed document read."""
    resumable: bool = True
    """False where it has no identity (standard input without a name): a repeat begins anew, with its rows again."""
    rejected_before: int = 0
    """Rejected by earlier runs: some of `skipped`."""
    problem: str = ""
    """A sentence with the position where the document breaks."""
    unmatched: tuple[str, ...] = ()
    """Paths of what it holds (the first few), where nothing in it is a record of the mapping; else none."""
    mends: tuple[Mend, ...] = ()
    """What `--repair` mended in what this run read, by kind."""
    documents: DocumentsReport | None = None
    """Where it holds many, and was read."""


@dataclass(frozen=True, slots=True)
class RejectReport:
    """Rejects that share reason, table and column."""

    reason: str
    table: str
    column: str
    count: int
    example: str
    """Message and position of the first one."""


@dataclass(frozen=True, slots=True)
class NativeReport:
    """Whether the compiled scanner read the records, which is the fast path; what it does not read, lxml does."""

    unavailable: str = ""
    """Why it was not used at all, as a sentence without its beginning and end; "" where it was."""
    splits: int = 0
    """Splits that were mapped and committed."""
    declined: Mapping[str, int] = field(default_factory=dict)
    """How many of them lxml read, by reason."""
    slower_tables: Mapping[str, str] = field(default_factory=dict)
    """Tables that lxml reads in any case, and why."""
    in_threads: bool = False
    """The workers were threads, which share the slower path badly."""
    writing: str = ""
    """Why rows were written by the slower path, where there is a faster one; like `unavailable`."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load did. Returned by `etl.load`; on an error it is the exception's `report`."""

    state: State
    target: str
    """URL without password."""
    mapping: str
    """The mapping file, or `UNSAVED`."""
    sources: tuple[SourceReport, ...]
    tables: Mapping[str, int]
    """Rows written by this run, by table, in the mapping's order; those written again after a crash count again."""
    rejects: tuple[RejectReport, ...]
    key_problems: tuple[str, ...]
    notices: tuple[str, ...]
    """Sentences: columns that never matched, elements no column takes, values that were not the only ones, ..."""
    records: int
    loaded: int
    rejected: int
    discarded: int
    skipped: int
    seconds: float
    phases: Mapping[str, float]
    """Seconds of `preparing` (ledger, tables, waits for locks), `loading` and `building keys`, as far as it came."""
    source_bytes: int
    """Bytes of the decompressed documents read by this run."""
    peak_memory: int
    """Bytes: the sum of the largest resident sizes of this process and of its workers."""
    metrics: LoadMetrics | None
    """Where the time of the stages and the room of the queue went, while the sources were read for the first time; None
    where nothing was loaded."""
    bottleneck: str
    """What limited the speed: reading, mapping, writing or nothing; with what to turn."""
    stop_reason: str = ""
    """Why it stopped by itself, in a sentence: more rejects than the setting `errors.max` allows."""
    rows: Mapping[str, list[dict[str, Any]]] | None = None
    """For `memory://`: the rows by table, as {column: value}."""
    native: NativeReport = field(default_factory=NativeReport)
    skipped_files: Mapping[str, int] = field(default_factory=dict)
    """Files that a folder or a pattern brought and that are no documents, by the reason, without those that
    `DocumentsReport.skipped` counts."""
    skipped_files_examples: Mapping[str, str] = field(default_factory=dict)
    """The first of each."""

    @property
    def records_per_minute(self) -> float:
        return (self.records - self.skipped) / self.seconds * 60 if self.seconds else 0.0

    @property
    def exit_code(self) -> int:
        if self.state == "failed":
            return EXIT_FAILED
        if self.state == "stopped":
            return EXIT_STOPPED
        before = any(source.rejected_before for source in self.sources)
        return EXIT_REJECTS if self.rejected or before or self.key_problems else EXIT_OK

    def to_json(self) -> str:
        """The report as one JSON object (without `rows`)."""
        values = dataclasses.asdict(dataclasses.replace(self, rows=None))
        del values["rows"]
        values["records_per_minute"] = round(self.records_per_minute)
        values["exit_code"] = self.exit_code
        return json.dumps(values, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `etl check` found: everything a load would report except the database."""

    mapping: str
    """The mapping file, or `UNSAVED`."""
    sources: tuple[SourceReport, ...]
    tables: Mapping[str, int]
    rejects: tuple[RejectReport, ...]
    notices: tuple[str, ...]
    records: int
    loaded: int
    rejected: int
    discarded: int
    seconds: float
    source_bytes: int
    first_rows: Mapping[str, list[dict[str, Any]]]
    """By table, the first rows as they would be written (as many as were asked for)."""
    native: NativeReport = field(default_factory=NativeReport)
    skipped_files: Mapping[str, int] = field(default_factory=dict)
    """Files that a folder or a pattern brought and that are no documents, by the reason, without those that
    `DocumentsReport.skipped` counts."""
    skipped_files_examples: Mapping[str, str] = field(default_factory=dict)
    """The first of each."""

    @property
    def exit_code(self) -> int:
        if any(source.state == "broken" for source in self.sources):
            return EXIT_FAILED
        return EXIT_REJECTS if self.rejected else EXIT_OK
