"""tune(): finds settings that load fast here, by loading a sample again and again with others.

What is loaded goes to a scratch place, which is removed whatever ends the tune.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from etl.errors import SettingsError, SourceError
from etl.extract.doctype import given_dtd
from etl.extract.dtd import Dtd
from etl.extract.given import given_sources
from etl.extract.repair import wanted_repair
from etl.extract.source import Source
from etl.loader import SourceNames
from etl.mapping.functions import check_functions
from etl.mapping.model import Mapping
from etl.mapping.reader import read_mapping
from etl.mapping_choice import inferred_mapping
from etl.naming import default_target
from etl.options import Settings
from etl.progress import Progress, SilentProgress, format_duration
from etl.tuning.display import TuneProgress
from etl.tuning.factors import factors_of
from etl.tuning.report import Trial, TuneReport
from etl.tuning.sample import Sample
from etl.tuning.scratch import scratch_place
from etl.tuning.search import OutOfTime
from etl.tuning.settings_text import settings_text
from etl.tuning.stopping import run_stoppable
from etl.tuning.tuner import Tuner
from etl.tuning.until import Until


def tune(
    sources: SourceNames,
    *,
    mapping: str | Path | Mapping | None = None,
    target: str | None = None,
    settings: Settings | None = None,
    seconds: float = 5.0,
    repeat: int = 2,
    max_time: float = 300.0,
    on_trial: Callable[[Trial], object] | None = None,
    progress: Progress | None = None,
) -> TuneReport:
    """Find settings that load these sources into this database fast, on this machine.

    A sample of the sources is loaded again and again, into a scratch place: in PostgreSQL a schema of its own, for
    SQLite a file beside the database's. It is removed in the end, also by an error or a KeyboardInterrupt, which is
    raised then. `mapping`, `target`: as for `load`; a mapping that has to be inferred is not saved. What `settings` say
    stays; the others are turned one at a time, from their defaults. `seconds`: what a load of the sample shall take,
    about; `repeat`: loads a trial; `max_time`: seconds until nothing more is tried. `on_trial` gets each trial, on
    another thread.

    Raises SettingsError, MappingError, SourceError, TargetError, and what the first load of the sample raises.
    """
    for name, value in {"seconds": seconds, "repeat": repeat, "max_time": max_time}.items():
        if not value > 0:
            raise SettingsError(f"{name}: {value:g} is too little; expected more than 0.")
    settings = settings or Settings()
    progress = progress or SilentProgress()
    names = [str(name) for name in ([sources] if isinstance(sources, str | Path) else sources)]
    url = target or settings.target or default_target(names)
    found = _sources(names, settings)

    def tell() -> None:
        progress.note("Stopping: the load in hand is given up. Ctrl-C again does not wait long for that.")

    def look(stopping: threading.Event) -> None:
        with scratch_place(url, settings, progress.note, Until(math.inf, stopping)):
            pass

    # What is wrong with the database is told before minutes go into a mapping.
    run_stoppable(look, tell)
    checked = _mapping(mapping, found, given_dtd(settings.input.dtd, progress.note), progress)

    def find(stopping: threading.Event) -> TuneReport:
        ends = time.monotonic() + max_time
        until, shown = Until(ends, stopping), TuneProgress(progress, ends)
        try:
            with scratch_place(url, settings, progress.note, until) as (scratch, place):
                progress.note(
                    f"Tuning for {place.label}, mapped by {checked.label}: loads of a sample write to {scratch.name}"
                    f" there for {format_duration(max_time)} at most; then it is removed. Nothing else there is"
                    " touched."
                )
                sample = Sample(names, checked, settings, scratch, place, shown, until)
                tuner = Tuner(sample, settings, shown, repeat, on_trial or _tell_nobody, ends)
                factors = factors_of(settings, place, tuner.calibrate(seconds))
                tuner.find(factors)
                report = tuner.report(place.label, scratch.server, names, checked.label)
        except OutOfTime:
            raise SettingsError(
                f"In {format_duration(max_time)} not even the defaults could be measured: allow more time"
                " (--max-time), or a smaller sample (--seconds)."
            ) from None
        finally:
            shown.close()
        return replace(report, yaml=settings_text(report, settings, factors, datetime.now(UTC)))

    return run_stoppable(find, tell)


def _sources(names: Sequence[str], settings: Settings) -> list[Source]:
    """Those that can be read again and again."""
    found = given_sources(names, wanted_repair(settings.input.repair, settings.input.dtd)).sources
    once = [source.label for source in found if not source.rereadable]
    if once:
        raise SettingsError(
            f"{once[0]} can be read only once, and a tune reads its sample many times: write it to a file first."
        )
    if not found:
        raise SourceError("No source is given: expected paths, directories or patterns.")
    return found


def _mapping(
    mapping: str | Path | Mapping | None, found: Sequence[Source], dtd: Dtd | None, progress: Progress
) -> Mapping:
    """The mapping, given or inferred."""
    if mapping is None:
        return inferred_mapping(found, None, progress, dtd)
    checked = mapping if isinstance(mapping, Mapping) else read_mapping(Path(mapping))
    check_functions(checked)
    return checked


def _tell_nobody(_trial: Trial) -> None:
    pass
