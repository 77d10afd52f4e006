"""How much longer a load takes where the database refuses records: each kind of constraint alone, and all together.

    python3 env_prep/bootstrap.py python performance_tuning/benchmarks/benchmark_recovery.py

Generates a dump of 100,000 records with two child rows each, and others of which one record in a hundred breaks a
constraint of the tables, which are there before. Loads both into fresh databases in turn, checks rows and rejects by
reason after every run, and prints medians side by side. It measures and does not judge: the exit code is 1 only where
something could not be measured.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))  # run as a file, Python knows only the file's own folder

from performance_tuning.benchmarks.common.command import note, options_of, run_command, some_of  # noqa: E402
from performance_tuning.benchmarks.common.databases import Database, open_databases  # noqa: E402
from performance_tuning.benchmarks.common.harness import Run, RunFailed, measure, noise, spread  # noqa: E402
from performance_tuning.benchmarks.common.reporting import machine_lines  # noqa: E402

_MAPPING = """version: 1
tables:
  item:
    each: /items/item
    key: id
    columns:
      id: {path: "@id", type: bigint}
      v: {path: "@v", type: bigint}
      code: "@code"
      name: name
      note: note
  part:
    parent: item
    each: part
    columns:
      k: {path: "@k", type: bigint}
      name: "@name"
"""
_BAD_SHARE = 100
"""One record in so many is bad."""

# A load with rejects ends with exit code 3.
_LOAD = """
import sys
from etl.cli import main
try:
    main()
except SystemExit as end:
    sys.exit(0 if end.code == 3 else end.code)
