"""Mapping files: what they become, and what each mistake is told."""

from __future__ import annotations

import pickle
import textwrap
from pathlib import Path

import pytest

from etl.errors import MappingError
from etl.mapping.model import (
    Column,
    ColumnType,
    Constant,
    Exists,
    ForeignKey,
    FromMeta,
    FromPath,
    Not,
    ParentKey,
    RecordId,
    Sequence,
)
from etl.mapping.paths import XPath, parse_value_path
from etl.mapping.reader import parse_mapping, read_mapping

DISCOGS = """\
version: 1
tables:
  track_artist:
    parent: track
    each: [artists/artist, extraartists/artist]
    columns:
      name: name
  release:
    each: /releases/release
    key: id
    columns:
      id: {path: "@id", type: bigint}
      title: title
      year: {path: year, type: smallint, on_error: set_null}
  track:
    parent: release
    each: tracklist/track
    columns:
      title: {path: title, type: varchar(100), nulls: ["-", none], default: "?"}
      genres: {path: genres/genre, many: join, separator: "|", strip: false}
"""


PATH = FromPath(parse_value_path("x", {}))


def problems(text: str) -> list[str]:
    with pytest.raises(MappingError) as refused:
        parse_mapping(textwrap.dedent(text), "m.yaml")
    return str(refused.value).split("\n")


def table(columns: str, *, each: str = "/a/b", more: str = "") -> str:
    return f"version: 1\ntables:\n  t:\n    each: {each}\n{more}    columns:\n      {columns}\n"


def column(definition: str) -> Column:
    return parse_mapping(table(f"c: {definition}"), "m.yaml").tables[0].columns[1]


# --- what a file becomes ---


def test_tables_come_parents_first_otherwise_in_the_files_order() -> None:
    mapping = parse_mapping(DISCOGS, "discogs.yaml")
    assert [table.name for table in mapping.tables] == ["release", "track", "track_artist"]
    assert [table.parent for table in mapping.tables] == [None, 0, 1]
    assert (mapping.label, mapping.text) == ("discogs.yaml", DISCOGS)
    assert mapping.table("track").line == 15


def test_keys_go_down_the_levels() -> None:
    mapping = parse_mapping(DISCOGS, "discogs.yaml")
    release, track, artist = mapping.tables
    assert release.key == ("id",)
    assert release.columns[0].required
    assert track.key == ("release_id", "seq")
    assert track.columns[:2] == (
        Column("release_id", ColumnType("bigint"), ParentKey("id"), required=True),
        Column("seq", ColumnType("integer"), Sequence(), required=True),
    )
    assert track.foreign_key == ForeignKey(("release_id",), ("id",))
    assert artist.key == ("release_id", "track_seq", "seq")
    assert [c.source for c in artist.columns[:3]] == [ParentKey("release_id"), ParentKey("seq"), Sequence()]
    assert artist.foreign_key == ForeignKey(("release_id", "track_seq"), ("release_id", "seq"))


def test_record_id_without_key() -> None:
    mapping = parse_mapping(
        textwrap.dedent("""\
        version: 1
        tables:
          page: {each: //page, columns: {title: title}}
          revision: {parent: page, each: revision, columns: {id: id}}
        """),
        "m.yaml",
    )
    page, revision = mapping.tables
    assert page.columns[0] == Column("record_id", ColumnType("bigint"), RecordId(), required=True)
    assert page.key == ("record_id",)
    assert revision.key == ("page_record_id", "seq")


