"""etl: loads XML dumps into a relational database, at COPY speed; nothing lost, nothing twice.

    import etl
    report = etl.load("posts.xml.gz", mapping="posts.mapping.yaml", target="postgresql://user@host/db")
"""

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
