"""Which elements become records, and where what containers say themselves ends up."""

from __future__ import annotations

import pytest

from etl.inference.design import infer_mapping
from etl.inference.profile import ElementProfile, Profile
from etl.inference.values import ValueProfile
from etl.inference.width import KINDS_LIMIT
from etl.mapping.model import Mapping
from etl.mapping.reader import parse_mapping
from tests.profiles import columns_of, each_of, mapping_of, profile_of


def test_elements_that_repeat_in_the_root_are_records() -> None:
    mapping = mapping_of("<books><book><title>A</title></book><book><title>B</title></book></books>")
    assert each_of(mapping) == {"book": ["/books/book"]}


def test_record_types_under_wrappers_of_their_own() -> None:
    mapping = mapping_of("<shop><users><user/><user/></users><orders><order/><order/></orders></shop>")
    assert each_of(mapping) == {"user": ["/shop/users/user"], "order": ["/shop/orders/order"]}


def test_a_wrapper_is_known_by_its_name_where_one_was_seen_in_it() -> None:
    mapping = mapping_of('<people version="2"><person><name>A</name></person></people>')
    assert each_of(mapping) == {"person": ["/people/person"]}
    assert columns_of(mapping, "person") == {"name": "name", "people_version": "../@version"}


def test_a_single_thing_among_many_records_is_a_record() -> None:
    mapping = mapping_of(
        "<bib><article><title>A</title></article><article><title>B</title></article>"
        "<book><title>C</title><author>D</author><author>E</author></book></bib>"
    )
    assert each_of(mapping) == {"article": ["/bib/article"], "book": ["/bib/book"], "book_author": ["author"]}


def test_a_header_gets_a_table_of_one_row_with_the_attributes_of_the_root() -> None:
    mapping = mapping_of('<osm version="6"><bounds lat="1"/><node id="1"/><node id="2"/></osm>')
    assert each_of(mapping) == {"bounds": ["/osm/bounds"], "node": ["/osm/node"]}
    assert columns_of(mapping, "bounds") == {"lat": "@lat", "osm_version": "../@version"}
    assert columns_of(mapping, "node") == {"id": "@id"}


def test_without_a_header_the_attributes_of_the_root_are_on_every_record() -> None:
    mapping = mapping_of('<osm version="6"><node id="1"/><node id="2"/><way id="1"/><way id="2"/></osm>')
    assert columns_of(mapping, "node") == columns_of(mapping, "way") == {"id": "@id", "osm_version": "../@version"}


def test_a_channel_with_more_texts_than_kinds_of_things_in_it_is_one_record() -> None:
    mapping = mapping_of("<rss><channel><title>A</title><link>B</link><item/><item/></channel></rss>")
    assert each_of(mapping) == {"channel": ["/rss/channel"], "channel_item": ["item"]}


def test_a_catalog_with_a_title_beside_its_books_holds_records() -> None:
    mapping = mapping_of("<catalog><title>A</title><book/><book/></catalog>")
    assert each_of(mapping) == {"title": ["/catalog/title"], "book": ["/catalog/book"]}


def test_single_texts_of_a_large_container_are_a_table_of_names_and_values() -> None:
    profile = profile_of("<dump><made>today</made><by>me</by><rec/><rec/></dump>")
    profile.root_bytes = dict.fromkeys(profile.roots, 2**30)
    mapping = parse_mapping(infer_mapping(profile, "dump").text, "inferred")
    assert each_of(mapping) == {"dump_value": ["/dump/made", "/dump/by"], "rec": ["/dump/rec"]}
    assert columns_of(mapping, "dump_value") == {"name": "name()", "value": "."}


def test_a_root_that_repeats_nothing_is_the_record() -> None:
    mapping = mapping_of("<config><db host='h'/><web><port>80</port></web></config>")
    assert columns_of(mapping, "config") == {"db_host": "db/@host", "web_port": "web/port"}


