"""What is named after a source: its mapping and its database."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from etl.errors import MappingError
from etl.naming import default_target, find_mapping, source_stem


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
        (".xml", ".xml"),
        ("-", ""),
    ],
)
def test_a_stem_is_the_name_without_folder_compression_and_xml(source: str, stem: str) -> None:
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
    (folder / "dumps").mkdir()
    (folder / "dumps" / "posts.mapping.yaml").touch()
    assert find_mapping(["dumps/posts.xml.gz"]) == Path("dumps/posts.mapping.yaml")
    (folder / "posts.mapping.yaml").touch()
    assert find_mapping(["dumps/posts.xml.gz"]) == Path("posts.mapping.yaml")


def test_a_mapping_that_is_missing_is_named_with_every_place() -> None:
    with pytest.raises(
        MappingError, match=r"no mapping posts\.mapping\.yaml or dumps/posts\.mapping\.yaml: .*etl docs"
    ):
        find_mapping(["dumps/posts.xml"])


@pytest.mark.parametrize("sources", [["-"], ["a.xml", "b.xml"], ["*.xml"]])
def test_what_has_no_single_name_needs_a_mapping_by_name(sources: list[str]) -> None:
    with pytest.raises(MappingError, match="--map FILE"):
        find_mapping(sources)
