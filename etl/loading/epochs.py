"""Whether a source is still this run's: its row in etl_source has an epoch, and whoever takes it over raises that.

Comes in: the transaction of a batch or of a mark. Goes out: nothing, or the error that ends the run. Any thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from etl.errors import TargetError
from etl.targets.base import TargetConnection


def share(connection: TargetConnection, table: sa.Table, sources: Sequence[int], epochs: Mapping[int, int]) -> None:
    """Share the sources' rows until the transaction ends, so that nobody takes them over meanwhile.

    Raises TargetError where somebody has: one has another epoch than `epochs` says.
    """
    held = sa.select(table.c.number, table.c.epoch).where(table.c.number.in_(sources)).order_by(table.c.number)
    found = dict(connection.execute(held.with_for_update(read=True)))
    for source in sources:
        check_epoch(source, found.get(source), epochs)


def check_epoch(source: int, epoch: int | None, epochs: Mapping[int, int]) -> None:
    """Raise TargetError where the source, which has this epoch now, was taken over; None: it is gone."""
    if epoch is None or epoch != epochs.get(source):
        raise TargetError(
            f"Another load or retry has taken source {source} over, or its row in etl_source is gone or was set back:"
            " this one stops. What it committed stays, and is not loaded again."
        )
