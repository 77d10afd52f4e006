"""The command line. In: arguments. Out: what `etl.loader` does with them, on the screen, and an exit code.

The only file that prints or sets an exit code. Results (a report as JSON, a check, DDL, documentation) go to standard
output, everything else to standard error. Everything here runs on the main thread, where Ctrl-C arrives.
"""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import textwrap
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from etl import loader
from etl.allocator import give_back_large_blocks
from etl.errors import (
    EXIT_FAILED,
    EXIT_STOPPED,
    EtlError,
    SettingsError,
    mask_password,
)
from etl.log_file import log_to
from etl.naming import default_target, find_mapping
from etl.options import Settings, read_settings
from etl.progress import BarProgress, LineProgress, Progress, SeveralProgresses, SilentProgress
from etl.report import LoadReport
from etl.summary import summarize_check, summarize_load

logger = logging.getLogger("etl")

app = typer.Typer(
    name="etl",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        show_default=False,
        help="XML files, plain or compressed (gzip, bzip2, xz, zstd: told by content), directories or patterns of "
        "them, or `-` for standard input.",
    ),
]
MapFile = Annotated[
    Path | None,
    typer.Option(
        "--map",
        metavar="FILE",
        help="The mapping: which elements become rows of which tables. Without it `STEM.mapping.yaml`, in this folder "
        "or beside the source; STEM is the source's name without `.xml` and the compression's suffix.",
    ),
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", metavar="FILE", rich_help_panel="Settings", help="Settings, as YAML.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        rich_help_panel="Settings",
        help="One setting, as in `queue.max_bytes=32MiB`; may be repeated, and wins over the file.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", metavar="", rich_help_panel="Output", help="Say nothing unless something is wrong."),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", metavar="", rich_help_panel="Output", help="Say more; where an error arose, too."),
]


def main() -> None:
    """The console script `etl`."""
    signal.signal(signal.SIGTERM, _interrupt)
    give_back_large_blocks()
    # Without any handler Python would print what is logged to standard error.
    logger.addHandler(logging.NullHandler())
    # A closed stream (`>&-`) is None, which nothing that writes expects.
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be text
    try:
        app()
    finally:
        _flush_standard_output()


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"etl {version('etl')}")
        raise typer.Exit


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
    "    unzip -p dump.zip | etl load - --map posts.yaml --to sqlite:///posts.db\n\n"
    "Exit codes: 0 all loaded, 1 failed, 2 usage, 3 loaded with rejects, 4 stopped (the same command goes on)."
)
def load(
    sources: Sources,
    mapping: MapFile = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="URL",
            show_default=False,
            help="The database: `sqlite:///FILE` or `postgresql://USER@HOST/DB` (what the URL leaves out comes from "
            "the PG* variables and ~/.pgpass). Without it the setting `target`, then ETL_TARGET, then "
            "`sqlite:///STEM.db` in this folder (`etl.db` for several sources).",
        ),
    ] = None,
    settings_file: SettingsFile = None,
    overrides: Overrides = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=256, metavar="N", rich_help_panel="Settings", help="Parser workers. Default: one for each core."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after the first N records of the sources.")
    ] = None,
    source_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="What standard input is called, so that a stopped load of the same input can go on."
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(metavar="FILE", rich_help_panel="Output", help="Append what happens, with times, to FILE."),
    ] = None,
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
    """Load XML dumps into a database. Run again after a stop or a failure, it goes on where it ended."""
    with _clear_errors(verbose=verbose):
        if log is not None:
            log_to(log)
        logger.info("etl %s: %s", version("etl"), " ".join(sys.argv[1:]))
        settings = _settings(settings_file, overrides, workers)
        mapping = mapping or find_mapping(sources)
        target = target or settings.target or default_target(sources)
        progress = _progress(quiet=quiet, logged=log is not None)
        names = ", ".join("standard input" if source == "-" else source for source in sources)
        progress.note(f"Loading {names} into {mask_password(target)}, mapped by {mapping}.")
        try:
            report = loader.load(
                sources,
                mapping=mapping,
                target=target,
                settings=settings,
                limit=limit,
                source_name=source_name,
                progress=progress,
            )
        except EtlError as error:
            progress.stop()
            if error.report is not None:
                _show_load(error.report, as_json=as_json, quiet=quiet, verbose=verbose)
            raise
        finally:
            progress.stop()
        _show_load(report, as_json=as_json, quiet=quiet, verbose=verbose)
    raise typer.Exit(report.exit_code)


