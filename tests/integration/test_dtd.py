"""--dtd FILE, from the command line and from Python: what it declares holds, and no other file is ever opened."""

from __future__ import annotations

import gzip
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import etl
from etl.errors import SettingsError
from tests.acceptance.contents import query
from tests.command import ETL, environment
from tests.command import etl as etl_command

MAPPING = """\
version: 1
tables:
  item: {each: /items/item, key: id, columns: {id: {path: "@id", type: integer}, kind: "@kind", name: name}}
"""
DTD = """\
<!ENTITY % latin '<!ENTITY uuml "&#38;#252;">'> %latin;
<!ENTITY company "Müller &uuml; Söhne">
<!ATTLIST item kind CDATA #IMPLIED>
"""
ITEMS = "<items><item id='1'><name>M&uuml;ller</name></item><item id='2' kind='&company;'/><item id='3'/></items>"
ROWS = [(1, None, "Müller"), (2, "Müller ü Söhne", None), (3, None, None)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "map.yaml").write_text(MAPPING)
    (tmp_path / "items.dtd").write_text(DTD)
    (tmp_path / "items.xml").write_text(f"<!DOCTYPE items SYSTEM 'items.dtd'>{ITEMS}")
    return tmp_path


def rows(report: Any) -> list[tuple[Any, ...]]:
    assert report.rows is not None
    return sorted((row["id"], row["kind"], row["name"]) for row in report.rows["item"])


def load(folder: Path, target: str = "memory://", **given: Any) -> etl.LoadReport:
    settings = etl.Settings.model_validate({"input": {"dtd": folder / "items.dtd"}})
    return etl.load(folder / "items.xml", mapping=folder / "map.yaml", target=target, settings=settings, **given)


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE items SYSTEM 'items.dtd'>",
        "",
        "<?xml version='1.0'?>\n<!-- no doctype -->\n",
        "<!DOCTYPE other>",
        "<!DOCTYPE items PUBLIC '-//x' 'http://localhost:1/items.dtd' [<!ENTITY unused 'x'>]>",
        "<!DOCTYPE items [<!ENTITY % ill '<!ENTITY'> %ill;]>",
    ],
)
def test_it_holds_in_every_document(folder: Path, doctype: str) -> None:
    (folder / "items.xml").write_text(f"{doctype}{ITEMS}")
    report = load(folder)
    assert rows(report) == ROWS
    assert (report.exit_code, report.native.declined) == (0, {})


@pytest.mark.usefixtures("both_ways")
def test_what_a_document_declares_itself_comes_first(folder: Path) -> None:
    internal = "<!ENTITY uuml 'UE'><!ATTLIST item kind CDATA 'ours'>"
    (folder / "items.dtd").write_text(DTD.replace("#IMPLIED", "'theirs'") + "<!ATTLIST item id CDATA '9'>")
    (folder / "items.xml").write_text(f"<!DOCTYPE items [{internal}]>{ITEMS}")
    assert rows(load(folder)) == [(1, "ours", "MUEller"), (2, "Müller UE Söhne", None), (3, "ours", None)]
    (folder / "items.xml").write_text(f"<!DOCTYPE items>{ITEMS}")
    assert rows(load(folder)) == [(1, "theirs", "Müller"), (2, "Müller ü Söhne", None), (3, "theirs", None)]


@pytest.mark.usefixtures("both_ways")
def test_entities_that_hold_elements(folder: Path) -> None:
    (folder / "items.dtd").write_text("<!ENTITY n '<name>x</name>'><!ENTITY i '<item id=\"7\"/>'>")
    (folder / "items.xml").write_text("<items><item id='1'>&n;</item><item id='2'/></items>")
    assert rows(load(folder)) == [(1, None, "x"), (2, None, None)]
    (folder / "items.xml").write_text("<items><item id='1'/>&i;<item id='2'/></items>")
    with pytest.raises(etl.SourceError, match=r"&i;.* stands for elements or another file") as caught:
        load(folder)
    assert caught.value.report.loaded == 1


def test_bombs_are_rejects_of_the_records_that_light_them(folder: Path) -> None:
    lol = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10 if n else 'lol'}'>" for n in range(6))
    (folder / "items.dtd").write_text(lol)
    (folder / "items.xml").write_text(
        "<items><item id='1'/><item id='2'><name>&l5;&l5;&l5;&l5;</name></item><item id='3'/></items>"
    )
    report = load(folder)
    assert rows(report) == [(1, None, None), (3, None, None)]
    assert [reject.reason for reject in report.rejects] == ["entity_limit"]