def test_a_key_named_after_its_table_keeps_its_name_below() -> None:
    text = """\
        version: 1
        tables:
          page: {each: /a/page, key: [page_id, lang], columns: {page_id: "@id", lang: "@lang"}}
          revision: {parent: page, each: revision, columns: {id: id}}
        """
    revision = parse_mapping(textwrap.dedent(text), "m.yaml").tables[1]
    assert revision.key == ("page_id", "page_lang", "seq")


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("x", Column("c", ColumnType("text"), PATH, line=6)),
        ("{path: x, type: integer}", Column("c", ColumnType("integer"), PATH, nulls=("",), line=6)),
        (
            "{path: x, type: 'numeric(6, 2)', nulls: [], default: 0, required: true}",
            Column("c", ColumnType("numeric", precision=6, scale=2), PATH, True, "0", (), line=6),
        ),
        (
            "{path: x, type: boolean, default: true}",
            Column("c", ColumnType("boolean"), PATH, default="true", nulls=("",), line=6),
        ),
        ("{meta: offset}", Column("c", ColumnType("bigint"), FromMeta("offset"), nulls=("",), line=6)),
        ("{meta: loaded_at, type: text}", Column("c", ColumnType("text"), FromMeta("loaded_at"), line=6)),
        ("{value: 007}", Column("c", ColumnType("text"), Constant("007"), line=6)),
        (
            "{value: 2020-01-01, type: date}",
            Column("c", ColumnType("date"), Constant("2020-01-01"), nulls=("",), line=6),
        ),
    ],
)
def test_columns(definition: str, expected: Column) -> None:
    assert column(definition) == expected


def test_join_and_strip() -> None:
    genres = parse_mapping(DISCOGS, "m").table("track").columns[3]
    assert isinstance(genres.source, FromPath)
    assert (genres.source.many, genres.source.separator, genres.strip) == ("join", "|", False)


@pytest.mark.parametrize("word", ["no", "yes", "on", "1e3", "0o17", "12:30:00", "2020-01-01", "True", "0x1F"])
def test_words_that_yaml_would_change_stay_as_they_are(word: str) -> None:
    source = column(f"{{value: {word}}}").source
    assert source == Constant(word)


def test_mapping_can_travel_to_a_worker() -> None:
    mapping = parse_mapping(DISCOGS, "m")
    assert pickle.loads(pickle.dumps(mapping)) == mapping


def test_anchors_share_columns() -> None:
    text = """\
        version: 1
        tables:
          a: {each: /r/a, columns: &names {name: name}}
          b: {each: /r/b, columns: *names}
        """
    assert [t.columns[1].name for t in parse_mapping(textwrap.dedent(text), "m").tables] == ["name", "name"]


# --- files ---


def test_read_mapping(tmp_path: Path) -> None:
    file = tmp_path / "discogs.mapping.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + DISCOGS.encode())
    assert read_mapping(file).label == str(file)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"Cannot read the mapping file .*none\.yaml: No such file"):
        read_mapping(tmp_path / "none.yaml")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"version: 1 # \xe9")
    with pytest.raises(MappingError, match="byte 13 is not UTF-8"):
        read_mapping(latin)


def test_paths_beyond_the_path_language_are_xpath() -> None:
    text = """\
        version: 1
        namespaces: {m: urn:m, n: urn:n}
        tables:
          t: {each: /r/a, where: "count(m:x) > 1", columns: {c: "m:x[last()]", d: "string(y)"}}
          u: {parent: t, each: [".//b", c], where: not(@k), columns: {c: ../../@k, d: "../x | ../y"}}
        """
    t, u = parse_mapping(textwrap.dedent(text), "m").tables
    namespaces = (("m", "urn:m"),)
    assert t.where == XPath("count(m:x) > 1", namespaces)
    assert [c.source for c in t.columns[1:]] == [
        FromPath(XPath("m:x[last()]", namespaces)),
        FromPath(XPath("string(y)")),
    ]
    assert u.each == (XPath(".//b"), parse_value_path("c", {}))
    assert u.where == Not(Exists(parse_value_path("@k", {})))
    assert u.columns[3].source == FromPath(XPath("../x | ../y"))


