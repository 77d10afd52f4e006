"""What may stand between a client and PostgreSQL without being seen: poolers, in small, and other versions."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import threading

import psycopg

from env_prep.postgres_proxy import Filter, Frames, Proxy, end_socket

_CHUNK = 1 << 16

TOLD = ("server_version", "client_encoding", "standard_conforming_strings", "DateStyle", "integer_datetimes")
"""What a server tells of itself that a client relies on."""

KEY = b"K" + struct.pack("!III", 12, 99_999_999, 1)
"""A session's number and secret, made up as a pooler does."""


def _frame(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", 4 + len(body)) + body


class SessionPooler:
    """A network: each client has a server connection of its own, but is told another number for it."""

    def connection(self) -> Filter:
        return _Rewriting({b"K": KEY})


class OtherVersion:
    """A network: the server tells another version of itself."""

    def __init__(self, version: str) -> None:
        self._frame = _frame(b"S", b"server_version\0%s\0" % version.encode())

    def connection(self) -> Filter:
        return _Rewriting({b"Sserver_version": self._frame})


class _Rewriting:
    def __init__(self, others: dict[bytes, bytes]) -> None:
        """`others`: what comes in place of a message of that type, by type and the beginning of what it says."""
        self._others = others
        self._frames = Frames()

    def to_server(self, data: bytes) -> bytes | None:
        return data

    def to_client(self, data: bytes) -> bytes | None:
        return b"".join(self._rewritten(kind, frame) for kind, frame in self._frames.feed(data))

    def _rewritten(self, kind: bytes, frame: bytes) -> bytes:
        found = [other for begin, other in self._others.items() if (kind + frame[5:]).startswith(begin)]
        return found[0] if found else frame


class TransactionPooler(Proxy):
    """All clients share one server connection, a transaction each in turn."""

    def __init__(self, url: str) -> None:
        self._server_session = psycopg.connect(url, autocommit=True)
        self._shared = socket.socket(fileno=os.dup(self._server_session.fileno()))
        self._turn = threading.Lock()
        super().__init__(url)

    def refuse(self) -> None:
        super().refuse()
        self._shared.close()
        self._server_session.close()

    def _join(self, client: socket.socket) -> None:
        threading.Thread(target=self._serve, args=(client,), name="test-pooler", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client.recv(_CHUNK)  # who it is and what it wants, which is always the same here
            told = [(name, self._server_session.info.parameter_status(name) or "") for name in TOLD]
            status = b"".join(_frame(b"S", f"{name}\0{value}\0".encode()) for name, value in told)
            client.sendall(_frame(b"R", bytes(4)) + status + KEY + _frame(b"Z", b"I"))
            while (data := client.recv(_CHUNK)) and not data.startswith(b"X"):
                with self._turn:
                    self._shared.sendall(data)
                    self._until_idle(client)
        end_socket(client)

    def _until_idle(self, client: socket.socket) -> None:
        frames = Frames()
        while True:
            for source in select.select([client, self._shared], [], [])[0]:
                data = source.recv(_CHUNK)
                if not data:
                    raise ConnectionError
                if source is client:
                    self._shared.sendall(data)
                    continue
                client.sendall(data)
                if any(frame == _frame(b"Z", b"I") for _, frame in frames.feed(data)):
                    return
