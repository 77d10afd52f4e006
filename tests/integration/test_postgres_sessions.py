"""Sessions of PostgreSQL: how they begin, where they cannot, how a broken one ends, and what is in between."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

import etl
from env_prep.postgres_proxy import Filter, Plain, Proxy
from etl.errors import ConnectionLost, TargetError, TransientError
from etl.targets import postgres_session
from etl.targets.postgres import PostgresConnection
from etl.targets.postgres_checks import check_server
from etl.targets.postgres_session import connect, conninfo, end_backend
from tests.acceptance.contents import count
from tests.integration.bad_input import MAPPING
from tests.integration.test_flow import WAIT_SECONDS, write_items
from tests.integration.test_postgres_target import begun, role, run_sql, shown, with_user
from tests.poolers import OtherVersion, SessionPooler, TransactionPooler
from tests.target_rows import encode, family, opened, write

__all__ = ["role"]  # a fixture


def backends(url: str, *pids: int) -> int:
    """How many of these sessions are there."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)", [list(pids)]).fetchone()
    assert found is not None
    return int(found[0])


def test_a_session_given_up_is_over_at_the_server(postgres_url: str) -> None:
    with opened(postgres_url) as target:
        target.prepare(family(), "after")
        connection = target.connect()
        assert isinstance(connection, PostgresConnection)
        connection.begin()
        connection.driver.execute("LOCK TABLE release")
        pid = connection.backend.pid
        assert backends(postgres_url, pid) == 1
        target.abandon(connection)
        assert backends(postgres_url, pid) == 0
        run_sql(postgres_url, "BEGIN; LOCK TABLE release NOWAIT; COMMIT")
        target.abandon(connection)


class Cable:
    """A network in which nothing of the connections that there are comes through any more once it is pulled."""

    def __init__(self) -> None:
        self._mended = threading.Event()
        self._ends: list[_End] = []

    def connection(self) -> Filter:
        self._ends.append(_End(self._mended))
        return self._ends[-1]

    @contextlib.contextmanager
    def pulled(self) -> Iterator[None]:
        for end in self._ends:
            end.pulled = True
        yield
        self._mended.set()


class _End(Plain):
    def __init__(self, mended: threading.Event) -> None:
        self._mended = mended
        self.pulled = False

    def to_server(self, data: bytes) -> bytes | None:
        if self.pulled:
            self._mended.wait(WAIT_SECONDS)
        return data


def test_a_session_whose_client_is_gone_without_a_word_is_ended_too(postgres_url: str) -> None:
    cable = Cable()
    with Proxy(postgres_url, cable) as proxy, opened(proxy.url) as target, opened(postgres_url) as plain:
        plain.prepare(family(), "after")
        connection = target.connect()
        assert isinstance(connection, PostgresConnection)
        connection.begin()
        connection.driver.execute("LOCK TABLE release")
        with cable.pulled():
            connection.driver.close()
            assert backends(postgres_url, connection.backend.pid) == 1
            plain.abandon(connection)
            assert backends(postgres_url, connection.backend.pid) == 0


def test_only_the_very_session_is_ended(postgres_url: str) -> None:
    """Its number may be somebody else's by now."""
    address = conninfo(postgres_url)
    with closing(connect(address)) as victim, closing(connect(address)) as session:
        later = dataclasses.replace(victim.backend, start=f"{victim.backend.start}1")
        assert end_backend(session, later)
        victim.execute("SELECT 1")
        assert end_backend(session, victim.backend)
        with pytest.raises(psycopg.OperationalError):
            victim.execute("SELECT 1")


def test_a_session_that_does_not_end_is_a_passing_trouble(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_session, "END_SECONDS", 0.05)
    monkeypatch.setattr(postgres_session, "END_BACKEND", postgres_session.IS_THERE)
    with opened(postgres_url) as target:
        connection = target.connect()
        other = target.connect()
        assert isinstance(connection, PostgresConnection)
        assert isinstance(other, PostgresConnection)
        connection.backend = other.backend
        with pytest.raises(ConnectionLost, match=rf"process {other.backend.pid}\) did not end"):
            target.abandon(connection)


