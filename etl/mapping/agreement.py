"""Which keys of a column go together: what a type or a `many` makes of the others.

A column as the file writes it, and the type it has, go in; sentences about keys that contradict each other or have no
meaning there are added to the problems.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from etl.mapping.model import ColumnType, FromPath, Many
from etl.mapping.moment_forms import format_problem, timezone_problem
from etl.mapping.paths import XPath
from etl.mapping.spec import CONTROL, ColumnSpec, DefaultsSpec, Problems
from etl.mapping.xpath import parse_xpath
from etl.mapping.yaml_text import Place

MOMENTS = ("date", "time", "timestamp", "timestamptz")
_TYPES_OF: dict[Many, frozenset[str]] = {
    "count": frozenset({"smallint", "integer", "bigint", "numeric", "text"}),
    "json": frozenset({"json", "jsonb", "text"}),
}
"""Types that a `many` can give, where it cannot give any."""
_NOT_JOINED = frozenset({"json", "jsonb", "xml", "bytes"})
"""Types of which several values in one text are none."""

Sentence = tuple[str, str]
"""A key of the column, and what is wrong with it."""


def check_defaults(defaults: DefaultsSpec, problems: Problems) -> None:
    """`defaults` holds only what can be said of any column."""
    if defaults.many not in ("first", "last", "reject"):
        problems.add(("defaults", "many"), "first, last or reject; join, array, json and count are for a column to say")
    if defaults.on_error == "use_default":
        problems.add(("defaults", "on_error"), "reject or set_null; use_default is for a column with a `default`")
    if any(CONTROL.search(text) for text in defaults.nulls or ()):
        problems.add(("defaults", "nulls"), "control characters cannot be part of a value")
    if problem := timezone_problem(defaults.timezone):
        problems.add(("defaults", "timezone"), problem)


def check_column(
    place: Place, spec: ColumnSpec, source: object, column_type: ColumnType, many: Many, problems: Problems
) -> None:
    """Everything in a column that does not go together."""
    sentences = [*_general(spec), *_of_texts(spec), *_of_moments(spec, column_type)]
    if isinstance(source, FromPath):
        sentences += [*_of_many(spec, column_type, many), *_of_xml(spec, source, column_type, many)]
    for key, sentence in sentences:
        problems.add((*place, key), sentence)


def _general(spec: ColumnSpec) -> Iterator[Sentence]:
    if spec.on_error == "use_default" and spec.default is None:
        yield "on_error", "use_default needs a `default`"
    if spec.required and spec.on_error == "set_null":
        yield "on_error", "set_null contradicts `required: true`"
    if spec.sql is not None and (not spec.sql.strip() or not spec.sql.isprintable()):
        yield "sql", "expected a type of the database on one line, as in citext"


def _of_texts(spec: ColumnSpec) -> Iterator[Sentence]:
    texts: tuple[tuple[str, Iterable[str | None]], ...] = (
        ("nulls", spec.nulls or ()),
        ("default", (spec.default,)),
        ("separator", (spec.separator,)),
        ("value", (spec.value,)),
    )
    for key, values in texts:
        if any(text is not None and CONTROL.search(text) for text in values):
            yield key, "control characters cannot be part of a value"


def _of_moments(spec: ColumnSpec, column_type: ColumnType) -> Iterator[Sentence]:
    if spec.formats and column_type.name not in MOMENTS:
        yield "formats", f"only with the types {', '.join(MOMENTS)} (this is {column_type})"
    elif spec.formats:
        for form in spec.formats:
            if problem := format_problem(form, column_type.name):
                yield "formats", f"{form!r}: {problem}"
    if spec.timezone is None:
        return
    if column_type.name != "timestamptz":
        yield "timezone", f"only with the type timestamptz (this is {column_type})"
    elif problem := timezone_problem(spec.timezone):
        yield "timezone", problem


def _of_many(spec: ColumnSpec, column_type: ColumnType, many: Many) -> Iterator[Sentence]:
    if "separator" in spec.model_fields_set and many != "join":
        yield "separator", "only with `many: join`"
    name = column_type.name
    if name not in _TYPES_OF.get(many, {name}):
        yield "type", f"`many: {many}` gives {', '.join(sorted(_TYPES_OF[many]))} (this is {column_type})"
    if many == "join" and name in _NOT_JOINED:
        yield "many", f"join is not for the types {', '.join(sorted(_NOT_JOINED))} (this is {column_type})"
    if many == "count":
        for key in ("strip", "transform", "nulls", "default"):
            if key in spec.model_fields_set:
                yield key, "has no meaning with `many: count`: the values themselves are not looked at"
    if many == "array" and spec.default is not None:
        yield "default", "an array has none: it is NULL where nothing is found"


def _of_xml(spec: ColumnSpec, source: FromPath, column_type: ColumnType, many: Many) -> Iterator[Sentence]:
    if column_type.name != "xml" or many == "count":
        return
    if "strip" in spec.model_fields_set:
        yield "strip", "has no meaning with the type xml: the element is taken as it is"
    path = source.path
    if isinstance(path, XPath):
        try:
            parse_xpath(path.text, dict(path.namespaces), nodes=True)
        except ValueError as error:
            yield "path", f"{path.text!r}, {error}"
    elif path.leaf != "string":
        yield (
            "path",
            f"{path.text!r} leads to a text; the type xml needs the path of an element (`.` is the table's own)",
        )
