"""Settings: every source, its precedence, and errors that name the place and the cure."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from imgshrink.core.errors import SettingsError
from imgshrink.settings.folders import cache_folder, config_folder, state_folder
from imgshrink.settings.load import load
from imgshrink.settings.schema import Override, Settings, fields_of

CASES: list[tuple[str, object, str, object]] = [
    # setting, as a file writes it, as text writes it, value
    ("engine", "builtin", "builtin", "builtin"),
    ("quality", 100, "100", 100),
    ("min_saving", 2.5, "2.5", 2.5),
    ("min_saving", "5 %", "5%", 5.0),
    ("min_size", 0, "0", 0),
    ("min_size", "4KiB", "4KiB", 4096),
    ("seal", "none", "none", "none"),
    ("include", ["*.png"], "*.png", ("*.png",)),
    ("exclude", "a.png\n\nb/**\n", "a.png, b/**".replace(", ", ","), ("a.png", "b/**")),
    ("jobs", 3, "3", 3),
    ("max_uploads", 0, "0", 0),
    ("max_time", "10m", "10m", 600.0),
    ("max_time", "1.5 h", "1.5h", 5400.0),
    ("max_time", 90, "90s", 90.0),
    ("max_time", "none", "none", None),
    ("cache_size", "500MB", "500MB", 500_000_000),
    ("cache_size", "2GiB", "2 gib", 2 * 1024**3),
    ("strict", True, "yes", True),
]

WRONG: list[tuple[str, object, str]] = [
    ("engine", "Hosted!", "auto, hosted or builtin"),
    ("quality", 0, "a whole number from 1 to 100"),
    ("quality", 101, "a whole number from 1 to 100"),
    ("quality", 80.5, "a whole number from 1 to 100"),
    ("quality", "80", "a whole number from 1 to 100"),
    ("quality", True, "a whole number from 1 to 100"),
    ("quality", float("inf"), "a whole number from 1 to 100"),
    ("min_saving", 100, "a number from 0 to below 100"),
    ("min_saving", "much", "a number from 0 to below 100"),
    ("min_size", -1, "a size such as"),
    ("min_size", "4 iB", "a size such as"),
    ("seal", "some", "all, outputs or none"),
    ("include", 3, "a list of gitignore patterns"),
    ("exclude", ["a", 3], "a list of gitignore patterns"),
    ("jobs", 0, "a whole number from 1"),
    ("max_time", 0, "a time such as"),
    ("max_time", "soon", "a time such as"),
    ("cache_dir", "", "a path"),
    ("cache_dir", "../cache", "inside "),
    ("cache_dir", "/tmp/cache", "inside "),
    ("cache_dir", ".", "inside "),
    ("cache_size", "2 apples", "a size such as"),
    ("strict", "true", "true or false"),
    ("strict", 1, "true or false"),
    ("report", "report.txt", "a file that ends in .json, .md or .html"),
    ("report", "../report.md", "inside "),
    ("overrides", "photos", "a list"),
]


@pytest.fixture
def repository(repository: Path) -> Path:
    """A repository with a docs folder."""
    (repository / "docs").mkdir()
    return repository


def loaded(start: Path, toml: str | None = None, environ: Mapping[str, str] | None = None, **more: Any) -> Settings:
    """Load at `start`, with `toml` as the content of its imgshrink.toml."""
    if toml is not None:
        (start / "imgshrink.toml").write_text(toml, encoding="utf-8")
    return load(start, environ={"HOME": os.environ["HOME"]} | dict(environ or {}), **more)


@pytest.mark.parametrize(("name", "typed", "_text", "value"), CASES)
def test_mkdocs_values_are_typed(repository: Path, name: str, typed: object, _text: str, value: object) -> None:
    """Every setting is read from mkdocs.yml in the types of YAML."""
    assert getattr(loaded(repository, mkdocs={name: typed}), name) == value


@pytest.mark.parametrize(("name", "_typed", "text", "value"), CASES)
@pytest.mark.parametrize("place", ["environment", "argument"])
def test_text_values_are_parsed(
    repository: Path, place: str, name: str, _typed: object, text: str, value: object
) -> None:
    """Every setting is read from the environment and from an argument as text, with the same result."""
    if place == "environment":
        settings = loaded(repository, environ={f"IMGSHRINK_{name.upper()}": text})
    else:
        settings = loaded(repository, arguments={name: text})
    assert getattr(settings, name) == value


@pytest.mark.parametrize(("name", "value", "allowed"), WRONG)
def test_wrong_value_names_place_value_and_what_is_allowed(
    repository: Path, name: str, value: object, allowed: str
) -> None:
    """A wrong value is an error that names the setting, its source, the value, and what is allowed."""
    with pytest.raises(SettingsError) as error:
        loaded(repository, mkdocs={name: value})
    assert str(error.value).startswith(f"{name} in mkdocs.yml is ")
    assert f"it must be {allowed}" in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "environ", "text"),
    [
        ({"quality": "high"}, {}, "--quality is 'high'; it must be a whole number from 1 to 100"),
        ({}, {"IMGSHRINK_QUALITY": "nan"}, "IMGSHRINK_QUALITY is 'nan'; it must be a whole number from 1 to 100"),
        ({}, {"IMGSHRINK_ON_SERVE": "x"}, "IMGSHRINK_ON_SERVE is 'x'; it must be false, cache or true"),
        (
            {"min_size": "9" * 90},
            {"IMGSHRINK_STRICT": "maybe"},
            "IMGSHRINK_STRICT is 'maybe'; it must be true or false",
        ),
    ],
)
def test_wrong_text_names_variable_or_option(
    repository: Path, arguments: dict[str, object], environ: dict[str, str], text: str
) -> None:
    """A wrong value in the environment or an argument is named by the variable or the option."""
    with pytest.raises(SettingsError) as error:
        loaded(repository, environ=environ, arguments=arguments)
    assert str(error.value) == text


def test_long_value_is_cut(repository: Path) -> None:
    """An error quotes at most the beginning of a long value."""
    with pytest.raises(SettingsError, match=r"is 'x{79}\.\.\.; it must be"):
        loaded(repository, mkdocs={"engine": "x" * 5000})


def test_later_source_wins(repository: Path) -> None:
    """Defaults < project file < mkdocs.yml < environment < arguments, and each source is named."""
    toml = "quality = 10\nmin_size = 10\njobs = 10\nmax_uploads = 10\n"
    mkdocs = {"min_size": 20, "jobs": 20, "max_uploads": 20, "exclude": None}
    environ = {"IMGSHRINK_JOBS": "30", "IMGSHRINK_MAX_UPLOADS": "30", "IMGSHRINK_SEAL": ""}
    settings = loaded(repository, toml, environ, mkdocs=mkdocs, arguments={"max_uploads": "40", "seal": None})
    assert (settings.quality, settings.min_size, settings.jobs, settings.max_uploads) == (10, 20, 30, 40)
    assert settings.sources["quality"] == f"quality in {repository / 'imgshrink.toml'}"
    assert settings.sources["min_size"] == "min_size in mkdocs.yml"
    assert settings.sources["jobs"] == "IMGSHRINK_JOBS"
    assert settings.sources["max_uploads"] == "--max-uploads"
    assert settings.sources["seal"] == "default"


def test_start_may_be_the_mkdocs_file(repository: Path) -> None:
    """Where the start is a file, paths count from its folder and errors name it."""
    file = repository / "docs" / "site.yml"
    file.write_text("site_name: x", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"quality in .*docs/site\.yml is 'x'"):
        loaded(file, mkdocs={"quality": "x"})
    assert loaded(file, mkdocs={"cache_dir": ".cache"}).cache_dir == repository / "docs" / ".cache"


@pytest.mark.parametrize(("frontend", "seconds"), [("plugin", 600), ("hook", 300), ("command", None)])
def test_time_limit_depends_on_the_frontend(repository: Path, frontend: str, seconds: float | None) -> None:
    """A build is bounded to ten minutes, a commit to five, a command not at all."""
    settings = loaded(repository, frontend=frontend)
    assert (settings.max_time, settings.frontend) == (seconds, frontend)


def test_nearest_project_file_upward(repository: Path) -> None:
    """The nearest file with settings counts and is the base of its patterns; one without ours is passed over."""
    (repository / "pyproject.toml").write_text(
        "[tool.imgshrink]\nquality = 70\nexclude = ['a.png']\n", encoding="utf-8"
    )
    (repository / "docs" / "pyproject.toml").write_text("[project]\nname = 'imgshrink-docs'\n", encoding="utf-8")
    inner = repository / "docs" / "img"
    inner.mkdir()
    settings = loaded(inner)
    assert (settings.quality, settings.base, settings.base_of("exclude")) == (70, repository, repository)
    assert settings.base_of("include") == repository


def test_patterns_of_an_argument_count_from_where_the_user_stands(repository: Path) -> None:
    """Patterns given on the command line are relative to the working folder, not to the project file."""
    (repository / "imgshrink.toml").write_text("", encoding="utf-8")
    settings = loaded(repository / "docs", arguments={"exclude": ("a.png",)})
    assert (settings.base, settings.base_of("exclude")) == (repository, repository / "docs")


def test_search_stops_at_the_repository(repository: Path) -> None:
    """A project file above the repository's root is not read."""
    (repository.parent / "imgshrink.toml").write_text("quality = 1\n", encoding="utf-8")
    assert loaded(repository / "docs").quality == 80


