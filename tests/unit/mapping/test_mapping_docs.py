"""The documentation of the mapping language says everything, and what it says is true."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import get_args

import pytest

import etl
from etl.mapping.conversion import ConversionError
from etl.mapping.model import ColumnType, FromPath, Many, MetaName, OnError
from etl.mapping.reader import parse_mapping
from etl.mapping.spec import ColumnSpec, DefaultsSpec, MappingSpec, TableSpec
from etl.mapping.types import TYPE_NAMES, rule_for

MAPPING = (resources.files("etl") / "docs" / "mapping.md").read_text("utf-8")
TYPES = (resources.files("etl") / "docs" / "types.md").read_text("utf-8")


@dataclass(frozen=True)
class Example:
    """A mapping of the page, the document above it, its Python modules by name, and the rows below it, if shown."""

    mapping: str
    document: str
    modules: dict[str, str]
    rows: str | None


def examples(page: str) -> list[Example]:
    found: list[Example] = []
    document, modules = "", dict[str, str]()
    blocks = re.findall(r"```(\w+)\n(.*?)```", page, re.DOTALL)
    for place, (language, text) in enumerate(blocks):
        if language == "xml":
            document = text
        elif language == "python" and (named := re.match(r"# (\w+\.py)\n", text)):
            modules = {**modules, named[1]: text}
        elif language == "yaml" and text.startswith("version:"):
            rows = blocks[place + 1][1] if place + 1 < len(blocks) and blocks[place + 1][0] == "json" else None
            found.append(Example(text, document, modules, rows))
    return found


EXAMPLES = examples(MAPPING)


@pytest.mark.parametrize("spec", [MappingSpec, TableSpec, ColumnSpec])
def test_every_key_has_its_row(spec: type[MappingSpec] | type[TableSpec] | type[ColumnSpec]) -> None:
    for name in spec.model_fields:
        assert re.search(rf"^\| `{name}` \|", MAPPING, re.MULTILINE), name


def test_every_key_of_defaults_is_explained() -> None:
    sentence = re.search(r"`defaults` takes(.*?)\.", MAPPING, re.DOTALL)
    assert sentence is not None
    for name in DefaultsSpec.model_fields:
        assert f"`{name}`" in sentence[1]


@pytest.mark.parametrize("word", [*get_args(Many), *get_args(OnError), *get_args(MetaName)])
def test_every_word_a_key_takes_is_explained(word: str) -> None:
    assert f"`{word}`" in MAPPING


def test_every_key_and_many_is_in_an_example() -> None:
    used = "".join(example.mapping for example in EXAMPLES)
    for spec in (MappingSpec, DefaultsSpec, TableSpec, ColumnSpec):
        for name in spec.model_fields:
            assert re.search(rf"\b{name}:\s", used), name
    for many in get_args(Many):
        assert f"many: {many}" in used
    for step in ("collapse", "lower", "{map: ", "{replace: ", "{python: ", "..", "each: //"):
        assert step in used


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
@pytest.mark.parametrize("target", ["memory://", "sqlite:///rows.db"])
def test_every_example_loads(number: int, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = EXAMPLES[number]
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("document.xml", example.document),
        ("document.mapping.yaml", example.mapping),
        *example.modules.items(),
    ):
        (tmp_path / name).write_text(text, "utf-8")
    report = etl.load("document.xml", mapping="document.mapping.yaml", target=target)
    assert report.rejected == 0
    assert all(report.tables.values())
    if report.rows is None:
        return
    for table in parse_mapping(example.mapping, "example").tables:
        for column in table.columns:
            # What an example shows finds something, unless a function has to put it there.
            by_function = table.transform is not None and isinstance(column.source, FromPath)
            assert by_function or any(row[column.name] is not None for row in report.rows[table.name]), column.name
    if example.rows is not None:
        assert report.rows == json.loads(example.rows)


def test_most_examples_show_their_rows() -> None:
    assert len(EXAMPLES) >= 10
    assert sum(example.rows is not None for example in EXAMPLES) >= 7


def test_keys_are_named_as_the_documentation_says() -> None:
    mapping = parse_mapping(EXAMPLES[0].mapping, "example")
    assert mapping.table("track").key == ("release_id", "seq")
    assert mapping.table("track_artist").key == ("release_id", "track_seq", "seq")


@pytest.mark.parametrize("name", TYPE_NAMES)
def test_every_type_has_its_row(name: str) -> None:
    assert re.search(rf"^\| (?:`\w+(?:\([^`]*\))?`, )*`{name}[`(]", TYPES, re.MULTILINE), name


@pytest.mark.parametrize("name", TYPE_NAMES)
def test_every_type_is_in_the_table_of_what_functions_get(name: str) -> None:
    table = MAPPING[MAPPING.index("| type | in Python |") :]
    assert re.search(rf"^\| [^|]*`{name}`", table, re.MULTILINE), name


def test_what_the_types_say_they_accept() -> None:
    row = next(line for line in TYPES.splitlines() if line.startswith("| `boolean`"))
    for word in " ".join(re.findall(r"`([^`]*)`", row.split("|")[2])).split():
        assert rule_for(ColumnType("boolean")).convert(word.upper()) in ("true", "false")
    for word in ("0x1F", "1_000", "now"):
        assert f"`{word}`" in TYPES
        for name in ("integer", "date"):
            with pytest.raises(ConversionError):
                rule_for(ColumnType(name)).convert(word)
    convert = rule_for(ColumnType("timestamptz")).convert
    for offset in ("Z", "+00", "+0000", "+00:00", ""):
        assert f"`{convert('2020-01-02T03:04:05.123' + offset)}`" in TYPES
