"""What a person reads after a load or a check. In: the report. Out: lines of plain text, for `etl.commands` to print.

A line's indentation is its level; the caller may wrap it to the width of a terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from etl.bottleneck import format_latency
from etl.extract.member import described_skips
from etl.extract.mends import described, sum_up
from etl.metrics import LoadMetrics
from etl.progress import format_bytes, format_duration, format_list
from etl.reject_line import without_label
from etl.report import UNSAVED, CheckReport, DocumentsReport, LoadReport, NativeReport, RejectReport, SourceReport
from etl.shell_text import for_shell

SOURCES_SHOWN = 20
"""Lines of sources at most, so that what follows them can be seen; the rest is counted by state."""

_LONG = 5.0
"""Seconds from which it is worth a line what limited a load; of a shorter one the start is most."""


def summarize_load(report: LoadReport, *, name: str | None = None, verbose: bool = False) -> list[str]:
    """What a load did, what did not go well, and what to do next; `name`: the source's, where one was given."""
    return [
        _headline(report, name),
        *([f"  {report.stop_reason}"] if report.stop_reason else []),
        *_sources(report.sources, everyone=verbose or len(report.sources) > 1, problems=not _told_by_error(report)),
        *_skipped_files(report),
        *(_numbers(report, verbose) if report.records and report.state != "nothing to do" else []),
        *_mended(report.sources),
        *_rejects(report.rejects, report.rejected),
        *_listed("Keys that could not be built:", report.key_problems),
        *_listed("Worth a look:", report.notices),
        *_next_steps(report),
    ]


def summarize_check(report: CheckReport, width: int) -> list[str]:
    """What a load would do: counts, rejects, what the mapping misses, and the first rows where they were asked for.

    `width`: characters of a line that shows rows, at most.
    """
    from etl.preview import preview  # rich measures its rows, and takes a while to import

    return [
        f"Read {_records(report.records)}, {format_bytes(report.source_bytes)} of XML, in "
        f"{format_duration(report.seconds)}, mapped by {report.mapping}. Nothing was written.",
        *_sources(report.sources, everyone=len(report.sources) > 1, problems=True),
        *_skipped_files(report),
        *_table_rows(report.tables),
        _account(report.records, report.loaded, report.rejected, report.discarded, 0),
        *_native_tables(report),
        *_mended(report.sources),
        *_rejects(report.rejects, report.rejected),
        *_listed("Worth a look:", report.notices),
        *_mapping_to_change(report),
        *_mapping_to_add(report),
        *preview(report.first_rows, report.tables, width),
    ]


def _headline(report: LoadReport, name: str | None) -> str:
    if report.state == "nothing to do" and name is not None:
        return (
            f"Nothing to do: the source named {name} is finished in {report.target}, and standard input was not read."
            " Another --source-name loads it, or --again anew."
        )
    if report.state == "nothing to do":
        return f"Nothing to do: an earlier run has loaded all of it into {report.target}."
    if report.state == "stopped":
        return f"Stopped after {format_duration(report.seconds)}. What is counted here is committed in {report.target}."
    if report.state == "failed":
        return f"Failed after {format_duration(report.seconds)}. What is counted here is committed in {report.target}."
    return f"Loaded {_records(report.loaded)} into {report.target} in {format_duration(report.seconds)}."


def _told_by_error(report: LoadReport) -> bool:
    """The error that ended a load tells the problem of its only broken source."""
    return report.state == "failed" and sum(bool(source.problem) for source in report.sources) == 1


def _sources(sources: Sequence[SourceReport], *, everyone: bool, problems: bool) -> Iterator[str]:
    """A line for each, or where they are many for those of which there is more to say."""
    told = [source for source in sources if everyone or source.problem or source.unmatched or source.documents]
    if len(told) > SOURCES_SHOWN:
        # Stable: in each half they stay in the order of the load.
        told = sorted(told, key=lambda source: not (source.problem or source.unmatched))
    for source in told[:SOURCES_SHOWN]:
        yield f"  {source.label}: {source.state}, {_records(source.records)}"
        if source.documents is not None:
            yield from _documents(source.documents)
        if source.unmatched:
            yield f"    nothing matches the mapping; it has {', '.join(source.unmatched)}"
        if source.problem and problems:
            yield f"    {without_label(source.label, source.problem)}"
    yield from _further_sources(told[SOURCES_SHOWN:])


def _documents(told: DocumentsReport) -> Iterator[str]:
    """Of a source that holds many documents: what of it was read, and what was not."""
    known = f", {told.known:,} loaded before" if told.known else ""
    yield f"    {_counted(told.read, 'document')} read{known}"
    if told.twins:
        yield f"    {_counted(told.twins, 'document')} more that hold the same as others: each is loaded once"
    if told.unmatched:
        example = _first(told.unmatched_example, told.unmatched)
        yield f"    {_counted(told.unmatched, 'document')} without a record of the mapping: {example}"
    if told.changed:
        example = _first(told.changed_example, told.changed)
        yield (
            f"    {_counted(told.changed, 'document')} that had another content when loaded before: {example}; what"
            " was loaded then is there, too"
        )
    if told.reverted:
        example = _first(told.reverted_example, told.reverted)
        yield (
            f"    {_counted(told.reverted, 'document')} with a content again that was loaded before a later one:"
            f" {example}; it is not loaded once more, and what was loaded last is the later one"
        )
    if skipped := described_skips(told.skipped, told.skipped_examples):
        yield f"    {skipped}"
    if told.broken:
        yield f"    {_counted(told.broken, 'document')} that cannot be read to the end"


