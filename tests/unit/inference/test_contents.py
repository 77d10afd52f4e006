"""What becomes of the elements in a record: columns, child tables, or XML."""

from __future__ import annotations

import pytest

from etl.inference.contents import LEVELS
from etl.inference.design import infer_mapping
from tests.profiles import columns_of, each_of, mapping_of, profile_of


def record(*contents: str) -> str:
    """A document of records with these contents, and empty ones, so that they are known to repeat."""
    return f"<recs>{''.join(f'<rec>{text}</rec>' for text in (*contents, '', ''))}</recs>"


def types_of(document: str, table: str = "rec") -> dict[str, str]:
    return {column.name: str(column.type) for column in mapping_of(document).table(table).columns}


def test_single_elements_are_columns_by_their_path() -> None:
    mapping = mapping_of(record("<title>A</title><place><town>B</town><zip>C</zip></place>"))
    assert columns_of(mapping, "rec") == {"title": "title", "town": "place/town", "zip": "place/zip"}


def test_elements_that_repeat_are_child_tables() -> None:
    mapping = mapping_of(record("<author>A</author><author>B</author>"))
    assert each_of(mapping)["rec_author"] == ["author"]
    assert columns_of(mapping, "rec_author") == {"author": "."}


def test_wrappers_are_stepped_over() -> None:
    mapping = mapping_of(record("<artists><artist>A</artist><artist>B</artist></artists>"))
    assert each_of(mapping)["rec_artist"] == ["artists/artist"]


@pytest.mark.parametrize(
    ("wrapper", "child"),
    [
        ("tags", "tag"),
        ("sub_tracks", "track"),
        ("AuthorList", "Author"),
        ("AuthorList", "Writer"),
        ("extraartists", "artist"),
        ("Categories", "Category"),
        ("children", "child"),
        ("tag-list", "tag"),
        ("tagset", "tag"),
    ],
)
def test_a_wrapper_by_its_name_holds_several_though_one_was_seen(wrapper: str, child: str) -> None:
    mapping = mapping_of(record(f"<{wrapper}><{child}>A</{child}></{wrapper}>"))
    assert f"{wrapper}/{child}" in [path for paths in each_of(mapping).values() for path in paths]


@pytest.mark.parametrize(
    ("around", "inner"), [("address", "addres"), ("glass", "glas"), ("place", "town"), ("as", "a")]
)
def test_other_names_do_not_make_a_wrapper(around: str, inner: str) -> None:
    mapping = mapping_of(record(f"<{around}><{inner}>A</{inner}></{around}>"))
    assert list(each_of(mapping)) == ["rec"]


def test_repeating_wrappers_that_say_nothing_are_stepped_over_too() -> None:
    mapping = mapping_of(
        record("<ReferenceList><Reference/></ReferenceList><ReferenceList><Reference/></ReferenceList>")
    )
    assert each_of(mapping) == {"rec": ["/recs/rec"], "rec_reference": ["ReferenceList/Reference"]}


def test_repeating_wrappers_with_an_attribute_are_tables() -> None:
    mapping = mapping_of(record("<tags by='a'><tag/><tag/></tags><tags by='b'/>"))
    assert each_of(mapping) == {"rec": ["/recs/rec"], "rec_tags": ["tags"], "rec_tags_tag": ["tag"]}


def test_attributes_stand_before_the_text_of_a_row_and_behind_that_of_a_column() -> None:
    mapping = mapping_of(record('<price cur="EUR">1</price><name lang="en">A</name><name lang="fr">B</name>'))
    assert list(columns_of(mapping, "rec").items()) == [("price", "price"), ("price_cur", "price/@cur")]
    assert list(columns_of(mapping, "rec_name").items()) == [("lang", "@lang"), ("name", ".")]


