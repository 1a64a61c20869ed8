"""Which variables a child process inherits: an allow-list, so that no token or key of the caller reaches it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

SYSTEM = frozenset(
    "PATH HOME USER LOGNAME USERPROFILE HOMEDRIVE HOMEPATH APPDATA LOCALAPPDATA PROGRAMDATA TMPDIR TEMP TMP TZ LANG "
    "LANGUAGE SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT NUMBER_OF_PROCESSORS PROCESSOR_ARCHITECTURE OS "
    "LD_LIBRARY_PATH LD_PRELOAD DYLD_LIBRARY_PATH DYLD_FALLBACK_LIBRARY_PATH".split()
)
"""What programs need to find their files, libraries and language."""

PYTHON = frozenset(
    "PYTHONPATH PYTHONHOME PYTHONPLATLIBDIR PYTHONUSERBASE PYTHONNOUSERSITE PYTHONEXECUTABLE PYTHONUTF8 "
    "PYTHONIOENCODING PYTHONCOERCECLOCALE PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX PYTHONHASHSEED PYTHONMALLOC "
    "PYTHONFAULTHANDLER PYTHONDEVMODE PYTHONWARNINGS VIRTUAL_ENV COVERAGE_PROCESS_START COVERAGE_PROCESS_CONFIG".split()
)
"""What an interpreter needs to start like ours does; coverage.py measures child processes by its two."""

GIT = frozenset(
    "XDG_CONFIG_HOME GIT_EXEC_PATH GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_CONFIG_NOSYSTEM GIT_CEILING_DIRECTORIES "
    "GIT_DISCOVERY_ACROSS_FILESYSTEM".split()
)
"""Where git finds its programs and the user's configuration, which names ignored files and trusted folders."""


def inherited(environ: Mapping[str, str], *names: Iterable[str]) -> dict[str, str]:
    """Return the variables of `environ` that stand in `SYSTEM` or `names`, or set a part of the locale (`LC_*`).

    Names are compared in upper case, as Windows does.
    """
    allowed = SYSTEM.union(*names)
    return {name: value for name, value in environ.items() if name.upper() in allowed or name.startswith("LC_")}
