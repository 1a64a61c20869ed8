"""One contract for every store of images: a folder, a bucket of a real S3 server, a container of a real Azurite."""

from __future__ import annotations

import errno
import os
import shutil
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from image_builder import chunk, png
from imgshrink.core.errors import SettingsError
from imgshrink.server.backend import Places, open_blobs
from imgshrink.server.blobs import ORIGINALS, RESULTS, STRAY_SECONDS, Blobs, Missing, StoreTrouble, discard
from imgshrink.server.limits import Limits
from patience import until
from real_servers import Program, azurite, free_port, s3_server
from server_process import Served
from strict_bucket import StrictBucket, strict_bucket

AZURITE = shutil.which("azurite-blob")
LARGE = bytes(range(256)) * 40_000
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A server that speaks S3, with an empty bucket."""
    with s3_server(tmp_path_factory.mktemp("s3"), "images") as server:
        yield server


@pytest.fixture
def strict(s3: Program) -> Iterator[StrictBucket]:
    """The same, where nothing can be listed."""
    with strict_bucket(s3.port) as server:
        yield server


def bucket(folder: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> Blobs:
    """The store of images in a bucket of the S3 server at a port, below a prefix of the test's own."""
    for key, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}.items():
        monkeypatch.setenv(key, value)
    return open_blobs(Places(folder, "", f"s3://images/{folder.name}"), Limits())


@pytest.fixture(
    params=[
        "folder",
        "file",
        pytest.param("s3", marks=pytest.mark.slow),
        pytest.param("s3 that may not list", marks=pytest.mark.slow),
        pytest.param(
            "azurite",
            marks=[
                pytest.mark.tools,
                pytest.mark.skipif(not AZURITE, reason="Azurite is not installed"),
            ],
        ),
    ]
)
def blobs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Blobs]:
    """Each store."""
    name = request.param
    if name == "folder":
        yield open_blobs(Places(tmp_path / "data"), Limits())
    elif name == "file":
        yield open_blobs(Places(tmp_path, "", (tmp_path / "shared").as_uri()), Limits())
    elif name.startswith("s3"):
        fixture = "s3" if name == "s3" else "strict"
        yield bucket(tmp_path, monkeypatch, request.getfixturevalue(fixture).port)
    else:
        with azurite(tmp_path / "azurite", "images") as (_, environment):
            for key, value in environment.items():
                monkeypatch.setenv(key, value)
            yield open_blobs(Places(tmp_path, "", "az://images/some/where"), Limits())


def test_contract(blobs: Blobs) -> None:
    """What is put is there, under its kind and name; what is put again replaces it; what is removed is gone."""
    assert blobs.has_space()
    blobs.put(ORIGINALS, "a.png", LARGE)
    blobs.put(RESULTS, "a.png", b"result")
    blobs.put(RESULTS, "a.png.2", b"")
    assert (blobs.get(ORIGINALS, "a.png"), blobs.get(RESULTS, "a.png"), blobs.get(RESULTS, "a.png.2")) == (
        LARGE, b"result", b"",
    )  # fmt: skip
    blobs.put(RESULTS, "a.png", b"again")
    assert blobs.get(RESULTS, "a.png") == b"again"
    found = blobs.open(ORIGINALS, "a.png")
    assert found is not None
    pieces = list(found.chunks)
    assert (found.size, b"".join(pieces), len(pieces) > 1) == (len(LARGE), LARGE, True)
    for _ in range(2):
        blobs.remove(ORIGINALS, "a.png")
    assert blobs.open(ORIGINALS, "a.png") is None
    with pytest.raises(Missing, match="the image is gone"):
        blobs.get(ORIGINALS, "a.png")
    assert blobs.get(RESULTS, "a.png") == b"again"
    assert list(blobs.strays()) == []


def test_strays_of_a_folder(tmp_path: Path) -> None:
    """Old files are strays, young ones are not."""
    blobs = open_blobs(Places(tmp_path), Limits())
    for name in ("old.png", "young.png"):
        blobs.put(RESULTS, name, b"0")
    long_ago = time.time() - STRAY_SECONDS - 1
    os.utime(tmp_path / RESULTS / "old.png", (long_ago, long_ago))
    assert list(blobs.strays()) == [(RESULTS, "old.png")]


def test_strays_of_a_shared_folder(tmp_path: Path) -> None:
    """A folder that a URL names may hold files of other servers: none is a stray."""
    blobs = open_blobs(Places(tmp_path, "", tmp_path.as_uri()), Limits())
    blobs.put(RESULTS, "old.png", b"0")
    os.utime(tmp_path / RESULTS / "old.png", (0, 0))
    assert list(blobs.strays()) == []


def test_trouble_of_a_folder_without_a_name(tmp_path: Path) -> None:
    """What can't be read, written or deleted is an error of the system without the name, in the traceback as well."""
    blobs = open_blobs(Places(tmp_path), Limits())
    folder, loop = ("secret" + end for end in (".png", "-loop.png"))
    (tmp_path / RESULTS / folder).mkdir()
    (tmp_path / RESULTS / loop).symlink_to(loop)
    calls: list[Callable[[], object]] = [
        lambda: blobs.put(RESULTS, folder, b"0"),
        lambda: blobs.get(RESULTS, folder),
        lambda: blobs.open(RESULTS, loop),
        lambda: blobs.remove(RESULTS, folder),
    ]
    for call in calls:
        with pytest.raises(OSError) as trouble:
            call()
        assert trouble.value.errno in (errno.EISDIR, errno.ELOOP, errno.EPERM, errno.EACCES)
        assert str(trouble.value).endswith(f"(in {tmp_path / RESULTS})")
        assert "secret" not in "".join(traceback.format_exception(trouble.value, chain=True))
        assert (trouble.value.filename, trouble.value.__suppress_context__) == (None, True)


