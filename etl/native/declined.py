"""What ends the compiled scanner's work on a split; apart from all that needs compiled code."""

from __future__ import annotations


class Declined(Exception):
    """A split is not the scanner's; the message is what is the reason, as a noun."""
