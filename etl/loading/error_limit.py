"""How many rejects a load takes: counts in, a sentence out where they are too many."""

from __future__ import annotations

from etl.options import Errors, Share


class ErrorLimit:
    """The settings `errors`, as a question that is asked after each commit."""

    def __init__(self, errors: Errors) -> None:
        self._errors = errors

    def exceeded(self, rejected: int, records: int) -> str:
        """Why a run that has rejected so many of the records it has read is to stop; empty where it is not."""
        most = self._errors.max
        if most is None:
            return ""
        if isinstance(most, Share):
            too_many = records >= self._errors.after and rejected > most * records
        else:
            too_many = rejected > most
        if not too_many:
            return ""
        return f"{rejected:,} of {records:,} records were rejected, more than errors.max ({most}) allows."
