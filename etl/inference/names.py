"""Names of tables and columns: as short as can be told apart, with as much of the path as that takes.

Here are the candidates for each; `wishes` chooses among them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

from etl.inference.namespaces import Namespaces
from etl.inference.rows import Field, Rows, Steps
from etl.inference.vague import MEANINGLESS, NEEDS_CONTEXT, SAYS_NOTHING, VAGUE_RECORDS, VAGUE_ROWS
from etl.inference.wishes import Wish, settle
from etl.inference.words import NAME_BYTES, is_plural_of, name_of, singular, snake_case
from etl.mapping.paths import XSI_NAMESPACE
from etl.mapping.reserved_names import LEDGER_TABLES, free_column, free_table

FILE_CHARACTERS = range(3, 31)
"""Shorter and longer names of files say nothing of what is in them."""

RECORD_TABLE_BYTES = NAME_BYTES - len("_record_id")
CHILD_TABLE_BYTES = NAME_BYTES - len("_seq")
"""So that the key columns of child tables, which begin with the name of their parent, are short enough too."""

_XSI = f"{{{XSI_NAMESPACE}}}"


def column_names(rows: Rows, namespaces: Namespaces, reserved: Collection[str]) -> list[str]:
    """A name for each field of a table; `reserved` are those of its key columns."""
    unclear = _at_several_places(rows)
    wishes = [
        Wish([*map(free_column, _of_field(field, rows, namespaces, unclear))], _distance(field))
        for field in rows.fields
    ]
    return settle(wishes, reserved)


def record_names(tables: Sequence[Rows], namespaces: Namespaces, files: Mapping[str, str]) -> list[str]:
    """A name for each table of records; `files` are `Profile.files`."""
    prefixes: dict[str, set[str]] = {}
    for rows in tables:
        prefixes.setdefault(name_of(rows.tag), set()).add(namespaces.prefix_of(rows.tag))
    wishes = []
    for rows in tables:
        several = len(prefixes[name_of(rows.tag)]) > 1
        candidates = _of_record(rows, namespaces, files.get(rows.each[0][0], ""), several=several)
        distance = 2 * len(rows.each[0]) + rows.tag.startswith("{")
        wishes.append(Wish([*map(free_table, candidates)], distance))
    return settle(wishes, LEDGER_TABLES, RECORD_TABLE_BYTES)


def child_names(parent: str, rows: Rows, namespaces: Namespaces, taken: Collection[str]) -> list[str]:
    """A name for each child table of `rows`, which is called `parent`."""
    wishes = [Wish(_of_child(parent, rows, child, namespaces), len(child.each[0])) for child in rows.children]
    return settle(wishes, taken, CHILD_TABLE_BYTES)


# --- candidates ---


def _of_field(field: Field, rows: Rows, namespaces: Namespaces, unclear: Collection[str]) -> list[str]:
    if field.take in ("name", "line"):
        return [field.take]
    if not rows.tag and not field.steps and not field.above:
        return ["value" if field.take == "string" else "content"]
    own = name_of(rows.tag or "value")
    parts = [name_of(tag) for tag in field.steps]
    if field.take == "attribute":
        around = [name_of(field.above[-1])] if field.above else parts
        return _of_attribute(own, around, field.attribute, namespaces, unclear)
    if not parts:
        return [own, f"{own}_{'xml' if field.take == 'xml' else 'text'}"]
    candidates = _in_context(parts, unclear, alone=parts[-1] not in NEEDS_CONTEXT)
    if prefix := namespaces.prefix_of(field.steps[-1]):
        candidates.append("_".join([*parts[:-1], snake_case(prefix), parts[-1]]))
    return candidates


def _of_attribute(
    own: str, around: list[str], name: str, namespaces: Namespaces, unclear: Collection[str]
) -> list[str]:
    """An attribute of another element than the row's is never named without it."""
    prefix, local = snake_case(namespaces.prefix_of(name) or "no_namespace"), name_of(name)
    exact = f"{prefix}_{local}"
    if name.startswith(_XSI):
        local = exact
    if not around:
        return [local, exact, f"{own}_{local}"] if name.startswith("{") else [local, f"{own}_{local}"]
    contexts = _in_context(around, unclear, alone=True)
    names = [_joined([context, local]) for context in contexts]
    return [*names, f"{contexts[-1]}_{exact}"] if name.startswith("{") else names


