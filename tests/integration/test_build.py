"""`setup.py` in a copy with one binding: with a C compiler, without one, and where the source is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("Cython")

PROJECT = Path(__file__).resolve().parents[2]
NATIVE = Path("etl", "native")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / NATIVE / "core").mkdir(parents=True)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "etl/__init__.py", "etl/native/__init__.py"):
        shutil.copy(PROJECT / name, folder / name)
    for name in ("_cutter.pyx", "core/cut.c", "core/cut.h", "core/root.c", "core/root.h"):
        shutil.copy(PROJECT / NATIVE / name, folder / NATIVE / name)
    return folder


def build(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "--force"],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=100,
    )


def compiled(folder: Path) -> list[Path]:
    return list((folder / NATIVE).glob("_cutter.*.so"))


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_with_a_compiler_and_then_with_a_wrong_source(copy: Path) -> None:
    assert build(copy).returncode == 0
    assert len(compiled(copy)) == 1
    (copy / NATIVE / "core" / "cut.c").write_text("#error wrong\n")
    done = build(copy)
    assert "etl.native._cutter is left out" in done.stderr
    assert compiled(copy) == []  # an older one would not be what the sources say


def test_without_a_compiler_it_goes_on_and_says_so_in_one_line(copy: Path) -> None:
    done = build(copy, CC="/no/such/compiler")
    assert done.returncode == 0, done.stderr
    assert compiled(copy) == []
    (line,) = [line for line in done.stderr.splitlines() if "left out" in line]
    assert "/no/such/compiler" in line
