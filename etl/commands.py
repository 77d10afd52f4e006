"""The commands. In: arguments. Out: what `etl.loader` does with them, on the screen, and an exit code.

Only here and in `etl.command_line` exit codes are set. Results (a report as JSON, a mapping, a check, DDL,
documentation) go to standard output, everything else to standard error. Everything here runs on the main thread, where
Ctrl-C arrives.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from etl import loader, tune_command
from etl.allocator import keep_usual_blocks
from etl.arguments import (
    Again,
    Dtd,
    MapFile,
    Metrics,
    OptionalSources,
    Overrides,
    Quiet,
    Repair,
    SettingsFile,
    Sources,
    Target,
    Validate,
    Verbose,
    Workers,
    Write,
)
from etl.command_line import ABORTED, check_apart, clear_errors, refusal, settings_of
from etl.errors import EXIT_FAILED, EtlError, MappingError, SettingsError, mask_password
from etl.ledger_commands import add_to
from etl.log_file import log_to
from etl.metrics_file import metrics_to
from etl.naming import default_target, find_mapping, is_nameless, mapping_name
from etl.progress import SeveralProgresses, format_list
from etl.quiet_summary import warn_of_check, warn_of_load
from etl.report import LoadReport
from etl.screen import console, new_progress, print_lines, show_error, width
from etl.streams import prepare_streams, write_no_more
from etl.summary import summarize_check, summarize_load

logger = logging.getLogger("etl")

_BEGINS_ANEW = (
    "Aborted. What was committed stays; the same command begins what has no identity anew, and its rows are there"
    " again. --source-name NAME gives it one."
)

app = typer.Typer(
    name="etl",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command that the command line names."""
    keep_usual_blocks()
    # Without any handler Python would print what is logged to standard error. The drivers log what is told as an error.
    for name in ("etl", "psycopg", "sqlalchemy"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    prepare_streams()
    try:
        app()
    except OSError as error:  # help is written outside of all commands
        write_no_more(sys.stdout)
        show_error(refusal(error))
        sys.exit(EXIT_FAILED)
    finally:
        _flush_standard_output()


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"etl {_version()}")
        raise typer.Exit


def _version() -> str:
    from importlib.metadata import version  # reads mail headers, and imports what it takes

    return version("etl")


@app.callback()
def _etl(
    _version: Annotated[
        bool,
        typer.Option("--version", metavar="", is_eager=True, callback=_show_version, help="Show the version and exit."),
    ] = False,
) -> None:
    """XML in, at COPY speed: loads XML dumps of any size into PostgreSQL or SQLite. Nothing lost, nothing twice."""


