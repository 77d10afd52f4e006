"""What the row of an element holds: its attributes and texts and those of single elements in it become columns,
elements that repeat become child tables, and what no table can show stays XML.
"""

from __future__ import annotations

from etl.inference.profile import ElementProfile
from etl.inference.rows import Contents, Field, Rows, Steps
from etl.inference.shapes import (
    attributes_of,
    carries_attributes_below,
    has_text,
    is_bare,
    is_inline,
    is_leaf,
    is_prose,
    is_wrapper_of,
    repeats,
)
from etl.inference.width import ATTRIBUTES_LIMIT, fit
from etl.mapping.paths import local_name

LEVELS = 12
"""Tables above each other that repeating elements make; each adds a column to the key, and PostgreSQL takes 32."""

SAME_NAME = 2
"""Elements of one name inside each other that are taken apart; what repeats itself more often has no last level."""


class ContentsBuilder:
    """Looks into the elements of records; `warnings` collects what could not be taken apart."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def record(self, element: ElementProfile, path: Steps, fields: tuple[Field, ...] = ()) -> Rows:
        """The table of a record, and those below it; `path` leads to it from the document, `fields` come last."""
        contents = self._contents(element, path, level=1, is_row=True, is_record=True)
        return _rows(element, path, Contents(contents.fields + fields, contents.children))

    def _contents(
        self, element: ElementProfile, lineage: Steps, level: int, *, is_row: bool = False, is_record: bool = False
    ) -> Contents:
        prose = is_prose(element) and (not is_record or all(map(is_inline, element.children.values())))
        if prose:
            return Contents((*_attributes(element), _prose(element)))
        # Attributes go before the text where they tell rows apart, behind it where they qualify a value.
        texts = _own_text(element)
        attributes = _attributes(element)
        own = Contents((*attributes, *texts) if is_row else (*texts, *attributes))
        own += Contents(tuple(self._whole(element, lineage)))
        parts = [(child, self._child(child, element, lineage, level)) for child in element.children.values()]
        return fit(element, own, parts)

    def _child(self, child: ElementProfile, parent: ElementProfile, lineage: Steps, level: int) -> Contents:
        lineage = (*lineage, child.tag)
        endless = self._is_endless(child, lineage)
        if repeats(child, parent) and (endless or not _is_mere_wrapper(child)):
            return Contents(children=(self._child_rows(child, lineage, level + 1),))
        if endless:
            why = child.cut or "elements of its own name stand in it"
            return Contents((_markup((child.tag,), child.count, _with_what_is_said(why, child)),))
        return self._contents(child, lineage, level).below(child.tag)

    def _child_rows(self, child: ElementProfile, lineage: Steps, level: int) -> Rows:
        if self._is_endless(child, lineage) or (level > LEVELS and not is_bare(child)):
            if level > LEVELS:
                self._warn(lineage, f"stands below {LEVELS} tables and is kept as XML")
            return _rows(child, (child.tag,), Contents((_markup((), child.count, child.cut or "kept whole"),)))
        return _rows(child, (child.tag,), self._contents(child, lineage, level, is_row=True))

    def _is_endless(self, child: ElementProfile, lineage: Steps) -> bool:
        if child.cut:
            return True
        if lineage.count(child.tag) <= SAME_NAME or is_bare(child):
            return False
        self._warn(lineage, "stands in elements of its own name; from the third level on it is kept as XML")
        return True

    def _whole(self, element: ElementProfile, lineage: Steps) -> list[Field]:
        """A column for what has no column of its own."""
        if element.cut:
            return [_markup((), element.count, element.cut)]
        if element.others:
            self._warn(lineage, "has too many different children or attributes: all of it is kept as XML too")
            return [_markup((), element.count, "too many different children or attributes")]
        if len(attributes_of(element)) > ATTRIBUTES_LIMIT:
            self._warn(
                lineage, f"has {len(attributes_of(element)):,} different attributes: all of it is kept as XML too"
            )
            return [_markup((), element.count, f"attributes beyond the first {ATTRIBUTES_LIMIT}")]
        return []

    def _warn(self, lineage: Steps, what: str) -> None:
        warning = f"/{'/'.join(map(local_name, lineage))} {what}"
        if warning not in self.warnings:
            self.warnings.append(warning)


def _rows(element: ElementProfile, steps: Steps, contents: Contents) -> Rows:
    # A table needs a column, also where its elements only hold others.
    fields = contents.fields or (Field((), "line", present=element.count, note="of the record in its source"),)
    return Rows(element.tag, (steps,), element.count, fields, element.most, contents.children, says=element.says)


def _is_mere_wrapper(element: ElementProfile) -> bool:
    """It has nothing to say but that there are several of something in it, which is said by these."""
    if has_text(element) or attributes_of(element) or element.others:
        return False
    return any(is_wrapper_of(element, child) for child in element.children.values())


def _attributes(element: ElementProfile) -> list[Field]:
    found = list(attributes_of(element).items())[:ATTRIBUTES_LIMIT]
    return [Field((), "attribute", name, values=values, present=values.count) for name, values in found]


def _own_text(element: ElementProfile) -> list[Field]:
    if is_leaf(element):
        # Whether an element without anything is there may be all it says.
        if has_text(element) or is_bare(element):
            return [Field((), "string", values=element.text, present=element.count)]
        return []
    if not has_text(element):
        return []
    if element.mixed:
        return [Field((), "text", present=element.leaves + element.mixed, note="text between the elements in it")]
    return [Field((), "text", values=element.text, present=element.leaves, note="where it holds no elements")]


def _prose(element: ElementProfile) -> Field:
    if carries_attributes_below(element) or len(attributes_of(element)) > ATTRIBUTES_LIMIT:
        return _markup((), element.count, _with_what_is_said("text with markup that has attributes", element))
    note = _with_what_is_said("text; inline markup is dropped, its text kept", element)
    return Field((), "string", present=element.count, note=note)


def _with_what_is_said(note: str, element: ElementProfile) -> str:
    return f"{note}; {element.says}" if element.says else note


def _markup(steps: Steps, present: int, note: str) -> Field:
    return Field(steps, "xml", present=present, note=note)
