"""Schemas of strangers: no file but those beside them and below is opened, and none is a bomb."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from etl.errors import SettingsError
from etl.inference import xsd_files
from etl.inference.xsd import infer_from_schema
from etl.inference.xsd_schema import read_schema
from etl.mapping.reader import parse_mapping
from etl.record_schema import MAIN_TEXT, RecordSchema
from etl.transform.validation import compile_schema
from etl.validation.prepare import SchemaFile
from tests.unit.inference.test_xsd_schema import XS, schema, written

RECORDS = (
    '<xs:element name="as"><xs:complexType><xs:sequence><xs:element name="a" type="{type}" maxOccurs="9"/>'
    "</xs:sequence></xs:complexType></xs:element>"
)
LOCAL = RECORDS.format(type="xs:int")
MAPPING = parse_mapping("version: 1\ntables: {a: {each: /as/a, columns: {b: .}}}", "a.yaml")


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """The files that were opened, as the system sees it."""
    found: list[str] = []
    listening = True

    def listen(event: str, arguments: tuple[object, ...]) -> None:
        if listening and event == "open" and isinstance(arguments[0], str | Path):
            found.append(os.path.realpath(arguments[0]))

    sys.addaudithook(listen)
    yield found
    listening = False


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for a schema, and beside that folder what it must not read."""
    written(tmp_path, schema('<xs:simpleType name="t"><xs:restriction base="xs:int"/></xs:simpleType>'), "secret.xsd")
    (tmp_path / "given" / "below").mkdir(parents=True)
    return tmp_path / "given"


@pytest.mark.parametrize(
    "location",
    [
        "../secret.xsd",
        "below/../../secret.xsd",
        "%2e%2e/secret.xsd",
        "file://{}/secret.xsd",
        "FILE://{}/secret.xsd",
        "file://localhost{}/secret.xsd",
        "{}/secret.xsd",
        " ../secret.xsd\t",
        "link.xsd",
        "folder/secret.xsd",
        "../secret.xsd?a#b",
    ],
)
@pytest.mark.parametrize(
    "way",
    [
        "include",
        "redefine",
        "override",
        'import namespace="urn:x"',
        'import namespace="http://www.w3.org/XML/1998/namespace"',
    ],
)
def test_a_file_of_another_folder_is_named_and_not_opened(
    way: str, location: str, place: Path, opened: list[str]
) -> None:
    (place / "link.xsd").symlink_to("../secret.xsd")
    (place / "folder").symlink_to("..")
    location = location.format(place.parent)
    file = written(place, schema("", f'<xs:{way} schemaLocation="{location}"/>', LOCAL))
    for read in (infer_from_schema, SchemaFile):
        with pytest.raises(SettingsError) as refused:
            read(file)
        assert f"line 3, names {location.strip()}, {place.parent / 'secret.xsd'}, which is outside" in str(
            refused.value
        )
        assert str(refused.value).count("\n") == 0
    assert str(file) in opened
    assert str(place.parent / "secret.xsd") not in opened


def test_a_file_that_one_below_names_is_looked_at_in_the_same_way(place: Path) -> None:
    written(place / "below", schema('<xs:include schemaLocation="../more.xsd"/>'), "b.xsd")
    written(place, schema('<xs:include schemaLocation="../secret.xsd"/>'), "more.xsd")
    file = written(place, schema('<xs:include schemaLocation="below/b.xsd"/>', LOCAL))
    with pytest.raises(SettingsError, match=r"given/more\.xsd, line 2, names \.\./secret\.xsd"):
        read_schema(file)


def test_what_only_the_library_takes_for_a_file_is_not_opened(place: Path, opened: list[str]) -> None:
    # It is no file, so that nobody says where it would lead; the library would read it without end.
    for location in ("/dev/zero", "////dev/zero", "\\\\dev\\zero"):
        file = written(place, schema(f'<xs:include schemaLocation="{location}"/>', LOCAL))
        with pytest.raises(SettingsError, match="leads to another file, /dev/zero, which is outside"):
            read_schema(file)
        assert "/dev/zero" not in opened


