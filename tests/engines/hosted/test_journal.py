"""The durable record of what was paid for."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from imgshrink.engines.hosted.journal import KEPT, PAGE, Journal, JournalError, Ledger
from imgshrink.engines.hosted.payment import REJECTED, SENDING, UPLOADED, Row

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


def other(ledger: Ledger, key: str = "other") -> None:
    """Begin the upload of another image."""
    assert ledger.begin(key, "token", instead_of=None) is not None


def test_two_uploads_in_thirty_days(ledger: Ledger, clock: Clock) -> None:
    """A third upload is not permitted until newer uploads are 30 days younger than the second."""
    second = begun(ledger, begun(ledger))
    assert second.spent
    clock.time += KEPT - 1
    assert ledger.begin("key", "token", instead_of=second) is None
    clock.time += 2
    assert ledger.find("key") == second
    other(ledger)
    assert ledger.find("key") is None
    assert begun(ledger).attempts == 1


@pytest.mark.parametrize("years", [-10, 1, 10, 100])
def test_a_clock_that_jumps(years: int, ledger: Ledger, path: Path, clock: Clock) -> None:
    """A clock that jumps forgets nothing, whether it jumps back afterwards or not."""
    row = begun(ledger)
    clock.time += years * 365 * DAY
    assert ledger.find("key") == row
    assert reopened(path, clock).find("key") == row
    clock.time -= years * 365 * DAY
    assert reopened(path, clock).find("key") == row


def test_an_upload_while_the_clock_is_ahead(ledger: Ledger, path: Path, clock: Clock) -> None:
    """An upload that was recorded with a wrong date makes no row of the right date older than it is."""
    clock.time += 3650 * DAY
    other(ledger)
    clock.time -= 3650 * DAY
    row = begun(ledger)
    clock.time += 29 * DAY
    assert reopened(path, clock).find("key") == row


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
    files = list(path.parent.glob(f"{path.name}*"))
    assert all(KEY.encode() not in file.read_bytes() for file in files)
    assert {file.stat().st_mode & 0o077 for file in files} == {0}


def test_old_rows_are_swept(ledger: Ledger, path: Path, clock: Clock) -> None:
    """Opening the journal removes what is 30 days older than now and than the newest row."""
    begun(ledger)
    clock.time += KEPT + DAY
    other(ledger)
    reopened(path, clock).find("other")
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT key FROM uploads").fetchall() == [("other",)]


def test_it_is_durable(ledger: Ledger) -> None:
    """Each transaction is on the disk, with the folder's entry, before the upload that it permits."""
    begun(ledger)
    with ledger.journal.reading() as database:
        assert database is not None
        assert database.execute("PRAGMA synchronous").fetchone() == (3,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 100, 511, 512, PAGE - 1])
def test_a_journal_that_was_cut(size: int, ledger: Ledger, path: Path, clock: Clock) -> None:
    """A journal cut to less than a page is broken, not empty: it is set aside with a note, and a new one begins."""
    begun(ledger)
    ledger.journal.close()
    for file in path.parent.glob(f"{path.name}-*"):
        file.unlink()
    cut = path.read_bytes()[:size]
    path.write_bytes(cut)
    again = reopened(path, clock)
    assert again.find("key") is None
    (aside,) = path.parent.glob(f"{path.name}.broken-*")
    assert aside.read_bytes() == cut
    assert [str(aside) in note for note in again.journal.notes] == [True]
    begun(again)
    assert reopened(path, clock).journal.notes == []


def test_a_new_journal_has_no_note(ledger: Ledger) -> None:
    """A journal that is made for the first time is not broken."""
    begun(ledger)
    assert ledger.journal.notes == []


VERSION_1 = """
CREATE TABLE uploads (
    key TEXT NOT NULL, origin TEXT NOT NULL, account TEXT NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL, image_id INTEGER NOT NULL,
    token TEXT NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (key, origin, account)
) WITHOUT ROWID;
PRAGMA user_version=1;
"""


def test_a_journal_of_version_1(ledger: Ledger, path: Path, clock: Clock) -> None:
    """What an earlier version recorded is known still."""
    path.parent.mkdir()
    values = ("key", ORIGIN, ledger.account, UPLOADED, 1, 7, "token", "", clock.time)
    with sqlite3.connect(path) as database:
        database.executescript(VERSION_1)
        database.execute("INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    database.close()
    row = Row(UPLOADED, 1, 7, "token", "", clock.time)
    assert ledger.find("key") == row
    assert reopened(path, clock).find("key") == row


def accepted(ledger: Ledger, key: str, image_id: int, body: str) -> Row:
    row = ledger.begin(key, "token", instead_of=None, body=body)
    assert row is not None
    return ledger.accept(key, replace(row, state=UPLOADED, image_id=image_id))


def test_one_id_for_two_images(ledger: Ledger, clock: Clock) -> None:
    """Two uploads of different bytes with one image id are rejected both; equal bytes, and old ids, are not."""
    assert accepted(ledger, "a", 1, "one").state == UPLOADED
    assert accepted(ledger, "b", 2, "two").state == UPLOADED
    assert accepted(ledger, "c", 2, "two").state == UPLOADED
    assert accepted(ledger, "d", 1, "three").state == REJECTED
    assert accepted(ledger, "e", 1, "four").state == REJECTED
    rows = {key: ledger.find(key) for key in "abcde"}
    assert {key: row.state for key, row in rows.items() if row} == {
        "a": REJECTED, "b": UPLOADED, "c": UPLOADED, "d": REJECTED, "e": REJECTED,
    }  # fmt: skip
    clock.time += DAY + 1
    assert accepted(ledger, "f", 2, "another").state == UPLOADED


def test_waiting(ledger: Ledger) -> None:
    """A result waits from the upload's reply until it was downloaded."""
    assert ledger.waiting() == 0
    accepted(ledger, "a", 1, "one")
    accepted(ledger, "b", 2, "two")
    assert ledger.waiting() == 2
    delivered = ledger.deliver("a")
    assert delivered is not None
    assert delivered.delivered
    assert (ledger.waiting(), ledger.deliver("nothing")) == (1, None)


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
        database.executemany("INSERT INTO uploads VALUES ('key', 'o', 'a', 's', 1, 1, 't', '', 1, '', 0)", [(), ()])
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
