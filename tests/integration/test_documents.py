"""Archives and folders of many small documents: the same rows as of the documents one by one, and what is none."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import etl
from etl.errors import SourceError, SourceHeld, TargetError
from etl.extract.member import SMALL_BYTES
from etl.extract.source import MANY
from etl.messages import Committed
from etl.options import Settings, build_settings
from etl.report import DocumentsReport, LoadReport
from tests.acceptance.contents import query
from tests.command import etl as command
from tests.packing import ARCHIVES, pack, tarred, zipped

MAPPING = """\
version: 1
tables:
  item:
    each: /items/item
    columns:
      id:     {path: "@id", type: integer, required: true}
      name:   name
      of:     {meta: source}
      line:   {meta: line}
      offset: {meta: offset}
      record: {meta: record}
  part:
    parent: item
    each: part
    columns: {text: "."}
"""
KINDS = ("docs.zip", "docs.tar", "docs.tar.gz", "docs.tar.zst", "docs")
SMALL = 150
PER_DOCUMENT = 3
LARGE_RECORDS = 4000

Row = tuple[Any, ...]


def record(number: int) -> bytes:
    return b'<item id="%d"><name>n%d</name><part>a%d</part><part>b</part></item>' % (number, number, number)


def document(*numbers: int) -> bytes:
    return b"<items>\n" + b"\n".join(map(record, numbers)) + b"\n</items>\n"


def small(count: int = SMALL) -> dict[str, bytes]:
    """Documents of a few records each, by name."""
    numbers = range(1, count * PER_DOCUMENT + 1)
    return {
        f"{place:04}.xml": document(*numbers[place * PER_DOCUMENT : (place + 1) * PER_DOCUMENT])
        for place in range(count)
    }


def with_large() -> dict[str, bytes]:
    """A document that is read in pieces, among small ones."""
    files = {**small(), "0077-large.xml": document(*range(10_000, 10_000 + LARGE_RECORDS))}
    return dict(sorted(files.items()))


def ids(files: dict[str, bytes]) -> list[int]:
    return sorted(int(piece.split(b'"')[0]) for content in files.values() for piece in content.split(b'id="')[1:])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "items.yaml").write_text(MAPPING)
    return tmp_path


def chosen(**sections: dict[str, object]) -> Settings:
    return build_settings({"workers": {"kind": "inline"}, **sections})


def load(place: Path, url: str, *sources: Path, how: Settings | None = None, **options: Any) -> LoadReport:
    return etl.load(list(sources), mapping=place / "items.yaml", target=url, settings=how or chosen(), **options)


def load_broken(place: Path, url: str, *sources: Path, how: Settings | None = None) -> tuple[LoadReport, str]:
    """What is loaded of sources that are not whole, and the sentence."""
    with pytest.raises(SourceError) as error:
        load(place, url, *sources, how=how)
    report = error.value.report
    assert isinstance(report, LoadReport)
    return report, str(error.value)


def execute(url: str, *statements: str) -> None:
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


def items(url: str) -> list[Row]:
    return query(url, 'SELECT id, name, "of", line, "offset", record FROM item ORDER BY id')


def loaded_ids(url: str) -> list[int]:
    return [number for (number,) in query(url, "SELECT id FROM item ORDER BY id")]


def expected_items(base: Path, files: dict[str, bytes]) -> list[Row]:
    """What lines and bytes say of each record, read without the program."""
    rows: list[Row] = []
    for name, content in files.items():
        for number, line in enumerate(content.split(b"\n")[1:-2], 1):
            identity = int(line.split(b'"')[1])
            offset = content.index(b'id="%d"' % identity) - len("<item ")
            rows.append((identity, f"n{identity}", f"{base}/{name}", number + 1, offset, number))
    return sorted(rows)


def parts(url: str) -> list[Row]:
    sql = "SELECT i.id, p.seq, p.text FROM part p JOIN item i ON i.record_id = p.record_id ORDER BY 1, 2"
    return query(url, sql.replace("p.record_id", "p.item_record_id"))


def expected_parts(numbers: list[int]) -> list[Row]:
    return [row for number in numbers for row in ((number, 1, f"a{number}"), (number, 2, "b"))]


def told(report: LoadReport, place: int = 0) -> DocumentsReport:
    found = report.sources[place].documents
    assert found is not None
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_those_of_the_documents(place: Path, target_url: str, kind: str) -> None:
    files = with_large()
    path = pack(kind, place, files)
    report = load(place, target_url, path)
    assert items(target_url) == expected_items(path, files)
    assert parts(target_url) == expected_parts(ids(files))
    assert (report.records, report.loaded, report.exit_code) == (len(ids(files)), len(ids(files)), 0)
    # A large file is a source of its own, a large member is not.
    assert len(report.sources) == 1 + (kind == "docs")
    assert told(report) == DocumentsReport(SMALL + (kind != "docs"), 0, 0, 0, "", 0, "", {}, {}, 0, "", 0)
    assert [source.state for source in etl.status(target_url)] == ["finished"] * len(report.sources)
    assert load(place, target_url, path).state == "nothing to do"


HOW: dict[str, dict[str, Any]] = {
    "one record a split": {"split": {"bytes": 1}},
    "tiny queue": {"queue": {"max_records": 10}, "workers": {"kind": "thread", "count": 2}},
    "processes": {"workers": {"kind": "process", "count": 2}},
    "four inserting": {"insert": {"threads": 4, "batch_records": 50}, "workers": {"kind": "thread", "count": 2}},
    "split of some": {"split": {"bytes": 1500}, "insert": {"batch_records": 7}},
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kind", ["docs.tar.gz", "docs"])
@pytest.mark.usefixtures("both_ways")
def test_they_are_the_same_however_they_are_loaded(place: Path, target_url: str, kind: str, how: str) -> None:
    files = with_large()
    path = pack(kind, place, files)
    load(place, target_url, path, how=build_settings(HOW[how]))
    assert items(target_url) == expected_items(path, files)
    assert parts(target_url) == expected_parts(ids(files))


def test_members_are_compressed_and_encoded_as_they_like(place: Path, target_url: str) -> None:
    declared = '<?xml version="1.0" encoding="{}"?>{}'
    large = document(*range(100, 100 + LARGE_RECORDS))
    files = {
        "packed.xml.gz": gzip.compress(document(1)),
        "packed-large.xml.gz": gzip.compress(large),
        "marked.xml": b"\xef\xbb\xbf" + document(2),
        "utf16.xml": declared.format("UTF-16", document(3).decode()).encode("utf-16"),
        "latin1.xml": declared.format("ISO-8859-1", document(4).decode().replace("n4", "né")).encode("latin-1"),
        "utf8.xml": declared.format("utf-8", document(5).decode()).encode(),
    }
    path = pack("docs.tar.gz", place, files)
    report = load(place, target_url, path)
    assert loaded_ids(target_url) == [1, 2, 3, 4, 5, *range(100, 100 + LARGE_RECORDS)]
    assert query(target_url, 'SELECT name, "of" FROM item WHERE id = 4') == [("né", f"{path}/latin1.xml")]
    assert told(report).read == 6


def test_a_folder_that_grows_past_a_few_files_goes_on_as_it_began(place: Path, target_url: str) -> None:
    path = place / "docs"
    path.mkdir()
    files = small(MANY - 10)
    for name, content in files.items():
        (path / name).write_bytes(content)
    (path / "cut.xml").write_bytes(document(9001, 9002)[:-8])

    def stop(_committed: Committed) -> None:
        raise InterruptedError

    with pytest.raises(etl.EtlError):
        load(place, target_url, path, how=build_settings({"insert": {"batch_records": 7}}), on_batch=stop)
    more = {f"x{name}": content for name, content in small(30 + len(files)).items() if name not in files}
    for name, content in more.items():
        (path / name).write_bytes(content)
    with pytest.raises(SourceError, match=r"cut\.xml"):
        load(place, target_url, path)
    assert loaded_ids(target_url) == sorted([*ids(files), *ids(more), 9001, 9002])
    with pytest.raises(SourceError, match=r"cut\.xml"):
        load(place, target_url, path)
    (path / "cut.xml").write_bytes(document(9001, 9002))
    report = load(place, target_url, path)
    assert loaded_ids(target_url) == sorted([*ids(files), *ids(more), 9001, 9002])
    assert {source.state for source in report.sources} == {"finished"}


NAMESPACES = """
version: 1
namespaces: {i: "urn:invoice"}
tables:
  invoice:
    each: /i:invoice
    columns: {number: {path: "@number", type: integer}, buyer: "i:buyer", "of": {meta: source}, line: {meta: line}}
