"""The files of a folder that holds thousands of small ones, listed by the compiled code.

In: the folder's name. Out: names and sizes, as listing and looking at each file in Python finds them, in half the time.
Runs on the thread that calls.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from etl import native
from etl.extract.member import SMALL_BYTES
from etl.extract.subfolders import COMPANIONS, is_taken

_ARCHIVE_SUFFIXES = (
    *(".zip", ".7z", ".rar", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"),
    *(".tgz", ".tbz", ".tbz2", ".txz", ".tzst"),
)
"""A small file among many is looked at, whether it is an archive, where its name says so."""

_TO_LOOK_AT = re.compile(
    rb"/\.|(?:%s)/" % b"|".join(re.escape(suffix.encode()) for suffix in (*COMPANIONS, *_ARCHIVE_SUFFIXES)),
    re.IGNORECASE,
)
"""In names with slashes around them: that one of them is not taken, or not small, by its name. Where none is, as
usually, looking at each would take as long as listing them."""

_LONGEST_SUFFIX = max(map(len, _ARCHIVE_SUFFIXES))


def is_small(name: str, size: int) -> bool:
    """Whether a regular file is taken together with others where they are many."""
    return size <= SMALL_BYTES and not name[-_LONGEST_SUFFIX:].lower().endswith(_ARCHIVE_SUFFIXES)


class LargeFolder(NamedTuple):
    """The files of a folder that are loaded with it, each list in the order of names."""

    small: list[str]
    size: int
    """Bytes of the small ones."""
    others: list[str]
    """Larger ones, and what is named as an archive."""


def listed(folder: str) -> LargeFolder | None:
    """None where there is no compiled code, or the files have to be looked at one by one: where the folder cannot be
    read, and where links are in it, or files with several names.
    """
    if native.unavailable():
        return None
    from etl.native import _documents

    found = _documents.list_folder(os.fsencode(folder))
    if found is None:
        return None
    names, sizes, before = os.fsdecode(found[0]).split("/")[:-1], found[1], os.path.join(folder, "")
    if max(sizes, default=0) <= SMALL_BYTES and not _TO_LOOK_AT.search(b"/" + found[0]):
        return LargeFolder([before + name for name in sorted(names)], sum(sizes), [])
    left = {name: size for name, size in zip(names, sizes, strict=True) if is_taken(name)}
    small = sorted(name for name, size in left.items() if is_small(name, size))
    size = sum(map(left.pop, small))
    return LargeFolder([before + name for name in small], size, [before + name for name in sorted(left)])
