"""Results kept elsewhere: in a bucket, on a WebDAV server, in a folder. The only module that imports obstore.

Its synchronous API alone is used: the asynchronous one can abort the interpreter at its end (PyO3/pyo3#4632).
"""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import AlreadyExistsError, PermissionDeniedError, UnauthenticatedError

from ..core.store_errors import NO_BUCKET, reason, status

SECONDS = 2
"""The longest that one call takes, its connection included."""

# Idle connections are let go of before servers do it: a request on a closed one would fail.
CLIENT = {
    "timeout": f"{SECONDS}s", "connect_timeout": f"{SECONDS}s", "pool_idle_timeout": "3s", "user_agent": "imgshrink",
}  # fmt: skip
RETRIES: dict[str, Any] = {"max_retries": 0, "retry_timeout": timedelta(seconds=SECONDS)}

LOOPBACK = ("localhost", "127.0.0.1", "::1")

# What holds credentials: a store's usual variables, each row all of them.
CREDENTIALS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "s3": (
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
    ),
    "gs": (
        ("GOOGLE_APPLICATION_CREDENTIALS",),
        ("GOOGLE_SERVICE_ACCOUNT",),
        ("GOOGLE_SERVICE_ACCOUNT_PATH",),
        ("GOOGLE_SERVICE_ACCOUNT_KEY",),
        ("GOOGLE_BEARER_TOKEN",),
    ),
    "az": (
        ("AZURE_STORAGE_ACCOUNT_KEY",),
        ("AZURE_STORAGE_ACCESS_KEY",),
        ("AZURE_STORAGE_SAS_KEY",),
        ("AZURE_STORAGE_SAS_TOKEN",),
        ("AZURE_STORAGE_TOKEN",),
        ("AZURE_STORAGE_CLIENT_ID", "AZURE_STORAGE_CLIENT_SECRET"),
        ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),
        ("AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"),
    ),
}
ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}

_runtime: list[int] = []  # the process that made the first call


