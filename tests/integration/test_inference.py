"""Loading what nobody described: what the commands infer, save, find again and say."""

from __future__ import annotations

import gzip
import io
import os
import re
import signal
import sqlite3
import subprocess
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import etl
from etl.mapping.reader import parse_mapping, read_mapping
from tests.acceptance.contents import checksums, count, query
from tests.command import ETL, environment, without_override
from tests.command import etl as command
from tests.integration.bad_input import document, item, sentence
from tests.listening import line_with, rest

MAPPING = "items.mapping.yaml"


def items(first: int, last: int, extra: bytes = b"") -> bytes:
    """A document of records with an integer key, a child table (`tag`) and text that is not ASCII."""
    records = (
        b'<item id="%d"><name>n\xc3\xa4me %d</name><size>%d</size><tag>a</tag><tag>b</tag></item>\n' % (n, n, n * 7)
        for n in range(first, last + 1)
    )
    return document(*records, extra)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with items.xml.gz: 200 records, 400 tags."""
    (tmp_path / "items.xml.gz").write_bytes(gzip.compress(items(1, 200)))
    return tmp_path


def contents(url: str, mapping: Path) -> dict[str, str]:
    return checksums(url, read_mapping(mapping))


def test_a_load_infers_a_mapping_saves_it_and_says_so(folder: Path, target_url: str) -> None:
    result = command("load", "items.xml.gz", "--to", target_url, cwd=folder)
    assert result.code == 0, result.err
    assert result.out == ""
    assert "there is no items.mapping.yaml yet: a mapping is inferred" in result.err
    assert "Inferred 2 tables (item, item_tag) from all of the document" in result.err
    assert f"saved as {MAPPING}" in result.err
    assert "200 records read = 200 loaded + 0 rejected" in result.err
    assert count(target_url, "item") == 200
    assert count(target_url, "item_tag") == 400
    assert query(target_url, 'SELECT id, name, size FROM "item" WHERE id = 7') == [(7, "näme 7", 49)]

    again = command("load", "items.xml.gz", "--to", target_url, cwd=folder)
    assert again.code == 0, again.err
    assert f"mapped by {MAPPING}" in again.err
    assert "Nothing to do" in again.err
    assert count(target_url, "item") == 200


def test_the_mapping_printed_is_the_one_saved_and_loads_the_same(folder: Path, target_url: str) -> None:
    printed = command("infer", "items.xml.gz", cwd=folder)
    assert printed.code == 0, printed.err
    assert [file.name for file in folder.iterdir()] == ["items.xml.gz"]
    assert command("load", "items.xml.gz", "--to", target_url, cwd=folder).code == 0
    assert (folder / MAPPING).read_bytes().decode() == printed.out
    assert (folder / MAPPING).stat().st_mode & 0o777 == 0o666 & ~_umask()

    (folder / "named.yaml").write_text(printed.out, "utf-8")
    again = command("load", "items.xml.gz", "--map", "named.yaml", "--to", "sqlite:///again.db", cwd=folder)
    assert again.code == 0, again.err
    assert contents(f"sqlite:///{folder / 'again.db'}", folder / "named.yaml") == contents(target_url, folder / MAPPING)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_what_is_inferred_does_not_depend_on_the_run(folder: Path) -> None:
    texts = {command("infer", "items.xml.gz", cwd=folder, env={"PYTHONHASHSEED": seed}).out for seed in "123"}
    assert len(texts) == 1


def test_an_inferred_mapping_is_utf8_whatever_the_locale_and_stands_alone_on_standard_output(folder: Path) -> None:
    (folder / "wörter.xml").write_bytes("<wörter><wort größe='1'>ä</wort><wort größe='2'>ß</wort></wörter>".encode())
    names = {"LC_ALL": "C", "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    with (folder / "out.yaml").open("wb") as out:
        done = subprocess.run(
            [ETL, "infer", "wörter.xml"], cwd=folder, stdout=out, stderr=subprocess.PIPE, env=environment(names)
        )
    assert done.returncode == 0, done.stderr
    assert b"Inferred" in done.stderr
    mapping = read_mapping(folder / "out.yaml")
    assert [column.name for column in mapping.table("wort").columns if column.name.startswith("gr")] == ["größe"]


def test_quiet_inference_says_nothing_but_the_mapping(folder: Path) -> None:
    result = command("infer", "items.xml.gz", "-q", cwd=folder)
    assert (result.code, result.err) == (0, "")
    assert parse_mapping(result.out, "x").tables


def test_a_mapping_that_is_there_is_used_and_never_written_over(folder: Path) -> None:
    assert command("load", "items.xml.gz", "-q", cwd=folder).code == 0
    edited = (
        (folder / MAPPING).read_text("utf-8").replace("  item:", "  thing:").replace("parent: item", "parent: thing")
    )
    (folder / MAPPING).write_text(edited, "utf-8")
    result = command("load", "items.xml.gz", "--to", "sqlite:///edited.db", cwd=folder)
    assert result.code == 0, result.err
    assert count(f"sqlite:///{folder / 'edited.db'}", "thing") == 200
    assert (folder / MAPPING).read_text("utf-8") == edited


def test_an_edited_mapping_is_told_how_to_be_loaded(folder: Path) -> None:
    assert command("load", "items.xml.gz", "-q", cwd=folder).code == 0
    edited = (folder / MAPPING).read_text("utf-8").replace("name: ", "nickname: ", 1)
    (folder / MAPPING).write_text(edited, "utf-8")
    result = command("load", "items.xml.gz", "-q", cwd=folder)
    assert result.code == 1
    assert "with another mapping" in sentence(result)
    assert "drop these tables" in sentence(result)


def test_several_sources_are_described_together_in_one_file(folder: Path) -> None:
    (folder / "a.xml").write_bytes(items(1, 100))
    (folder / "b.xml").write_bytes(items(101, 150).replace(b"<size>", b"<weight>").replace(b"</size>", b"</weight>"))
    result = command("load", "a.xml", "b.xml", cwd=folder)
    assert result.code == 0, result.err
    assert "from all of 2 documents" in result.err
    assert sorted(file.name for file in folder.glob("*.yaml")) == ["etl.mapping.yaml"]
    url = f"sqlite:///{folder / 'etl.db'}"
    assert query(url, 'SELECT count(*), count("size"), count("weight") FROM item') == [(150, 100, 50)]
    assert "mapped by etl.mapping.yaml" in command("load", "[ab].xml", cwd=folder).err


@pytest.mark.parametrize("bad", ["a.xml", "z.xml"])
def test_one_bad_file_does_not_keep_the_others_out(folder: Path, bad: str) -> None:
    (folder / bad).write_bytes(b"Dear Sir or Madam,\n")
    result = command("load", *sorted(["items.xml.gz", bad]), cwd=folder)
    assert result.code == 1
    assert f"could not be read and was passed over: {bad} is not XML" in result.err
    assert f"{bad}: broken" in result.err
    assert count(f"sqlite:///{folder / 'etl.db'}", "item") == 200


def test_nothing_but_bad_files_is_an_error(tmp_path: Path) -> None:
    for name in ("a.xml", "b.xml"):
        (tmp_path / name).write_bytes(b"")
    result = command("load", "a.xml", "b.xml", "-q", cwd=tmp_path)
    assert result.code == 1
    assert "b.xml is empty" in sentence(result)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.xml", "b.xml"]


def test_a_mapping_that_cannot_be_saved_is_used_all_the_same(folder: Path) -> None:
    locked = folder / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    arguments = ("load", "../items.xml.gz", "--to", "sqlite:///../items.db")
    result = command(*arguments, cwd=locked, preexec_fn=without_override)
    assert result.code == 0, result.err
    assert "is not saved as items.mapping.yaml: Permission denied" in result.err
    assert count(f"sqlite:///{folder / 'items.db'}", "item") == 200
    again = command(*arguments, cwd=locked, preexec_fn=without_override)
    assert again.code == 0, again.err
    assert "Nothing to do" in again.err
    assert not list(locked.iterdir())


def test_a_name_too_long_for_a_mapping_is_no_reason_not_to_load(tmp_path: Path) -> None:
    (tmp_path / f"{'x' * 245}.xml").write_bytes(items(1, 3))
    result = command("load", f"{'x' * 245}.xml", "--to", "sqlite:///x.db", cwd=tmp_path)
    assert result.code == 0, result.err
    assert "is not saved" in result.err
    assert count(f"sqlite:///{tmp_path / 'x.db'}", "item") == 3


def test_a_check_uses_what_is_saved_and_saves_nothing(folder: Path) -> None:
    result = command("check", "items.xml.gz", "--show", "1", cwd=folder)
    assert result.code == 0, result.err
    assert "mapped by the inferred mapping. Nothing was written." in result.out
    assert "item: 1 of 200 rows" in result.out
    assert [file.name for file in folder.iterdir()] == ["items.xml.gz"]
    assert command("load", "items.xml.gz", "-q", cwd=folder).code == 0
    saved = command("check", "items.xml.gz", cwd=folder)
    assert "mapped by items.mapping.yaml" in saved.out
    assert "Inferred" not in saved.err


# --- standard input and pipes ---


@pytest.mark.parametrize("records", [150, 40_000])
def test_standard_input_is_read_ahead_and_loaded_whole(tmp_path: Path, target_url: str, records: int) -> None:
    content = gzip.compress(items(1, records), 1)
    result = command("load", "-", "--to", target_url, cwd=tmp_path, stdin=content)
    assert result.code == 0, result.err
    assert query(target_url, "SELECT count(*), min(id), max(id) FROM item") == [(records, 1, records)]
    assert [file.name for file in tmp_path.glob("*.yaml")] == ["etl.mapping.yaml"]


def test_standard_input_with_a_name_has_a_mapping_of_that_name_and_can_go_on(tmp_path: Path) -> None:
    arguments = ("load", "-", "--source-name", "feeds/items.xml", "--to", "sqlite:///in.db")
    assert command(*arguments, "--limit", "2", cwd=tmp_path, stdin=items(1, 10)).code == 0
    assert [file.name for file in tmp_path.glob("*.yaml")] == [MAPPING]
    rest = command(*arguments, "--json", cwd=tmp_path, stdin=items(1, 10))
    assert rest.code == 0, rest.err
    assert rest.report["skipped"] == 2
    assert rest.report["mapping"] == MAPPING
    assert count(f"sqlite:///{tmp_path / 'in.db'}", "item") == 10


def test_a_named_pipe_is_read_once_from_its_beginning(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "items.xml")
    content = items(1, 30_000)
    feeder = threading.Thread(target=(tmp_path / "items.xml").write_bytes, args=(content,), daemon=True)
    feeder.start()
    result = command("load", "items.xml", cwd=tmp_path)
    feeder.join(30)
    assert result.code == 0, result.err
    assert count(f"sqlite:///{tmp_path / 'items.db'}", "item") == 30_000
    assert (tmp_path / MAPPING).is_file()


def test_a_shells_pipe_has_no_name_to_call_files_by(tmp_path: Path) -> None:
    (tmp_path / "items.xml").write_bytes(items(1, 5))
    script = f'"{ETL}" load <(cat items.xml)'
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == ["etl.db", "etl.mapping.yaml", "items.xml"]
    assert count(f"sqlite:///{tmp_path / 'etl.db'}", "item") == 5


def test_another_input_by_a_mapping_that_was_found_is_named(tmp_path: Path) -> None:
    assert command("load", "-", "-q", cwd=tmp_path, stdin=items(1, 5)).code == 0
    other = command("load", "-", "-q", cwd=tmp_path, stdin=b"<books><book><title>x</title></book></books>")
    assert other.code == 1
    assert "etl.mapping.yaml" in sentence(other)
    assert "/items/item" in sentence(other)


# --- stopping and going on ---


def _wait_for(found: Any, what: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found():
            return
        time.sleep(0.02)
    pytest.fail(f"no {what} within a minute")


def _rows(database: Path) -> int:
    try:
        return count(f"sqlite:///{database}", "item")
    except sqlite3.OperationalError:  # the file or the table is still to come
        return 0


def test_a_load_that_was_killed_goes_on_by_the_mapping_it_saved(tmp_path: Path) -> None:
    (tmp_path / "items.xml").write_bytes(items(1, 30_000))
    flags = ["--set", "split.bytes=4KiB", "--set", "insert.batch_records=200", "--set", "insert.max_wait=0"]
    with subprocess.Popen([ETL, "load", "items.xml", "-q", *flags], cwd=tmp_path, env=environment()) as process:
        _wait_for(lambda: _rows(tmp_path / "items.db"), "rows")
        process.kill()
    saved = (tmp_path / MAPPING).read_text("utf-8")
    rest = command("load", "items.xml", *flags, "--json", cwd=tmp_path)
    assert rest.code == 0, rest.err
    assert rest.report["skipped"] > 0
    assert "mapped by items.mapping.yaml" in rest.err
    assert (tmp_path / MAPPING).read_text("utf-8") == saved
    assert query(f"sqlite:///{tmp_path / 'items.db'}", "SELECT count(*), min(id), max(id) FROM item") == [
        (30_000, 1, 30_000)
    ]


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that a test starts, with a standard input that never ends."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        with process:
            process.kill()


@pytest.mark.parametrize("arguments", [["load", "-"], ["check", "-"], ["infer", "-"]], ids=lambda words: words[0])
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_mapping_is_inferred_ends_all_and_leaves_nothing(
    tmp_path: Path, waiting: list[subprocess.Popen[bytes]], arguments: list[str], stop: signal.Signals
) -> None:
    process = subprocess.Popen(
        [ETL, *arguments],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    waiting.append(process)
    assert process.stdin is not None
    process.stdin.write(b"<items>\n" + b"".join(map(item, range(20_000))))
    process.stdin.flush()
    # A line of progress: the sample is being read.
    line_with(process.stderr, b"inferring a mapping")
    process.send_signal(stop)
    out, err = rest(process)
    assert process.returncode == 4
    assert out == b""
    assert b"Traceback" not in err
    assert err.splitlines()[-1].startswith(b"Error: ")
    assert not list(tmp_path.iterdir())


# --- what may be wrong ---


def _zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("items.txt", "Dear Sir or Madam,\n")
    return packed.getvalue()


def _tar() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("items.xml")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"<a>"))
    return packed.getvalue()


BAD = {
    "empty": (b"", "is empty"),
    "white": (b" \n", "white space"),
    "text": (b"Dear Sir or Madam,\n", "is not XML"),
    "json": (b'{"a": 1}', "is not XML"),
    "zip": (_zip(), "holds no XML document: 1 file skipped (1 not XML: items.xml/"),
    "tar": (_tar(), "items.xml"),
    "cut": (gzip.compress(items(1, 3))[:5], "cut off"),
    "prolog": (b'<?xml version="1.0"?>\n<!-- nothing -->\n', "."),
}


@pytest.mark.parametrize("command_name", ["infer", "load", "check"])
@pytest.mark.parametrize("kind", BAD)
def test_what_nothing_can_be_inferred_from_is_one_sentence(tmp_path: Path, kind: str, command_name: str) -> None:
    content, words = BAD[kind]
    (tmp_path / "items.xml").write_bytes(content)
    result = command(command_name, "items.xml", "-q", cwd=tmp_path)
    assert (result.code, result.out) == (1, "")
    assert "items.xml" in sentence(result)
    assert words in sentence(result)
    assert [file.name for file in tmp_path.iterdir()] == ["items.xml"]


def test_a_folder_without_documents_is_named(tmp_path: Path) -> None:
    (tmp_path / "dumps").mkdir()
    (tmp_path / "dumps" / "dumps.mapping.yaml").write_text("version: 1\n")
    for name in ("infer", "load", "check"):
        result = command(name, "dumps", "-q", cwd=tmp_path)
        assert result.code == 1
        assert "no file to load" in sentence(result)


def test_a_document_that_breaks_off_is_loaded_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "items.xml").write_bytes(items(1, 300)[:-2000])
    result = command("load", "items.xml", cwd=tmp_path)
    assert result.code == 1
    assert (tmp_path / MAPPING).is_file()
    assert 250 < _rows(tmp_path / "items.db") < 300


def test_a_later_value_that_does_not_fit_names_the_line_to_change(folder: Path) -> None:
    assert command("load", "items.xml.gz", "-q", cwd=folder).code == 0
    more = items(201, 210, b'<item id="211"><name>x</name><size>large</size><colour>red</colour></item>\n')
    (folder / "items.xml.gz").write_bytes(gzip.compress(more))
    result = command("load", "items.xml.gz", cwd=folder)
    assert result.code == 3, result.err
    (line,) = [n for n, text in enumerate((folder / MAPPING).read_text("utf-8").splitlines(), 1) if " size" in text]
    assert "1 x bad_value in item.size" in result.err
    assert f"({MAPPING}:{line})" in result.err
    assert "colour" in result.err
    assert f"edit {MAPPING}" in result.err
    assert count(f"sqlite:///{folder / 'items.db'}", "item") == 210


def test_an_element_that_comes_twice_where_it_came_once_is_a_reject_not_a_loss(folder: Path) -> None:
    assert command("load", "items.xml.gz", "-q", cwd=folder).code == 0
    more = items(201, 202, b'<item id="203"><name>x</name><name>y</name></item>\n')
    (folder / "items.xml.gz").write_bytes(gzip.compress(more))
    result = command("load", "items.xml.gz", cwd=folder)
    assert result.code == 3, result.err
    assert "1 x several_values in item.name" in result.err
    assert re.search(rf"\({MAPPING}:\d+\)", result.err)


# --- from Python ---


def test_python_infers_too_and_writes_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    text = etl.infer("items.xml.gz")
    assert [table.name for table in parse_mapping(text, "x").tables] == ["item", "item_tag"]
    report = etl.load("items.xml.gz", target="memory://")
    assert report.rows is not None
    assert {name: len(rows) for name, rows in report.rows.items()} == {"item": 200, "item_tag": 400}
    assert report.mapping == "the inferred mapping"
    checked = etl.check("items.xml.gz", show=1)
    assert (checked.loaded, checked.mapping) == (200, "the inferred mapping")
    assert [file.name for file in folder.iterdir()] == ["items.xml.gz"]


def test_python_saves_where_it_is_told_and_never_over_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    report = etl.load("items.xml.gz", target="memory://", save_mapping="mine.yaml")
    assert report.mapping == "mine.yaml"
    assert (folder / "mine.yaml").read_text("utf-8") == etl.infer("items.xml.gz")
    (folder / "theirs.yaml").write_text("mine\n")
    report = etl.load("items.xml.gz", target="memory://", save_mapping="theirs.yaml")
    assert (report.loaded, report.mapping) == (200, "the inferred mapping")
    assert (folder / "theirs.yaml").read_text() == "mine\n"
    assert sorted(file.name for file in folder.iterdir()) == ["items.xml.gz", "mine.yaml", "theirs.yaml"]


def test_a_function_that_is_missing_ends_a_load_before_it_begins(folder: Path) -> None:
    assert command("load", "items.xml.gz", "-q", "--to", "sqlite:///first.db", cwd=folder).code == 0
    text = (folder / MAPPING).read_text("utf-8")
    wanted = 'name: {path: name, transform: [{python: "nowhere:clean"}]} #'
    (folder / "own.yaml").write_text(re.sub(r"\bname: +name +#", wanted, text), "utf-8")
    for arguments in (["load", "--to", "sqlite:///second.db"], ["check"]):
        result = command(*arguments, "items.xml.gz", "--map", "own.yaml", "-q", cwd=folder)
        assert result.code == 2, result.err
        assert "nowhere" in sentence(result)
        assert "own.yaml:" in sentence(result)
    assert not (folder / "second.db").exists()


def test_discarded_records_are_counted_apart(folder: Path, target_url: str) -> None:
    assert command("load", "items.xml.gz", "-q", "--to", "sqlite:///first.db", cwd=folder).code == 0
    text = (
        (folder / MAPPING)
        .read_text("utf-8")
        .replace("each: /items/item\n", "each: /items/item\n    where: \"@id != '7'\"\n")
    )
    (folder / "own.yaml").write_text(text, "utf-8")
    result = command("load", "items.xml.gz", "--map", "own.yaml", "--to", target_url, cwd=folder)
    assert result.code == 0, result.err
    assert "200 records read = 199 loaded + 0 rejected + 1 discarded" in result.err
    assert count(target_url, "item") == 199
    again = command("load", "items.xml.gz", "--map", "own.yaml", "--to", target_url, "--json", cwd=folder)
    assert again.report["state"] == "nothing to do"
    checked = command("check", "items.xml.gz", "--map", "own.yaml", cwd=folder)
    assert "200 records read = 199 loaded + 0 rejected + 1 discarded" in checked.out
