"""Keeps tables narrow enough for a database: what would be too many columns becomes child tables."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from etl.inference.profile import ElementProfile
from etl.inference.rows import Contents, Field, Rows, Selection
from etl.inference.shapes import is_bare, is_leaf

FIELDS_LIMIT = 260
"""Columns of a table besides its key, which may take 30: PostgreSQL keeps a row in 8 KiB, with up to 24 bytes of each
value that it could move elsewhere, so any 300 columns fit. (The databases take 1600 and 2000 columns by number.)"""
ATTRIBUTES_LIMIT = FIELDS_LIMIT // 2
"""Attributes of one element that become columns."""
HEIGHT_LIMIT = 16
"""Tables above each other that narrowing may make."""
KINDS_LIMIT = 2000
"""Kinds of elements in one element; more are no kinds: something else than what they are is written in their names."""
EXCLUDED_LIMIT = 30
"""Names in a condition that a person can still read."""

Part = tuple[ElementProfile, Contents]
"""A kind of child elements, and what it gives to the row."""


def fit(element: ElementProfile, own: Contents, parts: list[Part]) -> Contents:
    """All that an element gives to its row, in at most FIELDS_LIMIT fields; `own` are its attributes and its text."""
    room = FIELDS_LIMIT - len(own.fields)
    fitting = _hang_out(parts, room)
    if _is_too_much(fitting, room):
        rest, pairs = _as_pairs(element, parts)
        fitting = _hang_out(rest, room)
        if _is_too_much(fitting, room):
            fitting, pairs = [], _pairs(element, Selection(bare=False))
        own += Contents(children=(pairs,))
    return Contents(
        own.fields + tuple(chain.from_iterable(contents.fields for _, contents in fitting)),
        own.children + tuple(chain.from_iterable(contents.children for _, contents in fitting)),
    )


def _is_too_much(parts: list[Part], room: int) -> bool:
    return len(parts) > KINDS_LIMIT or _width(parts) > room


def _width(parts: list[Part]) -> int:
    return sum(len(contents.fields) for _, contents in parts)


def _hang_out(parts: list[Part], limit: int) -> list[Part]:
    """Make child tables of single elements with others in them, the largest first, until the rest fits."""
    parts = list(parts)
    width = _width(parts)
    for place in sorted(range(len(parts)), key=lambda place: -len(parts[place][1].fields)):
        child, contents = parts[place]
        if width <= limit:
            break
        if is_leaf(child):
            continue
        parts[place] = (child, _hung_out(child, contents))
        width -= len(contents.fields) - len(parts[place][1].fields)
    return parts


def _hung_out(child: ElementProfile, contents: Contents) -> Contents:
    fields = tuple(replace(field, steps=field.steps[1:]) for field in contents.fields)
    children = tuple(replace(rows, each=tuple(steps[1:] for steps in rows.each)) for rows in contents.children)
    rows = Rows(
        child.tag, ((child.tag,),), child.count, fields, child.most, children, note="single; apart for its width"
    )
    if rows.height > HEIGHT_LIMIT:
        return Contents((Field((child.tag,), "xml", present=child.count, note="nested too deeply for tables"),))
    return Contents(children=(rows,))


def _as_pairs(element: ElementProfile, parts: list[Part]) -> tuple[list[Part], Rows]:
    """A table of names and values for children that hold nothing but text; and the other parts."""
    rest = [(child, contents) for child, contents in parts if not is_bare(child)]
    excluded = tuple(child.tag for child, _ in rest if child.leaves)
    if len(excluded) > EXCLUDED_LIMIT:
        return [], _pairs(element, Selection(bare=False))
    return rest, _pairs(element, Selection(bare=True, excluded=excluded))


def _pairs(element: ElementProfile, selection: Selection) -> Rows:
    children = [child for child in element.children.values() if is_bare(child) or not selection.bare]
    count = sum(child.count for child in children)
    value = Field((), "string" if selection.bare else "xml", present=count)
    return Rows(
        tag="",
        each=((),),
        count=count,
        fields=(Field((), "name", present=count), value),
        selection=selection,
        note=f"{len(children):,} kinds of elements, too many to be columns",
    )
