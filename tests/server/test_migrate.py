"""A data folder becomes a database and a store of many nodes; and a folder of the first version serves on."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, Row, RowMapping, event

import imgshrink.server.migrate as migrate_module
from image_builder import chunk, png
from imgshrink.core.errors import SettingsError
from imgshrink.server.backend import Places, open_database
from imgshrink.server.blobs import FolderBlobs
from imgshrink.server.data_lock import DataFolderInUse, locked
from imgshrink.server.database import NAME, Database, UnusableDatabase
from imgshrink.server.keys import Keys
from imgshrink.server.limits import Limits
from imgshrink.server.migrate import Migrated, migrate
from imgshrink.server.usage import stored
from patience import until
from postgresql import needs_postgresql, postgresql
from server_process import Served

FIRST_VERSION = (Path(__file__).parent / "version1.sql").read_text(encoding="utf-8")
RESULT = "a2" + "0" * 30 + ".png"


def image(number: int) -> bytes:
    return png(chunk(b"tEXt", b"Comment\0" + str(number).encode() * 50))


def folder_of_version_1(folder: Path) -> None:
    """A data folder as version 1 left it: two keys, and a job of each state."""
    for kind in ("originals", "results"):
        (folder / kind).mkdir(parents=True)
    with closing(sqlite3.connect(folder / NAME)) as connection:
        connection.executescript(FIRST_VERSION)
    for name in ("a1.png", "b1.png", "c1.png", "d1.png"):
        (folder / "originals" / name).write_bytes(image(1))
    (folder / "results" / RESULT).write_bytes(png())


def test_folder_of_version_1(tmp_path: Path) -> None:
    """A server of today goes on where the first version ended: images wait, results can be fetched, counts are kept."""
    folder_of_version_1(tmp_path / "data")
    with Served(tmp_path / "data", key="none") as server:
        key = server.add_key("tests")
        assert server.get(f"/direct-file/optimized/{RESULT}", "").content == png()
        with closing(Database(tmp_path / "data")) as database:
            assert [known.name for known in Keys(database).all()] == ["docs", "old", "tests"]
        assert server.ended(server.accepted(image(9), key=key), key)["status"] == "completed"
        done = "SELECT state, COUNT(*) FROM jobs GROUP BY state ORDER BY state"
        with closing(sqlite3.connect(tmp_path / "data" / NAME)) as connection:
            until(lambda: connection.execute(done).fetchall() == [("completed", 4), ("failed", 1)])
    with closing(Database(tmp_path / "data")) as database, database.reading() as connection:
        assert stored(connection) == 990 + len(image(9)) + 3 * len(png())


def test_database_of_the_future(tmp_path: Path) -> None:
    """The database of a later version is refused with the cure, and left as it is."""
    Database(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        connection.execute("PRAGMA user_version = 3")
    with pytest.raises(UnusableDatabase, match="by another version: update imgshrink, or choose another --data"):
        Database(tmp_path)


def test_keys_beside_a_server_of_version_1(tmp_path: Path) -> None:
    """A command of today leaves the database of a server of version 1 as it is while that server runs."""
    folder_of_version_1(tmp_path)
    version = "PRAGMA user_version"
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        with (
            locked(tmp_path),
            pytest.raises(SettingsError, match="of an earlier version: restart it with this version"),
        ):
            open_database(Places(tmp_path))
        assert connection.execute(version).fetchone() == (1,)
        for _ in range(2):
            open_database(Places(tmp_path)).close()
        assert connection.execute(version).fetchone() == (2,)
    with locked(tmp_path), closing(open_database(Places(tmp_path))) as database:
        assert [known.name for known in Keys(database).all()] == ["docs", "old"]


def test_migration_into_itself(tmp_path: Path) -> None:
    """The folder that is migrated can't be the new store."""
    folder_of_version_1(tmp_path / "data")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with pytest.raises(SettingsError, match="--blobs names the folder that is migrated"):
        migrate(Places(tmp_path / "data", "postgresql://localhost:1/x", (tmp_path / "link").as_uri()))


