"""Which files of a folder are taken, and a sentence on its subfolders, whose files are not.

In: names of sources as the user wrote them. Out: sentences. Runs on the thread that calls.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress

from etl.shell_text import for_shell

COMPANIONS = (".yaml", ".yml", ".dtd", ".xsd", ".db", ".md5", ".sha256", ".txt", ".md")
"""In a folder these are taken for what goes along with dumps: mappings, schemas, databases, checksums, notes."""

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


def is_taken(name: str) -> bool:
    """Whether a file of a folder is loaded with it, by its name."""
    return not name.startswith(".") and not name.endswith(COMPANIONS)


def passed_over(names: Sequence[str]) -> Iterator[str]:
    """For each folder among the names that has files, and subfolders with files: that these are not taken, and how to.

    Of one without any file of its own nothing is said: it is an error, which tells the same.
    """
    for name in names:
        with suppress(OSError):  # what cannot be read is told when its turn has come
            if os.path.isdir(name) and _has_files(name) and (told := subfolders(name)):
                yield f"{name} has {told}."


def subfolders(folder: str) -> str:
    """``2 subfolders, which are not looked into; ...``; empty where there is no file in any. Raises OSError."""
    with os.scandir(folder) as entries:
        inner = sorted(entry.path for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    example = next((file for each in inner for file in _files_below(each)), None)
    if example is None:
        return ""
    what, them = (
        ("1 subfolder, which is", "it") if len(inner) == 1 else (f"{len(inner):,} subfolders, which are", "them")
    )
    pattern = os.path.join(glob.escape(folder), "**", f"*{_suffix(example)}")
    return f"{what} not looked into; a pattern takes the files in {them} too, as in {for_shell(pattern)}"


def _has_files(folder: str) -> bool:
    with os.scandir(folder) as entries:
        return any(entry.is_file() and is_taken(entry.name) for entry in entries)


def _files_below(folder: str) -> Iterator[str]:
    for _, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from filter(is_taken, sorted(files))


def _suffix(name: str) -> str:
    """``.xml`` or ``.xml.gz``: from there on a name says what kind of file it is."""
    stem, last = os.path.splitext(name)
    return os.path.splitext(stem)[1] + last if last in _COMPRESSED else last
