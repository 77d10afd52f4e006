"""Programs find what the mapper finds: generated mappings and documents, followed by an interpreter in Python."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import assume, given, reject, settings

from etl.errors import MappingError
from etl.mapping.model import Mapping
from etl.mapping.reader import parse_mapping
from etl.messages import Skeleton
from etl.native.families import native_families
from etl.native.program import Program, candidates, compile_program
from etl.native.program_codes import ETL_NONE
from etl.transform.data_mapper import DataMapper, Mapped
from etl.transform.elements import NULL
from etl.transform.parser import DocumentParser, Parsed
from etl.transform.records import RecordTables
from tests.native.generated import DOCUMENTS, mappings
from tests.native.interpreter import Declined, Found, Interpreter
from tests.splits import mapping_of

NAMESPACES = '<root xmlns:p="urn:p" xmlns:q="urn:q" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" k="1">'


def parsed(*records: str, around: str = NAMESPACES) -> Parsed:
    """Records below `around`, which opens one element or more."""
    names = [tag.split()[0].strip("<>") for tag in around.replace(">", "> ").split("<")[1:]]
    close = "".join(f"</{name.rstrip('>')}>" for name in reversed(names))
    skeleton = Skeleton(b"", around.encode(), close.encode(), len(names))
    return DocumentParser().parse(skeleton, "\n".join(records).encode())


def by_mapper(mapping: Mapping, document: Parsed) -> Mapped:
    return _mapper(mapping, document).take()


def _mapper(mapping: Mapping, document: Parsed) -> DataMapper:
    mapper = DataMapper(mapping)
    for element in document.records:
        mapper.empty_nil_elements(element)
    for plan, found, places in RecordTables(mapper.plans, document.ancestors).group(document.records, 0):
        mapper.map_records(plan, found, places)
    return mapper


def program_of(mapping: Mapping, document: Parsed) -> Program:
    return compile_program(mapping, "copy", [candidates(mapping, document.ancestors)])


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


@settings(deadline=None)
@given(records=DOCUMENTS, text=mappings())
def test_program_finds_what_the_mapper_finds(records: list[str], text: str) -> None:
    mapping = parse_mapping(text, "m")
    assume(set(native_families(mapping).reasons) == {""})
    compare(mapping, parsed(*records))


@settings(deadline=None)
@given(records=DOCUMENTS, text=mappings())
def test_no_unseen_element_is_forgotten(records: list[str], text: str) -> None:
    # What wildcards lead to has other paths here.
    for wildcard, name in (("/*/r", "/root/r[@k='2']"), ("{*}a", "a"), ("p:*", "p:a"), ("*", "b")):
        text = text.replace(wildcard, name)
    # Along a second path a table's elements have names of its own, under which what another table takes is unseen.
    text = re.sub(r'each: \[("[^"]*"), .*"\]', r"each: [\1]", text)
    try:
        mapping = parse_mapping(text, "m")
    except MappingError:
        reject()  # a path stands there twice
    assume(set(native_families(mapping).reasons) == {""})
    document = parsed(*records)
    mapper = _mapper(mapping, document)
    program = program_of(mapping, document)
    # Paths on the way to what columns with `..` take are known by the program; the mapper learns them from rows.
    unseen = (mapper.unseen & mapper.take().unseen) - program.known
    assert unseen <= Interpreter(program).run(document.records, document.ancestors).unseen


# --- one thing at a time ---

TABLES = """
  r:
    each: [/root/r, "/root/o[@k='1']"]
    columns: {own: "@k", all: ., t: a, first: "a[1]", second: "a[2]", any: "*[2]/@k", last: {path: a/b, many: last}}
  item:
    parent: r
    each: [a/b, b/b]
    where: "../@k = '1' and not(../../@none) or c"
    columns: {n: ., place: "../@k", record: "../../@k", root: "../../../@k", c: "../c", d: {path: ../d, many: array}}
  part: {parent: item, each: c, columns: {up: ../../@k, text: text()}}
