"""What a column of a mapping file means: from its model in `spec` to a `Column`, every rule about it checked."""

from __future__ import annotations

from dataclasses import replace

from etl.mapping.agreement import check_column
from etl.mapping.conversion import ConversionError
from etl.mapping.declared_transforms import TransformBuilder
from etl.mapping.declared_types import parse_type
from etl.mapping.model import Column, ColumnSource, ColumnType, Constant, FromMeta, FromPath, Many, OnError
from etl.mapping.paths import ValuePath, XPath, parse_document_path, parse_value_path
from etl.mapping.spec import ColumnSpec, MappingSpec, Problems
from etl.mapping.types import rule_for_column
from etl.mapping.xpath import parse_xpath
from etl.mapping.yaml_text import Place

_TEXT = ColumnType("text")
_META_TYPES = {
    "source": _TEXT,
    "line": ColumnType("bigint"),
    "offset": ColumnType("bigint"),
    "record": ColumnType("bigint"),
    "load_id": ColumnType("uuid"),
    "loaded_at": ColumnType("timestamptz"),
}
_MANY_TYPES = {"count": ColumnType("integer"), "json": ColumnType("json")}


class ColumnBuilder:
    """Builds the columns of one file; `height` and `depth` in its methods tell how far `..` may lead.

    `height` is the least number of elements between the table's element and its record's, `depth` that above the
    record (None: not known).
    """

    def __init__(self, spec: MappingSpec, problems: Problems, transforms: TransformBuilder) -> None:
        self._namespaces = spec.namespaces
        self._defaults = spec.defaults
        self._problems = problems
        self._transforms = transforms

    def build(self, place: Place, name: str, spec: ColumnSpec, height: int, depth: int | None) -> Column | None:
        """The column; None where it is not usable."""
        source = self._source(place, spec, height, depth)
        column_type = self._type(place, spec)
        if source is None or column_type is None:
            return None
        with_path = isinstance(source, FromPath)
        check_column(place, spec, source, column_type, self._many(spec), self._problems)
        column = Column(
            name=name,
            type=column_type,
            source=source,
            required=spec.required,
            default=spec.default,
            nulls=self._nulls(spec, column_type),
            strip=self._strip(spec, column_type) if with_path else True,
            on_error=self._on_error(spec) if with_path else "reject",
            transforms=self._transforms.of_column((*place, "transform"), spec.transform),
            formats=tuple(spec.formats),
            timezone=self._timezone(spec, column_type) if with_path else "UTC",
            sql=spec.sql or "",
            line=self._problems.line(place),
            comment=self._problems.comment(place),
        )
        if isinstance(source, Constant):
            self._check_converts((*place, "value"), source.text, column)
        if spec.default is not None:
            self._check_converts((*place, "default"), spec.default, column)
        return column

    # --- where the value stands ---

    def _source(self, place: Place, spec: ColumnSpec, height: int, depth: int | None) -> ColumnSource | None:
        pair = spec.key is not None or (spec.many == "json" and spec.path is not None and spec.value is not None)
        given = [key for key in ("path", "meta", "value") if getattr(spec, key) is not None]
        if pair and spec.path is not None:
            return self._from_pair(place, spec, height, depth)
        if len(given) != 1:
            self._problems.add(place, f"needs one of path, meta, value (found {' and '.join(given) or 'none'})")
            return None
        if spec.path is None:
            for key in sorted(spec.model_fields_set - {"meta", "value", "type", "required", "sql"}):
                self._problems.add((*place, key), f"has no meaning beside `{given[0]}`: only with `path`")
            return FromMeta(spec.meta) if spec.meta is not None else Constant(spec.value or "")
        path = self._path(place, spec, spec.path, height, depth)
        if path is None:
            return None
        return FromPath(path, many=self._many(spec), separator=spec.separator, scope=spec.scope or "record")

    def _from_pair(self, place: Place, spec: ColumnSpec, height: int, depth: int | None) -> FromPath | None:
        """An object in JSON of the key and the value in each element found."""
        if spec.many != "json" or spec.key is None or spec.value is None or spec.meta is not None:
            self._problems.add(
                (*place, "key"), "only as in {path: tag, many: json, key: '@k', value: '@v'}, all four together"
            )
            return None
        path = self._path(place, spec, spec.path or "", height, depth, elements=True)
        if isinstance(path, ValuePath) and path.leaf != "string":
            self._problems.add((*place, "path"), f"{path.text!r} leads to a text, but must lead to elements")
        key = self._simple_path((*place, "key"), spec.key)
        value = self._simple_path((*place, "value"), spec.value)
        if not (path and key and value):
            return None
        return FromPath(path, many="json", pair=(key, value), scope=spec.scope or "record")

    def _path(
        self, place: Place, spec: ColumnSpec, text: str, height: int, depth: int | None, *, elements: bool = False
    ) -> ValuePath | XPath | None:
        """The column's path, in which no `..` leads too far."""
        place = (*place, "path")
        if spec.scope == "document":
            return self._document_path(place, text)
        path = self.parsed_path(place, text, elements=elements)
        if isinstance(path, ValuePath):
            self.check_height(place, path, height, depth)
        return path

    def _document_path(self, place: Place, text: str) -> ValuePath | None:
        try:
            return parse_document_path(text, self._namespaces)
        except ValueError as error:
            self._problems.add(place, f"{text!r}, {error}")
            return None

    def parsed_path(self, place: Place, text: str, *, elements: bool) -> ValuePath | XPath | None:
        """The parsed path, an XPath where it is none of ours; None where it is neither. `elements`: it must lead to
        elements."""
        if text.startswith("/"):
            hint = f"; .{text} finds it at any depth" if text.startswith("//") else ""
            if not elements:
                hint = hint or "; one of the document, before its records, has `scope: document`"
            self._problems.add(
                place, f"{text!r} is absolute; paths here start from the table's element, as in a/b or @id{hint}"
            )
            return None
        try:
            return parse_value_path(text, self._namespaces)
        except ValueError:
            return self._xpath(place, text, elements=elements)

    def _xpath(self, place: Place, text: str, *, elements: bool) -> XPath | None:
        try:
            return parse_xpath(text, self._namespaces, nodes=elements)
        except ValueError as error:
            self._problems.add(place, f"{text!r}, {error}")
            return None

    def check_height(self, place: Place, path: ValuePath, height: int, depth: int | None) -> None:
        """`..` leads nowhere where other records, or nothing, could be seen."""
        if path.up > height and (path.steps or path.leaf != "attribute"):
            self._problems.add(place, f"{path.text!r}: above the record only attributes can be seen, as in ../@id")
        elif depth is not None and path.up - height > depth:
            self._problems.add(place, f"{path.text!r} leads above the document's outermost element")
        elif path.up and not path.steps and path.leaf == "string":
            self._problems.add(place, f"{path.text!r} ends at an ancestor: go on to an attribute or an element")

    def _simple_path(self, place: Place, text: str) -> ValuePath | None:
        try:
            path = parse_value_path(text, self._namespaces)
        except ValueError as error:
            self._problems.add(place, f"{text!r}, {error}")
            return None
        if path.up:
            self._problems.add(place, f"{text!r} must start from each element found, as in @k or name")
        return path

    # --- what becomes of it ---

    def _type(self, place: Place, spec: ColumnSpec) -> ColumnType | None:
        natural = _META_TYPES[spec.meta] if spec.meta is not None else _MANY_TYPES.get(spec.many or "", _TEXT)
        if spec.type is None:
            return natural
        place = (*place, "type")
        try:
            column_type = parse_type(spec.type)
        except ValueError as error:
            self._problems.add(place, str(error))
            return None
        if spec.meta is not None and column_type not in (natural, _TEXT):
            self._problems.add(place, f"`meta: {spec.meta}` is {natural} or text")
            return None
        return column_type

    def _many(self, spec: ColumnSpec) -> Many:
        return spec.many or self._defaults.many

    def _strip(self, spec: ColumnSpec, column_type: ColumnType) -> bool:
        if column_type.name == "xml":
            return False
        return self._defaults.strip if spec.strip is None else spec.strip

    def _nulls(self, spec: ColumnSpec, column_type: ColumnType) -> tuple[str, ...]:
        if spec.many == "count":
            return ()
        if spec.nulls is not None:
            return tuple(spec.nulls)
        if spec.path is not None and self._defaults.nulls is not None:
            return tuple(self._defaults.nulls)
        # In JSON made of several values each of them is a text.
        are_texts = column_type.name in ("text", "varchar") or spec.many == "json"
        return () if are_texts else ("",)

    def _on_error(self, spec: ColumnSpec) -> OnError:
        if spec.on_error is None and spec.required:
            return "reject"
        return spec.on_error or self._defaults.on_error

    def _timezone(self, spec: ColumnSpec, column_type: ColumnType) -> str:
        if column_type.name != "timestamptz":
            return "UTC"
        return spec.timezone or self._defaults.timezone

    def _check_converts(self, place: Place, text: str, column: Column) -> None:
        try:
            # Of a constant, since what the file says was not found in a document.
            rule_for_column(replace(column, source=Constant(text))).convert(text)
        except ConversionError as error:
            self._problems.add(place, error.message)
