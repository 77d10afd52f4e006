"""Which elements of a document are its records.

From each root down, an element is either a *container*, which only holds records, or it belongs to one. Children of a
container that repeat are records, and so are single ones that are things of their own (*entities*: a header, a feed's
channel); others are containers again. What a container says itself, in attributes and single texts, must land in
some table too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from etl.inference.contents import ContentsBuilder
from etl.inference.profile import ElementProfile, Profile
from etl.inference.rows import Field, Rows, Selection, Steps
from etl.inference.shapes import (
    SMALL,
    attributes_of,
    has_text,
    holds_data,
    is_bare,
    is_choice,
    is_leaf,
    is_recursive,
    is_wrapper_of,
    mean_bytes,
    repeats_below,
    says_something,
    single_values,
)
from etl.inference.vague import MEANINGLESS
from etl.inference.values import ValueProfile
from etl.inference.width import KINDS_LIMIT
from etl.inference.words import is_plural_of, name_of, singular
from etl.mapping.paths import local_name

CONTAINER_ATTRIBUTES_LIMIT = 40
"""With more, an element is a record: a container's attributes are columns of the tables of its children."""

LONG_LIST = 100
"""Repeating elements in one document, in the mean, that make it a list of them, whatever it says of itself."""

LARGE = 2**24
LARGEST = 3 * 2**23
"""Bytes of a repeating element, in the mean and at most, from which on it is no record: a sample shows few of them, and
larger ones come that ``split.max_record_bytes`` does not allow (64 MiB if nothing is said)."""

NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    """Elements that are records of one table: of one path, the single texts of a container, or all that is in it."""

    elements: tuple[ElementProfile, ...]
    path: Steps
    """Of the first of them; for all of a container the last step is empty."""
    above: tuple[Field, ...] = ()
    """Attributes of containers."""

    @property
    def is_single(self) -> bool:
        return len(self.elements) == 1 and self.elements[0].most <= 1


def find_records(profile: Profile) -> tuple[list[Rows], list[str]]:
    """The tables of records with those below them, in the order of the documents; and warnings."""
    return _RecordFinder(profile).found()


