"""Many documents as archives of every kind, or as the files of a folder."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import zstandard

ARCHIVES: dict[str, Callable[[Mapping[str, bytes]], bytes]] = {
    "zip": lambda files: zipped(files),
    "tar": lambda files: tarred(files),
    "tar.gz": lambda files: gzip.compress(tarred(files), mtime=0),
    "tar.bz2": lambda files: bz2.compress(tarred(files)),
    "tar.xz": lambda files: lzma.compress(tarred(files)),
    "tar.zst": lambda files: zstandard.compress(tarred(files)),
}
"""By what a name ends in: the archive of these files, in their order; the same files give the same bytes."""


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def tarred(files: Mapping[str, bytes], *others: tarfile.TarInfo) -> bytes:
    """A tar of these files, and of other entries without content behind them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for entry in others:
            archive.addfile(entry)
    return packed.getvalue()


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The files in that folder, which is made if it is not there; the folder."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def pack(name: str, folder: Path, files: Mapping[str, bytes]) -> Path:
    """The files as that archive in the folder, or for a name without a dot as a folder in it; its path."""
    _, _, kind = name.partition(".")
    if not kind:
        return write_files(folder / name, files)
    path = folder / name
    path.write_bytes(ARCHIVES[kind](files))
    return path
