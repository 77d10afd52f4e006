"""The load, its workers, the server and the network die at random moments; the same command ends as if undisturbed.

20 kills as part of all tests; ``ETL_CRASH_KILLS=200`` spreads that number over the same kinds (a nightly run), and
``ETL_CRASH_SEED`` draws others. A failure tells its round, which comes again with the same seed; moments are drawn from
what an undisturbed load takes, so on another machine they are others.
"""

from __future__ import annotations

import functools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psutil
import pytest

from env_prep.postgres_proxy import Proxy
from tests.breaking.job import Job, make_job, make_packed_job
from tests.breaking.outcome import Outcome, assert_same, committed_bytes, committed_tiles, outcome
from tests.breaking.process import Loading, fresh_sqlite, load, loading
from tests.breaking.refusing import create_refusing_tables
from tests.breaking.server import LAZY_LOG, CrashingServer, crashing_server

KILLS = int(os.environ.get("ETL_CRASH_KILLS", "20"))
SEED = os.environ.get("ETL_CRASH_SEED", "1")

pytestmark = pytest.mark.timeout(120 + 10 * KILLS)

CAMPAIGNS = {
    ("loader", "sqlite"): 0.30,
    ("loader", "postgres"): 0.25,
    ("server", "postgres"): 0.15,
    ("network", "postgres"): 0.10,
    ("worker", "sqlite"): 0.10,
    ("worker", "postgres"): 0.10,
}
"""What is killed under which database, and its share of the kills."""

REFUSING = "refusing"
PACKED = ("files", "packed")
"""What is loaded: two files, or an archive and a folder of many documents."""

TABLES = ("after", "after", "before", REFUSING)
"""What is loaded into: tables that the load creates, with keys built after or before, or some that refuse rows."""

MOST_KILLS = 6
"""Kills of one load, at most."""

DUMP_BYTES = 2_500_000 if KILLS <= 20 else 6_000_000
"""Of each of two dumps: one to two seconds of work, or so many that most kills fall into the rows."""

DONE = 3
"""Exit code of a run that completes the load, whichever run it was that met the rejects."""


@dataclass
class Figures:
    """What was killed in the whole run, and what came of it."""

    kills: Counter[str] = field(default_factory=Counter)
    loads: int = 0
    equal: int = 0
    """Loads that ended equal to the undisturbed one."""
    resumes: int = 0
    """Runs of the same command after the first."""
    survived: int = 0
    """Kills after which the same run went on to the end."""
    lost: int = 0
    """Acknowledged tiles that a crashed server lost, where that was looked at."""
    shares: list[float] = field(default_factory=list)
    """Of each kill: the part of the documents that was committed then."""

    def lines(self) -> list[str]:
        if not self.shares:
            return []
        quarters = Counter(min(3, int(4 * share)) for share in self.shares)
        spread = ", ".join(f"{quarters[quarter]} in quarter {quarter + 1}" for quarter in range(4))
        by_kind = ", ".join(f"{count} of the {kind}" for kind, count in sorted(self.kills.items()))
        return [
            f"{sum(self.kills.values())} kills ({by_kind}) in {self.loads} loads, of which {self.equal} ended equal to"
            f" the undisturbed one: after {self.resumes} resumes, and {self.survived} kills that a run outlived.",
            f"Of the documents was committed at the kill: {spread}; nothing yet {self.shares.count(0.0)} times, all of"
            f" it {self.shares.count(1.0)} times.",
            f"{self.lost} acknowledged tiles that a crashed server had lost were fed again in the same run.",
        ]


@dataclass(frozen=True)
class Undisturbed:
    """The load that nobody killed."""

    outcome: Outcome
    seconds: float
    document_bytes: int


AWAKE = 0.4
"""The part of an undisturbed load that goes by before the first record is read, about."""


