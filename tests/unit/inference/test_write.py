"""The YAML: what it looks like, and that nothing in a document can break it."""

from __future__ import annotations

import pytest

from etl.inference.design import infer_mapping
from etl.inference.tables import ColumnDesign, TableDesign
from etl.inference.write import WIDTH, write_mapping
from etl.mapping.reader import parse_mapping
from tests.profiles import profile_of


def test_the_file_as_a_person_reads_it() -> None:
    document = """<catalog xmlns:dc="http://purl.org/dc/elements/1.1/">
    <book id="bk1"><price cur="EUR">44.95</price><dc:creator>Gambardella</dc:creator><tag>a</tag><tag>b</tag></book>
    <book id="bk2"><note>See <a href="x">there</a></note></book></catalog>"""
    text = infer_mapping(profile_of(document), "books.xml").text
    assert (
        text
        == """\
# Inferred from books.xml: all of it, 245 bytes.
# Edit it as you like (`etl docs mapping`). Comments: in how many rows a value was seen (nothing: in all),
# why it has its type, and what it was.

version: 1
namespaces:
  dc: "http://purl.org/dc/elements/1.1/"
defaults: {many: reject}  # a second value where one was seen is a reject, not lost
tables:

  book:  # 2 seen
    each: /catalog/book
    key: id
    columns:
      id:        "@id"                    # bk1, bk2
      price:     price                    # in 50 %; 44.95
      price_cur: "price/@cur"             # in 50 %; EUR
      creator:   "dc:creator"             # in 50 %; Gambardella
      note:      {path: note, type: xml}  # in 50 %; text with markup that has attributes

  book_tag:  # 2 seen; up to 2 in one parent
    parent: book
    each: tag
    columns:
      tag: .  # a, b
"""
    )


def test_comments_become_those_of_the_mapping() -> None:
    mapping = parse_mapping(infer_mapping(profile_of("<a><b c='1'/><b c='2'/></a>"), "x").text, "x")
    assert mapping.table("b").comment == "2 seen"
    assert mapping.table("b").columns[-1].comment == "1, 2"


def test_lines_are_not_too_long() -> None:
    values = "".join(f"<b c='{'word ' * 40}{n}'><d>{'x' * 300}{n}</d></b>" for n in range(3))
    assert max(map(len, infer_mapping(profile_of(f"<a>{values}</a>"), "x").text.splitlines())) <= WIDTH


@pytest.mark.parametrize(
    "value", ["# x", "a: b", "\x85next", "\u2028next", "x\ny", "\x7f\x9f", "'\"\\", "{[", "\ufffe"]
)
def test_values_cannot_break_out_of_a_comment(value: str) -> None:
    profile = profile_of("<a><b c='1'/><b c='2'/></a>")
    profile.roots["a"].children["b"].attributes["c"].examples[:] = [value]
    parse_mapping(infer_mapping(profile, value).text, "x")


@pytest.mark.parametrize(
    "name", ["true", "null", "no", "1e3", "ö", "a b", "x: y", "日", "~", "", '"', "-", "a\x85b", "\U0001f600"]
)
def test_names_mean_themselves(name: str) -> None:
    column = ColumnDesign(name or "x", "true" if name == "true" else "@a", "text", "")
    table = TableDesign(name or "x", ("/a/b",), "", (), (column,), "")
    text = write_mapping([], {"p": f"urn:{name}"}, [table])
    mapping = parse_mapping(text, "x")
    assert [table.name for table in mapping.tables] == [name or "x"]
    assert mapping.tables[0].columns[-1].name == (name or "x")


def test_no_more_than_some_warnings_are_written() -> None:
    parts = "".join(f"<p{n}><x><x><x a='1'/></x></x></p{n}>" for n in range(40))
    inferred = infer_mapping(profile_of(f"<recs><rec>{parts}</rec><rec/></recs>"), "x")
    assert len(inferred.warnings) == 40
    assert "# Note: 20 more like these." in inferred.text
    assert inferred.text.count("# Note:") == 21


def test_what_did_not_parse_is_said() -> None:
    profile = profile_of("<a><b c='1'/><b c='2'/></a>")
    profile.skipped, profile.first_problem = 3, "line 7: mismatched tag"
    assert (
        "# Note: 3 passages could not be read and were passed over; the first: line 7"
        in infer_mapping(profile, "x").text
    )
