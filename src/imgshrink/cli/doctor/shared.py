"""The shared cache: one look at it, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import SettingsError
from ...report.quoting import shown
from ...settings.shared import SECRET
from ...shared_tier import wanted_tier

if TYPE_CHECKING:
    from ...cache.opening import Opened
    from ...session import Session

MOST = 10
LARGEST = 1 << 16


def shared_cache(session: Session, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:  # noqa: ARG001  the signature of a section
    """Say whether the shared cache answers, whose results it holds, and whether this environment writes to it."""
    wanted, hint = wanted_tier(session.settings), session.settings.shared.unused
    if wanted is None:
        yield "none: shared_url is not set"
        return
    from ...cache.opening import open_parts

    try:
        parts = open_parts(wanted)
    except SettingsError as error:
        yield f"! {error}"
        return
    from ...cache.shelf import Address

    anonymous = Address(wanted.url).anonymous(environ) and not wanted.login
    yield f"{shown(wanted.url)}, {'without' if anonymous else 'with'} credentials"
    yield from _look(parts)
    if hint:
        yield f"! {hint}"
    else:
        yield "results are written to it" if parts.signer else f"it is read only: {SECRET} is not set"


def _look(parts: Opened) -> Iterator[str]:
    from ...cache.shared import announcement
    from ...cache.shelf import Trouble
    from ...cache.signature import Doubt

    for key_id in parts.keyring.ids:
        name = announcement(key_id)
        try:
            blob = parts.shelf.get(name, LARGEST)
        except Trouble as trouble:
            what = "refuses access, or holds nothing yet" if trouble.refused else "does not answer"
            yield f"! it {what} ({trouble}): runs go on without it"
            return
        found = None if blob is None else parts.keyring.unseal(name, blob)
        if isinstance(found, Doubt):
            yield f"! what it answers is {found.value}: runs go on without it"
        elif found is None:
            yield f"! it holds nothing yet that key {key_id} has signed{_others(parts)}"
        else:
            yield f"it holds results that key {key_id} has signed"


def _others(parts: Opened) -> str:
    """Name the keys that have signed something there, as far as names may be listed."""
    from ...cache.shared import announcement
    from ...cache.shelf import Trouble

    try:
        names = parts.shelf.names(announcement("").rstrip("/"), MOST)
    except Trouble:
        return ""
    others = [key_id for name in names if (key_id := name.rpartition("/")[2]) not in parts.keyring.ids]
    return f"; these have: {', '.join(map(shown, others))}" if others else ""
