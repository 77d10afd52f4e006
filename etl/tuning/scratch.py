"""The place where a tune loads its sample: made anew for each trial, gone when the tune ends.

In: the URL of the database to tune for. Out: a URL for trials, by which none of the user's tables is seen. Runs on a
thread that no signal reaches.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from etl.errors import EtlError, SettingsError
from etl.options import Settings
from etl.targets.base import Target
from etl.targets.open import open_target
from etl.tuning.until import Until


class Scratch(ABC):
    """A scratch place, and those that killed tunes have left.

    Each has the number of a lock in its name (`Target.hold`), which is held as long as its tune lives.
    """

    name: str
    """What a person calls it."""
    url: str
    """For trials."""
    server: str
    """What kind of database it is in, with its version."""

    @abstractmethod
    def renew(self) -> None:
        """Make it, empty. Raises EtlError."""

    @abstractmethod
    def remove(self) -> None:
        """Remove it with all that is in it. Raises EtlError."""

    @abstractmethod
    def remove_left(self) -> list[str]:
        """Remove those whose tunes live no more, and return what they are called. Raises EtlError."""


@contextmanager
def scratch_place(
    url: str, settings: Settings, note: Callable[[str], object], until: Until
) -> Iterator[tuple[Scratch, Target]]:
    """A scratch place for trials of `url`, removed at the end, whatever ends it; and the database itself.

    `note` is told what killed tunes have left, and what is left now although all else went well. Raises SettingsError
    where there is no database to tune for or `settings` do not go with it, TargetError where its user may make no
    scratch place there, and what `until` raises.
    """
    with closing(open_target(url, settings)) as target:
        with until.interrupting(lambda _reason: target.interrupt()):
            scratch = _scratch(url, target)
            left = scratch.remove_left()
        for name in left:
            note(f"Removed {name}, which a tune that was killed had left.")
        try:
            with until.interrupting(lambda _reason: target.interrupt()):
                scratch.renew()
            yield scratch, target
        except BaseException:
            scratch.remove()
            raise
        try:
            scratch.remove()
        except EtlError as error:
            note(str(error))  # what was found is worth more


def _scratch(url: str, target: Target) -> Scratch:
    # They import the drivers, of which every command but this one needs one at most.
    from etl.targets.postgres import PostgresTarget
    from etl.targets.sqlite import SqliteTarget
    from etl.tuning.postgres_scratch import PostgresScratch
    from etl.tuning.sqlite_scratch import SqliteScratch

    if isinstance(target, PostgresTarget):
        return PostgresScratch(url, target)
    if isinstance(target, SqliteTarget):
        return SqliteScratch(target)
    raise SettingsError(
        f"{url} is no database, so that there is nothing to tune for: name one with --to, as in --to sqlite:///posts.db."
    )
