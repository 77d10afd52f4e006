"""The C core, compiled once for a session."""

from __future__ import annotations

import ctypes

import pytest

from tests.native.core_library import compile_core


@pytest.fixture(scope="session")
def core(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The core as a shared library."""
    library = compile_core(tmp_path_factory.mktemp("core"))
    if library is None:
        pytest.skip("there is no C compiler (cc) to compile the core for its tests")
    return library
