"""Mappings and documents with few names, so that much of what is looked for is there."""

from __future__ import annotations

from hypothesis import strategies as st

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
def _pairs(draw: st.DrawFn, height: int) -> str:
    """Entries in an element that is `height` steps below its record, or in one above it."""
    up = draw(st.sampled_from([0, 0, *range(height + 1)]))
    path = "/".join([*[".."] * up, draw(_element_paths(int(up > 0)))]) or "."
    key, value = draw(_value_paths(-1)), draw(_value_paths(-1))
    return f'{{path: "{path}", many: json, key: "{key}", value: "{value}"}}'


@st.composite
def _comparisons(draw: st.DrawFn, height: int) -> str:
    path = draw(_value_paths(height, leaves=("", "@k")))
    return path + draw(st.sampled_from(["", "", "='1'", "!='1'", "='x'", "!=''"]))


@st.composite
def _conditions(draw: st.DrawFn, height: int, depth: int = 2) -> str:
    kind = draw(st.sampled_from(["", "", "not", "and", "or"])) if depth else ""
    if not kind:
        return draw(_comparisons(height))
    inner = draw(_conditions(height, depth - 1))
    return f"not({inner})" if kind == "not" else f"({inner} {kind} {draw(_conditions(height, depth - 1))})"


@st.composite
def mappings(draw: st.DrawFn) -> str:
    """Tables at three levels, with conditions and `..`, and another one for the same records."""
    lines = ["version: 1", "namespaces: {p: 'urn:p'}", "tables:"]

    def add_table(name: str, head: str, height: int) -> None:
        lines.extend([f"  {name}:", f"    {head}"])
        if draw(st.integers(0, 2)) == 0:
            lines.append(f'    where: "{draw(_conditions(height))}"')
        lines.extend(["    columns:", '      fixed: "@k"'])
        for number in range(draw(st.integers(0, 4))):
            many = draw(
                st.sampled_from(["first", "first", "last", "join", "array", "json", "count", "reject", "pairs"])
            )
            if many == "pairs":
                lines.append(f"      c{number}: {draw(_pairs(height))}")
            else:
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


DOCUMENTS = st.lists(_elements(tag="r"), min_size=1, max_size=3)
"""The records of a document, below an element in which the prefixes p, q and xsi are declared."""
