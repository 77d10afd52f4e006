"""Which XPath 1.0 expressions a mapping may hold, and what is said about the others.

A text goes in, an `XPath` that lxml can evaluate on one record comes out. The grammar is read here, although libxml2
reads it again, because libxml2 does not say where an expression is wrong, finds functions and prefixes that do not
exist only when it evaluates them, and allows what a record cannot see.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from lxml import etree

from etl.mapping.paths import NAME_PATTERN, XPath

DEPTH_LIMIT = 50
"""Parentheses and predicates inside each other: far more than a person writes, far less than the stack holds."""

_TOKEN = re.compile(
    rf"""[ \t\r\n]*(?:(?P<literal>"[^"]*"|'[^']*')|(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"""
    rf"|(?P<name>{NAME_PATTERN}(?::(?!:)(?:{NAME_PATTERN}|\*))?)"
    r"|(?P<sign>//|::|\.\.|!=|<=|>=|[/.@()\[\],|+\-=<>*$])|(?P<end>\Z)|(?P<other>.))",
    re.DOTALL,
)
_OPERATORS = frozenset({"and", "or", "mod", "div", "=", "!=", "<", "<=", ">", ">=", "+", "-", "*", "|"})
_AXES = (
    *("ancestor", "ancestor-or-self", "attribute", "child", "descendant", "descendant-or-self"),
    *("following", "following-sibling", "parent", "preceding", "preceding-sibling", "self"),
)
_ANY = 1_000
_FUNCTIONS = {
    **dict.fromkeys(("last", "position", "true", "false"), (0, 0)),
    **dict.fromkeys(("local-name", "namespace-uri", "name", "string", "string-length", "normalize-space"), (0, 1)),
    **dict.fromkeys(("count", "boolean", "not", "lang", "sum", "floor", "ceiling", "round"), (1, 1)),
    **dict.fromkeys(("starts-with", "contains", "substring-before", "substring-after"), (2, 2)),
    "number": (0, 1),
    "substring": (2, 3),
    "translate": (3, 3),
    "concat": (2, _ANY),
}
"""Each function of XPath 1.0 that a record can answer, with the least and the largest number of arguments."""

_NOT_HERE = {
    "id": "identifiers of a DTD are not known here; compare an attribute, as in *[@id='v']",
    "document": "a record sees no other document",
    "key": "key() belongs to XSLT, not to XPath",
    "current": "current() belongs to XSLT, not to XPath",
    "generate-id": "generate-id() belongs to XSLT, not to XPath",
    "format-number": "format-number() belongs to XSLT, not to XPath",
    "lower-case": "lower-case() came with XPath 2.0; `transform: lower` does it",
    "upper-case": "upper-case() came with XPath 2.0; `transform: upper` does it",
    "replace": "replace() came with XPath 2.0; `transform: {replace: [pattern, text]}` does it",
    "string-join": "string-join() came with XPath 2.0; `many: join` does it",
    "matches": "matches() came with XPath 2.0; XPath 1.0 has contains() and starts-with()",
    "ends-with": "ends-with() came with XPath 2.0; compare substring() of string-length()",
    "exists": "exists() came with XPath 2.0; the path alone says it",
}


class _Token(NamedTuple):
    kind: Literal["literal", "number", "name", "sign", "end", "other"]
    text: str
    place: int


def parse_xpath(text: str, namespaces: Mapping[str, str], *, nodes: bool = False) -> XPath:
    """The expression, with the namespaces it uses; `nodes`: it must lead to nodes, not to a number or a text.

    Raises ValueError that says where (position from 1) and why it cannot be evaluated on a record.
    """
    grammar = _Grammar(text, namespaces)
    grammar.expression()
    grammar.expect_end()
    expression = XPath(text, tuple(sorted(grammar.used.items())))
    try:
        # Wrong types (count('a')) show only in an evaluation, even of nothing.
        result = compiled(expression)(etree.Element("x"))
    except etree.XPathError as error:
        raise ValueError(f"position 1: not valid XPath 1.0: {error}") from None
    if nodes and not isinstance(result, list):
        kind = "a boolean" if isinstance(result, bool) else "a number" if isinstance(result, float) else "a text"
        raise ValueError(f"position 1: it gives {kind}, but must lead to elements")
    return expression


def compiled(expression: XPath) -> Callable[[etree._Element], object]:
    """What evaluates the expression; plain texts come back, which do not keep their tree alive."""
    return etree.XPath(expression.text, namespaces=dict(expression.namespaces), regexp=False, smart_strings=False)


