"""From a database URL to its target; nothing is connected yet."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from etl.errors import SettingsError, mask_password
from etl.options import Settings
from etl.targets.base import Target
from etl.targets.memory import MemoryTarget

SUPPORTED = "sqlite:///FILE and postgresql://USER@HOST/DATABASE"


def open_target(url: str, settings: Settings) -> Target:
    """The target for `url`.

    Raises SettingsError where the URL or a setting does not go with any target, TargetError where the place it names
    cannot hold a database.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise SettingsError(f"{mask_password(url)!r} is not a database URL: expected one of {SUPPORTED}.")
    match scheme:
        case "postgresql" | "postgres":
            # Each driver is imported when used: it takes longer than a small load.
            from etl.targets.postgres import PostgresTarget

            method = settings.insert.method or "copy"
            return PostgresTarget(url, method, settings.ledger.database_schema, settings.write, settings.insert.threads)
        case "sqlite":
            from etl.targets.sqlite import SqliteTarget

            _check_settings(url, settings)
            return SqliteTarget(sqlite_path(url, rest), url, settings.write)
        case "memory":
            _check_settings(url, settings)
            if rest:
                raise SettingsError(f"{url}: memory has no places to choose from; the URL is memory:// alone.")
            if settings.write != "append":
                raise SettingsError(f"write: {url} is empty when a load begins; leave the setting at append.")
            return MemoryTarget()
        case _:
            raise SettingsError(
                f"{mask_password(url)}: there is no target of the kind {scheme}; expected one of {SUPPORTED}."
            )


def sql_dialect(url: str) -> str:
    """The SQL that a target for `url` understands, as `etl.targets.schema.ddl` names it.

    Raises SettingsError where it is no URL of a target that has tables.
    """
    match url.partition("://"):
        case ("postgresql" | "postgres", "://", _):
            return "postgresql"
        case ("sqlite", "://", _):
            return "sqlite"
        case _:
            raise SettingsError(
                f"{mask_password(url)} names no database with tables: expected sqlite:///FILE or"
                " postgresql://USER@HOST/DATABASE."
            )


def sqlite_path(url: str, rest: str) -> Path:
    """The file that a URL names, `rest` being what follows ``sqlite://``; raises SettingsError."""
    host, slash, path = rest.partition("/")
    if host or not slash:
        raise SettingsError(
            f"{url}: a SQLite URL has three slashes before a relative path (sqlite:///file.db) and four before an"
            " absolute one (sqlite:////folder/file.db)."
        )
    if path in ("", ":memory:"):
        raise SettingsError(f"{url} names no file, and SQLite in memory would be gone with the load.")
    if "?" in path:
        raise SettingsError(f"{url}: options are not taken here; a question mark in a file's name is written as %3F.")
    return Path(unquote(path))


def _check_settings(url: str, settings: Settings) -> None:
    if settings.insert.method == "copy":
        raise SettingsError(f"insert.method: {url} has no COPY; leave the setting at auto.")
    if settings.ledger.database_schema is not None:
        raise SettingsError(f"ledger.schema: {url} has no schemas; leave the setting out.")