def test_search_stops_below_home(tmp_path: Path) -> None:
    """Outside of a repository, a project file in the home folder is not read from a folder below it."""
    (tmp_path / "site").mkdir()
    (tmp_path / "imgshrink.toml").write_text("quality = 1\n", encoding="utf-8")
    assert loaded(tmp_path / "site", environ={"HOME": str(tmp_path)}).quality == 80
    assert loaded(tmp_path, environ={"HOME": str(tmp_path)}).quality == 1


def test_two_project_files_in_one_folder(repository: Path) -> None:
    """Settings in both files of one folder are an error that names both."""
    (repository / "pyproject.toml").write_text("[tool.imgshrink]\n", encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        loaded(repository, "quality = 80\n")
    assert str(repository / "imgshrink.toml") in str(error.value)
    assert str(repository / "pyproject.toml") in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"quality = 80\nengine =\n", "is not valid TOML: Invalid value (at line 2, column 9)"),
        (b"quality = 80\n# caf\xe9\n", "line 2 is not UTF-8"),
        (b"[tool.imgshrink]\nquality = 80\n", "without a [tool.imgshrink] line"),
    ],
)
def test_broken_project_file(repository: Path, content: bytes, words: str) -> None:
    """A project file that can't be understood is an error with its name and the line."""
    (repository / "imgshrink.toml").write_bytes(content)
    with pytest.raises(SettingsError) as error:
        loaded(repository)
    assert str(error.value).startswith(str(repository / "imgshrink.toml"))
    assert words in str(error.value)


