"""``--validate``: records that an XML Schema finds invalid are rejects, by every command and into every database."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import etl
from etl.errors import SettingsError
from etl.options import Settings, build_settings
from tests.acceptance.contents import query
from tests.command import etl as etl_command
from tests.integration.bad_input import MAPPING, document, item

XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
SCHEMA = f"""<xs:schema {XS}>
  <xs:element name="items"><xs:complexType><xs:sequence>
    <xs:element name="item" maxOccurs="unbounded"><xs:complexType>
      <xs:sequence><xs:element name="name" type="name" maxOccurs="9"/></xs:sequence>
      <xs:attribute name="id" type="xs:int"/>
    </xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
  <xs:simpleType name="name"><xs:restriction base="xs:string"><xs:maxLength value="10"/></xs:restriction>
  </xs:simpleType>
</xs:schema>
"""
RECORDS = 3000
REASON = "item/name: The value has a length of '20'; this exceeds the allowed maximum length of '10'."


def is_bad(number: int) -> bool:
    return number % 100 == 7


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "items.mapping.yaml").write_text(MAPPING)
    (tmp_path / "items.xsd").write_text(SCHEMA)
    items = (item(number, b"x" * 20 if is_bad(number) else b"a name") for number in range(1, RECORDS + 1))
    (tmp_path / "items.xml").write_bytes(document(*items))
    return tmp_path


def settings(place: Path, **others: object) -> Settings:
    return build_settings({"input": {"validate": str(place / "items.xsd")}, "split": {"bytes": 2048}, **others})


@pytest.mark.parametrize("kind", ["inline", "thread", "process"])
@pytest.mark.usefixtures("both_ways")
def test_invalid_records_are_rejects_and_the_others_load(place: Path, target_url: str, kind: str) -> None:
    report = etl.load(
        place / "items.xml",
        mapping=place / "items.mapping.yaml",
        target=target_url,
        settings=settings(place, workers={"kind": kind}),
    )
    bad = [number for number in range(1, RECORDS + 1) if is_bad(number)]
    assert (report.records, report.loaded, report.rejected) == (RECORDS, RECORDS - len(bad), len(bad))
    rejects = query(target_url, "SELECT record, line, reason, message, table_name FROM etl_reject ORDER BY record")
    assert rejects == [(number, number + 1, "invalid", REASON, "") for number in bad]
    numbers = query(target_url, "SELECT id FROM item ORDER BY id")
    assert numbers == [(number,) for number in range(1, RECORDS + 1) if not is_bad(number)]


def test_a_load_goes_on_and_counts_the_invalid_ones_of_before(place: Path, target_url: str) -> None:
    load = {"mapping": place / "items.mapping.yaml", "target": target_url, "settings": settings(place)}
    first = etl.load(place / "items.xml", limit=1000, **load)  # type: ignore[arg-type]
    second = etl.load(place / "items.xml", **load)  # type: ignore[arg-type]
    assert (first.rejected, second.rejected, second.sources[0].rejected_before) == (10, 20, 10)
    assert query(target_url, "SELECT count(*) FROM etl_reject") == [(30,)]


def test_what_a_database_refuses_beside_invalid_records_is_the_right_record(place: Path, target_url: str) -> None:
    """Rows know their records by places in the whole split, of which the invalid ones are not mapped."""
    first = [item(1, b"x" * 20), item(2), item(3, b"x" * 20), item(2), item(5)]
    (place / "items.xml").write_bytes(document(*first))
    etl.load(
        place / "items.xml",
        mapping=place / "items.mapping.yaml",
        target=target_url,
        settings=settings(place, keys="before", errors={"max": "unlimited"}),
    )
    rejects = query(target_url, "SELECT record, reason FROM etl_reject ORDER BY record")
    assert rejects == [(1, "invalid"), (3, "invalid"), (4, "duplicate_key")]


def test_a_check_validates_and_a_retry_does_where_it_is_told_to(place: Path) -> None:
    checked = etl_command("check", "items.xml", "--validate", "items.xsd", cwd=place)
    assert checked.code == 3
    assert "30 x invalid, the first: items.xml, line 8, record 7: " + REASON in checked.out
    to = ("--to", "sqlite:///items.db")
    assert etl_command("load", "items.xml", "--validate", "items.xsd", *to, cwd=place).code == 3
    assert etl_command("retry", "--validate", "items.xsd", *to, cwd=place).code == 3
    assert query(f"sqlite:///{place}/items.db", "SELECT count(*) FROM etl_reject WHERE reason = 'invalid'") == [(30,)]
    assert etl_command("retry", "--reason", "invalid", *to, cwd=place).code == 0
    assert query(f"sqlite:///{place}/items.db", "SELECT count(*) FROM item") == [(RECORDS,)]


BOMB = f"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>
<xs:schema {XS}><xs:element name="items"><xs:annotation><xs:documentation>&b;</xs:documentation></xs:annotation>
</xs:element></xs:schema>"""
OTHER = f'<xs:schema {XS}><xs:element name="books" type="xs:string"/></xs:schema>'
REMOTE = f'<xs:schema {XS}><xs:import namespace="urn:x" schemaLocation="http://127.0.0.1:9/x.xsd"/></xs:schema>'


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (None, "other.xsd cannot be read: No such file or directory."),
        ("<a><b></a>", "other.xsd is not well-formed: "),
        ("<a/>", "other.xsd is no XML Schema: its root element is a"),
        (BOMB, "other.xsd is not read: it, or one it names, has a DOCTYPE with entities"),
        (REMOTE, "other.xsd, line 1, names http://127.0.0.1:9/x.xsd, which is not fetched: records cannot be"),
        (f'<xs:schema {XS}><xs:element name="items" type="t"/></xs:schema>', "line 1: unknown type 't'"),
        (OTHER, "at /items/item (as roots it declares books): the schema is for other documents"),
    ],
)
def test_a_schema_that_cannot_be_used_is_one_sentence_and_nothing_is_written(
    place: Path, schema: str | None, words: str
) -> None:
    if schema is not None:
        (place / "other.xsd").write_text(schema)
    before = sorted(place.iterdir())
    for command in (["load", "items.xml", "--to", "sqlite:///new.db"], ["check", "items.xml"]):
        result = etl_command(*command, "--validate", "other.xsd", cwd=place)
        assert result.code == 2
        error = result.err[result.err.index("Error: ") :]
        assert words in error
        assert error.count("\n") == 1
        assert "Traceback" not in result.err
    assert sorted(place.iterdir()) == before


