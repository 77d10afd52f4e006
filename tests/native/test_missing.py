"""The package without anything compiled: everything works, by lxml."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import etl

SUFFIXES = "*.so", "*.pyd", "__pycache__"


def test_a_load_without_compiled_modules(tmp_path: Path) -> None:
    shutil.copytree(Path(etl.__file__).parent, tmp_path / "etl", ignore=shutil.ignore_patterns(*SUFFIXES))
    (tmp_path / "items.xml").write_text('<items><item id="1"/><item id="2"/></items>')
    program = "import sys; sys.argv[1:] = ['load', 'items.xml']; from etl.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert "Loaded 2 records" in done.stderr
    assert "slower path" in done.stderr
