"""One source of settings: checks its values against the table; errors name the place and the cure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import SettingsError
from .credentials import PREFIX as ACCOUNT_PREFIX
from .credentials import belongs_to_account
from .parsers import InvalidPart, InvalidValue, RawValue, shown_value
from .schema import ARGUMENT, ENVIRONMENT, MKDOCS, PREFIX, PROJECT, Field, fields_of
from .shared import belongs_to_shared, is_private

SERVER = ("log_format", "metrics_token", "database", "blobs")
"""Variables of `imgshrink server`, which are no settings."""

# Kubernetes sets them in every container beside a service called imgshrink or imgshrink-..., Docker for linked ones:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_OF_A_SERVICE = re.compile(r"(?:.+_)?(?:service_host|service_port(?:_.+)?|port(?:_\d+_(?:tcp|udp|sctp)(?:_[a-z]+)?)?)")


@dataclass(frozen=True)
class Source:
    """A place that settings come from; its paths are relative to `base`, and messages call it `name`."""

    kind: str
    values: Mapping[str, object]
    base: Path
    name: str

    @property
    def repository(self) -> bool:
        """Whether this source is a file of the repository."""
        return self.kind in (PROJECT, MKDOCS)

    def where(self, setting: str) -> str:
        """Return what messages call one setting of this source."""
        if self.kind == ENVIRONMENT:
            return PREFIX + setting.upper()
        if self.kind == ARGUMENT:
            return "--" + setting.replace("_", "-")
        return f"{setting} in {self.name}"


def given_in_environment(environ: Mapping[str, str]) -> dict[str, object]:
    """Return the values of the variables IMGSHRINK_* by setting; an empty one counts as not set."""
    given = {name.removeprefix(PREFIX).lower(): name for name in environ if name.startswith(PREFIX)}
    return {
        name: environ[variable]
        for name, variable in given.items()
        if environ[variable].strip() and not (is_private(variable) or name in SERVER or _OF_A_SERVICE.fullmatch(name))
    }


def read(source: Source, project: Path) -> Iterator[tuple[str, object]]:
    """Yield every setting of `source`, parsed. Paths in a file of the repository must lie inside `project`."""
    known = {field.name: field for field in fields_of(source.kind)}
    for name, value in source.values.items():
        if name not in known:
            raise SettingsError(_unknown(source, name, known))
        yield (
            name,
            _parsed(
                source,
                known[name],
                RawValue(value, not source.repository, source.base, project if source.repository else None),
            ),
        )


def _parsed(source: Source, field: Field, given: RawValue) -> object:
    try:
        return field.parse(given)
    except InvalidPart as error:
        raise SettingsError(f"{source.where(field.name)}, {error}") from None
    except InvalidValue as error:
        raise SettingsError(f"{source.where(field.name)} is {shown_value(given.value)}; it must be {error}") from None


def _unknown(source: Source, name: str, known: Iterable[str]) -> str:
    if belongs_to_account(name):
        return _account(source, name)
    if belongs_to_shared(name):
        return _shared(source, name)
    if name in {field.name for field in fields_of()}:
        return f"{source.where(name)} has no meaning there: set it in {_belongs(name)}"
    from difflib import get_close_matches

    near = get_close_matches(name.lower().replace("-", "_"), list(known), n=1, cutoff=0.5)
    cure = f"did you mean {source.where(near[0]).split(' ')[0]}?" if near else f"known are {', '.join(known)}"
    return f"{source.where(name)} is not a setting of imgshrink: {cure}"


def _belongs(name: str) -> str:
    field = next(field for field in fields_of() if field.name == name)
    places = {PROJECT: "imgshrink.toml", MKDOCS: "mkdocs.yml", ENVIRONMENT: f"the variable {field.variable}"}
    return " or ".join(words for place, words in places.items() if place in field.places)


def _account(source: Source, name: str) -> str:
    variable = ACCOUNT_PREFIX + name.lower().replace("-", "_").removeprefix(ACCOUNT_PREFIX.lower()).upper()
    return (
        f"{source.where(name)} can't be set there, where a change to the repository could send your key elsewhere: "
        f"set the environment variable {variable}, or put it into your own config.toml"
    )


def _shared(source: Source, name: str) -> str:
    variable = PREFIX + name.lower().replace("-", "_").removeprefix(PREFIX.lower()).upper()
    cure = f"set the environment variable {variable}"
    if is_private(name):
        return f"{source.where(name)} can't be set there, where others can read it: {cure}"
    return (
        f"{source.where(name)} can't be set there, where a change to the repository could make all projects of this "
        f"machine believe foreign results: {cure}, or put it into your own config.toml"
    )
