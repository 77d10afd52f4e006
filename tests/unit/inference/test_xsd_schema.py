"""Schemas that are not usable: one sentence with the line; and that nothing is fetched."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from etl.errors import SettingsError
from etl.inference.xsd import infer_from_schema
from etl.inference.xsd_schema import read_schema

XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'


def written(folder: Path, text: str, name: str = "a.xsd") -> Path:
    file = folder / name
    file.write_text(text, "utf-8")
    return file


def schema(*lines: str) -> str:
    return "\n".join([f"<xs:schema {XS}>", *lines, "</xs:schema>"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not well-formed: Document is empty, line 1"),
        ("<a><b></a>", "is not well-formed: Opening and ending tag mismatch: b line 1 and a, line 1"),
        ("<a/>", "is no XML Schema: its root element is a, expected"),
        (schema("<xs:elemnt/>"), "line 1: Unexpected child with tag 'xs:elemnt' at position 1."),
        (schema("", '<xs:element name="a" type="b"/>'), "a.xsd, line 3: unknown type 'b'."),
        (
            schema(
                '<xs:complexType name="a"><xs:complexContent><xs:extension base="a"/></xs:complexContent>'
                "</xs:complexType>"
            ),
            "line 2: Circular definition detected for xs:complexType 'a'.",
        ),
        (f'<!DOCTYPE a [<!ENTITY b "c">]>{schema()}', "a DOCTYPE with entities or an external DTD"),
        (f'<!DOCTYPE a SYSTEM "/etc/passwd">{schema()}', "a DOCTYPE with entities or an external DTD"),
    ],
)
def test_what_is_no_schema_is_told_in_a_sentence(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        read_schema(written(tmp_path, text))
    assert said in str(refused.value)
    assert str(refused.value).count("\n") == 0
    assert str(refused.value).endswith(".")


def test_the_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    written(tmp_path, schema("", "", '<xs:element name="c" type="d"/>'), "b.xsd")
    with pytest.raises(SettingsError, match=r"b\.xsd, line 4: unknown type 'd'\."):
        read_schema(written(tmp_path, schema('<xs:include schemaLocation="b.xsd"/>')))
    written(tmp_path, "<a", "b.xsd")
    with pytest.raises(SettingsError, match=r"The schema .*b\.xsd is not well-formed"):
        read_schema(tmp_path / "a.xsd")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"a\.xsd cannot be read: No such file or directory\."):
        read_schema(tmp_path / "a.xsd")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Whatever asks for a connection or a name is counted, and gets none."""
    asked: list[object] = []

    def refuse(*arguments: object) -> None:
        asked.append(arguments)
        raise OSError("there is no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return asked


def test_nothing_is_fetched_and_what_is_left_out_is_told(tmp_path: Path, no_network: list[object]) -> None:
    file = written(
        tmp_path,
        schema(
            '<xs:import namespace="urn:far" schemaLocation="http://localhost:9/far.xsd"/>',
            '<xs:import namespace="urn:near" schemaLocation="near.xsd"/>',
            '<xs:import namespace="http://www.w3.org/XML/1998/namespace"'
            ' schemaLocation="http://www.w3.org/2001/xml.xsd"/>',
            '<xs:include schemaLocation="more.xsd"/>',
            '<xs:element name="a"><xs:complexType><xs:attribute ref="xml:lang"/></xs:complexType></xs:element>',
        ),
    )
    inferred = infer_from_schema(file)
    assert [warning.partition("line ")[2] for warning in inferred.warnings] == [
        "2, names http://localhost:9/far.xsd, which is not fetched: what it declares is in no table",
        "3, names near.xsd, which is not there: what it declares is in no table",
        "5, names more.xsd, which is not there: what it declares is in no table",
    ]
    assert "@xml:lang" in inferred.text
    assert not no_network


def test_what_is_left_out_and_needed_is_named(tmp_path: Path, no_network: list[object]) -> None:
    file = written(
        tmp_path,
        f'<xs:schema {XS} xmlns:f="urn:far">\n<xs:import namespace="urn:far"'
        f' schemaLocation="https://far.example/f.xsd"/>\n'
        '<xs:element name="a"><xs:complexType><xs:sequence>\n<xs:element ref="f:b"/>\n</xs:sequence></xs:complexType>'
        "</xs:element></xs:schema>",
    )
    with pytest.raises(SettingsError) as refused:
        read_schema(file)
    assert "a.xsd, line 4: unknown element" in str(refused.value)
    assert "a.xsd, line 2, names https://far.example/f.xsd, which is not fetched. Save" in str(refused.value)
    assert not no_network


def test_schemas_of_version_1_1(tmp_path: Path) -> None:
    found = infer_from_schema(
        written(
            tmp_path,
            schema(
                '<xs:element name="as"><xs:complexType><xs:sequence><xs:element name="a" maxOccurs="9"><xs:complexType>'
                '<xs:all><xs:element name="b" type="xs:dateTimeStamp"/>'
                '<xs:element name="c" maxOccurs="3" type="xs:int"/>'
                '</xs:all><xs:attribute name="d"><xs:simpleType><xs:restriction base="xs:date">'
                '<xs:explicitTimezone value="prohibited"/></xs:restriction></xs:simpleType></xs:attribute>'
                '<xs:assert test="b"/></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>',
            ),
        )
    )
    assert "b: {path: b, type: timestamptz, required: true}" in found.text
    assert 'd: {path: "@d", type: date}' in found.text
    assert "a_c:" in found.text
