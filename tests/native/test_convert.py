"""Whole columns: what the C core does itself and what it asks Python gives together what Python alone gives."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.mapping.conversion import ConversionError
from etl.mapping.declared_types import parse_type
from etl.mapping.model import Column, FromPath, Many, MapValues, Transform
from etl.mapping.reader import parse_mapping
from etl.mapping.types import rule_for_column
from etl.transform.columns import Converted, Failure
from etl.transform.elements import NIL, NULL
from etl.transform.lists import converter
from tests.native import core_library as c
from tests.native.near_values import near_values

Raw = str | list[str]

MANY: tuple[Many, ...] = ("first", "count", "join", "array")
"""In the order of etl_many, `first` for ONE."""
STEPS = ("lower", "upper", "collapse", "map")


def column(definition: str = "x") -> Column:
    text = f"version: 1\ntables: {{t: {{each: /a/b, columns: {{c: {definition}}}}}}}"
    return parse_mapping(text, "m").tables[0].columns[1]


def path_of(found: Column) -> FromPath:
    assert isinstance(found.source, FromPath)
    return found.source


# --- from Python's structures to C's, and back ---


def native_rule(memory: c.Memory, found: Column) -> c.ColumnRule:
    source = path_of(found)
    texts: list[str] = []
    steps = []
    for transform in found.transforms:
        first = len(texts)
        if isinstance(transform, MapValues):
            pairs = sorted(transform.values, key=lambda pair: pair[0].encode())
            texts += [text for pair in pairs for text in pair]
        kind = STEPS.index(transform if isinstance(transform, str) else "map")
        steps.append(c.Step(kind, c.Range(first, len(texts) - first)))
    fallback = "" if found.default is None else rule_for_column(found).convert(found.default)
    type_ = found.type
    return c.ColumnRule(
        type=c.type_of(type_.name, type_.length, type_.precision, type_.scale),
        many=MANY.index(source.many),
        strip=found.strip,
        required=found.required,
        has_fallback=found.default is not None,
        fallback=memory.text(fallback),
        separator=memory.text(source.separator),
        steps=memory.address((c.Step * len(steps))(*steps)) if steps else None,
        step_count=len(steps),
        nulls=memory.texts(found.nulls),
        null_count=len(found.nulls),
        texts=memory.texts(texts),
    )


def native_value(memory: c.Memory, raw: Raw, flags: int = 0) -> c.Value:
    if raw == NULL:
        return c.Value(None, 0, flags)
    if raw == NIL:
        return c.Value(memory.text("").at, 0, flags | c.NIL)
    if isinstance(raw, str):
        text = memory.text(raw)
        return c.Value(text.at, text.size, flags)
    first = None
    for value in reversed(raw):
        first = memory.address(c.Item(native_value(memory, value), first))
    return c.Value(memory.address(c.List(first, None)), len(raw), flags | c.LIST)


def text_of(value: c.Value) -> str:
    return NULL if value.at is None else ctypes.string_at(value.at, value.size).decode()


def convert_natively(
    core: ctypes.CDLL, memory: c.Memory, rule: c.ColumnRule, raw: Sequence[c.Value]
) -> tuple[list[c.Value], int, c.Arena]:
    values = (c.Value * len(raw))(*raw)
    arena, asked = c.Arena(), ctypes.c_uint32()
    status = core.etl_convert(ctypes.byref(rule), values, len(values), ctypes.byref(arena), ctypes.byref(asked))
    assert status == c.OK
    memory.address(values)
    return list(values), asked.value, arena


def both(core: ctypes.CDLL, found: Column, raw: Sequence[Raw]) -> tuple[Converted, list[int]]:
    """What C and Python make of a column together, and which rows were asked."""
    memory = c.Memory()
    given_values = [native_value(memory, value, c.SEVERAL | c.MIXED) for value in raw]
    before = [(value.at, value.size, value.flags) for value in given_values]
    values, count, arena = convert_natively(core, memory, native_rule(memory, found), given_values)
    asked = [row for row, value in enumerate(values) if value.flags & c.ASKED]
    assert len(asked) == count
    texts = []
    for value, was in zip(values, before, strict=True):
        if value.flags & c.ASKED:
            assert (value.at, value.size, value.flags & ~c.ASKED) == was
            texts.append("")
        else:
            assert value.flags == c.SEVERAL | c.MIXED
            texts.append(text_of(value))
    core.etl_arena_free(ctypes.byref(arena))
    answers = converter(found, path_of(found), finite=False)([raw[row] for row in asked], True)
    for row, text in zip(asked, answers.texts, strict=True):
        texts[row] = text
    failures = {asked[place]: failure for place, failure in answers.failures.items()}
    return Converted(texts, failures, answers.replaced), asked


def reference(found: Column, raw: Sequence[Raw]) -> Converted:
    converted = converter(found, path_of(found), finite=False)(raw, True)
    return replace(converted, texts=list(converted.texts))


# --- columns of all kinds ---

TYPES = (
    *("text", "text", "varchar(4)", "boolean", "smallint", "integer", "bigint", "numeric", "numeric(5,2)", "real"),
    *("double", "date", "time", "timestamp", "timestamptz", "uuid"),
)
WORDS = ("", "a", "A", "-", "n/a", "N/A", "null", "ä", "Ä B", "x  \t y", "1", "true", "{", ", ", 'q"\\', "a,b", "NULLS")


@dataclass(frozen=True)
class Case:
    column: Column
    raw: list[Raw]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    type_ = parse_type(draw(st.sampled_from(TYPES)))
    words = st.sampled_from(WORDS)
    near = near_values(type_.name).map(lambda text: text.replace("\x00", ""))
    map_values = st.dictionaries(words | near, words | near, min_size=1, max_size=12)
    transforms: st.SearchStrategy[Transform] = st.one_of(
        st.just("lower"),
        st.just("upper"),
        st.just("collapse"),
        map_values.map(lambda map_: MapValues((*map_.items(),))),
    )
    many: Many = draw(st.sampled_from(("first", *MANY)))
    default = None if many == "array" else draw(st.none() | near | words)
    found = replace(
        column(),
        type=type_,
        source=replace(path_of(column()), many=many, separator=draw(st.sampled_from((", ", "", "|ä")))),
        required=draw(st.booleans()),
        nulls=() if many == "count" else tuple(draw(st.lists(words | near | st.just(""), max_size=3))),
        strip=draw(st.booleans()),
        on_error=draw(st.sampled_from(("reject", "set_null", "use_default"))),
        transforms=tuple(draw(st.lists(transforms, max_size=3))),
    )
    if default is not None:
        try:
            rule_for_column(found).convert(default)
            found = replace(found, default=default)
        except ConversionError:
            pass
    space = st.sampled_from(("", "", "", " ", "\n\t", "\r \n", "\u3000"))
    text = st.builds(lambda before, inner, after: before + inner + after, space, words | near, space)
    one = text | text | st.sampled_from((NULL, NIL))
    value = one if many == "first" else st.just(NULL) | st.lists(text | text | text | st.just(NIL), max_size=4)
    return Case(found, draw(st.lists(value, max_size=12)))


def test_any_column_together_with_python_is_as_by_python_alone(core: ctypes.CDLL) -> None:
    @settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
    @given(cases())
    def check(case: Case) -> None:
        assert both(core, case.column, case.raw)[0] == reference(case.column, case.raw)

    check()


@pytest.mark.parametrize(
    ("definition", "raw", "texts"),
    [
        ("x", ["", " a\t\r\n", "\xa0b", NULL, NIL], ["", "a", "\xa0b", NULL, NULL]),
        ("{path: x, strip: false}", [" a ", NIL], [" a ", NULL]),
        ("{path: x, type: integer}", [" 007 ", "", " ", NULL, NIL, "-1"], ["7", NULL, NULL, NULL, NULL, "-1"]),
        ("{path: x, type: integer, default: 5}", ["", NULL, "7"], ["5", "5", "7"]),
        ("{path: x, default: ''}", [NULL, "a"], ["", "a"]),
        ("{path: x, required: true, nulls: '-'}", ["a", " b"], ["a", "b"]),
        ("{path: x, transform: lower}", ["ABC", "abc", "Zz["], ["abc", "abc", "zz["]),
        ("{path: x, transform: [upper, collapse]}", ["a  b\tc", " "], ["A B C", ""]),
        ("{path: x, transform: [lower, {map: {m: Ä, f: '', ä: x}}], nulls: ''}", ["M", " f", "q"], ["Ä", NULL, "q"]),
        ("{path: x, type: boolean, transform: {map: {j: true, n: false}}}", ["j", "n", "1"], ["true", "false", "true"]),
        ("{path: x, many: count}", [["a", "b"], [], NULL, ["x"] * 12], ["2", "0", "0", "12"]),
        ("{path: x, many: join}", [["a", NIL, " b "], [], NULL, [NIL], ["c"]], ["a, b", NULL, NULL, NULL, "c"]),
        ("{path: x, many: join, separator: '', nulls: ''}", [["", ""], ["", "a"]], [NULL, "a"]),
        ("{path: x, many: join, separator: ''}", [["", ""]], [""]),
        ("{path: x, many: array}", [["a", "", NIL, "NuLl", 'q"'], [], NULL], ['{a,"",NULL,"NuLl","q\\""}', "{}", NULL]),
        ("{path: x, many: array, type: integer}", [["+1", "", "2"]], ["{1,NULL,2}"]),
        ("{path: x, many: array, type: timestamp}", [["2020-01-01T00:00:00"]], ['{"2020-01-01 00:00:00"}']),
    ],
)
def test_ordinary_values_need_no_python(core: ctypes.CDLL, definition: str, raw: list[Raw], texts: list[str]) -> None:
    converted, asked = both(core, column(definition), raw)
    assert (converted.texts, asked) == (texts, [])
    assert reference(column(definition), raw) == converted


@pytest.mark.parametrize(
    ("definition", "raw", "asked"),
    [
        ("{path: x, type: integer}", ["1", "one", " 99999999999 "], [1, 2]),
        ("{path: x, required: true}", ["a", NULL, NIL], [1, 2]),
        ("{path: x, transform: upper}", ["stra\xdfe", "a"], [0]),
        ("{path: x, many: join, transform: lower}", [["a", "\xc4"], ["A"]], [0]),
        ("{path: x, many: array, type: integer, on_error: set_null}", [["1", "x"], ["1"]], [0]),
        ("{path: x, many: array, required: true}", [NULL, []], [0]),
    ],
)
def test_the_rest_is_asked(core: ctypes.CDLL, definition: str, raw: list[Raw], asked: list[int]) -> None:
    converted, were = both(core, column(definition), raw)
    assert were == asked
    assert converted == reference(column(definition), raw)


def test_a_missing_value_that_is_required_is_a_reject(core: ctypes.CDLL) -> None:
    converted, _ = both(core, column("{path: x, required: true}"), ["a", NULL])
    assert converted.failures == {1: Failure("missing_value", "a value is required, none was found")}


def test_a_column_that_asks_keeps_all_its_raw_values(core: ctypes.CDLL) -> None:
    memory = c.Memory()
    rule = native_rule(memory, column("{path: x, type: integer}"))
    rule.asks = 1
    raw = [native_value(memory, value) for value in (" 1 ", NULL, NIL)]
    values, asked, _ = convert_natively(core, memory, rule, raw)
    assert asked == 3
    assert [text_of(value) for value in values] == [" 1 ", NULL, ""]
    assert [value.flags for value in values] == [c.ASKED, c.ASKED, c.ASKED | c.NIL]


def test_a_map_of_many_values_finds_each(core: ctypes.CDLL) -> None:
    known = {f"{number:x}ä"[number % 2 :]: str(number) for number in range(300)}
    found = replace(column("{path: x, strip: false}"), transforms=(MapValues((*known.items(),)),))
    raw: list[Raw] = [*known, "zz", "", *(key + "!" for key in known)]
    converted, asked = both(core, found, raw)
    assert not asked
    assert converted == reference(found, raw)


def test_many_new_texts_do_not_run_into_each_other(core: ctypes.CDLL) -> None:
    found = column("{path: x, transform: lower, strip: false}")
    raw: list[Raw] = ["X" * (number * 37 % 9000) for number in range(2000)]
    converted, asked = both(core, found, raw)
    assert not asked
    assert converted == reference(found, raw)


def test_a_value_alone_is_a_list_of_one_where_lists_are_wanted(core: ctypes.CDLL) -> None:
    for definition, text in (("many: count", "1"), ("many: join", "a b"), ("many: array", '{"a b"}')):
        memory = c.Memory()
        rule = native_rule(memory, column(f"{{path: x, {definition}}}"))
        values, asked, arena = convert_natively(core, memory, rule, [native_value(memory, " a b ")])
        assert (text_of(values[0]), asked) == (text, 0)
        core.etl_arena_free(ctypes.byref(arena))


def test_no_values(core: ctypes.CDLL) -> None:
    memory = c.Memory()
    for definition in ("x", "{path: x, type: integer}"):
        assert convert_natively(core, memory, native_rule(memory, column(definition)), [])[:2] == ([], 0)
