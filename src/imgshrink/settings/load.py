"""Loads `Settings`; later sources override earlier ones: defaults, project file, mkdocs.yml, environment, arguments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..core.errors import SettingsError
from .credentials import Account, read_account
from .folders import cache_folder, home, state_folder
from .project import find_project
from .schema import ARGUMENT, ENVIRONMENT, MAX_TIME, MKDOCS, OWN, PROJECT, Settings, fields_of
from .shared import read_secrets
from .source import Source, given_in_environment, read

PRIVATE = "builtin"
IN_PERSON = (ENVIRONMENT, ARGUMENT)


@dataclass(frozen=True)
class Resolved:
    """A value and the source it comes from, until a later source overrides it."""

    value: Any
    source: Source


def load(
    start: Path,
    *,
    frontend: str = "command",
    mkdocs: Mapping[str, object] | None = None,
    environ: Mapping[str, str],
    arguments: Mapping[str, object] | None = None,
    near: Path | None = None,
    here: Path | None = None,
    docs: Path | None = None,
) -> Settings:
    """Return the settings that apply at `start`: a folder, or the mkdocs.yml itself. None as a value means not given.

    `frontend` is plugin, hook or command. The project file is searched from `near` upward, by default from `start`.
    The paths and patterns of environment and arguments are relative to `here`, by default to the folder of `start`.
    `docs` is the docs folder of a site: patterns may be written relative to it too.
    Raises `SettingsError` that names the source, the setting and the cure.
    """
    folder = (start.parent if os.path.isfile(start) else start).absolute()
    project = find_project(near or folder, home(environ))
    account = read_account(environ)
    sources = (
        Source(OWN, account.shared, account.file.parent, str(account.file)),
        Source(PROJECT, project.values, project.folder, str(project.file)),
        Source(MKDOCS, _given(mkdocs), folder, str(start) if os.path.isfile(start) else "mkdocs.yml"),
        *_in_person(environ, arguments, here or folder),
    )
    resolved = {name: Resolved(value, source) for source in sources for name, value in read(source, project.folder)}
    privacy = project.values.get("engine") == PRIVATE
    notes = _keep_private(resolved, sources[1]) if privacy else []
    _clear_overrides(resolved)
    settings = _settings(resolved, frontend, environ, account)

    again = partial(
        load, start, frontend=frontend, mkdocs=mkdocs, environ=environ, arguments=arguments, here=here, docs=docs
    )
    return replace(
        settings, base=project.folder, privacy=privacy, notes=tuple(notes), project_file=project.file,
        home=home(environ), near=lambda folder: again(near=folder), docs=docs, site=folder,
    )  # fmt: skip


def _in_person(environ: Mapping[str, str], arguments: Mapping[str, object] | None, here: Path) -> tuple[Source, ...]:
    """Return the sources of this run alone, whose paths are relative to `here`."""
    return (
        Source(ENVIRONMENT, given_in_environment(environ), here, "the environment"),
        Source(ARGUMENT, _given(arguments), here, "the command line"),
    )


def _given(values: Mapping[str, object] | None) -> Mapping[str, object]:
    return {name: value for name, value in (values or {}).items() if value is not None}


def _settings(
    resolved: Mapping[str, Resolved], frontend: str, environ: Mapping[str, str], account: Account
) -> Settings:
    defaults: dict[str, Any] = {"max_time": MAX_TIME.get(frontend), "cache_dir": cache_folder(environ)}
    sources = {field.name: "default" for field in fields_of()}
    return Settings(
        **defaults | {name: row.value for name, row in resolved.items()},
        frontend=frontend,
        bases={name: row.source.base for name, row in resolved.items()},
        sources=sources | {name: row.source.where(name) for name, row in resolved.items()} | dict(account.sources),
        state_dir=state_folder(environ),
        api_key=account.api_key,
        key_empty=account.key_empty,
        account_problem=account.problem,
        api_url=account.api_url,
        download_hosts=account.download_hosts,
        proxy=account.proxy,
        shared=read_secrets(environ),
    )


def _clear_overrides(resolved: dict[str, Resolved]) -> None:
    """Remove from the overrides what the environment or the command line sets for all images."""
    chosen = [name for name in ("quality", "engine") if name in resolved and resolved[name].source.kind in IN_PERSON]
    if chosen and "overrides" in resolved:
        row = resolved["overrides"]
        kept = tuple(replace(override, **dict.fromkeys(chosen)) for override in row.value)
        resolved["overrides"] = Resolved(kept, row.source)


def _keep_private(resolved: dict[str, Resolved], project: Source) -> list[str]:
    """Undo what later sources changed against `engine = "builtin"` in the project file; return a note for each."""
    notes = []
    if resolved["engine"].value != PRIVATE:
        notes.append(_ignored(resolved["engine"], "engine", project))
        resolved["engine"] = Resolved(PRIVATE, project)
    row = resolved.get("overrides")
    if row is None or not any(override.engine not in (None, PRIVATE) for override in row.value):
        return notes
    if row.source is project:
        raise SettingsError(
            f"{project.name}: engine is builtin, a promise that nothing is uploaded, "
            "and overrides name another engine: remove one of them"
        )
    notes.append(_ignored(row, "overrides", project))
    kept = tuple(replace(override, engine=override.engine and PRIVATE) for override in row.value)
    resolved["overrides"] = Resolved(kept, row.source)
    return notes


def _ignored(row: Resolved, name: str, project: Source) -> str:
    return (
        f"{row.source.where(name)} names another engine, and is ignored: "
        f"engine is builtin in {project.name}, a promise that nothing is uploaded"
    )
