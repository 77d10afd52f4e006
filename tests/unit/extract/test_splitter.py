"""The splitter, feature by feature: structure, skeleton, what may be a record, where the document is broken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

import pytest

from etl.errors import SourceError
from etl.extract.markup import MAX_TAG_BYTES
from etl.extract.splitter import Splitter
from etl.extract.tile import MAX_GAP_BYTES
from etl.mapping.paths import parse_record_path
from etl.messages import Part, Run, Skeleton

NAMESPACES = {"a": "urn:a", "b": "urn:b"}


def split(
    data: bytes | Iterable[bytes],
    *paths: str,
    split_bytes: int = 10**6,
    longest: int = 10**6,
    cut_at: Sequence[int] = (),
    limit: int | None = None,
) -> list[Part]:
    splitter = Splitter([parse_record_path(path, NAMESPACES) for path in paths], split_bytes, longest)
    return list(splitter.split([data] if isinstance(data, bytes) else data, 1, "dump.xml", cut_at, limit))


def runs_of(parts: Iterable[Part]) -> list[Run]:
    return [run for part in parts for run in part.runs]


def records(parts: Iterable[Part]) -> list[bytes]:
    return [
        run.payload[start:end]
        for run in runs_of(parts)
        for start, end in zip(run.spans[::2], run.spans[1::2], strict=True)
    ]


def broken(data: bytes | Iterable[bytes], *paths: str, longest: int = 10**6) -> tuple[list[bytes], str]:
    """The records before a document breaks, and what is said about it."""
    parts = []
    splitter = Splitter([parse_record_path(path, NAMESPACES) for path in paths], 10**6, longest)
    tiles = splitter.split([data] if isinstance(data, bytes) else data, 1, "dump.xml")
    message = ""
    while not message:
        try:
            parts.append(next(tiles))
        except SourceError as error:
            message = str(error)
    assert not any(part.last for part in parts)
    return records(parts), message


class TestRecords:
    def test_self_closing_and_empty_and_with_content(self) -> None:
        data = b"<r><e/><e /><e a='1'/><e></e><e a='>'>x</e ></r>"
        assert records(split(data, "/r/e")) == [b"<e/>", b"<e />", b"<e a='1'/>", b"<e></e>", b"<e a='>'>x</e >"]

    def test_an_element_of_the_same_name_inside(self) -> None:
        data = b"<r><e><s><e>1</e><e/></s></e><e><e></e></e></r>"
        assert records(split(data, "/r/e")) == [b"<e><s><e>1</e><e/></s></e>", b"<e><e></e></e>"]

    def test_names_that_begin_alike(self) -> None:
        data = b"<r><e><ee></ee><e-x/><e.y></e.y></e><ee/></r>"
        assert records(split(data, "/r/e")) == [b"<e><ee></ee><e-x/><e.y></e.y></e>"]

    def test_an_end_tag_without_its_record_is_a_reject_and_reading_goes_on(self) -> None:
        parts = split(b"<r><e>1</e></e>\n</e ><e>2</e></r>", "/r/e")
        assert records(parts) == [b"<e>1</e>", b"<e>2</e>"]
        rejects = [reject for part in parts for reject in part.rejects]
        assert [(reject.raw, reject.line, reject.record) for reject in rejects] == [(b"</e>", 1, 2), (b"</e >", 2, 3)]
        assert {reject.reason for reject in rejects} == {"malformed"}
        assert sum(part.records for part in parts) == 4

    def test_what_is_passed_is_told_by_its_path(self) -> None:
        parts = split(b"<r><head><e/></head><e/><g><e/><x/></g></r>", "/r/e", "/r/g/e", split_bytes=1)
        assert [sorted(part.passed) for part in parts] == [["/r/head"], [], ["/r/g/x"]]
        assert parts[-1].last

    def test_what_has_the_name_but_not_the_namespace_is_told_with_its_own(self) -> None:
        parts = split(b"<r xmlns='urn:v2'><e/></r>", "/r/e")
        assert [sorted(part.passed) for part in parts] == [["/{urn:v2}r"]]
        parts = split(b"<r xmlns:a='urn:a'><a:e/><x:e xmlns:x='urn:x'/><a:f/><e/></r>", "/r/e")
        assert set().union(*(part.passed for part in parts)) == {"/r/{urn:a}e", "/r/{urn:x}e", "/r/a:f"}

    def test_comments_cdata_and_instructions_hide_tags(self) -> None:
        record = b"<e><!-- </e><e> --><![CDATA[</e>]]]]><?p </e> ?></e>"
        assert records(split(b"<r>" + record * 2 + b"</r>", "/r/e")) == [record, record]

    def test_end_of_a_tag_in_an_attribute_value(self) -> None:
        data = b"""<r><e a="/>" b='"/>'/><e a="'>"><e b="/>"></e></e></r>"""
        assert records(split(data, "/r/e")) == [b"""<e a="/>" b='"/>'/>""", b"""<e a="'>"><e b="/>"></e></e>"""]

    def test_the_root_itself(self) -> None:
        parts = split(b"<?xml version='1.0'?><!-- c --><r a='1'><x/></r><!-- end -->\n", "/r")
        assert records(parts) == [b"<r a='1'><x/></r>"]
        assert runs_of(parts)[0].skeleton.depth == 0
        assert runs_of(parts)[0].skeleton.open_tags == b""

    def test_no_record_is_one_empty_part(self) -> None:
        data = b"<r><x/></r>\n"
        (part,) = split(data, "/r/e")
        assert (part.start, part.end, part.records, part.runs, part.last) == (0, len(data), 0, (), True)

    def test_gigabytes_of_skipped_elements_stay_out_of_memory(self) -> None:
        tracked = []

        def chunks() -> Iterable[bytes]:
            yield b"<r><skip><e>"
            for number in range(64):
                yield b"<x>" + b"y" * 2**20
                tracked.append(number)
            yield b"</e></skip><e/></r>"

        assert records(split(chunks(), "/r/e")) == [b"<e/>"]
        assert len(tracked) == 64


class TestMatching:
    DATA = (
        b'<r xmlns:p="urn:a" xmlns="urn:b"><g k="1"><e i="1"/></g><g k="2"><e i="2"/><p:e i="3"/></g>'
        b'<e i="4" xmlns=""/><o xmlns="urn:a"><e i="5"/></o></r>'
    )

    @pytest.mark.parametrize(
        ("path", "found"),
        [
            ("/b:r/b:g/b:e", "12"),
            ("/b:r/b:g/a:e", "3"),
            ("/b:r/b:g/{*}e", "123"),
            ("/b:r/b:g/*", "123"),
            ("/*/*/a:e", "35"),
            ("/b:r/e", "4"),
            ("/b:r/a:o/a:e", "5"),
            ("/b:r/b:g[@k='2']/b:e", "2"),
            ("/b:r/b:g/b:e[@i='1']", "1"),
            ("//b:e", "12"),
            ("//{*}e", "12345"),
            ("/r/g/e", ""),
            ("//e", "4"),
        ],
    )
    def test_path(self, path: str, found: str) -> None:
        assert "".join(chr(record.split(b'i="')[1][0]) for record in records(split(self.DATA, path))) == found

    def test_several_record_types_in_document_order(self) -> None:
        parts = split(b"<r><b/><a/><b/><c/></r>", "/r/a", "/r/b")
        assert records(parts) == [b"<b/>", b"<a/>", b"<b/>"]

    def test_names_are_found_among_many_paths_with_wildcards_and_prefixes(self) -> None:
        paths = [f"/r/kind_{number}" for number in range(100)]
        paths += ["/r/*[@k='v']", "/r/a:x", "/r/{*}any", "/r/deep/*/b:y", "//z"]
        data = (
            b"<r xmlns:p='urn:a' xmlns:q='urn:b'><kind_7/><kind_x/><other k='v'/><other/><p:x/><q:x/><x/><q:any/><any/>"
            b"<deep><m><q:y/><p:y/><kind_1/></m><z/></deep><kind_99/></r>"
        )
        found = [b"<kind_7/>", b"<other k='v'/>", b"<p:x/>", b"<q:any/>", b"<any/>", b"<q:y/>", b"<z/>", b"<kind_99/>"]
        assert records(split(data, *paths)) == found

    def test_anywhere_means_the_outermost(self) -> None:
        assert records(split(b"<r><x><y><e><e/></e></y></x><e/></r>", "//e")) == [b"<e><e/></e>", b"<e/>"]

    def test_values_of_predicates_are_decoded(self) -> None:
        data = b'<!DOCTYPE r [<!ENTITY x "&#38;">]><r><e k="a&#x26;b"/><e k="a&amp;b"/><e k="a&x;b"/><e k="ab"/></r>'
        assert len(records(split(data, "/r/e[@k='a&b']"))) == 3

    def test_default_attributes_of_the_internal_subset_count(self) -> None:
        data = b"<!DOCTYPE r [<!ATTLIST e k CDATA 'a'>]><r><e>1</e><e k='b'>2</e></r>"
        assert records(split(data, "/r/e[@k='a']")) == [b"<e>1</e>"]

    def test_a_record_with_an_ill_formed_start_tag_is_found_by_its_name(self) -> None:
        data = b"<r><e k='b'/><e k=a/><e k='&nope;'/><x k=a/></r>"
        assert records(split(data, "/r/e[@k='a']")) == [b"<e k=a/>", b"<e k='&nope;'/>"]

    def test_a_prefix_that_is_not_declared(self) -> None:
        assert records(split(b"<r><p:e/><e/></r>", "/r/e")) == [b"<p:e/>", b"<e/>"]

    def test_many_kinds_of_namespace_declarations(self) -> None:
        data = b"<r>" + b"".join(b'<e xmlns:n="urn:%d"/>' % number for number in range(5000)) + b"</r>"
        assert len(records(split(data, "/r/e"))) == 5000


class TestRuns:
    def test_what_stands_between_records_belongs_to_the_run(self) -> None:
        (part,) = split(b"<r>\n <e/>\n <!-- c --> text <?p i?>\n<e/>\n</r>", "/r/e")
        assert [run.payload for run in part.runs] == [b"<e/>\n <!-- c --> text <?p i?>\n<e/>"]
        assert list(part.runs[0].spans) == [0, 4, 30, 34]
        assert (part.runs[0].offset, part.runs[0].line) == (5, 2)

    @pytest.mark.parametrize("between", [b"<x/>", b"<x><e/></x>", b"<!-- %s -->" % (b"c" * MAX_GAP_BYTES), b" &amp; "])
    def test_what_ends_a_run(self, between: bytes) -> None:
        (part,) = split(b"<r><e>1</e>" + between + b"<e>2</e></r>", "/r/e")
        assert [run.payload for run in part.runs] == [b"<e>1</e>", b"<e>2</e>"]
        assert [run.first_record for run in part.runs] == [1, 2]
        assert part.runs[0].skeleton is part.runs[1].skeleton

    def test_repeated_parents_change_the_skeleton(self) -> None:
        (part,) = split(b'<r xmlns="urn:b"><g\n id="1"><e/></g><g/><g id="2"><h><x/></h><e/></g></r>', "/b:r/b:g/b:e")
        assert [run.skeleton.open_tags for run in part.runs] == [
            b'<r xmlns="urn:b"><g\n id="1">',
            b'<r xmlns="urn:b"><g id="2">',
        ]
        assert {(run.skeleton.close_tags, run.skeleton.depth) for run in part.runs} == {(b"</g></r>", 2)}

    def test_subset_keeps_what_records_need_and_nothing_to_fetch(self) -> None:
        data = (
            b'<!DOCTYPE r PUBLIC "-//x//EN" "http://example.org/x.dtd" [<!-- ]> --><!ELEMENT r ANY>'
            b'<!ENTITY e "v>"><!ENTITY ext SYSTEM "file:///etc/passwd"><!ENTITY pub PUBLIC "p" "http://example.org/y">'
            b'<!ENTITY % par SYSTEM "http://example.org/z"> %par; <!ATTLIST r a CDATA "]>"> <?p ]> ?> ] ><r><e/></r>'
        )
        (run,) = runs_of(split(data, "/r/e"))
        assert run.skeleton.subset == b'<!DOCTYPE r [<!ENTITY e "v>"><!ATTLIST r a CDATA "]>">]>'

    @pytest.mark.parametrize(
        "doctype",
        [b"<!DOCTYPE r>", b'<!DOCTYPE r SYSTEM "r.dtd">', b"<!DOCTYPE r [<!ELEMENT r ANY>]>", b"<!DOCTYPE r[]>"],
    )
    def test_a_subset_that_says_nothing_is_left_out(self, doctype: bytes) -> None:
        (run,) = runs_of(split(doctype + b"<r><e/></r>", "/r/e"))
        assert run.skeleton.subset == b""

    def test_offsets_lines_and_numbers(self) -> None:
        data = b"<r>\n\n<e>\n</e><g>\n\n<e/>\n<e/></g>\n<e/>\n</r>"
        runs = runs_of(split(data, "/r/e", "/r/g/e"))
        assert [(run.offset, run.line, run.first_record) for run in runs] == [(5, 3, 1), (18, 6, 2), (32, 8, 4)]


class TestTiles:
    DATA = b"<r> <e>1</e> <e>2</e> <x/> <e>3</e> </r>"

    def test_one_record_a_split(self) -> None:
        parts = split(self.DATA, "/r/e", split_bytes=1)
        assert [(part.start, part.end, part.records, part.last) for part in parts] == [
            (0, 12, 1, False),
            (12, 21, 1, False),
            (21, 35, 1, False),
            (35, 40, 0, True),
        ]

    def test_a_part_is_cut_when_it_has_enough(self) -> None:
        parts = split(b"<r>" + b"<e/>" * 1000 + b"</r>", "/r/e", split_bytes=398)
        assert {part.records for part in parts[:-1]} == {100}
        assert sum(part.records for part in parts) == 1000

    @pytest.mark.parametrize("data", [b"<e/>" * 10, b"<e>x<e/></e>" * 10, b"<e/>\n<skipped/>" * 10])
    def test_a_part_is_cut_when_it_has_enough_records(self, data: bytes) -> None:
        splitter = Splitter([parse_record_path("/r/e", {})], 10**6, 10**6, split_records=4)
        parts = list(splitter.split([b"<r>" + data + b"</r>"], 1, "dump.xml"))
        assert [part.records for part in parts] == [4, 4, 2]

    def test_edges_of_an_earlier_run(self) -> None:
        assert [part.end for part in split(self.DATA, "/r/e", cut_at=(0, 21, 40))] == [21, 40]
        assert [part.end for part in split(self.DATA, "/r/e", split_bytes=1, cut_at=(21,))] == [12, 21, 35, 40]

    @pytest.mark.parametrize("edge", [13, 25, 30, 39, 41, 1000])
    def test_an_edge_that_does_not_fit_any_more(self, edge: int) -> None:
        with pytest.raises(SourceError, match=rf"loaded it up to byte {edge}, but no record ends there"):
            split(self.DATA, "/r/e", cut_at=(12, edge))

    def test_limit_ends_with_the_last_record_wanted(self) -> None:
        parts = split(self.DATA, "/r/e", limit=2)
        assert [(part.end, part.records, part.last) for part in parts] == [(21, 2, False)]
        assert split(self.DATA, "/r/e", limit=3)[-1].last is False
        assert split(self.DATA, "/r/e", limit=4)[-1].last is True

    def test_a_limit_needs_no_more_of_the_source_than_that(self) -> None:
        def chunks() -> Iterable[bytes]:
            yield b"<r>" + b"<e/>" * 20000
            raise AssertionError("read too far")

        assert sum(part.records for part in split(chunks(), "/r/e", limit=7)) == 7

    def test_parts_come_while_the_source_is_read(self) -> None:
        def chunks() -> Iterable[bytes]:
            yield b"<r>" + b"<e/>" * 20000
            raise AssertionError("read too far")

        parts = Splitter([parse_record_path("/r/e", {})], 100, 1000).split(chunks(), 1, "dump.xml")
        assert next(parts).records == 25


class TestBroken:
    def test_cut_off_inside_a_record(self) -> None:
        found, message = broken(b"<r>\n<e>1</e>\n<e>2</e>\n<e>3<x>\n</x", "/r/e")
        assert found == [b"<e>1</e>", b"<e>2</e>"]
        assert message == (
            "dump.xml breaks off at byte 33 (line 5) inside record 3, which begins at byte 22 (line 4). "
            "The records before it are complete."
        )

    @pytest.mark.parametrize(
        ("tail", "said"),
        [
            (b"", r"breaks off at byte 7 \(line 1\) where </r> \(opened at line 1\) should follow"),
            (b"<", "breaks off at byte 8"),
            (b"<!-", "breaks off at byte 10"),
            (b"<!-- \n", r"breaks off at byte 13 \(line 2\) inside a comment that begins at byte 7 \(line 1\)"),
            (b"<?p", "inside a processing instruction"),
            (b"<![CDATA[ ]]", "inside a CDATA section"),
            (b"</", "breaks off"),
            (b"</r", "breaks off"),
            (b"<x><y></x", r"inside <x>, which begins at byte 7 \(line 1\) and is not closed"),
            (b"<e", "breaks off"),
            (b"<e a='", "inside record 2"),
            (b"\n</s>", r"byte 8, line 2: '</s>' stands where </r> \(opened at line 1\) was expected"),
            (b"</r></r>", "byte 11, line 1: '</r>' stands where the end of the document was expected"),
            (b"</r><e/>", "'<e/>' stands behind the end of the root element"),
            (b"</r>\0\0", r"byte 11, line 1: '\\x00\\x00' stands outside of the root element"),
            (b"</r><![CDATA[x]]>", "is no markup"),
            (b"<3>x</r>", r"'<3>x</r>' is no markup \(a plain < must be written &lt;\)"),
            (b"<!DOCTYPE r><e/></r>", "is no markup"),
            (b"<g a='1' </r>", "begins a start tag without its end"),
            (b"<g a='", "breaks off"),
        ],
    )
    def test_outside_of_records(self, tail: bytes, said: str) -> None:
        found, message = broken(b"<r><e/>" + tail, "/r/e", "/r/g/e")
        assert found == [b"<e/>"]
        assert message.startswith("dump.xml")
        with pytest.raises(SourceError, match=said):
            raise SourceError(message)

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"", "holds no XML element"),
            (b" <!-- c --> ", "holds no XML element"),
            (b"x<r/>", "'x<r/>' stands outside of the root element"),
            (b"</r>", "'</r>' stands where the root element was expected"),
            (b"<!DOCTYPE r [<!ENTITY", "inside the document type declaration"),
            (b"<!DOCTYPE r [ <!-- " + b"x" * 2**20, "longer than 1048576 bytes"),
            (b"<r a='" + b"x" * MAX_TAG_BYTES + b"'><e/></r>", "a start tag longer than 1048576 bytes"),
        ],
    )
    def test_before_any_record(self, data: bytes, said: str) -> None:
        found, message = broken(data, "/r/e")
        assert found == []
        assert said in message

    def test_entities_that_hold_elements_are_not_lost_in_silence(self) -> None:
        doctype = b'<!DOCTYPE r [<!ENTITY c SYSTEM "c.xml"><!ENTITY m "<e/>"><!ENTITY t "text">]>'
        assert records(split(doctype + b"<r>&t;<e/>&t;</r>", "/r/e")) == [b"<e/>"]
        for name in (b"c", b"m"):
            found, message = broken(doctype + b"<r><e/>\n &" + name + b"; </r>", "/r/e")
            assert found == [b"<e/>"]
            assert f"line 2: '&{name.decode()}; </r>' stands for elements or another file" in message

    def test_an_error_of_the_source_comes_after_what_could_be_read(self) -> None:
        def chunks() -> Iterable[bytes]:
            yield b"<r>\n<e>1</e><e>2"
            raise SourceError("dump.xml.gz is cut off: it ends at byte 99.")

        found, message = broken(chunks(), "/r/e")
        assert found == [b"<e>1</e>"]
        assert message == (
            "dump.xml.gz is cut off: it ends at byte 99. The document breaks off at byte 16 (line 2) "
            "inside record 2, which begins at byte 12 (line 2)."
        )

    def test_an_error_of_the_source_before_anything(self) -> None:
        def chunks() -> Iterable[bytes]:
            raise SourceError("dump.xml is empty.")
            yield b""

        assert broken(chunks(), "/r/e") == ([], "dump.xml is empty.")


class TestUnusableRecords:
    def test_unclosed_record_at_the_end_of_an_intact_document(self) -> None:
        data = b"<r>\n<e>1</e>\n<e>2<x/>\n<e>3</e>\n<e>4\n</r>\n"
        parts = split(data, "/r/e")
        assert records(parts) == [b"<e>1</e>", b"<e>3</e>"]
        assert [(reject.record, reject.raw, reject.reason, reject.line) for reject in parts[0].rejects] == [
            (2, b"<e>2<x/>\n", "malformed", 3),
            (4, b"<e>4\n", "malformed", 5),
        ]
        assert parts[0].rejects[0].message == "The record <e> is not closed."
        assert [run.first_record for run in parts[0].runs] == [1, 3]
        assert parts[0].last

    def test_unclosed_record_that_breaks_off_inside_a_child(self) -> None:
        data = b"<r><e>1<t>tru<e>2</e><e>3</e></r>"
        parts = split(data, "/r/e")
        assert records(parts) == [b"<e>2</e>", b"<e>3</e>"]
        assert [reject.raw for reject in parts[0].rejects] == [b"<e>1<t>tru"]

    def test_unclosed_record_ends_at_the_longest_a_record_may_be(self) -> None:
        data = b"<r><e>1<x/><e>2</e>" + b"<e>3</e>" * 40 + b"</r>"
        parts = split(data, "/r/e", longest=100)
        assert records(parts) == [b"<e>2</e>", *[b"<e>3</e>"] * 40]
        assert [(reject.reason, reject.raw) for reject in parts[0].rejects] == [("malformed", b"<e>1<x/>")]

    def test_the_end_of_the_parent_proves_that_a_record_is_not_closed(self) -> None:
        data = b"<r><g i='1'><e>1</e><e>2<t>tru</g><g i='2'><e>3</e>%s</g></r>" % (b"<e>4</e>" * 40)
        for longest in (100, 10**6):
            parts = split(data, "/r/g/e", longest=longest)
            assert records(parts) == [b"<e>1</e>", b"<e>3</e>", *[b"<e>4</e>"] * 40]
            assert [reject.raw for reject in parts[0].rejects] == [b"<e>2<t>tru"]
            assert [run.skeleton.open_tags for run in runs_of(parts)] == [b"<r><g i='1'>", b"<r><g i='2'>"]

    def test_an_unclosed_record_before_records_of_another_type(self) -> None:
        parts = split(b"<r><a/><a>1<t>x</t><b/><b>2</b></r>", "/r/a", "/r/b")
        assert records(parts) == [b"<a/>", b"<b/>", b"<b>2</b>"]
        assert [reject.raw for reject in parts[0].rejects] == [b"<a>1<t>x</t>"]
        parts = split(b"<r><a/><a>1<t>x</t><b/><b>2</b></r>", "/r/*")
        assert [reject.raw for reject in parts[0].rejects] == [b"<a>1<t>x</t><b/><b>2</b>"]

    def test_an_unclosed_record_and_an_unclosed_parent(self) -> None:
        found, message = broken(b"<r><g><e>1</e><e>2</r>", "/r/g/e")
        assert found == [b"<e>1</e>"]
        assert "'</r>' stands where </g> (opened at line 1) was expected" in message

    def test_a_comment_that_never_ends(self) -> None:
        data = b"<r><e>1<!-- </e><e>2</e><e>3</e></r>"
        parts = split(data, "/r/e")
        assert records(parts) == [b"<e>2</e>", b"<e>3</e>"]
        assert [reject.raw for reject in parts[0].rejects] == [b"<e>1<!-- </e>"]

    @pytest.mark.parametrize("content", [b"<s><e>%s</e></s>" % (b"y" * 500), b"<s><e/></s>" * 50, b"y" * 500])
    def test_a_record_that_is_too_large_is_passed_exactly(self, content: bytes) -> None:
        large = b"<e>" + content + b"</e>"
        parts = split(b"<r><e>1</e>\n" + large + b"<e>2</e></r>", "/r/e", longest=100)
        assert records(parts) == [b"<e>1</e>", b"<e>2</e>"]
        (reject,) = parts[0].rejects
        assert (reject.reason, reject.record, reject.offset, reject.line) == ("too_large", 2, 12, 2)
        assert (reject.raw, reject.length) == (large, len(large))
        assert reject.message == f"The record has {len(large)} bytes; split.max_record_bytes allows 100."

    def test_rejects_know_what_stood_open_around_them(self) -> None:
        subset = b"<!DOCTYPE r [<!ENTITY a 'b'>]>"
        large, stray, unclosed = b"<e>" + b"y" * 500 + b"</e>", b"<e>1</e></e>", b"<e>2<e>3</e>"
        data = subset + b"<r><g x='1>'>%s</g><g x='2'>%s</g><g x='3'>%s</g></r>" % (large, stray, unclosed)
        rejects = [reject for part in split(data, "/r/g/e", longest=100) for reject in part.rejects]
        assert [(reject.reason, reject.raw) for reject in rejects] == [
            ("too_large", large),
            ("malformed", b"</e>"),
            ("malformed", b"<e>2"),
        ]
        around = [Skeleton(subset, b"<r><g x='%s'>" % x, b"</g></r>", 2) for x in (b"1>", b"2", b"3")]
        assert [reject.skeleton for reject in rejects] == around

    def test_a_record_larger_than_a_reject_may_be_is_streamed_past(self) -> None:
        def chunks() -> Iterable[bytes]:
            yield b"<r><e>"
            for _ in range(40):
                yield b"<t>" + b"y" * 2**20 + b"</t>"
            yield b"</e><e/></r>"

        parts = split(chunks(), "/r/e")
        (reject,) = parts[0].rejects
        assert (reject.reason, reject.raw, reject.length) == ("too_large", None, 40 * (2**20 + 7) + 7)
        assert records(parts) == [b"<e/>"]

    def test_a_giant_attribute_is_streamed_past(self) -> None:
        def chunks() -> Iterable[bytes]:
            yield b"<r><e a='>"
            yield from [b'y"/>' * 2**18] * 20
            yield b"' /><e/></r>"

        parts = split(chunks(), "/r/e")
        assert [reject.reason for reject in parts[0].rejects] == ["too_large"]
        assert records(parts) == [b"<e/>"]

    def test_the_largest_that_is_allowed_is_a_record(self) -> None:
        record = b"<e>" + b"y" * 93 + b"</e>"
        assert records(split(b"<r>" + record + b"</r>", "/r/e", longest=100)) == [record]
        assert records(split(b"<r>" + record + b"</r>", "/r/e", longest=99)) == []

    def test_a_large_record_without_end_does_not_swallow_others_in_silence(self) -> None:
        unclosed = b"<e><s>" + b"y" * 200
        found, message = broken(b"<r><e/>" + unclosed + b"<e>2</e></r>", "/r/e", longest=100)
        assert found == [b"<e/>"]
        assert "inside record 2, which begins at byte 7 (line 1) and is not closed within split.max_rec" in message

    @pytest.mark.parametrize(
        "record",
        [
            b'<e a="1 < 2" b="/>"/>',
            b'<e a="<p>x</p>" />',
            b'<e a="1 />',
            b"<e a='1>x</e>",
            b'<e a="1 <x b="2"/></e>',
            b"<e a=1 <x/></e>",
            b"<e a='it's'></e>",
        ],
    )
    def test_an_ill_formed_start_tag_spares_the_neighbours(self, record: bytes) -> None:
        data = b"<r><e a='1'/>\n" + record + b"\n<e a='2'/>\n" + record + b"\n<e a='3'/></r>"
        assert records(split(data, "/r/e")) == [b"<e a='1'/>", record, b"<e a='2'/>", record, b"<e a='3'/>"]

    def test_ill_formed_content_spares_the_neighbours(self) -> None:
        bad = b"<e><a></b>&nope;\xff\0<c <d></e>"
        assert records(split(b"<r><e/>" + bad + b"<e/></r>", "/r/e")) == [b"<e/>", bad, b"<e/>"]


class TestEffort:
    """Nothing is searched again and again: each of these takes minutes where something is."""

    def test_a_large_record_in_small_chunks(self) -> None:
        record = b"<e>" + b"<x>y</x>" * 2**20 + b"</e>"
        data = b"<r>" + record + b"</r>"
        chunks = (data[at : at + 100] for at in range(0, len(data), 100))
        assert records(split(chunks, "/r/e", longest=2**24)) == [record]

    def test_tags_quotes_and_brackets_without_end(self) -> None:
        for piece in (b"<", b'"', b"<e ", b"<!--", b"<e a='", b"</e ", b"]]>", b"<!", b"<e><x>"):
            data = b"<r><e>" + piece * (2**18 // len(piece)) + b"</r>"
            for longest in (1000, 2**24):
                with suppress(SourceError):
                    split(data, "/r/e", longest=longest)

    def test_many_unclosed_records(self) -> None:
        parts = split(b"<r>" + b"<e a='1'>\n" * 100_000 + b"</r>", "/r/e", longest=2**24)
        assert sum(len(part.rejects) for part in parts) == 100_000

    def test_many_tiny_records_in_tiny_splits(self) -> None:
        assert len(split(b"<r>" + b"<e/>" * 20_000 + b"</r>", "/r/e", split_bytes=1)) == 20_001


def test_elements_without_end_around_records_are_followed_only_so_far() -> None:
    read, message = broken(b"<root><r/>" + b"<x>" * 100_000 + b"<r/>", "//r")
    assert read == [b"<r/>"]
    assert "begins an element inside of 2048 others, deeper than records can be found" in message


def test_start_tags_around_records_are_kept_only_up_to_a_size() -> None:
    large = b"<x a='" + b"y" * 900_000 + b"'>"
    read, message = broken(b"<root><r/>" + large * 3 + b"<r n='2'/>" + large * 3 + b"<r n='3'/>", "//r")
    assert read == [b"<r/>", b"<r n='2'/>"]
    assert "begins an element inside of 5 others" in message
