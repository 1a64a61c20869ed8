"""The files in `deploy`: they are valid, they name what exists, and nothing in them is secret."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from imgshrink.cli.server import server as command
from imgshrink.server.database import _POOL
from places import ROOT
from server_process import Served
from shell import linter

DEPLOY = ROOT / "deploy"
PAGES = ROOT / "example_site" / "docs"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
NODES = ("api-1", "api-2", "worker")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
TOKEN = "metrics-token-of-the-tests"
OPTIONS = {name for option in command.params for name in option.opts}


def words(instruction: str) -> list[str]:
    """The words of the Dockerfile's last such instruction in exec form."""
    found = re.findall(rf"^\s*{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    return list(json.loads(found[-1]))


def test_services() -> None:
    """Two nodes answer, two work; each has the image, the database, the bucket, and a time to end in order."""
    assert set(SERVICES) == {"api-1", "api-2", "worker", "proxy", "postgres", "s3"}
    jobs = {name: SERVICES[name]["command"][SERVICES[name]["command"].index("--jobs") + 1] for name in NODES}
    assert jobs == {"api-1": "0", "api-2": "0", "worker": "${WORKER_JOBS:-2}"}
    assert SERVICES["worker"]["deploy"]["replicas"] == 2
    for name in NODES:
        given = SERVICES[name]["command"]
        named = dict(zip(given[::2], given[1::2], strict=True))
        needed = float(named.get("--drain", 0)) + float(named["--grace"])
        assert float(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= needed + 15
        assert set(named) <= OPTIONS
        assert {"IMGSHRINK_DATABASE", "IMGSHRINK_BLOBS", "AWS_ENDPOINT"} <= set(SERVICES[name]["environment"])


def test_connections_to_the_database() -> None:
    """PostgreSQL allows all that the nodes may open: the pool of each, and what the queue of a worker needs."""
    allowed = int(SERVICES["postgres"]["command"].removeprefix("-c max_connections="))
    assert allowed >= 4 * (_POOL["pool_size"] + _POOL["max_overflow"]) + 2 * 2 + 3  # three are the superuser's


def test_only_the_proxy_is_reachable() -> None:
    """No service but the proxy publishes a port, and that one on the loopback address."""
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert SERVICES["proxy"]["ports"] == ["${PUBLISH:-127.0.0.1:8080}:8000"]


def test_images_are_pinned() -> None:
    """Every image from elsewhere names its version."""
    images = [service["image"] for service in SERVICES.values() if service["image"] != "imgshrink"]
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert all(re.fullmatch(r"[a-z/]+:\d[\w.-]*", image) for image in (*images, *bases))


def test_secrets_come_from_the_environment() -> None:
    """What the compose file requires is in the example, which holds no secret."""
    text = (DEPLOY / "compose.yaml").read_text()
    required = set(re.findall(r"\$\{([A-Z0-9_]+):\?", text))
    example = dict(re.findall(r"^([A-Z0-9_]+)=(.*)$", (DEPLOY / ".env.example").read_text(), re.MULTILINE))
    assert required == set(example)
    assert {name for name, value in example.items() if value} == {"PUBLIC_URL"}
    secrets = re.findall(r"(?:PASSWORD|KEY|TOKEN)[A-Z_]*: (.*)", text)
    assert len(secrets) > 5
    assert all(value.startswith("${") for value in secrets if "@" not in value)
    ignored = subprocess.run(["git", "check-ignore", "-q", "deploy/.env"], cwd=ROOT, check=False)
    assert ignored.returncode == 0


@pytest.mark.slow
def test_compose_file_is_valid() -> None:
    """The compose file follows the schema of the compose specification."""
    check = [linter("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_dockerfile() -> None:
    """The image runs the command with options that exist, as a user with a number, and copies only what it may."""
    entry = words("ENTRYPOINT")
    assert entry[:2] == ["imgshrink", "server"]
    assert {word for word in entry if word.startswith("--")} <= OPTIONS
    user = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert user == ["10001:10001"]
    allowed = set(re.findall(r"^!(\S+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE))
    copied = {name for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]}
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def test_extras_of_the_image() -> None:
    """The image has the server's extras."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (named,) = re.findall(r"\[(server[\w,-]*)\]\"", DOCKERFILE)
    assert {"server", "server-scale"} == set(named.split(",")) <= set(extras)


def test_healthcheck(tmp_path: Path) -> None:
    """The image's health check succeeds while the server is ready, and fails when it is not or is gone."""
    check = words("CMD")

    def healthy() -> bool:
        code = check[2].replace("http://127.0.0.1:8080", served.url)
        assert code != check[2]
        return subprocess.run([sys.executable, *check[1:2], code], capture_output=True, check=False).returncode == 0

    with Served(tmp_path / "data") as served:
        assert healthy()
        (served.data / "originals").rename(served.data / "away")
        while served.get("/health/ready", "").status_code == 200:
            pass
        assert not healthy()
    assert not healthy()


def names_in(rules: str) -> set[str]:
    return set(re.findall(r"\b((?:imgshrink|process)_\w+)", rules))


def rules() -> list[dict[str, Any]]:
    return list(yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"][0]["rules"])


def test_alerts_and_page_name_metrics_that_exist(tmp_path: Path) -> None:
    """Every metric of the alerts and of the page is exposed, with the labels that they use; the page names all."""
    with Served(tmp_path / "data", operating={"metrics_token": TOKEN}) as served:
        served.ended(served.accepted((ROOT / "tests" / "images" / "still.png").read_bytes()))
        text = served.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    families = list(text_string_to_metric_families(text))
    samples = {sample.name: set(sample.labels) for family in families for sample in family.samples}
    for rule in rules():
        for name, labels in re.findall(r"\b((?:imgshrink)_\w+)(?:\{([^}]*)\})?", rule["expr"]):
            assert name in samples, rule["alert"]
            assert set(re.findall(r"(\w+)=", labels)) <= samples[name]
    declared = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    page = names_in((PAGES / "operating.md").read_text())
    bare = {re.sub(r"_(bucket|sum|count)$", "", name) if name not in declared else name for name in page}
    assert bare == declared


def test_alerts_on_the_page() -> None:
    """The page explains each alert."""
    page = (PAGES / "operating.md").read_text()
    assert len(rules()) >= 5
    assert [rule["alert"] for rule in rules()] == re.findall(r"^\| `(Imgshrink\w+)` \|", page, re.MULTILINE)


def test_page_names_services_that_exist() -> None:
    """Every service of a `docker compose` command on the page is in the compose file, and every file is there."""
    page = (PAGES / "many-nodes.md").read_text()
    commands = "\n".join(
        block for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if "docker compose" in block
    )
    named = set(re.findall(r"(?<= )(?:api-\d|worker|postgres|proxy|s3)(?=[ =;]|$)", commands, re.MULTILINE))
    assert {"api-1", "api-2", "worker", "postgres"} <= named <= set(SERVICES)
    files = re.findall(r"/blob/main/(deploy/[\w.-]+)", page + (PAGES / "operating.md").read_text())
    assert len(files) == 3
    assert all((ROOT / file).is_file() for file in files)


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool: apt-get install prometheus")
def test_alerts_fire(tmp_path: Path) -> None:
    """Prometheus reads the rules, and they fire when they should and not when they should not."""
    cases = (Path(__file__).parent / "alerts.yaml").read_text()
    assert all(rule["alert"] in cases for rule in rules())
    (tmp_path / "cases.yaml").write_text(cases.replace("RULES", str(DEPLOY / "alerts.yaml")))
    done = subprocess.run(["promtool", "test", "rules", tmp_path / "cases.yaml"], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_options_are_those_of_the_command() -> None:
    """The tests above look at the right command."""
    assert isinstance(command, click.Group)
    assert {"--drain", "--log-format", "--jobs"} <= OPTIONS
