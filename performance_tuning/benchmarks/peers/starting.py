"""How a peer is started: ``python -m performance_tuning.benchmarks.peers.NAME KIND DUMP URL``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Literal

from performance_tuning.benchmarks.common.tables import TABLES

SQLITE = "sqlite:///"


def dialect_of(url: str) -> Literal["sqlite", "postgres"]:
    """As `tables.create_statements` takes it."""
    return "sqlite" if url.startswith(SQLITE) else "postgres"


def run(load: Callable[[str, str, str], None]) -> None:
    """Call `load` with the kind of dump, its path and the URL of an empty database."""
    parser = argparse.ArgumentParser(description=load.__doc__)
    parser.add_argument("kind", choices=TABLES)
    parser.add_argument("dump")
    parser.add_argument("url", help="sqlite:///FILE or postgresql://...")
    options = parser.parse_args()
    load(options.kind, options.dump, options.url)
