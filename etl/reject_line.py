"""A reject as people read it: where it is, and why, in one line. Pure; any thread may ask."""

from __future__ import annotations


def describe_reject(label: str, line: int, record: int, message: str) -> str:
    """A reject as one line of a summary."""
    return f"{label}, line {line}, record {record}: {without_label(label, message)}"


def without_label(label: str, message: str) -> str:
    """A sentence as it stands behind the name of its document: many begin with that, which is told once."""
    rest = message.removeprefix(label)
    if len(rest) == len(message) or not rest.startswith((": ", " ")):
        return message
    return rest[2:] if rest.startswith(": ") else f"it{rest}"
