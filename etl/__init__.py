"""etl: loads XML dumps into a relational database, at COPY speed; nothing lost, nothing twice.

    import etl
    report = etl.load("posts.xml.gz", mapping="posts.mapping.yaml", target="postgresql://user@host/db")

Names are imported at first use: a worker process needs neither the database drivers nor anything else of the parent.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl.errors import (
        CallbackError,
        ConnectionLost,
        EtlError,
        InternalError,
        MappingError,
        PermanentError,
        SettingsError,
        SourceError,
        TargetError,
        TransientError,
        WorkerDied,
    )
    from etl.loader import check, load, schema
    from etl.options import Settings, read_settings
    from etl.report import CheckReport, LoadReport

__all__ = [
    "CallbackError",
    "CheckReport",
    "ConnectionLost",
    "EtlError",
    "InternalError",
    "LoadReport",
    "MappingError",
    "PermanentError",
    "Settings",
    "SettingsError",
    "SourceError",
    "TargetError",
    "TransientError",
    "WorkerDied",
    "check",
    "load",
    "read_settings",
    "schema",
]

_MODULES = ("etl.errors", "etl.options", "etl.report", "etl.loader")


class _Package(ModuleType):
    """This package. `load` is the function, although a folder has the same name.

    Python binds a subpackage to its parent's attribute when it is first imported; only a property withstands that.
    """

    @property
    def load(self) -> object:
        return import_module("etl.loader").load

    @load.setter
    def load(self, folder: ModuleType) -> None:
        pass

    def __getattr__(self, name: str) -> object:
        if name in __all__:
            for module in map(import_module, _MODULES):
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module 'etl' has no attribute {name!r}")


sys.modules[__name__].__class__ = _Package
