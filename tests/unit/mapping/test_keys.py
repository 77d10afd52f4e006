"""Keys of the tables, renamed: `seq` and `parent_key`; and columns that cannot be keys."""

from __future__ import annotations

import pytest

from etl.errors import MappingError
from etl.mapping.model import ForeignKey, ParentKey, Sequence
from etl.mapping.reader import parse_mapping

TEXT = """\
version: 1
tables:
  release:
    each: /releases/release
    key: [id, lang]
    columns: {id: {path: "@id", type: bigint, sql: int8}, lang: "@lang"}
  track:
    parent: release
    each: track
    TRACK
    columns: {title: title}
  artist:
    parent: track
    each: artist
    ARTIST
    columns: {name: name}
"""


def text(track: str, artist: str = "seq: seq") -> str:
    return TEXT.replace("TRACK", track).replace("ARTIST", artist)


def problem(written: str) -> str:
    with pytest.raises(MappingError) as refused:
        parse_mapping(written, "m.yaml")
    return str(refused.value)


def test_renamed_keys_go_down_the_levels() -> None:
    track_keys = "seq: position\n    parent_key: {id: album}"
    mapping = parse_mapping(text(track_keys, "seq: place\n    parent_key: {position: track_no}"), "m.yaml")
    _, track, artist = mapping.tables
    assert track.key == ("album", "release_lang", "position")
    assert isinstance(track.columns[2].source, Sequence)
    assert track.foreign_key == ForeignKey(("album", "release_lang"), ("id", "lang"))
    assert artist.key == ("album", "release_lang", "track_no", "place")
    assert [c.source for c in artist.columns[:3]] == [
        ParentKey("album"),
        ParentKey("release_lang"),
        ParentKey("position"),
    ]
    assert artist.foreign_key == ForeignKey(("album", "release_lang", "track_no"), track.key)


def test_a_copy_of_a_key_has_the_databases_type_of_the_key() -> None:
    _, track, artist = parse_mapping(text("seq: n"), "m.yaml").tables
    assert (track.columns[0].sql, artist.columns[0].sql, artist.columns[1].sql) == ("int8", "int8", "")


@pytest.mark.parametrize(
    ("track", "expected"),
    [
        ("parent_key: {lng: l}", "m.yaml:10: tables.track.parent_key.lng: 'lng' is no key column of table 'release'"),
        ("parent_key: {lng: l}", "; did you mean 'lang'?"),
        ("parent_key: {title: l}", "'title' is no key column of table 'release'; its key: id, lang"),
        ("parent_key: {id: title}", "m.yaml:11: tables.track.columns.title: every row gets a column of this name"),
        ("parent_key: {id: a, lang: A}", "has two columns"),
        ("parent_key: {id: seq}", "has two columns 'seq'"),
        ("seq: Title", "tables.track.columns.title: every row gets a column of this name"),
        ("seq: release_id", "has two columns"),
        ("seq: ''", "a name needs visible characters"),
        ("seq:", "m.yaml:7: tables.track: 'seq' has no value"),
        ("parent_key: {}", "tables.track.parent_key is empty"),
        ("parent_key: id", "expected keys with values below it"),
        ("sequ: n", "there is no key 'sequ'; did you mean 'seq'?"),
    ],
)  # fmt: skip
def test_mistakes(track: str, expected: str) -> None:
    assert expected in problem(text(track))


@pytest.mark.parametrize("key", ["seq: n", "parent_key: {id: n}"])
def test_only_children_have_them(key: str) -> None:
    written = text("seq: n").replace("key: [id, lang]", f"key: id\n    {key}")
    assert f"m.yaml:6: tables.release.{key.partition(':')[0]}: only a child table has one" in problem(written)


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("{path: x, many: array}", "'id' has many: array, which cannot be a key"),
        ("{path: x, many: json, type: text}", "'id' has many: json, which cannot be a key"),
        ("{path: x, type: json}", "'id' has type json, which cannot be a key"),
        ("{path: x, type: jsonb}", "'id' has type jsonb"),
        ("{path: x, type: xml}", "'id' has type xml"),
        ("{path: x, on_error: set_null}", "'id' has on_error: set_null, but a key is never NULL"),
    ],
)
def test_columns_that_cannot_be_keys(definition: str, expected: str) -> None:
    written = f"version: 1\ntables:\n  t:\n    each: /a/b\n    key: id\n    columns:\n      id: {definition}\n"
    assert problem(written).startswith("m.yaml:5: tables.t.key: ")
    assert expected in problem(written)


def test_a_key_is_never_null_whatever_the_defaults_say() -> None:
    written = "version: 1\ndefaults: {on_error: set_null}\ntables:\n  t: {each: /a/b, key: id, columns: {id: '@id'}}\n"
    (column,) = parse_mapping(written, "m.yaml").tables[0].columns
    assert (column.required, column.on_error) == (True, "reject")
