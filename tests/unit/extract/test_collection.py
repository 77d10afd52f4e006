"""What is in a collection: small documents whole, larger ones to be read, and what is none, each with its reason."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
import zstandard

from etl.errors import SourceError
from etl.extract.collection import RECORDS_PER_PACKED_BYTE, Found, documents
from etl.extract.member import SMALL_BYTES
from etl.extract.members import ArchiveLimits
from etl.extract.source import MANY, Source, expand
from tests.packing import ARCHIVES, pack

LIMITS = ArchiveLimits(250, 10**12)
LARGE = b"<r>" + b"<e>text</e>" * (SMALL_BYTES // 8) + b"</r>"

CHANGED = LARGE.replace(b"text", b"next", 1)


def opened(path: Path) -> Source:
    (source,) = expand([str(path)])
    return source


def found_in(path: Path) -> dict[str, Found]:
    """By the names within the collection; larger documents are read, as they must be before the next."""
    found = {}
    for each in documents(opened(path), LIMITS):
        found[each.label.removeprefix(f"{path}/")] = each
        if each.open is not None:
            with each.open() as reader:
                assert b"".join(reader) in (LARGE, CHANGED, b"<packed/>")
    return found


def many(**others: bytes) -> dict[str, bytes]:
    return {**{f"{number:03}.xml": b"<r>%d</r>" % number for number in range(MANY + 1)}, **others}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_members_come_in_order_and_whole(tmp_path: Path, kind: str) -> None:
    files = {"b.xml": b"<b/>", "a/large.xml": LARGE, "a.xml": b"\xef\xbb\xbf<a/>", "z.xml": "<z>é</z>".encode("utf-16")}
    found = found_in(pack(f"docs.{kind}", tmp_path, files))
    assert [*found] == [*files]
    assert [one.content for one in found.values()] == [b"<b/>", None, b"<a/>", "<z>é</z>".encode()]
    positions = [one.position for one in found.values()]
    assert positions[0] < len(LARGE)
    assert positions == sorted(positions)
    assert positions[-1] <= (tmp_path / f"docs.{kind}").stat().st_size
    assert found["a/large.xml"].records_most >= LARGE.count(b"<e>") + 1


def test_files_of_a_folder_are_known_by_their_content_alone(tmp_path: Path) -> None:
    folder = pack("docs", tmp_path, many(**{"a.xml": b"<same/>", "b.xml": b"<same/>"}))
    found = found_in(folder)
    assert len(found) == MANY + 3
    assert found["a.xml"].fingerprint == found["b.xml"].fingerprint == opened(folder / "a.xml").fingerprint()
    assert len({one.fingerprint for one in found.values()}) == MANY + 2


def test_members_are_known_by_name_and_content(tmp_path: Path) -> None:
    files = {"a.xml": b"<same/>", "b.xml": b"<same/>", "large.xml": LARGE}
    first = found_in(pack("docs.zip", tmp_path, files))
    assert first["a.xml"].fingerprint != first["b.xml"].fingerprint
    again = found_in(pack("other.tar.gz", tmp_path, files))
    assert again["a.xml"].fingerprint == first["a.xml"].fingerprint
    files["a.xml"] = b"<sane/>"
    files["large.xml"] = CHANGED
    changed = found_in(pack("docs.zip", tmp_path, files))
    assert changed["b.xml"].fingerprint == first["b.xml"].fingerprint
    assert changed["a.xml"].fingerprint != first["a.xml"].fingerprint
    assert changed["large.xml"].fingerprint != first["large.xml"].fingerprint


def test_a_large_member_is_known_by_what_it_begins_with_wherever_it_stands(tmp_path: Path) -> None:
    files = {"large.xml": LARGE}
    first = found_in(pack("docs.tar", tmp_path, files))
    # Same name, size and time; tars that are made to be the same again have no other.
    changed = found_in(pack("docs.tar", tmp_path, {"large.xml": CHANGED}))
    assert changed["large.xml"].fingerprint != first["large.xml"].fingerprint
    # So that the first MiB of the tar ends soon behind its beginning.
    before = {f"{number}.xml": b"<a>" + b" " * (200 << 10) + b"</a>" for number in range(5)}
    behind = found_in(pack("docs.tar", tmp_path, {**before, **files}))
    assert behind["large.xml"].fingerprint == first["large.xml"].fingerprint


def test_a_large_member_that_ends_too_early_to_be_known_is_a_problem(tmp_path: Path) -> None:
    path = pack("docs.tar", tmp_path, {"large.xml": LARGE})
    path.write_bytes(path.read_bytes()[: SMALL_BYTES // 8])
    reading = documents(opened(path), LIMITS)
    assert "is cut off: it ends at byte" in next(reading).problem
    with pytest.raises(SourceError, match="is cut off"):
        list(reading)


def test_compressed_documents_are_read(tmp_path: Path) -> None:
    packed = gzip.compress(b"<packed/>")
    (found,) = found_in(pack("docs.zip", tmp_path, {"a.xml.gz": packed})).values()
    assert (found.content, found.open) == (b"<packed/>", None)
    large = gzip.compress(LARGE)
    assert len(large) < SMALL_BYTES < len(LARGE)
    (found,) = found_in(pack("docs.zip", tmp_path, {"a.xml.gz": large})).values()
    assert (found.content, found.records_most) == (None, len(large) * RECORDS_PER_PACKED_BYTE)


BOMB_BYTES = 300 << 20


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    """Few bytes that make many: in a member that is read whole, and in one that is not."""
    spaces = b"<a>".ljust(BOMB_BYTES - 4) + b"</a>"
    small, large = zstandard.compress(spaces), gzip.compress(spaces)
    assert len(small) < SMALL_BYTES < len(large)
    return {"small": small, "large": large}


def read_on(path: Path, limits: ArchiveLimits) -> dict[str, tuple[int, str]]:
    """Of each compressed document how many bytes come out, and why no more; the others are as they should be."""
    came = {}
    for found in documents(opened(path), limits):
        if found.open is None:
            assert found.content in (b"<good/>", b"<packed/>")
            continue
        size, problem = 0, ""
        try:
            with found.open() as reader:
                for chunk in reader:
                    size += len(chunk)
        except SourceError as error:
            problem = str(error)
        came[found.label.removeprefix(f"{path}/")] = size, problem
    return came


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize("size", ["small", "large"])
def test_a_compressed_document_that_is_a_bomb_leaves_the_others(
    tmp_path: Path, bombs: dict[str, bytes], kind: str, size: str
) -> None:
    files = {"a.xml": b"<good/>", "bomb": bombs[size], "packed": gzip.compress(b"<packed/>"), "z.xml": b"<good/>"}
    found = read_on(pack(f"docs.{kind}", tmp_path, files), LIMITS)
    made, problem = found["bomb"]
    assert made < 200 << 20
    assert re.search(
        r"/bomb is not read: \d+ compressed bytes make \d+ bytes or more.*limits\.archive_ratio allows \(250 ", problem
    )


def test_a_bomb_in_a_bomb_is_measured_by_what_the_archive_has(tmp_path: Path, bombs: dict[str, bytes]) -> None:
    files = {"a.xml": b"<good/>", "bomb": bombs["large"]}
    trusted = ArchiveLimits(1100, 10**12)
    assert read_on(pack("docs.tar", tmp_path, files), trusted)["bomb"] == (BOMB_BYTES, "")
    assert "limits.archive_ratio" in read_on(pack("docs.zip", tmp_path, files), trusted)["bomb"][1]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_compressed_documents_are_a_part_of_what_an_archive_holds(
    tmp_path: Path, bombs: dict[str, bytes], kind: str
) -> None:
    files = {"first": bombs["small"], "second": bombs["small"], "z.xml": b"<good/>"}
    path = pack(f"docs.{kind}", tmp_path, files)
    found = read_on(path, ArchiveLimits(10**9, 450 << 20))
    assert found["first"] == (BOMB_BYTES, "")
    assert found["second"][0] < 150 << 20
    assert re.match(rf"{re.escape(str(path))} holds \d+ bytes or more, .*limits\.archive_bytes", found["second"][1])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"text", "not XML"),
        (b"\x89PNG\r\n", "not XML"),
        (b"{}", "not XML"),
        (ARCHIVES["zip"]({"a.xml": b"<a/>"}), "a zip archive in it"),
        (ARCHIVES["tar"]({"a.xml": b"<a/>"}), "a tar archive in it"),
    ],
)
@pytest.mark.parametrize("kind", ["docs.zip", "docs"])
def test_what_is_no_document_says_why(tmp_path: Path, content: bytes, why: str, kind: str) -> None:
    found = found_in(pack(kind, tmp_path, many(other=content)))
    assert found["other"].skipped == why
    assert (found["other"].content, found["other"].open) == (None, None)
    assert [name for name, one in found.items() if one.skipped] == ["other"]


@pytest.mark.parametrize("content", [b"<a>\xff</a>", b"<?xml version='1.0' encoding='none'?><a/>"])
def test_what_cannot_be_decoded_is_a_problem_of_its_own(tmp_path: Path, content: bytes) -> None:
    found = found_in(pack("docs.zip", tmp_path, {"a.xml": content, "b.xml": b"<b/>"}))
    assert found["b.xml"].content == b"<b/>"
    one = found["a.xml"]
    # Bytes that are no UTF-8 are seen where records are read.
    assert one.problem or one.content == content


def test_a_collection_without_a_document_says_so(tmp_path: Path) -> None:
    path = pack("docs.zip", tmp_path, {"a": b"text", "b": b"", "c": b"more text"})
    with pytest.raises(SourceError) as error:
        list(documents(opened(path), LIMITS))
    assert str(error.value) == (
        f"{path} holds no XML document: 3 files skipped (1 empty: {path}/b; 2 not XML: {path}/a, ...)."
    )


def test_an_archive_that_is_changed_meanwhile_says_so(tmp_path: Path) -> None:
    path = pack("docs.tar", tmp_path, many())
    reading = documents(opened(path), LIMITS)
    next(reading)
    with path.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(SourceError, match="was changed while it was read"):
        list(reading)


def test_a_file_that_cannot_be_read_keeps_the_others_not_out(tmp_path: Path) -> None:
    folder = pack("docs", tmp_path, many())
    source = opened(folder)
    (folder / "050.xml").unlink()
    found = list(documents(source, LIMITS))
    assert [one.problem for one in found if one.problem] == [f"There is no file {folder}/050.xml."]
    assert sum(one.content is not None for one in found) == MANY


@pytest.mark.parametrize("kind", ARCHIVES)
def test_large_members_are_passed_over_only_where_they_are_no_xml_and_not_named_so(tmp_path: Path, kind: str) -> None:
    text = b"Dear Sir or Madam," * (SMALL_BYTES // 10)
    path = pack(f"docs.{kind}", tmp_path, {"named.xml": text, "letter": text, "late": b"\n" * 5000 + LARGE})
    skipped = {each.label.removeprefix(f"{path}/"): each.skipped for each in documents(opened(path), LIMITS)}
    assert skipped == {"named.xml": "", "letter": "not XML", "late": ""}
