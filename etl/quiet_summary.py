"""What `--quiet` leaves of a summary: a line for each thing that is wrong and that no error tells.

In: a report. Out: lines of plain text, none where all is well. Where the exit code is not 0 there is a line or an
error.
"""

from __future__ import annotations

from collections.abc import Iterator

from etl.ledger_reports import RetryReport
from etl.report import CheckReport, LoadReport, SourceReport
from etl.shell_text import for_shell


def warn_of_load(report: LoadReport) -> Iterator[str]:
    """Of a load that failed an error tells, but not of its rejects."""
    if report.state == "stopped":
        reason = f" {report.stop_reason}" if report.stop_reason else ""
        yield f"Stopped.{reason} What is counted is committed in {report.target}; without -q a summary says more."
    # The ledger counts those of earlier runs, too.
    if rejected := sum(reject.count for reject in report.rejects) or report.rejected:
        yield f"{_counted(rejected, 'record')} rejected: `etl rejects --to {for_shell(report.target)}` tells which."
    if report.key_problems:
        first, *others = report.key_problems
        more = f" {_counted(len(others), 'key')} more could not be built." if others else ""
        yield f"{first.splitlines()[0]}{more}"
    if report.state != "failed":
        yield from _without_records(report.sources)


def warn_of_check(report: CheckReport) -> Iterator[str]:
    """Of sources that are broken the caller tells."""
    if report.rejected:
        yield f"{_counted(report.rejected, 'record')} would be rejected: without -q the same command tells why."
    yield from _without_records(report.sources)


def warn_of_retry(report: RetryReport) -> Iterator[str]:
    """Of a retry that failed an error tells."""
    if report.state == "stopped":
        yield "Stopped. The same command goes on from here."
    if report.rejected or report.left:
        left = f", and {report.left:,} left as before" if report.left else ""
        yield (
            f"{_counted(report.rejected, 'record')} rejected again{left}:"
            f" `etl rejects --to {for_shell(report.target)}` tells which."
        )


def _without_records(sources: tuple[SourceReport, ...]) -> Iterator[str]:
    """Nothing of these documents is loaded, and no reject says so."""
    number, first = 0, ""
    for source in sources:
        told = source.documents
        if told is not None and told.unmatched:
            number, first = number + told.unmatched, first or told.unmatched_example
        elif told is None and source.unmatched:
            number, first = number + 1, first or source.label
    if number:
        which = ", the first" if number > 1 else ""
        yield f"{_counted(number, 'document')} without a record of the mapping{which}: {first}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
