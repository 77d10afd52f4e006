"""Inferring a mapping for a run: what is shown meanwhile, and a file that is whole, or not there, and nobody else's."""

from __future__ import annotations

import errno
import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from etl.errors import SourceError
from etl.extract.source import expand
from etl.mapping.reader import read_mapping
from etl.mapping_choice import SAMPLE_BYTES, infer_text, inferred_mapping
from etl.metrics import Snapshot
from etl.report import UNSAVED
from tests.integration.bad_input import document, item

DOCUMENT = document(*map(item, range(1, 200)))


class Shown:
    """Keeps what a progress display is given."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.snapshot: Callable[[], Snapshot] | None = None
        self.stops = 0

    def start(self, snapshot: Callable[[], Snapshot]) -> None:
        self.snapshot = snapshot

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def stop(self) -> None:
        self.stops += 1


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "items.xml").write_bytes(DOCUMENT)
    (tmp_path / "items.xml.gz").write_bytes(gzip.compress(DOCUMENT))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "full", "total"),
    [
        ("items.xml", False, len(DOCUMENT)),
        ("items.xml", True, len(DOCUMENT)),
        ("items.xml.gz", False, SAMPLE_BYTES),
        ("items.xml.gz", True, None),
    ],
)
def test_progress_counts_bytes_of_the_documents(folder: Path, name: str, full: bool, total: int | None) -> None:
    shown = Shown()
    infer_text(expand([name]), full=full, progress=shown)
    assert shown.snapshot is not None
    now = shown.snapshot()
    assert (now.position, now.total, now.activity) == (len(DOCUMENT), total, "inferring a mapping")
    assert shown.stops == 1
    assert shown.notes[0].startswith("Inferred the table item from all of the document (")


def test_a_display_ends_with_what_cannot_be_read(folder: Path) -> None:
    shown = Shown()
    (folder / "items.xml").write_bytes(b"")
    with pytest.raises(SourceError, match="is empty"):
        infer_text(expand(["items.xml"]), full=False, progress=shown)
    assert shown.stops == 1
    assert shown.notes == []


def _without_links(_from: object, _to: object) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


@pytest.mark.parametrize("links", [True, False])
def test_a_saved_mapping_is_whole_and_replaces_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _without_links)
    found = expand(["items.xml"])
    mapping = inferred_mapping(found, Path("mine.yaml"), Shown())
    assert mapping == read_mapping(Path("mine.yaml"))

    (folder / "theirs.yaml").write_text("precious")
    shown = Shown()
    again = inferred_mapping(found, Path("theirs.yaml"), shown)
    assert (again.label, again.text) == (UNSAVED, mapping.text)
    assert (folder / "theirs.yaml").read_text() == "precious"
    assert "is not saved as theirs.yaml" in shown.notes[-1]
    assert {file.name for file in folder.iterdir()} == {"items.xml", "items.xml.gz", "mine.yaml", "theirs.yaml"}


def test_a_stop_while_the_mapping_is_written_leaves_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        inferred_mapping(expand(["items.xml"]), Path("mine.yaml"), Shown())
    assert {file.name for file in folder.iterdir()} == {"items.xml", "items.xml.gz"}
