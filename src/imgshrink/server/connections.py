"""The open connections of an engine over psycopg, so that those which wait for a silent server can be ended."""

from __future__ import annotations

import os
import socket
import threading
import weakref
from contextlib import suppress
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import SQLAlchemyError


class Connections:
    """Knows every connection of the pool, also one that the pool still tries before it hands it out."""

    def __init__(self, engine: Engine) -> None:
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._aborted = False
        event.listen(engine, "do_connect", self._allow)
        event.listen(engine.pool, "connect", self._add, insert=True)  # before the dialect asks its first question

    def abort(self) -> None:
        """Shut all sockets down: whoever waits for an answer gets an error. No connection is made any more."""
        with self._lock:
            self._aborted = True
            connections = list(self._open)
        for connection in connections:
            _shut_down(connection)

    def _allow(self, *_: object) -> None:
        if self._aborted:
            raise SQLAlchemyError("this node ends and makes no connection any more")

    def _add(self, connection: object, _: object) -> None:
        with self._lock:
            self._open.add(connection)
            aborted = self._aborted
        if aborted:
            _shut_down(connection)


def _shut_down(connection: Any) -> None:  # noqa: ANN401  psycopg's, an extra
    """Shut the socket down and leave its descriptor open: it is still libpq's."""
    if connection.closed:
        return
    with suppress(OSError), socket.socket(fileno=os.dup(connection.pgconn.socket)) as copy:
        copy.shutdown(socket.SHUT_RDWR)
