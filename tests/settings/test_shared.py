"""The shared cache's settings: where they may stand, who may write, and that no secret is shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from imgshrink.cli.values import in_words
from imgshrink.core.errors import SettingsError
from imgshrink.settings.folders import config_folder
from imgshrink.settings.load import load
from imgshrink.settings.schema import Settings
from imgshrink.settings.shared import SYSTEMS, why_unused

KEY = "A" * 43
OTHER = "b-_" * 14 + "c"
SECRET = f"imgshrink_secret_{'s' * 43}"
URL = "s3://bucket/folder"
PUSH = {"GITHUB_ACTIONS": "true", "CI": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_REF_PROTECTED": "true"}
GITLAB = {"GITLAB_CI": "true", "CI": "true", "CI_COMMIT_REF_PROTECTED": "true"}


def loaded(start: Path, environ: Mapping[str, str] | None = None, **more: object) -> Settings:
    """Load at `start`."""
    return load(start, environ=dict(os.environ) | dict(environ or {}), **more)  # type: ignore[arg-type]


def test_environment_and_command_line(repository: Path) -> None:
    """Both are read from the environment, and from the command line, which wins; empty variables are none."""
    environ = {"IMGSHRINK_SHARED_URL": f" {URL}/ ", "IMGSHRINK_SHARED_KEY": f"{KEY}, {OTHER}"}
    settings = loaded(repository, environ)
    assert (settings.shared_url, settings.shared_key) == (URL, (KEY, OTHER))
    assert settings.sources["shared_url"] == "IMGSHRINK_SHARED_URL"
    settings = loaded(repository, environ, arguments={"shared_url": "file:///x", "shared_key": OTHER})
    assert (settings.shared_url, settings.shared_key) == ("file:///x", (OTHER,))
    empty = dict.fromkeys((*environ, "IMGSHRINK_SHARED_SECRET", "IMGSHRINK_SHARED_LOGIN"), "")
    settings = loaded(repository, empty)
    assert (settings.shared_url, settings.shared_key, settings.shared.unused) == (None, (), "")


def test_own_file(repository: Path, home: Path) -> None:
    """The user's own config.toml may hold both; environment and command line win."""
    file = config_folder(os.environ) / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f'shared_url = "{URL}"\nshared_key = ["{KEY}"]\napi_key = "own"\n')
    file.chmod(0o600)
    settings = loaded(repository)
    assert (settings.shared_url, settings.shared_key, settings.api_key) == (URL, (KEY,), "own")
    assert settings.sources["shared_url"] == f"shared_url in {file}"
    assert loaded(repository, {"IMGSHRINK_SHARED_URL": "file:///x"}).shared_url == "file:///x"
    file.write_text(f'shared_secret = "{SECRET}"\n')
    problem = loaded(repository).account_problem
    assert "it is read from the environment alone" in problem
    assert SECRET not in problem


@pytest.mark.parametrize("name", ["shared_url", "shared-key", "IMGSHRINK_SHARED_URL", "shared_secret", "shared_login"])
@pytest.mark.parametrize("place", ["imgshrink.toml", "pyproject.toml", "mkdocs.yml"])
def test_files_of_the_repository(repository: Path, name: str, place: str) -> None:
    """A file of the repository that sets one is an error with the cure, and without the value."""
    mkdocs = {name: "the-value"} if place == "mkdocs.yml" else None
    if mkdocs is None:
        table = "[tool.imgshrink]\n" if place == "pyproject.toml" else ""
        (repository / place).write_text(f'{table}{name} = "the-value"\n')
    with pytest.raises(SettingsError) as caught:
        loaded(repository, mkdocs=mkdocs)
    variable = "IMGSHRINK_" + name.lower().replace("-", "_").removeprefix("imgshrink_").upper()
    assert str(caught.value).startswith(f"{name} in ")
    assert "can't be set there, where" in str(caught.value)
    assert f"set the environment variable {variable}" in str(caught.value)
    assert ("config.toml" in str(caught.value)) == ("secret" not in name and "login" not in name)
    assert "the-value" not in str(caught.value)


def test_the_secret_is_no_argument(repository: Path) -> None:
    """A secret on a command line would be in the list of processes: it is refused, unquoted."""
    with pytest.raises(SettingsError, match="set the environment variable IMGSHRINK_SHARED_SECRET") as caught:
        loaded(repository, arguments={"shared_secret": SECRET})
    assert SECRET not in str(caught.value)


