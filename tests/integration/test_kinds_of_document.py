"""A folder with several kinds of documents, in one command: a mapping of all, and sources that none of it is for."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from textwrap import dedent, indent

import pytest

import etl
from etl.mapping.reader import read_mapping
from tests.acceptance.contents import count, query
from tests.command import etl as command


def rows(root: str, number: int, attribute: str) -> bytes:
    """A document as Stack Exchange's dumps have them."""
    return (f"<{root}>" + "".join(f'<row Id="{n}" {attribute}="{n}x"/>' for n in range(number)) + f"</{root}>").encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder `site` with documents of three kinds."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "Users.xml").write_bytes(rows("users", 150, "Name"))
    (site / "PostLinks.xml.gz").write_bytes(gzip.compress(rows("postlinks", 120, "Post")))
    (site / "Votes.xml").write_bytes(rows("votes", 130, "Kind"))
    return tmp_path


def test_a_folder_of_several_kinds_loads_in_one_command(folder: Path, target_url: str) -> None:
    result = command("load", "site", "--to", target_url, cwd=folder)
    assert result.code == 0, result.err
    assert {name: count(target_url, name) for name in ("user", "post_link", "vote")} == {
        "user": 150,
        "post_link": 120,
        "vote": 130,
    }
    mapping = read_mapping(folder / "site.mapping.yaml")
    assert {table.name: [column.name for column in table.columns] for table in mapping.tables} == {
        "post_link": ["id", "post"],
        "user": ["id", "name"],
        "vote": ["id", "kind"],
    }
    assert "mapped by site.mapping.yaml" in command("load", "site", "--to", target_url, cwd=folder).err


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    page = (Path(etl.__file__).parent / "docs" / "commands.md").read_text("utf-8")
    section = page.partition("### Several kinds of document\n")[2].partition("\n### ")[0]
    files = dict(re.findall(r"this `site/(\w+\.xml)`\s+```xml\n(.*?)```", section, re.DOTALL))
    assert list(files) == ["Users.xml", "Badges.xml"]
    (tmp_path / "site").mkdir()
    for name, text in files.items():
        (tmp_path / "site" / name).write_text(text, "utf-8")
    assert command("load", "site/", cwd=tmp_path).code == 0
    url = f"sqlite:///{tmp_path / 'site.db'}"
    assert (query(url, 'SELECT id, name FROM "user"'), count(url, "badge")) == ([("1", "Ada"), ("2", "Grace")], 2)

    (tmp_path / "users.yaml").write_text(command("infer", "site/Users.xml", "-q", cwd=tmp_path).out, "utf-8")
    told = command("load", "site/", "--map", "users.yaml", "--to", "sqlite:///other.db", cwd=tmp_path)
    shown = re.search(r"    etl load site/ --map users\.yaml\n((?:      .*\n)+)", section)
    assert shown is not None
    assert indent(dedent(shown[1]), "  ").rstrip() in told.err


def test_kinds_at_the_same_path_share_a_table_and_that_is_told_with_a_way_out(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "Users.xml").write_bytes(rows("data", 30, "Name"))
    (folder / "Posts.xml").write_bytes(rows("data", 30, "Body").replace(b"/>", b' Score="1"/>'))
    inferred = command("infer", "site", cwd=tmp_path)
    assert "  row:  # 60 seen" in inferred.out
    (said,) = (line for line in inferred.err.splitlines() if "is not the same in all documents" in line)
    assert "/data/row" in said
    assert "(in site/Posts.xml @Body, @Id, @Score; in site/Users.xml @Id, @Name)" in said
    page = (Path(etl.__file__).parent / "docs" / "commands.md").read_text("utf-8")
    told = re.findall(r"^    etl ((?:infer|load) dump/.*)$", page, re.MULTILINE)
    assert len(told) == 4
    folder.rename(tmp_path / "dump")
    for line in told:
        arguments, _, out = line.partition(" > ")
        done = command(*arguments.split(), cwd=tmp_path)
        assert done.code == 0, done.err
        assert "not the same" not in done.err
        if out:
            (tmp_path / out).write_text(done.out, "utf-8")
    url = f"sqlite:///{tmp_path / 'dump.db'}"
    assert (count(url, "user"), count(url, "post")) == (30, 30)