@pytest.mark.skipif(sys.platform != "linux", reason="each system names these options in its own way")
def test_a_dead_network_is_noticed_from_this_end(postgres_url: str) -> None:
    with Proxy(postgres_url) as proxy:
        for url, timeout in ((proxy.url, 75_000), (proxy.url + "&tcp_user_timeout=5000", 5_000)):
            with opened(url) as target, closing(target.connect()) as connection:
                assert isinstance(connection, PostgresConnection)
                with socket.socket(fileno=socket.dup(connection.driver.fileno())) as end:
                    assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                    assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
                    assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 10
                    assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3
                    assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == timeout


def test_a_dead_network_is_noticed_from_the_servers_end(postgres_url: str) -> None:
    with begun(postgres_url) as connection:
        assert shown(connection, "client_connection_check_interval") == "10s"


def test_no_limit_for_idle_sessions_ends_one_that_holds_locks(postgres_url: str, role: str) -> None:
    run_sql(postgres_url, f"GRANT CREATE ON SCHEMA public TO {role}")
    run_sql(postgres_url, f"ALTER ROLE {role} SET idle_session_timeout = '1s'")
    with begun(with_user(postgres_url, role)) as connection:
        assert shown(connection, "idle_session_timeout") == "0"


@pytest.mark.parametrize("style", ["German", "SQL, DMY"])
def test_times_may_be_written_as_the_user_likes(postgres_url: str, role: str, style: str) -> None:
    run_sql(postgres_url, f"GRANT CREATE ON SCHEMA public TO {role}")
    run_sql(postgres_url, f"ALTER ROLE {role} SET DateStyle = '{style}'")
    with begun(with_user(postgres_url, role)) as connection:
        assert shown(connection, "DateStyle").startswith("ISO")


def test_a_server_that_cannot_look_after_its_clients_will_do(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_session, "WATCH", "; SET client_connection_check_interval = -1")
    with begun(postgres_url) as connection:
        assert shown(connection, "synchronous_commit") == "off"
        assert shown(connection, "client_connection_check_interval") == "0"


def test_the_environment_has_the_word_where_the_url_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    services = tmp_path / "services.conf"
    services.write_text("[slow]\ntcp_user_timeout=7000\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    monkeypatch.setenv("PGSERVICE", "slow")
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "5")
    told = conninfo("postgresql://host/database")
    assert "tcp_user_timeout" not in told
    assert "connect_timeout" not in told
    assert "keepalives_idle=30" in told


def test_an_old_server_is_told(postgres_url: str) -> None:
    with (
        Proxy(postgres_url, OtherVersion("12.22 (Debian 12.22-1)")) as proxy,
        opened(proxy.url) as target,
        pytest.raises(TargetError, match=r"PostgreSQL 12\.22 is too old: 13 or later is needed\.$"),
    ):
        target.prepare(family(), "after")
    with Proxy(postgres_url, OtherVersion("13.0")) as proxy, opened(proxy.url) as target:
        target.prepare(family(), "after")


def test_a_standby_is_told(postgres_url: str) -> None:
    with closing(connect(conninfo(postgres_url))) as session:
        session.backend = dataclasses.replace(session.backend, is_standby=True, read_only=True)
        with pytest.raises(TargetError, match="standby server, which is read-only: connect to the primary"):
            check_server(session, conninfo(postgres_url), "postgresql://host/database")


def test_a_read_only_database_is_told_before_anything_is_done(tmp_path: Path, postgres_url: str) -> None:
    mapping = tmp_path / "items.mapping.yaml"
    mapping.write_text(MAPPING)
    source = write_items(tmp_path / "items.xml", range(1, 10))
    url = postgres_url + "&options=-cdefault_transaction_read_only%3Don"
    with pytest.raises(TargetError, match=r"is read-only \(default_transaction_read_only is on"):
        etl.load(source, mapping=mapping, target=url)