class _RecordFinder:
    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._contents = ContentsBuilder()
        self._warnings: list[str] = []

    def found(self) -> tuple[list[Rows], list[str]]:
        tables: list[Rows] = []
        for root in self._profile.roots.values():
            path = (root.tag,)
            kinds = self._container(root, path) if self._is_container(root) else [_Kind((root,), path)]
            tables += map(self._rows, kinds)
        return tables, list(dict.fromkeys(self._warnings + self._contents.warnings))

    def _rows(self, kind: _Kind) -> Rows:
        if len(kind.elements) == 1:
            return self._contents.record(kind.elements[0], kind.path, kind.above)
        return _whole(kind) if not kind.path[-1] else _texts(kind)

    # --- containers ---

    def _container(self, element: ElementProfile, path: Steps) -> list[_Kind]:
        """The records in a container, at any depth."""
        if len(element.children) > KINDS_LIMIT:
            self._warn_of_lost(element, path, sure=not element.leaves)
            whole = _Kind(tuple(element.children.values()), (*path, ""))
            return _with_attributes(element, path, [whole], [whole], [whole])
        texts = tuple(child for child in element.children.values() if child.most <= 1 and is_bare(child))
        text_tags = {child.tag for child in texts}
        kinds: list[_Kind] = []
        direct: list[_Kind] = []
        for child in element.children.values():
            below = (*path, child.tag)
            if child.tag in text_tags:
                found = [_Kind(texts, below)] if child is texts[0] else []
                direct += found
            elif self._is_container(child, chosen=is_choice(element)):
                found = self._container(child, below)
            else:
                found = [_Kind((child,), below)]
                direct += found
            kinds += found
        always = [kind for kind in direct if any(child.parents >= element.count for child in kind.elements)]
        self._warn_of_lost(element, path, sure=bool(always))
        if element.depth == 0 or (self._profile.whole and element.count == 1) or self._is_declared_once(path):
            return _with_attributes(element, path, kinds, always, direct)
        if element.count > 1:
            self._warn_of_unrelated(path, kinds, direct)
        return _with_attributes(element, path, kinds, kinds, kinds)

    def _is_container(self, element: ElementProfile, *, chosen: bool = False) -> bool:
        """`chosen`: what is around each of them holds nothing else, and there are many of these."""
        if is_leaf(element):
            return False
        if repeats_below(element) and self._is_too_large(element):
            return True
        if is_choice(element):
            return True
        repeating = element.depth > 0 and (element.most > 1 or chosen)
        if repeating or has_text(element) or is_recursive(element):
            return False
        if len(attributes_of(element)) > CONTAINER_ATTRIBUTES_LIMIT:
            return False
        if _only_wraps(element):
            return True
        return repeats_below(element) and not self._is_one_of_many(element) and not self._is_entity(element)

    def _is_one_of_many(self, element: ElementProfile) -> bool:
        """The root of many small documents, each of them a thing: its own values, and no long list."""
        if self._profile.declared:
            return element.depth == 0 and element.tag in self._profile.small_roots
        if element.depth > 0 or element.count < 2 or self._mean_bytes(element) >= SMALL:
            return False
        repeating = [child for child in element.children.values() if child.most > 1]
        if not repeating:
            return True
        if _is_named_list(element):
            return False
        held = sum(child.count for child in repeating) / element.count
        return held < LONG_LIST and _differs(element)

    def _is_declared_once(self, path: Steps) -> bool:
        """A schema allows one such element in a document."""
        if not self._profile.declared:
            return False
        kinds = self._profile.roots
        for tag in path:
            if kinds[tag].most > 1:
                return False
            kinds = kinds[tag].children
        return True

    def _is_entity(self, element: ElementProfile) -> bool:
        """A thing of its own: it has more single values than kinds of things in it."""
        complete = element.depth > 0 or self._profile.whole
        if not complete or self._mean_bytes(element) >= SMALL:
            return False
        repeating = [child for child in element.children.values() if child.most > 1]
        singles = [child for child in element.children.values() if child.most <= 1]
        if element.depth == 0:
            # The head of a dump has headers and notes in attributes; only texts make one document a thing.
            return sum(is_leaf(child) and has_text(child) for child in singles) > len(repeating)
        values = sum(holds_data(child) and not repeats_below(child) for child in singles)
        # A track with its name and its segments is a thing; a list of records with a token beside them is not.
        named_for = any(is_plural_of(name_of(element.tag), name_of(child.tag)) for child in repeating)
        return values > 0 and values >= len(repeating) and not named_for

    def _is_too_large(self, element: ElementProfile) -> bool:
        """To be one record; things that repeat, and would be lost to what is in them, may be larger than others."""
        if element.largest >= LARGEST:
            return True
        is_thing = element.depth > 0 and element.most > 1 and says_something(element)
        return self._mean_bytes(element) >= (LARGE if is_thing else SMALL)

    def _mean_bytes(self, element: ElementProfile) -> float:
        if element.depth == 0:
            return self._profile.root_bytes.get(element.tag, 0) / max(element.count, 1)
        return mean_bytes(element)

    def _warn_of_lost(self, element: ElementProfile, path: Steps, *, sure: bool) -> None:
        shown = "/" + "/".join(map(local_name, path))
        if has_text(element):
            self._warnings.append(f"The text between the elements of {shown} is in no table: it is not a record")
        if element.others:
            self._warnings.append(
                f"{shown} holds too many different elements: {element.others:,} of them are in no table"
            )
        if len(attributes_of(element)) > CONTAINER_ATTRIBUTES_LIMIT:
            self._warnings.append(f"Only {CONTAINER_ATTRIBUTES_LIMIT} of the attributes of {shown} are in a table")
        if attributes_of(element) and not sure and self._may_be_empty(element):
            self._warnings.append(f"The attributes of {shown} are in no table where it holds no records")

    def _warn_of_unrelated(self, path: Steps, kinds: Sequence[_Kind], direct: Sequence[_Kind]) -> None:
        """What containers say in elements is not known to the records beside, as what they say in attributes is."""
        singles = [element for kind in direct for element in kind.elements if element.most <= 1]
        if singles and len(kinds) > 1:
            names = ", ".join(local_name(element.tag) for element in singles[:NAMES_SHOWN])
            more = ", ..." if len(singles) > NAMES_SHOWN else ""
            shown = "/" + "/".join(map(local_name, path))
            self._warnings.append(
                f"{names}{more} of {shown} stand in tables of their own; those beside do not tell which are theirs"
            )

    def _may_be_empty(self, element: ElementProfile) -> bool:
        """Whether some of them, or of the containers in them, hold nothing."""
        chosen = is_choice(element)
        inner = (child for child in element.children.values() if self._is_container(child, chosen=chosen))
        return bool(element.leaves) or any(map(self._may_be_empty, inner))


