"""What `etl docs` shows of many small documents: the example of the commands, and what asks the ledger for them."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

import etl
from etl.native import unavailable
from tests.acceptance.contents import query
from tests.command import etl as command
from tests.packing import pack


def test_the_example_of_the_documentation(tmp_path: Path, target_url: str) -> None:
    page = (Path(etl.__file__).parent / "docs" / "commands.md").read_text("utf-8")
    section = page.partition("### Archives, and many small documents\n")[2].partition("\n### ")[0]
    (document,) = re.findall(r"```xml\n(.*?)```", section, re.DOTALL)
    (mapping,) = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    (tmp_path / "invoices.mapping.yaml").write_text(mapping, "utf-8")
    with zipfile.ZipFile(tmp_path / "invoices.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(1, 200):
            archive.writestr(f"2024/{number}.xml", document.replace('"7"', f'"{number}"'))
    result = command("load", "invoices.zip", "--to", target_url, cwd=tmp_path)
    assert result.code == 0, result.err
    assert "199 documents read" in result.err
    found = query(target_url, 'SELECT number, customer, origin FROM "invoice" WHERE number = 7')
    assert found == [(7, "Ada", "invoices.zip/2024/7.xml")]
    assert query(target_url, 'SELECT count(*) FROM "line"') == [(2 * 199,)]
    assert "Nothing to do" in command("load", "invoices.zip", "--to", target_url, cwd=tmp_path).err


@pytest.mark.usefixtures("both_ways")
def test_when_each_document_was_committed(tmp_path: Path, target_url: str) -> None:
    page = (Path(etl.__file__).parent / "docs" / "guarantees.md").read_text("utf-8")
    (asked,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    names = [f"{number:03}.xml" for number in range(130)]
    files = {name: b"<note><text>%s</text></note>" % name.encode() for name in names}
    files["050.xml"] = files["050.xml"].replace(b"<note>", b"<!DOCTYPE note><note>")
    files["060.xml"] = b"<note><text></note>"
    pack("notes.zip", tmp_path, files)
    mapping = tmp_path / "notes.mapping.yaml"
    mapping.write_text("version: 1\ntables:\n  note: {each: /note, columns: {text: text}}\n")
    assert etl.load(tmp_path / "notes.zip", mapping=mapping, target=target_url).rejected == 1
    found = query(target_url, asked)
    assert [label for label, _ in found] == [f"{tmp_path}/notes.zip/{name}" for name in names]
    assert {moment for _, moment in found} == {
        row[0] for row in query(target_url, "SELECT committed_at FROM etl_split")
    }
    packs = query(target_url, "SELECT pack, count(*) FROM etl_document GROUP BY pack")
    tiles = query(target_url, "SELECT document, records, start_offset, is_last FROM etl_split")
    # A document type, and a document that does not parse, make no difference to what the ledger counts.
    assert sum(records for _, records, *_ in tiles) == 130
    assert all((start, bool(last)) == (0, True) for _, _, start, last in tiles)
    counts = {document: records for document, records, *_ in tiles}
    assert {first: count for first, count in packs if first} == {first: counts[first] for first, _ in packs if first}
    assert dict(packs) == ({0: 130} if unavailable() else {1: 50, 0: 1, 52: 79})
