"""Programs that serve on loopback, for tests: started until they answer, stopped, started again."""

from __future__ import annotations

import base64
import hmac
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from patience import until


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody listens at the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Program:
    """A server in a process of its own; a context manager that has it running."""

    def __init__(self, command: list[str], port: int) -> None:
        self.command, self.port = command, port
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process = process
        until(lambda: process.poll() is not None or answers(self.port))
        assert process.poll() is None, f"{self.command[0]} ended"

    def stop(self) -> None:
        """Stop it, and wait for its end."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    def __enter__(self) -> Program:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def s3_server(data: Path, *buckets: str) -> Program:
    """A server that speaks S3, with empty buckets, which takes any credentials and `AWS_ENDPOINT_URL`."""
    for bucket in buckets:
        (data / bucket).mkdir(parents=True)
    port = free_port()
    return Program([str(Path(sys.executable).parent / "localbucket"), "--port", str(port), str(data)], port)


AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that every Azurite has, https://learn.microsoft.com/azure/storage/common/storage-use-azurite"""


@contextmanager
def azurite(data: Path, container: str) -> Iterator[tuple[Program, dict[str, str]]]:
    """Microsoft's emulator of its store, with an empty container, and the environment that leads to it."""
    data.mkdir(parents=True)
    port = free_port()
    place = ["--location", str(data), "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    endpoint = f"http://127.0.0.1:{port}/{AZURITE_ACCOUNT}"
    environment = {
        "AZURE_STORAGE_ACCOUNT_NAME": AZURITE_ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": AZURITE_KEY,
        "AZURE_STORAGE_ENDPOINT": endpoint,
    }
    program = ["azurite-blob", *place, "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    with Program(program, port) as server:
        _create_container(endpoint, container)
        yield server, environment


def _create_container(endpoint: str, container: str) -> None:
    """One signed request, https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key"""
    date, version = formatdate(usegmt=True), "2021-08-06"
    resource = f"/{AZURITE_ACCOUNT}{urlsplit(endpoint).path}/{container}\nrestype:container"
    text = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{version}\n{resource}"
    digest = hmac.new(base64.b64decode(AZURITE_KEY), text.encode(), "sha256").digest()
    signed = f"SharedKey {AZURITE_ACCOUNT}:{base64.b64encode(digest).decode()}"
    headers = {"x-ms-date": date, "x-ms-version": version, "Authorization": signed}
    reply = httpx.put(f"{endpoint}/{container}?restype=container", headers=headers)
    assert reply.status_code == 201, reply.text


@contextmanager
def cutting_proxy(target: int) -> Iterator[tuple[int, threading.Event]]:
    """A port that passes on to PostgreSQL's; while the event is set, a COMMIT gets there and no answer comes back."""
    cut = threading.Event()

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", target))
                committed = threading.Event()
                threading.Thread(target=there, args=(client, server, committed), daemon=True).start()
                threading.Thread(target=back, args=(server, client, committed), daemon=True).start()

    def there(client: socket.socket, server: socket.socket, committed: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if cut.is_set() and b"COMMIT" in data:
                    committed.set()
                server.sendall(data)

    def back(server: socket.socket, client: socket.socket, committed: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                if committed.is_set():
                    break
                client.sendall(data)
        client.shutdown(socket.SHUT_RDWR)
        client.close()
        server.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield int(listener.getsockname()[1]), cut
        listener.shutdown(socket.SHUT_RDWR)