"""
RECORDS = (
    '<r k="7"><a k="1"><b>1<c>c</c></b><b>2</b><c>see</c><d/><d>x</d></a>'
    '<a k="2"><b>3</b><b><c/></b></a><b k="1"><b/></b></r>',
    '<o k="1"><a>only<!-- not --> this<b k="9"/></a></o>',
    '<r><b><b xsi:nil="true"><c>gone</c></b></b><a xsi:nil="1">x</a></r>',
)


def test_tables_inside_each_other_with_ancestors_and_conditions() -> None:
    found = compare(mapping_of(TABLES), parsed(*RECORDS))
    assert [len(rows) for rows in found.tables] == [3, 4, 2]
    assert found.tables[1][0] == ["1c", "1", "7", "1", "see", ["", "x"]]


def test_two_tables_of_the_same_records_and_a_record_that_two_paths_lead_to() -> None:
    mapping = mapping_of("""
  r: {each: [/root/*, //r], columns: {t: a}}
  s: {each: "/root/r[@k='1']", where: a, columns: {t: a, n: "a/@k"}}
  s_a: {parent: s, each: ["a", "*"], columns: {t: .}}
""")
    found = compare(mapping, parsed('<r k="1"><a k="2">x</a></r>', "<r/>", '<r k="1"/>', '<o k="1"><a/></o>'))
    assert [len(rows) for rows in found.tables] == [4, 1, 2]


def test_records_without_a_table_and_those_of_others_are_declined() -> None:
    mapping = mapping_of("""
  r: {each: "/root/r[@k='1']", columns: {t: a}}
  x: {each: [/root/x, "/root/r[@k='2']"], columns: {t: "count(a)"}}
""")
    assert native_families(mapping).reasons == ("", "column t: an XPath")
    compare(mapping, parsed('<r k="1"/>'))
    for record in ("<x/>", '<r k="2"/>', '<r k="3"/>', "<y/>"):
        document = parsed('<r k="1"/>', record)
        with pytest.raises(Declined):
            Interpreter(program_of(mapping, document)).run(document.records, document.ancestors)


def test_only_records_that_fit_under_what_stands_open_are_candidates() -> None:
    mapping = mapping_of("""
  r: {each: ["/root/g[@k='1']/r", //s], columns: {t: "@k"}}
  q: {each: /root/g/q, columns: {t: "../../@k", u: ../@k}}
""")
    document = parsed("<r k='5'/>", "<q/>", "<s/>", around='<root k="0"><g k="1">')
    assert candidates(mapping, document.ancestors) == ((0, 0), (0, 1), (1, 0))
    assert compare(mapping, document).tables == [[["5"], [NULL]], [["0", "1"]]]
    assert candidates(mapping, parsed("<q/>", around="<root><g>").ancestors) == ((0, 1), (1, 0))
    assert candidates(mapping, parsed("<q/>", around="<root>").ancestors) == ((0, 1),)


def test_what_nothing_takes_is_unseen() -> None:
    mapping = mapping_of("""
  r:
    each: /root/r
    where: "c/@m = '1' or not(c)"
    columns: {a: a/@k, b: "b[@m='1']/x", t: t}
  r_d: {parent: r, each: d, columns: {e: e, up: ../u/@v}}
""")
    document = parsed(
        '<r n="1"><a k="1" l="1"><z/></a><b m="2" n="2"><z/></b><b m="1"><x/><y/></b><t><z/></t>'
        '<c m="1" z="1"/><d><f/><e z="1"/></d><u v="1" w="1"/><g><h/></g></r>'
    )
    found = compare(mapping, document)
    assert found.unseen == {"r/@n", "r/a/@l", "r/a/z", "r/b/y", "r/c/@z", "r/d/f", "r/d/e/@z", "r/g"}
    # Elements that no predicate takes are known to the close look alone.
    assert by_mapper(mapping, document).unseen == found.unseen | {"r/b/@n", "r/b/z"}


def test_what_stands_in_rows_of_two_paths_is_named_as_the_mapper_names_it() -> None:
    mapping = mapping_of("""
  r: {each: /root/r, columns: {w: d/e/w/@k}}
  e: {parent: r, each: [e, d/e], columns: {k: "@k", t: t}}
  f: {parent: r, each: [f, d/f], columns: {k: "@k"}}
""")
    document = parsed('<r><d><e l="1"><x/></e><f l="1"><y/></f></d></r>')
    found = compare(mapping, document)
    assert found.unseen == {"r/d/e/@l", "r/d/e/x", "r/e/x", "r/d/f/@l", "r/d/f/y"}
    assert by_mapper(mapping, document).unseen == found.unseen


def test_entries_of_keys_and_values() -> None:
    mapping = mapping_of("""
  r:
    each: /root/r
    columns:
      tags: {path: tag, many: json, key: "@k", value: "@v"}
      texts: {path: "tag[@k='a']", many: json, key: "n[@p='1'][2]", value: n}
      itself: {path: ., many: json, key: tag/@k, value: text()}
      first: tag/n
  s: {parent: r, each: s, columns: {near: {path: ../tag/n, many: json, key: ., value: "@p"}, t: .}}
""")
    found = compare(
        mapping,
        parsed(
            '<r><tag k="a" v="1"><n p="1">x</n><n p="1">y<m/></n><n>z</n></tag><s>1</s><tag v="2"/>own'
            '<tag k="a" xsi:nil="1"><n>gone</n></tag><tag k="" v=""><n xsi:nil="true"/></tag></r>',
            "<r/>",
        ),
    )
    assert found.tables[0] == [
        [
            [("a", ["1"]), ("", ["2"]), ("a", []), ("", [""])],
            [("y", ["x", "y", "z"]), ("", [])],
            [("a", ["own"])],
            "x",
        ],
        [NULL, NULL, [("", [""])], NULL],
    ]
    assert found.tables[1] == [[[("x", ["1"]), ("y", ["1"]), ("z", []), ("", [])], "1"]]
    assert found.mixed == {(0, 3)}


def test_what_stands_in_entries_is_seen_where_a_key_or_a_value_is() -> None:
    mapping = mapping_of("  r: {each: /root/r, columns: {t: {path: g/tag, many: json, key: k/@id, value: .}}}")
    document = parsed('<r><g n="1"><tag m="1"><k id="1" o="2"/><l/></tag><x/></g></r>')
    found = compare(mapping, document)
    assert found.unseen == {"r/g/@n", "r/g/x", "r/g/tag/@m", "r/g/tag/k/@o", "r/g/tag/l"}
    assert by_mapper(mapping, document).unseen == found.unseen


def test_a_root_for_each_set_of_record_paths() -> None:
    mapping = mapping_of("""
  r: {each: [/root/r, /root/p/s], columns: {t: "@k", up: "../@n"}}
  e: {parent: r, each: e, columns: {t: ., root: "../../@n"}}
  s: {each: //s, columns: {t: "@k"}}
""")
    inside = parsed('<s k="1"><e>x</e></s>', around='<root n="1"><p n="2">')
    outside = parsed('<r k="2"><e>y</e></r>', '<s k="3"/>', around='<root n="1">')
    sets = [candidates(mapping, document.ancestors) for document in (inside, outside)]
    both = compile_program(mapping, "copy", sets)
    for root, document in enumerate((inside, outside)):
        found = Interpreter(both).run(document.records, document.ancestors, root)
        assert found.tables == [table.rows for table in by_mapper(mapping, document).tables]
    assert (
        len(compile_program(mapping, "copy", [sets[0], sets[0]]).nodes)
        == len(compile_program(mapping, "copy", sets[:1]).nodes) + 1
    )


def test_positions_are_counted_by_step_across_names() -> None:
    mapping = mapping_of("""
  r:
    each: /root/r
    columns: {a: "*[2]", b: "a[2]", c: "*[3]", d: "*[@k='1'][2]", e: "a[@k='1']", f: "*[2]/a[1]", g: "b[2]/a[2]"}
""")
    program = program_of(mapping, parsed("<r/>"))
    record = next(edge[4] for edge in program.edges if edge[0] == 0)
    assert program.nodes[record][8] == 5
    compare(mapping, parsed("<r><a>1</a><b k='1'>2</b><a k='1'>3</a><b k='1'><a>4</a><a>5</a></b></r>"))


def test_names_that_no_path_speaks_of_find_the_wildcards_edges() -> None:
    mapping = parse_mapping(
        "version: 1\nnamespaces: {p: 'urn:p', q: 'urn:q'}\ntables: {r: {each: /root/r, columns: "
        "{a: 'p:*/@k', b: '{*}b/@k', c: q:c/@k, d: {path: '*/@k', many: array}}}}",
        "m",
    )
    pairs = [f"{prefix}{name}" for prefix in ("", "p:", "q:") for name in "abcd"]
    for first in pairs:
        compare(mapping, parsed(f'<r><{first} k="1"/><z k="2"/></r>'))
    program = program_of(mapping, parsed("<r/>"))
    assert [edge for edge in program.edges if edge[4] == ETL_NONE] == []


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("columns: {t: 'a | b'}", "column t: an XPath"),
        ("columns: {t: {path: a, type: xml}}", "column t: elements with their markup (type xml)"),
        ("transform: {python: 'tests.row_functions:chosen'}, columns: {t: a}", "transform: a Python function of whole"),
        ("where: 'count(a) = 1', columns: {t: a}", "where: an XPath"),
        ('where: "' + " or ".join(["a"] * 65) + '", columns: {t: a}', "where: more than 64 conditions"),
        (
            "columns: {" + ", ".join(f"c{n}: 'a/b[{n}]'" for n in range(1, 10)) + "}",
            "paths: more than 8 different predicates for one element (below r/a)",
        ),
        (
            'where: "' + " or ".join(f"../@a{n}" for n in range(40)) + '", columns: {t: a}',
            "",
        ),
    ],
)
def test_why_a_table_is_not_native(table: str, reason: str) -> None:
    mapping = mapping_of(
        f"  r: {{each: /root/r, {table}}}\n"
        "  a: {parent: r, each: x, columns: {t: .}}\n"
        "  s: {each: /root/s, columns: {t: a}}"
    )
    own, child, other = native_families(mapping).reasons
    assert own.startswith(reason)
    assert bool(own) is bool(reason)
    assert child in ("", own, f"table r: {own}")
    assert bool(child) is bool(reason)
    assert other == ""


