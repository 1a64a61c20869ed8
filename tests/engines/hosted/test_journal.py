"""The durable record of what was paid for."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from imgshrink.engines.hosted.journal import KEPT, REJECTED, SENDING, UPLOADED, Journal, JournalError, Ledger, Row

ORIGIN = "https://www.tinyjpg.co"
KEY = "an-api-key-of-somebody"
DAY = 86400.0


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.time = 1_000_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "uploads.sqlite"


@pytest.fixture
def ledger(path: Path, clock: Clock) -> Ledger:
    return Journal(path, clock=clock).ledger(ORIGIN, KEY)


def reopened(path: Path, clock: Clock) -> Ledger:
    return Journal(path, clock=clock).ledger(ORIGIN, KEY)


def begun(ledger: Ledger, instead_of: Row | None = None) -> Row:
    row = ledger.begin("key", "token", instead_of=instead_of)
    assert row is not None
    return row


def test_nothing_is_known_at_first(ledger: Ledger) -> None:
    """An image that was never sent has no row."""
    assert ledger.find("key") is None


def test_looking_makes_nothing(ledger: Ledger, path: Path) -> None:
    """Asking for an image leaves no file where there was none."""
    ledger.find("key")
    assert not path.parent.exists()


def test_sending_is_durable(ledger: Ledger, path: Path, clock: Clock) -> None:
    """What was begun is known to a journal that is opened afterwards."""
    row = begun(ledger)
    assert row == Row(SENDING, 1, 0, "token", "", clock.time)
    assert row == reopened(path, clock).find("key")


def test_uploaded_is_durable(ledger: Ledger, path: Path, clock: Clock) -> None:
    """The number of an upload is known to a journal that is opened afterwards."""
    row = replace(begun(ledger), state=UPLOADED, image_id=2**63 - 1)
    ledger.settle("key", row)
    assert row == reopened(path, clock).find("key")


def test_an_upload_that_did_not_happen(ledger: Ledger) -> None:
    """Taking back a first upload leaves nothing, taking back a second leaves the first."""
    first = begun(ledger)
    second = begun(ledger, first)
    ledger.undo("key", first)
    assert ledger.find("key") == first
    assert second.attempts == 2
    ledger.undo("key", None)
    assert ledger.find("key") is None


def test_two_uploads_in_thirty_days(ledger: Ledger, clock: Clock) -> None:
    """A third upload is not permitted until 30 days after the second."""
    second = begun(ledger, begun(ledger))
    assert second.spent
    clock.time += KEPT - 1
    assert ledger.begin("key", "token", instead_of=second) is None
    clock.time += 2
    assert ledger.find("key") is None
    assert begun(ledger).attempts == 1


def test_a_repeated_upload_keeps_its_token(ledger: Ledger) -> None:
    """While nobody knows the fate of the first upload, the second carries its token; after an answer, a new one."""
    first = begun(ledger)
    second = ledger.begin("key", "other", instead_of=first)
    assert second is not None
    assert second.token == "token"
    uploaded = replace(first, state=UPLOADED, image_id=5)
    ledger.settle("key", uploaded)
    again = ledger.begin("key", "other", instead_of=uploaded)
    assert again is not None
    assert again.token == "other"


def test_a_rejected_image_is_not_begun(ledger: Ledger) -> None:
    """What the API has rejected is not sent again."""
    rejected = replace(begun(ledger), state=REJECTED, reason="no")
    ledger.settle("key", rejected)
    assert ledger.find("key") == rejected
    assert ledger.begin("key", "token", instead_of=rejected) is None


def test_check_and_check_again(ledger: Ledger) -> None:
    """Who has not seen the latest row may not begin: between two who both saw nothing, one wins."""
    begun(ledger)
    assert ledger.begin("key", "token", instead_of=None) is None


def test_accounts_and_origins_are_apart(path: Path, clock: Clock) -> None:
    """Another key, or another API, has rows of its own."""
    journal = Journal(path, clock=clock)
    begun(journal.ledger(ORIGIN, KEY))
    assert journal.ledger(ORIGIN, "another-key").find("key") is None
    assert journal.ledger("https://images.example.com", KEY).find("key") is None
    assert journal.ledger(ORIGIN, KEY).find("key") is not None


def test_the_key_is_not_in_the_file(ledger: Ledger, path: Path) -> None:
    """Neither the journal nor its side files hold the API key, and only their owner may read them."""
    begun(ledger)
    files = list(path.parent.iterdir())
    assert all(KEY.encode() not in file.read_bytes() for file in files)
    assert {file.stat().st_mode & 0o077 for file in files} == {0}


def test_old_rows_are_swept(ledger: Ledger, path: Path, clock: Clock) -> None:
    """Opening the journal removes what is older than 30 days."""
    begun(ledger)
    clock.time += KEPT + DAY
    reopened(path, clock).find("other")
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT COUNT(*) FROM uploads").fetchone() == (0,)


def test_a_journal_that_can_not_be_made(tmp_path: Path) -> None:
    """Where the folder can't be made, the error names the file."""
    (tmp_path / "file").write_text("in the way")
    ledger = Journal(tmp_path / "file" / "uploads.sqlite").ledger(ORIGIN, KEY)
    with pytest.raises(JournalError, match=r"uploads\.sqlite"):
        ledger.begin("key", "token", instead_of=None)


