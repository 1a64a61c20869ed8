"""Signed entries: whoever has the secret makes them, and whoever knows the public key can tell that they are genuine.

A blob is `first line | key id (8 bytes) | ed25519 signature (64 bytes) | record`. Signed is `first line | key id |
SHA-256 of name and record`, so that a blob that is changed, cut off or stored under another name is not genuine.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

VERSION = b"imgshrink shared 1\n"
ID = 8
SIGNATURE = 64
HEAD = len(VERSION) + ID + SIGNATURE
KEY = 32
"""Bytes of a public key and of a secret, https://www.rfc-editor.org/rfc/rfc8032#section-5.1"""

SECRET_PREFIX = "imgshrink_secret_"  # noqa: S105  it tells a secret from a public key, and scanners find it
_SIGNED_ID = slice(len(VERSION), len(VERSION) + ID)
_SIGNED = slice(len(VERSION) + ID, HEAD)


class Doubt(str, Enum):
    """Why a blob is not believed."""

    UNSIGNED = "unsigned"
    UNKNOWN = "signed with another key"
    FORGED = "changed after it was signed"


class InvalidKey(ValueError):
    """A text is no key. It is never quoted: it may be a secret at the wrong place."""


@dataclass(frozen=True)
class Genuine:
    """The record of a blob, and the id of the key that signed it."""

    key_id: str
    record: bytes


class Signer:
    """Signs records. Nothing that it shows holds the secret."""

    __slots__ = ("_private", "_public")

    def __init__(self, secret: str) -> None:
        """Read a secret of `new_secret`; raises `InvalidKey`."""
        text = secret.strip()
        if not text.startswith(SECRET_PREFIX):
            raise InvalidKey("no secret that `imgshrink cache keygen` made")
        self._private = Ed25519PrivateKey.from_private_bytes(_key(text.removeprefix(SECRET_PREFIX)))
        self._public = self._private.public_key().public_bytes_raw()

    @property
    def public(self) -> str:
        """The public key, as text of 43 characters."""
        return _text(self._public)

    @property
    def key_id(self) -> str:
        """The id of the key, as 16 hex digits."""
        return _id(self._public).hex()

    def seal(self, name: str, record: bytes) -> bytes:
        """Return the blob of `record` under `name`."""
        key_id = _id(self._public)
        return VERSION + key_id + self._private.sign(_message(key_id, name, record)) + record


class Keyring:
    """The public keys that are believed, by id."""

    def __init__(self, keys: Iterable[str]) -> None:
        """Read public keys as text; raises `InvalidKey`."""
        publics = [_key(key) for key in keys]
        self._keys = {_id(public): Ed25519PublicKey.from_public_bytes(public) for public in publics}

    @property
    def ids(self) -> tuple[str, ...]:
        """The id of each key, as 16 hex digits."""
        return tuple(key_id.hex() for key_id in self._keys)

    def unseal(self, name: str, blob: bytes) -> Genuine | Doubt:
        """Return the record in `blob` if one of the keys has signed it for `name`; never raises."""
        if len(blob) < HEAD or not blob.startswith(VERSION):
            return Doubt.UNSIGNED
        key_id, record = blob[_SIGNED_ID], blob[HEAD:]
        public = self._keys.get(key_id)
        if public is None:
            return Doubt.UNKNOWN
        try:
            public.verify(blob[_SIGNED], _message(key_id, name, record))
        except InvalidSignature:
            return Doubt.FORGED
        return Genuine(key_id.hex(), record)


def new_secret() -> str:
    """Return a new secret as text."""
    return SECRET_PREFIX + _text(secrets.token_bytes(KEY))


def _message(key_id: bytes, name: str, record: bytes) -> bytes:
    encoded = name.encode("utf-8", "surrogatepass")
    hashed = hashlib.sha256(len(encoded).to_bytes(8, "big") + encoded)
    hashed.update(record)
    return VERSION + key_id + hashed.digest()


def _id(public: bytes) -> bytes:
    return hashlib.sha256(public).digest()[:ID]


def _text(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode("ascii").rstrip("=")


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text.strip() + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY:
        raise InvalidKey("no key of 43 letters, digits, - and _")
    return key
