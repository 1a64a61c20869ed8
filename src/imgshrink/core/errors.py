"""Errors, as classes by what the caller can do.

ImgshrinkError
├── SettingsError          wrong settings or wrong use: exit code 2
├── FileChanged            the file was edited since it was read: it is left as it is
├── Unwritable             the file can't be replaced, and why: it is left as it is
└── EngineError            an engine did not answer with bytes
    ├── Declined           free, and not for this engine: the next engine is asked
    ├── Rejected           a verdict on this image, worth remembering: the next engine is asked
    ├── Unavailable        passing trouble: the next engine is asked; two in a row retire the engine for the run
    ├── UploadLimitReached              no verdict, and no further try is allowed for now: the next engine is asked
    ├── ResultPending            paid for and still in work: the image waits for the next run, no other engine is asked
    └── AccountError       nothing will work until a person acts: the engine retires for the run
"""

from __future__ import annotations


class ImgshrinkError(Exception):
    """The base of every error that imgshrink raises on purpose; its text is one line for a person."""


class SettingsError(ImgshrinkError):
    """A setting or an argument is wrong; the text names it and the cure."""


class FileChanged(ImgshrinkError):
    """A file is not what it was when it was read."""


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
