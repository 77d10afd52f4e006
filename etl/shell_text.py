"""Names as they stand in a command that a sentence advises: who copies it into a shell gets the file meant. Pure."""

from __future__ import annotations

import shlex
from pathlib import Path


def for_shell(name: str | Path) -> str:
    """A file's name, a URL or another value as one word of a POSIX shell, never an option; quoted where it must be."""
    text = str(name)
    return shlex.quote(f"./{text}" if text.startswith("-") and text != "-" else text)
