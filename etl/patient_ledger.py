"""The ledger as the feeder asks it for documents: again, where the database is gone for a while.

Comes in: questions, from the feeder's thread, and from any thread `stop`. Goes out: the ledger's answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from etl.collection_feed import DocumentLedger
from etl.loading.ledger import DocumentsSoFar, KnownDocument
from etl.loading.retries import Retries
from etl.options import Retry


class PatientLedger:
    """A `DocumentLedger` that outlives a lost connection, as insert threads do."""

    def __init__(self, ledger: DocumentLedger, policy: Retry, notify: Callable[[str], object]) -> None:
        """`notify` is told, in a sentence, what happened and when it is tried again."""
        self._ledger = ledger
        self._retries = Retries(policy, notify)

    def documents_so_far(self, source: int) -> DocumentsSoFar:
        return self._retries.call(lambda: self._ledger.documents_so_far(source))

    def find_documents(self, source: int, fingerprints: Sequence[str]) -> dict[str, KnownDocument]:
        return self._retries.call(lambda: self._ledger.find_documents(source, fingerprints))

    def possible_documents(self, fingerprints: Sequence[str]) -> list[str]:
        return self._retries.call(lambda: self._ledger.possible_documents(fingerprints))

    def document_labels(self, source: int) -> Mapping[str, int]:
        return self._retries.call(lambda: self._ledger.document_labels(source))

    def stop(self) -> None:
        """Nothing is tried again from now on."""
        self._retries.interrupt()
