"""The example in `etl docs commands` of many small documents."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import etl
from tests.acceptance.contents import query
from tests.command import etl as command


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
