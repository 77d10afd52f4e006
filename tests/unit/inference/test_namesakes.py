"""Columns with few values take the type of their namesakes."""

from __future__ import annotations

import pytest

from tests.profiles import mapping_of


def _type(few: str, many: list[str], name: str = "@id") -> str:
    """The type of an attribute or child of a kind that was seen twice, beside one that was seen often."""

    def element(tag: str, value: str) -> str:
        if name.startswith("@"):
            return f"<{tag} {name[1:]}='{value}'><other/></{tag}>"
        return f"<{tag}><{name}>{value}</{name}><other/></{tag}>"

    often = "".join(element("node", value) for value in many)
    rarely = element("relation", few) + element("relation", few)
    mapping = mapping_of(f"<map>{often}{rarely}</map>")
    columns = {column.name: str(column.type) for column in mapping.table("relation").columns}
    return columns[name.removeprefix("@")]


WHOLE = [str(number) for number in range(20_000, 20_150)]


@pytest.mark.parametrize("name", ["@id", "ref"])
def test_few_values_take_the_type_of_many(name: str) -> None:
    assert _type("7439", WHOLE, name) == "bigint"


@pytest.mark.parametrize("few", ["x7", "007", "1.5", ""])
def test_values_of_another_type_stay_text(few: str) -> None:
    assert _type(few, WHOLE) == "text"


def test_decimals_need_as_many_decimals() -> None:
    prices = [f"{number}.50" for number in range(150)]
    assert _type("3.25", prices, "price") == "numeric(15,2)"
    assert _type("3.2", prices, "price") == "text"


def test_small_integers_lend_to_small_ones_only() -> None:
    versions = [str(number % 7) for number in range(1200)]
    assert _type("3", versions, "version") == "integer"
    assert _type("30000000000", versions, "version") == "text"


def test_namesakes_that_differ_lend_nothing() -> None:
    often = "".join(f"<a id='{number}'><o/></a><b id='x{number}'><o/></b>" for number in range(150))
    mapping = mapping_of(f"<map>{often}<c id='1'><o/></c><c id='2'><o/></c></map>")
    assert [str(column.type) for column in mapping.table("c").columns if column.name == "id"] == ["text"]


def test_integers_of_two_sizes_lend_the_larger_one() -> None:
    votes = "".join(f"<vote post='{number % 50}'><o/></vote>" for number in range(1200))
    posts = "".join(f"<comment post='{number + 90_000}'><o/></comment>" for number in range(150))
    mapping = mapping_of(f"<x>{votes}{posts}<link post='7'><o/></link><link post='8'><o/></link></x>")
    types = {
        table.name: str(column.type) for table in mapping.tables for column in table.columns if column.name == "post"
    }
    assert types == {"vote": "integer", "comment": "bigint", "link": "bigint"}