def test_a_schema_is_read_before_a_mapping_is_inferred(place: Path) -> None:
    (place / "items.mapping.yaml").unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        etl.load(
            place / "items.xml",
            target=f"sqlite:///{place}/new.db",
            save_mapping=place / "new.yaml",
            settings=build_settings({"input": {"validate": str(place / "none.xsd")}}),
        )
    assert not (place / "new.yaml").exists()


def test_by_an_inferred_mapping(place: Path) -> None:
    (place / "items.mapping.yaml").unlink()
    result = etl_command("load", "items.xml", "--validate", "items.xsd", "--to", "sqlite:///new.db", cwd=place)
    assert result.code == 3
    assert "30 x invalid" in result.err


def test_the_example_of_the_docs(tmp_path: Path) -> None:
    page = (Path(etl.__file__).parent / "docs" / "commands.md").read_text("utf-8")
    page = page[page.index("### Validating by an XML Schema") :]
    schema, books = re.findall(r"```xml\n(.*?)```", page, re.DOTALL)[:2]
    (tmp_path / "books.xsd").write_text(schema)
    (tmp_path / "books.xml").write_text(books)
    command = re.findall(r"\n    etl (.*)\n", page)[0].split()
    result = etl_command(*command, cwd=tmp_path)
    assert result.code == 3
    message = re.findall(r"with the message `(.*?)`", page, re.DOTALL)[0].replace("\n", " ")
    assert f"1 x invalid, the first: books.xml, line 3, record 2: {message}" in result.err


def test_without_a_schema_nothing_that_reads_one_is_imported(place: Path) -> None:
    code = (
        "import sys, etl; etl.load('items.xml', mapping='items.mapping.yaml', target='memory://');"
        "print(*{'xmlschema', 'elementpath', 'etl.validation.prepare'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=place, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.split() == []
