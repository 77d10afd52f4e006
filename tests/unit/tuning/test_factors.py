"""Which settings are turned, and through which values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from etl.options import Settings, build_settings
from etl.targets.memory import MemoryTarget
from etl.targets.postgres import PostgresTarget
from etl.targets.sqlite import SqliteTarget
from etl.tuning import factors
from etl.tuning.factors import factors_of, splits_in_hand, with_choice, worker_counts, written
from etl.tuning.search import Choice
from tests.unit.tuning.reports import load_report

_made_up = load_report(100, 1.0).metrics
assert _made_up is not None
BUSY = replace(_made_up, most_workers=256, queue_most_bytes=2**40)
"""Of a load that fills its queue."""


@pytest.mark.parametrize(
    ("cores", "counts"),
    [(1, (1, 2)), (2, (1, 2, 3, 4)), (6, (1, 2, 3, 4, 6, 8, 12)), (8, (1, 2, 3, 4, 6, 8, 12, 16))],
)
def test_workers_go_up_to_twice_the_cores(cores: int, counts: tuple[int, ...]) -> None:
    assert worker_counts(cores) == counts
    assert max(worker_counts(500)) == 256


def test_each_factor_begins_at_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factors, "default_worker_count", lambda: 5)
    found = {factor.name: factor for factor in factors_of(Settings(), MemoryTarget(), BUSY)}
    assert list(found) == [
        "workers.count",
        "insert.threads",
        "queue.max_bytes",
        "insert.batch_bytes",
        "split.bytes",
        "workers.prefetch",
    ]
    assert all(factor.start in factor.values for factor in found.values())
    assert (found["workers.count"].start, found["insert.batch_bytes"].start) == (5, 8 * 2**20)
    assert list(found["workers.count"].walks()) == [(6, 8), (4, 3, 2, 1)]


def test_what_the_user_has_set_and_what_means_nothing_is_not_turned(tmp_path: Path) -> None:
    given = build_settings({"workers": {"kind": "inline"}, "queue": {"max_bytes": "64MiB"}})
    names = [factor.name for factor in factors_of(given, SqliteTarget(tmp_path / "x.db", "sqlite:///x.db"), BUSY)]
    assert names == ["insert.batch_bytes", "split.bytes"]


def test_a_tiny_source_that_is_loaded_inline_has_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.options.default_worker_count", lambda: 4)
    inline = replace(BUSY, most_workers=1)
    names = [factor.name for factor in factors_of(Settings(), MemoryTarget(), inline)]
    assert names == ["insert.threads", "queue.max_bytes", "insert.batch_bytes", "split.bytes"]
    assert splits_in_hand(Settings(), inline) == 0
    assert splits_in_hand(Settings(), replace(BUSY, most_workers=4)) == 8


def test_a_queue_that_was_never_half_full_is_not_made_larger() -> None:
    for most_bytes, largest in ((48 * 2**20, 96), (49 * 2**20, 256)):
        factors = factors_of(Settings(), MemoryTarget(), replace(BUSY, queue_most_bytes=most_bytes))
        (queue,) = [factor for factor in factors if factor.name == "queue.max_bytes"]
        assert (queue.values[-1], queue.start) == (largest * 2**20, 96 * 2**20)


@pytest.mark.parametrize(
    ("given", "choice", "mebibytes"),
    [
        ({}, {}, [1, 2, 4, 8, 16]),
        ({}, {"insert.threads": 8}, [1, 2, 4, 8]),
        ({}, {"insert.threads": 1, "queue.max_bytes": 128 * 2**20}, [1, 2, 4, 8, 16, 32]),
        ({"insert": {"threads": 8}, "queue": {"max_bytes": "8MiB"}}, {}, []),
    ],
)
def test_larger_batches_matter_as_far_as_their_share_of_the_queue_lets_them_be(
    given: dict[str, object], choice: Choice, mebibytes: list[int]
) -> None:
    target = PostgresTarget("postgresql://nowhere/db", "copy", None)
    (batches,) = [
        found for found in factors_of(build_settings(given), target, BUSY) if found.name == "insert.batch_bytes"
    ]
    mattering = [value for value in batches.values if batches.matters({**choice, batches.name: value})]
    assert mattering == [size * 2**20 for size in mebibytes]


def test_a_choice_changes_those_settings_alone() -> None:
    given = build_settings({"insert": {"batch_records": 7}, "write": "skip"})
    changed = with_choice(given, {"insert.batch_bytes": 2**20, "workers.count": 3})
    assert changed == build_settings(
        {"insert": {"batch_records": 7, "batch_bytes": "1MiB"}, "workers": {"count": 3}, "write": "skip"}
    )
    assert with_choice(given, {}) is given


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("split.bytes", 2**16, "64KiB"),
        ("queue.max_bytes", 2**24, "16MiB"),
        ("queue.max_bytes", 1500, "1500"),
        ("workers.count", 2**20, "1048576"),
    ],
)
def test_values_are_written_as_in_a_file(name: str, value: int, text: str) -> None:
    assert written(name, value) == text