def test_byte_order_mark(repository: Path) -> None:
    """A byte order mark in front of a project file is no error."""
    (repository / "imgshrink.toml").write_bytes(b"\xef\xbb\xbfquality = 70\n")
    assert loaded(repository).quality == 70


def test_another_tools_broken_pyproject_is_passed_over(repository: Path) -> None:
    """A broken pyproject.toml that does not mention imgshrink is not our business."""
    (repository / "pyproject.toml").write_text("[tool.other\n", encoding="utf-8")
    assert loaded(repository).quality == 80


def test_tool_table_must_be_a_table(repository: Path) -> None:
    """`tool.imgshrink` as anything but a table is an error."""
    (repository / "pyproject.toml").write_text("[tool]\nimgshrink = 80\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"tool\.imgshrink must be a table"):
        loaded(repository)


def test_unreadable_project_file(unprivileged: Path) -> None:
    """A project file that can't be read is an error that says so."""
    (unprivileged / "imgshrink.toml").write_text("", encoding="utf-8")
    (unprivileged / "imgshrink.toml").chmod(0)
    with pytest.raises(SettingsError, match=r"imgshrink\.toml can't be read: Permission denied"):
        loaded(unprivileged)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("qualty", "is not a setting of imgshrink: did you mean quality?"),
        ("min-size", "is not a setting of imgshrink: did you mean min_size?"),
        ("xyzzy", "is not a setting of imgshrink: known are engine, quality"),
        ("on_serve", "has no meaning there: set it in mkdocs.yml or the variable IMGSHRINK_ON_SERVE"),
        ("TINYJPG_API_KEY", "set the environment variable TINYJPG_API_KEY, or put it into your own config.toml"),
        ("api_url", "set the environment variable TINYJPG_API_URL, or put it into your own config.toml"),
        ("download-hosts", "set the environment variable TINYJPG_DOWNLOAD_HOSTS, or put it into your own config.toml"),
    ],
)
def test_unknown_key(repository: Path, key: str, words: str) -> None:
    """A key that may not stand in a project file is an error with the file, the key and the cure, without the value."""
    with pytest.raises(SettingsError) as error:
        loaded(repository, f'{key} = "secret-value"\n')
    assert str(error.value).startswith(f"{key} in {repository / 'imgshrink.toml'} ")
    assert words in str(error.value)
    assert "secret-value" not in str(error.value)


