"""What is said of folders within a folder that is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.extract.source import expand
from etl.extract.subfolders import passed_over


@pytest.fixture
def dumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dumps").mkdir()
    (tmp_path / "dumps" / "a.xml").touch()
    return tmp_path / "dumps"


def add(folder: Path, *files: str) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"<r/>")


def test_it_says_how_many_there_are_and_the_pattern_it_names_takes_them(dumps: Path) -> None:
    add(dumps, "x/1.xml", "y/deep/2.xml", "z/notes.txt", ".hidden/3.xml")
    assert list(passed_over(["dumps"])) == [
        "dumps has 3 subfolders, which are not looked into; a pattern takes the files in them too, as in"
        " 'dumps/**/*.xml'."
    ]
    taken = [source.label for source in expand(["dumps/**/*.xml"])]
    assert taken == ["dumps/a.xml", "dumps/x/1.xml", "dumps/y/deep/2.xml"]


@pytest.mark.parametrize(
    ("file", "pattern"),
    [("1.xml.gz", "'dumps/**/*.xml.gz'"), ("1.zip", "'dumps/**/*.zip'"), ("page", "'dumps/**/*'")],
)
def test_the_pattern_is_for_files_like_those_that_are_there(dumps: Path, file: str, pattern: str) -> None:
    add(dumps, f"x/{file}")
    (told,) = passed_over(["dumps"])
    assert told.startswith("dumps has 1 subfolder, which is not looked into; a pattern takes the files in it too,")
    assert told.endswith(f"as in {pattern}.")


def test_a_folder_with_letters_of_patterns_in_its_name(dumps: Path) -> None:
    odd = dumps.rename(dumps.with_name("[my] dumps"))
    add(odd, "x/1.xml")
    (told,) = passed_over(["[my] dumps"])
    assert told.endswith("as in '[[]my] dumps/**/*.xml'.")
    assert len(expand(["[[]my] dumps/**/*.xml"])) == 2


def test_nothing_is_said_where_no_file_is_passed_over(dumps: Path) -> None:
    (dumps / "empty" / "empty").mkdir(parents=True)
    add(dumps, ".git/config.xml", "schemas/a.xsd", "x/.hidden/1.xml")
    assert list(passed_over(["dumps", "dumps/a.xml", "dumps/*.xml", "-", "missing", "nul\0"])) == []
