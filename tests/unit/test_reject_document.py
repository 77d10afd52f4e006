"""Rejects as a document: what stands around them, and what cannot stand in one."""

from __future__ import annotations

import pytest
from lxml import etree

from etl.errors import SettingsError
from etl.messages import RejectedRecord, Skeleton
from etl.reject_document import RejectDocument, is_well_formed

ROOT = Skeleton(b"", b"<items>", b"</items>", 1)


def skeleton(*names: str, subset: bytes = b"") -> Skeleton:
    opened = "".join(f"<{name}>" for name in names).encode()
    closed = "".join(f"</{name.split()[0]}>" for name in reversed(names)).encode()
    return Skeleton(subset, opened, closed, len(names))


def document(*records: tuple[Skeleton | None, bytes]) -> tuple[bytes, RejectDocument]:
    written: list[bytes] = []
    made = RejectDocument(written.append)
    for place, (around, raw) in enumerate(records):
        reject = RejectedRecord(1, place, 1, place + 1, "bad_value", "no", raw=raw, length=len(raw), skeleton=around)
        made.add(reject, f"record {place + 1}", [raw])
    made.finish()
    return b"".join(written), made


def test_common_elements_stay_open_others_are_closed_and_opened() -> None:
    a, b = skeleton("items", "group x='1'", "sub"), skeleton("items", "group x='2'")
    data, made = document((a, b"<i>1</i>"), (a, b"<i>2</i>"), (b, b"<i>3</i>"), (ROOT, b"<i>4</i>"))
    root = etree.fromstring(data)
    shape = [(element.tag, element.get("x"), element.text) for element in root.iter("*") if element.tag != "items"]
    assert [(tag, x) for tag, x, _ in shape] == [
        ("group", "1"), ("sub", None), ("i", None), ("i", None), ("group", "2"), ("i", None), ("i", None),
    ]  # fmt: skip
    assert [text for tag, _, text in shape if tag == "i"] == ["1", "2", "3", "4"]
    assert (made.records, made.ill_formed) == (4, 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"<i><b></i>",
        b"</i>",
        b"<i>\x00</i>",
        b"<i>\xff\xfe</i>",
        b"<i>&none;</i>",
        b"<p:i/>",
        b"<i p:a='1'/>",
        b"<i>-- --></i><!--",
        b"<i>",
        b"<i/></items><items><i/>",
        b"",
    ],
)
def test_what_is_not_well_formed_is_a_comment_in_its_place(raw: bytes) -> None:
    data, made = document((ROOT, b"<i>1</i>"), (ROOT, raw), (ROOT, b"<i>3</i>"))
    root = etree.fromstring(data)
    assert [element.text for element in root.iter("i")] == ["1", "3"]
    assert (made.records, made.ill_formed) == (2, 1)
    comments = [str(comment.text).strip() for comment in root.iter(etree.Comment)]
    assert [comment for comment in comments if comment.startswith("record")] == ["record 1", "record 2", "record 3"]
    assert len(comments) == 4


def test_a_record_that_is_the_root_is_the_document() -> None:
    data, _ = document((None, b"<item id='1'/>"))
    assert etree.fromstring(data).tag == "item"
    with pytest.raises(SettingsError, match="--source"):
        document((None, b"<item/>"), (None, b"<item/>"))


def test_roots_that_differ_do_not_fit_into_one_document() -> None:
    with pytest.raises(SettingsError, match="--source"):
        document((ROOT, b"<i/>"), (skeleton("items x='1'"), b"<i/>"))
    with pytest.raises(SettingsError, match="--source"):
        document((ROOT, b"<i/>"), (skeleton("items", subset=b"<!DOCTYPE items [<!ENTITY a 'b'>]>"), b"<i/>"))


def test_where_nothing_is_well_formed_there_is_no_document() -> None:
    with pytest.raises(SettingsError, match="no document to write"):
        document((skeleton("items x"), b"<i/>"), (None, b"<i>"))


def test_entities_of_the_subset_are_known() -> None:
    around = skeleton("items", subset=b"<!DOCTYPE items [<!ENTITY a 'b'>]>")
    assert is_well_formed(around, [b"<i>&a;</i>"])
    assert not is_well_formed(around, [b"<i>&c;</i>"])
    data, _ = document((around, b"<i>&a;</i>"))
    assert etree.fromstring(data).findtext("i") == "b"


def test_hostile_messages_stay_in_their_comment() -> None:
    written: list[bytes] = []
    made = RejectDocument(written.append)
    made.add(RejectedRecord(1, 0, 1, 1, "r", "m", skeleton=ROOT), "--> <evil/> \x00\x1b[2J <!-- -", [b"<i/>"])
    made.finish()
    root = etree.fromstring(b"".join(written))
    assert [element.tag for element in root.iter("*")] == ["items", "i"]
