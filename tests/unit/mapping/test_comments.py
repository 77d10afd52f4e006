"""Comments of a mapping file: those behind the key of a table or a column, and no other `#`."""

from __future__ import annotations

import pytest

from etl.mapping.reader import parse_mapping
from etl.mapping.yaml_text import parse_yaml


def test_tables_and_columns_have_the_comments_of_their_lines() -> None:
    table = parse_mapping(
        "version: 1\ntables: # not this\n  t:   # the records: 1,000 \n    each: /a/b # nor this\n    columns:\n"
        "      # nor this\n      a: x # of a\n      b: {path: y, # of b\n        type: text} # nor this\n      c: z\n",
        "m.yaml",
    ).tables[0]
    assert table.comment == "the records: 1,000"
    assert [column.comment for column in table.columns] == ["", "of a", "of b", ""]


@pytest.mark.parametrize(
    ("value", "comment"),
    [
        ("x", ""),
        ("x # c", "c"),
        ("x  #  c # d ", "c # d"),
        ("x #", ""),
        ("x#y", ""),
        ("x#y # c", "c"),
        ("'x # y'", ""),
        ("'x # y' # c", "c"),
        ('"x \\" # y" # c', "c"),
        ("'it''s # y' # c", "c"),
        ("it's # c", "c"),
        ("{path: 'a # b', type: text} # c", "c"),
        ("{path: 'a # b', type: text}", ""),
        ("{path: x, type: text}# c", ""),
        ("{path: x, # c\n  type: text}", "c"),
        ("{ # c\n  path: x}", "c"),
        ("{path: x,\n  type: text} # c", ""),
        ("[a, 'b # c',\n  d]", ""),
        ("'x # y\n  z' # c", ""),
        ("x\n  y # c", ""),
        ("| # c\n  # text\n", "c"),
        (">-  # c\n  text\n", "c"),
        ("&n x # c", "c"),
        ("&n # c\n  path: x", "c"),
        ("# c\n  path: x # d", "c"),
        ("[] # c", "c"),
        ("&n {a: *n,\n  b: x} # c", ""),
        ("größe\u00a0🎵 # 🎵 c", "🎵 c"),
    ],
)
def test_what_is_a_comment(value: str, comment: str) -> None:
    document = parse_yaml(f"k: {value}")
    assert document.comments.get(("k",), "") == comment


def test_an_alias_has_the_comment_of_its_own_line() -> None:
    document = parse_yaml("a: &n {x: y} # of a\nb: *n # of b\nc: *n\n")
    assert document.comments == {
        ("a",): "of a",
        ("a", "x"): "of a",
        ("b",): "of b",
        ("b", "x"): "of a",
        ("c", "x"): "of a",
    }
