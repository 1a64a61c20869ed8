"""What went wrong with a store of objects, in a few words for a person.

The errors of the library that speaks to stores (obstore) hold addresses, names of objects, and many lines.
"""

from __future__ import annotations

import re

NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|The specified bucket does not exist")

_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_SIGNS = {
    "time-out": re.compile(r"TimedOut|kind: Timeout|timed out"),
    "no such host": re.compile(r"dns error"),
    "no connection": re.compile(r"kind: Connect|ConnectionRefused"),
    "no such folder": re.compile(r"UnableToCanonicalize|NotADirectory"),
    "an answer cut off": re.compile(r"kind: Interrupted|kind: Body|IncompleteMessage"),
    "an answer without a length": re.compile(r"MissingContentLength"),
}


def reason(error: BaseException) -> str:
    """Return the words for an error: the status of an HTTP answer, or what is known of its cause, or its class."""
    text = str(error)
    if NO_BUCKET.search(text):
        return "no such bucket"
    return status(error) or next((words for words, sign in _SIGNS.items() if sign.search(text)), type(error).__name__)


def status(error: BaseException) -> str:
    """Return the status of an HTTP answer, `status 503`, or ""."""
    found = _STATUS.search(str(error))
    return f"status {found[1]}" if found else ""
