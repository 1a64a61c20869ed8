"""What people read: numbers, lines, blocks and documents, all of them pure functions of outcomes and counts.

Lines come without the name in front, as loggers and notes have it of their own; blocks of several lines have it.
"""

from __future__ import annotations

from .build import (
    announcement,
    empty_cache,
    in_work,
    key_empty,
    key_refused,
    left_alone,
    no_key,
    not_kept,
    out_of_reach,
    outlook,
    portraying,
    progress,
    quota_used_up,
    result,
    time_over,
    uploading,
    uploads_needed,
)
from .commit import Ways, finished, partly_staged, rewritten, summed_up, under, unfinished
from .documents import DOCUMENTS, to_json, to_markdown
from .names import fitting, folder_of, pathspec, quoted, shown
from .numbers import about, counted, part, share, size, span
from .rows import LISTED, sizes, table
from .summary import LATE, NOBODY, SMALL, Summary, left, savings, summarize

__all__ = [
    "DOCUMENTS",
    "LATE",
    "LISTED",
    "NOBODY",
    "SMALL",
    "Summary",
    "Ways",
    "about",
    "announcement",
    "counted",
    "empty_cache",
    "finished",
    "fitting",
    "folder_of",
    "in_work",
    "key_empty",
    "key_refused",
    "left",
    "left_alone",
    "no_key",
    "not_kept",
    "out_of_reach",
    "outlook",
    "part",
    "partly_staged",
    "pathspec",
    "portraying",
    "progress",
    "quota_used_up",
    "quoted",
    "result",
    "rewritten",
    "savings",
    "share",
    "shown",
    "size",
    "sizes",
    "span",
    "summarize",
    "summed_up",
    "table",
    "time_over",
    "to_json",
    "to_markdown",
    "under",
    "unfinished",
    "uploading",
    "uploads_needed",
]
