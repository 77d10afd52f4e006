"""The path language: what parses to what, and what is said about the rest."""

from __future__ import annotations

import re
import sys

import pytest

from etl.mapping.paths import (
    NAME_PATTERN,
    AttributeTest,
    NameTest,
    RecordPath,
    Step,
    ValuePath,
    parse_record_path,
    parse_value_path,
)

NAMESPACES = {"m": "urn:m"}


def plain(name: str) -> Step:
    return Step(NameTest("", name))


@pytest.mark.parametrize(
    ("text", "steps", "anywhere"),
    [
        ("/a/b", (plain("a"), plain("b")), False),
        ("/*/m:b", (Step(NameTest(None, None)), Step(NameTest("urn:m", "b"))), False),
        ("/a/{*}b", (plain("a"), Step(NameTest(None, "b"))), False),
        ("/a[@x='1']/b", (Step(NameTest("", "a"), (AttributeTest(NameTest("", "x"), "1"),)), plain("b")), False),
        ("//b", (plain("b"),), True),
        ("//m:b", (Step(NameTest("urn:m", "b")),), True),
    ],
)
def test_record_paths(text: str, steps: tuple[Step, ...], anywhere: bool) -> None:
    assert parse_record_path(text, NAMESPACES) == RecordPath(text, steps, anywhere)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (".", ValuePath(".")),
        ("a", ValuePath("a", steps=(plain("a"),))),
        ("./a/./b", ValuePath("./a/./b", steps=(plain("a"), plain("b")))),
        ("@id", ValuePath("@id", leaf="attribute", attribute=NameTest("", "id"))),
        ("@m:id", ValuePath("@m:id", leaf="attribute", attribute=NameTest("urn:m", "id"))),
        (
            "@xml:lang",
            ValuePath(
                "@xml:lang", leaf="attribute", attribute=NameTest("http://www.w3.org/XML/1998/namespace", "lang")
            ),
        ),
        ("text()", ValuePath("text()", leaf="text")),
        ("a/text()", ValuePath("a/text()", steps=(plain("a"),), leaf="text")),
        ("text", ValuePath("text", steps=(plain("text"),))),
        ("../../@id", ValuePath("../../@id", up=2, leaf="attribute", attribute=NameTest("", "id"))),
        ("../a", ValuePath("../a", up=1, steps=(plain("a"),))),
        ("a.b-c_1", ValuePath("a.b-c_1", steps=(plain("a.b-c_1"),))),
        ("größe", ValuePath("größe", steps=(plain("größe"),))),
        ("m:*", ValuePath("m:*", steps=(Step(NameTest("urn:m", None)),))),
        (
            "a[@x = \"it's\"][@m:y=''][2]",
            ValuePath(
                "a[@x = \"it's\"][@m:y=''][2]",
                steps=(
                    Step(
                        NameTest("", "a"),
                        (AttributeTest(NameTest("", "x"), "it's"), AttributeTest(NameTest("urn:m", "y"), "")),
                        2,
                    ),
                ),
            ),
        ),
    ],
)
def test_value_paths(text: str, path: ValuePath) -> None:
    assert parse_value_path(text, NAMESPACES) == path


def test_a_name_begins_and_goes_on_with_these_characters_and_no_others() -> None:
    characters = [chr(number) for number in range(sys.maxunicode + 1)]
    first = re.compile(r"[A-Za-z_\u00c0-\U0010ffff]")
    further = re.compile(r"[A-Za-z0-9_.\-\u00b7-\U0010ffff]")
    name = re.compile(NAME_PATTERN)
    assert [c for c in characters if name.fullmatch(c)] == [c for c in characters if first.fullmatch(c)]
    assert [c for c in characters if name.fullmatch("a" + c)] == [c for c in characters if further.fullmatch(c)]


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("a/b", 1, "begins with / or //"),
        ("/", 2, "missing"),
        ("/a//b", 4, "'/b' cannot stand here"),
        ("//a/b", 4, "//name stands alone"),
        ("//*", 4, "a name without predicates"),
        ("//a[@x='1']", 12, "a name without predicates"),
        ("/a/b[2]", 6, "where the document is cut"),
        ("/a/@b", 4, "cannot stand here"),
        ("/n:a", 2, "the prefix 'n' is not declared under `namespaces` (declared: m)"),
    ],
)
def test_record_path_errors(text: str, position: int, problem: str) -> None:
    _check_error(lambda: parse_record_path(text, NAMESPACES), position, problem)


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("", 1, "missing"),
        ("a/", 3, "missing"),
        ("a/..", 3, ".. can stand only at the beginning"),
        ("a//b", 3, "'/b' cannot stand here"),
        ("count(a)", 1, "cannot stand here"),
        ("following-sibling::a", 1, "cannot stand here"),
        ("a | b", 2, "' | b' cannot stand here"),
        ("a[last()]", 3, "predicate cannot stand here"),
        ("a[b='1']", 3, "predicate cannot stand here"),
        ("a[@x!='1']", 3, "predicate cannot stand here"),
        ("a[0]", 3, "count from 1"),
        ("a[1][2]", 5, "nothing can follow a position"),
        ("@*", 2, "exact name"),
        ("@", 2, "name is missing"),
        ("@a/b", 3, "cannot stand here"),
        ("text()/a", 7, "cannot stand here"),
        ("a[@n:x='1']", 3, "prefix 'n' is not declared"),
        ("...", 3, "cannot stand here"),
        ("1a", 1, "cannot stand here"),
    ],
)
def test_value_path_errors(text: str, position: int, problem: str) -> None:
    _check_error(lambda: parse_value_path(text, NAMESPACES), position, problem)


def _check_error(parse: object, position: int, problem: str) -> None:
    assert callable(parse)
    with pytest.raises(ValueError, match="allowed: ") as refused:
        parse()
    message = str(refused.value)
    assert message.startswith(f"position {position}: ")
    assert problem in message
