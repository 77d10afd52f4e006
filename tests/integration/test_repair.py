"""--repair: dirty documents load with exact characters, the mends are counted, and it is told where it would help."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

import etl
from etl.errors import SourceError
from etl.extract.mends import Mend
from etl.extract.repair import wanted_repair
from etl.extract.source import expand
from etl.inference.openable import openables
from etl.inference.survey import survey
from etl.messages import RAW_LIMIT
from etl.summary import summarize_check, summarize_load
from tests.acceptance.contents import query
from tests.command import etl as etl_command

MAPPING = """\
version: 1
tables:
  film: {each: /films/film, key: id, columns: {id: {path: "@id", type: integer}, kind: "@kind", title: title}}
"""
DIRT = {
    b"Tom & Jerry": "Tom & Jerry",
    b"AT&T": "AT&T",
    b"a &amp b &; &#; &#x; &#12 &#X41;": "a &amp b &; &#; &#x; &#12 &#X41;",
    b"one\0two\0\0": "onetwo",
    b"\x01\x1fthree\x0b": "three",
    b"\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd": "\ufffd",
    b"caf\xe9": "caf\ufffd",
    b"\xe2\x82 \xf0\x9f\x98 \xed\xa0\x80 \xc0\xaf": "\ufffd \ufffd \ufffd\ufffd\ufffd \ufffd\ufffd",
    b"caf&eacute;&nbsp;&hellip;&AMP;&LT;": "caf\xe9\xa0…&<",
    b"&#0;four&#x1F;&#xFFFF;": "four",
    b"&#xD800;&#x110000;&#99999999999;": "\ufffd\ufffd\ufffd",
    b"&#55357;&#56832;&#xd83d;&#xDE01;": "\U0001f600\U0001f601",
    b"<![CDATA[ a & b &eacute; \x02]]>": "a & b &eacute;",
    b"x<!-- a & b \x03 -->y<?p a & b?>": "xy",
}
"""What stands in titles, and what it comes to."""
CLEAN = ["&lt;é&#233;&amp;amp;日本\U0001f600]]", "plain", "&#9;&#10;&#13;"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("films.yaml").write_text(MAPPING)


def films(titles: list[bytes]) -> bytes:
    records = [b'<film id="%d" kind="?a=1"><title>%s</title></film>\n' % item for item in enumerate(titles)]
    return b"<?xml version='1.0'?>\n<films>\n" + b"".join(records) + b"</films>\n"


def settings(**given: object) -> etl.Settings:
    return etl.Settings.model_validate({"input": {"repair": True}, "errors": {"max": None}, **given})


def titles(report: etl.LoadReport) -> list[str]:
    assert report.rows is not None
    return [row["title"] for row in sorted(report.rows["film"], key=lambda row: int(row["id"]))]


@pytest.mark.usefixtures("both_ways")
def test_a_dirty_dump_loads_whole_with_exact_characters(target_url: str) -> None:
    many = [title for number, title in enumerate(list(DIRT) * 40) for title in (b"clean %d" % number, title)]
    Path("films.xml").write_bytes(films(many))
    report = etl.load("films.xml", mapping="films.yaml", target=target_url, settings=settings())
    assert (report.records, report.loaded, report.rejected, report.exit_code) == (len(many), len(many), 0, 0)
    expected = [title for number, title in enumerate(list(DIRT.values()) * 40) for title in (f"clean {number}", title)]
    assert [title for (title,) in query(target_url, "SELECT title FROM film ORDER BY id")] == expected
    counts = {mend.kind: mend.count for mend in report.sources[0].mends}
    assert counts == {
        "bare_ampersand": 40 * 8,
        "nul": 40 * 3,
        "control_character": 40 * 7,
        "invalid_utf8": 40 * 8,
        "html_entity": 40 * 5,
        "character_reference": 40 * 8,
    }


@pytest.mark.usefixtures("both_ways")
def test_without_it_each_of_them_is_a_reject_and_the_summary_tells_of_it(target_url: str) -> None:
    Path("films.xml").write_bytes(films([*DIRT, b"clean"]))
    report = etl.load("films.xml", mapping="films.yaml", target=target_url, settings=settings(input={"repair": False}))
    assert (report.loaded, report.rejected) == (1, len(DIRT))
    hint = "`etl retry --repair` would mend records like the one at line 3 of films.xml (1 bare ampersand)"
    assert hint in "\n".join(summarize_load(report))
    retried = etl.retry(target_url, settings=settings())
    assert (retried.loaded, retried.rejected, retried.left) == (report.rejected, 0, 0)
    assert [title for (title,) in query(target_url, "SELECT title FROM film ORDER BY id")] == [*DIRT.values(), "clean"]


@pytest.mark.usefixtures("both_ways")
def test_what_is_wrong_in_the_tags_around_records_is_mended_for_them(target_url: str) -> None:
    Path("films.yaml").write_text(MAPPING.replace("columns: {", "columns: {by: ../@by, "))
    text = films([b"one", b"a & b"]).replace(b"<films>", b"<films by='AT&T &nbsp;\x01'>")
    Path("films.xml").write_bytes(text)
    report = etl.load("films.xml", mapping="films.yaml", target=target_url, settings=settings(input={"repair": False}))
    assert (report.loaded, report.rejected) == (0, 2)
    around = "the tags around it"
    hint = f"1 bare ampersand in {around}, 1 entity of HTML in {around}, 1 control character in {around})"
    assert f"the one at line 3 of films.xml ({hint}" in "\n".join(summarize_load(report))
    assert etl.retry(target_url, settings=settings()).loaded == 2
    rows = query(target_url, "SELECT by, title FROM film ORDER BY id")
    assert rows == [("AT&T \xa0", "one"), ("AT&T \xa0", "a & b")]


def test_first_places_are_those_in_the_document_as_it_came() -> None:
    content = films([b"AT&T", b"x\0y\0", b"&eacute;"])
    Path("films.xml").write_bytes(content)
    (source,) = etl.check("films.xml", mapping="films.yaml", settings=settings()).sources
    assert source.mends == (
        Mend("bare_ampersand", 1, content.index(b"&"), 3),
        Mend("nul", 2, content.index(b"\0"), 4),
        Mend("html_entity", 1, content.index(b"&eacute;"), 5),
    )


def test_a_clean_document_is_read_as_it_is() -> None:
    Path("films.xml").write_bytes(films([title.encode() for title in CLEAN]))
    mended = etl.load("films.xml", mapping="films.yaml", target="memory://", settings=settings())
    plain = etl.load("films.xml", mapping="films.yaml", target="memory://")
    assert mended.rows == plain.rows
    assert mended.sources[0].mends == ()
    assert not any("Mended" in line for line in summarize_load(mended))


@pytest.mark.parametrize(
    ("before", "kinds"),
    [
        (b"\xef\xbb\xbf\xef\xbb\xbf", ["byte_order_mark"]),
        (b"\0\0", ["nul"]),
        (b"\0\0\0", ["nul"]),
        (b"\n\x01 \xef\xbb\xbf", ["control_character", "byte_order_mark"]),
    ],
)
def test_what_a_document_begins_with(before: bytes, kinds: list[str]) -> None:
    Path("films.xml").write_bytes(before + films([b"a"]))
    with pytest.raises(SourceError, match=r"is not XML: it begins with .* --repair would mend that\.$"):
        etl.load("films.xml", mapping="films.yaml", target="memory://")
    report = etl.load("films.xml", mapping="films.yaml", target="memory://", settings=settings())
    assert titles(report) == ["a"]
    assert [mend.kind for mend in report.sources[0].mends] == kinds


def test_what_it_cannot_mend_it_is_not_said_to_mend() -> None:
    Path("films.xml").write_bytes(b"not XML at all")
    with pytest.raises(SourceError, match=r"'not XML at all'\.$"):
        etl.load("films.xml", mapping="films.yaml", target="memory://")
    Path("films.xml").write_bytes(films([b"<b>never closed & dirty", b"&unheard;"]))
    report = etl.check("films.xml", mapping="films.yaml", settings=settings(input={}))
    assert report.rejected == 2
    assert "--repair" not in "\n".join(summarize_check(report, 80))
    mended = etl.check("films.xml", mapping="films.yaml", settings=settings())
    assert {reject.reason for reject in mended.rejects} == {"malformed", "undefined_entity"}


def test_declared_entities_keep_their_meaning() -> None:
    content = films([b"&nbsp;&copy;&eacute;"])
    doctype = b"""<!DOCTYPE films [<!ENTITY nbsp "own\x01"><!ENTITY % p '<!ENTITY copy "made">'> %p;]>\n<films>"""
    Path("films.xml").write_bytes(content.replace(b"<films>", doctype))
    report = etl.load("films.xml", mapping="films.yaml", target="memory://", settings=settings())
    assert titles(report) == ["ownmadeé"]
    Path("films.xml").write_bytes(content)
    Path("films.dtd").write_text("<!ENTITY nbsp 'of the DTD'>")
    both = settings(input={"repair": True, "dtd": "films.dtd"})
    report = etl.load("films.xml", mapping="films.yaml", target="memory://", settings=both)
    assert titles(report) == ["of the DTD©é"]


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "shift_jis"])
def test_other_encodings(encoding: str) -> None:
    text = films([b"AT&T \x01", b"&eacute;"]).decode().replace("'1.0'", f"'1.0' encoding='{encoding}'")
    content = text.encode(encoding)
    if encoding == "shift_jis":
        content = content.replace(b"AT", b"\x81")
    Path("films.xml").write_bytes(content)
    report = etl.load("films.xml", mapping="films.yaml", target="memory://", settings=settings())
    assert titles(report) == ["\ufffd&T" if encoding == "shift_jis" else "AT&T", "é"]
    Path("films.xml").write_bytes(b"\0" + text.replace("AT", "ÄT").encode("iso-8859-1"))
    if encoding == "iso-8859-1":
        assert titles(etl.load("films.xml", mapping="films.yaml", target="memory://", settings=settings())) == [
            "ÄT&T",
            "é",
        ]


def test_inference_reads_mended_text() -> None:
    Path("films.xml").write_bytes(b"\0" + films([b"AT&T", *([b"plain"] * 30)]))
    assert "could not be read" not in etl.infer("films.xml", settings=settings())
    assert etl_command("infer", "films.xml", "--repair", cwd=Path.cwd()).code == 0
    result = etl_command("load", "films.xml", "--repair", "--json", cwd=Path.cwd())
    assert (result.code, result.report["loaded"]) == (0, 31)
    kinds = [mend["kind"] for mend in result.report["sources"][0]["mends"]]
    assert kinds == ["nul", "bare_ampersand"]


def test_a_large_dirty_file_is_not_sought_in() -> None:
    """Places in what is mended are not those in the file: what a sample would find there twice is no key any more."""
    count = 40_000
    records = b"".join(b"<film id='%d'><title>%s</title></film>\n" % (n, b"\0" * 200) for n in range(count))
    Path("films.xml").write_bytes(b"<films>" + records + b"</films>")
    (source,) = expand(["films.xml"], wanted_repair(True, None))
    profile = survey(openables([source]), sample_bytes=1 << 20, on_bytes=lambda _: None)
    assert profile.bytes <= 3 << 20
    assert not profile.skipped


def test_compressed_piped_and_several_sources() -> None:
    Path("a.xml.gz").write_bytes(gzip.compress(films([b"AT&T"])))
    Path("b.xml").write_bytes(films([b"B&B", b"\0"]).replace(b'id="', b'id="1'))
    report = etl.load(["a.xml.gz", "b.xml"], mapping="films.yaml", target="memory://", settings=settings())
    lines = summarize_load(report)
    at = lines.index("Mended (--repair):")
    assert re.fullmatch(r"  2 bare ampersands, the first at byte \d+ \(line 3\) of a\.xml\.gz", lines[at + 1])
    assert re.fullmatch(r"  1 NUL, at byte \d+ \(line 4\) of b\.xml", lines[at + 2])
    piped = etl_command(
        *("load", "-", "--map", "films.yaml", "--repair", "--to", "sqlite:///piped.db"),
        cwd=Path.cwd(),
        stdin=films([b"AT&T"]),
    )
    assert piped.code == 0, piped.err
    assert query("sqlite:///piped.db", "SELECT title FROM film") == [("AT&T",)]


def test_rejects_that_are_not_kept_are_retried_as_they_are() -> None:
    """They are read again from the file, by the length they have there."""
    Path("films.xml").write_bytes(films([b"AT&T" + b"x" * RAW_LIMIT, b"AT&T"]))
    url = "sqlite:///films.db"
    etl.load("films.xml", mapping="films.yaml", target=url, settings=settings(input={}))
    for _ in range(2):
        report = etl.retry(url, settings=settings())
        assert report.rejected == 1
    assert query(url, "SELECT title FROM film") == [("AT&T",)]


def test_the_example_of_the_docs() -> None:
    page = (Path(etl.__file__).parent / "docs" / "commands.md").read_text("utf-8")
    page = page[page.index("### Mending what no parser accepts") :]
    printf, load = re.findall(r"\n    (printf .*)\n", page)[0], re.findall(r"\n    etl (.*)\n", page)[0]
    subprocess.run(["bash", "-c", printf], check=True)
    result = etl_command(*load.split(), cwd=Path.cwd())
    assert result.code == 0, result.err
    assert re.findall(r"```text\n(.*?)```", page, re.DOTALL)[0] in result.err
    loaded = query("sqlite:///films.db", "SELECT title FROM film ORDER BY id")
    assert loaded == [("Tom & Jerry",), ("Am\ufffdlie",), ("Café\xa0Flesh",)]
    as_json = etl_command("load", "films.xml", "--repair", "--to", "sqlite:///again.db", "--json", cwd=Path.cwd())
    (source,) = json.loads(as_json.out)["sources"]
    for key in source["mends"][0]:
        assert f"`{key}`" in page


@pytest.mark.parametrize("large", [False, True])
def test_documents_of_a_collection(target_url: str, large: bool) -> None:
    more = b"x" * (1 << 19 if large else 0)
    dirty = films([b"AT&T" + more, b"\0a"]), b"\0\0" + films([b"b&" + more]).replace(b'id="', b'id="2')
    doctype = b"<!DOCTYPE films [" + b" " * 2000 + b"]><films>"
    latin = films([b"&eacute;\xe9\x02" + more]).replace(b"'1.0'", b"'1.0' encoding='latin1'").replace(b'id="', b'id="3')
    with zipfile.ZipFile("films.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", dirty[0])
        archive.writestr("b.xml", dirty[1].replace(b"<films>", doctype))
        archive.writestr("c.xml", latin)
        archive.writestr("d.txt", b"\0no XML & not mended")
    report = etl.load("films.zip", mapping="films.yaml", target=target_url, settings=settings())
    assert (report.loaded, report.rejected, report.exit_code) == (4, 0, 0)
    loaded = [title[:4] for (title,) in query(target_url, "SELECT title FROM film ORDER BY id")]
    assert loaded == [("AT&T"), "a", "b&" + "xx" * large, "éé" + "xx" * large]
    mends = {mend.kind: (mend.count, mend.document) for mend in report.sources[0].mends}
    assert mends == {
        "bare_ampersand": (2, "films.zip/a.xml"),
        "nul": (3, "films.zip/a.xml"),
        "control_character": (1, "films.zip/c.xml"),
        "html_entity": (1, "films.zip/c.xml"),
    }


def mended(dtd: str | None = None, *, repair: bool = True) -> etl.Settings:
    return settings(input={"repair": repair, "dtd": dtd})


AS_BEFORE = "Read as before, it goes on where it ended"


@pytest.mark.parametrize("place", ["file", "folder", "archive"])
def test_what_is_begun_in_one_reading_goes_on_only_in_that(target_url: str, place: str) -> None:
    """What is mended depends on the names that a DTD declares, and where records stand on what is mended."""
    Path("eacute.dtd").write_text("<!ENTITY eacute 'of the DTD'><!ENTITY own 'x'>")
    Path("both.dtd").write_text("<!ENTITY eacute 'of the DTD'><!ENTITY nbsp ' '>")
    Path("other.dtd").write_text("<!ENTITY unheard 'of'>")
    content = films([b"&eacute;&nbsp;"] * 40)
    source = {"folder": "films", "archive": "films.zip"}.get(place, "films.xml")
    if place == "folder":
        Path("films").mkdir()
        for number in range(110):
            Path(f"films/{number}.xml").write_bytes(films([b"&eacute;"]).replace(b'"0"', b'"%d"' % number))
    elif place == "archive":
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("films.xml", content)
    else:
        Path(source).write_bytes(content)

    def load(given: etl.Settings, limit: int | None = None, *, again: bool = False) -> etl.LoadReport:
        given = given.model_copy(update={"split": etl.Settings.model_validate({"split": {"bytes": 300}}).split})
        return etl.load(
            source,
            mapping="films.yaml",
            target=target_url,
            settings=given,
            limit=limit,
            again=again,
        )

    readings = [mended(repair=False), mended(), mended("eacute.dtd"), mended("both.dtd")]
    for first in readings:
        before = load(first, 6, again=first is not readings[0])
        assert before.records == 6
        for other in readings:
            if other is first:
                continue
            with pytest.raises(etl.TargetError, match="its records would be there twice") as raised:
                load(other)
            both_mended = other.input.repair and first.input.repair
            assert (AS_BEFORE in str(raised.value)) == both_mended
            assert ("--dtd" in str(raised.value) or "that DTD" in str(raised.value)) == both_mended
        # Of names that are none of HTML's nothing is mended.
        same = mended("other.dtd") if first is readings[1] else first
        load(same)
        whole = 0 if first is readings[0] else 110 if place == "folder" else 40
        assert query(target_url, "SELECT count(*), count(DISTINCT id) FROM film") == [(whole, whole)]


def test_a_name_tells_how_a_pipe_is_read() -> None:
    def load(*given: str) -> str:
        command = ("load", "-", "--map", "films.yaml", "--to", "sqlite:///films.db", "--source-name", "the films")
        return etl_command(*command, *given, cwd=Path.cwd(), stdin=films([b"&"] * 20)).err

    load("--repair", "--limit", "6")
    assert "the films (source 1) was loaded with --repair, and is to be read without it" in load()
    load("--repair")
    assert query("sqlite:///films.db", "SELECT count(*), count(DISTINCT id) FROM film") == [(20, 20)]
    load("--again")
    assert query("sqlite:///films.db", "SELECT count(*) FROM film") == [(0,)]
    assert query("sqlite:///films.db", "SELECT count(*) FROM etl_reject") == [(20,)]


@pytest.mark.parametrize("archived", [False, True])
def test_documents_packed_anew_are_known_in_every_reading(archived: bool) -> None:
    """Their own identities tell, where their collection is another one."""
    Path("eacute.dtd").write_text("<!ENTITY eacute 'of the DTD'>")
    url = "sqlite:///films.db"
    for name in ("one", "two"):
        if archived:
            with zipfile.ZipFile(f"{name}.zip", "w") as archive:
                archive.writestr("films.xml", films([b"&eacute;"]))
                archive.writestr(f"{name}.txt", "none")
        else:
            Path(name).mkdir()
            for number in range(110):
                Path(f"{name}/{number}.xml").write_bytes(films([b"&eacute;"]).replace(b'"0"', b'"%d"' % number))
    one, two = ("one.zip", "two.zip") if archived else ("one", "two")
    etl.load(one, mapping="films.yaml", target=url, settings=mended("eacute.dtd"))
    before = query(url, "SELECT count(*) FROM film")
    for other in (mended(repair=False), mended()):
        with pytest.raises(etl.TargetError, match="its records would be there twice"):
            etl.load(two, mapping="films.yaml", target=url, settings=other)
    etl.load(two, mapping="films.yaml", target=url, settings=mended("eacute.dtd"))
    assert query(url, "SELECT count(*) FROM film") == before


@pytest.mark.parametrize("place", ["file", "archive"])
def test_large_rejects_are_read_again_by_the_dtd_they_were_mended_by_or_not_at_all(place: str) -> None:
    Path("films.dtd").write_text("<!ENTITY uuml '&#252;'>")
    Path("other.dtd").write_text("<!ENTITY eacute '&#252;'>")
    large = b'<film id="bad"><title>%s</title></film>' % (b"z" * RAW_LIMIT)
    first = b'<film id="1"><title>%s\x01</title></film><film id="small"/>' % (b"&uuml;" * 30)
    content = b"<films>%s%s</films>" % (first, large)
    source = "films.xml"
    if place == "file":
        Path(source).write_bytes(content)
    else:
        source = "films.zip"
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("films.xml", content)
    url = "sqlite:///films.db"
    report = etl.load(source, mapping="films.yaml", target=url, settings=mended("films.dtd"))
    assert (report.loaded, report.rejected) == (1, 2)
    others = (etl.Settings(), mended(), mended("other.dtd"))
    for number, other in enumerate(others):
        told = etl.export_rejects(url, f"{number}.xml", settings=other)
        assert (told.records, told.unavailable) == (1, 1)
    told = etl.export_rejects(url, "films.out.xml", settings=mended("films.dtd"))
    assert (told.records, told.unavailable) == (2, 0)
    assert large in Path("films.out.xml").read_bytes()
    exported = etl_command("rejects", "--to", url, "--export", "-", "--set", "input.dtd=films.dtd", cwd=Path.cwd())
    assert large.decode() in exported.out
    for other in others:
        retried = etl.retry(url, settings=other)
        assert (retried.rejected, retried.left) == (1, 1)
        assert "was mended (--repair) by another --dtd" in retried.notices[0]
    assert etl.retry(url, settings=mended("films.dtd", repair=False)).rejected == 2
    assert not etl.status(url)[0].obstacle


def test_the_hint_names_the_document_and_what_to_do(target_url: str) -> None:
    with zipfile.ZipFile("films.zip", "w") as archive:
        archive.writestr("a.xml", films([b"clean"]))
        archive.writestr("b.xml", films([b"AT&T", *[b"clean"] * 5]).replace(b'id="', b'id="1'))
    plain = settings(input={})
    report = etl.load("films.zip", mapping="films.yaml", target="memory://", settings=plain)
    records = "records like the one at line 3 of films.zip/b.xml (1 bare ampersand)"
    assert f"--repair would mend {records} as the document is read." in report.notices
    limited = plain.model_copy(update={"split": etl.Settings.model_validate({"split": {"bytes": 100}}).split})
    report = etl.load("films.zip", mapping="films.yaml", target=target_url, settings=limited, limit=2)
    assert any(notice.startswith(f"--repair would mend {records}") for notice in report.notices), report.notices
    Path("films.xml").write_bytes(films([b"AT&T"]).replace(b'id="', b'id="2'))
    report = etl.load("films.xml", mapping="films.yaml", target=target_url, settings=plain)
    there = "`etl retry --repair` would mend records like the one at line 3 of films.xml (1 bare ampersand)"
    assert any(notice.startswith(there) for notice in report.notices), report.notices
