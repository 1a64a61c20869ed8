"""One result for a whole company: machines that share nothing but an address and a public key."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from PIL import Image

from broken_servers import BROKEN, Reply, broken, hangs, status
from caches import DONE, KEY, NOTHING, OTHER, SMALL, make
from command import called, started
from fakes import Deflate, png, same_rows
from imgshrink import Session
from imgshrink.cache.signature import Signer
from imgshrink.cli.doctor.shared import shared_cache
from imgshrink.core.model import Outcome, Status, Variant, VariantRequest
from imgshrink.files.locks import FileLocks
from imgshrink.pipeline.variants import VariantRules, Variants
from imgshrink.settings.load import load
from places import IMAGES
from real_tools import build, lines, make_site
from shelves import PUBLIC, SECRET, SIGNER, STRANGER

PUSH = {"GITHUB_ACTIONS": "true", "CI": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_REF_PROTECTED": "true"}
PULL_REQUEST = PUSH | {"GITHUB_EVENT_NAME": "pull_request"}
WITH_SECRET = {"IMGSHRINK_SHARED_SECRET": SECRET}


class Machine:
    """A home of its own with a project of one image, and what a run there says."""

    def __init__(self, folder: Path, address: str, *, frontend: str = "command", **environ: str) -> None:
        self.frontend = frontend
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
        session = Session(load(self.image.parent, environ=self.environ, frontend=self.frontend))
        session.__dict__["engines"] = [self.engine]
        return session

    def run(self) -> Outcome:
        """Shrink the image in place."""
        with self.session() as session, patch("imgshrink.worker_tasks.remote_verify", lambda workers: same_rows):
            (outcome,) = session.optimize(self.image)
            notes = session.notes()
        assert not any(note.failure for note in notes)
        self.said = [note.text for note in notes]
        assert outcome.status is Status.OPTIMIZED
        return outcome

    @property
    def worked(self) -> bool:
        """Whether the engine was asked."""
        return bool(self.engine.asked)


def webp() -> bytes:
    """A WebP of the size of the images above."""
    buffer = io.BytesIO()
    Image.new("L", (96, 96), 3).save(buffer, "WEBP")
    return buffer.getvalue()


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


def test_a_session_waits_for_what_it_shares(machine: Callable[..., Machine], bucket: Path) -> None:
    """Results on their way when a `with` block ends arrive, whether or not its notes are asked for."""
    writer = machine("writer", **WITH_SECRET)
    with patch("imgshrink.worker_tasks.remote_verify", lambda workers: same_rows), writer.session() as session:
        session.optimize(writer.image)
    assert len(objects(bucket)) == 2


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


@pytest.mark.parametrize(
    ("frontend", "cure"),
    [
        ("command", "pip install 'imgshrink[shared]'"),
        ("hook", "additional_dependencies: [obstore, cryptography] in .pre-commit-config.yaml"),
    ],
)
def test_without_the_packages(
    machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch, frontend: str, cure: str
) -> None:
    """Where the extra is not installed, the run says what to install and goes on."""
    for name in ("imgshrink.cache.shelf", "imgshrink.cache.shared", "imgshrink.cache.signature"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    bare = machine("bare", frontend=frontend)
    bare.run()
    assert bare.said == [f"shared_url is set, and obstore is not installed: {cure}; went on without the shared cache"]


def test_nothing_is_imported_without_an_address(tmp_path: Path) -> None:
    """A run without a shared cache imports none of its packages."""
    code = (
        "import sys, os, pathlib\nfrom imgshrink.session import Session\nfrom imgshrink.settings.load import load\n"
        "with Session(load(pathlib.Path('.'), environ=os.environ)) as session:\n    session.cache, session.notes()\n"
        "print(sorted({'obstore', 'cryptography', 'imgshrink.cache.shared'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(("reply", "line"), BROKEN.values(), ids=BROKEN)
def test_broken_servers(reply: Reply, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the server does, a strict run ends with 0, shrinks its images, and says in one line what it met."""
    monkeypatch.setattr(Session, "engines", [Deflate()])
    monkeypatch.setattr("imgshrink.worker_tasks.remote_verify", lambda workers: same_rows)
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    with broken(reply) as server:
        environ = {"IMGSHRINK_SHARED_URL": server.url, "IMGSHRINK_SHARED_KEY": PUBLIC}
        done = called("optimize", "--strict", ".", cwd=tmp_path, environ=environ)
        assert done.returncode == 0
        assert f"shared cache: {line}\n" in done.stderr
        assert done.stderr.count("shared cache") == 1
        assert "3 shrunk" in done.stdout
        assert len(server.requests) == 1


