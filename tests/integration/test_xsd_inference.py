"""`etl infer --xsd`: what the command says and refuses; and the example of the documentation."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

import etl
from tests.command import etl as command

PAGE = (Path(etl.__file__).parent / "docs" / "commands.md").read_text("utf-8")
SCHEMA = re.findall(r"```xsd\n(.*?)```", PAGE, re.DOTALL)[0]
MAPPING = re.findall(r"```yaml\n(.*?)```", PAGE[PAGE.index("### From a schema") :], re.DOTALL)[0]
DOCUMENT = re.findall(r"`(<orders>.*?</orders>)`", PAGE)[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "orders.xsd").write_text(SCHEMA, "utf-8")
    (tmp_path / "orders.xml").write_text(DOCUMENT, "utf-8")
    return tmp_path


def test_the_example_of_the_page(folder: Path) -> None:
    printed = command("infer", "--xsd", "orders.xsd", cwd=folder)
    assert printed.code == 0, printed.err
    assert printed.out.partition("\n\n")[2] == MAPPING
    assert "From the schema orders.xsd, below /orders." in printed.out
    assert "Made 2 tables (order, order_item) from orders.xsd." in printed.err
    (folder / "orders.mapping.yaml").write_text(printed.out, "utf-8")
    report = etl.load(folder / "orders.xml", mapping=folder / "orders.mapping.yaml", target="memory://")
    assert report.rows == {
        "order": [{"no": 7, "ordered": "2024-05-01", "state": None}],
        "order_item": [{"order_no": 7, "seq": 1, "pieces": 1, "item": "Pen"}],
    }


def test_a_document_beside_the_schema_and_standard_input(folder: Path) -> None:
    alone = command("infer", "--xsd", "orders.xsd", cwd=folder)
    assert command("infer", "--xsd", "orders.xsd", "orders.xml", "-q", cwd=folder).out == alone.out
    assert command("infer", "--xsd", "orders.xsd", "-", cwd=folder, stdin=DOCUMENT.encode()).out == alone.out
    assert etl.infer(xsd=folder / "orders.xsd").partition("\n\n")[2] == MAPPING


def test_the_example_of_schemas_in_folders_beside_each_other(folder: Path) -> None:
    (folder / "invoice").mkdir()
    (folder / "common").mkdir()
    including = SCHEMA.replace(">", '><xs:include schemaLocation="../common/types.xsd"/>', 1)
    (folder / "invoice" / "invoice.xsd").write_text(including)
    (folder / "common" / "types.xsd").write_text('<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"/>')
    refused = command("infer", "--xsd", "invoice/invoice.xsd", cwd=folder)
    assert (refused.code, refused.out) == (2, "")
    assert "names ../common/types.xsd" in refused.err
    (folder / "all.xsd").write_text(re.findall(r"```xsd\n(.*?)```", PAGE, re.DOTALL)[1])
    assert command("infer", "--xsd", "all.xsd", cwd=folder).out.partition("\n\n")[2] == MAPPING
    validated = command("check", "orders.xml", "--validate", "all.xsd", cwd=folder)
    assert validated.code == 0, validated.err


def test_documents_are_looked_at_as_they_are_loaded(folder: Path) -> None:
    alone = command("infer", "--xsd", "orders.xsd", cwd=folder)
    (folder / "dirty.xml").write_bytes(b"\0" + DOCUMENT.encode().replace(b"Pen", b"Pen &pen; &"))
    (folder / "pen.dtd").write_text('<!ENTITY pen "a">')
    given = ("--repair", "--dtd", "pen.dtd")
    mended = command("infer", "--xsd", "orders.xsd", "dirty.xml", *given, cwd=folder)
    assert (mended.code, mended.out) == (0, alone.out), mended.err
    assert "passed over" not in mended.err
    broken = command("infer", "--xsd", "orders.xsd", "dirty.xml", cwd=folder)
    assert (broken.code, broken.out) == (1, "")
    with zipfile.ZipFile(folder / "orders.zip", "w") as archive:
        archive.write(folder / "orders.xml", "orders.xml")
    assert command("infer", "--xsd", "orders.xsd", "orders.zip", "-q", cwd=folder).out == alone.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--xsd", "orders.xsd", "--full"], 2, "of a schema (--xsd) always everything is looked at"),
        (["--xsd", "orders.xsd", "orders.xml", "--full"], 2, "of a schema (--xsd) always everything is looked at"),
        (["--xsd", "orders.xsd", "--dtd", "orders.dtd"], 2, "input.dtd (--dtd) is for what stands in documents, and"),
        (["--xsd", "orders.xsd", "--repair"], 2, "input.repair (--repair) is for what stands in documents, and"),
        (["--xsd", "orders.xsd", "other.xml"], 2, "other.xml has in its root element orders none of the elements"),
        ([], 2, "Neither a SOURCE nor a schema (--xsd FILE) is given"),
        (["--xsd", "none.xsd"], 2, "The schema none.xsd cannot be read: No such file"),
        (["--xsd", "orders.xml"], 2, "orders.xml is no XML Schema: its root element is orders"),
        (
            ["--xsd", "orders.xsd", "orders.xsd"],
            2,
            "orders.xsd has the root element {http://www.w3.org/2001/XMLSchema}",
        ),
        (["--xsd", "orders.xsd", "none.xml"], 1, "none.xml"),
        (["--xsd", "orders.xsd", "empty.xml"], 1, "empty.xml"),
    ],
)
def test_what_makes_no_sense_is_refused(folder: Path, arguments: list[str], code: int, said: str) -> None:
    (folder / "empty.xml").touch()
    (folder / "other.xml").write_text("<orders><invoice/></orders>")
    refused = command("infer", *arguments, cwd=folder)
    assert refused.code == code
    assert refused.out == ""
    assert said in refused.err
    assert "Traceback" not in refused.err
    assert len(refused.err.strip().splitlines()) == 1
