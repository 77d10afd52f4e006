"""Prefixes for namespaces."""

from __future__ import annotations

import pytest

from etl.inference.namespaces import Namespaces
from tests.profiles import columns_of, each_of, mapping_of, profile_of


@pytest.mark.parametrize(
    ("namespace", "prefix"),
    [
        ("http://www.mediawiki.org/xml/export-0.10/", "mediawiki"),
        ("http://www.w3.org/2005/Atom", "atom"),
        ("http://www.topografix.com/GPX/1/1", "gpx"),
        ("http://www.opengis.net/kml/2.2", "kml"),
        ("http://www.sitemaps.org/schemas/sitemap/0.9", "sitemap"),
        ("http://www.w3.org/1999/xhtml", "xhtml"),
        ("http://www.tei-c.org/ns/1.0", "tei-c"),
        ("urn:oasis:names:specification:ubl:schema:xsd:Invoice-2", "invoice"),
        ("http://musicbrainz.org/ns/mmd-2.0#", "mmd"),
        ("urn:1", "ns"),
    ],
)
def test_a_default_namespace_gets_a_prefix_from_its_uri(namespace: str, prefix: str) -> None:
    assert Namespaces(profile_of(f'<a xmlns="{namespace}"/>')).prefixes == {prefix: namespace}


def test_the_prefixes_of_the_documents_are_kept() -> None:
    mapping = mapping_of('<m:a xmlns:m="urn:m"><m:b m:c="1"/><m:b/></m:a>')
    assert each_of(mapping) == {"b": ["/m:a/m:b"]}
    assert columns_of(mapping, "b") == {"c": "@m:c"}


def test_only_namespaces_that_are_used_are_declared() -> None:
    assert Namespaces(profile_of('<a xmlns:x="urn:x" xml:lang="en"/>')).prefixes == {}


def test_prefixes_that_mean_several_namespaces_are_numbered() -> None:
    profile = profile_of('<a xmlns="urn:1:thing"><b xmlns="urn:2:thing"/><c xmlns="urn:3:Thing"/></a>')
    assert list(Namespaces(profile).prefixes) == ["thing", "thing2", "thing3"]


def test_elements_of_one_name_in_two_namespaces_are_two() -> None:
    mapping = mapping_of('<a xmlns:n="urn:n"><b x="1"/><b/><n:b y="2"/><n:b/></a>')
    assert sorted(path for paths in each_of(mapping).values() for path in paths) == ["/a/b", "/a/n:b"]
