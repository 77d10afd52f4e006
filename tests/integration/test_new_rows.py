"""Rows of the ledger that may be there already: which of them were new, and that names of any kind are kept."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

import etl
from etl.native import unavailable
from etl.options import Settings
from etl.targets.open import open_target
from tests.breaking.outcome import Content

ROW = tuple[int, int, str, bytes, bool]
EXPECTED: list[ROW] = [(1, 1, 'a\'b, \\ "☃" {}', b"\0\xff", True), (1, 2, "", b"", False), (2, 1, "x", b"y", True)]
MAPPING = "version: 1\ntables:\n  note: {each: /note, columns: {text: {path: text}}}\n"


@pytest.mark.parametrize("compiled", [True, False])
def test_tells_which_rows_were_new(target_url: str, compiled: bool) -> None:
    if compiled and (reason := unavailable()):
        pytest.skip(reason)
    metadata = sa.MetaData()
    table = sa.Table(
        "kept",
        metadata,
        sa.Column("source", sa.BigInteger, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("name", sa.LargeBinary, nullable=False),
        sa.Column("flag", sa.Boolean, nullable=False),
    )
    with closing(open_target(target_url, Settings())) as target:
        vars(target)["compiled"] = compiled
        with closing(target.connect()) as connection:
            connection.begin()
            target.create_own_tables(connection, metadata)

            def insert(*rows: ROW) -> set[tuple[int, ...]]:
                return connection.insert_new(table, ("source", "number"), rows)

            assert insert(*EXPECTED[:2]) == {(1, 1), (1, 2)}
            # Not a row of a call that is in part known is lost, or there twice.
            assert insert(EXPECTED[1], EXPECTED[2]) == {(2, 1)}
            assert insert(*EXPECTED) == set()
            order = sa.select(table).order_by(table.c.source, table.c.number)
            found = [(*row[:3], bytes(row[3]), bool(row[4])) for row in connection.execute(order)]
            assert found == EXPECTED
            connection.rollback()


@pytest.mark.usefixtures("both_ways")
def test_a_folder_may_hold_files_whose_names_are_no_text(target_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(101):
        (folder / f"{number}.xml").write_text(f"<note><text>{number}</text></note>")
    with open(os.fsencode(folder) + b"/\xff.xml", "w") as file:
        file.write("<note><text>last</text></note>")
    mapping = tmp_path / "notes.mapping.yaml"
    mapping.write_text(MAPPING)
    report = etl.load(folder, mapping=mapping, target=target_url)
    assert (report.loaded, report.state) == (102, "finished")
    labels = [row["label"] for row in Content(target_url).rows["etl_document"]]
    assert sum("?" in label for label in labels) == 1