@pytest.mark.tools
@needs_postgresql[1]
def test_migrated(tmp_path: Path) -> None:
    """Everything that a folder holds is in the database and the store: keys, counts, results, and what waits."""
    folder_of_version_1(tmp_path / "data")
    (tmp_path / "data" / "originals" / "d1.png").unlink()
    places = Places(tmp_path / "data", postgresql().new_database(), (tmp_path / "shared").as_uri())
    assert migrate(places) == Migrated(keys=2, jobs=4, images=4, gone=1)
    config = {"database": places.database, "blobs": places.blobs}
    with Served(tmp_path / "node", jobs=1, key="none", **config) as server:  # type: ignore[arg-type]  # a table
        key = server.add_key("tests")
        assert server.get(f"/direct-file/optimized/{RESULT}", "").content == png()
        number = server.accepted(image(9), key=key)
        assert (number > 7, server.ended(number, key)["status"]) == (True, "completed")
        name = places.database.rpartition("/")[2]
        states = "SELECT state, COUNT(*) FROM jobs GROUP BY state ORDER BY state"
        until(lambda: postgresql().sql(states, name) == [("completed", 4), ("failed", 1)])
    with pytest.raises(SettingsError, match="has keys already: migrate into a new one"):
        migrate(places)


def folder_of_many_jobs(folder: Path, count: int) -> None:
    """A data folder of version 1 with `count` further jobs that wait, each with an original."""
    folder_of_version_1(folder)
    columns = "key_id, month, accepted, format, quality, body_digest, original_name, optimized_name, original_size"
    rows = [("0123456789ab", "2026-11", 1.0, "png", 80, "", f"m{n}.png", f"n{n}.png", 1) for n in range(count)]
    with closing(sqlite3.connect(folder / NAME)) as connection:
        connection.executemany(f"INSERT INTO jobs ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.commit()
    for row in rows:
        (folder / "originals" / row[6]).write_bytes(b"1")


def rows_in_memory() -> int:
    """How many rows of a database the process holds."""
    gc.collect()
    return sum(isinstance(held, Row | RowMapping) for held in gc.get_objects())


@contextmanager
def each_insertion(table: str, call: Callable[[], None]) -> Iterator[None]:
    """Call at each statement that inserts into a table, before it is executed."""

    def executed(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith(f"INSERT INTO {table} "):
            call()

    event.listen(Engine, "before_cursor_execute", executed)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", executed)


@pytest.mark.tools
@needs_postgresql[1]
def test_rows_are_copied_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many jobs a folder has, no more rows than those of a batch are in memory."""
    monkeypatch.setattr(migrate_module, "ROWS", 20)
    folder_of_many_jobs(tmp_path / "data", 96)
    places = Places(tmp_path / "data", postgresql().new_database(), (tmp_path / "shared").as_uri())
    held: list[int] = []
    before = rows_in_memory()
    with each_insertion("jobs", lambda: held.append(rows_in_memory() - before)):
        assert migrate(places).jobs == 100
    assert (len(held), max(held) <= 21) == (5, True)  # one more is the row of another query
    name = places.database.rpartition("/")[2]
    assert postgresql().sql("SELECT COUNT(*), COUNT(DISTINCT original_name) FROM jobs", name) == [(100, 100)]


def test_images_are_copied_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of images are read as they are copied, a batch at a time."""
    monkeypatch.setattr(migrate_module, "ROWS", 20)
    folder_of_many_jobs(tmp_path / "data", 60)
    read, ahead, names = 0, [], migrate_module._images

    def counted(old: Connection) -> Iterator[tuple[str, str]]:
        nonlocal read
        for image in names(old):
            read += 1
            yield image

    class Target(FolderBlobs):
        def put(self, kind: str, name: str, data: bytes) -> None:
            ahead.append(read - len(ahead))
            super().put(kind, name, data)

    monkeypatch.setattr(migrate_module, "_images", counted)
    source, target = (kind(tmp_path / where, Limits()) for kind, where in ((FolderBlobs, "data"), (Target, "new")))
    with closing(Database(tmp_path / "data")) as database, database.reading() as old:
        assert migrate_module._copy_images(old, source, target) == (65, 0)
    assert max(ahead) <= 20


@pytest.mark.tools
@needs_postgresql[1]
def test_migration_beside_a_server(tmp_path: Path) -> None:
    """A folder that a server uses is not migrated."""
    folder_of_version_1(tmp_path / "data")
    places = Places(tmp_path / "data", postgresql().new_database(), (tmp_path / "shared").as_uri())
    with locked(places.data), pytest.raises(DataFolderInUse):
        migrate(places)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("", ""), "migrate needs --database and --blobs"),
        (("postgresql://localhost/x", ""), "migrate needs --database and --blobs"),
        (("postgresql://localhost/x", "file:///tmp/x"), "holds no server's data: name its folder with --data"),
    ],
    ids=["nothing", "no store", "no folder"],
)
def test_nothing_to_migrate(tmp_path: Path, more: tuple[str, str], message: str) -> None:
    """What is missing is named."""
    with pytest.raises(SettingsError, match=message):
        migrate(Places(tmp_path, *more))
