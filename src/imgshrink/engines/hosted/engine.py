"""The engine that sends images through the TinyJPG API. The HTTP client is loaded with the first image, not before."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from ...core import tinyjpg
from ...core.errors import AccountError, Declined, EngineError, Unavailable
from ...core.keys import cache_key, content_hash
from ...core.model import Format, ImageInfo, Recipe
from ...core.tinyjpg import Json
from ...files.locks import KeyedLock
from . import replies
from .budget import Account
from .client import ApiClient, NoResponse
from .journal import REJECTED, UPLOADED, Journal, JournalError, Ledger
from .polling import Timing
from .quota import Quota, read_quota
from .secret import Secret
from .urls import read_api

if TYPE_CHECKING:
    from ...files.locks import FileLocks

PROTOCOL = "tinyjpg-1"
LARGEST = 32 * 1024 * 1024


def nothing_wrong() -> str:
    """Say that results can be kept."""
    return ""


class Hosted:
    """Images go to the API at `api_url`; without a `key` nothing does, and the engine stands for what the cache knows.

    Raises `SettingsError` for a bad key or address. `hosts` may hold results beside the API's own host. `can_remember`
    is asked once, before the first upload: "" or why a result could not be kept. `claims` are shared by all who share
    the journal. Everything that waits watches `stop`.
    """

    name = "hosted"
    local = False

    def __init__(
        self,
        key: str | None,
        api_url: str = tinyjpg.BASE_URL,
        hosts: Sequence[str] = (),
        *,
        journal: Journal | Path,
        max_uploads: int = 500,
        can_remember: Callable[[], str] = nothing_wrong,
        claims: FileLocks | None = None,
        stop: threading.Event | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._timing = timing or Timing()
        self._api = read_api(api_url)
        self._hosts = tuple(host.lower() for host in hosts)
        self._journal = journal if isinstance(journal, Journal) else Journal(journal)
        self._account = Account(max_uploads, can_remember)
        self._claims = claims
        self._stop = stop or threading.Event()
        self._turns = KeyedLock(self._stop)
        self._lock = threading.Lock()
        self._opened: ApiClient | None = None
        self._secret, self._ledger = self._read_key(tinyjpg.clean_key(key))

    def __repr__(self) -> str:
        return f"Hosted({self.host})"

    @property
    def host(self) -> str:
        """The API's host, as people know it."""
        return self._api.authority

    @property
    def fingerprint(self) -> str:
        """Protocol and address: who has no key finds what others paid for."""
        return f"{PROTOCOL} {self._api.url}"

    @property
    def uploads(self) -> int:
        """How many uploads of this run were, or may have been, paid for."""
        return self._account.uploads

    def notes(self) -> list[str]:
        """What a person should know about this run's payments, one line each."""
        broken, again = self._account.broken_off, self._account.repeated
        notes = []
        if broken:
            uploads = "1 upload" if broken == 1 else f"{broken} uploads"
            notes.append(
                f"{uploads} to {self.host} brought no usable answer ({self._account.why_broken}), paid or not: "
                "a later run tries once more"
            )
        if again:
            images = "1 image was" if again == 1 else f"{again} images were"
            notes.append(f"{images} uploaded to {self.host} a second time: the first upload brought no result")
        return notes

    def declines(self, info: ImageInfo, size: int) -> str:
        """Return why an image is not for the API, whoever asks, or ""; `size` is bytes."""
        if info.format is Format.PNG and info.animated:
            return "the API would flatten an animated PNG"
        if info.colour == "cmyk":
            return "the API would turn CMYK into RGB"
        if info.depth > 8:
            return f"the API would cut {info.depth} bits a sample to 8"
        return "too large for the API" if size > LARGEST else ""

    def paid(self, content: str, recipe: Recipe) -> bool:
        """Whether asking for the image with this content hash costs no upload, because the journal knows it."""
        if self._ledger is None:
            return False
        try:
            row = self._ledger.find(self._name(content, recipe))
        except JournalError:
            return False
        return row is not None and (row.spent or row.state in (UPLOADED, REJECTED))

    def optimize(self, data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
        """Return the API's result; raises `EngineError`, with the uploads that it cost."""
        if self._ledger is None:
            raise AccountError("", failure=False)
        if why := self.declines(info, len(data)):
            raise Declined(why)
        from .upload import Upload

        key = self._name(content_hash(data), recipe)
        try:
            with self._turns.turn(key) as ours, self._claimed(key) as alone:
                if not ours:
                    raise Unavailable("interrupted")
                if not alone:
                    raise Unavailable(f"another process is uploading it to {self.host}")
                return Upload(self._client(), key, data, info, recipe).run()
        except JournalError as error:
            reason = str(error)
        raise AccountError(f"nothing is uploaded: {reason}", kind="memory")

    def ask(self, route: str) -> Json:
        """Return what the API says about the account under `route`; raises `EngineError`."""
        if self._ledger is None:
            raise AccountError("no TINYJPG_API_KEY is set", kind="no-key")
        step = self._question(self._client(), route)
        match step:
            case replies.AccountReply(reply):
                return reply
            case replies.Denied():
                raise self._denial(step, "")
            case replies.Later(reason) | replies.Unclear(reason) | replies.Refused(reason):
                raise Unavailable(f"{self.host} {reason}")
        raise Unavailable(f"{self.host} has no {route}")

    def quota(self) -> Quota | None:
        """Return what is left of the quota, None where the API does not say."""
        try:
            return read_quota(self.ask(tinyjpg.STATS))
        except EngineError:
            return None

    def close(self) -> None:
        """End what is in flight, let go of connections and the journal. Safe to call twice."""
        self._stop.set()
        with self._lock:
            if self._opened is not None:
                self._opened.transport.close()
        self._journal.close()

    def _claimed(self, key: str) -> AbstractContextManager[bool]:
        """Hold an image against all processes of this journal, whatever their caches: they must not both upload it."""
        if self._claims is None:
            return nullcontext(enter_result=True)
        return self._claims.claim(key, deadline=time.monotonic() + self._timing.job, stop=self._stop)

    def _read_key(self, key: str | None) -> tuple[Secret | None, Ledger | None]:
        if key is None:
            return None, None
        return Secret(key), self._journal.ledger(self._api.origin, key)

    def _name(self, content: str, recipe: Recipe) -> str:
        """Return the image's name in the journal: what is carried for other programs is not uploaded, kept or not."""
        return cache_key(content, Recipe(recipe.quality), self.fingerprint)

    def _client(self) -> ApiClient:
        """Return what uploads need, made when the first one comes: this loads the HTTP client."""
        from .http import Transport

        assert self._secret is not None
        assert self._ledger is not None
        with self._lock:
            if self._opened is None:
                transport = Transport(self._api, self._secret, self._hosts, self._stop, self._timing)
                self._opened = ApiClient(
                    self._api, transport, self._ledger, self._account, self._stop, self._denied, self._timing
                )
            return self._opened

    def _question(self, client: ApiClient, route: str) -> replies.Step | replies.AccountReply:
        """Ask until an answer comes; where none does, the API is given up for the run, and no image tries again."""
        begun, failures = time.monotonic(), 0
        while True:
            step, _ = client.call(
                lambda: client.transport.get(route, time.monotonic() + self._timing.question), replies.after_question
            )
            failures += 1
            if not isinstance(step, NoResponse):
                return step
            if time.monotonic() - begun > self._timing.persistence or failures == self._timing.tries:
                client.account.trip(step.reason, for_good=step.unreached)
                return step
            if self._stop.wait(client.backoff(failures)):
                return step

    def _denied(self, step: replies.Denied) -> AccountError:
        """Upload nothing more in this run, and return the error that says why."""
        self._account.deny(lambda: self._denial(step, ""))
        quota = self.quota() if step.quota else None
        renews = quota.renews if quota else ""
        self._account.deny(lambda: self._denial(step, renews))
        return self._denial(step, renews)

    def _denial(self, step: replies.Denied, renews: str) -> AccountError:
        if step.quota:
            text, kind = "TinyJPG quota used up" + (f". It renews on {renews}" if renews else ""), "quota"
        elif step.code == 401:
            text, kind = f"{self.host} refused the API key (401). Check TINYJPG_API_KEY", "refused"
        else:
            text, kind = f"{self.host} {step.reason}. Check what the key's plan permits", "refused"
        return AccountError(text, kind=kind, host=self.host, status=step.code, renews=renews)
