"""PostgreSQL where it hurts: who cannot connect, what is refused, lost, locked; and how a load is set up there."""

from __future__ import annotations

import contextlib
import threading
import uuid
from array import array
from collections.abc import Callable, Iterator

import psycopg
import pytest
import sqlalchemy as sa

from etl.errors import ConnectionLost, InternalError, RowsRefused, TargetError, TransientError
from etl.messages import CopyRows, TupleRows
from etl.targets.base import TargetConnection
from etl.targets.postgres import PostgresConnection
from tests.target_rows import column, encode, family, opened, read, single, write


@contextlib.contextmanager
def begun(url: str) -> Iterator[TargetConnection]:
    """A connection of a prepared target, in a transaction."""
    with opened(url) as target:
        target.prepare(family(), "after")
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            yield connection
            connection.rollback()


def shown(connection: TargetConnection, setting: str) -> str:
    ((value,),) = connection.execute(sa.text(f"SHOW {setting}"))
    return str(value)


def run_sql(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def with_user(url: str, user: str, password: str | None = None) -> str:
    return sa.make_url(url).set(username=user, password=password).render_as_string(hide_password=False)


@pytest.fixture
def role(postgres_url: str) -> Iterator[str]:
    """An ordinary user of the server."""
    name = f"role_{uuid.uuid4().hex}"
    run_sql(postgres_url, f"CREATE ROLE {name} LOGIN")
    yield name
    run_sql(postgres_url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_sessions_are_set_up_for_loading(postgres_url: str) -> None:
    database = sa.make_url(postgres_url).database
    run_sql(postgres_url, f"ALTER ROLE CURRENT_USER IN DATABASE {database} SET statement_timeout = '1s'")
    with begun(postgres_url) as connection:
        assert shown(connection, "application_name") == "etl"
        assert shown(connection, "synchronous_commit") == "off"
        assert shown(connection, "statement_timeout") == "0"
        assert shown(connection, "lock_timeout") == "1min"
        assert shown(connection, "client_encoding") == "UTF8"
        assert shown(connection, "transaction_isolation") == "read committed"


def test_the_urls_own_settings_win(postgres_url: str) -> None:
    with begun(postgres_url + "&application_name=nightly") as connection:
        assert shown(connection, "application_name") == "nightly"


def test_libpqs_environment_says_what_the_url_does_not(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in psycopg.conninfo.conninfo_to_dict(postgres_url).items():
        monkeypatch.setenv({"dbname": "PGDATABASE"}.get(name, f"PG{name.upper()}"), str(value))
    with begun("postgresql://") as connection:
        found = connection.execute(sa.text("SELECT current_database()"))
    assert found == [(sa.make_url(postgres_url).database,)]


@pytest.mark.parametrize(("usual", "durable"), [("on", "on"), ("local", "on"), ("remote_apply", "remote_apply")])
def test_only_durable_commits_wait_for_the_disk(postgres_url: str, usual: str, durable: str) -> None:
    """What a commit waits for is decided by the setting at its moment; a trigger at the commit looks at it."""
    run_sql(
        postgres_url,
        "CREATE TABLE seen (how text)",
        "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$",
        f"ALTER DATABASE {sa.make_url(postgres_url).database} SET synchronous_commit = {usual}",
    )
    with opened(postgres_url) as target:
        target.prepare(family(), "after")
        run_sql(
            postgres_url,
            "CREATE CONSTRAINT TRIGGER look AFTER INSERT ON release DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION look()",
        )
        with contextlib.closing(target.connect()) as connection:
            for number, waits in enumerate([False, True, False]):
                connection.begin()
                connection.write(0, [encode(target, [(number, "t")])])
                connection.commit(durable=waits)
    with psycopg.connect(postgres_url) as reader:
        assert [how for (how,) in reader.execute("SELECT how FROM seen")] == ["off", durable, "off"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"database": "no_such_database"}, 'database "no_such_database" does not exist'),
        ({"username": "no_such_user", "password": "secret"}, 'role "no_such_user" does not exist'),
        ({"query": {"host": "/nowhere"}}, "No such file or directory"),
        ({"query": {}, "host": "127.0.0.1", "port": 1, "password": "secret"}, "Connection refused"),
        ({"query": {}, "host": "nohost.invalid", "password": "secret"}, "failed to resolve host"),
    ],
)
def test_who_cannot_connect_is_told_why(postgres_url: str, change: dict[str, object], message: str) -> None:
    url = sa.make_url(postgres_url).set(**change).render_as_string(hide_password=False)  # type: ignore[arg-type]
    with opened(url) as target, pytest.raises(TargetError) as caught:
        target.prepare(family(), "after")
    told = str(caught.value)
    assert told.startswith(f"Cannot connect to {target.label}: ")
    assert message in told
    assert told.endswith("Check host, port, database, user and password.")
    assert "secret" not in told
    assert "\n" not in told


