"""The recipes for CI: valid for their services, careful with the key, and true about what they keep."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import platformdirs.macos
import pytest
import yaml

from imgshrink.files.discovery import ENDINGS
from imgshrink.settings.folders import NAME, cache_folder, config_folder, state_folder
from places import ROOT
from real_tools import run
from recipes import PAGES, blocks, files, read
from shell import linter

SCHEMAS = {
    ".gitlab-ci.yml": "gitlab-ci",
    ".readthedocs.yaml": "readthedocs",
    "azure-pipelines.yml": "azure-pipelines",
    "bitbucket-pipelines.yml": "bitbucket-pipelines",
    ".circleci/config.yml": "circle-ci",
    ".forgejo/workflows/docs.yml": "github-workflows",
}
KNOWN = [(page, name) for page in PAGES if "```" in PAGES[page] for name in files(page)]
Step = dict[str, Any]


def workflows() -> Mapping[str, Any]:
    """The complete workflows of the page, by their paths."""
    return {name: read(text) for name, text in files("ci").items() if name.startswith(".github/workflows/")}


def steps_of(workflow: Mapping[str, Any]) -> list[Step]:
    """All steps of a workflow, in their order."""
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def paid_steps() -> list[Step]:
    """The steps that builds with a key have in place of those without."""
    part = PAGES["ci"].partition("\n### With an API key\n")[2].partition("\n## ")[0]
    found = read(re.findall(r"^```yaml\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)[0])
    assert isinstance(found, list)
    return found


@pytest.mark.tools
@pytest.mark.parametrize(
    ("page", "name"), [(page, name) for page, name in KNOWN if name in SCHEMAS or name.startswith(".github/workflows/")]
)
def test_files_are_as_their_schemas_say(page: str, name: str, tmp_path: Path) -> None:
    """Each complete file is valid by the schema that its service publishes."""
    file = tmp_path / Path(name).name
    file.write_text(files(page)[name], encoding="utf-8")
    schema = SCHEMAS.get(name, "github-workflows")
    done = run(
        linter("check-jsonschema"),
        "--builtin-schema",
        f"vendor.{schema}",
        "--regex-variant",
        "python",
        file,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.tools
def test_auditor_finds_nothing(tmp_path: Path) -> None:
    """zizmor, offline, finds no injection, no right too many, no credential that stays; ours has a tag."""
    for name in workflows():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        text = files("ci")[name].replace("uses: imgshrink/imgshrink@", "uses: actions/imgshrink@")
        (tmp_path / name).write_text(text, encoding="utf-8")
    config = ROOT / ".github" / "zizmor.yml"
    done = run(linter("zizmor"), "--offline", "--no-progress", "--config", config, ".", cwd=tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", workflows())
def test_workflow_is_careful(name: str) -> None:
    """It may write nothing of the repository, never runs a fork's code with secrets, and scripts hold no expression."""
    workflow = workflows()[name]
    assert len(workflows()) == 4
    assert workflow["permissions"] == {"contents": "read"}
    assert set(workflow[True]) <= {"push", "pull_request", "workflow_dispatch"}  # YAML 1.1 reads `on` as true
    assert not any("${{" in step.get("run", "") for step in steps_of(workflow))  # names of branches would be code there
    assert "secrets" not in str({key: value for key, value in workflow.items() if key != "jobs"})
    checkouts = [step for step in steps_of(workflow) if "actions/checkout@" in step.get("uses", "")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("steps", [paid_steps(), steps_of(workflows()[".github/workflows/warm.yml"])])
def test_key_is_given_to_one_step_and_both_folders_are_kept(steps: Sequence[Step]) -> None:
    """The record of payments is saved whatever happens, under a key that is new in every run."""
    keyed = [step for step in steps if "secrets" in str(step)]
    assert [list(step["env"]) for step in keyed] == [["TINYJPG_API_KEY"]]
    assert keyed[0]["run"].startswith(("mkdocs build", "imgshrink warm"))
    restore, save = (step for step in steps if "actions/cache/" in step.get("uses", ""))
    assert [step["uses"].partition("@")[0] for step in (restore, save)] == [
        "actions/cache/restore",
        "actions/cache/save",
    ]
    assert (
        restore["with"]["path"].split()
        == save["with"]["path"].split()
        == [".cache/imgshrink", "~/.local/state/imgshrink"]
    )
    assert restore["with"]["key"] == save["with"]["key"]
    assert {"run_id", "run_attempt"} <= set(re.findall(r"github\.(\w+)", save["with"]["key"]))
    assert save["with"]["key"].startswith(restore["with"]["restore-keys"])
    assert save["if"] == "always()"
    assert steps.index(restore) < steps.index(keyed[0]) < steps.index(save)


def test_cache_without_a_key_is_named_by_the_images() -> None:
    """All that decides results is in the key; the folder is the one that the job sets; no step has a secret."""
    workflow = workflows()[".github/workflows/docs.yml"]
    cache = next(step["with"] for step in steps_of(workflow) if "actions/cache@" in step.get("uses", ""))
    assert cache["path"] == workflow["jobs"]["build"]["env"]["IMGSHRINK_CACHE_DIR"]
    assert (
        set(re.findall(r"'docs/\*\*/\*(\.\w+)'", cache["key"]))
        == {".png", ".jpg", ".jpeg", ".gif", ".webp"}
        <= set(ENDINGS)
    )
    assert {"mkdocs.yml", "imgshrink.toml", "requirements*.txt"} <= set(re.findall(r"'([^']+)'", cache["key"]))
    assert cache["key"].startswith(cache["restore-keys"])
    assert "secrets" not in str(workflow)


def test_folder_that_workflows_keep_is_the_record_of_payments() -> None:
    """No variable moves the state folder on GitHub's Linux machines."""
    assert state_folder({"HOME": "/root"}) == Path("/root/.local/state/imgshrink")


def test_folders_of_other_systems_are_as_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of folders is what the package computes on each system."""
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name)
    rows = re.findall(
        r"^\| (?:cache|state|your own)[^|]*\| `(.+?)` \| `(.+?)` \| `(.+?)` \|$", PAGES["install"], re.MULTILINE
    )
    linux, mac, windows = zip(*rows, strict=True)
    own = [folder({"HOME": "/h"}) for folder in (cache_folder, state_folder, config_folder)]
    assert [str(path).replace("/h", "~") for path in own] == list(linux)
    kinds = ("user_cache_dir", "user_state_dir", "user_config_dir")
    apple = platformdirs.macos.MacOS(NAME, appauthor=False)
    home = str(Path("~").expanduser())
    assert [getattr(apple, kind).replace(home, "~") for kind in kinds] == list(mac)
    assert [line.partition("imgshrink")[2] for line in windows] == ["\\Cache", "", ""]


def test_gitlab_keeps_what_is_inside_the_project() -> None:
    """GitLab's job keeps the folder that it sets, and publishes what it builds."""
    job = read(files("ci")[".gitlab-ci.yml"])["pages"]
    kept = ["$CI_PROJECT_DIR/" + path for path in job["cache"]["paths"]]
    assert [job["variables"][name] for name in ("IMGSHRINK_CACHE_DIR", "XDG_STATE_HOME")] == kept
    assert job["artifacts"]["paths"] == ["public"]
    assert job["script"][-1].endswith("--site-dir public")


def test_azure_keeps_the_folder_that_it_sets() -> None:
    """The key is a name, the system and the images; what is restored is the variable's folder."""
    pipeline = read(files("ci")["azure-pipelines.yml"])
    cache = next(step["inputs"] for step in pipeline["steps"] if step.get("task", "").startswith("Cache@"))
    assert cache["path"] == "$(IMGSHRINK_CACHE_DIR)"
    assert "IMGSHRINK_CACHE_DIR" in pipeline["variables"]
    assert cache["key"].startswith(cache["restoreKeys"])
    assert len(cache["key"].split(" | ")) == 3


def test_bitbucket_keeps_the_folder_that_it_sets() -> None:
    """The cache is defined, used, and where the variable says."""
    pipeline = read(files("ci")["bitbucket-pipelines.yml"])
    step = pipeline["pipelines"]["default"][0]["step"]
    folder = pipeline["definitions"]["caches"]["imgshrink"]
    assert "imgshrink" in step["caches"]
    assert step["script"][0] == f'export IMGSHRINK_CACHE_DIR="$BITBUCKET_CLONE_DIR/{folder}"'


def test_netlify_keeps_the_folder_that_it_sets() -> None:
    """All three of Netlify's files speak of one folder."""
    found = files("ci", "Netlify")
    config = tomllib.loads(found["netlify.toml"])
    folder = config["plugins"][0]["package"].removeprefix("/")
    assert yaml.safe_load(found[f"{folder}/manifest.yml"])["name"] == "imgshrink-cache"
    kept = re.findall(r'\("([^"]+)"\)', found[f"{folder}/index.js"])
    assert kept == [config["build"]["environment"]["IMGSHRINK_CACHE_DIR"]] * 2


def test_inputs_of_the_action_are_as_the_page_says() -> None:
    """Each input has its row, in the order of action.yml."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    part = PAGES["ci"].partition("\n## The check in pull requests\n")[2].partition("\n### ")[0]
    assert re.findall(r"^\| `([\w-]+)` \|", part, re.MULTILINE) == list(action["inputs"])
    assert all(f"`{name}`" in part for name in action["outputs"])
    step = next(step for step in steps_of(workflows()[".github/workflows/images.yml"]) if "imgshrink@" in step["uses"])
    assert set(step["with"]) <= set(action["inputs"])
    assert blocks("ci", "The check in pull requests")
