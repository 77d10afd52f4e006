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
    from etl.inspection import export_rejects, rejects, status
    from etl.ledger_reports import ExportReport, RejectsReport, RetryReport, SourceStatus
    from etl.loader import check, infer, load, schema
    from etl.options import Settings, read_settings
    from etl.report import CheckReport, LoadReport
    from etl.retrying import retry
    from etl.tuning.report import TuneReport
    from etl.tuning.tune import tune

__all__ = [
    "CallbackError",
    "CheckReport",
    "ConnectionLost",
    "EtlError",
    "ExportReport",
    "InternalError",
    "LoadReport",
    "MappingError",
    "PermanentError",
    "RejectsReport",
    "RetryReport",
    "Settings",
    "SettingsError",
    "SourceError",
    "SourceStatus",
    "TargetError",
    "TransientError",
    "TuneReport",
    "WorkerDied",
    "check",
    "export_rejects",
    "infer",
    "load",
    "read_settings",
    "rejects",
    "retry",
    "schema",
    "status",
    "tune",
]

_MODULES = (
    "errors",
    "options",
    "report",
    "ledger_reports",
    "loader",
    "inspection",
    "retrying",
    "tuning.report",
    "tuning.tune",
)


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in map(import_module, [f"etl.{module}" for module in _MODULES]):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module 'etl' has no attribute {name!r}")
