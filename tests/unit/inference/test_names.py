"""Names of tables and columns."""

from __future__ import annotations

import pytest

from etl.inference.design import infer_mapping
from etl.inference.names import CHILD_TABLE_BYTES
from etl.inference.words import file_name
from etl.mapping.reader import parse_mapping
from tests.profiles import columns_of, each_of, mapping_of, profile_of
from tests.unit.inference.test_contents import record


@pytest.mark.parametrize(
    ("document", "tables"),
    [
        ("<badges><row/><row/></badges>", ["badge"]),
        ("<posthistory><row/><row/></posthistory>", ["posthistory"]),
        ("<ROWSET><ROW/><ROW/></ROWSET>", ["row"]),
        ("<shop><table><row/><row/></table></shop>", ["shop_row"]),
        ("<channel><item/><item/></channel>", ["channel_item"]),
        ("<people><record/><record/></people>", ["person"]),
        ("<x><Articles/><Articles/></x>", ["articles"]),
        ("<PubmedArticleSet><PubmedArticle/><PubmedArticle/></PubmedArticleSet>", ["pubmed_article"]),
        ("<x><a><thing/><thing/></a><b><thing/><thing/></b></x>", ["a_thing", "b_thing"]),
        ("<x><etl_split/><etl_split/></x>", ["x_etl_split"]),
        ("<x><sqlite_x/><sqlite_x/></x>", ["_sqlite_x"]),
        ("<日本><本/><本/></日本>", ["本"]),
        ("<x><Töne/><Töne/></x>", ["töne"]),
    ],
)
def test_tables_of_records(document: str, tables: list[str]) -> None:
    assert list(each_of(mapping_of(document))) == tables


@pytest.mark.parametrize(
    ("document", "file", "table"),
    [
        ("<data><row/><row/></data>", "users", "user"),
        ("<data><rec/><rec/></data>", "feed", "feed"),
        ("<data><item/><item/></data>", "feed", "item"),
        ("<data><row/><row/></data>", "d", "row"),
        ("<data><row/><row/></data>", "x" * 40, "row"),
        ("<data><row/><row/></data>", "export", "row"),
        ("<data><row/><row/></data>", "", "row"),
        ("<badges><row/><row/></badges>", "users", "badge"),
        ("<data><user/><user/></data>", "people", "user"),
        ("<posthistory><row/><row/></posthistory>", "post_history", "post_history"),
    ],
)
def test_what_says_nothing_of_its_rows_is_called_after_its_file(document: str, file: str, table: str) -> None:
    profile = profile_of(document)
    profile.files = dict.fromkeys(profile.roots, file)
    mapping = parse_mapping(infer_mapping(profile, "document").text, "inferred")
    assert [table.name for table in mapping.tables] == [table]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("dumps/PostHistory.xml.gz", "post_history"),
        ("discogs_20200806_artists.xml.gz", "discogs_artists"),
        ("all.zip/users-2024.xml", "users"),
        ("pubmed20n0014.xml", ""),
        ("2024.xml", ""),
        ("a-very-long-name-indeed.xml", ""),
        ("standard input", ""),
        ("/dev/fd/63", ""),
        (".xml", ""),
    ],
)
def test_names_of_files(label: str, name: str) -> None:
    assert file_name(label) == name


def test_records_of_one_name_in_several_namespaces_are_told_apart_by_these() -> None:
    users = [f"<users{space}><row/><row/></users>" for space in ("", " xmlns='urn:x:old'", " xmlns='urn:x:new'")]
    assert list(each_of(mapping_of(*users))) == ["user", "old_user", "new_user"]
    feeds = ["<f xmlns='urn:x:atom'><entry/><entry/></f>", "<f xmlns='urn:x:rss'><entry/><entry/></f>"]
    assert list(each_of(mapping_of(*feeds))) == ["atom_f_entry", "rss_f_entry"]


@pytest.mark.parametrize(
    ("contents", "tables"),
    [
        ("<genres><genre/><genre/></genres>", ["genre"]),
        (
            "<as><artist/></as><artists><artist/></artists><extraartists><artist/></extraartists>",
            ["artist", "extraartist"],
        ),
        ("<aliases><name/><name/></aliases><groups><name/><name/></groups>", ["alias", "group"]),
        ("<members><id/><id/><name/><name/></members>", ["member_id", "member_name"]),
        ("<rec/><rec/>", ["rec"]),
        ("<n:tag xmlns:n='urn:n'/><n:tag xmlns:n='urn:n'/><tag/><tag/>", ["n_tag", "tag"]),
    ],
)
def test_child_tables_begin_with_their_parent(contents: str, tables: list[str]) -> None:
    assert [name for name in each_of(mapping_of(record(contents))) if name != "rec"] == [f"rec_{t}" for t in tables]