def test_a_server_that_is_read_only_for_a_while_is_tried_again(postgres_url: str) -> None:
    """As after a switchover: another server answers, which is not the primary one yet, or one that just was."""
    database = sa.make_url(postgres_url).database
    with opened(postgres_url) as target:
        target.prepare(family(), "after")
        run_sql(postgres_url, f"ALTER DATABASE {database} SET default_transaction_read_only = on")
        with pytest.raises(TransientError, match="is read-only now"):
            target.connect()
        admin = postgres_url + "&options=-cdefault_transaction_read_only%3Doff"
        run_sql(admin, f"ALTER DATABASE {database} RESET default_transaction_read_only")
        with closing(target.connect()) as connection:
            connection.begin()
            connection.execute(sa.text("SET TRANSACTION READ ONLY"))
            with pytest.raises(TransientError, match="is read-only now"):
                connection.write(0, [encode(target, [(1, "t")])])
            connection.rollback()


def test_a_pooler_that_shares_sessions_is_refused(postgres_url: str) -> None:
    with (
        TransactionPooler(postgres_url) as pooler,
        opened(pooler.url) as target,
        pytest.raises(TargetError, match=r"in transaction mode, .* Connect to PostgreSQL itself, or to a pool"),
    ):
        target.prepare(family(), "after")
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_the_pooler_of_these_tests_is_one(postgres_url: str) -> None:
    """Two clients, one session: otherwise the test above would prove nothing."""
    with TransactionPooler(postgres_url) as pooler:
        clients = [psycopg.connect(pooler.url, autocommit=True) for _ in range(2)]
        with contextlib.ExitStack() as stack:
            for client in clients:
                stack.enter_context(client)
            assert len({client.execute("SELECT pg_backend_pid()").fetchone() for client in clients}) == 1
            done = threading.Event()

            def wait_for_turn() -> None:
                clients[1].execute("SELECT 1")
                done.set()

            with clients[0].transaction():
                clients[0].execute("SELECT 1")
                waiting = threading.Thread(target=wait_for_turn)
                waiting.start()
                assert not done.is_set()
            waiting.join(60)
            assert done.is_set()


def test_a_pool_in_session_mode_will_do(tmp_path: Path, postgres_url: str) -> None:
    mapping = tmp_path / "items.mapping.yaml"
    mapping.write_text(MAPPING)
    source = write_items(tmp_path / "items.xml", range(1, 1000))
    with Proxy(postgres_url, SessionPooler()) as pooler:
        assert etl.load(source, mapping=mapping, target=pooler.url).loaded == 999
    assert count(postgres_url, "item") == 999


def test_behind_a_pooler_only_the_clients_end_is_closed(postgres_url: str) -> None:
    """The process may serve another client by now."""
    with Proxy(postgres_url, SessionPooler()) as pooler, opened(pooler.url) as target:
        connection, other = target.connect(), target.connect()
        assert isinstance(connection, PostgresConnection)
        assert isinstance(other, PostgresConnection)
        connection.backend = other.backend
        target.abandon(connection)
        other.driver.execute("SELECT 1")


def test_a_ledger_in_a_schema_that_may_not_be_created_names_the_setting(postgres_url: str, role: str) -> None:
    run_sql(postgres_url, f"GRANT CREATE ON SCHEMA public TO {role}")
    with (
        opened(with_user(postgres_url, role), ledger={"schema": "nowhere"}) as target,
        pytest.raises(TargetError, match="permission denied for database") as caught,
    ):
        target.prepare(family(), "after")
    assert "ledger.schema" in str(caught.value)


def test_a_user_who_may_write_and_create_needs_nothing_else(postgres_url: str, role: str) -> None:
    run_sql(postgres_url, f"GRANT CREATE ON SCHEMA public TO {role}")
    with opened(with_user(postgres_url, role)) as target:
        target.prepare(family(), "after")
        write(target, [(1, "one")], [(1, 1, "a")])
        connection = target.connect()
        assert isinstance(connection, PostgresConnection)
        connection.begin()
        target.abandon(connection)
        assert backends(postgres_url, connection.backend.pid) == 0


def test_what_a_load_holds_is_not_in_its_own_way_after_a_lost_connection(postgres_url: str) -> None:
    """The server still sees the old session, which has the lock."""
    cable = Cable()
    with Proxy(postgres_url, cable) as proxy, opened(proxy.url) as target, opened(postgres_url) as other:
        target.prepare(family(), "after")
        lock = target.hold()
        assert other.holder(lock) is not None
        with cable.pulled():
            guard = target._guard._connection  # type: ignore[attr-defined]
            guard.driver.close()
            assert target.hold() == lock
        assert other.holder(lock) is not None
