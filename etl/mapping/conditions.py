"""The `where` of a table: its text goes in, a `Condition` comes out.

Paths, comparisons of a path with a text, and, or, not() and parentheses become a tree that is evaluated together with
the columns; whatever else XPath 1.0 allows stays an XPath, evaluated on each element alone. Both mean the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from etl.mapping.model import AllOf, AnyOf, Compare, Condition, Exists, Not
from etl.mapping.paths import XML_WHITE_SPACE, ValuePath, XPath, parse_value_path
from etl.mapping.xpath import DEPTH_LIMIT, parse_xpath

_LITERAL = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_WORD = {word: re.compile(rf"{word}(?![\w.\-:])") for word in ("and", "or")}
_NOT = re.compile(r"not[ \t\r\n]*\(")
# A path ends at a blank, a parenthesis or an operator that is not inside a predicate: text() is none, since XPath
# compares each text node, and a column has them joined.
_PATH = re.compile(r"""(?:[^\s\[\]()=!<>'"|+,]|\[(?:[^\[\]'"]|'[^']*'|"[^"]*")*\]|\{\*\})+""")


def parse_condition(text: str, namespaces: Mapping[str, str]) -> Condition:
    """The condition; raises ValueError that says where (position from 1) and why it is none."""
    try:
        return _Parser(text, namespaces).whole()
    except ValueError:
        return parse_xpath(text, namespaces)


def condition_paths(condition: Condition) -> Iterator[ValuePath]:
    """Every path of a condition that is no XPath."""
    match condition:
        case Exists() | Compare():
            yield condition.path
        case Not():
            yield from condition_paths(condition.condition)
        case AllOf() | AnyOf():
            for part in condition.conditions:
                yield from condition_paths(part)
        case XPath():
            pass


class _Parser:
    """A place in the text, moving right; a ValueError says only that the text is not of this form."""

    def __init__(self, text: str, namespaces: Mapping[str, str]) -> None:
        self._text = text
        self._namespaces = namespaces
        self._place = 0
        self._depth = 0

    def whole(self) -> Condition:
        condition = self._alternatives()
        if self._place < len(self._text):
            raise ValueError("more than a condition")
        return condition

    def _alternatives(self) -> Condition:
        return self._chain("or", self._conjunction, AnyOf)

    def _conjunction(self) -> Condition:
        return self._chain("and", self._comparison, AllOf)

    def _chain(
        self, word: str, part: Callable[[], Condition], together: Callable[[tuple[Condition, ...]], Condition]
    ) -> Condition:
        parts = [part()]
        while self._take(_WORD[word]):
            parts.append(part())
        return parts[0] if len(parts) == 1 else together(tuple(parts))

    def _comparison(self) -> Condition:
        if self._take(_NOT):
            return Not(self._group())
        if self._take_sign("("):
            return self._group()
        literal = self._take(_LITERAL)
        if literal is not None:
            equal = self._operator()
            return Compare(self._path(), _content(literal), equal)
        path = self._path()
        if not self._text.startswith(("=", "!"), self._place):
            return Exists(path)
        equal = self._operator()
        literal = self._take(_LITERAL)
        if literal is None:
            raise ValueError("a path is compared with something else than a text")
        return Compare(path, _content(literal), equal)

    def _group(self) -> Condition:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise ValueError("nested too deeply")
        condition = self._alternatives()
        self._depth -= 1
        if not self._take_sign(")"):
            raise ValueError("a parenthesis is open")
        return condition

    def _operator(self) -> bool:
        if self._take_sign("!="):
            return False
        if self._take_sign("="):
            return True
        raise ValueError("another operator")

    def _path(self) -> ValuePath:
        self._skip_blanks()
        match = _PATH.match(self._text, self._place)
        if match is None:
            raise ValueError("no path")
        path = parse_value_path(match[0], self._namespaces)
        self._place = match.end()
        self._skip_blanks()
        return path

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self._skip_blanks()
        match = pattern.match(self._text, self._place)
        if match is not None:
            self._place = match.end()
            self._skip_blanks()
        return match

    def _take_sign(self, sign: str) -> bool:
        self._skip_blanks()
        if not self._text.startswith(sign, self._place):
            return False
        self._place += len(sign)
        self._skip_blanks()
        return True

    def _skip_blanks(self) -> None:
        while self._place < len(self._text) and self._text[self._place] in XML_WHITE_SPACE:
            self._place += 1


def _content(literal: re.Match[str]) -> str:
    """The text between the quotes."""
    return literal[0][1:-1]
