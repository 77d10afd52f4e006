"""`xml2arrow` to Arrow batches, and these into the database by ADBC's ingest.

What becomes what is in `nested.xml2arrow.yaml` and `flat.xml2arrow.yaml`. A child knows the place of its release among
the releases, not its id: that is looked up in Arrow here, and its time counts. Batches are taken as they come, in
bounded memory (`parse_batches`); the whole result at once (`parse`) takes 1.2 to 1.7 times as long. Empty texts come as
NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import adbc_driver_postgresql.dbapi
import adbc_driver_sqlite.dbapi
import pyarrow
import pyarrow.compute
from adbc_driver_manager.dbapi import Connection
from xml2arrow import XmlToArrowParser

from performance_tuning.benchmarks.common.tables import TABLES, Table, create_statements, key_statements
from performance_tuning.benchmarks.peers.starting import SQLITE, dialect_of, run

_PLACE = "<release>"
"""Column of a release's place among the releases, from 0."""
_TYPES = {
    "bigint": pyarrow.int64(),
    "integer": pyarrow.int32(),
    "smallint": pyarrow.int16(),
    "boolean": pyarrow.bool_(),
    "text": pyarrow.string(),
    "timestamp": pyarrow.timestamp("us"),
}

NamedBatch = tuple[str, pyarrow.RecordBatch]
"""With the name of its table."""


def load(kind: str, dump: str, url: str) -> None:
    """Load a generated dump by Arrow batches."""
    dialect = dialect_of(url)
    types = _TYPES | ({"timestamp": pyarrow.string()} if dialect == "sqlite" else {})
    tables = {table.name: table for table in TABLES[kind]}
    parser = XmlToArrowParser(Path(__file__).with_name(f"{kind}.xml2arrow.yaml"))
    with connect(url) as connection, connection.cursor() as cursor:
        for statement in create_statements(kind, dialect):
            cursor.execute(statement)
        for name, batch in with_ids(parser.parse_batches(dump)):
            cursor.adbc_ingest(name, as_table(batch, tables[name], types), mode="append")
        for statement in key_statements(kind, dialect):
            cursor.execute(statement)
        connection.commit()


def connect(url: str) -> Connection:
    if dialect_of(url) == "sqlite":
        return adbc_driver_sqlite.dbapi.connect(url.removeprefix(SQLITE))
    connection: Connection = adbc_driver_postgresql.dbapi.connect(url)
    return connection


def with_ids(batches: Iterable[NamedBatch]) -> Iterator[NamedBatch]:
    """Batches of children get a column `release_id`; they wait until the batch with their last release has come."""
    ids = pyarrow.array([], pyarrow.int64())
    waiting: list[NamedBatch] = []
    for name, batch in batches:
        if _PLACE not in batch.schema.names:
            yield name, batch
            continue
        if name == "release":
            ids = pyarrow.concat_arrays([ids, batch["id"]])
        waiting.append((name, batch))
        # Places rise within a batch: its last row has the highest.
        ready = [child for child in waiting if child[1][_PLACE][-1].as_py() < len(ids)]
        waiting = [child for child in waiting if child[1][_PLACE][-1].as_py() >= len(ids)]
        for child, part in ready:
            yield child, part.append_column("release_id", ids.take(part[_PLACE]))


def as_table(batch: pyarrow.RecordBatch, table: Table, types: dict[str, pyarrow.DataType]) -> pyarrow.RecordBatch:
    """The columns of the table, in their order and types: PostgreSQL takes them in binary, as they are."""

    def column(name: str) -> pyarrow.Array:
        if name in ("seq", "track_seq"):
            return pyarrow.compute.add(batch[f"<{name}>"].cast(pyarrow.int32()), 1)
        return batch[name]

    columns = [column(name).cast(types[sql_type]) for name, sql_type in table.columns.items()]
    return pyarrow.record_batch(columns, names=list(table.columns))


if __name__ == "__main__":
    run(load)
