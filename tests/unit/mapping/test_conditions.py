"""`where`: which conditions are evaluated with the columns, and that both ways are the same language."""

from __future__ import annotations

import pytest

from etl.mapping.conditions import condition_paths, parse_condition
from etl.mapping.model import AllOf, AnyOf, Compare, Condition, Exists, Not
from etl.mapping.paths import ValuePath, XPath, parse_value_path

NAMESPACES = {"m": "urn:m"}


def path(text: str) -> ValuePath:
    return parse_value_path(text, NAMESPACES)


A, B, C = Exists(path("a")), Exists(path("b")), Exists(path("c"))


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("a", A),
        ("@status = 'Accepted'", Compare(path("@status"), "Accepted", True)),
        ('a/b!="it\'s"', Compare(path("a/b"), "it's", False)),
        ("'x' = a", Compare(path("a"), "x", True)),
        (". = ''", Compare(path("."), "", True)),
        ("../@k='v'", Compare(path("../@k"), "v", True)),
        ("m:a[@m:x='a]b'][2]/@c", Exists(path("m:a[@m:x='a]b'][2]/@c"))),
        ('a[@x = "( or )"]', Exists(path('a[@x = "( or )"]'))),
        ("{*}a = 'x'", Compare(path("{*}a"), "x", True)),
        ("not(a)", Not(A)),
        (" not ( a ) ", Not(A)),
        ("a and b and c", AllOf((A, B, C))),
        ("a or b and c", AnyOf((A, AllOf((B, C))))),
        ("(a or b) and not(c)", AllOf((AnyOf((A, B)), Not(C)))),
        ("((a))", A),
        ("a='1'or b", AnyOf((Compare(path("a"), "1", True), B))),
        ("and = 'or' or or", AnyOf((Compare(path("and"), "or", True), Exists(path("or"))))),
        ("not = 'x'", Compare(path("not"), "x", True)),
        ("a\n  and b", AllOf((A, B))),
    ],
)
def test_the_fast_form(text: str, condition: Condition) -> None:
    assert parse_condition(text, NAMESPACES) == condition


@pytest.mark.parametrize(
    "text",
    ["count(a) > 1", "@n = 5", "a = b", "a < 3", "a [1]", "a//b", "a[b]", "true()", "contains(a, 'x')", "a='x' = 'y'"],
)
def test_anything_else_is_xpath(text: str) -> None:
    assert parse_condition(text, NAMESPACES) == XPath(text)


@pytest.mark.parametrize("text", ["text() = 'x'", "a/text()"])
def test_text_nodes_are_compared_one_by_one_as_xpath_does(text: str) -> None:
    assert isinstance(parse_condition(text, NAMESPACES), XPath)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "position 1: expected a name"),
        ("a or", "position 5: expected a name"),
        ("(a", "position 3: expected ')'"),
        ("not(a)b", "position 7: expected an operator or the end, found 'b'"),
        ("a == 'x'", "position 4: expected a name, found '='"),
        ("a = 'x", "position 5: the quote ' has no end"),
        ("a = 'x' andb", "position 9: expected an operator"),
        ("n:a = 'x'", "position 1: the prefix 'n' is not declared"),
        ("/a = 'x'", "position 1: an absolute path"),
        ("(" * 2000 + "a" + ")" * 2000, "nested too deeply"),
    ],
)
def test_what_is_no_condition(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^position") as refused:
        parse_condition(text, NAMESPACES)
    assert problem in str(refused.value)


def test_paths_of_a_condition() -> None:
    condition = parse_condition("(a or not(b = 'x')) and c", NAMESPACES)
    assert list(condition_paths(condition)) == [path("a"), path("b"), path("c")]
    assert list(condition_paths(parse_condition("count(a) > 1", NAMESPACES))) == []
