"""Real dumps by `etl load FILE` alone, into both databases: no reject, every node a row, nothing to be edited."""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

import etl
from etl.mapping.model import Mapping
from etl.mapping.reader import read_mapping
from tests.acceptance.contents import checksums, count
from tests.acceptance.dumps import DUMPS
from tests.acceptance.nodes import count_nodes
from tests.command import etl as etl_command

pytestmark = [pytest.mark.real_data, pytest.mark.timeout(300)]

FILES = [file for dump in DUMPS for file in dump.files]


@dataclass(frozen=True)
class Loaded:
    """A file in both databases: in SQLite by the command without a mapping, in PostgreSQL by the mapping it saved."""

    mapping: Mapping
    sqlite: str
    postgres: str
    report: dict[str, Any]


@pytest.fixture(scope="module")
def loads(
    real_data: Path, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Loaded]]:
    """Loads a file, once."""
    databases: list[str] = []

    @functools.cache
    def load(file: str) -> Loaded:
        folder = tmp_path_factory.mktemp("inferred")
        result = etl_command("load", real_data / file, "--json", cwd=folder)
        assert result.code == 0, result.err
        (saved,), (database,) = folder.glob("*.mapping.yaml"), folder.glob("*.db")

        databases.append(f"etl_inferred_{uuid.uuid4().hex}")
        connection.execute(f'CREATE DATABASE "{databases[-1]}"'.encode())
        postgres = make_url(postgres_server).set(database=databases[-1]).render_as_string(hide_password=False)
        report = etl.load(real_data / file, mapping=saved, target=postgres)
        assert report.exit_code == 0
        return Loaded(read_mapping(saved), f"sqlite:///{database}", postgres, result.report)

    with psycopg.connect(postgres_server, autocommit=True) as connection:
        yield load
        for name in databases:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture(params=FILES)
def file(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_node_is_a_row_and_no_record_is_rejected(
    file: str, loads: Callable[[str], Loaded], real_data: Path
) -> None:
    loaded = loads(file)
    expected = json.loads((real_data / "expected_counts.json").read_text("utf-8"))[file]
    for url in (loaded.sqlite, loaded.postgres):
        assert {xpath: count_nodes(url, loaded.mapping, xpath) for xpath in expected} == expected, url
        assert count(url, "etl_reject") == 0
    assert loaded.report["rejected"] == loaded.report["discarded"] == 0
    assert loaded.report["records"] == loaded.report["loaded"]


def test_the_saved_mapping_gives_the_same_in_both_databases(file: str, loads: Callable[[str], Loaded]) -> None:
    loaded = loads(file)
    assert checksums(loaded.sqlite, loaded.mapping) == checksums(loaded.postgres, loaded.mapping)


def test_every_key_that_was_inferred_is_one(file: str, loads: Callable[[str], Loaded]) -> None:
    assert loads(file).report["key_problems"] == []
