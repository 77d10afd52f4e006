"""Many small documents beside the same bytes in one file: what each document costs, as a folder and in archives.

    python3 env_prep/bootstrap.py python performance_tuning/benchmarks/benchmark_documents.py

Makes the documents itself: of one record each, and of several. Loads them into fresh databases as one file, as a
folder, a zip, a tar and a tar.gz, in turn, counts the rows after every run, prints medians and their ratio to the one
file beside the goal, and takes everything away again. It measures and does not judge: the exit code is 1 only where
something could not be measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from performance_tuning.benchmarks.common.command import (  # noqa: E402
    at_least_one,
    note,
    options_of,
    run_command,
    some_of,
)
from performance_tuning.benchmarks.common.databases import TITLES, Database, open_databases  # noqa: E402
from performance_tuning.benchmarks.common.documents import (  # noqa: E402
    CONTENTS,
    FORMS,
    ONE_FILE,
    Contents,
    make_documents,
)
from performance_tuning.benchmarks.common.dumps import Dump  # noqa: E402
from performance_tuning.benchmarks.common.harness import Run, RunFailed, noise, spread  # noqa: E402
from performance_tuning.benchmarks.common.loads import WrongRows, measured_load  # noqa: E402
from performance_tuning.benchmarks.common.markdown import table  # noqa: E402
from performance_tuning.benchmarks.common.reporting import machine_lines, write_results  # noqa: E402

NAME = "documents"
_TITLE = "Many small documents, and the same bytes in one file"
_GOAL = 1.5
"""Times the one file."""
_HEAD = ("documents as", "wall s", "from", "to", "x one file", "us a document", "CPU s", "server CPU s", "memory MB")
_LEGEND = (
    f"x one file: of the medians (goal: at most {_GOAL} with one record in each document). us a document: by how much"
    " longer the load takes than that of the one file, for each document."
)

Runs = dict[str, list[Run]]
"""By the form of the documents."""


def compare(contents: Contents, dumps: Mapping[str, Dump], database: Database, repeat: int, scratch: Path) -> Runs:
    """Load in every form, in turn, so that a change of the machine meets them all. Raises RunFailed, WrongRows."""
    runs: Runs = {form: [] for form in dumps}
    for number in range(repeat + 1):
        # Who comes first finds what the one before left: the order is turned round each time.
        for form in list(dumps)[:: 1 if number % 2 else -1]:
            mapping = scratch / f"{contents.name}-{form == ONE_FILE}.mapping.yaml"
            mapping.write_text(contents.mapping(form), "utf-8")
            run = measured_load(dumps[form], database, (), scratch, mapping=mapping).run
            if number:  # the first round compiles modules, and brings the documents into the page cache
                runs[form].append(run)
                note(f"{contents.name} into {database.name}, run {number} of {repeat}: {form} {run.wall:.2f} s")
    return runs


def lines(contents: Contents, documents: int, size: int, database: str, runs: Runs) -> list[str]:
    """The table of one kind of documents and one database, and what may be wrong with it."""
    repeat = len(runs[ONE_FILE])
    rows = [_row(form, taken, runs[ONE_FILE], documents) for form, taken in runs.items()]
    warnings = ((form, noise(taken)) for form, taken in runs.items())
    return [
        f"{documents:,} {contents.name} ({contents.title}), {size / documents:,.0f} bytes each, into"
        f" {TITLES[database]}: median of {repeat}",
        "",
        *table([_HEAD, *rows]),
        *(f"\nWARNING: {form}: {warning}." for form, warning in warnings if warning),
    ]


def _row(form: str, taken: Sequence[Run], one_file: Sequence[Run], documents: int) -> list[str]:
    wall, one = spread([run.wall for run in taken]), median(run.wall for run in one_file)
    return [
        form,
        *(f"{seconds:.2f}" for seconds in (wall.median, wall.least, wall.most)),
        f"{wall.median / one:.2f}",
        "" if taken is one_file else f"{(wall.median - one) / documents * 1e6:.1f}",
        f"{median(run.cpu for run in taken):.2f}",
        f"{median(run.server_cpu for run in taken):.2f}",
        f"{median(run.peak_memory for run in taken) / 1e6:.0f}",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return run_command(lambda folder: _run_all(options, folder), (RunFailed, WrongRows), options.json)


def _run_all(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    said: list[str] = []
    results: list[dict[str, Any]] = []
    forms = [form for form in FORMS if form == ONE_FILE or form in options.forms]
    with open_databases(options.targets, folder) as databases:
        environment = [*machine_lines(), *(database.description for database in databases)]
        print("\n".join(environment), flush=True)
        for contents in (CONTENTS[name] for name in options.contents):
            dumps = make_documents(contents, options.documents, forms, folder)
            size = dumps[ONE_FILE].size
            for database in databases:
                runs = compare(contents, dumps, database, options.repeat, folder)
                more = ["", *lines(contents, options.documents, size, database.name, runs)]
                said += more
                print("\n".join(more), flush=True)
                raw = {form: [asdict(run) for run in taken] for form, taken in runs.items()}
                results.append({"contents": contents.name, "database": database.name, "bytes": size, "runs": raw})
    print(f"\n{_LEGEND}")
    values = {"environment": environment, "documents": options.documents, "results": results}
    if options.output:
        write_results(options, NAME, _TITLE, [*said[1:], "", _LEGEND], values)
    return values


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure loads of many small documents beside loads of the same bytes in one file.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    others = [form for form in FORMS if form != ONE_FILE]
    parser.add_argument("--documents", type=at_least_one, default=100_000, help="that are loaded")
    parser.add_argument("--contents", type=some_of(*CONTENTS), default=",".join(CONTENTS), help="what is in them")
    parser.add_argument("--forms", type=some_of(*others), default=",".join(others), help="beside the one file")
    parser.add_argument("--targets", type=some_of("postgres", "sqlite"), default="postgres,sqlite", help="databases")
    return options_of(parser, arguments, name=NAME)


if __name__ == "__main__":
    sys.exit(main())