# --- mistakes: YAML ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (table("id: @id"), 'm.yaml:6: put @id in quotes: "@id"'),
        (table("id: {path: @id, type: bigint}"), 'm.yaml:6: put @id in quotes: "@id"'),
        (table("id: *"), "m.yaml:6: not valid YAML"),
        (table("id: {path: a[@k='v']}"), "in quotes"),
        (table("c: a\n      c: b"), "m.yaml:7: the key 'c' stands here twice: already on line 6"),
        ("version: 1\ntables: [", "m.yaml:2: not valid YAML"),
        ("version: 1\n\ttables: {}", "m.yaml:2: not valid YAML"),
        ("", "m.yaml:1: a mapping file has the keys version, namespaces and tables"),
        ("- a", "m.yaml:1: a mapping file has the keys version, namespaces and tables"),
        ("a: &x {b: *x}", "m.yaml:1: nested too deeply"),
        ("[" * 5000, "m.yaml:1: nested too deeply for a mapping"),
        (r'a: "\ud83c"', "m.yaml:1: an escape of \\ud800 to \\udfff is half a character"),
        (r'"\ud83c": a', "m.yaml:1: an escape of \\ud800 to \\udfff is half a character"),
        ("version: !!int 1", "m.yaml:1: the tag 'tag:yaml.org,2002:int' has no meaning"),
        ("? [a, b]\n: c", "m.yaml:1: a key must be a name"),
        ("version: 1\x07", "not valid YAML"),
    ],
)
def test_yaml_mistakes(text: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(text)), problems(text)


# --- mistakes: shape ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tables: {}", "m.yaml:1: version is missing: write `version: 1`."),
        ("version: 2\ntables: {t: {each: /a, columns: {a: a}}}", "m.yaml:1: version: '2' is not allowed; allowed: 1."),
        ("version: 1\ntables: {}", "m.yaml:2: tables is empty"),
        ("version: 1\ntabels: {}", "m.yaml:2: tabels: there is no key 'tabels'; did you mean 'tables'?"),
        ("version: 1\ntables:\n  t: {each: /a/b}", "m.yaml:3: tables.t.columns is missing"),
        ("version: 1\ntables:\n  t: {columns: {a: a}}", "m.yaml:3: tables.t.each is missing"),
        ("version: 1\ntables:\n  t: {each: /a/b, columns: {}}", "m.yaml:3: tables.t.columns is empty"),
        ("version: 1\ntables:\n  t: /a/b", "m.yaml:3: tables.t: expected keys with values below it (found '/a/b')"),
        ("version: 1\ntables:\n  t:\n", "m.yaml:3: tables.t: expected keys with values below it (found nothing)"),
        (
            table("c: {paht: x}"),
            "m.yaml:6: tables.t.columns.c.paht: there is no key 'paht'; did you mean 'path'? allowed: path, meta",
        ),
        (table("c: [x]"), "m.yaml:6: tables.t.columns.c: expected a path, or the keys of a column (found a list)"),
        (table("c:"), "m.yaml:6: tables.t.columns.c: expected a path, or the keys of a column (found nothing)"),
        (
            table("c: {path: x, many: frist}"),
            "m.yaml:6: tables.t.columns.c.many: 'frist' is not allowed; did you mean 'first'?",
        ),
        (table("c: {path: x, on_error: ignore}"), "allowed: reject, set_null, use_default"),
        (table("c: {meta: file}"), "allowed: source, line, offset, record, load_id, loaded_at"),
        (table("c: {path: x, required: yes}"), "required: expected true or false, without quotes (found 'yes')"),
        (table("c: {path: x, strip: 'true'}"), "strip: expected true or false, without quotes (found 'true')"),
        (table("c: {path: x, default: }"), "'default' has no value (the text null needs quotes)"),
        (table("c: {path: {a: b}}"), "path: expected a text (found keys below it)"),
        (table("c: x", each="[]"), "m.yaml:4: tables.t.each is empty"),
        (table("c: x", more="    key: {a: b}\n"), "m.yaml:5: tables.t.key"),
        (
            "version: 1\nnamespaces: [a]\ntables: {t: {each: /a, columns: {a: a}}}",
            "m.yaml:2: namespaces: expected keys",
        ),
    ],
)
def test_shape_mistakes(text: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(text)), problems(text)


