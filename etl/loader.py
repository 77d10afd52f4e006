"""load(): builds the stages in the order data travels, runs them, closes them in reverse.

    sources -> Feeder (splitter) -> ParallelCoordinator (engine: workers) -> InsertQueue -> InsertThreads -> target
                                                                                       \\-> ResultThread -> callbacks

The stages run in the background; the caller's thread only waits, so that a Ctrl-C finds it at rest: the first one
drains (what is in hand is committed), a second one aborts. Either way the same call goes on where this one ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from etl.dtd_hint import with_dtd_hint
from etl.errors import CallbackError, EtlError, SettingsError, SourceError
from etl.extract.doctype import given_dtd
from etl.extract.given import Given, given_sources
from etl.extract.repair import wanted_repair
from etl.extract.source import Source, expand, looked_at
from etl.extract.subfolders import passed_over
from etl.loading.result_thread import OnBatch, OnReject
from etl.mapping.functions import check_functions
from etl.mapping.model import Mapping
from etl.mapping.reader import read_mapping
from etl.mapping_choice import infer_text, inferred_mapping, text_from_schema
from etl.naming import default_target
from etl.options import Errors, Settings
from etl.pipeline import Pipeline
from etl.progress import Progress, SilentProgress
from etl.report import CheckReport, LoadReport
from etl.stages import Callbacks
from etl.targets.memory import MemoryTarget
from etl.targets.open import open_target, sql_dialect
from etl.targets.schema import ddl
from etl.validation import open_schema

if TYPE_CHECKING:
    from etl.extract.dtd import Dtd

SourceNames = str | Path | Sequence[str | Path]


def load(
    sources: SourceNames,
    *,
    mapping: str | Path | Mapping | None = None,
    target: str | None = None,
    settings: Settings | None = None,
    limit: int | None = None,
    source_name: str | None = None,
    save_mapping: str | Path | None = None,
    again: bool = False,
    on_batch: OnBatch | None = None,
    on_reject: OnReject | None = None,
    on_complete: Callable[[LoadReport], object] | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Load XML sources into a database.

    `sources`: paths, directories, globs, or "-" for standard input. `mapping`: a mapping file; without it one is
    inferred from a sample, as `infer` does, and saved as `save_mapping` where that is given (a file that is there
    already is left as it is). `target`: a database URL; wins over the settings', and without either it is what the
    command line would take. `limit`: read that many records at most. `source_name`: an identity for a source that has
    none (standard input), so that a load of it can be resumed. `again`: load what was loaded before anew, its tables
    emptied first (not with `write: upsert`); refused where anybody else's rows are in them. `on_batch` gets
    `Committed`, `on_reject` `RejectedRecord` (without the record itself), both after the commit and on a thread of
    their own; `on_complete` gets the report, on the caller's thread.

    Raises EtlError: SettingsError, MappingError, SourceError, TargetError ...; once the load has begun, its `report`
    tells what was committed. Calling again with the same arguments resumes. While rows are loaded, the first
    KeyboardInterrupt ends the load in order (the report's state is "stopped"); a second one is raised.
    """
    settings = settings or Settings()
    progress = progress or SilentProgress()
    names = _names(sources)
    if limit is not None and limit < 1:
        raise SettingsError(f"limit: {limit} records are none to load; expected 1 or more, or None for all.")
    if source_name is not None:
        _check_nameless(names)
    url = target or settings.target or default_target(names)
    dtd = given_dtd(settings.input.dtd, progress.note)
    with closing(open_target(url, settings)) as place:
        schema = open_schema(settings.input.validate_by)
        checked, found = _prepare(mapping, names, settings, dtd, Path(save_mapping) if save_mapping else None, progress)
        pipeline = Pipeline(checked, place, settings, progress, schema(checked), dtd)
        callbacks = Callbacks(on_batch, on_reject)
        report = _run(lambda: pipeline.run(found.sources, limit, source_name, callbacks, again=again), found)
        report = with_dtd_hint(report, found.sources, settings.input.dtd)
    if on_complete is not None:
        _complete(on_complete, report)
    return report


def _complete(on_complete: Callable[[LoadReport], object], report: LoadReport) -> None:
    try:
        on_complete(report)
    except Exception as error:
        raised = CallbackError(f"The callback raised {type(error).__name__}: {error}")
        raised.report = report
        raise raised from error


