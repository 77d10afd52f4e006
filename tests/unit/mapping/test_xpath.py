"""XPath beyond the path language: what is taken, and why the rest is not."""

from __future__ import annotations

import pytest
from lxml import etree

from etl.mapping.paths import XPath
from etl.mapping.xpath import compiled, parse_xpath

NAMESPACES = {"m": "urn:m", "unused": "urn:u"}


@pytest.mark.parametrize(
    "text",
    [
        "count(a)",
        "a//b",
        ".//b",
        "a[last()]",
        "a[b='1' and not(@c)][position() < 3]/d",
        "a | b",
        "(a | b)[1]/c",
        "following-sibling::a",
        "ancestor::*/@id",
        "a/..",
        "@*",
        "* * *",
        "div div div",
        "and and or or mod",
        "-count(a) + 3 * 2.5 - .5",
        "concat(a, ', ', \"it's\")",
        "substring(a, 1, 3) = 'abc'",
        "normalize-space()",
        "string-length(a) >= 3",
        "node()[1]",
        "text ()",
        "self::a",
        "a [ 1 ]",
        "true()",
        "größe[2]/x",
        "lang('de')",
        "a[0 + 1]",
    ],
)
def test_what_is_xpath(text: str) -> None:
    assert parse_xpath(text, NAMESPACES) == XPath(text)


def test_it_keeps_the_namespaces_it_uses() -> None:
    assert parse_xpath("child::m:a[@m:b]/xml:c/@xml:lang", NAMESPACES).namespaces == (("m", "urn:m"),)


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("", 1, "expected a name, but it ends here"),
        ("a/", 3, "expected a name, but it ends here"),
        ("a b", 3, "expected an operator or the end, found 'b'"),
        ("a[b", 4, "expected ']', but it ends here"),
        ("(a", 3, "expected ')', but it ends here"),
        ("a[@x='1]", 6, "the quote ' has no end"),
        ("a = ", 5, "expected a name, but it ends here"),
        ("a\x07", 2, "expected an operator or the end"),
        ("a;b", 2, "found ';'"),
        (".[a]", 2, "expected an operator or the end, found '['"),
        ("/a", 1, "an absolute path would look outside the record"),
        ("//a", 1, "an absolute path would look outside the record"),
        ("count(/a)", 7, "an absolute path would look outside the record"),
        ("a[//b]", 3, "an absolute path would look outside the record"),
        ("a | /b", 5, "an absolute path would look outside the record"),
        ("$x", 1, "there are no variables"),
        ("n:a", 1, "the prefix 'n' is not declared under `namespaces` (declared: m, unused)"),
        ("a[@n:b]", 4, "the prefix 'n' is not declared"),
        ("count({*}a)", 7, "write *[local-name()='name']"),
        ("document('x')", 1, "a record sees no other document"),
        ("id('x')", 1, "identifiers of a DTD are not known here"),
        ("key('a', 'b')", 1, "belongs to XSLT"),
        ("lower-case(a)", 1, "`transform: lower`"),
        ("cuont(a)", 1, "XPath 1.0 has no function cuont(); did you mean count()? there are: boolean, ceiling"),
        ("re:test(a, 'b')", 1, "XPath 1.0 has no function re:test()"),
        ("a + count()", 5, "count() takes 1 argument (found 0)"),
        ("concat('a')", 1, "concat() takes 2 or more arguments (found 1)"),
        ("substring(a)", 1, "substring() takes 2 to 3 arguments (found 1)"),
        ("a/count(b)", 3, "a function cannot be a step of a path"),
        ("comment()", 1, "comments and processing instructions are not read"),
        ("namespace::*", 1, "declarations of namespaces are no values"),
        ("childs::a", 1, "there is no axis childs; did you mean child?"),
        ("a[0]", 3, "positions count from 1"),
        ("(" * 60 + "a" + ")" * 60, 51, "nested too deeply"),
    ],
)
def test_what_is_refused_and_where(text: str, position: int, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^position") as refused:
        parse_xpath(text, NAMESPACES)
    assert str(refused.value).startswith(f"position {position}: ")
    assert problem in str(refused.value)


@pytest.mark.parametrize("text", ["count('a')", "a | 'b'", "a | -b", "('a')/b"])
def test_wrong_types_are_found_before_any_record(text: str) -> None:
    with pytest.raises(ValueError, match=r"not valid XPath 1\.0: "):
        parse_xpath(text, NAMESPACES)


@pytest.mark.parametrize(("text", "kind"), [("count(a)", "a number"), ("string(a)", "a text"), ("a = 1", "a boolean")])
def test_where_nodes_are_needed(text: str, kind: str) -> None:
    with pytest.raises(ValueError, match=f"gives {kind}, but must lead to elements"):
        parse_xpath(text, NAMESPACES, nodes=True)
    assert parse_xpath("a//b", NAMESPACES, nodes=True) == XPath("a//b")


def test_what_is_taken_evaluates() -> None:
    element = etree.fromstring("<r xmlns:x='urn:m'><x:a>1</x:a><x:a>2</x:a></r>")
    assert compiled(parse_xpath("sum(m:a)", NAMESPACES))(element) == 3.0
    assert compiled(parse_xpath("m:a[last()]/text()", NAMESPACES))(element) == ["2"]