def _is_named_list(root: ElementProfile) -> bool:
    """By its name it holds several of what it holds, and nothing else; its attributes go to these."""
    if len(root.children) != 1 or has_text(root):
        return False
    [item] = map(name_of, root.children)
    name = name_of(root.tag)
    return is_plural_of(name, item) or (item in MEANINGLESS and singular(name) != name)


def _differs(root: ElementProfile) -> bool:
    """Most documents have a single value that is not the same in all, as names of sites and programs are.

    Attributes of a root often are versions and dates of a dump: only where many are different they tell of a thing.
    """
    if any(len(values.examples) > 2 and values.count * 2 > root.count for values in attributes_of(root).values()):
        return True
    singles = [child for child in root.children.values() if child.most <= 1]
    return any(len(values.examples) > 1 and values.count * 2 > root.count for values in single_values(singles))


def _only_wraps(element: ElementProfile) -> bool:
    """It says nothing itself, and holds one kind of things: single ones, or by its name several of them."""
    if len(element.children) != 1:
        return False
    [child] = element.children.values()
    if is_wrapper_of(element, child):
        return True
    return child.most <= 1 and not attributes_of(element) and not is_bare(child) and not element.leaves


def _with_attributes(
    element: ElementProfile, path: Steps, kinds: Sequence[_Kind], always: Sequence[_Kind], direct: Sequence[_Kind]
) -> list[_Kind]:
    """The kinds, with the attributes of their container where they are sure to be in some row."""
    attributes = dict(list(attributes_of(element).items())[:CONTAINER_ATTRIBUTES_LIMIT])
    if not attributes:
        return list(kinds)
    chosen = set(_sure(element, kinds, always, direct))
    return [
        replace(kind, above=kind.above + _above(path, kind, attributes)) if kind in chosen else kind for kind in kinds
    ]


def _sure(
    element: ElementProfile, kinds: Sequence[_Kind], always: Sequence[_Kind], direct: Sequence[_Kind]
) -> list[_Kind]:
    """One table of one row for each container; else those of its children, if any of them is always there."""
    if element.most <= 1 and (single := [kind for kind in always if kind.is_single]):
        return [max(single, key=lambda kind: not is_leaf(kind.elements[0]))]
    return list(direct if always else kinds)


def _above(path: Steps, kind: _Kind, attributes: dict[str, ValueProfile]) -> tuple[Field, ...]:
    up = tuple(reversed(kind.path[len(path) - 1 : -1]))
    present = sum(element.count for element in kind.elements)
    return tuple(
        Field((), "attribute", name, above=up, values=values, present=present, note=f"of {local_name(path[-1])}")
        for name, values in attributes.items()
    )


def _texts(kind: _Kind) -> Rows:
    """The table of names and values of single texts in a container."""
    count = sum(element.count for element in kind.elements)
    return Rows(
        tag="",
        each=tuple((*kind.path[:-1], element.tag) for element in kind.elements),
        count=count,
        fields=(Field((), "name", present=count), Field((), "string", present=count), *kind.above),
        note=f"single texts of {local_name(kind.path[-2])}",
    )


def _whole(kind: _Kind) -> Rows:
    """The table of everything in a container that holds too many kinds of elements."""
    count = sum(element.count for element in kind.elements)
    return Rows(
        tag="",
        each=(kind.path[:-1],),
        count=count,
        fields=(Field((), "name", present=count), Field((), "xml", present=count), *kind.above),
        selection=Selection(bare=False),
        note=f"{len(kind.elements):,} kinds of elements, too many to be tables",
    )
