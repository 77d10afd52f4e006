"""Many small documents, as a folder, as archives and as one file of the same bytes: the same each time.

Written here, from the number of documents alone; loaded by the mappings of `Contents.mapping`.
"""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

from performance_tuning.benchmarks.common.dumps import SEED, Dump

ONE_FILE = "one file"
FORMS = (ONE_FILE, "folder", "zip", "tar", "tar.gz")
_HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_AROUND = "all"
"""The element that holds what is in all documents, in the one file."""
_LINES = 14
_RECORDS = 5
_WORDS = ("lorem", "ipsum", "dolor", "sit", "amet", "consectetur", "elit", "sed", "do", "tempor", "ut", "labore")


@dataclass(frozen=True)
class Contents:
    """What is in each document."""

    name: str
    title: str
    bodies: Callable[[int], Iterator[bytes]]
    """Of so many documents, without what stands before the root element."""
    each: str
    """Path of the records."""
    columns: str
    """The rest of the mapping; in it `{each}` stands for the path."""
    rows: dict[str, int]
    """Of each document, by table; the first one's are its records."""

    def mapping(self, form: str) -> str:
        """A mapping's text, for documents that come in that form."""
        return self.columns.format(each=f"/{_AROUND}{self.each}" if form == ONE_FILE else self.each)


def _invoices(documents: int) -> Iterator[bytes]:
    rng = Random(SEED)
    for number in range(documents):
        lines = b"".join(
            b'<line n="%d"><sku>%d</sku><text>%b</text><price>%d.%02d</price></line>\n'
            % (line, rng.randrange(10**6), _text(rng, 8), rng.randrange(100), rng.randrange(100))
            for line in range(1, _LINES + 1)
        )
        yield (
            b'<invoice id="%d" date="2024-%02d-%02d">\n<customer>%b</customer>\n<lines>\n%b</lines>\n</invoice>\n'
            % (number, rng.randrange(1, 13), rng.randrange(1, 29), _text(rng, 3), lines)
        )


def _batches(documents: int) -> Iterator[bytes]:
    rng = Random(SEED)
    for number in range(documents):
        records = b"".join(
            b'<record id="%d"><date>2024-%02d-%02d</date><title>%b</title><body>%b</body></record>\n'
            % (number * _RECORDS + at, rng.randrange(1, 13), rng.randrange(1, 29), _text(rng, 4), _text(rng, 40))
            for at in range(_RECORDS)
        )
        yield b'<batch number="%d">\n%b</batch>\n' % (number, records)


def _text(rng: Random, words: int) -> bytes:
    return " ".join(rng.choices(_WORDS, k=words)).encode()


CONTENTS = {
    "invoices": Contents(
        "invoices",
        "one record each, with 14 rows of another table",
        _invoices,
        "/invoice",
        """\
version: 1
tables:
  invoice:
    each: {each}
    columns:
      id:       {{path: "@id", type: bigint}}
      date:     {{path: "@date", type: date}}
      customer: customer
  line:
    parent: invoice
    each: lines/line
    columns:
      n:     {{path: "@n", type: integer}}
      sku:   {{path: sku, type: integer}}
      text:  text
      price: {{path: price, type: "numeric(10,2)"}}
""",
        {"invoice": 1, "line": _LINES},
    ),
    "batches": Contents(
        "batches",
        "five records each, of one table",
        _batches,
        "/batch/record",
        """\
version: 1
tables:
  record:
    each: {each}
    columns:
      id:    {{path: "@id", type: bigint}}
      date:  {{path: date, type: date}}
      title: title
      body:  body
""",
        {"record": _RECORDS},
    ),
}


def make_documents(contents: Contents, documents: int, forms: Sequence[str], folder: Path) -> dict[str, Dump]:
    """Write so many documents in each of these forms, in one pass. `Dump.size`: bytes on disk."""
    paths = {form: folder / f"{contents.name}-{form.replace(' ', '-')}" for form in forms}
    paths = {form: path if form == "folder" else path.with_suffix(_SUFFIXES[form]) for form, path in paths.items()}
    with ExitStack() as opened:
        writers = [opened.enter_context(_WRITERS[form](paths[form])) for form in forms]
        for number, body in enumerate(contents.bodies(documents)):
            for writer in writers:
                writer.add(f"{contents.name}-{number:07}.xml", body)
    rows = {table: count * documents for table, count in contents.rows.items()}
    records = next(iter(rows.values()))
    return {form: Dump(f"{contents.name} as {form}", path, _size(path), records, rows) for form, path in paths.items()}


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else path.stat().st_size


class _Writer(ExitStack):
    """Takes one document after the other; closed with the context."""

    def add(self, name: str, body: bytes) -> None:
        raise NotImplementedError


class _OneFile(_Writer):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = self.enter_context(path.open("wb"))
        self._file.write(_HEAD + b"<%b>\n" % _AROUND.encode())
        self.callback(self._file.write, b"</%b>\n" % _AROUND.encode())

    def add(self, name: str, body: bytes) -> None:
        self._file.write(body)


class _Folder(_Writer):
    def __init__(self, path: Path) -> None:
        super().__init__()
        path.mkdir()
        self._path = path

    def add(self, name: str, body: bytes) -> None:
        (self._path / name).write_bytes(_HEAD + body)


class _Zip(_Writer):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._zip = self.enter_context(zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED))

    def add(self, name: str, body: bytes) -> None:
        # With a time of its own: another one would be another archive.
        member = zipfile.ZipInfo(name)
        member.compress_type = zipfile.ZIP_DEFLATED
        self._zip.writestr(member, _HEAD + body)


class _Tar(_Writer):
    """Member by member: `tarfile` would remember each of them."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        file = self.enter_context(path.open("wb"))
        self._write = file.write
        if path.suffix == ".gz":
            # With a time of its own: another one would be another archive.
            self._write = self.enter_context(gzip.GzipFile("", "wb", 6, file, mtime=0)).write
        self.callback(lambda: self._write(bytes(2 * tarfile.BLOCKSIZE)))

    def add(self, name: str, body: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(_HEAD) + len(body)
        self._write(member.tobuf() + _HEAD + body + bytes(-member.size % tarfile.BLOCKSIZE))


_SUFFIXES = {ONE_FILE: ".xml", "zip": ".zip", "tar": ".tar", "tar.gz": ".tar.gz"}
_WRITERS: dict[str, Callable[[Path], _Writer]] = {
    ONE_FILE: _OneFile,
    "folder": _Folder,
    "zip": _Zip,
    "tar": _Tar,
    "tar.gz": _Tar,
}