def test_what_holds_one_thing_of_one_kind_or_another_is_passed_through() -> None:
    lake, river = "<Lake><area>1</area><island/><island/></Lake>", "<River><length>1</length></River>"
    members = "".join(f"<member>{thing}</member>" for thing in (lake, river, lake))
    assert each_of(mapping_of(f"<map>{members}</map>")) == {
        "lake": ["/map/member/Lake"],
        "lake_island": ["island"],
        "river": ["/map/member/River"],
    }
    entries = members.replace("<member>", "<member><resource>").replace("</member>", "</resource></member>")
    assert list(each_of(mapping_of(f"<map>{entries}</map>")).values())[::2] == [
        ["/map/member/resource/Lake"],
        ["/map/member/resource/River"],
    ]


@pytest.mark.parametrize(
    "members",
    [
        "<member id='1'><Lake a='1'/></member><member id='2'><River a='1'/></member>",
        "<member><Lake a='1'/><River a='1'/></member><member/>",
        "<member><Lake a='1'/></member><member><name>A</name></member>",
        "<member>so<Lake a='1'/></member><member><River a='1'/></member>",
    ],
)
def test_what_holds_more_than_one_thing_is_a_record(members: str) -> None:
    assert each_of(mapping_of(f"<map>{members}</map>"))["member"] == ["/map/member"]


def test_what_only_wraps_is_passed_through() -> None:
    mapping = mapping_of("<a><b><c><d>1</d><e>2</e></c></b></a>")
    assert each_of(mapping) == {"c": ["/a/b/c"]}


def test_elements_without_anything_are_still_counted() -> None:
    assert columns_of(mapping_of("<root/>"), "root") == {"root": "."}
    assert columns_of(mapping_of("<root><x/><x/></root>"), "x") == {"x": "."}


def test_a_small_root_with_text_between_its_elements_is_one_record() -> None:
    mapping = mapping_of("<log>begin<entry><at>1</at></entry><entry><at>2</at></entry>end</log>")
    assert each_of(mapping) == {"log": ["/log"], "log_entry": ["entry"]}
    assert columns_of(mapping, "log") == {"log": "text()"}


def test_text_between_records_of_a_large_root_is_warned_about() -> None:
    profile = profile_of("<log>begin<entry><at>1</at></entry><entry><at>2</at></entry>end</log>")
    profile.root_bytes = dict.fromkeys(profile.roots, 2**30)
    inferred = infer_mapping(profile, "log")
    assert each_of(parse_mapping(inferred.text, "inferred")) == {"log_entry": ["/log/entry"]}
    assert inferred.warnings == ("The text between the elements of /log is in no table: it is not a record",)
    assert "# Note: The text between the elements of /log is in no table" in inferred.text


def test_huge_elements_that_repeat_are_containers() -> None:
    """Records travel whole, so that one of a gigabyte would never arrive."""
    profile = profile_of('<dump><part n="1"><row/><row/></part><part n="2"><row/></part></dump>')
    profile.roots["dump"].children["part"].bytes = 2**31
    mapping = parse_mapping(infer_mapping(profile, "dump").text, "inferred")
    assert each_of(mapping) == {"part": ["/dump/part/row"]}
    assert columns_of(mapping, "part") == {"row": ".", "part_n": "../@n"}


def supplier_mapping(mean: int, largest: int = 0) -> tuple[Mapping, tuple[str, ...]]:
    supplier = (
        "<supplier id='{}'><name>A</name><products v='1'><product><no>1</no></product><product/></products></supplier>"
    )
    profile = profile_of(f"<catalog>{supplier.format(1)}{supplier.format(2)}</catalog>")
    profile.root_bytes = dict.fromkeys(profile.roots, 2**30)
    element = profile.roots["catalog"].children["supplier"]
    element.bytes, element.largest = mean * element.count, largest
    inferred = infer_mapping(profile, "catalog")
    return parse_mapping(inferred.text, "inferred"), inferred.warnings


def test_things_that_repeat_are_records_as_long_as_they_fit() -> None:
    mapping, warnings = supplier_mapping(2**23)
    assert each_of(mapping) == {"supplier": ["/catalog/supplier"], "supplier_product": ["products/product"]}
    assert warnings == ()


