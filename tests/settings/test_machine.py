"""Facts about the default of `jobs`: processors and memory, as control groups allow them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgshrink.settings import machine
from imgshrink.settings.load import load
from imgshrink.settings.machine import processors

GB = 10**9
V2 = "0::/user.slice/job.scope\n"
V1 = "12:cpuset:/\n5:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/x\n"


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 64 processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)


def fake(root: Path, files: Mapping[str, str]) -> Path:
    """Make a root with these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "jobs"),
    [
        pytest.param({}, 64, id="no control groups"),
        pytest.param({"proc/self/cgroup": "0::/\n"}, 64, id="no limits"),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n",
             "sys/fs/cgroup/memory.max": f"{4 * GB}\n"}, 2, id="container of 2 processors and 4 GB",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n",
             "sys/fs/cgroup/memory.max": f"{4 * GB}\n"}, 2, id="4 GB alone",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n",
             "sys/fs/cgroup/memory.max": "max\n"}, 2, id="2 processors alone",
        ),
        pytest.param({"proc/self/cgroup": V2, "sys/fs/cgroup/user.slice/cpu.max": "300000 100000\n",
                      "sys/fs/cgroup/user.slice/job.scope/cpu.max": "max 100000\n"}, 3, id="outer group"),
        pytest.param({"proc/self/cgroup": V2, "sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
                      "sys/fs/cgroup/user.slice/job.scope/cpu.max": "250000 100000\n"}, 3, id="inner, rounded up"),
        pytest.param({"proc/self/cgroup": V2, "sys/fs/cgroup/other.slice/cpu.max": "100000 100000"}, 64, id="other"),
        pytest.param({"proc/self/cgroup": "0::/../..\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2, id="outside"),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1, id="half of one"),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "500000000\n"}, 1, id="little memory"),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "nonsense\n",
                      "sys/fs/cgroup/memory.max": "-7\n"}, 64, id="nonsense"),
        pytest.param({"proc/self/cgroup": "no line of a group\n"}, 64, id="no groups named"),
        pytest.param(
            {"proc/self/cgroup": V1, "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "200000\n",
             "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
             "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "9223372036854771712\n"}, 2, id="version 1",
        ),
        pytest.param(
            {"proc/self/cgroup": V1, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
             "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
             "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{4 * GB}\n"}, 2, id="version 1, mounted in a container",
        ),
        pytest.param(
            {"proc/self/cgroup": V1 + "0::/\n", "sys/fs/cgroup/unified/cpu.max": "100000 100000\n"}, 1, id="both",
        ),
    ],
)  # fmt: skip
def test_jobs(tmp_path: Path, files: Mapping[str, str], jobs: int) -> None:
    """As many workers as processors, quota and memory allow, at least one; what can't be read is no limit."""
    assert processors(fake(tmp_path, files)) == jobs


def test_unreadable(unprivileged: Path) -> None:
    """Files that may not be read are no limit."""
    fake(unprivileged, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"})
    assert processors(unprivileged) == 2
    (unprivileged / "sys/fs/cgroup/cpu.max").chmod(0)
    assert processors(unprivileged) == 64


@given(cgroup=st.text(max_size=60), limit=st.binary(max_size=30))
def test_anything(tmp_path_factory: pytest.TempPathFactory, cgroup: str, limit: bytes) -> None:
    """Whatever the files hold, there is at least one worker."""
    root = fake(tmp_path_factory.mktemp("root"), {"proc/self/cgroup": "0::/" + cgroup.replace("\0", "")})
    (root / "sys/fs/cgroup").mkdir(parents=True)
    for name in ("cpu.max", "memory.max"):
        (root / "sys/fs/cgroup" / name).write_bytes(limit)
    assert processors(root) >= 1


def test_default_of_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`jobs` is what the machine allows unless it is set."""
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}
    monkeypatch.setattr(machine, "ROOT", fake(tmp_path / "root", files))
    assert load(tmp_path, environ={}).jobs == 2
    assert load(tmp_path, environ={}, arguments={"jobs": 7}).jobs == 7