class _Grammar:
    """A place in an expression, moving right by the grammar of XPath 1.0; operators are read without precedence."""

    def __init__(self, text: str, namespaces: Mapping[str, str]) -> None:
        self.used: dict[str, str] = {}
        self._text = text
        self._namespaces = namespaces
        self._depth = 0
        self._token = self._read(0)

    # --- tokens ---

    def _read(self, place: int) -> _Token:
        match = _TOKEN.match(self._text, place)
        assert match is not None, "the last alternative takes any character"
        kind: Literal["literal", "number", "name", "sign", "end", "other"] = match.lastgroup  # type: ignore[assignment]
        return _Token(kind, match[kind], match.start(kind))

    def _next(self) -> _Token:
        token = self._token
        self._token = self._read(token.place + len(token.text))
        return token

    def _take(self, sign: str) -> bool:
        if self._token.kind != "sign" or self._token.text != sign:
            return False
        self._next()
        return True

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise self._unexpected(f"expected {sign!r}")

    def expect_end(self) -> None:
        if self._token.kind != "end":
            raise self._unexpected("expected an operator or the end")

    def _error(self, problem: str, place: int | None = None) -> ValueError:
        return ValueError(f"position {(self._token.place if place is None else place) + 1}: {problem}")

    def _unexpected(self, expected: str) -> ValueError:
        kind, text, place = self._token
        if kind == "end":
            return self._error(f"{expected}, but it ends here")
        if text in ("'", '"'):
            return self._error(f"the quote {text} has no end")
        if text == "$":
            return self._error("there are no variables in a mapping")
        if self._text.startswith("{*}", place):
            return self._error(
                "{*}name can stand in simple paths only (`etl docs mapping`); here write *[local-name()='name']"
            )
        return self._error(f"{expected}, found {text!r}")

    # --- grammar ---

    def expression(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise self._error("nested too deeply")
        while True:
            while self._take("-"):
                pass
            self._operand()
            if self._token.kind not in ("sign", "name") or self._token.text not in _OPERATORS:
                break
            self._next()
        self._depth -= 1

    def _operand(self) -> None:
        if self._token.text in ("/", "//"):
            raise self._error(
                "an absolute path would look outside the record: paths start from the table's element (.//name finds "
                "it at any depth)"
            )
        if self._is_filter():
            self._filter()
            self._predicates()
            if not self._take("/") and not self._take("//"):
                return
        self._step()
        while self._take("/") or self._take("//"):
            self._step()

    def _is_filter(self) -> bool:
        kind, text, place = self._token
        if kind == "name":
            follower = self._read(place + len(text))
            return follower.text == "(" and text not in ("node", "text", "comment", "processing-instruction")
        return kind in ("literal", "number") or text == "("

    def _filter(self) -> None:
        token = self._next()
        if token.kind == "name":
            self._call(token)
        elif token.text == "(":
            self.expression()
            self._expect(")")

    def _call(self, name: _Token) -> None:
        least, most = self._arguments_of(name)
        self._expect("(")
        given = 0
        while not self._take(")"):
            if given:
                self._expect(",")
            self.expression()
            given += 1
        if not least <= given <= most:
            raise self._error(f"{name.text}() takes {_arguments(least, most)} (found {given})", name.place)

    def _arguments_of(self, name: _Token) -> tuple[int, int]:
        if name.text in _FUNCTIONS:
            return _FUNCTIONS[name.text]
        if name.text in _NOT_HERE:
            raise self._error(_NOT_HERE[name.text], name.place)
        close = difflib.get_close_matches(name.text, _FUNCTIONS, n=1)
        hint = f"did you mean {close[0]}()? " if close else ""
        raise self._error(
            f"XPath 1.0 has no function {name.text}(); {hint}there are: {', '.join(sorted(_FUNCTIONS))}", name.place
        )

    def _step(self) -> None:
        if self._take(".") or self._take(".."):
            return
        if not self._take("@") and self._token.kind == "name":
            follower = self._read(self._token.place + len(self._token.text))
            if follower.text == "::":
                self._axis(self._next())
                self._next()
        self._node_test()
        self._predicates()

    def _axis(self, name: _Token) -> None:
        if name.text == "namespace":
            raise self._error("declarations of namespaces are no values", name.place)
        if name.text not in _AXES:
            close = difflib.get_close_matches(name.text, _AXES, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise self._error(f"there is no axis {name.text}; {hint}there are: {', '.join(_AXES)}", name.place)

    def _node_test(self) -> None:
        if self._take("*"):
            return
        if self._token.kind != "name":
            raise self._unexpected("expected a name")
        name = self._next()
        if self._take("("):
            if name.text in ("comment", "processing-instruction"):
                raise self._error("comments and processing instructions are not read", name.place)
            if name.text not in ("node", "text"):
                raise self._error(f"a function cannot be a step of a path (found {name.text}())", name.place)
            self._expect(")")
            return
        prefix, colon, _ = name.text.partition(":")
        if not colon or prefix == "xml":
            return
        if prefix not in self._namespaces:
            declared = ", ".join(sorted(self._namespaces)) or "none"
            raise self._error(
                f"the prefix {prefix!r} is not declared under `namespaces` (declared: {declared})", name.place
            )
        self.used[prefix] = self._namespaces[prefix]

    def _predicates(self) -> None:
        while self._take("["):
            number = self._token
            self.expression()
            if (
                number.kind == "number"
                and self._token.place == number.place + len(number.text)
                and not float(number.text)
            ):
                raise self._error("positions count from 1", number.place)
            self._expect("]")


def _arguments(least: int, most: int) -> str:
    if least == most:
        return f"{least or 'no'} argument{'' if least == 1 else 's'}"
    return f"{least} or more arguments" if most == _ANY else f"{least} to {most} arguments"