"""


@pytest.mark.parametrize("kind", ["docs.zip", "docs.tar", "docs"])
@pytest.mark.usefixtures("both_ways")
def test_documents_that_declare_namespaces(place: Path, target_url: str, kind: str) -> None:
    (place / "items.yaml").write_text(NAMESPACES)
    tags = (
        '<invoice xmlns="urn:invoice" number="{0}"><buyer>b{0}</buyer></invoice>',
        '\n<x:invoice xmlns:x="urn:invoice" xmlns="urn:{0}" number="{0}"><x:buyer>b{0}</x:buyer></x:invoice>',
        '<invoice number="{0}" xmlns="urn:invoice"><buyer>b{0}</buyer></invoice>',
        '<invoice xmlns="urn:other" number="{0}"><buyer>b{0}</buyer></invoice>',
        '<invoice number="{0}"><buyer>b{0}</buyer></invoice>',
    )
    files = {f"{number:03}.xml": tags[number % 5].format(number).encode() for number in range(200)}
    path = pack(kind, place, files)
    report = load(place, target_url, path)
    assert query(target_url, 'SELECT number, buyer, "of", line FROM invoice ORDER BY number') == [
        (number, f"b{number}", f"{path}/{number:03}.xml", 1 + (number % 5 == 1))
        for number in range(200)
        if number % 5 < 3
    ]
    assert (told(report).read, told(report).unmatched, report.rejected) == (200, 80, 0)


def test_documents_that_declare_the_same_share_a_tile(place: Path, target_url: str) -> None:
    (place / "items.yaml").write_text(NAMESPACES)
    document = '<i:invoice xmlns:i="urn:invoice" number="{}"/>'.replace("/>", "><i:buyer/></i:invoice>")
    path = pack("docs.tar", place, {f"{number:03}.xml": document.format(number).encode() for number in range(200)})
    assert load(place, target_url, path).loaded == 200
    assert query(target_url, "SELECT count(*) FROM etl_split")[0][0] < 5


def test_files_that_were_changed_since_are_named(place: Path, target_url: str) -> None:
    path = pack("docs", place, small())
    load(place, target_url, path)
    (path / "0007.xml").write_bytes(document(9007))
    (path / "0008.xml").write_bytes(b"<?xml version='1.0' encoding='latin1'?>" + document(9008))
    (path / "new.xml").write_bytes(document(9009))
    report = load(place, target_url, path)
    found = told(report)
    assert (found.read, found.known, found.changed) == (3, SMALL - 2, 2)
    assert found.changed_example == f"{path}/0007.xml"
    assert loaded_ids(target_url) == sorted([*ids(small()), 9007, 9008, 9009])
    assert told(load(place, target_url, path)).changed == 0
    (path / "0007.xml").write_bytes(small()["0007.xml"])
    found = told(load(place, target_url, path))
    assert (found.read, found.changed, found.reverted, found.reverted_example) == (0, 0, 1, f"{path}/0007.xml")


def test_what_is_no_document_is_skipped_and_counted(place: Path, target_url: str) -> None:
    link = tarfile.TarInfo("link.xml")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device = tarfile.TarInfo("device")
    device.type = tarfile.CHRTYPE
    folder = tarfile.TarInfo("folder")
    folder.type = tarfile.DIRTYPE
    files = {
        "README": b"Read this.",
        "empty.xml": b"",
        "good.xml": document(1),
        "inner.zip": zipped({"a.xml": document(2)}),
        "inner.tar": tarred({"a.xml": document(3)}),
        "image": bytes(range(256)) * 2000,
    }
    path = place / "docs.tar"
    path.write_bytes(tarred(files, link, device, folder))
    report = load(place, target_url, path)
    assert loaded_ids(target_url) == [1]
    assert told(report).read == 1
    assert told(report).skipped == {
        "not XML": 2,
        "empty": 1,
        "a zip archive in it": 1,
        "a tar archive in it": 1,
        "link": 1,
        "device": 1,
    }
    assert report.exit_code == 0


@pytest.mark.parametrize("name", ["secret.xml", "secret.doc"])
def test_members_that_are_encrypted(place: Path, target_url: str, name: str) -> None:
    """What is named as XML must not be passed over in silence; unpacked it is another document."""
    content = bytearray(zipped({"open.xml": document(1), name: document(2)}))
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = content.rindex(mark) + flags
        content[at] |= 1
    path = place / "docs.zip"
    path.write_bytes(content)
    report = load(place, target_url, path)
    assert loaded_ids(target_url) == [1]
    if name == "secret.doc":
        assert (told(report).skipped, report.exit_code) == ({"encrypted": 1}, 0)
        return
    assert (told(report).skipped, report.rejected, report.exit_code) == ({}, 1, 3)
    (group,) = etl.rejects(target_url, examples=1).groups
    assert (group.reason, group.examples[0].label) == ("malformed", f"{path}/{name}")
    assert "(encrypted)" in group.examples[0].message
    again = load(place, target_url, path)
    assert (again.state, again.exit_code) == ("nothing to do", 3)
    path.write_bytes(zipped({"open.xml": document(1), name: document(2)}))
    load(place, target_url, path)
    assert loaded_ids(target_url) == [1, 2]


@pytest.mark.parametrize("kind", ["docs.zip", "docs.tar.gz", "docs"])
def test_what_is_compressed_and_no_document_is_skipped(place: Path, target_url: str, kind: str) -> None:
    files = {
        **small(),
        "notes.txt.gz": gzip.compress(b"no XML"),
        "log.gz": gzip.compress(b"not XML either " * SMALL_BYTES),
        "inner.tgz.bin": gzip.compress(tarred({"a.xml": document(9001)})),
        "nothing.gz": gzip.compress(b""),
        "named.xml.gz": gzip.compress(b"no XML"),
        "broken.xml.gz": gzip.compress(document(9002, 9003)[:-12]),
        "good.xml.gz": gzip.compress(document(9004)),
    }
    path = pack(kind, place, files)
    report = load(place, target_url, path)
    assert loaded_ids(target_url) == [*ids(small()), 9002, 9004]
    assert told(report).skipped == {"not XML": 2, "a tar archive in it": 1, "empty": 1}
    assert (report.state, report.exit_code, told(report).broken) == ("finished", 3, 0)
    rejects = "SELECT label, reason FROM etl_reject r JOIN etl_document d ON d.document = r.document ORDER BY label"
    assert query(target_url, rejects) == [(f"{path}/{name}.xml.gz", "malformed") for name in ("broken", "named")]


@pytest.mark.parametrize("kind", ["docs.zip", "docs.tar"])
def test_names_that_climb_out_write_nothing(place: Path, target_url: str, kind: str) -> None:
    (place / "inner").mkdir()
    path = pack(kind, place / "inner", {"../climbing.xml": document(1), "/tmp/rooted.xml": document(2)})
    before = sorted(place.rglob("*"))
    load(place, target_url, path)
    assert loaded_ids(target_url) == [1, 2]
    assert [file for file in sorted(place.rglob("*")) if not file.name.startswith("target.db")] == before
    assert not Path("/tmp/rooted.xml").exists()


@pytest.mark.parametrize("kind", ["docs.zip", "docs"])
def test_a_broken_small_document_is_a_reject_at_its_place(place: Path, target_url: str, kind: str) -> None:
    files = small()
    files["0060.xml"] = b"<items>\n" + record(7001) + b"\n</wrong>\n" + record(7002)
    files["0061.xml"] = document(7003, 7004)[:-12]
    path = pack(kind, place, files)
    report = load(place, target_url, path)
    assert (report.state, report.exit_code, report.rejected) == ("finished", 3, 2)
    found = query(target_url, "SELECT reason, line, record, byte_offset, length FROM etl_reject ORDER BY document")
    broken, cut = files["0060.xml"], files["0061.xml"]
    start, end = found[0][3], len(broken)
    assert found[0] == ("malformed", 2, 2, start, end - start)
    assert broken[start:].lstrip().startswith(b"</wrong>")
    assert found[1][:3] == ("malformed", 2, 2)
    assert found[1][3] + found[1][4] == len(cut)
    missing = {*range(60 * PER_DOCUMENT + 1, 62 * PER_DOCUMENT + 1)}
    assert loaded_ids(target_url) == sorted({*ids(small()), 7001, 7003} - missing)
    (group,) = etl.rejects(target_url, examples=2).groups
    assert [example.label for example in group.examples] == [f"{path}/0060.xml", f"{path}/0061.xml"]
    again = load(place, target_url, path)
    assert (again.state, again.exit_code) == ("nothing to do", 3)


@pytest.mark.parametrize("kind", ["docs.zip", "docs.tar.gz"])
def test_a_broken_large_document_keeps_the_others_not_out(place: Path, target_url: str, kind: str) -> None:
    files = with_large()
    whole = files["0077-large.xml"]
    middle = whole.index(b"<item ", len(whole) * 2 // 3)
    files["0077-large.xml"] = whole[:middle] + b"</wrong>" + whole[middle:]
    path = pack(kind, place, files)
    report, sentence = load_broken(place, target_url, path)
    assert sentence.startswith(f"{path}/0077-large.xml: byte ")
    assert (told(report).broken, told(report).read) == (1, SMALL + 1)
    assert report.sources[0].state == "broken"
    assert {*ids(small())} <= {*loaded_ids(target_url)}
    before = loaded_ids(target_url)
    again, same = load_broken(place, target_url, path)
    assert (again.loaded, same, loaded_ids(target_url)) == (0, sentence, before)
    assert told(again).known == SMALL
    # Mended, it is another document, as its neighbours are not: only its records are new, those of its beginning twice.
    files["0077-large.xml"] = whole
    mended = load(place, target_url, pack(kind, place, files))
    assert (mended.state, mended.loaded) == ("finished", LARGE_RECORDS)
    assert told(mended).known == SMALL


@pytest.mark.parametrize("kind", ["docs.tar", "docs.tar.gz", "docs.tar.zst"])
def test_an_archive_that_is_cut_off_loads_what_is_whole_and_goes_on(place: Path, target_url: str, kind: str) -> None:
    files = with_large()
    path = pack(kind, place, files)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 9 // 10])
    report, sentence = load_broken(place, target_url, path)
    assert "is cut off" in sentence
    assert report.exit_code == 1
    assert 0 < report.loaded < len(ids(files))
    path.write_bytes(whole)
    rest = load(place, target_url, path)
    assert (rest.state, rest.loaded + report.loaded) == ("finished", len(ids(files)))
    assert items(target_url) == expected_items(path, files)
    assert [source.state for source in etl.status(target_url)] == ["finished"]


def test_an_archive_that_is_cut_off_within_a_large_member_goes_on_in_it(place: Path, target_url: str) -> None:
    files = {"a.xml": document(1), "large.xml": document(*range(10, 10 + LARGE_RECORDS)), "z.xml": document(2)}
    path = pack("docs.tar", place, files)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    how = chosen(split={"bytes": 20_000})
    report, _ = load_broken(place, target_url, path, how=how)
    assert 1 < report.loaded < LARGE_RECORDS
    path.write_bytes(whole)
    rest = load(place, target_url, path, how=how)
    assert rest.loaded + report.loaded == LARGE_RECORDS + 2
    assert loaded_ids(target_url) == ids(files)


def test_a_cut_zip_has_no_directory_and_says_so(place: Path, target_url: str) -> None:
    path = pack("docs.zip", place, small())
    path.write_bytes(path.read_bytes()[:-100])
    _, sentence = load_broken(place, target_url, path)
    assert str(path) in sentence


@pytest.mark.parametrize("kind", ["docs.zip", "docs.tar.gz", "docs"])
def test_the_same_again_and_then_more(place: Path, target_url: str, kind: str) -> None:
    files = small()
    path = pack(kind, place, files)
    load(place, target_url, path)
    assert load(place, target_url, path).state == "nothing to do"
    files["new.xml"] = document(9001, 9002)
    more = load(place, target_url, pack(kind, place, files))
    assert (more.state, more.loaded) == ("finished", 2)
    assert (told(more).read, told(more).known) == (1, SMALL)
    assert loaded_ids(target_url) == ids(files)
    assert query(target_url, "SELECT count(DISTINCT record_id) FROM item") == [(len(ids(files)),)]


def test_an_archive_under_another_name_is_the_same(place: Path, target_url: str) -> None:
    path = pack("docs.tar.gz", place, small())
    load(place, target_url, path)
    assert load(place, target_url, path.rename(place / "other.tgz")).state == "nothing to do"


def test_a_file_loaded_alone_is_not_loaded_again_in_its_folder(place: Path, target_url: str) -> None:
    folder = pack("docs", place, small())
    load(place, target_url, folder / "0003.xml")
    report = load(place, target_url, folder)
    assert (report.loaded, told(report).known) == (len(ids(small())) - PER_DOCUMENT, 1)
    assert loaded_ids(target_url) == ids(small())


def test_nor_the_other_way_round(place: Path, target_url: str) -> None:
    folder = pack("docs", place, small())
    load(place, target_url, folder)
    report = load(place, target_url, folder / "0003.xml")
    assert report.state == "nothing to do"
    assert any("was loaded before as a part of" in notice for notice in report.notices)
    assert loaded_ids(target_url) == ids(small())


def test_a_document_of_a_folder_whose_tables_are_partly_gone_is_refused(place: Path, target_url: str) -> None:
    folder = pack("docs", place, small())
    load(place, target_url, folder)
    execute(target_url, "DROP TABLE part")
    with pytest.raises(TargetError, match=r"docs was loaded before, but of its tables part are gone since"):
        load(place, target_url, folder / "0003.xml")
    assert loaded_ids(target_url) == ids(small())


def test_documents_that_hold_the_same_are_loaded_once_in_a_folder(place: Path, target_url: str) -> None:
    files = {**small(), "twin-1.xml": document(9001), "twin-2.xml": document(9001), "twin-3.xml": document(1, 2, 3)}
    folder = pack("docs", place, files)
    report = load(place, target_url, folder, how=chosen(split={"bytes": 3000}))
    assert loaded_ids(target_url) == sorted({*ids(files)})
    assert told(report).twins == 2
    assert load(place, target_url, folder).state == "nothing to do"


@pytest.mark.parametrize("kind", ["docs.zip", "docs"])
@pytest.mark.parametrize("limit", [1, 100, 101, SMALL * PER_DOCUMENT - 1, SMALL * PER_DOCUMENT])
def test_a_limit_within_a_document_and_then_the_rest(place: Path, target_url: str, kind: str, limit: int) -> None:
    files = {**small(), "broken.xml": b"<items>" + record(8001) + record(8002) + b"</wrong>"}
    path = pack(kind, place, files)
    first = load(place, target_url, path, how=chosen(split={"bytes": 1}), limit=limit)
    assert (first.sources[0].state, first.records) == ("stopped", limit)
    rest = load(place, target_url, path)
    assert (rest.state, rest.loaded, rest.rejected) == ("finished", SMALL * PER_DOCUMENT + 2 - limit, 1)
    assert loaded_ids(target_url) == ids(files)
    assert query(target_url, "SELECT count(DISTINCT record_id) FROM item") == [(len(ids(files)),)]
    assert load(place, target_url, path).state == "nothing to do"


def test_a_limit_within_a_broken_document_and_then_the_rest(place: Path, target_url: str) -> None:
    files = {"000-first.xml": b"<items>" + record(8001) + record(8002) + b"</wrong>", **small()}
    path = pack("docs.zip", place, files)
    load(place, target_url, path, how=chosen(split={"bytes": 1}), limit=1)
    rest = load(place, target_url, path)
    assert (rest.state, rest.rejected) == ("finished", 1)
    assert loaded_ids(target_url) == ids(files)


def test_again_empties_and_loads_all_of_it(place: Path, target_url: str) -> None:
    for kind in ("docs.zip", "docs"):
        files = small()
        url = target_url if kind == "docs" else f"sqlite:///{place}/zip.db"
        path = pack(kind, place, files)
        load(place, url, path)
        again = load(place, url, path, again=True)
        assert (again.state, again.loaded) == ("finished", SMALL * PER_DOCUMENT)
        assert loaded_ids(url) == ids(files)


def test_tables_that_were_dropped_are_loaded_again(place: Path, target_url: str) -> None:
    folder = pack("docs", place, small())
    load(place, target_url, folder)
    execute(target_url, "DROP TABLE part", "DROP TABLE item")
    report = load(place, target_url, folder)
    assert (report.state, report.loaded) == ("finished", SMALL * PER_DOCUMENT)
    assert loaded_ids(target_url) == ids(small())


def test_another_mapping_into_other_tables_loads_them_all_again(place: Path, target_url: str) -> None:
    folder = pack("docs", place, small())
    load(place, target_url, folder)
    (place / "items.yaml").write_text(
        MAPPING.replace("  item:", "  thing:").replace("parent: item", "parent: thing").replace("  part:", "  piece:")
    )
    report = load(place, target_url, folder)
    assert (report.state, report.loaded) == ("finished", SMALL * PER_DOCUMENT)
    assert query(target_url, "SELECT count(*) FROM thing") == [(SMALL * PER_DOCUMENT,)]


def test_another_mapping_of_the_same_tables_is_refused(place: Path, target_url: str) -> None:
    folder = pack("docs", place, small())
    load(place, target_url, folder)
    (place / "items.yaml").write_text(MAPPING.replace("      name:   name\n", ""))
    with pytest.raises(etl.EtlError) as error:
        load(place, target_url, folder)
    assert "docs" in str(error.value)
    assert loaded_ids(target_url) == ids(small())


def test_an_archive_and_a_file_in_one_command(place: Path, target_url: str) -> None:
    archive = pack("docs.tar.gz", place, small())
    single = place / "single.xml"
    single.write_bytes(document(9001))
    report = load(place, target_url, archive, single)
    assert [source.documents is None for source in report.sources] == [False, True]
    assert loaded_ids(target_url) == [*ids(small()), 9001]


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_among_many_small_files_is_loaded_too(place: Path, kind: str) -> None:
    folder = pack("docs", place, small())
    path = pack(f"docs.{kind}", folder, {"inner.xml": document(9001)})
    url = f"sqlite:///{place}/docs.db"
    report = load(place, url, folder)
    assert [source.label for source in report.sources] == [str(folder), str(path)]
    assert loaded_ids(url) == [*ids(small()), 9001]


def test_two_loads_of_a_folder_at_the_same_time(place: Path, target_url: str) -> None:
    folder = pack("docs", place, small())
    refused: list[str] = []

    def again(_committed: object) -> None:
        with pytest.raises(SourceHeld) as error:
            load(place, target_url, folder)
        refused.append(str(error.value))

    load(place, target_url, folder, on_batch=again)
    assert refused
    assert "is being loaded" in refused[0]
    assert loaded_ids(target_url) == ids(small())


def test_documents_without_a_record_are_told(place: Path, target_url: str) -> None:
    files = {**small(), "other.xml": b"<other><item id='1'/></other>", "none.xml": b"<items/>"}
    report = load(place, target_url, pack("docs.zip", place, files))
    assert (report.state, told(report).unmatched) == ("finished", 2)
    assert told(report).unmatched_example.endswith("docs.zip/other.xml")


def test_a_file_that_is_gone_when_its_turn_comes(place: Path, target_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.extract.small_files._FIRST_FILES", 1)
    folder = pack("docs", place, small())
    gone = folder / "0100.xml"

    def remove(_committed: object) -> None:
        gone.unlink(missing_ok=True)

    how = chosen(split={"bytes": 300}, insert={"batch_records": 5}, queue={"max_records": 10})
    with pytest.raises(SourceError, match="There is no file"):
        load(place, target_url, folder, how=how, on_batch=remove)
    assert loaded_ids(target_url) == [number for number in ids(small()) if not 301 <= number <= 303]
    assert load(place, target_url, folder).state == "nothing to do"


def test_checking_an_archive(place: Path) -> None:
    files = {**small(), "note": b"no XML", "broken.xml": b"<items>" + record(8001)}
    path = pack("docs.tar.gz", place, files)
    report = etl.check(path, mapping=place / "items.yaml")
    assert (report.records, report.rejected, report.exit_code) == (SMALL * PER_DOCUMENT + 2, 1, 3)
    found = report.sources[0].documents
    assert found is not None
    assert (found.read, found.skipped) == (SMALL + 1, {"not XML": 1})


@pytest.mark.parametrize("kind", ["docs.tar.gz", "docs"])
def test_the_commands_tell_of_documents(place: Path, kind: str) -> None:
    files = {**small(), "note": b"no XML", "broken.xml": b"<items>" + record(8001)}
    pack(kind, place, files)
    inferred = command("infer", kind, cwd=place)
    assert inferred.code == 0, inferred.err
    assert "item:" in inferred.out
    loaded = command("load", kind, "--map", "items.yaml", "--json", cwd=place)
    assert loaded.code == 3, loaded.err
    documents = loaded.report["sources"][0]["documents"]
    assert documents == {
        "read": SMALL + 1,
        "known": 0,
        "twins": 0,
        "changed": 0,
        "changed_example": "",
        "reverted": 0,
        "reverted_example": "",
        "skipped": {"not XML": 1},
        "skipped_examples": {"not XML": f"{kind}/note"},
        "unmatched": 0,
        "unmatched_example": "",
        "broken": 0,
    }
    database = f"sqlite:///{next(place.glob('*.db'))}"
    status = command("status", "--to", database, cwd=place)
    assert (status.code, "finished" in status.out) == (0, True), status.err
    rejects = command("rejects", "--to", database, cwd=place)
    assert rejects.code == 0, rejects.err
    assert f"{kind}/broken.xml, line " in rejects.out
    again = command("load", kind, "--map", "items.yaml", cwd=place)
    assert "Nothing to do" in again.out + again.err


def everything(url: str) -> list[list[Row]]:
    """All rows with their keys, and what the ledger has of documents."""
    tables = ("item", "part", "etl_document", "etl_reject")
    found = [query(url, f"SELECT * FROM {table}") for table in tables]
    return [sorted(rows, key=lambda row: [str(value) for value in row]) for rows in found]


def lose(url: str, *documents: int) -> None:
    """As a server does that crashes: the rows and what the ledger has of them."""
    ((number,),) = query(url, "SELECT number FROM etl_source")
    lost = f"document IN ({', '.join(map(str, documents))})"
    keys = query(url, f"SELECT records_before, records_most FROM etl_document WHERE {lost}")
    assert len(keys) == len(documents)
    for before, most in keys:
        first = number * 2**40 + before
        execute(
            url,
            f"DELETE FROM part WHERE item_record_id BETWEEN {first + 1} AND {first + most}",
            f"DELETE FROM item WHERE record_id BETWEEN {first + 1} AND {first + most}",
        )
    execute(url, *(f"DELETE FROM {table} WHERE {lost}" for table in ("etl_document", "etl_split", "etl_reject")))


@pytest.mark.parametrize("kind", ["docs.tar.gz", "docs"])
def test_a_load_that_lost_documents_of_the_middle_has_the_same_keys_in_the_end(
    place: Path, target_url: str, kind: str
) -> None:
    files = {**small(), "0050.xml": b"<items>\n" + record(7001) + b"</wrong>"}
    path = pack(kind, place, files)
    how = chosen(split={"bytes": 1})
    load(place, target_url, path, how=how)
    expected = everything(target_url)
    lose(target_url, 2, 3, 51, 52, 90, 150)
    execute(target_url, "UPDATE etl_source SET state = 'loading'")
    report = load(place, target_url, path, how=build_settings(HOW["four inserting"]))
    assert (report.state, told(report).read, told(report).known) == ("finished", 6, SMALL - 6)
    assert everything(target_url) == expected


@pytest.mark.parametrize("kind", ["docs.tar.gz", "docs"])
def test_documents_that_the_server_lost_are_fed_again_in_the_same_run(place: Path, target_url: str, kind: str) -> None:
    files = small()
    path = pack(kind, place, files)
    how = chosen(split={"bytes": 1}, insert={"batch_records": 20, "threads": 1})
    undisturbed = f"sqlite:///{place}/undisturbed.db"
    load(place, undisturbed, path, how=how)
    batches: list[int] = []

    def crash(committed: Committed) -> None:
        batches.append(committed.records)
        if len(batches) == 10:
            lose(target_url, 1, 4, 5, 9)

    report = load(place, target_url, path, how=how, on_batch=crash)
    assert (report.state, report.exit_code) == ("finished", 0)
    assert sum(batches) == (SMALL + 4) * PER_DOCUMENT
    assert any("were loaded again" in notice for notice in report.notices)
    assert items(target_url) == expected_items(path, files)
    assert parts(target_url) == expected_parts(ids(files))
    keys = "SELECT id, record_id FROM item ORDER BY id"
    assert query(target_url, keys) == query(undisturbed, keys)
    assert query(target_url, "SELECT state FROM etl_source") == [("finished",)]
    assert load(place, target_url, path).state == "nothing to do"


def test_twins_far_apart_are_loaded_once(place: Path, target_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.recent_documents.LEAST", 20)
    files = {**small(), "twin.xml": document(1, 2, 3), "twin-too.xml": document(448, 449, 450)}
    how = chosen(split={"bytes": 1}, insert={"batch_records": 5, "max_wait": "1ms"}, queue={"max_records": 10})
    report = load(place, target_url, pack("docs", place, files), how=how)
    assert loaded_ids(target_url) == sorted(ids(small()))
    assert (told(report).read, told(report).known, told(report).twins) == (SMALL, 0, 2)
