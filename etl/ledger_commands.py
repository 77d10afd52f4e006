"""The commands on what was loaded: `etl status`, `etl rejects`, `etl retry`; registered by `etl.commands`. Main thread.

In: arguments. Out: what `etl.inspection` and `etl.retrying` tell: results on standard output, everything else on
standard error, and an exit code. Each command imports what it alone needs, so that `etl load` does not wait for it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl.arguments import Dtd, Overrides, Quiet, Repair, SettingsFile, Validate, Verbose, Workers
from etl.command_line import clear_errors, settings_of
from etl.errors import EtlError, SettingsError, mask_password
from etl.naming import target_of_environment
from etl.options import Settings
from etl.screen import new_progress, print_lines, width

if TYPE_CHECKING:
    from etl.ledger_reports import RetryReport

Loaded = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="URL",
        show_default=False,
        help="The database that was loaded into: `sqlite:///FILE` or `postgresql://USER@HOST/DB`. Without it the "
        "setting `target`, then ETL_TARGET.",
    ),
]
OfSource = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="SOURCE",
        help="Only of this source: its name, path or number (`etl status`). Or of one document of an archive "
        "or a folder, by its name.",
    ),
]
ForReason = Annotated[
    str | None, typer.Option("--reason", metavar="CODE", help="Only those for this reason, as in `missing_value`.")
]
AsJson = Annotated[
    bool, typer.Option("--json", metavar="", rich_help_panel="Output", help="As JSON on standard output.")
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Examples:\n\n    etl status --to sqlite:///posts.db\n\n    etl status --json | jq '.[].state'")(
        status
    )
    app.command(
        epilog="Examples:\n\n"
        "    etl rejects --to sqlite:///posts.db --examples 3\n\n"
        "    etl rejects --to sqlite:///posts.db --reason bad_value --export bad.xml\n\n"
        "Exit code 0, whether there are rejects or not."
    )(rejects)
    app.command(
        epilog="Examples:\n\n"
        "    etl retry --to sqlite:///posts.db --map posts.mapping.yaml\n\n"
        "    etl retry --to postgresql://user@host/db --source posts.xml.gz --reason missing_parent\n\n"
        "    etl retry --to sqlite:///dblp.db --dtd dblp.dtd --reason undefined_entity\n\n"
        "Exit codes: 0 none is left, 1 failed, 2 usage, 3 some are rejects again, or left, 4 stopped (the same command "
        "goes on)."
    )(retry)


def status(
    target: Loaded = None,
    as_json_: AsJson = False,
    settings_file: SettingsFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Show what was loaded into a database: every source's state, progress, rate and rejects, and who runs it.

    A load may be running; it is not disturbed.
    """
    from etl import inspection
    from etl.ledger_reports import as_json
    from etl.ledger_summary import summarize_status

    with clear_errors(verbose=verbose, interrupted="Stopped. Nothing was changed."):
        settings = settings_of(settings_file, overrides)
        url = _loaded(target, settings)
        sources = inspection.status(url, settings=settings)
        if as_json_:
            typer.echo(as_json(sources))
        else:
            print_lines(sys.stdout, list(summarize_status(mask_password(url), sources)))


def rejects(
    target: Loaded = None,
    source: OfSource = None,
    reason: ForReason = None,
    examples: Annotated[
        int, typer.Option(min=0, max=1000, metavar="N", help="Show the first N of each reason and column.")
    ] = 1,
    export: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel="Output",
            help="Write them as one XML document of the original's shape, which `etl load` takes; `-` is standard "
            "output. A file that is there is never written over.",
        ),
    ] = None,
    as_json_: AsJson = False,
    settings_file: SettingsFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Show the rejects in a database, by reason and by column, with examples; or write them as XML.

    `etl docs rejects` explains the reasons.
    """
    from etl import inspection
    from etl.ledger_reports import as_json
    from etl.ledger_summary import summarize_export, summarize_rejects

    with clear_errors(verbose=verbose, interrupted="Stopped. Nothing was changed."):
        settings = settings_of(settings_file, overrides)
        url = _loaded(target, settings)
        if export is not None:
            if as_json_:
                raise SettingsError("--json shows rejects, --export writes them: one at a time.")
            file = sys.stdout.buffer if export == "-" else Path(export)
            written = inspection.export_rejects(url, file, source=source, reason=reason, settings=settings)
            print_lines(sys.stderr, list(summarize_export(written, "standard output" if export == "-" else export)))
            return
        report = inspection.rejects(url, source=source, reason=reason, examples=examples, settings=settings)
        if as_json_:
            typer.echo(as_json(report))
        else:
            print_lines(sys.stdout, list(summarize_rejects(report, width())))


def retry(
    target: Loaded = None,
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--map",
            metavar="FILE",
            help="A mended mapping, for the tables that are there. Without it the one by which each source was loaded, "
            "which the database keeps.",
        ),
    ] = None,
    source: OfSource = None,
    reason: ForReason = None,
    settings_file: SettingsFile = None,
    overrides: Overrides = None,
    workers: Workers = None,
    dtd: Dtd = None,
    repair: Repair = False,
    validate: Validate = None,
    as_json_: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Load the rejects in a database again, each deleted in the transaction that loads it.

    What fails again stays a reject, with its new reason.
    """
    from etl import retrying
    from etl.ledger_reports import RetryReport

    with clear_errors(verbose=verbose):
        settings = settings_of(settings_file, overrides, workers, dtd=dtd, repair=repair, validate=validate)
        url = _loaded(target, settings)
        progress = new_progress(quiet=quiet)
        try:
            report = retrying.retry(
                url, mapping=mapping, source=source, reason=reason, settings=settings, progress=progress
            )
        except EtlError as error:
            progress.stop()
            if isinstance(error.report, RetryReport):
                _show_retry(error.report, json=as_json_, quiet=quiet)
            raise
        _show_retry(report, json=as_json_, quiet=quiet)
    raise typer.Exit(report.exit_code)


def _show_retry(report: RetryReport, *, json: bool, quiet: bool) -> None:
    from etl.ledger_reports import as_json
    from etl.ledger_summary import summarize_retry
    from etl.quiet_summary import warn_of_retry

    if json:
        typer.echo(as_json(report))
    else:
        print_lines(sys.stderr, list(warn_of_retry(report) if quiet else summarize_retry(report)))


def _loaded(given: str | None, settings: Settings) -> str:
    url = given or settings.target or target_of_environment()
    if url is None:
        raise SettingsError(
            "Which database? Name the one that was loaded into with --to, as in --to sqlite:///posts.db."
        )
    return url