@pytest.mark.parametrize(("mean", "largest"), [(2**25, 2**25), (1000, 2**25)])
def test_records_in_what_does_not_fit_know_where_they_were(mean: int, largest: int) -> None:
    mapping, warnings = supplier_mapping(mean, largest)
    assert each_of(mapping) == {"name": ["/catalog/supplier/name"], "product": ["/catalog/supplier/products/product"]}
    assert columns_of(mapping, "name")["supplier_id"] == "../@id"
    assert columns_of(mapping, "product") == {"no": "no", "products_v": "../@v", "supplier_id": "../../@id"}
    assert warnings == (
        "name of /catalog/supplier stand in tables of their own; those beside do not tell which are theirs",
    )


def test_large_elements_that_say_nothing_are_containers() -> None:
    profile = profile_of("<dump><part><row/><row/></part><part><row/></part></dump>")
    profile.roots["dump"].children["part"].bytes = 2**22
    assert each_of(parse_mapping(infer_mapping(profile, "dump").text, "inferred")) == {"part": ["/dump/part/row"]}


def test_the_roots_of_many_small_documents_are_records() -> None:
    paper = "<paper><front><title>A</title></front><body><p>1</p><p>2</p></body></paper>"
    assert each_of(mapping_of(paper, paper)) == {"paper": ["/paper"], "paper_p": ["body/p"]}
    assert "paper" not in each_of(mapping_of(paper))


def test_small_documents_with_lists_in_them_are_records() -> None:
    orders = [
        f"<order><header><no>{n}</no><date>2020</date></header><line><sku>a</sku></line><line><sku>b</sku></line></order>"
        for n in range(30)
    ]
    assert each_of(mapping_of(*orders)) == {"order": ["/order"], "order_line": ["line"]}
    invoices = [f"<invoice no='{n}'><total/><line/><line/><note/><note/></invoice>" for n in range(30)]
    assert each_of(mapping_of(*invoices)) == {
        "invoice": ["/invoice"],
        "invoice_line": ["line"],
        "invoice_note": ["note"],
    }
    patients = [f"<Patient><id value='{n}'/><telecom value='1'/><telecom value='2'/></Patient>" for n in range(30)]
    assert each_of(mapping_of(*patients)) == {"patient": ["/Patient"], "patient_telecom": ["telecom"]}
    metadata = [
        f"<metadata><file><text>{n}</text></file><contact><name>A</name></contact><contact/></metadata>"
        for n in range(3)
    ]
    assert each_of(mapping_of(*metadata)) == {"metadata": ["/metadata"], "metadata_contact": ["contact"]}


def test_small_dumps_that_say_the_same_of_themselves_hold_records() -> None:
    wikis = [
        f"<wiki v='1'><site><name>W</name></site><page><id>{n}</id></page><page><id>{n + 9}</id></page></wiki>"
        for n in range(9)
    ]
    assert each_of(mapping_of(*wikis)) == {"site": ["/wiki/site"], "page": ["/wiki/page"]}
    maps = [f"<map made='{n}'><bounds x='{n}'/>{'<node/><way/>' * 50}</map>" for n in range(9)]
    assert list(each_of(mapping_of(*maps))) == ["bounds", "node", "way"]


def test_many_lists_of_what_they_are_named_for_hold_records() -> None:
    people = [f"<people made='{n}'><person id='{n}'/><person id='{n + 50}'/></people>" for n in range(30)]
    mapping = mapping_of(*people)
    assert each_of(mapping) == {"person": ["/people/person"]}
    assert columns_of(mapping, "person") == {"id": "@id", "people_made": "../@made"}
    badges = [f"<badges site='{n}'><row id='{n}'/><row id='{n + 50}'/></badges>" for n in range(30)]
    assert each_of(mapping_of(*badges)) == {"badge": ["/badges/row"]}
    statements = [f"<statement account='{n}'><row id='{n}'/><row id='{n + 50}'/></statement>" for n in range(30)]
    assert each_of(mapping_of(*statements)) == {"statement": ["/statement"], "statement_row": ["row"]}


def test_large_documents_of_one_kind_say_nothing_of_those_of_another() -> None:
    note = "<note id='{}'><p>1</p><p>2</p></note>"
    profile = profile_of(*(note.format(n) for n in range(30)), f"<users>{'<user/>' * 9}</users>")
    profile.root_bytes["users"] = 2**30
    mapping = parse_mapping(infer_mapping(profile, "documents").text, "inferred")
    assert each_of(mapping) == {"note": ["/note"], "note_p": ["p"], "user": ["/users/user"]}


