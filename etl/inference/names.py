"""Names of tables and columns: as short as can be told apart, with as much of the path as that takes.

Each gets a list of candidates, best first. Where several want one name, those with the longer paths go on to their
next candidates; what is still the same at the end is numbered.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from etl.inference.namespaces import Namespaces
from etl.inference.rows import Field, Rows
from etl.inference.words import NAME_BYTES, is_plural_of, local_name, shortened, singular, snake_case
from etl.mapping.build import LEDGER_TABLES

RECORD_TABLE_BYTES = NAME_BYTES - len("_record_id")
CHILD_TABLE_BYTES = NAME_BYTES - len("_seq")
"""So that the key columns of child tables, which begin with the name of their parent, are short enough too."""

_MEANINGLESS = frozenset({"row", "r", "rec", "record", "object", "data", "element", "value"})
"""Names of elements that only say that they are one of several: the element around them says of what."""
_VAGUE = _MEANINGLESS | {"item", "entry"}
"""Names that say little without the element around them."""
_VAGUE_BELOW = _VAGUE | {"name", "id", "text", "string", "li"}
"""The same for elements that repeat in a record."""
_SAYS_NOTHING = frozenset(
    {
        "rows",
        "records",
        "items",
        "entries",
        "root",
        "data",
        "database",
        "list",
        "result",
        "results",
        "rowset",
        "recordset",
        "resultset",
        "dataset",
        "set",
        "table",
        "document",
        "documents",
        "xml",
        "export",
        "dump",
        "body",
        "response",
        "objects",
        "elements",
        "values",
        "content",
        "contents",
        "collection",
    }
)
"""Names of elements that only say that they hold something."""
_ALONE = frozenset(
    {
        "id",
        "name",
        "title",
        "type",
        "value",
        "code",
        "key",
        "text",
        "label",
        "description",
        "comment",
        "note",
        "date",
        "time",
        "timestamp",
        "year",
        "month",
        "day",
        "hour",
        "minute",
        "second",
        "number",
        "count",
        "size",
        "length",
        "status",
        "state",
        "version",
        "url",
        "uri",
        "link",
        "href",
        "lang",
        "language",
        "format",
        "class",
        "kind",
        "source",
        "content",
        "body",
        "data",
        "index",
        "order",
        "position",
        "first",
        "last",
        "start",
        "end",
        "from",
        "to",
        "width",
        "height",
        "category",
        "country",
        "city",
        "amount",
        "price",
        "unit",
        "email",
        "phone",
        "street",
        "address",
        "abstract",
        "volume",
        "issue",
        "model",
        "rank",
    }
)
"""Words that do not say of what: deeper inside a record they get the name of the element around them."""
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


@dataclass(slots=True)
class _Wish:
    """What wants a name."""

    candidates: list[str]
    depth: int
    at: int = 0

    @property
    def name(self) -> str:
        return self.candidates[self.at]

    @property
    def can_move(self) -> bool:
        return self.at + 1 < len(self.candidates)


def column_names(rows: Rows, namespaces: Namespaces, reserved: Collection[str]) -> list[str]:
    """A name for each field of a table; `reserved` are those of its key columns."""
    return _settle([_Wish(_of_field(field, rows, namespaces), len(field.steps)) for field in rows.fields], reserved)


def record_names(tables: Sequence[Rows], namespaces: Namespaces) -> list[str]:
    """A name for each table of records."""
    wishes = [_Wish(_of_record(rows, namespaces), len(rows.each[0])) for rows in tables]
    return _settle(wishes, LEDGER_TABLES, RECORD_TABLE_BYTES)


def child_names(parent: str, rows: Rows, namespaces: Namespaces, taken: Collection[str]) -> list[str]:
    """A name for each child table of `rows`, which is called `parent`."""
    wishes = [_Wish(_of_child(parent, rows, child, namespaces), len(child.each[0])) for child in rows.children]
    return _settle(wishes, taken, CHILD_TABLE_BYTES)


# --- candidates ---


def _of_field(field: Field, rows: Rows, namespaces: Namespaces) -> list[str]:
    if field.take in ("name", "line"):
        return [field.take]
    if field.above:
        return [_joined([snake_case(local_name(field.above[-1])), _attribute(field.attribute, namespaces)])]
    if not rows.tag and not field.steps:
        return ["value" if field.take == "string" else "content"]
    around = snake_case(local_name(rows.tag)) if rows.tag else "value"
    parts = [snake_case(local_name(tag)) for tag in field.steps]
    if field.take == "attribute":
        parts.append(_attribute(field.attribute, namespaces))
        least = min(2, len(parts))
    else:
        elsewhere = {local_name(child.tag) for child in rows.children}
        alone = parts[-1] not in _ALONE and local_name(field.steps[-1]) not in elsewhere if parts else True
        least = 1 if alone or len(parts) < 2 else 2
    if not parts:
        return [around, f"{around}_{'xml' if field.take == 'xml' else 'text'}"]
    candidates = [_joined(parts[-length:]) for length in range(least, len(parts) + 1)]
    prefix = namespaces.prefix_of(field.attribute or field.steps[-1])
    if prefix:
        candidates.append(_joined([*parts[:-1], snake_case(prefix), parts[-1]]))
    if field.take == "attribute":
        candidates.append(_joined([around, *parts]))
    return list(dict.fromkeys(candidates))


def _attribute(name: str, namespaces: Namespaces) -> str:
    local = snake_case(local_name(name))
    return f"{snake_case(namespaces.prefix_of(name))}_{local}" if name.startswith(_XSI) else local


def _of_record(rows: Rows, namespaces: Namespaces) -> list[str]:
    containers = [snake_case(local_name(tag)) for tag in reversed(rows.each[0][:-1])]
    telling = [name for name in containers if name not in _SAYS_NOTHING]
    if not rows.tag:
        return [f"{name}_value" for name in [*telling, *containers]]
    own = snake_case(local_name(rows.tag))
    around = telling[0] if telling else ""
    candidates = [own] if own not in _VAGUE or not around else [_instead_of(own, around)]
    candidates += [_joined([name, own]) for name in containers]
    if prefix := namespaces.prefix_of(rows.tag):
        candidates.append(_joined([snake_case(prefix), own]))
    return list(dict.fromkeys(candidates))


def _of_child(parent: str, rows: Rows, child: Rows, namespaces: Namespaces) -> list[str]:
    if not child.tag:
        return [_joined([parent, *(snake_case(local_name(tag)) for tag in child.each[0]), "value"])]
    parts = [snake_case(local_name(tag)) for tag in child.each[0]]
    own = parts[-1]
    names = [own]
    if len(parts) > 1:
        wrapper = parts[-2]
        instead = _instead_of(own, wrapper)
        same_as_parent = bool(rows.tag) and own == snake_case(local_name(rows.tag))
        if same_as_parent or (own in _VAGUE_BELOW and wrapper not in _SAYS_NOTHING):
            names = []
        # Of artists/artist and extraartists/artist the first stays artist where the second moves on.
        names += [instead, _joined([singular(wrapper), own])]
        names += [_joined(parts[-length:]) for length in range(2, len(parts) + 1)]
    if prefix := namespaces.prefix_of(child.tag):
        names.append(_joined([snake_case(prefix), own]))
    return [_joined([parent, name]) for name in names]


def _instead_of(own: str, around: str) -> str:
    """What things called `own` in something called `around` are: rows in badges, artists in extraartists."""
    if singular(around) != around:
        return singular(around)
    return around if own in _MEANINGLESS and not is_plural_of(around, own) else _joined([around, own])


def _joined(parts: Sequence[str]) -> str:
    """One name of several, none of which says again what the one before it said (article, article_title)."""
    kept: list[str] = []
    for part in parts:
        if kept and (part == kept[-1] or part.startswith(f"{kept[-1]}_")):
            kept.pop()
        kept.append(part)
    return "_".join(kept)


# --- choice ---


def _settle(wishes: Sequence[_Wish], reserved: Collection[str], limit: int = NAME_BYTES) -> list[str]:
    """The best candidates that are all different, also but for upper and lower case."""
    for wish in wishes:
        wish.candidates = [shortened(name, limit) for name in wish.candidates]
    moved = True
    while moved:
        moved = False
        for name, group in _groups(wishes).items():
            if name in reserved:
                moving = group
            elif len(group) > 1:
                moving = _all_but_nearest(group)
            else:
                continue
            for wish in moving:
                if wish.can_move:
                    wish.at += 1
                    moved = True
    return _numbered([wish.name for wish in wishes], reserved, limit)


def _groups(wishes: Sequence[_Wish]) -> dict[str, list[_Wish]]:
    groups: dict[str, list[_Wish]] = {}
    for wish in wishes:
        groups.setdefault(wish.name.lower(), []).append(wish)
    return groups


def _all_but_nearest(group: list[_Wish]) -> list[_Wish]:
    """All, except one that stands nearer to the row than the others."""
    least = min(wish.depth for wish in group)
    nearest = [wish for wish in group if wish.depth == least]
    return [wish for wish in group if wish is not nearest[0]] if len(nearest) == 1 else group


def _numbered(names: list[str], reserved: Collection[str], limit: int) -> list[str]:
    taken = set(reserved)
    wanted = {name.lower() for name in names}
    chosen: list[str] = []
    for name in names:
        unique, number = name, 1
        while unique.lower() in taken or (number > 1 and unique.lower() in wanted):
            number += 1
            unique = f"{shortened(name, limit - len(f'_{number}'))}_{number}"
        taken.add(unique.lower())
        chosen.append(unique)
    return chosen
