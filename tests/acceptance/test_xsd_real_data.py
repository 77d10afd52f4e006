"""A real dump by a mapping from a schema: the constructs of MediaWiki's, written anew and by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.contents import count, query
from tests.command import etl as command

pytestmark = [pytest.mark.real_data, pytest.mark.timeout(300)]

DUMP = "mediawiki/enwiki-pages-articles-shortened.xml.bz2"
SCHEMA = """<schema xmlns="http://www.w3.org/2001/XMLSchema" xmlns:mw="http://www.mediawiki.org/xml/export-0.10/"
  targetNamespace="http://www.mediawiki.org/xml/export-0.10/" elementFormDefault="qualified">
  <import namespace="http://www.w3.org/XML/1998/namespace" schemaLocation="http://www.w3.org/2001/xml.xsd"/>
  <element name="mediawiki" type="mw:Wiki"/>
  <complexType name="Wiki"><sequence>
    <element name="siteinfo" type="mw:Site" minOccurs="0"/>
    <element name="page" type="mw:Page" minOccurs="0" maxOccurs="unbounded"/>
  </sequence><attribute name="version" type="string" use="required"/>
  <attribute ref="xml:lang" use="required"/></complexType>
  <complexType name="Site"><sequence>
    <element name="sitename" type="string" minOccurs="0"/><element name="dbname" type="string" minOccurs="0"/>
    <element name="base" type="anyURI" minOccurs="0"/><element name="generator" type="string" minOccurs="0"/>
    <element name="case" type="mw:Case" minOccurs="0"/>
    <element name="namespaces" minOccurs="0"><complexType><sequence>
      <element name="namespace" minOccurs="0" maxOccurs="unbounded"><complexType><simpleContent>
        <extension base="string">
        <attribute name="key" type="integer"/><attribute name="case" type="mw:Case"/>
      </extension></simpleContent></complexType></element>
    </sequence></complexType></element>
  </sequence></complexType>
  <simpleType name="Case"><restriction base="NMTOKEN">
    <enumeration value="first-letter"/><enumeration value="case-sensitive"/></restriction></simpleType>
  <complexType name="Page"><sequence>
    <element name="title" type="string"/><element name="ns" type="nonNegativeInteger"/>
    <element name="id" type="positiveInteger"/>
    <element name="redirect" minOccurs="0"><complexType><attribute name="title" type="string"/></complexType></element>
    <element name="restrictions" type="string" minOccurs="0"/>
    <choice minOccurs="0" maxOccurs="unbounded"><element name="revision" type="mw:Revision"/></choice>
  </sequence></complexType>
  <complexType name="Revision"><sequence>
    <element name="id" type="positiveInteger"/><element name="parentid" type="positiveInteger" minOccurs="0"/>
    <element name="timestamp" type="dateTime"/>
    <element name="contributor"><complexType><sequence>
      <element name="username" type="string" minOccurs="0"/><element name="id" type="nonNegativeInteger" minOccurs="0"/>
      <element name="ip" type="string" minOccurs="0"/></sequence><attribute name="deleted" type="string"/></complexType>
    </element>
    <element name="minor" minOccurs="0"><complexType/></element>
    <element name="comment" minOccurs="0" type="mw:Text"/>
    <element name="model" type="string"/><element name="format" type="string"/>
    <element name="text" type="mw:Text"/><element name="sha1" type="string"/>
  </sequence></complexType>
  <complexType name="Text"><simpleContent><extension base="string">
    <attribute ref="xml:space" default="preserve"/><attribute name="deleted" type="string"/>
  </extension></simpleContent></complexType>
</schema>"""


@pytest.mark.parametrize("native", ["1", "0"])
def test_mediawiki(native: str, real_data: Path, tmp_path: Path, target_url: str) -> None:
    (tmp_path / "wiki.xsd").write_text(SCHEMA, "utf-8")
    made = command("infer", "--xsd", "wiki.xsd", real_data / DUMP, cwd=tmp_path)
    assert made.code == 0, made.err
    (tmp_path / "wiki.yaml").write_text(made.out, "utf-8")
    loaded = command(
        "load", real_data / DUMP, "--map", "wiki.yaml", "--to", target_url, cwd=tmp_path, env={"ETL_NATIVE": native}
    )
    assert loaded.code == 0, loaded.err
    expected = json.loads((real_data / "expected_counts.json").read_text("utf-8"))[DUMP]
    assert count(target_url, "page") == expected["/m:mediawiki/m:page"]
    assert count(target_url, "page_revision") == expected["/m:mediawiki/m:page/m:revision"]
    assert query(target_url, 'SELECT title, ns FROM "page" WHERE id = 10') == [("AccessibleComputing", 0)]
