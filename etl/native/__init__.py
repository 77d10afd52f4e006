"""The compiled modules: whether they are there, and why not.

`unavailable()` is "" where they can be used; only then import one, where it is needed: `from etl.native import
_cutter`. Importing this package loads none of them. Without them everything works through lxml and Python, with the
same results.
"""

from __future__ import annotations

import functools
import importlib
import os

BINDINGS = ("_clean", "_cutter", "_documents", "_scanner")
"""Used together or not at all, so that a load has one speed and not a mixture."""

SWITCH = "ETL_NATIVE"

INTERFACE = 7
"""One more with each change of what Python and the compiled modules say to each other: they name it as well, so that
modules left over from another version are not used."""


def unavailable() -> str:
    """Why the compiled modules are not used, as the end of a sentence with what to do; "" where they are.

    The switch is looked at in every call, the modules once.
    """
    if os.environ.get(SWITCH) == "0":
        return f"{SWITCH}=0 turns the compiled reader off; unset it for the fast one"
    return _missing()


@functools.cache
def _missing() -> str:
    for name in BINDINGS:
        reason = problem(name)
        if reason:
            return reason
    return ""


def problem(name: str) -> str:
    """Why one of the compiled modules cannot be used, as the end of a sentence with what to do; "" where it can."""
    module = f"etl.native.{name}"
    try:
        interface = importlib.import_module(module).INTERFACE
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == module:
            return (
                "it was not compiled when etl was installed; install a C compiler and the headers of SQLite and zlib "
                "(on Debian and Ubuntu `apt-get install gcc libc6-dev python3-dev libsqlite3-dev zlib1g-dev`), then "
                "run the command again that installed etl, with `--force-reinstall --no-deps --no-cache-dir`, and `-v` "
                "shows what goes wrong"
            )
        return f"its compiled code cannot be loaded ({error}); install etl again with this Python"
    except AttributeError:
        interface = None
    if interface != INTERFACE:
        return "its compiled code is that of another version of etl; install etl again"
    return ""
