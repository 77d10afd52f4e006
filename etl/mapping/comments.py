"""What a mapping file says behind `#` on the line of a key: the database's tables can say it too.

Nodes of the parsed YAML and the file's lines go in: the nodes tell where quotes and braces end, so that a `#` in a
text is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import yaml

_COMMENT = re.compile(r"(?:[\s:,\[\]{}|>+\-0-9]|[&*!][^\s,\[\]{}]*)*?(?<=\s)#(.*)")
"""Behind the last value of a line: punctuation, names of anchors, then the comment."""


def comment_behind(key: yaml.Node, value: yaml.Node, lines: Sequence[str]) -> str:
    """The comment on the key's line; "" without one."""
    line = key.start_mark.line
    if "#" not in lines[line]:
        return ""
    match = _COMMENT.match(lines[line], max([key.end_mark.column, *_ends(value, line, lines)]))
    return match[1].strip() if match else ""


def _ends(node: yaml.Node, line: int, lines: Sequence[str]) -> Iterator[int]:
    """Columns behind which the line may have a comment, as far as the node goes: the largest of them is right."""
    if node.start_mark.line != line:
        return
    if node.end_mark.line == line:
        yield node.end_mark.column
    elif isinstance(node, yaml.ScalarNode):
        # A text in quotes goes on below; a block text begins below.
        yield node.start_mark.column if node.style in ("|", ">") else len(lines[line])
    else:
        for child in _children(node):
            # An alias may lead back to what it stands in.
            if child.start_mark.index > node.start_mark.index:
                yield from _ends(child, line, lines)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    for item in node.value:
        if isinstance(item, tuple):
            yield from item
        else:
            yield item