ADDRESSES = [
    "s3://b",
    "s3://b/a/b",
    "gs://b/x",
    "az://c",
    "https://h:8443/dav",
    "http://127.0.0.1:80/x",
    "file:///tmp/x",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses(repository: Path, address: str) -> None:
    """Each kind of address is taken."""
    assert loaded(repository, {"IMGSHRINK_SHARED_URL": address}).shared_url == address


WRONG = [
    "bucket", "ftp://h/x", "s3:///x", "file://host/x", "file://", "http://h/x", "https://user:hunter2@h/x", "//h",
    "https://h/x?token=hunter2", "https://h/#hunter2", "https://[hunter2/x", "https://",
]  # fmt: skip


@pytest.mark.parametrize("address", WRONG)
def test_wrong_addresses(repository: Path, address: str) -> None:
    """A wrong address is an error that says what is taken, and quotes nothing."""
    with pytest.raises(SettingsError, match=r"^IMGSHRINK_SHARED_URL, which must ") as caught:
        loaded(repository, {"IMGSHRINK_SHARED_URL": address})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("keys", ["x", KEY[:-1], KEY + "A", KEY[:-1] + "=", f"{KEY} {OTHER} {'c' * 43}", SECRET])
def test_wrong_keys(repository: Path, keys: str) -> None:
    """What is no public key, or more than two, is an error that quotes nothing: it may be the secret."""
    with pytest.raises(SettingsError, match=r"^IMGSHRINK_SHARED_KEY, which ") as caught:
        loaded(repository, {"IMGSHRINK_SHARED_KEY": keys})
    assert keys == "x" or keys not in str(caught.value)


@pytest.mark.parametrize("value", [3, [3], {}, []])
def test_wrong_types(repository: Path, value: object) -> None:
    """Neither an address nor keys are anything but text."""
    for name in ("shared_url", "shared_key"):
        with pytest.raises(SettingsError, match=f"^--{name.replace('_', '-')}, which must "):
            loaded(repository, arguments={name: value})


WRITERS = {
    "no CI": {},
    "a CI that is none": {"CI": "false", "READTHEDOCS": ""},
    "push to a protected branch on GitHub": PUSH,
    "push to a protected branch on GitLab": GITLAB,
}
NO_WRITERS = {
    "pull request": PUSH | {"GITHUB_EVENT_NAME": "pull_request"},
    "pull_request_target": PUSH | {"GITHUB_EVENT_NAME": "pull_request_target"},
    "schedule": PUSH | {"GITHUB_EVENT_NAME": "schedule"},
    "branch without protection": PUSH | {"GITHUB_REF_PROTECTED": "false"},
    "tag": PUSH | {"GITHUB_REF_TYPE": "tag"},
    "nothing said": {"GITHUB_ACTIONS": "true"},
    "merge request": GITLAB | {"CI_MERGE_REQUEST_IID": "7"},
    "branch without protection on GitLab": GITLAB | {"CI_COMMIT_REF_PROTECTED": "false"},
    **{f"another CI: {name}": {name: "1"} for name in SYSTEMS},
}


@pytest.mark.parametrize("environ", WRITERS.values(), ids=WRITERS)
def test_who_may_write(repository: Path, environ: dict[str, str]) -> None:
    """A secret is used outside of CI, and for pushes to protected branches."""
    settings = loaded(repository, environ | {"IMGSHRINK_SHARED_SECRET": f"{SECRET}\n"})
    assert (settings.shared.secret, settings.shared.unused) == (SECRET, "")


@pytest.mark.parametrize("environ", NO_WRITERS.values(), ids=NO_WRITERS)
def test_who_may_not_write(repository: Path, environ: dict[str, str]) -> None:
    """Everywhere else a secret is kept unused, and that is said."""
    settings = loaded(repository, environ | {"IMGSHRINK_SHARED_SECRET": SECRET})
    assert settings.shared.secret is None
    assert "IMGSHRINK_SHARED_SECRET is kept unused: " in settings.shared.unused
    assert why_unused({}, SECRET) == ""


def test_no_secret(repository: Path) -> None:
    """What is no secret is not used, said, and not quoted."""
    shared = loaded(repository, {"IMGSHRINK_SHARED_SECRET": SECRET[:-1]}).shared
    assert shared.secret is None
    assert shared.unused == "IMGSHRINK_SHARED_SECRET is no secret that `imgshrink cache keygen` made"


def test_no_representation_holds_a_secret(repository: Path) -> None:
    """Neither settings nor what shows them holds the secret or the login."""
    environ = {"IMGSHRINK_SHARED_SECRET": SECRET, "IMGSHRINK_SHARED_LOGIN": "user:hunter2"}
    settings = loaded(repository, environ | {"IMGSHRINK_SHARED_URL": URL})
    assert settings.shared.login == "user:hunter2"
    shown = repr(settings) + repr(settings.shared) + "".join(in_words(settings, name) for name in settings.sources)
    assert URL in shown
    assert SECRET not in shown
    assert "hunter2" not in shown
