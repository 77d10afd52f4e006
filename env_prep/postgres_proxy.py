"""A TCP proxy on loopback in front of a PostgreSQL: what goes through it may be looked at, held up, lost or cut.

    with Proxy(postgres_url, network) as proxy:
        load(..., target=proxy.url)

The network gives each connection its filter. Standard library, psycopg and SQLAlchemy's URLs only.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url

_CHUNK = 1 << 16


class Filter(Protocol):
    """What one connection goes through. Each method is called by one thread; None cuts the connection there."""

    def to_server(self, data: bytes) -> bytes | None: ...
    def to_client(self, data: bytes) -> bytes | None: ...


class Network(Protocol):
    """Gives each connection its filter."""

    def connection(self) -> Filter: ...


class Frames:
    """Cuts what a server says into its messages: type, and everything that goes over the wire for it."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        self._rest += data
        while len(self._rest) >= 5:
            end = 1 + struct.unpack("!I", self._rest[1:5])[0]
            if len(self._rest) < end:
                return
            frame, self._rest = self._rest[:end], self._rest[end:]
            yield frame[:1], frame


class Plain:
    """A network without a fault, and a connection in it."""

    def connection(self) -> Filter:
        return self

    def to_server(self, data: bytes) -> bytes | None:
        return data

    def to_client(self, data: bytes) -> bytes | None:
        return data


class Proxy:
    """A context manager: `url` reaches the same database through the network."""

    def __init__(self, url: str, network: Network | None = None) -> None:
        self._network = network or Plain()
        self._server = _address(url)
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._port = 0
        self.connections = 0
        """How many were made so far."""
        self.accept()
        given = make_url(url)
        # Without negotiation every message has a type, from either side.
        plain = given.set(host="127.0.0.1", port=self._port, query={"sslmode": "disable", "gssencmode": "disable"})
        self.url = plain.render_as_string(hide_password=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.refuse()

    def accept(self) -> None:
        """Take connections (again)."""
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._listen, args=(listener,), name="proxy", daemon=True).start()

    def refuse(self) -> None:
        """Cut every connection and refuse new ones."""
        if self._listener is not None:
            end_socket(self._listener)
            self._listener = None
        self.cut()

    def cut(self) -> None:
        """Cut every connection."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for each in sockets:
            end_socket(each)

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._join(client)

    def _join(self, client: socket.socket) -> None:
        server = socket.socket(self._server[0])
        try:
            # Its answers are small, and none of them is to wait until the one before it was received.
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.connect(self._server[1])
        except OSError:
            end_socket(client)
            return
        with self._lock:
            self.connections += 1
            self._sockets |= {client, server}
        way = self._network.connection()
        for source, sink, through in ((client, server, way.to_server), (server, client, way.to_client)):
            threading.Thread(
                target=self._pump, args=(source, sink, through), name="proxy-connection", daemon=True
            ).start()

    def _pump(self, source: socket.socket, sink: socket.socket, through: Callable[[bytes], bytes | None]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                passed = through(data)
                if passed is None:
                    break
                sink.sendall(passed)
        with self._lock:
            self._sockets -= {source, sink}
        end_socket(source)
        end_socket(sink)


def _address(url: str) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
    given = conninfo_to_dict(url)
    host, port = str(given.get("host") or "127.0.0.1"), int(given.get("port") or 5432)
    if host.startswith("/"):
        return socket.AF_UNIX, f"{host}/.s.PGSQL.{port}"
    return socket.AF_INET, (host, port)


def end_socket(each: socket.socket) -> None:
    """Close it, also under a thread that waits on it."""
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
