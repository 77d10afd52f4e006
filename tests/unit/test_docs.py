"""The documentation says what the program does: compared with the code it is about, name by name."""

from __future__ import annotations

import ast
import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import etl
from etl.engines.one_by_one import KILLED_WORKER
from etl.errors import EXIT_FAILED, EXIT_OK, EXIT_REJECTS, EXIT_STOPPED, EXIT_USAGE
from etl.loading.ledger_base import REJECT_REASONS
from etl.mapping.reader import read_mapping
from etl.options import Settings, build_settings
from etl.targets import postgres_errors, sqlite_errors

PACKAGE = Path(etl.__file__).parent
DOCS = PACKAGE / "docs"
README = PACKAGE.parent / "README.md"
PAGES = [README, *sorted(DOCS.glob("*.md"))]


def rows(page: Path) -> Iterator[list[str]]:
    """Cells of every row of the page's tables."""
    for line in page.read_text("utf-8").splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]


def settings(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Name and default of every setting, as a user writes the name."""
    for key, info in model.model_fields.items():
        name = prefix + (info.alias or key)
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from settings(info.annotation, f"{name}.")
        else:
            yield name, info.default


def documented_settings() -> dict[str, str]:
    return {cells[0].strip("`"): cells[2].strip("`") for cells in rows(DOCS / "settings.md") if cells[0][:1] == "`"}


def test_every_setting_is_documented_in_the_order_of_the_code() -> None:
    groups = {name.split(".")[0]: place for place, (name, _) in enumerate(settings())}
    assert sorted(documented_settings(), key=lambda name: groups[name.split(".")[0]]) == list(documented_settings())
    assert documented_settings().keys() == dict(settings()).keys()


def test_documented_defaults_are_the_defaults() -> None:
    for name, default in settings():
        written = documented_settings()[name]
        if written == "none":
            assert default is None, name
            continue
        value: Any = written
        for part in reversed(name.split(".")):
            value = {part: value}
        assert build_settings(value) == Settings(), f"{name}: {written} is not the default {default}"


def test_every_exit_code_is_documented() -> None:
    documented = {int(cells[0]) for cells in rows(DOCS / "commands.md") if cells[0].isdigit()}
    assert documented == {EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_REJECTS, EXIT_STOPPED}
    line = re.search(r"## Exit codes\n\n(.*)", README.read_text("utf-8"))
    assert line is not None
    assert {int(code) for code in re.findall(r"(?:^|· )(\d)", line[1])} == documented


def reasons() -> set[str]:
    """Reason codes in the code: what the errors that make rejects, and the splitter's rejects, are made with."""
    folders = ("extract", "transform", "mapping")
    trees = [ast.parse(file.read_text("utf-8")) for folder in folders for file in PACKAGE.glob(f"{folder}/*.py")]
    constants = {
        ast.unparse(node.targets[0]): node.value.value
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    found: set[str] = set()
    for call in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)):
        called = ast.unparse(call.func).rpartition(".")[2]
        given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "reason")]
        if called in {"ConversionError", "Failure", "ParseFailure"}:
            found |= {str(constants[a.id]) for a in given[:1] if isinstance(a, ast.Name) and a.id in constants}
        if called == "reject":
            literals = [a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            found |= {literal for literal in literals if re.fullmatch("[a-z_]+", literal)}
    return found | {KILLED_WORKER, "refused", *postgres_errors.REASONS.values(), *sqlite_errors.REASONS.values()}


def test_every_reason_of_rejects_is_documented() -> None:
    page = [cells[0].strip("`") for cells in rows(DOCS / "rejects.md") if len(cells) == 3]
    assert set(page) - {"reason", "---"} == reasons() == REJECT_REASONS
    assert {"malformed", "too_large", "bad_value"} <= reasons()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_has_a_title_and_names_only_pages_that_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    assert re.match(r"# \S.*\n\n", text)
    for named in re.findall(r"etl docs ([a-z_]+)", text):
        assert (DOCS / f"{named}.md").is_file(), f"{page.name} names `etl docs {named}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_mapping_shown_is_one(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)):
        if block.startswith("version:"):
            file = tmp_path / f"{number}.yaml"
            file.write_text(block, "utf-8")
            read_mapping(file)


@pytest.mark.parametrize("page", [README, DOCS / "guarantees.md"], ids=lambda page: page.stem)
def test_every_path_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"\b(?:etl|env_prep|performance_tuning|tests)/[\w./-]*\w", page.read_text("utf-8")))
    assert named
    for path in named:
        assert (README.parent / path).exists(), path


def test_the_readmes_example_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = README.read_text("utf-8")
    examples = dict(re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL))
    (tmp_path / "releases.xml.gz").write_bytes(gzip.compress(examples["xml"].encode()))
    (tmp_path / "releases.mapping.yaml").write_text(examples["yaml"], "utf-8")
    monkeypatch.chdir(tmp_path)
    report = etl.load("releases.xml.gz", mapping="releases.mapping.yaml", target="memory://")
    assert report.rows is not None
    title, date, genres = "Stockholm", None, '["Electronic"]'
    assert report.rows["release"] == [
        {"id": 1, "status": "Accepted", "title": title, "released": date, "genres": genres}
    ]
    assert report.rows["release_artist"] == [{"release_id": 1, "seq": 1, "artist_id": 1, "name": "The Persuader"}]
    assert [row["title"] for row in report.rows["track"]] == ["Östermalm", "Vasastaden"]
    inferred = etl.load("releases.xml.gz", target="memory://")
    assert list(inferred.tables) == re.findall(r"`(\w+)`", text[text.index("That makes the tables") :])[:4]
    exec(examples["python"], {})
    assert (tmp_path / "music.db").is_file()
