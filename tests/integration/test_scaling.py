"""Loads that find the number of their workers and the size of their batches by themselves."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import etl
from env_prep.postgres_proxy import Proxy
from etl import stages
from etl.loading.batch_size import LEAST, SAMPLE, BatchSize
from etl.messages import Committed
from etl.options import build_settings
from etl.scaling import Scaler
from performance_tuning.benchmarks.common.delayed_commits import DelayedCommits
from tests.integration.bad_input import MAPPING, document, item


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    file = tmp_path / "items.mapping.yaml"
    file.write_text(MAPPING)
    return file


def test_batches_grow_while_commits_are_dear(
    tmp_path: Path, mapping: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    delay, told = 0.1, list[Committed]()

    class OfCommitsAlone(BatchSize):
        """Goes by transactions without their rows: how long this machine takes over these decides nothing."""

        def after(self, committed: Committed) -> None:
            told.append(committed)
            super().after(replace(committed, seconds=committed.commit_seconds))

    monkeypatch.setattr(stages, "FIRST", LEAST)
    monkeypatch.setattr(stages, "BatchSize", partial(OfCommitsAlone, row_bytes=LEAST))
    source = tmp_path / "items.xml"
    source.write_bytes(document(*(item(number, b"%050000d" % number) for number in range(1, 201))))
    # Nothing but the size decides when a batch is written.
    settings = build_settings(
        {
            "workers": {"kind": "thread"},
            "queue": {"max_bytes": "64MiB"},
            "insert": {"batch_bytes": "auto", "threads": 1, "max_wait": "1h"},
        }
    )
    batches: list[Committed] = []
    with Proxy(postgres_url, DelayedCommits(delay)) as proxy:
        report = etl.load(source, mapping=mapping, target=proxy.url, settings=settings, on_batch=batches.append)
    assert report.tables["item"] == 200
    assert told == batches
    assert all(delay < batch.commit_seconds < batch.seconds for batch in batches)
    sizes = [batch.source_bytes for batch in batches]
    assert max(sizes[:SAMPLE]) < 1.1 * LEAST
    assert 1.5 * LEAST < max(sizes) < 2.1 * LEAST


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_workers_are_added_while_a_load_runs(
    tmp_path: Path, mapping: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(stages, "Scaler", partial(Scaler, interval=0.001))
    source = tmp_path / "items.xml"
    source.write_bytes(document(*(item(number, b"%0200d" % number) for number in range(1, 20_001))))
    settings = build_settings({"workers": {"kind": kind, "count": {"min": 1, "max": 3}}, "split": {"bytes": 4096}})
    report = etl.load(source, mapping=mapping, target="memory://", settings=settings)
    assert report.rows is not None
    assert [row["id"] for row in report.rows["item"]] == list(range(1, 20_001))
    assert report.metrics is not None
    assert 1 < report.metrics.most_workers <= 3


@pytest.mark.parametrize("count", [2, {"min": 2, "max": 2}])
def test_a_number_that_is_fixed_is_not_watched(
    tmp_path: Path, mapping: Path, monkeypatch: pytest.MonkeyPatch, count: object
) -> None:
    monkeypatch.setattr(stages, "Scaler", None)
    source = tmp_path / "items.xml"
    source.write_bytes(document(item(1)))
    settings = build_settings({"workers": {"kind": "thread", "count": count}})
    report = etl.load(source, mapping=mapping, target="memory://", settings=settings)
    assert report.metrics is not None
    assert report.metrics.most_workers == 2