class Trouble(Exception):
    """The shelf did not answer, or not as one; the text is a few words for a person.

    `refused`: the caller may not do that (401, 403).
    """

    def __init__(self, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused


@dataclass(frozen=True)
class Address:
    """Where a shared cache lies, without user and password."""

    url: str

    @property
    def scheme(self) -> str:
        """`s3`, `gs`, `az`, `https`, `http` or `file`."""
        return urlsplit(self.url).scheme

    @property
    def bucket(self) -> str:
        """The bucket, container or host."""
        return urlsplit(self.url).netloc

    @property
    def prefix(self) -> str:
        """The folder in the bucket."""
        return unquote(urlsplit(self.url).path).strip("/")

    @property
    def folder(self) -> str:
        """The folder of a `file` address."""
        return url2pathname(urlsplit(self.url).path)

    def plain(self, environ: Mapping[str, str]) -> bool:
        """Return whether the connection may be unencrypted: on this machine alone."""
        endpoints = [environ.get(name, "") for name in ENDPOINTS.get(self.scheme, ())]
        reached = next((endpoint for endpoint in endpoints if endpoint), self.url)
        return (urlsplit(reached).hostname or "") in LOOPBACK

    def anonymous(self, environ: Mapping[str, str]) -> bool:
        """Return whether the environment holds no credentials; empty variables are none."""
        rows = CREDENTIALS.get(self.scheme, ())
        return not any(all(environ.get(name, "").strip() for name in row) for row in rows)

    @staticmethod
    def authorization(login: str) -> str:
        """Return the header for a `login` of the form `user:password`."""
        return "Basic " + base64.b64encode(login.encode()).decode("ascii")


class Shelf(Protocol):
    """Somewhere else that keeps results. Each call takes at most 2 seconds and raises `Trouble`, nothing else."""

    def get(self, name: str, most: int) -> bytes | None:
        """Return what is kept under `name`, None if nothing is; more than `most` bytes are trouble, and not read."""

    def put_new(self, name: str, data: bytes) -> bool:
        """Keep `data` under `name`; return False if something is kept there already, which stays."""

    def names(self, prefix: str, most: int) -> list[str]:
        """Return at most so many names that begin with the folder `prefix`."""


class ObjectShelf:
    """The `Shelf` at an address, by obstore, opened with the first call; `writable` creates a missing folder."""

    def __init__(
        self, address: Address, environ: Mapping[str, str], *, login: str = "", writable: bool = False
    ) -> None:
        self._open: Callable[[], Any] = lambda: _open(address, environ, login, writable=writable)

    @cached_property
    def _store(self) -> Any:  # noqa: ANN401  obstore's stores have no common class
        return self._open()

    def get(self, name: str, most: int) -> bytes | None:
        """Return what is kept under `name`."""
        with _as_trouble():
            try:
                found = obstore.get(self._store, name)
            except FileNotFoundError as error:
                _require_bucket(error)
                return None
            size = found.meta["size"]
            if size > most:
                raise Trouble(f"an answer of {size} bytes")
            return bytes(found.bytes())

    def put_new(self, name: str, data: bytes) -> bool:
        """Keep `data` under `name`, unless something is kept there."""
        with _as_trouble():
            try:
                obstore.put(self._store, name, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
            except NotImplementedError:  # WebDAV
                return self._put_unless_there(name, data)
        return True

    def names(self, prefix: str, most: int) -> list[str]:
        """Return at most so many names below `prefix`."""
        with _as_trouble():
            for found in obstore.list(self._store, prefix, chunk_size=most):
                return [row["path"] for row in found][:most]
        return []

    def _put_unless_there(self, name: str, data: bytes) -> bool:
        try:
            obstore.get(self._store, name)
        except FileNotFoundError:
            obstore.put(self._store, name, data, use_multipart=False)
            return True
        return False


def _open(address: Address, environ: Mapping[str, str], login: str, *, writable: bool) -> Any:  # noqa: ANN401  as above
    from obstore.store import AzureStore, GCSStore, HTTPStore, LocalStore, S3Store

    if address.scheme == "file":
        return LocalStore(address.folder, mkdir=writable)
    client: dict[str, Any] = {**CLIENT, "allow_http": address.plain(environ)}
    if address.scheme in ("http", "https"):
        client |= {"default_headers": {"authorization": address.authorization(login)}} if login else {}
        return HTTPStore(address.url, client_options=client, retry_config=RETRIES)  # type: ignore[arg-type]
    kinds: dict[str, Any] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
    options: dict[str, Any] = {"prefix": address.prefix or None, "client_options": client, "retry_config": RETRIES}
    # Without this obstore asks an address of the network for credentials.
    options |= {"skip_signature": True} if address.anonymous(environ) else {}
    with _without_empty_variables():
        return kinds[address.scheme](address.bucket, **options)


@contextlib.contextmanager
def _without_empty_variables() -> Iterator[None]:
    """Hide empty variables while obstore reads the environment: GitHub gives forks such, and they mean none."""
    empty = [name for name, value in os.environ.items() if not value and name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]
    for name in empty:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(dict.fromkeys(empty, ""))


@contextlib.contextmanager
def _as_trouble() -> Iterator[None]:
    """Raise everything as `Trouble`. In a forked child no call is made: its first one would never return."""
    if not _runtime:
        _runtime.append(os.getpid())
    if _runtime[0] != os.getpid():
        raise Trouble("a process that was forked")
    try:
        yield
    except (Trouble, KeyboardInterrupt, SystemExit):
        raise
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise Trouble(status(error) or "no permission", refused=True) from None
    except BaseException as error:  # noqa: BLE001  obstore's panics are no Exception
        raise Trouble(reason(error)) from None


def _require_bucket(error: FileNotFoundError) -> None:
    if NO_BUCKET.search(str(error)):
        raise Trouble("no such bucket") from None