def test_a_user_without_rights_is_told_which(postgres_url: str, role: str) -> None:
    with (
        opened(with_user(postgres_url, role)) as target,
        pytest.raises(TargetError, match="permission denied for schema public") as caught,
    ):
        target.prepare(family(), "after")
    assert "ledger.schema" in str(caught.value)


def test_a_user_with_a_schema_of_its_own_for_the_ledger(postgres_url: str, role: str) -> None:
    run_sql(
        postgres_url,
        f"CREATE SCHEMA desk AUTHORIZATION {role}",
        "CREATE TABLE release (id bigint, title text)",
        "CREATE TABLE track (release_id bigint, seq integer, name text)",
        f"GRANT SELECT, INSERT ON release, track TO {role}",
    )
    with opened(with_user(postgres_url, role), ledger={"schema": "desk"}) as target:
        assert target.prepare(family(), "after").created == frozenset()
        write(target, [(1, "one")], [(1, 1, "a")])
        assert read(target, family(), "release") == [(1, "one")]


def test_a_table_that_may_not_be_written_to(postgres_url: str, role: str) -> None:
    run_sql(postgres_url, "CREATE TABLE release (id bigint, title text)", f"GRANT CREATE ON SCHEMA public TO {role}")
    with opened(with_user(postgres_url, role)) as target:
        target.prepare(family(), "after")
        with pytest.raises(TargetError, match=r"permission denied for table release. Grant that right") as caught:
            write(target, [(1, "one")])
    assert "ledger.schema" not in str(caught.value)


def test_a_read_only_server_is_told(postgres_url: str, role: str) -> None:
    run_sql(postgres_url, f"ALTER ROLE {role} SET default_transaction_read_only = on")
    run_sql(postgres_url, f"GRANT CREATE ON SCHEMA public TO {role}")
    with (
        opened(with_user(postgres_url, role)) as target,
        pytest.raises(TargetError, match="default_transaction_read_only is on"),
    ):
        target.prepare(family(), "after")


def test_no_schema_to_create_in(postgres_url: str, role: str) -> None:
    run_sql(postgres_url, f"ALTER ROLE {role} SET search_path = nowhere")
    with opened(with_user(postgres_url, role)) as target, pytest.raises(TargetError, match="search_path"):
        target.prepare(family(), "after")


def test_a_full_disk_of_the_server(postgres_url: str) -> None:
    with begun(postgres_url) as connection:
        run_sql(
            postgres_url,
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$",
            "CREATE TRIGGER full_disk BEFORE INSERT ON release FOR EACH ROW EXECUTE FUNCTION full_disk()",
        )
        with pytest.raises(TargetError, match=r"could not extend file.*make room and run the same command again"):
            connection.write(0, [CopyRows(b"1\tone\n", array("I", [0]))])


