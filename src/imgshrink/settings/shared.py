"""The shared cache: its address and public keys, and the secret, which is read from the environment alone.

None of them is read from a file of the repository: the cache on a machine serves all its projects, and a change to one
of them could make all believe what somebody else has signed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .parsers import InvalidPart, RawValue

NAMES = ("shared_url", "shared_key")
SECRET, LOGIN = "IMGSHRINK_SHARED_SECRET", "IMGSHRINK_SHARED_LOGIN"
PRIVATE = ("shared_secret", "shared_login")
"""Read from the environment alone, and never shown."""

SCHEMES = ("s3", "gs", "az", "https", "http", "file")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
KEY = re.compile(r"[A-Za-z0-9_-]{43}")
SECRET_KEY = re.compile(r"imgshrink_secret_[A-Za-z0-9_-]{43}")
MOST_KEYS = 2
FALSE = ("", "0", "false")
SYSTEMS = (
    "CI TF_BUILD JENKINS_URL TEAMCITY_VERSION CODEBUILD_BUILD_ID READTHEDOCS NETLIFY VERCEL CF_PAGES BUILDKITE "
    "GITHUB_ACTIONS GITLAB_CI BITBUCKET_BUILD_NUMBER"
).split()
"""Variables that systems for continuous integration set."""

UNUSED = f"{SECRET} is kept unused"


@dataclass(frozen=True)
class SharedSecrets:
    """What this environment holds for writing; `unused` says why the secret is not used, "" where it is or is none."""

    secret: str | None = field(default=None, repr=False)
    login: str | None = field(default=None, repr=False)
    unused: str = ""


def belongs_to_shared(key: str) -> bool:
    """Return whether `key` is one that must not be set in a file of the repository."""
    return _plain(key) in (*NAMES, *PRIVATE)


def is_private(key: str) -> bool:
    """Return whether `key` may be set in the environment alone."""
    return _plain(key) in PRIVATE


def read_secrets(environ: Mapping[str, str]) -> SharedSecrets:
    """Read the secret and the login; empty variables are none."""
    secret, login = environ.get(SECRET, "").strip(), environ.get(LOGIN, "").strip()
    unused = why_unused(environ, secret) if secret else ""
    return SharedSecrets(None if unused else secret or None, login or None, unused)


def why_unused(environ: Mapping[str, str], secret: str) -> str:
    """Return why results must not be signed with `secret` here, "" if they may.

    Only a push to a protected branch may write, or a machine that is no CI: everywhere else the code of a change that
    nobody has looked at runs beside the secret. There is no setting against it.
    """
    if not SECRET_KEY.fullmatch(secret):
        return f"{SECRET} is no secret that `imgshrink cache keygen` made"
    if not any(environ.get(name, "").strip().lower() not in FALSE for name in SYSTEMS):
        return ""
    if environ.get("GITHUB_ACTIONS") == "true":
        # https://docs.github.com/en/actions/reference/workflows-and-actions/variables
        push = environ.get("GITHUB_EVENT_NAME") == "push" and environ.get("GITHUB_REF_TYPE", "branch") == "branch"
        protected = environ.get("GITHUB_REF_PROTECTED") == "true"
    elif environ.get("GITLAB_CI") == "true":
        # https://docs.gitlab.com/ci/variables/predefined_variables/
        push = not (environ.get("CI_MERGE_REQUEST_ID") or environ.get("CI_MERGE_REQUEST_IID"))
        protected = environ.get("CI_COMMIT_REF_PROTECTED") == "true"
    else:
        return f"{UNUSED}: only GitHub and GitLab say that a build is a push to a protected branch"
    return "" if push and protected else f"{UNUSED}: only a push to a protected branch writes to the shared cache"


def address(given: RawValue) -> str:
    """Return the address of a shared cache. A wrong one is not quoted: it may hold a password."""
    from urllib.parse import urlsplit

    text = given.value.strip().rstrip("/") if isinstance(given.value, str) else ""
    try:
        parts = urlsplit(text)
        host, user = parts.hostname or "", parts.username or parts.password
    except ValueError:
        raise InvalidPart("which must be an address such as s3://bucket/folder") from None
    if parts.scheme not in SCHEMES or bool(host) == (parts.scheme == "file") or not (host or parts.path):
        raise InvalidPart("which must begin with s3://, gs://, az://, https:// or file:///, and name a place")
    if user or parts.query or parts.fragment:
        raise InvalidPart(f"which must hold no user, password, query or #: user:password belong into {LOGIN}")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise InvalidPart("which must begin with https://: http is taken for this machine alone")
    return text


def public_keys(given: RawValue) -> tuple[str, ...]:
    """Return the public keys, at most two. What is none is not quoted: it may be the secret."""
    value = given.value
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    if not isinstance(value, list | tuple) or not all(isinstance(key, str) for key in value):
        raise InvalidPart("which must be a public key, or two")
    keys = tuple(dict.fromkeys(key.strip() for key in value))
    if any(SECRET_KEY.fullmatch(key) for key in keys):
        raise InvalidPart(
            "which holds a secret: whoever has read it can sign, make a new one by imgshrink cache keygen"
        )
    if not all(KEY.fullmatch(key) for key in keys) or not 1 <= len(keys) <= MOST_KEYS:
        raise InvalidPart("which must be one or two public keys, each of 43 letters, digits, - and _")
    return keys


def _plain(key: str) -> str:
    return key.lower().replace("-", "_").removeprefix("imgshrink_")
