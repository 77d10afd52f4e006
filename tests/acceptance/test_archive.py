"""A real archive by `etl load FILE` alone, into both databases: 41 documents in a zip, read without unpacking it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from etl.mapping.reader import read_mapping
from tests.acceptance.contents import count, query
from tests.acceptance.nodes import count_nodes
from tests.command import etl as command

pytestmark = [pytest.mark.real_data, pytest.mark.timeout(300)]

ARCHIVE = "mame/softlists.zip"


def test_an_archive_loads_by_one_command(real_data: Path, tmp_path: Path, target_url: str) -> None:
    result = command("load", real_data / ARCHIVE, "--to", target_url, "--json", cwd=tmp_path)
    assert result.code == 0, result.err
    mapping = read_mapping(tmp_path / "softlists.mapping.yaml")
    expected = json.loads((real_data / "expected_counts.json").read_text("utf-8"))[ARCHIVE]
    assert {xpath: count_nodes(target_url, mapping, xpath) for xpath in expected} == expected
    assert count(target_url, "etl_reject") == 0
    (source,) = result.report["sources"]
    assert source["documents"]["read"] == count(target_url, "etl_document") == 41
    assert query(target_url, "SELECT count(*) FROM etl_source") == [(1,)]
    again = command("load", real_data / ARCHIVE, "--to", target_url, cwd=tmp_path)
    assert (again.code, "Nothing to do" in again.err) == (0, True)
