"""What a load came to: every table's content and keys, the ledger's totals; and what must hold of any database.

Two loads of the same job into the same kind of database are equal if their outcomes are: what depends on the clock or
on how the work was cut is left out, and checked by itself (`check_promises`).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from tests.breaking.job import RECORD_TABLES

VOLATILE = {"load", "since", "mapping_file", "path", "epoch", "holder", "lock", "load_id", "started_at", "finished_at"}
"""Columns, of ours and of the ledger, that no two loads have in common."""

_VOLATILE_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+00")

COMPARED_LEDGER = ("etl_source", "etl_document", "etl_reject", "etl_skeleton")


@dataclass(frozen=True)
class Outcome:
    """Equal for loads that came to the same."""

    rows: dict[str, tuple[str, ...]]
    """By table, in order."""
    keys: dict[str, tuple[str, ...]]
    """By table: primary key, foreign keys, indexes, unique constraints."""
    totals: dict[str, tuple[int, ...]]
    """By source: records, loaded, rejected, discarded."""

    def differences(self, other: Outcome) -> list[str]:
        """Where two outcomes differ, by the first rows of each table."""
        found = []
        for table in sorted({*self.rows, *other.rows}):
            rows, others = self.rows.get(table, ()), other.rows.get(table, ())
            if checksum(rows) != checksum(others):
                found += [f"{table}: only in the one: {row[:500]}" for row in sorted({*rows} - {*others})[:3]]
                found += [f"{table}: only in the other: {row[:500]}" for row in sorted({*others} - {*rows})[:3]]
                found.append(f"{table}: {len(rows)} rows, and {len(others)}")
        if self.keys != other.keys:
            found.append(f"keys: {self.keys}, and {other.keys}")
        if self.totals != other.totals:
            found.append(f"totals: {self.totals}, and {other.totals}")
        return found


class Content:
    """All that a database holds, read at once."""

    def __init__(self, url: str) -> None:
        engine = sa.create_engine(_driver_url(url), poolclass=NullPool)
        with engine.connect() as connection:
            inspector = sa.inspect(connection)
            self.tables = sorted(inspector.get_table_names())
            self.rows: dict[str, list[dict[str, Any]]] = {
                table: [dict(row) for row in connection.execute(sa.text(f'SELECT * FROM "{table}"')).mappings()]
                for table in self.tables
            }
            self.keys = {table: _keys(inspector, table) for table in self.tables}
        engine.dispose()

    def outcome(self) -> Outcome:
        own = [table for table in self.tables if not table.startswith("etl_")]
        compared = [*own, *(table for table in COMPARED_LEDGER if table in self.tables)]
        rows = {
            table: tuple(sorted(_line(row, leave_out=VOLATILE if table != "etl_reject" else set()) for row in all_rows))
            for table, all_rows in self.rows.items()
            if table in compared
        }
        return Outcome(rows, {table: self.keys[table] for table in own}, self.totals())

    def totals(self) -> dict[str, tuple[int, ...]]:
        names = ("records", "loaded", "rejected", "discarded")
        return {
            source["label"]: tuple(sum(tile[name] for tile in self.tiles(source["number"])) for name in names)
            for source in self.rows["etl_source"]
        }

    def tiles(self, source: int) -> list[dict[str, Any]]:
        tiles = [tile for tile in self.rows["etl_split"] if tile["source"] == source]
        return sorted(tiles, key=lambda tile: (tile["document"], tile["start_offset"], tile["end_offset"]))

    def documents(self, source: int) -> dict[int, list[dict[str, Any]]]:
        """The tiles of each document of a source, by its number: 0 where the source is one."""
        return {number: list(tiles) for number, tiles in groupby(self.tiles(source), key=itemgetter("document"))}

    def check_account(self) -> None:
        """What holds of the database at every moment: its rows and rejects are those the ledger tells of."""
        rejects = Counter(reject["source"] for reject in self.rows.get("etl_reject", ()))
        for source in self.rows.get("etl_source", ()):
            records, loaded, rejected, discarded = self.totals()[source["label"]]
            assert records == loaded + rejected + discarded
            assert loaded == sum(len(self.rows.get(table, ())) for table in RECORD_TABLES[source["label"]])
            assert rejected == rejects[source["number"]]
            for tiles in self.documents(source["number"]).values():
                assert all(tile["end_offset"] <= after["start_offset"] for tile, after in pairwise(tiles))

    def check_promises(self) -> None:
        """What holds of the database at the end of every load, undisturbed or not."""
        self.check_account()
        for source in self.rows["etl_source"]:
            assert source["state"] == "finished", source
            documents = self.documents(source["number"])
            named = {row["document"] for row in self.rows["etl_document"] if row["source"] == source["number"]}
            assert {*documents} == (named or {0})
            assert all(find_holes(tiles) == [] for tiles in documents.values())
            started = datetime.fromisoformat(source["started_at"])
            for row in (row for table in RECORD_TABLES[source["label"]] for row in self.rows[table] if "since" in row):
                assert str(row["load"]) == source["load_id"]
                since = row["since"]
                assert (since if isinstance(since, datetime) else datetime.fromisoformat(since)) == started


def find_holes(tiles: list[dict[str, Any]]) -> list[str]:
    """What keeps `tiles`, in order, from covering a document once from its first byte to its last."""
    holes, end, last = [], 0, False
    for tile in tiles:
        if tile["start_offset"] != end or last:
            holes.append(f"{end} is followed by {tile['start_offset']}")
        end, last = tile["end_offset"], bool(tile["is_last"])
    return holes if last else [*holes, f"nothing after {end}"]


def checksum(rows: Iterable[str]) -> str:
    """Of rows in their order."""
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def assert_same(found: Outcome, expected: Outcome) -> None:
    """Equal, table by table; the error shows rows in which they differ."""
    differences = found.differences(expected)
    assert not differences, "\n".join(differences)


def outcome(url: str) -> Outcome:
    """The outcome of a finished load, its promises checked."""
    content = Content(url)
    content.check_promises()
    return content.outcome()


def committed_bytes(url: str) -> int:
    """Bytes of the documents whose records are in the database now; 0 where there is no ledger yet."""
    return sum(end - start for *_, start, end in committed_tiles(url))


def committed_tiles(url: str) -> set[tuple[int, int, int, int]]:
    """Source, document, start and end of what the ledger has now; none where there is no ledger yet."""
    engine = sa.create_engine(_driver_url(url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            tiles = connection.execute(sa.text("SELECT source, document, start_offset, end_offset FROM etl_split"))
            return {(source, document, start, end) for source, document, start, end in tiles}
    except sa.exc.DBAPIError:
        return set()
    finally:
        engine.dispose()


def _driver_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


def _line(row: dict[str, Any], leave_out: set[str]) -> str:
    text = repr([value for name, value in row.items() if name not in leave_out])
    # PostgreSQL quotes a row that it refuses, `load` and `since` included.
    return _VOLATILE_TEXT.sub("...", text)


def _keys(inspector: sa.Inspector, table: str) -> tuple[str, ...]:
    found = [repr(sorted(inspector.get_pk_constraint(table)["constrained_columns"]))]
    found += [f"{key['constrained_columns']} -> {key['referred_table']}" for key in inspector.get_foreign_keys(table)]
    found += [f"{index['column_names']} {index['unique']}" for index in inspector.get_indexes(table)]
    found += [repr(constraint["column_names"]) for constraint in inspector.get_unique_constraints(table)]
    return tuple(sorted(found))
