"""Whether records that were rejected would not have been, had the document been mended (`--repair`): found by trying.

In: some rejects of a run, with their records. Out: a sentence, or none. Runs on the caller's thread, when the
rows are loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace

from etl.extract.mends import counted
from etl.extract.repair import Repair, declared_entities, new_mender
from etl.messages import NOTHING_OPEN, RejectedRecord


def repair_hints(
    rejects: Sequence[RejectedRecord], label: Callable[[RejectedRecord], str], *, kept: bool, finished: Container[int]
) -> Iterator[str]:
    """What `--repair` would do for them, by the example of the first that it would help.

    `label`: what the document of one is called; `kept`: in the database, for a retry; `finished`: numbers of sources
    that are loaded to their ends.
    """
    for reject in rejects:
        mends = _mends_that_help(reject)
        if mends:
            records = f"records like the one at line {reject.line} of {label(reject)} ({mends})"
            if not kept:
                yield f"--repair would mend {records} as the document is read."
            elif reject.source in finished:
                yield (
                    f"`etl retry --repair` would mend {records} and load what is whole then; a load with --repair mends"
                    " documents as they are read."
                )
            else:
                yield (
                    f"--repair would mend {records} as the document is read, from its beginning on; `etl retry"
                    " --repair` loads those that are rejects already."
                )
            return


def _mends_that_help(reject: RejectedRecord) -> str:
    from etl.transform.parser import DocumentParser, ParseFailure  # lxml takes a while, and few loads come here

    skeleton, raw = reject.skeleton or NOTHING_OPEN, reject.raw or b""
    declared = Repair(declared_entities(skeleton.subset))
    around, inside = new_mender(declared, in_content=True), new_mender(declared, in_content=True)
    mended = replace(skeleton, open_tags=around.mend(skeleton.open_tags, final=True))
    try:
        DocumentParser().parse_one(mended, inside.mend(raw, final=True))
    except ParseFailure:
        return ""
    told = ", ".join(counted(mend) for mend in inside.mends)
    outside = ", ".join(f"{counted(mend)} in the tags around it" for mend in around.mends)
    return ", ".join(filter(None, (told, outside)))
