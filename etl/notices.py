"""What a person should hear at the end although the records loaded: sentences from the tally.

A sentence may go on in lines of its own, indented, that could be added to the mapping file as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable

from etl.loading.result_thread import Tally
from etl.mapping.model import Column, FromPath, Mapping
from etl.mapping.reserved_names import free_column

_SHOWN = 12
"""Names in one sentence at most: enough to see a pattern, short enough to be read."""

_INDENT = " " * 6
"""Where columns stand in a mapping file."""


def sentences(mapping: Mapping, tally: Tally, passed: Collection[str], *, whole: bool) -> tuple[str, ...]:
    """Sentences about columns that never matched, what nobody takes and what would, and values that were not kept.

    `passed` are the paths of elements that are no records and hold none.
    `whole`: this run saw all records of its sources, and may say what never came.
    """
    if not tally.records:
        return ()
    return (
        *(_never_matched(mapping, tally) if whole else ()),
        *_unseen({*tally.unseen, *passed}),
        *_additions(mapping, tally),
        *_several(mapping, tally),
        *_set_null(mapping, tally),
        *_mixed(mapping, tally),
    )


def _never_matched(mapping: Mapping, tally: Tally) -> Iterable[str]:
    names = [
        f"{table.name}.{column.name} (line {column.line}: {column.source.path.text})"
        for t, table in enumerate(mapping.tables)
        for c, column in enumerate(table.columns)
        if isinstance(column.source, FromPath) and (t, c) not in tally.matched
    ]
    if names:
        yield f"Columns whose path never matched, in {mapping.label}: {_listed(names)}."


def _unseen(paths: Collection[str]) -> Iterable[str]:
    if paths:
        kinds = {"Attributes" if "/@" in path else "Elements" for path in paths}
        what = "Elements and attributes" if len(kinds) > 1 else kinds.pop()
        yield f"{what} that no column and no table takes: {_listed(sorted(paths))}."


def _additions(mapping: Mapping, tally: Tally) -> Iterable[str]:
    """For each table the lines of columns that would take what nobody takes; a few, as examples of how to."""
    by_table: dict[int, list[str]] = {}
    # What was empty in one place and had elements in another is taken with those.
    holders = {(number, path[:at]) for number, path in tally.additions for at in _slashes(path)}
    for number, path in sorted(tally.additions.keys() - holders)[:_SHOWN]:
        by_table.setdefault(number, []).append(path)
    for number, paths in by_table.items():
        table = mapping.tables[number]
        taken = {column.name.lower() for column in table.columns}
        lines = [_column_line(path, taken, several=tally.additions[number, path]) for path in paths]
        place = f"{mapping.label}:{table.line}" if table.line else mapping.label
        yield "\n".join([f"Columns of {table.name} ({place}) that would take some of it:", *lines])


def _slashes(path: str) -> Iterable[int]:
    return (at for at, character in enumerate(path) if character == "/")


def _column_line(path: str, taken: set[str], *, several: bool) -> str:
    names = [re.sub(r"\W+", "_", step.rpartition("}")[2].lstrip("@")).lower() for step in path.split("/")]
    candidates = (free_column("_".join(names[start:])) for start in reversed(range(len(names))))
    name = next((name for name in candidates if name not in taken), "_".join([*names, "2"]))
    taken.add(name)
    key, value = _yaml(name), _yaml(path)
    return f"{_INDENT}{key}: " + (f"{{path: {value}, many: array}}" if several else value)


def _yaml(text: str) -> str:
    plain = re.fullmatch(r"[^\W\d][\w./-]*", text) and text not in ("true", "false", "null")
    return text if plain else json.dumps(text, ensure_ascii=False)


def _several(mapping: Mapping, tally: Tally) -> Iterable[str]:
    for (t, c), count in sorted(tally.several.items()):
        column = _column(mapping, t, c)
        # A value of the document has no element in a record that a row could be made of.
        of_document = isinstance(column.source, FromPath) and column.source.scope == "document"
        yield (
            f"{mapping.tables[t].name}.{column.name} met more than one value {_times(count)} and kept one; "
            f"`many: array` (line {column.line}){'' if of_document else ' or a child table'} keeps all."
        )


def _set_null(mapping: Mapping, tally: Tally) -> Iterable[str]:
    for (t, c), count in sorted(tally.set_null.items()):
        column = _column(mapping, t, c)
        yield (
            f"{mapping.tables[t].name}.{column.name}: {count:,} values are no {column.type} "
            f"and were replaced (on_error: {column.on_error})."
        )


def _mixed(mapping: Mapping, tally: Tally) -> Iterable[str]:
    names = [f"{mapping.tables[t].name}.{_column(mapping, t, c).name}" for t, c in sorted(tally.mixed)]
    if names:
        yield f"Columns that took the text of elements with child elements, all of it joined: {_listed(names)}."


def _column(mapping: Mapping, table: int, column: int) -> Column:
    return mapping.tables[table].columns[column]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _listed(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")
