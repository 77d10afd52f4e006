"""The lexical rules of json, jsonb and xml: texts with a syntax of their own, checked and stored as written."""

from __future__ import annotations

import json
import re
from typing import NoReturn

from lxml import etree

from etl.mapping.conversion import BAD_VALUE, OUT_OF_RANGE, ConversionError, Rule, shown
from etl.mapping.numbers import numeric_rule

MAX_DEPTH = 500
"""Levels of JSON inside each other: far below what the stacks of Python and PostgreSQL hold, far above real data."""

MAX_XML_DEPTH = 256
SAFE_XML_LENGTH = 2_000_000
"""PostgreSQL reads xml with libxml2's own limits: elements inside each other, 10 MB in one text or attribute; up to so
many characters none can have more."""

JSON_WHITE_SPACE = " \t\r\n"

_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_NOT_IN_JSONB = re.compile(r"\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})")
_NUMERIC = numeric_rule(None, None).convert


def _json(text: str) -> str:
    return _checked_json(text, _JSON)


def _jsonb(text: str) -> str:
    stripped = _checked_json(text, _JSONB)
    if "\\u" in stripped:
        # An escaped backslash may stand before a u; whole pairs of surrogates are one character.
        escape = _NOT_IN_JSONB.search(_PAIR.sub("", stripped.replace("\\\\", "  ")))
        if escape is not None:
            raise ConversionError(
                OUT_OF_RANGE, f"{shown(text)} holds {escape[0]}, which jsonb cannot store (json can, as it is written)"
            )
    return stripped


def _checked_json(text: str, decoder: json.JSONDecoder) -> str:
    stripped = text.strip(JSON_WHITE_SPACE)
    if stripped.count("[") + stripped.count("{") > MAX_DEPTH:
        _check_depth(stripped)
    try:
        decoder.decode(stripped)
    except json.JSONDecodeError as error:
        raise ConversionError(
            BAD_VALUE, f"{shown(text)} is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    except ConversionError as error:
        raise ConversionError(error.reason, f"{shown(text)}: {error.message}") from None
    return stripped


def _check_depth(text: str) -> None:
    depth = 0
    for character in re.findall(r"[][{}]", _STRING.sub("", text)):
        depth += 1 if character in "[{" else -1
        if depth > MAX_DEPTH:
            raise ConversionError(
                OUT_OF_RANGE, f"{shown(text)} has more than {MAX_DEPTH} arrays and objects inside each other"
            )


def _no_number(name: str) -> NoReturn:
    raise ConversionError(BAD_VALUE, f"{name} is not JSON, which has finite numbers only")


# Numbers stay text: Python would refuse very long ones, and nobody asks for their values.
_JSON = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_no_number)
# PostgreSQL makes numerics of the numbers of a jsonb; without an exponent only long ones can be too much.
_JSONB = json.JSONDecoder(
    parse_int=lambda digits: digits if len(digits) < 1000 else _NUMERIC(digits),
    parse_float=_NUMERIC,
    parse_constant=_no_number,
)


def _xml(text: str) -> str:
    """Of a text from anywhere: one well-formed element."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise ConversionError(BAD_VALUE, f"{shown(text)} is not an XML element: {error.msg}") from None
    if root.getroottree().docinfo.internalDTD is not None or text.startswith("<?xml"):
        raise ConversionError(BAD_VALUE, f"{shown(text)} is a document: an element is expected, without its prolog")
    return _markup(text)


def _markup(text: str) -> str:
    """Of an element's markup as it is serialised: only the limits are left to be looked at."""
    if text.count("</") >= MAX_XML_DEPTH or len(text) > SAFE_XML_LENGTH:
        try:
            etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
        except etree.XMLSyntaxError:
            raise ConversionError(
                OUT_OF_RANGE,
                f"{shown(text)} is more than an xml value may be: {MAX_XML_DEPTH} elements inside each other, 10 MB in"
                " one text or attribute",
            ) from None
    return text


DOCUMENT_RULES = {
    "json": Rule(convert=_json, python=str),
    "jsonb": Rule(convert=_jsonb, python=str),
    "xml": Rule(convert=_xml, python=str),
}

MARKUP_RULE = Rule(convert=_markup, python=str)
"""xml that is an element of the document, serialised: well-formed by construction."""
