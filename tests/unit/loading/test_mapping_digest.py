"""What of a mapping counts for the ledger: rows or only values, and what is said of a change."""

from __future__ import annotations

import pytest

from etl.loading.mapping_digest import conversion_digest, differences, structure_digest
from etl.mapping.reader import parse_mapping

PLAIN = """\
version: 1
tables:
  release:
    each: /releases/release
    key: id
    columns:
      id: {path: "@id", type: bigint}
      title: title
      year: {path: year, type: integer}
  track:
    parent: release
    each: tracks/track
    columns:
      name: name
"""

CONVERSIONS = {
    "default": ("title: title", 'title: {path: title, default: "none"}'),
    "nulls": ("year, type: integer", 'year, type: integer, nulls: ["?"]'),
    "on_error": ("year, type: integer", "year, type: integer, on_error: set_null"),
    "strip": ("title: title", "title: {path: title, strip: false}"),
    "transform": ("title: title", "title: {path: title, transform: [upper]}"),
    "table": ("    key: id\n", '    key: id\n    transform: {python: "functions:clean"}\n'),
}
STRUCTURES = {
    "each": ("/releases/release", "//release", "`each` of release"),
    "where": ("    key: id\n", "    key: id\n    where: year\n", "`where` of release"),
    "key": ("    key: id\n", "    key: [id, year]\n", "`key` of release"),
    "type": ("year, type: integer", "year, type: bigint", "`type` of release.year"),
    "path": ("title: title", "title: '@title'", "`path` of release.title"),
    "many": ("title: title", "title: {path: title, many: join}", "`many` of release.title"),
    "required": ("year, type: integer", "year, type: integer, required: true", "`required` of release.year"),
    "column": ("      title: title\n", "", "the column release.title is gone"),
    "new": ("      title: title\n", "      title: title\n      note: note\n", "the column release.note is new"),
    "table": ("  track:\n", "  song:\n", "the table track is gone, the table song is new"),
}
APPEARANCE = {
    "comment": ("    key: id\n", "    key: id  # by the label\n\n"),
    "order": (
        '      id: {path: "@id", type: bigint}\n      title: title\n',
        '      title: title\n      id: {path: "@id", type: bigint}\n',
    ),
}


@pytest.mark.parametrize("change", CONVERSIONS.values(), ids=CONVERSIONS)
def test_what_values_become_is_no_other_structure(change: tuple[str, str]) -> None:
    old, new = parse_mapping(PLAIN, "m.yaml"), parse_mapping(PLAIN.replace(*change), "m.yaml")
    assert structure_digest(old) == structure_digest(new)
    assert conversion_digest(old) != conversion_digest(new)


@pytest.mark.parametrize("change", STRUCTURES.values(), ids=STRUCTURES)
def test_what_rows_there_are_is_another_structure_and_told(change: tuple[str, str, str]) -> None:
    before, after, told = change
    old, new = parse_mapping(PLAIN, "m.yaml"), parse_mapping(PLAIN.replace(before, after), "m.yaml")
    assert structure_digest(old) != structure_digest(new)
    assert differences(old, new).startswith(told)


@pytest.mark.parametrize("change", APPEARANCE.values(), ids=APPEARANCE)
def test_how_a_file_looks_does_not_count(change: tuple[str, str]) -> None:
    old, new = parse_mapping(PLAIN, "m.yaml"), parse_mapping(PLAIN.replace(*change), "elsewhere/n.yaml")
    assert structure_digest(old) == structure_digest(new)
    assert conversion_digest(old) == conversion_digest(new)


def test_of_many_differences_a_few_are_named() -> None:
    other = PLAIN.replace("/releases/release", "//release").replace("title: title", "name: title")
    other = other.replace("tracks/track", "song").replace("integer", "bigint").replace("    key: id\n", "")
    assert differences(parse_mapping(PLAIN, "m.yaml"), parse_mapping(other, "m.yaml")).endswith(" more")
