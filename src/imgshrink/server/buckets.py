"""Originals and results in a bucket, by obstore's synchronous API. Needs the extra `server-scale`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import AzureStore, GCSStore, S3Store

from ..core.errors import SettingsError
from ..core.store_errors import NO_BUCKET, reason
from .blobs import Blob, Missing, StoreTrouble

SECONDS = 30
"""The longest that one call takes: an image of the greatest size over a slow line."""

CONNECT_SECONDS = 3
RETRY_SECONDS = 8
CHUNK = 1 << 16
PROBE = "probe"
KINDS: dict[str, Any] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}

# Idle connections are let go of before servers do it: a request on a closed one would fail.
CLIENT = {
    "timeout": f"{SECONDS}s", "connect_timeout": f"{CONNECT_SECONDS}s", "pool_idle_timeout": "3s",
    "user_agent": "imgshrink", "allow_http": True,
}  # fmt: skip


class BucketBlobs:
    """The `Blobs` below a prefix in a bucket of S3, Google Cloud Storage or Azure.

    Credentials and the endpoint come from the store's usual variables, or from the machine's role. Nothing is listed:
    what has no job falls to the bucket's lifecycle rules.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in KINDS or not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment:
            raise SettingsError("--blobs is a URL such as s3://bucket/prefix, gs://bucket or az://container")
        # Not every server that speaks S3 has the call that deletes several objects.
        more: dict[str, Any] = {"disable_bulk_delete": True} if parts.scheme == "s3" else {}
        retries = {"max_retries": 3, "retry_timeout": timedelta(seconds=RETRY_SECONDS)}
        prefix = unquote(parts.path).strip("/") or None
        try:
            self._store = KINDS[parts.scheme](
                parts.netloc, prefix=prefix, client_options=CLIENT, retry_config=retries, **more
            )
        except Exception as error:  # noqa: BLE001  obstore's have no common class
            raise SettingsError(f"{url} can't be used: {reason(error)}") from None

    def check(self) -> None:
        """Look for an object that is not there."""
        self.open(PROBE, PROBE)

    def has_space(self) -> bool:
        """Return True: a bucket has no end."""
        return True

    def put(self, kind: str, name: str, data: bytes) -> None:
        """Store bytes."""
        with _as_trouble():
            obstore.put(self._store, f"{kind}/{name}", data, use_multipart=False)

    def get(self, kind: str, name: str) -> bytes:
        """Return the bytes; raises `Missing`."""
        with _as_trouble():
            try:
                return bytes(obstore.get(self._store, f"{kind}/{name}").bytes())
            except FileNotFoundError as error:
                _require_bucket(error)
                raise Missing("the image is gone") from None

    def open(self, kind: str, name: str) -> Blob | None:
        """Return what is stored."""
        with _as_trouble():
            try:
                found = obstore.get(self._store, f"{kind}/{name}")
            except FileNotFoundError as error:
                _require_bucket(error)
                return None
            return Blob(found.meta["size"], _pieces(found))

    def remove(self, kind: str, name: str) -> None:
        """Delete what is stored."""
        with _as_trouble(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, f"{kind}/{name}")

    def strays(self) -> Iterator[tuple[str, str]]:
        """Yield nothing."""
        return iter(())


def _pieces(found: obstore.GetResult) -> Iterator[bytes]:
    with _as_trouble():
        for piece in found.stream(min_chunk_size=CHUNK):
            yield bytes(piece)


def _require_bucket(error: FileNotFoundError) -> None:
    if NO_BUCKET.search(str(error)):
        raise error


@contextlib.contextmanager
def _as_trouble() -> Iterator[None]:
    try:
        yield
    except (StoreTrouble, Missing, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001  obstore's panics are no Exception
        raise StoreTrouble(f"the store of images: {reason(error)}") from None
