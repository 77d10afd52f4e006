"""Surveys of sources: what is in them, from where, in whatever encoding and shape."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etl.errors import SourceError
from etl.extract.source import expand
from etl.inference import document, tally
from etl.inference.openable import openables
from etl.inference.profile import ElementProfile, Profile
from etl.inference.survey import survey
from tests.surveys import surveyed

SAMPLES = Path(__file__).parents[3] / "env_prep" / "sample"


def survey_of(*paths: Path, sample_bytes: int | None = None) -> Profile:
    return survey(openables(expand([str(path) for path in paths])), sample_bytes=sample_bytes, on_bytes=lambda _: None)


def counts(element: ElementProfile, path: str = "") -> Iterator[tuple[str, int]]:
    path = f"{path}/{element.tag}"
    yield path, element.count
    for child in element.children.values():
        yield from counts(child, path)


def test_what_is_counted() -> None:
    profile = surveyed(
        b"<list>head<rec id='1'><name>a</name><name> b </name><flag/></rec>tail"
        b"<rec id='2' x=''><name>c<b/>d</name></rec>  <rec/></list>"
    )
    (root,) = profile.roots.values()
    assert (root.tag, root.depth, root.count, root.parents, root.most, root.mixed) == ("list", 0, 1, 1, 1, 1)
    rec = root.children["rec"]
    assert (rec.count, rec.parents, rec.most, rec.leaves, rec.mixed) == (3, 1, 3, 1, 0)
    assert list(rec.attributes) == ["id", "x"]
    assert rec.attributes["id"].examples == ["1", "2"]
    name = rec.children["name"]
    assert (name.count, name.parents, name.most, name.leaves, name.mixed) == (3, 2, 2, 2, 1)
    assert name.text.examples == ["a", "b"]
    assert (rec.children["flag"].text.count, rec.children["flag"].text.empty) == (1, 1)


def test_namespaces_nil_cdata_comments_and_declarations() -> None:
    profile = surveyed(
        b"<!DOCTYPE r [<!ENTITY e 'ent'><!ATTLIST a kind CDATA 'default'>]>"
        b"<r xmlns='urn:d' xmlns:p='urn:p' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>"
        b"<a p:k='1' xmlns:q='urn:p'>x<!-- <no/> -->y<?pi?><![CDATA[<z>]]>&e;</a>"
        b"<a xsi:nil='true'/><a xsi:nil=' 1 '/><a xsi:nil='false'/><bad:a/></r>"
    )
    root = profile.roots["{urn:d}r"]
    element = root.children["{urn:d}a"]
    assert element.text.examples == ["xy<z>ent"]
    assert element.text.nil == 2
    assert element.attributes["kind"].examples == ["default"]
    assert list(element.attributes)[:1] == ["{urn:p}k"]
    assert profile.prefixes == {"urn:d": "", "urn:p": "p", "http://www.w3.org/2001/XMLSchema-instance": "xsi"}
    assert (root.others, profile.skipped) == (1, 1)  # a prefix that is not declared
    assert "bad" in profile.first_problem


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
@pytest.mark.parametrize("compressed", [False, True])
def test_encodings_and_compression(encoding: str, compressed: bool, tmp_path: Path) -> None:
    declared = "" if encoding.startswith("utf-8") else f"<?xml version='1.0' encoding='{encoding}'?>"
    data = f"{declared}<r><a>Évora</a></r>".encode(encoding)
    path = tmp_path / "dump"
    path.write_bytes(gzip.compress(data) if compressed else data)
    profile = survey_of(path)
    assert profile.roots["r"].children["a"].text.examples == ["Évora"]
    assert profile.whole


def test_many_documents_are_one_profile(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number:03}.xml").write_text(f"<doc id='{number}'><t/></doc>" if number else "<other/>")
    profile = survey_of(tmp_path)
    assert profile.documents == 300
    assert {tag: root.count for tag, root in profile.roots.items()} == {"other": 1, "doc": 299}
    doc = profile.roots["doc"]
    assert (doc.parents, doc.most, doc.children["t"].parents) == (299, 1, 299)
    assert str(doc.attributes["id"].guess().type) == "bigint"


def test_sources_share_a_sample(tmp_path: Path) -> None:
    big = "<r>" + "<a>1</a>" * 300_000 + "</r>"
    for name in ("1.xml", "2.xml", "3.xml"):
        (tmp_path / name).write_text(big if name != "2.xml" else "<r><b/></r>")
    profile = survey_of(tmp_path, sample_bytes=1_500_000)
    assert (profile.documents, profile.whole) == (3, False)
    assert 1_100_000 <= profile.bytes <= 1_600_000
    (root,) = profile.roots.values()
    assert (root.count, root.children["b"].count) == (3, 1)
    assert root.children["a"].parents == 2


def test_progress_is_told(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_text("<r>" + "<a/>" * 200_000 + "</r>")
    seen: list[int] = []
    profile = survey(openables(expand([str(path)])), sample_bytes=None, on_bytes=seen.append)
    assert len(seen) > 2
    assert sum(seen) == profile.bytes == path.stat().st_size


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b" \n", "nothing but white space"),
        (b"hello", "is not XML"),
        (b"<!-- only a comment -->", "holds no XML element"),
        (b"<r a=1></r>", "No element could be read"),
    ],
)
def test_what_is_no_document(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=message):
        survey_of(path)


def test_a_cut_off_source_counts_up_to_there(tmp_path: Path) -> None:
    data = gzip.compress(("<r>" + "".join(f"<a><b>{n * 7919}</b></a>" for n in range(100_000)) + "</r>").encode())
    path = tmp_path / "dump.xml.gz"
    path.write_bytes(data[: len(data) // 2])
    profile = survey_of(path)
    root = profile.roots["r"]
    assert root.count == 1
    assert root.children["a"].count > 10_000
    assert not profile.whole
    assert profile.skipped == 1
    assert "cut off" in profile.first_problem


def test_broken_records_are_passed_over() -> None:
    dirty = survey_of(SAMPLES / "catalog-dirty.xml.gz")
    clean = survey_of(SAMPLES / "catalog.xml.gz")
    assert dirty.skipped == 12  # what a load rejects as malformed, and for an entity that is not defined
    assert dirty.first_problem.startswith(f"{SAMPLES / 'catalog-dirty.xml.gz'}, line 509:")
    dirty_counts, clean_counts = (dict(counts(profile.roots["catalogue"])) for profile in (dirty, clean))
    assert dirty_counts.keys() == clean_counts.keys()
    assert dirty_counts["/catalogue/releases/release"] == clean_counts["/catalogue/releases/release"] - 12


def test_what_follows_a_broken_record_is_seen_also_of_another_kind() -> None:
    whole = "<article><title>a</title></article>"
    broken = ("<article><title>&uuml;</title></article>", "<article><title>a</article>")
    for record in broken:
        profile = surveyed(f"<dblp>{whole * 3}{record}<www><url>u</url></www><!-- </dblp> --><phd/></dblp>".encode())
        seen = dict(counts(profile.roots["dblp"]))
        assert seen.keys() == {
            f"/dblp{path}" for path in ("", "/article", "/article/title", "/www", "/www/url", "/phd")
        }
        assert (seen["/dblp/article"], seen["/dblp/www"], seen["/dblp/phd"]) == (3, 1, 1)


def test_a_missing_end_tag_is_not_taken_for_recursion() -> None:
    records = [f"<rec><a>{number}</a></rec>" for number in range(50_000)]
    records[777] = "<rec><a>777</a>"
    profile = surveyed(f"<r>{''.join(records)}</r>".encode())
    rec = profile.roots["r"].children["rec"]
    assert (profile.skipped, rec.count, list(rec.children)) == (1, 49_999, ["a"])


def test_real_recursion_is_seen() -> None:
    profile = surveyed(b"<r>" + b"<part><part><x/></part></part>" * 3 + b"<part/>" * 50 + b"</r>")
    late = surveyed(b"<r>" + b"<part/>" * 50 + b"<part><part><x/></part></part>" * 3 + b"</r>")
    for found in (profile, late):
        part = found.roots["r"].children["part"]
        assert (found.skipped, part.count, part.children["part"].count) == (0, 53, 3)


def test_depth_is_limited_and_never_a_crash() -> None:
    def deep(levels: int) -> bytes:
        return b"<r>" + b"<a>" * levels + b"</a>" * levels + b"<b/>" * 500 + b"</r>"

    profile = surveyed(deep(1900))
    element, depth = profile.roots["r"], 0
    while "a" in element.children:
        element, depth = element.children["a"], depth + 1
    assert (depth, element.others, profile.skipped) == (tally.MAX_DEPTH, 1, 0)
    hopeless = surveyed(deep(10_000))
    assert 0 < hopeless.skipped < 20
    assert hopeless.roots["r"].count == 1


def test_names_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MAX_PATHS", 1000)
    elements = "".join(f"<n{number} a{number}='1'><x/></n{number}>" for number in range(2000))
    long = "n" * (tally.MAX_NAME_LENGTH + 1)
    profile = surveyed(f"<r>{elements}<{long}/></r>".encode())
    (root,) = profile.roots.values()
    known = len(list(counts(root))) + sum(len(child.attributes) for child in root.children.values())
    assert known <= 1000
    assert root.others == 2001 - len(root.children)


def big_record() -> Iterator[bytes]:
    yield b"<r><rec>"
    for number in range(400):
        yield b"".join(b"<item k='%d'>value %d</item>" % (n, n % 7) for n in range(number * 900, number * 900 + 900))
    yield b"</rec></r>"


def big_text() -> Iterator[bytes]:
    yield b"<r><rec>"
    yield from [b"text " * 20_000] * 150
    yield b"</rec><rec><x/>"
    yield from [b"text " * 20_000] * 50
    yield b"</rec></r>"


def big_comment() -> Iterator[bytes]:
    yield b"<r><!-- "
    yield from [b"<rec> & " * 10_000] * 150
    yield b"--><rec/></r>"


def flat_root() -> Iterator[bytes]:
    yield b"<r>"
    yield from [b"<a>12</a>" * 10_000] * 150
    yield b"</r>"


@pytest.mark.parametrize("content", [big_record, big_text, flat_root])
def test_memory_does_not_grow_with_the_document(content: Callable[[], Iterator[bytes]], tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes(b"".join(content()))
    tracemalloc.start()
    try:
        profile = survey_of(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert profile.skipped == 0
    assert profile.bytes == path.stat().st_size > 11_000_000
    # Python's share alone: values that wait, chunks that were read ahead, the elements of a piece.
    assert peak < 90_000_000


def test_long_texts_are_measured() -> None:
    profile = surveyed(b"".join(big_text()))
    rec = profile.roots["r"].children["rec"]
    assert rec.text.longest == 150 * 5 * 20_000 - 1
    assert (rec.leaves, rec.mixed) == (1, 1)


def test_long_comments_are_passed() -> None:
    profile = surveyed(b"".join(big_comment()))
    assert (profile.skipped, profile.roots["r"].children["rec"].count) == (0, 1)


def test_a_comment_without_end_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_TAG_BYTES", 1 << 20)
    profile = surveyed(b"<r>" + b"<rec/>" * 100 + b"<!-- " + b"<rec/>" * 1_000_000)
    assert (profile.skipped, profile.roots["r"].children["rec"].count) == (1, 100)
    assert "has no end" in profile.first_problem


def test_large_elements_have_a_size() -> None:
    profile = surveyed(b"".join(big_record()))
    root = profile.roots["r"]
    assert root.children["rec"].bytes > 8_000_000
    assert root.children["rec"].children["item"].bytes == 0


@pytest.mark.parametrize("name", ["a\x01b", "x:", "a:b:c", "a,b", "\ufffe"])
def test_a_root_element_needs_a_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_text(f"<?xml version='1.0'?>\n<{name}><c/></{name}>", encoding="utf-8")
    with pytest.raises(SourceError, match=r"dump\.xml, line 2: the root element is named '.*', which is no name"):
        survey_of(path)


@pytest.mark.parametrize("name", ["é", "_a.b-c", "p:日本", "\U00010400x"])
def test_names_of_other_languages_are_names(name: str) -> None:
    (root,) = surveyed(f"<{name} xmlns:p='urn:p'><c/></{name}>".encode()).roots.values()
    assert root.count == 1


@pytest.mark.parametrize("bad", ["a.xml", "z.xml"])
@pytest.mark.parametrize("content", [b"", b"Dear Sir or Madam,\n", b"<a\x01b><c/></a\x01b>", b"\x1f\x8b broken"])
def test_one_bad_file_does_not_keep_the_others_out(bad: str, content: bytes, tmp_path: Path) -> None:
    for name in ("b.xml", "c.xml"):
        (tmp_path / name).write_text("<r><rec/><rec/></r>")
    (tmp_path / bad).write_bytes(content)
    profile = survey_of(tmp_path)
    assert (profile.documents, profile.skipped, profile.whole) == (2, 1, False)
    assert profile.roots["r"].children["rec"].count == 4
    assert bad in profile.first_problem


def test_nothing_but_bad_files_is_an_error(tmp_path: Path) -> None:
    for name in ("a.xml", "b.xml"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(SourceError, match=r"b\.xml is empty\.$"):
        survey_of(tmp_path)


def test_all_was_looked_at_though_something_stands_behind_the_root(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_text("<r><rec/><rec/></r> junk")
    profile = survey_of(path)
    assert (profile.whole, profile.skipped) == (True, 1)
    path.write_text("<r><rec/><rec/></r> junk" + "<r><rec/></r>" * 100_000)
    assert not survey_of(path).whole


def test_a_sample_that_takes_all_is_not_called_a_sample(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_text("<r><rec/><rec/></r>")
    assert survey_of(path, sample_bytes=path.stat().st_size).whole


def test_a_large_element_counts_also_where_it_is_cut_off(tmp_path: Path) -> None:
    small = b"<table><row><n>1</n></row></table>" * 20
    (tmp_path / "dump.xml").write_bytes(
        b"<dump>" + small + b"<table>" + b"<row><n>1</n></row>" * 200_000 + b"</table></dump>"
    )
    for sample_bytes in (None, 2 << 20):
        table = survey_of(tmp_path / "dump.xml", sample_bytes=sample_bytes).roots["dump"].children["table"]
        assert table.largest > 700_000
        assert table.children["row"].most > 20_000
