"""The simple types of XML Schema as types of columns: so that every valid value loads, as far as a database has a type.

What databases have no type for stays text (durations, lists, parts of dates), with a remark of what it is. `etl docs
mapping` has the table, and the few valid values that do not load.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from etl.inference.declared import Lexical
from etl.mapping.model import ColumnType
from etl.mapping.paths import local_name

_XS = "{http://www.w3.org/2001/XMLSchema}"
_INTEGERS = (("smallint", 2**15), ("integer", 2**31), ("bigint", 2**63))
_NUMERIC_DIGITS = 1000
"""Of `numeric(p,s)`."""
_VARCHAR_LENGTH = 10_485_760
_ENUMERATED = 8
"""Values of an enumeration that a remark names."""

_TEXT = Lexical(ColumnType("text"))
_OFFSET_DROPPED = "an offset from UTC is dropped"
_SIMPLE = {
    "boolean": Lexical(ColumnType("boolean")),
    "float": Lexical(ColumnType("double")),
    "double": Lexical(ColumnType("double")),
    "date": Lexical(ColumnType("date"), formats=("%Y-%m-%d%z",), remarks=(_OFFSET_DROPPED,)),
    "time": Lexical(ColumnType("time"), formats=("%H:%M:%S%z", "%H:%M:%S.%f%z"), remarks=(_OFFSET_DROPPED,)),
    "dateTime": Lexical(ColumnType("timestamptz")),
    "hexBinary": Lexical(ColumnType("bytes", encoding="hex"), may_be_empty=True),
    "base64Binary": Lexical(ColumnType("bytes", encoding="base64"), may_be_empty=True),
    "ID": Lexical(ColumnType("text"), is_id=True),
    "IDREF": Lexical(ColumnType("text"), remarks=("refers to an xs:ID",)),
    "string": _TEXT,
    "anyURI": _TEXT,
    "anySimpleType": _TEXT,
    "anyAtomicType": _TEXT,
}
"""By the name of the builtin type; those derived from one are as it is."""

_WITHOUT_BLANKS = {"language", "Name", "NMTOKEN"}


def lexical_of(simple: Any) -> Lexical:
    """What a column must be for values of a simple type (`xmlschema.validators.XsdSimpleType`)."""
    if simple.is_list():
        return Lexical(ColumnType("text"), remarks=(f"list of {_list_item(simple)}, with blanks between them",))
    found = _of_union(simple) if simple.is_union() else _of_atomic(simple)
    shown = _enumeration(simple)
    return _with_remarks(found, [shown]) if shown else found


def same_for(found: Sequence[Lexical]) -> Lexical:
    """What suits values of any of these types."""
    distinct = list(dict.fromkeys(found))
    if len(distinct) == 1:
        return distinct[0]
    types = list(dict.fromkeys(one.type for one in distinct))
    names = [name for name, _ in _INTEGERS]
    remarks = dict.fromkeys(remark for one in distinct for remark in one.remarks)
    if all(one.name in names for one in types):
        widest = max(types, key=lambda one: names.index(one.name))
        return Lexical(widest, may_be_empty=any(one.may_be_empty for one in distinct), remarks=tuple(remarks))
    if len(types) == 1:
        return Lexical(
            types[0],
            formats=max((one.formats for one in distinct), key=len),
            collapse=any(one.collapse for one in distinct),
            may_be_empty=any(one.may_be_empty for one in distinct),
            remarks=tuple(remarks),
        )
    several = ", ".join(dict.fromkeys(str(one) for one in types))
    return Lexical(ColumnType("text"), remarks=(f"any of {several}",))


def documentation_of(component: Any) -> str:
    """What a component's annotation says first, in one line; of a table of facts the definition."""
    annotation = component.annotation
    for part in annotation.documentation if annotation is not None else ():
        definition = next((inner for inner in part.iter() if local_name(str(inner.tag)) == "Definition"), part)
        if text := " ".join("".join(definition.itertext()).split()):
            return text
    return ""


def _with_remarks(lexical: Lexical, remarks: Sequence[str]) -> Lexical:
    return Lexical(
        lexical.type,
        lexical.formats,
        lexical.collapse,
        lexical.may_be_empty,
        (*lexical.remarks, *remarks),
        lexical.is_id,
    )


def _chain(simple: Any) -> Iterator[Any]:
    """The type, what it is derived from, and so on."""
    while simple is not None:
        if simple.is_complex():
            # The text of elements with attributes, of which it is derived.
            simple = simple.content
            continue
        yield simple
        simple = simple.base_type


def _builtins(simple: Any) -> Iterator[str]:
    """Names of the builtin types that it is derived from, the nearest first."""
    for one in _chain(simple):
        if one.name and one.name.startswith(_XS):
            yield one.name.removeprefix(_XS)