def check(
    sources: SourceNames,
    *,
    mapping: str | Path | Mapping | None = None,
    show: int = 0,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Do everything a load does except writing: counts, rejects, what the mapping misses, the first `show` rows.

    Without `mapping` by one that is inferred from a sample, as `infer` does. Raises SettingsError, MappingError,
    SourceError.
    """
    progress = progress or SilentProgress()
    # All of it is looked at, however bad it is.
    settings = (settings or Settings()).model_copy(update={"errors": Errors(max=None)})
    dtd = given_dtd(settings.input.dtd, progress.note)
    schema = open_schema(settings.input.validate_by)
    checked, found = _prepare(mapping, _names(sources), settings, dtd, None, progress)
    place = MemoryTarget(keep=show)
    pipeline = Pipeline(checked, place, settings, progress, schema(checked))
    try:
        report = _run(lambda: pipeline.run(found.sources, None, None, Callbacks()), found)
    except SourceError as error:
        # A source that breaks is a finding of a check, not a failure of it.
        if error.report is None or not any(source.problem for source in error.report.sources):
            raise
        report = error.report
    checked_report = CheckReport(
        mapping=report.mapping,
        sources=report.sources,
        tables=report.tables,
        rejects=report.rejects,
        notices=report.notices,
        records=report.records,
        loaded=report.loaded,
        rejected=report.rejected,
        discarded=report.discarded,
        seconds=report.seconds,
        source_bytes=report.source_bytes,
        first_rows=report.rows or {},
        native=report.native,
        skipped_files=report.skipped_files,
        skipped_files_examples=report.skipped_files_examples,
    )
    return with_dtd_hint(checked_report, found.sources, settings.input.dtd)


def _run(run: Callable[[], LoadReport], found: Given) -> LoadReport:
    """A run, whose report tells what was skipped before it, that of one that fails too."""
    try:
        return _with_skips(run(), found)
    except EtlError as error:
        if error.report is not None:
            error.report = _with_skips(error.report, found)
        raise


def _with_skips(report: LoadReport, found: Given) -> LoadReport:
    return replace(report, skipped_files=dict(found.skipped), skipped_files_examples=found.skipped_examples)


def infer(
    sources: SourceNames = (),
    *,
    full: bool = False,
    xsd: str | Path | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> str:
    """The text of a mapping file for the sources: commented YAML, inferred from a sample of 64 MiB (`full`: from all).

    With `xsd`, the file of an XML Schema, it is what that says; sources, if there are any, say which of its elements
    are meant. What is doubtful about it stands in its first lines. Of `settings` those of `input` count. Raises
    SourceError where a source cannot be read or is no XML, SettingsError.
    """
    settings, progress = settings or Settings(), progress or SilentProgress()
    if xsd is not None:
        return _of_schema(Path(xsd), sources, settings, progress, full=full)
    dtd = given_dtd(settings.input.dtd, progress.note)
    _tell_passed_over(_names(sources), progress)
    found = _looked_at_once(_names(sources), settings, progress)
    return infer_text(found, full=full, progress=progress, dtd=dtd, limits=settings.limits)


def _of_schema(xsd: Path, sources: SourceNames, settings: Settings, progress: Progress, *, full: bool) -> str:
    if full:
        raise SettingsError(
            "full (--full) is for what is inferred from documents; of a schema (--xsd) always everything is looked at."
        )
    for name, given in (("input.dtd (--dtd)", settings.input.dtd), ("input.repair (--repair)", settings.input.repair)):
        if given and not sources:
            raise SettingsError(f"{name} is for what stands in documents, and with the schema (--xsd) none is named.")
    dtd = given_dtd(settings.input.dtd, progress.note)
    found = _looked_at_once(_names(sources), settings, progress) if sources else []
    return text_from_schema(xsd, found, progress, dtd, settings.limits)


def schema(mapping: str | Path | Mapping, target: str | None = None, settings: Settings | None = None) -> str:
    """The DDL a load would run for the mapping's tables; `target` decides the dialect (SQLite without one)."""
    return ddl(_read(mapping), sql_dialect(target) if target else "sqlite", (settings or Settings()).keys)


def _prepare(
    mapping: str | Path | Mapping | None,
    names: Sequence[str],
    settings: Settings,
    dtd: Dtd | None,
    save_as: Path | None,
    progress: Progress,
) -> tuple[Mapping, Given]:
    """The mapping, given or inferred, and the sources, both checked as far as can be told before any work."""
    _tell_passed_over(names, progress)
    if mapping is None:
        found = _kept(names, settings)
        return inferred_mapping(found.sources, save_as, progress, dtd, settings.limits), found
    checked = _read(mapping)
    check_functions(checked)
    return checked, _found(names, settings)


def _tell_passed_over(names: Sequence[str], progress: Progress) -> None:
    for sentence in passed_over(names):
        progress.note(sentence)


def _found(names: Sequence[str], settings: Settings) -> Given:
    return given_sources(names, wanted_repair(settings.input.repair, settings.input.dtd))


def _kept(names: Sequence[str], settings: Settings) -> Given:
    """The sources, what comes through a pipe so that it may be read twice, and seen to be an archive or not."""
    found = _found(names, settings)
    return replace(
        found, sources=[source if source.rereadable else looked_at(source.kept()) for source in found.sources]
    )


def _looked_at_once(names: Sequence[str], settings: Settings, progress: Progress) -> list[Source]:
    """The sources, for a sample alone."""
    found = _kept(names, settings)
    for source in found.sources:
        if source.stream is not None:
            source.stream.keep_no_more()
    if skipped := found.described_skips():
        progress.note(f"{skipped}.")
    return found.sources


def _read(mapping: str | Path | Mapping) -> Mapping:
    return mapping if isinstance(mapping, Mapping) else read_mapping(Path(mapping))


def _names(sources: SourceNames) -> list[str]:
    names = [str(name) for name in ([sources] if isinstance(sources, str | Path) else sources)]
    if not names:
        raise SettingsError('No source is given: expected paths, directories, patterns, or "-" for standard input.')
    return names


def _check_nameless(names: Sequence[str]) -> None:
    """Raise SettingsError where a name is given to what has an identity of its own."""
    found = expand(names)
    if len(found) > 1 or found[0].rereadable:
        raise SettingsError(
            "A source name is for one source that has no identity of its own (standard input): "
            "files are known by their content."
        )
