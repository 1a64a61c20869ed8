"""How long known results take from a shared cache far away: one prefetch beside one call after the other.

    .venv-test/bin/python benchmarks/shared.py [--results 800] [--delay 50]

An S3 server (localbucket, of the group `test`) holds the results, and a proxy holds every piece of data for the delay.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from imgshrink.cache.local import LocalCache
from imgshrink.cache.push import push
from imgshrink.cache.shared import AROUND, SharedCache, name_of
from imgshrink.cache.shelf import Address, ObjectShelf, Trouble
from imgshrink.cache.signature import Keyring, Signer, new_secret
from imgshrink.core.model import Entry, Verdict

SIZE = 60_000
BUCKET = "s3://shared/benchmark"
CHUNK = 1 << 16


class DelayingProxy:
    """Passes connections on to a port of this machine; what is read on either side arrives `delay` seconds later."""

    def __init__(self, target: int, delay: float) -> None:
        self._target, self._delay = target, delay
        self._ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self._ready.wait()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=256)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        with contextlib.suppress(OSError):
            # The way there takes the delay; the way back adds nothing: `delay` is that of a whole request.
            await asyncio.gather(self._pass(reader, back, self._delay), self._pass(there, writer, 0.0))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
        while data := await reader.read(CHUNK):
            await asyncio.sleep(delay)
            writer.write(data)
            await writer.drain()
        writer.close()


def serve(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start the S3 server over an empty bucket; return its process and port."""
    import socket

    (folder / "shared").mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = Path(sys.executable).parent / "localbucket"
    process = subprocess.Popen(
        [program, "--port", str(port), folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while socket.socket().connect_ex(("127.0.0.1", port)):
        time.sleep(0.05)
    return process, port


def bucket_at(port: int) -> ObjectShelf:
    """The bucket, reached at a port."""
    os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
    shelf = ObjectShelf(Address(BUCKET), os.environ)
    with contextlib.suppress(Trouble):
        shelf.get("v1/none", 1)  # it reads the environment with its first call
    return shelf


def measure(folder: Path, results: int, delay: float) -> tuple[float, float, str]:
    """Return the seconds of a prefetch, those of one call after the other, and the summary of the first."""
    secret = Signer(new_secret())
    keys = [f"{random.Random(number).getrandbits(256):064x}" for number in range(results)]
    local = LocalCache(folder / "writer")
    for key in keys:
        local.put(key, Entry(Verdict.BETTER, os.urandom(SIZE), engine="builtin", stored=int(time.time())))
    process, port = serve(folder / "server")
    try:
        push(local, bucket_at(port), secret)
        far = bucket_at(DelayingProxy(port, delay).port)
        keyring = Keyring((secret.public,))
        believed = {key_id: LocalCache(folder / "reader" / key_id) for key_id in keyring.ids}
        cache = SharedCache(LocalCache(folder / "reader"), believed, far, keyring)
        begun = time.perf_counter()
        cache.prefetch(dict.fromkeys(keys, SIZE), {})
        at_once = time.perf_counter() - begun
        begun = time.perf_counter()
        for key in keys:
            assert far.get(name_of(key), SIZE + AROUND)
        return at_once, time.perf_counter() - begun, cache.summary()
    finally:
        process.terminate()


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=int, default=800)
    parser.add_argument("--delay", type=int, default=50, help="milliseconds a request")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        at_once, one_by_one, summary = measure(Path(folder), given.results, given.delay / 1000)
    print(f"{given.results} known results of {SIZE // 1000} kB, {given.delay} ms a request: {summary}")
    print(f"  one prefetch               {at_once:6.2f} s")
    print(f"  one call after the other   {one_by_one:6.2f} s")


if __name__ == "__main__":
    main()
