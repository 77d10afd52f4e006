"""One load of a dump, with what it promises or without: ``python -m performance_tuning.benchmarks.one_load WAY ...``.

    with       as always
    without    nothing is kept of what was loaded: no ledger, no claims, no locks, no search for gaps, no marks

Both call `etl.load` with the same settings, so that they differ in this alone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import etl
from etl import pipeline
from etl.loading.no_ledger import NoLedger
from etl.options import build_settings

WAYS = ("with", "without")
_SETTINGS = {"workers": {"count": 2}}


def load(way: str, dump: Path, mapping: Path, url: str) -> None:
    """Load `dump` into the database at `url`."""
    settings = build_settings(_SETTINGS)
    if way == "with":
        etl.load(dump, mapping=mapping, target=url, settings=settings)
        return
    with patch.object(pipeline, "open_ledger", lambda *_arguments: NoLedger()):
        etl.load(dump, mapping=mapping, target=url, settings=settings)


def main(arguments: Sequence[str]) -> None:
    way, dump, mapping, url = arguments
    load(way, Path(dump), Path(mapping), url)


if __name__ == "__main__":
    main(sys.argv[1:])