def test_unknown_variable_names_the_nearest(repository: Path) -> None:
    """A mistyped variable is an error that names the right one."""
    with pytest.raises(SettingsError, match=r"IMGSHRINK_QUALTY is not .*: did you mean IMGSHRINK_QUALITY\?"):
        loaded(repository, environ={"IMGSHRINK_QUALTY": "80"})


def test_variables_of_the_server_are_no_settings(repository):
    """A machine that runs a server can run everything else too."""
    server = ("LOG_FORMAT", "METRICS_TOKEN", "DATABASE", "BLOBS")
    assert loaded(repository, environ={f"IMGSHRINK_{name}": "x" for name in server}).quality == 80


@pytest.mark.parametrize(
    "name",
    [
        *("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8080_TCP", "PORT_8080_TCP_PROTO"),
        *("PORT_8080_TCP_PORT", "PORT_8080_TCP_ADDR", "SERVER_SERVICE_HOST", "SERVER_PORT_443_UDP", "BLOBS_PORT"),
    ],
)
def test_a_service_called_imgshrink_is_no_setting(repository, name):
    """What Kubernetes tells every container of a service called imgshrink is passed over."""
    assert loaded(repository, environ={f"IMGSHRINK_{name}": "tcp://10.0.0.1:8080"}).quality == 80


@pytest.mark.parametrize("name", ["PORTS", "REPORTS", "PORT_TCP", "SERVICE"])
def test_names_like_those_of_a_service_are_errors(repository, name):
    """A name that only looks like one of them is an error as any other."""
    with pytest.raises(SettingsError, match=f"IMGSHRINK_{name} is not a setting"):
        loaded(repository, environ={f"IMGSHRINK_{name}": "x"})


def test_overrides(repository: Path) -> None:
    """Overrides are a list of tables in the project file."""
    toml = '[[overrides]]\npaths = ["photos/**"]\nquality = 90\n[[overrides]]\npaths = "logo.png"\nengine = "builtin"\n'
    expected = (Override(("photos/**",), quality=90), Override(("logo.png",), engine="builtin"))
    assert loaded(repository, toml).overrides == expected


def test_nothing_later_widens_a_promise_of_privacy(repository: Path) -> None:
    """`engine = "builtin"` in a project file holds against every later source, and a note says so."""
    mkdocs = {"overrides": [{"paths": ["a"], "engine": "hosted"}, {"paths": ["b"], "quality": 90}]}
    settings = loaded(repository, 'engine = "builtin"\n', mkdocs=mkdocs, arguments={"engine": "hosted"})
    assert (settings.engine, settings.privacy) == ("builtin", True)
    assert settings.overrides == (Override(("a",), engine="builtin"), Override(("b",), quality=90))
    assert settings.sources["engine"] == f"engine in {repository / 'imgshrink.toml'}"
    assert len(settings.notes) == 2
    assert settings.notes[0].startswith("--engine names another engine, and is ignored: engine is builtin in ")


def test_promise_without_contradiction_is_silent(repository: Path) -> None:
    """A promise of privacy that nobody touches brings no note; one made later is no promise."""
    mkdocs = {"overrides": [{"paths": ["b"], "quality": 90}]}
    settings = loaded(repository, 'engine = "builtin"\n', mkdocs=mkdocs, environ={"IMGSHRINK_ENGINE": "builtin"})
    assert (settings.privacy, settings.notes) == (True, ())
    assert not loaded(repository, "", arguments={"engine": "builtin"}).privacy


def test_promise_contradicted_in_the_same_file(repository: Path) -> None:
    """A promise of privacy beside an override that uploads is an error."""
    with pytest.raises(SettingsError, match="a promise that nothing is uploaded"):
        loaded(repository, 'engine = "builtin"\n[[overrides]]\npaths = ["a"]\nengine = "auto"\n')


@pytest.mark.parametrize(("value", "key", "empty"), [(" abc\n", "abc", False), ("", None, True), (" \t", None, True)])
def test_key_is_trimmed(repository: Path, value: str, key: str | None, empty: bool) -> None:
    """White space around the key is removed; a variable that is set but empty is remembered as such."""
    settings = loaded(repository, environ={"TINYJPG_API_KEY": value})
    assert (settings.api_key, settings.key_empty) == (key, empty)


