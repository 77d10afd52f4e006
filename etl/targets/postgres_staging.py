"""Staging tables in PostgreSQL: temporary tables that a transaction creates where its session has none yet.

In: a table of the mapping that is there, and its staging table. Out: statements.
"""

from __future__ import annotations

from etl.mapping.model import Table
from etl.targets.merging import Staging
from etl.targets.schema import quote

MERGE_LOCK = 0x6574_6C6D
"""First number ("etlm") of the advisory lock under which records are merged into a table; the second is its name's."""

LOCK_MERGES = "SELECT pg_advisory_xact_lock(%s, hashtext(name)) FROM unnest(CAST(%s AS text[])) AS name"
"""A lock of the tables themselves would keep autovacuum out for as long as batches follow each other."""


def create_statement(table: Table, staging: Staging) -> bytes:
    """Types and collations are those of the table itself."""
    columns = ", ".join(quote(column.name) for column in table.columns)
    rows = f"SELECT {columns}, CAST(NULL AS bigint) AS {quote(staging.number)} FROM {quote(table.name)} WITH NO DATA"
    name = quote(staging.table.name)
    return f"CREATE TEMP TABLE IF NOT EXISTS {name} ON COMMIT DELETE ROWS AS {rows}".encode()


def analyze_statement(staging: Staging) -> bytes:
    """Knowing nothing of the rows, the planner may take them for few, and loop over all of them for each."""
    columns = ", ".join(map(quote, (*staging.table.key, staging.number)))
    return f"ANALYZE {quote(staging.table.name)} ({columns})".encode()
