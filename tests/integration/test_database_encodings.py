"""A database that is not UTF-8 keeps its ledger all the same: what it has no characters for is escaped there."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

import etl
from etl.mapping.model import Mapping
from etl.mapping.reader import parse_mapping
from etl.progress import SilentProgress
from tests.reject_place import Place

MAPPING = """\
# → what costs what, in €
version: 1
tables:
  price:
    each: /prices/price
    columns:
      amount: {path: amount, type: integer, nulls: [€]}  # € is none
      text: text
"""


@pytest.fixture
def latin_url(postgres_server: str) -> Iterator[str]:
    name = f"etl_test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        made = f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        connection.execute(made.encode())
        yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_a_load_into_a_database_that_lacks_some_characters(latin_url: str, tmp_path: Path) -> None:
    place = Place(tmp_path, latin_url)
    place.write("prices €.yaml", MAPPING)
    amounts = [("1", "caf\xe9"), ("€", "none"), ("€5", "no number"), ("3", "three €")]
    records = "".join(f"<price><amount>{amount}</amount><text>{text}</text></price>" for amount, text in amounts)
    place.write("prices €.xml", f"<prices>{records}</prices>")
    report = place.load("prices €.xml", "prices €.yaml")
    assert (report.loaded, report.rejected) == (2, 2)
    assert place.rows("SELECT amount, text FROM price ORDER BY amount") == [(1, "caf\xe9"), (None, "none")]
    assert place.rejects() == {"bad_value": 1, "bad_encoding": 1}
    (message,) = place.rows("SELECT message FROM etl_reject WHERE reason = 'bad_value'")[0]
    assert r"\u20ac5" in message
    (source,) = place.sources()
    assert source.label.endswith(r"prices \u20ac.xml")
    assert place.load("prices €.xml", "prices €.yaml").state == "nothing to do"
    ((kept,),) = place.rows("SELECT mapping FROM etl_source")
    assert columns(parse_mapping(kept, "")) == columns(parse_mapping(MAPPING, ""))
    assert etl.retry(latin_url).rejected == 2


def test_a_retry_goes_by_the_kept_mapping_and_tells_when_its_file_has_changed(latin_url: str, tmp_path: Path) -> None:
    place = Place(tmp_path, latin_url)
    place.write("m.yaml", MAPPING)
    place.write("prices.xml", "<prices><price><amount>€5</amount></price></prices>")
    place.load("prices.xml", "m.yaml")
    heard = Heard()
    assert etl.retry(latin_url, progress=heard).rejected == 1
    assert heard.notes == []
    place.write("m.yaml", MAPPING.replace("[€]", "[€5]"))
    assert etl.retry(latin_url, progress=heard).rejected == 1
    assert "m.yaml has changed" in heard.notes[0]
    assert place.retry("m.yaml").loaded == 1


class Heard(SilentProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


def columns(mapping: Mapping) -> list[object]:
    return [(column.name, column.type, column.nulls) for table in mapping.tables for column in table.columns]
