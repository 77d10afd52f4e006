"""Small files, hundreds at once where the compiled code is there.

In: names. Out: what is in them, in order. Runs on the thread that asks, and reads ahead on others.
"""

from __future__ import annotations

import os
import sys
import threading
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import NamedTuple

from etl.extract.bunch import MOST
from etl.extract.member import SMALL_BYTES

_NONE = array("I")

_Read = tuple[bytes, "array[int]"]
"""What is in the first files of a group, and their sizes: none where the first cannot be read, or is not small."""

_Wanted = tuple[Sequence[str], Future[_Read]]

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
    ahead: deque[tuple[Sequence[str], Future[_Read]]] = deque()
    wanted: SimpleQueue[_Wanted | None] = SimpleQueue()
    # They do not keep the program from ending, as those of an executor would where a file system does not answer.
    for _ in range(_READERS):
        threading.Thread(target=_read_wanted, args=(wanted, most_bytes), name="etl-files", daemon=True).start()
    at, each = 0, _FIRST_FILES
    try:
        while ahead or at < len(files):
            while len(ahead) < _READERS and at < len(files):
                ahead.append(_want(wanted, files[at : at + each]))
                at += each
            group, reading = ahead.popleft()
            text, sizes = reading.result()
            count = len(sizes) or 1
            if count < len(group):
                ahead.appendleft(_want(wanted, group[count:]))
            if text:
                each = min(MOST, max(1, most_bytes * count // len(text)))
            yield SmallFiles(group[:count], text, sizes)
    finally:
        for _ in range(_READERS):
            wanted.put(None)


def _want(wanted: SimpleQueue[_Wanted | None], files: Sequence[str]) -> _Wanted:
    """Have files read by the next thread that is free."""
    asked = files, Future[_Read]()
    wanted.put(asked)
    return asked


def _read_wanted(wanted: SimpleQueue[_Wanted | None], most_bytes: int) -> None:
    """Read what is wanted, up to about twice as many bytes of each group; its end is told by None."""
    from etl.native import _documents

    while (asked := wanted.get()) is not None:
        files, reading = asked
        try:
            reading.set_result(_documents.read_files(encoded_names(files), 2 * most_bytes, SMALL_BYTES))
        except BaseException as error:  # noqa: BLE001 - raised again on the thread that waits for it
            reading.set_exception(error)


def encoded_names(files: Sequence[str]) -> list[bytes]:
    """As the system has them; `os.fsencode` takes several times as long."""
    encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
    return [file.encode(encoding, errors) for file in files]


def content_of(file: str) -> bytes:
    """All of a small file, with as few calls as it takes. Raises OSError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        content = os.read(descriptor, SMALL_BYTES + 1)
        while block := os.read(descriptor, SMALL_BYTES):
            content += block
        return content
    finally:
        os.close(descriptor)