def test_a_schema_of_a_folder_above_takes_what_lies_apart(place: Path) -> None:
    written(place, schema('<xs:include schemaLocation="../secret.xsd"/>', RECORDS.format(type="t")), "main.xsd")
    above = written(place.parent, schema('<xs:include schemaLocation="given/main.xsd"/>'))
    assert "each: /as/a" in infer_from_schema(above).text
    assert SchemaFile(above).for_records(MAPPING).places


def test_a_link_as_the_schema_itself_is_that_file(place: Path) -> None:
    written(place, schema('<xs:include schemaLocation="b.xsd"/>', LOCAL), "main.xsd")
    written(place, schema(), "b.xsd")
    (place.parent / "link.xsd").symlink_to("given/main.xsd")
    assert read_schema(place.parent / "link.xsd")[1] == []


def test_pipes_and_folders_are_no_schemas_and_nobody_waits_for_them(place: Path) -> None:
    os.mkfifo(place / "pipe.xsd")
    for name in ("pipe.xsd", "below"):
        with pytest.raises(SettingsError, match="cannot be read: it is a folder, a pipe or a device"):
            read_schema(place / name)
        file = written(place, schema(f'<xs:include schemaLocation="{name}"/>', LOCAL))
        assert [str(one).partition(" names ")[2] for one in read_schema(file)[1]] == [f"{name}, which is not there"]


@pytest.mark.parametrize("location", ["a%00b.xsd", "x" * 5000, "loop.xsd", "", ".", "#b"])
def test_names_that_no_system_has_are_what_is_not_there(location: str, place: Path) -> None:
    (place / "loop.xsd").symlink_to("loop.xsd")
    file = written(place, schema(f'<xs:import namespace="urn:x" schemaLocation="{location}"/>', LOCAL))
    assert len(read_schema(file)[1]) == 1
    with pytest.raises(SettingsError, match="records cannot be validated by a part"):
        SchemaFile(file)


@pytest.mark.parametrize("location", ["//[x", "http://[", "jar:file:/a!/b.xsd", "data:text/xml,a"])
def test_inclusions_of_what_is_no_file_are_a_sentence(location: str, place: Path) -> None:
    file = written(place, schema(f'<xs:include schemaLocation="{location}"/>', LOCAL))
    with pytest.raises(SettingsError, match=r"^[^\n]*(nothing is fetched|can't include schema)[^\n]*$"):
        read_schema(file)


@pytest.mark.parametrize("way", ["include", "redefine", 'import namespace="urn:x"'])
def test_the_validator_opens_nothing_but_the_texts_it_is_given(way: str, place: Path) -> None:
    for location in (place.parent / "secret.xsd", "../secret.xsd", (place.parent / "secret.xsd").as_uri()):
        main = schema(f'<xs:{way} schemaLocation="{location}"/>', '<xs:element name="a" type="t"/>')
        with pytest.raises(etree.XMLSchemaParseError):
            compile_schema(RecordSchema("a.xsd", {MAIN_TEXT: main.encode()}, ()))


def test_a_circle_of_inclusions_is_one_schema(place: Path) -> None:
    written(place, schema('<xs:include schemaLocation="a.xsd"/>', '<xs:include schemaLocation="b.xsd"/>'), "b.xsd")
    circle = '<xs:include schemaLocation="b.xsd"/>', '<xs:include schemaLocation="a.xsd"/>'
    file = written(place, schema(*circle, LOCAL))
    assert SchemaFile(file).for_records(MAPPING).places


def test_an_import_that_leads_to_nothing_of_its_namespace_is_left_out(place: Path) -> None:
    written(place, f'<xs:schema {XS} targetNamespace="urn:x"/>', "x.xsd")
    file = written(place, schema('<xs:import namespace=" urn:x " schemaLocation="x.xsd"/>', LOCAL))
    assert SchemaFile(file).for_records(MAPPING).places


