"""Opens the shared cache where one is set, and says why there is none where it can't be used."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import SettingsError
from .local import LocalCache

if TYPE_CHECKING:
    from .shared import SharedCache
    from .shelf import ObjectShelf
    from .signature import Keyring, Signer

FOLDER = "shared"
INSTALL = "pip install 'imgshrink[shared]'"


@dataclass(frozen=True)
class Wanted:
    """What the settings say of the shared cache; `secret` and `login` are empty where there is none.

    `install` says how a person installs what it needs.
    """

    url: str
    keys: tuple[str, ...] = ()
    secret: str = field(default="", repr=False)
    login: str = field(default="", repr=False)
    install: str = INSTALL


@dataclass(frozen=True)
class Opened:
    """The parts of a shared cache, opened without a call to it; `signer` is None for those that may not write."""

    shelf: ObjectShelf
    keyring: Keyring
    signer: Signer | None


def open_parts(wanted: Wanted) -> Opened:
    """Return the parts of the shared cache that is set; raises `SettingsError` that says what is wrong with it."""
    try:
        from .shelf import Address, ObjectShelf
        from .signature import InvalidKey, Keyring, Signer
    except ImportError as error:
        raise SettingsError(f"shared_url is set, and {error.name} is not installed: {wanted.install}") from None
    try:
        signer = Signer(wanted.secret) if wanted.secret else None
        keys = wanted.keys or ((signer.public,) if signer else ())
        keyring = Keyring(keys)
        shelf = ObjectShelf(Address(wanted.url), os.environ, login=wanted.login, writable=signer is not None)
    except InvalidKey as error:
        raise SettingsError(f"shared_key or IMGSHRINK_SHARED_SECRET is {error}") from None
    if not keys:
        raise SettingsError("shared_url is set, and shared_key is not: nothing there can be believed")
    if signer and signer.public not in keys:
        raise SettingsError("IMGSHRINK_SHARED_SECRET does not belong to shared_key: nobody would believe its results")
    return Opened(shelf, keyring, signer)


def open_shared(
    wanted: Wanted, local: LocalCache, *, size: int, verify_version: int, stop: threading.Event
) -> SharedCache:
    """Return the shared cache around `local`, opened without a call to it; raises `SettingsError`."""
    parts = open_parts(wanted)
    from .shared import SharedCache

    believed = {
        key_id: LocalCache(local.folder / FOLDER / key_id, size=size, verify_version=verify_version)
        for key_id in parts.keyring.ids
    }
    return SharedCache(local, believed, parts.shelf, parts.keyring, signer=parts.signer, stop=stop)


def believed_folders(folder: Path) -> Sequence[Path]:
    """Return the folders below a cache's that hold what came from shared caches, one for each key id."""
    try:
        return sorted(path for path in (folder / FOLDER).glob("*") if os.path.isdir(path))
    except OSError:  # a cache that can't be read is an empty one, and says so itself
        return []
