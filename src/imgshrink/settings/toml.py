"""Reads TOML files, with errors that name the file and the line."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path

from ..core.errors import SettingsError


def read_toml(file: Path) -> Mapping[str, object]:
    """Return the tables of `file`; raises `SettingsError` that names the file and the line."""
    return parse_toml(file, read(file))


def read(file: Path) -> bytes:
    """Return the bytes of `file`; raises `SettingsError` where it can't be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise SettingsError(f"{file} can't be read: {error.strerror}") from error


def parse_toml(file: Path, data: bytes) -> Mapping[str, object]:
    """Return the tables in `data`, the content of `file`."""
    import tomllib

    try:
        return tomllib.loads(text_of(data))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{file}: line {line} is not UTF-8") from error
    except RecursionError as error:
        raise SettingsError(f"{file} is not valid TOML: it is nested too deeply") from error
    except ValueError as error:  # a number of too many digits is no TOMLDecodeError
        raise SettingsError(f"{file} is not valid TOML: {error}") from error


def text_of(data: bytes) -> str:
    """Return the text of a file in UTF-8, without the byte order mark that editors on Windows put in front."""
    return data.removeprefix(codecs.BOM_UTF8).decode()
