"""What the commands on a ledger tell: plain values, as `etl.report` has them for loads."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from etl.errors import EXIT_FAILED, EXIT_OK, EXIT_REJECTS, EXIT_STOPPED
from etl.report import RejectReport

SourceState = Literal["loading", "building keys", "interrupted", "finished"]
"""`interrupted`: not finished, and nobody is at it."""

Obstacle = Literal["", "nameless", "changed", "gone"]
"""Why the same command does not go on with an interrupted source. `nameless`: it has no identity, and begins anew.
`changed`: its file has another content now. `gone`: its file is not there."""


RetryState = Literal["finished", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source, as far as it is in the database. Returned by `etl.status`."""

    number: int
    """In the ledger."""
    label: str
    state: SourceState
    holder: str
    """Who loads it, or retries its rejects, in words; empty where nobody does."""
    share: float | None
    """How much of the (compressed) source is committed, 0 to 1; None where its size is not known."""
    size: int | None
    """Bytes of the (compressed) source."""
    documents: int
    """Of an archive or a folder: documents that are committed, in part at least; 0 where the source is one document."""
    document_bytes: int
    """Bytes of the decompressed document, or documents, that are committed."""
    records: int
    loaded: int
    rejected: int
    discarded: int
    records_per_minute: float
    """Of the last minute while it is loaded, else of the whole time."""
    started_at: str
    finished_at: str | None
    obstacle: Obstacle
    keys_to_come: tuple[str, ...]
    """Those of its tables whose keys are not built."""


@dataclass(frozen=True, slots=True)
class RejectExample:
    """One reject."""

    source: int
    label: str
    line: int
    record: int
    offset: int
    length: int
    message: str
    raw: str | None
    """The beginning of the record; None where the database does not keep it, for its size."""


@dataclass(frozen=True, slots=True)
class RejectGroup:
    """Rejects that share reason, table and column."""

    reason: str
    table: str
    column: str
    count: int
    examples: tuple[RejectExample, ...]


@dataclass(frozen=True, slots=True)
class RejectsReport:
    """The rejects in a database. Returned by `etl.rejects`."""

    target: str
    """URL without password."""
    count: int
    groups: tuple[RejectGroup, ...]
    """The most frequent first."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What a document of rejects holds. Returned by `etl.export_rejects`."""

    records: int
    """Records written as they are."""
    ill_formed: int
    """Those that are not well-formed: each is a comment in its place."""
    unavailable: int
    """Those the database does not keep, for their size, and whose source is gone or changed, or was mended by another
    DTD: left out.
    """


@dataclass(frozen=True, slots=True)
class RetryReport:
    """What became of stored rejects. Returned by `etl.retry`."""

    state: RetryState
    target: str
    """URL without password."""
    selected: int
    """Rejects that were to be loaded."""
    loaded: int
    discarded: int
    rejected: int
    """Rejected again."""
    left: int
    """Not touched: see `notices`, or stopped before."""
    tables: Mapping[str, int]
    """Rows written, by table."""
    rejects: tuple[RejectReport, ...]
    """Those rejected again."""
    notices: tuple[str, ...]
    seconds: float

    @property
    def exit_code(self) -> int:
        if self.state != "finished":
            return EXIT_STOPPED if self.state == "stopped" else EXIT_FAILED
        return EXIT_REJECTS if self.rejected or self.left else EXIT_OK


def as_json(report: RejectsReport | RetryReport | Sequence[SourceStatus]) -> str:
    """A report as JSON; of a retry with its exit code."""
    if isinstance(report, RejectsReport):
        values: Any = dataclasses.asdict(report)
    elif isinstance(report, RetryReport):
        values = {**dataclasses.asdict(report), "exit_code": report.exit_code}
    else:
        values = [dataclasses.asdict(source) for source in report]
    return json.dumps(values, ensure_ascii=False)