@pytest.mark.parametrize(
    ("table", "line", "reason", "column", "message"),
    [
        (0, b"99999999999999999999\tx\n", "out_of_range", "id", r"out of range for type bigint$"),
        (0, b"\\N\tx\n", "not_null", "id", r"null value in column .id. .*table release"),
        (0, b"x\tx\n", "refused", "id", r"invalid input syntax for type bigint"),
        (0, b"1\n", "refused", "", r"missing data for column"),
        (1, b"1\t1\t\xff\n", "bad_encoding", "", r"invalid byte sequence for encoding"),
    ],
)
def test_refused_rows_are_told_with_table_column_and_row(
    postgres_url: str, table: int, line: bytes, reason: str, column: str, message: str
) -> None:
    good = {0: b"5\tgood\n", 1: b"5\t1\tgood\n"}[table]
    with begun(postgres_url) as connection:
        with pytest.raises(RowsRefused, match=message) as caught:
            connection.write(table, [CopyRows(good, array("I", [0])), CopyRows(good + line, array("I", [0, 1]))])
        connection.rollback()
        connection.begin()
        connection.write(table, [CopyRows(good, array("I", [0]))])
        connection.commit(durable=False)
    refused = caught.value
    assert (refused.reason, refused.table, refused.column) == (reason, ("release", "track")[table], column)
    assert refused.row == 2
    assert "\n" not in str(refused)


def test_a_second_value_of_a_key_that_stands_is_told(postgres_url: str) -> None:
    with opened(postgres_url, insert={"method": "executemany"}) as target:
        target.prepare(family(), "before")
        write(target, [(1, "one")])
        with pytest.raises(RowsRefused, match=r"Key \(id\)=\(1\) already exists") as caught:
            write(target, [(1, "again")])
    assert (caught.value.reason, caught.value.column) == ("duplicate_key", "id")


@pytest.mark.parametrize("moment", ["begin", "execute", "write", "commit"])
def test_a_connection_that_is_lost_is_transient(postgres_url: str, moment: str) -> None:
    with opened(postgres_url) as target:
        target.prepare(family(), "after")
        connection = target.connect()
        assert isinstance(connection, PostgresConnection)
        uses: dict[str, Callable[[], object]] = {
            "begin": lambda: connection.execute(sa.text("SELECT 1")),
            "execute": lambda: connection.execute(sa.text("SELECT 1")),
            "write": lambda: connection.write(0, [encode(target, [(1, "x" * 2**20)] * 16)]),
            "commit": lambda: connection.commit(durable=False),
        }
        if moment != "begin":
            connection.begin()
        if moment == "commit":
            connection.write(0, [encode(target, [(1, "one")])])
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.driver.info.backend_pid])
        if moment == "begin":
            connection.begin()
        with pytest.raises(ConnectionLost, match=r"The connection to .* was lost"):
            uses[moment]()
        connection.rollback()
        connection.interrupt()
        connection.close()
        write(target, [(2, "two")])
        assert read(target, family(), "release") == [(2, "two")]


def test_who_cannot_connect_again_has_lost_the_connection(postgres_url: str, role: str) -> None:
    run_sql(postgres_url, f"GRANT CREATE ON SCHEMA public TO {role}")
    with opened(with_user(postgres_url, role)) as target:
        target.prepare(family(), "after")
        run_sql(postgres_url, f"ALTER ROLE {role} NOLOGIN")
        with pytest.raises(ConnectionLost, match="not permitted to log in"):
            target.connect()


def test_a_table_locked_for_long_is_transient(postgres_url: str) -> None:
    with begun(postgres_url) as connection, psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE release IN ACCESS EXCLUSIVE MODE")
        connection.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
        with pytest.raises(TransientError, match="lock timeout"):
            connection.write(0, [CopyRows(b"1\tone\n", array("I", [0]))])


def test_a_deadlock_is_transient(postgres_url: str) -> None:
    run_sql(postgres_url, "CREATE TABLE one (a int)", "CREATE TABLE two (a int)")
    with begun(postgres_url) as connection, psycopg.connect(postgres_url) as other:
        # The one that began to wait last looks for a deadlock last: the other never gets there.
        other.execute("SET deadlock_timeout = '60s'")
        other.execute("LOCK TABLE one")
        connection.execute(sa.text("SET LOCAL deadlock_timeout = '100ms'"))
        connection.execute(sa.text("LOCK TABLE two"))
        thread = threading.Thread(target=other.execute, args=("LOCK TABLE two",))
        thread.start()
        with pytest.raises(TransientError, match="deadlock"):
            connection.execute(sa.text("LOCK TABLE one"))
        connection.rollback()
        thread.join()