"""


@dataclass(frozen=True)
class Kind:
    """What the tables forbid, and what of a record breaks it."""

    reason: str
    values: dict[str, str]
    v: str = ""
    code: str = ""
    k: str = ""
    trigger: bool = False


KINDS = {
    "check": Kind("check_failed", {"v": "-1"}, v="CHECK (v >= 0)"),
    "check of a child": Kind("check_failed", {"k": "-1"}, k="CHECK (k >= 0)"),
    "unique": Kind("duplicate_key", {"code": "taken"}, code="UNIQUE"),
    "foreign key": Kind("missing_parent", {"v": "99"}, v="REFERENCES lookup (id)"),
    "deferred foreign key": Kind(
        "missing_parent", {"v": "99"}, v="REFERENCES lookup (id) DEFERRABLE INITIALLY DEFERRED"
    ),
    "trigger that raises": Kind("refused", {"v": "13"}, trigger=True),
}
_TRIGGERS = {
    "sqlite": [
        "CREATE TRIGGER raising AFTER INSERT ON item WHEN new.v = 13 BEGIN SELECT RAISE(ABORT, 'thirteen'); END",
    ],
    "postgres": [
        "CREATE FUNCTION raising() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF NEW.v = 13 THEN RAISE 'thirteen'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER raising AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION raising()",
    ],
}


class WrongCounts(Exception):
    """A run did not load, or reject, what the dump holds."""


@dataclass
class Result:
    """Runs into tables with some constraints: of the clean dump and of the bad one."""

    database: str
    constraints: str
    clean: list[Run] = field(default_factory=list)
    bad: list[Run] = field(default_factory=list)

    @property
    def line(self) -> str:
        clean, bad = (spread([run.wall for run in runs]) for runs in (self.clean, self.bad))
        warning = noise(self.bad)
        return (
            f"{self.database:<9} {self.constraints:<22} {clean.median:>7.2f} {bad.median:>7.2f}"
            f" {bad.median / clean.median:>6.2f}{f'  ({warning})' if warning else ''}"
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def measure_kinds(kinds: Sequence[str], database: Database, records: int, repeat: int, folder: Path) -> Result:
    """Load the clean and the bad dump `repeat` times, in turn, so that a change of the machine meets both."""
    result = Result(database.name, kinds[0] if len(kinds) == 1 else "all of them")
    bad = random.Random(1).sample(range(1, records + 1), max(1, records // _BAD_SHARE))
    broken = {number: kinds[place % len(kinds)] for place, number in enumerate(bad)}
    (folder / "items.mapping.yaml").write_text(_MAPPING, "utf-8")
    for name, dump in (("clean", {}), ("bad", broken)):
        (folder / f"{name}.xml").write_text(_document(records, dump), "utf-8")
    _run_once("clean", kinds, database, records, {}, folder)  # compiles modules
    for number in range(1, repeat + 1):
        result.clean.append(_run_once("clean", kinds, database, records, {}, folder))
        result.bad.append(_run_once("bad", kinds, database, records, broken, folder))
        note(f"{result.constraints} into {database.name}, run {number} of {repeat}: {result.bad[-1].wall:.2f} s")
    return result


def _run_once(
    dump: str, kinds: Sequence[str], database: Database, records: int, broken: dict[int, str], folder: Path
) -> Run:
    expected: dict[str, int] = {}
    for kind in broken.values():
        expected[KINDS[kind].reason] = expected.get(KINDS[kind].reason, 0) + 1
    with database.fresh() as url:
        engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connection:
            for statement in _tables(kinds, database.name):
                connection.execute(sa.text(statement))
        command = [sys.executable, "-c", _LOAD, "load", str(folder / f"{dump}.xml"), "--quiet", "--to", url]
        command += ["--map", str(folder / "items.mapping.yaml"), "--workers", "2"]
        run = measure(command, cwd=_ROOT, scratch=folder, server_cpu=database.server_cpu)
        counts = database.counts(url, ["item", "part"])
        with engine.begin() as connection:
            reasons = connection.execute(sa.text("SELECT reason, count(*) FROM etl_reject GROUP BY reason"))
            found = {str(reason): int(count) for reason, count in reasons}
        engine.dispose()
        good = records - len(broken)
        if counts != {"item": good + 1, "part": 2 * good} or found != expected:
            raise WrongCounts(
                f"{dump} into {database.name}: expected {good + 1} and {2 * good} rows and {expected}, found {counts}"
                f" and {found}."
            )
    return run


def _tables(kinds: Sequence[str], database: str) -> list[str]:
    def joined(*parts: str) -> str:
        return " ".join(dict.fromkeys(part for part in parts if part))

    chosen = [KINDS[kind] for kind in kinds]
    # A column refers to one parent once: the deferred key stands in where both are asked for.
    references = [kind.v for kind in chosen if "REFERENCES" in kind.v][-1:]
    v = joined(*(kind.v for kind in chosen if "REFERENCES" not in kind.v), *references)
    code, k = joined(*(kind.code for kind in chosen)), joined(*(kind.k for kind in chosen))
    return [
        "CREATE TABLE lookup (id bigint PRIMARY KEY)",
        "INSERT INTO lookup VALUES (1), (-1), (13)",
        f"CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, v bigint {v}, code text {code}, name text, note text)",
        "CREATE TABLE part (item_id bigint NOT NULL, seq integer NOT NULL,"
        f" k bigint {k}, name text, PRIMARY KEY (item_id, seq))",
        "INSERT INTO item (id, v, code) VALUES (-1, 1, 'taken')",
        *(_TRIGGERS[database] if any(kind.trigger for kind in chosen) else []),
    ]


def _document(records: int, broken: dict[int, str]) -> str:
    chance = random.Random(2)
    lines = ["<items>"]
    for number in range(1, records + 1):
        values = {"v": "1", "k": "1", "code": f"c{number}"}
        if number in broken:
            values |= KINDS[broken[number]].values
        words = " ".join(chance.choices(("alpha", "beta", "gamma", "delta", "epsilon"), k=12))
        lines.append(
            f'<item id="{number}" v="{values["v"]}" code="{values["code"]}"><name>Item number {number}</name>'
            f'<note>{words}</note><part k="1" name="first"/><part k="{values["k"]}" name="second"/></item>'
        )
    return "\n".join([*lines, "</items>\n"])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Measure loads of which the database refuses one record in a hundred beside clean ones.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--records", type=int, default=100_000, help="of each dump")
    parser.add_argument("--targets", type=some_of("postgres", "sqlite"), default="postgres,sqlite", help="databases")
    parser.add_argument("--kinds", type=some_of(*KINDS), default=",".join(KINDS), help="constraints")
    options = options_of(parser, arguments)
    return run_command(
        lambda folder: [result.as_json() for result in _run_all(options, folder)],
        (RunFailed, WrongCounts),
        options.json,
    )


def _run_all(options: argparse.Namespace, folder: Path) -> list[Result]:
    results = []
    with open_databases(options.targets, folder) as databases:
        print("\n".join([*machine_lines(), *(database.description for database in databases)]))
        print(f"\n{options.records:,} records, 1 in {_BAD_SHARE} bad: seconds, median of {options.repeat}\n")
        print(f"{'database':<9} {'constraint':<22} {'clean':>7} {'bad':>7} {'times':>6}", flush=True)
        groups = [[kind] for kind in options.kinds] + ([options.kinds] if len(options.kinds) > 1 else [])
        for database in databases:
            for kinds in groups:
                results.append(measure_kinds(kinds, database, options.records, options.repeat, folder))
                print(results[-1].line, flush=True)
    return results


if __name__ == "__main__":
    sys.exit(main())