def test_an_element_that_holds_text_or_elements() -> None:
    mapping = mapping_of(record("<author>A</author>", "<author><name>B</name></author>"))
    assert columns_of(mapping, "rec") == {"author": "author/text()", "author_name": "author/name"}


def test_an_empty_element_is_a_flag() -> None:
    inferred = infer_mapping(profile_of(record("<minor/>")), "x")
    assert "minor: minor  # a flag, always empty, in 33 %" in inferred.text


def test_a_table_of_elements_that_only_hold_others_has_a_column() -> None:
    mapping = mapping_of(record("<seg><p/><p/></seg><seg><p/></seg>"))
    assert [column.name for column in mapping.table("rec_seg").columns] == ["rec_record_id", "seq", "line"]


def test_prose_is_its_text() -> None:
    document = record("<title>On <i>x</i> and <b>y <i>z</i></b></title>")
    assert columns_of(mapping_of(document), "rec") == {"title": "title"}
    assert types_of(document)["title"] == "text"
    assert "inline markup is dropped" in infer_mapping(profile_of(document), "x").text


def test_prose_with_attributes_in_it_stays_xml() -> None:
    document = record('<note lang="en">See <a href="x">this</a></note>')
    assert types_of(document) == {"record_id": "bigint", "note_lang": "text", "note": "xml"}


def test_stray_text_in_a_structure_is_a_column_of_its_own() -> None:
    structure = "<who><name>A</name><born>1</born></who>"
    mapping = mapping_of(record(structure, structure, structure.replace("<born>", "oops<born>")))
    assert columns_of(mapping, "rec") == {"who": "who/text()", "who_name": "who/name", "born": "who/born"}


def test_recursion_is_cut_at_the_third_level() -> None:
    part = "<part><n>1</n>{}</part><part/>"
    document = record(part.format(part.format(part.format(part.format("")))))
    inferred = infer_mapping(profile_of(document), "x")
    assert each_of(mapping_of(document)) == {
        "rec": ["/recs/rec"],
        "rec_part": ["part"],
        "rec_part_part": ["part"],
        "rec_part_part_part": ["part"],
    }
    assert types_of(document, "rec_part_part_part")["part"] == "xml"
    assert inferred.warnings == (
        "/recs/rec/part/part/part stands in elements of its own name; from the third level on it is kept as XML",
    )


def test_a_text_of_a_name_that_stands_around_it_is_no_recursion() -> None:
    assert "xml" not in types_of(record("<a><a><a>1</a></a></a>")).values()


def test_tables_do_not_nest_deeper_than_a_key_has_room_for() -> None:
    inner = ""
    for level in range(LEVELS + 8, 0, -1):
        inner = f'<l{level} n="1">{inner}</l{level}><l{level} n="2"/>'
    mapping = mapping_of(record(inner))
    assert max(len(table.key) for table in mapping.tables) <= LEVELS + 2
    assert str(mapping.tables[-1].columns[-1].type) == "xml"


def test_what_was_not_remembered_is_kept_as_xml() -> None:
    profile = profile_of(record("<a>1</a>"))
    profile.roots["recs"].children["rec"].others = 12
    inferred = infer_mapping(profile, "x")
    assert "rec: {path: ., type: xml}" in inferred.text
    assert inferred.warnings == (
        "/recs/rec has too many different children or attributes: all of it is kept as XML too",
    )


def test_nil_is_no_attribute_but_null() -> None:
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    mapping = mapping_of(record(f'<died {xsi} xsi:nil="true"/>', "<died>1999</died>"))
    assert columns_of(mapping, "rec") == {"died": "died"}


def test_wrappers_that_repeat_are_rows_where_recursion_is_cut() -> None:
    one = "<items><item/></items>"
    mapping = mapping_of(record(f"<items><item><items><item>{one}{one}</item></items></item></items>"))
    assert each_of(mapping)["rec_item_item_items"] == ["items"]
    assert str(mapping.table("rec_item_item_items").columns[-1].type) == "xml"
