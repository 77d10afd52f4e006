"""The mapper finds what XPath finds: generated documents and paths, libxml2's XPath as the oracle."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from etl.mapping.reader import parse_mapping
from etl.messages import Skeleton
from tests.splits import copy_rows_of, make_run, make_split, make_worker, rows_of

NAMESPACES = {"p": "urn:p", "q": "urn:q"}
_NAMES = st.sampled_from(["a", "b", "p:a", "q:b"])
_VALUES = st.sampled_from(["1", "2"])
_TEXTS = st.sampled_from(["", "x", " y ", "&amp;z", "<![CDATA[<c>]]>", "<!-- no -->", "<?no no?>", "\\\t\n", "é"])


@st.composite
def elements(draw: st.DrawFn, depth: int = 3, name: str | None = None) -> str:
    """An element with attributes, text, comments and children."""
    tag = name or draw(_NAMES)
    attributes = "".join(f' {key}="{draw(_VALUES)}"' for key in ("k", "p:k") if draw(st.booleans()))
    pieces = [draw(_TEXTS)]
    if depth:
        for _ in range(draw(st.integers(0, 4))):
            pieces += [draw(elements(depth=depth - 1)), draw(_TEXTS)]
    return f"<{tag}{attributes}>{''.join(pieces)}</{tag}>"


@st.composite
def steps(draw: st.DrawFn, *, positions: bool = True) -> str:
    """One step of the subset."""
    step = draw(st.sampled_from(["a", "b", "p:a", "q:b", "p:*", "*"]))
    for _ in range(draw(st.integers(0, 2))):
        attribute = draw(st.sampled_from(["k", "p:k"]))
        step += f"[@{attribute}='{draw(_VALUES)}']"
    return step + (f"[{draw(st.integers(1, 3))}]" if positions and draw(st.integers(0, 3)) == 0 else "")


def element_paths(least: int = 0) -> st.SearchStrategy[str]:
    return st.lists(steps(), min_size=least, max_size=3).map("/".join)


@st.composite
def value_paths(draw: st.DrawFn, ups: int = 0) -> str:
    """A path to a value, from an element with `ups` ancestors in its record."""
    up = draw(st.integers(0, ups))
    leaf = draw(st.sampled_from(["", "@k", "@p:k", "text()"]))
    path = draw(element_paths())
    if up and not path and not leaf:
        leaf = "@k"
    pieces = [piece for piece in (*[".."] * up, path, leaf) if piece]
    return "/".join(pieces) or "."


def _texts(element: Any, path: str) -> list[str]:
    """The values of the nodes that XPath finds, as the mapping language defines them."""
    if path.endswith("text()"):
        owners = element.xpath(path.removesuffix("text()").removesuffix("/") or ".", namespaces=NAMESPACES)
        return ["".join(owner.xpath("text()")) for owner in owners]
    return [
        node if isinstance(node, str) else node.xpath("string()") for node in element.xpath(path, namespaces=NAMESPACES)
    ]


def _expected(element: Any, path: str, many: str) -> str | None:
    texts = _texts(element, path)
    if not texts:
        return None
    return {"first": texts[0], "last": texts[-1], "join": "|".join(texts)}[many]


def _columns(paths: list[str], many: str, indent: str) -> str:
    separator = ", separator: '|'" if many == "join" else ""
    return "".join(
        f'{indent}c{n}: {{path: "{path}", strip: false, many: {many}{separator}}}\n' for n, path in enumerate(paths)
    )


@given(
    records=st.lists(elements(name="r"), min_size=1, max_size=3),
    paths=st.lists(value_paths(), min_size=1, max_size=4),
    child_each=st.lists(element_paths(least=1), min_size=1, max_size=2, unique=True),
    child_paths=st.lists(value_paths(ups=1), min_size=1, max_size=3),
    many=st.sampled_from(["first", "last", "join"]),
)
def test_mapper_agrees_with_xpath(
    records: list[str], paths: list[str], child_each: list[str], child_paths: list[str], many: str
) -> None:
    quoted = ", ".join(f'"{path}"' for path in child_each)
    mapping = parse_mapping(
        f"version: 1\nnamespaces: {{p: 'urn:p', q: 'urn:q'}}\ntables:\n"
        f"  r:\n    each: /root/r\n    columns:\n{_columns(paths, many, '      ')}"
        f"  child:\n    parent: r\n    each: [{quoted}]\n    columns:\n{_columns(child_paths, many, '      ')}",
        "generated",
    )
    open_tags = '<root xmlns:p="urn:p" xmlns:q="urn:q">'
    root = etree.fromstring(
        f"{open_tags}{''.join(records)}</root>", etree.XMLParser(remove_comments=True, remove_pis=True)
    )
    record_rows: list[tuple[object, ...]] = []
    child_rows: list[tuple[object, ...]] = []
    for number, record in enumerate(root, 1):
        key = 2**40 + number
        record_rows.append((key, *(_expected(record, path, many) for path in paths)))
        children = [child for each in child_each for child in record.xpath(each, namespaces=NAMESPACES)]
        for seq, child in enumerate(children, 1):
            child_rows.append((key, seq, *(_expected(child, path, many) for path in child_paths)))

    run = make_run([record.encode() for record in records], Skeleton(b"", open_tags.encode(), b"</root>", 1))
    batch = make_worker(mapping).run_split(make_split(run))
    assert batch.rejects == ()
    assert rows_of(batch, 0) == record_rows
    assert rows_of(batch, 1) == child_rows

    copied = make_worker(mapping, "copy").run_split(make_split(run))
    for table in (0, 1):
        as_text = [tuple(None if value is None else str(value) for value in row) for row in rows_of(batch, table)]
        assert copy_rows_of(copied, table) == as_text
