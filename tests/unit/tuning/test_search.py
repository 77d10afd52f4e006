"""The search, over rates that are made up."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from etl.tuning.search import Choice, Factor, OutOfTime, search

WORKERS = Factor("workers", (1, 2, 3, 4, 6, 8), start=3)
BATCH = Factor("batch", (1, 2, 4, 8), start=4)


def found(rate: Callable[[int, int], float], least_gain: float = 0.03, most: int = 99) -> tuple[Choice, list[Choice]]:
    """What is found where `rate` of workers and batch is measured; and all that was tried, at most so many."""
    tried: list[Choice] = []

    def measured(choice: Choice) -> float:
        return rate(choice.get("workers", WORKERS.start), choice.get("batch", BATCH.start))

    def measure(_factor: Factor, choice: Choice, best: Choice) -> float:
        if len(tried) == most:
            raise OutOfTime
        tried.append(choice)
        return measured(choice) / measured(best)

    return search([WORKERS, BATCH], least_gain, measure), tried


def test_it_walks_up_until_gains_flatten() -> None:
    best, tried = found(lambda workers, _batch: float(min(workers, 6)))
    assert best == {"workers": 6}
    assert [choice["workers"] for choice in tried if "batch" not in choice] == [4, 6, 8]
    assert all(choice["workers"] == 6 for choice in tried if "batch" in choice)


def test_where_up_gains_nothing_it_walks_down() -> None:
    best, tried = found(lambda workers, _batch: 10.0 / workers)
    assert best == {"workers": 1}
    assert [choice["workers"] for choice in tried if "batch" not in choice] == [4, 2, 1]


def test_a_later_factor_is_turned_with_the_best_of_the_earlier() -> None:
    # A larger batch pays only where more workers fill it.
    best, _ = found(lambda workers, batch: float(min(workers * 2, batch) + workers))
    assert best == {"workers": 8, "batch": 8}


def test_what_is_flat_stays_as_it_is_and_costs_a_step_each_way() -> None:
    best, tried = found(lambda _workers, _batch: 100.0)
    assert best == {}
    assert tried == [{"workers": 4}, {"workers": 2}, {"batch": 8}, {"batch": 2}]


def test_values_that_do_not_matter_with_the_best_of_the_earlier_are_passed_over() -> None:
    tried: list[Choice] = []

    def measure(_factor: Factor, choice: Choice, best: Choice) -> float:
        tried.append(choice)
        return choice.get("workers", 3) / best.get("workers", 3)

    def matters(choice: Choice) -> bool:
        return choice["batch"] < choice["workers"]

    batch = Factor("batch", (1, 2, 4, 8, 16), start=16, matters=matters)
    assert search([WORKERS, batch], 0.03, measure) == {"workers": 8}
    assert [choice["batch"] for choice in tried if "batch" in choice] == [4]


def test_gains_within_the_noise_do_not_count() -> None:
    random = Random(5)
    for _ in range(200):
        assert found(lambda _workers, _batch: random.uniform(96.0, 104.0), least_gain=0.09)[0] == {}


def test_a_gain_above_the_noise_is_found_through_it() -> None:
    random = Random(5)
    for _ in range(200):
        best, _ = found(lambda workers, _batch: (100 + 30 * workers) * random.uniform(0.99, 1.01), least_gain=0.03)
        assert best["workers"] == 8


def test_what_is_unusable_ends_the_walk() -> None:
    best, tried = found(lambda workers, _batch: 0.0 if workers == 6 else float(workers))
    assert best == {"workers": 4}
    assert {"workers": 8} not in tried


def test_out_of_time_it_has_the_best_so_far() -> None:
    assert found(lambda workers, _batch: float(workers), most=2)[0] == {"workers": 6}
    assert found(lambda workers, _batch: float(workers), most=0)[0] == {}


def test_each_is_compared_with_the_best_so_far() -> None:
    told: list[Choice] = []

    def measure(_factor: Factor, choice: Choice, best: Choice) -> float:
        told.append(best)
        return 2.0 if choice == {"batch": 8} else 0.0

    search([BATCH, WORKERS], 0.1, measure)
    assert told == [{}, {"batch": 8}, {"batch": 8}]
