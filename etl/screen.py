"""Text on the screen: lines, errors and progress, for `etl.commands`. Main thread; progress displays have their own.

Results go to standard output, everything else to standard error. Nothing that a dump or a file name holds controls the
terminal. rich takes longer to import than some loads take: it is for terminals only.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from etl.errors import mask_password
from etl.progress import LineProgress, Progress, SeveralProgresses, SilentProgress

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("etl")

_QUOTED = re.compile(r"(?<![^\s`=])'[^'\n]*'(?:\"'\"'[^'\n]*')*")
"""A word as a shell quotes it."""

_HELD = "\N{NO-BREAK SPACE}"
"""A blank where no line may end; `printable` has left none of its own."""

_TERMINAL_BY_WISH = ("FORCE_COLOR", "TTY_COMPATIBLE")
"""Variables by which rich takes a stream for a terminal that is none."""


def console(stream: TextIO) -> Console:
    """What writes styled text there."""
    from rich.console import Console

    return Console(file=stream, highlight=False)


def width() -> int:
    """Characters of a line on standard output."""
    return console(sys.stdout).width


def new_progress(*, quiet: bool, logged: bool = False) -> Progress:
    """A bar on a terminal, lines elsewhere, nothing if `quiet`; `logged`: in the log too."""
    shown: Progress
    screen = _terminal(sys.stderr)
    if quiet:
        shown = SilentProgress()
    elif screen is not None:
        from etl.progress_bar import BarProgress

        shown = BarProgress(screen)
    else:
        shown = LineProgress(lambda line: print_lines(sys.stderr, [line]))
    return SeveralProgresses(shown, LineProgress(logger.info)) if logged else shown


def print_lines(stream: TextIO, lines: Sequence[str]) -> None:
    """Print lines, headings (those without indentation) bold; wrapped on a terminal, whole where a program may read."""
    screen = _terminal(stream)
    if screen is None:
        stream.write("".join(f"{printable(line)}\n" for line in lines))
        stream.flush()
        return
    from rich.text import Text

    for line in lines:
        text = printable(line)
        style = "" if line.startswith(" ") else "bold"
        indent = " " * (len(text) - len(text.lstrip()) + 4)
        screen.print(Text(_wrapped(text, screen.width, indent), style=style), soft_wrap=True)


def _wrapped(text: str, width: int, indent: str) -> str:
    """In lines of that width, but for words that are longer: names and commands are copied from here."""
    held = _QUOTED.sub(lambda quoted: quoted[0].replace(" ", _HELD), text)
    lines = textwrap.fill(held, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
    return lines.replace(_HELD, " ")


def show_error(sentence: str) -> None:
    """``Error: ...`` on standard error, without passwords."""
    text = printable(mask_password(sentence))
    screen = _terminal(sys.stderr)
    if screen is None:
        sys.stderr.write(f"Error: {text}\n")
        sys.stderr.flush()
        return
    from rich.text import Text

    screen.print(Text.assemble(("Error: ", "bold red"), text), soft_wrap=True)


def _terminal(stream: TextIO) -> Console | None:
    """The terminal there, None where there is none."""
    if not stream.isatty() and not any(os.environ.get(name) for name in _TERMINAL_BY_WISH):
        return None
    screen = console(stream)
    return screen if screen.is_terminal else None


def printable(text: str) -> str:
    """What a dump or a file name holds must not control the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)
