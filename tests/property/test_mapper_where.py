"""The quick form of `where` means what lxml's XPath means, and XPath in a mapping what its own paths mean."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from etl.mapping.conditions import parse_condition
from etl.mapping.paths import XPath
from etl.mapping.reader import parse_mapping
from etl.messages import Skeleton
from etl.transform.where import compile_condition
from tests.property.test_mapper_paths import NAMESPACES, element_paths, elements, value_paths
from tests.splits import make_run, make_split, make_worker, rows_of

_LITERALS = ["", "1", "2", "x", "xx", " y ", "é"]
OPEN_TAGS = '<root xmlns:p="urn:p" xmlns:q="urn:q" k="1">'


@st.composite
def comparisons(draw: st.DrawFn, ups: int) -> str:
    path = draw(value_paths(ups=ups).filter(lambda path: not path.endswith("text()")))
    if not draw(st.booleans()):
        return path
    literal = f"'{draw(st.sampled_from(_LITERALS))}'"
    sign = draw(st.sampled_from(["=", "!=", " = ", " !="]))
    return draw(st.sampled_from([f"{path}{sign}{literal}", f"{literal}{sign}{path}"]))


def conditions(ups: int = 0) -> st.SearchStrategy[str]:
    """Conditions on an element with `ups` ancestors in its record."""
    return st.recursive(
        comparisons(ups),
        lambda inner: st.one_of(
            inner.map(lambda one: f"not({one})"),
            inner.map(lambda one: f"({one})"),
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        ),
        max_leaves=5,
    )


def _root(*records: str) -> etree._Element:
    return etree.fromstring(
        f"{OPEN_TAGS}{''.join(records)}</root>", etree.XMLParser(remove_comments=True, remove_pis=True)
    )


@given(record=elements(name="r"), condition=conditions(ups=1))
def test_where_agrees_with_xpath(record: str, condition: str) -> None:
    parsed = parse_condition(condition, NAMESPACES)
    assert not isinstance(parsed, XPath)
    root = _root(record)
    everything = list(root[0].iter())
    expected = [element.xpath(f"boolean({condition})", namespaces=NAMESPACES) for element in everything]
    assert compile_condition(parsed)(everything) == expected


def _tables(where: str, child_where: str, each: str, paths: list[str], child_paths: list[str], *, slow: bool) -> str:
    """A mapping; `slow` has every path and condition worked out by lxml."""

    def wrapped(path: str) -> str:
        # A predicate that always holds is no part of the mapping's own paths.
        return f"({path})[true()]" if slow else path

    lines = [
        "version: 1",
        "namespaces: {p: 'urn:p', q: 'urn:q'}",
        "tables:",
        "  r:",
        "    each: /root/r",
        f'    where: "{f"boolean({where})" if slow else where}"',
        "    columns:",
        "      n: {meta: record}",
        *(f'      c{n}: {{path: "{wrapped(path)}", many: array}}' for n, path in enumerate(paths)),
        "  child:",
        "    parent: r",
        f'    each: "{wrapped(each)}"',
        f'    where: "{f"boolean({child_where})" if slow else child_where}"',
        "    columns:",
        "      own: '@k'",
        *(f'      c{n}: "{wrapped(path)}"' for n, path in enumerate(child_paths)),
    ]
    return "\n".join(lines)


_PATHS = st.lists(value_paths().filter(lambda path: not path.endswith("text()")), min_size=1, max_size=3)


@given(
    records=st.lists(elements(name="r"), min_size=1, max_size=4),
    where=conditions(),
    child_where=conditions(ups=1),
    each=element_paths(least=1),
    paths=_PATHS,
    child_paths=_PATHS,
)
def test_xpath_agrees_with_the_mappings_own_paths(
    records: list[str], where: str, child_where: str, each: str, paths: list[str], child_paths: list[str]
) -> None:
    skeleton = Skeleton(b"", OPEN_TAGS.encode(), b"</root>", 1)
    split = make_split(make_run([record.encode() for record in records], skeleton, between=b"\n"))
    quick, slow = (
        make_worker(parse_mapping(_tables(where, child_where, each, paths, child_paths, slow=slow), "m")).run_split(
            split
        )
        for slow in (False, True)
    )
    assert quick.rejects == slow.rejects == ()
    assert quick.counts == slow.counts
    for table in (0, 1):
        assert rows_of(quick, table) == rows_of(slow, table)
