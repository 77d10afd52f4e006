"""Which settings a tune turns, in which order, through which values."""

from __future__ import annotations

from functools import partial

from etl.loading.batch_share import batch_share
from etl.metrics import LoadMetrics
from etl.options import Settings, default_worker_count
from etl.sizes import KIB, MIB, written_size
from etl.targets.base import Target
from etl.tuning.search import Choice, Factor

_MOST_WORKERS = 256

_VALUES = {
    "insert.threads": (1, 2, 4, 8),
    # Before the size of batches: none has more than its share of the queue, which alone lets them be larger.
    "queue.max_bytes": tuple(size * MIB for size in (16, 32, 64, 128, 256)),
    "insert.batch_bytes": tuple(size * MIB for size in (1, 2, 4, 8, 16, 32)),
    "split.bytes": tuple(size * KIB for size in (64, 128, 256, 512, 1024)),
    "workers.prefetch": (1, 2, 4),
}
"""What matters most comes first, after the workers: a later one is turned with the best of those before it."""


def factors_of(settings: Settings, target: Target, metrics: LoadMetrics) -> tuple[Factor, ...]:
    """What there is to turn: not what the user has set, nor what means nothing for this database or these workers.

    `metrics`: of a load with the defaults.
    """
    cores = default_worker_count()
    automatic = {"workers.count": cores, "insert.threads": target.default_insert_threads}
    meaningless = {"insert.threads"} if target.max_insert_threads == 1 else set()
    if _is_inline(settings, metrics):
        meaningless |= {"workers.count", "workers.prefetch"}
    factors = []
    for name, values in {"workers.count": worker_counts(cores), **_VALUES}.items():
        if name not in meaningless and not is_set(settings, name):
            group, _, field = name.partition(".")
            start = automatic.get(name) or getattr(getattr(settings, group), field)
            # A larger queue is of no use where the one there is was never more than half full.
            most = start if name == "queue.max_bytes" and 2 * metrics.queue_most_bytes <= start else max(values)
            taken = sorted({*(value for value in values if value <= most), start})
            factors.append(Factor(name, tuple(taken), start, partial(_matters, settings, target, name)))
    return tuple(factors)


def _is_inline(settings: Settings, metrics: LoadMetrics) -> bool:
    """Whether there are no workers, as the user wants it or since the sources are tiny."""
    least, _ = settings.workers.least_and_most()
    return settings.workers.kind == "inline" or metrics.most_workers < least


def splits_in_hand(settings: Settings, metrics: LoadMetrics) -> int:
    """That the workers of a load with these metrics have in hand at most, all together; 0 where there are none."""
    return 0 if _is_inline(settings, metrics) else metrics.most_workers * settings.workers.prefetch


def _matters(settings: Settings, target: Target, name: str, choice: Choice) -> bool:
    if name != "insert.batch_bytes":
        return True
    turned = with_choice(settings, choice)
    threads = turned.insert.threads or target.default_insert_threads
    # Rows are in that share together with their XML: they never reach it.
    return choice[name] < batch_share(turned.queue.max_bytes, min(threads, target.max_insert_threads or threads))


def worker_counts(cores: int) -> tuple[int, ...]:
    """1, 2, 3, 4, 6, 8, 12, ... up to twice the cores."""
    most = min(2 * cores, _MOST_WORKERS)
    powers = [2**power for power in range(most.bit_length())]
    return tuple(sorted(count for count in {*powers, *(power * 3 // 2 for power in powers)} if count <= most))


def is_set(settings: Settings, name: str) -> bool:
    """Whether the user has set it, to whatever value."""
    group, _, field = name.partition(".")
    return field in getattr(settings, group).model_fields_set


def with_choice(settings: Settings, choice: Choice) -> Settings:
    """The settings with these values in them."""
    for name, value in choice.items():
        group, _, field = name.partition(".")
        section = getattr(settings, group).model_copy(update={field: value})
        settings = settings.model_copy(update={group: section})
    return settings


def written(name: str, value: int) -> str:
    """A value as in a settings file: ``4``, ``8MiB``, ``256KiB``."""
    return written_size(value) if name.endswith("bytes") else str(value)
