"""What names stand for, and what a source is known by."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from etl.errors import SourceError
from etl.extract.member import SMALL_BYTES
from etl.extract.source import Source, expand, open_source
from etl.native import SWITCH


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("b.xml", "a.xml.gz", ".hidden.xml", "a.mapping.yaml", "a.dtd", "a.db"):
        (tmp_path / name).write_bytes(b"<r/>")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "c.xml").write_bytes(b"<r></r>")
    return tmp_path


def labels(*names: str) -> list[str]:
    return [source.label for source in expand(names)]


def test_files_directories_globs_and_standard_input(folder: Path) -> None:
    assert labels("b.xml", "below", "-") == ["b.xml", os.path.join("below", "c.xml"), "standard input"]
    assert labels(str(folder)) == [str(folder / "a.xml.gz"), str(folder / "b.xml")]
    assert labels("*.xml") == ["b.xml"]
    assert labels("**/*.xml") == ["b.xml", os.path.join("below", "c.xml")]
    assert [source.size for source in expand(["b.xml", "below/c.xml", "-"])] == [4, 7, None]


def test_a_file_named_twice_is_one_source(folder: Path) -> None:
    (folder / "link.xml").symlink_to(folder / "b.xml")
    assert labels("b.xml", "./b.xml", str(folder / "b.xml"), "*.xml", "link.xml", "-", "-") == [
        "b.xml",
        "standard input",
    ]


@pytest.mark.parametrize("many", [0, 150])
@pytest.mark.parametrize("how", [os.link, os.symlink])
def test_a_file_with_several_names_in_a_folder_is_taken_once(
    tmp_path: Path, how: Callable[[str, str], None], many: int
) -> None:
    for number in range(many):
        (tmp_path / f"m{number:03}.xml").write_bytes(b"<r/>")
    (tmp_path / "b.xml").write_bytes(b"<r>text</r>")
    how(str(tmp_path / "b.xml"), str(tmp_path / "a.xml"))
    sources = expand([str(tmp_path)])
    names = [name for source in sources for name in source.files or [source.label]]
    assert names == [str(tmp_path / "a.xml"), *(str(tmp_path / f"m{number:03}.xml") for number in range(many))]
    assert sum(source.size or 0 for source in sources) == 11 + 4 * many


@pytest.mark.parametrize("name", ["", ".m.xml", "m.dtd", "m.Zip", "large.xml"])
def test_a_folder_of_many_files_with_one_that_is_unusual(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for number in range(150):
        (tmp_path / f"m{number * 7 % 150:03}.xml").write_bytes(b"<r/>" * number)
    if name:
        (tmp_path / name).write_bytes(b"<r>" + b" " * (SMALL_BYTES if name == "large.xml" else 0) + b"</r>")
    compiled = expand([str(tmp_path)])
    monkeypatch.setenv(SWITCH, "0")
    (folder, *others) = expand([str(tmp_path)])
    assert (compiled, compiled[0].files) == ([folder, *others], folder.files)
    assert (len(folder.files), len(others)) == (150, name in ("m.Zip", "large.xml"))


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_folder_of_many_files_is_the_same_with_and_without_compiled_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slash: str
) -> None:
    for number in range(150):
        (tmp_path / f"m{number * 7 % 150:03}.xml").write_bytes(b"<r/>" * number)
    for name in (".m.xml", "m.dtd", "m.yaml", "m.TAR.gz", "m.xml.gz", "\udcff.xml", "é\n.xml"):
        (tmp_path / name).write_bytes(b"<r/>")
    (tmp_path / "large.xml").write_bytes(b"<r>" + b" " * SMALL_BYTES + b"</r>")
    (tmp_path / "inner").mkdir()
    compiled = expand([f"{tmp_path}{slash}"])
    monkeypatch.setenv(SWITCH, "0")
    folder, *others = expand([f"{tmp_path}{slash}"])
    assert compiled == [folder, *others]
    assert compiled[0].files == folder.files
    assert list(folder.files) == sorted(folder.files)
    assert (len(folder.files), folder.size, folder.label) == (153, 4 * sum(range(150)) + 12, str(tmp_path))
    assert [Path(source.label).name for source in others] == ["large.xml", "m.TAR.gz"]


def test_links_that_lead_nowhere_or_in_a_circle_are_no_files(folder: Path) -> None:
    (folder / "circle.xml").symlink_to("circle.xml")
    (folder / "nowhere.xml").symlink_to("missing.xml")
    assert labels(str(folder)) == [str(folder / "a.xml.gz"), str(folder / "b.xml")]


def test_a_file_whose_name_looks_like_a_pattern(folder: Path) -> None:
    (folder / "[1].xml").write_bytes(b"<r/>")
    assert labels("[1].xml") == ["[1].xml"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.xml", "There is no file missing.xml."),
        ("below/missing/c.xml", "There is no file below/missing/c.xml."),
        ("b.xml/c.xml", "b.xml/c.xml cannot be read: Not a directory."),
        ("*.zip", "No file matches *.zip."),
        ("empty", "The directory empty has no file to load."),
        (
            "outer",
            "The directory outer has no file to load, but 1 subfolder, which is not looked into; a pattern takes the"
            " files in it too, as in 'outer/**/*.xml'.",
        ),
        ("nul\0.xml", "nul\0.xml cannot be read: embedded null byte."),
        ("", "There is no file ."),
    ],
)
def test_names_that_stand_for_nothing(folder: Path, name: str, message: str) -> None:
    (folder / "empty").mkdir()
    (folder / "empty" / "sub").mkdir()
    (folder / "outer" / "sub").mkdir(parents=True)
    (folder / "outer" / "sub" / "a.xml").touch()
    with pytest.raises(SourceError) as raised:
        expand(["b.xml", name])
    assert str(raised.value) == message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(folder: Path) -> None:
    (folder / "b.xml").chmod(0)
    with pytest.raises(SourceError, match=r"b\.xml cannot be read: Permission denied\."):
        expand(["b.xml"])


def test_a_file_that_goes_away_before_it_is_opened(folder: Path) -> None:
    (source,) = expand(["b.xml"])
    (folder / "b.xml").unlink()
    with pytest.raises(SourceError, match=r"There is no file b\.xml\."):
        open_source(source)
    with pytest.raises(SourceError, match=r"There is no file b\.xml\."):
        source.fingerprint()


def test_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    large = bytes(range(256)) * (40 << 10)
    for name, content in (("a", large), ("b", large), ("short", b"<r/>"), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
    a, b, short, empty = expand([str(tmp_path / name) for name in ("a", "b", "short", "empty")])
    assert a.fingerprint() == b.fingerprint()
    prints = {a.fingerprint(), short.fingerprint(), empty.fingerprint()}
    size = len(large)
    # The first byte, the last, one of the last MiB, the first of a sampled block; and another size.
    for place in (0, size - 1, size - (1 << 20), (1 << 20) + (size - (2 << 20)) * 33 // 64):
        changed = bytearray(large)
        changed[place] ^= 1
        (tmp_path / "b").write_bytes(changed)
        prints.add(b.fingerprint())
    (tmp_path / "c").write_bytes(large[:-1])
    prints.add(expand([str(tmp_path / "c")])[0].fingerprint())
    assert len(prints) == 8
    assert all(value is not None and len(value) == 32 for value in prints)


def test_files_up_to_two_mebibytes_are_fingerprinted_whole(tmp_path: Path) -> None:
    content = bytearray(2 << 20)
    prints = set()
    for place in range(0, len(content), 4096 * 7):
        content[place] ^= 1
        (tmp_path / "a").write_bytes(content)
        prints.add(expand([str(tmp_path / "a")])[0].fingerprint())
    assert len(prints) == len(range(0, len(content), 4096 * 7))


def test_what_cannot_be_read_twice_has_no_fingerprint(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for source in expand(["-", str(tmp_path / "pipe")]):
        assert source.fingerprint() is None
        assert not source.rereadable
        assert source.size is None
    assert Source("a", tmp_path, 5).rereadable
