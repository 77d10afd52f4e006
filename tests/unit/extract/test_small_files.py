"""Small files are read in groups, several at a time, and come in order."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from etl import native
from etl.extract.bunch import MOST
from etl.extract.member import SMALL_BYTES
from etl.extract.small_files import SmallFiles, read_together
from tests.reject_place import wait_for

pytestmark = pytest.mark.skipif(native.unavailable() != "", reason=native.unavailable())


def made(folder: Path, sizes: list[int]) -> list[str]:
    """Files of so many bytes, each of which has its own number in it."""
    files = []
    for number, size in enumerate(sizes):
        file = folder / f"{number}.xml"
        file.write_bytes((b"%d " % number * size)[:size])
        files.append(str(file))
    return files


def contents(groups: list[SmallFiles]) -> list[bytes | None]:
    """Of each file; None where it was not read."""
    found: list[bytes | None] = []
    for group in groups:
        at = 0
        found += [] if group.sizes else [None]
        for size in group.sizes:
            found.append(group.text[at : at + size])
            at += size
    return found


@pytest.mark.parametrize("most_bytes", [1, 1000, 100_000])
def test_all_of_them_in_order_however_large_they_are(tmp_path: Path, most_bytes: int) -> None:
    sizes = [*[10] * 900, *[20_000] * 40, *[0] * 300, SMALL_BYTES, SMALL_BYTES + 1, *[3] * 200]
    files = made(tmp_path, sizes)
    for gone in (0, 450, 1000, len(files) - 1):
        Path(files[gone]).unlink()
    groups = list(read_together(files, most_bytes))
    assert [file for group in groups for file in group.files] == files
    expected = [
        Path(file).read_bytes() if Path(file).exists() and size <= SMALL_BYTES else None
        for file, size in zip(files, sizes, strict=True)
    ]
    assert contents(groups) == expected
    assert all(len(group.text) <= 2 * most_bytes + SMALL_BYTES for group in groups)


def test_groups_grow_and_shrink_with_the_files(tmp_path: Path) -> None:
    files = made(tmp_path, [*[10] * 5000, *[10_000] * 500])
    groups = [len(group.files) for group in read_together(files, 10_000)]
    assert groups[10] == MOST
    assert max(groups[-100:]) <= 3


def test_who_stops_early_leaves_no_thread(tmp_path: Path) -> None:
    reading = read_together(made(tmp_path, [100] * 3000), 1000)
    assert next(reading).sizes
    assert any(thread.name.startswith("etl-files") for thread in threading.enumerate())
    reading.close()  # type: ignore[attr-defined]
    wait_for(lambda: not any(thread.name.startswith("etl-files") for thread in threading.enumerate()))


def test_what_is_no_file_any_more_is_not_waited_for(tmp_path: Path) -> None:
    files = made(tmp_path, [10] * 5)
    Path(files[2]).unlink()
    os.mkfifo(files[2])
    read = contents(list(read_together(files, 1000)))
    assert read == [Path(file).read_bytes() if file != files[2] else b"" for file in files]
