"""What records are valid: the constructs of XML Schema, each by a small schema and a document, in a real worker."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from etl.engines.base import WorkerSetup
from etl.errors import SettingsError
from etl.extract.splitter import Splitter
from etl.mapping.model import Mapping
from etl.mapping.reader import parse_mapping
from etl.messages import MappedBatch, Split
from etl.validation import open_schema
from etl.worker import make_worker
from tests.splits import SOURCE, make_pack, part_of, rows_of, split_of

XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def mapping_of(*each: str) -> Mapping:
    tables = "".join(f'  t{n}: {{each: "{path}", columns: {{all: "."}}}}\n' for n, path in enumerate(each))
    text = 'version: 1\nnamespaces: {a: "urn:a", b: "urn:b", xs: "http://www.w3.org/2001/XMLSchema"}\ntables:\n'
    return parse_mapping(text + tables, "test.mapping.yaml")


def written(folder: Path, schema: str, **others: str) -> Path:
    """The schema's file; `others` beside it, by their names."""
    for name, text in others.items():
        (folder / f"{name}.xsd").write_text(text)
    file = folder / "main.xsd"
    file.write_text(schema)
    return file


def validated(file: Path, mapping: Mapping, document: str, split_bytes: int = 1 << 20) -> list[MappedBatch]:
    schema = open_schema(file)
    setup = WorkerSetup(mapping, "tuples", (SOURCE,), schema=schema(mapping))
    run_split = make_worker(setup)
    paths = [path for table in mapping.tables for path in table.records]
    parts = Splitter(paths, split_bytes, 1 << 20).split([document.encode()], 1, "dump.xml")
    return [
        run_split(Split(number, (part,), sum(len(run.payload) for run in part.runs), part.records))
        for number, part in enumerate(parts, 1)
    ]


def faults(file: Path, mapping: Mapping, document: str, split_bytes: int = 1 << 20) -> dict[int, str]:
    """By record number why it is a reject."""
    batches = validated(file, mapping, document, split_bytes)
    rejects = [reject for batch in batches for reject in batch.rejects]
    assert {reject.reason for reject in rejects} <= {"invalid"}
    return {reject.record: reject.message for reject in rejects}


LOCAL = f"""<xs:schema {XS} targetNamespace="urn:a" xmlns="urn:a" elementFormDefault="qualified">
  <xs:element name="books"><xs:complexType><xs:sequence>
    <xs:element name="head" type="xs:string"/>
    <xs:element name="book" minOccurs="2" maxOccurs="unbounded"><xs:complexType>
      <xs:sequence><xs:element name="year" type="xs:gYear" maxOccurs="2"/></xs:sequence>
      <xs:attribute name="id" type="xs:int" use="required"/>
    </xs:complexType></xs:element>
  </xs:sequence></xs:complexType>
  <xs:key name="ids"><xs:selector xpath="book"/><xs:field xpath="@id"/></xs:key></xs:element>
</xs:schema>"""


def test_a_record_declared_in_its_parents_type_is_validated_and_what_is_around_it_is_not(tmp_path: Path) -> None:
    document = """<books xmlns="urn:a">
      <book id="1"><year>1999</year></book>
      <book id="1"><year>2000</year><year>20</year></book>
      <p:book xmlns:p="urn:a" id="3"><p:year>x</p:year></p:book>
      <book><year>1999</year></book>
      <book id="5"><yeer/></book>
    </books>"""
    found = faults(written(tmp_path, LOCAL), mapping_of("/a:books/a:book"), document)
    assert found == {
        2: "book/year[2]: '20' is not a valid value of the atomic type 'xs:gYear'.",
        3: "book/year: 'x' is not a valid value of the atomic type 'xs:gYear'.",
        4: "book: The attribute 'id' is required but missing.",
        5: "book/yeer: This element is not expected. Expected is ( {urn:a}year ).",
    }


