"""What is named after a source: its mapping file, and the database where none is given."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from etl.errors import MappingError

_SUFFIXES = {".xml", ".gz", ".bz2", ".xz", ".zst"}


def source_stem(source: str | Path) -> str:
    """A source's name without folder, compression suffix and ``.xml``: ``dumps/posts.xml.gz`` -> ``posts``.

    Standard input (``-``) has none: "".
    """
    if str(source) == "-":
        return ""
    path = Path(source).resolve()
    while path.suffix.lower() in _SUFFIXES:
        path = path.with_suffix("")
    return path.name


def default_target(sources: Sequence[str | Path]) -> str:
    """The database URL where none was given: ETL_TARGET, else a SQLite file here, named after the source.

    Several sources (a pattern is several) share ``etl.db``.
    """
    from_environment = os.environ.get("ETL_TARGET")
    if from_environment:
        return from_environment
    stem = _common_stem(sources) or "etl"
    # In a URL `%` begins an escape and `?` the options.
    return f"sqlite:///{stem.replace('%', '%25').replace('?', '%3F')}.db"


def find_mapping(sources: Sequence[str | Path]) -> Path:
    """``STEM.mapping.yaml`` in this folder or beside the source; raises MappingError that says how to write one."""
    stem = _common_stem(sources)
    if not stem:
        raise MappingError(
            "A mapping is found by the name of one source, a file or a directory; for this give it with --map FILE "
            "(`etl docs mapping`)."
        )
    name = f"{stem}.mapping.yaml"
    folders = dict.fromkeys((Path(), Path(sources[0]).parent))
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    tried = " or ".join(str(folder / name) for folder in folders)
    raise MappingError(
        f"There is no mapping {tried}: write one (`etl docs mapping` shows how), or name another with --map FILE."
    )


def _common_stem(sources: Sequence[str | Path]) -> str:
    if len(sources) != 1:
        return ""
    is_pattern = glob.has_magic(str(sources[0])) and not Path(sources[0]).exists()
    return "" if is_pattern else source_stem(sources[0])
