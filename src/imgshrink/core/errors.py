"""Errors, as classes by what the caller can do.

ImgshrinkError
├── SettingsError              wrong settings or wrong use: exit code 2
├── FileChanged                the file was edited since it was read: it stays as it is
├── Unreadable                 the file can't be read, and why: it stays as it is
├── Unwritable                 the file can't be replaced, and why: it stays as it is
└── EngineError                an engine did not answer with bytes
    ├── Declined               free, and not for this engine: the next engine is asked
    ├── Rejected               a verdict on this image, worth remembering: the next engine is asked
    ├── Unavailable            passing trouble: the next engine is asked; two in a row disable the engine for the run
    ├── UploadLimitReached     no verdict, and no further try is allowed for now: the next engine is asked
    ├── ResultPending          paid for and not fetched yet: the image waits for the next run, no other engine is asked
    ├── MachineTrouble         this machine failed, nobody's verdict: the image waits for the next run
    └── AccountError           nothing will work until a person acts: the engine is disabled for the run
"""

from __future__ import annotations


class ImgshrinkError(Exception):
    """The base of every error that imgshrink raises on purpose; its text is one line for a person."""


class SettingsError(ImgshrinkError):
    """A setting or an argument is wrong; the text names it and the cure."""


class FileChanged(ImgshrinkError):
    """A file is not what it was when it was read."""


class Unreadable(ImgshrinkError):
    """A file can't be read; the text says why. `large` is True where it is only larger than what is read."""

    def __init__(self, message: str, *, large: bool = False) -> None:
        super().__init__(message)
        self.large = large


class Unwritable(ImgshrinkError):
    """A file can't be replaced; the text says why."""


class EngineError(ImgshrinkError):
    """An engine did not answer with bytes; `uploads` is how many uploads that cost."""

    def __init__(self, message: str = "", *, uploads: int = 0) -> None:
        super().__init__(message)
        self.uploads = uploads


class Declined(EngineError):
    """The engine does not take such an image; nothing was spent."""


class Rejected(EngineError):
    """The engine took the image and can't serve it; asking again would bring the same answer.

    `remembered`: this is known from an earlier run, and the engine was not called.
    """

    def __init__(self, message: str = "", *, uploads: int = 0, remembered: bool = False) -> None:
        super().__init__(message, uploads=uploads)
        self.remembered = remembered


class Unavailable(EngineError):
    """The engine can't be reached or answered nonsense; another time it may.

    `lasting`: not in this run, whatever the image.
    """

    def __init__(self, message: str = "", *, uploads: int = 0, lasting: bool = False) -> None:
        super().__init__(message, uploads=uploads)
        self.lasting = lasting


class UploadLimitReached(EngineError):
    """What may be spent on the image is spent, and nothing came of it: no verdict on the image."""


class ResultPending(EngineError):
    """The image is paid for and not ready yet; the next run collects it."""


class MachineTrouble(EngineError):
    """A process was killed from outside, ran out of memory or out of time: it says nothing about the image."""


class AccountError(EngineError):
    """The account can't be used: no key, key refused, quota used up, budget of the run spent.

    The text is the run's one note about it; empty means that there is nothing to say.
    `failure` tells whether a strict run counts it. `kind` is `refused`, `quota`, `budget`, `memory` or "", for a report
    that knows how many images it concerns; `host` and `status` name who said so, `renews` is a date (2026-12-01) or "".
    """

    def __init__(
        self,
        message: str = "",
        *,
        uploads: int = 0,
        failure: bool = True,
        kind: str = "",
        host: str = "",
        status: int = 0,
        renews: str = "",
    ) -> None:
        super().__init__(message, uploads=uploads)
        self.failure = failure
        self.kind = kind
        self.host = host
        self.status = status
        self.renews = renews
