"""Worker processes that get the splits of a dump as those of `etl load` do, with no queue behind them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, as_completed, wait
from contextlib import closing

from etl.engines.base import WorkerSetup
from etl.engines.processes import ProcessEngine
from etl.extract.source import expand
from etl.feeding import FedSource, Feeder, make_splitter
from etl.loading.ledger_base import Totals
from etl.messages import MappedBatch, SourceInfo
from etl.options import Settings

SOURCE = SourceInfo(number=1, label="", load_id="", loaded_at="")
"""What workers are told of the dump: their mappings have no column for any of it."""


def answers(dump: str, module: str, setup: WorkerSetup, workers: int, prefetch: int) -> Iterator[MappedBatch]:
    """Start workers of `module` and feed them all of a dump; their answers as they come. Raises what a worker raised.

    Splits are those of a load with default settings; a worker has `prefetch` of them in hand.
    """
    (source,) = expand([dump])
    fed = FedSource(source, SOURCE, done=(), state="loading", totals=Totals(), rereadable=True)
    with closing(ProcessEngine(module, setup, workers, prefetch)) as engine:
        in_hand: set[Future[MappedBatch]] = set()
        for split in Feeder([fed], make_splitter(setup.mapping, Settings()), None):
            if len(in_hand) == engine.slots:
                done, in_hand = wait(in_hand, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
            in_hand.add(engine.submit(split))
        yield from (future.result() for future in as_completed(in_hand))