@pytest.mark.slow
def test_commands_that_write_end_well(tmp_path: Path) -> None:
    """Twenty commands that write to a shared cache end with 0: no thread of the library aborts one at its end."""
    cache = make(tmp_path / "cache")
    for number in range(40):
        cache.put(f"{number:064x}", SMALL)
    cache.close()
    for number in range(20):
        environ = {
            "IMGSHRINK_SHARED_URL": (tmp_path / f"bucket {number}").as_uri(), **WITH_SECRET,
            "IMGSHRINK_CACHE_DIR": str(tmp_path / "cache"),
        }  # fmt: skip
        done = started("cache", "push", cwd=tmp_path, environ=environ)
        assert (done.returncode, done.stderr) == (0, "")
        assert "40 entries added" in done.stdout


@pytest.mark.slow
def test_real_codecs(tmp_path: Path) -> None:
    """Two real commands on two machines: the first shrinks and shares, the second starts no worker."""
    for name, environ, said in (("first", WITH_SECRET, "1 added"), ("second", {}, "1 found, 0 not there")):
        project = tmp_path / name
        project.mkdir()
        shutil.copy(IMAGES / "photo.jpg", project)
        environ = {
            "IMGSHRINK_SHARED_URL": (tmp_path / "bucket").as_uri(), "IMGSHRINK_SHARED_KEY": PUBLIC,
            "IMGSHRINK_CACHE_DIR": str(tmp_path / f"cache {name}"), **environ,
        }  # fmt: skip
        done = started("optimize", "--strict", ".", cwd=project, environ=environ)
        assert done.returncode == 0
        assert f"shared cache: {said}\n" in done.stderr
    first, second = ((tmp_path / name / "photo.jpg").read_bytes() for name in ("first", "second"))
    assert first == second


