"""What a person should hear at the end although the records loaded: sentences from the tally."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from etl.loading.result_thread import Tally
from etl.mapping.model import Column, FromPath, Mapping

_SHOWN = 12
"""Names in one sentence at most: enough to see a pattern, short enough to be read."""


def sentences(mapping: Mapping, tally: Tally, passed: Collection[str], *, whole: bool) -> tuple[str, ...]:
    """Sentences about columns that never matched, elements nobody takes, and values that were not kept.

    `passed` are the paths of elements that are no records and hold none.
    `whole`: this run saw all records of its sources, and may say what never came.
    """
    if not tally.records:
        return ()
    return (
        *(_never_matched(mapping, tally) if whole else ()),
        *_unseen({*tally.unseen, *passed}),
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
        yield f"Elements that no column and no table takes: {_listed(sorted(paths))}."


def _several(mapping: Mapping, tally: Tally) -> Iterable[str]:
    for (t, c), count in sorted(tally.several.items()):
        column = _column(mapping, t, c)
        yield (
            f"{mapping.tables[t].name}.{column.name} met more than one value {_times(count)} and kept one; "
            "`many: join` or a child table keeps all."
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
