"""The dumps of the benchmark, and what they must come to: rows by table, counted in the text without a parser."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from env_prep.generate_dump import write_dump

SEED = 1
"""What the dumps are made from: the same bytes each time."""


@dataclass(frozen=True)
class Dump:
    """A generated dump on disk."""

    kind: str
    """``nested`` or ``flat``."""
    path: Path
    size: int
    """Bytes."""
    records: int
    rows: dict[str, int]
    """Rows by table that loading it must give."""


def make_dump(kind: str, size: int, folder: Path) -> Dump:
    """Write a dump of about `size` bytes into `folder` (the same each time) and count it."""
    path = folder / f"{kind}-{size}.xml"
    with path.open("wb") as file:
        records = write_dump(kind, file.write, size=size, seed=SEED)
    rows = _nested_rows(path) if kind == "nested" else {"post": records}
    return Dump(kind, path, path.stat().st_size, records, rows)


def _nested_rows(path: Path) -> dict[str, int]:
    """The parts of a record stand in the same order in each: counting them needs no XML."""
    rows: Counter[str] = Counter()
    record = bytearray()
    with path.open("rb") as file:
        for line in file:
            record += line  # notes hold line breaks
            if line.endswith(b"</release>\n"):
                artists, _, rest = record.partition(b"</artists>")
                head, _, tracks = rest.partition(b"<tracklist>")
                rows["release"] += 1
                rows["release_artist"] += artists.count(b"<artist>")
                rows["release_label"] += head.count(b"<label ")
                rows["track"] += tracks.count(b"<track>")
                rows["track_artist"] += tracks.count(b"<artist>")
                record.clear()
    return dict(rows)