@pytest.mark.parametrize("split_bytes", [1, 100, 1 << 20])
def test_the_valid_ones_are_mapped_with_the_places_numbers_and_lines_they_have(
    tmp_path: Path, split_bytes: int
) -> None:
    def book(n: int) -> str:
        return f'<book id="{n if n % 3 else "x"}"><year>{1990 + n}</year></book>\n'

    document = f'<books xmlns="urn:a">\n{"".join(map(book, range(1, 10)))}</books>'
    batches = validated(written(tmp_path, LOCAL), mapping_of("/a:books/a:book"), document, split_bytes)
    rows = [row for batch in batches for row in rows_of(batch)]
    rejects = [reject for batch in batches for reject in batch.rejects]
    assert [row[1] for row in rows] == [str(1990 + n) for n in range(1, 10) if n % 3]
    assert [row[0] for row in rows] == [(1 << 40) + n for n in range(1, 10) if n % 3]
    assert [(reject.record, reject.line, reject.raw) for reject in rejects] == [
        (n, n + 1, book(n).strip().encode()) for n in (3, 6, 9)
    ]
    assert sum(count.loaded for batch in batches for count in batch.counts) == 6
    if len(batches) == 1:
        assert list(batches[0].tables[0].records) == [0, 1, 3, 4, 6, 7]


def test_what_is_not_well_formed_is_a_reject_for_that(tmp_path: Path) -> None:
    document = """<books xmlns="urn:a"><book id="1"><year>1999</year></book><book id="2"><year>&no;</year></book>
      <book id="x"><year>1999</year></book></books>"""
    (batch,) = validated(written(tmp_path, LOCAL), mapping_of("/a:books/a:book"), document)
    assert [(reject.record, reject.reason) for reject in batch.rejects] == [(2, "undefined_entity"), (3, "invalid")]


