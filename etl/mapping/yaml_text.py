"""YAML as mappings use it: a smaller language than YAML 1.1, with the line of every key.

Text goes in; dicts, lists, str, bool and None come out. Only ``true`` and ``false`` are booleans; there are no dates,
sexagesimals or octals: every other scalar is the text that stands there. A key twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from etl.mapping.comments import comment_behind

Place = tuple[str | int, ...]
"""Keys and list indexes from the top of the file to a value."""

MAX_DEPTH = 12
"""A mapping nests 5 levels; an anchor inside itself would nest without end."""

_PLAIN = {"true": True, "false": False, "null": None, "~": None, "": None}
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_HALF_A_CHARACTER = r"an escape of \ud800 to \udfff is half a character: write the whole one"
_STANDARD_TAG = re.compile(r"tag:yaml\.org,2002:(?:str|map|seq)")


@dataclass(slots=True)
class Document:
    """A parsed file."""

    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    """Line, from 1, where each key or list item stands."""
    comments: dict[Place, str] = field(default_factory=dict)
    """What stands behind `#` on a key's line."""
    problems: list[tuple[int, str]] = field(default_factory=list)
    """Line and sentence of everything that is not the YAML of a mapping."""

    def line(self, place: Place) -> int:
        """Line of the nearest thing around `place` that stands in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def parse_yaml(text: str) -> Document:
    """Parse one YAML document; what is wrong with it is in `problems`, nothing is raised."""
    document = Document()
    lines = text.splitlines()
    try:
        # BaseLoader resolves no scalar: only an explicit tag makes one anything but text.
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        document.problems.append((mark.line + 1 if mark else 1, _explain(error, lines, mark)))
        return document
    except yaml.YAMLError as error:
        document.problems.append((1, f"not valid YAML: {error}"))
        return document
    except RecursionError:
        document.problems.append((1, "nested too deeply for a mapping"))
        return document
    if node is not None:
        document.value = _convert(node, (), document, lines)
    return document


def _convert(node: yaml.Node, place: Place, document: Document, source: Sequence[str]) -> Any:
    line = node.start_mark.line + 1
    document.lines.setdefault(place, line)
    if len(place) > MAX_DEPTH:
        document.problems.append((line, "nested too deeply for a mapping"))
        return None
    if not _STANDARD_TAG.fullmatch(node.tag):
        document.problems.append((line, f"the tag {node.tag!r} has no meaning in a mapping: leave it out"))
        return None
    if isinstance(node, yaml.ScalarNode) and _HALF_CHARACTER.search(node.value):
        document.problems.append((line, _HALF_A_CHARACTER))
        return None
    if isinstance(node, yaml.MappingNode):
        return _convert_mapping(node, place, document, source)
    if isinstance(node, yaml.SequenceNode):
        return [_convert(item, (*place, index), document, source) for index, item in enumerate(node.value)]
    # `style` is None for a scalar without quotes.
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    return _PLAIN.get(node.value, node.value) if plain else node.value


def _convert_mapping(node: yaml.MappingNode, place: Place, document: Document, source: Sequence[str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            document.problems.append((line, "a key must be a name; put a path that begins with [ or { in quotes"))
            continue
        key = key_node.value
        if _HALF_CHARACTER.search(key):
            document.problems.append((line, _HALF_A_CHARACTER))
            continue
        if key in result:
            first = document.lines[(*place, key)]
            document.problems.append((line, f"the key {key!r} stands here twice: already on line {first}"))
            continue
        document.lines[(*place, key)] = line
        if comment := comment_behind(key_node, value_node, source):
            document.comments[(*place, key)] = comment
        result[key] = _convert(value_node, (*place, key), document, source)
    return result


def _explain(error: yaml.MarkedYAMLError, lines: list[str], mark: yaml.Mark | None) -> str:
    found = lines[mark.line][mark.column : mark.column + 40] if mark and mark.line < len(lines) else ""
    problem = str(error.problem or error.context or "not valid YAML")
    if "cannot start any token" in problem and found[:1] in ("@", "`", "%"):
        word = re.split(r"[,\s}\]]", found)[0]
        return f'put {word} in quotes: "{word}" ({found[:1]} cannot begin a plain word in YAML)'
    hint = (
        "; put a path with any of @ * [ ] { } , : # in quotes"
        if re.search(r"[@*\[\]{}]", _line_at(lines, mark))
        else ""
    )
    return f"not valid YAML: {problem}{f' (found {found!r})' if found else ''}{hint}"


def _line_at(lines: list[str], mark: yaml.Mark | None) -> str:
    return lines[mark.line] if mark and mark.line < len(lines) else ""
