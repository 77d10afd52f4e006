"""Documents for the fuzzer to begin with: one feature of XML or of the mapping each, written out."""

from __future__ import annotations

from collections.abc import Iterator

_XSI = "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"

_INPUTS = (
    (192, "<a id='1' k='x' when='2020-02-29T12:00:00+01:00' day='n/a' flag='Yes' r='1.5e3' s='äbc'> t<b>x</b> u </a>"),
    (192, "<a id='1'><b w='1' v='3'><c t='1'><d> 2.50 </d></c><c t='1' u='.5'/></b><c>x<b><c/></b></c></a>"),
    (192, "<a m:x='7' xmlns:q='http://example.org/q'><m:t>1</m:t><m:t>2</m:t><q:n>&lt;&#x41;&#66;</q:n></a>"),
    (192, "<a><n><![CDATA[<&]]]]></n><n><!-- c --><?p i?>x&quot;&apos;&amp;&gt;\r</n></a><!-- - -->\n<a/>"),
    (192, f"<a {_XSI}><b xsi:nil='true'>x<c/></b><x><e>1</e><e>2</e></x></a>\r\n<a hide='yes'/>"),
    (192, "<a uid='{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}' flag='0'/>"),
    (193, "<z on='1' id='+007'>one</z><z on='0'/><z on='1' id='99999999999'>two</z>"),
    (193, "<z on='1' xml:lang='de' id='1' unknown='2'><u><v/></u>text</z>"),
    (194, "<m:name>ü<m:x>y</m:x></m:name>"),
    (192, "<a k='&l;&a; x'><n>&l;&l;<b/>&empty;&a;</n><n>&empty;</n><b w='1'>&l;</b></a><a id='&a;'>&#65;&l;</a>"),
    (68, "<m:name xmlns='http://example.org/d'><p/></m:name>"),
)
"""The first byte says which plan of `build.PLANS` it is for (its rest by 3), 64 and 128 what stands around it."""


def seeds() -> Iterator[bytes]:
    """Inputs for `fuzz_core.c`."""
    for choice, text in _INPUTS:
        yield bytes((choice, 0)) + text.encode()
