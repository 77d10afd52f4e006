"""`transform` of columns and tables: what it becomes, and what is said of what is none."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from etl.errors import MappingError
from etl.mapping.model import MapValues, PythonFunction, Replace, Transform
from etl.mapping.reader import parse_mapping, read_mapping

TEXT = """\
version: 1
tables:
  t:
    each: /a/b
    transform: TABLE
    columns:
      c: {path: x, transform: COLUMN}
"""
LINE = 7
"""Of the column's transform."""


def text(column: str = "lower", table: str = "{python: 'm:f'}") -> str:
    return TEXT.replace("COLUMN", column).replace("TABLE", table)


def transforms(column: str) -> tuple[Transform, ...]:
    return parse_mapping(text(column), "/folder/m.yaml").tables[0].columns[1].transforms


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("lower", ("lower",)),
        ("[collapse, upper]", ("collapse", "upper")),
        ("{replace: ['[0-9]+', '#']}", (Replace("[0-9]+", "#"),)),
        (r"""{replace: ['(\w+), (\w+)', '\2 \1']}""", (Replace(r"(\w+), (\w+)", r"\2 \1"),)),
        ("{map: {m: male, f: female, t: true}}", (MapValues((("m", "male"), ("f", "female"), ("t", "true"))),)),
        ("{python: 'a.b:clean'}", (PythonFunction("a.b", "clean", "/folder", LINE),)),
        ("[lower, {python: 'größe:säubern'}]", ("lower", PythonFunction("größe", "säubern", "/folder", LINE))),
    ],
)
def test_what_they_become(written: str, expected: tuple[Transform, ...]) -> None:
    assert transforms(written) == expected


def test_functions_are_looked_for_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.yaml").write_text(text(), "utf-8")
    monkeypatch.chdir(tmp_path)
    mapping = read_mapping(Path("m.yaml"))
    assert mapping.tables[0].transform == PythonFunction("m", "f", str(tmp_path), line=5)
    assert pickle.loads(pickle.dumps(mapping)) == mapping


ALLOWED = "allowed: lower, upper, collapse, {replace: [pattern, text]}, {map: {a: b}}, {python: 'module:function'}"


@pytest.mark.parametrize(
    ("written", "place", "expected"),
    [
        ("lowr", "", "'lowr' is no transform; did you mean 'lower'? " + ALLOWED),
        ("replace", "", "'replace' is no transform; " + ALLOWED),
        ("[lower, {pyton: 'a:b'}]", ".1", "did you mean 'python'?"),
        ("{lower: x, upper: y}", "", "is no transform"),
        ("[[lower]]", "", "is no transform"),
        ("", "", "is no transform"),
        ("[]", "", "is empty: it needs at least one entry"),
        ("{replace: a}", ".replace", "takes two texts, a regular expression and what to write in its place"),
        ("{replace: [a]}", ".replace", "takes two texts"),
        ("{replace: ['(', '']}", ".replace", "'(' with '' is not a regular expression of Python's `re`: missing )"),
        (r"{replace: ['a', '\1']}", ".replace", "invalid group reference 1"),
        ("{replace: ['[[a]', '']}", ".replace", "Possible nested set"),
        (r'{replace: ["a", "\x02"]}', ".replace", "control characters"),
        ("{map: [a, b]}", ".map", "takes values and what each becomes"),
        ("{map: {}}", ".map", "takes values and what each becomes"),
        ("{map: {a: }}", ".map.a", "expected a text (texts that mean NULL are for `nulls`)"),
        (r'{map: {a: "\x02"}}', ".map.a", "control characters"),
        ("{python: clean}", ".python", "expected 'module:function', as in cleaning:year (found 'clean')"),
        ("{python: 'a/b.py:f'}", ".python", "expected 'module:function'"),
        ("{python: [a, b]}", ".python", "expected 'module:function'"),
    ],
)
def test_what_is_none(written: str, place: str, expected: str) -> None:
    with pytest.raises(MappingError) as refused:
        parse_mapping(text(written), "m.yaml")
    message = str(refused.value)
    assert message.startswith(f"m.yaml:7: tables.t.columns.c.transform{place}")
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize("written", ["lower", "[{python: 'm:f'}]", "{replace: [a, b]}"])
def test_a_table_has_one_function(written: str) -> None:
    with pytest.raises(MappingError, match=r"m\.yaml:5: tables\.t\.transform: a table's transform is \{python"):
        parse_mapping(text(table=written), "m.yaml")