def test_all_mistakes_of_a_kind_are_reported_together_by_line() -> None:
    found = problems("""\
        version: 1
        tables:
          t:
            each: /a/b
            columns:
              a: {path: x, typ: integer}
              b: {path: x, many: all}
          u: {columns: {c: c}}
        """)
    assert [problem.split(" ")[0] for problem in found] == ["m.yaml:6:", "m.yaml:7:", "m.yaml:8:"]


# --- mistakes: meaning ---


def child(each: str, columns: str = "c: c", *, parent: str = "t", key: str = "") -> str:
    return (
        "version: 1\ntables:\n  t: {each: [/r/a, /r/b], key: id, columns: {id: '@id'}}\n"
        f"  u:\n    parent: {parent}\n    each: {each}\n{key}    columns:\n      {columns}\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (table("c: x", each="a/b"), "m.yaml:4: tables.t.each: 'a/b' is relative"),
        (table("c: x", each="/a/b[1]"), "m.yaml:4: tables.t.each: '/a/b[1]', position 6: a position among records"),
        (table("c: x", each="[/a/b, /a/b]"), "'/a/b' stands here twice"),
        (table("c: x", each="/m:a"), "the prefix 'm' is not declared under `namespaces` (declared: none)"),
        (table("c: x", each="[/a/b, /a/*/c]"), "'/a/*/c' lies inside the records '/a/b' of table 't'"),
        (child("/r/a/c"), "m.yaml:6: tables.u.each: '/r/a/c' is absolute"),
        (child("../c"), "'../c' must lead down from the parent's element to elements"),
        (child("c/@d"), "'c/@d' must lead down"),
        (child("."), "'.' must lead down"),
        (
            child("count(c)"),
            "m.yaml:6: tables.u.each: 'count(c)', position 1: it gives a number, but must lead to elements",
        ),
        (child("'c[/d]'"), "tables.u.each: 'c[/d]', position 3: an absolute path would look outside the record"),
        (child("'[.//c, .//c]'"), "position 1: expected a name, found '['"),
        (child("[.//c, .//c]"), "'.//c' stands here twice"),
        (table("c: x", each="/a/b//c"), "'/a/b//c', position 6: '/c' cannot stand here; allowed: /name/name"),
        (table("c: x", each="\"/a/b[c='1']\""), "position 6: this predicate cannot stand here; allowed: /name/name"),
        (table("c: x", each="/a/count(b)"), "position 4: 'count(b)' cannot stand here"),
        (table("c: x", more="    where: a =\n"), "m.yaml:5: tables.t.where: 'a =', position 4: expected a name"),
        (table("c: x", more="    where: '../b'\n"), "tables.t.where: '../b': above the record only attributes"),
        (table("c: x", more="    where: a or ../../@b\n"), "leads above the document's outermost element"),
        (table("c: x", more="    where:\n"), "m.yaml:3: tables.t: 'where' has no value"),
        (table("c: x", more="    where: true\n"), "m.yaml:5: tables.t.where: expected a text (found True)"),
        (child("[c, c]"), "'c' stands here twice"),
        (child("c", parent="tt"), "m.yaml:5: tables.u.parent: there is no table 'tt'; did you mean 't'?"),
        (child("c", parent="u"), "m.yaml:5: tables.u.parent: the table is its own ancestor"),
        (child("c", key="    key: c\n"), "m.yaml:7: tables.u.key: a child table has no key of its own"),
        (child("c", columns="seq: x"), "m.yaml:8: tables.u.columns.seq: every row gets a column of this name"),
        (child("c", columns="T_ID: x"), "m.yaml:8: tables.u.columns.T_ID: every row gets a column of this name"),
        (child("c", columns="c: ../../../@x"), "leads above the document's outermost element"),
        (child("c", columns="c: ../../d"), "above the record only attributes can be seen"),
        (child("c", columns="c: .."), "ends at an ancestor"),
        (table("c: ../x"), "m.yaml:6: tables.t.columns.c.path: '../x': above the record only attributes can be seen"),
        (table("c: ../../@x"), "leads above the document's outermost element"),
        (
            table("c: /a/b/c"),
            "'/a/b/c' is absolute; paths here start from the table's element, as in a/b or @id; one of the document, "
            "before its records, has `scope: document`.",
        ),
        (table("c: //x"), "from the table's element, as in a/b or @id; .//x finds it at any depth."),
        (table("record_id: x"), "every row gets a column of this name"),
        (table("c: x\n      C: y"), "m.yaml:7: tables.t.columns.C: 'c' has the same name but for upper and lower case"),
        (table("c: x", more="    key: [c, d]\n"), "m.yaml:5: tables.t.key: there is no column 'd'; columns: c"),
        (table("ident: x", more="    key: idnt\n"), "there is no column 'idnt'; did you mean 'ident'?"),
        (table("c: x", more="    key: [c, c]\n"), "a column stands here twice"),
        (
            table("c: {path: x, on_error: set_null}", more="    key: c\n"),
            "'c' has on_error: set_null, but a key is never NULL",
        ),
        (table("c: {type: text}"), "needs one of path, meta, value (found none)"),
        (table("c: {path: x, value: y}"), "needs one of path, meta, value (found path and value)"),
        (table("c: {value: x, many: last}"), "tables.t.columns.c.many: has no meaning beside `value`"),
        (table("c: {meta: line, default: 1}"), "tables.t.columns.c.default: has no meaning beside `meta`"),
        (table("c: {meta: line, type: date}"), "`meta: line` is bigint or text"),
        (
            table("c: {path: x, type: int}"),
            "there is no type 'int'; did you mean 'integer'? allowed: text, varchar(n), boolean",
        ),
        (table("c: {path: x, type: varchar}"), "varchar needs a length from 1"),
        (table("c: {path: x, type: varchar(0)}"), "varchar needs a length from 1"),
        (table("c: {path: x, type: 'numeric(3,4)'}"), "numeric(p,s) needs p from 1 to 1000 and s from 0 to p"),
        (table("c: {path: x, type: text(5)}"), "the type text takes no parameters"),
        (table("c: {path: x, type: integer, default: x}"), "tables.t.columns.c.default: 'x' is not an integer"),
        (
            table("c: {value: 2020-02-30, type: date}"),
            "tables.t.columns.c.value: '2020-02-30' is not a day of the calendar",
        ),
        (table("c: {path: x, separator: ';'}"), "separator: only with `many: join`"),
        (table("c: {path: x, on_error: use_default}"), "use_default needs a `default`"),
        (table("c: {path: x, required: true, on_error: set_null}"), "set_null contradicts `required: true`"),
        (table('c: {path: x, default: "a\\x01b"}'), "default: control characters cannot be part of a value"),
        (table('c: {path: x, nulls: ["\\x03"]}'), "nulls: control characters"),
        (table('c: {value: "\\x02"}'), "control characters"),
        (table(f"{'n' * 64}: x"), "the name has 64 bytes, databases keep 63"),
        (table(f"{'ü' * 32}: x"), "the name has 64 bytes, databases keep 63"),
        (table('"": x'), "a name needs visible characters"),
        ("version: 1\ntables: {etl_split: {each: /a, columns: {a: a}}}", "the ledger's tables have this name"),
        (
            "version: 1\ntables:\n  SQLite_x: {each: /a, columns: {a: a}}",
            "m.yaml:3: tables.SQLite_x: SQLite keeps the names sqlite and sqlite_... for itself; choose another, "
            "as in _SQLite_x.",
        ),
        ("version: 1\ntables:\n  sqlite: {each: /a, columns: {a: a}}", "choose another, as in _sqlite."),
        *(
            (
                table(f"{name}: x"),
                f"m.yaml:6: tables.t.columns.{name}: every table of PostgreSQL has a system column {name}; choose "
                f"another name, as in {name}_.",
            )
            for name in ("tableoid", "ctid", "xmin", "cmin", "xmax", "cmax")
        ),
        (child("c", key="    seq: xmin\n"), "m.yaml:4: tables.u: every table of PostgreSQL has a system column xmin"),
        (
            "version: 1\ntables:\n  t: {each: /a/b, columns: {a: a}}\n  T: {each: /a/c, columns: {a: a}}",
            "m.yaml:4: tables.T: 't' has the same name",
        ),
        (
            "version: 1\nnamespaces: {m: ''}\ntables: {t: {each: /a, columns: {a: a}}}",
            "namespaces.m: the namespace is empty",
        ),
        ("version: 1\nnamespaces: {'a b': 'u'}\ntables: {t: {each: /a, columns: {a: a}}}", "'a b' cannot be a prefix"),
        (
            "version: 1\nnamespaces: {xml: 'u'}\ntables: {t: {each: /a, columns: {a: a}}}",
            "the prefix xml is always there",
        ),
    ],
)
def test_mistakes_of_meaning(text: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(text)), problems(text)


