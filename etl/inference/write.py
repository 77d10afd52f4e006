"""Writes an inferred mapping as the YAML that a person edits: one column a line, with a comment on what was seen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from etl.inference.comments import one_line
from etl.inference.tables import ColumnDesign, TableDesign

WIDTH = 120
"""Columns of a line, where names and paths allow it."""
COMMENT_COLUMN = 70
"""Where comments stand at most to the right, if one long line is not to move all others."""
SHORTEST_COMMENT = 24

_PLAIN = re.compile(r"(?!(?:true|false|null)\Z)(?!\d)[\w/.][\w/.\-]*")
"""Texts that mean themselves in YAML without quotes, also inside braces."""
_ESCAPED = re.compile(
    '["\\\\]|[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufdcf\ufdf0-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]'
)


def write_mapping(
    head: Sequence[str], namespaces: Mapping[str, str], tables: Sequence[TableDesign], one: str = "was seen"
) -> str:
    """The text of the mapping file; `head` are the lines of the comment at its beginning.

    `one` says why a single value is expected where a column has one.
    """
    lines = [f"# {part}" for line in head for part in _wrapped(line)]
    lines += ["", "version: 1"]
    if namespaces:
        lines.append("namespaces:")
        lines += [f"  {_scalar(prefix)}: {_scalar(uri, quoted=True)}" for prefix, uri in namespaces.items()]
    lines.append(_commented("defaults: {many: reject}", f"a second value where one {one} is a reject, not lost", 0))
    lines.append("tables:")
    for table in tables:
        lines += ["", *_table(table)]
    return "\n".join(lines) + "\n"


def _wrapped(line: str) -> list[str]:
    return wrap(one_line(line), WIDTH - 2, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _table(table: TableDesign) -> Iterator[str]:
    yield _commented(f"  {_scalar(table.name)}:", table.comment, 0)
    if table.parent:
        yield f"    parent: {_scalar(table.parent)}"
    if len(table.each) == 1:
        yield f"    each: {_scalar(table.each[0])}"
    else:
        yield "    each:"
        yield from (f"      - {_scalar(path)}" for path in table.each)
    if table.key:
        columns = ", ".join(map(_scalar, table.key))
        yield f"    key: {columns if len(table.key) == 1 else f'[{columns}]'}"
    yield "    columns:"
    width = max(len(_scalar(column.name)) for column in table.columns)
    definitions = [f"      {_scalar(column.name) + ':':{width + 1}} {_value(column)}" for column in table.columns]
    place = min(max(map(len, definitions)), COMMENT_COLUMN)
    for column, definition in zip(table.columns, definitions, strict=True):
        yield _commented(definition, column.comment, place)


def _value(column: ColumnDesign) -> str:
    if not column.path:
        return "{meta: line}"
    path = _scalar(column.path)
    more = "".join(f", {key}: {_option(value)}" for key, value in column.options)
    if column.type == "text":
        return f"{{path: {path}{more}}}" if more else path
    return f"{{path: {path}, type: {_scalar(column.type)}{more}}}"


def _option(value: str | tuple[str, ...] | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _scalar(value)
    values = ", ".join(map(_scalar, value))
    return values if len(value) == 1 else f"[{values}]"


def _commented(line: str, comment: str, place: int) -> str:
    """The line with a comment that begins at `place` or behind it, and is cut where the line gets too long."""
    if not comment:
        return line
    start = f"{line:{place}}  # "
    room = max(WIDTH - len(start), SHORTEST_COMMENT)
    return start + (comment if len(comment) <= room else f"{comment[: room - 1].rstrip()}…")


def _scalar(text: str, *, quoted: bool = False) -> str:
    """A text as YAML that means this text, in quotes only where it needs them."""
    if _PLAIN.fullmatch(text) and not quoted:
        return text
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in '"\\':
        return f"\\{character}"
    return f"\\U{ord(character):08x}" if ord(character) > 0xFFFF else f"\\u{ord(character):04x}"
