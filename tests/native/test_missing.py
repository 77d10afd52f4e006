"""The package without anything compiled: everything works, by lxml; and without one module that needs a library."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

import etl
from etl import native

SUFFIXES = "*.so", "*.pyd", "__pycache__"


def load(folder: Path, without: Sequence[str], source: str) -> subprocess.CompletedProcess[str]:
    """`etl load` by a copy of the package that lacks some files."""
    shutil.copytree(Path(etl.__file__).parent, folder / "etl", ignore=shutil.ignore_patterns(*without))
    program = f"import sys; sys.argv[1:] = ['load', {source!r}]; from etl.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_a_load_without_compiled_modules(tmp_path: Path) -> None:
    (tmp_path / "items.xml").write_text('<items><item id="1"/><item id="2"/></items>')
    done = load(tmp_path, SUFFIXES, "items.xml")
    assert done.returncode == 0, done.stderr
    assert "Loaded 2 records" in done.stderr
    assert "slower path" in done.stderr


@pytest.mark.skipif(native.unavailable() != "", reason=native.unavailable())
def test_without_zlib_only_the_members_of_a_zip_come_one_by_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "items.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(30):
            archive.writestr(f"{number}.xml", f'<item id="{number}"/>')
    done = load(tmp_path, ["_zip.*", "__pycache__"], "items.zip")
    assert done.returncode == 0, done.stderr
    assert "Loaded 30 records" in done.stderr
    assert "slower path" not in done.stderr