def test_things_with_values_in_attributes_or_deeper_are_records() -> None:
    telecom = "<telecom value='1'/><telecom value='2'/>"
    mapping = mapping_of(f"<reply><patient><id value='1'/>{telecom}</patient><note/><note/></reply>")
    assert each_of(mapping)["patient_telecom"] == ["telecom"]
    mapping = mapping_of(f"<reply><patient><id><no>1</no></id>{telecom}</patient><note/><note/></reply>")
    assert each_of(mapping)["patient_telecom"] == ["telecom"]


def test_parts_of_one_dump_hold_records() -> None:
    part = "<releases><release/><release/></releases>"
    assert each_of(mapping_of(part, part)) == {"release": ["/releases/release"]}


def test_documents_with_different_roots() -> None:
    mapping = mapping_of("<users><user/><user/></users>", "<tags><tag/><tag/></tags>")
    assert each_of(mapping) == {"user": ["/users/user"], "tag": ["/tags/tag"]}


def test_elements_of_their_own_name_inside_make_one_record() -> None:
    mapping = mapping_of("<tree><node><name>A</name><node><name>B</name><leaf/><leaf/></node></node></tree>")
    assert next(iter(each_of(mapping))) == "node"


def test_attributes_of_a_root_without_records_are_warned_about() -> None:
    inferred = infer_mapping(profile_of("<feed v='1'/>", "<feed v='1'><entry/><entry/></feed>"), "feeds")
    assert inferred.warnings == ("The attributes of /feed are in no table where it holds no records",)


def test_attributes_of_roots_go_where_a_row_is_sure() -> None:
    """The header of one document only is no place for the attributes of all."""
    mapping = mapping_of("<osm v='1'><note a='1'/><way/><way/></osm>", "<osm v='2'><way/><way/></osm>")
    assert "osm_v" in columns_of(mapping, "way")


def test_a_thousand_record_types_are_a_thousand_tables() -> None:
    root = ElementProfile("root", 0, count=1, parents=1, most=1)
    for number in range(1000):
        record = ElementProfile(f"kind{number}", 1, count=5, parents=1, most=5, leaves=5)
        record.attributes["id"] = ValueProfile()
        root.children[record.tag] = record
    mapping = parse_mapping(infer_mapping(Profile(roots={"root": root}, documents=1), "x").text, "inferred")
    assert len(mapping.tables) == 1000


def test_names_that_are_no_kinds_are_one_table() -> None:
    records = "".join(f"<entry{n}><a>1</a><b>2</b></entry{n}>" for n in range(KINDS_LIMIT + 1))
    mapping = mapping_of(f"<log v='1'>{records}<entry1><a>3</a></entry1></log>")
    assert each_of(mapping) == {"log_element": ["/log/*"]}
    assert columns_of(mapping, "log_element") == {"name": "name()", "content": ".", "log_v": "../@v"}


def test_notes_in_attributes_beside_records_make_no_entity() -> None:
    mapping = mapping_of("<run><info type='a'/><level n='1'/><host ip='1'/><host ip='2'/></run>")
    assert list(each_of(mapping)) == ["info", "level", "host"]


def test_more_attributes_of_a_large_root_than_records_should_carry_are_warned_about() -> None:
    attributes = " ".join(f'a{n}="{n}"' for n in range(50))
    profile = profile_of(f"<dump {attributes}><thing/><thing/></dump>")
    profile.root_bytes = dict.fromkeys(profile.roots, 2**30)
    inferred = infer_mapping(profile, "dump")
    assert len(columns_of(parse_mapping(inferred.text, "inferred"), "thing")) == 41
    assert inferred.warnings == ("Only 40 of the attributes of /dump are in a table",)


def test_a_root_that_is_nothing_but_text_in_some_documents_is_the_record() -> None:
    mapping = mapping_of("<items>none</items>", "<items><item/><item/></items>")
    assert each_of(mapping) == {"items": ["/items"], "items_item": ["item"]}
    assert columns_of(mapping, "items") == {"items": "text()"}
