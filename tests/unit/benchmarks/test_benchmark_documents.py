"""The benchmark of many small documents: its form, never its figures; and that it loads what it says."""

from __future__ import annotations

import json
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from performance_tuning.benchmarks import benchmark_documents
from performance_tuning.benchmarks.common.documents import CONTENTS, FORMS, make_documents


def test_prints_every_form_beside_the_one_file_and_keeps_raw_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # More than 100, or the files of the folder would be sources of their own.
    given = ["--documents", "101", "--repeat", "1", "--targets", "sqlite", "--forms", "folder,tar.gz"]
    assert benchmark_documents.main([*given, "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for contents in CONTENTS.values():
        title = rf"^101 {contents.name} \({contents.title}\), [\d,]+ bytes each, into SQLite: median of 1$"
        assert len(re.findall(title, printed, re.M)) == 1
    assert len(re.findall(r"^\| one file +\|( +\d+\.\d\d \|){3} +1\.00 \| +\|( +\d+\.\d\d \|){2}", printed, re.M)) == 2
    for form in ("folder", r"tar\.gz"):
        figures = rf"^\| {form} +\|( +\d+\.\d\d \|){{4}} +-?[\d.]+ \|( +\d+\.\d\d \|){{2}} +\d+ \|$"
        assert len(re.findall(figures, printed, re.M)) == 2
    assert "| tar.gz " in (tmp_path / "documents.md").read_text("utf-8")
    values = json.loads((tmp_path / "documents.json").read_text("utf-8"))
    assert [result["contents"] for result in values["results"]] == list(CONTENTS)
    assert all(result["runs"].keys() == {"one file", "folder", "tar.gz"} for result in values["results"])


@pytest.mark.parametrize("name", CONTENTS)
def test_all_forms_hold_the_same_documents_each_time(name: str, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    made = make_documents(CONTENTS[name], 5, FORMS, tmp_path)
    for form, dump in make_documents(CONTENTS[name], 5, FORMS, again).items():
        if form != "folder":
            assert dump.path.read_bytes() == made[form].path.read_bytes()
    files = {path.name: path.read_bytes() for path in made["folder"].path.iterdir()}
    assert len(files) == len(set(files.values())) == 5
    with zipfile.ZipFile(made["zip"].path) as archive:
        assert {member: archive.read(member) for member in archive.namelist()} == files
    for form in ("tar", "tar.gz"):
        with tarfile.open(made[form].path) as tar:
            contents = {member.name: tar.extractfile(member) for member in tar}
            assert {member: file.read() for member, file in contents.items() if file} == files
    one = made["one file"].path.read_bytes()
    assert all(content.partition(b"?>\n")[2] in one for content in files.values())