@pytest.mark.parametrize("key", ["abc def", "abc\ndef", "clé-secrète", "abc\x7f"])
def test_key_that_no_header_takes_is_not_quoted(repository: Path, key: str) -> None:
    """A key with anything but visible ASCII inside is an error that does not quote it."""
    settings = loaded(repository, environ={"TINYJPG_API_KEY": key})
    assert settings.api_key is None
    assert "TINYJPG_API_KEY" in settings.account_problem
    assert key[:3] not in repr(settings)


def test_key_is_not_in_the_repr(repository: Path) -> None:
    """The representation of settings hides the key."""
    assert "abc123" not in repr(loaded(repository, environ={"TINYJPG_API_KEY": "abc123"}))


@pytest.fixture
def own_file(home: Path) -> Path:
    """The user's own config.toml, readable by the user alone."""
    file = config_folder(os.environ) / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('TINYJPG_API_KEY = "own"\napi_url = "https://own.example"\ndownload_hosts = ["a", "b"]\n')
    file.chmod(0o600)
    return file


def test_own_file(repository: Path, own_file: Path) -> None:
    """The account is read from the user's own file, and the environment wins over it."""
    environ = {name: os.environ[name] for name in os.environ if name.startswith("XDG_")}
    settings = loaded(repository, environ=environ)
    assert (settings.api_key, settings.api_url, settings.download_hosts) == ("own", "https://own.example", ("a", "b"))
    assert settings.sources["api_key"] == str(own_file)
    settings = loaded(repository, environ=environ | {"TINYJPG_API_KEY": "env", "TINYJPG_DOWNLOAD_HOSTS": "c, d"})
    assert (settings.api_key, settings.download_hosts) == ("env", ("c", "d"))
    assert settings.sources["api_key"] == "TINYJPG_API_KEY"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_own_file_that_others_can_read(repository: Path, own_file: Path) -> None:
    """The user's own file is refused while others can read it, with the cure."""
    own_file.chmod(0o640)
    settings = loaded(repository, environ=os.environ)
    assert settings.api_key is None
    assert "chmod 600 " in settings.account_problem


@pytest.mark.parametrize(
    ("content", "words"),
    [("quality = 80", "quality is not known there"), ("api_key = 3", "api_key must be text in quotes")],
)
def test_own_file_with_something_else(repository: Path, own_file: Path, content: str, words: str) -> None:
    """The user's own file holds the account and nothing else."""
    own_file.write_text(content)
    assert words in loaded(repository, environ=os.environ).account_problem


def test_folder_of_the_own_file_that_may_not_be_entered(unprivileged: Path) -> None:
    """A configuration folder that may not be entered holds nothing of ours, and is no error."""
    (unprivileged / "imgshrink").mkdir()
    (unprivileged / "imgshrink").chmod(0)
    assert loaded(unprivileged, environ={"XDG_CONFIG_HOME": str(unprivileged)}).api_key is None


@pytest.mark.parametrize(
    ("name", "typed", "text", "value"),
    [
        ("on_serve", True, "true", True),
        ("on_serve", False, "off", False),
        ("on_serve", "cache", "cache", "cache"),
        ("enabled", False, "no", False),
        ("upload_generated", True, "1", True),
    ],
)
def test_settings_of_a_build(repository: Path, name: str, typed: object, text: str, value: object) -> None:
    """What concerns builds alone is read from mkdocs.yml and the environment."""
    assert getattr(loaded(repository, mkdocs={name: typed}), name) == value
    assert getattr(loaded(repository, environ={f"IMGSHRINK_{name.upper()}": text}), name) == value


def test_paths_of_a_person_may_point_anywhere(repository: Path) -> None:
    """A folder given by variable or argument is taken as it is, relative to the working folder."""
    assert loaded(repository, environ={"IMGSHRINK_CACHE_DIR": "/tmp/x"}).cache_dir == Path("/tmp/x")
    assert loaded(repository / "docs", arguments={"report": "r.json"}).report == repository / "docs" / "r.json"


def test_symlink_does_not_lead_out_of_the_project(repository: Path) -> None:
    """A cache folder in a project file may not leave the project through a symlink."""
    (repository / "cache").symlink_to(repository.parent)
    with pytest.raises(SettingsError, match="must be inside"):
        loaded(repository, 'cache_dir = "cache"\n')