@app.command(
    epilog="Examples:\n\n"
    "    etl load posts.xml.gz\n\n"
    "    etl load posts.xml.gz --map posts.yaml --to postgresql://user@host/db\n\n"
    "    etl load invoices.zip --to sqlite:///invoices.db\n\n"
    "Exit codes: 0 all loaded, 1 failed, 2 usage, 3 loaded with rejects, 4 stopped (the same command goes on)."
)
def load(
    sources: Sources,
    mapping: MapFile = None,
    target: Target = None,
    settings_file: SettingsFile = None,
    overrides: Overrides = None,
    workers: Workers = None,
    write: Write = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after the first N records of the sources.")
    ] = None,
    source_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What standard input is called: a stopped load of the same input can then go on, and its mapping is "
            "`NAME.mapping.yaml`.",
        ),
    ] = None,
    again: Again = False,
    dtd: Dtd = None,
    repair: Repair = False,
    validate: Validate = None,
    log: Annotated[
        Path | None,
        typer.Option(metavar="FILE", rich_help_panel="Output", help="Append what happens, with times, to FILE."),
    ] = None,
    metrics_file: Metrics = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            metavar="",
            rich_help_panel="Output",
            help="The report as JSON on standard output in place of the summary.",
        ),
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Load XML dumps into a database. Run again after a stop or a failure, it goes on where it ended.

    Where there is no mapping yet it is inferred, and saved in this folder as `STEM.mapping.yaml`.
    """
    nameless = source_name is None and is_nameless(sources)
    with clear_errors(verbose=verbose, interrupted=_BEGINS_ANEW if nameless else ABORTED):
        settings = settings_of(settings_file, overrides, workers, write, dtd=dtd, repair=repair, validate=validate)
        chosen = mapping or find_mapping(sources, source_name)
        name = mapping_name(sources, source_name)
        target = target or settings.target or default_target(sources)
        check_apart({"--log": log, "--metrics": metrics_file}, [*sources, chosen, target.removeprefix("sqlite:///")])
        if log is not None:
            log_to(log)
            logger.info("etl %s: %s", _version(), " ".join(sys.argv[1:]))
        if target.partition(":")[0] == "memory":
            raise SettingsError(
                f"{target} would load the rows and throw them away: it is for programs (`etl.load` returns them). Name"
                " a database with --to, as in --to sqlite:///posts.db; `etl check` reads without any."
            )
        shown = new_progress(quiet=quiet, logged=log is not None)
        names = format_list(["standard input" if source == "-" else source for source in sources], 3)
        how = f", mapped by {chosen}" if chosen else f"; there is no {name} yet: a mapping is inferred"
        with (
            metrics_to(metrics_file, _say if quiet else shown.note) as metrics,
            _found_by_name(chosen, given=mapping is not None),
        ):
            progress = SeveralProgresses(shown, metrics)
            progress.note(f"Loading {names} into {mask_password(target)}{how}.")
            try:
                report = loader.load(
                    sources,
                    mapping=chosen,
                    target=target,
                    settings=settings,
                    limit=limit,
                    source_name=source_name,
                    save_mapping=name,
                    again=again,
                    on_complete=metrics.finished,
                    progress=progress,
                )
            except EtlError as error:
                progress.stop()
                if error.report is not None:
                    _show_load(error.report, source_name, as_json=as_json, quiet=quiet, verbose=verbose)
                raise
            finally:
                progress.stop()
        told = _show_load(report, source_name, as_json=as_json, quiet=quiet, verbose=verbose)
    raise typer.Exit(report.exit_code if told else EXIT_FAILED)


@app.command(
    epilog="Examples:\n\n"
    "    etl infer posts.xml.gz > posts.mapping.yaml\n\n"
    "    etl infer --full dumps/*.xml > dumps.yaml\n\n"
    "    etl infer --xsd posts.xsd > posts.mapping.yaml\n\n"
    "    bzcat dump.xml.bz2 | etl infer -"
)
def infer(
    sources: OptionalSources = None,
    full: Annotated[
        bool, typer.Option("--full", metavar="", help="Look at everything, not only at a sample of 64 MiB.")
    ] = False,
    xsd: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Take the mapping from this XML Schema. SOURCE may then be left out; where it is given, its root "
            "element says which of the schema's elements is meant. Nothing is fetched.",
        ),
    ] = None,
    dtd: Dtd = None,
    repair: Repair = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Print a mapping for XML dumps, inferred from a sample or from a schema: commented YAML, on standard output.

    `etl load` infers one from a sample by itself where there is no mapping; this is for looking at it first. No file is
    written.
    """
    with clear_errors(verbose=verbose, interrupted="Stopped. No mapping was inferred."):
        progress = new_progress(quiet=quiet)
        try:
            if xsd is None and not sources:
                raise SettingsError(
                    "Neither a SOURCE nor a schema (--xsd FILE) is given: a mapping is inferred of one."
                )
            settings = settings_of(None, None, dtd=dtd, repair=repair)
            text = loader.infer(sources or [], full=full, xsd=xsd, settings=settings, progress=progress)
        finally:
            progress.stop()
        _write_utf8(text)


