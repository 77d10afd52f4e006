"""Tables stay narrow enough for a database, and nothing is lost or doubled by it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

import etl
from etl.inference.width import EXCLUDED_LIMIT, FIELDS_LIMIT
from etl.mapping.model import Mapping
from etl.options import build_settings
from tests.profiles import columns_of, each_of, mapping_of

MANY = FIELDS_LIMIT + 40


def texts(count: int, prefix: str = "t") -> str:
    return "".join(f"<{prefix}{n}>{prefix}{n}</{prefix}{n}>" for n in range(count))


def document(*records: str) -> str:
    return f"<recs>{''.join(f'<rec>{record}</rec>' for record in (*records, ''))}</recs>"


def values_of(text: str) -> list[str]:
    """Every text that loading the document with its inferred mapping gives, sorted."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "document.xml")
        file.write_text(text)
        settings = build_settings({"workers": {"kind": "inline"}})
        report = etl.load(file, mapping=mapping_of(text), target="memory://", settings=settings)
    assert report.rejected == 0
    assert report.rows is not None
    rows = [row for rows in report.rows.values() for row in rows]
    return sorted(value for row in rows for value in row.values() if isinstance(value, str))


def widest(mapping: Mapping) -> int:
    return max(len(table.columns) for table in mapping.tables)


def test_single_elements_with_much_in_them_get_tables_of_their_own() -> None:
    text = document(f"<big>{texts(200, 'b')}</big><small>{texts(20, 's')}</small>{texts(60)}")
    mapping = mapping_of(text)
    assert {name: len(columns_of(mapping, name)) for name in each_of(mapping)} == {"rec": 80, "rec_big": 200}
    assert each_of(mapping)["rec_big"] == ["big"]


def test_too_many_texts_become_names_and_values() -> None:
    text = document(f'<id a="x">1</id>{texts(MANY)}')
    mapping = mapping_of(text)
    assert columns_of(mapping, "rec") == {"id": "id", "id_a": "id/@a"}
    assert each_of(mapping)["rec_value"] == ["*[not(*) and not(@*) and not(self::id)]"]
    names = [f"t{n}" for n in range(MANY)]
    assert values_of(text) == sorted([*names, *names, "1", "x"])


def test_too_many_elements_of_other_kinds_become_names_and_xml() -> None:
    text = document("".join(f'<k{n} a="{n}">x</k{n}>' for n in range(MANY)))
    mapping = mapping_of(text)
    assert each_of(mapping) == {"rec": ["/recs/rec"], "rec_value": ["*"]}
    assert columns_of(mapping, "rec_value") == {"name": "name()", "content": "."}


def test_too_many_exceptions_are_no_condition_to_read() -> None:
    exceptions = "".join(f'<k{n} a="{n}">x</k{n}>' for n in range(EXCLUDED_LIMIT + 1))
    mapping = mapping_of(document(exceptions + texts(MANY)))
    assert each_of(mapping)["rec_value"] == ["*"]


def test_too_many_attributes_are_kept_as_xml_too() -> None:
    attributes = " ".join(f'a{n}="{n}"' for n in range(MANY))
    mapping = mapping_of(f"<recs><rec {attributes}/><rec/></recs>")
    assert widest(mapping) < FIELDS_LIMIT
    assert [str(column.type) for column in mapping.table("rec").columns if column.name == "rec"] == ["xml"]


@pytest.mark.parametrize("depth", [1, 3, 8])
def test_width_inside_width(depth: int) -> None:
    inner = ""
    for level in range(depth):
        inner = f"<deep{level}>{texts(150, f'd{level}x')}{inner}</deep{level}>"
    text = document(inner)
    mapping = mapping_of(text)
    assert widest(mapping) <= FIELDS_LIMIT + 30
    assert values_of(text) == sorted(f"d{level}x{n}" for level in range(depth) for n in range(150))
