"""Name tests of paths in lxml's terms: tags and attribute names as ``{namespace}name``. Pure functions."""

from __future__ import annotations

from etl.mapping.paths import XML_NAMESPACE, NameTest, Step, local_name


def passes(test: NameTest, tag: str) -> bool:
    """Whether an element's tag, as lxml writes it (``{namespace}name``), passes a name test."""
    namespace, _, name = tag[1:].rpartition("}") if tag[0] == "{" else ("", "", tag)
    return test.namespace in (None, namespace) and test.name in (None, name)


def qualified(test: NameTest) -> str:
    """An exact name as lxml's `get` wants it."""
    return f"{{{test.namespace}}}{test.name}" if test.namespace else str(test.name)


def tag_pattern(test: NameTest) -> str:
    """A name test as lxml's `iterchildren` wants it."""
    namespace = "*" if test.namespace is None else test.namespace
    return f"{{{namespace}}}{test.name or '*'}"


def shown_attribute(name: str) -> str:
    """An attribute's name as notices show it; lang and xml:lang often stand side by side."""
    return f"@xml:{local_name(name)}" if name.startswith(f"{{{XML_NAMESPACE}}}") else f"@{local_name(name)}"


def attribute_tests(step: Step) -> tuple[tuple[str, str], ...]:
    """The tests of a step: names for `get`, and the values they want."""
    return tuple((qualified(test.attribute), test.value) for test in step.tests)