@app.command(epilog="Example:\n\n    etl check posts.xml.gz --show 3")
def check(
    sources: Sources,
    mapping: MapFile = None,
    show: Annotated[
        int, typer.Option(min=0, metavar="N", help="Show the first N rows of each table, as they would be written.")
    ] = 0,
    settings_file: SettingsFile = None,
    overrides: Overrides = None,
    dtd: Dtd = None,
    repair: Repair = False,
    validate: Validate = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Do all a load does except the database: counts, rejects, columns that never matched, elements nobody takes.

    A mapping that has to be inferred for it is not saved.
    """
    with clear_errors(verbose=verbose, interrupted="Stopped. A check writes nothing."):
        settings = settings_of(settings_file, overrides, dtd=dtd, repair=repair, validate=validate)
        progress = new_progress(quiet=quiet)
        chosen = mapping or find_mapping(sources)
        try:
            with _found_by_name(chosen, given=mapping is not None):
                report = loader.check(sources, mapping=chosen, show=show, settings=settings, progress=progress)
        finally:
            progress.stop()
        if quiet:
            for source in report.sources:
                if source.problem:
                    show_error(source.problem)
            print_lines(sys.stderr, list(warn_of_check(report)))
        else:
            print_lines(sys.stdout, summarize_check(report, width()))
    raise typer.Exit(report.exit_code)


@app.command(epilog="Example:\n\n    etl schema --map posts.mapping.yaml --to postgresql://user@host/db")
def schema(
    mapping: Annotated[Path, typer.Option("--map", metavar="FILE", help="The mapping.")],
    target: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="URL",
            show_default=False,
            help="The database whose SQL it shall be; it is not connected to. Without it the setting `target`, then "
            "ETL_TARGET, then SQLite.",
        ),
    ] = None,
    settings_file: SettingsFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Print the tables of a mapping as SQL."""
    with clear_errors(verbose=verbose):
        settings = settings_of(settings_file, overrides)
        print(loader.schema(mapping, target or settings.target or default_target([]), settings))


add_to(app)
tune_command.add_to(app)


@app.command()
def docs(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which one to show, or how its name begins.")
    ] = None,
) -> None:
    """Show a part of the documentation, or list what there is."""
    from importlib.resources import files

    with clear_errors():
        pages = {
            file.name.removesuffix(".md"): file.read_text("utf-8")
            for file in sorted((files("etl") / "docs").iterdir(), key=lambda file: file.name)
            if file.name.endswith(".md")
        }
        if name is None:
            longest = max(map(len, pages))
            for known, text in pages.items():
                title = text.partition("\n")[0].lstrip("# ")
                print(f"etl docs {known:<{longest}}  {title}")
            return
        meant = [name] if name in pages else [known for known in pages if known.startswith(name)]
        if len(meant) != 1:
            raise SettingsError(f"There is no page '{name}'; there are {', '.join(meant or pages)}.")
        if sys.stdout.isatty():
            from rich.markdown import Markdown

            console(sys.stdout).print(Markdown(pages[meant[0]]))
        else:
            print(pages[meant[0]], end="")


@contextmanager
def _found_by_name(mapping: Path | None, *, given: bool) -> Iterator[None]:
    """What is wrong with a mapping that nobody named needs another word."""
    try:
        yield
    except MappingError as error:
        if mapping is None or given:
            raise
        raise MappingError(
            f"{error}\n{mapping} was found by its name: mend it, or move it away and a mapping is inferred anew."
        ) from error


def _say(sentence: str) -> None:
    """What is wrong, where nothing else is said."""
    print_lines(sys.stderr, [sentence])


def _write_utf8(text: str) -> None:
    """A mapping file is UTF-8, whatever the terminal's encoding is."""
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
    else:
        print(text, end="")


def _show_load(report: LoadReport, name: str | None, *, as_json: bool, quiet: bool, verbose: bool) -> bool:
    """False where the report that was asked for cannot be written."""
    lines = summarize_load(report, name=name, verbose=verbose)
    logger.info("%s", "\n".join(lines))
    if as_json:
        try:
            print(report.to_json(), flush=True)
        except OSError as error:
            write_no_more(sys.stdout)
            if not isinstance(error, BrokenPipeError):
                show_error(f"The report cannot be written to standard output: {error.strerror}. {lines[0]}")
                return False
    else:
        print_lines(sys.stderr, list(warn_of_load(report)) if quiet else lines)
    return True


def _flush_standard_output() -> None:
    """Flush now: at the interpreter's end a reader who has left (`| head`) or a full disk would be a traceback."""
    try:
        sys.stdout.flush()
    except OSError as error:
        write_no_more(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            show_error(refusal(error))
            sys.exit(EXIT_FAILED)
