"""`pandas.read_xml`, then `to_sql`: a table of flat rows in memory, written by SQLAlchemy.

One element is one row: children of children are out of reach, so the nested dump gives the table `release` alone,
without the attribute of its `master_id`. It is read as a whole tree there: `iterparse` takes the last element of a name
at any depth (the title of the last track for that of the release), and 2.6 times as long. Empty texts come as NULL.
`to_sql` with ``method="multi"`` takes 8 to 12 times as long as its default.
"""

from __future__ import annotations

import pandas
from sqlalchemy import create_engine

from performance_tuning.benchmarks.common.tables import TABLES, create_statements, key_statements
from performance_tuning.benchmarks.peers.starting import dialect_of, run

_CHUNK_ROWS = 10_000
_TYPES = {"bigint": "Int64", "integer": "Int32", "smallint": "Int16", "boolean": "boolean", "text": "str"}
_ATTRIBUTES = [
    "Id",
    "PostTypeId",
    "AcceptedAnswerId",
    "ParentId",
    "CreationDate",
    "Score",
    "ViewCount",
    "Body",
    "OwnerUserId",
    "LastActivityDate",
    "Title",
    "Tags",
    "AnswerCount",
    "CommentCount",
    "ContentLicense",
]
"""Of a post, in the order of the table's columns."""


def load(kind: str, dump: str, url: str) -> None:
    """Load what pandas can of a generated dump."""
    dialect = dialect_of(url)
    rows = read_releases(dump) if kind == "nested" else read_posts(dump)
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        for statement in create_statements(kind, dialect):
            connection.exec_driver_sql(statement)
        rows.to_sql(TABLES[kind][0].name, connection, if_exists="append", index=False, chunksize=_CHUNK_ROWS)
        for statement in key_statements(kind, dialect):
            connection.exec_driver_sql(statement)
    engine.dispose()


def read_releases(dump: str) -> pandas.DataFrame:
    columns = TABLES["nested"][0].columns
    rows = pandas.read_xml(dump, xpath="/releases/release", dtype=_types(columns))
    return rows[[name for name in columns if name in rows]]


def read_posts(dump: str) -> pandas.DataFrame:
    columns = dict(zip(_ATTRIBUTES, TABLES["flat"][0].columns.values(), strict=True))
    dates = [name for name, sql_type in columns.items() if sql_type == "timestamp"]
    rows = pandas.read_xml(dump, iterparse={"row": _ATTRIBUTES}, dtype=_types(columns), parse_dates=dates)
    return rows.rename(columns=dict(zip(_ATTRIBUTES, TABLES["flat"][0].columns, strict=True)))


def _types(columns: dict[str, str]) -> dict[str, str]:
    return {name: _TYPES[sql_type] for name, sql_type in columns.items() if sql_type in _TYPES}


if __name__ == "__main__":
    run(load)
