"""Texts as a database can keep them, whatever its encoding (`TargetConnection.encoding`).

In: a text. Out: the same, or with visible escapes for what the encoding lacks. Any thread.
"""

from __future__ import annotations

import yaml


def storable(text: str, encoding: str) -> str:
    """For people to read: NUL and half surrogate pairs, which no database takes, are replaced, others escaped."""
    whole = text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return whole.encode(encoding, "backslashreplace").decode(encoding)


def storable_yaml(text: str, encoding: str) -> str:
    """The YAML document, or where the encoding lacks some of it the same one in ASCII, without its comments."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return _in_ascii(text)
    return text


def is_kept_as(text: str, kept: str) -> bool:
    """Whether `kept` is what `storable_yaml` made of a document, for an encoding that lacks some of it."""
    try:
        return kept.isascii() and _in_ascii(text) == kept
    except yaml.YAMLError:
        return False


def _in_ascii(text: str) -> str:
    return str(yaml.emit(yaml.parse(text), allow_unicode=False))
