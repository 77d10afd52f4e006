"""What is named after a source: its mapping and its database."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from etl.naming import default_target, find_mapping, mapping_name, source_stem


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ETL_TARGET", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("posts.xml", "posts"),
        ("dumps/posts.xml.gz", "posts"),
        ("posts.XML.GZ", "posts"),
        ("andorra.osm.bz2", "andorra.osm"),
        ("discogs_20200806_artists.xml.zst", "discogs_20200806_artists"),
        ("posts", "posts"),
        ("dumps/", "dumps"),
        ("softlists.zip", "softlists"),
        ("feeds.tar", "feeds"),
        ("feeds.tar.gz", "feeds"),
        ("feeds.TGZ", "feeds"),
        ("feeds.tar.zst", "feeds"),
        ("meta.stackexchange.com", "meta.stackexchange.com"),
        (".xml", ".xml"),
        ("-", ""),
        ("/dev/stdin", ""),
        ("/dev/fd/63", ""),
    ],
)
def test_a_stem_is_the_name_without_folder_compression_archive_and_xml(source: str, stem: str) -> None:
    assert source_stem(source) == stem


def test_this_folder_has_a_name(folder: Path) -> None:
    assert source_stem(".") == folder.name


def test_a_database_is_named_after_its_only_source() -> None:
    assert default_target(["dumps/posts.xml.gz"]) == "sqlite:///posts.db"
    assert default_target(["posts.xml", "users.xml"]) == "sqlite:///etl.db"
    assert default_target(["*.xml"]) == "sqlite:///etl.db"
    assert default_target(["-"]) == "sqlite:///etl.db"


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(folder: Path) -> None:
    (folder / "posts[1].xml").touch()
    assert default_target(["posts[1].xml"]) == "sqlite:///posts[1].db"


@pytest.mark.parametrize("stem", ["a b", "why?", "100%", "a%3Fb", "a#b", "a@b:c", "ü"])
def test_the_file_of_the_database_has_the_name_of_the_source(folder: Path, stem: str) -> None:
    (folder / f"{stem}.xml").touch()
    assert make_url(default_target([f"{stem}.xml"])).database == f"{stem}.db"


def test_the_environment_names_a_database_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETL_TARGET", "postgresql:///music")
    assert default_target(["posts.xml"]) == "postgresql:///music"


def test_a_mapping_is_found_here_before_beside_the_source(folder: Path) -> None:
    assert find_mapping(["dumps/posts.xml.gz"]) is None
    (folder / "dumps").mkdir()
    (folder / "dumps" / "posts.mapping.yaml").touch()
    assert find_mapping(["dumps/posts.xml.gz"]) == Path("dumps/posts.mapping.yaml")
    (folder / "posts.mapping.yaml").touch()
    assert find_mapping(["dumps/posts.xml.gz"]) == Path("posts.mapping.yaml")


@pytest.mark.parametrize("sources", [["-"], ["a.xml", "b.xml"], ["*.xml"], ["/dev/fd/63"]])
def test_what_has_no_single_name_shares_one_in_this_folder(folder: Path, sources: list[str]) -> None:
    assert mapping_name(sources) == "etl.mapping.yaml"
    assert find_mapping(sources) is None
    (folder / "etl.mapping.yaml").touch()
    assert find_mapping(sources) == Path("etl.mapping.yaml")


def test_a_mapping_is_never_looked_for_beside_one_of_several_sources(folder: Path) -> None:
    (folder / "dumps").mkdir()
    (folder / "dumps" / "etl.mapping.yaml").touch()
    assert find_mapping(["dumps/a.xml", "dumps/b.xml"]) is None


def test_standard_input_has_the_mapping_of_its_name(folder: Path) -> None:
    assert mapping_name(["-"], "feeds/posts.xml.gz") == "posts.mapping.yaml"
    (folder / "etl.mapping.yaml").touch()
    assert find_mapping(["-"], "posts") is None
    (folder / "posts.mapping.yaml").touch()
    assert find_mapping(["-"], "posts") == Path("posts.mapping.yaml")


def test_a_folder_of_that_name_is_no_mapping(folder: Path) -> None:
    (folder / "posts.mapping.yaml").mkdir()
    assert find_mapping(["posts.xml"]) is None
