"""What is loaded while things break: two dumps, dirty and clean, of which a load takes some seconds at most.

Everything a load does is in it: rejects all along, records filtered out, tables with and without a key of their own,
children of children, `meta` columns, a compressed source; and batches so small that there are many commits.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from env_prep.generate_dump import write_dump
from tests.command import ETL

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

RECORD_TABLES = {"catalog.xml": ("label", "album"), "releases.xml.gz": ("release",)}
"""The tables whose rows are the records of each source."""

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

    def command(self, url: str, settings: Mapping[str, object], *options: str) -> list[str]:
        """The same each time, as a resume demands."""
        chosen = {**SETTINGS, **settings}
        changed = [f"--set={name}={value}" for name, value in chosen.items()]
        return [str(ETL), "load", *RECORD_TABLES, "--map", "job.mapping.yaml", "--to", url, *changed, *options]


def make_job(folder: Path, size: int) -> Job:
    """Write two dumps of about `size` bytes each, and their mapping, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.mapping.yaml").write_text(MAPPING, "utf-8")
    for name, kind in zip(RECORD_TABLES, ("catalog-dirty", "nested"), strict=True):
        pieces: list[bytes] = []
        write_dump(kind, pieces.append, size=size)
        document = b"".join(pieces)
        (folder / name).write_bytes(gzip.compress(document) if name.endswith(".gz") else document)
    return Job(folder)


def shown(command: Sequence[str], folder: Path) -> str:
    """The command as it can be run again by hand."""
    return f"cd {folder} && {' '.join(command)}"
