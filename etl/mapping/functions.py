"""Loads the Python functions that a mapping names as transforms.

A `PythonFunction` goes in, something to call comes out. The module is looked for beside the mapping file first, so that
a mapping and its functions travel together, then wherever Python finds modules. Workers load them on their own, the
loader before any work (`check_functions`), so that a misspelt name ends a load before it begins.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from etl.errors import MappingError
from etl.mapping.model import Mapping, PythonFunction

_loading = threading.RLock()
"""Workers are threads too: one executes a module, the others find it done."""


def load_function(function: PythonFunction) -> Callable[[Any], Any]:
    """The function itself; raises MappingError that says where it was looked for, or what its module raised."""
    module = _module(function)
    found = getattr(module, function.function, None)
    if found is None:
        raise MappingError(f"{function}: {module.__file__ or function.module} has no function {function.function!r}.")
    if not callable(found):
        raise MappingError(f"{function}: {function.function!r} is {type(found).__name__}, not a function.")
    return found  # type: ignore[no-any-return]  # what a user's module holds has no type


def check_functions(mapping: Mapping) -> None:
    """Load every function the mapping names; raises MappingError with a line ``FILE:LINE: ...`` for each that fails."""
    problems = []
    for place, function in _named(mapping):
        try:
            load_function(function)
        except MappingError as error:
            problems.append((function.line, f"{mapping.label}:{function.line}: {place}: {error}"))
    if problems:
        raise MappingError("\n".join(sentence for _, sentence in sorted(problems)))


def _named(mapping: Mapping) -> Iterator[tuple[str, PythonFunction]]:
    for table in mapping.tables:
        if table.transform is not None:
            yield f"tables.{table.name}.transform", table.transform
        for column in table.columns:
            for transform in column.transforms:
                if isinstance(transform, PythonFunction):
                    yield f"tables.{table.name}.columns.{column.name}.transform", transform


def _module(function: PythonFunction) -> ModuleType:
    file = Path(function.folder, *function.module.split(".")).with_suffix(".py")
    try:
        with _loading, _folder_searched(function.folder):
            return _from_file(file) if file.is_file() else importlib.import_module(function.module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{function.module}.".startswith(f"{error.name}."):
            raise MappingError(f"{function}: there is no {file}, and no such module on Python's path.") from error
        raise MappingError(f"{function}: its module needs {error.name!r}, which is not installed.") from error
    except (Exception, SystemExit) as error:
        raise MappingError(f"{function}: its module raised {type(error).__name__}: {error}.") from error


def _from_file(file: Path) -> ModuleType:
    """The module in `file`, executed once for each state of the file: it may be edited between two loads."""
    state = file.stat()
    digest = hashlib.sha256(f"{file.resolve()} {state.st_mtime_ns} {state.st_size}".encode()).hexdigest()
    # A name of its own: a file beside the mapping may be called like a module of the library.
    name = f"{file.stem}_{digest[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = str(file)
    # Registered before it runs, as an import does: dataclasses look their module up.
    sys.modules[name] = module
    try:
        exec(compile(file.read_bytes(), str(file), "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _folder_searched(folder: str) -> Iterator[None]:
    """Lets a module beside the mapping import others beside it, where nothing else has their name."""
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
