"""Workers that get the splits of a dump as those of `etl load` do, with no queue behind them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, as_completed, wait
from contextlib import closing

from etl.engines.base import Engine
from etl.mapping.model import Mapping
from etl.messages import MappedBatch
from performance_tuning.benchmarks.common.splits import splits_of


def answers(dump: str, mapping: Mapping, started: Engine) -> Iterator[MappedBatch]:
    """Feed workers all of a dump, close them; their answers as they come. Raises what a worker raised.

    Splits are those of a load with default settings; the workers have as many of them in hand as the engine has
    slots.
    """
    with closing(started) as engine:
        in_hand: set[Future[MappedBatch]] = set()
        for split in splits_of(dump, mapping):
            if len(in_hand) == engine.slots:
                done, in_hand = wait(in_hand, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
            in_hand.add(engine.submit(split))
        yield from (future.result() for future in as_completed(in_hand))
