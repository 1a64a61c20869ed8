"""Originals and results in a bucket, by obstore's synchronous API. Needs the extra `server-scale`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore, GCSStore, S3Store

from ..core.errors import SettingsError
from ..core.store_errors import NO_BUCKET, reason
from .blobs import ORIGINALS, Blob, Missing, StoreTrouble

SECONDS = 30
"""The longest that one call takes: an image of the greatest size over a slow line."""

CONNECT_SECONDS = 3
RETRY_SECONDS = 8
CHUNK = 1 << 16
PROBE = "probe"
"""The name of an object of our own beside those of a kind: it is there only where names can't be listed."""

KINDS: dict[str, Any] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}

# Idle connections are let go of before servers do it: a request on a closed one would fail.
CLIENT = {
    "timeout": f"{SECONDS}s", "connect_timeout": f"{CONNECT_SECONDS}s", "pool_idle_timeout": "3s",
    "user_agent": "imgshrink", "allow_http": True,
}  # fmt: skip

TROUBLE = "the store of images: {}"
REFUSED = (
    "bucket {}: the {} are refused ({}): the node's credentials must be valid and may get, put and delete objects there"
    " (S3: s3:GetObject, s3:PutObject, s3:DeleteObject)"
)
NO_SUCH_BUCKET = "bucket {}: no such bucket for the {}: create it, or correct --blobs"
GONE = "bucket {}: an object of the {} was deleted: its lifecycle rules must keep what is younger than three days"


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
        self._bucket = parts.netloc
        try:
            self._store = KINDS[parts.scheme](
                parts.netloc, prefix=prefix, client_options=CLIENT, retry_config=retries, **more
            )
        except Exception as error:  # noqa: BLE001  obstore's have no common class
            raise SettingsError(f"{url} can't be used: {reason(error)}") from None

    def check(self) -> None:
        """Look for an object that need not be there."""
        self.open(ORIGINALS, PROBE)

    def has_space(self) -> bool:
        """Return True: a bucket has no end."""
        return True

    def put(self, kind: str, name: str, data: bytes) -> None:
        """Store bytes."""
        with self._as_trouble(kind):
            obstore.put(self._store, f"{kind}/{name}", data, use_multipart=False)

    def get(self, kind: str, name: str) -> bytes:
        """Return the bytes; raises `Missing`."""
        with self._as_trouble(kind):
            found = self._found(kind, name)
            if found is None:
                raise Missing(GONE.format(self._bucket, kind))
            return bytes(found.bytes())

    def open(self, kind: str, name: str) -> Blob | None:
        """Return what is stored."""
        with self._as_trouble(kind):
            found = self._found(kind, name)
            return Blob(found.meta["size"], self._pieces(kind, found)) if found else None

    def remove(self, kind: str, name: str) -> None:
        """Delete what is stored."""
        with self._as_trouble(kind), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, f"{kind}/{name}")

    def strays(self) -> Iterator[tuple[str, str]]:
        """Yield nothing."""
        return iter(())

    def _found(self, kind: str, name: str) -> obstore.GetResult | None:
        try:
            return obstore.get(self._store, f"{kind}/{name}")
        except FileNotFoundError as error:
            if NO_BUCKET.search(str(error)):
                raise
        except PermissionDeniedError:
            self._require_readable(f"{kind}/{PROBE}")
        return None

    def _require_readable(self, probe: str) -> None:
        """Raise if an object that is there is refused as well.

        S3 says 403 of an object that is not there to credentials that may not list a bucket.
        """
        try:
            obstore.get(self._store, probe)
        except (FileNotFoundError, PermissionDeniedError):
            obstore.put(self._store, probe, b"imgshrink", use_multipart=False)
            obstore.get(self._store, probe)

    def _pieces(self, kind: str, found: obstore.GetResult) -> Iterator[bytes]:
        with self._as_trouble(kind):
            for piece in found.stream(min_chunk_size=CHUNK):
                yield bytes(piece)

    @contextlib.contextmanager
    def _as_trouble(self, kind: str) -> Iterator[None]:
        try:
            yield
        except (StoreTrouble, Missing, KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001  obstore's panics are no Exception
            raise StoreTrouble(self._described(error, kind)) from None

    def _described(self, error: BaseException, kind: str) -> str:
        if isinstance(error, PermissionDeniedError | UnauthenticatedError):
            return REFUSED.format(self._bucket, kind, reason(error))
        if NO_BUCKET.search(str(error)):
            return NO_SUCH_BUCKET.format(self._bucket, kind)
        return TROUBLE.format(reason(error))
