"""A survey sees what is in a document, however the document is cut; broken documents never break it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from etl.errors import SourceError
from etl.inference.profile import ElementProfile
from tests.profiles import profile_of
from tests.property.documents import Document, documents, parser
from tests.surveys import outline, surveyed

_DIRT = (
    b"<",
    b">",
    b"&",
    b"</rec>",
    b"<rec>",
    b"<rec ",
    b'"',
    b"",
    b"</root>",
    b"<![CDATA[",
    b"<!--",
    b"\xff",
    b"\x07",
)

_quick = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_quick
@given(documents(), st.integers(1, 400), st.integers(1, 2000))
def test_however_it_is_cut_it_is_what_a_whole_tree_shows(
    document: Document, piece_bytes: int, chunk_bytes: int
) -> None:
    profile = surveyed(document.data, piece_bytes, chunk_bytes)
    assert (profile.skipped, profile.first_problem) == (0, "")
    assert outline(profile) == outline(profile_of(etree.tostring(document.tree(), encoding="unicode")))


@_quick
@given(
    documents(),
    st.integers(1, 400),
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from(_DIRT), st.integers(0, 8)), min_size=1, max_size=4),
)
def test_what_does_not_parse_is_passed_over_and_counted(
    document: Document, piece_bytes: int, dirt: list[tuple[float, bytes, int]]
) -> None:
    # The prolog is the splitter's and the parser's business.
    begin = document.data.index(b"<root xmlns")
    data = document.data
    for place, what, instead in dirt:
        at = begin + int(place * (len(data) - begin))
        data = data[:at] + what + data[at + instead :]
    try:
        etree.fromstring(data, parser())
    except etree.XMLSyntaxError:
        whole = False
    else:
        whole = True
    try:
        profile = surveyed(data, piece_bytes)
    except SourceError:
        assert not whole
        return
    assert whole == (profile.skipped == 0)
    for root in profile.roots.values():
        _assert_numbers_fit(root)


def _assert_numbers_fit(element: ElementProfile) -> None:
    assert element.text.count == element.leaves <= element.count
    assert all(values.count <= element.count for values in element.attributes.values())
    for child in element.children.values():
        assert child.parents <= element.count
        assert child.parents <= child.count
        assert child.most <= child.count
        _assert_numbers_fit(child)


@pytest.mark.parametrize("piece_bytes", [1, 7, 100, 1000])
def test_dirty_records_in_any_pieces(piece_bytes: int) -> None:
    good = "".join(f"<rec id='{number}'><title>t{number}</title></rec>" for number in range(20))
    dirty = "<rec id='x'><title>Rock & Roll</title></rec><rec id='y'><title>z</titel></rec>"
    profile = surveyed(f"<root><list>{good}{dirty}{good}</list><list/></root>".encode(), piece_bytes)
    assert profile.skipped == 2
    listed = profile.roots["root"].children["list"]
    assert (listed.count, listed.leaves) == (2, 1)
    assert (listed.children["rec"].count, listed.children["rec"].most) == (40, 40)
    assert listed.children["rec"].attributes["id"].count == 40
