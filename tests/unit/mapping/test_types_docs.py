"""The documentation of the types: every type is there, with what each database makes of it, and every example loads."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from importlib import resources
from pathlib import Path

import psycopg
import pytest

import etl
from etl.mapping.model import Column, ColumnType, FromPath
from etl.mapping.paths import ValuePath
from etl.mapping.reader import parse_mapping
from etl.mapping.types import TYPE_NAMES
from etl.targets.schema import MAX_COLUMNS, type_name
from tests.unit.mapping.test_mapping_docs import examples

PAGE = (resources.files("etl") / "docs" / "types.md").read_text("utf-8")
EXAMPLES = examples(PAGE)
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| `")]


def load(number: int, folder: Path, target: str) -> etl.LoadReport:
    example = EXAMPLES[number]
    (folder / "document.xml").write_text(example.document, "utf-8")
    (folder / "document.mapping.yaml").write_text(example.mapping, "utf-8")
    report = etl.load(folder / "document.xml", mapping=folder / "document.mapping.yaml", target=target)
    assert report.rejected == 0
    return report


def described(name: str) -> ColumnType:
    match name:
        case "varchar":
            return ColumnType(name, length=9)
        case "bytes":
            return ColumnType(name, encoding="hex")
        case _:
            return ColumnType(name)


@pytest.mark.parametrize("name", TYPE_NAMES)
def test_every_type_has_its_row_with_the_databases_types(name: str) -> None:
    row = next(row for row in ROWS if re.search(rf"`{name}[`(]", row[0]))
    assert len(row) == 5
    column = Column("c", described(name), FromPath(ValuePath("c")))
    for dialect, cell in (("postgresql", row[3]), ("sqlite", row[4])):
        written = type_name(column, dialect).removesuffix(" WITHOUT TIME ZONE").replace("(9)", "(n)")
        assert written in cell or cell.startswith("the same")


def test_every_type_is_in_an_example() -> None:
    used = {
        column.type.name
        for example in EXAMPLES
        for table in parse_mapping(example.mapping, "example").tables
        for column in table.columns
    }
    assert used == set(TYPE_NAMES)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_gives_the_rows_it_shows(number: int, tmp_path: Path) -> None:
    report = load(number, tmp_path, "memory://")
    assert report.rows is not None
    shown = EXAMPLES[number].rows
    if shown is None:
        assert "sql:" in EXAMPLES[number].mapping
        return
    # JSON has no bytes.
    found = {
        table: [
            {name: "\\x" + value.hex() if isinstance(value, bytes) else value for name, value in row.items()}
            for row in rows
        ]
        for table, rows in report.rows.items()
    }
    assert found == json.loads(shown)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_loads_into_the_databases(number: int, tmp_path: Path, postgres_url: str) -> None:
    load(number, tmp_path, postgres_url)
    load(number, tmp_path, f"sqlite:///{tmp_path}/rows.db")


def test_what_the_page_says_of_lists(tmp_path: Path, postgres_url: str) -> None:
    number = next(n for n, example in enumerate(EXAMPLES) if "many: array, type: smallint" in example.mapping)
    load(number, tmp_path, postgres_url)
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute("SELECT tags::text, years::text FROM album ORDER BY record_id").fetchall()
    assert rows[0] == ('{"rock, pop","\\"best\\"",""}', "{1999,2001}")
    assert all(f"`{text}`" in PAGE for text in rows[0])
    load(number, tmp_path, f"sqlite:///{tmp_path}/rows.db")
    assert "json_each(tags)" in PAGE
    with contextlib.closing(sqlite3.connect(tmp_path / "rows.db")) as file:
        tags = file.execute("SELECT j.value FROM album, json_each(tags) j ORDER BY album.record_id").fetchall()
    assert tags == [("rock, pop",), ('"best"',), ("",), ("NULL",)]


def test_limits_are_those_of_the_program() -> None:
    for limit in MAX_COLUMNS.values():
        assert f"{limit} in " in PAGE or f"{limit} columns in " in PAGE
