"""The value and the source of every setting. The API key itself is never shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import SettingsError
from ...report.quoting import shown
from ...settings.folders import config_folder
from ...settings.schema import fields_of
from ..values import in_words

if TYPE_CHECKING:
    from ...session import Session


def settings(session: Session, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:  # noqa: ARG001  the signature of a section
    """Name every setting with its value and its source."""
    chosen = session.settings
    for row in fields_of():
        source = chosen.sources.get(row.name, "default")
        words = row.shown if source == "default" else in_words(chosen, row.name)
        yield f"{row.name:<17}{words} ({shown(source)})"
    yield from (f"! {note}" for note in chosen.notes)


def account(session: Session, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:  # noqa: ARG001  as above
    """Say whether there is an API key, which host it is for, and through which proxy."""
    chosen = session.settings
    if chosen.account_problem:
        yield f"! {shown(chosen.account_problem)}"
    elif chosen.api_key:
        try:
            yield f"a key is set ({chosen.sources['api_key']}), for {session.hosted.host}"
        except SettingsError as error:  # an address may hold a password
            yield f"! a key is set ({chosen.sources['api_key']}), but {error}"
    elif chosen.key_empty:
        yield "TINYJPG_API_KEY is set and empty (usual on forks): API results come from the cache only"
    else:
        yield "no key: images go to the built-in codecs" + (
            ", but engine is hosted" if chosen.engine == "hosted" else ""
        )
        yield f"a key may stand in TINYJPG_API_KEY, or in {shown(config_folder(environ) / 'config.toml')}"
    if chosen.proxy:
        yield f"connections go through a proxy ({chosen.sources['proxy']})"
    elif chosen.api_key and (environ.get("HTTPS_PROXY") or environ.get("https_proxy")):
        yield "HTTPS_PROXY is not used: TINYJPG_PROXY names a proxy for the API"
    if chosen.privacy:
        yield "nothing is uploaded: engine is builtin in the project file"
