"""Which column of a record table becomes its key."""

from __future__ import annotations

import pytest

from tests.profiles import mapping_of


def key_of(records: list[str], *, whole: bool = True) -> tuple[str, ...]:
    return mapping_of(f"<things>{''.join(records)}</things>", whole=whole).tables[0].key


@pytest.mark.parametrize(
    "record",
    [
        "<thing id='{n}'/>",
        "<thing><id>{n}</id></thing>",
        "<thing Id='{n}' name='n{n}'/>",
        "<thing key='k/{n}'/>",
        "<thing thing_id='{n}'/>",
        "<thing xml:id='a{n}'/>",
        "<thing guid='g{n}'/>",
    ],
)
def test_what_is_called_an_identifier(record: str) -> None:
    [key] = key_of([record.format(n=n) for n in range(3)])
    assert key != "record_id"


def test_id_comes_before_other_names() -> None:
    assert key_of([f"<thing key='{n}' id='{n}'/>" for n in range(3)]) == ("id",)


@pytest.mark.parametrize(
    "records",
    [
        ["<thing id='1'/>", "<thing id='1'/>"],
        ["<thing id='1'/>", "<thing/>"],
        ["<thing id='1'/>", "<thing id=''/>"],
        ["<thing><id>1</id></thing>", "<thing><id>2</id><id>3</id></thing>"],
        ["<thing title='a'/>", "<thing title='b'/>"],
        ["<thing owner_id='1'/>", "<thing owner_id='2'/>"],
        ["<thing><a><id>1</id></a></thing>", "<thing><a><id>2</id></a></thing>"],
    ],
    ids=["twice", "missing", "empty", "several", "a title", "another's", "deep"],
)
def test_what_is_no_key(records: list[str]) -> None:
    assert key_of(records) == ("record_id",)


def test_many_records_tell_a_key_by_its_values() -> None:
    records = [f"<thing><head><pmid>{n}</pmid></head><name>n{n}</name></thing>" for n in range(1000)]
    assert key_of(records) == ("pmid",)
    records = [f"<thing><name>n{n}</name></thing>" for n in range(1000)]
    assert key_of(records) == ("name",)
    assert key_of(records, whole=False) == ("record_id",)


def test_a_number_with_decimals_is_no_key() -> None:
    assert key_of([f"<thing id='{n}.5'/>" for n in range(200)]) == ("record_id",)
