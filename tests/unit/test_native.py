"""Whether the compiled modules are used, and what is said where they are not."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl import native
from etl.extract.outline import Outline
from etl.extract.plain import Compiled, InPython, plain_elements
from etl.extract.tile import Tile
from etl.extract.window import Window


@pytest.fixture(autouse=True)
def looked_at_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(native.SWITCH, raising=False)
    native._missing.cache_clear()
    yield
    native._missing.cache_clear()


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_they_are_there_where_a_compiler_is() -> None:
    assert native.unavailable() == ""


def test_the_switch_turns_them_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.SWITCH, "0")
    assert "ETL_NATIVE=0" in native.unavailable()


def test_where_they_were_not_compiled_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "BINDINGS", ("_never_compiled",))
    assert "install a C compiler" in native.unavailable()


def test_one_that_cannot_be_loaded_is_said_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_name: str) -> None:
        raise ImportError("undefined symbol: x")

    monkeypatch.setattr(importlib, "import_module", fail)
    assert "cannot be loaded (undefined symbol: x)" in native.unavailable()


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_those_of_another_version_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(native.problem(name) for name in native.BINDINGS)
    monkeypatch.setattr(native, "INTERFACE", native.INTERFACE + 1)
    assert "another version" in native.unavailable()


def test_each_of_them_is_of_the_same_version() -> None:
    folder = Path(native.__file__).parent
    versions = {file.name: re.search(r"^INTERFACE = (\d+)$", file.read_text(), re.M) for file in folder.glob("_*.pyx")}
    assert {name: found and int(found[1]) for name, found in versions.items()} == dict.fromkeys(
        versions, native.INTERFACE
    )


def test_importing_the_package_loads_none_of_them() -> None:
    code = "import sys, etl.native; print(*(name for name in sys.modules if name.startswith('etl.native._')))"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "\n"


def test_the_splitter_uses_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen() -> type:
        return type(plain_elements(Window([]), Tile(1, "x", 1, None, (), None), Outline([]), 1))

    monkeypatch.setattr(native, "BINDINGS", ("_never_compiled",))
    assert chosen() is InPython
    monkeypatch.undo()
    native._missing.cache_clear()
    assert chosen() is (InPython if native.unavailable() else Compiled)
