"""The ledger's tables, and the statement that keeps what may be there already.

A dialect is imported where its statements are made: a load needs one of them, and PostgreSQL's takes a while.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


@dataclass(frozen=True, slots=True)
class LedgerTables:
    source: sa.Table
    document: sa.Table
    split: sa.Table
    reject: sa.Table
    skeleton: sa.Table
    metadata: sa.MetaData


def ledger_tables(schema: str | None) -> LedgerTables:
    """The ledger's tables. Times are ISO 8601 text in UTC, the same in every database."""
    metadata = sa.MetaData(schema=schema)
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    source = sa.Table(
        "etl_source",
        metadata,
        sa.Column("number", number, primary_key=True, autoincrement=False),
        sa.Column("label", sa.Text, nullable=False),
        # The file's absolute path, for a retry to find large records and for telling changed content.
        sa.Column("path", sa.Text),
        sa.Column("fingerprint", sa.Text),
        sa.Column("size", sa.BigInteger),
        sa.Column("mapping", sa.Text, nullable=False),
        sa.Column("mapping_file", sa.Text),
        sa.Column("mapping_digest", sa.Text, nullable=False),
        sa.Column("conversion_digest", sa.Text, nullable=False),
        sa.Column("tables", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        # Who runs it, or ran it last: program, machine, process, since when; and the number of the lock by which one
        # knows whether that lives (`Target.holder`).
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("lock", sa.BigInteger, nullable=False),
        sa.Column("load_id", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("finished_at", sa.Text),
        sa.UniqueConstraint("fingerprint", "mapping_digest"),
    )
    document = sa.Table(
        "etl_document",
        metadata,
        sa.Column("source", sa.BigInteger, primary_key=True),
        sa.Column("document", sa.BigInteger, primary_key=True),
        sa.Column("label", sa.Text, nullable=False),
        # Of its content and of the mapping's structure: what is known by the one mapping is not by another.
        sa.Column("identity", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("records_before", sa.BigInteger, nullable=False),
        sa.Column("records_most", sa.BigInteger, nullable=False),
        # The document of whose tile it is a part, whole and as one record; 0 where it has tiles of its own.
        sa.Column("pack", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    split = sa.Table(
        "etl_split",
        metadata,
        sa.Column("source", sa.BigInteger, primary_key=True),
        # 0 where the source is one document.
        sa.Column("document", sa.BigInteger, primary_key=True),
        sa.Column("start_offset", sa.BigInteger, primary_key=True),
        sa.Column("end_offset", sa.BigInteger, nullable=False),
        sa.Column("is_last", sa.Boolean, nullable=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("loaded", sa.BigInteger, nullable=False),
        sa.Column("rejected", sa.BigInteger, nullable=False),
        sa.Column("discarded", sa.BigInteger, nullable=False),
        sa.Column("source_position", sa.BigInteger, nullable=False),
        sa.Column("batch", sa.BigInteger, nullable=False),
        sa.Column("committed_at", sa.Text, nullable=False),
    )
    reject = sa.Table(
        "etl_reject",
        metadata,
        sa.Column("source", sa.BigInteger, primary_key=True),
        sa.Column("document", sa.BigInteger, primary_key=True),
        sa.Column("byte_offset", sa.BigInteger, primary_key=True),
        sa.Column("line", sa.BigInteger, nullable=False),
        sa.Column("record", sa.BigInteger, nullable=False),
        sa.Column("table_name", sa.Text, nullable=False),
        sa.Column("column_name", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("raw", sa.LargeBinary),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("skeleton", sa.Text),
    )
    skeleton = sa.Table(
        "etl_skeleton",
        metadata,
        sa.Column("source", sa.BigInteger, primary_key=True),
        # Digest of what follows: rejects that stood under the same open elements share it.
        sa.Column("skeleton", sa.Text, primary_key=True),
        sa.Column("subset", sa.LargeBinary, nullable=False),
        sa.Column("open_tags", sa.LargeBinary, nullable=False),
        sa.Column("close_tags", sa.LargeBinary, nullable=False),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.Column("header", sa.LargeBinary, nullable=False),
    )
    return LedgerTables(source, document, split, reject, skeleton, metadata)


def insert_missing(table: sa.Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    """Insert the rows whose key is not there yet."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table).on_conflict_do_nothing()