@pytest.mark.parametrize(
    ("contents", "columns"),
    [
        ("<Title>1</Title>", ["title"]),
        ("<journal><title>1</title></journal>", ["journal_title"]),
        ("<journal><iso>1</iso></journal>", ["iso"]),
        ("<title>0</title><journal><title>1</title></journal>", ["title", "journal_title"]),
        ("<a><from><iso>1</iso></from></a><b><from><iso>1</iso></from></b>", ["a_from_iso", "b_from_iso"]),
        ("<article><articleTitle>1</articleTitle></article>", ["article_title"]),
        ("<place lang='en'><town>1</town></place>", ["place_lang", "town"]),
        ("<id>1</id><ID>2</ID>", ["id", "id_2"]),
        ("<seq>1</seq><record_id>2</record_id>", ["seq", "record_id_2"]),
        ("<t>1</t><n:t xmlns:n='urn:n'>2</n:t>", ["t", "n_t"]),
        ("<folder><name>1</name><folder><name>2</name></folder></folder>", ["folder_name", "folder_folder_name"]),
        ("<place/><town><place><x>1</x></place></town>", ["place", "town_x"]),
    ],
)
def test_columns_have_as_much_of_their_path_as_they_need(contents: str, columns: list[str]) -> None:
    assert list(columns_of(mapping_of(record(contents)), "rec")) == columns


def test_an_element_that_is_a_column_here_and_a_table_there_is_told_apart() -> None:
    mapping = mapping_of(record("<abstract><p>1</p><p>2</p></abstract><other><p>3</p></other>"))
    assert columns_of(mapping, "rec") == {"other_p": "other/p"}


def test_columns_of_child_tables_keep_clear_of_the_key() -> None:
    mapping = mapping_of(
        "<recs>" + "".join(f"<rec id='{n}'><x seq='1' rec_id='2'/><x/></rec>" for n in range(3)) + "</recs>"
    )
    assert [column.name for column in mapping.table("rec_x").columns] == ["rec_id", "seq", "x_seq", "x_rec_id", "x"][:4]


def test_attributes_named_like_elements() -> None:
    mapping = mapping_of("<recs><rec id='1'><id>2</id></rec><rec id='2'><id>3</id></rec></recs>")
    assert columns_of(mapping, "rec") == {"id": "@id", "id_2": "id"}


def test_attributes_in_namespaces() -> None:
    namespaces = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:x="urn:x"'
    mapping = mapping_of(f"<recs><rec {namespaces} xml:lang='a' lang='b' xsi:type='c' x:href='d'/><rec/></recs>")
    assert columns_of(mapping, "rec") == {
        "xml_lang": "@xml:lang",
        "lang": "@lang",
        "xsi_type": "@xsi:type",
        "href": "@x:href",
    }


def test_long_names_are_shortened_with_room_for_keys() -> None:
    long = "n" * 100
    mapping = mapping_of(f"<r><{long}><{long}>1</{long}><{long}>2</{long}></{long}><{long}/></r>")
    names = [table.name for table in mapping.tables]
    assert len(set(names)) == len(names) == 2
    assert all(len(name) <= CHILD_TABLE_BYTES for name in names)


def test_child_tables_keep_clear_of_the_ledger() -> None:
    mapping = mapping_of("<x><etl><split/><split/></etl><etl/></x>")
    assert each_of(mapping) == {"etl": ["/x/etl"], "etl_split_2": ["split"]}


def test_names_that_databases_keep_are_gone_round() -> None:
    document = "<x><sqlite ctid='1'><row><Xmin>1</Xmin></row><row><Xmin>2</Xmin></row></sqlite><sqlite/></x>"
    mapping = mapping_of(document)
    assert each_of(mapping) == {"_sqlite": ["/x/sqlite"], "_sqlite_row": ["row"]}
    assert columns_of(mapping, "_sqlite") == {"ctid_": "@ctid"}
    assert columns_of(mapping, "_sqlite_row") == {"xmin_": "Xmin"}


@pytest.mark.parametrize("key", ["x_seq", "k" * 62])
def test_a_key_whose_name_is_no_use_in_child_tables_is_none(key: str) -> None:
    record = "<rec {key}='{n}'><x><y/><y/></x><x/></rec>"
    mapping = mapping_of(f"<recs>{''.join(record.format(key=key, n=n) for n in range(1000))}</recs>")
    assert mapping.table("rec").key == ("record_id",)
