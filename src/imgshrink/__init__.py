"""Shrinks the images of a documentation site once, and only once.

`__all__` is the public API. Everything else is private and may change in any release. Importing the package loads
nothing else: each name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

    from .core.errors import Declined, EngineError, ImgshrinkError, SettingsError
    from .core.model import Accept, Format, Judgement, NotSmaller, Outcome, Refuse, Status
    from .image.seal import read_seal
    from .session import Session
    from .settings.schema import Settings

__version__ = "1.0.0rc1"

__all__ = [
    "Accept",
    "Declined",
    "EngineError",
    "Format",
    "ImgshrinkError",
    "Judgement",
    "NotSmaller",
    "Outcome",
    "Refuse",
    "Session",
    "Settings",
    "SettingsError",
    "Status",
    "load_settings",
    "optimize_bytes",
    "read_seal",
    "verify",
]

_ERRORS, _MODEL = "core.errors", "core.model"
_HOMES = {
    "Accept": _MODEL,
    "Declined": _ERRORS,
    "EngineError": _ERRORS,
    "Format": _MODEL,
    "ImgshrinkError": _ERRORS,
    "Judgement": _MODEL,
    "NotSmaller": _MODEL,
    "Outcome": _MODEL,
    "Refuse": _MODEL,
    "Session": "session",
    "Settings": "settings.schema",
    "SettingsError": _ERRORS,
    "Status": _MODEL,
    "read_seal": "image.seal",
}
"""The module of each name that is not defined here."""


def optimize_bytes(data: bytes, quality: int = 80) -> bytes:
    """Return the image in fewer bytes as the built-in codecs make it, or `data` itself where nothing is gained.

    The result has the same format, is verified, and carries no seal. `quality` is 1 to 100; 100 is lossless. An image
    with a valid seal is returned as it is. The codecs run in this process, without the time and memory limits of a
    `Session`. Raises `Declined` for what is no image or is left alone, `EngineError` for pixels that no codec can read,
    `SettingsError` for a wrong quality.
    """
    from .worker_tasks import optimize_verified

    return optimize_verified(data, quality=_checked(quality))


def verify(original: bytes, candidate: bytes, quality: int = 80) -> Judgement:
    """Return whether `candidate` may replace `original`: `Accept`, `NotSmaller` or `Refuse`.

    `quality` is what the candidate was encoded with: a lower one allows a larger difference, and 100 allows none. Both
    are decoded in this process. Raises `SettingsError` for a wrong quality, and nothing else.
    """
    from .core.model import Recipe
    from .pixels.verify import verify as judge

    return judge(original, candidate, Recipe(_checked(quality)))


def load_settings(folder: str | PathLike[str] = ".", **options: object) -> Settings:
    """Return the settings that apply in `folder`: its project file, then the environment, then `options`.

    `options` are named like the settings (`quality=70`); None stands for one that is not given. Raises `SettingsError`
    that names the setting and the values that are allowed.
    """
    import os
    from pathlib import Path

    from .settings.load import load

    return load(Path(folder), environ=os.environ, arguments=options)


def _checked(quality: int) -> int:
    from .core.errors import SettingsError

    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= 100:
        raise SettingsError(f"quality is {quality!r}; it must be a whole number from 1 to 100")
    return quality


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted({*globals(), *__all__})
