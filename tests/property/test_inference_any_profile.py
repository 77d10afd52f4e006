"""Whatever was seen, what is inferred from it is a mapping, and the same one each time."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.inference.design import infer_mapping
from etl.inference.profile import ElementProfile, Profile
from etl.inference.values import ValueProfile
from etl.inference.width import FIELDS_LIMIT
from etl.mapping.reader import parse_mapping
from etl.transform.compile import compile_mapping

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

STARTS = st.sampled_from("abtTéЖ日_") | st.characters(categories=["Lu", "Ll", "Lo"], min_codepoint=0xC0)
LOCAL = st.builds("{}{}".format, STARTS, st.text(st.sampled_from("abAB12.-_é日·"), max_size=6)) | st.sampled_from(
    [
        "id",
        "ID",
        "seq",
        "row",
        "item",
        "items",
        "record_id",
        "a_seq",
        "etl",
        "split",
        "k" * 50,
        "true",
        "null",
        "a" * 80,
        "日" * 40,
        "rows",
    ]
)
NAMESPACES = ["", "", "", "urn:a", "urn:b", "http://www.w3.org/XML/1998/namespace", 'odd "{}"\\\x85\u2028 # :', "#"]
TAGS = st.builds(
    lambda namespace, local: f"{{{namespace}}}{local}" if namespace and "}" not in namespace else local,
    st.sampled_from(NAMESPACES),
    LOCAL,
)
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["", "1", "2", "true", "2020-01-01", "# x", "\u2028", "\x85", "\x7f", "a" * 300]
)
COUNTS = st.sampled_from([1, 2, 3, 1000])


@st.composite
def values(draw: st.DrawFn) -> ValueProfile:
    seen = ValueProfile()
    texts = draw(st.lists(TEXTS, max_size=4))
    seen.add(texts * draw(st.sampled_from([1, 1, 50])))
    if draw(st.booleans()):
        seen.add([str(number) for number in range(draw(st.sampled_from([3, 1000])))])
    return seen


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> ElementProfile:
    """All elements of one path; the numbers need not agree."""
    children = draw(st.lists(elements(depth + 1), max_size=4)) if depth < 4 else []
    count = draw(COUNTS)
    return ElementProfile(
        tag=draw(TAGS),
        depth=depth,
        count=count,
        parents=draw(COUNTS),
        most=draw(st.sampled_from([1, 1, 2, 9])),
        leaves=draw(st.sampled_from([0, count])) if children else count,
        mixed=draw(st.sampled_from([0, 0, 0, 1, count])) if children else 0,
        text=draw(values()),
        attributes=draw(st.dictionaries(TAGS, values(), max_size=3)),
        children={child.tag: child for child in children},
        others=draw(st.sampled_from([0, 0, 0, 0, 7])),
        bytes=draw(st.sampled_from([0, 0, 0, count * 2**21])),
    )


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    roots = draw(st.lists(elements(), min_size=1, max_size=2))
    return Profile(
        roots={root.tag: root for root in roots},
        documents=draw(COUNTS),
        root_bytes={root.tag: root.count * draw(st.sampled_from([10, 2**20, 2**30])) for root in roots},
        whole=draw(st.booleans()),
        prefixes=draw(
            st.dictionaries(st.sampled_from(NAMESPACES), st.sampled_from(["", "a", "A", "xml", "x-y", "é", "xsi"]))
        ),
        skipped=draw(st.sampled_from([0, 3])),
        first_problem="line 3: bad\nthing",
    )


@MANY
@given(profiles(), TEXTS)
def test_it_is_a_mapping_and_the_same_each_time(profile: Profile, label: str) -> None:
    inferred = infer_mapping(profile, label)
    mapping = parse_mapping(inferred.text, "inferred")
    compile_mapping(mapping)
    assert infer_mapping(profile, label) == inferred
    assert all(len(table.columns) <= FIELDS_LIMIT + 40 and len(table.key) <= 32 for table in mapping.tables)


def wide(attributes: int, texts: int, structured: int, depth: int) -> ElementProfile:
    """A record with so many attributes, single texts, and single elements that are wide themselves."""
    record = ElementProfile("record", 4 - depth, count=5, parents=1, most=5 if depth == 3 else 1)
    for number in range(attributes):
        record.attributes[f"a{number}"] = ValueProfile()
    for number in range(texts):
        record.children[f"t{number}"] = ElementProfile(f"t{number}", 5 - depth, count=5, parents=5, most=1, leaves=5)
    for number in range(structured if depth else 0):
        inner = wide(attributes, texts, structured, depth - 1)
        inner.tag = f"s{number}"
        record.children[inner.tag] = inner
    return record


@settings(MANY, max_examples=20)
@given(
    st.sampled_from([0, 3, 200, 1000]),
    st.sampled_from([0, 3, 250, 1000]),
    st.sampled_from([0, 1, 3]),
    st.integers(1, 3),
)
def test_tables_are_never_too_wide(attributes: int, texts: int, structured: int, depth: int) -> None:
    record = wide(attributes, texts, structured, depth)
    record.most = 5
    root = ElementProfile("root", 0, count=1, parents=1, most=1, children={"record": record})
    inferred = infer_mapping(Profile(roots={"root": root}, documents=1, bytes=1000), "wide")
    mapping = parse_mapping(inferred.text, "inferred")
    assert max(len(table.columns) for table in mapping.tables) <= FIELDS_LIMIT + 30