def test_the_same_records_with_other_optional_values_are_one_kind(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "a.xml").write_bytes(rows("data", 30, "Name").replace(b"/>", b' City="x"/>', 20))
    (folder / "b.xml").write_bytes(rows("data", 30, "Name").replace(b"/>", b' Age="1"/>'))
    (folder / "c.xml").write_bytes(rows("data", 3, "Body"))
    assert "not the same" not in command("infer", "site", cwd=tmp_path).err


def test_small_documents_of_two_kinds_are_records_each(tmp_path: Path) -> None:
    documents = tmp_path / "inbox"
    documents.mkdir()
    for number in range(40):
        lines = "".join(f"<line><sku>{line}</sku></line>" for line in range(1 + number % 3))
        (documents / f"i{number}.xml").write_text(f"<invoice><id>{number}</id>{lines}</invoice>")
        (documents / f"n{number}.xml").write_text(f"<note to='{number}'>text</note>")
    result = command("load", "inbox", cwd=tmp_path)
    assert result.code == 0, result.err
    url = f"sqlite:///{tmp_path / 'inbox.db'}"
    assert query(url, "SELECT count(*), count(DISTINCT id) FROM invoice") == [(40, 40)]
    assert (count(url, "invoice_line"), count(url, "note")) == (79, 40)


def _mapping_of_users(folder: Path) -> None:
    text = command("infer", "site/Users.xml", "-q", cwd=folder).out
    (folder / "site.mapping.yaml").write_text(text, "utf-8")


NAMED = "site/Votes.xml: finished, 0 records\n    nothing matches the mapping; it has /votes"


def test_a_source_that_nothing_matches_is_named(folder: Path, target_url: str) -> None:
    (folder / "site" / "PostLinks.xml.gz").unlink()
    (folder / "site" / "Empty.xml").write_text("<users/>")
    _mapping_of_users(folder)

    checked = command("check", "site", cwd=folder)
    assert checked.code == 0
    assert NAMED in checked.out + checked.err

    loaded = command("load", "site", "--to", target_url, cwd=folder)
    assert loaded.code == 0, loaded.err
    assert NAMED in loaded.err
    assert "Empty.xml: finished, 0 records\n  site/Users.xml" in loaded.err
    assert "`etl infer site/Votes.xml > FILE` writes one for it" in loaded.err
    # What a mapping for it would take is no column that this mapping lacks.
    assert "that no column and no table takes" not in loaded.err


def test_what_the_report_has_of_it(folder: Path) -> None:
    _mapping_of_users(folder)
    result = command("load", "site", "--json", cwd=folder)
    assert result.code == 0
    sources = {Path(source["label"]).name: source["unmatched"] for source in json.loads(result.out)["sources"]}
    assert sources == {"PostLinks.xml.gz": ["/postlinks"], "Users.xml": [], "Votes.xml": ["/votes"]}


def test_a_mapping_for_it_loads_it_afterwards(folder: Path, target_url: str) -> None:
    _mapping_of_users(folder)
    assert command("load", "site", "--to", target_url, cwd=folder).code == 0
    (folder / "votes.yaml").write_text(command("infer", "site/Votes.xml", "-q", cwd=folder).out, "utf-8")
    later = command("load", "site/Votes.xml", "--map", "votes.yaml", "--to", target_url, cwd=folder)
    assert later.code == 0, later.err
    assert (count(target_url, "user"), count(target_url, "vote")) == (150, 130)
    again = command("load", "site", "--to", target_url, "--json", cwd=folder)
    assert (again.report["state"], count(target_url, "vote")) == ("nothing to do", 130)


def test_nothing_that_matches_is_an_error_that_names_a_few(folder: Path) -> None:
    for number in range(50):
        (folder / "site" / f"{number:02}.xml").write_bytes(rows("tags", 3 + number, "Tag"))
    (folder / "map.yaml").write_text("version: 1\ntables: {a: {each: /a/b, columns: {c: c}}}\n")
    with pytest.raises(etl.SourceError, match=r"site/01\.xml.* and \d+ more: nothing matches /a/b") as caught:
        etl.load(str(folder / "site"), mapping=folder / "map.yaml", target="memory://")
    assert "what there is: /postlinks, /tags" in str(caught.value)
