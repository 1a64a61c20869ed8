"""Extended attributes and access control lists, carried from one open file to another. Linux; nothing elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress

ACCESS_LIST = "system.posix_acl_access"
# They are bound to the old bytes, or grant rights that no image needs: https://man7.org/linux/man-pages/man7/xattr.7.html
_NEVER = frozenset({"security.ima", "security.evm", "security.capability"})


def read_attributes(file: int) -> dict[str, bytes]:
    """Return the attributes of an open file by name; none where the system or the file system has none."""
    found: dict[str, bytes] = {}
    if sys.platform == "linux":
        with suppress(OSError):
            for name in os.listxattr(file):
                with suppress(OSError):
                    found[name] = os.getxattr(file, name)
    return found


def carry_attributes(file: int, wanted: Mapping[str, bytes]) -> None:
    """Give an open file the attributes `wanted`, and its access control list or none.

    A new file may have inherited a list from its folder, which would give rights that the old file did not give. Raises
    `OSError` where the user's own attributes or the list can't be set; those of the system are set where permitted.
    """
    if sys.platform == "linux":
        present = read_attributes(file)
        if ACCESS_LIST in present and ACCESS_LIST not in wanted:
            os.removexattr(file, ACCESS_LIST)
        for name, value in wanted.items():
            if name not in _NEVER and present.get(name) != value:
                _set(file, name, value)


def _set(file: int, name: str, value: bytes) -> None:
    if sys.platform == "linux":
        try:
            os.setxattr(file, name, value)
        except OSError as error:
            if name == ACCESS_LIST or name.startswith("user."):
                what = "its access control list" if name == ACCESS_LIST else f"its attribute {name}"
                raise OSError(error.errno, f"{what} can't be carried over ({error.strerror})") from error