class Pace:
    """How long a load takes now: other processes come and go, and moments shall fall into it all the same."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def seconds(self, share: float) -> float:
        """Of a run that finds this share of the documents committed."""
        return self._seconds * (AWAKE + (1 - AWAKE) * (1 - share))

    def learn(self, seconds: float, share: float) -> None:
        """Such a run, to its end, has just taken that long."""
        self._seconds = (self._seconds + self._seconds * seconds / self.seconds(share)) / 2


@pytest.fixture(scope="module")
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """Printed when all is over, by a process that has a terminal."""
    found = Figures()
    yield found
    reporter: Any = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # in a worker of pytest-xdist
        return
    capture: Any = request.config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled():
        for line in ("", *found.lines()):
            reporter.write_line(line)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Job]:
    """By `PACKED`."""
    return {
        "files": make_job(tmp_path_factory.mktemp("crash"), DUMP_BYTES),
        "packed": make_packed_job(tmp_path_factory.mktemp("packed"), DUMP_BYTES),
    }


@pytest.fixture(scope="module")
def server() -> Iterator[CrashingServer]:
    with crashing_server() as running:
        yield running


@pytest.fixture(scope="module")
def fresh(server: CrashingServer) -> Callable[[str, Job], str]:
    """Gives the URL of an empty database of a kind."""

    def make(database: str, job: Job) -> str:
        if database == "postgres":
            return server.fresh()
        for file in job.folder.glob("job.db*"):
            file.unlink()
        return fresh_sqlite(job.folder)

    return make


@pytest.fixture(scope="module")
def undisturbed(fresh: Callable[[str, Job], str], jobs: dict[str, Job]) -> Callable[[str, str, str], Undisturbed]:
    """Gives what the load of files, or of what is packed, comes to in a kind of database, into tables of a kind."""

    @functools.cache
    def run(packed: str, database: str, tables: str) -> Undisturbed:
        job = jobs[packed]
        url, keys = prepared(job, fresh(database, job), tables)
        began = time.monotonic()
        code, output = load(job, url, {**keys, "workers.kind": "process"})
        seconds = time.monotonic() - began
        assert code == DONE, output
        return Undisturbed(outcome(url), seconds, committed_bytes(url))

    return run


def prepared(job: Job, url: str, tables: str) -> tuple[str, dict[str, object]]:
    """An empty database made ready for a load into tables of a kind, and the settings for it."""
    if tables == REFUSING:
        create_refusing_tables(job, url)
        return url, {}
    return url, {"keys": tables}


def settings_of(rng: Random, database: str, killed: str) -> dict[str, object]:
    """How the load of a round works; the same in all of its runs but for what may change between runs."""
    settings: dict[str, object] = {
        "workers.kind": "process" if killed == "worker" else rng.choice(["process", "process", "thread", "inline"]),
        "workers.count": rng.choice([1, 2]),
        "insert.batch_records": rng.choice([50, 100, 400]),
    }
    return settings | ({"insert.threads": rng.choice([1, 2, 4])} if database == "postgres" else {})


class Round:
    """One load, killed some times and run again until it is complete."""

    def __init__(
        self,
        job: Job,
        url: str,
        way: str,
        rng: Random,
        settings: dict[str, object],
        expected: Undisturbed,
        pace: Pace,
        figures: Figures,
    ) -> None:
        """`way`: the URL by which the load reaches the database at `url`."""
        self._job = job
        self._url = url
        self._way = way
        self._rng = rng
        self._settings = settings
        self._expected = expected
        self._pace = pace
        self._figures = figures
        self._share = 0.0
        self.kills = 0
        figures.loads += 1

    def run(self, wanted: int, kill: Callable[[Loading], bool], what: str) -> None:
        """Kill up to `wanted` times, then let it end. `kill`: whether there was something to kill."""
        while not self._run(wanted, kill, what):
            self._figures.resumes += 1
        assert_same(outcome(self._url), self._expected.outcome)
        self._figures.equal += 1

    def _run(self, wanted: int, kill: Callable[[Loading], bool], what: str) -> bool:
        """Run the command once; whether it came to its end."""
        before, share, began = self.kills, self._share, time.monotonic()
        with self._started() as running:
            while self.kills < wanted and not running.ended_within(self._moment()):
                if kill(running):
                    self._count(what)
            code = running.wait()
            done = code == DONE
            assert done or (code in (1, -9) and self.kills > before), running.output
        if not done:
            return False
        self._figures.survived += self.kills - before
        if self.kills == before:
            self._pace.learn(time.monotonic() - began, share)
        return True

    def _started(self) -> AbstractContextManager[Loading]:
        # A resume may cut the documents elsewhere.
        self._settings["split.bytes"] = self._rng.choice(["2KiB", "8KiB", "64KiB"])
        return loading(self._job, self._way, self._settings)

    def _moment(self) -> float:
        """Seconds until the next kill: from when the program is awake to about when there is nothing left to do."""
        return self._rng.uniform(0.7 * AWAKE, 0.95) * self._pace.seconds(self._share)

    def _count(self, what: str) -> None:
        self.kills += 1
        self._figures.kills[what] += 1
        self._share = committed_bytes(self._url) / self._expected.document_bytes
        self._figures.shares.append(self._share)


@pytest.mark.parametrize(("killed", "database"), [pytest.param(*names, id="-".join(names)) for names in CAMPAIGNS])
def test_killed_at_random_moments_it_ends_as_if_undisturbed(
    killed: str,
    database: str,
    jobs: dict[str, Job],
    server: CrashingServer,
    fresh: Callable[[str, Job], str],
    undisturbed: Callable[[str, str, str], Undisturbed],
    figures: Figures,
) -> None:
    left = round(KILLS * CAMPAIGNS[killed, database])
    paces = {packed: Pace(undisturbed(packed, database, "after").seconds) for packed in PACKED}
    for number in range(1000):
        if left <= 0:
            return
        rng = Random(f"{SEED} {killed} {database} {number}")
        packed = PACKED[number % len(PACKED)]
        tables = rng.choice(TABLES)
        job, pace = jobs[packed], paces[packed]
        expected = undisturbed(packed, database, tables)
        url, keys = prepared(job, fresh(database, job), tables)
        settings = settings_of(rng, database, killed) | keys
        with Proxy(url) if killed == "network" else nullcontext() as proxy:
            this = Round(job, url, proxy.url if proxy else url, rng, settings, expected, pace, figures)
            try:
                wanted = min(left, rng.randint(2, MOST_KILLS))
                this.run(wanted, killer(killed, server, proxy, rng), f"{killed} on {database}")
            except AssertionError as error:
                how = f"{packed}, {tables}, {settings}"
                error.add_note(f"Round {number} of {killed} on {database}, ETL_CRASH_SEED={SEED}: {how}")
                raise
        left -= this.kills
    pytest.fail("The loads end before they can be killed.")


def killer(killed: str, server: CrashingServer, proxy: Proxy | None, rng: Random) -> Callable[[Loading], bool]:
    """What kills, once; false where there was nothing to kill."""

    def loader(running: Loading) -> bool:
        running.kill()
        return True

    def worker(running: Loading) -> bool:
        while not running.ended_within(0.01):
            with suppress(psutil.NoSuchProcess, IndexError):
                rng.choice(running.workers()).kill()
                return True
        return False

    def database(running: Loading) -> bool:
        server.crash()
        server.start()
        return True

    def network(running: Loading) -> bool:
        assert proxy is not None
        proxy.cut()
        return True

    return {"loader": loader, "worker": worker, "server": database, "network": network}[killed]


@pytest.mark.parametrize("packed", PACKED)
def test_acknowledged_commits_that_a_crashed_server_lost_are_fed_again(
    packed: str,
    jobs: dict[str, Job],
    server: CrashingServer,
    fresh: Callable[[str, Job], str],
    undisturbed: Callable[[str, str, str], Undisturbed],
    figures: Figures,
) -> None:
    """With a log that stays in memory, everything after the last synchronous commit is gone with the server."""
    server.configure(LAZY_LOG)
    job = jobs[packed]
    # Of small documents each is a tile: a batch has many.
    some = 10 if packed == "files" else 100
    url = fresh("postgres", job)
    settings = {"insert.threads": 1, "insert.batch_records": 50}
    with loading(job, url, settings) as running:
        running.wait_for(lambda: len(committed_tiles(url)) > some, "some tiles were committed")
        kept = committed_tiles(url)
        server.run(f"CREATE TABLE on_disk_{packed} ()")
        running.wait_for(lambda: len(committed_tiles(url) - kept) > some, "as many more were")
        running.pause()
        acknowledged = committed_tiles(url)
        server.crash()
        server.start()
        found = committed_tiles(url)
        # The last batch may have been on its way; that there are some says that those before it were acknowledged.
        assert kept <= found
        assert len(acknowledged - found) > some // 2
        figures.lost += len(acknowledged - found)
        running.go_on()
        assert running.wait() == DONE, running.output
        assert "They are fed again." in running.output
    assert_same(outcome(url), undisturbed(packed, "postgres", "after").outcome)
