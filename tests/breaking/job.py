"""What is loaded while things break: two dumps, dirty and clean, of which a load takes some seconds at most; as two
files, or packed: as many documents in an archive and in a folder.

Everything a load does is in it: rejects all along, records filtered out, tables with and without a key of their own,
children of children, `meta` columns, a compressed source; and batches so small that there are many commits.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

from env_prep.generate_dump import KINDS, write_dump
from etl.extract.member import SMALL_BYTES
from etl.extract.source import MANY
from tests.command import ETL
from tests.packing import pack

MAPPING = """\
version: 1
tables:
  label:
    each: /catalogue/labels/label
    key: id
    columns:
      id: "@id"
      name: name
  album:
    each: /catalogue/releases/release
    where: "@status = 'Accepted'"
    columns:
      id:       {path: "@id", type: bigint, required: true}
      title:    {path: title, required: true}
      released: {path: released, type: date, required: true}
      votes:    {path: rating/@votes, type: integer}
      genres:   {path: genres/genre, many: array}
      source:   {meta: source}
      line:     {meta: line}
      load:     {meta: load_id}
      since:    {meta: loaded_at}
  album_track:
    parent: album
    each: tracklist/track
    columns:
      title:    title
      duration: {path: duration, type: time}
  album_track_artist:
    parent: album_track
    each: artists/artist
    columns:
      artist_id: {path: "@id", type: integer}
      name:      name
  release:
    each: /releases/release
    key: id
    columns:
      id:       {path: "@id", type: bigint}
      title:    title
      country:  {path: country, nulls: [US], required: true}
      load:     {meta: load_id}
      since:    {meta: loaded_at}
  release_artist:
    parent: release
    each: artists/artist
    columns:
      artist_id: {path: id, type: integer}
      name:      name
"""

SOURCES = ("catalog.xml", "releases.xml.gz")
PACKED_SOURCES = ("catalogs.tar.gz", "releases")

RECORD_TABLES = {
    "catalog.xml": ("label", "album"),
    "releases.xml.gz": ("release",),
    "catalogs.tar.gz": ("label", "album"),
    "releases": ("release",),
}
"""The tables whose rows are the records of each source."""

LARGE_RECORDS = 350
"""Of one document in the archive: so many that it is read in pieces."""

SETTINGS = {
    "insert.batch_records": "100",
    "split.bytes": "8KiB",
    "errors.max": "unlimited",  # a tenth of the records is broken on purpose
    "insert.max_wait": "20ms",
}


@dataclass(frozen=True)
class Job:
    """The files of a load in a folder of their own, and the command that loads them."""

    folder: Path
    sources: tuple[str, ...] = SOURCES

    def command(self, url: str, settings: Mapping[str, object], *options: str) -> list[str]:
        """The same each time, as a resume demands."""
        chosen = {**SETTINGS, **settings}
        changed = [f"--set={name}={value}" for name, value in chosen.items()]
        return [str(ETL), "load", *self.sources, "--map", "job.mapping.yaml", "--to", url, *changed, *options]


def make_job(folder: Path, size: int) -> Job:
    """Write two dumps of about `size` bytes each, and their mapping, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.mapping.yaml").write_text(MAPPING, "utf-8")
    for name, kind in zip(SOURCES, ("catalog-dirty", "nested"), strict=True):
        pieces: list[bytes] = []
        write_dump(kind, pieces.append, size=size)
        document = b"".join(pieces)
        (folder / name).write_bytes(gzip.compress(document) if name.endswith(".gz") else document)
    return Job(folder)


def make_packed_job(folder: Path, size: int) -> Job:
    """The same records and mapping, about, as documents of a few records each; and one larger document among them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.mapping.yaml").write_text(MAPPING, "utf-8")
    catalogs, releases = (_documents(kind, size) for kind in ("catalog-dirty", "nested"))
    # The labels have a key: they stand in the first document alone.
    catalogs = [catalogs[0], *(re.sub(rb"(?s)<labels>.*?</labels>", b"", document) for document in catalogs[1:])]
    largest = max(range(len(catalogs)), key=lambda place: len(catalogs[place]))
    assert len(catalogs[largest]) > SMALL_BYTES
    pack("catalogs.tar.gz", folder, {f"{place:05}.xml": document for place, document in enumerate(catalogs)})
    pack("releases", folder, {f"{place:05}.xml": document for place, document in enumerate(releases)})
    assert len(releases) > MANY
    return Job(folder, PACKED_SOURCES)


def _documents(kind: str, size: int) -> list[bytes]:
    """Documents of 1, 2, 3, 1, ... records, the third of them of many, with `size` bytes in all, about."""
    spec = KINDS[kind]
    records = spec.records(Random(1))
    documents: list[bytes] = []
    while sum(map(len, documents)) < size:
        number = LARGE_RECORDS if len(documents) == 2 and kind != "nested" else len(documents) % 3 + 1
        documents.append(spec.head.encode() + b"".join(islice(records, number)) + spec.tail.encode())
    return documents


def shown(command: Sequence[str], folder: Path) -> str:
    """The command as it can be run again by hand."""
    return f"cd {folder} && {' '.join(command)}"
