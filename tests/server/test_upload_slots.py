"""Slow uploads of one key leave the slots of other keys free."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from image_builder import png
from server_process import Served, until

PATIENT = {"slot_wait_seconds": 120, "stall_seconds": 120}
HEAD = (
    "POST /api/optimize HTTP/1.1\r\nHost: a\r\nX-API-Key: {}\r\nContent-Length: 9999\r\nExpect: 100-continue\r\n"
    "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
)
CONTINUE = b"HTTP/1.1 100 "


class SlowUploads:
    """Uploads of one key without a body; the server asks those that hold a slot for it, with `100 Continue`."""

    def __init__(self, server: Served, key: str, count: int, stack: ExitStack) -> None:
        self.sockets = [stack.enter_context(server.connected(HEAD.format(key).encode())) for _ in range(count)]
        self.reading: list[socket.socket] = []
        self.refused: list[bytes] = []

    def poll(self) -> tuple[int, int]:
        """Return how many uploads hold a slot, and how many got a final reply."""
        silent = [sock for sock in self.sockets if sock not in self.reading]
        for sock in select.select(silent, [], [], 0)[0]:
            data = sock.recv(4000)
            if data.startswith(CONTINUE):
                self.reading.append(sock)
            else:
                self.refused.append(data)
                self.sockets.remove(sock)
        return len(self.reading), len(self.refused)

    def drip(self, byte: int) -> None:
        for sock in self.reading:
            sock.sendall(bytes([byte]))


@contextmanager
def serving(folder: Path, **limits: float) -> Iterator[tuple[Served, ExitStack]]:
    with Served(folder / "data", limits=PATIENT | limits) as server, ExitStack() as stack:
        yield server, stack


def test_slow_uploads_of_one_key(tmp_path: Path) -> None:
    """While 40 uploads of one key stay slow, an upload of another key is accepted."""
    with serving(tmp_path) as (server, stack):
        slow, other = SlowUploads(server, server.key, 40, stack), server.add_key("other")
        until(lambda: slow.poll()[0] >= 8)
        for byte in b"--b\r\n":
            slow.drip(byte)
            assert server.post(png(), other).status_code == 200
        assert slow.poll() == (8, 0)


def test_slot_is_free_again(tmp_path: Path) -> None:
    """When a slow upload ends, the next one of its key gets the slot."""
    with serving(tmp_path, key_uploads=2) as (server, stack):
        slow = SlowUploads(server, server.key, 3, stack)
        until(lambda: slow.poll() == (2, 0))
        slow.reading[0].close()
        slow.sockets.remove(slow.reading.pop(0))
        until(lambda: slow.poll() == (2, 0))


def test_slots_of_all_keys(tmp_path: Path) -> None:
    """The bodies of all keys together are bounded too."""
    with serving(tmp_path, uploads=3, key_uploads=2) as (server, stack):
        first = SlowUploads(server, server.key, 2, stack)
        until(lambda: first.poll() == (2, 0))
        second = SlowUploads(server, server.add_key("second"), 2, stack)
        until(lambda: second.poll() == (1, 0))
        first.sockets[0].close()
        first.sockets.remove(first.sockets[0])
        until(lambda: second.poll() == (2, 0))


def test_too_many_uploads_of_one_key_wait(tmp_path: Path) -> None:
    """An upload beyond those that may wait is refused at once, so that waiting requests leave room for other keys."""
    with serving(tmp_path, key_uploads=2, key_waiting=5) as (server, stack):
        slow = SlowUploads(server, server.key, 20, stack)
        until(lambda: slow.poll() == (2, 13))
        assert all(reply.startswith(b"HTTP/1.1 503 ") for reply in slow.refused)
        assert server.post(png(), server.add_key("other")).status_code == 200