def test_why_a_child_table_is_not_native() -> None:
    mapping = mapping_of("""
  r: {each: /root/r, columns: {t: a}}
  x: {parent: r, each: ".//x", columns: {t: a}}
  y: {parent: x, each: y, columns: {t: a}}
  s: {each: /root/s, columns: {t: a}}
  z: {parent: s, each: [a, b/c], columns: {near: "../@k", far: "../../@k"}}
""")
    deep = "column far: ../../@k, but the table's elements are not equally deep"
    assert native_families(mapping).reasons == (
        "table x: each: an XPath",
        "each: an XPath",
        "table x: each: an XPath",
        f"table z: {deep}",
        deep,
    )


def test_elements_that_are_not_equally_deep_may_look_up_inside_their_record() -> None:
    mapping = mapping_of("""
  r: {each: /root/r, columns: {t: a}}
  z: {parent: r, each: [a, b/c], columns: {t: ., near: "../@k"}}
""")
    found = compare(mapping, parsed('<r k="1"><b k="2"><c>y</c></b><a>x</a></r>'))
    assert found.tables[1] == [["x", "1"], ["y", "2"]]


def test_families_that_are_too_much_for_each_other() -> None:
    columns = [", ".join(f"c{n}: 'a/b[{n}]'" for n in numbers) for numbers in (range(1, 7), range(7, 12), [1, 2])]
    mapping = mapping_of("".join(f"  t{n}: {{each: /root/r, columns: {{{text}}}}}\n" for n, text in enumerate(columns)))
    reason = "paths: more than 8 different predicates for one element (below t0/a)"
    assert [bool(reason) for reason in native_families(mapping).reasons] == [False, True, False]
    assert "more than 8 different predicates" in reason


def test_paths_that_multiply_are_given_up() -> None:
    steps = ["*[1]", "*[2]", *(f"*[@{name}='1']" for name in "abcdef")]
    paths = [f"{one}/{two}/{three}" for one in steps for two in steps for three in steps]
    columns = ", ".join(f'c{n}: "{path}"' for n, path in enumerate(paths))
    mapping = mapping_of(f"  r: {{each: /root/r, columns: {{{columns}}}}}")
    assert native_families(mapping).reasons == ("paths: wildcards and predicates combine in too many ways",)


MAPPINGS = sorted((Path(__file__).parent.parent / "acceptance" / "mappings").glob("*.yaml"))


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.name)
def test_mappings_of_real_dumps_are_native(path: Path) -> None:
    mapping = parse_mapping(path.read_text("utf-8"), path.name)
    assert set(native_families(mapping).reasons) == {""}
