"""The documentation of the mapping language says everything, and what it says is true."""

from __future__ import annotations

import re
from importlib import resources
from typing import get_args

import pytest

from etl.mapping.conversion import ConversionError
from etl.mapping.model import ColumnType, Many, MetaName, OnError
from etl.mapping.reader import parse_mapping
from etl.mapping.spec import ColumnSpec, MappingSpec, TableSpec
from etl.mapping.types import TYPE_NAMES, rule_for

MAPPING = (resources.files("etl") / "docs" / "mapping.md").read_text("utf-8")
TYPES = (resources.files("etl") / "docs" / "types.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", MAPPING, re.DOTALL)


@pytest.mark.parametrize("spec", [MappingSpec, TableSpec, ColumnSpec])
def test_every_key_has_its_row(spec: type[MappingSpec] | type[TableSpec] | type[ColumnSpec]) -> None:
    for name in spec.model_fields:
        assert re.search(rf"^\| `{name}` \|", MAPPING, re.MULTILINE), name


@pytest.mark.parametrize("word", [*get_args(Many), *get_args(OnError), *get_args(MetaName)])
def test_every_word_a_key_takes_is_explained(word: str) -> None:
    assert f"`{word}`" in MAPPING


def test_every_key_of_a_column_is_used_in_an_example_or_explained_alone() -> None:
    assert len(EXAMPLES) >= 3
    used = "".join(EXAMPLES)
    for word in (
        "many: join",
        "many: last",
        "on_error",
        "meta:",
        "value:",
        "required",
        "parent",
        "namespaces",
        "..",
        "//",
    ):
        assert word in used


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_is_a_mapping(number: int) -> None:
    assert parse_mapping(EXAMPLES[number], "example").tables


def test_keys_are_named_as_the_documentation_says() -> None:
    mapping = parse_mapping(EXAMPLES[0], "example")
    assert mapping.table("track").key == ("release_id", "seq")
    assert mapping.table("track_artist").key == ("release_id", "track_seq", "seq")


@pytest.mark.parametrize("name", TYPE_NAMES)
def test_every_type_has_its_row(name: str) -> None:
    assert re.search(rf"^\| (?:`\w+(?:\([^`]*\))?`, )*`{name}[`(]", TYPES, re.MULTILINE), name


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
