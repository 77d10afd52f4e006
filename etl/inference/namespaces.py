"""Prefixes for the namespaces of a sample, and the paths of a mapping written with them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from etl.inference.profile import ElementProfile, Profile
from etl.inference.rows import Field, Rows, Selection, Steps
from etl.inference.words import word_set
from etl.mapping.paths import XML_NAMESPACE

_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
_VERSION = re.compile(r"[-_.]?v?\d[\d.\-_]*\Z")
_SAYS_NOTHING = word_set(
    "http https urn www org com net gov edu int io xml xmlns ns namespace namespaces schema schemas xsd dtd "
    "export names specification tc spec specs html htm the"
)
"""Words of a namespace's URI that do not tell it from others."""


class Namespaces:
    """A prefix for every namespace that occurs in the names of a profile."""

    def __init__(self, profile: Profile) -> None:
        self.prefixes: dict[str, str] = {}
        """Prefix to namespace, in the order of the documents."""
        self._of = {XML_NAMESPACE: "xml"}
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}
        """By prefix, in lower case: the last number behind it."""
        for namespace in _namespaces(profile):
            if namespace not in self._of:
                prefix = self._free(_prefix(namespace, profile.prefixes.get(namespace, "")))
                self._of[namespace] = prefix
                self.prefixes[prefix] = namespace

    def _free(self, prefix: str) -> str:
        """The prefix, numbered where another namespace has it, also but for upper and lower case."""
        lower = prefix.lower()
        number = self._numbers.get(lower, 0) + 1
        while (chosen := prefix if number == 1 else f"{prefix}{number}").lower() in self._taken:
            number += 1
        self._numbers[lower] = number
        self._taken.add(chosen.lower())
        return chosen

    def prefix_of(self, tag: str) -> str:
        """The prefix of a name's namespace; empty without one."""
        return self._of[tag[1:].partition("}")[0]] if tag.startswith("{") else ""

    def name(self, tag: str) -> str:
        """A name as paths write it."""
        prefix = self.prefix_of(tag)
        return f"{prefix}:{tag.rpartition('}')[2]}" if prefix else tag

    def each(self, rows: Rows, *, is_record: bool) -> list[str]:
        """The paths of a table's elements."""
        start = "/" if is_record else ""
        return [start + "/".join(self._steps(steps, rows.selection)) for steps in rows.each]

    def path(self, field: Field) -> str:
        """The path of a column."""
        steps = [*[".."] * len(field.above), *self._steps(field.steps)]
        match field.take:
            case "attribute":
                steps.append(f"@{self.name(field.attribute)}")
            case "text":
                steps.append("text()")
            case "name":
                steps.append("name()")
        return "/".join(steps) or "."

    def _steps(self, steps: Steps, selection: Selection | None = None) -> list[str]:
        names = [self.name(step) for step in steps]
        if selection is not None:
            conditions = ["not(*)", "not(@*)"] if selection.bare else []
            if selection.excluded:
                selves = " or ".join(f"self::{self.name(tag)}" for tag in selection.excluded)
                conditions.append(f"not({selves})")
            names.append(f"*[{' and '.join(conditions)}]" if conditions else "*")
        return names


def _namespaces(profile: Profile) -> Iterator[str]:
    waiting: list[ElementProfile] = list(reversed(profile.roots.values()))
    while waiting:
        element = waiting.pop()
        for name in (element.tag, *element.attributes):
            if name.startswith("{"):
                yield name[1:].partition("}")[0]
        waiting += reversed(element.children.values())


def _prefix(namespace: str, written: str) -> str:
    """The prefix that the documents use; for a default namespace the word of its URI that says most."""
    if _PREFIX.fullmatch(written) and written.lower() != "xml":
        return written
    for part in reversed(re.split(r"[/:#?&=]+", namespace)):
        host = part.split(".")[:-1] if re.fullmatch(r"(?:[a-z0-9-]+\.)+[a-z]{2,}", part) else [part]
        for word in reversed(host):
            name = _VERSION.sub("", word).lower()
            if re.fullmatch(r"[a-z][a-z0-9_-]*", name) and len(name) > 1 and name not in _SAYS_NOTHING:
                return name
    return "ns"
