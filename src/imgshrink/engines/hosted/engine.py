"""The engine that sends images to the TinyJPG API. The HTTP client is imported with the first image, not before."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from ...core import tinyjpg
from ...core.errors import AccountError, Declined, ResultPending, Unavailable
from ...core.keys import cache_key, content_hash
from ...core.model import Format, ImageInfo, Recipe
from ...core.tinyjpg import Json
from ...files.locks import FileLocks
from .budget import RunEnd, UploadBudget
from .client import ApiClient
from .journal import Journal, JournalError, Ledger
from .payment import REJECTED, UPLOADED, Row
from .polling import Timing
from .proxy import read_proxy
from .quota import Quota
from .secret import Secret
from .urls import read_api

PROTOCOL = "tinyjpg-1"
LARGEST = 32 * 1024 * 1024
MOST_REASONS = 3


def nothing_wrong() -> str:
    """Return "": results can be kept."""
    return ""


class Hosted:
    """Optimizes images at the API at `api_url`. Without a `key` nothing is sent: it only names results in the cache.

    Raises `SettingsError` for an invalid key or address. `hosts` may serve results besides the API's own host.
    Connections go through the `proxy`, where one is named. `can_remember` is called once, before the first upload: it
    returns "", or why a result could not be kept. `locks` are shared by all processes that share the journal.
    Everything that waits watches `stop`.
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
        locks: FileLocks | None = None,
        stop: threading.Event | None = None,
        timing: Timing | None = None,
        proxy: str = "",
    ) -> None:
        self._timing = timing or Timing()
        self._api = read_api(api_url)
        self._proxy = read_proxy(proxy)
        self._hosts = tuple(host.lower() for host in hosts)
        self._journal = journal if isinstance(journal, Journal) else Journal(journal)
        self._budget = UploadBudget(max_uploads, can_remember)
        self._locks = locks or FileLocks()
        self._stop = stop or threading.Event()
        self._end = RunEnd()
        self._guard = threading.Lock()
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
        """Protocol and address, not the key: a run without a key finds results that others paid for."""
        return f"{PROTOCOL} {self._api.url}"

    @property
    def uploads(self) -> int:
        """How many uploads of this run were, or may have been, paid for."""
        return self._budget.uploads

    @property
    def end(self) -> float | None:
        """When the run ends, in monotonic seconds, None for no end; nothing waits longer, an upload 2 s longer."""
        return None if math.isinf(self._end.at) else self._end.at

    @end.setter
    def end(self, end: float | None) -> None:
        self._end.at = math.inf if end is None else end

    def notes(self) -> list[str]:
        """What a person should know about this run's payments, one line each."""
        unknown, again = self._budget.unknown, self._budget.repeated
        notes = list(self._journal.notes)
        for reason, count in self._budget.uncollected.most_common(MOST_REASONS):
            images = "1 image that is" if count == 1 else f"{count} images that are"
            notes.append(f"{images} paid for could not be collected: {reason}")
        if self._budget.same_id:
            notes.append(f"{self.host} gave one image id to different images: the results of these are not used")
        if unknown:
            uploads = "1 upload" if unknown == 1 else f"{unknown} uploads"
            notes.append(
                f"{uploads} to {self.host} brought no usable answer ({self._budget.unknown_reason}), paid or not: "
                "a later run tries once more"
            )
        if again:
            images = "1 image was" if again == 1 else f"{again} images were"
            notes.append(f"{images} uploaded to {self.host} a second time: the first upload brought no result")
        return notes

    def declines(self, info: ImageInfo, size: int) -> str:
        """Return why such an image is never sent to the API, or ""; `size` is in bytes."""
        if info.format is Format.PNG and info.animated:
            return "the API would flatten an animated PNG"
        if info.colour == "cmyk":
            return "the API would turn CMYK into RGB"
        if info.depth > 8:
            return f"the API would cut {info.depth} bits a sample to 8"
        return "too large for the API" if size > LARGEST else ""

    def paid(self, content: str, recipe: Recipe) -> bool:
        """Whether the image with this content hash costs no upload, because the journal knows it."""
        row = self._row(content, recipe)
        return row is not None and (row.spent or row.state in (UPLOADED, REJECTED))

    def owes(self, content: str, recipe: Recipe) -> bool:
        """Whether the image with this content hash is paid for, so that its result can be collected for free."""
        row = self._row(content, recipe)
        return row is not None and row.state == UPLOADED

    def awaits(self, content: str, recipe: Recipe) -> bool:
        """Whether the image with this content hash is paid for, and its result was not downloaded yet."""
        row = self._row(content, recipe)
        return row is not None and row.state == UPLOADED and not row.delivered

    def waiting(self) -> int:
        """Return how many images are paid for and were not downloaded yet; raises `JournalError`."""
        return 0 if self._ledger is None else self._ledger.waiting()

    def optimize(self, data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
        """Return the API's result; raises `EngineError`, with the uploads that it cost."""
        if self._ledger is None:
            raise AccountError("", failure=False)
        if why := self.declines(info, len(data)):
            raise Declined(why)
        from .upload import Upload

        key = self._name(content_hash(data), recipe)
        deadline = self._end.deadline(self._timing.job)
        try:
            with self._locks.hold(key, deadline=deadline, stop=self._stop) as held:
                if held:
                    return Upload(self._client(self._ledger), key, data, info, recipe).run()
        except JournalError as error:
            reason = str(error)
        else:
            if self._stop.is_set():
                raise Unavailable("interrupted")
            raise ResultPending(f"another process is uploading it to {self.host}: the next run collects the result")
        raise AccountError(f"nothing is uploaded: {reason}", kind="memory")

    def ask(self, route: str) -> Json:
        """Return what the API says about the account under `route`; raises `EngineError`."""
        if self._ledger is None:
            raise AccountError("no TINYJPG_API_KEY is set", kind="no-key")
        return self._client(self._ledger).ask_account(route)

    def quota(self) -> Quota | None:
        """Return what is left of the quota, None where the API does not say."""
        return None if self._ledger is None else self._client(self._ledger).quota()

    def close(self) -> None:
        """End requests in flight; close the connections and the journal. Safe to call twice."""
        self._stop.set()
        with self._guard:
            if self._opened is not None:
                self._opened.transport.close()
        self._journal.close()

    def _read_key(self, key: str | None) -> tuple[Secret | None, Ledger | None]:
        if key is None:
            return None, None
        return Secret(key), self._journal.ledger(self._api.origin, key)

    def _row(self, content: str, recipe: Recipe) -> Row | None:
        if self._ledger is None:
            return None
        try:
            return self._ledger.find(self._name(content, recipe))
        except JournalError:
            return None

    def _name(self, content: str, recipe: Recipe) -> str:
        """Return the image's name in the journal: what is carried for other programs is not uploaded, kept or not."""
        return cache_key(content, Recipe(recipe.quality), self.fingerprint)

    def _client(self, ledger: Ledger) -> ApiClient:
        """Return the API of this run, made for the first image: this imports the HTTP client."""
        from .http import Transport

        assert self._secret is not None
        with self._guard:
            if self._opened is None:
                transport = Transport(self._api, self._secret, self._hosts, self._stop, self._timing, self._proxy)
                self._opened = ApiClient(
                    self._api, transport, ledger, self._budget, self._stop, self._end, self._timing
                )
            return self._opened
