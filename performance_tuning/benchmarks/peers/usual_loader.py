"""The loader most people write first: iterparse, one findtext a column, executemany of 500 rows with a commit each.

    python -m performance_tuning.benchmarks.peers.usual_loader nested releases.xml sqlite:///releases.db

No tricks, and none withheld: elements are cleared once read, values go to the driver as they are, the keys are
built after the last row.
"""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from lxml import etree

from performance_tuning.benchmarks.common.tables import TABLES, create_statements, insert_statement, key_statements

BATCH_ROWS = 500

Row = tuple[Any, ...]


def nested_rows(release: etree._Element) -> Iterator[tuple[str, Row]]:
    """The rows of one release, by table."""
    release_id = release.get("id")
    master = release.find("master_id")
    yield (
        "release",
        (
            release_id,
            release.get("status"),
            release.findtext("title"),
            release.findtext("country"),
            release.findtext("released"),
            release.findtext("notes"),
            release.findtext("data_quality"),
            release.findtext("master_id"),
            None if master is None else master.get("is_main_release") == "true",
        ),
    )
    for seq, artist in enumerate(release.iterfind("artists/artist"), 1):
        yield "release_artist", (release_id, seq, *artist_values(artist))
    for seq, label in enumerate(release.iterfind("labels/label"), 1):
        yield "release_label", (release_id, seq, label.get("id"), label.get("name"), label.get("catno"))
    for track_seq, track in enumerate(release.iterfind("tracklist/track"), 1):
        position, title, duration = track.findtext("position"), track.findtext("title"), track.findtext("duration")
        yield "track", (release_id, track_seq, position, title, duration)
        for seq, artist in enumerate(track.iterfind("artists/artist"), 1):
            yield "track_artist", (release_id, track_seq, seq, *artist_values(artist))


def artist_values(artist: etree._Element) -> Row:
    return (
        artist.findtext("id"),
        artist.findtext("name"),
        artist.findtext("anv"),
        artist.findtext("join"),
        artist.findtext("role"),
    )


def flat_rows(row: etree._Element) -> Iterator[tuple[str, Row]]:
    """The one row of a post."""
    yield (
        "post",
        (
            row.get("Id"),
            row.get("PostTypeId"),
            row.get("AcceptedAnswerId"),
            row.get("ParentId"),
            row.get("CreationDate"),
            row.get("Score"),
            row.get("ViewCount"),
            row.get("Body"),
            row.get("OwnerUserId"),
            row.get("LastActivityDate"),
            row.get("Title"),
            row.get("Tags"),
            row.get("AnswerCount"),
            row.get("CommentCount"),
            row.get("ContentLicense"),
        ),
    )


RECORDS: dict[str, tuple[str, Callable[[etree._Element], Iterator[tuple[str, Row]]]]] = {
    "nested": ("release", nested_rows),
    "flat": ("row", flat_rows),
}


def read_rows(kind: str, dump: str) -> Iterator[tuple[str, Row]]:
    """The rows of a dump, by table; elements are cleared once read."""
    tag, rows_of = RECORDS[kind]
    for _event, element in etree.iterparse(dump, tag=tag):
        yield from rows_of(element)
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def load(kind: str, dump: str, connection: Any, placeholder: str, dialect: str) -> None:
    """Load a dump over a DB-API connection."""
    cursor = connection.cursor()
    for statement in create_statements(kind, dialect):
        cursor.execute(statement)
    connection.commit()

    inserts = {table.name: insert_statement(table, placeholder) for table in TABLES[kind]}
    waiting: dict[str, list[Row]] = {name: [] for name in inserts}
    for name, row in read_rows(kind, dump):
        rows = waiting[name]
        rows.append(row)
        if len(rows) == BATCH_ROWS:
            cursor.executemany(inserts[name], rows)
            connection.commit()
            rows.clear()
    for name, rows in waiting.items():
        if rows:
            cursor.executemany(inserts[name], rows)
            connection.commit()

    for statement in key_statements(kind, dialect):
        cursor.execute(statement)
    connection.commit()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Load a generated dump the usual way.")
    parser.add_argument("kind", choices=RECORDS)
    parser.add_argument("dump")
    parser.add_argument("url", help="sqlite:///FILE or postgresql://...")
    options = parser.parse_args(arguments)
    if options.url.startswith("sqlite:///"):
        connection: Any = sqlite3.connect(options.url.removeprefix("sqlite:///"))
        placeholder, dialect = "?", "sqlite"
    else:
        connection = psycopg.connect(options.url)
        placeholder, dialect = "%s", "postgres"
    try:
        load(options.kind, options.dump, connection, placeholder, dialect)
    finally:
        connection.close()


if __name__ == "__main__":
    main()
