"""The caches of a session: that of this machine, and around it the shared one where its settings want it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from .core.errors import SettingsError
from .core.model import Note
from .image.limits import VERIFY_VERSION

if TYPE_CHECKING:
    from .cache import Cache
    from .cache.local import LocalCache
    from .cache.opening import Wanted
    from .cache.shared import SharedCache
    from .settings.schema import Settings

WITHOUT = "went on without the shared cache"
IN_A_HOOK = "additional_dependencies: [obstore, cryptography] in .pre-commit-config.yaml"


@dataclass(frozen=True)
class Tier:
    """A shared cache, or None and `problem`: why it is not used. `hint` is another line about it, or ""."""

    cache: SharedCache | None = None
    problem: str = ""
    hint: str = ""

    def notes(self) -> Iterator[Note]:
        """Yield the lines of a run. None fails a strict one: forks may have an empty key."""
        if self.cache is not None and (summary := self.cache.summary()):
            yield Note(f"shared cache: {summary}", failure=False)
        if self.hint:
            yield Note(self.hint, failure=False)
        if self.problem:
            yield Note(f"{self.problem}; {WITHOUT}", failure=False)


def wanted_tier(settings: Settings) -> Wanted | None:
    """Return what the settings say of the shared cache, None where they name none."""
    if settings.shared_url is None:
        return None
    from .cache.opening import INSTALL, Wanted

    shared, install = settings.shared, IN_A_HOOK if settings.frontend == "hook" else INSTALL
    return Wanted(settings.shared_url, settings.shared_key, shared.secret or "", shared.login or "", install)


def open_tier_of(settings: Settings, local: LocalCache, stop: threading.Event) -> Tier:
    """Return the shared cache around `local`, none where none is set; nothing is raised for what is wrong with it."""
    wanted, hint = wanted_tier(settings), settings.shared.unused
    if wanted is None:
        return Tier()
    from .cache.opening import open_shared

    try:
        cache = open_shared(wanted, local, size=settings.cache_size, verify_version=VERIFY_VERSION, stop=stop)
    except SettingsError as error:
        return Tier(problem=str(error), hint=hint)
    return Tier(cache, hint=hint)


class Caches:
    """The part of a session that holds its caches; each is created when it is first needed."""

    settings: Settings
    stop: threading.Event

    @cached_property
    def local_cache(self) -> LocalCache:
        """The cache of this user on this machine, shared by all frontends and projects."""
        from .cache.local import LocalCache

        return LocalCache(self.settings.cache_dir, size=self.settings.cache_size, verify_version=VERIFY_VERSION)

    @cached_property
    def cache(self) -> Cache:
        """The cache of this machine, and the shared one around it where one is set."""
        return self.tier.cache or self.local_cache

    @cached_property
    def tier(self) -> Tier:
        """The shared cache, if one is set."""
        return open_tier_of(self.settings, self.local_cache, self.stop)
