"""The command `etl tune`, registered by `etl.commands`. Main thread.

In: arguments. Out: trials on standard error while they run, a file of settings, and an exit code.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl.arguments import MapFile, Overrides, Quiet, SettingsFile, Sources, Target, Verbose
from etl.command_line import clear_errors, settings_of
from etl.errors import PermanentError, SettingsError
from etl.naming import find_mapping
from etl.new_file import new_file
from etl.options import parse_duration
from etl.screen import new_progress, print_lines
from etl.shell_text import for_shell

if TYPE_CHECKING:
    from etl.tuning.report import Trial

_STOPPED = "Stopped. The scratch place is removed, and no settings are written."


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog="Examples:\n\n"
        "    etl tune posts.xml.gz --to postgresql://user@host/db\n\n"
        "    etl tune posts.xml.gz --to sqlite:///posts.db --seconds 10 --repeat 3\n\n"
        "    etl load posts.xml.gz --to sqlite:///posts.db --settings etl.settings.yaml\n\n"
        "Exit codes: 0 done, 1 failed, 2 usage, 4 stopped (nothing is written)."
    )(tune)


def tune(
    sources: Sources,
    mapping: MapFile = None,
    target: Target = None,
    output: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Where the settings go. A file that is there is never written over."),
    ] = Path("etl.settings.yaml"),
    settings_file: SettingsFile = None,
    overrides: Overrides = None,
    seconds: Annotated[
        float,
        typer.Option(min=0.1, metavar="S", rich_help_panel="Trials", help="What one load of the sample takes, about."),
    ] = 5.0,
    repeat: Annotated[
        int,
        typer.Option(min=1, metavar="N", rich_help_panel="Trials", help="Loads of each trial, whose median counts."),
    ] = 2,
    max_time: Annotated[
        str,
        typer.Option(
            metavar="TIME", rich_help_panel="Trials", help="After it nothing more is loaded: it ends with what it has."
        ),
    ] = "5min",
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            metavar="",
            rich_help_panel="Output",
            help="What was found as JSON on standard output in place of the summary.",
        ),
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find settings that load this dump into this database fast, here, and write them to a file for `etl load`.

    A sample is loaded again and again, into a scratch place that is removed afterwards: in PostgreSQL a schema of its
    own, for SQLite a file beside the database's. Nothing else there is touched. What `--settings` and `--set` say stays
    as it is; other settings are turned one at a time, as long as that gains something.
    """
    # Every command would wait for these.
    from etl.tuning.summary import HEADING, summarize_tune, trial_line
    from etl.tuning.tune import tune as find_settings

    with clear_errors(verbose=verbose, interrupted=_STOPPED):
        settings = settings_of(settings_file, overrides)
        allowed = _duration(max_time)
        _check_output(output)
        progress = new_progress(quiet=quiet)

        def show(trial: Trial) -> None:
            is_first = not (trial.setting or trial.again)
            for line in (*(HEADING if is_first else ()), trial_line(trial)):
                progress.note(line)

        try:
            report = find_settings(
                sources,
                mapping=mapping or find_mapping(sources),
                target=target,
                settings=settings,
                seconds=seconds,
                repeat=repeat,
                max_time=allowed,
                on_trial=show,
                progress=progress,
            )
        finally:
            progress.stop()
        if as_json:
            typer.echo(report.to_json())
        elif not quiet:
            print_lines(sys.stderr, summarize_tune(report))
        _write(report.yaml, output, as_json=as_json)
        if not quiet:
            print_lines(sys.stderr, [f"Written to {output}, for `etl load --settings {for_shell(output)}`."])


def _duration(text: str) -> float:
    try:
        seconds = float(str(parse_duration(text)))
    except ValueError as error:
        raise SettingsError(f"--max-time {text}: {error}.") from error
    if not seconds > 0:
        raise SettingsError(f"--max-time {text} is too little; expected more than 0.")
    return seconds


def _write(text: str, file: Path, *, as_json: bool) -> None:
    """Minutes of trials are not lost where the file cannot be written any more: its text is shown."""
    try:
        with new_file(file) as out:
            out.write(text.encode())
    except OSError as error:
        typer.echo(text, err=as_json, nl=False)
        shown = "error" if as_json else "output"
        raise PermanentError(
            f"{file} cannot be written: {error.strerror}. What it was to hold is on standard {shown}."
        ) from error


def _check_output(file: Path) -> None:
    """Minutes of trials are not for a file that cannot be written then."""
    if os.path.lexists(file):
        raise SettingsError(
            f"{file} is there already, and a tune writes over no file: name another one with --output, or move it away."
        )
    if not os.access(file.absolute().parent, os.W_OK):
        raise SettingsError(f"{file} cannot be written: there is no folder {file.absolute().parent} one may write to.")