def _of_union(simple: Any) -> Lexical:
    union = next(one for one in _chain(simple) if getattr(one, "member_types", None))
    members = [member for member in union.member_types if not _is_only_empty(member)]
    found = same_for([lexical_of(member) for member in members]) if members else _TEXT
    if len(members) < len(union.member_types) and found.type.name not in ("text", "varchar"):
        return Lexical(found.type, found.formats, found.collapse, True, (*found.remarks, "may be empty"))
    return found


def _is_only_empty(simple: Any) -> bool:
    """It is there to allow an empty value, which is NULL where the column is no text."""
    return bool(simple.enumeration == [""] or simple.max_length == 0)


def _of_atomic(simple: Any) -> Lexical:
    names = list(_builtins(simple))
    if "integer" in names:
        return _integer(simple)
    if "decimal" in names:
        return _decimal(simple)
    for name in names:
        if name in ("date", "time", "dateTime"):
            return _moment(simple, name)
        if name in _SIMPLE:
            found = _SIMPLE[name]
            return _text(simple, names, found) if found.type.name == "text" else found
    return Lexical(ColumnType("text"), remarks=(f"xs:{names[0]}",) if names else ())


def _text(simple: Any, names: Sequence[str], found: Lexical) -> Lexical:
    longest = _facet(simple, "length", min)
    at_most = _facet(simple, "maxLength", min)
    limit = longest if longest is not None else at_most
    if limit is None or not 0 < limit <= _VARCHAR_LENGTH:
        return found
    collapse = simple.white_space == "collapse" and _WITHOUT_BLANKS.isdisjoint(names)
    return Lexical(
        ColumnType("varchar", length=int(limit)), collapse=collapse, remarks=found.remarks, is_id=found.is_id
    )


def _moment(simple: Any, name: str) -> Lexical:
    found = _SIMPLE[name]
    zone = _facet(simple, "explicitTimezone", lambda values: next(iter(values)))
    if zone == "prohibited":
        return Lexical(ColumnType("timestamp" if name == "dateTime" else name))
    return found


def _integer(simple: Any) -> Lexical:
    digits = _facet(simple, "totalDigits", min)
    least, most = simple.min_value, simple.max_value
    if digits is not None:
        least = max(1 - 10**digits, -(10**digits) if least is None else least)
        most = min(10**digits - 1, 10**digits if most is None else most)
    # XML Schema asks of its processors 18 digits, where it sets no bounds.
    below = -(2**62) if least is None else least
    above = 2**62 if most is None else most
    for name, bound in _INTEGERS:
        if -bound <= below and above < bound:
            return Lexical(ColumnType(name))
    size = len(str(max(abs(int(below)), abs(int(above)))))
    if size > _NUMERIC_DIGITS:
        return Lexical(ColumnType("numeric"))
    return Lexical(ColumnType("numeric", precision=size, scale=0))


def _decimal(simple: Any) -> Lexical:
    """Of `totalDigits` all may stand before the point, however many may stand behind it."""
    digits, scale = _facet(simple, "totalDigits", min), _facet(simple, "fractionDigits", min)
    least, most = simple.min_value, simple.max_value
    whole = [digits] if digits is not None else []
    if least is not None and most is not None:
        whole.append(len(str(max(abs(int(least)), abs(int(most))))))
    if scale is None or not whole or min(whole) + scale > _NUMERIC_DIGITS:
        return Lexical(ColumnType("numeric"))
    return Lexical(ColumnType("numeric", precision=max(1, min(whole) + scale), scale=scale))


def _facet(simple: Any, name: str, choose: Any) -> Any:
    """What the type and those it is derived from say of a facet; None where they do not."""
    facets = (one.facets.get(f"{_XS}{name}") for one in _chain(simple) if hasattr(one, "facets"))
    values = [facet.value for facet in facets if facet is not None]
    return choose(values) if values else None


def _enumeration(simple: Any) -> str:
    facet = next((found for one in _chain(simple) if (found := one.facets.get(f"{_XS}enumeration")) is not None), None)
    if facet is None:
        return ""
    values = list(dict.fromkeys(" ".join(element.get("value", "").split()) for element in facet))
    more = f", ... ({len(values):,})" if len(values) > _ENUMERATED else ""
    return f"one of {', '.join(value or repr('') for value in values[:_ENUMERATED])}{more}"


def _list_item(simple: Any) -> str:
    item = next((one.item_type for one in _chain(simple) if getattr(one, "item_type", None) is not None), None)
    return item.prefixed_name if item is not None and item.prefixed_name else "values"