CASES: dict[str, tuple[dict[str, str], list[str], str, dict[int, str]]] = {
    "global element, by reference": (
        {
            "main": f"""<xs:schema {XS}><xs:element name="r"><xs:complexType><xs:sequence>
              <xs:element ref="n" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
              <xs:element name="n" type="xs:int"/></xs:schema>"""
        },
        ["/r/n"],
        "<r><n>1</n><n>x</n></r>",
        {2: "n: 'x' is not a valid value"},
    ),
    "the root is the record": (
        {"main": f'<xs:schema {XS}><xs:element name="r" type="xs:int"/></xs:schema>'},
        ["/*"],
        "<r>x</r>",
        {1: "r: 'x' is not a valid value"},
    ),
    "a root that is not declared": (
        {"main": f'<xs:schema {XS}><xs:element name="r" type="xs:int"/></xs:schema>'},
        ["/*"],
        "<s>1</s>",
        {1: "declares no element <s> as a root."},
    ),
    "substitutes": (
        {
            "main": f"""<xs:schema {XS}><xs:element name="r"><xs:complexType><xs:sequence>
              <xs:element ref="head" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
              <xs:element name="head" abstract="true"/>
              <xs:element name="n" type="xs:int" substitutionGroup="head"/>
              <xs:element name="m" type="xs:short" substitutionGroup="n"/></xs:schema>"""
        },
        ["/r/*"],
        "<r><n>1</n><m>2</m><m>70000</m><n>70000</n><head/></r>",
        {3: "m: '70000' is not a valid", 5: "head: The element declaration is abstract."},
    ),
    "unqualified local elements": (
        {
            "main": f"""<xs:schema {XS} targetNamespace="urn:a" xmlns="urn:a"><xs:element name="r" type="t"/>
              <xs:complexType name="t"><xs:sequence><xs:element name="n" type="xs:int" maxOccurs="9"/></xs:sequence>
              </xs:complexType></xs:schema>"""
        },
        ["/a:r/n"],
        '<p:r xmlns:p="urn:a"><n>1</n><n>x</n></p:r>',
        {2: "n: 'x' is not"},
    ),
    "prefixes in values, from the records ancestors": (
        {
            "main": f"""<xs:schema {XS} targetNamespace="urn:a" xmlns="urn:a" elementFormDefault="qualified">
              <xs:element name="r"><xs:complexType><xs:sequence><xs:element name="l"><xs:complexType><xs:sequence>
                <xs:element name="n" type="base" maxOccurs="9"/>
              </xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>
              <xs:complexType name="base"><xs:attribute name="q" type="xs:QName"/></xs:complexType>
              <xs:complexType name="more"><xs:complexContent><xs:extension base="base">
                <xs:attribute name="id" type="xs:int" use="required"/></xs:extension></xs:complexContent>
              </xs:complexType></xs:schema>"""
        },
        ["/a:r/a:l/a:n"],
        f"""<p:r xmlns:p="urn:a" {XSI}><p:l><p:n q="p:x"/><p:n q="z:x"/><p:n xsi:type="p:more"/>
          <p:n xsi:type="p:more" id="4"/><p:n id="5"/></p:l></p:r>""",
        {2: "n: attribute 'q': The QName value 'z:x' has no", 3: "'id' is required", 5: "'id' is not allowed"},
    ),
    "a type that an ancestor names": (
        {
            "main": f"""<xs:schema {XS} targetNamespace="urn:a" xmlns="urn:a" elementFormDefault="qualified">
              <xs:element name="r" type="base"/><xs:complexType name="base"/>
              <xs:complexType name="more"><xs:complexContent><xs:extension base="base"><xs:sequence>
                <xs:element name="n" type="xs:int" maxOccurs="9"/></xs:sequence></xs:extension></xs:complexContent>
              </xs:complexType></xs:schema>"""
        },
        ["/a:r/a:n"],
        f'<r xmlns="urn:a" {XSI} xsi:type="more"><n>1</n><n>x</n></r>',
        {2: "n: 'x' is not"},
    ),
    "extension of a type of another namespace, groups, a choice": (
        {
            "main": f"""<xs:schema {XS} targetNamespace="urn:a" xmlns="urn:a" xmlns:b="urn:b"
                elementFormDefault="qualified"><xs:import namespace="urn:b" schemaLocation="other.xsd"/>
              <xs:element name="r"><xs:complexType><xs:complexContent><xs:extension base="b:t">
                <xs:group ref="g" minOccurs="0" maxOccurs="9"/></xs:extension></xs:complexContent></xs:complexType>
              </xs:element><xs:group name="g"><xs:choice><xs:element name="x" type="xs:int"/>
                <xs:element name="y" type="xs:date"/></xs:choice></xs:group></xs:schema>""",
            "other": f"""<xs:schema {XS} targetNamespace="urn:b" elementFormDefault="qualified">
              <xs:complexType name="t"><xs:sequence><xs:element name="n" type="xs:int" maxOccurs="9"/></xs:sequence>
              </xs:complexType></xs:schema>""",
        },
        ["/a:r/b:n", "/a:r/a:x", "/a:r/a:y"],
        '<r xmlns="urn:a" xmlns:b="urn:b"><b:n>1</b:n><b:n>x</b:n><x>1</x><y>2000-01-01</y><y>1</y><x>1.5</x></r>',
        {2: "n: 'x' is not", 5: "y: '1' is not", 6: "x: '1.5' is not"},
    ),
    "an included schema without a namespace": (
        {
            "main": f"""<xs:schema {XS} targetNamespace="urn:a" xmlns="urn:a" elementFormDefault="qualified">
              <xs:include schemaLocation="other.xsd"/><xs:element name="r" type="t"/></xs:schema>""",
            "other": f"""<xs:schema {XS} elementFormDefault="qualified"><xs:complexType name="t"><xs:sequence>
              <xs:element name="n" type="small" maxOccurs="9"/></xs:sequence></xs:complexType>
              <xs:simpleType name="small"><xs:restriction base="xs:int"><xs:maxInclusive value="9"/></xs:restriction>
              </xs:simpleType></xs:schema>""",
        },
        ["/a:r/a:n"],
        '<r xmlns="urn:a"><n>1</n><n>10</n></r>',
        {2: "n: The value '10' is greater than the maximum value allowed ('9')."},
    ),
    "a redefined type": (
        {
            "main": f"""<xs:schema {XS}><xs:redefine schemaLocation="other.xsd"><xs:complexType name="t">
              <xs:complexContent><xs:extension base="t"><xs:sequence><xs:element name="m" type="xs:date" maxOccurs="9"/>
              </xs:sequence></xs:extension></xs:complexContent></xs:complexType></xs:redefine>
              <xs:element name="r" type="t"/></xs:schema>""",
            "other": f"""<xs:schema {XS}><xs:complexType name="t"><xs:sequence><xs:element name="n" type="xs:int"/>
              </xs:sequence></xs:complexType></xs:schema>""",
        },
        ["/r/n", "/r/m"],
        "<r><n>x</n><m>1</m><m>2000-01-01</m></r>",
        {1: "n: 'x' is not", 2: "m: '1' is not"},
    ),
    "xml:lang, imported without a file": (
        {
            "main": f"""<xs:schema {XS}><xs:import namespace="http://www.w3.org/XML/1998/namespace"/>
              <xs:element name="r"><xs:complexType><xs:sequence><xs:element name="n" maxOccurs="9"><xs:complexType>
                <xs:attribute ref="xml:lang"/></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>
              </xs:schema>"""
        },
        ["/r/n"],
        '<r><n xml:lang="en"/><n xml:lang="?"/></r>',
        {2: "lang': '?' is not a valid"},
    ),
    "keys inside of records; none between them": (
        {
            "main": f"""<xs:schema {XS}><xs:element name="r"><xs:complexType><xs:sequence>
              <xs:element name="n" maxOccurs="9"><xs:complexType><xs:sequence>
                <xs:element name="i" maxOccurs="9"><xs:complexType><xs:attribute name="id" type="xs:int"/>
                  <xs:attribute name="of" type="xs:int"/></xs:complexType></xs:element></xs:sequence>
                <xs:attribute name="key" type="xs:ID"/><xs:attribute name="up" type="xs:int"/></xs:complexType>
                <xs:key name="k"><xs:selector xpath="i"/><xs:field xpath="@id"/></xs:key>
                <xs:keyref name="f" refer="k"><xs:selector xpath="i"/><xs:field xpath="@of"/></xs:keyref>
                <xs:keyref name="g" refer="all"><xs:selector xpath="."/><xs:field xpath="@up"/></xs:keyref>
              </xs:element></xs:sequence></xs:complexType>
              <xs:key name="all"><xs:selector xpath="n"/><xs:field xpath="@up"/></xs:key></xs:element></xs:schema>"""
        },
        ["/r/n"],
        """<r><n key="a"><i id="1"/></n><n key="a" up="7"><i id="1"/><i id="2" of="1"/></n>
          <n><i id="1"/><i id="1"/></n><n><i id="1" of="3"/></n></r>""",
        {3: "n/i[2]: Duplicate key-sequence ['1']", 4: "No match found for key-sequence ['3']"},
    ),
    "records of several names under one parent": (
        {
            "main": f"""<xs:schema {XS}><xs:element name="r"><xs:complexType><xs:choice maxOccurs="unbounded">
              <xs:element name="x" type="xs:int"/><xs:element name="y" type="xs:date"/><xs:element ref="z"/></xs:choice>
              </xs:complexType></xs:element><xs:element name="z" type="xs:time"/></xs:schema>"""
        },
        ["/r/x", "/r/y", "/r/z"],
        "<r><x>1</x><y>2000-01-01</y><z>1</z><x>x</x><y>1</y><z>10:00:00</z><x>7</x></r>",
        {3: "z: '1' is not", 4: "x: 'x' is not", 5: "y: '1' is not"},
    ),
    "wildcards": (
        {
            "main": f"""<xs:schema {XS} targetNamespace="urn:a" xmlns="urn:a" xmlns:b="urn:b"
                elementFormDefault="qualified"><xs:import namespace="urn:b" schemaLocation="other.xsd"/>
              <xs:element name="r"><xs:complexType><xs:sequence>
                <xs:element name="lax"><xs:complexType><xs:sequence><xs:any processContents="lax" maxOccurs="9"/>
                </xs:sequence></xs:complexType></xs:element>
                <xs:element name="strict"><xs:complexType><xs:sequence><xs:any namespace="urn:b" maxOccurs="9"/>
                </xs:sequence></xs:complexType></xs:element>
                <xs:element name="skip"><xs:complexType><xs:sequence><xs:any processContents="skip" maxOccurs="9"/>
                </xs:sequence></xs:complexType></xs:element>
              </xs:sequence></xs:complexType></xs:element></xs:schema>""",
            "other": f"""<xs:schema {XS} targetNamespace="urn:b"><xs:element name="n" type="xs:int"/></xs:schema>""",
        },
        ["/a:r/*/b:n", "/a:r/*/b:m"],
        """<r xmlns="urn:a" xmlns:b="urn:b"><lax><b:n>1</b:n><b:n>x</b:n><b:m>x</b:m></lax>
          <strict><b:n>1</b:n><b:n>x</b:n><b:m/></strict><skip><b:n>x</b:n><b:m/></skip></r>""",
        {2: "n: 'x' is not", 5: "n: 'x' is not", 6: "declares no element <m> inside of <strict>."},
    ),
    "a record anywhere, in types that hold themselves": (
        {
            "main": f"""<xs:schema {XS}><xs:element name="r" type="t"/><xs:complexType name="t"><xs:choice
              maxOccurs="unbounded"><xs:element name="d" type="t"/><xs:element name="n" type="xs:int"/></xs:choice>
              </xs:complexType></xs:schema>"""
        },
        ["//n"],
        "<r><n>1</n><d><n>x</n><d><d><n>2</n><n>y</n></d></d></d></r>",
        {2: "n: 'x' is not", 4: "n: 'y' is not"},
    ),
    "no type is any": (
        {"main": f'<xs:schema {XS}><xs:element name="r"/><xs:element name="n" type="xs:int"/></xs:schema>'},
        ["/r/x/n"],
        "<r><x><n>1</n><n>x</n></x></r>",
        {2: "n: 'x' is not"},
    ),
    "names beyond ASCII, an ampersand in a namespace": (
        {
            "main": f"""<xs:schema {XS} targetNamespace="urn:a" xmlns="urn:a" elementFormDefault="qualified">
              <xs:element name="r"><xs:complexType><xs:sequence><xs:element name="n" type="xs:QName" maxOccurs="9"/>
              </xs:sequence></xs:complexType></xs:element></xs:schema>"""
        },
        ["/a:r/a:n"],
        """<ä:r xmlns:ä="urn:a" xmlns:ö="urn:x?a&amp;b"><ä:n>ö:x</ä:n><ä:n>ü:x</ä:n></ä:r>""",
        {2: "n: The QName value 'ü:x' has no"},
    ),
    "nil, fixed and default values": (
        {
            "main": f"""<xs:schema {XS}><xs:element name="r"><xs:complexType><xs:sequence><xs:element name="n"
              maxOccurs="9"><xs:complexType><xs:sequence><xs:element name="a" type="xs:int" nillable="true"/>
              <xs:element name="b" type="xs:int" default="5"/><xs:element name="c" type="xs:int" fixed="7"/>
              </xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element></xs:schema>"""
        },
        ["/r/n"],
        f"""<r {XSI}><n><a xsi:nil="true"/><b/><c/></n><n><a/><b/><c/></n><n><a>1</a><b>1</b><c>8</c></n></r>""",
        {2: "n/a: '' is not a valid", 3: "n/c: The actual value '8' does not match the fixed value constraint '7'."},
    ),
    "entities and attributes of a DTD": (
        {
            "main": f"""<xs:schema {XS}><xs:element name="r"><xs:complexType><xs:sequence><xs:element name="n"
              maxOccurs="9"><xs:complexType><xs:simpleContent><xs:extension base="xs:int"><xs:attribute name="k"
              use="required"/></xs:extension></xs:simpleContent></xs:complexType></xs:element></xs:sequence>
              </xs:complexType></xs:element></xs:schema>"""
        },
        ["/r/n"],
        """<!DOCTYPE r [<!ENTITY one "1"><!ENTITY no "x"><!ATTLIST n k CDATA "d">]><r><n>&one;</n><n>&no;</n></r>""",
        {2: "n: 'x' is not a valid"},
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("split_bytes", [1, 1 << 20])
def test_construct(tmp_path: Path, name: str, split_bytes: int) -> None:
    schemas, each, document, expected = CASES[name]
    others = {key: text for key, text in schemas.items() if key != "main"}
    found = faults(written(tmp_path, schemas["main"], **others), mapping_of(*each), document, split_bytes)
    assert found.keys() == expected.keys()
    for record, words in expected.items():
        assert words in found[record]


def test_attribute_tests_and_any_names_do_not_hide_records(tmp_path: Path) -> None:
    document = '<books xmlns="urn:a"><book id="1"><year>1</year></book><book id="2"><year>1</year></book></books>'
    found = faults(written(tmp_path, LOCAL), mapping_of("/*/{*}book[@id='2']"), document)
    assert list(found) == [1]


@pytest.mark.parametrize(
    ("each", "words"),
    [
        ("/a:books/a:journal", "at /a:books/a:journal (inside of <books> it declares book, head): the schema"),
        ("/books/book", "at /books/book (as roots it declares books): the schema"),
        ("/a:books/a:book/a:year/a:x", "at /a:books/a:book/a:year/a:x (inside of <book> it declares year): the schema"),
        ("//journal", "at //journal: the schema"),
    ],
)
def test_a_schema_for_other_documents(tmp_path: Path, each: str, words: str) -> None:
    schema = open_schema(written(tmp_path, LOCAL))
    with pytest.raises(SettingsError) as error:
        schema(mapping_of(each))
    assert str(error.value).startswith(
        f"{tmp_path}/main.xsd declares nothing where test.mapping.yaml has records, {words}"
    )


NEWER = f"""<xs:schema {XS}><xs:element name="r"><xs:complexType><xs:sequence><xs:element name="n" type="xs:int"/>
  </xs:sequence><xs:assert test="n > 1"/></xs:complexType></xs:element></xs:schema>"""


def test_a_schema_that_is_more_than_1_0(tmp_path: Path) -> None:
    schema = open_schema(written(tmp_path, NEWER))
    with pytest.raises(SettingsError, match=r"main\.xsd is no XML Schema 1\.0 that records can be validated by: "):
        schema(mapping_of("/r/n"))


def test_what_a_worker_gets_needs_no_file(tmp_path: Path) -> None:
    """Worker processes validate by what was read, whatever becomes of the files."""
    file = written(
        tmp_path,
        f'<xs:schema {XS}><xs:include schemaLocation="other.xsd"/></xs:schema>',
        other=LOCAL.replace('targetNamespace="urn:a" xmlns="urn:a" ', ""),
    )
    schema = open_schema(file)
    prepared = pickle.loads(pickle.dumps(schema(mapping_of("/books/book"))))
    for one in tmp_path.glob("*.xsd"):
        one.unlink()
    make_worker(WorkerSetup(mapping_of("/books/book"), "tuples", (SOURCE,), schema=prepared))


YEAR = f"""<xs:schema {XS}><xs:element name="r"><xs:complexType><xs:sequence>
  <xs:element name="year" type="xs:gYear"/></xs:sequence></xs:complexType></xs:element></xs:schema>"""


def test_documents_of_a_pack_are_validated_each_for_itself(tmp_path: Path) -> None:
    mapping = mapping_of("/r")
    setup = WorkerSetup(mapping, "tuples", (SOURCE,), schema=open_schema(written(tmp_path, YEAR))(mapping))
    years = [b"<r><year>%d</year></r>" % year for year in range(2000, 2006)]
    years[1] = b"<?xml version='1.0'?>\n<r><year>now</year></r>"
    years[4] = b"<r><year>2004</year><year/></r>"
    years[5] = b"<r><year></r>"
    first, second = make_pack(*years[:3], number=10), make_pack(*years[3:], number=20)
    batch = make_worker(setup)(split_of(part_of(first), part_of(second)))
    assert [tuple(counts) for counts in batch.counts] == [(3, 2, 1, 0), (3, 1, 2, 0)]
    places = [(one.document, one.record, one.line, one.offset, one.reason) for one in batch.rejects]
    assert places == [(11, 1, 2, 22, "invalid"), (21, 1, 1, 0, "invalid"), (22, 1, 1, 0, "malformed")]
    assert [row[-1] for row in rows_of(batch)] == ["2000", "2002", "2003"]
    assert list(batch.tables[0].records) == [0, 2, 3]
    good = make_worker(setup)(split_of(part_of(make_pack(*years[2:4], number=10))))
    assert [tuple(counts) for counts in good.counts] == [(2, 2, 0, 0)]
