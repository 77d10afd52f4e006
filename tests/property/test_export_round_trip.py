"""Rejects written out as a document are the same rejects again, and by a mended mapping the rows they should be."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

import etl

MAPPING = """\
version: 1
namespaces: {p: urn:p}
tables:
  item:
    each: //p:item
    key: record
    columns:
      record: {meta: record}
      id: {path: "@id", type: integer}
      name: p:name
      where: ../@x
      named: ../@p:y
"""
MENDED = MAPPING.replace('{path: "@id", type: integer}', '{path: "@id", type: integer, transform: {replace: [x, ""]}}')
ROWS = 'SELECT id, name, "where", named FROM item ORDER BY id'

DOCTYPES = [
    "",
    '<!DOCTYPE p:root SYSTEM "nowhere.dtd">\n',
    '<!DOCTYPE p:root [<!ENTITY co "Acme and Sons"><!ATTLIST group x CDATA "as declared">]>\n',
]
VALUES = [
    "",
    "a",
    "1 > 0 /> ]]>",
    "it's",
    "say &quot;so&quot;",
    "&lt;item id='1'>&amp;",
    "ü€\N{MUSICAL SYMBOL G CLEF}",
    " \t a",
    "&#10;--",
]
BETWEEN = ["", "\n", " <!-- <p:item id='x0'/> -->", "<?note > ?>", "text"]
CONTENTS = ["", "a name", "<![CDATA[</p:item> & >]]>", "<!-- - -> -->b", "&amp;&#65;", "<i>in</i> it"]

Draw = Any


class Writer:
    """A document in the making."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.doctype: str = draw(st.sampled_from(DOCTYPES))
        self.number = 0
        entities = ["&co;"] if "ENTITY" in self.doctype else []
        self.values = st.sampled_from(VALUES + entities)
        self.contents = st.sampled_from(CONTENTS + entities)

    def document(self) -> str:
        root = f"<p:root xmlns:p='urn:p' xmlns=\"urn:root\"{self.attributes()}>"
        return f"{self.doctype}{root}{self.children(0)}</p:root>"

    def attributes(self) -> str:
        written = ""
        for name in ("x", "p:y"):
            if self.draw(st.booleans()):
                value = self.draw(self.values)
                quote = '"' if "'" in value or self.draw(st.booleans()) else "'"
                written += f" {name}={quote}{value}{quote}"
        return written

    def children(self, depth: int, default: str = "urn:root") -> str:
        written = ""
        for _ in range(self.draw(st.integers(0 if depth else 1, 3))):
            written += self.draw(st.sampled_from(BETWEEN))
            written += self.item(default) if depth > 2 or self.draw(st.booleans()) else self.group(depth, default)
        return written

    def group(self, depth: int, default: str) -> str:
        name, namespace = self.draw(
            st.sampled_from([("group", ""), ("p:group", ""), ("group", "urn:p"), ("group", "urn:other")])
        )
        declared = f' xmlns="{namespace}"' if namespace else ""
        inside = self.children(depth + 1, namespace or default)
        return f"<{name}{declared}{self.attributes()}\n>{inside}</{name}>"

    def item(self, default: str) -> str:
        self.number += 1
        bad = "x" if self.draw(st.booleans()) else ""
        prefix = "" if default == "urn:p" and self.draw(st.booleans()) else "p:"
        attribute = self.draw(self.values)
        extra = f' z="{attribute}"' if '"' not in attribute else ""
        return (
            f'<{prefix}item id="{bad}{self.number}"{extra}><{prefix}name>{self.draw(self.contents)}</{prefix}name>'
            f"</{prefix}item>"
        )


@st.composite
def documents(draw: Draw) -> str:
    return Writer(draw).document()


def rows(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchall()


def load(folder: Path, source: str, mapping: str, database: str) -> etl.LoadReport:
    (folder / "mapping.yaml").write_text(mapping, "utf-8")
    few = etl.Settings.model_validate({"workers": {"kind": "inline"}, "split": {"bytes": 200}, "errors": {"max": None}})
    return etl.load(folder / source, mapping=folder / "mapping.yaml", target=url(folder / database), settings=few)


def url(database: Path) -> str:
    return f"sqlite:///{database}"


REJECTS = "SELECT reason, table_name, column_name, message, raw, length FROM etl_reject ORDER BY byte_offset"


@given(documents())
@settings(max_examples=10, deadline=None)
def test_exported_rejects_are_the_same_rejects_and_mended_the_rows_they_should_be(document: str) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "first.xml").write_text(document, "utf-8")
        loaded = load(folder, "first.xml", MAPPING, "first.db")
        load(folder, "first.xml", MENDED, "mended.db")
        rejects = rows(folder / "first.db", REJECTS)
        if not rejects:
            return
        good = rows(folder / "first.db", ROWS)
        should_be = rows(folder / "mended.db", ROWS)

        exported = etl.export_rejects(url(folder / "first.db"), folder / "again.xml")
        assert (exported.records, exported.ill_formed, exported.unavailable) == (loaded.rejected, 0, 0)
        etree.parse(folder / "again.xml")
        again = load(folder, "again.xml", MAPPING, "again.db")
        assert (again.loaded, again.rejected) == (0, loaded.rejected)
        assert rows(folder / "again.db", REJECTS) == rejects
        load(folder, "again.xml", MENDED, "again_mended.db")
        assert rows(folder / "again_mended.db", ROWS) == sorted(set(should_be) - set(good))

        (folder / "mapping.yaml").write_text(MENDED, "utf-8")
        retried = etl.retry(url(folder / "first.db"), mapping=folder / "mapping.yaml")
        assert (retried.loaded, retried.exit_code) == (loaded.rejected, 0)
        everything = "SELECT * FROM item ORDER BY record"
        assert rows(folder / "first.db", everything) == rows(folder / "mended.db", everything)
        (status,) = etl.status(url(folder / "first.db"))
        assert (status.loaded, status.rejected, status.records) == (loaded.records, 0, loaded.records)
