"""One result for a whole company: machines that share nothing but an address and a public key."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import Deflate, png, same_rows
from imgshrink import Session
from imgshrink.core.model import Outcome, Status
from imgshrink.settings.load import load
from shelves import PUBLIC, SECRET

PUSH = {"GITHUB_ACTIONS": "true", "CI": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_REF_PROTECTED": "true"}
PULL_REQUEST = PUSH | {"GITHUB_EVENT_NAME": "pull_request"}
WITH_SECRET = {"IMGSHRINK_SHARED_SECRET": SECRET}


class Machine:
    """A home of its own with a project of one image, and what a run there says."""

    def __init__(self, folder: Path, address: str, **environ: str) -> None:
        self.image = folder / "project" / "a.png"
        self.image.parent.mkdir(parents=True)
        self.image.write_bytes(png())
        self.environ = {
            "HOME": str(folder), "PATH": os.environ["PATH"],
            "IMGSHRINK_SHARED_URL": address, "IMGSHRINK_SHARED_KEY": PUBLIC, **environ,
        }  # fmt: skip
        self.cache = folder / ".cache" / "imgshrink"
        self.engine = Deflate()
        self.said: list[str] = []

    def session(self) -> Session:
        """A session with an engine that counts, and costs little."""
        session = Session(load(self.image.parent, environ=self.environ))
        session.__dict__["engines"] = [self.engine]
        session._verify = same_rows  # type: ignore[method-assign]
        return session

    def run(self) -> Outcome:
        """Shrink the image in place."""
        with self.session() as session:
            (outcome,) = session.optimize(self.image)
            self.said = [note.text for note in session.notes()]
        assert outcome.status is Status.OPTIMIZED
        return outcome

    @property
    def worked(self) -> bool:
        """Whether the engine was asked."""
        return bool(self.engine.asked)


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """A folder that stands for a bucket."""
    return tmp_path / "bucket"


@pytest.fixture
def machine(tmp_path: Path, bucket: Path) -> Callable[..., Machine]:
    """Make machines that share the bucket."""
    return lambda name, **environ: Machine(tmp_path / name, bucket.as_uri(), **environ)


def objects(bucket: Path) -> dict[str, bytes]:
    """What the bucket holds."""
    files = sorted(path for path in bucket.rglob("*") if path.is_file())
    return {path.relative_to(bucket).as_posix(): path.read_bytes() for path in files}


def test_two_machines(machine: Callable[..., Machine], bucket: Path) -> None:
    """The second machine does no work, writes nothing and has the same bytes; both say what they shared."""
    first = machine("first", **WITH_SECRET, **PUSH)
    first.run()
    assert first.worked
    assert first.said == ["shared cache: 1 added"]
    shared = objects(bucket)
    assert len(shared) == 2

    second = machine("second")
    second.run()
    assert not second.worked
    assert second.said == ["shared cache: 1 found, 0 not there"]
    assert second.image.read_bytes() == first.image.read_bytes()
    assert objects(bucket) == shared
    assert sorted(path.name for path in second.cache.iterdir()) == ["shared"]


def test_the_same_bytes_without_it(machine: Callable[..., Machine], tmp_path: Path) -> None:
    """What is published is the same with and without a shared cache."""
    with_tier = machine("with", **WITH_SECRET)
    without = machine("without", IMGSHRINK_SHARED_URL="")
    assert with_tier.run().after == without.run().after
    assert with_tier.image.read_bytes() == without.image.read_bytes()
    assert without.said == []


def test_forks_read_and_do_not_write(machine: Callable[..., Machine], bucket: Path) -> None:
    """A fork, with all secrets empty, uses what is signed, and what it makes itself stays with it."""
    fork = machine("fork", **PULL_REQUEST, IMGSHRINK_SHARED_SECRET="", AWS_ACCESS_KEY_ID="")
    fork.run()
    assert objects(bucket) == {}
    machine("main", **WITH_SECRET, **PUSH).run()
    again = machine("again", **PULL_REQUEST, IMGSHRINK_SHARED_SECRET="")
    again.run()
    assert not again.worked


def test_a_pull_request_with_the_secret_does_not_write(machine: Callable[..., Machine], bucket: Path) -> None:
    """A pull request that holds the secret writes nothing, and says that it keeps it unused."""
    request = machine("request", **WITH_SECRET, **PULL_REQUEST)
    request.run()
    assert objects(bucket) == {}
    assert request.said[-1] == (
        "IMGSHRINK_SHARED_SECRET is kept unused: only a push to a protected branch writes to the shared cache"
    )


def test_a_secret_of_another_key(machine: Callable[..., Machine], bucket: Path) -> None:
    """A secret that nobody would believe is not used, and the run goes on."""
    other = machine("other", **WITH_SECRET, IMGSHRINK_SHARED_KEY="A" * 43)
    other.run()
    assert objects(bucket) == {}
    assert other.said == [
        "IMGSHRINK_SHARED_SECRET does not belong to shared_key: nobody would believe its results; "
        "went on without the shared cache"
    ]


def test_no_key(machine: Callable[..., Machine]) -> None:
    """An address without a key is of no use, and that is said."""
    lone = machine("lone", IMGSHRINK_SHARED_KEY="")
    lone.run()
    assert lone.said == [
        "shared_url is set, and shared_key is not: nothing there can be believed; went on without the shared cache"
    ]


def test_without_the_packages(machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed, the run says what to install and goes on."""
    for name in ("imgshrink.cache.shelf", "imgshrink.cache.shared", "imgshrink.cache.signature"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    bare = machine("bare")
    bare.run()
    assert bare.said == [
        "shared_url is set, and obstore is not installed: pip install 'imgshrink[shared]'; "
        "went on without the shared cache"
    ]


def test_nothing_is_imported_without_an_address(tmp_path: Path) -> None:
    """A run without a shared cache imports none of its packages."""
    code = (
        "import sys, os, pathlib\nfrom imgshrink.session import Session\nfrom imgshrink.settings.load import load\n"
        "with Session(load(pathlib.Path('.'), environ=os.environ)) as session:\n    session.cache, session.notes()\n"
        "print(sorted({'obstore', 'cryptography', 'imgshrink.cache.shared'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_no_file_holds_the_secret(machine: Callable[..., Machine], tmp_path: Path) -> None:
    """The secret and the login are in no file that is left behind: neither shared nor in the home."""
    login = "user:hunter2hunter2"
    writer = machine("writer", **WITH_SECRET, IMGSHRINK_SHARED_LOGIN=login)
    writer.run()
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 4
    secret = SECRET.rpartition("_")[2].encode()
    assert not any(secret in data or login.encode() in data for data in written)
    assert not any(SECRET in line or login in line for line in writer.said)
