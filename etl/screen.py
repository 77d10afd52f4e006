"""Text on the screen: lines, errors and progress, for `etl.commands`. Main thread; progress displays have their own.

Results go to standard output, everything else to standard error. Nothing that a dump or a file name holds controls the
terminal.
"""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from etl.errors import mask_password
from etl.progress import BarProgress, LineProgress, Progress, SeveralProgresses, SilentProgress

logger = logging.getLogger("etl")


def stdout() -> Console:
    return Console(highlight=False)


def stderr() -> Console:
    return Console(stderr=True, highlight=False)


def new_progress(*, quiet: bool, logged: bool = False) -> Progress:
    """A bar on a terminal, lines elsewhere, nothing if `quiet`; `logged`: in the log too."""
    shown: Progress
    console = stderr()
    if quiet:
        shown = SilentProgress()
    elif console.is_terminal:
        shown = BarProgress(console)
    else:
        shown = LineProgress(lambda line: print_lines(console, [line]))
    return SeveralProgresses(shown, LineProgress(logger.info)) if logged else shown


def print_lines(console: Console, lines: Sequence[str]) -> None:
    """Print lines, headings (those without indentation) bold; wrapped on a terminal, whole where a program may read."""
    for line in lines:
        text = printable(line)
        style = "" if line.startswith(" ") else "bold"
        if console.is_terminal:
            indent = " " * (len(text) - len(text.lstrip()) + 4)
            text = textwrap.fill(text, console.width, subsequent_indent=indent, break_on_hyphens=False)
        console.print(Text(text, style=style), soft_wrap=True)


def show_error(sentence: str) -> None:
    """``Error: ...`` on standard error, without passwords."""
    stderr().print(Text.assemble(("Error: ", "bold red"), printable(mask_password(sentence))), soft_wrap=True)


def printable(text: str) -> str:
    """What a dump or a file name holds must not control the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)