def test_a_journal_that_is_none(path: Path) -> None:
    """A file that is no database is an error, and is left as it is."""
    path.parent.mkdir()
    path.write_bytes(b"no database at all " * 100)
    with pytest.raises(JournalError, match="not a database"):
        Journal(path).ledger(ORIGIN, KEY).find("key")
    assert path.read_bytes().startswith(b"no database")


def test_a_newer_journal(ledger: Ledger, path: Path) -> None:
    """A journal of a later version is not touched."""
    begun(ledger)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version=9")
    with pytest.raises(JournalError, match="newer"):
        Journal(path).ledger(ORIGIN, KEY).find("key")


def test_closing(ledger: Ledger) -> None:
    """A closed journal opens again when it is asked again; closing twice is fine."""
    begun(ledger)
    ledger.journal.close()
    ledger.journal.close()
    assert ledger.find("key") is not None


def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger) -> None:
    """What raises inside a transaction takes back all of it, and the journal goes on."""
    with pytest.raises(JournalError, match="UNIQUE"), ledger.journal.writing() as database:
        database.executemany("INSERT INTO uploads VALUES ('key', 'o', 'a', 's', 1, 1, 't', '', 1)", [(), ()])
    with ledger.journal.writing() as database:
        assert database.execute("SELECT COUNT(*) FROM uploads").fetchone() == (0,)


def test_locked_is_waited_for_once(ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has waited for a locked journal in vain does not wait again in this run, image after image."""
    monkeypatch.setattr("imgshrink.engines.hosted.journal.LOCK_TIMEOUT", 0.2)
    before = begun(ledger)
    ledger.journal.close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(JournalError, match="locked"):
        ledger.begin("other", "token", instead_of=None)
    other.execute("ROLLBACK")
    other.close()
    with pytest.raises(JournalError, match="locked"):
        ledger.begin("other", "token", instead_of=None)
    assert reopened(path, Clock()).find("key") == before


def test_rows_of_a_stranger(ledger: Ledger) -> None:
    """A row that no imgshrink wrote is trouble with a name, not a crash."""
    ledger.settle("key", begun(ledger))
    with ledger.journal.writing() as database:
        database.execute("UPDATE uploads SET attempts = 'many'")
    with pytest.raises(JournalError, match="it holds what no imgshrink wrote"):
        ledger.find("key")


def test_threads_do_not_begin_twice(ledger: Ledger) -> None:
    """Of many threads that begin the same image at once, one may."""
    won: list[Row | None] = []
    threads = [
        threading.Thread(target=lambda: won.append(ledger.begin("key", "token", instead_of=None))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(row is not None for row in won) == 1


BEGIN = """
import sys
from pathlib import Path
from imgshrink.engines.hosted.journal import Journal
ledger = Journal(Path(sys.argv[1])).ledger("https://www.tinyjpg.co", "key")
print(sum(ledger.begin(str(number), "token", instead_of=None) is not None for number in range(20)))
"""


def test_processes_do_not_begin_twice(path: Path) -> None:
    """Of several processes that begin the same images at once, with no journal there before, one may for each."""
    command = [sys.executable, "-c", BEGIN, str(path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert sum(int(process.communicate()[0]) for process in processes) == 20
