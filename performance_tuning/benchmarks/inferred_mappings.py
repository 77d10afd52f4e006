"""An inferred mapping, cut down to what a hand-written one takes of a document, so that both load the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

import etl

Yaml = dict[str, Any]


def infer_same_tables(dump: Path, by_hand: Path, output: Path) -> dict[str, str]:
    """Infer a mapping of `dump`, keep the tables and columns that `by_hand` has too, write it to `output`.

    Returns the inferred names of the tables by those of `by_hand`; raises ValueError where one was not inferred.
    """
    inferred: Yaml = yaml.safe_load(etl.infer(dump))
    wanted = _paths(yaml.safe_load(by_hand.read_text("utf-8")))
    names = {}
    tables = {}
    for name, path in _element_paths(inferred["tables"]).items():
        same = next((other for other, (other_path, _) in wanted.items() if other_path == path), None)
        if same is not None:
            names[same] = name
            tables[name] = _with_columns(inferred["tables"][name], wanted[same][1])
    if missing := wanted.keys() - names.keys():
        raise ValueError(f"inferred from {dump.name}, but without {', '.join(sorted(missing))}")
    output.write_text(yaml.safe_dump({**inferred, "tables": tables}, sort_keys=False, allow_unicode=True), "utf-8")
    return names


def _paths(mapping: Yaml) -> dict[str, tuple[str, set[str]]]:
    """The path of each table's elements, and those of its columns from there."""
    tables = mapping["tables"]
    return {
        name: (path, {_column_path(column) for column in tables[name]["columns"].values()})
        for name, path in _element_paths(tables).items()
    }


def _element_paths(tables: dict[str, Yaml]) -> dict[str, str]:
    paths: dict[str, str] = {}
    for name, table in tables.items():
        above = paths[table["parent"]] + "/" if "parent" in table else ""
        paths[name] = above + str(table["each"])
    return paths


def _column_path(column: Any) -> str:
    return str(column["path"] if isinstance(column, dict) else column)


def _with_columns(table: Yaml, paths: set[str]) -> Yaml:
    columns = {name: column for name, column in table["columns"].items() if _column_path(column) in paths}
    return {**table, "columns": columns}