@app.command(epilog="Example:\n\n    etl check posts.xml.gz --map posts.mapping.yaml --show 3")
def check(
    sources: Sources,
    mapping: MapFile = None,
    show: Annotated[
        int, typer.Option(min=0, metavar="N", help="Show the first N rows of each table, as they would be written.")
    ] = 0,
    settings_file: SettingsFile = None,
    overrides: Overrides = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Do all a load does except the database: counts, rejects, columns that never matched, elements nobody takes."""
    with _clear_errors(verbose=verbose):
        settings = _settings(settings_file, overrides)
        progress = _progress(quiet=quiet)
        try:
            report = loader.check(
                sources, mapping=mapping or find_mapping(sources), show=show, settings=settings, progress=progress
            )
        finally:
            progress.stop()
        if quiet:
            for source in report.sources:
                if source.problem:
                    _show_error(source.problem)
        else:
            _print(Console(highlight=False), summarize_check(report))
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
    with _clear_errors(verbose=verbose):
        settings = _settings(settings_file, overrides)
        print(loader.schema(mapping, target or settings.target or default_target([]), settings))


@app.command()
def docs(name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Which one to show.")] = None) -> None:
    """Show a part of the documentation, or list what there is."""
    with _clear_errors():
        pages = {
            file.name.removesuffix(".md"): file.read_text("utf-8")
            for file in sorted((files("etl") / "docs").iterdir(), key=lambda file: file.name)
            if file.name.endswith(".md")
        }
        if name is None:
            width = max(map(len, pages))
            for known, text in pages.items():
                title = text.partition("\n")[0].lstrip("# ")
                print(f"etl docs {known:<{width}}  {title}")
        elif name not in pages:
            raise SettingsError(f"There is no page '{name}'; there are {', '.join(pages)}.")
        elif sys.stdout.isatty():
            from rich.markdown import Markdown  # a tenth of the start of every command

            Console().print(Markdown(pages[name]))
        else:
            print(pages[name], end="")


@contextmanager
def _clear_errors(*, verbose: bool = False) -> Iterator[None]:
    """Turn whatever is raised inside into one sentence and an exit code."""
    try:
        yield
    except EtlError as error:
        _fail(str(error), error.exit_code, error, verbose=verbose)
    except KeyboardInterrupt as error:
        _fail("Aborted. What was committed stays; the same command goes on from there.", EXIT_STOPPED, error)
    except BrokenPipeError:
        raise typer.Exit(EXIT_FAILED) from None
    except OSError as error:
        _fail(f"The system refuses: {error}.", EXIT_FAILED, error, verbose=verbose)
    except Exception as error:  # noqa: BLE001 - the last resort: a defect is a sentence too, its traceback by -v and --log
        what = " ".join(str(error).split())
        sentence = f"{type(error).__name__}: {what} (a defect in etl: please report it, with what -v prints)"
        _fail(sentence, EXIT_FAILED, error, verbose=verbose)


def _fail(sentence: str, exit_code: int, error: BaseException, *, verbose: bool = False) -> NoReturn:
    logger.error("%s", sentence, exc_info=error)
    if verbose:
        _stderr().print(Text(mask_password("".join(traceback.format_exception(error)))), soft_wrap=True)
    _show_error(sentence)
    raise typer.Exit(exit_code)


def _show_error(sentence: str) -> None:
    _stderr().print(Text.assemble(("Error: ", "bold red"), _printable(mask_password(sentence))), soft_wrap=True)


def _settings(file: Path | None, overrides: Sequence[str] | None, workers: int | None = None) -> Settings:
    flags = [] if workers is None else [f"workers.count={workers}"]
    return read_settings(file, [*(overrides or ()), *flags])


def _progress(*, quiet: bool, logged: bool = False) -> Progress:
    shown: Progress
    if quiet:
        shown = SilentProgress()
    elif (console := _stderr()).is_terminal:
        shown = BarProgress(console)
    else:
        shown = LineProgress(lambda line: _print(console, [line]))
    return SeveralProgresses(shown, LineProgress(logger.info)) if logged else shown


def _show_load(report: LoadReport, *, as_json: bool, quiet: bool, verbose: bool) -> None:
    lines = summarize_load(report, verbose=verbose)
    logger.info("%s", "\n".join(lines))
    if as_json:
        print(report.to_json())
    elif not quiet:
        _print(_stderr(), lines)


def _stderr() -> Console:
    return Console(stderr=True, highlight=False)


def _print(console: Console, lines: Sequence[str]) -> None:
    """Print lines, headings (those without indentation) bold; wrapped on a terminal, whole where a program may read."""
    for line in lines:
        text = _printable(line)
        style = "" if line.startswith(" ") else "bold"
        if console.is_terminal:
            indent = " " * (len(text) - len(text.lstrip()) + 4)
            text = textwrap.fill(text, console.width, subsequent_indent=indent, break_on_hyphens=False)
        console.print(Text(text, style=style), soft_wrap=True)


def _printable(text: str) -> str:
    """What a dump or a file name holds must not control the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM asks for what Ctrl-C asks for."""
    raise KeyboardInterrupt


def _flush_standard_output() -> None:
    """Flush now: at the interpreter's end a reader who has left (`| head`) or a full disk would be a traceback."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            _show_error(f"Cannot write to standard output: {error.strerror}.")
            sys.exit(EXIT_FAILED)