def _skipped_files(report: LoadReport | CheckReport) -> Iterator[str]:
    """What stands beside the sources and is none."""
    if skipped := described_skips(report.skipped_files, report.skipped_files_examples):
        yield f"  {skipped}"


def _first(example: str, number: int) -> str:
    """One of so many."""
    return example + (", ..." if number > 1 else "")


def _further_sources(sources: Sequence[SourceReport]) -> Iterator[str]:
    if sources:
        states = Counter("without a record of the mapping" if source.unmatched else source.state for source in sources)
        counts = ", ".join(f"{number:,} {state}" for state, number in states.items())
        yield f"  and {_counted(len(sources), 'source')} more: {counts}"


def _numbers(report: LoadReport, verbose: bool) -> Iterator[str]:
    yield from _table_rows(report.tables)
    yield _account(report.records, report.loaded, report.rejected, report.discarded, report.skipped)
    speed = report.source_bytes / report.seconds if report.seconds else 0
    yield (
        f"  {report.records_per_minute:,.0f} records/min, {speed / 1e6:,.1f} MB/s of XML, "
        f"peak memory {format_bytes(report.peak_memory)}"
    )
    if report.bottleneck and (verbose or report.seconds >= _LONG):
        yield f"  bottleneck: {report.bottleneck}"
    yield from _slower_path(report.native, verbose=verbose)
    if verbose:
        yield f"  {', '.join(f'{phase} {format_duration(seconds)}' for phase, seconds in report.phases.items())}"
    if verbose and report.metrics is not None:
        yield from _stages(report.metrics)


def _slower_path(native: NativeReport, *, verbose: bool) -> Iterator[str]:
    """How much of it lxml read, why, and how to have the fast path; nothing where all is well."""
    if native.unavailable:
        yield f"  this is the slower path: {native.unavailable}"
    elif native.declined:
        reasons = sorted(native.declined.items(), key=lambda reason: -reason[1])
        which = f"{sum(native.declined.values()):,} of {_counted(native.splits, 'piece')}"
        most = ", most because of" if len(reasons) > 1 else " because of"
        yield f"  {which} took the slower path (`etl docs native`){most}: {reasons[0][0]}"
        for reason, count in reasons if verbose and len(reasons) > 1 else ():
            yield f"    {count:,}: {reason}"
        if native.in_threads and 2 * sum(native.declined.values()) > native.splits > 1:
            yield "    with --set workers.kind=process the cores would share it"
    if native.writing:
        yield f"  rows took the slower path into the database: {native.writing}"


def _native_tables(report: CheckReport) -> Iterator[str]:
    """Which tables the compiled scanner reads, and why it does not read the others."""
    slower = report.native.slower_tables
    fast = [name for name in report.tables if name not in slower]
    if report.native.unavailable:
        yield f"  lxml reads all tables, which is slower: {report.native.unavailable}"
        return
    if fast:
        yield f"  read by compiled code: {', '.join(fast) if slower else 'all tables'}"
    for name, reason in slower.items():
        yield f"  read by lxml, which is slower: {name} ({reason})"
    yield from _slower_path(report.native, verbose=False)


def _stages(metrics: LoadMetrics) -> Iterator[str]:
    """Where the time of each stage went while rows were loaded, in percent, and what its figures are."""
    writing = f"{_counted(metrics.insert_threads, 'insert thread')}, {_counted(metrics.insert.count, 'transaction')}"
    stages = {
        "reading": (metrics.reading, ""),
        "mapping": (metrics.mapping, _counted(metrics.most_workers, "worker")),
        "writing": (metrics.writing, writing),
    }
    seconds = metrics.reading.busy + metrics.reading.waiting + metrics.reading.idle
    yield f"  {f'of {format_duration(seconds)}':13}{'busy':>6}{'waiting':>9}{'idle':>6}"
    for name, (times, who) in stages.items():
        busy, waiting, idle = (f"{times.share(seconds):.0%}" for seconds in (times.busy, times.waiting, times.idle))
        yield f"  {name:13}{busy:>6}{waiting:>9}{idle:>6}  {who}".rstrip()
    for name, took in (("transaction", metrics.insert), ("its commit", metrics.commit)):
        p50, p95, p99, most = (format_latency(value) for value in (took.p50, took.p95, took.p99, took.most))
        yield f"  {name:12} p50 {p50:>7}, p95 {p95:>7}, p99 {p99:>7}, most {most:>7}"
    yield (f"  queue {metrics.queue_mean_fill:.0%} full on average, {format_bytes(metrics.queue_most_bytes)} at most")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _table_rows(tables: Mapping[str, int]) -> Iterator[str]:
    numbers = {name: f"{rows:,}" for name, rows in tables.items()}
    width = max(map(len, numbers.values()), default=0)
    for name, number in numbers.items():
        yield f"  {number:>{width}} rows  {name}"


