"""What is named after a source: its mapping file, and the database where none is given."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

_SUFFIXES = {".xml", ".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst"}
_NAMELESS = ("/dev/", "/proc/")
"""Where pipes have numbers in place of names."""


def source_stem(source: str | Path) -> str:
    """A source's name without folder, suffixes of compression and archives and ``.xml``.

    ``dumps/posts.xml.gz`` -> ``posts``, ``feeds.tar.gz`` -> ``feeds``, the folder ``dumps/`` -> ``dumps``.

    Standard input has none (""), whether it is called ``-`` or is a pipe of the shell's (``/dev/fd/63``).
    """
    if str(source) == "-" or str(source).startswith(_NAMELESS):
        return ""
    path = Path(source).resolve()
    while path.suffix.lower() in _SUFFIXES:
        path = path.with_suffix("")
    return path.name


def is_nameless(sources: Sequence[str | Path]) -> bool:
    """Whether one of them is standard input or a pipe, which cannot be known again."""
    return any(str(source) == "-" or Path(source).is_fifo() for source in sources)


def target_of_environment() -> str | None:
    """The database URL that ETL_TARGET names, if it names one."""
    return os.environ.get("ETL_TARGET") or None


def default_target(sources: Sequence[str | Path]) -> str:
    """The database URL where none was given: ETL_TARGET, else a SQLite file here, named after the source.

    Several sources (a pattern is several) share ``etl.db``.
    """
    from_environment = target_of_environment()
    if from_environment is not None:
        return from_environment
    stem = _common_stem(sources) or "etl"
    # In a URL `%` begins an escape and `?` the options.
    return f"sqlite:///{stem.replace('%', '%25').replace('?', '%3F')}.db"


def mapping_name(sources: Sequence[str | Path], source_name: str | None = None) -> str:
    """Name of the mapping file of these sources: ``STEM.mapping.yaml``, and ``etl.mapping.yaml`` for several.

    Standard input has the stem of its `source_name`, if it is given one.
    """
    stem = source_stem(source_name) if source_name else _common_stem(sources)
    return f"{stem or 'etl'}.mapping.yaml"


def find_mapping(sources: Sequence[str | Path], source_name: str | None = None) -> Path | None:
    """The mapping file of these sources, in this folder or beside an only source; None where there is none."""
    name = mapping_name(sources, source_name)
    folders = [Path()]
    if _common_stem(sources):
        folders.append(Path(sources[0]).parent)
    return next((folder / name for folder in folders if os.path.isfile(folder / name)), None)


def _common_stem(sources: Sequence[str | Path]) -> str:
    if len(sources) != 1:
        return ""
    is_pattern = glob.has_magic(str(sources[0])) and not Path(sources[0]).exists()
    return "" if is_pattern else source_stem(sources[0])
