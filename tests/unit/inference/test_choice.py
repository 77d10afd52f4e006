"""Which of many documents are looked at."""

from __future__ import annotations

import gzip
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from etl.extract.source import expand
from etl.inference import choice
from etl.inference.choice import share_of_each, turns
from etl.inference.openable import Openable, archived, openables
from etl.inference.profile import Profile
from etl.inference.survey import survey
from etl.options import Limits


def documents(*names: str) -> list[Openable]:
    return [Openable(name, 100, lambda: pytest.fail("opened before its turn")) for name in names]


def survey_of(folder: Path, sample_bytes: int | None = 1 << 20) -> Profile:
    return survey(openables(expand([str(folder)])), sample_bytes=sample_bytes, on_bytes=lambda _: None)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty documents are many."""
    monkeypatch.setattr(choice, "LOOKED_AT", 20)
    monkeypatch.setattr(choice, "PEEKED_AT", 30)


@pytest.mark.parametrize(
    ("sizes", "budget", "share"),
    [
        ([], 100, 100),
        ([5, 5], 100, 100),
        ([50, 50], 100, 50),
        ([1000, 10, 1000], 110, 50),
        ([None, 10], 110, 100),
        ([None, None], 100, 50),
        ([1000] * 1000, 10, 1),
    ],
)
def test_small_documents_leave_to_large_ones_what_they_do_not_need(
    sizes: list[int | None], budget: int, share: int
) -> None:
    assert share_of_each(sizes, budget) == share


def test_the_place_of_a_large_document_is_no_matter_for_its_share(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number}.xml").write_text(f"<note n='{number}'/>")
    large = "<users>" + "".join(f"<user id='{n}'/>" for n in range(60_000)) + "</users>"
    for name in ("0.xml", "99.xml"):
        folder = tmp_path / f"with-{name[:-4]}"
        folder.mkdir()
        for file in tmp_path.glob("*.xml"):
            (folder / file.name).write_bytes(file.read_bytes())
        (folder / name).write_text(large)
        assert survey_of(folder, 500_000).roots["users"].children["user"].count > 20_000


def test_documents_that_share_a_sample_take_no_more_than_it(tmp_path: Path) -> None:
    large = "<users>" + "".join(f"<user id='{n}'/>" for n in range(60_000)) + "</users>"
    for number in range(20):
        (tmp_path / f"{number}.xml.gz").write_bytes(gzip.compress(large.encode()))
    profile = survey_of(tmp_path, 800_000)
    assert (profile.documents, profile.whole) == (20, False)
    assert profile.bytes < 1_200_000


@pytest.mark.usefixtures("few")
def test_of_thousands_some_of_every_kind_are_looked_at() -> None:
    names = [f"orders/o{n:03}.xml" for n in range(100)] + [f"notes/n{n}.xml" for n in range(5)]
    chosen = [turn for turn in turns(documents(*sorted(names)), 1000) if not turn.only_new]
    kinds = Counter(turn.document.label.partition("/")[0] for turn in chosen)
    assert kinds == {"notes": 5, "orders": 15}
    orders = [turn.document.label for turn in chosen][5:]
    assert (orders[0], orders[-1] > "orders/o090.xml") == ("orders/o000.xml", True)


@pytest.mark.usefixtures("few")
def test_names_that_are_all_different_tell_no_kinds_but_folders_do() -> None:
    names = [f"{folder}/{chr(97 + n % 26)}{chr(97 + n // 26)}.xml" for folder in "ab" for n in range(50)]
    chosen = [turn.document.label[0] for turn in turns(documents(*sorted(names)), 1000) if not turn.only_new]
    assert Counter(chosen) == {"a": 10, "b": 10}


@pytest.mark.usefixtures("few")
def test_of_the_others_the_roots_are_read_so_that_a_new_one_is_seen(tmp_path: Path) -> None:
    for number in range(40):
        tag = "rare" if number in (7, 23) else "doc"
        (tmp_path / f"{number:02}.xml").write_text(f"<!-- {number} --><{tag} n='{number}'><x>1</x></{tag}>")
    profile = survey_of(tmp_path)
    assert set(profile.roots) == {"doc", "rare"}
    assert (profile.whole, profile.documents in (21, 22)) == (False, True)


@pytest.mark.usefixtures("few")
def test_roots_in_other_namespaces_are_new_ones(tmp_path: Path) -> None:
    for number in range(40):
        space = "urn:b" if number == 7 else "urn:a"
        (tmp_path / f"{number:02}.xml").write_text(f"<doc n='{number}' xmlns='{space}'><x>1</x></doc>")
    assert set(survey_of(tmp_path).roots) == {"{urn:a}doc", "{urn:b}doc"}


@pytest.mark.usefixtures("few")
def test_all_of_them_are_looked_at_where_all_is_wanted(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number:02}.xml").write_text(f"<doc n='{number}'><x>1</x></doc>")
    profile = survey_of(tmp_path, None)
    assert (profile.documents, profile.whole) == (60, True)


def archive(members: Iterable[tuple[str, str]], opened: list[str]) -> Iterator[Openable]:
    """What a stream of members gives."""

    def member(name: str, text: str) -> AbstractContextManager[Iterator[bytes]]:
        opened.append(name)
        return nullcontext(iter([text.encode()]))

    for name, text in members:
        yield Openable(name, len(text), partial(member, name, text))


@pytest.mark.usefixtures("few")
def test_an_archive_is_followed_in_its_order_and_not_without_end() -> None:
    opened: list[str] = []
    tags = {7: "seven", 30: "thirty", 70: "seventy"}
    texts = (f"<{tags.get(number, 'doc')} n='{number}'/>" for number in count())
    members = ((f"{number}.xml", text) for number, text in enumerate(texts))
    profile = survey([], archives=[archive(members, opened)], sample_bytes=1 << 20, on_bytes=lambda _: None)
    assert set(profile.roots) == {"doc", "seven", "thirty"}
    assert (profile.documents, profile.whole) == (21, False)
    assert opened == [f"{number}.xml" for number in range(50)]


def test_a_large_member_leaves_to_those_behind_it_as_much_as_it_takes() -> None:
    large = "<users>" + "".join(f"<user id='{n}'/>" for n in range(60_000)) + "</users>"
    members = [("a.xml", large), ("b.xml", large.replace("user", "post")), ("c.xml", "<small/>")]
    profile = survey([], archives=[archive(members, [])], sample_bytes=800_000, on_bytes=lambda _: None)
    assert profile.roots["users"].children["user"].count > 20_000
    assert profile.roots["posts"].children["post"].count > 10_000
    assert "small" in profile.roots
    whole = survey([], archives=[archive(members, [])], sample_bytes=None, on_bytes=lambda _: None)
    assert (whole.documents, whole.whole, whole.roots["posts"].children["post"].count) == (3, True, 60_000)


def test_files_and_archives_share_a_sample(tmp_path: Path) -> None:
    large = "<users>" + "".join(f"<user id='{n}'/>" for n in range(60_000)) + "</users>"
    (tmp_path / "users.xml").write_text(large)
    profile = survey(
        openables(expand([str(tmp_path)])),
        archives=[archive([("posts.xml", large.replace("user", "post"))], [])],
        sample_bytes=800_000,
        on_bytes=lambda _: None,
    )
    assert profile.roots["users"].children["user"].count > 15_000
    assert profile.roots["posts"].children["post"].count > 10_000


def test_the_members_of_an_archive_that_are_documents_are_looked_at(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        file.writestr("README", "Dear Sir or Madam,")
        file.writestr("a.xml", "<doc><x>1</x></doc>")
        file.writestr("b.xml", "<doc>" + "<x>1</x>" * 50_000 + "</doc>")
    found = archived(expand([str(tmp_path / "all.zip")]), Limits())
    profile = survey([], archives=found, sample_bytes=None, on_bytes=lambda _: None)
    assert (profile.documents, profile.skipped, profile.whole) == (2, 0, True)
    assert profile.roots["doc"].children["x"].count == 50_001


def test_a_folder_of_small_files_is_looked_at_file_by_file(tmp_path: Path) -> None:
    for number in range(150):
        (tmp_path / f"{number:03}.xml").write_text(f"<doc n='{number}'/>")
    (tmp_path / "100.xml").write_bytes(gzip.compress(b"<packed/>"))
    (tmp_path / "101.xml").write_bytes("<?xml version='1.0' encoding='utf-16'?><wide/>".encode("utf-16"))
    (tmp_path / "102.xml").write_bytes(b"Dear Sir or Madam,")
    profile = survey_of(tmp_path)
    assert {tag: root.count for tag, root in profile.roots.items()} == {"doc": 147, "packed": 1, "wide": 1}
    assert (profile.skipped, "102.xml" in profile.first_problem) == (1, True)