@pytest.mark.parametrize("use", ["load", "check", "infer", "retry", "tune"])
def test_a_dtd_that_cannot_be_used_is_told_before_anything_is_written(folder: Path, use: str) -> None:
    settings = etl.Settings.model_validate({"input": {"dtd": folder / "nope.dtd"}})
    source, url = folder / "items.xml", f"sqlite:///{folder / 'new.db'}"
    uses: dict[str, Callable[[], object]] = {
        "load": lambda: etl.load(source, target=url, settings=settings, save_mapping=folder / "new.yaml"),
        "check": lambda: etl.check(source, settings=settings),
        "infer": lambda: etl.infer(source, settings=settings),
        "retry": lambda: etl.retry(url, settings=settings),
        "tune": lambda: etl.tune(source, target=url, settings=settings),
    }
    before = sorted(folder.iterdir())
    with pytest.raises(SettingsError, match=r"There is no DTD .*nope\.dtd \(--dtd, setting input\.dtd\)\."):
        uses[use]()
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("dtd", "words"),
    [
        ("nope.dtd", "There is no DTD nope.dtd"),
        (".", "The DTD . cannot be read: Is a directory."),
        ("items.xml", "The DTD items.xml, line 1: syntax error. Expected are declarations of a DTD"),
        ("bomb.dtd", "The DTD bomb.dtd, line 2: the entity l6 makes more than 1,000,000 bytes."),
        ("wide.dtd", "The DTD wide.dtd, line 2: it gives more than 1,000 attributes to each element item."),
        ("name.dtd", "The DTD name.dtd, line 1: a name that begins with nnnnnnnnnnnnnnnnnnnn has more than 1,000"),
        ("big.dtd", "The DTD big.dtd has more than 1,048,576 bytes: is it one?"),
    ],
)
def test_the_command_says_it_in_one_sentence(folder: Path, dtd: str, words: str) -> None:
    lol = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10 if n else 'lol'}'>" for n in range(13))
    (folder / "bomb.dtd").write_text(f"\n{lol}")
    attributes = " ".join(f"a{number} CDATA 'x'" for number in range(1001))
    (folder / "wide.dtd").write_text(f'<!ENTITY % a "<!ATTLIST item {attributes}>">\n%a;')
    (folder / "name.dtd").write_text(f"<!ENTITY {'n' * 2000} 'x'>")
    with (folder / "big.dtd").open("wb") as file:
        file.truncate(50_000_000)
    result = etl_command("load", "items.xml", "--map", "map.yaml", "--dtd", dtd, "--to", "sqlite:///a.db", cwd=folder)
    assert result.code == 2
    (sentence,) = [line for line in result.err.splitlines() if line.startswith("Error")]
    assert words in sentence
    assert result.peak_memory < 150e6
    assert not (folder / "a.db").exists()


def test_a_file_that_a_dtd_takes_in_is_named_and_not_read(folder: Path) -> None:
    (folder / "more.ent").write_text("<!ENTITY company 'leaked'>")
    (folder / "items.dtd").write_text(f"<!ENTITY % m SYSTEM 'more.ent'> %m; {DTD}")
    result = etl_command("check", "items.xml", "--map", "map.yaml", "--dtd", "items.dtd", "--show", "3", cwd=folder)
    assert result.code == 0
    assert "items.dtd takes in more.ent, which is not read" in result.err
    assert "Söhne" in result.out
    assert "leaked" not in result.out


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("items.dtd", "--dtd {folder}/items.dtd takes it."),
        ("http://example.org/a/items.dtd", "--dtd {folder}/items.dtd takes it."),
        ("gone.dtd", "if you have that of {folder}/items.xml, gone.dtd: --dtd FILE takes it."),
        ("", "--dtd FILE gives entities their meaning."),
    ],
)
def test_without_it_undefined_entities_are_told_with_the_way_out(folder: Path, name: str, hint: str) -> None:
    doctype = f"<!DOCTYPE items SYSTEM '{name}'>" if name else ""
    (folder / "items.xml").write_text(f"{doctype}{ITEMS}")
    for report in (
        etl.load(folder / "items.xml", mapping=folder / "map.yaml", target="memory://"),
        etl.check(folder / "items.xml", mapping=folder / "map.yaml"),
    ):
        (reject,) = report.rejects
        assert (reject.reason, reject.count) == ("undefined_entity", 2)
        assert "Entity 'uuml' not defined; --dtd FILE gives its meaning" in reject.example
        assert any(hint.format(folder=folder) in notice for notice in report.notices), report.notices
    (folder / "items.xml").write_text("<items><item id='1'><name>&nope;</name></item></items>")
    assert not any("--dtd" in notice for notice in load(folder).notices)


