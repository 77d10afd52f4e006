"""The splits of a dump as a load with default settings cuts them, for workers that have no load around them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from etl.errors import SourceError
from etl.extract.source import expand
from etl.fed_source import FedSource
from etl.feeding import Feeder, make_splitter
from etl.loading.ledger_base import Totals
from etl.mapping.model import Mapping
from etl.messages import SourceInfo, Split
from etl.options import Settings

SOURCE = SourceInfo(1, "dump.xml", "11111111-2222-3333-4444-555555555555", "2024-05-06T07:08:09+00:00")
"""What workers are told of every document."""


def splits_of(dump: str | Path, mapping: Mapping) -> Iterator[Split]:
    """Cut a file, or all of a directory. Raises SourceError where one cannot be read to its end."""
    sources = [
        FedSource(source, SOURCE, done=(), state="loading", totals=Totals(), rereadable=True)
        for source in expand([str(dump)])
    ]
    yield from Feeder(sources, make_splitter(mapping, Settings()), None)
    for fed in sources:
        if fed.problem:
            raise SourceError(fed.problem)
