"""Small documents of any form: the same rows, keys and rejects, whatever they are packed in and however loaded."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from etl.errors import CallbackError
from etl.native import SWITCH
from tests.property.collections_loaded import KINDS, Loaded, Packed, chosen, loaded, one_by_one
from tests.property.small_documents import CHILDREN, RECORDS, SmallDocument, every_form, small_documents, without_twins
from tests.property.test_end_to_end import emptied

FEW = settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    # Each example is several loads: to look for a smaller one takes minutes, and they are small.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
SOME = settings(FEW, max_examples=8)
MANY = settings(FEW, max_examples=25)

SPLITS = st.sampled_from([1, 40, 700, 4000, 256 * 2**10, 16 * 2**20])
BATCHES = st.sampled_from([1, 7, 50_000])
RUNS = st.sampled_from(["one", "limit", "stopped", "stopped twice"])


def load_in_runs(packed: Packed, url: str, runs: str, place: int, **sections: Any) -> Loaded:
    """Load in one run, or in several of which all but the last are ended somewhere; what is there in the end."""
    how = chosen(**sections)
    if runs == "limit":
        packed.load(url, how, limit=place)
    for time in range(("one", "stopped", "stopped twice").index(runs) if runs != "limit" else 0):
        _stop(packed, url, place + time, sections)
    report = packed.load(url, how)
    if report.state == "nothing to do":  # the run that was to be stopped had come to its end
        return packed.loaded(url)
    return packed.check(url, report)


def _stop(packed: Packed, url: str, commits: int, sections: dict[str, Any]) -> None:
    def stop(_committed: object) -> None:
        nonlocal commits
        commits -= 1
        if commits <= 0:
            raise InterruptedError

    # So many commits that there is something left to do.
    how = chosen(**{**sections, "insert": {"batch_records": 3, "threads": 1, "max_wait": "1ms"}})
    with contextlib.suppress(CallbackError):
        packed.load(url, how, on_batch=stop)


@SOME
@given(small_documents(), st.booleans())
def test_what_they_are_packed_in_makes_no_difference(documents: list[SmallDocument], roots: bool) -> None:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            packed = Packed(Path(folder), kind, without_twins(documents), roots=roots)
            url = packed.url(kind)
            found[kind] = packed.check(url, packed.load(url))
    assert dict.fromkeys(KINDS, found["docs"]) == found


@MANY
@given(
    documents=small_documents(),
    roots=st.booleans(),
    kind=st.sampled_from(KINDS),
    split=SPLITS,
    batch=BATCHES,
    threads=st.booleans(),
    compiled=st.booleans(),
    runs=RUNS,
    place=st.integers(1, 40),
)
def test_how_they_are_loaded_makes_no_difference(
    documents: list[SmallDocument],
    roots: bool,
    kind: str,
    split: int,
    batch: int,
    threads: bool,
    compiled: bool,
    runs: str,
    place: int,
) -> None:
    sections: dict[str, Any] = {"split": {"bytes": split}, "insert": {"batch_records": batch}}
    if threads:
        sections |= {"workers": {"kind": "thread", "count": 2}}
    with tempfile.TemporaryDirectory() as folder:
        packed = Packed(Path(folder), kind, documents, roots=roots)
        expected = packed.check(packed.url(), packed.load(packed.url()))
        with pytest.MonkeyPatch.context() as patch:
            if not compiled:
                patch.setenv(SWITCH, "0")
            found = load_in_runs(packed, packed.url("other"), runs, place, **sections)
        assert found == expected


@pytest.mark.parametrize("roots", [False, True], ids=["below roots", "roots"])
@pytest.mark.parametrize("kind", ["docs", "docs.tar.gz"])
@pytest.mark.usefixtures("both_ways")
def test_processes_make_no_difference(tmp_path: Path, kind: str, roots: bool) -> None:
    packed = Packed(tmp_path, kind, every_form(), roots=roots)
    expected = packed.check(packed.url(), packed.load(packed.url()))
    how = {"split": {"bytes": 1000}, "workers": {"kind": "process", "count": 2}}
    found = load_in_runs(packed, packed.url("other"), "limit", 70, **how)
    assert found == expected


@FEW
@given(
    documents=small_documents(),
    roots=st.booleans(),
    kind=st.sampled_from(KINDS),
    split=SPLITS,
    runs=RUNS,
    place=st.integers(1, 40),
)
def test_postgresql_makes_no_difference(
    documents: list[SmallDocument], roots: bool, kind: str, split: int, runs: str, place: int, postgres_url: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        packed = Packed(Path(folder), kind, documents, roots=roots)
        expected = packed.check(packed.url(), packed.load(packed.url()))
        found = load_in_runs(packed, emptied(postgres_url), runs, place, split={"bytes": split})
    assert found == expected


def test_the_documents_one_by_one_make_no_difference_but_for_keys(tmp_path: Path) -> None:
    packed = Packed(tmp_path, "docs", every_form(), roots=True)
    packed.load(packed.url())
    single = one_by_one(packed, packed.url("single"))
    names = {one.name for one in packed.own}
    found = _by_place(packed.loaded(packed.url()), names)
    assert _by_place(loaded(packed.url("single"), f"{single}/"), names) == found


def _by_place(found: Loaded, names: set[str]) -> dict[str, list[Any]]:
    """Rows of these documents, by their documents and numbers in these, in place of keys."""
    own = {row[0]: row[-4:] for table in RECORDS for row in found.rows[table] if row[-4] in names}
    records = {table: sorted(row[1:] for row in found.rows[table] if row[0] in own) for table in RECORDS}
    children = {table: [row for row in found.rows[table] if row[0] in own] for table in CHILDREN}
    return records | {table: sorted((own[row[0]], *row[1:]) for row in rows) for table, rows in children.items()}
