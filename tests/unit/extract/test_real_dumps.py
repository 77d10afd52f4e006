"""Real dumps, from the file to the records: the numbers libxml2 counted, and the whole document's bytes in tiles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lxml import etree

from etl.extract.source import expand, open_source
from etl.extract.splitter import Splitter
from etl.mapping.paths import parse_record_path

NAMESPACES = {"m": "http://www.mediawiki.org/xml/export-0.10/"}
RECORD_TYPES = {
    "discogs/discogs_20200806_releases.xml.gz": ["/releases/release"],
    "discogs/discogs_20200806_masters.xml.gz": ["/masters/master"],
    "discogs/discogs_20200806_artists.xml.gz": ["/artists/artist"],
    "discogs/discogs_20200806_labels.xml.gz": ["/labels/label"],
    "osm/andorra.osm.gz": ["/osm/node", "/osm/way", "/osm/relation"],
    "kanjidic/kanjidic2.xml.gz": ["/kanjidic2/character"],
    "pubmed/pubmed20n0014.xml.gz": ["/PubmedArticleSet/PubmedArticle"],
    "mediawiki/enwiki-pages-articles-shortened.xml.bz2": ["/m:mediawiki/m:page"],
    "dblp/dblp_demo.xml": ["/dblp/article", "/dblp/book", "/dblp/mastersthesis", "/dblp/www"],
    **{
        f"stackexchange/{name}.xml.gz": ["/*/row"]
        for name in ("Badges", "Comments", "PostHistory", "PostLinks", "Posts", "Tags", "Users", "Votes")
    },
}


@pytest.mark.real_data
@pytest.mark.parametrize("name", RECORD_TYPES)
def test_records_of_a_real_dump(real_data: Path, name: str) -> None:
    counts = json.loads((real_data / "expected_counts.json").read_text("utf-8"))[name]
    paths = RECORD_TYPES[name]
    splitter = Splitter([parse_record_path(path, NAMESPACES) for path in paths], 256 << 10, 64 << 20)
    (source,) = expand([str(real_data / name)])
    at = records = 0
    with open_source(source) as reader:
        for part in splitter.split(reader, 1, source.label):
            assert part.start == at
            assert not part.rejects
            at, records = part.end, records + part.records
            for run in part.runs[:1]:
                skeleton = run.skeleton
                parent = _parse(skeleton.subset + skeleton.open_tags + run.payload + skeleton.close_tags)
                assert len(list(parent.iterchildren(etree.Element))) == run.records
        assert reader.position == source.size
    assert part.last
    assert records == sum(counts[path] for path in paths)


def _parse(document: bytes) -> etree._Element:
    # What an entity stands for is not the splitter's business (dblp's are in a DTD that is not read).
    return etree.fromstring(document, etree.XMLParser(recover=b"&" in document, no_network=True, huge_tree=True))
