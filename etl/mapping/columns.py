"""What a column of a mapping file means: from its model in `spec` to a `Column`, every rule about it checked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from etl.mapping.conversion import ConversionError
from etl.mapping.model import Column, ColumnSource, ColumnType, Constant, FromMeta, FromPath
from etl.mapping.paths import ValuePath, parse_value_path
from etl.mapping.spec import NOT_YET, ColumnSpec, Problems
from etl.mapping.types import TYPE_NAMES, rule_for
from etl.mapping.yaml_text import Place

OTHER_NAMES = {
    "int": "integer",
    "string": "text",
    "str": "text",
    "char": "varchar",
    "bool": "boolean",
    "float": "double",
    "decimal": "numeric",
    "datetime": "timestamp",
}
"""What people call types elsewhere, for the hint."""
LATER_TYPES = frozenset({"json", "jsonb", "xml", "bytes"})
VARCHAR_LIMIT = 10_485_760
NUMERIC_LIMIT = 1000
"""What PostgreSQL allows as parameters of varchar and numeric."""

_TEXT = ColumnType("text")
_META_TYPES = {
    "source": _TEXT,
    "line": ColumnType("bigint"),
    "offset": ColumnType("bigint"),
    "record": ColumnType("bigint"),
    "load_id": ColumnType("uuid"),
    "loaded_at": ColumnType("timestamptz"),
}
_TYPE = re.compile(r"([A-Za-z]+)\s*(?:\(\s*([0-9]{1,9})\s*(?:,\s*([0-9]{1,9})\s*)?\))?")
# XML allows no other control characters in a document; the encoder of rows uses some of them.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class ColumnBuilder:
    """Builds the columns of one file."""

    def __init__(self, namespaces: Mapping[str, str], problems: Problems) -> None:
        self._namespaces = namespaces
        self._problems = problems

    def build(self, place: Place, name: str, spec: ColumnSpec, height: int, depth: int | None) -> Column | None:
        """The column; None where it is not usable.

        `height` is the least number of elements between the table's element and its record's, `depth` that above the
        record (None: not known).
        """
        source = self._source(place, spec, height, depth)
        column_type = self._type(place, spec)
        if source is None or column_type is None:
            return None
        is_text = column_type.name in ("text", "varchar")
        nulls = tuple(spec.nulls) if spec.nulls is not None else () if is_text else ("",)
        for key, texts in (
            ("nulls", nulls),
            ("default", (spec.default,)),
            ("separator", (spec.separator,)),
            ("value", (spec.value,)),
        ):
            if any(text is not None and CONTROL.search(text) for text in texts):
                self._problems.add((*place, key), "control characters cannot be part of a value")
        if isinstance(source, Constant):
            self._check_converts((*place, "value"), source.text, column_type)
        if spec.default is not None:
            self._check_converts((*place, "default"), spec.default, column_type)
        self._check_agreement(place, spec)
        return Column(
            name=name,
            type=column_type,
            source=source,
            required=spec.required,
            default=spec.default,
            nulls=nulls,
            strip=spec.strip,
            on_error=spec.on_error,
            line=self._problems.line(place),
        )

    def _source(self, place: Place, spec: ColumnSpec, height: int, depth: int | None) -> ColumnSource | None:
        given = [key for key in ("path", "meta", "value") if getattr(spec, key) is not None]
        if len(given) != 1:
            self._problems.add(place, f"needs one of path, meta, value (found {' and '.join(given) or 'none'})")
            return None
        if spec.path is None:
            for key in sorted(spec.model_fields_set - {"meta", "value", "type", "required"}):
                self._problems.add((*place, key), f"has no meaning beside `{given[0]}`: only with `path`")
            return FromMeta(spec.meta) if spec.meta is not None else Constant(spec.value or "")
        path = self.value_path((*place, "path"), spec.path)
        if path is None:
            return None
        if path.up > height and (path.steps or path.leaf != "attribute"):
            self._problems.add(
                (*place, "path"), f"{spec.path!r}: above the record only attributes can be seen, as in ../@id"
            )
        elif depth is not None and path.up - height > depth:
            self._problems.add((*place, "path"), f"{spec.path!r} leads above the document's outermost element")
        elif path.up and not path.steps and path.leaf == "string":
            self._problems.add(
                (*place, "path"), f"{spec.path!r} ends at an ancestor: go on to an attribute or an element"
            )
        return FromPath(path, many=spec.many, separator=spec.separator)

    def _type(self, place: Place, spec: ColumnSpec) -> ColumnType | None:
        natural = _META_TYPES[spec.meta] if spec.meta is not None else _TEXT
        if spec.type is None:
            return natural
        place = (*place, "type")
        match = _TYPE.fullmatch(spec.type.strip())
        name = match[1].lower() if match else spec.type
        if match is None or name not in TYPE_NAMES:
            if name in LATER_TYPES:
                self._problems.add(place, f"the type {name!r} {NOT_YET}")
            else:
                close = [OTHER_NAMES[name]] if name in OTHER_NAMES else difflib.get_close_matches(name, TYPE_NAMES, n=1)
                hint = f"did you mean {close[0]!r}? " if close else ""
                self._problems.add(place, f"there is no type {spec.type!r}; {hint}allowed: {_allowed_types()}")
            return None
        column_type = self._parameters(place, name, match[2], match[3])
        if spec.meta is not None and column_type not in (None, natural, _TEXT):
            self._problems.add(place, f"`meta: {spec.meta}` is {natural} or text")
            return None
        return column_type

    def _parameters(self, place: Place, name: str, first: str | None, second: str | None) -> ColumnType | None:
        if name == "varchar":
            if first is None or second is not None or not 1 <= int(first) <= VARCHAR_LIMIT:
                self._problems.add(place, f"varchar needs a length from 1 to {VARCHAR_LIMIT}, as in varchar(200)")
                return None
            return ColumnType(name, length=int(first))
        if name == "numeric" and first is not None:
            precision, scale = int(first), int(second or 0)
            if not 1 <= precision <= NUMERIC_LIMIT or scale > precision:
                self._problems.add(place, f"numeric(p,s) needs p from 1 to {NUMERIC_LIMIT} and s from 0 to p")
                return None
            return ColumnType(name, precision=precision, scale=scale)
        if first is not None:
            self._problems.add(place, f"the type {name} takes no parameters")
            return None
        return ColumnType(name)

    def _check_converts(self, place: Place, text: str, column_type: ColumnType) -> None:
        try:
            rule_for(column_type).convert(text)
        except ConversionError as error:
            self._problems.add(place, error.message)

    def _check_agreement(self, place: Place, spec: ColumnSpec) -> None:
        if "separator" in spec.model_fields_set and spec.many != "join":
            self._problems.add((*place, "separator"), "only with `many: join`")
        if spec.on_error == "use_default" and spec.default is None:
            self._problems.add((*place, "on_error"), "use_default needs a `default`")
        if spec.required and spec.on_error == "set_null":
            self._problems.add((*place, "on_error"), "set_null contradicts `required: true`")

    def value_path(self, place: Place, text: str) -> ValuePath | None:
        """The parsed path; None where it is not one."""
        if text.startswith("/"):
            self._problems.add(
                place, f"{text!r} is absolute; paths here start from the table's element, as in a/b or @id"
            )
            return None
        try:
            return parse_value_path(text, self._namespaces)
        except ValueError as error:
            self._problems.add(place, f"{text!r}, {error}")
            return None


def _allowed_types() -> str:
    with_parameters = {"varchar": "varchar(n)", "numeric": "numeric, numeric(p,s)"}
    return ", ".join(with_parameters.get(name, name) for name in TYPE_NAMES)
