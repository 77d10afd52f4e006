"""Messages as they stand behind the name of their document."""

from __future__ import annotations

import pytest

from etl.reject_line import describe_reject, without_label


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("a b.xml breaks off at byte 5. a b.xml is cut.", "it breaks off at byte 5. a b.xml is cut."),
        ("a b.xml: byte 5, line 1: '<' is no tag.", "byte 5, line 1: '<' is no tag."),
        ("a b.xml/2.xml is empty.", "a b.xml/2.xml is empty."),
        ("a b.xmls is empty.", "a b.xmls is empty."),
        ("Opening and ending tag mismatch", "Opening and ending tag mismatch"),
        ("a b.xml", "a b.xml"),
        ("", ""),
    ],
)
def test_a_message_does_not_repeat_its_document(message: str, shown: str) -> None:
    assert without_label("a b.xml", message) == shown
    assert describe_reject("a b.xml", 3, 7, message) == f"a b.xml, line 3, record 7: {shown}"
