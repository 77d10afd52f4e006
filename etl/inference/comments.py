"""What the comments of an inferred mapping say: how often something was seen, and why its column is as it is."""

from __future__ import annotations

import re

from etl.inference.declared import DeclaredValues
from etl.inference.rows import Field, Rows

EXAMPLES = 3
EXAMPLE_LENGTH = 30

_NOTHING_NEW = ("only", "always empty", "no value")
"""How reasons for text begin that the examples or the share show better."""
_UNPRINTABLE = re.compile(
    "[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufdcf\ufdf0-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]+"
)
"""What YAML does not take as it stands, or takes for the end of a line."""


def one_line(text: str) -> str:
    """The text as a comment can show it."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def table_comment(rows: Rows, *, is_child: bool, declared: bool = False) -> str:
    """How many elements of a table were seen, and what is special about them; where they are `declared`, what is
    said of them."""
    if declared:
        return one_line("; ".join(part for part in (rows.note, rows.says) if part))
    parts = [f"{rows.count:,} seen"]
    if is_child and rows.most > 1:
        parts.append(f"up to {rows.most:,} in one parent")
    return one_line("; ".join([*parts, rows.note] if rows.note else parts))


def column_comment(field: Field, count: int, *, declared: bool = False) -> str:
    """Share of the rows that have a value, its type's reason or examples; `count` is that of the rows.

    Where values are `declared`, what is said of them.
    """
    if declared:
        said = field.values.comment if isinstance(field.values, DeclaredValues) else ""
        return one_line("; ".join(part for part in (field.note, said) if part))
    parts = [_share(field, count)]
    parts.append(field.note)
    if field.values is not None:
        guess = field.values.guess()
        parts.append(guess.why if guess.type.name != "text" or not guess.why.startswith(_NOTHING_NEW) else "")
        if examples := _examples(field):
            parts[-1] = f"{parts[-1]}: {examples}" if parts[-1] else examples
    return one_line("; ".join(part for part in parts if part))


def _share(field: Field, count: int) -> str:
    values = field.values
    nil = min(values.nil, values.empty) if values is not None else 0
    empty = values.empty - nil if values is not None else 0
    parts = []
    if values is not None and values.empty == values.count:
        is_flag = field.take == "string" and field.present < count and not nil
        parts += ["a flag"] if is_flag else []
        parts += ["always empty"] if empty or not nil else ["always NULL by xsi:nil"]
        nil = nil if empty else 0
    elif field.present >= count and empty:
        parts.append(f"empty in {_percent(empty, count)}")
    if field.present < count:
        parts.append(f"in {_percent(field.present, count)}")
    if nil:
        parts.append(f"NULL by xsi:nil in {_percent(nil, count)}")
    return ", ".join(parts)


def _percent(part: int, whole: int) -> str:
    share = 100 * part / max(whole, 1)
    return f"{share:.0f} %" if 1 <= share <= 99 else f"{part:,} of {whole:,}"


def _examples(field: Field) -> str:
    if field.values is None:
        return ""
    shown = [one_line(example) for example in field.values.examples]
    short = [
        example if len(example) <= EXAMPLE_LENGTH else f"{example[:EXAMPLE_LENGTH]}…" for example in shown if example
    ]
    return ", ".join(short[:EXAMPLES])