@pytest.mark.parametrize(
    "environ", [{}, {"XDG_CACHE_HOME": "/x/cache", "XDG_STATE_HOME": "/x/s", "XDG_CONFIG_HOME": "/x/c"}]
)
def test_folders_are_those_of_platformdirs(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    """The user's folders are the ones that platformdirs names."""
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert str(cache_folder(os.environ)) == platformdirs.user_cache_dir("imgshrink", appauthor=False)
    assert str(state_folder(os.environ)) == platformdirs.user_state_dir("imgshrink", appauthor=False)
    assert str(config_folder(os.environ)) == platformdirs.user_config_dir("imgshrink", appauthor=False)


def test_relative_folder_variable_is_ignored() -> None:
    """A relative XDG variable is ignored, as its specification asks."""
    assert cache_folder({"HOME": "/home/x", "XDG_CACHE_HOME": "cache"}) == Path("/home/x/.cache/imgshrink")


def test_folders_elsewhere_are_those_of_platformdirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system other than Linux platformdirs is asked."""
    monkeypatch.setattr(sys, "platform", "another")
    assert str(cache_folder({})) == platformdirs.user_cache_dir("imgshrink", appauthor=False)


def test_user_without_a_home() -> None:
    """A user without a home, as in a container, gets folders below the root, and no error."""
    assert cache_folder({"HOME": "~"}) == Path(Path.cwd().anchor, ".cache", "imgshrink")


@pytest.mark.parametrize("name", ["engine", "quality", "min_saving", "min_size", "seal", "max_uploads", "cache_size"])
def test_default_in_words_is_the_default(repository: Path, name: str) -> None:
    """A default that the table shows, written into a file's place, is the default."""
    shown = next(field.shown for field in fields_of() if field.name == name)
    assert getattr(loaded(repository, arguments={name: shown}), name) == getattr(Settings(), name)


def test_loading_imports_nothing_slow() -> None:
    """Settings without a project file load without tomllib, click, platformdirs, difflib or any package's metadata."""
    code = (
        "import sys, os, pathlib\nbefore = set(sys.modules)\nfrom imgshrink.settings.load import load\n"
        "load(pathlib.Path('/'), environ={'HOME': '/nonexistent'})\n"
        "slow = {'tomllib', 'click', 'platformdirs', 'difflib', 'importlib.metadata'}\n"
        "print(sorted(slow & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_overrides_yield_to_what_is_said_in_person(repository: Path) -> None:
    """An engine or a quality of the command line or the environment holds for all images; other sources leave rows."""
    (repository / "imgshrink.toml").write_text(
        'quality = 70\n[[overrides]]\npaths = ["*.png"]\nengine = "hosted"\nquality = 60\n'
    )
    rows = ("*.png",)
    everything = load(repository, environ={}, mkdocs={"quality": 90, "engine": "builtin"}).overrides
    assert everything == (Override(rows, 60, "hosted"),)
    assert load(repository, environ={}, arguments={"engine": "builtin"}).overrides == (Override(rows, 60, None),)
    assert load(repository, environ={"IMGSHRINK_QUALITY": "100"}).overrides == (Override(rows, None, "hosted"),)


@pytest.mark.parametrize(
    ("value", "parsed"),
    [("webp", ("webp",)), ("avif, webp", ("webp", "avif")), (["avif"], ("avif",))],
)
def test_formats_of_variants(repository: Path, value: object, parsed: tuple[str, ...]) -> None:
    """Formats are a list or text with commas, in the order of the table."""
    assert loaded(repository, mkdocs={"pages_formats": value}).pages_formats == parsed


@pytest.mark.parametrize("value", ["", [], "png", ["webp", 3], 3])
def test_formats_that_are_none(repository: Path, value: object) -> None:
    """Anything else is an error that names the formats."""
    with pytest.raises(SettingsError, match="it must be one or more of webp, avif"):
        loaded(repository, mkdocs={"pages_formats": value})


def test_off_is_what_yaml_makes_of_it(repository: Path) -> None:
    """YAML reads off as false; true is none of the words."""
    assert loaded(repository, mkdocs={"pages": False}).pages == "off"
    with pytest.raises(SettingsError, match="it must be off, reserve or modern"):
        loaded(repository, mkdocs={"pages": True})
