"""Small files, hundreds at once where the compiled code is there.

In: names. Out: what is in them, in order. Runs on the thread that asks, and reads ahead on others.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from etl.extract.bunch import MOST
from etl.extract.member import SMALL_BYTES

_NONE = array("I")

_FIRST_FILES = 100
"""In a group, before it is known how large they are."""

_READERS = 8
"""Threads, which wait for the disk nearly all of their time."""


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

    Several groups are read at a time, since a disk, and a network still more, has them in little more time than the
    first of them. Needs the compiled code.
    """
    ahead: deque[tuple[Sequence[str], Future[tuple[bytes, array[int]]]]] = deque()
    at, each = 0, _FIRST_FILES
    with ThreadPoolExecutor(_READERS, "etl-files") as pool:
        while ahead or at < len(files):
            while len(ahead) < _READERS and at < len(files):
                group = files[at : at + each]
                ahead.append((group, pool.submit(_read, group, most_bytes)))
                at += each
            group, reading = ahead.popleft()
            text, sizes = reading.result()
            count = len(sizes) or 1
            if count < len(group):
                rest = group[count:]
                ahead.appendleft((rest, pool.submit(_read, rest, most_bytes)))
            if text:
                each = min(MOST, max(1, most_bytes * count // len(text)))
            yield SmallFiles(group[:count], text, sizes)


def _read(files: Sequence[str], most_bytes: int) -> tuple[bytes, array[int]]:
    """What is in the first files, up to about twice as many bytes, and their sizes: none where the first one cannot be
    read, or is not small.
    """
    from etl.native import _documents

    return _documents.read_files(encoded_names(files), 2 * most_bytes, SMALL_BYTES)


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