def _in_context(parts: list[str], unclear: Collection[str], *, alone: bool) -> list[str]:
    """Names for the last of some nested elements; `alone` says that it needs no other where it is the only such."""
    least = min(len(parts), 1 if alone and parts[-1] not in unclear else 2)
    shortest = _joined([*_telling(parts[:-least], unclear), *parts[-least:]])
    longer = [_joined(parts[-length:]) for length in range(least, len(parts) + 1)]
    return list(dict.fromkeys([shortest, *longer, "_".join(parts)]))


def _telling(parts: list[str], unclear: Collection[str]) -> list[str]:
    """What tells a place from others where the same elements stand: the name around the outermost of them."""
    return next(([around] for around, part in pairwise(parts) if part in unclear), [])


def _distance(field: Field) -> int:
    """How far a value is from its row, so that `lang` is nearer than `xml:lang`, and that nearer than `title/@lang`."""
    return 2 * len(field.steps) + field.attribute.startswith("{")


def _at_several_places(rows: Rows) -> set[str]:
    """Names of elements that stand at several places in a row's element."""
    places: dict[str, set[Steps]] = {}
    paths = [field.steps for field in rows.fields] + [steps for child in rows.children for steps in child.each]
    for path in paths:
        for depth, tag in enumerate(path, 1):
            places.setdefault(name_of(tag), set()).add(path[:depth])
    return {name for name, found in places.items() if len(found) > 1}


def _of_record(rows: Rows, namespaces: Namespaces, file: str, *, several: bool) -> list[str]:
    """`file`: what the files are called; `several`: records of this name are in several namespaces."""
    containers = [name_of(tag) for tag in reversed(rows.each[0][:-1])]
    if containers and file.replace("_", "") == containers[-1]:
        # The file shows where its words begin: PostHistory.xml holds <posthistory>.
        containers[-1] = file
    telling = [name for name in containers if name not in SAYS_NOTHING]
    if rows.selection:
        return [f"{name_of(rows.each[0][-1])}_element"]
    if not rows.tag:
        return [f"{name}_value" for name in [*telling, *containers]]
    own = name_of(rows.tag)
    candidates = [own]
    if own in VAGUE_RECORDS and telling:
        near = telling[0] == containers[0]
        candidates = [_instead_of(own, telling[0]) if near else _joined([telling[0], own])]
    elif own in MEANINGLESS and file not in SAYS_NOTHING | VAGUE_RECORDS and len(file) in FILE_CHARACTERS:
        candidates = [_instead_of(own, file)]
    prefix = namespaces.prefix_of(rows.tag)
    if prefix and several:
        candidates.append(_joined([snake_case(prefix), candidates[0]]))
    candidates += [_joined([name, own]) for name in containers]
    if prefix:
        candidates.append(_joined([snake_case(prefix), own]))
    return list(dict.fromkeys(candidates))


def _of_child(parent: str, rows: Rows, child: Rows, namespaces: Namespaces) -> list[str]:
    if not child.tag:
        return [_joined([parent, *map(name_of, child.each[0]), "value"])]
    parts = [name_of(tag) for tag in child.each[0]]
    own = parts[-1]
    names = [own]
    if len(parts) > 1:
        wrapper = parts[-2]
        instead = _instead_of(own, wrapper)
        same_as_parent = bool(rows.tag) and own == name_of(rows.tag)
        if same_as_parent or (own in VAGUE_ROWS and wrapper not in SAYS_NOTHING):
            names = []
        # Of artists/artist and extraartists/artist the first stays artist where the second moves on.
        names += [instead, _joined([singular(wrapper), own])]
        names += [*(_joined(parts[-length:]) for length in range(2, len(parts) + 1)), "_".join(parts)]
    if prefix := namespaces.prefix_of(child.tag):
        names.append(_joined([snake_case(prefix), own]))
    return [free_table(name if name.startswith(f"{parent}_") else f"{parent}_{name}") for name in names]


def _instead_of(own: str, around: str) -> str:
    """What things called `own` in something called `around` are: rows in badges, artists in extraartists."""
    if singular(around) != around:
        return singular(around)
    return around if own in MEANINGLESS and not is_plural_of(around, own) else _joined([around, own])


def _joined(parts: Sequence[str]) -> str:
    """One name of several, none of which says again what the one before it said (article, article_title)."""
    kept: list[str] = []
    for part in parts:
        if kept and (part == kept[-1] or part.startswith(f"{kept[-1]}_")):
            kept.pop()
        kept.append(part)
    return "_".join(kept)
