"""Small files, hundreds at once where the compiled code is there.

In: names. Out: what is in them, in order. Runs on the reading thread.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from etl.extract.bunch import MOST
from etl.extract.member import SMALL_BYTES

_NONE = array("I")


class SmallFiles(NamedTuple):
    """Neighbouring files; or a single one that has to be read by itself."""

    files: Sequence[str]
    text: bytes
    """What is in them, one behind the other."""
    sizes: array[int]
    """Bytes of each; none where that is not read."""


def one_by_one(files: Sequence[str]) -> Iterator[SmallFiles]:
    """All files, none of which is read yet."""
    for file in files:
        yield SmallFiles([file], b"", _NONE)


def read_together(files: Sequence[str], most_bytes: int) -> Iterator[SmallFiles]:
    """All files, in groups of about so many bytes, and alone those that cannot be read, or are not small any more.

    Needs the compiled code.
    """
    from etl.native import _documents

    for at in range(0, len(files), MOST):
        group, names = files[at : at + MOST], encoded_names(files[at : at + MOST])
        while group:
            text, sizes = _documents.read_files(names, most_bytes, SMALL_BYTES)
            count = len(sizes) or 1
            yield SmallFiles(group[:count], text, sizes)
            group, names = group[count:], names[count:]


def encoded_names(files: Sequence[str]) -> list[bytes]:
    """As the system has them; `os.fsencode` takes several times as long."""
    encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
    return [file.encode(encoding, errors) for file in files]


def content_of(file: str) -> bytes:
    """All of a small file, with as few calls as it takes. Raises OSError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(descriptor, SMALL_BYTES + 1)
        while block := os.read(descriptor, SMALL_BYTES):
            content += block
        return content
    finally:
        os.close(descriptor)