@pytest.mark.slow
def test_builds(tmp_path: Path) -> None:
    """Two strict builds on two machines publish the same; a third one, whose shared cache hangs, publishes it too."""
    site = make_site(tmp_path, {"photo.jpg": IMAGES / "photo.jpg"})
    with broken(hangs) as server:
        machines = {
            "first": ({"IMGSHRINK_SHARED_URL": (tmp_path / "bucket").as_uri(), **WITH_SECRET}, "2 added"),
            "second": ({"IMGSHRINK_SHARED_URL": (tmp_path / "bucket").as_uri()}, "2 found, 0 not there"),
            "third": ({"IMGSHRINK_SHARED_URL": server.url}, "not answering, went on without it (time-out)"),
        }
        for name, (environ, said) in machines.items():
            home = {variable: str(tmp_path / name) for variable in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")}
            environ = {**home, "IMGSHRINK_SHARED_KEY": PUBLIC, **environ}
            done = build(site, "--strict", "--site-dir", str(tmp_path / f"site {name}"), environ=environ)
            assert done.returncode == 0, done.stdout
            assert any(f"shared cache: {said}" in line for line in lines(done)), done.stdout
        assert len(server.requests) == 1
    published = [next((tmp_path / f"site {name}").rglob("photo.jpg")).read_bytes() for name in machines]
    assert published[0] == published[1] == published[2] != (IMAGES / "photo.jpg").read_bytes()


@pytest.fixture
def tier(bucket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a machine that writes."""
    for name, value in {"IMGSHRINK_SHARED_URL": bucket.as_uri(), **WITH_SECRET}.items():
        monkeypatch.setenv(name, value)


def test_keygen(tmp_path: Path) -> None:
    """A new pair of keys fits, and works as it is printed."""
    done = called("cache", "keygen", cwd=tmp_path)
    public, secret = (line.partition("=")[2] for line in done.stdout.splitlines())
    assert Signer(secret).public == public
    assert secret not in done.stderr


@pytest.mark.usefixtures("tier")
def test_push(tmp_path: Path, bucket: Path) -> None:
    """What a machine has made before is shared by a command; facts and probes are not."""
    with Session(load(tmp_path, environ=os.environ)) as session:
        session.local_cache.put(KEY, SMALL)
        session.local_cache.put(OTHER, DONE)
        session.local_cache.put("probe", NOTHING)
    first, second = (called("cache", "push", cwd=tmp_path) for _ in range(2))
    assert first.stdout == f"imgshrink: 1 entry added to {bucket.as_uri()}, 0 there already\n"
    assert second.stdout == f"imgshrink: 0 entries added to {bucket.as_uri()}, 1 there already\n"
    assert len(objects(bucket)) == 2


@pytest.mark.usefixtures("tier")
@pytest.mark.parametrize(
    ("environ", "code", "words"),
    [
        ({"IMGSHRINK_SHARED_URL": ""}, 2, "shared_url is not set"),
        ({"IMGSHRINK_SHARED_SECRET": "", "IMGSHRINK_SHARED_KEY": PUBLIC}, 2, "IMGSHRINK_SHARED_SECRET is not set"),
        (PULL_REQUEST, 2, "only a push to a protected branch writes"),
        ({"IMGSHRINK_SHARED_KEY": "A" * 43}, 2, "does not belong to shared_key"),
        ({"IMGSHRINK_SHARED_URL": "http://127.0.0.1:1"}, 3, "the shared cache can't be written: no connection"),
    ],
)
def test_no_push(tmp_path: Path, environ: dict[str, str], code: int, words: str) -> None:
    """A push that is not allowed or not possible is an error that says why, without the secret."""
    done = called("cache", "push", cwd=tmp_path, environ=environ)
    assert done.returncode == code
    assert words in done.stderr
    assert SECRET not in done.stderr + done.stdout


def doctors_words(session: Session) -> list[str]:
    """What the doctor says of the shared cache."""
    return list(shared_cache(session, Path(), os.environ))


def test_doctor(machine: Callable[..., Machine], bucket: Path) -> None:
    """The doctor says whether the shared cache answers, whose results it holds, and whether this machine writes."""
    lone = machine("lone", IMGSHRINK_SHARED_URL="")
    assert doctors_words(lone.session()) == ["none: shared_url is not set"]
    writer = machine("writer", **WITH_SECRET)
    words = doctors_words(writer.session())
    assert words == [
        f"{bucket.as_uri()}, without credentials",
        f"! it holds nothing yet that key {SIGNER.key_id} has signed",
        "results are written to it",
    ]
    writer.run()
    reader = machine("reader")
    assert doctors_words(reader.session())[1:] == [
        f"it holds results that key {SIGNER.key_id} has signed",
        "it is read only: IMGSHRINK_SHARED_SECRET is not set",
    ]
    other = machine("other", IMGSHRINK_SHARED_KEY=STRANGER.public)
    assert doctors_words(other.session())[1] == (
        f"! it holds nothing yet that key {STRANGER.key_id} has signed; these have: {SIGNER.key_id}"
    )
    request = machine("request", **WITH_SECRET, **PULL_REQUEST)
    assert doctors_words(request.session())[2].startswith("! IMGSHRINK_SHARED_SECRET is kept unused")
    name = f"v1/keys/{SIGNER.key_id}"
    (bucket / name).write_bytes(b"something else")
    assert doctors_words(reader.session())[1] == "! what it answers is unsigned: runs go on without it"


@pytest.mark.parametrize(
    ("code", "words"),
    [(403, "refuses access, or holds nothing yet (status 403)"), (503, "does not answer (status 503)")],
)
def test_doctor_without_an_answer(tmp_path: Path, code: int, words: str) -> None:
    """The doctor tells a refusal from a server that does not work."""
    with broken(status(code)) as server:
        session = Machine(tmp_path, server.url).session()
        assert doctors_words(session)[1] == f"! it {words}: runs go on without it"
    wrong = Machine(tmp_path / "wrong", "file:///x", IMGSHRINK_SHARED_KEY="").session()
    assert doctors_words(wrong) == ["! shared_url is set, and shared_key is not: nothing there can be believed"]


@pytest.mark.usefixtures("tier")
def test_what_came_from_others_is_shown_and_cleared(tmp_path: Path, machine: Callable[..., Machine]) -> None:
    """`cache info` counts what came by each key, and `cache clear` removes it."""
    machine("first", **WITH_SECRET).run()
    second = machine("second")
    second.run()
    environ = {"IMGSHRINK_CACHE_DIR": str(second.cache)}
    told = called("cache", "info", cwd=tmp_path, environ=environ).stdout
    assert f"signed by key {SIGNER.key_id}" in told
    cleared = called("cache", "clear", "--yes", cwd=tmp_path, environ=environ).stdout
    assert "2 entries of a shared cache removed" in cleared
    assert "shared    0, " in called("cache", "info", cwd=tmp_path, environ=environ).stdout


def test_variants_travel(machine: Callable[..., Machine], tmp_path: Path) -> None:
    """Modern variants of published images are shared like results."""
    found = []
    for name, environ in (("first", WITH_SECRET), ("second", {})):
        there = machine(name, **environ)
        session = there.session()
        made: list[bytes] = []

        def encode(original: bytes, published: bytes, quality: int, made: list[bytes] = made) -> Variant:
            made.append(published)
            return Variant(".webp", "image/webp", webp(), None)

        with session:
            variants = Variants(
                session.cache, FileLocks(there.cache / "claims"), encode,
                VariantRules(("webp",), 10.0, "rules 1"), quality=lambda request: 80, threads=1,
            )  # fmt: skip
            found.append(variants.find([VariantRequest(there.image, None, 1)]))
        assert len(made) == (name == "first")
    assert [row.data for shared in found for row in shared.values() if row] == [webp(), webp()]


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
