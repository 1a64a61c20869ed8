"""The file system's one door: finding images, and putting results in their place."""

from .discovery import Discovery, discover
from .patterns import Patterns
from .replacing import replace, sweep, write

__all__ = ["Discovery", "Patterns", "discover", "replace", "sweep", "write"]
