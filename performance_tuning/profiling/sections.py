"""Sections of a Markdown file that scripts write: what was measured, with the command and the day.

A section stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``. The text around it is written by hand and stays as it
is, so it holds no figures. The section `machine` says on what all others were measured; a section that was measured on
something else says so itself.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from performance_tuning.benchmarks.common.command import note, options_of, run_command
from performance_tuning.benchmarks.common.harness import RunFailed
from performance_tuning.benchmarks.common.loads import ROOT, WrongRows
from performance_tuning.benchmarks.common.reporting import machine_lines

PROFILING_RESULTS = ROOT / "performance_tuning" / "PROFILING_RESULTS.md"
QUEUE_ARCHITECTURE = ROOT / "performance_tuning" / "QUEUE_ARCHITECTURE.md"

MACHINE = "machine"
"""Every file has this section."""

Measured = tuple[list[str], list[Any]]
"""Lines of Markdown, and the raw values behind them."""


class NoPlace(Exception):
    """The file has no place for the section."""


def profile_options(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None, repeat: int, file: Path = PROFILING_RESULTS
) -> argparse.Namespace:
    """The options, with those that every profile has: --write, --repeat and --json."""
    parser.add_argument(
        "--write",
        nargs="?",
        type=Path,
        const=file,
        metavar="FILE",
        help=f"put the section into its place in FILE, {file.name} where none is named",
    )
    return options_of(parser, arguments, repeat)


def run_profile(name: str, options: argparse.Namespace, measure: Callable[[Path], Measured]) -> int:
    """Measure in a temporary folder, print the section and write it where that is wanted; the exit code.

    `name`: of the section, and after ``profile_`` of the script.
    """

    def work(folder: Path) -> list[Any]:
        if options.write:  # before minutes are spent
            _section(options.write, name)
        described, warnings = _machine()
        known = options.write and _section(options.write, MACHINE) == described
        head = [*_made_by(name, options.given, [*([] if known else described), *warnings]), ""]
        lines, raw = measure(folder)
        print("\n".join([*head, *lines]), flush=True)
        if options.write:
            write_section(options.write, name, [*head, *lines])
            note(f"Written: the section {name} of {options.write.name}.")
        return raw

    return run_command(work, (RunFailed, WrongRows, NoPlace), options.json)


def write_section(file: Path, name: str, lines: Sequence[str]) -> None:
    """Put `lines` into the section, in place of what is there. Raises NoPlace."""
    text = _text(file)
    start, end = _place(text, name)
    file.write_text(f"{text[:start]}\n\n{chr(10).join(lines)}\n\n{text[end:]}", "utf-8")


def write_machine(file: Path) -> None:
    """Write the section `machine`. Raises NoPlace."""
    described, _warnings = _machine()
    write_section(file, MACHINE, described)


@cache  # or a profile would be warned of the load that the one before it in this process has left
def _machine() -> tuple[list[str], list[str]]:
    """What the figures are measured on, and what may be wrong with that."""
    lines = [line if line.endswith(".") else f"{line}." for line in machine_lines()]
    warnings = [line for line in lines if line.startswith("WARNING")]
    return [line for line in lines if line not in warnings], warnings


def _section(file: Path, name: str) -> list[str]:
    """Its lines. Raises NoPlace."""
    text = _text(file)
    return text[slice(*_place(text, name))].strip().splitlines()


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        raise NoPlace(f"There is no file {file} to put the section into.") from None


def _place(text: str, name: str) -> tuple[int, int]:
    """Where what is between the marks begins and ends."""
    found = re.search(rf"<!-- {name} -->(.*)<!-- /{name} -->", text, re.S)
    if found is None:
        raise NoPlace(f"There is no section {name}: expected <!-- {name} --> and <!-- /{name} --> in the file.")
    return found.span(1)


def _made_by(name: str, given: Sequence[str], remarks: Sequence[str]) -> list[str]:
    script = f"performance_tuning/profiling/profile_{name}.py"
    command = shlex.join(["python3", "env_prep/bootstrap.py", "python", script, *given])
    return [f"    {command}", "", " ".join([f"{datetime.now(UTC):%Y-%m-%d}.", *remarks])]
