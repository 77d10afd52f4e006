"""The shape of a mapping file as pydantic models, and what is said about a file of another shape.

Dicts and lists of `yaml_text` go in, a `MappingSpec` comes out; what its texts mean is for `build`.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from etl.mapping.model import Many, MetaName, OnError, Scope
from etl.mapping.yaml_text import Document, Place

Problem = tuple[int, str]
"""Line of the file and a sentence without its full stop."""


class Problems:
    """What is wrong with a file, collected."""

    def __init__(self, document: Document) -> None:
        self.found: list[Problem] = []
        self._document = document

    def line(self, place: Place) -> int:
        return self._document.line(place)

    def comment(self, place: Place) -> str:
        return self._document.comments.get(place, "")

    def add(self, place: Place, sentence: str) -> None:
        self.found.append((self.line(place), f"{'.'.join(map(str, place))}: {sentence}"))


# XML allows no other control characters in a document; the encoder of rows uses some of them.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _as_text(value: object) -> object:
    """`true` and `false` are booleans to YAML and words to a database."""
    return ("true" if value else "false") if isinstance(value, bool) else value


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _path_shorthand(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_as_text)]
Words = Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]
Texts = Annotated[list[Text], BeforeValidator(_as_list)]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _no_key_without_value(cls, value: Any) -> Any:
        # It would otherwise pass for a key that is not there.
        if isinstance(value, dict):
            for key, item in value.items():
                if item is None and key in cls.model_fields and cls.model_fields[key].default is None:
                    raise ValueError(f"{key!r} has no value (the text null needs quotes)")
        return value


class ColumnSpec(_Spec):
    """A column as the file writes it."""

    path: str | None = None
    meta: MetaName | None = None
    value: Text | None = None
    scope: Scope | None = None
    type: str | None = None
    many: Many | None = None
    separator: Text = ", "
    key: str | None = None
    strip: bool | None = None
    transform: Annotated[list[Any], BeforeValidator(_as_list), Field(min_length=1)] = []
    nulls: Texts | None = None
    default: Text | None = None
    required: bool = False
    on_error: OnError | None = None
    formats: Words = []
    timezone: str | None = None
    sql: str | None = None


class DefaultsSpec(_Spec):
    """What columns with a path do unless they say otherwise, as the file writes it."""

    many: Many = "first"
    strip: bool = True
    nulls: Texts | None = None
    on_error: OnError = "reject"
    timezone: str = "UTC"


class TableSpec(_Spec):
    """A table as the file writes it."""

    each: Words
    parent: str | None = None
    key: Words | None = None
    where: str | None = None
    seq: str | None = None
    parent_key: Annotated[dict[str, str], Field(min_length=1)] | None = None
    transform: Any = None
    columns: Annotated[dict[str, Annotated[ColumnSpec, BeforeValidator(_path_shorthand)]], Field(min_length=1)]


class MappingSpec(_Spec):
    """A whole file."""

    version: Literal["1"]
    namespaces: dict[str, str] = {}
    defaults: DefaultsSpec = DefaultsSpec()
    tables: Annotated[dict[str, TableSpec], Field(min_length=1)]


_SPECS_BY_DEPTH: dict[int, type[_Spec]] = {0: MappingSpec, 1: DefaultsSpec, 2: TableSpec, 4: ColumnSpec}
"""The model that a place of that many keys holds: (), (defaults), (tables, T), (tables, T, columns, C)."""


def check_shape(document: Document) -> tuple[MappingSpec | None, list[Problem]]:
    """The file as models, or everything that is wrong with its shape."""
    if not isinstance(document.value, dict):
        return None, [(1, "a mapping file has the keys version, namespaces and tables")]
    try:
        return MappingSpec.model_validate(document.value), []
    except ValidationError as error:
        return None, [_explain(item, document) for item in error.errors(include_url=False)]


def _explain(item: ErrorDetails, document: Document) -> Problem:
    place = tuple(part for part in item["loc"] if part != "[key]")
    line = document.line(place)
    name = ".".join(str(part) for part in place)
    found = item["input"]
    match item["type"]:
        case "extra_forbidden":
            return line, _unknown_key(name, place)
        case "missing":
            return line, f"{name} is missing{': write `version: 1`' if name == 'version' else ''}"
        case "too_short":
            return line, f"{name} is empty: it needs at least one entry"
        case "literal_error":
            return line, _not_one_of(name, str(place[-1]), found)
        case "bool_type":
            return line, f"{name}: expected true or false, without quotes (found {found!r})"
        case "string_type":
            return line, f"{name}: expected a text (found {_kind(found)})"
        case "value_error":
            return line, f"{name}: {item['msg'].removeprefix('Value error, ')}"
        case _:
            expected = "a path, or the keys of a column" if len(place) == 4 else "keys with values below it"
            return line, f"{name}: expected {expected} (found {_kind(found)})"


def _unknown_key(name: str, place: tuple[str | int, ...]) -> str:
    key = str(place[-1])
    allowed = list(_SPECS_BY_DEPTH[len(place) - 1].model_fields)
    close = difflib.get_close_matches(key, allowed, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{name}: there is no key {key!r}; {hint}allowed: {', '.join(allowed)}"


def _not_one_of(name: str, key: str, found: object) -> str:
    allowed = {
        "many": get_args(Many),
        "scope": get_args(Scope),
        "on_error": get_args(OnError),
        "meta": get_args(MetaName),
        "version": ("1",),
    }[key]
    close = difflib.get_close_matches(str(found), allowed, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{name}: {found!r} is not allowed; {hint}allowed: {', '.join(allowed)}"


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "keys below it"
    return "a list" if isinstance(value, list) else repr(value)
