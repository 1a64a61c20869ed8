"""The settings: one frozen value, and where each part of it came from. Importing this imports nothing slow."""

from __future__ import annotations

from .fields import Override, Settings, fields_of
from .folders import cache_folder, config_folder, state_folder
from .load import load

__all__ = ["Override", "Settings", "cache_folder", "config_folder", "fields_of", "load", "state_folder"]
