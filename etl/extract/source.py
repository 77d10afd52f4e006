"""Where documents come from: files, archives, directories, globs, standard input.

In: names as the user wrote them. Out: `Source`s, and for each that is one document a `SourceReader`, which iterates it
as chunks of UTF-8; for those that are many see `etl.extract.collection`. Runs on the thread that calls.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import io
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, NamedTuple

from etl.errors import SourceError
from etl.extract.kept_stream import KeptStream, Reading, ReadingAhead
from etl.extract.large_folder import is_small, listed
from etl.extract.members import ArchiveLimits, open_members
from etl.extract.reader import SourceReader
from etl.extract.repair import Repair
from etl.extract.subfolders import is_taken, subfolders
from etl.fingerprints import FOLDER, repaired

STANDARD_INPUT = "-"
SourceKind = Literal["document", "archive", "folder"]
"""`folder`: many small files, each a document, that are taken together."""

MANY = 100
"""More small files than this are one source: each by itself would cost more than what is in it."""

_NO_LIMITS = ArchiveLimits(ratio=1 << 62, total_bytes=1 << 62)
_SAMPLE_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 12
_BLOCKS = 64


@dataclass(frozen=True, slots=True)
class Source:
    """One document to load."""

    label: str
    """As the user wrote it, or the file's path."""
    path: Path | None
    """None for standard input."""
    size: int | None
    """Bytes on disk, None where one cannot tell before reading (standard input, pipes)."""
    stream: KeptStream | None = field(default=None, compare=False)
    """Where it is read twice all the same, see `kept`."""
    modified: int | None = field(default=None, compare=False)
    """When the file was last changed (nanoseconds, as the system counts), where that is known."""
    kind: SourceKind = "document"
    files: tuple[str, ...] = field(default=(), compare=False)
    """Of a folder: the small files in it that are to be loaded, by name."""
    repair: Repair | None = field(default=None, compare=False)
    """That its documents are mended."""

    @property
    def is_collection(self) -> bool:
        """Whether it holds many documents."""
        return self.kind != "document"

    @property
    def rereadable(self) -> bool:
        """Whether a second reading gives the same document."""
        return self.size is not None

    @property
    def absolute(self) -> str | None:
        """Where it can be read again, None where nowhere."""
        return os.path.abspath(self.path) if self.path is not None and self.rereadable else None

    def kept(self) -> Source:
        """This source, for a sample to be read before the whole: until ``stream.keep_no_more`` it may be opened again
        and again, and once after. Files need nothing for that.
        """
        return self if self.rereadable else replace(self, stream=KeptStream(lambda: _open(self)))

    def up_to(self, size: int) -> Source:
        """The source that its file was when it had only its first `size` bytes."""
        return replace(self, size=size)

    def fingerprint(self) -> str | None:
        """Identity of the content, None where it cannot be read twice; raises SourceError.

        BLAKE2b (32 hexadecimal digits) of the size, the first and the last MiB, and 64 blocks of 4 KiB evenly spread
        over what lies between them (files up to 2 MiB whole). A change that keeps the size and misses all of these
        is not noticed. What is read mended has another one.
        """
        found = self._content_fingerprint()
        return found if found is None or self.repair is None else repaired(found, self.repair.declared)

    def _content_fingerprint(self) -> str | None:
        if self.path is None or self.size is None:
            return None
        if self.kind == "folder":
            # Its files are known by their own content, and more of them may come.
            return FOLDER + hashlib.blake2b(os.fsencode(os.path.realpath(self.path)), digest_size=16).hexdigest()
        try:
            with self.path.open("rb") as file:
                beginning = file.read(min(_SAMPLE_BYTES, self.size))
                if self.size <= _SAMPLE_BYTES:
                    return content_fingerprint(beginning)
                digest = hashlib.blake2b(str(self.size).encode() + beginning, digest_size=16)
                between = self.size - 2 * _SAMPLE_BYTES
                for number in range(_BLOCKS if between > 0 else 0):
                    file.seek(_SAMPLE_BYTES + between * number // _BLOCKS)
                    digest.update(file.read(_BLOCK_BYTES))
                end = file.seek(max(_SAMPLE_BYTES, self.size - _SAMPLE_BYTES))
                digest.update(file.read(self.size - end))
        except OSError as error:
            raise unreadable(self.label, error) from error
        return digest.hexdigest()


def expand(names: Sequence[str], repair: Repair | None = None) -> list[Source]:
    """The sources that names stand for, each file once, in the order given.

    A name is a file, a directory (its files by name, without those in subdirectories, hidden ones, and those
    that go along with dumps: mappings, schemas, databases, checksums, notes), a glob pattern, or ``-`` for standard
    input. An archive is one source, and so are many small files together. With `repair` all of them are read mended.
    Raises SourceError where a name stands for nothing, or may not be read.
    """
    found = _large_folder(names) or _each(names)
    return found if repair is None else [replace(source, repair=repair) for source in found]


def _each(names: Sequence[str]) -> list[Source]:
    files: list[_File | str] = []
    number = size = 0
    seen: set[tuple[int, int]] = set()
    for name in names:
        for file, is_once in _named(name):
            if len(names) > 1 or not is_once:
                identity = (file.status.st_dev, file.status.st_ino) if file.status is not None else (-1, -1)
                if identity in seen:
                    continue
                seen.add(identity)
            status = file.status
            if status is not None and stat.S_ISREG(status.st_mode) and is_small(file.name, status.st_size):
                # Without what is known of it, since there may be millions.
                files.append(file.name)
                number += 1
                size += status.st_size
            else:
                files.append(file)
    if number <= MANY:
        return [looked_at(_source(_looked_up(file) if isinstance(file, str) else file)) for file in files]
    small = tuple(file for file in files if isinstance(file, str))
    # `dirname` of each would take longer than all else that is done for it here.
    folders = {os.path.dirname(before) for before in {file[: file.rfind("/") + 1] for file in small}}
    return [_folder(small, size, folders), *(looked_at(_source(file)) for file in files if not isinstance(file, str))]


def apart(folder: Source, paths: Collection[str]) -> list[Source]:
    """A folder without those of its files that are at these absolute paths, and each of them as a source of its own.

    Any other source comes as it is. Raises SourceError where one of them may not be read.
    """
    names = {os.path.basename(path) for path in paths}
    near = [file for file in folder.files if os.path.basename(file) in names] if names else []
    own = {file for file in near if os.path.abspath(file) in paths}
    alone = [replace(looked_at(_source(_looked_up(file))), repair=folder.repair) for file in sorted(own)]
    rest = tuple(file for file in folder.files if file not in own)
    size = (folder.size or 0) - sum(source.size or 0 for source in alone)
    return [*([replace(folder, files=rest, size=size)] if rest else []), *alone] if own else [folder]


class _File(NamedTuple):
    """A file that is to be loaded, before it is looked at."""

    name: str
    status: os.stat_result | None
    """None for standard input."""


def _looked_up(name: str) -> _File:
    try:
        return _File(name, os.stat(name))
    except (OSError, ValueError) as error:
        raise unreadable(name, error) from error


def _large_folder(names: Sequence[str]) -> list[Source]:
    """Of a single folder with many small files that one, and its other files; else nothing."""
    found = listed(names[0]) if len(names) == 1 and os.path.isdir(names[0]) else None
    if found is None or len(found.small) <= MANY:
        return []
    others = (looked_at(_source(_looked_up(name))) for name in found.others)
    return [_folder(tuple(found.small), found.size, {os.path.dirname(found.small[0])}), *others]


def _folder(files: tuple[str, ...], size: int, folders: Collection[str]) -> Source:
    """Small files in these folders, of so many bytes in all, as one source."""
    alike = len({os.path.isabs(folder) for folder in folders}) == 1
    folder = os.path.commonpath(folders if alike else [os.path.abspath(folder) for folder in folders]) or "."
    return Source(folder, Path(folder), size, kind="folder", files=files)


def _source(file: _File) -> Source:
    """The source that a file is. Raises SourceError where it may not be read."""
    name, status = file
    if status is None:
        return Source("standard input", None, None)
    if not os.access(name, os.R_OK):
        raise unreadable(name, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    if not stat.S_ISREG(status.st_mode):
        return Source(name, Path(name), None)
    return Source(name, Path(name), status.st_size, modified=status.st_mtime_ns)


def looked_at(source: Source) -> Source:
    """The source, known as an archive where it is one that can be read; a stream only where it is `kept`."""
    if not source.rereadable and source.stream is None:
        return source
    try:
        with _opened(source) as file:
            found = open_members(file, source.label, _NO_LIMITS)
    except OSError:  # it is told when its turn has come: the others are loaded all the same
        return source
    except SourceError:
        return replace(source, kind="archive")
    return source if found is None else replace(source, kind="archive")


def _named(name: str) -> Iterator[tuple[_File, bool]]:
    """The files that a name stands for, each with whether that name cannot bring it a second time."""
    if name == STANDARD_INPUT:
        yield _File(name, None), True
    elif os.path.isdir(name):
        yield from _directory(name)
    elif glob.has_magic(name) and not os.path.lexists(name):
        found = [path for path in sorted(glob.glob(name, recursive=True)) if not os.path.isdir(path)]
        if not found:
            raise SourceError(f"No file matches {name}.")
        for path in found:
            yield _looked_up(path), False
    else:
        yield _looked_up(name), True


def _directory(name: str) -> Iterator[tuple[_File, bool]]:
    try:
        with os.scandir(name) as entries:
            found = [entry for entry in entries if is_taken(entry.name) and _is_file(entry)]
        below = subfolders(name) if not found else ""
    except OSError as error:
        raise unreadable(name, error) from error
    if not found:
        raise SourceError(f"The directory {name} has no file to load{f', but {below}' if below else ''}.")
    has_links = any(entry.is_symlink() for entry in found)
    paths = sorted(entry.path for entry in found)
    del found
    for path in paths:
        try:
            status = os.stat(path)
        except FileNotFoundError:  # removed meanwhile
            continue
        except OSError as error:
            raise unreadable(path, error) from error
        yield _File(path, status), not has_links and status.st_nlink == 1


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads in a circle is none, as one that leads nowhere
        return False


def unreadable(label: str, error: OSError | ValueError) -> SourceError:
    """What to raise for it."""
    if isinstance(error, FileNotFoundError):
        return SourceError(f"There is no file {label}.")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return SourceError(f"{label} cannot be read: {reason}.")


def content_fingerprint(content: bytes) -> str:
    """`Source.fingerprint` of a small file."""
    return hashlib.blake2b(b"%d" % len(content) + content, digest_size=16).hexdigest()


def open_source(source: Source) -> SourceReader:
    """A reader of the source's document; a context manager. Raises SourceError where the source cannot be opened."""
    try:
        file = _open(source) if source.stream is None else source.stream.open()
    except OSError as error:
        raise unreadable(source.label, error) from error
    return SourceReader(
        _UpTo(file, source.size) if source.size and isinstance(file, io.FileIO) else file,
        source.label,
        interruptible=source.rereadable,
        is_changed=lambda: _is_mixture(source, file),
        repair=source.repair,
    )


def is_changed(source: Source, file: BinaryIO | Reading) -> bool:
    """Whether the open file is another, or has another content, than when it was named."""
    if source.modified is None or not isinstance(file, io.FileIO):
        return False
    status = os.fstat(file.fileno())
    return (status.st_size, status.st_mtime_ns) != (source.size, source.modified)


def _is_mixture(source: Source, file: BinaryIO | Reading) -> bool:
    """Whether another content may have been read than that of when the file was named.

    Raises SourceError where it has only grown since: its fingerprint is of what it was, and only that is read.
    """
    if is_changed(source, file) and isinstance(file, io.FileIO):
        size = os.fstat(file.fileno()).st_size
        if source.size is not None and size > source.size:
            raise SourceError(f"{source.label} has grown while it was read, from {source.size:,} to {size:,} bytes.")
        return True
    return False


class _UpTo:
    """A file up to the size that it had when it was named."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int, /) -> bytes:
        block = self._file.read(min(size, self._left))
        self._left -= len(block)
        return block

    def __enter__(self) -> BinaryIO:
        return self._file.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        self._file.__exit__(kind, error, traceback)


def _open(source: Source) -> BinaryIO:
    # Unbuffered, and standard input past Python's own buffer: that one's lock would block the end of the program.
    if source.path is None:
        return open(0, "rb", buffering=0, closefd=False)
    return open(source.path, "rb", buffering=0)


def _opened(source: Source) -> BinaryIO | ReadingAhead:
    return _open(source) if source.stream is None else source.stream.open_ahead()


def open_archive(source: Source) -> BinaryIO | ReadingAhead:
    """The file of an archive, to be closed by the caller. Raises SourceError."""
    try:
        return _opened(source)
    except OSError as error:
        raise unreadable(source.label, error) from error
