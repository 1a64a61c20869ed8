"""The shared cache over real servers: one that speaks S3, and nginx as a WebDAV server."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from caches import LARGE, NOTHING, SMALL
from imgshrink.cache.push import Pushed, push
from imgshrink.cache.shelf import Address, ObjectShelf, Trouble
from real_servers import Program, azurite, free_port, s3_server
from shelves import SIGNER, tiered

KEYS = [f"{number:064x}" for number in range(100)]
LOGIN = "writer:hunter2"
NGINX = """
daemon off; pid {folder}/pid; error_log stderr; worker_processes 1; {user}
{modules}
events {{ }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port}; client_max_body_size 64m;
    location / {{
      root {folder}/data; dav_methods PUT; create_full_put_path on;
      limit_except GET {{ auth_basic x; auth_basic_user_file {folder}/users; }}
    }}
  }}
}}
"""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that speaks S3, with an empty bucket `shared`."""
    with s3_server(tmp_path_factory.mktemp("s3"), "shared") as server:
        yield server.port


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of nginx, as the page's recipe sets it up: everybody reads, one user writes."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed: apt-get install nginx-core libnginx-mod-http-dav-ext")
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "data").mkdir()
    user, password = LOGIN.split(":")
    digest = base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()
    (folder / "users").write_text(f"{user}:{{SHA}}{digest}\n")
    port = free_port()
    run_as = "user root;" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
    (folder / "conf").write_text(NGINX.format(folder=folder, port=port, user=run_as, modules=""))
    with Program([program, "-p", str(folder), "-c", str(folder / "conf")], port):
        yield port


def two_machines(folder: Path, writing: ObjectShelf, reading: ObjectShelf) -> None:
    """One machine shares results, another has them all."""
    writer = tiered(folder / "first", writing, signer=SIGNER)
    writer.prefetch(dict.fromkeys(KEYS, 1 << 20), {})
    for number, key in enumerate(KEYS[:80]):
        assert writer.put(key, (SMALL, LARGE, NOTHING)[number % 3])
    writer.close()
    assert writer.summary() == "80 added"
    reader = tiered(folder / "second", reading)
    reader.prefetch(dict.fromkeys(KEYS, 1 << 20), {})
    assert reader.summary() == "80 found, 20 not there"
    assert [reader.get(key) for key in KEYS[:3]] == [SMALL, LARGE, NOTHING]
    reader.close()


@pytest.mark.slow
def test_s3(tmp_path: Path, s3: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket holds what one machine shares, with credentials, and another reads it without any."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{s3}")
    address = Address("s3://shared/a/b")
    reading = ObjectShelf(address, os.environ)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SK")
    writing = ObjectShelf(address, os.environ)
    two_machines(tmp_path, writing, reading)
    assert writing.put_new(f"v1/keys/{SIGNER.key_id}", b"other") is False
    assert reading.names("v1/keys", 10) == [f"v1/keys/{SIGNER.key_id}"]
    with pytest.raises(Trouble, match="no such bucket"):
        ObjectShelf(Address("s3://another"), os.environ).get("v1/x", 1000)


@pytest.mark.slow
@pytest.mark.tools
@pytest.mark.skipif(not shutil.which("azurite-blob"), reason="Azurite is not installed")
def test_azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in a container of Microsoft's store; nobody writes without the account's key."""
    with azurite(tmp_path / "azurite", "shared") as (_, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        shelf = ObjectShelf(Address("az://shared/a/b"), os.environ)
        two_machines(tmp_path, shelf, shelf)
        assert shelf.put_new(f"v1/keys/{SIGNER.key_id}", b"other") is False
        with pytest.raises(Trouble, match="no such bucket"):
            ObjectShelf(Address("az://another"), os.environ).get("v1/x", 1000)
        monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_KEY")
        with pytest.raises(Trouble):
            ObjectShelf(Address("az://shared/a/b"), os.environ).put_new("v1/x", b"0")


@pytest.mark.slow
def test_everything_on_a_machine_is_pushed(tmp_path: Path, s3: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The results that a machine has made before are shared after the fact, each once."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{s3}")
    shelf = ObjectShelf(Address("s3://shared/pushed"), os.environ)
    local = tiered(tmp_path / "first", shelf)._local
    for key in KEYS[:10]:
        local.put(key, LARGE)
    local.put("probe", NOTHING)
    assert push(local, shelf, SIGNER) == Pushed(10, 0)
    assert push(local, shelf, SIGNER) == Pushed(0, 10)
    reader = tiered(tmp_path / "second", shelf)
    reader.prefetch(dict.fromkeys(KEYS, 1 << 20), {})
    assert reader.summary() == "10 found, 90 not there"


@pytest.mark.tools
def test_nginx(tmp_path: Path, nginx: int) -> None:
    """The recipe for nginx: everybody reads, and only who has the login writes."""
    address = Address(f"http://127.0.0.1:{nginx}/docs")
    two_machines(tmp_path, ObjectShelf(address, {}, login=LOGIN), ObjectShelf(address, {}))
    stranger = tiered(tmp_path / "stranger", ObjectShelf(address, {}), signer=SIGNER)
    stranger.prefetch({"f" * 64: 1 << 20}, {})
    stranger.put("f" * 64, SMALL)
    stranger.close()
    assert stranger.summary() == "0 found, 1 not there, can't be written, went on without it (status 401)"
