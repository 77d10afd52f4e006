"""Programs find what the mapper finds: generated mappings and documents, followed by an interpreter in Python."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from etl.mapping.model import Mapping
from etl.mapping.reader import parse_mapping
from etl.messages import Skeleton
from etl.native.families import native_families
from etl.native.program import Program, candidates, compile_program
from etl.transform.data_mapper import DataMapper, Mapped
from etl.transform.parser import DocumentParser, Parsed
from etl.transform.records import RecordTables
from tests.native.interpreter import Found, Interpreter

NAMESPACES = '<root xmlns:p="urn:p" xmlns:q="urn:q" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" k="1">'


def parsed(*records: str, around: str = NAMESPACES) -> Parsed:
    """Records below `around`, which opens one element or more."""
    names = [tag.split()[0].strip("<>") for tag in around.replace(">", "> ").split("<")[1:]]
    close = "".join(f"</{name.rstrip('>')}>" for name in reversed(names))
    skeleton = Skeleton(b"", around.encode(), close.encode(), len(names))
    return DocumentParser().parse(skeleton, "\n".join(records).encode())


def by_mapper(mapping: Mapping, document: Parsed) -> Mapped:
    mapper = DataMapper(mapping)
    for element in document.records:
        mapper.empty_nil_elements(element)
    for plan, found, places in RecordTables(mapper.plans, document.ancestors).group(document.records, 0):
        mapper.map_records(plan, found, places)
    return mapper.take()


def program_of(mapping: Mapping, document: Parsed) -> Program:
    return compile_program(mapping, "copy", candidates(mapping, document.ancestors))


def compare(mapping: Mapping, document: Parsed) -> Found:
    """Both ways give the same, and the program's unseen names are those of the mapper, and maybe more."""
    expected = by_mapper(mapping, document)
    found = Interpreter(program_of(mapping, document)).run(document.records, document.ancestors)
    assert found.tables == [table.rows for table in expected.tables]
    assert found.parents == [table.parents for table in expected.tables]
    assert found.mixed == expected.mixed
    assert found.several == _by_record(mapping, expected)
    return found


def _by_record(mapping: Mapping, mapped: Mapped) -> set[tuple[int, int, int]]:
    def record(table: int, row: int) -> int:
        owner = mapped.tables[table].parents[row]
        parent = mapping.tables[table].parent
        return owner if parent is None else record(parent, owner)

    return {(table, slot, record(table, row)) for table, slot, row in mapped.several}


# --- any mapping, any document ---

_TAGS = ["a", "a", "a", "b", "p:a"]
_TEXTS = ["", "", "x", "y", " 1 "]


@st.composite
def _elements(draw: st.DrawFn, depth: int = 3, tag: str = "") -> str:
    """Few names, so that the paths below find much of them."""
    tag = tag or draw(st.sampled_from(_TAGS))
    attributes = "".join(f' {key}="{draw(st.sampled_from("12"))}"' for key in ("k", "p:k") if draw(st.booleans()))
    if draw(st.integers(0, 15)) == 0:
        attributes += ' xsi:nil="true"'
    pieces = [draw(st.sampled_from(_TEXTS))]
    for _ in range(draw(st.integers(0, 3)) if depth else 0):
        pieces += [draw(_elements(depth - 1)), draw(st.sampled_from(_TEXTS))]
    return f"<{tag}{attributes}>{''.join(pieces)}</{tag}>"


def _steps() -> st.SearchStrategy[str]:
    plain = st.sampled_from(["a", "a", "a", "b", "p:a", "{*}a", "p:*", "*"])
    predicates = st.sampled_from(["[1]", "[2]", "[@k='1']", "[@k='2']", "[@p:k='1']", "[@k='1'][1]", "[@k='1'][2]"])
    return st.one_of(plain, plain, plain, st.tuples(plain, predicates).map("".join))


def _element_paths(least: int, most: int = 2) -> st.SearchStrategy[str]:
    return st.lists(_steps(), min_size=least, max_size=most).map("/".join)


@st.composite
def _value_paths(draw: st.DrawFn, height: int, leaves: tuple[str, ...] = ("", "", "@k", "@p:k", "text()")) -> str:
    """From an element that is `height` steps below its record, whose parent has attributes."""
    up = draw(st.sampled_from([0, 0, *range(height + 2)]))
    if up > height:
        return f"{'../' * up}{draw(st.sampled_from(['@k', '@none']))}"
    path, leaf = draw(_element_paths(0)), draw(st.sampled_from(leaves))
    if up and not path and not leaf:
        leaf = "@k"
    return "/".join(piece for piece in (*[".."] * up, path, leaf) if piece) or "."


@st.composite
def _comparisons(draw: st.DrawFn, height: int) -> str:
    path = draw(_value_paths(height, leaves=("", "@k")))
    return path + draw(st.sampled_from(["", "", "='1'", "!='1'", "='x'", "!=''"]))


def _conditions(height: int) -> st.SearchStrategy[str]:
    return st.recursive(
        _comparisons(height),
        lambda inner: st.one_of(
            inner.map(lambda one: f"not({one})"),
            st.tuples(inner, st.sampled_from(["and", "or", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        ),
        max_leaves=4,
    )


@st.composite
def _mappings(draw: st.DrawFn) -> str:
    """Tables at three levels, with conditions and `..`, and another one for the same records."""
    lines = ["version: 1", "namespaces: {p: 'urn:p'}", "tables:"]

    def add_table(name: str, head: str, height: int) -> None:
        lines.extend([f"  {name}:", f"    {head}"])
        if draw(st.integers(0, 2)) == 0:
            lines.append(f'    where: "{draw(_conditions(height))}"')
        lines.extend(["    columns:", '      fixed: "@k"'])
        for number in range(draw(st.integers(0, 4))):
            many = draw(st.sampled_from(["first", "first", "last", "join", "array", "json", "count", "reject"]))
            lines.append(f'      c{number}: {{path: "{draw(_value_paths(height))}", many: {many}}}')

    def child_paths() -> tuple[str, int]:
        """Of equal length, so that `..` leads equally far."""
        length = draw(st.sampled_from([1, 1, 2]))
        paths = draw(st.lists(_element_paths(length, length), min_size=1, max_size=3, unique=True))
        return ", ".join(f'"{path}"' for path in paths), length

    add_table("r", "each: /root/r", 0)
    each, length = child_paths()
    add_table("child", f"each: [{each}]\n    parent: r", length)
    each, further = child_paths()
    add_table("grandchild", f"each: [{each}]\n    parent: child", length + further)
    if draw(st.booleans()):
        add_table("same", "each: [\"/root/r[@k='1']\", /*/r]", 0)
    return "\n".join(lines)


@given(records=st.lists(_elements(tag="r"), min_size=1, max_size=3), text=_mappings())
def test_program_finds_what_the_mapper_finds(records: list[str], text: str) -> None:
    mapping = parse_mapping(text, "m")
    assume(set(native_families(mapping).reasons) == {""})
    compare(mapping, parsed(*records))
