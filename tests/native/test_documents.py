"""What is done with many small documents at once, `_documents`: the same as one by one in Python."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
import zipfile
from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl import native
from etl.extract.bunch import Bunch, bunched
from etl.extract.collection import _UTF8, Found, documents
from etl.extract.member import SMALL_BYTES, ArchiveLimits, shown_name
from etl.extract.small_files import encoded_names
from etl.extract.source import Source, expand, looked_at
from etl.extract.whole import root_in_python

pytestmark = pytest.mark.skipif(native.unavailable() != "", reason=native.unavailable())

RELAXED = settings(deadline=None, max_examples=400)
LIMITS = ArchiveLimits(250, 10**12)
MARK = b"\xef\xbb\xbf"
MOST_ROOTS = 32
FACTS = 6

Facts = tuple[int, int, int, int, int, bytes]
"""Begin and bytes of the content, start and end of the root in it, its line and name; all 0 and "" behind the first two
where the document is not plain."""


def digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


DECLARATIONS = re.compile(rb"""(?:\s+xmlns(?::[^\s=]*)?\s*=\s*(?:"[^"]*"|'[^']*'))*""")


def look(stored: Sequence[bytes], salts: list[bytes] | None = None) -> tuple[list[bytes], list[Facts]]:
    """Digests and facts."""
    from etl.native import _documents

    digests, facts, names = _documents.look(b"".join(stored), array("I", map(len, stored)), salts)
    found = []
    for place in range(len(stored)):
        *numbers, root = facts[FACTS * place : FACTS * (place + 1)]
        found.append((*numbers, names[root - 1]) if root else (*numbers[:2], 0, 0, 0, b""))
    return [digests[at : at + 16] for at in range(0, len(digests), 16)], found  # type: ignore[return-value]


def look_in_python(stored: Sequence[bytes]) -> list[Facts]:
    met: list[bytes] = []
    found: list[Facts] = []
    for at, document in zip(accumulate(map(len, stored), initial=0), stored, strict=False):
        marked = len(MARK) if document.startswith(MARK) else 0
        content = document[marked:]
        root = root_in_python(content) if _UTF8.match(content) else None
        name = b""
        if root is not None:
            start, name_end, tag_end, end, line = root
            declared = DECLARATIONS.match(content, name_end, tag_end)
            assert declared is not None
            plain = not content[:tag_end].endswith(b"/>") and b"xmlns" not in content[declared.end() : tag_end]
            name = content[start + 1 : declared.end()] if plain else b""
        if name and name not in met:
            met.append(name)
        if not name or name not in met[:MOST_ROOTS]:
            found.append((at + marked, len(content), 0, 0, 0, b""))
        else:
            found.append((at + marked, len(content), start, end, line, name))
        met = met[:MOST_ROOTS]
    return found


