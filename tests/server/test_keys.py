"""API keys of the server: shown once, stored as hashes, compared whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from imgshrink.server.database import Database, UnusableDatabase
from imgshrink.server.keys import KeyAdminError, Keys
from imgshrink.server.limits import MONTHLY_LIMIT
from imgshrink.server.tables import keys as keys_table
from timed_database import TimedDatabase


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "server"


@pytest.fixture
def database(folder: Path) -> Iterator[Database]:
    database = TimedDatabase(folder, lambda: 1_800_000_000.0)
    yield database
    database.close()


@pytest.fixture
def keys(database: Database) -> Keys:
    return Keys(database)


def test_key_opens(keys: Keys) -> None:
    """A new key is accepted and has its name and limit."""
    secret = keys.add("documentation", 250)
    found = keys.check(secret)
    assert found is not None
    assert (found.name, found.monthly_limit, found.revoked) == ("documentation", 250, None)


def test_other_key_does_not_open(keys: Keys) -> None:
    """A key with the number of one and the secret of another is rejected."""
    first, second = keys.add("first"), keys.add("second")
    assert keys.check(first[: len("imgshrink_") + 13] + second[len("imgshrink_") + 13 :]) is None


@pytest.mark.parametrize(
    "change", [str.upper, str.lower, lambda key: key[:-1], lambda key: key + "a", lambda key: key[1:]]
)
def test_almost_right_key(keys: Keys, change: object) -> None:
    """A key that differs in any character is rejected."""
    assert callable(change)
    assert keys.check(change(keys.add("first"))) is None


@given(st.text())
def test_any_text_is_no_key(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever a header holds, checking it raises nothing."""
    database = Database(tmp_path_factory.mktemp("keys"))
    assert Keys(database).check(text) is None
    database.close()


def test_secret_is_not_on_disk(keys: Keys, database: Database, folder: Path) -> None:
    """No file of the server holds a key, nor its secret part."""
    secret = keys.add("first").rpartition("_")[2].encode()
    database.close()
    assert not [path for path in folder.rglob("*") if path.is_file() and secret in path.read_bytes()]


def test_only_the_owner_reads(keys: Keys, folder: Path) -> None:
    """The folder and the database are for the server's user alone."""
    assert [folder.stat().st_mode & 0o777, (folder / "server.sqlite3").stat().st_mode & 0o777] == [0o700, 0o600]


def test_revoked_key(keys: Keys) -> None:
    """A revoked key is rejected at once and still listed."""
    secret = keys.add("first")
    keys.revoke("first")
    assert keys.check(secret) is None
    assert [(key.name, key.revoked) for key in keys.all()] == [("first", 1_800_000_000.0)]


def test_name_is_free_again(keys: Keys) -> None:
    """The name of a revoked key can be given to a new one."""
    keys.add("first")
    keys.revoke("first")
    assert keys.check(keys.add("first"))


def test_name_taken(keys: Keys) -> None:
    """Two keys in force can't share a name."""
    keys.add("first")
    with pytest.raises(KeyAdminError, match="named first already"):
        keys.add("first")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[2J", "x" * 65, "a "])
def test_bad_name(keys: Keys, name: str) -> None:
    """A name with characters that a log can't show is refused."""
    with pytest.raises(KeyAdminError, match="letters"):
        keys.add(name)


def test_bad_limit(keys: Keys) -> None:
    """A limit below nothing is refused."""
    with pytest.raises(KeyAdminError, match="limit"):
        keys.add("first", -1)


def test_revoke_unknown(keys: Keys) -> None:
    """Revoking a key that is not there says so."""
    with pytest.raises(KeyAdminError, match="no key named first"):
        keys.revoke("first")


def test_usual_limit(keys: Keys) -> None:
    """A key has the default limit unless another is given."""
    keys.add("first")
    assert [key.monthly_limit for key in keys.all()] == [MONTHLY_LIMIT]


def test_foreign_database(folder: Path, database: Database) -> None:
    """A database of another version is not touched, and the text says what to do."""
    with sqlite3.connect(folder / "server.sqlite3") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(UnusableDatabase, match="another version"):
        Database(folder)


def test_no_database(folder: Path) -> None:
    """A file that is no database is named."""
    folder.mkdir()
    (folder / "server.sqlite3").write_bytes(b"something else, long enough to be looked at" * 40)
    with pytest.raises(UnusableDatabase, match=r"server\.sqlite3 can't be used"):
        Database(folder)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("postgresql://127.0.0.1:1/db?user=u&password=secret", "127.0.0.1:1/db"),
        ("postgresql://u:secret@127.0.0.1:1/db", "127.0.0.1:1/db"),
        ("postgresql:///db?host=/nowhere&password=secret", "localhost/db"),
    ],
)
def test_unreachable_database(url: str, address: str) -> None:
    """A database that is not there is named by its address, without a user or a password, wherever they stand."""
    with pytest.raises(UnusableDatabase) as trouble:
        Database(url)
    assert str(trouble.value).startswith(f"{address} can't be used: ")
    assert "secret" not in str(trouble.value)


def test_failed_transaction_leaves_nothing(database: Database, keys: Keys) -> None:
    """A transaction that raises is rolled back."""
    keys.add("first")

    def stumble() -> None:
        with database.transaction() as connection:
            connection.execute(delete(keys_table))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stumble()
    assert [key.name for key in keys.all()] == ["first"]