def test_what_is_for_another_version_of_xml_schema_does_not_count(place: Path) -> None:
    versions = 'xmlns:vc="http://www.w3.org/2007/XMLSchema-versioning"'
    other = (
        '<xs:element name="z" vc:minVersion="1.1"><xs:complexType><xs:sequence><xs:element name="q" type="xs:date"/>'
    )
    end = "</xs:sequence></xs:complexType></xs:element>"
    file = written(place, f"<xs:schema {XS} {versions}>{other}{end}{LOCAL}</xs:schema>")
    main = next(text for text in SchemaFile(file).for_records(MAPPING).texts.values() if b"etl-record" in text)
    assert b'<xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:group>' in main.replace(
        f" xmlns:{XS.removeprefix('xmlns:')}".encode(), b""
    ).replace(f" {versions}".encode(), b"")
    assert b'"q"' not in main


def test_files_that_are_too_large_together_are_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xsd_files, "MAX_SCHEMA_BYTES", 2000)
    for number in range(4):
        written(place, schema(f"<!-- {'x' * 600} -->"), f"{number}.xsd")
    file = written(place, schema(*(f'<xs:include schemaLocation="{number}.xsd"/>' for number in range(4))))
    with pytest.raises(SettingsError, match="more than 2,000 bytes, with all that it includes"):
        read_schema(file)


def groups(number: int, width: int) -> list[str]:
    """Groups, each of which refers to the next so many times."""
    found = [
        f'<xs:group name="g{place}"><xs:choice>' + width * f'<xs:group ref="g{place + 1}"/>' + "</xs:choice></xs:group>"
        for place in range(number)
    ]
    last = f'<xs:group name="g{number}"><xs:choice><xs:element name="x"/></xs:choice></xs:group>'
    return [*found, last, '<xs:element name="r"><xs:complexType><xs:group ref="g0"/></xs:complexType></xs:element>']


def chain(number: int) -> list[str]:
    """Types, each of which extends the one before."""
    found = [
        f'<xs:complexType name="t{place}"><xs:complexContent><xs:extension base="t{place - 1}"><xs:sequence>'
        f'<xs:element name="e{place}" type="xs:int"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>'
        for place in range(1, number)
    ]
    return ['<xs:complexType name="t0"/>', *found, f'<xs:element name="r" type="t{number - 1}"/>']


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (groups(8, 10), "in g"),
        (groups(30, 2), "in g"),
        (groups(2000, 3), "in g"),
        (chain(3000), "in t"),
        (
            [
                '<xs:element name="r"><xs:complexType><xs:choice>',
                *(f'<xs:element name="e{number}"/>' for number in range(40_000)),
                "</xs:choice></xs:complexType></xs:element>",
            ],
            r"in r, line 2,",
        ),
    ],
    ids=["wide groups", "deep groups", "many groups", "types", "elements"],
)
def test_models_without_end_are_refused_before_they_are_made(lines: list[str], named: str, place: Path) -> None:
    file = written(place, schema(*lines))
    for read in (infer_from_schema, SchemaFile):
        with pytest.raises(SettingsError, match=f"it allows so many elements .{named}"):
            read(file)


def test_models_of_a_usual_size_are_not(place: Path) -> None:
    written(place, schema(*groups(5, 3), *chain(60)[:-1]))
    assert read_schema(place / "a.xsd")[1] == []


def test_groups_in_a_circle_are_told_as_such(place: Path) -> None:
    circle = '<xs:group name="g"><xs:sequence><xs:group ref="h"/></xs:sequence></xs:group>'
    file = written(place, schema(circle, circle.replace("h", "G").replace('"g"', '"h"').replace("G", "g"), LOCAL))
    with pytest.raises(SettingsError, match="Circular definition"):
        read_schema(file)


def test_what_is_nested_deeper_than_python_goes_is_a_sentence(place: Path) -> None:
    file = written(place, schema(*chain(900)))
    for read in (infer_from_schema, lambda file: SchemaFile(file).for_records(MAPPING)):
        with pytest.raises(SettingsError, match=r"^[^\n]*$"):
            read(file)
