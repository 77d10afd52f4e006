"""etl: loads XML dumps into a relational database, at COPY speed; nothing lost, nothing twice.

    import etl
    report = etl.load("posts.xml.gz", target="postgresql://user@host/db")

Names are imported at first use: a worker process needs neither the database drivers nor anything else of the parent.
"""

from __future__ import annotations

from importlib import import_module
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
    from etl.loader import check, infer, load, schema
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
    "infer",
    "load",
    "read_settings",
    "schema",
]

_MODULES = ("etl.errors", "etl.options", "etl.report", "etl.loader")


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in map(import_module, _MODULES):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module 'etl' has no attribute {name!r}")
