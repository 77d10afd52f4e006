"""`scope: document`: what it becomes, and what is said of paths that cannot be known before the first record."""

from __future__ import annotations

import pickle

import pytest

from etl.errors import MappingError
from etl.extract.header import header_paths
from etl.loading.mapping_digest import conversion_digest, differences, structure_digest
from etl.mapping.model import FromPath, Mapping
from etl.mapping.paths import NameTest, ValuePath
from etl.mapping.reader import parse_mapping


def text(column: str, *, each: str = "/a/b", more: str = "") -> str:
    return f"""\
version: 1
namespaces: {{m: 'urn:m'}}
tables:
  t:
    each: {each}
    columns:
      c: {column}
{more}"""


def mapping(column: str, **others: str) -> Mapping:
    return parse_mapping(text(column, **others), "m.yaml")


def source(column: str, **others: str) -> FromPath:
    found = mapping(column, **others).tables[0].columns[1].source
    assert isinstance(found, FromPath)
    return found


def problem(column: str, **others: str) -> str:
    with pytest.raises(MappingError) as refused:
        mapping(column, **others)
    return str(refused.value)


def test_what_it_becomes() -> None:
    found = source("{path: '/a/m:h[@k=\"v\"]/@id', scope: document, many: last}")
    assert found.scope == "document"
    assert found.many == "last"
    assert isinstance(found.path, ValuePath)
    assert [step.element for step in found.path.steps] == [NameTest("", "a"), NameTest("urn:m", "h")]
    assert found.path.leaf == "attribute"
    assert source("{path: x, scope: record}") == source("x")
    assert pickle.loads(pickle.dumps(mapping("{path: /a/h, scope: document}"))) == mapping(
        "{path: /a/h, scope: document}"
    )


@pytest.mark.parametrize("path", ["/a/h", "/a/h/text()", "/a/@v", "/*/{*}h", "/a/m:*", "/a/h[@k='v'][@l='w']/i"])
def test_paths_that_can_stand(path: str) -> None:
    read = source(f'{{path: "{path}", scope: document}}').path
    assert isinstance(read, ValuePath)
    assert read.text == path


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("{path: h, scope: document}", "'h', position 1: with `scope: document` a path begins at the document's root"),
        ("{path: ../@id, scope: document}", "a path begins at the document's root, with /; allowed: /name/name"),
        ("{path: /a//h, scope: document}", "'/h' cannot stand here; allowed: /name/name with steps name"),
        ("{path: //h, scope: document}", "'/h' cannot stand here"),
        ("{path: /, scope: document}", "a name is missing at the end"),
        ("{path: /@v, scope: document}", "'@v' cannot stand here"),
        ("{path: '/a/h[2]', scope: document}", "a position"),
        ("{path: /a/h/@x/y, scope: document}", "'/y' cannot stand here"),
        ("{path: count(/a/h), scope: document}", "begins at the document's root"),
        ("{path: /a/n:h, scope: document}", "the prefix 'n' is not declared"),
        ("{path: x, scope: documnt}", "'documnt' is not allowed; did you mean 'document'? allowed: record, document"),
        ("{meta: source, scope: document}", "tables.t.columns.c.scope: has no meaning beside `meta`: only with `path`"),
        ("{value: x, scope: record}", "tables.t.columns.c.scope: has no meaning beside `value`: only with `path`"),
        ("{path: /a/b/x, scope: document}", "'/a/b/x' lies inside the records '/a/b' of table 't'"),
        ("{path: /a/b, scope: document}", "'/a/b' lies inside the records '/a/b'"),
        ("{path: /a/b/@id, scope: document}", "'/a/b/@id' lies inside the records '/a/b'"),
        ("{path: \"/a/b[@k='v']\", scope: document}", "lies inside the records"),
        ("{path: /a, scope: document}", "'/a' stands around the records '/a/b' of table 't': before the first"),
        ("{path: /a/text(), scope: document}", "only its attributes are known, as in /a/@id"),
        ("{path: /a/h, scope: document, many: json, key: '@k', value: /v}", "'/v', position 1"),
        ("{path: /a/h/@x, scope: document, type: xml}", "the type xml needs the path of an element"),
        ("/a/h", "one of the document, before its records, has `scope: document`"),
    ],
)
def test_mistakes(column: str, expected: str) -> None:
    found = problem(column)
    assert found.startswith("m.yaml:7: tables.t.columns.c")
    assert expected in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("path", "each"),
    [("/a/b/x", "//b"), ("/a/m:b", "//{*}b"), ("/a/x", "/*"), ("/a/m:b/x", "/a/m:*"), ("/a/x/b/c", "[/z, /a/x/*]")],
)
def test_paths_that_can_only_lead_into_a_record(path: str, each: str) -> None:
    assert "lies inside the records" in problem(
        f"{{path: '{path}', scope: document}}", each=f"'{each}'" if each[0] != "[" else each
    )


@pytest.mark.parametrize(
    ("path", "each"),
    [
        ("/a/*/x", "/a/b"),
        ("/a/h", "//b"),
        ("/a/b/x", "\"/a/b[@k='v']\""),
        ("/a/@v", "/a/b"),
        ("/*", "/a/b/c"),
        ("/a/m:b", "/a/b"),
    ],
)
def test_paths_that_may_lead_elsewhere(path: str, each: str) -> None:
    assert source(f"{{path: '{path}', scope: document}}", each=each).scope == "document"


def test_the_records_of_other_tables_count() -> None:
    more = "  u: {each: /a/info, columns: {x: x}}\n"
    assert "inside the records '/a/info' of table 'u'" in problem("{path: /a/info/x, scope: document}", more=more)
    child = "  u: {parent: t, each: x, columns: {y: {path: /a/b/y, scope: document}}}\n"
    assert "tables.u.columns.y.path: '/a/b/y' lies inside the records" in problem("x", more=child)


def test_the_digest_knows_the_scope() -> None:
    plain, document = mapping("{path: h}"), mapping("{path: /a/h, scope: document}")
    assert structure_digest(mapping("{path: h, scope: record}")) == structure_digest(plain)
    assert structure_digest(document) != structure_digest(mapping("{path: /a/i, scope: document}"))
    assert differences(plain, document) == "`path` of t.c"
    converted = mapping("{path: /a/h, scope: document, default: x}")
    assert structure_digest(converted) == structure_digest(document)
    assert conversion_digest(converted) != conversion_digest(document)


def test_each_path_is_looked_for_once_and_knows_its_place() -> None:
    more = "      d: {path: /a/h, scope: document}\n      e: {path: /a/h/@x, scope: document}\n"
    found = header_paths(mapping("{path: '/a/h/text()', scope: document}", more=more))
    assert [path.text for path in found] == ["/a/h/text()", "/a/h/@x"]
    assert found[1].place == "m.yaml:9: tables.t.columns.e.path"
