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
        return str(yaml.emit(yaml.parse(text), allow_unicode=False))
    return text
