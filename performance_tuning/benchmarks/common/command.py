"""What the commands of benchmarks share: a folder that goes away, Ctrl-C, errors as one line, raw values as JSON."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any


def run_command(work: Callable[[Path], Any], errors: tuple[type[Exception], ...], json_file: Path | None) -> int:
    """Run `work` in a temporary folder and write what it returns to `json_file`; the exit code of the command."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="etl-benchmark-") as name:
            results = work(Path(name))
    except KeyboardInterrupt:
        note("Interrupted; what it started has ended, what it wrote is gone.")
        return 130
    except errors as error:
        note(str(error))
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)
    if json_file:
        json_file.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    return 0


def some_of(*allowed: str) -> Callable[[str], list[str]]:
    """The type of an option that takes some of these names, joined by commas."""

    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in allowed]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(allowed)}")
        return names

    return parse


def at_least_one(text: str) -> int:
    """The type of an option that is a number of things."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def rising(parse: Callable[[str], int]) -> Callable[[str], list[int]]:
    """The type of an option that takes several numbers, joined by commas; out they come from the least to the most."""

    def parse_all(text: str) -> list[int]:
        return sorted({parse(part) for part in text.split(",")})

    return parse_all


def options_of(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    repeat: int = 3,
    name: str | None = None,
    quick: str = "",
) -> argparse.Namespace:
    """The options, with those that every benchmark has: --repeat and --json; --output where its results have a `name`.

    `quick`: the help of --quick, where there is to be that option, with which everything runs once.
    `given`, of what it returns: the arguments themselves.
    """
    how_often = parser.add_mutually_exclusive_group()
    if quick:
        how_often.add_argument("--quick", action="store_true", help=quick)
    # As text, since argparse takes a number that is the default itself for none that was given beside --quick.
    how_often.add_argument("--repeat", type=int, default=str(repeat), help="runs of each; medians are shown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run's raw values to FILE")
    if name is not None:
        parser.add_argument(
            "--output", type=Path, metavar="FOLDER", help=f"write {name}.json, .md and charts to FOLDER"
        )
    options = parser.parse_args(arguments)
    options.given = sys.argv[1:] if arguments is None else list(arguments)
    if options.repeat < 1:
        parser.error("--repeat: at least 1 run is needed")
    if quick and options.quick:
        options.repeat = 1
    return options


def note(text: str) -> None:
    """Print a line to standard error."""
    print(text, file=sys.stderr, flush=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