@pytest.mark.parametrize("sizes", [range(601), [0, 1, 127, 128, 129, 65_535, 65_536, 1 << 20, (1 << 20) + 77]])
def test_digests_are_those_of_hashlib(sizes: Sequence[int]) -> None:
    block = bytes(number * 167 % 251 for number in range(max(sizes)))
    stored = [block[:size] for size in sizes]
    salts = [block[size // 2 : size][:300] + b"\0" for size in sizes]
    assert look(stored)[0] == [digest(b"%d" % len(document) + document) for document in stored]
    assert look(stored, salts)[0] == [digest(salt + text) for salt, text in zip(salts, stored, strict=True)]


@RELAXED
@given(st.lists(st.tuples(st.binary(max_size=400), st.binary(max_size=400)), max_size=8))
def test_so_they_are_of_any_bytes(documents: list[tuple[bytes, bytes]]) -> None:
    stored, salts = [text for text, _ in documents], [salt for _, salt in documents]
    assert look(stored, salts)[0] == [digest(salt + text) for salt, text in zip(salts, stored, strict=True)]
    assert look(stored)[0] == [digest(b"%d" % len(text) + text) for text in stored]


@RELAXED
@given(
    st.binary(max_size=300),
    st.lists(st.binary(min_size=16, max_size=16), max_size=5),
    st.binary(max_size=300),
    st.integers(0, 15),
)
def test_identities_are_digests_of_digests(before: bytes, digests: list[bytes], behind: bytes, more: int) -> None:
    from etl.native import _documents

    # What is left behind the last whole digest is none.
    made = _documents.identities(before, b"".join(digests) + b"x" * more, behind)
    assert made == b"".join(digest(before + one.hex().encode() + behind) for one in digests)


SPACE = st.sampled_from([b"", b" ", b"\n", b"\r\n", b"\t", b"\x0b", b"\x0c", b"  ", b"\xa0", b"\0"])
QUOTE = st.sampled_from([b'"', b"'", b"", b'""'])
VALUES = {
    b"version": [b"1.0", b"1.1", b"1", b".", b"", b"1.0a", b"2.0.0"],
    b"encoding": [b"utf-8", b"UTF-8", b"Utf-8", b"utf8", b"UTF-16", b"latin1", b"utf-8 ", b"\xb5tf-8", b""],
    b"standalone": [b"yes", b"no", b"YES", b"", b"maybe"],
}


@st.composite
def attributes(draw: st.DrawFn, name: bytes) -> bytes:
    name = draw(st.sampled_from([name, name, name, name, name.upper(), name[:-1]]))
    equals = draw(st.sampled_from([b"=", b"=", b"=", b"", b"=="]))
    value = draw(st.sampled_from(VALUES.get(name, [b"x"])))
    space = draw(st.sampled_from([b" ", b" ", b" ", b"\n", b""]))
    return b"".join([space, draw(SPACE), name, draw(SPACE), equals, draw(SPACE), draw(QUOTE), value, draw(QUOTE)])


@st.composite
def declarations(draw: st.DrawFn) -> bytes:
    """XML declarations as people write them, and others."""
    names = draw(
        st.sampled_from(
            [
                *([b"version"], [b"version", b"encoding"], [b"version", b"standalone"], [b"encoding"]),
                *([b"version", b"encoding", b"standalone"], [b"version", b"standalone", b"encoding"], []),
            ]
        )
    )
    begin = draw(st.sampled_from([b"<?xml", b"<?xml", b"<?xml", b"<?XML", b"<?xmlx", b"<? xml", b" <?xml", b"\n<?xml"]))
    end = draw(st.sampled_from([b"?>", b"?>", b"?>", b" ?>", b"\n?>", b">", b"? >", b"", b"/>"]))
    return b"".join([begin, *(draw(attributes(name)) for name in names), end])


USUAL = st.sampled_from([b"", b"<?xml version='1.0'?>", b'<?xml version="1.0" encoding="UTF-8"?>\r\n'])
MARKS = st.sampled_from([*[b""] * 6, MARK, MARK, MARK + MARK, MARK[:2], b"\xff\xfe", b"\0"])
PROLOG = st.sampled_from(
    [
        *(
            b"",
            b"",
            b"\n",
            b"<!-- x -->",
            b"\r\n \t",
            b"<!-- <r> -->",
            b"<!---->",
            b"<!-->",
            b"<!-- - -- ->",
            b"<?p <r> ?>",
            b"<?p?>",
        ),
        *(b"<?>", b"<!DOCTYPE r>", b"<!DOCTYPE r [<!ENTITY e 'x'>]>", b"text", b"\x0b", b"<!", b"<", b"<!-- ", b"<?p"),
    ]
)
NAMES = st.sampled_from([*[b"r"] * 9, b"ab", b"p:r", "é".encode(), b"_", b":", b"r.1-x", b"xmlns", b"1", b"", b"\xff"])
TAIL = st.sampled_from(
    [
        *(*[b"", b" a='1'"] * 8, b" a='>'", b' b="\'"', b" a='<'", b"\n", b" ", b"/", b" / ", b" xmlns='u'"),
        *(b" xmlns:p='u'", b" a='xmlns'", b" xmln='s'", b" a='/'", b" a='", b"\x0b", b"\x00", b" xmlns"),
        *(b" XMLNS='u'", b"<", b"=", b"''"),
    ]
)
INSIDE = st.sampled_from(
    [
        *(*[b"text", b"<e/>", b"<e>1</e>"] * 5, b"</r>", b"</r >", b"<r>", b"<!-- </r> -->", b"<![CDATA[</r>]]>"),
        *(b"&amp;", b"\x00", b"\n", b"\r", b"\r\n", b"</", b"</ab>", b"</rr>", b"<", b">", b"/>", b"\xff"),
        *("é".encode(), b"</r", b"/r>"),
    ]
)
AFTER = st.sampled_from([*[b"", b"\n"] * 6, b" \t\r\n", b"\x0b", b"\x0c", b"\0", b"<!-- -->", b"<?p?>", b"x", b"</r>"])
END = st.sampled_from([b"</%s>"] * 20 + [b"</%s >", b"</%s", b"", b"<%s>", b"</%sx>", b"</x%s>", b"/%s>"])


@st.composite
def small_documents(draw: st.DrawFn) -> bytes:
    """Documents whose beginnings and ends are of every kind, some of them damaged or cut off."""
    name = draw(NAMES)
    pieces = [
        *(draw(MARKS), draw(st.one_of(USUAL, USUAL, USUAL, declarations())), *draw(st.lists(PROLOG, max_size=1))),
        *(b"<" + name + draw(TAIL) + b">", *draw(st.lists(INSIDE, max_size=4))),
        *(draw(END).replace(b"%s", name), draw(AFTER)),
    ]
    document = b"".join(pieces)
    damage = draw(st.sampled_from(["none"] * 12 + ["cut", "byte", "left out"]))
    at = draw(st.integers(0, len(document)))
    if damage == "cut":
        return document[:at]
    if damage == "byte":
        return document[:at] + draw(st.binary(max_size=2)) + document[at + 1 :]
    return document[:at] + document[at + draw(st.integers(1, 4)) :] if damage == "left out" else document


@settings(RELAXED, max_examples=1000)
@given(st.lists(small_documents(), max_size=6))
def test_what_is_seen_of_documents_is_what_python_sees(stored: list[bytes]) -> None:
    assert look(stored)[1] == look_in_python(stored)


def test_what_is_told_of_plain_documents() -> None:
    plain = look([b"<r>x</r>", MARK + b"<?xml version='1.0'?>\n<!-- -->\n<r a='>'>x</r>\n", b"<r/>", b""])[1]
    assert plain == [(0, 8, 0, 8, 1, b"r"), (11, 46, 31, 45, 3, b"r"), (57, 4, 0, 0, 0, b""), (61, 0, 0, 0, 0, b"")]


def test_a_document_that_is_cut_off_is_not_looked_at_beyond_its_end() -> None:
    # Behind each stands the rest of it, so that a look too far would find its end.
    whole = (
        MARK + b"<?xml version='1.0' encoding='utf-8' standalone='no' ?><!-- c --><?p?> <r a='>' b=\"'\">/</ r></r> \n"
    )
    for end in range(len(whole) + 1):
        pieces = [whole[:end], whole[end:]]
        assert look(pieces)[1] == look_in_python(pieces)


@pytest.mark.parametrize("count", [MOST_ROOTS - 1, MOST_ROOTS, MOST_ROOTS + 1, 100])
def test_root_names_beyond_so_many_are_left_out(count: int) -> None:
    stored = [b"<n%d>x</n%d>" % (number % count, number % count) for number in range(2 * count)]
    found = look(stored)[1]
    assert found == look_in_python(stored)
    assert len({name for *_, name in found if name}) == min(count, MOST_ROOTS)


def test_sizes_that_are_not_those_of_the_documents_are_refused() -> None:
    from etl.native import _documents

    for sizes in (array("I", [3]), array("I", [5]), array("B", [4] * 100), array("Q", [4])):
        with pytest.raises(ValueError, match="sizes"):
            _documents.look(b"<r/>", sizes, None)
    for salts in ([], [b"", b""]):
        with pytest.raises(ValueError, match="salt"):
            _documents.look(b"<r/>", array("I", [4]), salts)
    with pytest.raises(TypeError):
        _documents.look(b"<r/>", array("I", [4]), ["x"])  # type: ignore[list-item]


@RELAXED
@given(st.lists(small_documents(), min_size=1, max_size=8), st.booleans())
def test_bunches_have_each_document_once_and_in_order(stored: list[bytes], salted: bool) -> None:
    labels = [f"{number}.xml" for number in range(len(stored))]
    salts = [label.encode() + b"\0" for label in labels] if salted else None
    seen: list[tuple[str, str, bytes]] = []
    for one in bunched(labels, b"".join(stored), array("I", map(len, stored)), 7, "p:", salts):
        if isinstance(one, Bunch):
            seen += zip(one.labels, one.fingerprints, one.contents, strict=True)
            for root, start, end, text in zip(one.roots, one.starts, one.ends, one.contents, strict=True):
                assert text[start:].startswith(b"<" + one.names[root - 1])
                assert text[:end].endswith(b"</" + one.names[root - 1].split(None, 1)[0] + b">")
        else:
            seen.append((one.label, one.fingerprint, one.stored.removeprefix(MARK)))
    befores = salts or [b"%d" % len(text) for text in stored]
    assert seen == [
        (label, f"p:{digest(before + text).hex()}", text.removeprefix(MARK))
        for label, before, text in zip(labels, befores, stored, strict=True)
    ]


def test_a_piece_of_a_bunch_is_a_bunch_of_its_documents() -> None:
    stored = [b"<r>%d</r>" % (number**5) for number in range(10)] + [MARK + b"<s>x</s>"]
    (whole,) = bunched([*"abcdefghijk"], b"".join(stored), array("I", map(len, stored)), 1)
    assert isinstance(whole, Bunch)
    for most in (1, 3, 10, 11, 12):
        pieces = list(whole.pieces(most))
        assert [len(piece.sizes) for piece in pieces] == [
            behind - first for first, behind in pairwise([*range(0, 11, most), 11])
        ]
        assert [text for piece in pieces for text in piece.contents] == list(whole.contents)
        assert [name for piece in pieces for name in piece.labels] == list(whole.labels)
        assert [one for piece in pieces for one in piece.fingerprints] == whole.fingerprints
    assert [pieces[0].names[root - 1] for root in sorted({*pieces[0].roots})] == [b"r", b"s"]


def read_in_python(files: Sequence[str], most: int, largest: int) -> tuple[bytes, list[int]]:
    text, sizes = b"", []
    for file in files:
        try:
            content = Path(file).read_bytes()
        except OSError:
            break
        if len(text) > most or len(content) > largest:
            break
        text += content
        sizes.append(len(content))
    return text, sizes


def read(files: Sequence[str], most: int, largest: int) -> tuple[bytes, list[int]]:
    from etl.native import _documents

    text, sizes = _documents.read_files(encoded_names(files), most, largest)
    return text, list(sizes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of 0 to 40 bytes, one that is not there, and a folder."""
    folder = tmp_path_factory.mktemp("files")
    for size in range(41):
        (folder / str(size)).write_bytes(bytes(range(size)))
    (folder / "folder").mkdir()
    return folder


@RELAXED
@given(
    names=st.lists(
        st.one_of(st.integers(0, 40).map(str), st.sampled_from(["0", "8", "9", "none", "folder"])), max_size=12
    ),
    most=st.one_of(st.integers(0, 60), st.just(10**6)),
    largest=st.sampled_from([0, 1, 8, 9, 39, 40, 41, 10**5]),
)
def test_files_are_read_as_python_reads_them(folder: Path, names: list[str], most: int, largest: int) -> None:
    files = [f"{folder}/{name}" for name in names]
    assert read(files, most, largest) == read_in_python(files, most, largest)


def test_names_that_are_no_text_are_names_all_the_same(tmp_path: Path) -> None:
    names = [b"\xff\xfe.xml", "é.xml".encode(), b"a\nb.xml", b"plain.xml"]
    for name in names:
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(name)
    files = [os.path.join(tmp_path, os.fsdecode(name)) for name in names]
    assert read(files, 1000, 1000) == (b"".join(names), [len(name) for name in names])


def test_a_file_that_must_not_be_read_ends_what_is_read(tmp_path: Path) -> None:
    files = [tmp_path / name for name in "abc"]
    for file in files:
        file.write_bytes(b"<r/>")
    files[1].unlink()
    files[1].symlink_to(files[1])
    assert read([str(file) for file in files], 1000, 1000) == (b"<r/>", [4])


def test_a_folder_is_listed_as_python_lists_it(tmp_path: Path) -> None:
    from etl.native import _documents

    for number, name in enumerate([b"a.xml", b"\xff", b"\n", b".hidden", b"n" * 255, b"empty"]):
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(b"x" * 5000 * number)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "deeper.xml").touch()
    os.mkfifo(tmp_path / "pipe")
    listed = _documents.list_folder(os.fsencode(tmp_path))
    assert listed is not None
    names, sizes = listed
    assert names.endswith(b"/")
    expected = [(os.fsencode(entry.name), entry.stat().st_size) for entry in os.scandir(tmp_path) if entry.is_file()]
    assert sorted(zip(names.split(b"/")[:-1], sizes, strict=True)) == sorted(expected)
    assert _documents.list_folder(os.fsencode(tmp_path / "inner")) == (b"deeper.xml/", array("Q", [0]))


def test_a_folder_with_something_unusual_is_not_listed(tmp_path: Path) -> None:
    from etl.native import _documents

    (tmp_path / "a").touch()
    assert _documents.list_folder(os.fsencode(tmp_path)) is not None
    (tmp_path / "b").symlink_to("a")
    assert _documents.list_folder(os.fsencode(tmp_path)) is None
    (tmp_path / "b").unlink()
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert _documents.list_folder(os.fsencode(tmp_path)) is None
    assert _documents.list_folder(os.fsencode(tmp_path / "a")) is None
    assert _documents.list_folder(os.fsencode(tmp_path / "none")) is None
    (tmp_path / "empty").mkdir()
    assert _documents.list_folder(os.fsencode(tmp_path / "empty")) == (b"", array("Q"))


def found(source: Source, compiled: bool) -> list[Found]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(native.SWITCH, "1" if compiled else "0")
        every = list(documents(source, LIMITS))
    positions = [one.position for one in every]
    assert positions == sorted(positions)
    assert source.size is not None
    assert 0 < source.size - positions[-1] < 100  # of the files that are gone
    return [one._replace(position=0, open=None) for one in every]


def test_a_folder_is_the_same_for_both(tmp_path: Path) -> None:
    contents = {
        **{f"{number:04}.xml": b"<r>%d</r>" % number for number in range(2300)},
        "0100.xml": b"",
        "0200.xml": b"not",
        "0300.xml": MARK + b"<r>\n</r>",
        "0301.xml": "<r/>".encode("utf-16"),
        "0400.xml": b"<r>" + b" " * (SMALL_BYTES - 7) + b"</r>",
        "0401.xml": b"<r>" + b" " * SMALL_BYTES + b"</r>",
        **{f"05{number:02}.xml": b"<r>" + b"x" * 200_000 + b"</r>" for number in range(30)},
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "0999.xml").unlink()
    (tmp_path / "1000.xml").unlink()
    files = tuple(str(tmp_path / name) for name in contents)
    size = sum(map(len, contents.values()))
    source = Source(str(tmp_path), tmp_path, size, kind="folder", files=files)
    compiled = found(source, True)
    assert compiled == found(source, False)
    assert [one.label for one in compiled] == list(files)
    assert [one.label[-8:] for one in compiled if one.problem] == ["0200.xml", "0999.xml", "1000.xml"]


MEMBER_NAMES = ["a.xml", "folder/b.xml", "é.xml", "日本.xml", "a\nb.xml", "\x7f.xml", "\u202e.xml", "\\n.xml"]


@pytest.mark.parametrize("odd", [None, *MEMBER_NAMES[2:]])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_is_the_same_for_both(kind: str, odd: str | None, tmp_path: Path) -> None:
    names = [f"folder/{number}.xml" for number in range(30)] if odd is None else [*MEMBER_NAMES[:2], odd, "c.xml"]
    path = tmp_path / f"dump.{kind}"
    with zipfile.ZipFile(path, "w") if kind == "zip" else tarfile.open(path, "w") as archive:
        for number, name in enumerate(names):
            content = b"<r>%d</r>" % number
            if isinstance(archive, zipfile.ZipFile):
                archive.writestr(zipfile.ZipInfo(name), content)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    seen = []
    for switch in ("1", "0"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(native.SWITCH, switch)
            (source,) = expand([str(path)])
            seen.append([(one.label, one.fingerprint, one.content) for one in documents(looked_at(source), LIMITS)])
    assert seen[0] == seen[1]
    shown = [shown_name(name.encode()) for name in names]
    assert [label for label, *_ in seen[0]] == [f"{path}/{name}" for name in shown]
    assert [fingerprint for _, fingerprint, _ in seen[0]] == [
        "member:" + digest(name.encode() + b"\0" + (content or b"")).hex()
        for name, (*_, content) in zip(shown, seen[0], strict=True)
    ]


def test_nothing_at_all() -> None:
    from etl.native import _documents

    assert _documents.read_files([], 0, 0) == (b"", array("I"))
    assert _documents.look(b"", array("I"), None) == (b"", array("I"), [])
    assert _documents.look(b"", array("I"), []) == (b"", array("I"), [])
    assert _documents.identities(b"", b"", b"") == b""
    assert _documents.walk_tar(b"", 0, 0, 0, 0) == ([], b"", array("I"), 0)


@pytest.mark.parametrize("numbers", [(-1, 0), (0, -1), (0, 2**32), (2**64, 0)])
def test_numbers_beyond_their_limits_are_refused(numbers: tuple[int, int]) -> None:
    from etl.native import _documents

    with pytest.raises(OverflowError):
        _documents.read_files([], *numbers)
    with pytest.raises(OverflowError):
        _documents.walk_tar(b"", 0, 0, *numbers)
