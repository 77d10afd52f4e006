"""What an XPath may take is not called unseen; what it cannot take is."""

from __future__ import annotations

import pytest

from etl.mapping.reader import parse_mapping
from etl.transform.mentions import Mentions

COLUMN = """
version: 1
tables:
  i:
    each: /r/i
    columns: {{id: "@id", x: {{path: "{path}"}}}}
"""
CHILD = """
version: 1
tables:
  i:
    each: /r/i
    columns: {{id: "@id"}}
  v:
    parent: i
    each: "{path}"
    columns: {{v: .}}
"""


@pytest.mark.parametrize("path", ["*[not(*) and not(@*)]", ".//*[1]", "a/..//node()[@x]"])
def test_steps_of_any_name_take_what_is_below(path: str) -> None:
    mentions = Mentions(parse_mapping(CHILD.format(path=path), "m"))
    assert mentions.include("i/b")
    assert mentions.include("i/b/c")
    assert not mentions.include("j/b")


@pytest.mark.parametrize("path", ["a[not(*)]", "a[b/*]//c", "a[.='*']//c"])
def test_wildcards_in_predicates_take_nothing(path: str) -> None:
    mentions = Mentions(parse_mapping(CHILD.format(path=path), "m"))
    assert mentions.include("i/a")
    assert not mentions.include("i/z")


def test_a_column_that_counts_everything() -> None:
    mentions = Mentions(parse_mapping(COLUMN.format(path="count(*)"), "m"))
    assert mentions.include("i/z")
    assert not mentions.include("r/z")
