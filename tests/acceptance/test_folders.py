"""Folders of real dumps of several kinds, in one command and without a mapping."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.contents import count
from tests.command import etl as command

pytestmark = [pytest.mark.real_data, pytest.mark.timeout(300)]

TABLES = {
    "Badges": "badge",
    "Comments": "comment",
    "PostHistory": "post_history",
    "PostLinks": "post_link",
    "Posts": "post",
    "Tags": "tag",
    "Users": "user",
    "Votes": "vote",
}


def test_all_of_a_site_is_loaded_each_kind_into_its_table(real_data: Path, target_url: str, tmp_path: Path) -> None:
    result = command("load", real_data / "stackexchange", "--to", target_url, "--json", cwd=tmp_path)
    assert result.code == 0, result.err
    nodes = json.loads((real_data / "expected_counts.json").read_text("utf-8"))
    expected = {table: nodes[f"stackexchange/{name}.xml.gz"]["/*/row"] for name, table in TABLES.items()}
    assert {table: count(target_url, table) for table in TABLES.values()} == expected
    assert result.report["tables"] == expected
    assert not any(source["unmatched"] for source in result.report["sources"])
    assert (tmp_path / "stackexchange.mapping.yaml").is_file()


def test_all_of_discogs_is_loaded(real_data: Path, target_url: str, tmp_path: Path) -> None:
    result = command("load", real_data / "discogs", "--to", target_url, cwd=tmp_path)
    assert result.code == 0, result.err
    assert {table: count(target_url, table) for table in ("artist", "label", "master", "release")} == dict.fromkeys(
        ("artist", "label", "master", "release"), 1000
    )
    assert (count(target_url, "release_artist"), count(target_url, "master_artist")) == (1242, 1174)