def _account(records: int, loaded: int, rejected: int, discarded: int, skipped: int) -> str:
    terms = [f"{loaded:,} loaded", f"{rejected:,} rejected"]
    terms += [f"{discarded:,} discarded"] if discarded else []
    terms += [f"{skipped:,} skipped (committed by an earlier run)"] if skipped else []
    return f"  {_records(records)} read = {' + '.join(terms)}"


def _mended(sources: Sequence[SourceReport]) -> Iterator[str]:
    mends = [
        replace(mend, document=mend.document or source.label) if len(sources) > 1 else mend
        for source in sources
        for mend in source.mends
    ]
    if mends:
        yield "Mended (--repair):"
    for mend in sum_up(mends):
        yield f"  {described(mend)}"


def _rejects(rejects: Sequence[RejectReport], this_run: int) -> Iterator[str]:
    """Each kind; the ledger counts those of earlier runs, too, `this_run` does not."""
    if not rejects:
        return
    total = sum(reject.count for reject in rejects)
    yield f"Rejected {_records(total)}{_by_earlier_runs(total - this_run, total)}:"
    for reject in rejects:
        place = ".".join(part for part in (reject.table, reject.column) if part)
        yield f"  {reject.count:,} x {reject.reason}{f' in {place}' if place else ''}, the first: {reject.example}"


def _by_earlier_runs(number: int, total: int) -> str:
    if number <= 0:
        return ""
    return f" ({f'{number:,} ' if number < total else ''}by earlier runs)"


def _listed(heading: str, sentences: Sequence[str]) -> Iterator[str]:
    if sentences:
        yield heading
    for sentence in sentences:
        first, *lines_to_copy = sentence.splitlines()
        yield f"  - {first}"
        yield from lines_to_copy


def _next_steps(report: LoadReport) -> Iterator[str]:
    yield from _mapping_to_change(report)
    yield from _mapping_to_add(report)
    if report.rejects and not report.target.startswith("memory:"):
        yield (
            f"`etl rejects --to {for_shell(report.target)}` shows them, with their XML (it is table etl_reject there);"
            " `etl retry --map FILE` with the same --to loads them again, by a mended mapping."
        )
    if report.state == "finished" and any(source.state == "stopped" for source in report.sources):
        yield f"The limit ended this load; without --limit {_repeat(report)}"
    if report.stop_reason:
        keys = any(reject.reason == "duplicate_key" for reject in report.rejects)
        yield (
            "`etl rejects` shows why, and `etl docs rejects` what to do: mend the mapping or the table,"
            f"{' for keys that are there already use --write upsert or skip,' if keys else ''} or raise errors.max"
            f" (`etl docs settings`); {_repeat(report)}"
        )
    elif report.state == "stopped":
        repeat = _repeat(report)
        yield f"{repeat[0].upper()}{repeat[1:]}"


def _repeat(report: LoadReport) -> str:
    """What the same command does next."""
    nameless = [source.label for source in report.sources if not source.resumable]
    if not nameless:
        return "the same command goes on from here."
    return (
        f"the same command begins {', '.join(nameless)} anew, and its rows are there again: it has no identity."
        " --source-name NAME gives it one."
    )


def _mapping_to_change(report: LoadReport | CheckReport) -> Iterator[str]:
    """Where there is something that a mapping could change: how."""
    if not (report.rejects or report.notices):
        return
    if report.mapping == UNSAVED:
        file, how = "FILE", "write the mapping out with `etl infer SOURCE > FILE` and edit it"
    else:
        file, how = report.mapping, f"edit {report.mapping}"
    written = isinstance(report, LoadReport) and report.loaded
    again = (
        " What is loaded stays as it is: a changed mapping loads it anew with --again, into another database, or when"
        " these tables are dropped."
        if written
        else ""
    )
    yield f"To change that, {how}; `etl check SOURCE --map {for_shell(file)}` shows the effect.{again}"


def _mapping_to_add(report: LoadReport | CheckReport) -> Iterator[str]:
    """Where there are documents that the mapping says nothing of: how to load these."""
    unmatched = [source.label for source in report.sources if source.unmatched]
    if unmatched:
        which, it = (for_shell(unmatched[0]), "it") if len(unmatched) == 1 else ("SOURCE", "them")
        yield (
            f"The mapping is for other documents than {format_list(unmatched)}: `etl infer {which} > FILE` writes one"
            f" for {it}, and `etl load {which} --map FILE` with the same --to loads {it}."
        )


def _records(number: int) -> str:
    return _counted(number, "record")
