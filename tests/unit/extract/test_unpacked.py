"""How much sources make when they are unpacked."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from etl.extract.source import MANY, expand
from etl.extract.unpacked import unpacked_size

ENOUGH = 100_000
DOCUMENT = b"<r>" + b" " * 300_000 + b"</r>"


def tar(document: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("a.xml")
        entry.size = len(document)
        archive.addfile(entry, io.BytesIO(document))
    return packed.getvalue()


def zipped(document: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", document)
    return packed.getvalue()


PACKERS = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
    "zip": zipped,
    "tar.gz": lambda document: gzip.compress(tar(document)),
}


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_it_is_what_is_in_them_that_counts(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "small").write_bytes(pack(b"<r/>"))
    (tmp_path / "large").write_bytes(pack(DOCUMENT))
    small, large = (expand([str(tmp_path / name)]) for name in ("small", "large"))
    assert unpacked_size(small, ENOUGH) == 4
    assert (large[0].size or 0) < 4096
    assert (unpacked_size(large, ENOUGH) or 0) >= ENOUGH
    assert (unpacked_size([*small, *large], ENOUGH) or 0) >= ENOUGH


def test_files_and_folders_are_as_large_as_they_are(tmp_path: Path) -> None:
    for number in range(MANY + 1):
        (tmp_path / f"{number}.xml").write_bytes(b"<r/>")
    assert unpacked_size(expand([str(tmp_path)]), ENOUGH) == 4 * (MANY + 1)
    assert unpacked_size(expand([str(tmp_path / "7.xml")]), ENOUGH) == 4
    (tmp_path / "7.xml").write_bytes(DOCUMENT)
    assert unpacked_size(expand([str(tmp_path / "7.xml")]), ENOUGH) == len(DOCUMENT)


def test_what_comes_through_a_pipe_cannot_be_told() -> None:
    assert unpacked_size(expand(["-"]), ENOUGH) is None


def test_what_is_damaged_counts_up_to_there(tmp_path: Path) -> None:
    (tmp_path / "a.xml.gz").write_bytes(gzip.compress(b"<r>" + bytes(range(256)) * 4)[:-20])
    assert (unpacked_size(expand([str(tmp_path / "a.xml.gz")]), ENOUGH) or 0) < 1100
