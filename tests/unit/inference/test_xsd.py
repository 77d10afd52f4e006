"""Mappings from schemas: what each construct becomes, and that what is valid loads."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path

import pytest
from lxml import etree

import etl
from etl.errors import SettingsError
from etl.inference.openable import Openable, openables
from etl.inference.survey import survey
from etl.inference.xsd import infer_from_schema
from etl.mapping.model import Column, FromPath, Mapping
from etl.mapping.reader import parse_mapping
from etl.mapping_choice import COMPARED_BYTES
from tests.profiles import columns_of, each_of

XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def schema(*components: str, attributes: str = "") -> str:
    return f"<xs:schema {XS} {attributes}>\n" + "\n".join(components) + "\n</xs:schema>"


def record(*contents: str, attributes: str = "", more: str = "") -> str:
    """A schema of records with these particles, which stand in a sequence."""
    return schema(
        '<xs:element name="recs"><xs:complexType><xs:sequence><xs:element name="rec" type="Rec" maxOccurs="unbounded"/>'
        f"</xs:sequence></xs:complexType>{more}</xs:element>",
        f'<xs:complexType name="Rec"><xs:sequence>{"".join(contents)}</xs:sequence>{attributes}</xs:complexType>',
    )


def of_type(facets: str, base: str) -> str:
    return (
        f'<xs:element name="v"><xs:simpleType><xs:restriction base="{base}">{facets}</xs:restriction></xs:simpleType>'
        "</xs:element>"
    )


class Made:
    """What was made of a schema; and what of a document that is valid by it."""

    def __init__(self, text: str, folder: Path, *documents: Openable) -> None:
        self.folder = folder
        self.file = folder / "schema.xsd"
        self.file.write_text(text, "utf-8")
        look = partial(survey, documents, sample_bytes=COMPARED_BYTES, on_bytes=lambda _: None)
        inferred = infer_from_schema(self.file, look if documents else None)
        self.text, self.warnings = inferred.text, inferred.warnings
        self.mapping: Mapping = parse_mapping(self.text, "inferred")

    def column(self, name: str, table: str = "rec") -> Column:
        return next(column for column in self.mapping.table(table).columns if column.name == name)

    def load(self, document: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[object, ...]]]:
        """The rows of a document; the same by the scanner and by lxml, and none rejected."""
        source, mapping = self.folder / "document.xml", self.folder / "mapping.yaml"
        source.write_text(document, "utf-8")
        mapping.write_text(self.text, "utf-8")
        etree.XMLSchema(etree.parse(self.file)).assertValid(etree.parse(source))
        found = []
        for switch in ("1", "0"):
            monkeypatch.setenv("ETL_NATIVE", switch)
            database = self.folder / f"{switch}.db"
            database.unlink(missing_ok=True)
            report = etl.load(source, mapping=mapping, target=f"sqlite:///{database}")
            assert (report.rejected, report.exit_code) == (0, 0), report.rejects
            connection = sqlite3.connect(database)
            found.append(
                {
                    table.name: list(connection.execute(f'SELECT * FROM "{table.name}" ORDER BY 1, 2'))
                    for table in self.mapping.tables
                }
            )
            connection.close()
        assert found[0] == found[1]
        return found[0]


def made(text: str, tmp_path: Path) -> Made:
    return Made(text, tmp_path)


@pytest.mark.parametrize(
    ("base", "facets", "column_type", "valid"),
    [
        ("xs:string", "", "text", ["", " a  b ", "ü"]),
        ("xs:string", '<xs:maxLength value="3"/>', "varchar(3)", ["", "abc", "\U0001f600üß"]),
        ("xs:token", '<xs:maxLength value="3"/>', "varchar(3)", [" a    b "]),
        ("xs:NMTOKEN", '<xs:length value="2"/>', "varchar(2)", ["  ab "]),
        ("xs:byte", "", "smallint", ["-128", "+007"]),
        ("xs:unsignedByte", "", "smallint", ["255"]),
        ("xs:short", "", "smallint", ["-32768", "32767"]),
        ("xs:unsignedShort", "", "integer", ["65535"]),
        ("xs:int", "", "integer", ["-2147483648", "-0"]),
        ("xs:unsignedInt", "", "bigint", ["4294967295"]),
        ("xs:long", "", "bigint", ["-9223372036854775808"]),
        ("xs:unsignedLong", "", "numeric(20,0)", ["18446744073709551615"]),
        ("xs:integer", "", "bigint", ["-999999999999999999"]),
        ("xs:positiveInteger", "", "bigint", ["1"]),
        ("xs:integer", '<xs:totalDigits value="4"/>', "smallint", ["-9999"]),
        ("xs:integer", '<xs:totalDigits value="19"/>', "numeric(19,0)", ["9999999999999999999"]),
        ("xs:integer", '<xs:minInclusive value="0"/><xs:maxExclusive value="70000"/>', "integer", ["69999"]),
        ("xs:decimal", "", "numeric", [".5", "5.", "-0.0", "12345678901234567890.123"]),
        ("xs:decimal", '<xs:fractionDigits value="2"/>', "numeric", ["1.50"]),
        ("xs:decimal", '<xs:totalDigits value="5"/>', "numeric", ["0.12345", "12345"]),
        (
            "xs:decimal",
            '<xs:totalDigits value="5"/><xs:fractionDigits value="2"/>',
            "numeric(7,2)",
            ["12345", "123.45", "1.500"],
        ),
        (
            "xs:decimal",
            '<xs:fractionDigits value="1"/><xs:minInclusive value="-90"/><xs:maxInclusive value="90"/>',
            "numeric(3,1)",
            ["-90.0", "89.9"],
        ),
        ("xs:float", "", "double", ["1e39", "-1.5E-7"]),
        ("xs:double", "", "double", ["1e300"]),
        ("xs:boolean", "", "boolean", ["true", "0"]),
        ("xs:date", "", "date", ["2024-02-29", "2024-02-29Z", "2024-02-29-11:00"]),
        ("xs:time", "", "time", ["12:00:00", "12:00:00.5Z", "12:00:00+02:00"]),
        ("xs:dateTime", "", "timestamptz", ["2024-02-29T24:00:00", "2024-02-29T12:00:00.25-05:00"]),
        ("xs:gYear", "", "text", ["2024", "-0044", "2024Z"]),
        ("xs:duration", "", "text", ["P1Y2M"]),
        ("xs:hexBinary", "", "bytes(hex)", ["", "cafe"]),
        ("xs:base64Binary", "", "bytes(base64)", ["", "AA=="]),
        ("xs:anyURI", "", "text", ["http://example.org/a b"]),
        ("xs:QName", "", "text", ["xs:a"]),
        ("xs:NMTOKENS", "", "text", ["a b"]),
        ("xs:string", '<xs:enumeration value="A"/><xs:enumeration value="b c"/>', "text", ["A", "b c"]),
    ],
)
def test_simple_types(
    base: str, facets: str, column_type: str, valid: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made(record(of_type(facets, base)), tmp_path)
    assert str(found.column("v").type) == column_type
    found.load(f"<recs {XS}>{''.join(f'<rec><v>{value}</v></rec>' for value in valid)}</recs>", monkeypatch)


def test_unions_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    types = {
        "a": '<xs:union memberTypes="xs:short xs:int"/>',
        "b": '<xs:union memberTypes="xs:int xs:token"/>',
        "c": '<xs:union memberTypes="xs:date Empty"/>',
        "d": '<xs:list itemType="xs:int"/>',
    }
    elements = [f'<xs:element name="{n}"><xs:simpleType>{t}</xs:simpleType></xs:element>' for n, t in types.items()]
    empty = '<xs:simpleType name="Empty"><xs:restriction base="xs:string"><xs:enumeration value=""/></xs:restriction>'
    text = record(*elements).replace("</xs:schema>", f"{empty}</xs:simpleType></xs:schema>")
    found = made(text, tmp_path)
    assert {name: str(found.column(name).type) for name in types} == {
        "a": "integer",
        "b": "text",
        "c": "date",
        "d": "text",
    }
    assert [found.column(name).required for name in types] == [True, True, False, True]
    assert "list of xs:int" in found.text
    rows = found.load("<recs><rec><a>70000</a><b>x</b><c/><d>1 2</d></rec></recs>", monkeypatch)
    assert rows["rec"][0][1:] == (70000, "x", None, "1 2")


def test_what_must_be_there_is_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(
        record(
            '<xs:element name="a" type="xs:int"/>',
            '<xs:element name="b" type="xs:int" minOccurs="0"/>',
            '<xs:element name="c" type="xs:int" nillable="true"/>',
            '<xs:choice><xs:element name="d" type="xs:int"/><xs:element name="e" type="xs:int"/></xs:choice>',
            '<xs:element name="in"><xs:complexType><xs:all><xs:element name="f" type="xs:int"/>'
            '</xs:all><xs:attribute name="g" type="xs:int" use="required"/></xs:complexType></xs:element>',
            '<xs:element name="out" minOccurs="0"><xs:complexType><xs:sequence><xs:element name="h" type="xs:int"/>'
            "</xs:sequence></xs:complexType></xs:element>",
            '<xs:element name="nil" nillable="true"><xs:complexType><xs:sequence><xs:element name="k" type="xs:int"/>'
            "</xs:sequence></xs:complexType></xs:element>",
            attributes='<xs:attribute name="i" use="required" type="xs:int"/><xs:attribute name="j" type="xs:int"/>',
        ),
        tmp_path,
    )
    columns = [column for column in found.mapping.table("rec").columns if isinstance(column.source, FromPath)]
    assert {column.name for column in columns if column.required} == {"a", "f", "in_g", "i"}
    rows = found.load(
        f"<recs {XSI}><rec i='1'><a>1</a><c xsi:nil='true'/><e>2</e><in g='3'><f>4</f></in><nil xsi:nil='1'/></rec>"
        "</recs>",
        monkeypatch,
    )
    assert sorted(str(value) for value in rows["rec"][0][1:] if value is not None) == ["1", "1", "2", "3", "4"]


def test_what_repeats_is_a_child_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(
        record(
            '<xs:element name="tag" type="xs:string" minOccurs="0" maxOccurs="3"/>',
            '<xs:sequence maxOccurs="unbounded"><xs:element name="k" type="xs:int"/>'
            '<xs:element name="v" type="xs:int"/></xs:sequence>',
            '<xs:element name="twice" type="xs:int"/><xs:element name="x"/><xs:element name="twice" type="xs:int"/>',
        ).replace('name="x"', 'name="x" type="xs:int"'),
        tmp_path,
    )
    assert each_of(found.mapping) == {
        "rec": ["/recs/rec"],
        "rec_tag": ["tag"],
        "rec_k": ["k"],
        "rec_v": ["v"],
        "rec_twice": ["twice"],
    }
    rows = found.load(
        "<recs><rec><tag>a</tag><tag/><k>1</k><v>2</v><k>3</k><v>4</v><twice>5</twice><x>0</x>"
        "<twice>6</twice></rec></recs>",
        monkeypatch,
    )
    assert [row[-1] for row in rows["rec_tag"]] == ["a", ""]
    assert [row[-1] for row in rows["rec_k"]] == [1, 3]
    assert [row[-1] for row in rows["rec_twice"]] == [5, 6]


def test_defaults_and_fixed_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(
        record(
            '<xs:element name="size" type="xs:int" default="5"/><xs:element name="unit" type="xs:string" default="m"/>'
            '<xs:element name="opt" type="xs:int" default="7" minOccurs="0"/>',
            attributes='<xs:attribute name="ok" type="xs:boolean" default="true"/>'
            '<xs:attribute name="v" type="xs:string" fixed="1.0"/>',
        ),
        tmp_path,
    )
    rows = found.load(
        "<recs><rec><size/><unit/></rec><rec ok='0'><size>1</size><unit>k</unit></rec></recs>", monkeypatch
    )
    names = [column.name for column in found.mapping.table("rec").columns]
    values = [dict(zip(names, row, strict=True)) for row in rows["rec"]]
    assert [(row["size"], row["unit"], row["opt"], row["ok"], row["v"]) for row in values] == [
        (5, "m", None, 1, "1.0"),
        (1, "k", None, 0, "1.0"),
    ]


def test_text_with_attributes_markup_and_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(
        record(
            '<xs:element name="price"><xs:complexType><xs:simpleContent><xs:extension base="xs:decimal">'
            '<xs:attribute name="cur" type="xs:string"/></xs:extension></xs:simpleContent></xs:complexType>'
            "</xs:element>",
            '<xs:element name="note"><xs:complexType mixed="true"><xs:choice minOccurs="0" maxOccurs="unbounded">'
            '<xs:element name="b" type="xs:string"/><xs:element name="i" type="xs:string"/></xs:choice>'
            "</xs:complexType></xs:element>",
            '<xs:element name="new" minOccurs="0"><xs:complexType/></xs:element>',
        ),
        tmp_path,
    )
    assert columns_of(found.mapping, "rec") == {
        "price": "price",
        "price_cur": "price/@cur",
        "note": "note",
        "new": "new",
    }
    rows = found.load(
        "<recs><rec><price cur='EUR'>1.5</price><note>a <b>b</b> c</note><new/></rec></recs>", monkeypatch
    )
    assert rows["rec"][0][2:] == ("EUR", "a b c", "")


def test_extension_restriction_and_types_that_documents_choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = schema(
        '<xs:element name="zoo"><xs:complexType><xs:sequence><xs:element name="animal" type="Animal" maxOccurs="9"/>'
        "</xs:sequence></xs:complexType></xs:element>",
        '<xs:complexType name="Animal" abstract="true"><xs:sequence><xs:element name="name" type="xs:string"/>'
        "</xs:sequence></xs:complexType>",
        '<xs:complexType name="Dog"><xs:complexContent><xs:extension base="Animal"><xs:sequence>'
        '<xs:element name="barks" type="xs:boolean"/></xs:sequence></xs:extension></xs:complexContent>'
        "</xs:complexType>",
        '<xs:complexType name="Cat"><xs:complexContent><xs:extension base="Animal"><xs:sequence>'
        '<xs:element name="lives" type="xs:int"/></xs:sequence><xs:attribute name="id" type="xs:ID"/></xs:extension>'
        "</xs:complexContent></xs:complexType>",
    )
    found = made(text, tmp_path)
    assert columns_of(found.mapping, "animal") == {
        "id": "@id",
        "xsi_type": "@xsi:type",
        "name": "name",
        "barks": "barks",
        "lives": "lives",
    }
    assert found.column("name", "animal").required
    assert not found.column("barks", "animal").required
    rows = found.load(
        f'<zoo {XSI}><animal xsi:type="Dog"><name>A</name><barks>1</barks>'
        '</animal><animal xsi:type="Cat"><name>B</name><lives>7</lives></animal></zoo>',
        monkeypatch,
    )
    assert [row[2:] for row in rows["animal"]] == [("Dog", "A", 1, None), ("Cat", "B", None, 7)]


def test_substitution_groups_stand_for_their_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(
        schema(
            '<xs:element name="log"><xs:complexType><xs:sequence><xs:element ref="event" maxOccurs="unbounded"/>'
            "</xs:sequence></xs:complexType></xs:element>",
            '<xs:element name="event" abstract="true" type="Event"/>',
            '<xs:complexType name="Event"><xs:attribute name="at" type="xs:int" use="required"/></xs:complexType>',
            '<xs:element name="open" type="Event" substitutionGroup="event"/>',
            '<xs:element name="shut" type="Event" substitutionGroup="open"/>',
        ),
        tmp_path,
    )
    assert each_of(found.mapping) == {"open": ["/log/open"], "shut": ["/log/shut"]}
    rows = found.load("<log><open at='1'/><shut at='2'/><open at='3'/></log>", monkeypatch)
    assert [row[1] for row in rows["open"]] == [1, 3]


NAMESPACES = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:m="urn:m" xmlns:o="urn:o"
  targetNamespace="urn:m" elementFormDefault="{form}" attributeFormDefault="{form}">
  <xs:import namespace="urn:o" schemaLocation="other%20one.xsd"/>
  <xs:include schemaLocation="part.xsd"/>
  <xs:element name="list"><xs:complexType><xs:sequence>
    <xs:element name="thing" maxOccurs="unbounded"><xs:complexType><xs:sequence><xs:element name="a" type="xs:int"/>
      <xs:element ref="o:b"/></xs:sequence><xs:attribute name="c" type="m:Part"/></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>"""


