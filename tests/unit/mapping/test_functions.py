"""Python functions of a mapping: where they are found, and what is said when they are not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import etl
from etl.errors import MappingError
from etl.mapping.functions import check_functions, load_function
from etl.mapping.model import Column, ColumnType, FromPath, Mapping, PythonFunction, Table, Transform
from etl.mapping.paths import parse_record_path, parse_value_path


def function(folder: Path, module: str = "cleaning", name: str = "clean", line: int = 0) -> PythonFunction:
    return PythonFunction(module, name, str(folder), line)


def write(folder: Path, text: str, file: str = "cleaning.py") -> None:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def test_a_module_beside_the_mapping(tmp_path: Path) -> None:
    write(tmp_path, "def clean(text): return text[::-1]")
    assert load_function(function(tmp_path))("abc") == "cba"


def test_dots_are_folders(tmp_path: Path) -> None:
    write(tmp_path, "def clean(text): return text + '!'", "rules/names.py")
    assert load_function(function(tmp_path, "rules.names"))("a") == "a!"


def test_beside_the_mapping_wins_over_the_library(tmp_path: Path) -> None:
    write(tmp_path, "def loads(text): return 'ours'", "json.py")
    assert load_function(function(tmp_path, "json", "loads"))("1") == "ours"
    assert sys.modules["json"].loads("1") == 1
    assert load_function(function(tmp_path / "elsewhere", "json", "loads"))("1") == 1


def test_a_module_is_executed_once_until_it_changes(tmp_path: Path) -> None:
    write(tmp_path, "times = []\ndef clean(text): times.append(text); return len(times)")
    load_function(function(tmp_path))("a")
    assert load_function(function(tmp_path))("a") == 2
    write(tmp_path, "def clean(text): return 'edited'")
    assert load_function(function(tmp_path))("a") == "edited"


def test_what_the_module_itself_needs(tmp_path: Path) -> None:
    write(tmp_path, "from helper_beside import double\ndef clean(text): return double(text)")
    write(tmp_path, "def double(text): return text * 2", "helper_beside.py")
    path = list(sys.path)
    assert load_function(function(tmp_path))("ab") == "abab"
    assert sys.path == path


def test_dataclasses_in_a_module(tmp_path: Path) -> None:
    write(
        tmp_path,
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom typing import ClassVar\n"
        "@dataclass\nclass A:\n    x: ClassVar[str]\ndef clean(text): return A()",
    )
    load_function(function(tmp_path))("a")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "cleaning.py has no function 'clean'"),
        ("clean = 3", "'clean' is int, not a function"),
        ("def clean(:", "its module raised SyntaxError: invalid syntax"),
        ("1 / 0", "its module raised ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "its module raised SystemExit: 3"),
        ("import not_there_at_all", "its module needs 'not_there_at_all', which is not installed"),
    ],
)
def test_modules_that_do_not_work(tmp_path: Path, text: str, expected: str) -> None:
    write(tmp_path, text)
    for _ in range(2):
        with pytest.raises(MappingError) as refused:
            load_function(function(tmp_path))
        assert expected in str(refused.value)
        assert str(refused.value).startswith("cleaning:clean: ")


@pytest.mark.parametrize("module", ["not_there", "not.there", "json.not_there"])
def test_a_module_that_is_nowhere(tmp_path: Path, module: str) -> None:
    with pytest.raises(MappingError, match="and no such module on Python's path"):
        load_function(function(tmp_path, module))


def test_check_names_file_line_and_place_of_each(tmp_path: Path) -> None:
    write(tmp_path, "def clean(text): return text")
    path = FromPath(parse_value_path("c", {}))
    transforms: tuple[Transform, ...] = ("lower", function(tmp_path), function(tmp_path, name="claen", line=8))
    column = Column("c", ColumnType("text"), path, transforms=transforms, line=6)
    table = Table(
        "t", (column,), (), (parse_record_path("/a/b", {}),), transform=function(tmp_path, "nowhere", line=4), line=3
    )
    with pytest.raises(MappingError) as refused:
        check_functions(Mapping((table,), "m.yaml", ""))
    lines = str(refused.value).split("\n")
    assert lines[0].startswith("m.yaml:4: tables.t.transform: nowhere:clean: there is no ")
    assert lines[1].startswith("m.yaml:8: tables.t.columns.c.transform: cleaning:claen: ")
    check_functions(Mapping((Table("t", (), ()),), "m.yaml", ""))


def test_a_load_ends_before_it_begins(tmp_path: Path) -> None:
    write(tmp_path, "<r><e/></r>", "document.xml")
    write(
        tmp_path,
        "version: 1\ntables:\n  e:\n    each: /r/e\n    columns:\n"
        "      a:\n        path: a\n        transform:\n          - lower\n          - python: 'cleanin:clean'\n",
        "m.yaml",
    )
    mapping, database = tmp_path / "m.yaml", tmp_path / "rows.db"
    with pytest.raises(MappingError) as refused:
        etl.load(tmp_path / "document.xml", mapping=mapping, target=f"sqlite:///{database}")
    assert str(refused.value).startswith(f"{mapping}:10: tables.e.columns.a.transform: cleanin:clean: there is no ")
    assert not database.exists()