@pytest.mark.parametrize(("each", "columns"), [("..", "c: c"), ("../c", "c: c"), ("c/@d", "c: c"), ("c", "c: //x")])
def test_what_is_wrong_is_told_once(each: str, columns: str) -> None:
    (problem,) = problems(child(each, columns))
    assert "must lead down" in problem or "is absolute" in problem


def test_a_sentence_ends_once() -> None:
    (problem,) = problems(child("c", parent="tt"))
    assert problem.endswith("did you mean 't'?")


@pytest.mark.parametrize("name", ["XMIN", "oid", "rowid", "sqlite_x"])
def test_names_that_no_database_keeps(name: str) -> None:
    assert parse_mapping(table(f"{name}: x"), "m").tables[0].columns[1].name == name


def test_inherited_names_that_collide() -> None:
    (problem,) = problems("""\
        version: 1
        tables:
          t: {each: /r/t, key: t_u_seq, columns: {t_u_seq: "@id"}}
          t_u: {parent: t, each: u, columns: {x: x}}
          v: {parent: t_u, each: v, columns: {x: x}}
        """)
    assert problem.startswith("m.yaml:5: tables.v: the key of its ancestors has two columns 't_u_seq'")


def nested(first: str, second: str) -> str:
    tables = (f'  {name}: {{each: "{each}", columns: {{a: a}}}}' for name, each in (("t", first), ("u", second)))
    return "\n".join(("version: 1", "tables:", *tables))


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("/a/b", "/a/b/c"),
        ("/a/b", "/a/b/c/d"),
        ("/a/b", "/a/*/c"),
        ("/a/*", "/a/b/c"),
        ("/a", "/*/b/c"),
        ("//b", "/a/b/c"),
        ("/a/b[@k='1']", "/a/b/c"),
    ],
)
def test_records_inside_records_are_refused(outer: str, inner: str) -> None:
    for text in (nested(outer, inner), nested(inner, outer)):
        (problem,) = problems(text)
        assert "lies inside the records" in problem
        assert "make this a child table" in problem


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/a/b", "/x/b/c"),
        ("/a/b", "/a/c/d"),
        ("/a/b[@k='1']", "/a/b[@k='2']/c"),
        ("//b", "//c"),
        ("//b", "/a/b"),
        ("/a/b", "/a/b"),
    ],
)
def test_records_beside_each_other_are_fine(first: str, second: str) -> None:
    assert len(parse_mapping(nested(first, second), "m").tables) == 2
