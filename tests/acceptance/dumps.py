"""The real dumps: which files each mapping loads, and which tables the expected node counts speak of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

MAPPINGS = Path(__file__).parent / "mappings"


@dataclass(frozen=True)
class Count:
    """`xpaths` of `file` in expected_counts.json together find as many nodes as `tables` together have rows.

    ``table.column`` in place of a table counts the values of a column that are not NULL.
    """

    file: str
    xpaths: tuple[str, ...]
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Dump:
    """A load: the files, and the mapping of the same name as the dump."""

    name: str
    files: tuple[str, ...]
    counts: tuple[Count, ...]
    records: tuple[str, ...]
    """The tables whose rows are the records; together they are what the report counts."""

    @property
    def mapping(self) -> Path:
        return MAPPINGS / f"{self.name}.mapping.yaml"

    def sources(self, folder: Path) -> list[Path]:
        return [folder / file for file in self.files]


def expected_rows(dump: Dump, folder: Path) -> dict[tuple[str, ...], int]:
    """Rows by table (or by tables that share one number)."""
    nodes = json.loads((folder / "expected_counts.json").read_text("utf-8"))
    return {count.tables: sum(nodes[count.file][xpath] for xpath in count.xpaths) for count in dump.counts}


def _single(name: str, file: str, records: tuple[str, ...], tables: dict[str | tuple[str, ...], str]) -> Dump:
    """A dump of one file; `tables` gives table(s) -> XPath(s, joined by " + ")."""
    counts = (
        Count(file, tuple(xpaths.split(" + ")), (names,) if isinstance(names, str) else names)
        for names, xpaths in tables.items()
    )
    return Dump(name, (file,), tuple(counts), records)


_STACKEXCHANGE = {
    "Badges": "badges",
    "Comments": "comments",
    "PostHistory": "post_history",
    "PostLinks": "post_links",
    "Posts": "posts",
    "Tags": "tags",
    "Users": "users",
    "Votes": "votes",
}

DUMPS = (
    _single(
        "discogs_releases",
        "discogs/discogs_20200806_releases.xml.gz",
        ("release",),
        {
            "release": "/releases/release",
            "release_artist": "/releases/release/artists/artist",
            "release_extraartist": "/releases/release/extraartists/artist",
            "release_label": "/releases/release/labels/label",
            "release_format": "/releases/release/formats/format",
            "release_format_description": "/releases/release/formats/format/descriptions/description",
            "release_genre": "/releases/release/genres/genre",
            "release_style": "/releases/release/styles/style",
            "track": "/releases/release/tracklist/track",
            "sub_track": "/releases/release/tracklist/track/sub_tracks/track",
            ("track_artist", "track_extraartist", "sub_track_credit"): (
                "/releases/release/tracklist//artists/artist + /releases/release/tracklist//extraartists/artist"
            ),
            "release_identifier": "/releases/release/identifiers/identifier",
            "release_video": "/releases/release/videos/video",
            "release_company": "/releases/release/companies/company",
            "release_image": "/releases/release/images/image",
        },
    ),
    _single(
        "discogs_masters",
        "discogs/discogs_20200806_masters.xml.gz",
        ("master",),
        {
            "master": "/masters/master",
            "master_artist": "/masters/master/artists/artist",
            "master_genre": "/masters/master/genres/genre",
            "master_style": "/masters/master/styles/style",
            "master_video": "/masters/master/videos/video",
            "master_image": "/masters/master/images/image",
        },
    ),
    _single(
        "discogs_artists",
        "discogs/discogs_20200806_artists.xml.gz",
        ("artist",),
        {
            "artist": "/artists/artist",
            "artist_alias": "/artists/artist/aliases/name",
            "artist_namevariation": "/artists/artist/namevariations/name",
            "artist_member": "/artists/artist/members/name",
            "artist_group": "/artists/artist/groups/name",
            "artist_url": "/artists/artist/urls/url",
            "artist_image": "/artists/artist/images/image",
        },
    ),
    _single(
        "discogs_labels",
        "discogs/discogs_20200806_labels.xml.gz",
        ("label",),
        {
            "label": "/labels/label",
            "label_url": "/labels/label/urls/url",
            "label_sublabel": "/labels/label/sublabels/label",
            "label_image": "/labels/label/images/image",
        },
    ),
    _single(
        "osm",
        "osm/andorra.osm.gz",
        ("node", "way", "relation"),
        {
            "node": "/osm/node",
            "node_tag": "/osm/node/tag",
            "way": "/osm/way",
            "way_node": "/osm/way/nd",
            "way_tag": "/osm/way/tag",
            "relation": "/osm/relation",
            "relation_member": "/osm/relation/member",
            "relation_tag": "/osm/relation/tag",
        },
    ),
    Dump(
        "stackexchange",
        tuple(f"stackexchange/{file}.xml.gz" for file in _STACKEXCHANGE),
        tuple(Count(f"stackexchange/{file}.xml.gz", ("/*/row",), (table,)) for file, table in _STACKEXCHANGE.items()),
        tuple(_STACKEXCHANGE.values()),
    ),
    _single(
        "kanjidic",
        "kanjidic/kanjidic2.xml.gz",
        ("kanji",),
        {
            "kanji": "/kanjidic2/character",
            "codepoint": "/kanjidic2/character/codepoint/cp_value",
            "dictionary_reference": "/kanjidic2/character/dic_number/dic_ref",
            "query_code": "/kanjidic2/character/query_code/q_code",
            "reading": "/kanjidic2/character/reading_meaning/rmgroup/reading",
            "meaning": "/kanjidic2/character/reading_meaning/rmgroup/meaning",
            "nanori": "/kanjidic2/character/reading_meaning/nanori",
        },
    ),
    _single(
        "mediawiki",
        "mediawiki/enwiki-pages-articles-shortened.xml.bz2",
        ("page",),
        {
            "page": "/m:mediawiki/m:page",
            "page.redirect": "/m:mediawiki/m:page/m:redirect",
            "revision": "/m:mediawiki/m:page/m:revision",
        },
    ),
    _single(
        "pubmed",
        "pubmed/pubmed20n0014.xml.gz",
        ("article",),
        {
            "article": "/PubmedArticleSet/PubmedArticle",
            "author": "//MedlineCitation/Article/AuthorList/Author",
            "mesh_heading": "//MedlineCitation/MeshHeadingList/MeshHeading",
            "mesh_qualifier": "//MedlineCitation/MeshHeadingList/MeshHeading/QualifierName",
            "chemical": "//MedlineCitation/ChemicalList/Chemical",
            "article_id": "//PubmedData/ArticleIdList/ArticleId",
            "history": "//PubmedData/History/PubMedPubDate",
            "publication_type": "//MedlineCitation/Article/PublicationTypeList/PublicationType",
            "grant": "//MedlineCitation/Article/GrantList/Grant",
        },
    ),
)
