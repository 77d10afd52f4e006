"""What a sample sees of files that are larger than it."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from env_prep.generate_dump import write_dump
from etl.extract.source import expand
from etl.inference.openable import openables
from etl.inference.profile import ElementProfile, Profile
from etl.inference.sample import can_be_sought
from etl.inference.survey import survey


def sample_of(path: Path, sample_bytes: int | None) -> Profile:
    return survey(openables(expand([str(path)])), sample_bytes=sample_bytes, on_bytes=lambda _: None)


def paths(element: ElementProfile, path: str = "") -> Iterator[str]:
    path = f"{path}/{element.tag}"
    yield path
    yield from (f"{path}/@{name}" for name in element.attributes)
    for child in element.children.values():
        yield from paths(child, path)


def all_paths(profile: Profile) -> set[str]:
    return {path for root in profile.roots.values() for path in paths(root)}


def map_data() -> str:
    """Kinds of records one behind the other under the root, as OpenStreetMap sorts them."""
    nodes = "".join(f' <node id="{n}" lat="{n}.5"><tag k="k" v="v"/></node>\n' for n in range(60_000))
    ways = "".join(f' <way id="{n}"><nd ref="{n}"/><tag k="k" v="v"/></way>\n' for n in range(9_000))
    relations = "".join(f' <relation id="{n}"><member ref="{n}"/></relation>\n' for n in range(700))
    return f'<osm version="1">\n<bounds x="1"/>{nodes}{ways}{relations}<relation id="-1"><odd/></relation></osm>\n'


def wrapped() -> str:
    """Kinds of records under wrappers of their own; names mean different things in different places."""
    labels = "".join(f"<label id='{n}'><name>n</name></label>\n" for n in range(20_000))
    releases = "".join(
        f"<release id='{n}'><title>t</title><track><name>x</name></track></release>" for n in range(40_000)
    )
    artists = "".join(f"<artist id='{n}'><name>a</name><label>l</label></artist>\n" for n in range(5_000))
    return f"<c><head><name>h</name></head><labels>{labels}</labels><rs>{releases}</rs><as>{artists}</as><end/></c>"


@pytest.mark.parametrize("document", [map_data, wrapped])
def test_kinds_that_come_late_are_seen_in_their_places(document: Callable[[], str], tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_text("\ufeff" + document(), "utf-8")
    whole = sample_of(path, None)
    sample = sample_of(path, 600_000)
    assert all_paths(sample) == all_paths(whole)
    assert (sample.whole, sample.skipped) == (False, 0)
    assert 400_000 < sample.bytes < 900_000
    (root,) = sample.roots.values()
    assert root.count == 1
    records = [child for child in (root, *root.children.values()) for child in child.children.values()]
    for record in records:
        if "id" in record.attributes:
            assert record.attributes["id"].unique, f"{record.tag}: bytes were looked at twice"


def test_a_sample_of_one_kind(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    with path.open("wb") as file:
        write_dump("nested", file.write, size=6_000_000)
    whole, sample = sample_of(path, None), sample_of(path, 1_000_000)
    assert all_paths(sample) == all_paths(whole)
    release = sample.roots["releases"].children["release"]
    assert release.count == release.most
    assert release.attributes["id"].unique
    assert sample.roots["releases"].bytes > 5_000_000


def test_what_cannot_be_sought_is_sampled_from_its_beginning(tmp_path: Path) -> None:
    data = map_data()
    (tmp_path / "dump.xml.gz").write_bytes(gzip.compress(data.encode()))
    (tmp_path / "dump.xml").write_text("<?xml version='1.0' encoding='utf-16'?>" + data, "utf-16")
    (tmp_path / "latin.xml").write_text("<?xml version='1.0' encoding='iso-8859-1'?>" + data, "latin-1")
    (tmp_path / "plain.xml").write_text("<?xml version='1.0' encoding='UTF-8'?>" + data, "utf-8")
    for source in expand([str(tmp_path)]):
        assert can_be_sought(*openables([source])) == source.label.endswith("plain.xml")
        if not source.label.endswith("plain.xml"):
            sample = survey(openables([source]), sample_bytes=300_000, on_bytes=lambda _: None)
            assert not sample.whole
            assert "/osm/relation" not in all_paths(sample)
            assert sample.roots["osm"].children["node"].count > 1000


def test_broken_records_further_in(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    records = "".join(f"<rec><a>{n} {'&' if n % 50 == 0 else ''} x</a></rec>" for n in range(100_000))
    path.write_text(f"<r>{records}</r>")
    sample = sample_of(path, 300_000)
    assert all_paths(sample) == {"/r", "/r/rec", "/r/rec/a"}
    assert sample.skipped > 10
    assert sample.roots["r"].children["rec"].count > 1000
