"""The compiled modules: whether they are there, and why not.

`unavailable()` is "" where they can be used; only then import one, where it is needed: `from etl.native import
_cutter`. Importing this package loads none of them. Without them everything works through lxml and Python, with the
same results.
"""

from __future__ import annotations

import functools
import importlib
import os

BINDINGS = ("_cutter", "_scanner")
"""Used together or not at all, so that a load has one speed and not a mixture."""

SWITCH = "ETL_NATIVE"


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
        module = f"etl.native.{name}"
        try:
            importlib.import_module(module)
        except ImportError as error:
            if isinstance(error, ModuleNotFoundError) and error.name == module:
                return (
                    "the compiled reader was not built when etl was installed; install a C compiler (on Debian and "
                    "Ubuntu `apt-get install gcc libc6-dev python3-dev`), then run the command again that installed "
                    "etl, with `--force-reinstall --no-deps --no-cache-dir`, and `-v` shows what goes wrong"
                )
            return f"the compiled reader cannot be loaded ({error}); install etl again with this Python"
    return ""