def test_a_second_load_into_tables_without_keys_waits_and_says_for_whom(postgres_url: str) -> None:
    said: list[str] = []
    waiting, prepared = threading.Event(), threading.Event()

    def say(sentence: str) -> None:
        said.append(sentence)
        waiting.set()

    def second() -> None:
        with opened(postgres_url) as target:
            target.notify = say
            target.prepare(family(), "after")
            prepared.set()
            write(target, [(2, "two")], [(2, 1, "b")])

    with opened(postgres_url) as first:
        first.prepare(family(), "after")
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(30)
        write(first, [(1, "one")], [(1, 1, "a")])
        assert first.build_keys(family()) == []
        assert not prepared.is_set()
    thread.join()
    assert prepared.is_set()
    assert len(said) == 1
    assert "Waiting for etl (server process " in said[0]
    assert "which is loading into release and builds its keys last" in said[0]
    with opened(postgres_url) as third:
        assert len(read(third, family(), "release")) == 2


def test_loads_with_keys_before_do_not_wait_for_each_other(postgres_url: str) -> None:
    with opened(postgres_url) as first, opened(postgres_url) as second:
        first.prepare(family(), "before")
        second.prepare(family(), "before")
        write(first, [(1, "one")])
        write(second, [(2, "two")])
        assert len(read(first, family(), "release")) == 2


def test_a_key_name_that_is_taken_is_told(postgres_url: str) -> None:
    run_sql(postgres_url, "CREATE TABLE other (a int)", "CREATE INDEX release_pkey ON other (a)")
    with opened(postgres_url) as target:
        target.prepare(family(), "after")
        with pytest.raises(TargetError, match='relation "release_pkey" already exists'):
            target.build_keys(family())


def test_a_parent_that_was_there_without_a_key(postgres_url: str) -> None:
    run_sql(postgres_url, "CREATE TABLE release (id bigint, title text)")
    with opened(postgres_url) as target:
        target.prepare(family(), "after")
        write(target, [(1, "one")], [(1, 1, "a")])
        (problem,) = target.build_keys(family())
    assert "release, which was there before, has no unique key" in problem.message


def test_a_table_dropped_during_the_load(postgres_url: str) -> None:
    with opened(postgres_url) as target:
        target.prepare(family(), "after")
        run_sql(postgres_url, "DROP TABLE release CASCADE")
        with pytest.raises(TargetError, match=r'relation "release" does not exist. Was it dropped'):
            write(target, [(1, "one")])


def test_rows_in_the_wrong_shape_are_a_defect_of_ours(postgres_url: str) -> None:
    tuples, text = TupleRows.of_columns([[1], ["one"]], array("I", [0])), CopyRows(b"1\tone\n", array("I", [0]))
    for method, rows in (("copy", tuples), ("executemany", text)):
        with opened(postgres_url, insert={"method": method}) as target:
            target.prepare(family(), "after")
            with contextlib.closing(target.connect()) as connection:
                connection.begin()
                with pytest.raises(InternalError):
                    connection.write(0, [rows])
                connection.rollback()


def test_names_mean_what_the_search_path_says(postgres_url: str) -> None:
    run_sql(postgres_url, "CREATE SCHEMA mine", "CREATE TABLE public.item (id integer PRIMARY KEY, title text)")
    there = single("item", column("id", "integer", required=True), column("title"))
    new = single("thing", column("id", "integer", required=True), column("title"))
    with opened(postgres_url + "&options=-csearch_path%3Dmine%2Cpublic") as target:
        assert target.prepare(there, "after").created == frozenset()
        write(target, [(1, "one")])
        assert target.prepare(new, "after").created == {"thing"}
        write(target, [(2, "two")])
        assert target.build_keys(new) == []
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT * FROM public.item").fetchall() == [(1, "one")]
        assert connection.execute("SELECT * FROM mine.thing").fetchall() == [(2, "two")]
