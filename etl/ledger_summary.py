"""What a person reads of a ledger: sources, rejects, what a retry or an export did. In: reports. Out: lines of text.

A line's indentation is its level; the caller may wrap it to the width of a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size

from etl.ledger_reports import ExportReport, Obstacle, RejectExample, RejectsReport, RetryReport, SourceStatus
from etl.progress import format_bytes, format_duration, format_list
from etl.reject_line import without_label

LEAST_SHOWN = 20
"""Characters of a record that are shown on a very narrow screen, too."""


_NEXT: dict[Obstacle, str] = {
    "": "the same command goes on",
    "nameless": "it has no identity, so the same command begins anew, with its rows again; --source-name gives it one",
    "changed": "its file has another content now, which the same command loads as a new source",
    "gone": "its file is not there any more",
}


def summarize_status(target: str, sources: Sequence[SourceStatus]) -> Iterator[str]:
    """A few lines for each source."""
    if not sources:
        yield f"No source has been loaded into {target} yet."
    for source in sources:
        yield f"{source.number}  {source.label}: {_progress(source)}"
        counts = [f"{source.loaded:,} loaded", f"{source.rejected:,} rejected"]
        counts += [f"{source.discarded:,} discarded"] if source.discarded else []
        records = _records(source.records)
        records += f" of {_documents(source.documents)}" if source.documents else ""
        yield f"   {records}: {', '.join(counts)}; {source.records_per_minute:,.0f} records/min"
        yield f"   {_when(source)}{_who(source)}"


def _progress(source: SourceStatus) -> str:
    size = f"{format_bytes(source.document_bytes)} of XML"
    if source.state == "finished":
        keys = f", but without the keys of {format_list(source.keys_to_come, 3)}" if source.keys_to_come else ""
        return f"finished{keys}, {size}"
    share = "" if source.share is None else f", {source.share:.0%} of {format_bytes(source.size or 0)}"
    state = "rows loaded, keys to come" if source.state == "building keys" else source.state
    return f"{state}{share}, {size}"


def _when(source: SourceStatus) -> str:
    end = f", finished {_moment(source.finished_at)}" if source.finished_at else ""
    return f"begun {_moment(source.started_at)}{end}"


def _who(source: SourceStatus) -> str:
    if source.state == "interrupted":
        return f"; nobody is at it: {_NEXT[source.obstacle]}"
    doing = "its rejects are retried" if source.state == "finished" else "run"
    return f"; {doing} by {source.holder}" if source.holder else ""


def _moment(text: str) -> str:
    return f"{text[:16].replace('T', ' ')} UTC"


def summarize_rejects(report: RejectsReport, width: int) -> Iterator[str]:
    """The rejects by kind, with their examples; `width`: characters of a line that shows a record, at most."""
    yield f"{_rejects(report.count)} in {report.target}{':' if report.groups else '.'}"
    for group in report.groups:
        place = ".".join(part for part in (group.table, group.column) if part)
        yield f"  {group.count:,} x {group.reason}{f' in {place}' if place else ''}"
        for example in group.examples:
            message = one_line(without_label(example.label, example.message))
            yield f"    {example.label}, line {example.line}, record {example.record}: {message}"
            yield f"      {_shown(example, max(width - 6, LEAST_SHOWN))}"
    if report.groups:
        yield "`etl retry` loads them again, by a mended mapping with --map; --export FILE writes them as XML."


def _shown(example: RejectExample, width: int) -> str:
    if not example.length:
        return "(0 bytes)"
    if example.raw is None:
        return f"({format_bytes(example.length)}, too large to be kept)"
    text = one_line(example.raw)
    if cell_len(text) <= width and len(example.raw.encode()) >= example.length:
        return text
    end = f"… ({format_bytes(example.length)})"
    return set_cell_size(text, min(cell_len(text), max(width - cell_len(end), LEAST_SHOWN))).rstrip() + end


def one_line(text: str) -> str:
    """Text on one line, what does not print as an escape."""
    words = " ".join(text.split())
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in words)


def summarize_export(report: ExportReport, file: str) -> Iterator[str]:
    """What the document holds, and what it could not hold."""
    yield f"Wrote {_rejects(report.records)} as XML to {file}."
    if report.ill_formed:
        stand = "is not well-formed and stands" if report.ill_formed == 1 else "are not well-formed and stand"
        yield f"  {report.ill_formed:,} more {stand} there as a comment, to be mended by hand."
    if report.unavailable:
        are = "is" if report.unavailable == 1 else "are"
        yield (
            f"  {report.unavailable:,} more {are} not there: too large to be kept in the database, and the source is"
            " gone or has changed, or was mended (--repair) by a DTD that is not the one given (--set input.dtd=FILE)."
        )


def summarize_retry(report: RetryReport) -> Iterator[str]:
    """What became of the rejects."""
    if not report.selected:
        yield f"Nothing to do: {report.target} has no such rejects."
        return
    how = {"finished": "Loaded", "stopped": "Stopped: loaded", "failed": "Failed: loaded"}[report.state]
    yield (
        f"{how} {report.loaded:,} of {_rejects(report.selected)} into {report.target} in"
        f" {format_duration(report.seconds)}."
    )
    for name, rows in report.tables.items():
        if rows:
            yield f"  {rows:,} rows  {name}"
    if report.discarded:
        yield f"  {report.discarded:,} discarded by the mapping"
    if report.rejected:
        yield f"Rejected {report.rejected:,} again:"
    for reject in report.rejects:
        place = ".".join(part for part in (reject.table, reject.column) if part)
        yield f"  {reject.count:,} x {reject.reason}{f' in {place}' if place else ''}, the first: {reject.example}"
    if report.left:
        yield f"Left {report.left:,} as {'it was' if report.left == 1 else 'they were'}."
    for notice in report.notices:
        yield f"  - {notice}"
    if report.state == "stopped":
        yield "The same command goes on from here."


def _rejects(number: int) -> str:
    return f"{number:,} reject{'' if number == 1 else 's'}"


def _documents(number: int) -> str:
    return f"{number:,} document{'' if number == 1 else 's'}"


def _records(number: int) -> str:
    return f"{number:,} record{'' if number == 1 else 's'}"
