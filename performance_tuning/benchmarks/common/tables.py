"""The tables of the two dumps for the loaders we compare with: what `mappings/` describes, as plain SQL.

Keys are built after the last row, as `etl load` does: on PostgreSQL with ALTER TABLE, on SQLite (which cannot add a
constraint) as unique indexes, with the foreign keys declared, unchecked, at CREATE. A test holds that `etl load`
makes the same columns and keys.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table with its columns' SQL types and its keys; `parent` is (table, our columns), to that table's key."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]
    parent: tuple[str, tuple[str, ...]] | None = None


_ARTIST = {"artist_id": "bigint", "name": "text", "anv": "text", "joined_by": "text", "role": "text"}
_OF_RELEASE = {"release_id": "bigint", "seq": "integer"}
_OF_TRACK = {"release_id": "bigint", "track_seq": "integer", "seq": "integer"}

TABLES: dict[str, tuple[Table, ...]] = {
    "nested": (
        Table(
            "release",
            {
                "id": "bigint",
                "status": "text",
                "title": "text",
                "country": "text",
                "released": "text",
                "notes": "text",
                "data_quality": "text",
                "master_id": "bigint",
                "is_main_release": "boolean",
            },
            ("id",),
        ),
        Table("release_artist", _OF_RELEASE | _ARTIST, ("release_id", "seq"), ("release", ("release_id",))),
        Table(
            "release_label",
            {**_OF_RELEASE, "label_id": "bigint", "name": "text", "catno": "text"},
            ("release_id", "seq"),
            ("release", ("release_id",)),
        ),
        Table(
            "track",
            {**_OF_RELEASE, "position": "text", "title": "text", "duration": "text"},
            ("release_id", "seq"),
            ("release", ("release_id",)),
        ),
        Table(
            "track_artist",
            _OF_TRACK | _ARTIST,
            ("release_id", "track_seq", "seq"),
            ("track", ("release_id", "track_seq")),
        ),
    ),
    "flat": (
        Table(
            "post",
            {
                "id": "bigint",
                "post_type_id": "smallint",
                "accepted_answer_id": "bigint",
                "parent_id": "bigint",
                "creation_date": "timestamp",
                "score": "integer",
                "view_count": "integer",
                "body": "text",
                "owner_user_id": "bigint",
                "last_activity_date": "timestamp",
                "title": "text",
                "tags": "text",
                "answer_count": "integer",
                "comment_count": "integer",
                "content_license": "text",
            },
            ("id",),
        ),
    ),
}


def create_statements(kind: str, dialect: str) -> list[str]:
    """Statements that make the tables of a kind of dump; `dialect` is ``postgres`` or ``sqlite``."""
    return [_create(table, kind, dialect) for table in TABLES[kind]]


def key_statements(kind: str, dialect: str) -> list[str]:
    """Statements that build the keys of the loaded tables, primary keys before the foreign keys that need them."""
    tables = TABLES[kind]
    if dialect == "sqlite":
        return [
            f"CREATE UNIQUE INDEX {table.name}_key ON {table.name} ({', '.join(table.key)})"
            for table in tables
            if not _is_rowid(table)
        ]
    primary = [f"ALTER TABLE {table.name} ADD PRIMARY KEY ({', '.join(table.key)})" for table in tables]
    foreign = [f"ALTER TABLE {table.name} ADD {_foreign_key(table, kind)}" for table in tables if table.parent]
    return primary + foreign


def insert_statement(table: Table, placeholder: str, rows: int = 1) -> str:
    """INSERT of so many rows; `placeholder` is the driver's: ``?`` or ``%s``."""
    row = f"({', '.join([placeholder] * len(table.columns))})"
    return f"INSERT INTO {table.name} VALUES {', '.join([row] * rows)}"


def _create(table: Table, kind: str, dialect: str) -> str:
    parts = []
    for name, sql_type in table.columns.items():
        if dialect == "sqlite" and (name,) == table.key:
            parts.append(f"{name} INTEGER PRIMARY KEY")
        else:
            # SQLite has no type for dates and times; `etl load` says so in the table, so do we.
            own_type = "text" if dialect == "sqlite" and sql_type == "timestamp" else sql_type
            parts.append(f"{name} {own_type}{' NOT NULL' if name in table.key else ''}")
    if dialect == "sqlite" and table.parent:
        parts.append(_foreign_key(table, kind))
    return f"CREATE TABLE {table.name} ({', '.join(parts)})"


def _foreign_key(table: Table, kind: str) -> str:
    assert table.parent is not None
    name, columns = table.parent
    parent = next(other for other in TABLES[kind] if other.name == name)
    return f"FOREIGN KEY ({', '.join(columns)}) REFERENCES {name} ({', '.join(parent.key)})"


def _is_rowid(table: Table) -> bool:
    """A single integer key is SQLite's own row number: its index is there from the start, for free."""
    return len(table.key) == 1