@pytest.mark.parametrize("bucket", ["nowhere", "closed"])
def test_trouble(
    tmp_path: Path, s3: Program, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, bucket: str
) -> None:
    """A store that does not answer, or has no such bucket, is trouble for each call; no name and no address is told."""
    port = s3.port if bucket == "nowhere" else free_port()
    for key, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}.items():
        monkeypatch.setenv(key, value)
    blobs = open_blobs(Places(tmp_path, "", f"s3://{bucket}/x"), Limits())
    calls = [
        lambda: blobs.put(ORIGINALS, "secret.png", b"0"),
        lambda: blobs.get(ORIGINALS, "secret.png"),
        lambda: blobs.open(RESULTS, "secret.png"),
    ]
    for call in calls:
        with pytest.raises(StoreTrouble) as trouble:
            call()
        assert str(trouble.value) in (
            "bucket nowhere: no such bucket for the originals: create it, or correct --blobs",
            "bucket nowhere: no such bucket for the results: create it, or correct --blobs",
            "the store of images: no connection",
        )
    discard(blobs, ORIGINALS, "secret.png")
    assert "secret" not in caplog.text


@pytest.mark.slow
def test_bucket_that_may_not_be_listed(tmp_path: Path, strict: StrictBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """403 for an object that is not there is told from credentials that are refused, by one object of our own."""
    blobs = bucket(tmp_path, monkeypatch, strict.port)
    for _ in range(3):
        blobs.check()
    puts = [path for method, path in strict.requests if method == "PUT"]
    assert puts == [f"/images/{tmp_path.name}/originals/probe"]
    with pytest.raises(Missing) as missing:
        blobs.get(ORIGINALS, "secret.png")
    assert missing.value.where.startswith("bucket images: an object of the originals was deleted: its lifecycle rules")
    assert "secret" not in missing.value.where


@pytest.mark.slow
def test_server_of_a_bucket_that_may_not_be_listed(
    tmp_path: Path, strict: StrictBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server is ready and shrinks images; one whose original is gone fails, and is not kept for ever."""
    blobs, asked = bucket(tmp_path, monkeypatch, strict.port), tmp_path / "asked"
    config = {"blobs": f"s3://images/{tmp_path.name}", "asked": str(asked), "seconds": 1, "jobs": 1}
    with Served(tmp_path / "data", **config) as server:  # type: ignore[arg-type]  # a table
        assert server.get("/health/ready", "").status_code == 200
        first, second = server.accepted(commented(1)), server.post(commented(2)).json()["data"]
        until(asked.exists)
        blobs.remove(ORIGINALS, second["original_url"].rpartition("/")[2])
        assert server.ended(first)["status"] == "completed"
        ended = server.ended(second["image_id"])
        assert (ended["status"], ended["message"]) == ("failed", "the image is gone")
        told = f"image {second['image_id']}: bucket images: an object of the originals was deleted: its lifecycle rules"
        assert server.log.read_text().count(told) == 3
        assert server.get(second["original_url"], "").status_code == 404


def commented(number: int) -> bytes:
    return png(chunk(b"tEXt", b"Comment\0" + str(number).encode() * 50))


def calls(blobs: Blobs, kind: str, name: str) -> list[Callable[[], object]]:
    """Return all that can be done with an object."""
    return [
        lambda: blobs.put(kind, name, b"0"),
        lambda: blobs.get(kind, name),
        lambda: blobs.open(kind, name),
        lambda: blobs.remove(kind, name),
    ]


@pytest.mark.slow
def test_refused_credentials(
    tmp_path: Path, strict: StrictBucket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What the credentials may not do is trouble that names the bucket, the kind and the cure, not the object."""
    blobs = bucket(tmp_path, monkeypatch, strict.port)
    blobs.put(RESULTS, "secret.png", b"0")
    strict.refused.add("/results/")
    for call in calls(blobs, RESULTS, "secret.png"):
        with pytest.raises(StoreTrouble) as trouble:
            call()
        assert str(trouble.value).startswith(
            "bucket images: the results are refused (status 403): the node's credentials"
        )
        assert "s3:GetObject" in str(trouble.value)
    blobs.check()
    strict.refused.add("/originals/")
    with pytest.raises(StoreTrouble, match="the originals are refused"):
        blobs.check()
    discard(blobs, RESULTS, "secret.png")
    assert "secret" not in caplog.text


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """A folder that is not mounted says nothing about an image."""
    blobs = open_blobs(Places(tmp_path), Limits())
    (tmp_path / ORIGINALS).rmdir()
    for call in calls(blobs, ORIGINALS, "a.png"):
        with pytest.raises(StoreTrouble, match=f"the folder {tmp_path / ORIGINALS} is not there: mount it"):
            call()


@pytest.mark.parametrize(
    "url", ["ftp://x/y", "s3://", "images", "s3://key:secret@bucket", "s3://bucket?x=1", "https://host/bucket"]
)
def test_no_store(tmp_path: Path, url: str) -> None:
    """Other addresses are errors that say what one looks like."""
    with pytest.raises(SettingsError, match=r"--blobs is a URL such as s3://bucket/prefix"):
        open_blobs(Places(tmp_path, "", url), Limits())


@pytest.mark.parametrize("url", ["file:", "file:images", "file://images", "file://host/images", "file:///images?x=1"])
def test_no_folder(tmp_path: Path, url: str) -> None:
    """A folder's URL names no host, and the whole path."""
    with pytest.raises(SettingsError, match="--blobs names a folder as file:///srv/images"):
        open_blobs(Places(tmp_path, "", url), Limits())