def test_its_name_can_be_copied_into_a_shell(folder: Path) -> None:
    dumps = folder / "it's my dumps"
    dumps.mkdir()
    (dumps / "the items.dtd").write_text(DTD)
    (dumps / "items.xml").write_text(f"<!DOCTYPE items SYSTEM 'the items.dtd'>{ITEMS}")
    check = "it's my dumps/items.xml", "--map", "map.yaml"
    hint = re.search(r"(--dtd .*) takes it\.", etl_command("check", *check, cwd=folder).out)
    assert hint is not None
    command = f"{shlex.join([str(ETL), 'check', *check])} {hint[1]}"
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=environment(), capture_output=True)
    assert done.returncode == 0, done.stderr


def test_a_retry_with_it_loads_what_was_rejected(folder: Path, target_url: str) -> None:
    (folder / "items.xml").write_text(f"<!DOCTYPE items SYSTEM 'x' [<!ENTITY company '&uuml;!'>]>{ITEMS}")
    report = etl.load(folder / "items.xml", mapping=folder / "map.yaml", target=target_url)
    assert (report.loaded, report.rejected) == (1, 2)
    assert etl.retry(target_url).rejected == 2
    settings = etl.Settings.model_validate({"input": {"dtd": folder / "items.dtd"}})
    again = etl.retry(target_url, settings=settings, reason="undefined_entity")
    assert (again.loaded, again.left, again.exit_code) == (2, 0, 0)
    assert etl.rejects(target_url).groups == ()


def test_what_is_rejected_again_keeps_the_declarations(folder: Path) -> None:
    url = f"sqlite:///{folder / 'a.db'}"
    (folder / "items.xml").write_text("<items><item id='1'/><item id='&bad;'/></items>")
    etl.load(folder / "items.xml", mapping=folder / "map.yaml", target=url)
    (folder / "items.dtd").write_text("<!ENTITY bad 'no number'>")
    settings = etl.Settings.model_validate({"input": {"dtd": folder / "items.dtd"}})
    again = etl.retry(url, settings=settings)
    assert [(reject.reason, reject.column) for reject in again.rejects] == [("bad_value", "id")]
    assert [reject.reason for reject in etl.retry(url).rejects] == ["bad_value"]
    exported = folder / "bad.xml"
    etl_command("rejects", "--to", url, "--export", exported, cwd=folder)
    assert '<!DOCTYPE items [<!ENTITY bad "no number">]>' in exported.read_text()


def test_infer_reads_by_it(folder: Path) -> None:
    (folder / "items.dtd").write_text(DTD.replace("#IMPLIED", "'usual'"))
    settings = etl.Settings.model_validate({"input": {"dtd": folder / "items.dtd"}})
    text = etl.infer(folder / "items.xml", settings=settings)
    assert re.search(r"kind: .*usual", text)
    result = etl_command("infer", "items.xml", "--dtd", "items.dtd", cwd=folder)
    assert result.out.splitlines()[3:] == text.splitlines()[3:]


def test_the_example_of_the_docs(tmp_path: Path) -> None:
    page = (Path(etl.__file__).parent / "docs" / "commands.md").read_text("utf-8")
    page = page[page.index("### Entities and DTDs") :]
    (dtd,) = re.findall(r"```dtd\n(.*?)```", page, re.DOTALL)
    document = re.findall(r"```xml\n(.*?)```", page, re.DOTALL)[0]
    (tmp_path / "dblp.dtd").write_text(dtd)
    (tmp_path / "dblp.xml.gz").write_bytes(gzip.compress(document.encode()))
    command = re.findall(r"\n    etl (.*)\n", page)[0].split()
    result = etl_command(*command, cwd=tmp_path)
    assert result.code == 0, result.err
    loaded = query(f"sqlite:///{tmp_path / 'dblp.db'}", "SELECT author, publisher, language FROM book ORDER BY id")
    assert loaded == [("Müller", "Verlag der Universität", "de"), ("Smith", None, "en")]
    for author, publisher, language in loaded[:1]:
        assert f"author `{author}`, the publisher `{publisher}` and the languages `{language}`" in page
