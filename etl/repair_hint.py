"""Whether records that were rejected would not have been, had the document been mended (`--repair`): found by trying.

In: some rejects of a run, with their records. Out: a sentence, or none. Runs on the caller's thread, when the
rows are loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from etl.extract.mends import counted
from etl.extract.repair import Repair, declared_entities, new_mender
from etl.messages import NOTHING_OPEN, RejectedRecord


def repair_hints(rejects: Sequence[RejectedRecord], labels: Mapping[int, str]) -> Iterator[str]:
    """What `--repair` would do for them, by the example of the first that it would help; `labels`: of their sources."""
    for reject in rejects:
        mends = _mends_that_help(reject)
        if mends:
            where = f"line {reject.line} of {labels[reject.source]}"
            yield (
                f"--repair would mend records like the one at {where} ({mends}) as the document is read;"
                " `etl retry --repair` loads those that are rejects already."
            )
            return


def _mends_that_help(reject: RejectedRecord) -> str:
    from etl.transform.parser import DocumentParser, ParseFailure  # lxml takes a while, and few loads come here

    skeleton, raw = reject.skeleton or NOTHING_OPEN, reject.raw or b""
    mender = new_mender(Repair(declared_entities(skeleton.subset)), in_content=True)
    mended = mender.mend(raw, final=True)
    try:
        DocumentParser().parse_one(skeleton, mended)
    except ParseFailure:
        return ""
    return ", ".join(counted(mend) for mend in mender.mends)