@pytest.mark.parametrize("form", ["qualified", "unqualified"])
def test_namespaces_and_other_files(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = schema('<xs:element name="b" type="xs:date"/>', attributes='targetNamespace="urn:o"')
    (tmp_path / "other one.xsd").write_text(other, "utf-8")
    part = '<xs:simpleType name="Part"><xs:restriction base="xs:int"/></xs:simpleType>'
    (tmp_path / "part.xsd").write_text(schema(part), "utf-8")
    found = made(NAMESPACES.format(form=form), tmp_path)
    local = "m:" if form == "qualified" else ""
    assert each_of(found.mapping) == {"thing": [f"/m:list/{local}thing"]}
    assert set(columns_of(found.mapping, "thing").values()) == {f"@{local}c", f"{local}a", "o:b"}
    assert not found.warnings
    rows = found.load(
        f'<m:list xmlns:m="urn:m" xmlns:o="urn:o"><{local}thing {local}c="1"><{local}a>2</{local}a>'
        f"<o:b>2020-01-01</o:b>"
        f"</{local}thing></m:list>",
        monkeypatch,
    )
    assert rows["thing"][0][1:] == (1, 2, "2020-01-01")


# --- keys, remarks ---


def test_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = '<xs:key name="k"><xs:selector xpath="rec"/><xs:field xpath="@no"/><xs:field xpath="kind"/></xs:key>'
    keyref = (
        '<xs:keyref name="r" refer="k"><xs:selector xpath="rec/next"/><xs:field xpath="@no"/><xs:field xpath="@kind"/>'
    )
    found = made(
        record(
            '<xs:element name="kind" type="xs:string" minOccurs="0"/>',
            '<xs:element name="next" minOccurs="0" maxOccurs="9"><xs:complexType>'
            '<xs:attribute name="no" type="xs:int"/>'
            '<xs:attribute name="kind" type="xs:string"/></xs:complexType></xs:element>',
            attributes='<xs:attribute name="no" type="xs:int"/>',
            more=f"{key}{keyref}</xs:keyref>",
        ),
        tmp_path,
    )
    assert found.mapping.table("rec").key == ("no", "kind")
    assert "refers to k (xs:keyref r)" in found.text
    rows = found.load(
        "<recs><rec no='1'><kind>a</kind><next no='1' kind='b'/></rec><rec no='1'><kind>b</kind></rec></recs>",
        monkeypatch,
    )
    assert rows["rec_next"] == [(1, "a", 1, 1, "b")]


@pytest.mark.parametrize(
    ("constraint", "attribute", "key"),
    [
        ('<xs:unique name="u"><xs:selector xpath=".//rec"/><xs:field xpath="@no"/></xs:unique>', "required", ("no",)),
        (
            '<xs:unique name="u"><xs:selector xpath="rec"/><xs:field xpath="@no"/></xs:unique>',
            "optional",
            ("record_id",),
        ),
        ('<xs:key name="u"><xs:selector xpath="*"/><xs:field xpath="@no"/></xs:key>', "optional", ("no",)),
        ("", "required", ("record_id",)),
    ],
)
def test_only_what_every_record_has_is_a_key(
    constraint: str, attribute: str, key: tuple[str, ...], tmp_path: Path
) -> None:
    attributes = f'<xs:attribute name="no" type="xs:int" use="{attribute}"/>'
    found = made(record('<xs:element name="a" type="xs:int"/>', attributes=attributes, more=constraint), tmp_path)
    assert found.mapping.table("rec").key == key


def test_an_id_is_a_key(tmp_path: Path) -> None:
    attributes = '<xs:attribute name="code" type="xs:ID" use="required"/><xs:attribute name="of" type="xs:IDREF"/>'
    found = made(record('<xs:element name="a" type="xs:int"/>', attributes=attributes), tmp_path)
    assert found.mapping.table("rec").key == ("code",)
    assert found.column("of").comment == "refers to an xs:ID"


def test_what_is_said_of_elements_becomes_comments(tmp_path: Path) -> None:
    said = "<xs:annotation><xs:documentation>{}\n  of it.</xs:documentation></xs:annotation>"
    found = made(
        record(
            f'<xs:element name="a" type="xs:int">{said.format("A number")}</xs:element>',
            f'<xs:element name="b" maxOccurs="2" type="xs:gDay">{said.format("Some days")}</xs:element>',
            attributes=f'<xs:attribute name="c" type="xs:int">{said.format("Another")}</xs:attribute>',
        ),
        tmp_path,
    )
    assert found.column("a").comment == "A number of it."
    assert found.column("c").comment == "Another of it."
    assert found.mapping.table("rec_b").comment == "Some days of it."
    assert found.column("b", "rec_b").comment == "xs:gDay"


# --- what has no end ---


def test_elements_inside_others_of_their_type_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(
        schema(
            '<xs:element name="tree"><xs:complexType><xs:sequence><xs:element name="node" type="N" maxOccurs="9"/>'
            "</xs:sequence></xs:complexType></xs:element>",
            '<xs:complexType name="N"><xs:sequence><xs:element name="name" type="xs:string"/><xs:element name="nodes"'
            ' minOccurs="0"><xs:complexType><xs:sequence><xs:element name="node" type="N" maxOccurs="9"/></xs:sequence>'
            "</xs:complexType></xs:element></xs:sequence></xs:complexType>",
        ),
        tmp_path,
    )
    assert found.warnings == (
        "/tree/node/nodes/node may stand in elements of their own type, without end: the first inside"
        " another is kept as"
        " XML",
    )
    assert f"# Note: {found.warnings[0][:40]}" in found.text
    rows = found.load(
        "<tree><node><name>a</name><nodes><node><name>b</name></node></nodes></node><node><name>c</name></node></tree>",
        monkeypatch,
    )
    assert [row[1] for row in rows["node"]] == ["a", "c"]
    assert rows["node_node"][0][-1] == "<node><name>b</name></node>"


def test_what_the_schema_leaves_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(
        record(
            '<xs:element name="a" type="xs:int"/>',
            '<xs:element name="ext" minOccurs="0"><xs:complexType><xs:sequence>'
            '<xs:any maxOccurs="unbounded" processContents="lax"/></xs:sequence></xs:complexType></xs:element>',
            '<xs:any namespace="##other" minOccurs="0" processContents="skip"/>',
        ),
        tmp_path,
    )
    assert str(found.column("ext").type) == "xml"
    assert len(found.warnings) == 2
    assert "xs:any" in found.warnings[1]
    assert "/recs/rec" in found.warnings[1]
    rows = found.load("<recs><rec><a>1</a><ext><x>1</x><y/></ext><o xmlns='urn:o'/></rec></recs>", monkeypatch)
    assert rows["rec"][0][1:] == (1, "<ext><x>1</x><y/></ext>")


def test_types_that_refer_to_each_other_in_every_way_have_an_end(tmp_path: Path) -> None:
    names = [f"e{n}" for n in range(40)]
    inner = "".join(f'<xs:element ref="{name}"/>' for name in names)
    content = f'<xs:complexType><xs:choice minOccurs="0" maxOccurs="unbounded">{inner}</xs:choice></xs:complexType>'
    found = made(schema(*(f'<xs:element name="{name}">{content}</xs:element>' for name in names)), tmp_path)
    assert any("lies beyond what a mapping shows" in warning for warning in found.warnings)


# --- roots ---

TWO_ROOTS = schema(
    '<xs:element name="as"><xs:complexType><xs:sequence><xs:element ref="a" maxOccurs="9"/>'
    "</xs:sequence></xs:complexType>"
    "</xs:element>",
    '<xs:element name="bs"><xs:complexType><xs:sequence>'
    '<xs:element name="b" type="xs:int" maxOccurs="9"/></xs:sequence>'
    "</xs:complexType></xs:element>",
    '<xs:element name="a"><xs:complexType><xs:sequence><xs:element name="c" type="xs:int" maxOccurs="2"/></xs:sequence>'
    "</xs:complexType></xs:element>",
)


def opened(folder: Path, *documents: str) -> list[Openable]:
    from etl.extract.source import expand

    names = []
    for number, document in enumerate(documents):
        (folder / f"{number}.xml").write_text(document, "utf-8")
        names.append(str(folder / f"{number}.xml"))
    return openables(expand(names))


def test_elements_that_stand_in_no_other_are_roots(tmp_path: Path) -> None:
    found = made(TWO_ROOTS, tmp_path)
    assert each_of(found.mapping) == {"a": ["/as/a"], "a_c": ["c"], "b": ["/bs/b"]}
    assert "declares 2 elements that may be roots: as, bs" in found.warnings[-1]


def test_a_document_says_which_root_is_meant(tmp_path: Path) -> None:
    found = Made(TWO_ROOTS, tmp_path, *opened(tmp_path, "<bs><b>1</b></bs>"))
    assert each_of(found.mapping) == {"b": ["/bs/b"]}
    assert not found.warnings


def test_of_several_small_documents_each_is_a_record(tmp_path: Path) -> None:
    found = Made(TWO_ROOTS, tmp_path, *opened(tmp_path, "<a><c>1</c></a>", "<a><c>2</c></a>"))
    assert each_of(found.mapping) == {"a": ["/a"], "a_c": ["c"]}


def test_a_document_of_another_schema(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"0\.xml has the root element \{urn:x\}a, which the schema .* does not declare"
    ):
        Made(TWO_ROOTS, tmp_path, *opened(tmp_path, "<a xmlns='urn:x'/>"))


SHOP = schema(
    '<xs:element name="shop"><xs:complexType><xs:sequence><xs:element name="item" type="Item" maxOccurs="unbounded"/>'
    '<xs:element name="free" minOccurs="0" type="xs:anyType"/></xs:sequence></xs:complexType></xs:element>',
    '<xs:complexType name="Item"><xs:sequence><xs:element name="name" type="xs:string"/>'
    '<xs:element name="price" minOccurs="0" type="xs:int"/>'
    '<xs:element name="note" type="xs:string" minOccurs="0" maxOccurs="9"/></xs:sequence></xs:complexType>',
)
FREE = "The schema does not say what stands in /shop/free: it is kept as XML"


def test_what_documents_have_beside_a_schema_is_told(tmp_path: Path) -> None:
    document = "<shop><item><name>a</name><colour><red/></colour><size>1</size></item><owner/><free><x/></free></shop>"
    found = Made(SHOP, tmp_path, *opened(tmp_path, document))
    assert found.warnings == (
        "It does not declare /shop/item/colour, /shop/item/size, /shop/owner, which the documents have: no table takes"
        " that. It may be the schema of another version, or of other documents",
        FREE,
    )
    assert "# Note: It does not declare /shop/item/colour" in found.text


def test_what_most_of_a_schema_is_not_in_the_documents_is_told(tmp_path: Path) -> None:
    found = Made(SHOP, tmp_path, *opened(tmp_path, "<shop><item/></shop>"))
    assert found.warnings == (
        "The documents, as far as they were looked at, have 1 of 5 elements that it declares, and not /shop/item/name,"
        " /shop/item/price, /shop/item/note and 1 more",
        FREE,
    )
    found = Made(SHOP, tmp_path, *opened(tmp_path, "<shop><item><name>a</name><price>1</price></item></shop>"))
    assert found.warnings == (FREE,)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            "<shop><order/><order><item/></order></shop>",
            r"0\.xml has in its root element shop none of the elements that the schema .*schema\.xsd declares there: it"
            r" has order, declared is item, free; is it the schema of this document\?",
        ),
        (
            "<shop><item xmlns='urn:s'/></shop>",
            r"it has \{urn:s\}item, declared is item, free; they differ in their namespaces",
        ),
    ],
)
def test_a_document_of_which_nothing_fits_but_the_root(document: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=said):
        Made(SHOP, tmp_path, *opened(tmp_path, document))


def test_what_stands_in_documents_that_a_schema_leaves_open_is_not_missed(tmp_path: Path) -> None:
    wildcard = '<xs:any namespace="##other" processContents="lax"/>'
    left_open = SHOP.replace('<xs:element name="free" minOccurs="0" type="xs:anyType"/>', wildcard)
    document = "<shop><item><name/><price>1</price></item><else xmlns='urn:x'><a/></else></shop>"
    found = Made(left_open, tmp_path, *opened(tmp_path, document))
    assert [warning.partition(" ")[0] for warning in found.warnings] == ["Elements"]


def test_a_document_that_is_broken_beside_others_is_told(tmp_path: Path) -> None:
    found = Made(TWO_ROOTS, tmp_path, *opened(tmp_path, "<bs><b>1</b></bs>", "<bs><b></bs>"))
    assert each_of(found.mapping) == {"bs": ["/bs"], "bs_b": ["b"]}
    assert "1 passage could not be read and was passed over" in found.warnings[0]


def test_a_schema_without_elements(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="declares no element that could be the root"):
        made(schema(), tmp_path)
